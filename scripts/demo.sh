#!/usr/bin/env bash
# demo.sh [FOLDER]: from a bare Debian or Ubuntu to what transfer learning gains, in less than ten minutes on two cores.
# Installs what is needed, builds the program, then does the main job on pictures that a Debian package ships: without
# ImageNet weights at hand, a VGG is first pretrained on eight kinds of clothes of Fashion-MNIST; then it has to tell
# the two kinds apart that it has never seen, from a few labelled pictures. Models and features stay in FOLDER (default: a
# new folder under the system's temporary one).
set -euo pipefail
out=$(realpath -m "${1:-$(mktemp -d -t vgg16-demo.XXXXXX)}")
cd "$(dirname "$0")/.."

arch=vgg11 size=32           # small, for the time; the steps are those of a VGG16 on photos
seen=0,1,2,3,4,6,8,9 new=5,7 # sandals and sneakers are held out
labelled=10                  # pictures of each new kind to learn from
data=${VGG16_DEMO_DATA:-/usr/share/datasets/fashion-mnist}

say() { printf '\n== %s\n' "$*"; }
run() {
    printf '$ vgg16 %s\n' "$*" >&2
    build/demo/vgg16 "$@"
}
# The last epoch's validation accuracy in the JSON that `train` prints, in percent.
accuracy() {
    awk -F '[:,]' '/"val_accuracy"/ { last = $2 } END { printf "%.1f %%", 100 * last }'
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
train=idx:$data/train-images-idx3-ubyte.gz,$data/train-labels-idx1-ubyte.gz
test=idx:$data/t10k-images-idx3-ubyte.gz,$data/t10k-labels-idx1-ubyte.gz
run devices

say "Pretraining: eight kinds of clothes, 4000 pictures"
run train "$train?classes=$seen&per_class=500" --validation "$test?classes=$seen&per_class=50" --weights random \
    --arch $arch --size $size --preprocess torch --head flatten,dense:8:softmax --trainable all --optimizer adam \
    --lr 4e-4 --schedule cosine --batch 64 --epochs 5 --seed 1 --output "$out/pretrained.safetensors"

few="$train?classes=$new&per_class=$labelled" many="$test?classes=$new"
declare -A result
for weights in "$out/pretrained.safetensors" random; do
    name=$(basename "$weights" .safetensors)
    network=(--weights "$weights" --arch "$arch" --size "$size" --preprocess torch --layer block4_pool --seed 1)
    say "Two new kinds from $labelled pictures each, $name weights: features, then a classifier on them"
    run extract "$few" "${network[@]}" --output "$out/$name.few.safetensors"
    run extract "$many" "${network[@]}" --output "$out/$name.many.safetensors"
    result[$name,features]=$(run train "$out/$name.few.safetensors" --validation "$out/$name.many.safetensors" "${network[@]}" \
        --head flatten,dense:64:relu,dense:1:sigmoid --optimizer adam --lr 1e-3 --epochs 40 --json -q \
        --output "$out/$name.classifier.safetensors" | accuracy)
    say "Fine-tuning block4 of that model"
    result[$name,block4]=$(run train "$few" --validation "$many" --from "$out/$name.classifier.safetensors" \
        --trainable block4 --optimizer adam --lr 1e-4 --epochs 15 --seed 1 --json -q \
        --output "$out/$name.tuned.safetensors" | accuracy)
done
say "The same pictures, every layer from random weights"
result[random,all]=$(run train "$few" --validation "$many" "${network[@]}" --head flatten,dense:64:relu,dense:1:sigmoid \
    --trainable all --optimizer adam --lr 1e-4 --epochs 15 --json -q --output "$out/random.all.safetensors" | accuracy)

say "The model that came of it"
run evaluate "$many" --model "$out/pretrained.tuned.safetensors"

say "Accuracy on 2000 pictures of the two new kinds, learnt from $((2 * labelled))"
printf '%-36s %12s %12s\n' "" pretrained "random" \
    "features, then a classifier" "${result[pretrained,features]}" "${result[random,features]}" \
    "then block4 fine-tuned" "${result[pretrained,block4]}" "${result[random,block4]}" \
    "every layer trained" "" "${result[random,all]}"
echo "Models and features: $out"
