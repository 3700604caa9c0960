#!/usr/bin/env python3
"""The forward pass of VGG16's base (up to block5_pool) beside PyTorch's, channels last, in alternating runs.

Usage: peer_torch.py LIBVGG16.so [--size 224] [--batch 1] [--threads 2] [--repeats 15] [--conv auto]
Needs python3-torch and python3-numpy. Prints the medians, their quartiles and the ratio as one line of JSON.
"""
import argparse
import ctypes
import json
import statistics
import time

import numpy
import torch

c_int, c_char_p, c_void_p, u64 = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint64


class EngineOptions(ctypes.Structure):
    _fields_ = [("backend", c_char_p), ("device", c_char_p), ("isa", c_char_p), ("conv", c_char_p), ("threads", c_int),
                ("memory", u64)]


class ModelOptions(ctypes.Structure):
    _fields_ = [("arch", c_char_p), ("weights", c_char_p), ("head", c_char_p), ("height", c_int), ("width", c_int),
                ("last", c_char_p), ("preprocess", c_int), ("seed", u64)]


class FeaturesOptions(ctypes.Structure):
    _fields_ = [("layer", c_char_p), ("pooling", c_int), ("batch", c_int)]


def ours(library, options, x):
    """A function that runs the base on x, and its output."""
    vgg = ctypes.CDLL(library)
    engine, model, features = c_void_p(), c_void_p(), c_void_p()
    engine_options = EngineOptions(backend=b"cpu", conv=options.conv.encode(), threads=options.threads)
    model_options = ModelOptions(arch=b"vgg16", weights=b"random", height=options.size, width=options.size)
    features_options = FeaturesOptions(batch=options.batch)
    assert vgg.vgg_engine_create(ctypes.byref(engine), ctypes.byref(engine_options)) == 0
    assert vgg.vgg_model_create(ctypes.byref(model), ctypes.byref(model_options)) == 0
    assert vgg.vgg_features_create(ctypes.byref(features), engine, model, ctypes.byref(features_options)) == 0
    side = options.size // 32
    y = numpy.empty((options.batch, side, side, 512), numpy.float32)

    def run():
        assert vgg.vgg_features_run(features, y.ctypes.data_as(c_void_p), x.ctypes.data_as(c_void_p),
                                    ctypes.c_size_t(options.batch)) == 0

    return run


def theirs(x):
    layers, channels = [], 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width:
            layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU(inplace=True)]
            channels = width
        else:
            layers.append(torch.nn.MaxPool2d(2))
    net = torch.nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)
    images = torch.from_numpy(x).permute(0, 3, 1, 2)

    def run():
        with torch.no_grad():
            net(images)

    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--conv", default="auto")
    for name, value in (("size", 224), ("batch", 1), ("threads", 2), ("repeats", 15)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x = numpy.random.default_rng(1).random((options.batch, options.size, options.size, 3), numpy.float32)
    runs = {"vgg16": ours(options.library, options, x), "torch": theirs(x)}
    seconds = {name: [] for name in runs}
    for repeat in range(options.repeats + 2):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if repeat >= 2:
                seconds[name].append(time.perf_counter() - begin)
    result = {"size": options.size, "batch": options.batch, "threads": options.threads, "torch": torch.__version__}
    for name, values in seconds.items():
        quartiles = statistics.quantiles(values, n=4)
        result[name + "_ms"] = [round(1e3 * q, 2) for q in quartiles]
    result["ratio"] = round(statistics.median(seconds["torch"]) / statistics.median(seconds["vgg16"]), 3)
    print(json.dumps(result))


main()
