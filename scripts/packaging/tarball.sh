#!/usr/bin/env bash
# tarball.sh [--arch ARCH] [--suite SUITE] [--output FOLDER]: vgg16-VERSION-linux-ARCH.tar.xz, which is unpacked anywhere on
# any Linux with a C library as old as that of Debian's SUITE (default bullseye: glibc 2.31; amd64 unless arm64 is asked
# for). Built by this machine's compiler against that suite's packages.
#   - what the program and the library need lies in lib/, with its licences in share/doc/vgg16; libcurl (downloads) and
#     libvulkan are the system's, opened when they are needed; .h5 is read, not written: bullseye's HDF5 locks the file that
#     it is given, which is locked already
#   - the oldest C library that the files ask for is printed, and must not be newer than the suite's
#   - with mmdebstrap and as root, it is tried in fresh roots of SUITE and of trixie, with none of its libraries installed
# The file, SHA256SUMS and an SBOM (SPDX) lie in FOLDER (default build/packages/linux-ARCH). Exit code 0: all of it.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=bullseye arch=amd64 output=
while [ $# -gt 0 ]; do
    case "$1 ${2:-}" in
    "--suite "[a-z]*) suite=$2 ;;
    "--arch "amd64 | "--arch "arm64) arch=$2 ;;
    "--output "?*) output=$2 ;;
    *)
        echo "usage: tarball.sh [--arch amd64|arm64] [--suite SUITE] [--output FOLDER]" >&2
        exit 2
        ;;
    esac
    shift 2
done
output=${output:-build/packages/linux-$arch}
mkdir -p "$output"
output=$(realpath "$output")
root=$PWD/build/packages/sysroot-$suite-$arch built=$PWD/build/packages/linux-$arch.build
scripts/packaging/sysroot.sh --arch "$arch" --suite "$suite" "$root"
triplet=$([ "$arch" = amd64 ] && echo x86_64-linux-gnu || echo aarch64-linux-gnu)
libs=$root/usr/lib/$triplet
# The compiler's own libgomp may ask for a newer C library.
ln -sfn libgomp.so.1 "$libs/libgomp.so"
# Headers that know no C library are this machine's; those of an old system lack what is asked for at run time.
cp -r /usr/include/vulkan /usr/include/vk_video /usr/include/stb "$root/usr/include"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

toolchain=(-DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=NEVER -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY
    -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY)
[ "$arch" = "$(dpkg --print-architecture)" ] || toolchain=(--toolchain scripts/packaging/aarch64.cmake)
PKG_CONFIG_LIBDIR=$libs/pkgconfig:$root/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
    cmake -S . -B "$built" -G Ninja "${toolchain[@]}" -DCMAKE_SYSROOT="$root" -DCMAKE_LIBRARY_ARCHITECTURE="$triplet" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DVGG16_BENCHMARKS=OFF -DVGG16_PROGRAM_SHARED=ON -DVGG16_VULKAN=ON \
    -DVGG16_WITH_JPEG=ON -DVGG16_WITH_WEBP=ON -DVGG16_WITH_TIFF=ON -DVGG16_WITH_ZIP=ON -DVGG16_WITH_CURL=ON \
    -DVGG16_WITH_HDF5=OFF -DVGG16_WITH_OPENMPI=OFF -DVGG16_WITH_MPICH=OFF -DCMAKE_INSTALL_PREFIX=/opt/vgg16 \
    -DCMAKE_INSTALL_LIBDIR=lib "-DCMAKE_INSTALL_RPATH=\$ORIGIN/../lib" -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON \
    "-DCMAKE_C_FLAGS=-ffile-prefix-map=$PWD=." -DCMAKE_EXE_LINKER_FLAGS="-L$libs -static-libgcc -Wl,--disable-new-dtags" \
    -DCMAKE_SHARED_LINKER_FLAGS="-L$libs -static-libgcc -Wl,--disable-new-dtags" >/dev/null
cmake --build "$built"

version=$(sed -nE 's/^project\(vgg16 VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
name=vgg16-$version-linux-$([ "$arch" = amd64 ] && echo x86_64 || echo aarch64)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$built" --prefix "$work/$name" --strip >/dev/null
# The static library would need other packages.
rm "$work/$name/lib/libvgg16.a" "$work/$name/lib/cmake/vgg16/"vgg16-static*
sed -i '/\.private:/d' "$work/$name/lib/pkgconfig/vgg16.pc"
cp README.md SECURITY.md LICENSE "$work/$name"

# What is needed, and what that needs, but for the C library.
needs() { objdump -p "$1" | awk '$1 == "NEEDED" && $2 !~ /^(ld-linux|lib(c|m|dl|rt|pthread)\.so)/ { print $2 }'; }
opened() { grep -aoE 'lib(jpeg|webp|tiff|minizip|crypto)\.so\.[0-9.]+' "$work/$name/lib/libvgg16.so.$version" | sort -u; }
wanted=$(needs "$work/$name/bin/vgg16"; needs "$work/$name/lib/libvgg16.so.$version"; opened)
mkdir -p "$work/$name/share/doc/vgg16"
while [ -n "$wanted" ]; do
    more=
    for file in $wanted; do
        if [ -e "$work/$name/lib/$file" ]; then continue; fi
        cp -L "$libs/$file" "$work/$name/lib/$file"
        more+=" $(needs "$libs/$file")"
        package=$(awk -F'\t' -v "end=/$(basename "$(realpath "$libs/$file")")" 'substr($2, length($2) - length(end) + 1) == end { print $1; exit }' "$root/files")
        cp "$root/usr/share/doc/$package/copyright" "$work/$name/share/doc/vgg16/$package.copyright"
        grep "^$package"$'\t' "$root/packages" >>"$work/with"
    done
    wanted=$more
done
cp /usr/share/doc/libstb-dev/copyright "$work/$name/share/doc/vgg16/libstb-dev.copyright"
dpkg-query -W -f "\${Package}\t\${Version}\t\${Architecture}\n" libstb-dev >>"$work/with"
sort -u "$work/with" | sed "s#\$#\tshare/doc/vgg16: its copyright file#" >"$work/with.tsv"

asked() { find "$work/$name" -type f \( -name '*.so*' -o -path '*/bin/*' \) -exec objdump -T {} + | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1; }
floor=$(asked) has=$(awk -F'\t' '$1 == "libc6" { sub("-.*", "", $2); print $2 }' "$root/packages")
echo "$name needs $floor; $suite has $has"
if [ "$(printf '%s\n' "${floor#GLIBC_}" "$has" | sort -V | tail -n 1)" != "$has" ]; then
    echo "tarball.sh: $name would not start on $suite" >&2
    exit 1
fi
tar -c --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw -C "$work" "$name" |
    xz -T1 -9 >"$output/$name.tar.xz"
scripts/packaging/sbom.py --name vgg16 --version "$version" --with "$work/with.tsv" --output "$output/$name.spdx.json" "$output/$name.tar.xz"
(cd "$output" && sha256sum -- "$name.tar.xz" "$name.spdx.json" >SHA256SUMS && cat SHA256SUMS)

if [ "$(id -u)" != 0 ] || ! command -v mmdebstrap >/dev/null; then
    echo "tarball.sh: not tried: fresh roots take root and mmdebstrap" >&2
    exit 0
fi
here=$(dpkg --print-architecture)
cat >"$work/try.sh" <<END
set -euo pipefail
mkdir -p /opt/anywhere && tar -xf /in.tar.xz -C /opt/anywhere
export PATH=/opt/anywhere/$name/bin:\$PATH
if [ $arch != $here ]; then
    printf '#!/bin/sh\nexec qemu-aarch64 /opt/anywhere/$name/bin/vgg16 "\$@"\n' >/usr/local/bin/vgg16
    chmod +x /usr/local/bin/vgg16
    export PATH=/usr/local/bin:\$PATH
fi
vgg16 --version
mkdir -p /checkout/scripts/packaging && cp /readme.py /checkout/scripts/packaging && cp /opt/anywhere/$name/README.md /checkout
python3 /checkout/scripts/packaging/readme.py \$1
END
for tried in "$suite" trixie; do
    parts=small
    if [ "$tried" = "$suite" ] && [ "$arch" = "$here" ]; then parts="program small"; fi
    echo "== tried in $tried: $parts"
    if ! mmdebstrap --mode=root --variant=apt --architectures="$here$([ "$arch" = "$here" ] || echo ",$arch")" \
        --include="python3,xz-utils$([ "$arch" = "$here" ] || echo ",qemu-user,libc6:$arch")" \
        --customize-hook="copy-in '$work/try.sh' scripts/packaging/readme.py /" --customize-hook="upload '$output/$name.tar.xz' /in.tar.xz" \
        --customize-hook="chroot \"\$1\" bash /try.sh '$parts'" "$tried" /dev/null >"$output/$tried.log" 2>&1 </dev/null; then
        tail -n 30 "$output/$tried.log" >&2
        echo "tarball.sh: failed in $tried (above: the end of $output/$tried.log)" >&2
        exit 1
    fi
    grep -E '^(\$ |# |images|vgg16 )' "$output/$tried.log"
done
