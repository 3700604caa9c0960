"""Writes ../golden/trajectory.gold with PyTorch in double (Debian: python3-torch, python3-numpy): parameters of a small
network after 1, 3 and 10 steps of every optimiser. Run with /usr/bin/python3."""
import pathlib

import numpy as np
import torch

from golden_formula import Network, image, losses, summary, write_golden

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
BATCH, SIZE, CLASSES, UNITS, RATE, DROPOUT_LAYER, SEED = 4, 32, 5, 24, 0.25, 6, 0x123456789ABCDEF
STEPS = (1, 3, 10)


def optimizers():
    """name -> (class, arguments, with dropout); without and with weight decay."""
    plain = {
        "sgd": (torch.optim.SGD, dict(lr=0.01)),
        "momentum": (torch.optim.SGD, dict(lr=0.01, momentum=0.9)),
        "nesterov": (torch.optim.SGD, dict(lr=0.01, momentum=0.9, nesterov=True)),
        "rmsprop": (torch.optim.RMSprop, dict(lr=1e-3, alpha=0.9, eps=1e-7)),
        "adam": (torch.optim.Adam, dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-7)),
        "adamw": (torch.optim.AdamW, dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-7)),
    }
    for name, (kind, arguments) in plain.items():
        yield name, kind, dict(arguments, weight_decay=0.0), False
        yield name + "_decay", kind, dict(arguments, weight_decay=0.05), False
    yield "sgd_dropout", torch.optim.SGD, dict(lr=0.01, weight_decay=0.0), True


def philox(counter, key):
    """Philox4x32-10 of one counter (four words) and key (two). Source: Salmon et al., SC 2011."""
    c, k, m = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & m, (p >> 32) ^ c[3] ^ k[1], p & m]
        k = [(k[0] + 0x9E3779B9) & m, (k[1] + 0xBB67AE85) & m]
    return c


def masks(step, count):
    """What dropout multiplies by: 0 or 1 / (1 - rate). Counter: index / 4, use (0), step * 256 + layer in two words."""
    stream = step << 8 | DROPOUT_LAYER
    keep = np.zeros(count)
    for i in range(count):
        words = philox((i // 4, 0, stream & 0xFFFFFFFF, stream >> 32), (SEED & 0xFFFFFFFF, SEED >> 32))
        keep[i] = words[i % 4] >= int(RATE * 4294967296.0)
    return torch.from_numpy(keep / (1.0 - RATE)).reshape(BATCH, -1)


def trajectory(kind, arguments, dropout):
    head = ("flatten", (UNITS, "relu"), *(("dropout",) if dropout else ()), (CLASSES, "softmax"))
    network = Network("vgg11", SIZE, SIZE, head, last="block2_pool")
    parameters = network.parameters()
    optimizer = kind(list(parameters.values()), **arguments)
    records = {}
    for step in range(max(STEPS)):
        outputs, before = network.forward(image(1 + step, BATCH, SIZE, SIZE), masks(step, BATCH * UNITS) if dropout else None)
        loss, _ = losses(before[network.layers[-1][0]], [(3 * step + 2 * i) % CLASSES for i in range(BATCH)])
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        if step + 1 in STEPS:
            records.update({f"{step + 1}/{name}": summary(t) for name, t in parameters.items()})
    return records


if __name__ == "__main__":
    records = {}
    for name, kind, arguments, dropout in optimizers():
        for key, values in trajectory(kind, arguments, dropout).items():
            records[f"{name}/{key}"] = values
    write_golden(GOLDEN / "trajectory.gold", records)
