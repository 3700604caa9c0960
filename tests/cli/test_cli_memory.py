"""The most memory that one image through VGG16's base at 224 may take, of which its transformed filters are two thirds."""

import os
import random
import subprocess
import unittest
from pathlib import Path

from cli_support import PROGRAM, Program, write_png

MIB = 315
# Sanitizers take memory of their own.
SANITIZED = b"__asan_init" in Path(PROGRAM).read_bytes() or b"__tsan_init" in Path(PROGRAM).read_bytes()


class Memory(Program):
    def extract(self, *args):
        """The most memory that was resident, in MiB."""
        command = [PROGRAM, "extract", "photo.png", "--weights", "random", "--size", "224", "--batch", "1",
                   "--backend", "cpu", "--threads", "2", "--quiet", *args]
        run = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        err = run.stderr.read()
        run.stderr.close()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual((run.returncode, err), (0, ""))
        return used.ru_maxrss / 1024

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


if __name__ == "__main__":
    unittest.main()
