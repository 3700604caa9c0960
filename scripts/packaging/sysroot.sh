#!/usr/bin/env bash
# sysroot.sh [--arch ARCH] [--suite SUITE] FOLDER [PACKAGE]...: makes FOLDER a root to compile, link and emulate against:
# Debian's packages for ARCH (default arm64) of this machine's Debian or Ubuntu, or of Debian's SUITE, downloaded and
# unpacked, not installed. Needs neither root nor a foreign architecture in dpkg. Does nothing when FOLDER is complete
# already. FOLDER/packages says what it holds (name, version, architecture), FOLDER/files from
# which package each file is.
set -euo pipefail

wanted=(libc6-dev libgomp1 libsleef-dev libstb-dev libcjson-dev libhdf5-dev libcurl4-openssl-dev libssl-dev zlib1g-dev
    libminizip-dev libjpeg-dev libwebp-dev libtiff-dev)

arch=arm64 suite=
while [[ ${1:-} == --* ]]; do
    case $1 in
    --arch) arch=${2:-} ;;
    --suite) suite=${2:-} ;;
    *) set -- ;;
    esac
    shift $(($# < 2 ? $# : 2))
done
if [ $# -lt 1 ] || [ -z "$arch" ]; then
    echo "usage: sysroot.sh [--arch ARCH] [--suite SUITE] FOLDER [PACKAGE]..." >&2
    exit 2
fi
root=$1
shift
wanted+=("$@")
case $arch in
amd64) triplet=x86_64-linux-gnu ;;
arm64) triplet=aarch64-linux-gnu ;;
*)
    echo "sysroot.sh: no architecture '$arch'; there are amd64 and arm64" >&2
    exit 2
    ;;
esac
# shellcheck source=/dev/null
stamp="$(. /etc/os-release && echo "${suite:-$ID ${VERSION_ID:-}}") $arch ${wanted[*]}"
[ "$(cat "$root/.complete" 2>/dev/null)" != "$stamp" ] || exit 0
rm -rf "$root"
mkdir -p "$root/usr/lib" "$root/usr/bin"
root=$(realpath "$root")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck source=scripts/own_apt.sh
. "$(dirname "$0")/../own_apt.sh"
own_apt "$work" "$arch" ${suite:+"$suite"}
if ! { own_apt_try "$work" apt-get -q update &&
    own_apt_try "$work" apt-get -q install --download-only -y "${wanted[@]}"; }; then
    echo "sysroot.sh: the packages for $arch could not be downloaded (apt-get's words are above)" >&2
    exit 1
fi

# Merged /usr, as installed systems have it; links that name an absolute target stay within the root.
ln -s usr/lib "$root/lib"
[ "$arch" != amd64 ] || { mkdir "$root/usr/lib64" && ln -s usr/lib64 "$root/lib64"; }
for package in "$work"/archives/*.deb; do
    dpkg-deb --show --showformat "\${Package}\t\${Version}\t\${Architecture}\n" "$package" >>"$root/packages"
    dpkg-deb --fsys-tarfile "$package" | tar -xv --keep-directory-symlink -C "$root" |
        sed "s#^\.#$(dpkg-deb --field "$package" Package)\t#" >>"$root/files"
done
while IFS= read -r link; do
    target=$(readlink "$link")
    case $target in /*) ln -sfn "$root$target" "$link" ;; esac
done < <(find "$root" -type l)
# What the package's installation script would choose.
ln -sfn hdf5-serial.pc "$root/usr/lib/$triplet/pkgconfig/hdf5.pc"
echo "$stamp" >"$root/.complete"
