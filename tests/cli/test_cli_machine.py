"""scripts/machine_check.sh: with a budget too small for all of it, interrupted, with a program that fails, and packed for
another machine."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

from cli_support import LAVAPIPE, PROGRAM

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/machine_check.sh")
SMALL = {"VGG16_CHECK_ARCH": "vgg11", "VGG16_CHECK_SIZE": "32", "VGG16_CHECK_BATCHES": "2", "VGG16_CHECK_REPEATS": "1",
         "VGG16_CHECK_SOFTWARE": "1", "VGG16_PROGRAM": PROGRAM}
if LAVAPIPE:
    SMALL["VK_ICD_FILENAMES"] = LAVAPIPE


class Machine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vgg16-machine-")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, *arguments, script=SCRIPT, **environment):
        return subprocess.Popen(["bash", script, *arguments], cwd=self.folder, env={**os.environ, **SMALL, **environment},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def page(self):
        """The page that was left, and {stage: result} of its table."""
        (folder,) = [name for name in os.listdir(self.folder) if re.fullmatch(r"vgg16-check-\d+-\d+", name)]
        with open(os.path.join(self.folder, folder, "page.html"), encoding="utf-8") as file:
            page = file.read()
        self.assertTrue(page.endswith("</main></body></html>\n"))
        rows = re.findall(r'<tr><td><a href="#s\d\d">(.*?)</a></td><td>(.*?)</td><td class="n">\d+</td></tr>', page)
        self.assertEqual(len(rows), len({name for name, _ in rows}))
        self.assertEqual(page.count('<section id="s'), len(rows))
        return page, dict(rows)

    def test_all_of_it_in_little_time(self):
        begin = time.monotonic()
        process = self.start("0.5")
        output, _ = process.communicate(timeout=200)
        self.assertLess(time.monotonic() - begin, 90)
        page, rows = self.page()
        self.assertEqual(process.returncode, 0, output)
        for name in ("the machine", "self-test", "suite: test_ops", "forward, batch 2, cpu, fp32", "training on cpu in fp32",
                     "losses side by side", "start on cpu", "training step, batch 2, cpu, fp32", "cpu, direct, batch 2",
                     "PyTorch beside it"):
            self.assertIn(name, rows)
        for name, result in rows.items():
            self.assertRegex(result, r"^(passed|skipped|not here|cut after \d+ s)$", name)
        self.assertEqual(rows["the machine"], "passed")
        self.assertIn("<style>", page)
        self.assertIn("Check of a machine", page)
        self.assertNotIn(self.folder, page)
        self.assertNotIn("<script", page)
        if LAVAPIPE:
            self.assertIn("forward, batch 2, vulkan:0, fp16", rows)
            self.assertIn("vulkan:0, tile 6, batch 2", rows)

    def test_interrupted(self):
        process = self.start("5")
        seen = process.stdout.readline() + process.stdout.readline()
        self.assertIn("a first try, small", seen)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        page, rows = self.page()
        self.assertIn("seconds, interrupted</p>", page)
        self.assertEqual(list(rows)[:2], ["the machine", "a first try, small"])
        self.assertNotIn("start on cpu", rows)

    def fake(self, text):
        path = os.path.join(self.folder, "fake")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def test_what_fails_is_told_and_the_next_runs(self):
        """A self-test that fails, a benchmark that hangs, trainings whose losses part."""
        program = self.fake(
            'case "$*" in\n--version) echo "vgg16 0 <&>";; *--json*) echo;; devices*) echo;;\n'
            '"selftest") echo "CONV is off by 3 < 4"; exit 1;;\n*bf16*) echo "this CPU has no bf16 dot products"; exit 1;;\n'
            'bench*) exec sleep 60;; train*) exit 3;; *) exit 0;; esac\n')
        process = self.start("0.25", VGG16_PROGRAM=program)
        process.communicate(timeout=100)
        self.assertEqual(process.returncode, 1)
        page, rows = self.page()
        self.assertEqual(rows["self-test"], "failed (1)")
        self.assertEqual(rows["self-test of the CPU in bf16"], "not here")
        self.assertEqual(rows["a first try, small"], "cut after 4 s")
        self.assertEqual(rows["suite: test_ops"], "not here")
        self.assertEqual(rows["training on cpu in fp32"], "failed (3)")
        self.assertEqual(rows["losses side by side"], "failed (1)")
        self.assertEqual(rows["start on cpu"], "passed")
        self.assertIn("CONV is off by 3 &lt; 4", page)
        self.assertIn("vgg16 0 &lt;&amp;&gt;", page)

    def test_package(self):
        """Unpacked elsewhere it needs neither this tree nor its libraries."""
        archive = os.path.join(self.folder, "check.tar.xz")
        done = self.start("package", archive, XZ_OPT="-1")
        output, _ = done.communicate(timeout=200)
        self.assertEqual(done.returncode, 0, output)
        with tarfile.open(archive) as tar:
            names = tar.getnames()
            tar.extractall(self.folder)
        self.assertIn("vgg16-check/bin/vgg16", names)
        self.assertIn("vgg16-check/bin/test_ops", names)
        self.assertTrue([name for name in names if "/lib/libcjson" in name], names)
        self.assertFalse([name for name in names if "/lib/libc." in name])
        process = self.start("0.1", script=os.path.join(self.folder, "vgg16-check/machine_check.sh"), VGG16_PROGRAM="")
        output, _ = process.communicate(timeout=100)
        _, rows = self.page()
        self.assertEqual(rows["the machine"], "passed", output)
        self.assertEqual(rows["a first try, small"].split()[0] in ("passed", "cut"), True)

    def test_usage(self):
        for arguments in (["0"], ["-1"], ["x"], ["package"], ["package", "a", "b"], ["0.001"]):
            process = self.start(*arguments)
            output, _ = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 2, arguments)
            self.assertIn("machine_check.sh", output)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    sys.exit(unittest.main())
