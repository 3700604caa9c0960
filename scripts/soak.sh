#!/usr/bin/env bash
# soak.sh MINUTES [PART]...: long runs that must not grow, and slow checks; MINUTES (0.5, 30); without a PART all:
#   cpu       trains, evaluates and extracts in one process for so long: memory and descriptors stay, results are the same
#   vulkan    the same on lavapipe
#   valgrind  every operation in plain C under valgrind: some minutes, whatever MINUTES says
# Builds into build/soak. Exit code 0: nothing failed.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-} parts=("${@:2}") failed=0
if ! [[ $minutes =~ ^[0-9]*\.?[0-9]+$ ]]; then
    echo "soak.sh: how many minutes? see the head of scripts/soak.sh" >&2
    exit 2
fi
[ ${#parts[@]} -gt 0 ] || parts=(cpu vulkan valgrind)
for part in "${parts[@]}"; do
    case $part in
    cpu | vulkan | valgrind) ;;
    *)
        echo "soak.sh: no part '$part'; see the head of scripts/soak.sh" >&2
        exit 2
        ;;
    esac
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

seconds=$(awk -v minutes="$minutes" 'BEGIN { print 60 * minutes }')

soak() { # BACKEND
    mkdir -p "$work/$1"
    build/soak/tests/soak "$1" "$seconds" tests/images "$work/$1" || failed=1
}

run_cpu() {
    VK_ICD_FILENAMES=/dev/null soak cpu
}

run_vulkan() {
    local icd
    icd=$(compgen -G "/usr/share/vulkan/icd.d/lvp_icd*.json" | head -n 1) || true
    if [ -z "$icd" ]; then
        echo "[SKIP] soak::vulkan: lavapipe is not installed (Debian: mesa-vulkan-drivers)"
        return
    fi
    VK_ICD_FILENAMES=$icd XDG_RUNTIME_DIR=$work XDG_CACHE_HOME=$work soak vulkan
}

# What OpenMP's runtime and HDF5 keep to the end is reachable, and no error.
run_valgrind() {
    if ! command -v valgrind >/dev/null; then
        echo "[SKIP] valgrind: it is not installed (Debian: valgrind)"
        return
    fi
    if VK_ICD_FILENAMES=/dev/null valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
        --errors-for-leak-kinds=definite build/soak/vgg16 selftest --backend cpu --isa scalar --threads 1 >"$work/valgrind" 2>&1; then
        echo "[PASS] valgrind: $(tail -n 1 "$work/valgrind")"
    else
        tail -n 40 "$work/valgrind"
        echo "[FAIL] valgrind"
        failed=1
    fi
}

cmake -S . -B build/soak -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
ninja -C build/soak vgg16 soak >/dev/null
for part in "${parts[@]}"; do
    "run_$part"
done
[ $failed = 0 ]
