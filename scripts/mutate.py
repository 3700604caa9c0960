#!/usr/bin/env python3
"""mutate.py FILE... [--count N] [--seed S] [--skip N] [--tests REGEX] [--seconds S] [--least PERCENT]: do tests bite?

Changes one operator, constant, condition or statement of a file at a time, builds, and runs the tests that should
notice: those named in TESTS below, else those that include the file's header. Prints each mutant that survives, and
for each file how many were killed. Of all that are possible N are tried for each file (default 30), chosen by the
seed (default 1). Not counted are mutants that do not compile, and those that the compiler makes the same code of.
Statements about a lack of memory stay as they are: test_failure sees to them.
A test that hangs (60 s, or three times what all take on the code as it is) has noticed, and so have the
AddressSanitizer and the UndefinedBehaviorSanitizer under which they run.

Works in a copy of the tree with a build of its own, build/mutate, so that the working tree stays as it is. A FILE is a
.c, or a .h that holds code.
--tests: ctest's names instead; --seconds: begins no further mutant after so long; --skip: goes on where a run of the
same seed ended, which it says; --least: exit code 1 where less is killed of all. Example:
scripts/mutate.py core/data/select.c core/plan/plan.c --count 50 --seed 7"""
import argparse
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(TOP, "build", "mutate")
TREE, BUILD = os.path.join(WORK, "tree"), os.path.join(WORK, "build")

# Which tests should notice, where the includes do not tell: the beginning of a path, and the tests' names.
TESTS = (
    ("core/data/select.c", ("test_data", "test_data_select")),
    ("core/data/data.c", ("test_data",)),
    ("core/data/store.c", ("test_data", "test_data_csv")),
    ("core/data/folder.c", ("test_data", "test_data_left_out")),
    ("core/data/left_out.c", ("test_data_left_out",)),
    ("core/data/csv.c", ("test_data_csv",)),
    ("core/data/idx.c", ("test_data", "test_data_idx")),
    ("core/data/loader.c", ("test_loader", "test_ranks")),
    ("core/data/check.c", ("test_loader",)),
    ("core/data/digest.c", ("test_resume",)),
    ("core/data/escape.c", ("test_data", "test_data_csv")),
    ("core/data/origin.c", ("test_origin", "test_origin_match")),
    ("core/data/", ("test_data", "test_data_csv", "test_origin")),
    ("core/image/augment.c", ("test_augment",)),
    ("core/image/vary.c", ("test_augment",)),
    ("core/image/resize.c", ("test_resize",)),
    ("core/image/", ("test_image", "test_picture")),
    ("core/infer/evaluate.c", ("test_evaluate", "test_ranks")),
    ("core/infer/auc.c", ("test_evaluate",)),
    ("core/op/op.c", ("test_op_check", "test_plan", "test_bench_numbers")),
    ("core/op/backend.c", ("test_cpu_backend", "test_op_check")),
    ("core/plan/shard.c", ("test_shard",)),
    ("core/plan/arena.c", ("test_arena",)),
    ("core/plan/", ("test_plan", "test_plan_half", "test_plan_update")),
    ("core/weights/names.c", ("test_weights_names",)),
    ("core/weights/keras.c", ("test_keras",)),
    ("core/weights/", ("test_weights", "test_weights_broken", "test_pickle")),
    ("core/format/hdf", ("test_weights", "test_weights_broken", "fuzz_hdf")),
    ("core/format/safetensors.c", ("test_safetensors", "fuzz_safetensors", "fuzz_written")),
    ("core/format/pickle.c", ("test_pickle", "fuzz_pickle")),
    ("core/format/torch", ("test_pickle", "test_weights", "fuzz_torch", "fuzz_written")),
    ("core/format/zip.c", ("test_pickle", "fuzz_torch", "fuzz_written")),
    ("core/train/checkpoint", ("test_checkpoint", "test_checkpoint_model")),
    ("core/train/watch.c", ("test_watch",)),
    ("core/train/scale.c", ("test_scale",)),
    ("core/train/settings.c", ("test_checkpoint", "fuzz_texts")),
    ("core/train/trainer_ranks.c", ("test_ranks",)),
    ("core/train/frozen.c", ("test_checkpoint_model", "test_resume")),
    ("core/train/", ("test_train_options", "test_steps", "test_keep", "test_checkpoint_model")),
    ("core/ranks/share.c", ("test_share",)),
    ("core/ranks/", ("test_ranks",)),
    ("cpu/cpu_ref_update.c", ("test_ops", "test_steps")),
    ("cpu/cpu_update.c", ("test_ops", "test_steps", "test_scale")),
    ("cpu/cpu_update_vec.h", ("test_cpu_kernels",)),
    ("cpu/", ("test_cpu_kernels", "test_ops")),
    ("core/cli/", ("test_options", "test_option_values")),
)

# ---- what can be changed ----

SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+=": "-=", "-=": "+=",
         "++": "--", "--": "++", "*=": "/=", "|=": "=", "&=": "=", "<<": ">>", ">>": "<<"}
BINARY = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "&": "|", "|": "&"}  # only between two operands
TOKEN = re.compile(r"(?P<space>\s+)|(?P<word>[A-Za-z_]\w*)|(?P<number>(?:0[xX][\da-fA-F.]+(?:[pP][-+]?\d+)?|\d*\.?\d+(?:[eE][-+]?\d+)?)[uUlLfF]*)"
                   r"|(?P<mark><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)", re.S)


def blank(text):
    """The text with comments, preprocessor lines, strings and characters blanked out, of the same length."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:\\\n|[^\n])*'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", "\0" if m.group()[0] in "\"'" else " ", m.group()), text, flags=re.S | re.M)


def tokens(text):
    return [m for m in TOKEN.finditer(blank(text)) if m.lastgroup != "space"]


def other_number(word):
    """A number nearby, or None."""
    m = re.fullmatch(r"(0[xX][\da-fA-F]+|\d+)([uUlL]*)", word)
    if m:
        value = int(m.group(1), 8 if re.match(r"0\d", word) else 0)
        return f"{1 - value if value < 2 else value + 1}{m.group(2)}"
    m = re.fullmatch(r"(\d*\.\d*|\d+)([eE][-+]?\d+)?([fF]?)", word)
    return f"({word} * 2 + 1)" if m else None


def mutants(text):
    """(begin, end, replacement) of every change: none in declarations of types, constants' names or macros."""
    found, depth, skip, functions = [], 0, None, 0
    all_tokens = tokens(text)
    for i, t in enumerate(all_tokens):
        word, kind = t.group(), t.lastgroup
        before = all_tokens[i - 1].group() if i else ""
        after = all_tokens[i + 1].group() if i + 1 < len(all_tokens) else ""
        if word in ("enum", "struct", "union", "typedef") and skip is None and (after == "{" or all_tokens[i + 2].group() == "{"):
            skip = depth  # up to the brace that closes it
        if word == "{":
            functions += depth == 0 and before == ")"
            depth += 1
        elif word == "}":
            depth -= 1
            if skip == depth:
                skip = None
        if depth == 0 or skip is not None:
            continue
        operand = re.fullmatch(r"[\w.]+|[)\]]", before) and before not in ("return", "case", "sizeof", "else")
        if kind == "mark" and word in SWAPS:
            found.append((t.start(), t.end(), SWAPS[word]))
        elif kind == "mark" and word in BINARY and operand and re.match(r"[\w.(]|$", after):
            if text[t.start() - 1] == " " and text[t.end()] == " ":  # `type *name` and casts are no products
                found.append((t.start(), t.end(), BINARY[word]))
        elif kind == "number" and before != "case" and other_number(word):
            found.append((t.start(), t.end(), other_number(word)))
        elif word in ("true", "false"):
            found.append((t.start(), t.end(), "false" if word == "true" else "true"))
        elif word == "!":
            found.append((t.start(), t.end(), ""))
        elif word == "if" and after == "(":
            end, level = i + 1, 0
            while True:
                level += {"(": 1, ")": -1}.get(all_tokens[end].group(), 0)
                if level == 0:
                    break
                end += 1
            condition = text[all_tokens[i + 1].end():all_tokens[end].start()]
            if not re.search(r"[=!<>]=|[<>]|!", condition):
                found.append((all_tokens[i + 1].end(), all_tokens[end].start(), f"!({condition})"))
        elif before in (";", "{", "}", ")") and kind in ("word", "mark") and word not in (
                "return", "if", "else", "for", "while", "do", "switch", "case", "default", "goto", "const", "static", "struct", "enum"):
            m = re.compile(r"(?:[\w.\[\]>*()+-]|->)+ (?:[-+*/|&]?=) [^;{}]*;|\w+\([^;{}]*\);|[\w.>\[\]-]+(?:\+\+|--);|(?:continue|break);").match(text, t.start())
            # What frees is shown by leaks, not by tests.
            if m and not re.match(r"\w*(?:free|_finish|_close|_destroy)\(|(?:u?int\d*_t|int|size_t|float|double|bool|char|unsigned|long|void|FILE)\b|fail:|va_", m.group()):
                found.append((m.start(), m.end(), ";"))
    # What happens without memory is test_failure's, which takes long.
    def memory(begin):
        return re.search(r"vgg_fail_memory|VGG_ERR_MEMORY", text[text.rfind("\n", 0, begin) + 1:text.find(";", begin)])
    return sorted(m for m in set(found) if not memory(m[0])) if functions else []


# ---- building and running ----

# Leaks are not looked for: libraries leave some. The frames are gcc's bug 110027 with AVX-512.
os.environ.update(ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1",
                  UBSAN_OPTIONS="halt_on_error=1")


def run(*command, **how):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how).returncode == 0


def copy_tree():
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, text=True, check=True).stdout
    names = {name for name in listed.split("\0") if name and os.path.exists(os.path.join(TOP, name))}
    for name in names:
        source, to = os.path.join(TOP, name), os.path.join(TREE, name)
        if os.path.islink(source) or not os.path.isfile(source):
            continue
        if os.path.exists(to):
            with open(source, "rb") as a, open(to, "rb") as b:
                if a.read() == b.read():
                    continue
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copyfile(source, to)
        shutil.copymode(source, to)
    for folder, _, files in os.walk(TREE):
        for file in files:
            path = os.path.join(folder, file)
            if os.path.relpath(path, TREE) not in names:
                os.remove(path)


def tests_of(path):
    """The names of the tests that should notice a change of this file."""
    for begin, names in TESTS:
        if path.startswith(begin):
            return names
    header = path[:-2] + ".h"
    tests = os.path.join(TOP, "tests")
    names = []
    for name in sorted(os.listdir(tests)):
        if name.startswith("test_") and name.endswith(".c"):
            with open(os.path.join(tests, name)) as file:
                if f'"{header}"' in file.read():
                    names.append(name[:-2])
    return tuple(names)


def objects_of(path):
    """What is made of this file: of a header, of all that include it."""
    sources = [path]
    if path.endswith(".h"):
        found = subprocess.run(["grep", "-rlF", f'#include "{path}"', "core", "cpu", "vk", "--include=*.c"], cwd=TREE,
                               capture_output=True, text=True).stdout.split()
        sources = sorted(found)
    made = [f"CMakeFiles/vgg16_{'cli' if s.startswith('core/cli/') else 'objects'}.dir/{s}.o" for s in sources]
    return [m for m in made if path.endswith(".c") or os.path.exists(os.path.join(BUILD, m))]  # not another processor's


class Bench:
    """The copy of the tree, built for some tests."""

    def __init__(self, names):
        pattern = names if isinstance(names, str) else "^(" + "|".join(names) + ")$"
        # The seeds of the fuzz targets are another test, which theirs ask for.
        self.ctest = ["ctest", "--test-dir", BUILD, "-R", pattern, "--stop-on-failure"]
        shown = subprocess.run([*self.ctest, "-N"], capture_output=True, text=True).stdout
        self.tests = re.findall(r"Test +#\d+: (\w+)", shown)
        known = subprocess.run(["ninja", "-C", BUILD, "-t", "targets", "all"], capture_output=True, text=True).stdout
        self.targets = [t for t in self.tests if re.search(rf"^{t}: phony", known, re.M)]
        if any(t not in self.targets and t != "fuzz_seeds" for t in self.tests):
            self.targets.append("vgg16")

    def build(self, *targets):
        return run("ninja", "-C", BUILD, *(targets or self.targets))

    def passes(self, seconds):
        return run(*self.ctest, "--timeout", str(seconds))


def digest(objects):
    found = hashlib.sha256()
    for name in objects:
        with open(os.path.join(BUILD, name), "rb") as file:
            found.update(file.read())
    return found.digest()


def try_file(path, args, end):
    """(killed, survived) of one file."""
    bench = Bench(args.tests or tests_of(path))
    if not bench.tests:
        print(f"{path}: no test includes its header; name some by --tests", flush=True)
        return 0, 0
    print(f"{path}: {', '.join(bench.tests)}", flush=True)
    source = os.path.join(TREE, path)
    with open(source) as file:
        text = file.read()
    if not bench.build():
        sys.exit(f"{path}: the tests do not build on the code as it is")
    begin = time.monotonic()
    if not bench.passes(600):
        sys.exit(f"{path}: the tests fail on the code as it is; see {BUILD}/Testing/Temporary/LastTest.log")
    limit = max(60, int(3 * (time.monotonic() - begin)))
    made = objects_of(path)
    plain, every, killed, survived, same, seen = digest(made), mutants(text), 0, 0, 0, args.skip
    chosen = random.Random(f"{args.seed} {path}").sample(every, len(every))
    try:
        for begin, stop, by in chosen[args.skip:]:
            if killed + survived == args.count or time.monotonic() > end:
                break
            seen += 1
            with open(source, "w") as file:
                file.write(text[:begin] + by + text[stop:])
            if not bench.build(*made):
                continue
            if digest(made) == plain:
                same += 1
                continue
            if not bench.build() or not bench.passes(limit):
                killed += 1
                continue
            survived += 1
            line = text.count("\n", 0, begin)
            from_line = text.rfind("\n", 0, begin) + 1
            shown = text[from_line:text.find("\n", stop)]
            changed = shown[:begin - from_line] + by + shown[stop - from_line:]
            print(f"{path}:{line + 1}: survives: {' '.join(changed.split())}\n    for: {' '.join(shown.split())}", flush=True)
    finally:
        with open(source, "w") as file:
            file.write(text)
    print(f"{path}: {killed} of {killed + survived} mutants killed ({len(every)} possible, {same} the same code; --skip {seen})", flush=True)
    return killed, survived


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--tests")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--least", type=float, default=0)
    args = parser.parse_args()
    files = [os.path.relpath(os.path.abspath(f), TOP) for f in args.files]
    for file in files:
        if not file.endswith((".c", ".h")) or not os.path.isfile(os.path.join(TOP, file)) or not file.startswith(("core/", "cpu/", "vk/")):
            sys.exit(f"mutate.py: {file}: is no source file of core/, cpu/ or vk/")
    end = time.monotonic() + args.seconds
    copy_tree()
    how = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O1", "-DVGG16_BENCHMARKS=OFF", "-DVGG16_SANITIZE=address,undefined",
           f"-DVGG16_VULKAN={'ON' if any(f.startswith('vk/') for f in files) else 'OFF'}"]
    if not run("cmake", "-S", TREE, "-B", BUILD, "-G", "Ninja", *how):
        sys.exit("mutate.py: cmake fails")
    killed = survived = 0
    for file in files:
        if time.monotonic() > end:
            print(f"{file}: not tried, the time is over", flush=True)
            continue
        k, s = try_file(file, args, end)
        killed, survived = killed + k, survived + s
    if killed + survived:
        print(f"{killed} of {killed + survived} mutants killed")
    sys.exit(1 if killed < args.least / 100 * (killed + survived) else 0)


if __name__ == "__main__":
    main()
