"""Threads and memory inside a control group that is made for the test: nothing is imitated here."""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path

from cli_support import PROGRAM, TINY, Program, write_folder

# What writes its own number into a group before it becomes the program.
ENTER = 'echo $$ > "$0"/cgroup.procs && exec "$@"'


def mount_of(kind, controller):
    """Where the root of a hierarchy is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        point, (name, _, options) = left.split(" ")[4], right.split(" ", 2)
        if name == kind and left.split(" ")[3] == "/" and (kind == "cgroup2" or controller in options.split(",")):
            return re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), point)
    return None


def hierarchy(controller):
    """(mount, version) of a controller whose groups may be made here: this process's is the root of what it sees, as
    another's group is not ours to divide."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, words, path = line.split(":", 2)
        if path != "/":
            continue
        if controller in words.split(",") and mount_of("cgroup", controller):
            return mount_of("cgroup", controller), 1
        mount = mount_of("cgroup2", controller) if not words else None
        if mount and controller in Path(mount, "cgroup.subtree_control").read_text().split():
            return mount, 2
    return None, 0


class Limits(Program):
    def group(self, controller):
        mount, version = hierarchy(controller)
        if not mount:
            self.skipTest(f"no control group for {controller} can be made here")
        path = os.path.join(mount, f"vgg16-test-{os.getpid()}")
        try:
            os.mkdir(path)
        except OSError as error:
            self.skipTest(f"{path}: {error.strerror}")
        self.addCleanup(os.rmdir, path)
        return path, version

    def inside(self, group, *args, **env):
        done = subprocess.run(
            ["sh", "-c", ENTER, group, PROGRAM, *args],
            cwd=self.folder,
            env=dict(self.env, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=100,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def cpu(self, group, **env):
        devices = json.loads(self.inside(group, "devices", "--json", **env).stdout)["devices"]
        return next(d for d in devices if d["backend"] == "cpu")

    def give_time(self, group, version, quota, period=100000):
        if version == 2:
            values = {"cpu.max": f"{quota} {period}"}
        else:
            values = {"cpu.cfs_period_us": period, "cpu.cfs_quota_us": quota}
        for name, value in values.items():
            Path(group, name).write_text(str(value))

    def test_processors(self):
        group, version = self.group("cpu")
        machine = len(os.sched_getaffinity(0))
        if machine < 2:
            self.skipTest("a machine with one processor")
        self.give_time(group, version, 50000)
        cpu = self.cpu(group)
        self.assertEqual(cpu["threads"], 1)
        self.assertEqual(cpu["limits"], f"a container allows 1 of {machine} processors")
        self.assertIn(f"threads 1\n      a container allows 1 of {machine}", self.inside(group, "devices").stdout)
        # What the user says decides.
        self.assertEqual(self.cpu(group, OMP_NUM_THREADS="3")["threads"], 3)
        write_folder(self.path("data"), count=2)
        extract = ["extract", "data", *TINY, "--output", "f.npy", "--backend", "cpu", "-v"]
        why = f", a container allows 1 of {machine} processors\n"
        self.assertIn("; threads 1" + why, self.inside(group, *extract).stderr)
        self.assertIn("; threads 2" + why, self.inside(group, *extract, "--threads", "2").stderr)
        self.assertIn("; threads 3" + why, self.inside(group, *extract, VGG16_THREADS="3").stderr)
        # A part of a processor counts as one; a group with time for all of them is no limit.
        self.give_time(group, version, 110000)
        self.assertEqual(self.cpu(group)["threads"], 2)
        self.give_time(group, version, 100000 * machine)
        self.assertEqual(self.cpu(group)["threads"], machine)
        self.assertEqual(self.cpu(group)["limits"], "")

    def test_memory(self):
        group, version = self.group("memory")
        limit = 512 << 20
        Path(group, "memory.max" if version == 2 else "memory.limit_in_bytes").write_text(str(limit))
        cpu = self.cpu(group)
        self.assertLessEqual(cpu["memory"], limit)
        self.assertGreater(cpu["memory"], limit // 2)
        self.assertRegex(cpu["limits"], r"a container allows 0\.5 of \d+\.\d GiB memory")

    def test_threads_that_cannot_start(self):
        """Each thread counts as a process. OpenMP's runtime would end the program in the middle of a loop."""
        group, _ = self.group("pids")
        write_folder(self.path("data"), count=2)
        extract = ["extract", "data", *TINY, "--backend", "cpu", "--threads", "16", "--output"]
        self.assertEqual(self.inside(group, *extract, "all.npy").stderr, "")
        for most, threads in ((12, 8), (7, 3), (4, 1), (2, 1)):
            Path(group, "pids.max").write_text(str(most))
            done = self.inside(group, *extract, f"{most}.npy")
            self.assertEqual(
                done.stderr, f"vgg16: warning: of 16 threads {most} can be started here; the CPU computes with {threads}\n"
            )
            self.assertEqual(Path(self.path(f"{most}.npy")).read_bytes(), Path(self.path("all.npy")).read_bytes())
        Path(group, "pids.max").write_text("1")
        with self.assertRaisesRegex(AssertionError, "vgg16: no thread can be started for reading images"):
            self.inside(group, *extract, "none.npy")
        self.assertFalse(os.path.exists(self.path("none.npy")))

    def test_without_a_group(self):
        def threads(output):
            return next(d["threads"] for d in json.loads(output)["devices"] if d["backend"] == "cpu")

        self.assertEqual(threads(self.succeed("devices", "--json", env={"OMP_NUM_THREADS": "3"})), 3)
        one = ["taskset", "-c", str(min(os.sched_getaffinity(0))), PROGRAM, "devices", "--json"]
        self.assertEqual(threads(subprocess.run(one, env=self.env, capture_output=True, check=True).stdout), 1)


if __name__ == "__main__":
    unittest.main()
