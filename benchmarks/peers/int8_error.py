#!/usr/bin/python3
"""int8_error.py --build FOLDER --weights W.safetensors --calibrate FOLDER --images FOLDER [--count N] [--size N]: how far int8 is from
fp32, in this engine and in ONNX Runtime (static quantisation: ranges from minimum and maximum, a scale for each output channel),
both calibrated with the same photos and run on the same others.

W holds the first blocks of a VGG with Keras' names and ImageNet's preprocessing (caffe). FOLDER is a folder of images with one
subfolder for each class; --build is that of run.sh, with vgg16 and onnxruntime-node in it. Prints the distance (root of the summed
squares over that of fp32's) of the last map and of its means over height and width; then for a linear head, trained on the means of
a half of the images, which share of the other half it puts into the same class as the fp32 head does, and the accuracy of heads
that are trained and used in each precision. The head is a ridge regression on one-hot classes: it has no seed."""
import argparse
import json
import os
import subprocess
import tempfile

import numpy
import onnx_model
import torch
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
MEAN = numpy.array([103.939, 116.779, 123.68], numpy.float32)


def photos(folder, count, size):
    """`count` images evenly over the classes, u8 [n][size][size][3], and their classes."""
    images, classes, names = [], [], sorted(os.listdir(folder))
    for which, name in enumerate(names):
        files = sorted(os.listdir(os.path.join(folder, name)))
        wanted = count // len(names) + (which < count % len(names))
        for at in range(min(wanted, len(files))):
            with Image.open(os.path.join(folder, name, files[at * len(files) // min(wanted, len(files))])) as photo:
                images.append(numpy.asarray(photo.convert("RGB").resize((size, size), Image.BILINEAR)))
            classes.append(which)
    return numpy.stack(images), numpy.array(classes)


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    return {name: numpy.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
            for name, entry in header.items() if name != "__metadata__"}


def write_safetensors(path, x, y):
    header = {"x": {"dtype": "U8", "shape": x.shape, "data_offsets": [0, x.nbytes]},
              "y": {"dtype": "I64", "shape": y.shape, "data_offsets": [x.nbytes, x.nbytes + y.nbytes]}}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + x.tobytes() + y.astype("<i8").tobytes())


def network_of(path):
    """As onnx_model.layers(), with the convolutions that the file holds."""
    tensors, network, block = read_safetensors(path), [], 1
    while f"block{block}_conv1/kernel" in tensors:
        i = 1
        while (name := f"block{block}_conv{i}") + "/kernel" in tensors:
            kernel = tensors[name + "/kernel"].transpose(3, 2, 0, 1)
            network.append((name, numpy.ascontiguousarray(kernel), tensors[name + "/bias"]))
            i += 1
        network.append(None)
        block += 1
    return network, f"block{block - 1}_pool"


def ranges(network, x):
    """The largest value of x and of each convolution's output, on all images."""
    high = [float(x.max())] + [0.0] * sum(layer is not None for layer in network)
    for i in range(len(x)):
        y, which = torch.from_numpy(x[i:i + 1]), 1
        for layer in network:
            if layer is None:
                y = torch.nn.functional.max_pool2d(y, 2)
                continue
            y = torch.relu(torch.nn.functional.conv2d(y, torch.from_numpy(layer[1]), torch.from_numpy(layer[2].copy()), padding=1))
            high[which] = max(high[which], float(y.max()))
            which += 1
    return high


def ours(options, folder, layer, precision, conv, calibrate, images):
    program, weights = os.path.join(options.build, "vgg16"), options.weights
    common = ["--size", str(options.size), "--preprocess", "caffe", "--backend", "cpu", "-q"]
    if precision == "int8":
        weights = f"{folder}/scales.safetensors"
        subprocess.run([program, "quantize", calibrate, "--weights", options.weights, "--layer", layer, "--images",
                        str(options.calibration), "--conv", conv, *common, "-o", weights], check=True)
    path = f"{folder}/{precision}.npy"
    subprocess.run([program, "extract", images, "--weights", weights, "--layer", layer, "--precision", precision, *common, "-o", path],
                   check=True)
    return numpy.load(path)


def theirs(options, folder, nodes, x):
    onnx_model.save(f"{folder}/model.onnx", *nodes)
    x.tofile(f"{folder}/x.bin")
    subprocess.run(["node", f"{HERE}/onnx_values.mjs", f"{folder}/model.onnx", f"{folder}/x.bin", f"{folder}/y.bin",
                    *map(str, x.shape)], cwd=options.build, check=True)
    side = options.size >> sum(line.op_type == "MaxPool" for line in nodes[0])
    return numpy.fromfile(f"{folder}/y.bin", numpy.float32).reshape(len(x), -1, side, side).transpose(0, 2, 3, 1)


def head(features, classes):
    """Weights of a ridge regression on standardised features, and what it makes of features."""
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    a = numpy.hstack([(features - mean) / deviation, numpy.ones((len(features), 1))])
    w = numpy.linalg.solve(a.T @ a + len(a) * 0.1 * numpy.eye(a.shape[1]), a.T @ numpy.eye(classes.max() + 1)[classes])
    return lambda f: (numpy.hstack([(f - mean) / deviation, numpy.ones((len(f), 1))]) @ w).argmax(1)


def main():
    parser = argparse.ArgumentParser()
    for name in ("build", "weights", "calibrate", "images"):
        parser.add_argument("--" + name, required=True, type=os.path.abspath)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--calibration", type=int, default=64)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    network, layer = network_of(options.weights)
    with tempfile.TemporaryDirectory() as folder:
        calibration, _ = photos(options.calibrate, options.calibration, options.size)
        images, classes = photos(options.images, options.count, options.size)
        write_safetensors(f"{folder}/calibrate.safetensors", calibration, numpy.zeros(len(calibration)))
        write_safetensors(f"{folder}/images.safetensors", images, classes)
        shown = [numpy.ascontiguousarray((i[..., ::-1].astype(numpy.float32) - MEAN).transpose(0, 3, 1, 2)) for i in (calibration, images)]
        quantised = onnx_model.int8(network, float(shown[0].min()), ranges(network, shown[0]))
        maps = {"fp32": theirs(options, folder, onnx_model.fp32(network), shown[1]),
                "ONNX Runtime int8": theirs(options, folder, quantised, shown[1])}
        for precision, conv in (("fp32", "auto"), ("bf16", "auto"), ("int8", "auto"), ("int8", "direct")):
            name = f"vgg16 {precision}" + " direct" * (conv == "direct")
            maps[name] = ours(options, folder, layer, precision, conv, f"{folder}/calibrate.safetensors",
                              f"{folder}/images.safetensors")
    even = numpy.arange(len(classes)) % 2 == 0
    means = {name: y.mean((1, 2), dtype=numpy.float64) for name, y in maps.items()}
    exact = means["fp32"]
    decided = head(exact[even], classes[even])
    print(f"{len(classes)} images, {classes.max() + 1} classes, {layer} at {options.size}, {len(calibration)} images calibrate")
    print(f"{'':20} {'map':>8} {'means':>8} {'same class':>11} {'accuracy':>9}")
    for name, y in maps.items():
        same = (decided(means[name][~even]) == decided(exact[~even])).mean()
        own = (head(means[name][even], classes[even])(means[name][~even]) == classes[~even]).mean()
        print(f"{name:20} {numpy.linalg.norm(y - maps['fp32']) / numpy.linalg.norm(maps['fp32']):8.2%} "
              f"{numpy.linalg.norm(means[name] - exact) / numpy.linalg.norm(exact):8.2%} {same:11.2%} {own:9.2%}")


if __name__ == "__main__":
    main()
