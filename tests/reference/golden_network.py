"""Writes ../golden/network_HxW.gold and gradients_CASE.gold with PyTorch in double (Debian: python3-torch, python3-numpy):
activations of all layers of VGG16, and gradients of every tensor under four heads. Run with /usr/bin/python3."""
import pathlib

import torch

from golden_formula import Network, image, losses, nhwc, summary, write_golden

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"

# name: images, height, width, index of the image formula, head, targets, sample weights. A ReLU or a max-pool that is a
# near tie may go either way in fp32, and one that does moves every gradient below it by up to 1e-2. The indices were
# searched for images without near ties: the closest are 1.9e-6 and 1.0e-6 of their layer's scale. No 150x150 image is
# free of them, so there only what lies above block 4 is compared closely.
CASES = {
    "flatten": (2, 32, 32, 129, ("flatten", (16, "relu"), (5, "softmax")), [0, 4], [0.5, 2.0]),
    "gap": (1, 64, 64, 46, ("gap", (1, "sigmoid")), [1], [1.0]),
    "gmp": (1, 64, 64, 46, ("gmp", (3, "softmax")), [2], [1.0]),
    "seed": (1, 150, 150, 0, ("flatten", (256, "relu"), (1, "sigmoid")), [1], [1.0]),
}


def activations(n, h, w):
    network = Network("vgg16", h, w)
    with torch.no_grad():
        outputs, _ = network.forward(image(0, n, h, w))
    write_golden(GOLDEN / f"network_{h}x{w}.gold", {name: summary(nhwc(t)) for name, t in outputs.items()})


def gradients(case):
    n, h, w, index, head, targets, weights = CASES[case]
    network = Network("vgg16", h, w, head)
    outputs, before = network.forward(image(index, n, h, w))
    for t in list(before.values()) + list(outputs.values()):
        t.retain_grad()
    logits = before[network.layers[-1][0]]
    loss, probabilities = losses(logits, targets)
    loss = loss * torch.tensor(weights, dtype=torch.float64)
    loss.mean().backward()
    records = {"loss": loss.detach(), "probabilities": probabilities.detach()}
    for name, t in network.parameters().items():
        records[name] = summary(t.grad)
    if case == "flatten":
        for name, *_ in network.layers:  # with respect to the output before its ReLU
            records[f"{name}/delta"] = summary(nhwc(before[name].grad))
    write_golden(GOLDEN / f"gradients_{case}.gold", records)


if __name__ == "__main__":
    for n, h, w in ((1, 224, 224), (1, 150, 150), (1, 97, 131), (3, 33, 47)):
        activations(n, h, w)
    for case in CASES:
        gradients(case)
