#!/usr/bin/env bash
# faults.sh [sites|all|NUMBER] [REGEX]: every kind of output of every command while one call fails, each in its own run:
# memory, files, connections, threads (tests/cli/test_cli_faults.py); then, after each change to a file, a loss of power
# (test_cli_crash.py). With "sites", the default, each call in the code that leads there fails once, some 20 minutes; with
# "all" each call at all, many hours; else so many of the places a class and run, picked by a seed. REGEX: only runs of such
# names. A sample is tried again under AddressSanitizer and UndefinedBehaviorSanitizer. Prints what was counted. Exit code 0:
# nothing failed.
set -euo pipefail
cd "$(dirname "$0")/.."

share=${1:-sites} only=${2:-} failed=0
if ! [[ $share =~ ^(sites|all|[0-9]+)$ ]]; then
    echo "faults.sh: '$share' is none of sites, all and a number; see the head of scripts/faults.sh" >&2
    exit 2
fi
export OMP_WAIT_POLICY=passive VGG16_FAULTS_ONLY=$only

# try BUILD SHARE TEST...: tests of the program by build/BUILD.
try() {
    local built=$PWD/build/$1
    export VGG16_PROGRAM=$built/vgg16 VGG16_FAULTS_LIBRARY=$built/tests/libfaults.so VGG16_FAULTS_SHARE=$2
    (cd tests/cli && python3 -B -m unittest "${@:3}") || failed=1
}

cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DVGG16_WERROR=ON >/dev/null
ninja -C build/release vgg16 faults >/dev/null
try release "$share" test_cli_faults test_cli_crash

cmake -S . -B build/asan -G Ninja -DCMAKE_BUILD_TYPE=Release -DVGG16_WERROR=ON -DVGG16_SANITIZE=address,undefined >/dev/null
ninja -C build/asan vgg16 faults >/dev/null
. scripts/sanitizers.sh
if ! [[ $share =~ ^[0-9]+$ ]] || [ "$share" -gt 20 ]; then share=20; fi
try asan "$share" test_cli_faults
[ $failed = 0 ]
