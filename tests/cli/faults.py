"""Runs of the program in each of which one call fails (tests/faults): which calls there are, which of them are tried, and
what is expected of every run."""

import json
import os
import random
import re
import shutil
import struct
import subprocess
from pathlib import Path

from cli_support import PROGRAM

LIBRARY = os.environ.get("VGG16_FAULTS_LIBRARY", "")
# How many calls are tried: a seeded sample of so many places in the code for each class of calls of each run, or "sites",
# each such place once, or "all", every call.
SHARE = os.environ.get("VGG16_FAULTS_SHARE", "2")
CLASSES = ["memory", "library", "file", "net", "thread"]
# Where these fail, a temporary file cannot but stay.
STAYING = {"unlink", "opendir", "readdir"}
# What a run says beside its one line of failure.
BESIDE = re.compile(r"vgg16: (warning: |.* holds the model as far as it was trained$)")


class Run:
    """One command, in a folder `work` of its own below `folder`; inputs lie beside it.

    outputs: names that are there before, with old content, and after; some hold what differs from run to run, as times,
    or how far a training came: these end in "~". others: patterns of further files that may be there. fails: the command
    fails as it is. said: what it prints is the same each time."""

    def __init__(self, name, args, outputs=(), others=(), fails=False, said=False, env=None, prepare=None):
        self.name, self.args, self.fails, self.said = name, args, fails, said
        self.env, self.prepare = env or {}, prepare
        self.outputs = [o.rstrip("~") for o in outputs]
        self.varying = {o.rstrip("~") for o in outputs if o.endswith("~")}
        self.others = [re.compile(o) for o in others]


# Where these call, what the program can do ends: libraries that do not bear to be without memory, and HDF5 when its
# file cannot be closed. The process may be ended by a signal or in their words; the files are what counts.
FRAGILE = re.compile(r"lib(crypto|hdf5\w*|minizip|cjson|curl|ssl|gnutls|nettle)\.so")


def is_whole(name, data, wanted):
    """Does an output of that name look like one that was written to its end?"""
    if name.endswith(".safetensors"):
        header = json.loads(data[8 : 8 + struct.unpack_from("<Q", data)[0]])
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        return len(data) == 8 + struct.unpack_from("<Q", data)[0] + max(ends)
    if name.endswith(".html"):
        return data.rstrip().endswith(b"</html>")
    if name.endswith(".h5"):
        return data[:8] == b"\x89HDF\r\n\x1a\n" and len(data) == len(wanted)
    return data.endswith(b"\n")


def content(path):
    return path.read_bytes() if path.is_file() else None


class Tester:
    def __init__(self, run, folder, env):
        self.run, self.folder, self.env = run, Path(folder), env
        self.work = self.folder / f"work-{run.name}"
        self.wanted = {}

    def start(self, what, sites=None):
        """(exit status, lines of stderr, whether a call failed, its function, where it was, what a sanitizer said)"""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        if self.run.prepare:
            self.run.prepare(self.work)
        for name in self.run.outputs:
            (self.work / name).write_bytes(b"old " + name.encode())
        report, told = self.folder / f"{self.run.name}.report", self.folder / f"{self.run.name}.sanitizer"
        env = dict(self.env, **self.run.env, LD_PRELOAD=LIBRARY, VGG16_FAULTS=f"{what}:{report}",
                   VK_ICD_FILENAMES="/dev/null", VGG16_BACKEND="cpu", TMPDIR=str(self.work))
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + f":verify_asan_link_order=0:log_path={told}"
        env["UBSAN_OPTIONS"] = env.get("UBSAN_OPTIONS", "") + f":log_path={told}"
        if sites:
            env["VGG16_FAULTS_SITES"] = str(sites)
        done = subprocess.run([PROGRAM, *self.run.args], cwd=self.work, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.printed = done.stdout
        failed, name, where = struct.unpack("<Q48s192s", report.read_bytes())
        words = [field.split(b"\0")[0].decode() for field in (name, where)]
        sanitizer = ""
        for path in self.folder.glob(told.name + ".*"):
            sanitizer += path.read_text(errors="replace")
            path.unlink()
        lines = done.stderr.decode(errors="replace").splitlines()
        return done.returncode, lines, bool(failed), *words, sanitizer

    def count(self):
        """{class: [(k, stack, function)]} of all calls; learns what the outputs should be."""
        sites = self.folder / f"{self.run.name}.sites"
        status, lines, *_, sanitizer = self.start(f"{CLASSES[0]}:0", sites)
        assert status == (1 if self.run.fails else 0) and not sanitizer, (self.run.name, status, lines, sanitizer)
        self.said = self.printed
        for name in self.run.outputs:
            self.wanted[name] = content(self.work / name)
            assert self.run.fails or self.wanted[name] not in (None, b"old " + name.encode()), (self.run.name, name)
        calls = {kind: [] for kind in CLASSES}
        for line in sites.read_text().splitlines():
            kind, k, stack, name = line.split(" ")
            calls[kind].append((int(k), stack, name))
        sites.unlink()
        return calls

    def chosen(self, kind, calls):
        if SHARE == "all":
            return [k for k, _, _ in calls]
        first = {}
        for k, stack, _ in calls:
            first.setdefault(stack, k)
        places = sorted(first.values())
        if SHARE == "sites":
            return places
        picked = random.Random(f"{self.run.name} {kind}")
        return sorted(picked.sample(places, min(int(SHARE), len(places))))

    def complaints(self, kind, k):
        """What is wrong with the run whose k-th call fails; whether a call failed, and whether the run succeeded."""
        status, lines, failed, function, where, sanitizer = self.start(f"{kind}:{k}")
        wrong, fragile = [], kind == "library" or (function == "close" and FRAGILE.match(where))
        warned = any(line.startswith("vgg16: warning: ") for line in lines)
        errors = [line for line in lines if not BESIDE.match(line)]
        if status not in (0, 1) and not fragile:
            wrong.append(f"exit status {status}")
        good = all(line.startswith("vgg16: ") for line in errors) and 1 <= len(errors) <= 1 + self.run.fails
        if not fragile and (errors if status == 0 else not good):
            wrong.append("not one line" if status else "success with an error")
        # A library that lacks something may keep the rest of it.
        kept = where.startswith("lib") and "LeakSanitizer" in sanitizer
        if sanitizer and not fragile and not kept:
            wrong.append(sanitizer[:2000])
        if self.run.said and status == 0 and self.printed != self.said:
            wrong.append(f"printed {self.printed!r}")
        for name in self.run.outputs:
            there, old = content(self.work / name), b"old " + name.encode()
            new = there == self.wanted[name]
            if name in self.run.varying and there not in (None, old):
                new = is_whole(name, there, self.wanted[name])
            named = any(name in line for line in lines)
            if not (new or (there == old and (status or warned)) or (there is None and named and warned)):
                wrong.append(f"{name}: {'missing' if there is None else 'old' if there == old else 'torn'}")
        for path in sorted(self.work.rglob("*")):
            name = str(path.relative_to(self.work))
            known = name in self.run.outputs or any(o.fullmatch(name) for o in self.run.others)
            killed = fragile and status != 0 and ".tmp.vgg16-" in name
            if path.is_file() and not known and function not in STAYING and not killed:
                wrong.append(f"{name} is left")
        if wrong:
            wrong = [f"{self.run.name}: {kind} call {k} fails: {function} ({where}): status {status}, "
                     f"{lines}: {'; '.join(wrong)}"]
        return wrong, failed, status == 0
