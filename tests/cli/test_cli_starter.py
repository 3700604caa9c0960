"""Starter weights: where they are found, what they are used for, and the file that comes with the program."""

import json
import os
import shutil
import struct
import subprocess
import unittest
import zipfile

from cli_support import GAP, PROGRAM, TINY, Program, write_folder, write_png

FILE = "vgg16-cifar10.safetensors"
SHIPPED = os.path.join(os.path.dirname(PROGRAM), "share", "vgg16", FILE)
DATA = os.environ.get("VGG16_TEST_DATA")


def read_safetensors(path):
    """Metadata, and per tensor: dtype, bytes."""
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        data = f.read()
    meta = header.pop("__metadata__")
    return meta, {k: (v["dtype"], data[slice(*v["data_offsets"])]) for k, v in header.items()}


class Small(Program):
    """A small model stands for the starter weights."""

    def setUp(self):
        super().setUp()
        self.data = write_folder(self.path("data"), count=2)
        self.train(self.data, "full.safetensors", "--epochs", "0", "--preprocess", "torch", "--seed", "3")
        self.succeed("convert", "full.safetensors", "small.safetensors", "--layout", "keras", "--dtype", "f16")
        self.env["VGG16_STARTER"] = self.path("small.safetensors")

    def test_half_precision(self):
        meta, full = read_safetensors(self.path("full.safetensors"))
        meta_half, half = read_safetensors(self.path("small.safetensors"))
        self.assertEqual(meta, meta_half)
        self.assertEqual(sorted(full), sorted(half))
        for name, (dtype, data) in full.items():
            values = struct.unpack(f"<{len(data) // 4}f", data)
            self.assertEqual(half[name], ("F16", struct.pack(f"<{len(values)}e", *values)), name)

    def test_default_without_imagenet(self):
        told = self.run_program("extract", "data", "--layer", "block1_pool", "--output", "f.csv")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("no ImageNet weights on this machine: using the starter weights, trained on CIFAR-10", told.stderr)
        self.assertIn("`vgg16 pull vgg16-notop`", told.stderr)
        self.assertRegex(told.stdout, "4 x 16 x 16 x 64")  # the size that they were trained at
        self.succeed("extract", "data", "--layer", "block1_pool", "--weights", "small.safetensors", "--size", "32",
                     "--preprocess", "torch", "--output", "g.csv")  # fmt: skip
        with open(self.path("f.csv")) as f, open(self.path("g.csv")) as g:
            self.assertEqual(f.read(), g.read())

    def test_size_may_be_chosen(self):
        done = self.succeed("extract", "data", "--weights", "starter", "--layer", "block1_pool", "--size", "48x64",
                            "--output", "f.npy")  # fmt: skip
        self.assertRegex(done, "4 x 24 x 32 x 64")

    def test_imagenet_first(self):
        hub = self.path("hub/models--timm--vgg16.tv_in1k/snapshots/1")
        os.makedirs(hub)
        self.succeed("convert", "full.safetensors", os.path.join(hub, "model.safetensors"), "--layout", "torchvision")
        env = {"HF_HUB_CACHE": self.path("hub")}
        told = self.run_program("extract", "data", "--layer", "block1_pool", "--output", "f.npy", env=env)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertNotIn("starter", told.stderr)
        self.assertIn(hub, told.stderr)

    def test_only_as_default(self):
        layer = ["--layer", "block1_pool", "--output", "f.npy"]
        self.fail_with(1, "no ImageNet weights on this machine", "extract", "data", "--weights", "imagenet", *layer)
        self.fail_with(1, "no ImageNet weights on this machine", "predict", "--model", "imagenet", "data/cat/0.png")
        self.fail_with(1, "no ImageNet weights on this machine", "summary", "imagenet")

    def test_as_model(self):
        text = self.succeed("summary", "starter")
        self.assertRegex(text, "^vgg11, input 32 x 32 x 3, preprocessing torch, weights .*small.safetensors")
        found = self.json("predict", "--model", "starter", "data/cat/0.png")
        self.assertEqual({c["name"] for c in found["images"][0]["classes"]}, {"cat", "dog"})
        self.assertEqual(found, self.json("predict", "--model", "small.safetensors", "data/cat/0.png"))
        self.assertEqual(self.json("evaluate", "data", "--model", "starter")["images"], 4)

    def test_base_of_a_training(self):
        told = self.run_program("train", "data", "--layer", "block1_pool", *GAP, "--epochs", "1", "-o", "m.safetensors")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("using the starter weights", told.stderr)
        meta, tensors = read_safetensors(self.path("m.safetensors"))
        self.assertEqual((meta["height"], meta["width"], meta["preprocess"]), ("32", "32", "torch"))
        half = read_safetensors(self.path("small.safetensors"))[1]["block1_conv1/kernel"][1]
        values = struct.unpack(f"<{len(half) // 2}e", half)
        self.assertEqual(tensors["block1_conv1/kernel"], ("F32", struct.pack(f"<{len(values)}f", *values)))

    def test_not_there(self):
        env = {"VGG16_STARTER": self.path("none.safetensors")}
        for args in (["summary", "starter"], ["predict", "--model", "starter", "data/cat/0.png"],
                     ["extract", "data", "--weights", "starter", "--output", "f.npy"]):  # fmt: skip
            self.fail_with(1, "none.safetensors: no starter weights there", *args, env=env)
        self.fail_with(1, "no ImageNet weights on this machine; get them by `vgg16 pull vgg16-notop`", "extract",
                       "data", "--output", "f.npy", env=env)  # fmt: skip


class Places(Program):
    """The program and the shared library find the file from wherever their prefix was moved to."""

    def install(self, prefix, *modules):
        share = os.path.join(self.folder, prefix, "share", "vgg16")
        os.makedirs(share)
        self.succeed("train", self.data, *TINY, *GAP, "--epochs", "0", "-o", os.path.join(share, FILE))
        for source, name in modules:
            target = os.path.join(self.folder, prefix, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)
        return os.path.join(share, FILE)

    def setUp(self):
        super().setUp()
        self.data = write_folder(self.path("data"), count=1)

    def where(self, *command, **env):
        done = subprocess.run(command, env=dict(self.env, **env), capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["weights"]

    def test_program(self):
        summary = ["summary", "starter", "--layer", "block1_pool", "--json"]
        for prefix in ("a prefix", "moved/opt"):
            wanted = os.path.realpath(self.install(prefix, (PROGRAM, "bin/vgg16")))
            bin = os.path.join(self.folder, prefix, "bin")
            self.assertEqual(self.where(os.path.join(bin, "vgg16"), *summary), wanted)
            self.assertEqual(self.where(os.path.join(prefix, "bin", "vgg16"), *summary), wanted)
            self.assertEqual(self.where("env", "vgg16", *summary, PATH=bin + ":" + os.environ["PATH"]), wanted)
        os.symlink(os.path.join(bin, "vgg16"), self.path("link"))
        self.assertEqual(self.where("./link", *summary), wanted)

    def test_library(self):
        library = os.path.join(os.path.dirname(PROGRAM), "libvgg16.so")
        if not os.path.exists(library):
            self.skipTest(f"no {library}")
        with open(library, "rb") as f:
            if b"__asan_init" in f.read():
                self.skipTest("a sanitizer must be loaded before Python")
        for prefix, folder in (("usr", "lib"), ("usr2", "lib/x86_64-linux-gnu")):
            wanted = self.install(prefix, (library, f"{folder}/libvgg16.so"))
            script = (
                "import ctypes, sys; vgg = ctypes.CDLL(sys.argv[1]); model = ctypes.c_void_p();"
                "assert vgg.vgg_model_load(ctypes.byref(model), b'starter') == 0;"
                "vgg.vgg_model_weights.restype = ctypes.c_char_p;"
                "import json; print(json.dumps({'weights': vgg.vgg_model_weights(model).decode()}))"
            )
            module = os.path.join(self.folder, prefix, folder, "libvgg16.so")
            self.assertEqual(self.where("python3", "-c", script, module), os.path.realpath(wanted))


@unittest.skipUnless(os.path.exists(SHIPPED), f"no {SHIPPED}")
class Shipped(Program):
    """The file that comes with the program."""

    CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()

    def test_content(self):
        self.assertLessEqual(os.path.getsize(SHIPPED), 30_000_000)
        meta, tensors = read_safetensors(SHIPPED)
        self.assertEqual({dtype for dtype, _ in tensors.values()}, {"F16"})
        self.assertEqual(json.loads(meta["classes"]), self.CLASSES)
        told = self.json("summary", "starter")
        self.assertEqual((told["arch"], told["input"], told["classes"]), ("vgg16", [32, 32, 3], self.CLASSES))

    def test_probabilities(self):
        write_png(self.path("sky.png"), 32, 32, lambda x, y: (120, 160, 220))
        (image,) = self.json("predict", "--model", "starter", "--top", "10", "sky.png")["images"]
        self.assertAlmostEqual(sum(c["probability"] for c in image["classes"]), 1, 4)

    @unittest.skipUnless(DATA and os.path.exists(os.path.join(DATA, "cifar10-images.zip")),
                         "no VGG16_TEST_DATA with cifar10-images.zip")  # fmt: skip
    def test_accuracy(self):
        with zipfile.ZipFile(os.path.join(DATA, "cifar10-images.zip")) as z:
            for name in self.CLASSES:
                images = sorted(n for n in z.namelist() if f"test/{name}/" in n and n.endswith(".jpg"))
                for i, image in enumerate(images[::25]):
                    os.makedirs(self.path(f"test/{name}"), exist_ok=True)
                    with open(self.path(f"test/{name}/{i}.jpg"), "wb") as f:
                        f.write(z.read(image))
        told = self.json("evaluate", "test", "--model", "starter")
        self.assertEqual(told["images"], 400)
        self.assertGreater(told["accuracy"], 0.74)  # 0.80 or more on all; three deviations of a sample of 400 below
