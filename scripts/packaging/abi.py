#!/usr/bin/env python3
"""abi.py [--write]: what the public headers declare beside scripts/packaging/abi.txt, which holds what the last release
declared: every function, structure, enumeration and constant, in one form, without comments.

What stands there may not change within a MAJOR: a structure that grows breaks programs that were built with the shorter
one. Additions are free and are written down by --write. Before the first release of a MAJOR (CHANGELOG.md: "unreleased")
--write takes every change. Exit code 0: abi.txt says what the headers say.
"""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEADERS = ("core/vgg16.h", "core/vgg16_bench.h", "core/vgg16_ranks.h")
STORED = "scripts/packaging/abi.txt"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return stream.read()


def declarations(header):
    """Each constant and each declaration at the top, in a line, in order."""
    text = re.sub(r"\s*/\*.*?\*/", " ", header, flags=re.S).replace("\\\n", " ")
    found = [" ".join(line.split()) for line in re.findall(r"^#define VGG_\w+ .*$", text, re.M)]
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M).replace('extern "C" {', "")
    depth, begin = 0, 0
    for at, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth < 0:  # the end of extern "C"
            break
        if letter == ";" and depth == 0:
            found.append(re.sub(r"([(]) | (?=[,;)])", r"\1", " ".join(text[begin:at + 1].split())))
            begin = at + 1
    return found


def compare(stored, now):
    """(changed or gone, new), both lists of declarations."""
    return [line for line in stored if line not in set(now)], [line for line in now if line not in set(stored)]


def unreleased():
    version = re.search(r"^project\(vgg16 VERSION (\S+)", read("CMakeLists.txt"), re.M)[1]
    return version.endswith(".0.0") and f"## {version} (unreleased)" in read("CHANGELOG.md")


def main():
    now = [line for path in HEADERS for line in declarations(read(path))]
    gone, new = compare(read(STORED).splitlines() if os.path.exists(os.path.join(ROOT, STORED)) else [], now)
    if "--write" in sys.argv[1:] and (not gone or unreleased()):
        with open(os.path.join(ROOT, STORED), "w", encoding="utf-8") as stream:
            stream.write("".join(line + "\n" for line in now))
        return 0
    for what, lines in (("changed or gone", gone), ("new", new)):
        for line in lines:
            print(f"{what}: {line}")
    if gone and not unreleased():
        print("abi.py: this breaks programs that were built before; undo it, or raise MAJOR: in CMakeLists.txt, vgg16.map, debian/")
    elif gone or new:
        print("abi.py: `scripts/packaging/abi.py --write` writes it down")
    return 1 if gone or new else 0


if __name__ == "__main__":
    sys.exit(main())
