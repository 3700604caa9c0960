"""int8: the scales that `vgg16 quantize` finds and what --precision int8 computes with them, against NumPy."""

import json
import os
import struct
import unittest

from cli_support import GAP, TINY, Program, write_folder, write_safetensors

try:
    import numpy
except ImportError:
    numpy = None

CPU = ["--backend", "cpu", "--isa", "scalar"]
INT8 = [*CPU, "--precision", "int8"]
NETWORK = ["--weights", "random", "--arch", "vgg11", "--size", "32", "--seed", "5"]
IMAGES = 9


def read_header(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        return header, f.read()


def read_tensors(path):
    header, data = read_header(path)
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, end = entry["data_offsets"]
            tensors[name] = numpy.frombuffer(data[first:end], "<f4").reshape(entry["shape"])
    return tensors, header["__metadata__"]


def write_images(path, count=IMAGES, seed=3):
    """Smooth coloured noise, as photos are smoother than noise."""
    random = numpy.random.default_rng(seed)
    small = random.integers(0, 256, (count, 10, 11, 3))
    x = numpy.kron(small, numpy.ones((1, 4, 3, 1)))[:, 3:35, 1:33] * 0.8 + random.integers(0, 51, (count, 32, 32, 3))
    x = x.astype("u1")
    y = numpy.arange(count, dtype="<i8") % 2
    write_safetensors(path, {"x": ("U8", list(x.shape), x.tobytes()), "y": ("I64", [count], y.tobytes())})
    return x


# ---- the reference ----

BT = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
G = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
AT = [[1, 1, 1, 0], [0, 1, -1, -1]]


def conv(x, w, b):
    """3x3, zeros outside, ReLU."""
    n, h, width, _ = x.shape
    p = numpy.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = sum(p[:, i : i + h, j : j + width] @ w[i, j] for i in range(3) for j in range(3)) + b
    return numpy.maximum(y, 0)


def pool(x):
    return numpy.maximum(numpy.maximum(x[:, ::2, ::2], x[:, 1::2, ::2]), numpy.maximum(x[:, ::2, 1::2], x[:, 1::2, 1::2]))


def tiles(q):
    """V = B^T d B of every tile of 4x4: (n, h/2, w/2, c, 4, 4)."""
    n, h, w, c = q.shape
    p = numpy.pad(q.astype("i8"), ((0, 0), (1, 1), (1, 1), (0, 0)))
    d = numpy.stack([numpy.stack([p[:, i : i + h : 2, j : j + w : 2] for j in range(4)], -1) for i in range(4)], -2)
    return numpy.array(BT) @ d @ numpy.array(BT).T


def limit_of(tap):
    return 255 if tap == 5 else 127


def conv_int8(q, w, b, scales):
    """The definition in core/op/op.h, in double: what comes before rounding to bytes."""
    v = tiles(q)
    n, h, width, c = v.shape[:4]
    u = numpy.einsum("ip,pqck,jq->ijck", numpy.array(G), w.astype("f8"), numpy.array(G))
    m = numpy.zeros((4, 4, n, h, width, w.shape[3]))
    for i in range(4):
        for j in range(4):
            tap = 4 * i + j
            limit = limit_of(tap)
            mul = min(2**15 - 1, max(1, round(2**15 * (limit / float(scales[2 + tap])))))
            vq = numpy.clip((v[..., i, j] * mul + 2**14) >> 15, 0 if tap == 5 else -128, limit)
            top = numpy.abs(u[i, j]).max(0)
            uq = numpy.rint(u[i, j] * (127 / top))
            back = 1 if mul == 2**15 - 1 else 2**15 / mul
            m[i, j] = (vq @ uq) * (float(scales[0]) * top / 127 * back)
    y = numpy.einsum("pi,ijnhwk,qj->nhpwqk", numpy.array(AT), m, numpy.array(AT))
    return numpy.maximum(y.reshape(n, 2 * h, 2 * width, -1) + b, 0)


def direct_int8(q, w, b, step):
    """Likewise of a direct convolution: integers, summed exactly."""
    top = numpy.abs(w).max((0, 1, 2))
    uq, padded = numpy.rint(w * (127 / top)), numpy.pad(q.astype("f8"), ((0, 0), (1, 1), (1, 1), (0, 0)))
    h, width = q.shape[1:3]
    m = sum(padded[:, i:i + h, j:j + width] @ uq[i, j] for i in range(3) for j in range(3))
    return numpy.maximum(m * (float(step) * top / 127) + b, 0)


def forward(x, tensors, layers):
    """What each convolution hands on, after its pool, in fp32; the first of a block has its pool where the next begins."""
    maps = []
    for name, pooled in layers:
        x = conv(x, tensors[name + "/kernel"], tensors[name + "/bias"])
        x = pool(x) if pooled else x
        maps.append(x)
    return maps


LAYERS = [("block1_conv1", True), ("block2_conv1", True), ("block3_conv1", False), ("block3_conv2", True)]


@unittest.skipUnless(numpy, "NumPy is not installed (Debian: python3-numpy)")
class Scales(Program):
    def setUp(self):
        super().setUp()
        pixels = write_images(self.path("d.safetensors"))
        self.x = pixels.astype("f4") / numpy.float32(255)
        self.quantize = ["quantize", "d.safetensors", *NETWORK, "--layer", "block3_pool", *CPU]

    def test_least_squared_error(self):
        told = self.json(*self.quantize, "-o", "q.safetensors")
        tensors, meta = read_tensors(self.path("q.safetensors"))
        self.assertEqual((meta["int8_images"], meta["int8_preprocess"]), (str(IMAGES), "rescale"))
        maps = forward(self.x, tensors, LAYERS)
        cut_off = 0
        for i, (name, _) in enumerate(LAYERS):
            scales = tensors[name + "/int8"]
            self.assertEqual(scales.shape, (18,))
            values, most = maps[i][maps[i] > 0].astype("f8"), float(maps[i].max())

            def lost(step):
                return ((numpy.minimum(numpy.rint(values / step), 255) * step - values) ** 2).sum()

            steps = [most / 255 * 2 ** (-k / 32) for k in range(256)]
            nearest = min(steps, key=lambda s: abs(s - scales[1]))
            self.assertAlmostEqual(nearest / scales[1], 1, 4, name)
            self.assertLess(lost(float(scales[1])), 1.002 * min(lost(s) for s in steps[:96]), name)
            cut_off += float(scales[1]) < 0.999 * steps[0]  # the step of the largest value is not the best
            if i == 0:
                self.assertEqual(list(scales[2:]), [0] * 16)
                continue
            below = tensors[LAYERS[i - 1][0] + "/int8"][1]
            self.assertEqual(scales[0], below)
            v = tiles(numpy.minimum(numpy.rint(maps[i - 1] / below), 255).astype("u1"))
            for tap in range(16):
                size, count = numpy.unique(numpy.abs(v[..., tap // 4, tap % 4]), return_counts=True)
                limit = limit_of(tap)

                def cut(clip):
                    scale = limit / clip
                    return (count * (numpy.minimum(numpy.rint(size * scale), limit) / scale - size) ** 2).sum()

                clip = float(scales[2 + tap])
                least = min(cut(c) for c in range(limit, max(limit, int(size.max())) + 1))
                self.assertTrue(limit <= clip <= 1020 and clip == int(clip), (name, tap))
                self.assertLessEqual(cut(clip), 1.002 * least + 2, (name, tap))
        self.assertGreater(cut_off, 0)
        self.assertEqual([layer["name"] for layer in told["layers"]], [name for name, _ in LAYERS])
        self.assertEqual([layer["step"] > 0 for layer in told["layers"]], [True, True, True, False])
        for layer in told["layers"]:
            self.assertTrue(1e-4 < layer["error"] < 0.06, layer)
        self.assertTrue(told["images"] == told["tried"] == IMAGES and told["agree"] is None)
        self.assertLess(told["activations_int8"], 0.35 * told["activations_fp32"])

    def test_what_is_computed(self):
        told = self.json(*self.quantize, "-o", "q.safetensors")
        tensors, _ = read_tensors(self.path("q.safetensors"))
        extract = ["extract", "d.safetensors", "--weights", "q.safetensors", "--layer", "block3_pool", "-q"]
        self.succeed(*extract, *INT8, "-o", "f.npy")
        self.succeed(*extract, *CPU, "-o", "g.npy")
        got, fp32 = numpy.load(self.path("f.npy")), numpy.load(self.path("g.npy"))
        x = self.x
        for i, (name, pooled) in enumerate(LAYERS):
            w, b, scales = (tensors[name + part] for part in ("/kernel", "/bias", "/int8"))
            x = conv(x, w, b) if i == 0 else conv_int8(x, w, b, scales)
            x = pool(x) if pooled else x
            if i + 1 < len(LAYERS):
                x = numpy.minimum(numpy.rint(x / float(scales[1])), 255).astype("u1")

        def apart(a, b):
            return numpy.linalg.norm(a - b) / numpy.linalg.norm(b)

        self.assertLess(apart(got, x), 3e-3)  # bytes that lie within fp32's rounding of a tie
        self.assertGreater(apart(got, fp32), 4 * apart(got, x))
        self.assertAlmostEqual(told["outputs"], apart(got, fp32), 5)
        with open(self.path("f.npy.json")) as f:
            self.assertEqual(json.load(f)["precision"], "int8")

    def test_direct(self):
        """The nine pixels themselves: about half the error; kept with the scales, where clips are 0."""
        error = {}
        for how in ("auto", "direct"):
            told = self.json(*self.quantize, "-o", f"{how}.safetensors", "--conv", how)
            error[how] = told["outputs"]
        tensors, _ = read_tensors(self.path("direct.safetensors"))
        self.succeed("extract", "d.safetensors", "--weights", "direct.safetensors", "--layer", "block3_pool", "-q", *INT8, "-o", "f.npy")
        x = self.x
        for i, (name, pooled) in enumerate(LAYERS):
            w, b, scales = (tensors[name + part] for part in ("/kernel", "/bias", "/int8"))
            self.assertEqual(list(scales[2:]), [0] * 16)
            if i:
                x = direct_int8(x, w, b, scales[0])
            else:
                x = conv(x, w, b)
            x = pool(x) if pooled else x
            if i + 1 < len(LAYERS):
                x = numpy.minimum(numpy.rint(x / float(scales[1])), 255).astype("u1")
        got = numpy.load(self.path("f.npy"))
        self.assertLess(numpy.linalg.norm(got - x) / numpy.linalg.norm(x), 3e-3)
        self.assertLess(error["direct"], 0.8 * error["auto"])

    def same(self, a, b):
        with open(self.path(a), "rb") as one, open(self.path(b), "rb") as other:
            self.assertTrue(one.read() == other.read(), f"{a} and {b}")

    def test_same_bits(self):
        """Of threads and batches; and of a run that finds scales itself, which are those of its first images."""
        self.succeed(*self.quantize, "-o", "q.safetensors", "--threads", "1")
        self.succeed(*self.quantize, "-o", "p.safetensors", "--threads", "3")
        self.same("q.safetensors", "p.safetensors")
        extract = ["extract", "d.safetensors", "--layer", "block3_pool", *INT8]
        self.succeed(*extract, "--weights", "q.safetensors", "-o", "a.npy", "-q")
        told = self.run_program(*extract, *NETWORK, "-o", "b.npy", "--batch", "1", "--threads", "2")
        self.assertRegex(told.stderr, "warning: precision int8: .* first 9 images .*`vgg16 quantize`")
        self.same("a.npy", "b.npy")

    def test_other_files(self):
        self.succeed(*self.quantize, "-o", "q.safetensors")
        self.succeed("convert", "q.safetensors", "half.safetensors", "--layout", "keras", "--dtype", "f16")
        header, _ = read_header(self.path("half.safetensors"))
        self.assertEqual(header["block2_conv1/int8"]["dtype"], "F32")
        self.assertEqual(header["block2_conv1/kernel"]["dtype"], "F16")
        for out in ("t.safetensors", "t.h5", "t.pth", "t.onnx"):
            told = self.run_program("convert", "q.safetensors", out)
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertRegex(told.stderr, f"warning: {out}: the scales of int8 are left out")
        header, _ = read_header(self.path("t.safetensors"))
        self.assertEqual([k for k in list(header) + list(header["__metadata__"]) if "int8" in k], [])
        warned = self.run_program("extract", "d.safetensors", "--weights", "q.safetensors", "--layer", "block3_pool",
                                  "--preprocess", "none", "-o", "f.npy", *INT8)  # fmt: skip
        self.assertIn("the weights hold no scales for it with preprocess none, so", warned.stderr)


class Use(Program):
    def setUp(self):
        super().setUp()
        self.data = write_folder(self.path("data"), count=6)

    def test_model(self):
        """A head that trains keeps the scales; layers that train drop them."""
        train = ["train", self.data, "--head", "gap,dense:1:sigmoid", "--epochs", "1", "-q"]
        self.succeed("quantize", self.data, *NETWORK, "--layer", "block2_pool", "-o", "q.safetensors", *CPU)
        self.succeed(*train, "--weights", "q.safetensors", "--layer", "block2_pool", "-o", "m.safetensors")
        header, _ = read_header(self.path("m.safetensors"))
        self.assertIn("block2_conv1/int8", header)
        told = self.run_program("evaluate", self.data, "-m", "m.safetensors", *INT8)
        self.assertEqual((told.returncode, told.stderr.count("warning")), (0, 0), told.stderr)
        self.assertNotEqual(self.json("predict", self.data, "-m", "m.safetensors", *INT8),
                            self.json("predict", self.data, "-m", "m.safetensors", *CPU))
        again = self.json("quantize", self.data, "--model", "m.safetensors", "-o", "n.safetensors", *CPU)
        self.assertEqual(again["agree"], 1.0)
        base = ["--layer", "block2_pool", "-o", "b.safetensors", *CPU]
        told = self.run_program("quantize", self.data, "--weights", "n.safetensors", *base)
        self.assertIn("n.safetensors: is a model, and its head is left out; --model n.safetensors keeps it", told.stderr)
        told = self.run_program("quantize", self.data, "--weights", "q.safetensors", *base)
        self.assertEqual((told.returncode, told.stderr.count("head")), (0, 0), told.stderr)
        self.succeed("train", self.data, "--from", "m.safetensors", "--trainable", "all", "--epochs", "1", "-q", "-o",
                     "o.safetensors")  # fmt: skip
        header, _ = read_header(self.path("o.safetensors"))
        self.assertNotIn("block2_conv1/int8", header)
        told = self.run_program("evaluate", self.data, "-m", "o.safetensors", *INT8)
        self.assertIn("hold no scales", told.stderr)

    def test_head_alone_needs_none(self):
        self.succeed("train", self.data, *TINY, *GAP, "--epochs", "1", "-q", "-o", "m.safetensors")
        told = self.run_program("evaluate", self.data, "-m", "m.safetensors", *INT8)
        self.assertEqual((told.returncode, told.stderr.count("warning")), (0, 0), told.stderr)
        self.assertEqual(told.stdout, self.succeed("evaluate", self.data, "-m", "m.safetensors", *CPU))

    def test_few_images(self):
        """One is enough, and fewer than 8 are warned of, whoever finds the scales."""
        network = [*NETWORK, "--layer", "block2_pool"]
        for images in (1, 7):
            told = self.run_program("quantize", self.data, *network, "-o", "q.safetensors", "--images", str(images), *CPU)
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertRegex(told.stderr, f"warning: {images} images? gave the scales of int8, fewer than 8, too few to be sure")
            self.assertRegex(told.stdout, f"scales from {images} image{'s' if images > 1 else ''};")
        told = self.run_program("quantize", self.data, *network, "-o", "q.safetensors", "--images", "8", *CPU)
        self.assertEqual((told.returncode, told.stderr.count("warning")), (0, 0), told.stderr)
        told = self.run_program("extract", os.path.join(self.data, "cat"), *network, "-o", "f.npy", *INT8)
        self.assertRegex(told.stderr, "the first 6 images of this run gave them, fewer than 8, too few to be sure; `vgg16 quantize`")

    def test_scales_that_cannot_be(self):
        """Each in one line, with its tensor, by every command that reads it."""
        self.succeed("quantize", self.data, *NETWORK, "--layer", "block2_pool", "-o", "q.safetensors", *CPU)
        with open(self.path("q.safetensors"), "rb") as f:
            (size,) = struct.unpack("<Q", f.read(8))
            header, data = json.loads(f.read(size)), f.read()

        def write(changes):
            """changes: number of the scale in block2_conv1/int8 -> value."""
            first, _ = header["block2_conv1/int8"]["data_offsets"]
            changed = bytearray(data)
            for i, value in changes.items():
                struct.pack_into("<f", changed, first + 4 * i, value)
            text = json.dumps(header).encode()
            with open(self.path("bad.safetensors"), "wb") as f:
                f.write(struct.pack("<Q", len(text)) + text + bytes(changed))

        extract = ["extract", self.data, "--weights", "bad.safetensors", "--layer", "block2_pool", "-o", "f.npy"]
        for i, value, word in ((1, float("nan"), "-?nan"), (2, float("inf"), "inf"), (17, 0.0, "0"), (9, -3.0, "-3"), (0, -1.0, "-1"), (1, 0.0, "0")):
            write({i: value})
            wrong = f"bad.safetensors: block2_conv1/int8 holds {word} as its number {i}, which no scale"
            self.fail_with(1, wrong, *extract, *INT8)
        for command in (extract, ["summary", "bad.safetensors"], ["convert", "bad.safetensors", "b.safetensors", "--layout", "keras"]):
            self.fail_with(1, wrong, *command)
        write({})
        self.succeed(*extract, *INT8, "-q")
        for change in ({"shape": [2, 9]}, {"shape": [9], "dtype": "F64"}, {"shape": [18], "dtype": "I32"}):
            header["block2_conv1/int8"].update(change)
            write({})
            self.fail_with(1, "bad.safetensors: block2_conv1/int8 is not the 18 F32 numbers", *extract, *INT8)

    def test_refused(self):
        data, quantize = self.data, ["quantize", self.data, "-o", "q.safetensors"]
        self.usage("--output is missing", "quantize", data)
        self.usage("--images 0: must be a whole number from 1", *quantize, "--images", "0")
        self.usage("name it X.safetensors", "quantize", data, "-o", "q.h5")
        self.usage("--model and --weights", *quantize, "--model", "m", "--weights", "w")
        self.usage("--model and --layer: the model has its own", *quantize, "--model", "m", "--layer", "block1_pool")
        self.usage("--precision: cannot act in quantize", *quantize, "--precision", "fp32")
        self.usage("--backend vulkan: int8 is computed on the CPU", *quantize, "--backend", "vulkan")
        self.usage("--precision int8: training needs fp32", "train", data, "-o", "m", *INT8)
        self.usage("--precision int8: gradients need fp32", "explain", data, "-m", "m", "-o", "e.png", *INT8)
        self.usage("--conv winograd: only with --precision fp32", "extract", data, "-o", "f.npy", "--conv", "winograd",
                   "--precision", "int8")  # fmt: skip
        self.fail_with(1, "training needs fp32", "train", data, *TINY, *GAP, "-q", "-o", "m.safetensors",
                       env={"VGG16_PRECISION": "int8", "VGG16_BACKEND": "cpu"})  # fmt: skip
        self.fail_with(1, "gradients need fp32", "explain", os.path.join(data, "cat", "0.png"), "-m", "starter", "-o", "e.png", "--layer", "block1_conv1",
                       env={"VGG16_PRECISION": "int8", "VGG16_BACKEND": "cpu"})  # fmt: skip
