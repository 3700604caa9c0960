"""Every kind of output of every command, while one call fails: memory of the program, memory of its libraries, files,
connections, threads. One line says so, old files stay as they were, and nothing is left behind.

A sample in the tests; scripts/faults.sh tries them all. VGG16_FAULTS_ONLY=REGEX: runs of such names alone."""

import os
import re
import shutil
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

from cli_support import GAP, TINY, Program, write_features, write_folder, write_idx
from faults import CLASSES, LIBRARY, Run, Tester

IMAGES = os.path.join(os.path.dirname(__file__), "..", "images")
SERVER = os.path.join(os.path.dirname(__file__), "..", "serve_files.py")
ONLY = re.compile(os.environ.get("VGG16_FAULTS_ONLY", ""))
JOBS = 2


@unittest.skipUnless(LIBRARY and os.path.exists(LIBRARY), "the library that makes calls fail was not built")
class Faults(Program):
    def setUp(self):
        super().setUp()
        os.environ.pop("LD_PRELOAD", None)
        write_folder(self.path("data"), count=2)
        write_idx(self.path("images-idx3-ubyte.gz"), self.path("labels-idx1-ubyte"), count=4)
        write_features(self.path("x.safetensors"), [1, 1, 64], [0, 1, 1, 0, 1])
        os.makedirs(self.path("kinds/a"))
        for name in sorted(os.listdir(IMAGES)):
            if re.search(r"\.(jpg|png|gif|bmp|webp|tif)$", name) and len(os.listdir(self.path("kinds/a"))) < 12:
                shutil.copy(os.path.join(IMAGES, name), self.path("kinds/a"))
        self.train("data", "m.safetensors", "--epochs", "1")
        self.train("data", "whole.safetensors", "--epochs", "1", "--checkpoint", "ck")
        for i in (1, 2):
            self.succeed("extract", "data", *TINY, "--pooling", "max", "--part", f"{i}/2", "-o", f"p{i}.safetensors")
        for out in ("w.h5", "w.pth", "w16.safetensors"):
            self.succeed("convert", "m.safetensors", out, *(["--dtype", "f16"] if "16" in out else []))

    def runs(self):
        tiny = [*TINY, "--threads", "1", "-q"]
        model = ["-m", "../m.safetensors", "--threads", "1", "-q"]
        image = "../data/cat/0.png"
        train = ["train", "../data", *tiny, *GAP, "--epochs", "2", "-o", "o.safetensors"]
        checkpoints = [r"ck/\.lock", r"ck/checkpoint-\d+-\d+\.safetensors", r"ck/base-\w+\.safetensors"]
        # What cannot be saved in its place is saved elsewhere, and the line of failure says where.
        spare = [r"(ck/)?vgg16-\w+/o\.safetensors"]

        def resume(work):
            shutil.copytree(self.path("ck"), work / "ck")

        return [
            Run("extract-npy", ["extract", "../data", *tiny, "-o", "o.npy"],
                ["o.npy", "o.labels.npy", "o.paths.txt", "o.npy.json"]),
            Run("extract-h5", ["extract", "../data", *tiny, "-o", "o.h5"], ["o.h5~"]),
            Run("extract-safetensors", ["extract", "../data", *tiny, "-o", "o.safetensors"], ["o.safetensors"]),
            Run("extract-csv", ["extract", "../data", *tiny, "-o", "o.csv", "--pooling", "avg"], ["o.csv", "o.csv.json"]),
            Run("extract-picture", ["extract", image, *tiny, "--picture", "o.png"], ["o.png"]),
            Run("extract-kinds", ["extract", "../kinds", *tiny, "-o", "o.safetensors", "--skip-bad"], ["o.safetensors"],
                ["o.safetensors.skipped.txt"]),
            Run("extract-part", ["extract", "../data", *tiny, "--part", "2/3", "-o", "o.safetensors"], ["o.safetensors"]),
            Run("merge-npy", ["merge", "o.npy", "../p2.safetensors", "../p1.safetensors", "-q"],
                ["o.npy", "o.labels.npy", "o.paths.txt", "o.npy.json"]),
            Run("merge-h5", ["merge", "o.h5", "../p2.safetensors", "../p1.safetensors", "-q"], ["o.h5"]),
            Run("extract-idx", ["extract", "idx:../images-idx3-ubyte.gz,../labels-idx1-ubyte", *tiny, "-o", "o.safetensors"], ["o.safetensors"]),
            Run("train", [*train, "--checkpoint", "ck", "--validation-split", "0.5", "--log", "o.csv", "--tensorboard",
                          "board", "--report", "o.html"],
                ["o.safetensors~", "o.csv~", "o.html~"], [*checkpoints, *spare, r"board/\w+/events\..*"]),
            Run("train-all", [*train[:2], "--from", "../m.safetensors", "--trainable", "all", "--augment",
                              "rotate=10,flip", "--optimizer", "adam", "--threads", "1", "-q", "--epochs", "1",
                              "--log", "o.jsonl", "-o", "o.safetensors"], ["o.safetensors~", "o.jsonl~"], spare),
            Run("train-features", ["train", "../x.safetensors", *tiny, *GAP, "--epochs", "1", "-o", "o.safetensors"],
                ["o.safetensors~"], spare),
            Run("train-resume", [*train, "--checkpoint", "ck", "--resume"], ["o.safetensors~"], [*checkpoints, *spare],
                prepare=resume),
            Run("evaluate", ["evaluate", "../data", *model, "-o", "o.csv", "--report", "o.html"],
                ["o.csv", "o.html~"]),
            Run("predict", ["predict", *model, image, "../data/dog/1.png"], said=True),
            Run("predict-json", ["predict", *model, image, "--json"], said=True),
            Run("explain-png", ["explain", *model, image, "-o", "o.png", "--map", "o.npy"], ["o.png", "o.npy"]),
            Run("explain-html", ["explain", *model, image, "../data/dog/1.png", "-o", "o.html"], ["o.html~"]),
            Run("explain-npy", ["explain", *model, image, "-o", "o.npy"], ["o.npy"]),
            Run("convert-h5", ["convert", "../m.safetensors", "o.h5", "-q"], ["o.h5~"]),
            Run("convert-pth", ["convert", "../m.safetensors", "o.pth", "-q"], ["o.pth"]),
            Run("convert-onnx", ["convert", "../m.safetensors", "o.onnx", "-q"], ["o.onnx"]),
            Run("convert-f16", ["convert", "../m.safetensors", "o.safetensors", "-q", "--dtype", "f16"],
                ["o.safetensors"]),
            Run("convert-from-h5", ["convert", "../w.h5", "o.safetensors", "-q"], ["o.safetensors"]),
            Run("convert-from-pth", ["convert", "../w.pth", "o.safetensors", "-q"], ["o.safetensors"]),
            Run("quantize", ["quantize", "../data", *tiny, "-o", "o.safetensors"], ["o.safetensors"]),
            Run("summary", ["summary", "../m.safetensors", "--json"], said=True),
            Run("summary-h5", ["summary", "../w.h5"]),
            Run("summary-pth", ["summary", "../w.pth"]),
            Run("summary-checkpoint", ["summary", "../ck"]),
            Run("bench", ["bench", "--on", "cpu:scalar", "--arch", "vgg11", "--size", "32", "--repeats", "1", "--pass",
                          "forward", "-q", "--threads", "1", "--report", "o.html", "--json"], ["o.html~"]),
            Run("devices", ["devices", "--json"]),
            # What arrives is not the weights: the digest says so in the end.
            Run("pull", ["pull", "vgg16-notop", "-q"], others=[r"cache/.*"], fails=True,
                env={"VGG16_MIRROR": f"http://127.0.0.1:{self.port}/range", "XDG_CACHE_HOME": "cache"}),
        ]

    def serve(self):
        server = subprocess.Popen([sys.executable, "-B", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        self.addCleanup(server.wait)
        self.addCleanup(server.stdin.close)
        self.addCleanup(server.stdout.close)
        self.port = server.stdout.readline().strip()

    def one(self, run):
        """(complaints, {class: (calls, tried, failed, without consequence)}) of a run."""
        tester, wrong, figures = Tester(run, self.folder, self.env), [], {}
        for kind, calls in tester.count().items():
            tried = tester.chosen(kind, calls)
            failed = survived = 0
            for k in tried:
                complaints, did_fail, success = tester.complaints(kind, k)
                wrong += complaints
                failed += did_fail
                survived += success
            figures[kind] = (len(calls), len(tried), failed, survived)
        return wrong, figures

    def test_each_call(self):
        self.serve()
        runs = [run for run in self.runs() if ONLY.search(run.name)]
        totals, wrong = dict.fromkeys(CLASSES, (0, 0, 0, 0)), []
        with ThreadPoolExecutor(JOBS) as pool:
            for run, (complaints, figures) in zip(runs, pool.map(self.one, runs)):
                wrong += complaints
                print(f"{run.name:20}", *(f"{kind} {n[1]}/{n[0]}" for kind, n in figures.items()), flush=True)
                for kind, n in figures.items():
                    totals[kind] = tuple(a + b for a, b in zip(totals[kind], n))
        for kind, (calls, tried, failed, survived) in totals.items():
            print(f"{kind}: {calls} calls, {tried} tried, {failed} failed, {survived} of them without consequence")
            self.assertGreater(failed, 0.9 * tried - 5)
        self.assertGreater(sum(n[2] for n in totals.values()), 10)
        self.assertFalse(wrong, "\n" + "\n".join(wrong))


if __name__ == "__main__":
    unittest.main()
