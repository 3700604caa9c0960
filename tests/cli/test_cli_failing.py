"""Files and disks that fail while the program works: what was trained is not lost, and one line says what happened."""

import os
import re
import resource
import signal
import struct
import subprocess
import unittest
from pathlib import Path

from cli_support import GAP, PROGRAM, TINY, Program, write_folder, write_safetensors

LONG = "x" * 245  # a name that has no room for the ending of a file written aside


def write_images(path, count=24, size=32):
    """Images of two classes as an array, of bytes that do not repeat."""
    x = bytes((i * 2654435761 >> 13) % 200 + 40 * (i // (size * size * 3) % 2) for i in range(count * size * size * 3))
    y = struct.pack(f"<{count}q", *(i % 2 for i in range(count)))
    return write_safetensors(path, {"x": ("U8", [count, size, size, 3], x), "y": ("I64", [count], y)})


class Failing(Program):
    def start(self, *args, env=None, first=r"^epoch 1/"):
        """A training that runs until it is stopped; its first epoch, with that line, is done when this returns."""
        os.makedirs(self.path("out"), exist_ok=True)
        run = subprocess.Popen(
            [PROGRAM, "train", *args, *TINY, *GAP, "--json", "-o", "out/m.safetensors", "--epochs", "1000000"],
            cwd=self.folder,
            env=dict(self.env, **(env or {})),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(run.wait)
        self.addCleanup(run.stderr.close)
        self.addCleanup(run.kill)
        self.assertRegex(run.stderr.readline(), first)
        return run

    def finish(self, run):
        """The lines that are not about an epoch."""
        err = run.communicate(timeout=60)[1]
        return [line for line in err.splitlines() if not line.startswith("epoch ")]

    def setUp(self):
        super().setUp()
        os.makedirs(self.path("out"))

    def test_data_that_is_cut_short(self):
        whole = write_images(self.path("img.safetensors"))
        content = Path(whole).read_bytes()
        run = self.start("img.safetensors", "--augment", "flip", "--checkpoint", "ck")
        os.truncate(whole, 4096)
        lines = self.finish(run)
        self.assertEqual(run.returncode, 1, lines)
        self.assertRegex(lines[0], r"^vgg16: img.safetensors#\d+: cannot be read: the file has been cut short")
        self.assertEqual(lines[1:], ["vgg16: out/m.safetensors: holds the model as far as it was trained"])
        self.assertEqual(self.json("summary", "out/m.safetensors")["classes"], ["0", "1"])
        self.assertRegex(self.run_program("predict", "-m", "out/m.safetensors", "img.safetensors").stderr,
                         "img.safetensors: tensor x lies at bytes .* truncated")
        # The checkpoint is of the last step before that.
        Path(whole).write_bytes(content)
        self.start("img.safetensors", "--augment", "flip", "--checkpoint", "ck", "--resume",
                   first=r"^epoch ([2-9]|\d\d+)/")

    def test_images_that_go_bad(self):
        write_folder(self.path("data"), count=3)
        run = self.start("data", "--augment", "flip")
        for name in os.listdir(self.path("data/dog")):
            os.truncate(self.path(f"data/dog/{name}"), 60)
        lines = self.finish(run)
        self.assertEqual(run.returncode, 1, lines)
        self.assertRegex(lines[0], r"^vgg16: data/dog/\d.png: ")
        self.assertEqual(lines[1:], ["vgg16: out/m.safetensors: holds the model as far as it was trained"])
        self.succeed("summary", "out/m.safetensors")

    def test_full_disk_below_the_records(self):
        """A limit on file sizes stands in for a full disk: it comes and goes while the program runs."""
        write_folder(self.path("data"), count=3)
        run = self.start("data", "--log", "l.csv", "--tensorboard", "board")
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (90, resource.RLIM_INFINITY))
        warnings = []
        while len(warnings) < 2:
            line = run.stderr.readline()
            self.assertTrue(line, warnings)
            if not line.startswith("epoch "):
                warnings.append(line)
        for _ in range(4):
            run.stderr.readline()  # epochs go on
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for _ in range(4):
            self.assertRegex(run.stderr.readline(), "^epoch ")
        run.send_signal(signal.SIGTERM)
        lines = self.finish(run)
        self.assertEqual(run.returncode, 130, lines)
        self.assertEqual(len(lines), 3, lines)  # stopping, holds the model, interrupted: no second warning
        self.assertRegex("".join(sorted(warnings)),
                         r"^vgg16: warning: board/train/events.*: writing failed: File too large\n"
                         r"vgg16: warning: l.csv: writing failed: File too large\n$")
        epochs = Path(self.path("l.csv")).read_text().splitlines()[1:]
        self.assertEqual([int(line.split(",")[0]) for line in epochs], list(range(len(epochs))))
        self.assertGreater(len(epochs), 8)
        self.succeed("summary", "out/m.safetensors")
        self.assertFalse([name for name in self.files() if ".tmp." in name])

    def test_records_that_can_never_be_written(self):
        write_folder(self.path("data"), count=2)
        done = self.run_program("train", "data", *TINY, *GAP, "--epochs", "3", "-o", "m.safetensors", "--log",
                                LONG + ".csv", "--report", LONG + ".html")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], r"^vgg16: warning: x+.csv: cannot be written: File name too long$")
        self.assertRegex(lines[1], r"^vgg16: warning: x+.html: cannot be written: .* too long; there is no report$")
        self.succeed("summary", "m.safetensors")

    def test_a_model_that_cannot_be_saved_is_kept(self):
        write_folder(self.path("data"), count=2)
        os.makedirs(self.path("spare"))
        env = {"TMPDIR": self.path("spare")}
        for more, folder in (([], self.path("spare")), (["--checkpoint", "ck"], "ck")):
            run = self.start("data", *more, env=env)
            os.rmdir(self.path("out"))
            run.send_signal(signal.SIGTERM)
            lines = self.finish(run)
            self.assertEqual(run.returncode, 1, lines)
            self.assertEqual(len(lines), 2, lines)
            said = (r"^vgg16: out/m.safetensors: cannot be written: No such file or directory; "
                    rf"the model is in ({folder}/vgg16-\w+/m.safetensors) instead")
            self.assertRegex(lines[1], said)
            self.assertEqual(self.json("summary", re.match(said, lines[1])[1])["classes"], ["cat", "dog"])
        # Nowhere else: a limit on files holds everywhere.
        run = self.start("data", env=env)
        before = self.files()
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        run.send_signal(signal.SIGTERM)
        lines = self.finish(run)
        self.assertEqual(run.returncode, 1, lines)
        self.assertRegex(lines[1], "^vgg16: out/m.safetensors: writing failed: File too large, and .* fits nowhere")
        self.assertEqual(self.files(), before)

    def test_a_checkpoint_that_cannot_be_written(self):
        write_folder(self.path("data"), count=2)
        run = self.start("data", "--checkpoint", "ck")
        os.rename(self.path("ck"), self.path("elsewhere"))
        lines = self.finish(run)
        self.assertEqual(run.returncode, 1, lines)
        self.assertRegex(lines[0], "^vgg16: ck/checkpoint-.*: (cannot be written|writing failed): No such file")
        self.assertEqual(lines[1:], ["vgg16: out/m.safetensors: holds the model as far as it was trained"])
        self.succeed("summary", "out/m.safetensors")


if __name__ == "__main__":
    unittest.main()
