#!/usr/bin/env bash
# run.sh [OPTION]... [CASE]...: installs PyTorch and oneDNN (Debian) and ONNX Runtime (npm), builds, and runs them beside this
# engine; options and cases are those of compare.py, which prints the ratios and writes build/peers/peers.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
onnxruntime="onnxruntime-node@1.30.0"

scripts/setup.sh build peers
cmake -S . -B build/peers -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF >/dev/null
ninja -C build/peers bench_net vgg16 >/dev/null
cc -O2 -fopenmp benchmarks/peers/onednn.c -o build/peers/onednn -ldnnl
[ -f build/peers/vgg16.onnx ] || /usr/bin/python3 benchmarks/peers/onnx_model.py build/peers/vgg16.onnx
[ -f build/peers/vgg16-int8.onnx ] || /usr/bin/python3 benchmarks/peers/onnx_model.py build/peers/vgg16-int8.onnx --int8
# Its installation script would fetch a CUDA provider; the CPU's is in the package.
[ -d build/peers/node_modules/onnxruntime-node ] ||
    npm install --prefix build/peers --no-save --ignore-scripts --no-fund --no-audit "$onnxruntime" >&2
exec /usr/bin/python3 benchmarks/peers/compare.py --build build/peers "$@"
