#!/usr/bin/env python3
"""coverage.py BUILD [--all]: which lines and branches of core/ the tests ran in a folder built by gcc with
-DVGG16_COVERAGE=ON. Prints a row for each room and for the parsers of files that others made, then the lines of the
parsers (--all: of all of core/) that never ran, and those that ran but not in every way. Exit code 1: parsers below 95 % of
lines or 90 % of branches, or all of core/ below 90 % of lines."""
import collections
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARSERS = {f"core/{name}.c" for name in (
    "format/hdf format/hdf_data format/hdf_object format/json format/pickle format/safetensors format/torch format/zip "
    "image/bmp image/exif image/format image/jpeg image/jpeg_head image/png_head image/read image/tiff image/webp "
    "data/array data/csv data/idx data/origin weights/checkpoint weights/checkpoint_list weights/h5 weights/keras "
    "weights/pth weights/st weights/torch train/checkpoint cli/cli_parse cli/cli_options").split()}
FOREIGN = {"core/image/stb_image.c", "core/image/stb_image_write.c", "core/image/stb_easy_font.c"}


def collect(build):
    """{file: ({line: count}, {(line, branch): count})} of core/."""
    found = collections.defaultdict(lambda: (collections.Counter(), collections.Counter()))
    for folder, _, files in os.walk(build):
        for name in files:
            if not name.endswith(".gcno"):
                continue
            out = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", os.path.join(folder, name)],
                                 capture_output=True, text=True, cwd=build).stdout
            for text in out.splitlines():
                for file in json.loads(text)["files"] if text.startswith("{") else ():
                    path = os.path.relpath(os.path.join(build, file["file"]), TOP)
                    if not path.startswith("core/") or path in FOREIGN:
                        continue
                    lines, branches = found[path]
                    for line in file["lines"]:
                        lines[line["line_number"]] += line["count"]
                        for i, branch in enumerate(line["branches"]):
                            branches[line["line_number"], i] += branch["count"]
    return found


def share(counts):
    return 100 * sum(c > 0 for c in counts) / len(counts) if counts else 100.0


def ranges(numbers):
    """"3, 7-9"."""
    out = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def partly(file, lines, branches):
    """The lines that ran and have a branch that never did: but that behind a CHECK of what always fails, which cannot."""
    with open(os.path.join(TOP, file)) as source:
        text = source.read().split("\n")
    last, missed = {}, collections.defaultdict(set)
    for (line, i), count in branches.items():
        last[line] = max(i, last.get(line, 0))
        if lines[line] and not count:
            missed[line].add(i)
    return [line for line, which in missed.items() if which != {last[line]} or "CHECK(vgg_fail" not in text[line - 1]]


def main():
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(__doc__)
    found = collect(os.path.abspath(sys.argv[1]))
    if not found:
        sys.exit(f"coverage.py: {sys.argv[1]}: nothing was counted there")

    def row(title, files):
        lines = [c for f in files for c in found[f][0].values()]
        branches = [c for f in files for c in found[f][1].values()]
        print(f"{title:16} {len(files):4} files {len(lines):6} lines {share(lines):6.1f} % {len(branches):6} branches {share(branches):6.1f} %")
        return share(lines), share(branches)

    for room in sorted({os.path.dirname(f) for f in found}):
        row(room, [f for f in found if os.path.dirname(f) == room])
    all_lines, _ = row("core", list(found))
    parsers = [f for f in found if f in PARSERS]
    parser_lines, parser_branches = row("parsers", parsers)
    for file in sorted(found if "--all" in sys.argv else parsers):
        lines, branches = found[file]
        never, some = [n for n, c in lines.items() if c == 0], partly(file, lines, branches)
        if never or some:
            print(f"{file}: {share(list(lines.values())):.1f} % of lines, {share(list(branches.values())):.1f} % of branches; "
                  f"never ran: {ranges(never) or 'none'}; not in every way: {ranges(some) or 'none'}")
    sys.exit(parser_lines < 95 or parser_branches < 90 or all_lines < 90)


if __name__ == "__main__":
    main()
