#!/usr/bin/env bash
# windows_sysroot.sh FOLDER: makes FOLDER what a build for Windows compiles and links against beside mingw-w64's own: zlib,
# stb's and Vulkan's headers from the packages of this machine's Debian or Ubuntu, and cJSON and minizip (a DLL, in bin/),
# built here from their source packages with Debian's patches. Nothing is installed and no root is needed; the compiler must be there (scripts/setup.sh
# test). Licences lie in share/doc. Does nothing when FOLDER is complete already.
set -euo pipefail

wanted=(libz-mingw-w64-dev libstb-dev libvulkan-dev)
sources=(cjson minizip)
compiler=x86_64-w64-mingw32-gcc-posix
archiver=x86_64-w64-mingw32-ar

if [ $# != 1 ]; then
    echo "usage: windows_sysroot.sh FOLDER" >&2
    exit 2
fi
root=$1
# shellcheck source=/dev/null
stamp="$(. /etc/os-release && echo "$ID ${VERSION_ID:-}") ${wanted[*]} ${sources[*]} $(cksum <"$0")"
[ "$(cat "$root/.complete" 2>/dev/null)" != "$stamp" ] || exit 0
if ! command -v $compiler >/dev/null; then
    echo "windows_sysroot.sh: no $compiler; scripts/setup.sh test installs it" >&2
    exit 1
fi
rm -rf "$root"
mkdir -p "$root"/{bin,include/cjson,include/minizip,lib/pkgconfig,share/doc}
root=$(realpath "$root")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck source=scripts/own_apt.sh
. "$(dirname "$0")/../own_apt.sh"
own_apt "$work" amd64
own_apt_sources "$work"
mkdir "$work"/{source,unpacked}
if ! { own_apt_try "$work" apt-get -q update &&
    (cd "$work/archives" && own_apt_try "$work" apt-get -q download "${wanted[@]}") &&
    (cd "$work/source" && own_apt_try "$work" apt-get -q source --download-only "${sources[@]}"); }; then
    echo "windows_sysroot.sh: the packages could not be downloaded (apt-get's words are above)" >&2
    exit 1
fi

for package in "$work"/archives/*.deb; do
    dpkg-deb -x "$package" "$work/unpacked"
done
cp -r "$work"/unpacked/usr/include/* "$root/include"
cp "$work"/unpacked/usr/x86_64-w64-mingw32/include/z*.h "$root/include"
cp "$work/unpacked/usr/x86_64-w64-mingw32/lib/libz.a" "$root/lib"
cp "$work/unpacked/usr/share/doc/libz-mingw-w64-dev/copyright" "$root/share/doc/zlib"
cp "$work/unpacked/usr/share/doc/libstb-dev/copyright" "$root/share/doc/stb"

# package_config MODULE LIBRARY FLAGS VERSION
package_config() {
    cat >"$root/lib/pkgconfig/$1.pc" <<END
Name: $1
Description: $1 for Windows
Version: $4
Libs: -L$root/lib -l$2
Cflags: -I$root/include $3
END
}
package_config zlib z "" "$(sed -n 's/^#define ZLIB_VERSION "\(.*\)"/\1/p' "$root/include/zlib.h")"

# unpack SOURCE: its folder, with the patches of the distribution (quilt's series).
unpack() {
    local folder=$work/$1 patch
    mkdir -p "$folder"
    tar -xf "$(compgen -G "$work/source/$1_*.orig.tar.*" | grep -v '\.asc$' | head -n 1)" -C "$folder" --strip-components=1
    tar -xf "$(compgen -G "$work/source/$1_*.debian.tar.*")" -C "$folder"
    while read -r patch; do
        [ -z "${patch%%#*}" ] || patch -s -d "$folder" -p1 <"$folder/debian/patches/$patch"
    done < <(cat "$folder/debian/patches/series" 2>/dev/null)
    echo "$folder"
}
cjson=$(unpack cjson)
$compiler -O2 -DCJSON_HIDE_SYMBOLS -I"$cjson" -c "$cjson/cJSON.c" -o "$work/cJSON.o"
$archiver rcs "$root/lib/libcjson.a" "$work/cJSON.o"
cp "$cjson/cJSON.h" "$root/include/cjson"
cp "$cjson/LICENSE" "$root/share/doc/cjson"
package_config libcjson cjson -DCJSON_HIDE_SYMBOLS "$(sed -n 's/^#define CJSON_VERSION_[A-Z]* *\([0-9]*\).*/\1/p' "$cjson/cJSON.h" | paste -sd .)"
# Newer releases make it from zlib's source.
minizip=$(unpack "$(compgen -G "$work/source/minizip_*.orig.tar.*" >/dev/null && echo minizip || echo zlib)")
[ ! -d "$minizip/contrib/minizip" ] || minizip=$minizip/contrib/minizip
$compiler -O2 -Wno-incompatible-pointer-types -shared -static -s -I"$root/include" "$minizip"/{ioapi,unzip,zip}.c -L"$root/lib" -lz \
    -Wl,--exclude-libs,ALL -Wl,--no-insert-timestamp -Wl,--out-implib,"$root/lib/libminizip.dll.a" -o "$root/bin/libminizip.dll"
cp "$minizip"/{ioapi,unzip,zip}.h "$root/include/minizip"
cp "${minizip%/contrib/minizip}/debian/copyright" "$root/share/doc/minizip"
echo "$stamp" >"$root/.complete"
