"""Every command at work on small inputs."""

import csv
import json
import math
import os
import random
import signal
import struct
import subprocess
import time

from cli_support import (BACKEND, GAP, PROGRAM, TINY, Program, write_features, write_folder, write_idx,
                         write_safetensors)

HISTORY = ["epoch", "accuracy", "learning_rate", "loss"]


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
        self.usage("--size: the head of m.safetensors fits", "summary", "m.safetensors", "--size", "64")


class Train(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=6)
        write_folder(self.path("held"), count=3, seed=2)

    def test_learns(self):
        text = self.train("data", "m.safetensors", "--epochs", "8", "--lr", "0.05", "--validation", "held")
        lines = text.splitlines()
        self.assertEqual(len(lines), 8)
        number = r"\d+\.\d{4}"
        for i, line in enumerate(lines):
            self.assertRegex(
                line,
                rf"^epoch {i + 1}/8  loss {number}  accuracy {number}  val_loss {number}  val_accuracy {number}  "
                r"\d+\.\d s$",
            )
        self.assertIn("val_accuracy 1.0000", lines[-1])
        result = self.json("evaluate", "held", "--model", "m.safetensors")
        self.assertEqual(result["accuracy"], 1)

    def test_json_and_log(self):
        options = ["--epochs", "3", "--log", "h.csv", "--validation-split", "0.34", "--json"]
        result = json.loads(self.train("data", "m.safetensors", *options))
        self.assertEqual(result["output"], "m.safetensors")
        self.assertFalse(result["interrupted"])
        self.assertEqual([e["epoch"] for e in result["epochs"]], [1, 2, 3])
        self.assertEqual(result["epochs"][0]["images"], 8)
        with open(self.path("h.csv")) as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(list(rows[0]), HISTORY + ["val_accuracy", "val_loss"])
        for row, epoch in zip(rows, result["epochs"]):
            self.assertAlmostEqual(float(row["val_loss"]), epoch["val_loss"], places=5)

    def test_without_validation_is_null(self):
        epoch = json.loads(self.train("data", "m.safetensors", "--epochs", "1", "--json"))["epochs"][0]
        self.assertIsNone(epoch["val_loss"])

    def test_same_seed_same_model(self):
        options = ["--epochs", "2", "--augment", "rotate=40,shift=0.2,shear=0.2,zoom=0.2,flip", "--lr", "0.01"]
        models = []
        again = ["--threads", "1"] if BACKEND == "cpu" else []
        for name, more in (("a", []), ("b", again), ("c", ["--seed", "1"])):
            self.train("data", name + ".safetensors", *options, *more)
            with open(self.path(name + ".safetensors"), "rb") as f:
                models.append(f.read())
        self.assertEqual(models[0], models[1])
        self.assertNotEqual(models[0], models[2])

    def test_same_model_on_any_memory(self):
        """Also where it is resumed on a machine with less."""
        wide = ["train", "data", "--weights", "random", "--arch", "vgg11", "--size", "32", "--layer", "block2_pool", "--head",
                "gap,dropout:0.3,dense:1:sigmoid", "--trainable", "all", "--batch", "8", "--shard", "2", "--lr", "1e-3"]
        models = []
        for name, *more in (("a",), ("b", "--memory", "5M"), ("c", "--memory", "9M"), ("d", "--shard", "8")):
            self.succeed(*wide, "--epochs", "4", "-o", name + ".safetensors", *more)
            with open(self.path(name + ".safetensors"), "rb") as f:
                models.append(f.read())
        self.assertEqual(models[0], models[1])
        self.assertEqual(models[0], models[2])
        self.assertNotEqual(models[0], models[3])
        self.fail_with(1, r"a shard of 8 images of 32x32 needs \d+ MiB and the limit is 3 MiB; --shard [24] fits", *wide,
                       "--shard", "8", "--memory", "3M", "-o", "e.safetensors")
        self.succeed(*wide, "--epochs", "2", "--checkpoint", "ck", "-o", "e.safetensors", "--memory", "5M")
        self.succeed(*wide, "--epochs", "4", "--checkpoint", "ck", "--resume", "-o", "e.safetensors")
        with open(self.path("e.safetensors"), "rb") as f:
            self.assertEqual(models[0], f.read())
        self.fail_with(1, "shard 2 then, 4 now", *wide, "--shard", "4", "--epochs", "5", "--checkpoint", "ck", "--resume",
                       "-o", "e.safetensors")

    def test_interrupted_before_the_first_step(self):
        """What was trained before stays: nothing that could replace it is there."""
        self.train("data", "m.safetensors", "--epochs", "1")
        with open(self.path("m.safetensors"), "rb") as f:
            good = f.read()
        write_folder(self.path("many"), count=12)
        args = ["train", "many?per_class=12", "--weights", "random", "--arch", "vgg11", "--size", "64", *GAP, "--epochs", "3", "-o",
                "m.safetensors", "--isa", "scalar", "--backend", "cpu"]
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as run:
            time.sleep(1)  # in the midst of the frozen layers' features
            run.send_signal(signal.SIGINT)
            _, err = run.communicate(timeout=100)
        self.assertEqual(run.returncode, 130, err)
        self.assertIn("m.safetensors: not written, since no step was done", err)
        with open(self.path("m.safetensors"), "rb") as f:
            self.assertEqual(f.read(), good)

    def test_every_option(self):
        for options in (
            "--optimizer sgd --lr 0.01 --momentum 0.9 --nesterov --weight-decay 1e-4 --schedule cosine",
            "--optimizer adam --schedule step:1:0.5 --batch 5 --steps-per-epoch 2 --no-shuffle",
            "--optimizer adamw --weight-decay 0.01 --schedule constant --class-weight balanced",
            "--optimizer rmsprop --trainable all --augment shift-height=0.1,shift-width=0.2 --early-stop 1",
            "--trainable block1 --preprocess caffe --resize bilinear --crop center --skip-bad --memory 64M",
            "--trainable dense_1 --preprocess torch --resize lanczos --isa scalar --backend cpu --threads 2",
            "--memory 1G --verbose --seed 18446744073709551615 --class-weight none --crop none",
        ):
            self.train("data", "m.safetensors", "--epochs", "2", *options.split())

    def test_schedule_and_early_stop(self):
        options = ["--epochs", "4", "--schedule", "step:2:0.5", "--lr", "0.01", "--json"]
        epochs = json.loads(self.train("data", "m.safetensors", *options))["epochs"]
        for got, wanted in zip((e["learning_rate"] for e in epochs), (0.01, 0.01, 0.005, 0.005)):
            self.assertAlmostEqual(got, wanted, places=7)
        options = "--epochs 9 --early-stop 2 --optimizer sgd --lr 1e-30 --json --no-shuffle".split()
        self.assertLess(len(json.loads(self.train("data", "m.safetensors", *options))["epochs"]), 9)

    def test_quiet_and_verbose(self):
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1", "--json"]
        self.assertRegex(self.run_program(*args).stderr, r"^epoch 1/1  loss ")
        self.assertEqual(self.run_program(*args, "-q").stderr, "")
        verbose = self.run_program(*args, "-v").stderr
        self.assertIn(f"backend {BACKEND} on ", verbose)
        self.assertRegex(verbose, r"epoch 1: waiting for data .* steps .* validation .* images/s")
        self.assertRegex(verbose, r" ms for (a|the first) batch of \d+, input \d+x\d+x3, layer by layer:\n")
        self.assertRegex(verbose, r"\n\S+ +block1_conv1 +[\d.]+ ms +[\d.]+ GFLOP/s\n")
        self.assertRegex(verbose, r"\n\S+ +dense_1 +[\d.]+ ms forward +[\d.]+ ms backward +[\d.]+ GFLOP/s\n")
        self.assertRegex(verbose, r"\n\S+ +update +[\d.]+ ms\n")
        self.assertGreaterEqual(len(self.run_program(*args, "-v", "-v").stderr), len(verbose) // 2)

    def test_verbose_tells_layers_of_every_backend(self):
        devices = self.json("devices")["devices"]
        for backend in sorted({device["backend"] for device in devices}):
            args = ["extract", "data", *TINY, "--layer", "block1_pool", "--backend", backend, "-o", "f.npy"]
            self.assertNotIn("GFLOP/s", self.succeed(*args))
            lines = self.run_program(*args, "-v").stderr
            self.assertRegex(lines, r"block1_conv1 +[\d.]+ ms +[\d.]+ GFLOP/s\n", backend)
            self.assertNotIn("block2_conv1", lines)

    def test_default_heads(self):
        write_folder(self.path("three"), ("a", "b", "c"), count=1)
        for data, units, head in (("data", 1, "sigmoid"), ("three", 3, "softmax")):
            self.succeed("train", data, *TINY, "--epochs", "0", "-o", "m.safetensors")
            layers = self.json("summary", "m.safetensors")["layers"]
            kinds = [layer["kind"] for layer in layers[2:]]
            self.assertEqual(kinds, ["flatten", "dense", "dropout", "dense"])
            self.assertEqual([layers[3]["shape"][2], layers[5]["shape"][2]], [256, units])
            with open(self.path("m.safetensors"), "rb") as f:
                self.assertIn(head.encode(), f.read(4096))

    def test_from(self):
        self.train("data")
        before = self.json("evaluate", "data", "-m", "m.safetensors")["loss"]
        self.succeed("train", "data", "--from", "m.safetensors", "-o", "n.safetensors", "--epochs", "4", "--lr", "0.05",
                     "--trainable", "block1", "--preprocess", "rescale")
        self.assertLess(self.json("evaluate", "data", "-m", "n.safetensors")["loss"], before)
        self.usage("--preprocess torch: m.safetensors was trained with rescale", "train", "data", "--from",
                   "m.safetensors", "-o", "n.safetensors", "--preprocess", "torch")

    def test_checkpoint_and_resume(self):
        options = ["--checkpoint", "ck", "--lr", "0.01"]
        whole = ["--epochs", "4", "--lr", "0.01"]
        self.train("data", "whole.safetensors", *whole)
        self.train("data", "m.safetensors", "--epochs", "2", *options)
        text = self.train("data", "m.safetensors", "--epochs", "4", "--resume", *options)
        self.assertEqual([line.split()[1] for line in text.splitlines()], ["3/4", "4/4"])
        with open(self.path("whole.safetensors"), "rb") as a, open(self.path("m.safetensors"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_folder_with_checkpoints(self):
        options = ["--checkpoint", "ck", "--lr", "0.01"]
        self.train("data", "m.safetensors", "--epochs", "3", *options)
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--checkpoint", "ck"]
        self.fail_with(1, r"ck: holds 2 checkpoints of an earlier training \(epochs 2 and 3\); .*--resume.*--overwrite",
                       *args, "--lr", "0.1", "--epochs", "1")
        self.train("data", "m.safetensors", "--epochs", "1", "--checkpoint", "ck", "--lr", "0.1", "--overwrite")
        left = [name for name in os.listdir(self.path("ck")) if not name.startswith(".")]
        self.assertEqual(left, ["checkpoint-000001-00000000.safetensors"])
        self.fail_with(1, r"ck/checkpoint-000001-.*: learning rate 0\.1 then, 0\.01 now; ", *args, "--lr", "0.01",
                       "--epochs", "4", "--resume")
        self.train("data", "m.safetensors", "--epochs", "4", "--checkpoint", "ck", "--lr", "0.1", "--resume")

    def test_resume_tells_other_images(self):
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--checkpoint", "ck", "--epochs", "1"]
        picture, other = self.path("data/dog/3.png"), self.path("data/dog/3b.png")
        self.succeed(*args)
        os.rename(picture, other)
        self.fail_with(1, "checksum of the training items ", *args, "--resume")
        os.rename(other, picture)
        self.succeed(*args, "--resume")
        with open(picture, "ab") as f:
            f.write(b"longer")
        self.fail_with(1, "checksum of the training items ", *args, "--resume")
        os.truncate(picture, os.path.getsize(picture) - 6)
        os.rename(self.path("data"), self.path("moved"))
        args[1] = "moved"
        self.succeed(*args, "--resume")
        os.rename(self.path("moved/dog"), self.path("moved/dogs"))
        self.fail_with(1, "class 1 dog then, dogs now", *args, "--resume")

    def test_two_at_once(self):
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1000000", "--checkpoint", "ck"]
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                              text=True) as first:
            try:
                first.stdout.readline()  # the first epoch is done
                first.send_signal(signal.SIGSTOP)
                for more in ("--resume", "--overwrite"):
                    self.fail_with(1, rf"ck: another training \(process {first.pid}\) keeps its checkpoints there",
                                   *args, more)
            finally:
                first.kill()
        self.succeed(*args[:-3], "1", "--checkpoint", "ck", "--overwrite")

    def test_dense_layers_that_are_left_out(self):
        def tensors(convs, dense, torch):
            made, noise = {}, random.Random(3)
            for name, n_in, n_out in convs:
                shape = [n_out, n_in, 3, 3] if torch else [3, 3, n_in, n_out]
                made[name] = (shape, n_out)
            for name, n_in, n_out in dense:
                made[name] = ([n_out, n_in] if torch else [n_in, n_out], n_out)
            kernel, bias = (".weight", ".bias") if torch else ("/kernel", "/bias")
            out = {}
            for name, (shape, n) in made.items():
                count = math.prod(shape)
                out[name + kernel] = ("F32", shape, struct.pack(f"<{count}f", *(noise.gauss(0, 0.1) for _ in range(count))))
                out[name + bias] = ("F32", [n], struct.pack(f"<{n}f", *(noise.random() for _ in range(n))))
            return out

        names = ["block1_conv1", "block1_conv2"]
        numbers = ["features.0", "features.2"]
        sizes = [(3, 64), (64, 64)]
        own = [("dense_7", 64, 5), ("dense_8", 5, 2)]
        top = [("fc1", 64, 6), ("fc2", 6, 7), ("predictions", 7, 1000)]
        for name, convs, dense, torch, said, level in (
            ("own", names, own, False, r"dense layers dense_7 \(64x5\), dense_8 \(5x2\) are not used", "warning"),
            ("torch", numbers, [("classifier.0", 64, 2)], True, r"layer classifier\.0 \(64x2\) is not used", "warning"),
            ("nested", numbers, [("classifier.6.1", 64, 3)], True, r"layer classifier\.6\.1 \(64x3\) is not", "warning"),
            ("odd", numbers, [("fc", 64, 3)], True, r"layer fc \(64x3\) is not used", "warning"),
            ("tuned", names, [*top[:2], ("predictions", 7, 3)], False, r"predictions \(7x3\) are not", "warning"),
            ("top", names, top, False, r"fc1 \(64x6\), fc2 \(6x7\), predictions \(7x1000\) are not", "info"),
            ("bare", names, [], False, None, None),
        ):
            file = name + ".safetensors"
            convs = [(conv, *size) for conv, size in zip(convs, sizes)]
            write_safetensors(self.path(file), tensors(convs, dense, torch))
            files = [file]
            if name == "own":
                self.succeed("convert", file, "own.h5")
                files.append("own.h5")
            for file in files:
                base = ["--weights", file, "--size", "32", "--layer", "block1_pool", "--arch", "vgg16"]
                train = ["train", "data", *base, *GAP, "--epochs", "0", "-o", "m.safetensors"]
                quiet, loud = self.run_program(*train).stderr, self.run_program(*train, "-v").stderr
                line = rf"(?m)^vgg16: warning: {file}: its own .*{said}.*; the head starts random from the seed"
                if level == "warning":
                    self.assertRegex(quiet, line)
                else:
                    self.assertEqual(quiet, "")
                if level == "info":
                    self.assertRegex(loud, line.replace("warning: ", ""))
                if level is None:
                    self.assertNotIn("not used", loud)
                extract = self.run_program("extract", "data", *base, "-v", "-o", "f.npy").stderr
                self.assertNotIn("not used", extract)
        self.train("data", "model.safetensors", "--epochs", "0")
        text = self.run_program("train", "data", "--weights", "model.safetensors", "--layer", "block1_pool", *GAP,
                                "--epochs", "0", "-o", "m.safetensors", "-v").stderr
        self.assertIn("--from MODEL instead of --weights goes on from this one", text)

    def test_idx(self):
        write_idx(self.path("i.gz"), self.path("l"))
        self.train("idx:i.gz,l", "m.safetensors", "--epochs", "1")
        self.assertEqual(self.json("evaluate", "idx:i.gz,l", "-m", "m.safetensors")["images"], 8)

    def test_interrupt(self):
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1000000", "--json"]
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as run:
                run.stderr.readline()  # the first epoch is done
                run.send_signal(number)
                run.send_signal(number)  # sent twice at once, it counts as one
                out, err = run.communicate(timeout=60)
            self.assertEqual(run.returncode, 130, err)
            self.assertIn("vgg16: stopping after this step", err)
            saved = "vgg16: m.safetensors: holds the model as far as it was trained"
            self.assertTrue(err.endswith(saved + "\nvgg16: interrupted\n"), err)
            result = json.loads(out)
            self.assertTrue(result["interrupted"])
            self.assertGreaterEqual(len(result["epochs"]), 1)
            self.assertEqual(self.json("summary", "m.safetensors")["classes"], ["cat", "dog"])
            os.remove(self.path("m.safetensors"))


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
        self.usage("--size: the head of m.safetensors fits an input of 32x32 only", *dense, "--size", "32x48")

    def test_skip_bad(self):
        with open(self.path("data/cat/text.jpg"), "w") as f:
            f.write("no picture")
        args = ["extract", "data", *self.BASE, "--layer", "block1_pool", "-o", "f.npy", "--json"]
        self.fail_with(1, r"data/cat/text.jpg: ", *args)
        done = self.run_program(*args, "--skip-bad")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("data/cat/text.jpg", done.stderr)
        self.assertEqual(json.loads(done.stdout)["images"], 8)

    def test_interrupt(self):
        with open(self.path("long.txt"), "w") as f:
            f.write("data/cat/0.png\n" * 200000)
        before = self.files()
        args = ["extract", "long.txt", *self.BASE, "--layer", "block1_pool", "--pooling", "avg", "-o", "f.npy"]
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as run:
            while run.poll() is None and self.files() == before:
                time.sleep(0.01)  # until the output is begun
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=60)
        self.assertEqual([run.returncode, out], [130, ""], err)
        self.assertEqual(self.files(), before)

    def test_hangup(self):
        """A terminal that is closed stops like Ctrl-C; nohup's programs go on."""
        with open(self.path("long.txt"), "w") as f:
            f.write("data/cat/0.png\n" * 200000)
        before = self.files()
        args = ["extract", "long.txt", *self.BASE, "--layer", "block1_pool", "--pooling", "avg", "-o", "f.npy"]
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as run:
            while run.poll() is None and self.files() == before:
                time.sleep(0.01)
            run.send_signal(signal.SIGHUP)
            _, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 130, err)
        self.assertEqual(self.files(), before)

    def test_pipe_among_the_images(self):
        os.mkfifo(self.path("data/cat/pipe.png"))
        os.symlink("data/cat/pipe.png", self.path("link.png"))
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
        self.assertRegex(text, r"^images 8  loss \d+\.\d{4}  accuracy 1\.0000\n")
        self.assertRegex(text, r"(?m)^cat +1\.0000 +1\.0000 +1\.0000 +4$")
        self.assertRegex(text, r"(?m)^dog +0 +4$")
        result = self.json("evaluate", "data", "--model", "m.safetensors")
        self.assertEqual(result["confusion"], [[4, 0], [0, 4]])
        self.assertEqual([c["name"] for c in result["classes"]], ["cat", "dog"])
        self.assertEqual(sorted(result["classes"][0]), ["f1", "images", "name", "precision", "recall"])
        self.assertEqual([result["images"], result["skipped"]], [8, 0])

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
        self.fail_with(1, "f.safetensors#1: the model's output is not a number", "evaluate", "f.safetensors", "-m",
                       "m.safetensors", "-o", "p.csv")

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
        self.assertIn("data/cat/\ufffd.png", paths)


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
