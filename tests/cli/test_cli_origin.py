"""Feature files say how they were made; train and evaluate go by that and refuse what contradicts it."""

import hashlib
import json
import os
import struct
import subprocess

from cli_support import GAP, TINY, Program, write_features, write_folder, write_png

RECORD = {
    "format": "vgg16-features-1",
    "arch": "vgg13",
    "layer": "block1_pool",
    "pooling": "avg",
    "height": "48",
    "width": "40",
    "preprocess": "torch",
    "resize": "bilinear",
    "crop": "center",
    "decode": "exact",
    "weights": "w.safetensors",
    "source": "w.safetensors",
    "precision": "fp32",
}


def read_safetensors(path):
    """The header, and the bytes of a tensor by its name."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        return data[begin:end]

    return header, tensor


def change_metadata(path, out, key, value):
    """A copy whose metadata has another value; None: lacks it."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    if value is None:
        del header["__metadata__"][key]
    else:
        header["__metadata__"][key] = value
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(out, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


class Origin(Program):
    def setUp(self):
        super().setUp()
        for data, count in (("data", 6), ("held", 4)):
            write_folder(self.path(data), count=count, seed=count)
            for i in range(count):  # what the crop cuts off counts
                write_png(self.path(f"{data}/dog/{i}.png"), 40, 36, lambda x, y: (255 if x < 6 else 20 + i, 90, 3 * y))
        # Weights of no default: a model, so that its size, preprocessing and fitting are the extraction's.
        self.base("w.safetensors", "--seed", "3")
        self.extract("data", "f.safetensors")
        self.record = read_safetensors(self.path("f.safetensors"))[0]["__metadata__"]

    def base(self, output, *more, arch="vgg13", size="48x40", preprocess="torch"):
        self.succeed("train", "data", "--weights", "random", "--arch", arch, "--size", size, "--layer", "block1_pool",
                     "--preprocess", preprocess, "--crop", "center", "--head", "gap,dense:2:softmax", "--epochs", "0",
                     "-o", output, *more)

    def extract(self, data, output, *more, weights="w.safetensors", layer="block1_pool", pooling="avg"):
        more += ("--pooling", pooling) if layer.startswith("block") else ()
        self.succeed("extract", data, "--weights", weights, "--layer", layer, "-o", output, *more)

    def test_digest_is_that_of_the_weights(self):
        _, tensor = read_safetensors(self.path("w.safetensors"))
        layers = ["block1_conv1", "block1_conv2"]
        digest = hashlib.sha256(b"".join(tensor(f"{layer}/{part}") for layer in layers for part in ("kernel", "bias")))
        self.assertEqual(self.record["digest"], digest.hexdigest())
        self.extract("data", "g.safetensors", layer="block1_conv1")
        digest = hashlib.sha256(tensor("block1_conv1/kernel") + tensor("block1_conv1/bias"))
        self.assertEqual(read_safetensors(self.path("g.safetensors"))[0]["__metadata__"]["digest"], digest.hexdigest())
        # The same weights as another file holds them.
        self.succeed("convert", "w.safetensors", "t.safetensors", "--layout", "torchvision")
        self.extract("data", "h.safetensors", weights="t.safetensors")
        self.assertEqual(read_safetensors(self.path("h.safetensors"))[0]["__metadata__"]["digest"], self.record["digest"])

    def check_record(self, record):
        self.assertEqual({key: record[key] for key in RECORD}, RECORD)
        self.assertEqual(record["digest"], self.record["digest"])
        self.assertRegex(record["decoder"], r"stb_image \d+\.\d+ \(.*PNG, BMP, GIF\)")
        self.assertRegex(record["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(len(record), len(RECORD) + 3)

    def test_every_format_records(self):
        classes = self.record.pop("classes")
        self.assertEqual(json.loads(classes), ["cat", "dog"])
        self.check_record(self.record)
        for name in ("f.npy", "f.csv"):
            self.extract("data", name)
            with open(self.path(name + ".json")) as f:
                self.check_record(json.load(f))
        for name in self.files():
            self.assertNotIn(".tmp", name)
        with open(self.path("list.txt"), "w") as f:
            f.write("data/cat/0.png\n")
        self.extract("list.txt", "l.safetensors")  # without labels
        self.check_record(read_safetensors(self.path("l.safetensors"))[0]["__metadata__"])

    def test_h5_attributes(self):
        try:
            import h5py
        except ImportError:
            self.skipTest("h5py is not installed (Debian: python3-h5py)")
        self.extract("data", "f.h5")
        with h5py.File(self.path("f.h5")) as f:
            record = {k: v.decode() if isinstance(v, bytes) else v for k, v in f.attrs.items() if k != "classes"}
        self.check_record(record)

    def test_what_is_recorded_as_it_was(self):
        self.extract("data", "n.safetensors", "--resize", "nearest", "--crop", "none", "--preprocess", "caffe",
                     "--size", "32", pooling="max")
        record = read_safetensors(self.path("n.safetensors"))[0]["__metadata__"]
        self.assertEqual([record[key] for key in "resize crop preprocess height width pooling".split()],
                         ["nearest", "none", "caffe", "32", "32", "max"])
        self.succeed("extract", "data", "--weights", "random", "--size", "32", "--arch", "vgg11", "--layer",
                     "block1_pool", "--isa", "scalar", "--backend", "cpu", "--precision", "bf16", "-o",
                     "b.safetensors")
        record = read_safetensors(self.path("b.safetensors"))[0]["__metadata__"]
        self.assertEqual([record[key] for key in "weights source precision resize crop preprocess".split()],
                         ["random", "random", "bf16", "nearest", "none", "rescale"])
        self.succeed("train", "b.safetensors", "-o", "m.safetensors", "--epochs", "1")

    def test_no_options_are_needed(self):
        for pooling, kind in (("none", "flatten"), ("avg", "avgpool"), ("max", "gmaxpool")):
            self.extract("data", "g.safetensors", pooling=pooling)
            self.extract("held", "h.safetensors", pooling=pooling)
            epochs = self.json("train", "g.safetensors", "-o", "m.safetensors", "--epochs", "2",
                               "--validation", "h.safetensors")["epochs"]
            again = self.json("train", "g.safetensors", "-o", "n.safetensors", "--epochs", "2",
                              "--validation", "held")["epochs"]
            table = self.json("summary", "m.safetensors")
            self.assertEqual([table["arch"], table["input"], table["preprocess"]], ["vgg13", [48, 40, 3], "torch"])
            self.assertEqual([layer["kind"] for layer in table["layers"]][:5], ["conv", "conv", "maxpool", kind, "dense"])
            losses = [self.json("evaluate", data, "-m", "m.safetensors")["loss"] for data in ("h.safetensors", "held")]
            for loss in losses + [again[-1]["val_loss"]]:
                self.assertAlmostEqual(loss, epochs[-1]["val_loss"], places=5)
            # On images read otherwise the numbers are others.
            other = self.json("evaluate", "held", "-m", "m.safetensors", "--crop", "none")["loss"]
            self.assertGreater(abs(other - losses[0]), 1e-4)

    def meta(self, model):
        return read_safetensors(self.path(model))[0]["__metadata__"]

    def test_model_tells_its_weights_by_name_and_digest(self):
        """No folder of this machine: the same training elsewhere gives the same bytes."""
        args = ["train", "f.safetensors", "--epochs", "1", "-o", "m.safetensors", "--weights"]
        self.succeed(*args, self.path("w.safetensors"))
        meta = self.meta("m.safetensors")
        self.assertEqual([meta["weights"], meta["weights_digest"]], ["w.safetensors", self.record["digest"]])
        with open(self.path("m.safetensors"), "rb") as f:
            model = f.read()
        self.assertNotIn(self.folder.encode(), model)
        os.mkdir(self.path("there"))
        os.rename(self.path("w.safetensors"), self.path("there/w.safetensors"))
        self.succeed(*args, "there/w.safetensors")
        with open(self.path("m.safetensors"), "rb") as f:
            self.assertEqual(f.read(), model)
        # Of the base as it was before it was trained; what began at random has none.
        self.succeed("train", "data", "--from", "m.safetensors", "-o", "n.safetensors", "--trainable", "all", "--epochs", "1")
        self.succeed("train", "data", "--from", "n.safetensors", "-o", "o.safetensors", "--epochs", "1")
        self.assertEqual(self.meta("n.safetensors")["weights_digest"], self.record["digest"])
        self.assertNotEqual(self.meta("o.safetensors")["weights_digest"], self.record["digest"])
        self.assertNotIn("weights_digest", self.meta("there/w.safetensors"))

    def test_model_passes_its_decoding_on(self):
        if "libjpeg-turbo" not in self.succeed("--version"):
            self.skipTest("no libjpeg-turbo")
        made = subprocess.run(["/usr/bin/python3", "-c", """
import os, sys, numpy, PIL.Image
r = numpy.random.default_rng(7)
for name, low in (("cat", 0), ("dog", 90)):
    os.makedirs(f"{sys.argv[1]}/{name}")
    for i in range(3):
        PIL.Image.fromarray(r.integers(low, low + 150, (190, 210, 3), dtype=numpy.uint8)).save(f"{sys.argv[1]}/{name}/{i}.jpg")
""", self.path("photos")], stderr=subprocess.DEVNULL)
        if made.returncode:
            self.skipTest("python3-pil and python3-numpy are not installed")
        for how in ("fast", "exact"):
            self.succeed("train", "photos", *TINY, *GAP, "--epochs", "1", "--decode", how, "-o", f"{how}.safetensors")
        self.succeed("train", "photos", *TINY, *GAP, "--epochs", "1", "-o", "plain.safetensors")
        self.assertEqual(self.meta("fast.safetensors")["decode"], "fast")
        self.assertNotIn("decode", self.meta("exact.safetensors"))
        with open(self.path("exact.safetensors"), "rb") as a, open(self.path("plain.safetensors"), "rb") as b:
            self.assertEqual(a.read(), b.read())

        def loss(model, *more):
            return self.json("evaluate", "photos", "-m", f"{model}.safetensors", *more)["loss"]

        for model, other in (("fast", "exact"), ("exact", "fast")):
            self.assertEqual(loss(model), loss(model, "--decode", model))
            self.assertNotEqual(loss(model), loss(model, "--decode", other))
        for command in ("predict", "explain"):
            more = ["-o", "e.npy"] if command == "explain" else []
            told = [self.json(command, "photos/cat/1.jpg", "-m", "fast.safetensors", *more, *how)
                    for how in ([], ["--decode", "fast"], ["--decode", "exact"])]
            self.assertEqual(told[0], told[1])
            self.assertNotEqual(told[0], told[2])
        # As the base of features, and of another training, whose own option comes first.
        self.succeed("extract", "photos", "--weights", "fast.safetensors", "--layer", "block1_pool", "-o", "p.safetensors")
        self.assertEqual(self.meta("p.safetensors")["decode"], "fast")
        for more, recorded in (([], "fast"), (["--decode", "exact"], None)):
            self.succeed("train", "photos", "--from", "fast.safetensors", "--epochs", "1", "-o", "n.safetensors", *more)
            self.assertEqual(self.meta("n.safetensors").get("decode"), recorded)
        # What the model knows, features must not contradict.
        self.succeed("extract", "photos", "--weights", "fast.safetensors", "--layer", "block1_pool", "-o", "q.safetensors",
                     "--decode", "exact")
        self.fail_with(1, "decode exact, .* wants fast", "evaluate", "q.safetensors", "-m", "fast.safetensors")
        change_metadata(self.path("fast.safetensors"), self.path("bad.safetensors"), "decode", "slow")
        self.fail_with(1, 'bad.safetensors: metadata decode "slow" is none of exact, fast', "predict", "photos", "-m",
                       "bad.safetensors")

    def test_model_passes_its_fitting_on(self):
        """To predict, explain, extract and to training that goes on from it; what is typed comes first."""
        self.succeed("train", "f.safetensors", "-o", "m.safetensors", "--epochs", "1")
        meta = read_safetensors(self.path("m.safetensors"))[0]["__metadata__"]
        self.assertEqual([meta["resize"], meta["crop"]], ["bilinear", "center"])
        plain = self.json("predict", "data/cat", "-m", "m.safetensors")
        fitting = ["--resize", "bilinear", "--crop", "center"]
        self.assertEqual(self.json("predict", "data/cat", "-m", "m.safetensors", *fitting), plain)
        self.assertNotEqual(self.json("predict", "data/cat", "-m", "m.safetensors", "--crop", "none"), plain)
        maps = []
        for more in ([], fitting, ["--crop", "none"]):
            self.succeed("explain", "data/cat/0.png", "-m", "m.safetensors", "-o", "e.npy", *more)
            with open(self.path("e.npy"), "rb") as f:
                maps.append(f.read())
        self.assertEqual(maps[0], maps[1])
        self.assertNotEqual(maps[0], maps[2])
        self.succeed("train", "data", "--from", "m.safetensors", "-o", "n.safetensors", "--epochs", "1")
        self.succeed("train", "data", "--from", "m.safetensors", "-o", "o.safetensors", "--epochs", "1", *fitting)
        with open(self.path("n.safetensors"), "rb") as a, open(self.path("o.safetensors"), "rb") as b:
            self.assertEqual(a.read(), b.read())
        change_metadata(self.path("m.safetensors"), self.path("bad.safetensors"), "resize", "cubic")
        self.fail_with(1, 'bad.safetensors: metadata resize "cubic" is none of nearest, bilinear, lanczos', "train",
                       "data", "--from", "bad.safetensors", "-o", "x.safetensors")

    def test_options_that_contradict(self):
        train = ["train", "f.safetensors", "-o", "m.safetensors"]
        made = "f.safetensors was made"
        for option, value, line in (
            ("--arch", "vgg16", f"--arch vgg16: {made} with vgg13"),
            ("--size", "96", f"--size 96: {made} at 48x40"),
            ("--size", "48x96", f"--size 48x96: {made} at 48x40"),
            ("--layer", "block1_conv2", "--layer block1_conv2: f.safetensors holds features of block1_pool"),
            ("--layer", "block2_pool", "--layer block2_pool: f.safetensors holds features of block1_pool"),
            ("--head", "gmp,dense:2:softmax", f"--head gmp,dense:2:softmax: {made} with pooling avg; begin with gap"),
            ("--head", "flatten,dense:1:sigmoid", f"--head flatten,.*: {made} with pooling avg"),
            ("--preprocess", "caffe", f"--preprocess caffe: {made} with torch"),
            ("--resize", "nearest", f"--resize nearest: {made} with bilinear"),
            ("--crop", "none", f"--crop none: {made} with center"),
            ("--weights", "random", rf"--weights random: .* [0-9a-f]{{12}}; {made} with w.safetensors, of digest "
                                    + self.record["digest"][:12]),
        ):
            self.usage(f"^vgg16: {line}", *train, option, value)
        self.succeed(*train, "--arch", "vgg13", "--size", "48x40", "--layer", "block1_pool", "--head",
                     "gap,dense:1:sigmoid", "--preprocess", "torch", "--resize", "bilinear", "--crop", "center",
                     "--weights", "w.safetensors", "--epochs", "1")
        for command in (["evaluate", "f.safetensors"], ["predict", "f.safetensors"],
                        ["train", "f.safetensors", "-o", "n.safetensors", "--from"]):
            model = ["m.safetensors"] if "--from" in command else ["-m", "m.safetensors"]
            for option, typed, is_ in (("preprocess", "none", "torch"), ("resize", "lanczos", "bilinear"),
                                       ("crop", "none", "center")):
                self.usage(f"^vgg16: --{option} {typed}: {made} with {is_}", *command, *model, f"--{option}", typed)

    def test_maps_go_on_through_the_layers_above(self):
        """Features of a lower layer, the base above it to train."""
        self.extract("data", "g.safetensors", layer="block1_conv1", pooling="none")
        self.succeed("train", "g.safetensors", "--layer", "block1_pool", "--trainable", "block1_conv2", "-o",
                     "m.safetensors", "--epochs", "1")
        self.fail_with(1, "lies below the features", "train", "g.safetensors", "--layer", "block1_pool", "--trainable",
                       "block1", "-o", "m.safetensors", "-q")
        self.fail_with(2, "vgg13 has no layer block9_pool", "train", "g.safetensors", "--layer", "block9_pool", "-o",
                       "n.safetensors")

    def test_models_that_contradict(self):
        self.succeed("train", "f.safetensors", "-o", "m.safetensors", "--epochs", "1")
        changes = (
            (["--seed", "3"], {"arch": "vgg16"}, "arch vgg13, .* wants vgg16"),
            (["--seed", "3"], {"size": "96"}, "size 48x40, .* wants 96x96"),
            (["--seed", "3"], {"preprocess": "none"}, "preprocess torch, .* wants none"),
            (["--seed", "4"], {}, f"digest {self.record['digest'][:12]}; .* [0-9a-f]{{12}}"),
            (["--seed", "3", "--crop", "none", "--resize", "bilinear"], {}, "crop center, .* wants none"),
            (["--seed", "3", "--resize", "nearest"], {}, "resize bilinear, .* wants nearest"),
        )
        for more, how, line in changes:
            self.base("o.safetensors", *more, **how)
            line = "^vgg16: f.safetensors: was made with .*" + line if "digest" in line else (
                "^vgg16: f.safetensors: was made with " + line)
            self.fail_with(1, line, "evaluate", "f.safetensors", "-m", "o.safetensors")
            self.fail_with(1, line, "train", "f.safetensors", "--from", "o.safetensors", "-o", "x.safetensors")
        # Fine-tuning leaves the features behind.
        self.succeed("train", "data", "--from", "m.safetensors", "--trainable", "block1_conv2", "--epochs", "1",
                     "--lr", "0.01", "-o", "t.safetensors")
        self.fail_with(1, f"up to block1_pool have digest {self.record['digest'][:12]}; those of t.safetensors have",
                       "evaluate", "f.safetensors", "-m", "t.safetensors")
        self.succeed("train", "data", "--from", "m.safetensors", "--epochs", "1", "--lr", "0.01", "-o", "h.safetensors")
        self.succeed("evaluate", "f.safetensors", "-m", "h.safetensors")

    def test_validation_that_contradicts(self):
        self.base("o.safetensors", "--seed", "4")
        for more, how, line in (
            (["--preprocess", "none"], {}, "preprocess none, but f.safetensors with torch"),
            (["--resize", "lanczos"], {}, "resize lanczos, but f.safetensors with bilinear"),
            (["--crop", "none"], {}, "crop none, but f.safetensors with center"),
            (["--size", "96"], {}, "size 96x96, but f.safetensors with 48x40"),
            ([], {"pooling": "max"}, "pooling max, but f.safetensors with avg"),
            ([], {"layer": "block1_conv1"}, "layer block1_conv1, but f.safetensors with block1_pool"),
            ([], {"weights": "o.safetensors"}, f"digest [0-9a-f]{{12}}, but .* with {self.record['digest'][:12]}"),
        ):
            self.extract("held", "h.safetensors", *more, **how)
            self.fail_with(1, f"^vgg16: h.safetensors: was made with {line}", "train", "f.safetensors", "--validation",
                           "h.safetensors", "-o", "m.safetensors", "-q")
        change_metadata(self.path("f.safetensors"), self.path("h.safetensors"), "arch", "vgg16")
        self.fail_with(1, "^vgg16: h.safetensors: was made with arch vgg16, but f.safetensors with vgg13", "train",
                       "f.safetensors", "--validation", "h.safetensors", "-o", "m.safetensors", "-q")

    def test_weights_that_are_gone_or_others(self):
        train = ["train", "f.safetensors", "-o", "m.safetensors", "--epochs", "0"]
        short = self.record["digest"][:12]
        os.rename(self.path("w.safetensors"), self.path("moved.safetensors"))
        self.fail_with(1, f"^vgg16: f.safetensors: was made with the weights w.safetensors .*{short}.* --weights", *train)
        self.succeed(*train, "--weights", "moved.safetensors")
        self.base("w.safetensors", "--seed", "4")
        self.fail_with(1, f"^vgg16: f.safetensors: was made with w.safetensors of digest {short} .* has digest "
                       "[0-9a-f]{12} now", *train)
        self.usage(f"--weights w.safetensors: .*[0-9a-f]{{12}}; .*{short}", *train, "--weights", "w.safetensors")
        # Random weights follow from the seed.
        self.succeed("extract", "data", "--weights", "random", "--seed", "5", "--size", "32", "--layer", "block1_pool",
                     "-o", "r.safetensors")
        self.usage("--seed: r.safetensors was made with random weights of another seed", "train", "r.safetensors", "-o",
                   "m.safetensors")
        self.succeed("train", "r.safetensors", "-o", "m.safetensors", "--seed", "5", "--epochs", "0")

    def test_features_of_a_head(self):
        self.succeed("train", "f.safetensors", "-o", "m.safetensors", "--epochs", "1")
        self.extract("data", "d.safetensors", weights="m.safetensors", layer="dense_1")
        self.usage("d.safetensors: holds features of dense_1, a layer of a head", "train", "d.safetensors", "-o",
                   "n.safetensors")
        losses = [self.json("evaluate", data, "-m", "m.safetensors")["loss"] for data in ("d.safetensors", "data")]
        self.assertAlmostEqual(losses[0], losses[1], places=5)
        self.succeed("train", "d.safetensors", "--from", "m.safetensors", "--trainable", "dense_2", "-o",
                     "n.safetensors", "--epochs", "1")

    def test_damaged_records(self):
        for key, value in (("height", "4x"), ("pooling", "mean"), ("resize", "cubic"), ("digest", "12"),
                           ("arch", "resnet"), ("crop", ""), ("preprocess", "keras")):
            change_metadata(self.path("f.safetensors"), self.path("g.safetensors"), key, value)
            line = f'^vgg16: g.safetensors: metadata {key} "{value}" must be '
            self.fail_with(1, line, "train", "g.safetensors", "-o", "m.safetensors")
            self.fail_with(1, line, "evaluate", "g.safetensors", "-m", "w.safetensors")
        change_metadata(self.path("f.safetensors"), self.path("g.safetensors"), "crop", None)
        self.fail_with(1, "g.safetensors: metadata crop is missing", "train", "g.safetensors", "-o", "m.safetensors")

    def test_without_a_record_nothing_is_compared(self):
        write_features(self.path("g.safetensors"), [64], [0, 1, 0, 1])
        network = ["--weights", "w.safetensors", "--layer", "block1_pool", "-o", "m.safetensors", "--epochs", "1"]
        self.succeed("train", "g.safetensors", *network, "--size", "96", "--preprocess", "none", "--crop", "none")
        self.succeed("train", "f.safetensors", "--validation", "g.safetensors", "-o", "m.safetensors", "--epochs", "1")
        self.succeed("evaluate", "g.safetensors", "-m", "w.safetensors")
