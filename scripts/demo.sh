#!/usr/bin/env bash
# demo.sh [FOLDER]: from a bare Debian or Ubuntu to what transfer learning gains, in less than three minutes on two cores
# after the build. Installs what is needed, builds the program, then learns the ten kinds of clothes of Fashion-MNIST (a
# Debian package) from 100 labelled pictures each, three ways: a head on features of the starter weights, which have seen
# photos of animals and vehicles only; that model with its last block fine-tuned; and the same network from random weights,
# with about as much computation, and with as many passes over the pictures, which takes three times as much. Each leaves a
# page with its curves and its confusion matrix. Models and pages stay in FOLDER (default: a new folder under the system's
# temporary one).
set -euo pipefail
out=$(realpath -m "${1:-$(mktemp -d -t vgg16-demo.XXXXXX)}")
cd "$(dirname "$0")/.."

labelled=100 unseen=100 # pictures of each kind: to learn from, and to be tested on
passes=6                # over the pictures, of the trainings that go through the network
data=${VGG16_DEMO_DATA:-/usr/share/datasets/fashion-mnist}

say() { printf '\n== %s\n' "$*"; }
# The program; its words are shown as they come and kept in $told. awk writes to the descriptor, where tee would open what
# stands behind it once more and cut a log that this script is sent to.
run() {
    printf '$ vgg16 %s\n' "$*" >&2
    told=$(build/demo/vgg16 "$@" | awk '{ print; print > "/dev/stderr"; fflush() }')
}
# Of the training that began at second $1: accuracy on the test pictures, as its last epoch's line tells, and time.
result() {
    awk -v seconds=$((SECONDS - $1)) '{ for (i = 1; i < NF; i++) if ($i == "accuracy" && $(i + 2) == "val") last = $(i + 3) }
        END { printf "%7.1f %% %5d s", 100 * last, seconds }' <<<"$told"
}

say "Set-up and build"
scripts/setup.sh demo
cmake -S . -B build/demo -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DVGG16_BENCHMARKS=OFF >/dev/null
ninja -C build/demo vgg16 | tail -n 1
mkdir -p "$out"
if [ ! -e "$data/train-images-idx3-ubyte.gz" ]; then
    echo "demo.sh: no Fashion-MNIST in $data; put its four .gz files into a folder and set VGG16_DEMO_DATA to it" >&2
    exit 1
fi
train="idx:$data/train-images-idx3-ubyte.gz,$data/train-labels-idx1-ubyte.gz?per_class=$labelled"
test="idx:$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz?per_class=$unseen"
SECONDS=0
run devices

say "1. Features of the starter weights, then a head on them"
# shellcheck disable=SC2054 # the comma is the program's
base=(--weights starter --layer block5_pool --head gap,dense:10:softmax --seed 1)
began=$SECONDS
run train "$train" --validation "$test" "${base[@]}" --optimizer adam --lr 3e-3 --epochs 40 \
    --report "$out/features.html" --output "$out/features.safetensors"
features=$(result "$began")

say "   Lower layers know less of animals and vehicles: the same on block3_pool"
began=$SECONDS
run train "$train" --validation "$test" --weights starter --layer block3_pool --head flatten,dense:10:softmax --seed 1 \
    --optimizer adam --lr 1e-3 --epochs 20 --report "$out/lower.html" --output "$out/lower.safetensors"
lower=$(result "$began")

say "2. Fine-tuning block5 of that model"
began=$SECONDS
run train "$train" --validation "$test" --from "$out/features.safetensors" --trainable block5 --optimizer adam --lr 2e-4 \
    --schedule cosine --epochs $passes --seed 1 --report "$out/tuned.html" --output "$out/tuned.safetensors"
tuned=$(result "$began")

declare -A random
for n in 2 $passes; do # two passes through all layers compute about as much as 1 and 2 together
    say "3. The same network from random weights, every layer trained, $n passes"
    began=$SECONDS
    run train "$train" --validation "$test" --weights random --size 32 --preprocess torch --head gap,dense:10:softmax \
        --seed 1 --trainable all --optimizer adam --lr 2e-4 --schedule cosine --epochs "$n" \
        --report "$out/random$n.html" --output "$out/random$n.safetensors"
    random[$n]=$(result "$began")
done

say "Accuracy on $((10 * unseen)) pictures of ten kinds of clothes, learnt from $((10 * labelled)), in $SECONDS s"
printf '%-58s %s\n' "starter weights: features of block5_pool, then a head" "$features" \
    "starter weights: features of block3_pool, then a head" "$lower" \
    "starter weights: the first of these with block5 fine-tuned" "$tuned" \
    "random weights: every layer trained, 2 passes" "${random[2]}" \
    "random weights: every layer trained, $passes passes, as block5" "${random[$passes]}"
echo "Pages to open in a browser: $out/{features,lower,tuned,random2,random$passes}.html"
echo "The program is $PWD/build/demo/vgg16; so that \`vgg16\` finds it: export PATH=\"$PWD/build/demo:\$PATH\""
