"""Data whose classes are not just the model's: fewer, more, in another order, named twice."""

import csv
import json
import os
import random
import shutil

from cli_support import COLOURS, TINY, Program, write_folder, write_safetensors

CLASSES = ["fig", "kiwi", "lime", "plum"]  # each has its colour, so that the model is right of all of them
OTHER = ["--head", "gap,dense:4:softmax"]


class Classes(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("full"), CLASSES, count=6)
        self.succeed("train", "full", *TINY, *OTHER, "-o", "m.safetensors", "--optimizer", "adam", "--lr", "0.05",
                     "--epochs", "30")

    def test_a_head_with_too_few(self):
        """One line, whatever the order in which the classes come."""
        self.fail_with(1, r"full/lime/0.png: class 2 \(lime\) is out of range: the model knows the classes 0 to 1", "train", "full",
                       *TINY, "--head", "gap,dense:2:softmax", "-o", "n.safetensors", "--epochs", "1")

    def part(self, name, counts):
        """A folder with so many images of each class named, the last ones of `full`."""
        for fruit, count in counts.items():
            os.makedirs(self.path(f"{name}/{fruit}"))
            for i in range(6 - count, 6):
                shutil.copy(self.path(f"full/{fruit}/{i}.png"), self.path(f"{name}/{fruit}/{i}.png"))
        return name

    def array(self, name, order, names=None):
        """Images of the classes numbered in CLASSES as `order` tells; the items of all classes are mixed."""
        noise = random.Random(5)
        labels = [i % len(order) for i in range(3 * len(order) - 1)]  # the last class has one image less
        random.Random(len(order)).shuffle(labels)
        x = bytes(v + noise.randrange(50) for i in labels for _ in range(32 * 32) for v in COLOURS[order[i]])
        y = b"".join(i.to_bytes(8, "little") for i in labels)
        write_safetensors(self.path(name), {"x": ("U8", [len(labels), 32, 32, 3], x), "y": ("I64", [len(labels)], y)},
                          {"classes": json.dumps(names or [CLASSES[k] for k in order])})
        return name

    def check(self, data, images, model="m.safetensors"):
        """All of it is right: accuracy, loss, rows of the matrix, figures of each class, labels in the file of
        predictions. images: how many of each of CLASSES."""
        result = self.json("evaluate", data, "-m", model, "-o", "p.csv")
        self.assertEqual(result["accuracy"], 1)
        self.assertEqual([c["images"] for c in result["classes"]], images)
        self.assertEqual([c["recall"] for c in result["classes"]], [1 if n else None for n in images])
        self.assertEqual(result["confusion"], [[n if i == k else 0 for k in range(4)] for i, n in enumerate(images)])
        with open(self.path("p.csv"), newline="") as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(list(rows[0])[3:], CLASSES)
        self.assertEqual([sum(row["label"] == name for row in rows) for name in CLASSES], images)
        self.assertEqual([row["label"] for row in rows], [row["predicted"] for row in rows])
        self.assertLess(result["loss"], 0.7)
        return result, rows

    def test_missing(self):
        self.part("missing", {"kiwi": 2, "plum": 3})
        _, rows = self.check("missing", [0, 2, 0, 3])
        for row in rows:
            self.assertEqual(row["label"], row["path"].split("/")[1])
        self.check("full?classes=2", [0, 0, 6, 0])
        self.check("full?classes=3,1&per_class=2", [0, 2, 0, 2])

    def test_missing_in_the_training(self):
        """Every number that a training tells of its validation data is evaluate's."""
        self.part("missing", {"kiwi": 2, "plum": 3})
        result, _ = self.check("missing", [0, 2, 0, 3])
        gone_on = ["train", "full", "--from", "m.safetensors", "-o", "n.safetensors", "--optimizer", "sgd", "--lr", "1e-30",
                   "--epochs", "3", "--early-stop", "1", "--log", "h.csv", "--report", "r.html", "--json"]
        epochs = json.loads(self.succeed(*gone_on, "--validation", "missing"))["epochs"]
        self.assertEqual(len(epochs), 2)  # nothing became better
        for epoch in epochs:
            self.assertEqual(epoch["val_accuracy"], 1)
            self.assertAlmostEqual(epoch["val_loss"], result["loss"], places=5)
        with open(self.path("h.csv"), newline="") as f:
            self.assertEqual([float(row["val_accuracy"]) for row in csv.DictReader(f)], [1, 1])
        with open(self.path("r.html"), encoding="utf-8") as f:
            page = f.read()
        for cell in ("kiwi, kiwi: 2", "plum, plum: 3", "fig, fig: 0", "kiwi, fig: 0"):
            self.assertIn(cell, page)
        # Trained on a part, and a part of that held out: numbered by the model all the same.
        for data, more in (("full?classes=1,3", []), ("missing", ["--augment", "flip"])):
            epoch = self.json("train", data, "--from", "m.safetensors", "-o", "n.safetensors", "--optimizer", "sgd", "--lr",
                              "1e-30", "--epochs", "1", "--validation-split", "0.5", *more)["epochs"][0]
            self.assertEqual([epoch["accuracy"], epoch["val_accuracy"]], [1, 1], data)

    def test_trained_on_a_part(self):
        """The steps take the model's numbers too: of two classes the model grows surer, and of no other."""
        self.part("missing", {"kiwi": 2, "plum": 3})
        before, _ = self.check("missing", [0, 2, 0, 3])
        self.succeed("train", "missing", "--from", "m.safetensors", "-o", "n.safetensors", "--optimizer", "adam", "--lr",
                     "0.01", "--epochs", "5", "--class-weight", "balanced")
        after, _ = self.check("missing", [0, 2, 0, 3], "n.safetensors")
        self.assertLess(after["loss"], before["loss"])

    def test_permuted(self):
        self.check(self.array("a.safetensors", [3, 0, 2, 1]), [3, 2, 3, 3])
        self.check(self.array("a.safetensors", [2, 3, 1]), [0, 2, 3, 3])
        epoch = self.json("train", "full", "--from", "m.safetensors", "-o", "n.safetensors", "--optimizer", "sgd", "--lr",
                          "1e-30", "--epochs", "1", "--validation", "a.safetensors")["epochs"][0]
        self.assertEqual(epoch["val_accuracy"], 1)

    def test_features(self):
        self.part("missing", {"kiwi": 2, "plum": 3})
        self.succeed("extract", "missing", *TINY, "-o", "f.safetensors")
        self.check("f.safetensors", [0, 2, 0, 3])

    def test_numbers(self):
        """A class without a word is what its number says, also where others are left out."""
        self.array("n.safetensors", [0, 1, 2, 3], ["0", "1", "2", "3"])
        self.check("n.safetensors", [3, 3, 3, 2])
        self.check("n.safetensors?classes=1,3", [0, 3, 0, 2])

    def test_repeated(self):
        self.check(self.array("a.safetensors", [1, 3, 1, 0]), [2, 6, 0, 3])
        self.check(self.array("a.safetensors", [3] * 12), [0, 0, 0, 35])

    def test_extra(self):
        self.part("extra", {"kiwi": 1, "plum": 1})
        os.rename(self.path("extra/kiwi"), self.path("extra/quince"))
        wrong = r"^vgg16: extra/quince/5.png: class 1 \(quince\) is none of the model's 4, fig to plum; "
        self.fail_with(1, wrong, "evaluate", "extra", "-m", "m.safetensors", "-o", "p.csv")
        self.fail_with(1, wrong, "train", "full", "--from", "m.safetensors", "-o", "n.safetensors", "--validation", "extra")
        # A name without an image harms nothing.
        self.array("a.safetensors", [1, 3], ["kiwi", "plum", "quince"])
        self.check("a.safetensors", [0, 3, 0, 2])
