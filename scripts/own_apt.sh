# shellcheck shell=bash
# own_apt.sh: an apt of their own for scripts that source it. It knows the machine's sources, or those of Debian's suites,
# takes nothing for installed, so that what a package depends on comes along, and needs neither root nor, for another
# architecture, anything of dpkg.
#   own_apt FOLDER ARCH [SUITE]...   makes it in FOLDER, which must be there, for packages of ARCH; without a SUITE this
#                                    machine's Debian or Ubuntu
#   own_apt_sources FOLDER           lets it know source packages, too
#   own_apt_try FOLDER COMMAND...    runs a command with that apt; its words are shown only if it fails, then 1 is returned
# Packages come to FOLDER/archives.

own_apt() {
    local folder=$1 arch=$2 suite mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
    shift 2
    mkdir -p "$folder"/{lists/partial,archives/partial,sources.d}
    : >"$folder/status"
    : >"$folder/sources.list"
    if [ $# -gt 0 ]; then
        if [ ! -e "$keys" ]; then
            echo "own_apt.sh: no $keys (Debian and Ubuntu: debian-archive-keyring)" >&2
            return 1
        fi
        # The mirror that this machine uses, else Debian's own.
        mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
            awk '/^URIs:/ && $2 ~ /\/debian\/?$/ { print $2; exit } /^deb / { for (i = 2; i < NF; i++) if ($i ~ /\/debian\/?$/) { print $i; exit } }' || true)
        for suite in "$@"; do
            echo "deb [signed-by=$keys] ${mirror:-http://deb.debian.org/debian} $suite main" >>"$folder/sources.list"
        done
    else
        cp /etc/apt/sources.list "$folder/sources.list" 2>/dev/null || true
        cp /etc/apt/sources.list.d/*.{list,sources} "$folder/sources.d" 2>/dev/null || true
        # Ubuntu keeps arm64 on another host.
        [ "$arch" != arm64 ] || sed -i -E 's#https?://([a-z.]*archive|security)\.ubuntu\.com/ubuntu/?#http://ports.ubuntu.com/ubuntu-ports/#' \
            "$folder/sources.list" "$folder"/sources.d/* 2>/dev/null || true
    fi
    cat >"$folder/apt.conf" <<APT
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "0";
APT::Sandbox::User "";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "$folder/sources.d";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$folder";
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder";
Dir::Cache::archives "$folder/archives";
APT
}

own_apt_sources() {
    sed -i -E 's/^Types: deb$/Types: deb deb-src/; s/^deb( .*)$/deb\1\ndeb-src\1/' "$1/sources.list" "$1"/sources.d/* 2>/dev/null || true
}

own_apt_try() {
    local folder=$1
    shift
    APT_CONFIG=$folder/apt.conf "$@" >"$folder/log" 2>&1 </dev/null || {
        tail -n 30 "$folder/log" >&2
        return 1
    }
}
