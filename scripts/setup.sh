#!/usr/bin/env bash
# setup.sh [build|test|demo|peers|packages]...: installs the Debian or Ubuntu packages that a task needs; default: build.
# Asks nothing, needs root or sudo only when a package is absent, and does nothing when all are there.
set -euo pipefail

build=(gcc libc6-dev cmake ninja-build pkg-config libsleef-dev libstb-dev libcjson-dev libhdf5-dev
    libcurl4-openssl-dev libssl-dev zlib1g-dev libminizip-dev libjpeg-dev libwebp-dev libtiff-dev libvulkan-dev
    glslang-tools spirv-tools)
# The second compiler, its sanitizers' run time, what the references come from, and Vulkan drivers that need no GPU.
test=(git g++ libcriterion-dev clang libomp-dev libclang-rt-dev clang-format shellcheck
    mypy python3-torch python3-h5py python3-numpy python3-sklearn python3-pil python3-onnx python3-protobuf libonnx-testdata
    dataset-fashion-mnist gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user libsimde-dev mesa-vulkan-drivers
    chromium spirv-cross groff-base zsh libopenmpi-dev openmpi-bin libmpich-dev mpich gcc-mingw-w64-x86-64-posix wine64 xvfb)
# Fresh roots for packages, and cross builds.
packages=(mmdebstrap dpkg-dev git python3 xz-utils gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
demo=(dataset-fashion-mnist ca-certificates)
# Other engines to measure against; a Node.js that is not Debian's will do.
peers=(python3-torch python3-onnx libdnnl-dev)
command -v npm >/dev/null || peers+=(nodejs npm)

wanted=("${build[@]}")
for group in "${@:-build}"; do
    case $group in
    build) ;;
    test) wanted+=("${test[@]}") ;;
    demo) wanted+=("${demo[@]}") ;;
    peers) wanted+=("${peers[@]}") ;;
    packages) wanted+=("${packages[@]}") ;;
    *)
        echo "setup.sh: no group '$group'; there are build, test, demo, peers and packages" >&2
        exit 2
        ;;
    esac
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "setup.sh: no apt-get here: nothing installed; README.md names the packages of other systems" >&2
    exit 0
fi

states=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for name in "${wanted[@]}"; do
    grep -qx "$name installed" <<<"$states" || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup.sh: neither root nor sudo; as root run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "setup.sh: installing ${missing[*]}" >&2
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    echo "setup.sh: apt-get could not install ${missing[*]} (its words are above)" >&2
    exit 1
fi
