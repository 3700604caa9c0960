#!/usr/bin/python3
"""compare.py --build FOLDER [--rounds N] [--threads N] [--isa LEVEL] [CASE...]: this engine and others on the same work, turn
about in one run, since a machine's speed drifts with its neighbours. Prints the medians over the rounds and the median of each
round's own ratio to this engine, and writes FOLDER/peers.json:

{"date", "processor", "threads", "isa", "rounds",
 "cases": {CASE: {"vgg16": {"images_per_second": [one a round], "median": ..., "peak_mib": ...},
                  ENGINE: {... the same, "ratio": this engine's rate over ENGINE's}}}}

--isa avx2 keeps every engine that can be told so (this one, PyTorch, oneDNN) from newer instructions.
CASE-bf16 and CASE-int8, of the cases that extract, compute in that precision, with AMX and without."""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FORWARD = ("extract-224-b1", "extract-224-b8", "extract-150-b8", "extract-32-b64")
STEPS = ("block5-150-b20", "block5-reused-150-b20", "all-224-b8", "all-32-b64")
PRECISIONS = tuple(f"extract-224-{batch}-{precision}" for precision in ("bf16", "int8") for batch in ("b1", "b8"))
WITHOUT_AMX = {"DNNL_MAX_CPU_ISA": "AVX512_CORE_BF16"}
# What PyTorch runs beside a case it cannot do: without kept features it runs the frozen layers in each step.
PYTORCH_CASE = {"block5-reused-150-b20": "block5-150-b20"}


def precision_commands(case, precision, options):
    """As commands(), of a case in another precision than fp32."""
    net = [f"{options.build}/benchmarks/bench_net", "-t", str(options.threads), "-s", str(options.seconds), "-i", options.isa]
    bare = [f"{options.build}/onednn", str(options.threads), str(options.seconds)]
    plain = case.removesuffix("-" + precision)
    runs = [("vgg16", [*net, "-p", precision, plain]), ("vgg16, fp32", [*net, plain])]
    if options.isa == "auto":
        runs += [("vgg16, no AMX", [*net, "-x", "-p", precision, plain]),
                 ("oneDNN, no AMX", ["env", *(f"{k}={v}" for k, v in WITHOUT_AMX.items()), *bare, case])]
    if precision == "int8":
        runs.append(("vgg16, direct", [*net, "-c", "direct", "-p", precision, plain]))
        runs.append(("oneDNN, Winograd", [*bare, case + "-winograd"]))
        runs.append(("ONNX Runtime", ["node", f"{HERE}/onnxruntime.mjs", f"{options.build}/vgg16-int8.onnx", str(options.threads),
                                      str(options.seconds), plain]))
    return [*runs, ("oneDNN", [*bare, case])]


def commands(case, options):
    """[(engine, command)] for the engines that can run the case."""
    build, threads, seconds = options.build, str(options.threads), str(options.seconds)
    precision = case.rsplit("-", 1)[1]
    if precision in ("bf16", "int8"):
        return precision_commands(case, precision, options)
    runs = [("vgg16", [f"{build}/benchmarks/bench_net", "-t", threads, "-s", seconds, "-i", options.isa, case]),
            ("vgg16, 1 thread", [f"{build}/benchmarks/bench_net", "-t", "1", "-s", seconds, "-i", options.isa, case]),
            ("PyTorch", ["/usr/bin/python3", f"{HERE}/pytorch.py", "-t", threads, "-s", seconds, PYTORCH_CASE.get(case, case)])]
    if case in FORWARD:
        runs.append(("ONNX Runtime", ["node", f"{HERE}/onnxruntime.mjs", f"{build}/vgg16.onnx", threads, seconds, case]))
    if not case.startswith("block5"):
        runs.append(("oneDNN", [f"{build}/onednn", threads, seconds, case]))
    return runs


def measure(command, options):
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads))
    if options.isa == "avx2":
        environment.update(DNNL_MAX_CPU_ISA="AVX2", ATEN_CPU_CAPABILITY="avx2")
    done = subprocess.run(command, cwd=options.build, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"compare.py: {' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def processor():
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def default_cases(options):
    with open("/proc/cpuinfo") as lines:
        bf16 = options.isa == "auto" and "avx512_bf16" in lines.read()
    return FORWARD + STEPS + tuple(case for case in PRECISIONS if bf16 or not case.endswith("bf16"))


def show(cases):
    print(f"{'images per second':24} {'engine':16} {'median':>9} {'ratio':>7} {'peak MiB':>9}")
    for case, engines in cases.items():
        for engine, figures in engines.items():
            ratio = f"{figures['ratio']:7.2f}" if "ratio" in figures else " " * 7
            print(f"{case:24} {engine:16} {figures['median']:9.2f} {ratio} {figures['peak_mib']:9}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--isa", default="auto")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all that the processor can")
    options = parser.parse_args()
    options.cases = options.cases or default_cases(options)
    options.build = os.path.abspath(options.build)
    cases = {}
    for turn in range(options.rounds):
        for case in options.cases:
            print(f"round {turn + 1} of {options.rounds}: {case}", file=sys.stderr)
            for engine, command in commands(case, options):
                row = measure(command, options)
                figures = cases.setdefault(case, {}).setdefault(engine, {"images_per_second": [], "peak_mib": 0})
                figures["images_per_second"].append(row["images_per_second"])
                figures["peak_mib"] = max(figures["peak_mib"], row["peak_mib"])
                if "winograd" in row:
                    figures["winograd"] = f"{row['winograd']} of {row['convolutions']} convolutions"
    for engines in cases.values():
        ours = engines["vgg16"]["images_per_second"]
        for engine, figures in engines.items():
            figures["median"] = statistics.median(figures["images_per_second"])
            if engine != "vgg16":
                figures["ratio"] = round(statistics.median(a / b for a, b in zip(ours, figures["images_per_second"])), 3)
    show(cases)
    with open(f"{options.build}/peers.json", "w") as out:
        json.dump({"date": datetime.date.today().isoformat(), "processor": processor(), "threads": options.threads,
                   "isa": options.isa, "rounds": options.rounds, "cases": cases}, out, indent=1)
    print(f"{options.build}/peers.json holds every round", file=sys.stderr)


if __name__ == "__main__":
    main()
