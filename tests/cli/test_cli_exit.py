"""Exit status by the kind of mistake: the same mistake ends every command alike. 1: a file, a device or memory is not
there, or not what it should be. 2: what was typed is unknown, contradicts itself, or does not fit data, model or device."""

import json
import os
import unittest

from cli_support import GAP, TINY, Program, write_features, write_folder

# Each command with what it needs, as it succeeds.
LINES = {
    "devices": [],
    "summary": ["m.safetensors"],
    "pull": ["vgg16"],
    "extract": ["data", *TINY, "-o", "f.npy"],
    "train": ["data", *TINY, *GAP, "--epochs", "1", "-o", "n.safetensors"],
    "evaluate": ["data", "-m", "m.safetensors"],
    "predict": ["data", "-m", "m.safetensors"],
    "explain": ["data/cat/0.png", "-m", "m.safetensors", "-o", "e.png"],
    "convert": ["m.safetensors", "n.h5"],
    "bench": ["--arch", "vgg11", "--size", "32", "--on", "cpu:scalar"],
    "selftest": [],
}
ON_A_DEVICE = "extract train evaluate predict explain selftest"
ON_DATA = "extract train evaluate predict explain"
OF_A_MODEL = "evaluate predict explain"


def swap(command, old, new):
    return [new if word == old else word for word in LINES[command]]


class Exit(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=1)
        write_features(self.path("f.safetensors"), [16, 16, 64], [0, 1])
        self.train("data")
        with open(self.path("text.safetensors"), "w") as f:
            f.write("this is no file of tensors\n" * 9)
        with open(self.path("what.xyz"), "w") as f:
            f.write("nor this one of data\n")

    def all(self, code, pattern, commands, *more):
        for command in commands.split():
            self.fail_with(code, pattern, command, *LINES[command], *more)

    def change(self, code, pattern, commands, old, new):
        for command in commands.split():
            self.assertIn(old, LINES[command])
            self.fail_with(code, pattern, command, *swap(command, old, new))

    def first(self, code, pattern, commands, new):
        for command in commands.split():
            self.fail_with(code, pattern, command, new, *LINES[command][1:])

    def strip(self, model, plain):
        """The model's tensors alone, without what it says of itself."""
        with open(self.path(model), "rb") as f:
            size = int.from_bytes(f.read(8), "little")
            header, data = json.loads(f.read(size)), f.read()
        del header["__metadata__"]
        text = json.dumps(header).encode()
        with open(self.path(plain), "wb") as f:
            f.write(len(text).to_bytes(8, "little") + text + data)

    def test_what_was_typed(self):
        every = " ".join(LINES)
        self.all(2, "--nonsense: unknown option", every, "--nonsense")
        self.all(2, "--json: takes no value", every, "--json=3")
        self.all(2, "--quiet and --verbose: give one of them", every, "--quiet", "--verbose")
        self.all(2, "unexpected argument", "devices pull extract train evaluate convert bench selftest", "a", "b")
        self.all(2, "--threads 0: must be", ON_A_DEVICE, "--threads", "0")
        self.all(2, "--backend gpu: must be", ON_A_DEVICE + " bench", "--backend", "gpu")
        self.all(2, "cannot act in", "devices summary pull convert", "--threads", "1")
        self.all(2, "--resize cubic: must be", ON_DATA, "--resize", "cubic")

    def test_words_that_name_nothing(self):
        self.all(2, "layer block9_pool", "extract train explain summary", "--layer", "block9_pool")
        self.all(2, "trainable block9: no such layer", "train bench", "--trainable", "block9")
        self.all(2, "trainable block9: no such layer", "summary", "--trainable", "block9")
        self.all(2, "head \"x\": x is unknown", "train bench", "--head", "x")
        self.strip("m.safetensors", "plain.safetensors")
        self.fail_with(2, "head \"x\": x is unknown", "convert", "plain.safetensors", "n.h5", "--head", "x")
        self.all(2, "no such class", "explain", "--class", "fox")
        self.first(2, "unknown weights", "pull", "vgg99")
        self.all(2, "isa avx3: is not known", ON_A_DEVICE, "--device", "cpu:avx3")
        self.first(2, "classes=7: there are only", ON_DATA, "data?classes=7")

    def test_suffixes_of_outputs(self):
        self.change(2, "the extension must be", "extract", "f.npy", "f.doc")
        self.change(2, "the extension must be", "explain", "e.png", "e.doc")
        self.change(2, "the extension must be", "convert", "n.h5", "n.doc")
        self.change(2, "written as safetensors", "train", "n.safetensors", "n.pdf")
        self.all(2, "the table is CSV", "evaluate", "-o", "p.pdf")
        self.all(2, "the report is a page", "train evaluate bench", "--report", "r.pdf")

    def test_options_that_do_not_fit(self):
        for command in ("evaluate", "predict"):
            self.fail_with(2, "--skip-bad: only on images", command, "f.safetensors", *LINES[command][1:], "--skip-bad")
        self.all(2, "--top: only with a model of several outputs", "evaluate", "--top", "1")
        self.all(2, "--size: m.safetensors was made for 32x32", "summary", "--size", "64")
        self.fail_with(2, "--size: m.safetensors was made for 32x32", "train", "data", "--from", "m.safetensors", "-o",
                       "n.safetensors", "--size", "64")
        self.all(2, "3 class names for a head with 2 classes", "convert", "--head", "gap,dense:1:sigmoid", "--classes", "a,b,c")
        self.all(2, "m.safetensors is a model with the head gap,dense:1:sigmoid", "convert", "--head", "gap,dense:5:softmax")
        self.strip("m.safetensors", "plain.safetensors")
        self.fail_with(2, "the head needs dense layers 64x5", "convert", "plain.safetensors", "n.h5", "--head", "gap,dense:5:softmax")

    def test_inputs_that_are_not_there(self):
        self.first(1, "none: cannot be opened", "summary extract train evaluate predict explain convert", "none")
        self.change(1, "none: cannot be opened", OF_A_MODEL, "m.safetensors", "none")
        self.change(1, "none: cannot be opened", "extract train", "random", "none")
        self.all(1, "none: cannot be opened", "train", "--validation", "none")
        self.all(1, "none: cannot be opened", "bench", "--compare", "none")

    def test_inputs_that_are_something_else(self):
        self.first(1, "text.safetensors: ", "summary extract train evaluate predict explain convert", "text.safetensors")
        self.change(1, "text.safetensors: ", OF_A_MODEL, "m.safetensors", "text.safetensors")
        self.first(1, "what.xyz: not a data set", "extract train evaluate explain", "what.xyz")
        self.first(1, "what.xyz: is not a JPEG", "predict", "what.xyz")
        self.first(1, "has no tensor x", ON_DATA, "m.safetensors")
        self.first(1, "has no labels", "train evaluate", "data/cat")
        self.first(1, "features", "extract", "f.safetensors")
        self.fail_with(1, "features", "explain", "f.safetensors", "-m", "m.safetensors", "-o", "e.html")

    def test_outputs_that_cannot_be_written(self):
        where = "no/{}: cannot be written: there is no folder no"
        for command, name in (("extract", "f.npy"), ("train", "n.safetensors"), ("explain", "e.png"), ("convert", "n.h5")):
            self.change(1, where.format(name), command, name, "no/" + name)
        self.all(1, where.format("p.csv"), "evaluate", "-o", "no/p.csv")
        self.all(1, where.format("r.html"), "train evaluate bench", "--report", "no/r.html")

    def test_devices_and_memory_that_are_not_there(self):
        self.all(1, "no device .nope.", ON_A_DEVICE, "--device", "nope")
        self.fail_with(1, "no device .nope.", "bench", "--on", "nope")
        self.fail_with(1, "the limit is 1 MiB", "train", "data", *TINY, "-o", "n.safetensors", "--memory", "1M")
        self.all(1, "nothing was measured", "bench", "--memory", "1M")

    def test_a_model_that_is_damaged_is_no_wrong_usage(self):
        with open(self.path("m.safetensors"), "rb") as f:
            model = f.read()
        for old, new in ((b'"gap,dense:1:sigmoid"', b'"gap,dance:1:sigmoid"'), (b'"block1_pool"', b'"block9_pool"')):
            self.assertIn(old, model)
            with open(self.path("bad.safetensors"), "wb") as f:
                f.write(model.replace(old, new, 1))
            self.change(1, "dance|block9_pool", OF_A_MODEL, "m.safetensors", "bad.safetensors")
            self.first(1, "dance|block9_pool", "summary", "bad.safetensors")

    def test_success(self):
        for command in ("summary", "extract", "train", "evaluate", "predict", "explain", "convert", "devices"):
            self.succeed(command, *LINES[command], "-q")
        self.assertTrue(os.path.exists(self.path("n.h5")))


if __name__ == "__main__":
    unittest.main()
