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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
suites=("$suite")
[ "${suite%-backports}" = "$suite" ] || suites+=("${suite%-backports}")
# shellcheck source=scripts/own_apt.sh
. "$(dirname "$0")/own_apt.sh"
own_apt "$work" amd64 "${suites[@]}"
# Beside the drivers what this program is linked to, for that C library.
packages=(mesa-vulkan-drivers libvulkan1 libc6 libstdc++6 libgomp1 libcjson1 libsleef3 zlib1g spirv-tools glslang-tools)
case $suite in
bookworm*) packages+=(libhdf5-103-1 libcurl4 libssl3) ;;
*) packages+=(libhdf5-310 libcurl4t64 libssl3t64) ;;
esac
if ! { own_apt_try "$work" apt-get -q update &&
    own_apt_try "$work" apt-get -q -t "$suite" install -y --download-only "${packages[@]}"; }; then
    echo "newer_mesa.sh: there is no $suite to be had (apt-get's words are above)" >&2
    exit 1
fi
mkdir -p "$folder"
for package in "$work"/archives/*.deb; do
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
