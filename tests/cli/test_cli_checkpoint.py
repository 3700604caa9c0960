"""A checkpoint in the place of a model, of weights, and of what a training goes on from."""

import json
import os
import shutil
import struct

from cli_support import Program, TINY, write_folder, write_safetensors

HEAD = ["--head", "gap,dense:6:relu,dense:1:sigmoid", "--lr", "0.05", "--augment", "flip"]


def read_safetensors(path):
    """tensors: name -> (dtype, shape, bytes), and the metadata."""
    with open(path, "rb") as f:
        content = f.read()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    meta = header.pop("__metadata__", {})
    data = content[8 + size :]
    return {n: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for n, t in header.items()}, meta


class Checkpoint(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=4)
        self.succeed("train", "data", *TINY, *HEAD, "--epochs", "3", "--checkpoint", "ck", "-o", "three.safetensors")
        self.succeed("train", "data", *TINY, *HEAD, "--epochs", "2", "-o", "two.safetensors")
        self.newest = "ck/checkpoint-000003-00000000.safetensors"
        self.before = "ck/checkpoint-000002-00000000.safetensors"
        self.base = next(f for f in os.listdir(self.path("ck")) if f.startswith("base-"))

    def warned(self, pattern, *args):
        done = self.run_program(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, pattern)
        return done.stdout

    def bytes_of(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def test_as_a_model(self):
        photo = "data/dog/1.png"
        for checkpoint, model in ((self.before, "two.safetensors"), (self.newest, "three.safetensors"), ("ck", "three.safetensors")):
            with self.subTest(checkpoint):
                for command in (["predict", photo], ["evaluate", "data"]):
                    a, b = (json.loads(self.succeed(*command, "--model", m, "--json")) for m in (checkpoint, model))
                    for result in (a, b):
                        result.pop("model", None)
                    self.assertEqual(a, b)
                self.succeed("convert", checkpoint, "a.safetensors", "--layout", "keras")
                self.succeed("convert", model, "b.safetensors", "--layout", "keras")
                self.assertEqual(self.bytes_of("a.safetensors"), self.bytes_of("b.safetensors"))
                for out in ("a.h5", "a.pth", "a.onnx", "a.png"):
                    if out == "a.png":
                        self.succeed("explain", photo, "--model", checkpoint, "--output", out)
                    else:
                        self.succeed("convert", checkpoint, out)
        self.assertNotEqual(self.bytes_of("two.safetensors"), self.bytes_of("three.safetensors"))
        self.warned("warning: " + self.newest + ": is taken, the newest checkpoint there", "predict", photo, "--model", "ck")
        self.assertIn("dense_2", self.warned("is taken", "summary", "ck"))

    def test_as_weights_and_to_go_on_from(self):
        for source, out in (("three.safetensors", "a"), (self.newest, "b"), ("ck", "c"), ("ck/" + self.base, "d")):
            self.succeed("extract", "data", "--weights", source, "--layer", "block1_pool", "-o", out + ".npy")
            self.assertEqual(self.bytes_of(out + ".npy"), self.bytes_of("a.npy"))
        for source, out in (("three.safetensors", "m"), ("ck", "n")):
            self.succeed("train", "data", "--from", source, "--epochs", "1", "--lr", "0.1", "-o", out + ".safetensors")
        m, n = (read_safetensors(self.path(f)) for f in ("m.safetensors", "n.safetensors"))
        self.assertEqual(m[0], n[0])
        self.assertNotEqual(m[0], read_safetensors(self.path("three.safetensors"))[0])

    def test_from_features(self):
        """The base is not run, but kept all the same."""
        self.succeed("extract", "data", *TINY, "--seed", "4", "-o", "f.safetensors")
        self.succeed("train", "f.safetensors", "--seed", "4", *HEAD[:-2], "--epochs", "2", "--checkpoint", "fk", "-o", "m.safetensors")
        a, b = (self.succeed("predict", "--model", m, "data/cat/0.png", "--json") for m in ("fk", "m.safetensors"))
        self.assertEqual(json.loads(a)["images"], json.loads(b)["images"])

    def test_a_folder_with_a_damaged_one(self):
        with open(self.path(self.newest), "r+b") as f:
            f.truncate(1000)
        done = self.run_program("predict", "--model", "ck", "data/dog/1.png")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, self.newest + ": is not a whole checkpoint; passed over")
        self.assertRegex(done.stderr, self.before + ": is taken")
        self.assertEqual(done.stdout, self.succeed("predict", "--model", "two.safetensors", "data/dog/1.png"))

    def test_without_its_base(self):
        shutil.copy(self.path(self.newest), self.path("lone.safetensors"))
        predict = ["predict", "data/dog/1.png", "--model"]
        wanted = "lone.safetensors: the layers that did not train are in " + self.base + ", which cannot be read"
        self.fail_with(1, wanted, *predict, "lone.safetensors")
        shutil.copy(self.path("ck/" + self.base), self.path(self.base))
        self.succeed(*predict, "lone.safetensors")
        with open(self.path(self.base), "r+b") as f:
            f.truncate(3000)
        self.fail_with(1, "in " + self.base + ", which is not whole", *predict, "lone.safetensors")
        tensors, meta = read_safetensors(self.path("ck/" + self.base))
        dtype, shape, data = tensors["block1_conv1/kernel"]
        tensors["block1_conv1/kernel"] = (dtype, [3, 3, 3, 32], data[: len(data) // 2])
        write_safetensors(self.path(self.base), tensors, meta)
        self.fail_with(1, "block1_conv1/kernel in " + self.base + " is not what its network has", *predict, "lone.safetensors")

    def test_with_a_base_of_other_values(self):
        """One byte of a weight is enough to be refused, by the checkpoint, by the folder; a training that goes on writes
        the file anew."""
        base = self.path("ck/" + self.base)
        with open(base, "r+b") as f:
            f.seek(-4, os.SEEK_END)
            last = f.read(1)
            f.seek(-4, os.SEEK_END)
            f.write(bytes([last[0] ^ 1]))
        wrong = "3-00000000.safetensors: the layers that did not train are in " + self.base + ", whose values are others than"
        for model in (self.newest, "ck"):
            self.fail_with(1, wrong, "predict", "data/dog/1.png", "--model", model)
        self.fail_with(1, wrong, "extract", "data", "--weights", self.newest, "--layer", "block1_pool", "-o", "f.npy")
        self.succeed("train", "data", *TINY, *HEAD, "--epochs", "4", "--checkpoint", "ck", "--resume", "-o", "four.safetensors")
        a, b = (self.json("predict", "--model", m, "data/cat/0.png") for m in ("ck", "four.safetensors"))
        self.assertEqual(a["images"], b["images"])

    def test_others(self):
        predict = ["predict", "data/dog/1.png", "--model"]
        os.mkdir(self.path("empty"))
        self.fail_with(1, "empty: is a folder without checkpoints", *predict, "empty")
        self.fail_with(1, "data: is a folder without checkpoints", "extract", "data", "--weights", "data", "-o", "f.npy")
        tensors, meta = read_safetensors(self.path(self.newest))
        old = {k: meta[k] for k in ("settings", "state", "history")}
        write_safetensors(self.path(self.newest), tensors, old)
        self.fail_with(1, "is a checkpoint of an older version, .* --resume", *predict, self.newest)
        write_safetensors(self.path("ck/x.safetensors"), tensors, dict(meta, first="block9"))
        self.fail_with(1, '"block9" names no layer', *predict, "ck/x.safetensors")
        write_safetensors(self.path("ck/x.safetensors"), tensors, dict(meta, base="../three.safetensors"))
        self.fail_with(1, "names no file of its frozen layers", *predict, "ck/x.safetensors")
        write_safetensors(self.path("ck/x.safetensors"), dict(tensors, params=("F32", [1], b"\0" * 4)), meta)
        self.fail_with(1, "does not hold the [0-9]+ values of dense_1 and above", *predict, "ck/x.safetensors")
        # One of an older version is gone on with, and becomes whole.
        self.succeed("train", "data", *TINY, *HEAD, "--epochs", "4", "--checkpoint", "ck", "--resume", "-o", "a.safetensors")
        self.succeed("train", "data", *TINY, *HEAD, "--epochs", "4", "-o", "b.safetensors")
        self.assertEqual(self.bytes_of("a.safetensors"), self.bytes_of("b.safetensors"))
        self.assertEqual(self.warned("000004", *predict, "ck"), self.succeed(*predict, "b.safetensors"))
