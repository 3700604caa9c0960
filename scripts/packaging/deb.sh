#!/usr/bin/env bash
# deb.sh [--once] [--suite SUITE] [--arch ARCH] [--output FOLDER]: Debian packages of this checkout's last commit, for bookworm (or
# trixie, sid) and amd64 (or arm64, built here by a cross compiler). As root; needs mmdebstrap.
#   1. twice in fresh roots, at different paths, at different times, under different locales: the packages must be the
#      same bytes; in the first, lintian finds neither errors nor warnings. --once leaves the second out
#   2. in another fresh root apt installs them, and their tests (debian/tests) run there; packages for arm64 run under
#      qemu: the commands on small pictures
#   3. packages, SHA256SUMS and an SBOM (SPDX) lie in FOLDER (default build/packages/SUITE-ARCH)
# Downloads are kept in build/packages/cache. Exit code 0: all of it.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=bookworm arch=amd64 output='' once=''
while [ $# -gt 0 ]; do
    if [ "$1" = --once ]; then
        once=yes
        shift
        continue
    fi
    case "$1 ${2:-}" in
    "--suite "[a-z]*) suite=$2 ;;
    "--arch "amd64 | "--arch "arm64) arch=$2 ;;
    "--output "?*) output=$2 ;;
    *)
        echo "usage: deb.sh [--once] [--suite bookworm|trixie|sid] [--arch amd64|arm64] [--output FOLDER]" >&2
        exit 2
        ;;
    esac
    shift 2
done
if [ "$(id -u)" != 0 ] || ! command -v mmdebstrap >/dev/null; then
    echo "deb.sh: fresh roots take root and mmdebstrap (Debian: mmdebstrap)" >&2
    exit 1
fi
here=$(dpkg --print-architecture)
cross=
[ "$arch" = "$here" ] || cross=yes
output=${output:-build/packages/$suite-$arch}
cache=$PWD/build/packages/cache/$suite
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$output" "$cache"
output=$(realpath "$output")

# The source tree, all files of the commit's time.
version=$(sed -nE '1s/.*\((.*)\).*/\1/p' scripts/packaging/debian/changelog)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
tree=$work/vgg16-${version%-*}
mkdir "$tree"
git archive HEAD | tar -x -C "$tree"
tar -c --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work" "$(basename "$tree")" |
    xz -T1 -1 >"$work/vgg16_${version%-*}.orig.tar.xz"
cp -r "$tree/scripts/packaging/debian" "$tree/debian"
tar -c --sort=name --owner=0 --group=0 -C "$work" "$(basename "$tree")" "vgg16_${version%-*}.orig.tar.xz" >"$work/source.tar"

# fresh LOG TOOLS TAR FOLDER: a new root with the packages TOOLS, in which the script on stdin runs; the archive TAR is
# unpacked to /in, and FOLDER, unless it is "", gets what is in /out.
fresh() {
    local log=$1 tools=$2 from=$3 to=$4 script=$work/script.sh hooks=()
    cat >"$script"
    hooks+=(--customize-hook="mkdir -p \"\$1/in\" \"\$1/out\"" --customize-hook="tar-in '$from' /in"
        --customize-hook="copy-in '$script' /in" --customize-hook="chroot \"\$1\" bash -euo pipefail /in/script.sh")
    [ -z "$to" ] || hooks+=(--customize-hook="sync-out /out '$to'")
    mmdebstrap --mode=root --variant=apt --architectures="$here${cross:+,$arch}" --include="$tools" \
        --skip=download/empty --skip=essential/unlink --setup-hook="mkdir -p \"\$1/var/cache/apt/archives\"" \
        --setup-hook="sync-in '$cache' /var/cache/apt/archives" "${hooks[@]}" \
        --customize-hook="sync-out /var/cache/apt/archives '$cache'" "$suite" /dev/null >"$log" 2>&1 </dev/null || {
        tail -n 40 "$log" >&2
        echo "deb.sh: failed in a root of $suite (above: the end of $log)" >&2
        return 1
    }
}

# built NUMBER FOLDER LOCALE LINTIAN: builds below FOLDER of a fresh root.
built() {
    local to=$work/built.$1
    mkdir -p "$to"
    fresh "$output/build.$1.log" "dpkg-dev,build-essential,fakeroot,lintian${cross:+,crossbuild-essential-$arch}" \
        "$work/source.tar" "$to" <<END
export DEBIAN_FRONTEND=noninteractive LC_ALL=$3 SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH
mkdir -p $2 && cd $2 && mv /in/* . && cd vgg16-*
export DEB_BUILD_OPTIONS="parallel=\$(nproc) ${cross:+nocheck}" DEB_BUILD_PROFILES="${cross:+cross nocheck}"
apt-get -q install -y --no-install-recommends ca-certificates >/dev/null
apt-get -q build-dep -y --no-install-recommends -a $arch ./ >/dev/null
dpkg-buildpackage -us -uc ${cross:+-b -a $arch}
cd ..
if [ $4 = lintian ]; then lintian --allow-root --fail-on error,warning -EviIL +pedantic ./*.changes; fi
mv ./*.deb ./*.buildinfo /out
END
}

echo "== $suite $arch: built, looked at by lintian"
built 1 /build C.UTF-8 lintian
grep -E '^[EWIP]: [a-z]+[a-z0-9-]*( source)?: ' "$output/build.1.log" || true
if [ -z "$once" ]; then
    echo "== built again elsewhere"
    built 2 /srv/some/where/else C none
    for deb in "$work/built.1/"*.deb; do
        cmp "$deb" "$work/built.2/$(basename "$deb")"
    done
    echo "the same bytes: $(cd "$work/built.1" && echo ./*.deb)"
fi
rm -f "$output"/*.deb "$output"/*.buildinfo
cp "$work/built.1/"* "$output"
echo "== installed by apt in a fresh root, and tried"
(cd "$work/built.1" && rm -f ./*dbgsym*)
tar -c -C "$work" "$(basename "$tree")" built.1 >"$work/debs.tar"
if [ -z "$cross" ]; then
    fresh "$output/test.log" autopkgtest "$work/debs.tar" "" <<'END'
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >/dev/null
autopkgtest -B /in/built.1/*.deb /in/vgg16-*/ -- null
END
else
    fresh "$output/test.log" "qemu-user,python3" "$work/debs.tar" "" <<'END'
export DEBIAN_FRONTEND=noninteractive
apt-get -q install -y /in/built.1/{libvgg16-1,vgg16,vgg16-data}_*.deb
printf '#!/bin/sh\nexec qemu-aarch64 /usr/bin/vgg16 "$@"\n' >/usr/local/bin/vgg16
chmod +x /usr/local/bin/vgg16
vgg16 --version
python3 /in/vgg16-*/scripts/packaging/readme.py small
END
fi
grep -E '^(@@@@|[a-z-]+ +(PASS|FAIL|SKIP))|^\$ ' "$output/test.log" || true
scripts/packaging/sbom.py --name vgg16 --version "$version" --buildinfo "$output"/*.buildinfo --output "$output/vgg16.spdx.json" \
    "$output"/*.deb
(cd "$output" && sha256sum -- *.deb *.spdx.json >SHA256SUMS)
echo "== $output"
cat "$output/SHA256SUMS"
