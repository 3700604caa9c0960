#!/usr/bin/env bash
# newer_mesa.sh FOLDER [SUITE]: unpacks a newer Mesa with the C library that it wants, spirv-val and glslang into FOLDER,
# from Debian and without installing anything. SUITE: trixie-backports (default; lavapipe has matrix cores) or
# bookworm-backports (RADV compiles for matrix cores of a GPU that is not there: RADV_FORCE_FAMILY=navi31).
# FOLDER/run PROGRAM ARGUMENT... runs a program on it; tests with VGG16_NEWER_MESA=FOLDER use it by themselves.
# FOLDER/lvp.json and FOLDER/radv.json are what VK_ICD_FILENAMES takes. Does nothing where FOLDER is filled already.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "newer_mesa.sh FOLDER [SUITE]" >&2
    exit 2
fi
folder=$(realpath -m "$1") suite=${2:-trixie-backports}
[ ! -x "$folder/run" ] || exit 0
if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "newer_mesa.sh: needs apt-get and dpkg-deb on x86-64" >&2
    exit 1
fi

# The mirror that this machine uses, else Debian's own; Debian's keys.
keys=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    awk '/^URIs:/ && $2 ~ /\/debian\/?$/ { print $2; exit } /^deb / { for (i = 2; i < NF; i++) if ($i ~ /\/debian\/?$/) { print $i; exit } }' || true)
mirror=${mirror:-http://deb.debian.org/debian}
if [ ! -e "$keys" ]; then
    echo "newer_mesa.sh: no $keys (Debian and Ubuntu: debian-archive-keyring)" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{etc/apt.conf.d,etc/preferences.d,etc/trusted.gpg.d,state/lists/partial,cache/archives/partial}
touch "$work/state/status"
for name in "${suite%-backports}" "$suite"; do
    echo "deb [signed-by=$keys] $mirror $name main"
done | sort -u >"$work/etc/sources.list"
apt=(apt-get -q -o "Dir::Etc=$work/etc" -o "Dir::Etc::SourceList=$work/etc/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State=$work/state" -o "Dir::State::status=$work/state/status" -o "Dir::Cache=$work/cache"
    -o APT::Architectures::=amd64 -o Acquire::Retries=3 -o APT::Install-Recommends=0 -o APT::Sandbox::User=root)
# Beside the drivers what this program is linked to, for that C library.
packages=(mesa-vulkan-drivers libvulkan1 libc6 libstdc++6 libgomp1 libcjson1 libsleef3 zlib1g spirv-tools glslang-tools)
case $suite in
bookworm*) packages+=(libhdf5-103-1 libcurl4 libssl3) ;;
*) packages+=(libhdf5-310 libcurl4t64 libssl3t64) ;;
esac
if ! { "${apt[@]}" update && "${apt[@]}" -t "$suite" install -y --download-only "${packages[@]}"; } >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    echo "newer_mesa.sh: $mirror gives no $suite (its words are above)" >&2
    exit 1
fi
mkdir -p "$folder"
for package in "$work"/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$folder"
done

lib=$folder/usr/lib/x86_64-linux-gnu low=$folder/lib/x86_64-linux-gnu # before Debian 13 the C library stands in /lib
for driver in lvp:libvulkan_lvp radv:libvulkan_radeon; do
    printf '{"file_format_version": "1.0.1", "ICD": {"api_version": "1.4.0", "library_path": "%s"}}\n' \
        "$lib/${driver#*:}.so" >"$folder/${driver%:*}.json"
done
loader=$lib/ld-linux-x86-64.so.2
[ -e "$loader" ] || loader=$low/ld-linux-x86-64.so.2
own=/usr/lib/x86_64-linux-gnu
cat >"$folder/run.new" <<END
#!/bin/sh
# run PROGRAM ARGUMENT...: on the C library and the drivers here; libraries that are not here come from the machine.
export VK_ICD_FILENAMES=\${VK_ICD_FILENAMES:-$folder/lvp.json}
program=\$(command -v "\$1")
shift
exec $loader --library-path $lib:$low:$own:$own/hdf5/serial:/lib/x86_64-linux-gnu "\$program" "\$@"
END
chmod +x "$folder/run.new"
mv "$folder/run.new" "$folder/run"
echo "$folder/run PROGRAM ARGUMENT..."
