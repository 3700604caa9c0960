#!/usr/bin/env bash
# starter.sh FOLDER [WORK]: makes models/vgg16-cifar10.safetensors, the starter weights, with this program alone.
# FOLDER holds CIFAR-10 as images: train/CLASS/*.jpg (50,000) and test/CLASS/*.jpg (10,000). WORK (default: FOLDER/work)
# keeps checkpoints, histories and the models in full precision; a run that was stopped goes on from there.
# First a VGG11 from random weights, then a VGG16 grown from it: its further convolutions begin as the identity. The first
# VGG networks were grown the same way (Simonyan and Zisserman 2014, section 3.1), because deep plain networks hardly start
# from random weights. At the end the model is rounded to F16 and measured again.
set -euo pipefail
if [ $# -lt 1 ] || [ ! -d "$1/train" ] || [ ! -d "$1/test" ]; then
    echo "usage: starter.sh FOLDER [WORK], FOLDER with CIFAR-10's train/CLASS/*.jpg and test/CLASS/*.jpg" >&2
    exit 2
fi
data=$(realpath "$1")
work=$(realpath -m "${2:-$1/work}")
cd "$(dirname "$0")/.."
program=$(realpath "${VGG16_PROGRAM:-build/vgg16}")
model=$PWD/models/vgg16-cifar10.safetensors
mkdir -p "$work"
cd "$work" # the model's metadata names what it was grown from as the command does

# shellcheck disable=SC2054 # the commas are the program's
common=(--validation "$data/test" --size 32 --layer block5_pool --trainable all --head gap,dense:10:softmax
    --preprocess torch --optimizer adamw --lr 3e-4 --weight-decay 0.02 --batch 128 --augment flip,shift=0.1 --resume)

if [ ! -e vgg11.safetensors ]; then
    "$program" train "$data/train" "${common[@]}" --weights random --arch vgg11 --epochs 5 --seed 1 \
        --checkpoint vgg11 --log vgg11.csv --output vgg11.safetensors
fi
if [ ! -e vgg16.safetensors ]; then
    "$program" train "$data/train" "${common[@]}" --weights vgg11.safetensors --arch vgg16 --schedule cosine \
        --epochs 6 --seed 2 --checkpoint vgg16 --log vgg16.csv --output vgg16.safetensors
fi

"$program" convert vgg16.safetensors "$model" --layout keras --dtype f16
size=$(stat -c %s "$model")
if [ "$size" -gt 30000000 ]; then
    echo "starter.sh: $model has $size bytes, more than the 30,000,000 that it may have" >&2
    exit 1
fi
echo "$model: $size bytes; accuracy per epoch: $work/vgg11.csv, $work/vgg16.csv"
for file in vgg16.safetensors "$model"; do
    echo "== $file on the test images"
    "$program" evaluate "$data/test" --model "$file"
done
