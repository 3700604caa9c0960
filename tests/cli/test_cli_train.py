"""Training, by the program."""

import csv
import json
import math
import os
import random
import signal
import struct
import subprocess
import time
import unittest

from cli_support import BACKEND, GAP, PROGRAM, Program, TINY, write_folder, write_idx, write_safetensors

HISTORY = ["epoch", "accuracy", "learning_rate", "loss"]


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
                rf"^epoch {i + 1}/8  loss {number} val {number}  accuracy {number} val {number}  \d+\.\d s$",
            )
            self.assertLessEqual(len(line), 80)
        self.assertRegex(lines[-1], "accuracy [^ ]+ val 1.0000 ")
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

    @unittest.skipIf(BACKEND != "vulkan", "CPUs do not train in fp16")
    def test_json_in_fp16_tells_the_scale(self):
        options = ["--epochs", "2", "--trainable", "all", "--json", "--precision"]
        result = json.loads(self.train("data", "m.safetensors", *options, "fp16"))
        self.assertEqual([result["scale"], result["skipped"]], [65536, 0])
        self.assertFalse({"scale", "skipped"} & json.loads(self.train("data", "n.safetensors", *options, "fp32")).keys())

    def test_a_large_loss_is_written_short(self):
        text = self.train("data", "m.safetensors", "--epochs", "2", "--lr", "1e6", "--optimizer", "sgd", "--momentum", "0.99",
                          "--validation", "held", "--steps-per-epoch", "1")
        for line in text.splitlines():
            self.assertRegex(line, r"^epoch ./2  loss [^ ]{1,6} val [^ ]{1,6}  accuracy [01]\.\d{4} val [01]\.\d{4}  \d")
        self.assertGreater(float(text.splitlines()[-1].split()[3]), 10)

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
        write_idx(self.path("i.gz"), self.path("l"), count=600)  # many batches of features: most of a minute
        args = ["train", "idx:i.gz,l", "--weights", "random", "--arch", "vgg11", "--size", "32", *GAP, "--epochs", "3",
                "-o", "m.safetensors", "--isa", "scalar", "--backend", "cpu", "-v"]
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as run:
            while "layer by layer" not in run.stderr.readline():
                pass  # until two batches are done
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

    def test_the_best_epoch_is_kept(self):
        """Also where it is resumed; the model and its page are of that epoch, and say so."""
        write_folder(self.path("other"), ("dog", "cat"), count=3, seed=5)
        options = ["--trainable", "all", "--optimizer", "sgd", "--lr", "0.05", "--batch", "5", "--validation", "other",
                   "--keep", "best", "--json"]
        told = self.run_program("train", "data", *TINY, *GAP, *options, "--epochs", "9", "-o", "m.safetensors", "--report",
                                "r.html")
        result = json.loads(told.stdout)
        losses = [e["val_loss"] for e in result["epochs"]]
        best = losses.index(min(losses)) + 1
        self.assertEqual(result["kept"], best)
        self.assertIn(f"m.safetensors: holds the model of epoch {best}, the best: val_loss {losses[best - 1]:.4f}", told.stderr)
        self.assertAlmostEqual(self.json("evaluate", "other", "-m", "m.safetensors")["loss"], losses[best - 1], places=5)
        with open(self.path("r.html")) as f:
            self.assertRegex(f.read(), rf"Model of epoch(<[^>]*>\s*)+{best}<")
        for epochs in ("4", "9"):
            self.succeed("train", "data", *TINY, *GAP, *options, "--epochs", epochs, "-o", "n.safetensors", "--checkpoint",
                         "ck", "--resume")
        with open(self.path("m.safetensors"), "rb") as m, open(self.path("n.safetensors"), "rb") as n:
            self.assertEqual(m.read(), n.read())

    def test_schedule_and_early_stop(self):
        options = ["--epochs", "4", "--schedule", "step:2:0.5", "--lr", "0.01", "--json"]
        epochs = json.loads(self.train("data", "m.safetensors", *options))["epochs"]
        for got, wanted in zip((e["learning_rate"] for e in epochs), (0.01, 0.01, 0.005, 0.005)):
            self.assertAlmostEqual(got, wanted, places=7)
        options = "--epochs 9 --early-stop 2 --optimizer sgd --lr 1e-30 --json --no-shuffle".split()
        done = json.loads(self.train("data", "m.safetensors", *options))
        self.assertEqual(done["stopped"], {"epoch": len(done["epochs"]), "monitor": "loss", "waited": 2})
        self.assertLess(len(done["epochs"]), 9)
        options.remove("--json")
        last = rf"\nstopped after epoch {len(done['epochs'])}: no better loss for 2 epochs\n$"
        self.assertRegex(self.train("data", "m.safetensors", *options), last)
        options[1:4] = ["3", "--early-stop", "1"]
        told = self.train("data", "m.safetensors", *options, "--validation", "data", "--monitor", "val_accuracy")
        self.assertRegex(told, r"\nstopped after epoch 2: no better val_accuracy for 1 epoch\n$")
        done = json.loads(self.train("data", "m.safetensors", "--epochs", "2", "--early-stop", "1", "--json", "--lr", "0.01"))
        self.assertIsNone(done["stopped"])

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
                     "--trainable", "block1", "--preprocess", "rescale", "--size", "32", "--arch", "vgg11")
        self.assertLess(self.json("evaluate", "data", "-m", "n.safetensors")["loss"], before)
        self.usage("--preprocess torch: m.safetensors was trained with rescale", "train", "data", "--from",
                   "m.safetensors", "-o", "n.safetensors", "--preprocess", "torch")
        self.usage("--size: m.safetensors was made for 32x32; leave --size out", "train", "data", "--from",
                   "m.safetensors", "-o", "n.safetensors", "--size", "32x36")
        self.usage("--arch vgg16: m.safetensors is a vgg11", "train", "data", "--from", "m.safetensors", "-o",
                   "n.safetensors", "--arch", "vgg16")

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
        left = [name for name in os.listdir(self.path("ck")) if not name.startswith((".", "base-"))]
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
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
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
