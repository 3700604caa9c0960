"""The program for Windows under Wine, on a display of its own (Xvfb), by which Wine finds Vulkan's drivers.

VGG16_PROGRAM, VGG16_LIBRARY, VGG16_SEAM and VGG16_INTERRUPT are its .exe, the DLL, seam.exe and interrupt.exe, VGG16_WINE is
Wine. VGG16_OTHER, unless empty, is the same program for this system, whose results it must give.
"""

import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

import numpy
from PIL import Image

try:
    import torch
except ImportError:
    torch = None

PROGRAM, LIBRARY = os.environ["VGG16_PROGRAM"], os.environ["VGG16_LIBRARY"]
SEAM, INTERRUPT = os.environ["VGG16_SEAM"], os.environ["VGG16_INTERRUPT"]
WINE = os.environ.get("VGG16_WINE", "wine64")
OTHER = os.environ.get("VGG16_OTHER")
SMALL = ("--arch", "vgg11", "--weights", "random", "--size", "32")
ENVIRONMENT = dict(os.environ, WINEDEBUG="-all", OMP_WAIT_POLICY="passive")
KILLED = 0xC000013A & 0xFF  # STATUS_CONTROL_C_EXIT, as much of it as comes out of Wine


def run(*words, folder=None, program=None, check=0, **more):
    command = [program] if program == OTHER and OTHER else [WINE, program or PROGRAM]
    done = subprocess.run([*command, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=240, env=dict(ENVIRONMENT, **more))
    if check is not None and done.returncode != check:
        raise AssertionError(f"{words}: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode(), done.stderr.decode()


def windows_path(path):
    return "Z:" + path.replace("/", "\\")


def read_tensors(path):
    """A .safetensors file's arrays by name."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        head, data = json.loads(f.read(size)), f.read()
    head.pop("__metadata__", None)
    return {name: numpy.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
            for name, entry in head.items()}


def tensors(path):
    """The bytes of a .safetensors file behind its header."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        f.seek(8 + size)
        return numpy.frombuffer(f.read(), numpy.float32)


class Windows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.room = tempfile.TemporaryDirectory(prefix="vgg16-")
        cls.folder = cls.room.name
        cls.start_wine()
        run("--version")  # the first program of a user has Wine make its folder, and tell so
        random = numpy.random.default_rng(5)
        for i in range(12):
            name = os.path.join(cls.folder, "дані", ("кіт", "собака")[i % 2], f"фото {i}.png")
            os.makedirs(os.path.dirname(name), exist_ok=True)
            low = 120 * (i % 2)
            Image.fromarray(random.integers(low, low + 120, (36 + i, 50 - i, 3), numpy.uint8)).save(name)

    @classmethod
    def start_wine(cls):
        """A session of its own: what drives its display, and so Vulkan, is settled when the first program starts."""
        cls.prefix = tempfile.TemporaryDirectory(prefix="vgg16-wine-", ignore_cleanup_errors=True)
        cls.display = None
        ENVIRONMENT["WINEPREFIX"] = cls.prefix.name
        ENVIRONMENT.pop("DISPLAY", None)
        if shutil.which("Xvfb"):
            cls.display = subprocess.Popen(["Xvfb", "-displayfd", "1", "-nolisten", "tcp"], stdout=subprocess.PIPE,
                                           stderr=subprocess.DEVNULL, text=True)
            ENVIRONMENT["DISPLAY"] = ":" + cls.display.stdout.readline().strip()

    @classmethod
    def tearDownClass(cls):
        server = shutil.which("wineserver") or "/usr/lib/wine/wineserver"
        subprocess.run([server, "-k"], env=ENVIRONMENT, check=False)
        if cls.display:
            cls.display.terminate()
            cls.display.communicate()
        cls.prefix.cleanup()
        cls.room.cleanup()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def test_seam(self):
        folder = self.path("seam")
        os.mkdir(folder)
        run(folder, windows_path(os.path.realpath(LIBRARY)), program=SEAM)

    def test_selftest(self):
        out, _ = run("selftest", "--backend", "cpu", "--quiet")
        self.assertRegex(out, r"\n(\d+) of \1 passed\n$")

    def test_features(self):
        run("extract", "дані", *SMALL, "--output", "ознаки.npy", folder=self.folder)
        there = numpy.load(self.path("ознаки.npy"))
        self.assertEqual(there.shape, (12, 512))
        if OTHER:
            run("extract", "дані", *SMALL, "--output", "other.npy", folder=self.folder, program=OTHER)
            numpy.testing.assert_allclose(there, numpy.load(self.path("other.npy")), rtol=1e-5, atol=1e-6)

    def test_work(self):
        train = ("train", "дані", *SMALL, "--trainable", "all", "--lr", "1e-4", "--batch", "4", "--epochs", "2")
        run(*train, "--output", "модель.safetensors", "--checkpoint", "точки", folder=self.folder)
        first = tensors(self.path("модель.safetensors"))
        run(*train, "--output", "модель.safetensors", folder=self.folder)  # over the first
        self.assertEqual(first.tobytes(), tensors(self.path("модель.safetensors")).tobytes())
        if OTHER:
            run(*train, "--output", "other.safetensors", folder=self.folder, program=OTHER)
            numpy.testing.assert_allclose(first, tensors(self.path("other.safetensors")), rtol=1e-3, atol=1e-5)
        out, _ = run("predict", "--model", "модель.safetensors", "дані\\кіт\\*.png", folder=self.folder)
        self.assertEqual(out.count("дані/кіт/фото"), 6)
        self.assertNotIn("\r", out)
        run("evaluate", "дані", "--model", "модель.safetensors", folder=self.folder)
        run("explain", "--model", "модель.safetensors", "дані/кіт/фото 0.png", "--output", "карта.png", folder=self.folder)
        with Image.open(self.path("карта.png")) as image:
            self.assertEqual(image.format, "PNG")
        left = [name for _, _, names in os.walk(self.folder) for name in names if ".tmp.vgg16-" in name]
        self.assertEqual(left, [])

    def test_vulkan(self):
        """On lavapipe, by way of winevulkan."""
        drivers = glob.glob("/usr/share/vulkan/icd.d/lvp_icd*.json")
        if not self.display or not drivers:
            self.skipTest("no Xvfb or no lavapipe here (Debian: xvfb, mesa-vulkan-drivers)")
        how = {"folder": self.folder, "VK_ICD_FILENAMES": drivers[0]}
        out, _ = run("devices", **how)
        self.assertIn("llvmpipe", out)
        out, _ = run("selftest", "--backend", "vulkan", "--quiet", **how)
        self.assertRegex(out, r"\n(\d+) of \1 passed\n$")
        run("extract", "дані", *SMALL, "--backend", "vulkan", "--output", "v.npy", **how)
        run("extract", "дані", *SMALL, "--backend", "cpu", "--output", "c.npy", folder=self.folder)
        there, here = numpy.load(self.path("v.npy")), numpy.load(self.path("c.npy"))
        numpy.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)
        self.assertFalse(numpy.array_equal(there, here))  # of another device
        run("train", "дані", *SMALL, "--trainable", "all", "--lr", "1e-4", "--batch", "4", "--epochs", "1", "--backend", "vulkan",
            "--output", "v.safetensors", **how)
        run("evaluate", "дані", "--model", "v.safetensors", "--backend", "vulkan", **how)

    @unittest.skipUnless(torch, "no PyTorch here (Debian: python3-torch)")
    def test_archives(self):
        """.pth both ways, .keras in, under names that are not ASCII."""
        run("train", "дані", *SMALL, "--epochs", "0", "--output", "a.safetensors", folder=self.folder)
        run("convert", "a.safetensors", "ваги.pth", folder=self.folder)
        state = torch.load(self.path("ваги.pth"))
        torch.save({name: tensor * 2 for name, tensor in state.items()}, self.path("два.pth"))
        run("convert", "два.pth", "b.safetensors", folder=self.folder)
        first, second = read_tensors(self.path("a.safetensors")), read_tensors(self.path("b.safetensors"))
        convolutions = [name for name in second if name.startswith("block")]
        self.assertEqual(len(convolutions), 16)
        for name in convolutions:
            numpy.testing.assert_array_equal(second[name], 2 * first[name], name)

        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
        import make_weights
        make_weights.keras3(self.path("model.weights.h5"))
        with zipfile.ZipFile(self.path("модель.keras"), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", '{"class_name": "Sequential"}')
            archive.write(self.path("model.weights.h5"), "model.weights.h5")
        run("convert", "модель.keras", "k.safetensors", folder=self.folder)
        found = read_tensors(self.path("k.safetensors"))
        for _, number, kernel, bias in make_weights.convs("vgg16"):
            numpy.testing.assert_array_equal(found[f"features.{number}.weight"], kernel.transpose(3, 2, 0, 1))
            numpy.testing.assert_array_equal(found[f"features.{number}.bias"], bias)
        with open(self.path("ваги.pth"), "r+b") as f:
            f.truncate(5000)
        _, err = run("convert", "ваги.pth", "c.safetensors", folder=self.folder, check=1)
        self.assertRegex(err, "^vgg16: ваги.pth: begins as a zip archive but has no directory at its end")

    def test_interrupted(self):
        """By Ctrl-C: the checkpoint stays, and the run goes on from it as if it had not been stopped."""
        train = ("train", "дані", *SMALL, "--trainable", "block5", "--lr", "1e-4", "--batch", "1", "--epochs", "6")
        run(*train, "--output", "whole.safetensors", folder=self.folder)
        kept = ("--checkpoint", "зупинка", "--output", "stopped.safetensors")
        _, err = run("зупинка/checkpoint-*", "1", windows_path(PROGRAM), *train, *kept, "--checkpoint-every", "1",
                     folder=self.folder, program=INTERRUPT, check=130)
        self.assertIn("vgg16: stopping after this step", err)
        self.assertTrue(err.endswith("vgg16: interrupted\n"), err)
        self.assertFalse(glob.glob(self.path("зупинка", "checkpoint-000006-*")))  # not in the last epoch
        _, err = run(*train, *kept, folder=self.folder, check=1)
        self.assertRegex(err, "зупинка: holds .* of an earlier training")
        run(*train, *kept, "--resume", folder=self.folder)
        self.assertEqual(tensors(self.path("stopped.safetensors")).tobytes(), tensors(self.path("whole.safetensors")).tobytes())

    def test_interrupted_twice(self):
        """The second Ctrl-C ends it at once, in the middle of a step."""
        with open(self.path("long.txt"), "w", encoding="utf-8") as f:
            f.write("дані/кіт/фото 0.png\n" * 20000)
        extract = ("extract", "long.txt", "--weights", "random", "--size", "224", "--batch", "256", "--output", "f.npy")
        run("f.npy.tmp.vgg16-0", "2", windows_path(PROGRAM), *extract, folder=self.folder, program=INTERRUPT, check=KILLED,
            VGG16_ISA="scalar")
        self.assertFalse(os.path.exists(self.path("f.npy")))
        os.remove(self.path("f.npy.tmp.vgg16-0"))  # as after any kill

    def test_bad_input(self):
        _, err = run("predict", "--model", "немає.safetensors", "дані", folder=self.folder, check=1)
        self.assertEqual(err, "vgg16: немає.safetensors: cannot be opened: No such file or directory\n")
        run("predict", "--no-such-option", folder=self.folder, check=2)


if __name__ == "__main__":
    unittest.main()
