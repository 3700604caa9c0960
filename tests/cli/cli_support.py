"""What the tests of the program share: running it, and making small inputs without any other program."""

import glob
import gzip
import json
import os
import random
import struct
import subprocess
import tempfile
import unittest
import zlib

PROGRAM = os.environ["VGG16_PROGRAM"]
# What runs where a test does not say: "vulkan" is lavapipe.
BACKEND = os.environ.get("VGG16_TEST_BACKEND", "cpu")
LAVAPIPE = next(iter(glob.glob("/usr/share/vulkan/icd.d/lvp_icd*.json")), None)

# A network that is made and run in milliseconds: one convolution, one pool.
TINY = ["--weights", "random", "--arch", "vgg11", "--size", "32", "--layer", "block1_pool"]
GAP = ["--head", "gap,dense:1:sigmoid"]


def write_png(path, width, height, pixel):
    """An RGB PNG whose colours are pixel(x, y)."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n")
        f.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
        f.write(chunk(b"IDAT", zlib.compress(rows)))
        f.write(chunk(b"IEND", b""))


COLOURS = [(200, 40, 40), (40, 40, 200), (40, 200, 40), (200, 200, 40), (40, 200, 200)]


def write_folder(path, classes=("cat", "dog"), count=6, seed=1):
    """A folder with one subfolder per class; each class has its colour, so that it can be learnt."""
    noise = random.Random(seed)
    for name, colour in zip(classes, COLOURS):
        os.makedirs(os.path.join(path, name), exist_ok=True)
        for i in range(count):
            write_png(
                os.path.join(path, name, f"{i}.png"), 40, 36, lambda x, y: [v + noise.randrange(50) for v in colour]
            )
    return path


def write_safetensors(path, tensors, metadata=None):
    """tensors: name -> (dtype, shape, bytes); metadata: name -> text."""
    header, offset = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values()))
    return path


def write_features(path, shape, labels, seed=1):
    """Random features of len(labels) items with the given shape each."""
    noise = random.Random(seed)
    count = len(labels)
    for n in shape:
        count *= n
    x = struct.pack(f"<{count}f", *(noise.random() for _ in range(count)))
    y = struct.pack(f"<{len(labels)}q", *labels)
    return write_safetensors(path, {"x": ("F32", [len(labels), *shape], x), "y": ("I64", [len(labels)], y)})


def write_idx(images, labels, count=8, size=32):
    """MNIST's files, the images with gzip: class 0 is dark, class 1 bright."""
    with gzip.open(images, "wb") as f:
        f.write(struct.pack(">IIII", 0x803, count, size, size))
        for i in range(count):
            f.write(bytes([60 + 120 * (i % 2)]) * (size * size))
    with open(labels, "wb") as f:
        f.write(struct.pack(">II", 0x801, count) + bytes(i % 2 for i in range(count)))


def use_lavapipe(env, folder):
    env.update(VK_ICD_FILENAMES=LAVAPIPE, XDG_RUNTIME_DIR=folder)
    env.setdefault("MESA_SHADER_CACHE_DIR", "/tmp/vgg16-mesa-cache")  # compiling takes most of a test's time


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("VGG16_", "KERAS_", "HF_", "TORCH_"))}
    if BACKEND == "vulkan":
        env["VGG16_BACKEND"] = BACKEND
        use_lavapipe(env, changes["HOME"])
    env.update(changes)
    return env


class Program(unittest.TestCase):
    """A test with a folder of its own; nothing of the user's caches is seen."""

    def setUp(self):
        if BACKEND == "vulkan" and not LAVAPIPE:
            self.skipTest("lavapipe is not installed (Debian: mesa-vulkan-drivers)")
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.env = environment(HOME=self.folder, XDG_CACHE_HOME=self.path("cache"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_program(self, *args, env=None, stdout=subprocess.PIPE, timeout=100):
        merged = dict(self.env, **(env or {}))
        return subprocess.run(
            [PROGRAM, *args],
            cwd=self.folder,
            env=merged,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=timeout,
            text=True,
            errors="replace",
        )

    def succeed(self, *args, **kwargs):
        done = self.run_program(*args, **kwargs)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr}")
        return done.stdout

    def json(self, *args, **kwargs):
        return json.loads(self.succeed(*args, "--json", **kwargs))

    def fail_with(self, codes, pattern, *args, **kwargs):
        """The program fails by one of `codes` with exactly one line on stderr, which matches `pattern`, and leaves no
        file half-written."""
        before = self.files()
        done = self.run_program(*args, **kwargs)
        codes = (codes,) if isinstance(codes, int) else codes
        self.assertIn(done.returncode, codes, f"{args}: {done.stderr}")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, f"{args}: {done.stderr}")
        self.assertRegex(lines[0], "^vgg16: ")
        self.assertRegex(lines[0], pattern)
        self.assertEqual(self.files(), before)
        return done

    def usage(self, pattern, *args, **kwargs):
        done = self.fail_with(2, pattern, *args, **kwargs)
        self.assertRegex(done.stderr, r"(; see|\? See) vgg16 ([a-z]+ )?--help$")
        return done

    def files(self):
        """All files but compiled shaders."""
        found = (os.path.join(d, f) for d, _, names in os.walk(self.folder) for f in names)
        return sorted(f for f in found if not os.path.basename(f).startswith("vulkan-"))

    def train(self, data, model="m.safetensors", *more):
        return self.succeed("train", data, *TINY, *GAP, "--output", model, *(more or ["--epochs", "0"]))
