"""The program on several ranks, under the launchers of Open MPI and MPICH: the same files as by one process."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from cli_support import LAVAPIPE, PROGRAM, Program, use_lavapipe, write_folder

LAUNCHERS = {
    "openmpi": ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
    "mpich": [],
}
NETWORK = ["--weights", "random", "--arch", "vgg11", "--size", "32", "--layer", "block1_pool"]
HEAD = ["--head", "gap,dropout:0.3,dense:3:softmax"]
TRAIN = [*NETWORK, *HEAD, "--trainable", "all", "--batch", "11", "--shard", "2", "--epochs", "2", "--lr", "0.01",
         "--seed", "4"]


def component(name):
    folder = os.path.dirname(PROGRAM)
    return shutil.which(f"mpirun.{name}") and os.path.exists(os.path.join(folder, f"libvgg16-mpi-{name}.so"))


class Ranks(Program):
    def setUp(self):
        super().setUp()
        self.env["OMP_NUM_THREADS"] = "1"
        self.data = write_folder(self.path("data"), ("cat", "dog", "eel"), 9)
        self.launchers = [name for name in LAUNCHERS if component(name)]
        if not self.launchers:
            self.skipTest("no MPI with its component (Debian: libopenmpi-dev openmpi-bin, libmpich-dev mpich)")

    def start(self, launcher, ranks, *args, **env):
        return subprocess.Popen(
            [f"mpirun.{launcher}", *LAUNCHERS[launcher], "-n", str(ranks), PROGRAM, *args], cwd=self.folder,
            env=dict(self.env, **env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ranks(self, launcher, ranks, *args, code=0, **env):
        with self.start(launcher, ranks, *args, **env) as started:
            try:
                out, err = started.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                started.terminate()
                raise
        if code == 0:
            self.assertEqual(started.returncode, 0, f"{launcher} {ranks}: {args}: {err}")
        else:
            self.assertNotEqual(started.returncode, 0, err)
        return out, err

    def same(self, name, other):
        with open(self.path(name), "rb") as a, open(self.path(other), "rb") as b:
            self.assertEqual(a.read(), b.read(), f"{name}, {other}")

    def ours(self, err):
        """The program's own lines."""
        return [line for line in err.splitlines() if line.startswith("vgg16: ")]

    def test_training(self):
        """Every optimiser, uneven batches, validation data, with 2, 3, 4, 8 ranks; one line an epoch and a whole log."""
        cases = [
            ("sgd", ["--momentum", "0.9", "--augment", "rotate=20,flip"]),
            ("adam", ["--clip-norm", "0.5", "--validation-split", "0.2", "--keep", "best"]),
            ("rmsprop", ["--augment", "crop=0.5,brightness=0.2", "--shard", "1"]),
            ("adamw", ["--weight-decay", "0.1", "--shard", "4", "--class-weight", "balanced"]),
        ]
        for i, (optimizer, more) in enumerate(cases):
            args = ["train", self.data, *TRAIN, "--optimizer", optimizer, *more]
            alone = self.succeed(*args, "-o", "one.safetensors", "--log", "one.csv")
            for launcher in self.launchers:
                for ranks in (2, 3, 4, 8) if i == 0 else (2 + i % 3,):
                    with self.subTest(optimizer=optimizer, launcher=launcher, ranks=ranks):
                        out, _ = self.ranks(launcher, ranks, *args, "-o", "all.safetensors", "--log", "all.csv")
                        self.same("one.safetensors", "all.safetensors")
                        self.same("one.csv", "all.csv")
                        self.assertEqual(len(out.splitlines()), len(alone.splitlines()))

    def test_frozen_features(self):
        args = ["train", self.data, *NETWORK, *HEAD, "--epochs", "2", "--batch", "11", "--shard", "3",
                "--validation-split", "0.3"]
        self.succeed(*args, "-o", "one.safetensors")
        self.ranks(self.launchers[0], 3, *args, "-o", "all.safetensors")
        self.same("one.safetensors", "all.safetensors")

    def test_bad_images(self):
        """Left out, with the lines of one process; or the end of all, with one line."""
        for name in ("cat/3.png", "eel/0.png", "eel/7.png"):
            with open(os.path.join(self.data, name), "r+b") as f:
                f.truncate(90)
        args = ["train", self.data, *TRAIN]
        alone = self.run_program(*args, "--skip-bad", "-o", "one.safetensors")
        self.assertEqual(alone.returncode, 0, alone.stderr)
        for ranks in (2, 3):
            _, err = self.ranks(self.launchers[-1], ranks, *args, "--skip-bad", "-o", "all.safetensors")
            self.same("one.safetensors", "all.safetensors")
            self.assertEqual(self.ours(err), alone.stderr.splitlines())
        extract = ["extract", self.data, *NETWORK, "--skip-bad", "--batch", "4"]
        self.succeed(*extract, "-o", "one.npy")
        self.ranks(self.launchers[0], 3, *extract, "-o", "all.npy")
        self.same("one.npy", "all.npy")
        self.same("one.labels.npy", "all.labels.npy")
        _, err = self.ranks(self.launchers[0], 3, *args, "-o", "never.safetensors", code=1)
        lines = self.ours(err)
        self.assertEqual(len(lines), 1, err)
        self.assertFalse(os.path.exists(self.path("never.safetensors")))

    def test_features_and_evaluation(self):
        for name, more in (("csv", []), ("h5", ["--pooling", "avg"]), ("safetensors", ["--batch", "2"])):
            args = ["extract", self.data, *NETWORK, *more]
            self.succeed(*args, "-o", f"one.{name}")
            for launcher in self.launchers:
                self.ranks(launcher, 3, *args, "-o", f"all.{name}")
                self.same(f"one.{name}", f"all.{name}")
        self.succeed("train", self.data, *TRAIN, "-o", "m.safetensors")
        args = ["evaluate", self.data, "--model", "m.safetensors", "--json", "--batch", "4"]
        alone = json.loads(self.succeed(*args, "-o", "one.csv"))
        out, _ = self.ranks(self.launchers[0], 4, *args, "-o", "all.csv")
        self.assertEqual(json.loads(out), alone)
        self.same("one.csv", "all.csv")

    def test_resume(self):
        """Other numbers of ranks go on where some stopped, and a checkpoint is the same as one process writes."""
        args = ["train", self.data, *TRAIN, "--optimizer", "adam"]
        self.succeed(*args, "-o", "one.safetensors", "--epochs", "3")
        self.ranks(self.launchers[0], 2, *args, "-o", "a.safetensors", "--epochs", "1", "--checkpoint", "ck")
        self.ranks(self.launchers[-1], 3, *args, "-o", "b.safetensors", "--epochs", "2", "--checkpoint", "ck", "--resume")
        self.succeed(*args, "-o", "c.safetensors", "--epochs", "3", "--checkpoint", "ck", "--resume")
        self.same("one.safetensors", "c.safetensors")

    def test_resume_within_an_epoch(self):
        """Ranks are killed in the middle of an epoch, and others go on from there."""
        args = ["train", self.data, *TRAIN, "--optimizer", "adam", "--steps-per-epoch", "300", "--epochs", "1", "--augment", "flip"]
        self.succeed(*args, "-o", "one.safetensors", "--log", "one.csv")
        for i, every in enumerate(("7", "5")):
            launcher, folder = self.launchers[i % len(self.launchers)], f"ck{i}"
            with self.start(launcher, 3, *args, "-o", "never.safetensors", "--checkpoint", folder, "--checkpoint-every", every,
                            "--epochs", "100000") as run:
                self.kill_when_there(run, f"{folder}/checkpoint-000000-*.safetensors")
            self.assertEqual(glob.glob(self.path(f"{folder}/checkpoint-000001*")), [], "the machine was too fast")
            self.ranks(self.launchers[0], 2 + i, *args, "-o", "all.safetensors", "--checkpoint", folder, "--resume",
                       "--checkpoint-every", "50", "--log", "all.csv")
            self.same("one.safetensors", "all.safetensors")
            self.same("one.csv", "all.csv")

    def test_parts(self):
        """Each of them may be of several ranks."""
        args = ["extract", self.data, *NETWORK, "--pooling", "avg"]
        self.succeed(*args, "-o", "one.h5")
        self.ranks(self.launchers[0], 3, *args, "--part", "1/2", "-o", "p1.safetensors")
        self.succeed(*args, "--part", "2/2", "-o", "p2.safetensors")
        out, _ = self.ranks(self.launchers[-1], 2, *args, "--part", "1/2", "--resume", "-o", "p1.safetensors")
        self.assertIn("p1.safetensors: part 1/2 was there", out)
        self.succeed("merge", "all.h5", "p2.safetensors", "p1.safetensors")
        self.same("one.h5", "all.h5")

    def test_idle(self):
        args = ["train", self.data, *TRAIN, "--epochs", "1"]
        _, err = self.ranks(self.launchers[0], 4, *args, "--shard", "4", "-o", "all.safetensors")
        self.assertEqual(self.ours(err), ["vgg16: warning: batches of 11 in shards of 4: 1 of 4 ranks have nothing to do; "
                                          "--batch 16, or --shard 2 (other last bits) would use all"])
        self.succeed(*args, "--shard", "4", "-o", "one.safetensors")
        self.same("one.safetensors", "all.safetensors")

    def kill_when_there(self, run, pattern, number=signal.SIGKILL):
        """Sends a rank the signal once there is such a file: all end; what they said."""
        end = time.monotonic() + 30
        while time.monotonic() < end and not glob.glob(self.path(pattern)):
            time.sleep(0.05)
        found = subprocess.run(["pgrep", "-f", "-x", f"{PROGRAM} train {self.data} .*"], capture_output=True, text=True)
        os.kill(max(map(int, found.stdout.split())), number)
        _, err = run.communicate(timeout=30)
        self.assertNotEqual(run.returncode, 0)
        return err

    def test_killed(self):
        """A rank that is killed ends all; the last checkpoint is whole."""
        for launcher in self.launchers:
            args = ["train", self.data, *TRAIN, "--checkpoint", launcher, "--epochs", "100000", "-o", "never.safetensors"]
            with self.start(launcher, 3, *args) as run:
                self.kill_when_there(run, f"{launcher}/checkpoint-*.safetensors")
            self.assertFalse(os.path.exists(self.path("never.safetensors")))
            self.succeed("evaluate", self.data, "--model", launcher)

    def test_interrupted(self):
        """One rank that is told to stop stops all after the step, whose checkpoint is written; others go on from there."""
        args = ["train", self.data, *TRAIN, "--optimizer", "adam", "--steps-per-epoch", "200", "--epochs", "1"]
        self.succeed(*args, "-o", "one.safetensors")
        for i, launcher in enumerate(self.launchers):
            with self.start(launcher, 3, *args, "-o", "stopped.safetensors", "--checkpoint", launcher, "--checkpoint-every", "1000",
                            "--log", f"{launcher}.csv", "--tensorboard", f"{launcher}.board", "--epochs", "100000") as run:
                err = self.kill_when_there(run, f"{launcher}.board/train/events*", signal.SIGTERM)
            self.assertEqual(err.count("vgg16: interrupted"), 1, err)
            self.assertEqual(len(glob.glob(self.path(f"{launcher}/checkpoint-000000-*.safetensors"))), 1, err)
            self.ranks(launcher, 2 + 2 * i, *args, "-o", "all.safetensors", "--checkpoint", launcher, "--resume")
            self.same("one.safetensors", "all.safetensors")

    def test_diverged(self):
        """A loss that is no number ends all ranks with the line of one process."""
        args = ["train", self.data, *TRAIN, "--lr", "1e20", "-o", "never.safetensors"]
        alone = self.run_program(*args)
        self.assertEqual(alone.returncode, 1, alone.stderr)
        self.assertRegex(alone.stderr, "no longer a number")
        for launcher in self.launchers:
            _, err = self.ranks(launcher, 3, *args, code=1)
            self.assertEqual(self.ours(err), self.ours(alone.stderr))
        self.assertFalse(os.path.exists(self.path("never.safetensors")))

    def test_refused(self):
        train = ["train", self.data, *TRAIN, "-o", "never.safetensors"]
        _, err = self.ranks(self.launchers[0], 2, "predict", "--model", "m", "x.png", code=1)
        self.assertEqual(len(self.ours(err)), 1, err)
        self.assertIn("predict: is for one process", err)
        _, err = self.ranks(self.launchers[0], 2, *train, "--on-device-lost", "cpu", "--backend", "vulkan", code=1)
        self.assertEqual(len(self.ours(err)), 1, err)
        # Without a component, several processes are no training each.
        self.fail_with(1, "2 processes were started .PMI_RANK., but there is no libvgg16-mpi-none.so", *train,
                       env={"PMI_RANK": "0", "PMI_SIZE": "2", "VGG16_MPI": "none"})
        self.fail_with(1, "2 processes were started .SLURM_PROCID., which know nothing of each other", *train,
                       env={"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2"})
        # One process is none of several, and a batch script of Slurm's is no rank.
        self.succeed(*train, env={"PMI_RANK": "0", "PMI_SIZE": "1", "VGG16_MPI": "none"})
        self.succeed(*train, env={"SLURM_PROCID": "0", "SLURM_NTASKS": "8"})

    def changed_program(self, old, new):
        """A copy of the program with other words in it."""
        with open(PROGRAM, "rb") as f:
            program = f.read()
        self.assertIn(old, program)
        path = self.path("changed")
        with open(path, "wb") as f:
            f.write(program.replace(old, new))
        os.chmod(path, 0o755)
        for component in glob.glob(os.path.join(os.path.dirname(PROGRAM), "libvgg16-mpi-*.so")):
            if not os.path.exists(self.path(os.path.basename(component))):
                os.symlink(component, self.path(os.path.basename(component)))
        return path

    def test_other_programs(self):
        """Another version, other decoders, other levels of the processor: one line says what differs, and nothing is written."""
        version = self.succeed("--version").split()[1]
        changed = version[:-1] + str((int(version[-1]) + 1) % 10)
        train = ["train", self.data, *TRAIN, "-o", "never.safetensors", "--backend", "cpu"]
        cases = [
            (lambda: self.changed_program(f"{version}\0".encode(), f"{changed}\0".encode()), [], f"version: {changed}, but {version} on"),
            (lambda: self.changed_program(b"libwebp %d", b"libwebq %d"), [], "decoders of images: .*libwebq .*, but .*libwebp .* on"),
            (lambda: PROGRAM, ["--isa", "scalar"], "devices: cpu scalar, but cpu scalar "),
        ]
        for i, (program, more, wanted) in enumerate(cases):
            launcher = self.launchers[i % len(self.launchers)]
            with self.subTest(wanted=wanted, launcher=launcher):
                _, err = self.ranks(launcher, 1, *train, ":", "-n", "1", program(), *train, *more, code=1)
                lines = self.ours(err)
                self.assertEqual(len(lines), 1, err)
                self.assertRegex(lines[0], wanted)
        self.assertFalse(os.path.exists(self.path("never.safetensors")))

    def check_overlap(self, backend):
        """Pieces of the gradients leave while the backward pass goes on."""
        args = ["train", self.data, *TRAIN, "--backend", backend, "--epochs", "1", "--layer", "block2_pool", "--head",
                "flatten,dropout:0.3,dense:3:softmax"]
        self.succeed(*args, "-o", "one.safetensors")
        for launcher in self.launchers:
            _, err = self.ranks(launcher, 3, *args, "-v", "-o", "all.safetensors")
            self.same("one.safetensors", "all.safetensors")
            self.assertRegex(err, r"gradients of 3 ranks: [\d.]+ MB sent")
            self.assertNotIn("are added after the backward pass", err)

    def test_overlap(self):
        self.check_overlap("cpu")

    @unittest.skipUnless(LAVAPIPE, "lavapipe is not installed (Debian: mesa-vulkan-drivers)")
    def test_vulkan(self):
        use_lavapipe(self.env, self.folder)
        self.check_overlap("vulkan")

    def test_bench(self):
        """A row a case, its figures in harmony; both MPIs; nothing that is for one process."""
        args = ["bench", "--arch", "vgg11", "--size", "32", "--batch", "5,3", "--repeats", "1", "--backend", "cpu"]
        for launcher in self.launchers:
            out, _ = self.ranks(launcher, 3, *args, "--json")
            bench = json.loads(out)
            self.assertEqual((bench["schema"], bench["ranks"], bench["threads"]), ("vgg16-bench-scaling", 3, 1))
            self.assertGreater(bench["alpha_seconds"], 0)
            self.assertGreater(bench["beta_bytes_per_second"], 1e6)
            rows = bench["results"]
            self.assertEqual([(row["pass"], row["batch"], row["runs"]) for row in rows],
                             [("forward", 5, 1), ("step", 5, 1), ("forward", 3, 1), ("step", 3, 1)])
            for row in rows:
                one, all_ranks = row["one_seconds"]["median"], row["all_seconds"]["median"]
                self.assertAlmostEqual(row["efficiency"], one / (3 * all_ranks))
                self.assertAlmostEqual(row["images_per_second"], row["batch"] / all_ranks)
                self.assertGreater(row["model_seconds"], one / 3 * 0.99)
            # All images are one shard, the last rank's. Of 3 ranks the first two act as a pair: the first has no sum
            # to send, then sends the half that it has, then all.
            parameters = 9220480 + 512 * 10 + 10
            self.assertEqual([row["bytes_sent"] for row in rows], [0, rows[1]["bytes_sent"]] * 2)
            self.assertAlmostEqual(rows[1]["bytes_sent"] / (4 * parameters), 1.5, delta=0.01)
        out, _ = self.ranks(self.launchers[0], 2, *args, "--pass", "step")
        self.assertEqual([line.split()[:2] for line in out.splitlines()[-2:]], [["step", "5"], ["step", "3"]])
        # The model as benchmarks/README.md has it: of three ranks one has the only shard. A small head travels in one piece.
        for trainable, pieces, bytes_ in (("all", 16, 4 * parameters), ("head", 1, 4 * 5130)):
            out, _ = self.ranks(self.launchers[0], 3, *args, "--pass", "step", "--trainable", trainable, "--json")
            bench = json.loads(out)
            added = pieces * 4 * bench["alpha_seconds"] + 3 * bytes_ / bench["beta_bytes_per_second"]
            for row in bench["results"]:
                one = row["one_seconds"]["median"]
                wanted = one + max(added / pieces, added - 0.55 * one)
                self.assertAlmostEqual(row["model_seconds"] / wanted, 1, places=4)  # its processor may round otherwise
        for wrong in (["--on", "cpu"], ["--layers"], ["--pass", "backward"], ["--report", "r.html"]):
            _, err = self.ranks(self.launchers[0], 2, *args, *wrong, code=1)
            self.assertEqual(len(self.ours(err)), 1, err)

    @unittest.skipUnless(LAVAPIPE, "lavapipe is not installed (Debian: mesa-vulkan-drivers)")
    def test_device_each(self):
        """Two devices of one kind, lavapipe and a copy of it with a UUID of its own: each rank takes one."""
        use_lavapipe(self.env, self.folder)
        with open(LAVAPIPE, encoding="utf-8") as f:
            icd = json.load(f)
        with open(icd["ICD"]["library_path"], "rb") as f:
            driver = f.read()
        parts = re.split(rb"(?<=\x48\xb8mesa)(?=\d\d\.\d)", driver)  # the one move that makes the UUID
        if len(parts) != 2:
            self.skipTest("this lavapipe makes its UUID otherwise")
        icd["ICD"]["library_path"] = self.path("libvulkan_copy.so")
        with open(icd["ICD"]["library_path"], "wb") as f:
            f.write(parts[0][:-4] + b"copy" + parts[1])
        with open(self.path("copy.json"), "w", encoding="utf-8") as f:
            json.dump(icd, f)
        self.env["VK_ICD_FILENAMES"] = f"{LAVAPIPE}:{self.path('copy.json')}"
        args = ["train", self.data, *TRAIN, "--backend", "vulkan", "--epochs", "1"]
        self.succeed(*args, "-o", "one.safetensors")
        _, err = self.ranks(self.launchers[-1], 3, *args, "-v", "-o", "all.safetensors")
        self.assertEqual(re.findall(r"rank (\d) on \S+: vulkan:(\d)", err), [("0", "0"), ("1", "1"), ("2", "0")])
        self.same("one.safetensors", "all.safetensors")


if __name__ == "__main__":
    unittest.main()
