#!/usr/bin/python3
"""onnx_model.py OUT.onnx [--int8]: VGG16 without its top as an ONNX file (Debian: python3-onnx), He normal weights, any batch and
size. --int8: as ONNX Runtime's own quantisation makes it of a model: activations u8 with one scale, weights s8 with one scale for
each output channel, QLinearConv, poolings of bytes."""
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

CONVOLUTIONS = (2, 2, 3, 3, 3)
CHANNELS = (64, 128, 256, 512, 512)


def layers(random):
    """[(name, kernel OIHW, bias)] and None for a pooling."""
    found, below = [], 3
    for block, (count, channels) in enumerate(zip(CONVOLUTIONS, CHANNELS), start=1):
        for i in range(1, count + 1):
            kernel = random.standard_normal((channels, below, 3, 3), numpy.float32) * (2 / (9 * below)) ** 0.5
            found.append((f"block{block}_conv{i}", kernel, numpy.zeros(channels, numpy.float32)))
            below = channels
        found.append(None)
    return found


def pool(nodes, last):
    """Adds a pooling; its output's name."""
    name = f"pool{len(nodes)}"
    nodes.append(helper.make_node("MaxPool", [last], [name], kernel_shape=[2, 2], strides=[2, 2]))
    return name


def fp32(network):
    """(nodes, constants, the output's name)"""
    nodes, constants, last = [], [], "x"
    for layer in network:
        if layer is None:
            last = pool(nodes, last)
            continue
        name, kernel, bias = layer
        constants += [numpy_helper.from_array(kernel, name + "_w"), numpy_helper.from_array(bias, name + "_b")]
        nodes += [helper.make_node("Conv", [last, name + "_w", name + "_b"], [name], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
                  helper.make_node("Relu", [name], [name + "_relu"])]
        last = name + "_relu"
    return nodes, constants, last


def int8(network, low, high):
    """The same in bytes. low, high: the range of x, then of each convolution's output (from 0 on)."""
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(numpy.asarray(value), name))
        return name

    def scale_of(name, low, high):
        scale = numpy.float32((high - min(low, 0)) / 255)
        return [constant(name + "_scale", scale), constant(name + "_zero", numpy.uint8(round(-min(low, 0) / scale)))], scale

    names, scale = scale_of("x", low, high[0])
    nodes.append(helper.make_node("QuantizeLinear", ["x", *names], ["x_bytes"]))
    last, which = "x_bytes", 0
    for layer in network:
        if layer is None:
            last = pool(nodes, last)
            continue
        name, kernel, bias = layer
        which += 1
        steps = (numpy.abs(kernel).max(axis=(1, 2, 3)) / 127).astype(numpy.float32)
        weights = [constant(name + "_w", numpy.clip(numpy.round(kernel / steps[:, None, None, None]), -127, 127).astype(numpy.int8)),
                   constant(name + "_w_scale", steps), constant(name + "_w_zero", numpy.zeros(len(steps), numpy.int8))]
        total = constant(name + "_b", numpy.round(bias / (scale * steps)).astype(numpy.int32))
        of_x = names
        names, scale = scale_of(name, 0, high[which])
        nodes.append(helper.make_node("QLinearConv", [last, *of_x, *weights, *names, total], [name], pads=[1, 1, 1, 1],
                                      kernel_shape=[3, 3]))
        last = name
    nodes.append(helper.make_node("DequantizeLinear", [last, *names], ["features"]))
    return nodes, constants, "features"


def save(path, nodes, constants, last):
    graph = helper.make_graph(nodes, "vgg", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
                              [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def main():
    network = layers(numpy.random.default_rng(1))
    if "--int8" in sys.argv[2:]:
        save(sys.argv[1], *int8(network, -1.0, [1.0] + [3.0] * sum(CONVOLUTIONS)))
    else:
        save(sys.argv[1], *fp32(network))


if __name__ == "__main__":
    main()
