"""Explanations and pictures of activations: the files, read by Pillow and NumPy, and what is refused."""

import re
import subprocess
import unittest

from cli_support import GAP, TINY, Program, write_features, write_folder, write_png

PYTHON = "/usr/bin/python3"  # Debian's, with python3-pil and python3-numpy


def has_libraries():
    return subprocess.run([PYTHON, "-c", "import PIL, numpy"], stderr=subprocess.DEVNULL).returncode == 0


class Explain(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=2)
        self.train("data", "m.safetensors", "--epochs", "3", "--lr", "1e-2")
        # A red disc in the lower right of blue.
        disc = lambda x, y: (210, 40, 40) if (x - 60) ** 2 + (y - 35) ** 2 < 150 else (40, 40, 210)
        write_png(self.path("disc.png"), 80, 50, disc)

    def python(self, code, *args):
        """What the code prints; it finds its arguments in sys.argv[1:]."""
        if not has_libraries():
            self.skipTest("python3-pil and python3-numpy are not installed")
        return subprocess.run(
            [PYTHON, "-c", "import sys, numpy, PIL.Image\n" + code, *map(self.path, args)],
            capture_output=True, text=True, check=True,
        ).stdout.strip()

    def explain(self, *args, **kwargs):
        return self.succeed("explain", "-m", "m.safetensors", *args, **kwargs)

    def test_picture_has_the_image_s_size_and_says_what_it_shows(self):
        line = self.explain("disc.png", "-o", "e.png")
        self.assertRegex(line, r"^disc.png: (cat|dog) [01]\.\d{4}\n$")
        _, name, probability = line.split()
        told = self.python("i = PIL.Image.open(sys.argv[1]); i.load(); print(i.size, i.text['Title'])", "e.png")
        self.assertEqual(told, f"(80, {50 + 18}) {100 * float(probability):.1f} % {name} (Grad-CAM, block1_conv1)")

    def test_decode_fast_shows_what_the_network_sees(self):
        if "libjpeg-turbo" not in self.succeed("--version"):
            self.skipTest("no libjpeg-turbo")
        self.python("r = numpy.random.default_rng(5); a = r.integers(0, 256, (275, 530, 3), dtype=numpy.uint8); "
                    "PIL.Image.fromarray(a).save(sys.argv[1])", "noise.jpg")
        lines = {}
        for how, size in (("exact", (530, 275)), ("fast", (67, 35))):
            lines[how] = self.explain("noise.jpg", "-o", how + ".png", "--decode", how)
            predicted = self.succeed("predict", "-m", "m.safetensors", "noise.jpg", "--decode", how)
            self.assertEqual(lines[how].split()[1:], predicted.replace(",", "").split()[1:3])
            told = self.python("i = PIL.Image.open(sys.argv[1]); print(*i.size)", how + ".png").split()
            self.assertEqual(int(told[0]), size[0])
            self.assertGreater(int(told[1]), size[1])
        self.assertNotEqual(lines["exact"], lines["fast"])

    def test_map_of_few_places_is_warned_of(self):
        self.train("data", "deep.safetensors", "--epochs", "0", "--layer", "block4_pool")
        run = self.run_program("explain", "-m", "deep.safetensors", "disc.png", "-o", "e.png")
        self.assertIn("block4_conv2: its map has 4 x 4 places only, which says little about where; layer block3_conv2 "
                      "has 8 x 8", run.stderr)
        run = self.run_program("explain", "-m", "deep.safetensors", "disc.png", "-o", "e.png", "--layer", "block3_conv2")
        self.assertNotIn("places only", run.stderr)

    def test_class_by_name_and_number(self):
        maps = {}
        for name in ("cat", "dog", "0", "1"):
            line = self.explain("disc.png", "--class", name, "-o", f"{name}.png", "--map", f"{name}.npy")
            self.assertIn({"0": "cat", "1": "dog"}.get(name, name), line)
            with open(self.path(f"{name}.npy"), "rb") as f:
                maps[name] = f.read()
        self.assertEqual(maps["cat"], maps["0"])
        self.assertEqual(maps["dog"], maps["1"])
        self.assertNotEqual(maps["cat"], maps["dog"])
        self.usage("--class fox: the model has no such class; they are 0 .cat. to 1 .dog.", "explain", "-m",
                   "m.safetensors", "disc.png", "--class", "fox", "-o", "e.png")
        self.usage("--class 2: the model has no such class", "explain", "-m", "m.safetensors", "disc.png", "--class", "2",
                   "-o", "e.png")

    def test_classes_of_one_unit_are_opposite(self):
        """A place speaks for one class or for the other: the scores are opposite."""
        for label in "01":
            self.explain("disc.png", "--class", label, "-o", f"{label}.npy")
        code = "a, b = map(numpy.load, sys.argv[1:])\nprint(a.shape, a.dtype, (a * b == 0).all(), (a + b > 0).any())"
        self.assertEqual(self.python(code, "0.npy", "1.npy"), "(32, 32) float32 True True")

    def test_layer_and_maps_of_several(self):
        self.explain("disc.png", "data/cat/0.png", "--layer", "block1_pool", "-o", "e.npy")
        self.assertEqual(self.python("print(numpy.load(sys.argv[1]).shape)", "e.npy"), "(2, 16, 16)")

    def test_overlay_changes_what_is_hot_only(self):
        self.explain("disc.png", "-o", "e.png", "--map", "m.npy", "--alpha", "1")
        code = """
plain, hot = (numpy.asarray(PIL.Image.open(p).convert("RGB")).astype(int) for p in sys.argv[1:3])
heat = numpy.load(sys.argv[3])
change = numpy.abs(hot[:50] - plain).sum(2)  # without the strip of words
y, x = (numpy.array(heat.shape) * 0 + numpy.unravel_index(heat.argmax(), heat.shape))
Y, X = int((y + .5) / 32 * 50), int((x + .5) / 32 * 80)
print(change[Y, X] > 60, heat.max() > 0)
"""
        self.assertEqual(self.python(code, "disc.png", "e.png", "m.npy"), "True True")

    def test_page(self):
        self.explain("data", "-o", "e.html", "--top", "1")
        with open(self.path("e.html"), encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(text.count("data:image/jpeg;base64,"), 8)
        self.assertEqual(text.count("data:image/png;base64,"), 1)
        self.assertIn("Labelled dog.", text)
        self.assertIsNone(re.search("https?://", text), "the page needs the network")

    def test_json(self):
        answer = self.json("explain", "-m", "m.safetensors", "data/cat", "-o", "e.html")
        self.assertEqual(answer["map"], [32, 32])
        self.assertEqual(answer["output"], "e.html")
        self.assertEqual([i["path"] for i in answer["images"]], ["data/cat/0.png", "data/cat/1.png"])
        self.assertEqual(set(answer["images"][0]), {"path", "class", "label", "probability"})

    def test_refused(self):
        explain = ["explain", "-m", "m.safetensors"]
        self.usage("a picture is of one image and there are 4", *explain, "data", "-o", "e.png")
        self.usage("extension must be .png, .html or .npy", *explain, "disc.png", "-o", "e.jpg")
        self.usage("--map m.csv: the extension must be .npy", *explain, "disc.png", "-o", "e.png", "--map", "m.csv")
        self.usage("--map: only with an --output in .png or .html; .npy has the maps already", *explain, "disc.png", "-o", "e.npy", "--map", "m.npy")
        self.usage("--alpha 0: must be a number from 0.01 to 1", *explain, "disc.png", "-o", "e.png", "--alpha", "0")
        self.usage("--colours red: must be one of", *explain, "disc.png", "-o", "e.png", "--colours", "red")
        self.fail_with(2, r"no layer block1_cov1; did you mean block1_conv1\?", *explain, "disc.png", "-o", "e.png", "--layer",
                       "block1_cov1")
        self.fail_with(2, "no layer block9", *explain, "disc.png", "-o", "e.png", "--layer", "block9")
        self.fail_with(2, "dense_1: has no map", *explain, "disc.png", "-o", "e.png", "--layer", "dense_1")
        self.fail_with(1, "no.png", *explain, "no.png", "-o", "e.png")
        self.fail_with(1, "there is no folder", *explain, "disc.png", "-o", "no/e.png")
        write_features(self.path("f.safetensors"), [64], [0, 1])
        self.fail_with(1, "features cannot be explained", *explain, "f.safetensors", "-o", "e.html")

    def test_bad_images(self):
        with open(self.path("data/cat/text.png"), "w") as f:
            f.write("this is no picture\n")
        self.fail_with(1, "data/cat/text.png", "explain", "-m", "m.safetensors", "data/cat", "-o", "e.html")
        done = self.run_program("explain", "-m", "m.safetensors", "data/cat", "-o", "e.npy", "--skip-bad")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, "text.png.*skipped")
        self.assertEqual(self.python("print(numpy.load(sys.argv[1]).shape)", "e.npy"), "(2, 32, 32)")


class Picture(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=1)

    def test_one_image(self):
        answer = self.json("extract", "data/cat/0.png", *TINY, "--picture", "s.png", "--channels", "12")
        self.assertEqual(len(answer["strongest"]), 1)
        self.assertEqual(len(set(answer["strongest"][0])), 12)
        with open(self.path("s.png"), "rb") as f:
            self.assertIn(b"iTXtTitle\0\0\0\0\0block1_pool of vgg11, strongest channels", f.read(200))
        self.assertNotIn("output", answer)
        self.assertEqual(self.files(), sorted(map(self.path, ["data/cat/0.png", "data/dog/0.png", "s.png"])))

    def test_strongest_first(self):
        answer = self.json("extract", "data/cat/0.png", *TINY, "--picture", "s.png", "-o", "f.csv", "--pooling", "avg")
        with open(self.path("f.csv")) as f:
            means = [float(v) for v in f.read().splitlines()[1].split(",")[2:]]
        order = sorted(range(64), key=lambda k: -means[k])
        for got, wanted in zip(answer["strongest"][0], order):
            self.assertAlmostEqual(means[got], means[wanted], delta=1e-5)

    def test_several_images(self):
        text = self.succeed("extract", "data", *TINY, "--picture", "s.png")
        self.assertRegex(text, r"data/cat/0.png: strongest channels of block1_pool:( \d+){8}\n")
        self.assertEqual(text.count("\n"), 2)

    def test_refused(self):
        self.usage("--picture s.jpg: the extension must be .png", "extract", "data", *TINY, "--picture", "s.jpg")
        self.usage("--channels: only with --picture", "extract", "data", *TINY, "-o", "f.npy", "--channels", "3")
        self.fail_with(1, "no.png", "extract", "no.png", *TINY, "--picture", "s.png")


if __name__ == "__main__":
    unittest.main()
