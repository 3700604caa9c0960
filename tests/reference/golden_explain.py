"""Writes ../golden/explain_CASE.gold with PyTorch in double (Debian: python3-torch, python3-numpy): Grad-CAM by autograd at
several layers of VGG16, for several classes: the gradients of the class's score and the maps. Run with /usr/bin/python3."""
import pathlib

import torch

from golden_formula import Network, image, nhwc, summary, write_golden

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"

# name: head, classes explained, layers. The image is one of those without near ties of golden_network.py.
CASES = {
    "flatten": (
        ("flatten", (16, "relu"), "dropout", (8, "relu"), (5, "softmax")), (0, 1),
        ("block1_conv2", "block2_pool", "block3_conv2", "block4_conv3", "block5_conv3", "block5_pool"),
    ),
    "gap": (("gap", (1, "sigmoid")), (0, 1), ("block4_pool", "block5_conv3", "block5_pool")),
    "gmp": (("gmp", (3, "softmax")), (0, 1, 2), ("block5_conv2", "block5_conv3", "block5_pool")),
}
SIZE, IMAGE = 64, 46


def score(logits, label):
    """Before softmax; of one sigmoid unit the logit speaks for class 1, its negative for class 0."""
    return logits[0, label] if logits.shape[1] > 1 else logits[0, 0] * (1 if label == 1 else -1)


def explain(case):
    head, labels, layers = CASES[case]
    network = Network("vgg16", SIZE, SIZE, head)
    outputs, before = network.forward(image(IMAGE, 1, SIZE, SIZE), masks=1.0)  # dropout is off
    logits = before[network.layers[-1][0]]
    one = torch.sigmoid(logits)
    probabilities = torch.softmax(logits, 1) if logits.shape[1] > 1 else torch.cat([1 - one, one], 1)
    records = {"probabilities": probabilities.detach()}
    for layer in layers:
        a = outputs[layer]
        for label in labels:
            (gradient,) = torch.autograd.grad(score(logits, label), a, retain_graph=True)
            weights = gradient.mean((2, 3), keepdim=True)
            if case != "gmp":  # PyTorch shares a gradient among equal maxima, of silent channels say: same mean and map
                records[f"{layer}/{label}/gradient"] = summary(nhwc(gradient))
            records[f"{layer}/{label}/map"] = summary(torch.relu((weights * a).sum(1)))
    write_golden(GOLDEN / f"explain_{case}.gold", records)


if __name__ == "__main__":
    for case in CASES:
        explain(case)
