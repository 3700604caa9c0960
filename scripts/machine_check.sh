#!/usr/bin/env bash
# machine_check.sh [MINUTES]: tries vgg16 on this machine for so many minutes (default 20; 0.5 is allowed), the most
# important first: self-test, the suite of operations, speed layer by layer on every GPU and on the CPU, the same training
# everywhere, start with a cold and a warm cache of pipelines, every tile and algorithm that can be asked for, and PyTorch
# where it is installed. A stage that fails or takes too long is told, and the next one runs. Leaves a folder
# vgg16-check-DATE with one page, page.html, that needs nothing else and holds no name of host or user; it is written also
# after Ctrl-C. No network and no compiler is needed. Exit code 0: nothing failed; 1: something did; 130: interrupted.
#
# machine_check.sh package FILE.tar.xz: puts this script, the program, the libraries it needs and the suite together, for a
# machine with nothing but a C library as new as here and GPU drivers; there: tar xf FILE.tar.xz; vgg16-check/machine_check.sh
#
# VGG16_PROGRAM names the program (default: beside this script, else build/vgg16, else the one in PATH). For a small try:
# VGG16_CHECK_ARCH=vgg11, VGG16_CHECK_SIZE=32, VGG16_CHECK_BATCHES="2 1", VGG16_CHECK_REPEATS=1; VGG16_CHECK_SOFTWARE=1 takes
# Vulkan devices that are CPUs for GPUs.
# shellcheck disable=SC2317 # much is called by way of run
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
suite=(test_ops test_gradients)

find_program() {
    local candidate
    for candidate in "${VGG16_PROGRAM:-}" "$here/bin/vgg16" "$here/../build/vgg16" "$(command -v vgg16)"; do
        [ -n "$candidate" ] && [ -x "$candidate" ] && realpath "$candidate" && return
    done
    echo "machine_check.sh: no program vgg16; build it, or name it by VGG16_PROGRAM" >&2
    return 1
}

# Where a test of the suite is: beside the program, or where the build puts it.
find_test() {
    local candidate
    for candidate in "$(dirname "$program")/$1" "$(dirname "$program")/tests/$1"; do
        [ -x "$candidate" ] && echo "$candidate" && return
    done
    return 1
}

program=$(find_program) || exit 1

# ---- package ----

# Libraries that a program needs, without those of the C library, which go with the kernel and the drivers.
libraries_of() {
    ldd "$1" | awk '$3 ~ "^/" { print $3 }' | grep -Ev '/(ld-linux|libc|libm|libdl|librt|libpthread|libresolv)[-.]'
}

package() {
    local out=$1 work name file
    work=$(mktemp -d) || return 1
    mkdir -p "$work/vgg16-check/bin" "$work/vgg16-check/lib"
    cp "$here/machine_check.sh" "$work/vgg16-check/" && cp "$program" "$work/vgg16-check/bin/vgg16" || return 1
    for name in "${suite[@]}"; do
        file=$(find_test "$name") && cp "$file" "$work/vgg16-check/bin/"
    done
    for file in "$work"/vgg16-check/bin/*; do libraries_of "$file"; done | sort -u | while read -r file; do
        cp -L "$file" "$work/vgg16-check/lib/"
    done
    if ! tar -C "$work" -cJf "$out.part" vgg16-check || ! mv "$out.part" "$out"; then
        rm -rf "$work" "$out.part"
        return 1
    fi
    rm -rf "$work"
    echo "$out: $(du -h "$out" | cut -f1); there: tar xf $(basename "$out"); vgg16-check/machine_check.sh"
}

if [ "${1:-}" = package ]; then
    [ $# -eq 2 ] || { echo "usage: machine_check.sh package FILE.tar.xz" >&2; exit 2; }
    package "$2"
    exit
fi

# ---- stages ----

minutes=${1:-20}
[[ $minutes =~ ^[0-9]+([.][0-9]+)?$ ]] || { echo "usage: machine_check.sh [MINUTES | package FILE.tar.xz]" >&2; exit 2; }
total=$(awk -v m="$minutes" 'BEGIN { printf "%d", 60 * m }')
[ "$total" -gt 0 ] || { echo "machine_check.sh: $minutes minutes are too few" >&2; exit 2; }
arch=${VGG16_CHECK_ARCH:-vgg16} size=${VGG16_CHECK_SIZE:-224} repeats=${VGG16_CHECK_REPEATS:-5}
read -ra batches <<<"${VGG16_CHECK_BATCHES:-8 1 32}"
folder=$PWD/vgg16-check-$(date +%Y%m%d-%H%M%S)
mkdir -p "$folder/cache" || exit 1
unset VGG16_BACKEND VGG16_DEVICE VGG16_ISA VGG16_THREADS VGG16_PRECISION
[ ! -d "$here/lib" ] || export LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# Pipelines of earlier runs, and the drivers' own, would not be cold.
export XDG_CACHE_HOME=$folder/cache MESA_SHADER_CACHE_DIR=$folder/cache __GL_SHADER_DISK_CACHE_PATH=$folder/cache
results=() failed=0 child='' interrupted=''

left() {
    echo $((total - SECONDS))
}

# run FILE LIMIT COMMAND...: its output into FILE; 124 when the limit was reached.
run() {
    local file=$1 limit=$2
    shift 2
    timeout -k 3 "$limit" "$@" >"$file" 2>&1 </dev/null &
    child=$!
    wait "$child"
    local rc=$?
    child=''
    return $rc
}

# stage NAME PERCENT COMMAND...: one line of the page, with a limit of so much of all the time, and of what is left.
stage() {
    local name=$1 limit=$((total * $2 / 100)) rc begin=$SECONDS number file word
    shift 2
    [ "$limit" -ge 4 ] || limit=4
    [ "$limit" -le "$(left)" ] || limit=$(left)
    number=$(printf '%02d' $((${#results[@]} + 1)))
    file=$folder/$number.txt
    if [ "$limit" -le 0 ]; then
        word=skipped
        echo 'no time was left' >"$file"
    else
        run "$file" "$limit" "$@"
        rc=$?
        case $rc in
        0) word=passed ;;
        124 | 137) word="cut after $limit s" ;;
        *) word="failed ($rc)" ;;
        esac
        # What this machine, or this build, does not have is no failure.
        [ "$rc" -eq 0 ] || ! grep -Eq 'does not compute in it|no bf16 dot products|must be one of|is not part of this build' \
            "$file" || word='not here'
    fi
    [ "${word#failed}" = "$word" ] || failed=1
    results+=("$number|$name|$word|$((SECONDS - begin))")
    printf '%-64s %s\n' "$name" "$word"
}

# bench NAME PERCENT OPTION...: measures into a page of its own, which ours takes in.
bench() {
    local name=$1 percent=$2
    shift 2
    stage "$name" "$percent" "$program" bench --arch "$arch" --size "$size" --repeats "$repeats" -q \
        --report "$folder/$(printf '%02d' $((${#results[@]} + 1))).html" "$@"
}

# Names as --on and --device take them: vulkan:N for each GPU, then cpu.
list_devices() {
    "$program" devices --json 2>/dev/null | awk -v software="${VGG16_CHECK_SOFTWARE:-}" '
        /"backend":/ { gsub(/[",]/, ""); backend = $2 }
        /"type":/ { gsub(/[",]/, ""); if (backend == "vulkan") { if ($2 != "cpu" || software) print "vulkan:" n + 0; n++ } }'
    echo cpu
}

# Grey pictures of four classes, as MNIST comes: each has a slope of its own under noise.
write_data() {
    local images=$folder/images labels=$folder/labels count=48 bytes='' i p row value seed=12345
    printf '\0\0\10\3\0\0\0\60\0\0\0\34\0\0\0\34' >"$images"
    printf '\0\0\10\1\0\0\0\60' >"$labels"
    for ((i = 0; i < count; i++)); do
        bytes=''
        for ((p = 0; p < 784; p++)); do
            seed=$(((seed * 1103515245 + 12345) & 0x7fffffff))
            value=$((seed >> 16 & 63))
            case $((i % 4)) in
            0) value=$((value + p % 28 * 6)) ;;
            1) row=$((p / 28)) value=$((value + row * 6)) ;;
            2) value=$((value + 162 - p % 28 * 6)) ;;
            3) value=$((value + 90)) ;;
            esac
            printf -v value '\\x%02x' "$value"
            bytes+=$value
        done
        printf '%b' "$bytes" >>"$images"
        printf '%b' "\\x0$((i % 4))" >>"$labels"
    done
}

# train NAME DEVICE PRECISION: the same few epochs; the losses into NAME.csv.
train() {
    stage "training on $2 in $3" 8 "$program" train "idx:$folder/images,$folder/labels" --weights random --arch vgg11 \
        --size 32 --layer block3_pool --head gap,dense:4:softmax --preprocess rescale --trainable all --optimizer sgd \
        --lr 0.01 --epochs 4 --batch 8 --no-shuffle --seed 5 --device "$2" --precision "$3" \
        --log "$folder/$1.csv" -o "$folder/$1.safetensors"
}

# The losses of every training, epoch by epoch, as far as they came.
losses() {
    local file names=() files=()
    for file in "$folder"/train-*.csv; do
        [ -s "$file" ] || continue
        files+=("$file")
        file=${file##*/train-}
        names+=("${file%.csv}")
    done
    [ ${#files[@]} -gt 0 ] || { echo 'no training came to an end of an epoch'; return 1; }
    printf '%-8s' epoch
    printf '%20s' "${names[@]}"
    echo
    awk -F, 'FNR > 1 { line[FNR] = line[FNR] sprintf("%20.8g", $4); if (FNR > n) n = FNR; if (!(FNR in first)) first[FNR] = $4
             else { d = ($4 - first[FNR]) / first[FNR]; if (d < 0) d = -d; if (d > worst) worst = d } }
             END { for (i = 2; i <= n; i++) printf "%-8d%s\n", i - 1, line[i]
                   printf "\nlargest difference from the first column: %.3g of it\n", worst; exit !(worst < 0.05) }' "${files[@]}"
}

# start DEVICE: one small picture through the network, from nothing and once more.
start() {
    local how begin end
    rm -rf "${folder:?}/cache/"*
    for how in cold warm warm; do
        begin=$(date +%s%N)
        "$program" extract "idx:$folder/images,$folder/labels" --weights random --arch "$arch" --size 32 --pooling avg \
            --preprocess rescale --device "$1" --batch 1 -q -o "$folder/start.npy" >/dev/null || return
        end=$(date +%s%N)
        awk -v how="$how" -v ns=$((end - begin)) 'BEGIN { printf "%s: %.3f s, 48 pictures of 32x32\n", how, ns * 1e-9 }'
    done
}

torch() {
    python3 - "$size" "${batches[@]}" <<'PYTHON'
import sys, time
import torch
layers, c = [], 3
for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
    layers += [torch.nn.Conv2d(c, width, 3, padding=1), torch.nn.ReLU()] if width else [torch.nn.MaxPool2d(2)]
    c = width or c
net = torch.nn.Sequential(*layers).eval()
print("PyTorch", torch.__version__, "on", torch.get_num_threads(), "threads, VGG16's base")
for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
    for dtype in [torch.float32] + [torch.float16] * (device == "cuda"):
        net.to(device, dtype)
        for batch in map(int, sys.argv[2:]):
            x = torch.rand(batch, 3, int(sys.argv[1]), int(sys.argv[1]), dtype=dtype, device=device)
            times = []
            with torch.no_grad():
                for _ in range(7):
                    begin = time.perf_counter()
                    net(x)
                    if device == "cuda":
                        torch.cuda.synchronize()
                    times.append(time.perf_counter() - begin)
            best = sorted(times[2:])[2]
            print(f"{device} {str(dtype)[6:]} batch {batch}: {1e3 * best:.2f} ms, {batch / best:.1f} images/s", flush=True)
PYTHON
}

# What the numbers belong to; no name of host or user.
machine() {
    echo "$("$program" --version | head -n 1), $(uname -srm), $(getconf GNU_LIBC_VERSION 2>/dev/null)"
    lscpu 2>/dev/null | grep -E '^(Model name|CPU\(s\)|Thread|Core|Socket|NUMA node\(s\)|L[123]|CPU max MHz)' | tr -s ' '
    grep -m1 -E '^(flags|Features)' /proc/cpuinfo | tr ' ' '\n' |
        grep -E '^(avx2|fma|avx512f|avx512_bf16|avx512_fp16|avx512_vnni|avx_vnni|amx_.*|asimd.*|sve.*|bf16|i8mm|fphp)$' | tr '\n' ' '
    echo
    cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null
    grep -E '^(MemTotal|MemAvailable)' /proc/meminfo | tr -s ' '
    echo "load $(cut -d' ' -f1-3 /proc/loadavg)"
    nvidia-smi --query-gpu=name,driver_version,clocks.sm,temperature.gpu,power.draw --format=csv 2>/dev/null
    echo
    "$program" devices
}

# ---- the page ----

escape() {
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'
}

# Without the paths of this machine, which may hold a name.
anonymous() {
    sed "s|$folder/||g; s|$(dirname "$program")/||g; s|${HOME:-/root}|~|g; s|, UUID [0-9a-f]*||"
}

# The look is that of the program's own pages, of which every benchmark leaves one.
write_page() {
    local result number name word seconds page=$folder/page.html look
    look=$(find "$folder" -name '[0-9]*.html' -size +0 | sort | head -n 1)
    {
        echo '<!DOCTYPE html>'
        echo '<html lang="en"><head><meta charset="utf-8"><title>vgg16: check of a machine</title>'
        echo '<meta name="viewport" content="width=device-width, initial-scale=1">'
        [ -z "$look" ] || sed -n '/<style>/,/<\/style>/p' "$look"
        echo '</head><body><main><header><h1>Check of a machine</h1>'
        echo "<p class=\"lead\">$("$program" --version | head -n 1 | escape), $(date +%F), $SECONDS of $total seconds${interrupted:+, interrupted}</p></header>"
        echo '<section><h2>Stages</h2><figure class="card wide"><div class="scroll"><table>'
        echo '<tr><th>stage</th><th>result</th><th class="n">seconds</th></tr>'
        for result in "${results[@]}"; do
            IFS='|' read -r number name word seconds <<<"$result"
            echo "<tr><td><a href=\"#s$number\">$(escape <<<"$name")</a></td><td>$word</td><td class=\"n\">$seconds</td></tr>"
        done
        echo '</table></div></figure></section>'
        for result in "${results[@]}"; do
            IFS='|' read -r number name word seconds <<<"$result"
            echo "<section id=\"s$number\"><h2>$(escape <<<"$name"): $word</h2><figure class=\"card wide\"><div class=\"scroll\"><pre>"
            tail -n 400 "$folder/$number.txt" | cut -c 1-400 | anonymous | escape
            echo '</pre></div></figure></section>'
            [ ! -s "$folder/$number.html" ] || sed -n '/<section>/,/<\/main>/p' "$folder/$number.html" | sed '/<\/main>/d' | anonymous
        done
        echo '</main></body></html>'
    } >"$page.part"
    mv "$page.part" "$page"
    rm -rf "$folder/cache" "$folder"/train-*.safetensors "$folder/images" "$folder/labels" "$folder"/start.*
    echo "$page"
}

stop() {
    trap '' INT TERM
    interrupted=1
    [ -z "$child" ] || kill "$child" 2>/dev/null
    write_page
    exit 130
}
trap stop INT TERM

# ---- what is tried ----

export -f start torch losses machine
export program folder size arch
devices=$(list_devices)
gpus=$(grep vulkan <<<"$devices")
stage 'the machine' 5 bash -c machine
bench 'a first try, small' 5 --arch vgg11 --size 32 --repeats 1 --pass forward --on cpu
write_data
stage 'self-test' 15 "$program" selftest
for gpu in $gpus; do stage "self-test of $gpu in fp16" 5 "$program" selftest --device "$gpu" --precision fp16; done
stage 'self-test of the CPU in bf16' 5 "$program" selftest --device cpu --precision bf16
for name in "${suite[@]}"; do
    if file=$(find_test "$name"); then
        stage "suite: $name" 12 "$file"
    else
        results+=("$(printf '%02d' $((${#results[@]} + 1)))|suite: $name|not here|0")
        echo "$name is not beside the program" >"$folder/$(printf '%02d' ${#results[@]}).txt"
    fi
done
for batch in "${batches[@]}"; do
    for device in $devices; do
        bench "forward, batch $batch, $device, fp32" 6 --layers --pass forward --batch "$batch" --on "$device"
        [ "$device" = cpu ] || bench "forward, batch $batch, $device, fp16" 6 --layers --pass forward --batch "$batch" \
            --on "$device" --precision fp16
    done
done
for device in $devices; do
    train "train-${device/:/-}-fp32" "$device" fp32
    [ "$device" = cpu ] || train "train-${device/:/-}-fp16" "$device" fp16
done
stage 'losses side by side' 2 bash -c losses
for device in $devices; do stage "start on $device" 5 bash -c "start $device"; done
for device in $devices; do
    bench "training step, batch ${batches[0]}, $device, fp32" 6 --layers --pass step --batch "${batches[0]}" --on "$device"
    [ "$device" = cpu ] || bench "training step, batch ${batches[0]}, $device, fp16" 6 --layers --pass step \
        --batch "${batches[0]}" --on "$device" --precision fp16
done
if python3 -c 'import torch' 2>/dev/null; then
    stage 'PyTorch beside it' 8 bash -c "$(declare -p batches); torch"
else
    results+=("$(printf '%02d' $((${#results[@]} + 1)))|PyTorch beside it|not here|0")
    echo 'PyTorch is not installed' >"$folder/$(printf '%02d' ${#results[@]}).txt"
fi
for conv in direct winograd2 winograd4 winograd6; do
    bench "cpu, $conv, batch ${batches[0]}" 4 --layers --pass forward --batch "${batches[0]}" --on cpu --conv "$conv"
done
for gpu in $gpus; do
    for tile in 0 1 2 3 4 5 6; do
        VGG16_VK_TILE=$tile bench "$gpu, tile $tile, batch ${batches[0]}" 4 --layers --pass forward \
            --batch "${batches[0]}" --on "$gpu"
    done
done
trap '' INT TERM
write_page
exit $failed
