"""Power is lost while a command writes: after every change to a file or folder, with all that was not synced there, gone
or there in part. No file is torn under its own name, what the program ended with is there, and --resume goes on to the
model of the training that nothing interrupted, bit for bit."""

import os
import re
import shutil
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli_support import GAP, PROGRAM, TINY, Program, write_folder
from crash import Disk, number, put, records

LIBRARY = os.environ.get("VGG16_FAULTS_LIBRARY", "")
ASIDE = re.compile(r"\.tmp\.vgg16-[0-9a-f]+$")
JOBS = 2


@unittest.skipUnless(LIBRARY and os.path.exists(LIBRARY), "the library that keeps the journal was not built")
class Crash(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=3)
        write_folder(self.path("other"), count=2, seed=9)
        self.train("data", "m.safetensors", "--epochs", "1")
        self.train("data", "n.safetensors", "--epochs", "2")
        self.env.update(VGG16_BACKEND="cpu", VK_ICD_FILENAMES="/dev/null", TMPDIR=self.folder)
        self.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.work = Path(self.path("work"))
        self.work.mkdir()

    def run_in(self, folder, *args, env=None):
        threads = [] if args[0] in ("convert", "merge") else ["-q", "--threads", "1"]
        return subprocess.run([PROGRAM, *args, *threads],
                              cwd=folder, env=dict(self.env, **(env or {})), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=100)

    def states(self, *args):
        """Runs a command in the folder `work`: a list of (k, whether it is the end, state) of the disk after each change.
        What the journal says must come to what the command left. self.whole: what was renamed to each path; self.kept:
        the change since when a path is there, whatever happens."""
        disk, journal = Disk(self.work), self.path("journal")
        done = self.run_in(self.work, *args, env={"LD_PRELOAD": LIBRARY, "VGG16_FAULTS_JOURNAL": journal})
        self.assertEqual(done.returncode, 0, done.stderr)
        folder_of = {number(f): f for f, _, _ in os.walk(self.work)}
        changes = list(records(journal))
        self.whole, self.kept, seen = {}, {}, set()
        found = []
        for k, words in enumerate(changes, 1):
            disk.apply(words, folder_of)
            if words[0] == "rename":
                after = words[1].split("\t")[1]
                self.whole.setdefault(after, set()).add(bytes(disk.names[after].data))
            if words[0] == "sync" and words[1] in folder_of:
                for path in disk.names:
                    if os.path.dirname(path) == folder_of[words[1]]:
                        self.kept.setdefault(path, k)
            for state in disk.states():
                key = (k == len(changes), frozenset((p, hash(c)) for p, c in state.items()))
                if key not in seen:
                    seen.add(key)
                    found.append((k, k == len(changes), state))
        left = {os.path.join(d, f) for d, _, files in os.walk(self.work) for f in files}
        self.assertEqual({p for p in disk.names}, left)
        for path in left:
            self.assertEqual(bytes(disk.names[path].data), Path(path).read_bytes(), path)
        print(f"{args[0]} {args[-1]}: {len(changes)} changes, {len(found)} disks", flush=True)
        return found

    def check_names(self, old, k, end, state):
        """Under each name but those aside stands what was written whole there, or before."""
        for path, data in state.items():
            if data is None or ASIDE.search(path) or path.endswith("/.lock"):
                continue
            self.assertTrue(data == old.get(path) or data in self.whole.get(path, ()),
                            f"change {k}: {path} is torn: {len(data)} bytes")
        for path in old:
            self.assertIn(path, state, f"change {k}")

    def overwrite(self, make, *args):
        """make(): a run that leaves other outputs of the same names before."""
        done = self.run_in(self.work, *make)
        self.assertEqual(done.returncode, 0, done.stderr)
        old = {str(p): p.read_bytes() for p in self.work.iterdir()}
        found = self.states(*args)
        new = {str(p): p.read_bytes() for p in self.work.iterdir()}
        self.assertEqual(set(old), set(new))
        for k, end, state in found:
            self.check_names(old, k, end, state)
            if end:
                self.assertEqual(state, new)
        self.after_a_crash(found, args, new)

    def after_a_crash(self, found, args, new):
        """The next run works beside what a crash left, and removes it."""
        littered = [state for _, _, state in found if any(ASIDE.search(p) for p in state)]
        self.assertTrue(littered)
        for state in littered[:: max(1, len(littered) // 4)]:
            at = Path(self.path("again"))
            shutil.rmtree(at, ignore_errors=True)
            at.mkdir()
            put(state, self.work, at)
            done = self.run_in(at, *args)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(sorted(os.listdir(at)), sorted(os.path.basename(p) for p in new))

    def test_extraction(self):
        self.overwrite(["extract", "../other", *TINY, "-o", "o.npy"], "extract", "../data", *TINY, "-o", "o.npy")

    def test_parts(self):
        for data in ("other", "data"):
            for i in (1, 2):
                args = ["extract", data, *TINY, "--pooling", "avg", "--part", f"{i}/2", "-o", f"{data}-{i}.safetensors"]
                self.succeed(*args)
        parts = [[f"../{data}-{i}.safetensors" for i in (2, 1)] for data in ("other", "data")]
        self.overwrite(["merge", "o.npy", *parts[0]], "merge", "o.npy", *parts[1])

    def test_conversions(self):
        for kind in ("safetensors", "pth", "onnx"):
            shutil.rmtree(self.work)
            self.work.mkdir()
            with self.subTest(kind):
                self.overwrite(["convert", "../m.safetensors", "o." + kind], "convert", "../n.safetensors", "o." + kind)

    def resume(self, at, k, state, command, model):
        """Goes on from a state; what is wrong with that, or ""."""
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir()
        put(state, self.work, at)
        done = self.run_in(at, *command, "--resume")
        if done.returncode != 0:
            return f"change {k}: {done.stderr}"
        left = [str(p) for p in at.rglob("*") if ASIDE.search(p.name)]
        if left:
            return f"change {k}: {left} are left"
        return "" if (at / "o.safetensors").read_bytes() == model else f"change {k}: another model"

    def resume_all(self, found, command, model):
        """Each state once, whenever it was."""
        states, places = {}, [Path(self.path(f"again-{i}")) for i in range(JOBS)]
        for k, _, state in found:
            states.setdefault(frozenset(state.items()), (k, state))

        def some(i):
            return [self.resume(places[i], *s, command, model) for s in list(states.values())[i::JOBS]]

        with ThreadPoolExecutor(JOBS) as pool:
            wrong = [line for lines in pool.map(some, range(JOBS)) for line in lines if line]
        print(f"{len(states)} resumed", flush=True)
        self.assertFalse(wrong, "\n".join(wrong[:20]))

    def check_training(self, *more):
        command = ["train", "../data", *TINY, "--batch", "5", "--seed", "3", "--epochs", "3", "-o",
                   "o.safetensors", "--checkpoint", "ck", *more]
        found = self.states(*command)
        model = (self.work / "o.safetensors").read_bytes()
        final = {str(p): p.read_bytes() for p in self.work.rglob("*") if p.is_file() and p.name != ".lock"}
        first = min(k for path, k in self.kept.items() if "/checkpoint-" in path and not ASIDE.search(path))
        for k, end, state in found:
            self.check_names({}, k, end, state)
            checkpoints = [p for p in state if re.search(r"/checkpoint-\d+-\d+\.safetensors$", p)]
            self.assertTrue(checkpoints or k < first, f"change {k}: the first checkpoint, of {first}, is lost")
            if end:  # an old checkpoint may have come back
                self.assertEqual([p for p in final if state.get(p) != final[p]], [])
        self.resume_all(found, command, model)

    def test_training_of_a_head(self):
        self.check_training(*GAP)
        self.assertEqual(len(list(self.work.glob("ck/base-*"))), 1)

    def test_checkpoints_within_epochs(self):
        self.check_training(*GAP, "--checkpoint-every", "1", "--augment", "flip", "--epochs", "1", "--batch", "2")
        marks = {os.path.basename(p) for p in self.whole if "/checkpoint-" in p}
        self.assertEqual(marks, {f"checkpoint-000000-0000000{i}.safetensors" for i in (1, 2)} | {"checkpoint-000001-00000000.safetensors"})

    def test_training_of_all_layers(self):
        self.check_training(*GAP, "--trainable", "all", "--optimizer", "adam", "--augment", "flip")

    def test_a_training_that_replaces_another(self):
        """The old training goes on from what was there until the new one's first checkpoint is."""
        def command(rate):
            return ["train", "../data", *TINY, *GAP, "--batch", "5", "--epochs", "3", "-o", "o.safetensors",
                    "--checkpoint", "ck", "--optimizer", "sgd", "--lr", rate]

        models = {}
        for rate in ("0.1", "0.3"):
            shutil.rmtree(self.work)
            self.work.mkdir()
            self.assertEqual(self.run_in(self.work, *command(rate)).returncode, 0)
            models[rate] = (self.work / "o.safetensors").read_bytes()
            if rate == "0.1":
                shutil.copytree(self.work, self.path("earlier"))
        shutil.rmtree(self.work)
        shutil.copytree(self.path("earlier"), self.work)
        old = {str(p): p.read_bytes() for p in self.work.rglob("*") if p.is_file() and p.name != ".lock"}
        found = self.states(*command("0.3"), "--overwrite")
        before, after = [], []
        for k, end, state in found:
            self.assertTrue(all(d is None or d == old.get(p) or d in self.whole.get(p, ()) for p, d in state.items()
                                if not ASIDE.search(p) and not p.endswith(".lock")), f"change {k}")
            marks = {p: d for p, d in state.items() if "/checkpoint-" in p and not ASIDE.search(p)}
            self.assertTrue(marks, f"change {k}: no checkpoint is left")
            newest = max(marks)
            (before if marks[newest] == old.get(newest) else after).append((k, end, state))
        self.assertTrue(before and after)
        self.resume_all(before, command("0.1"), models["0.1"])
        self.resume_all(after, command("0.3"), models["0.3"])


if __name__ == "__main__":
    unittest.main()
