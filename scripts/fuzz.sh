#!/usr/bin/env bash
# fuzz.sh HOURS [TARGET]...: searches for inputs that break a reader: the targets of tests/fuzz (all of them, without a
# TARGET) by clang's libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, one after the other, HOURS (0.5, 2)
# divided among them. For each it prints executions, edges reached, and faults: inputs that crash, leak, take more than
# 10 s or 2 GiB, or break what the target asserts. They are left in build/fuzz/found/TARGET; one that has been mended
# belongs into tests/fuzz/corpus/TARGET, which the tests replay. What a search has learned stays in build/fuzz/work/TARGET
# for the next one. Exit code 0: no faults.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    echo "fuzz.sh: $1; usage: scripts/fuzz.sh HOURS [TARGET]..., such as scripts/fuzz.sh 0.5 hdf pickle" >&2
    exit 2
}

[ $# -gt 0 ] || usage "no HOURS"
[[ $1 =~ ^[0-9]*\.?[0-9]+$ ]] || usage "HOURS is '$1', no number"
hours=$1
shift
known=()
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    case $name in
    fuzz_main | fuzz_mutate*) ;;
    *) known+=("${name#fuzz_}") ;;
    esac
done
targets=("${@:-${known[@]}}")
for target in "${targets[@]}"; do
    [[ " ${known[*]} " == *" $target "* ]] || usage "no target '$target'; there are ${known[*]}"
done
seconds=$(awk -v hours="$hours" -v count="${#targets[@]}" 'BEGIN { printf "%d", hours * 3600 / count }')
[ "$seconds" -gt 0 ] || usage "HOURS leave no second for each of ${#targets[@]} targets"

build=build/fuzz
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang -DVGG16_VULKAN=OFF \
    -DVGG16_BENCHMARKS=OFF -DVGG16_SANITIZE=fuzzer-no-link,address,undefined &&
    ninja -C $build "${targets[@]/#/fuzz_}"; } >"$log" 2>&1; then
    tail -n 40 "$log"
    exit 1
fi
python=/usr/bin/python3
"$python" -B tests/fuzz/make_seeds.py $build/seeds
export ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=0
export LSAN_OPTIONS=suppressions=$PWD/scripts/lsan.supp:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

bad=0
for target in "${targets[@]}"; do
    work=$build/work/$target found=$build/found/$target options=()
    mkdir -p "$work" "$found"
    [ ! -e "tests/fuzz/$target.dict" ] || options+=("-dict=tests/fuzz/$target.dict")
    folders=("$work" "$build/seeds/$target")
    [ ! -d "tests/fuzz/corpus/$target" ] || folders+=("tests/fuzz/corpus/$target")
    before=$(find "$found" -type f | wc -l) runs=0 begun=$SECONDS
    # A fault ends libFuzzer: what time is left goes to the next try, which does not begin with it.
    while [ $((SECONDS - begun)) -lt "$seconds" ]; do
        "$build/tests/fuzz/fuzz_$target" -max_total_time=$((seconds - SECONDS + begun)) -timeout=10 -rss_limit_mb=2048 \
            -print_final_stats=1 "-artifact_prefix=$found/" "${options[@]}" "${folders[@]}" >"$log" 2>&1 && ended=0 || ended=$?
        cp "$log" "$build/$target.log"
        n=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
        runs=$((runs + ${n:-0}))
        [ "$ended" != 0 ] || break
        grep -aE 'ERROR: |runtime error: |SUMMARY: |of error and' "$log" | head -n 3 || true
        [ "${n:-0}" -gt 100 ] || break # it fails on what it begins with
    done
    after=$(find "$found" -type f | wc -l)
    edges=$(grep -aoE 'cov: [0-9]+' "$log" | tail -n 1 || true)
    printf '%-12s %9d executions %6s edges %5d s %3d faults\n' "$target" "$runs" "${edges#cov: }" $((SECONDS - begun)) \
        $((after - before))
    bad=$((bad + after - before))
done
[ "$bad" = 0 ] || echo "fuzz.sh: $bad inputs in $build/found"
[ "$bad" = 0 ]
