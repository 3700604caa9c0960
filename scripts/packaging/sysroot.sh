#!/usr/bin/env bash
# aarch64_sysroot.sh FOLDER: makes FOLDER a root of aarch64 Linux to compile, link and emulate against: the same packages
# of the same Debian or Ubuntu as this machine's, downloaded and unpacked, not installed. Needs neither root nor a
# foreign architecture in dpkg. Does nothing when FOLDER is complete already.
set -euo pipefail

wanted=(libc6-dev libgomp1 libcriterion-dev libsleef-dev libstb-dev libcjson-dev libhdf5-dev libcurl4-openssl-dev
    libssl-dev zlib1g-dev libminizip-dev libjpeg-dev libwebp-dev libtiff-dev)

if [ $# != 1 ]; then
    echo "usage: aarch64_sysroot.sh FOLDER" >&2
    exit 2
fi
root=$1
# shellcheck source=/dev/null
stamp="$(. /etc/os-release && echo "$ID ${VERSION_ID:-}") ${wanted[*]}"
[ "$(cat "$root/.complete" 2>/dev/null)" != "$stamp" ] || exit 0
rm -rf "$root"
mkdir -p "$root/usr/lib" "$root/usr/bin"
root=$(realpath "$root")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An apt of its own, to which nothing is installed yet; Ubuntu keeps this architecture on another host.
mkdir -p "$work"/{lists/partial,archives/partial,sources.d}
: >"$work/status"
cp /etc/apt/sources.list "$work/sources.list" 2>/dev/null || : >"$work/sources.list"
cp /etc/apt/sources.list.d/*.{list,sources} "$work/sources.d" 2>/dev/null || true
sed -i -E 's#https?://([a-z.]*archive|security)\.ubuntu\.com/ubuntu/?#http://ports.ubuntu.com/ubuntu-ports/#' \
    "$work/sources.list" "$work"/sources.d/* 2>/dev/null || true
cat >"$work/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
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
    echo "aarch64_sysroot.sh: the packages for arm64 could not be downloaded (apt-get's words are above)" >&2
    exit 1
fi

# Merged /usr, as installed systems have it; links that name an absolute target stay within the root.
ln -s usr/lib "$root/lib"
for package in "$work"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
done
while IFS= read -r link; do
    target=$(readlink "$link")
    case $target in /*) ln -sfn "$root$target" "$link" ;; esac
done < <(find "$root" -type l)
# What the package's installation script would choose.
ln -sfn hdf5-serial.pc "$root/usr/lib/aarch64-linux-gnu/pkgconfig/hdf5.pc"
echo "$stamp" >"$root/.complete"
