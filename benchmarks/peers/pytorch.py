#!/usr/bin/python3
"""pytorch.py [-t THREADS] [-s SECONDS] [CASE...]: the cases of bench_net.c in PyTorch (Debian: python3-torch), channels last,
on random weights and images. One JSON object a line and case on stdout."""
import getopt
import json
import resource
import sys
import time

import torch

# name: size, batch, first block that trains (0: features only), optimiser
CASES = {
    "extract-224-b1": (224, 1, 0, None),
    "extract-224-b8": (224, 8, 0, None),
    "extract-150-b8": (150, 8, 0, None),
    "extract-32-b64": (32, 64, 0, None),
    "block5-150-b20": (150, 20, 5, "rmsprop"),
    "all-224-b8": (224, 8, 1, "sgd"),
    "all-32-b64": (32, 64, 1, "sgd"),
}
CONVOLUTIONS = (2, 2, 3, 3, 3)
CHANNELS = (64, 128, 256, 512, 512)
MIN_RUNS, MAX_RUNS = 3, 1000


def network(size, trainable):
    """The base, frozen below block `trainable`, and for training the head flatten,dense:256:relu,dense:1."""
    layers, below = [], 3
    for block, (count, channels) in enumerate(zip(CONVOLUTIONS, CHANNELS), start=1):
        for _ in range(count):
            convolution = torch.nn.Conv2d(below, channels, 3, padding=1)
            torch.nn.init.kaiming_uniform_(convolution.weight, nonlinearity="relu")
            torch.nn.init.zeros_(convolution.bias)
            convolution.requires_grad_(0 < trainable <= block)
            layers += [convolution, torch.nn.ReLU(inplace=True)]
            below = channels
        layers.append(torch.nn.MaxPool2d(2))
    if trainable:
        units = below * (size // 32) ** 2
        layers += [torch.nn.Flatten(), torch.nn.Linear(units, 256), torch.nn.ReLU(inplace=True), torch.nn.Linear(256, 1)]
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)


def step_of(size, batch, trainable, optimizer):
    """A function that does the case's work once."""
    net = network(size, trainable)
    x = (2 * torch.rand(batch, 3, size, size) - 1).to(memory_format=torch.channels_last)
    if not trainable:
        net.eval()

        def extract():
            with torch.inference_mode():
                net(x)

        return extract

    t = (torch.arange(batch) % 2).float()[:, None]
    parameters = [p for p in net.parameters() if p.requires_grad]
    if optimizer == "sgd":
        update = torch.optim.SGD(parameters, lr=1e-6, momentum=0.9)
    else:
        update = torch.optim.RMSprop(parameters, lr=1e-6, alpha=0.9, eps=1e-7)

    def train():
        update.zero_grad(set_to_none=True)
        torch.nn.functional.binary_cross_entropy_with_logits(net(x), t).backward()
        update.step()

    return train


def main():
    options, names = getopt.getopt(sys.argv[1:], "t:s:")
    options = dict(options)
    if "-t" in options:
        torch.set_num_threads(int(options["-t"]))
    seconds = float(options.get("-s", 2))
    torch.manual_seed(1)
    for name in names or CASES:
        size, batch, trainable, optimizer = CASES[name]
        work = step_of(size, batch, trainable, optimizer)
        work()
        times, begun = [], time.perf_counter()
        while len(times) < MIN_RUNS or (time.perf_counter() - begun < seconds and len(times) < MAX_RUNS):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        times.sort()
        median = times[len(times) // 2]
        print(json.dumps({"engine": "pytorch", "case": name, "ms": round(1e3 * median, 2), "ms_min": round(1e3 * times[0], 2),
                          "ms_max": round(1e3 * times[-1], 2), "images_per_second": round(batch / median, 2),
                          "runs": len(times), "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}), flush=True)


if __name__ == "__main__":
    main()
