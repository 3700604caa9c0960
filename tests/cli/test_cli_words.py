"""What a mistyped word was meant for."""

import unittest

from cli_support import GAP, TINY, Program, write_folder

TRAIN = ["train", "d", "-o", "m.safetensors"]
EXPLAIN = ["explain", "i", "-m", "m"]

# Typed, and what is offered; None: nothing, since no word is near or none is wrong.
NEAR = (
    (TRAIN, "optimizer", "sdg", "sgd"),
    (TRAIN, "optimizer", "lion", None),
    (TRAIN, "precision", "fp23", "fp32"),
    (TRAIN, "conv", "winogrd4", "winograd4"),
    (TRAIN, "resize", "blinear", "bilinear"),
    (TRAIN, "crop", "centre", "center"),
    (TRAIN, "decode", "fats", "fast"),
    (TRAIN, "preprocess", "rescal", "rescale"),
    (TRAIN, "arch", "vvg16", "vgg16"),
    (TRAIN, "isa", "avx521", "avx512"),
    (TRAIN, "backend", "vulcan", "vulkan"),
    (TRAIN, "monitor", "val_acuracy", "val_accuracy"),
    (TRAIN, "keep", "bst", "best"),
    (TRAIN, "class-weight", "balancd", "balanced"),
    (TRAIN, "on-device-lost", "stp", "stop"),
    (TRAIN, "schedule", "cosin", "cosine"),
    (TRAIN, "schedule", "stepp:3:0.5", "step"),
    (TRAIN, "schedule", "plataeu:0.5,3", "plateau"),
    (TRAIN, "schedule", "step:3", None),
    (TRAIN, "augment", "rotat=40", "rotate"),
    (TRAIN, "augment", "zoom=0.1,fliip", "flip"),
    (TRAIN, "augment", "flip,flip", None),
    (TRAIN, "augment", "zoom=7", None),
    (["extract", "d"], "pooling", "agv", "avg"),
    (["extract", "d", "--picture", "p.png", "-o", "f.npy"], "colours", "viridsi", "viridis"),
    (["bench"], "pass", "step,forwrad", "forward"),
    (["convert", "a", "b.h5"], "layout", "kears", "keras"),
    (["convert", "a", "b.pth"], "dtype", "f61", "f16"),
    (["extract", "d"], "output", "f.safetensor", ".safetensors"),
    (["extract", "d"], "output", "a.npy/f.nyp", ".npy"),
    (["extract", "d"], "output", "f.npy/f", None),
    (["extract", "d"], "output", "f.v2", None),
    (["train", "d"], "output", "m.safetensor", ".safetensors"),
    (TRAIN, "log", "h.cvs", ".csv"),
    (TRAIN, "report", "r.hmtl", ".html"),
    (EXPLAIN, "output", "e.pgn", ".png"),
    ([*EXPLAIN, "-o", "e.png"], "map", "e.np", ".npy"),
)


class Near(Program):
    def offered(self, meant, *args, **kwargs):
        """Wrong usage that ends in the offer."""
        done = self.usage("^vgg16: ", *args, **kwargs)
        offer = f"; did you mean {meant}?" if meant else ""
        self.assertTrue(done.stderr.replace("? See", "?; see").split("; see vgg16")[0].endswith(offer), done.stderr)
        self.assertEqual("did you mean" in done.stderr, meant is not None, done.stderr)

    def test_values(self):
        for args, option, typed, meant in NEAR:
            self.offered(meant, *args, "--" + option, typed)

    def test_environment(self):
        self.offered("avx512", "devices", env={"VGG16_ISA": "avx521"})

    def test_weights_to_pull_and_devices(self):
        self.offered("vgg16", "pull", "vgg61")
        self.offered("vgg16-notop", "pull", "vgg16-notpo")
        self.offered(None, "pull", "resnet50")
        for typed, meant in (("vulkn", "vulkan"), ("vulcan:0", "vulkan"), ("cup", "cpu"), ("nope", None)):
            done = self.fail_with(1, f"no device .{typed}.; there ", "selftest", "--device", typed)
            self.assertTrue(done.stderr.endswith(f"; did you mean {meant}?\n" if meant else ")\n"), done.stderr)

    def test_options_of_data(self):
        write_folder(self.path("data"), count=1)
        for typed in ("data?clases=0", "data?per-class=1", "data?classes=0&class=1"):
            self.fail_with(2, "classes=0,3,5 (or|and) per_class=N", "evaluate", typed, "-m", "starter")
        self.fail_with(1, "none: cannot be opened", "evaluate", "none?classes=0", "-m", "starter")

    def test_arguments(self):
        self.offered(".safetensors", "convert", "a", "b.safetensor")
        self.offered(None, "convert", "a", "b.keras")

    def test_unknown_suffixes_are_taken(self):
        """A model may be called anything that is no slip of its suffix."""
        data = write_folder(self.path("data"), count=1)
        for name in ("m.v2", "m", "m.safetensors2", "my.safetensor/m"):
            done = self.run_program("train", data, *TINY, *GAP, "--epochs", "0", "-o", name)
            self.assertNotIn("did you mean", done.stderr)
            self.assertEqual(done.returncode, 1 if "/" in name else 0, done.stderr)

    def test_weights_and_models(self):
        write_folder(self.path("data"), count=1)
        cannot = "^vgg16: {}: cannot be opened: No such file or directory{}$"
        for typed, meant in (("startr", "starter"), ("imagnet", "imagenet"), ("radnom", "random"), ("w.h5", None)):
            why = cannot.format(typed, rf"; did you mean {meant}\?" if meant else "")
            self.fail_with(1, why, "extract", "data", "--weights", typed, "-o", "f.npy")
            self.fail_with(1, why, "predict", "data", "-m", typed)
            self.fail_with(1, why, "summary", typed)
        train = ["train", "data", "-o", "m.safetensors", "--from"]
        self.fail_with(1, cannot.format("startr", r"; did you mean starter\?"), *train, "startr")
        self.fail_with(1, cannot.format("imagnet", ""), *train, "imagnet")  # no model
        self.train("data", self.path("startr"))
        self.succeed("predict", "data", "-m", "startr")

    def test_heads(self):
        write_folder(self.path("data"), count=1)
        for head, meant in (
            ("gap,dropot:0.5,dense:1:sigmoid", "dropout"),
            ("flaten,dense:2:softmax", "flatten"),
            ("gap,dense:3:sofmax", "softmax"),
            ("gap,dense:x:softmax", None),
            ("gap,dense:2:tanh", None),
            ("gap,swim", None),
        ):
            done = self.fail_with(2, "head", "train", "data", *TINY, "--head", head, "-o", "m.safetensors")
            self.assertTrue(done.stderr.endswith(f"; did you mean {meant}?\n" if meant else "\n"), done.stderr)
            self.assertEqual("did you mean" in done.stderr, meant is not None, done.stderr)

    def test_classes(self):
        write_folder(self.path("data"), ("cat", "dog", "bagel"), count=1)
        self.succeed("train", "data", *TINY, "--epochs", "0", "-o", "m.safetensors")
        explain = ["explain", "-m", "m.safetensors", "data/cat/0.png", "-o", "e.png", "--class"]
        self.offered("bagel", *explain, "bagle")
        self.offered(None, *explain, "3")


if __name__ == "__main__":
    unittest.main()
