#!/usr/bin/env bash
# hosts.sh: the hosts of scripts/ranks_hosts.sh, which reads this file: network namespaces vggt1, vggt2, ... with lines between
# them (line.py), and a folder for all that is made ($work), both until the shell ends.
set -euo pipefail

if [ "${0##*/}" = rsh ]; then # as the launchers call it: rsh [OPTION]... 10.78.0.I COMMAND...
    while [[ $1 == -* ]]; do shift; done
    host=${1##*.}
    shift
    exec ip netns exec "vggt$host" unshare --uts bash -c "hostname node$host; $*"
fi

program=$(realpath "${BUILD:-build}")/vgg16
skip() {
    echo "[SKIP] ranks_hosts: $*"
    exit 0
}
[ "$(id -u)" = 0 ] || skip "needs root, to make network namespaces"
for tool in ip unshare python3; do command -v "$tool" >/dev/null || skip "$tool is not installed (Debian: iproute2, util-linux)"; done
work=$(mktemp -d) hosts=(1 2 3 4)
mkdir "$work/line"
mkfifo "$work/stop"
finish() {
    for i in "${hosts[@]}"; do
        ip netns pids "vggt$i" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns del "vggt$i" 2>/dev/null || true
    done
    exec 5>&- # ends the line
    rm -rf "$work"
}
trap finish EXIT
python3 -B scripts/ranks/line.py ${#hosts[@]} "$work/line" <"$work/stop" >"$work/ready" 2>&1 &
exec 5>"$work/stop"
for _ in $(seq 100); do
    grep -q ready "$work/ready" && break
    sleep 0.05
done
grep -q '^ready' "$work/ready" || skip "no devices for lines can be made (/dev/net/tun): $(tail -n 1 "$work/ready")"
for i in "${hosts[@]}"; do
    ip netns add "vggt$i" 2>/dev/null || skip "network namespaces cannot be made here, or vggt$i is there already"
    ip link set "vggt$i" netns "vggt$i"
    ip -n "vggt$i" link set "vggt$i" name eth0
    ip -n "vggt$i" addr add "10.78.0.$i/24" dev eth0
    ip -n "vggt$i" link set dev eth0 mtu 9000 up
    ip -n "vggt$i" link set lo up
done

# reach HOST yes|no: its line, both ways.
reach() {
    if [ "$2" = no ]; then touch "$work/line/cut-$1"; else rm "$work/line/cut-$1"; fi
}

# sent: bytes that all hosts have sent over their lines.
sent() {
    local i
    for i in "${hosts[@]}"; do ip netns exec "vggt$i" cat /proc/net/dev; done | awk '$1 == "eth0:" { n += $10 } END { print n }'
}

ln -s "$PWD/scripts/ranks/hosts.sh" "$work/rsh"
# MPICH's transports see one machine and would go around the lines.
export UCX_TLS=tcp,self UCX_NET_DEVICES=eth0 FI_PROVIDER=tcp

# ranks LAUNCHER COUNT PROGRAM ARGUMENT...: over as many hosts as there are ranks, at most on all.
ranks() {
    local most=${#hosts[@]} list='' i
    local each=$((($2 + most - 1) / most))
    for i in $(seq $(($2 < most ? $2 : most))); do list+=${list:+,}10.78.0.$i:$each; done
    local run=(mpirun.mpich -launcher ssh -launcher-exec "$work/rsh" -iface eth0 -hosts "$list" -n "$2")
    if [ "$1" = openmpi ]; then
        run=(mpirun.openmpi --allow-run-as-root --bind-to none --mca plm_rsh_agent "$work/rsh" --mca btl "tcp,self" --mca pml ob1
            --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 -x OMP_NUM_THREADS -x VGG16_RANKS_TIMEOUT -x HOME
            -x XDG_RUNTIME_DIR -x VK_ICD_FILENAMES --host "$list" -n "$2")
    fi
    ip netns exec vggt1 unshare --uts bash -c "hostname node1; exec \"\$@\"" sh timeout -k 5 "${limit:-300}" "${run[@]}" "${@:3}" </dev/null
}

# left HOST...: processes of the program there.
left() {
    local i pid
    for i in "$@"; do
        for pid in $(ip netns pids "vggt$i"); do
            if [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$program" ]; then echo "$pid"; fi
        done
    done
}
ended() { # SECONDS: do all end in that time?
    local end=$((SECONDS + $1))
    while [ -n "$(left "${hosts[@]}")" ] && [ $SECONDS -lt $end ]; do sleep 0.1; done
    [ -z "$(left "${hosts[@]}")" ]
}
