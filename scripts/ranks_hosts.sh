#!/usr/bin/env bash
# ranks_hosts.sh [PART]...: trainings on several "hosts", which are network namespaces of this machine with lines of 1 Gb/s and
# 10 ms each way between them (ranks/line.py), under Open MPI and MPICH, against one process alone, byte for byte; without a PART all:
#   same      1, 2, 3, 4, 8 ranks x optimisers, launchers, what trains, augmentation, dropout: each pair of these once;
#             the gradients went over the lines, by the counters of the hosts' interfaces
#   vulkan    as many ranks on lavapipe
#   killed    a rank is killed while it looks at its images, decodes, steps, validates, renames a checkpoint or the model:
#             all end, and other ranks go on from what is there
#   cut       a host that cannot be reached for 30 s: the training goes on
#   lost      one that cannot be reached any more: all end after VGG16_RANKS_TIMEOUT, and other ranks go on
# Needs root, for the namespaces, iproute2, an MPI, and strace for `killed`. BUILD: where the program is (build). Some ten
# minutes. Prints a line for each try. Exit code 0: nothing failed.
set -euo pipefail

cd "$(dirname "$0")/.."
parts=("$@") failed=0
[ ${#parts[@]} -gt 0 ] || parts=(same vulkan killed cut lost)
for part in "${parts[@]}"; do
    case $part in
    same | vulkan | killed | cut | lost) ;;
    *)
        echo "ranks_hosts.sh: no part '$part'; see the head of scripts/ranks_hosts.sh" >&2
        exit 2
        ;;
    esac
done
# shellcheck source=scripts/ranks/hosts.sh
. scripts/ranks/hosts.sh
[ -x "$program" ] || skip "$program is not built"
launchers=()
for name in openmpi mpich; do
    if command -v "mpirun.$name" >/dev/null && [ -e "${program%/*}/libvgg16-mpi-$name.so" ]; then launchers+=("$name"); fi
done
[ ${#launchers[@]} -gt 0 ] || skip "no MPI with its component (Debian: libopenmpi-dev openmpi-bin, libmpich-dev mpich)"

# ---- what is trained ----

export HOME=$work XDG_CACHE_HOME=$work OMP_NUM_THREADS=1 VGG16_RANKS_TIMEOUT=300 XDG_RUNTIME_DIR=$work VK_ICD_FILENAMES=/dev/null
VGG16_PROGRAM=$program python3 -B - "$work" tests/cli <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[2])
from cli_support import write_folder
write_folder(sys.argv[1] + "/data", ("cat", "dog", "eel"), 9)
write_folder(sys.argv[1] + "/held", ("cat", "dog", "eel"), 3, seed=2)
PYTHON
network=(--weights random --arch vgg11 --size 32 --layer block2_pool)
train=(train "$work/data" --batch 16 --shard 2 --seed 7 --lr 0.01)
declare -A heads=([keep]="flatten,dense:3:softmax" [dropout]="flatten,dropout:0.4,dense:3:softmax")
declare -A bytes=([head]=98316 [block]=393740 [all]=400908) # of what trains
for kind in keep dropout; do
    "$program" train "$work/data" "${network[@]}" --head "${heads[$kind]}" --epochs 0 --seed 3 -o "$work/$kind.safetensors" -q
done

said() { # STATUS NAME SECONDS MORE
    printf '[%s] %-52s %6.1f s  %s\n' "$1" "$2" "$3" "${4:-}"
    if [ "$1" = FAIL ]; then failed=1; fi
}
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# late LAUNCHER STATUS: with MPICH 4.0 and UCX 1.13 some ranks wait for ever in MPI_Finalize, when all is written, for others
# that no longer listen. This is no failure of the program's; what was written says whether it did its work.
late() {
    if [ "$1" != mpich ] || { [ "$2" != 124 ] && [ "$2" != 137 ]; }; then return "$2"; fi
    echo "[LATE] MPI_Finalize does not end"
    ended 20 || true
}

# same NAME LAUNCHER COUNT BYTES ARGUMENT...: ranks against one process; BYTES of gradients were summed over all hosts.
same() {
    local name=$1 launcher=$2 count=$3 status=0 least key start before over
    least=$((2 * ((count < ${#hosts[@]} ? count : ${#hosts[@]}) - 1) * $4)) # each sum but one goes to another host, and the whole comes back
    shift 4
    key=$work/one-$(echo "$*" | cksum | cut -d' ' -f1).safetensors
    [ -e "$key" ] || "$program" "$@" -o "$key" -q >/dev/null
    rm -f "$work/all.safetensors"
    start=$EPOCHREALTIME before=$(sent)
    limit=60 ranks "$launcher" "$count" "$program" "$@" -o "$work/all.safetensors" -q >"$work/log" 2>&1 || late "$launcher" $? || status=$?
    over=$(($(sent) - before))
    if [ "$status" != 0 ] || ! cmp -s "$key" "$work/all.safetensors"; then
        said FAIL "$name" "$(since "$start")" "another model, or none: $(tail -n 3 "$work/log" | tr '\n' ' ')"
    elif [ "$over" -lt "$least" ]; then
        said FAIL "$name" "$(since "$start")" "$over bytes went over the lines, but gradients have $least"
    else
        said PASS "$name" "$(since "$start")" "$(sha256sum <"$key" | cut -c1-12), $over bytes over the lines, $least at least"
    fi
}

run_same() {
    local count optimizer launcher what augment drop
    while read -r count optimizer launcher what augment drop; do
        [[ " ${launchers[*]} " == *" $launcher "* ]] || continue
        local more=(--optimizer "$optimizer" --epochs 2)
        case $optimizer in
        sgd) more+=(--momentum 0.9 --nesterov) ;;
        adam) more+=(--clip-norm 0.5) ;;
        adamw) more+=(--weight-decay 0.1) ;;
        esac
        case $what in
        head) more+=("${network[@]}" --head "${heads[$drop]}") ;;
        all) more+=("${network[@]}" --head "${heads[$drop]}" --trainable all) ;;
        block) more+=(--from "$work/$drop.safetensors" --trainable block2) ;;
        esac
        if [ "$augment" = augment ]; then more+=(--augment "rotate=20,flip,crop=0.6,brightness=0.2"); fi
        same "same::$count::$launcher::$optimizer::$what::$augment::$drop" "$launcher" "$count" $((4 * bytes[$what])) \
            "${train[@]}" "${more[@]}"
    done <<'TABLE'
1 sgd openmpi block augment dropout
1 rmsprop openmpi head augment keep
1 adam openmpi all plain dropout
1 adamw mpich head augment keep
2 sgd mpich all plain keep
2 rmsprop openmpi block augment keep
2 adam openmpi head plain keep
2 adamw openmpi block augment dropout
3 sgd mpich head plain dropout
3 rmsprop openmpi all augment keep
3 adam openmpi block plain keep
3 adamw openmpi block plain keep
4 sgd openmpi head augment keep
4 rmsprop mpich all plain keep
4 adam openmpi block plain dropout
4 adamw mpich all plain keep
8 sgd mpich block plain dropout
8 rmsprop openmpi head plain dropout
8 adam mpich head augment keep
8 adamw mpich all augment keep
TABLE
}

run_vulkan() {
    local icd count launcher
    icd=$(compgen -G "/usr/share/vulkan/icd.d/lvp_icd*.json" | head -n 1) || true
    if [ -z "$icd" ]; then
        echo "[SKIP] vulkan: lavapipe is not installed (Debian: mesa-vulkan-drivers)"
        return
    fi
    export VK_ICD_FILENAMES=$icd
    while read -r count launcher; do
        [[ " ${launchers[*]} " == *" $launcher "* ]] || continue
        same "vulkan::$count::$launcher" "$launcher" "$count" $((2 * bytes[all])) "${train[@]}" "${network[@]}" \
            --head "${heads[dropout]}" --trainable all --optimizer adam --epochs 1 --augment flip --backend vulkan
    done <<'TABLE'
1 mpich
2 openmpi
3 mpich
4 openmpi
8 mpich
8 openmpi
TABLE
    export VK_ICD_FILENAMES=/dev/null
}

# ---- failures ----

long=("${train[@]}" "${network[@]}" --head "${heads[dropout]}" --trainable all --optimizer adam --augment flip
    --validation "$work/held" --no-shuffle)

# go_on NAME SECONDS SAID LAUNCHER ARGUMENT...: nothing was saved, the newest checkpoint, if there is one, is a whole model,
# and two ranks go on from it.
go_on() {
    local name=$1 seconds=$2 told=$3 launcher=$4 marks
    shift 4
    marks=$(find "$work/ck" -name 'checkpoint-*.safetensors' 2>/dev/null | wc -l)
    if [ -e "$work/out.safetensors" ]; then
        said FAIL "$name" "$seconds" "a model was written"
        return
    fi
    if [ "$marks" -gt 0 ] && ! "$program" evaluate "$work/held" --model "$work/ck" -q >"$work/log" 2>&1; then
        said FAIL "$name" "$seconds" "the checkpoint is no model: $(tail -n 1 "$work/log")"
        return
    fi
    rm -f "$work/resumed.safetensors"
    if { limit=120 ranks "$launcher" 2 "$program" "$@" -o "$work/resumed.safetensors" --checkpoint "$work/ck" --resume -q \
        >"$work/log" 2>&1 || late "$launcher" $?; } && cmp -s "$work/whole.safetensors" "$work/resumed.safetensors"; then
        said PASS "$name" "$seconds" "$marks checkpoint$([ "$marks" = 1 ] || echo s), resumed to the same; $told"
    else
        said FAIL "$name" "$seconds" "not resumed to the same: $(tail -n 2 "$work/log" | tr '\n' ' ')"
    fi
}

# whole ARGUMENT...: what one process makes of them.
whole() {
    rm -f "$work/whole.safetensors"
    "$program" "$@" -o "$work/whole.safetensors" -q >/dev/null
}

# line_of LOG: what the program said.
line_of() { grep -m 1 '^vgg16: ' "$1" || echo "no line of the program"; }

run_killed() {
    local launcher stage victim call path start
    if ! command -v strace >/dev/null; then
        echo "[SKIP] killed: strace is not installed (Debian: strace)"
        return
    fi
    local plain=("${long[@]}" --epochs 3)
    whole "${plain[@]}"
    for launcher in "${launchers[@]}"; do
        while read -r stage victim call path; do
            rm -rf "$work/ck" "$work/out.safetensors"
            local args=("${plain[@]}")
            # Without it all images are opened before the first step.
            if [ "$stage" != looking ]; then args+=(--skip-bad); fi
            cat >"$work/victim" <<SCRIPT
#!/usr/bin/env bash
if [ "\${OMPI_COMM_WORLD_RANK:-\$PMI_RANK}" = $victim ]; then
    exec strace -f -qq -o /dev/null -P "$work/$path" -e trace=$call -e inject=$call:signal=SIGKILL "$program" "\$@"
fi
exec "$program" "\$@"
SCRIPT
            chmod +x "$work/victim"
            start=$EPOCHREALTIME
            if ranks "$launcher" 3 "$work/victim" "${args[@]}" -o "$work/out.safetensors" --checkpoint "$work/ck" --checkpoint-every 1 \
                -q >"$work/run" 2>&1; then
                said FAIL "killed::$launcher::$stage" "$(since "$start")" "nothing was killed"
            elif ! ended 20; then
                said FAIL "killed::$launcher::$stage" "$(since "$start")" "processes are left: $(left "${hosts[@]}" | tr '\n' ' ')"
            else
                go_on "killed::$launcher::$stage" "$(since "$start")" "$(line_of "$work/run")" "$launcher" "${args[@]}"
            fi
        done <<'TABLE'
looking 1 openat data/cat/5.png
decoding 1 openat data/cat/5.png
checkpoint 0 rename ck/checkpoint-000001-00000000.safetensors.tmp.vgg16-0
validation 2 openat held/eel/1.png
saving 0 rename out.safetensors.tmp.vgg16-0
TABLE
    done
    plain=("${long[@]}" --epochs 1 --steps-per-epoch 60)
    whole "${plain[@]}"
    for launcher in "${launchers[@]}"; do # between two checkpoints there are five steps
        start "$launcher" "${plain[@]}"
        start=$EPOCHREALTIME
        kill -9 "$(left 2)"
        if ended 20 && ! wait $!; then
            go_on "killed::$launcher::stepping" "$(since "$start")" "$(line_of "$work/run")" "$launcher" "${plain[@]}"
        else
            said FAIL "killed::$launcher::stepping" "$(since "$start")" "not all ended, or nothing failed"
        fi
    done
}

# start LAUNCHER ARGUMENT...: three ranks that have written a checkpoint; their mpirun is $!.
start() {
    rm -rf "$work/ck" "$work/out.safetensors"
    ranks "$1" 3 "$program" "${@:2}" -o "$work/out.safetensors" --checkpoint "$work/ck" --checkpoint-every 5 -q >"$work/run" 2>&1 &
    local end=$((SECONDS + 60))
    until compgen -G "$work/ck/checkpoint-*" >/dev/null || [ $SECONDS -ge $end ]; do sleep 0.1; done
}

run_cut() {
    local launcher begun args=("${long[@]}" --epochs 1 --steps-per-epoch 60)
    whole "${args[@]}"
    for launcher in "${launchers[@]}"; do
        begun=$EPOCHREALTIME
        start "$launcher" "${args[@]}"
        reach 2 no
        sleep 30
        reach 2 yes
        if { wait $! || late "$launcher" $?; } && cmp -s "$work/whole.safetensors" "$work/out.safetensors"; then
            said PASS "cut::$launcher::30s" "$(since "$begun")" "the same model"
        else
            said FAIL "cut::$launcher::30s" "$(since "$begun")" "$(tail -n 3 "$work/run" | tr '\n' ' ')"
        fi
        ended 20 || true
    done
}

run_lost() {
    local launcher cut told args=("${long[@]}" --epochs 1 --steps-per-epoch 60)
    whole "${args[@]}"
    for launcher in "${launchers[@]}"; do
        export VGG16_RANKS_TIMEOUT=15
        start "$launcher" "${args[@]}"
        cut=$EPOCHREALTIME
        reach 2 no
        ended 60 || said FAIL "lost::$launcher" "$(since "$cut")" "still at work: $(left "${hosts[@]}" | tr '\n' ' ')"
        told=$(since "$cut")
        reach 2 yes
        if wait $!; then said FAIL "lost::$launcher" "$told" "nothing failed"; fi
        export VGG16_RANKS_TIMEOUT=300
        go_on "lost::$launcher" "$told" "$(line_of "$work/run")" "$launcher" "${args[@]}"
    done
}

for part in "${parts[@]}"; do
    "run_$part"
done
[ $failed = 0 ]
