#!/usr/bin/env bash
# windows_zip.sh ZIP [FOLDER]: builds for x86-64 Windows (in FOLDER, or build/windows) and packs what runs there and what a
# program for it is built with: a folder vgg16-VERSION-windows-x86_64. The same commit gives the same bytes.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: windows_zip.sh ZIP [FOLDER]" >&2
    exit 2
fi
zip=$(realpath "$1")
cd "$(dirname "$0")/../.."
build=${2:-build/windows}
root=$PWD/build/windows_sysroot
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

scripts/packaging/windows_sysroot.sh "$root"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release --toolchain "$PWD/scripts/packaging/windows.cmake" \
    -DCMAKE_FIND_ROOT_PATH="$root" -DBUILD_TESTING=OFF -DVGG16_BENCHMARKS=OFF \
    -DCMAKE_EXE_LINKER_FLAGS=-s -DCMAKE_SHARED_LINKER_FLAGS=-s >/dev/null
ninja -C "$build" vgg16 vgg16_shared >/dev/null
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
name=vgg16-$version-windows-x86_64
mkdir -p "$work/$name"/{include,share/vgg16,licences}
cp "$build"/{vgg16.exe,libvgg16-1.dll,libvgg16.dll.a} "$work/$name"
cp "$root"/bin/*.dll "$work/$name"
cp core/vgg16.h core/vgg16_bench.h core/vgg16_ranks.h "$work/$name/include"
cp models/vgg16-cifar10.safetensors "$work/$name/share/vgg16"
cp LICENSE "$work/$name"
cp README.md "$work/$name"
cp "$root"/share/doc/* "$work/$name/licences"
# What is linked into the program and the DLL from the compiler: libgomp, libgcc (GCC Runtime Library Exception), winpthreads.
cp /usr/share/doc/gcc-mingw-w64-base/copyright "$work/$name/licences/gcc"
cp /usr/share/doc/mingw-w64-x86-64-dev/copyright "$work/$name/licences/mingw-w64"
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
python3 - "$zip" "$work" "$name" "$seconds" <<'END'
import os, sys, time, zipfile

path, work, name, seconds = sys.argv[1:]
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, folders, files in os.walk(os.path.join(work, name)):
        folders.sort()
        for file in sorted(files):
            whole = os.path.join(folder, file)
            entry = zipfile.ZipInfo(os.path.relpath(whole, work), time.gmtime(int(seconds))[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with open(whole, "rb") as stream:
                archive.writestr(entry, stream.read())
END
echo "$zip: $(stat -c %s "$zip") bytes"
