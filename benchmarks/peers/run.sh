#!/usr/bin/env bash
# run.sh [-n ROUNDS] [-t THREADS] [CASE...]: this engine and PyTorch on the same work, turn about in one run, since a machine's
# speed drifts with its neighbours. Prints the medians over the rounds, and the median of the rounds' own ratios; every
# measurement goes to build/peers.jsonl. Cases: those of benchmarks/bench_net.c.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=3 threads=$(nproc)
while getopts n:t: option; do
    case $option in
    n) rounds=$OPTARG ;;
    t) threads=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
cases=("$@")
[ $# -gt 0 ] || cases=(extract-224-b1 extract-224-b8 extract-150-b8 block5-150-b20 all-224-b8)

scripts/setup.sh test
cmake -S . -B build/peers -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF >/dev/null
ninja -C build/peers bench_net >/dev/null

out=build/peers.jsonl
: >"$out"
for ((round = 1; round <= rounds; round++)); do
    for case in "${cases[@]}"; do
        echo "round $round of $rounds: $case" >&2
        build/peers/benchmarks/bench_net -t "$threads" "$case" >>"$out"
        OMP_NUM_THREADS=$threads /usr/bin/python3 benchmarks/peers/pytorch.py -t "$threads" "$case" >>"$out"
    done
done

/usr/bin/python3 - "$out" <<'EOF'
import json, statistics, sys

rates = {}
for line in open(sys.argv[1]):
    row = json.loads(line)
    rates.setdefault(row["case"], {}).setdefault(row["engine"], []).append(row["images_per_second"])
print(f"{'images per second':18} {'vgg16':>10} {'PyTorch':>10} {'ratio':>8}")
for case, engines in rates.items():
    ours, theirs = engines["vgg16"], engines["pytorch"]
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"{case:18} {statistics.median(ours):10.2f} {statistics.median(theirs):10.2f} {ratio:8.2f}")
EOF
