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

# An apt of its own, to which nothing is installed yet; Ubuntu keeps arm64 on another host.
mkdir -p "$work"/{lists/partial,archives/partial,sources.d}
: >"$work/status"
if [ -n "$suite" ]; then
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main" >"$work/sources.list"
else
    cp /etc/apt/sources.list "$work/sources.list" 2>/dev/null || : >"$work/sources.list"
    cp /etc/apt/sources.list.d/*.{list,sources} "$work/sources.d" 2>/dev/null || true
fi
[ "$arch" != arm64 ] || sed -i -E 's#https?://([a-z.]*archive|security)\.ubuntu\.com/ubuntu/?#http://ports.ubuntu.com/ubuntu-ports/#' \
    "$work/sources.list" "$work"/sources.d/* 2>/dev/null || true
cat >"$work/apt.conf" <<END
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/sources.d";
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work";
Dir::Cache::archives "$work/archives";
END
export APT_CONFIG=$work/apt.conf
if ! { apt-get -q update && apt-get -q install --no-install-recommends --download-only -y "${wanted[@]}"; } \
    >"$work/log" 2>&1 </dev/null; then
    tail -n 30 "$work/log" >&2
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
