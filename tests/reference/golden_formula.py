"""What the golden files' scripts share: the formulas that make weights and images (the same as in tests/harness.c, so that
no weights need to be stored), VGG networks in PyTorch in double precision, and the writer of golden files."""
import struct

import numpy as np
import torch

BLOCKS = {"vgg11": (1, 1, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3)}
CHANNELS = (64, 128, 256, 512, 512)
SAMPLES, GROUPS = 192, 31
STREAM_IMAGE, STREAM_SAMPLE, STREAM_GROUP = 1000, 2000, 3000  # kernels are 2 * layer, biases 2 * layer + 1


def uniform(stream, count):
    """`count` numbers in [-1, 1), double, from a 32-bit mixer (constants: Chris Wellons, hash-prospector, lowbias32)."""
    offset = (stream * 0x85EBCA77 + 1) & 0xFFFFFFFF
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(offset)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) * 2.0**-23 - 1.0


def tensor(stream, shape, scale):
    """fp32 values scale * uniform, given back as double."""
    values = (scale * uniform(stream, int(np.prod(shape)))).astype(np.float32)
    return torch.from_numpy(values.astype(np.float64).reshape(shape))


def image(stream, n, h, w):
    """N H W 3: ramps with noise, in about [-1.5, 1.5]."""
    i = np.arange(n * h * w * 3, dtype=np.int64)
    c, x, y = i % 3, i // 3 % w, i // 3 // w % h
    ramp = (7 * y + 3 * x + 11 * c) % 32 / 16.0 - 1.0
    values = (ramp + 0.5 * uniform(STREAM_IMAGE + stream, i.size)).astype(np.float32)
    return torch.from_numpy(values.astype(np.float64).reshape(n, h, w, 3))


class Network:
    """Layers in the order of the architecture as (name, kind, kernel, bias, relu); tensors are double and require a
    gradient. head: "flatten", "gap" or "gmp", then (units, activation) pairs or "dropout"."""

    def __init__(self, arch, h, w, head=(), last=None):
        self.layers, cin = [], 3
        for block, convs in enumerate(BLOCKS[arch]):
            cout = CHANNELS[block]
            for conv in range(convs):
                self.add(f"block{block + 1}_conv{conv + 1}", "conv", (3, 3, cin, cout), True)
                cin = cout
            self.add(f"block{block + 1}_pool", "pool")
            h, w = h // 2, w // 2
            if last == f"block{block + 1}_pool":
                break
        width, dense = cin, 0
        for item in head:
            if isinstance(item, str):
                if item == "flatten":
                    width = h * w * cin
                self.add(item, item)
            else:
                dense += 1
                self.add(f"dense_{dense}", "dense", (width, item[0]), item[1] == "relu")
                width = item[0]

    def add(self, name, kind, shape=None, relu=False):
        kernel = bias = None
        if shape:
            index, fan_in = len(self.layers), int(np.prod(shape[:-1]))
            kernel = tensor(2 * index, shape, (6.0 / fan_in) ** 0.5).requires_grad_()
            bias = tensor(2 * index + 1, shape[-1:], 0.05).requires_grad_()
        self.layers.append((name, kind, kernel, bias, relu))

    def parameters(self):
        """name -> tensor, in layer order, kernel before bias."""
        return {f"{name}/{part}": t for name, _, kernel, bias, _ in self.layers
                for part, t in (("kernel", kernel), ("bias", bias)) if t is not None}

    def forward(self, x, masks=None):
        """x: N H W 3. Returns name -> output (N H W C or N C), and name -> value before the ReLU."""
        outputs, before, x = {}, {}, x.permute(0, 3, 1, 2)
        for name, kind, kernel, bias, relu in self.layers:
            if kind == "conv":
                x = torch.nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1)
            elif kind == "pool":
                x = torch.nn.functional.max_pool2d(x, 2)
            elif kind == "flatten":
                x = x.permute(0, 2, 3, 1).flatten(1)
            elif kind == "gap":
                x = x.mean((2, 3))
            elif kind == "gmp":
                x = x.amax((2, 3))
            elif kind == "dropout":
                x = x * masks
            else:
                x = x @ kernel + bias
            before[name] = x
            if relu:
                x = torch.relu(x)
            outputs[name] = x
        return outputs, before


def losses(logits, targets):
    """Loss and probabilities of each image; one logit means sigmoid."""
    if logits.shape[1] == 1:
        z, t = logits[:, 0], torch.tensor(targets, dtype=torch.float64)
        return torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="none"), torch.sigmoid(logits)
    return torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="none"), torch.softmax(logits, 1)


def nhwc(t):
    return t.detach().permute(0, 2, 3, 1) if t.dim() == 4 else t.detach()


def summary(t):
    """A large array as count, largest magnitude, sum, sum of squares, GROUPS weighted sums (of the elements i with
    i % GROUPS == g, weights uniform in [-1, 1)) and SAMPLES elements at hashed positions, the first and last included."""
    a = t.detach().contiguous().numpy().astype(np.float64).ravel()
    weighted = a * uniform(STREAM_GROUP, a.size)
    groups = np.concatenate([weighted, np.zeros(-a.size % GROUPS)]).reshape(-1, GROUPS).sum(0)
    at = ((uniform(STREAM_SAMPLE, SAMPLES) + 1.0) * 2.0**23).astype(np.int64) * a.size >> 24
    at[0], at[-1] = 0, a.size - 1
    return np.concatenate([[a.size, np.abs(a).max(), a.sum(), (a * a).sum()], groups, a[at]])


def write_golden(path, records):
    """Records of a 56-byte name, a little-endian 64-bit count and so many doubles."""
    with open(path, "wb") as f:
        for name, values in records.items():
            a = np.ascontiguousarray(np.asarray(values, dtype="<f8").ravel())
            f.write(struct.pack("<56sQ", name.encode(), a.size))
            f.write(a.tobytes())
