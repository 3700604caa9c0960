"""Writes ../golden/trajectory.gold with PyTorch in double (Debian: python3-torch, python3-numpy): parameters of a small
network after 1, 3 and 10 steps of every optimiser. Run with /usr/bin/python3."""
import pathlib

import numpy as np
import torch

from golden_formula import Network, image, losses, summary, write_golden

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
BATCH, SIZE, CLASSES, UNITS, RATE, DROPOUT_LAYER, SEED = 4, 32, 5, 24, 0.25, 6, 0x123456789ABCDEF
STEPS = (1, 3, 10)


# Labels smoothed by SMOOTHING, gradients held to the norm CLIP (which some steps exceed and some do not), and the first
# block's learning rate DECAY times that of the second block and the head.
SMOOTHING, CLIP, DECAY = 0.15, 40.0, 0.6


def optimizers():
    """name -> (class, arguments, with dropout); without and with weight decay."""
    plain = {
        "sgd": (torch.optim.SGD, dict(lr=0.01)),
        "momentum": (torch.optim.SGD, dict(lr=0.01, momentum=0.9)),
        "nesterov": (torch.optim.SGD, dict(lr=0.005, momentum=0.9, nesterov=True)),
        "rmsprop": (torch.optim.RMSprop, dict(lr=1e-3, alpha=0.9, eps=1e-7)),
        "adam": (torch.optim.Adam, dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-7)),
        "adamw": (torch.optim.AdamW, dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-7)),
    }
    for name, (kind, arguments) in plain.items():
        yield name, kind, dict(arguments, weight_decay=0.0), False
        yield name + "_decay", kind, dict(arguments, weight_decay=0.05), False
    yield "sgd_dropout", torch.optim.SGD, dict(lr=0.01, weight_decay=0.0), True
    yield "tuned", torch.optim.SGD, dict(lr=0.01, momentum=0.9, weight_decay=0.05), False
    yield "tuned_adamw", torch.optim.AdamW, dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-7, weight_decay=0.05), False


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


def groups(parameters, lr):
    first = [t for name, t in parameters.items() if name.startswith("block1_")]
    others = [t for name, t in parameters.items() if not name.startswith("block1_")]
    return [dict(params=first, lr=lr * DECAY), dict(params=others)]


def trajectory(kind, arguments, dropout, tuned=False):
    head = ("flatten", (UNITS, "relu"), *(("dropout",) if dropout else ()), (CLASSES, "softmax"))
    network = Network("vgg11", SIZE, SIZE, head, last="block2_pool")
    parameters = network.parameters()
    optimizer = kind(groups(parameters, arguments["lr"]) if tuned else list(parameters.values()), **arguments)
    records, norms = {}, []
    for step in range(max(STEPS)):
        outputs, before = network.forward(image(1 + step, BATCH, SIZE, SIZE), masks(step, BATCH * UNITS) if dropout else None)
        scores, labels = before[network.layers[-1][0]], [(3 * step + 2 * i) % CLASSES for i in range(BATCH)]
        loss, _ = losses(scores, labels)
        if tuned:
            loss = torch.nn.functional.cross_entropy(scores.flatten(1), torch.tensor(labels), label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.mean().backward()
        if tuned:
            norms.append(float(torch.nn.utils.clip_grad_norm_(list(parameters.values()), CLIP)))
        optimizer.step()
        if step + 1 in STEPS:
            records.update({f"{step + 1}/{name}": summary(t) for name, t in parameters.items()})
    assert not tuned or min(norms) < CLIP < max(norms), norms
    return records


if __name__ == "__main__":
    records = {}
    for name, kind, arguments, dropout in optimizers():
        for key, values in trajectory(kind, arguments, dropout, name.startswith("tuned")).items():
            records[f"{name}/{key}"] = values
    write_golden(GOLDEN / "trajectory.gold", records)
