#!/usr/bin/python3
"""onnx_model.py OUT.onnx: VGG16 without its top as an ONNX file (Debian: python3-onnx), He normal weights, any batch and size."""
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

CONVOLUTIONS = (2, 2, 3, 3, 3)
CHANNELS = (64, 128, 256, 512, 512)


def main():
    random = numpy.random.default_rng(1)
    nodes, weights, last, below = [], [], "x", 3
    for block, (count, channels) in enumerate(zip(CONVOLUTIONS, CHANNELS), start=1):
        for i in range(1, count + 1):
            name = f"block{block}_conv{i}"
            kernel = random.standard_normal((channels, below, 3, 3), numpy.float32) * (2 / (9 * below)) ** 0.5
            weights += [numpy_helper.from_array(kernel.astype(numpy.float32), name + "_w"),
                        numpy_helper.from_array(numpy.zeros(channels, numpy.float32), name + "_b")]
            nodes += [helper.make_node("Conv", [last, name + "_w", name + "_b"], [name], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
                      helper.make_node("Relu", [name], [name + "_relu"])]
            last, below = name + "_relu", channels
        pool = f"block{block}_pool"
        nodes.append(helper.make_node("MaxPool", [last], [pool], kernel_shape=[2, 2], strides=[2, 2]))
        last = pool
    graph = helper.make_graph(nodes, "vgg16", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
                              [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), sys.argv[1])


if __name__ == "__main__":
    main()
