"""The program for Windows under Wine: VGG16_PROGRAM and VGG16_SEAM are its .exe and seam.exe, VGG16_WINE is Wine.

VGG16_OTHER, unless empty, is the same program for this system, whose results it must give.
"""

import os
import struct
import subprocess
import tempfile
import unittest

import numpy
from PIL import Image

PROGRAM, SEAM = os.environ["VGG16_PROGRAM"], os.environ["VGG16_SEAM"]
WINE = os.environ.get("VGG16_WINE", "wine64")
OTHER = os.environ.get("VGG16_OTHER")
SMALL = ("--arch", "vgg11", "--weights", "random", "--size", "32")


def run(*words, folder=None, program=None, check=0):
    environment = dict(os.environ, WINEDEBUG="-all", OMP_WAIT_POLICY="passive")
    command = [program] if program == OTHER and OTHER else [WINE, program or PROGRAM]
    done = subprocess.run([*command, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240,
                          env=environment)
    if check is not None and done.returncode != check:
        raise AssertionError(f"{words}: exit code {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode(), done.stderr.decode()


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
        run("--version")  # the first program of a user has Wine make its folder, and tell so
        random = numpy.random.default_rng(5)
        for i in range(12):
            name = os.path.join(cls.folder, "дані", ("кіт", "собака")[i % 2], f"фото {i}.png")
            os.makedirs(os.path.dirname(name), exist_ok=True)
            low = 120 * (i % 2)
            Image.fromarray(random.integers(low, low + 120, (36 + i, 50 - i, 3), numpy.uint8)).save(name)

    @classmethod
    def tearDownClass(cls):
        cls.room.cleanup()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def test_seam(self):
        folder = self.path("seam")
        os.mkdir(folder)
        run(folder, program=SEAM)

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

    def test_bad_input(self):
        _, err = run("predict", "--model", "немає.safetensors", "дані", folder=self.folder, check=1)
        self.assertEqual(err, "vgg16: немає.safetensors: cannot be opened: No such file or directory\n")
        run("predict", "--no-such-option", folder=self.folder, check=2)


if __name__ == "__main__":
    unittest.main()
