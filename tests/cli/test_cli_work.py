"""Every command but train at work on small inputs; train is in test_cli_train."""

import csv
import json
import math
import os
import signal
import struct
import subprocess
import time

from cli_support import GAP, PROGRAM, Program, TINY, write_features, write_folder, write_png


class Devices(Program):
    def test_text_and_json(self):
        listed = self.json("devices")["devices"]
        self.assertEqual(sum(d["chosen"] for d in listed), 1)
        cpu = next(d for d in listed if d["backend"] == "cpu")
        self.assertEqual(
            sorted(cpu),
            sorted("index backend name type driver uuid memory threads limits chosen reason".split()),
        )
        self.assertGreater(cpu["memory"], 1 << 20)
        self.assertGreater(cpu["threads"], 0)
        text = self.succeed("devices")
        self.assertRegex(text, r"(?m)^\*  \d  ")
        self.assertIn(cpu["name"], text)
        self.assertIn("chosen by auto: ", text)


class Summary(Program):
    def test_architecture(self):
        text = self.succeed("summary", "--size", "150")
        self.assertRegex(text, r"block5_pool +maxpool +4 x 4 x 512 ")
        self.assertRegex(text, r"Total parameters: +14,714,688 ")
        table = self.json("summary", "--size", "64x96", "--arch", "vgg11", "--trainable", "block5")
        self.assertEqual(table["arch"], "vgg11")
        self.assertEqual(table["input"], [64, 96, 3])
        self.assertEqual(table["layers"][-1]["shape"], [2, 3, 512])
        self.assertEqual(table["parameters"], sum(layer["parameters"] for layer in table["layers"]))
        trainable = sum(layer["parameters"] for layer in table["layers"] if layer["trainable"])
        self.assertEqual(table["trainable_parameters"], trainable)
        self.assertEqual(trainable, 2 * (9 * 512 * 512 + 512))
        first = table["layers"][0]
        self.assertEqual(first["parameters"], 9 * 3 * 64 + 64)
        self.assertAlmostEqual(first["flops"] / (2 * 64 * 96 * 27 * 64), 1, delta=0.1)

    def test_top(self):
        self.assertEqual(self.json("summary", "--top")["parameters"], 138357544)

    def test_unknown_layer(self):
        self.usage("--trainable block9: no such layer", "summary", "--arch", "vgg11", "--trainable", "block9")

    def test_model(self):
        write_folder(self.path("data"), count=1)
        self.train("data")
        table = self.json("summary", "m.safetensors", "--trainable", "head")
        self.assertEqual(table["classes"], ["cat", "dog"])
        self.assertEqual(table["input"], [32, 32, 3])
        self.assertEqual(table["trainable_parameters"], 65)
        self.assertEqual([layer["name"] for layer in table["layers"]][:2], ["block1_conv1", "block1_pool"])
        self.assertEqual(self.json("summary", "m.safetensors", "--size", "32")["input"], [32, 32, 3])
        self.usage("--size: m.safetensors was made for", "summary", "m.safetensors", "--size", "64")


class Extract(Program):
    BASE = ["--weights", "random", "--arch", "vgg11", "--size", "32"]

    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=4)

    def extract(self, output, *more):
        return self.json("extract", "data", *self.BASE, "--layer", "block1_pool", "--output", output, *more)

    def test_formats(self):
        result = self.extract("f.npy")
        self.assertEqual(
            result,
            {"output": "f.npy", "layer": "block1_pool", "pooling": "none", "images": 8, "shape": [16, 16, 64]},
        )
        for name in ("f.npy", "f.npy.labels.npy", "f.npy.paths.txt"):
            self.assertTrue(os.path.exists(self.path(name)) or name != "f.npy", name)
        for name in ("f.h5", "f.safetensors", "f.csv"):
            self.extract(name, "--pooling", "max", "--batch", "3")
            self.assertTrue(os.path.exists(self.path(name)))
        text = self.succeed("extract", "data", *self.BASE, "--layer", "block1_conv1", "-o", "g.npy", "--pooling", "avg")
        self.assertEqual(text, "g.npy: 8 x 1 x 1 x 64, block1_conv1\n")

    def test_default_layer(self):
        result = self.json("extract", "data", *self.BASE, "-o", "f.npy")
        self.assertEqual([result["layer"], result["shape"]], ["block5_pool", [1, 1, 512]])

    def test_features_train_a_head(self):
        for pooling, output, gmp in (("none", "f.safetensors", []), ("avg", "a.safetensors", []),
                                     ("max", "x.safetensors", ["--head", "gmp,dense:1:sigmoid"])):
            self.extract(output, "--pooling", pooling)
            self.succeed("train", output, *TINY, *gmp, "-o", "m.safetensors", "--epochs", "6", "--lr", "0.01")
            # The model holds the base too: it takes features, and images with the same result.
            a = self.json("evaluate", output, "-m", "m.safetensors")
            b = self.json("evaluate", "data", "-m", "m.safetensors")
            self.assertAlmostEqual(a["loss"], b["loss"], places=4)
        write_features(self.path("g.safetensors"), [64], [0, 1])
        self.usage("g.safetensors: holds features; name the weights", "train", "g.safetensors", "-o", "n.safetensors")

    def test_head_of_a_model(self):
        self.train("data")
        result = self.json("extract", "data", "--weights", "m.safetensors", "--layer", "dense_1", "-o", "f.npy")
        self.assertEqual(result["shape"], [1, 1, 1])
        dense = ["extract", "data", "--weights", "m.safetensors", "--layer", "dense_1", "-o", "f.npy"]
        self.assertEqual(self.json(*dense, "--arch", "vgg11", "--size", "32")["shape"], [1, 1, 1])
        self.usage("--arch vgg13: m.safetensors is a vgg11", *dense, "--arch", "vgg13")
        self.usage("--size: m.safetensors was made for 32x32; leave --size out", *dense, "--size", "32x48")

    def test_skip_bad(self):
        with open(self.path("data/cat/text.jpg"), "w") as f:
            f.write("no picture")
        args = ["extract", "data", *self.BASE, "--layer", "block1_pool", "-o", "f.npy", "--json"]
        self.fail_with(1, r"data/cat/text.jpg: ", *args)
        done = self.run_program(*args, "--skip-bad")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("data/cat/text.jpg", done.stderr)
        self.assertEqual(json.loads(done.stdout)["images"], 8)

    def stop_by(self, number):
        """Stops a long extraction by a signal: no result, and nothing left of it."""
        with open(self.path("long.txt"), "w") as f:
            f.write("data/cat/0.png\n" * 200000)
        before = self.files()
        args = ["extract", "long.txt", *self.BASE, "--layer", "block1_pool", "--pooling", "avg", "-o", "f.npy"]
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as run:
            while run.poll() is None and self.files() == before:
                time.sleep(0.01)  # until the output is begun
            run.send_signal(number)
            out, err = run.communicate(timeout=60)
        self.assertEqual([run.returncode, out], [130, ""], err)
        self.assertEqual(self.files(), before)

    def test_interrupt(self):
        self.stop_by(signal.SIGINT)

    def test_hangup(self):
        """A terminal that is closed stops like Ctrl-C; nohup's programs go on."""
        self.stop_by(signal.SIGHUP)

    def test_pipe_among_the_images(self):
        os.mkfifo(self.path("data/cat/pipe.png"))
        with open(self.path("list.txt"), "w") as f:
            f.write("data/cat/0.png\ndata/cat/pipe.png\n")
        base = [*self.BASE, "--layer", "block1_pool", "--pooling", "avg", "-o", "f.npy"]
        self.fail_with(1, "data/cat/pipe.png: is not a regular file", "extract", "list.txt", *base, timeout=20)
        self.assertEqual(self.json("extract", "list.txt", *base, "--skip-bad", timeout=20)["images"], 1)

    def test_second_signal_kills(self):
        with open(self.path("long.txt"), "w") as f:
            f.write("data/cat/0.png\n" * 200000)
        # One step of a large batch takes longer than the signals are apart.
        args = ["extract", "long.txt", "--weights", "random", "--size", "224", "--batch", "256", "-o", "f.npy", "-v"]
        slow = dict(self.env, VGG16_ISA="scalar")
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=slow,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            while run.poll() is None and not any("f.npy" in name for name in self.files()):
                time.sleep(0.01)
            run.send_signal(signal.SIGTERM)
            time.sleep(0.7)
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=10)
        self.assertEqual(run.returncode, -signal.SIGTERM)

    def test_split_by_memory(self):
        sizes = []
        for output, more in (("a.npy", []), ("b.npy", ["--memory", "2M", "--batch", "32"])):
            self.extract(output, *more)
            with open(self.path(output), "rb") as f:
                sizes.append(f.read())
        self.assertEqual(sizes[0], sizes[1])


class EvaluateAndPredict(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=4)
        self.train("data", "m.safetensors", "--epochs", "6", "--lr", "0.05")

    def test_evaluate(self):
        text = self.succeed("evaluate", "data", "--model", "m.safetensors", "--batch", "3")
        self.assertRegex(text, r"^images 8  loss \d+\.\d{4}  accuracy 1\.0000  auc 1\.0000\n")
        self.assertRegex(text, r"(?m)^cat +1\.0000 +1\.0000 +1\.0000 +1\.0000 +4$")
        self.assertRegex(text, r"(?m)^dog +0 +4$")
        result = self.json("evaluate", "data", "--model", "m.safetensors")
        self.assertEqual(result["confusion"], [[4, 0], [0, 4]])
        self.assertEqual([c["name"] for c in result["classes"]], ["cat", "dog"])
        self.assertEqual(sorted(result["classes"][0]), ["auc", "f1", "images", "name", "precision", "recall"])
        self.assertEqual([result["auc"], result["classes"][0]["auc"]], [1, 1])
        self.assertEqual([result["images"], result["skipped"]], [8, 0])

    def test_threshold_and_top(self):
        """One image of each class changes hands when the threshold passes its probability."""
        self.train("data", "w.safetensors", "--epochs", "1", "--lr", "1e-5")
        rows = self.succeed("evaluate", "data", "-m", "w.safetensors", "-o", "/dev/stdout", "--json").splitlines()
        p = sorted((float(row.split(",")[-1]), row.split(",")[1]) for row in rows[1:9])
        threshold = (p[2][0] + p[3][0]) / 2
        told = self.json("evaluate", "data", "-m", "w.safetensors", "--threshold", repr(threshold), "-o", "p.csv", "--report",
                         "r.html")
        taken = [sum(row[k] for row in told["confusion"]) for k in range(2)]
        self.assertEqual(taken, [3, 5])
        right = sum((value > threshold) == (label == "dog") for value, label in p)
        self.assertEqual(told["accuracy"], right / 8)
        with open(self.path("p.csv"), newline="") as f:
            self.assertEqual(sum(row["predicted"] == "dog" for row in csv.DictReader(f)), 5)
        pairs = [(a[0] > b[0]) + 0.5 * (a[0] == b[0]) for a in p for b in p if (a[1], b[1]) == ("dog", "cat")]
        self.assertAlmostEqual(told["auc"], sum(pairs) / len(pairs))
        self.usage("--top: only with a model of several outputs", "evaluate", "data", "-m", "w.safetensors", "--top", "1")
        write_folder(self.path("three"), ("a", "b", "c"), count=3)
        self.succeed("train", "three", *TINY, "--head", "gap,dense:3:softmax", "--epochs", "1", "-o", "s.safetensors")
        self.usage("--threshold: only with a model that ends in one sigmoid", "evaluate", "three", "-m", "s.safetensors",
                   "--threshold", "0.4")
        self.usage("--top 3: must be below the number of classes, which is 3", "evaluate", "three", "-m", "s.safetensors",
                   "--top", "3")
        told = self.json("evaluate", "three", "-m", "s.safetensors", "--top", "2", "--report", "r.html")
        self.assertGreaterEqual(told["top_accuracy"], told["accuracy"])
        text = self.succeed("evaluate", "three", "-m", "s.safetensors", "--top", "2")
        self.assertIn(f"  top-2 accuracy {told['top_accuracy']:.4f}  mean auc {told['auc']:.4f}", text)
        with open(self.path("r.html")) as f:
            self.assertIn("Mean ROC AUC", f.read())

    def test_csv(self):
        os.rename(self.path("data/cat/0.png"), self.path('data/cat/a, "b".png'))
        self.succeed("evaluate", "data", "--model", "m.safetensors", "--output", "p.csv")
        with open(self.path("p.csv"), newline="") as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(list(rows[0]), ["path", "label", "predicted", "cat", "dog"])
        self.assertEqual(len(rows), 8)
        self.assertIn('data/cat/a, "b".png', [row["path"] for row in rows])
        loss = 0
        for row in rows:
            self.assertEqual(row["label"], row["predicted"])
            self.assertAlmostEqual(float(row["cat"]) + float(row["dog"]), 1, places=5)
            loss -= math.log(float(row[row["label"]]))
        result = self.json("evaluate", "data", "--model", "m.safetensors")
        self.assertAlmostEqual(loss / 8, result["loss"], places=4)
        self.assertEqual(self.succeed("evaluate", "data", "-m", "m.safetensors", "-o", "/dev/stdout").splitlines()[0],
                         "path,label,predicted,cat,dog")

    def test_no_number_is_no_prediction(self):
        write_features(self.path("f.safetensors"), (64,), [0, 1, 0])
        self.assertEqual(self.json("evaluate", "f.safetensors", "-m", "m.safetensors")["images"], 3)
        with open(self.path("f.safetensors"), "r+b") as f:
            f.seek(8 + struct.unpack("<Q", f.read(8))[0] + 4 * (64 + 5))
            f.write(struct.pack("<f", math.nan))
        wrong = "f.safetensors#1: holds what is no finite number"
        self.fail_with(1, wrong, "evaluate", "f.safetensors", "-m", "m.safetensors", "-o", "p.csv")
        self.fail_with(1, wrong, "train", "f.safetensors", "--from", "m.safetensors", "-o", "n.safetensors")

    def test_link_to_a_descriptor(self):
        os.symlink("/proc/self/fd/1", self.path("out"))
        with open(self.path("told.txt"), "w") as f:
            self.succeed("evaluate", "data", "-m", "m.safetensors", "-o", "out", stdout=f)
        self.assertTrue(os.path.islink(self.path("out")))
        with open(self.path("told.txt")) as f:
            told = f.read()
        self.assertIn("path,label,predicted,cat,dog\n", told)
        self.assertIn("accuracy 1.0000", told)

    def test_undefined_is_null(self):
        os.makedirs(self.path("cats/cat"))
        os.rename(self.path("data/cat/0.png"), self.path("cats/cat/0.png"))
        result = self.json("evaluate", "cats", "--model", "m.safetensors")
        self.assertIsNone(result["classes"][1]["recall"])
        self.assertEqual(result["classes"][1]["images"], 0)

    def test_predict(self):
        text = self.succeed("predict", "--model", "m.safetensors", "data/dog/1.png", "data/cat/1.png")
        lines = text.splitlines()
        self.assertRegex(lines[0], r"^data/dog/1.png: dog \d\.\d{4}, cat \d\.\d{4}$")
        self.assertRegex(lines[1], r"^data/cat/1.png: cat \d\.\d{4}, dog \d\.\d{4}$")
        top = self.succeed("predict", "--model", "m.safetensors", "data/dog/1.png", "--top", "1")
        self.assertRegex(top, r"^data/dog/1.png: dog \d\.\d{4}\n$")
        images = self.json("predict", "--model", "m.safetensors", "data/dog")["images"]
        self.assertEqual(len(images), 4)
        self.assertEqual(images[0]["path"], "data/dog/0.png")
        self.assertEqual([c["name"] for c in images[0]["classes"]], ["dog", "cat"])
        self.assertEqual([c["label"] for c in images[0]["classes"]], [1, 0])
        self.assertAlmostEqual(sum(c["probability"] for c in images[0]["classes"]), 1, places=5)

    def test_predict_what_lies_in_folders(self):
        """Folders are no classes, and labels play no part: not their number, not their names, not what is contradicted."""
        write_folder(self.path("new"), classes=("ant", "bee", "fly"), count=2)
        write_png(self.path("new/top.png"), 40, 36, lambda x, y: (40, 40, 200))
        os.mkdir(self.path("new/fly/empty"))
        with open(self.path("list.csv"), "w") as f:
            f.write("new/bee/1.png,bird\ndata/cat/1.png,fish\n")
        inside = [f"new/{name}" for name in ("top.png", "ant/0.png", "ant/1.png", "bee/0.png", "bee/1.png", "fly/0.png", "fly/1.png")]
        for args, expected in (
            (["new"], inside),
            (["data/cat/0.png", "new/fly"], ["data/cat/0.png", *inside[5:]]),
            (["list.csv"], ["new/bee/1.png", "data/cat/1.png"]),
            (["new?classes=1"], inside[3:5]),
        ):
            images = self.json("predict", "-m", "m.safetensors", *args)["images"]
            self.assertEqual([image["path"] for image in images], expected)
        self.assertEqual([image["classes"][0]["name"] for image in self.json("predict", "-m", "m.safetensors", "new")["images"][:5]],
                         ["dog", "cat", "cat", "dog", "dog"])  # fmt: skip
        self.fail_with(1, "^vgg16: new/fly/empty: holds no images .*, nor do folders below it", "predict", "-m", "m.safetensors", "new/fly/empty")

    def test_list_of_images(self):
        with open(self.path("list.txt"), "w") as f:
            f.write("data/dog/1.png\ndata/cat/2.png\n")
        self.assertEqual(len(self.succeed("predict", "-m", "m.safetensors", "list.txt").splitlines()), 2)

    def test_skip_bad(self):
        with open(self.path("data/cat/text.jpg"), "w") as f:
            f.write("no picture")
        done = self.run_program("evaluate", "data", "-m", "m.safetensors", "--skip-bad")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^images 8  skipped 1  loss ")

    def test_json_survives_foreign_names(self):
        os.rename(os.fsencode(self.path("data/cat/1.png")), os.fsencode(self.path("data/cat/")) + b"\xe9.png")
        done = subprocess.run([PROGRAM, "predict", "-m", "m.safetensors", "data/cat", "--json"], cwd=self.folder,
                              env=self.env, stdout=subprocess.PIPE, check=True)
        paths = [image["path"] for image in json.loads(done.stdout.decode("utf-8"))["images"]]
        self.assertIn("data/cat/\\xE9.png", paths)


class Convert(Program):
    def test_there_and_back(self):
        write_folder(self.path("data"), count=2)
        self.succeed("train", "data", "--weights", "random", "--arch", "vgg11", "--size", "32", *GAP, "--epochs", "0",
                     "-o", "m.safetensors")
        self.assertEqual(self.json("convert", "m.safetensors", "m.h5"), {"input": "m.safetensors", "output": "m.h5"})
        self.succeed("convert", "m.h5", "t.safetensors", "--layout", "torchvision")
        self.succeed("convert", "t.safetensors", "k.safetensors", "--layout", "keras")
        names = []
        for name in ("t", "k"):
            with open(self.path(name + ".safetensors"), "rb") as f:
                size = int.from_bytes(f.read(8), "little")
                names.append(set(json.loads(f.read(size))))
        self.assertIn("features.0.weight", names[0])
        self.assertIn("block1_conv1/kernel", names[1])
        features = []
        for weights in ("m.safetensors", "m.h5", "k.safetensors", "t.safetensors"):
            self.succeed("extract", "data", "--weights", weights, "--size", "32", "--preprocess", "rescale", "-o",
                         "f.csv", "--arch", "vgg11")
            with open(self.path("f.csv")) as f:
                features.append(f.read())
        self.assertEqual(features, features[:1] * 4)


class Pull(Program):
    def test_finds_what_keras_keeps(self):
        """A file of Keras' name that is not Keras' file is not taken."""
        os.makedirs(self.path(".keras/models"))
        with open(self.path(".keras/models/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"), "wb") as f:
            f.write(b"\x89HDF\r\n\x1a\n" + bytes(100))
        done = self.run_program("pull", "vgg16-notop", env={"https_proxy": "http://127.0.0.1:9"})
        if done.returncode == 0:
            self.assertEqual(done.stdout.strip(), self.path(".keras/models/") +
                             "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")
        else:
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout, "")


class Selftest(Program):
    def test_json(self):
        for more in ([], ["--json"]):  # without a result there is nothing to count
            self.assertEqual(self.fail_with(1, "no device .nope.", "selftest", "--device", "nope", *more).stdout, "")
        result = self.json("selftest", "--backend", "cpu", timeout=300)
        self.assertEqual(result["failed"], 0)
        self.assertEqual(result["count"], len(result["results"]))
        self.assertGreater(result["count"], 10)
        first = result["results"][0]
        self.assertEqual(sorted(first), ["bound", "device", "error", "op", "passed", "shape"])
        self.assertTrue(all(r["error"] <= r["bound"] for r in result["results"]))


class Progress(Program):
    def test_plain_lines_are_rare(self):
        write_folder(self.path("data"), count=2)
        done = self.run_program("train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "20")
        self.assertEqual(done.stderr, "")

    def test_bar_on_a_terminal(self):
        write_folder(self.path("data"), count=6)
        for colour in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
            text = self.on_terminal("train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "300",
                                    "--trainable", "all", env=colour)
            if "TERM" in colour:
                self.assertNotIn("\033", text)
                continue
            self.assertRegex(text, r"train \d+/300 \[")
            self.assertRegex(text, r"\] \d+/\d+ steps")
            self.assertEqual("\033[32m" in text, not colour)
        self.assertNotIn("[", self.on_terminal("train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "100",
                                               "-q", env={}))

    def on_terminal(self, *args, env):
        import pty

        master, slave = pty.openpty()
        merged = dict(self.env, TERM="xterm", **{k: v for k, v in env.items() if k != "TERM"})
        merged.update(env)
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=merged, stdout=subprocess.DEVNULL, stderr=slave):
            os.close(slave)
            text = b""
            while True:
                try:
                    part = os.read(master, 4096)
                except OSError:
                    break
                if not part:
                    break
                text += part
        os.close(master)
        return text.decode()
