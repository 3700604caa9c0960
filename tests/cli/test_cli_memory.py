"""The most memory that VGG16 may take at 224: one image through its base, of which the transformed filters are two
thirds, and a step of 8 images that trains it whole."""

import json
import os
import random
import struct
import subprocess
import unittest
from pathlib import Path

from cli_support import PROGRAM, Program, write_png

MIB, MIB_STEP = 315, 700
# Sanitizers take memory of their own.
SANITIZED = b"__asan_init" in Path(PROGRAM).read_bytes() or b"__tsan_init" in Path(PROGRAM).read_bytes()


class Memory(Program):
    def most(self, *args):
        """The most memory that was resident, in MiB."""
        command = [PROGRAM, *args, "--weights", "random", "--size", "224", "--backend", "cpu", "--threads", "2", "--quiet"]
        run = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        err = run.stderr.read()
        run.stderr.close()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual((run.returncode, err), (0, ""))
        return used.ru_maxrss / 1024

    def extract(self, *args):
        return self.most("extract", "photo.png", "--batch", "1", *args)

    @unittest.skipIf(SANITIZED, "a sanitizer takes memory of its own")
    def test_extract(self):
        noise = random.Random(5)
        write_png(self.path("photo.png"), 61, 47, lambda x, y: [noise.randrange(256) for _ in range(3)])
        mib = self.extract("-o", "a.npy")
        print(f"{mib:.0f} MiB")
        self.assertLess(mib, MIB)
        # With a picture a second network is made, so that the parameters stay on the host.
        self.extract("-o", "b.npy", "--picture", "b.png", "--layer", "block5_pool")
        self.assertEqual(Path(self.path("a.npy")).read_bytes(), Path(self.path("b.npy")).read_bytes())
        self.assertEqual(Path(self.path("a.npy.json")).read_bytes(), Path(self.path("b.npy.json")).read_bytes())

    @unittest.skipIf(SANITIZED, "a sanitizer takes memory of its own")
    def test_step(self):
        """With a limit what was not kept is computed again."""
        noise = random.Random(6)
        x, y = noise.randbytes(8 * 224 * 224 * 3), b"".join(struct.pack("<q", i % 2) for i in range(8))
        x_at, y_at = [0, len(x)], [len(x), len(x) + len(y)]
        header = json.dumps({"x": {"dtype": "U8", "shape": [8, 224, 224, 3], "data_offsets": x_at},
                             "y": {"dtype": "I64", "shape": [8], "data_offsets": y_at}}).encode()
        header += b" " * (-len(header) % 8)
        Path(self.path("d.safetensors")).write_bytes(struct.pack("<Q", len(header)) + header + x + y)
        step = ["train", "d.safetensors", "--trainable", "all", "--head", "gap,dense:2:softmax", "--optimizer", "adam",
                "--batch", "8", "--epochs", "1"]
        mib = self.most(*step, "-o", "a.safetensors")
        less = self.most(*step, "-o", "b.safetensors", "--memory", "450M")
        print(f"{mib:.0f} MiB, {less:.0f} MiB")
        self.assertLess(mib, MIB_STEP)
        self.assertLess(less, mib - 64)
        self.assertEqual(Path(self.path("a.safetensors")).read_bytes(), Path(self.path("b.safetensors")).read_bytes())


if __name__ == "__main__":
    unittest.main()
