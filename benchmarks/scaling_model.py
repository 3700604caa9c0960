#!/usr/bin/env python3
"""A model, not a measurement: what share of the ideal speed training keeps on many machines, from assumptions stated here.

Each machine, a rank, takes STEP seconds for its own images, whatever the number of machines. The gradients are added by
recursive halving and doubling: 2 log2 R messages a piece, 2 (R - 1) / R times the bytes. With overlap the pieces that
the backward pass has made travel behind the rest of it, HIDDEN of the step at most, and the last piece never does.

scaling_model.py [--no-overlap]: the table of benchmarks/README.md.
"""

import math
import sys

RATE = 0.85  # of the line's rate, headers and gaps taken off
PIECES, LARGEST = 16, 1 << 22  # of the gradients, unless they would be of more values
HIDDEN = 0.55  # of a step: from the first gradients of the backward pass to its end
RANKS = (4, 16, 64, 256, 1024)
LINES = ((10e9, 30e-6), (100e9, 5e-6), (400e9, 3e-6))  # bits a second; seconds of a message without content
STEPS = (("0.75 s (two cores, 8 images)", 0.75), ("0.093 s (a fast node, 32 images)", 0.093), ("0.021 s (a GPU, 32 images)", 0.021))
PARAMETERS = (("14.7 million", 14.7e6), ("138 million", 138.4e6))


def pieces_of(parameters):
    return max(PIECES, math.ceil(parameters / LARGEST))


def added(ranks, parameters, rate, alpha):
    """Seconds that the addition of all gradients takes when nothing else goes on."""
    messages = 2 * math.log2(ranks) * pieces_of(parameters)
    return messages * alpha + 2 * (ranks - 1) / ranks * parameters * 4 * 8 / (RATE * rate)


def share(step, seconds, parameters, overlap):
    left = max(seconds / pieces_of(parameters), seconds - HIDDEN * step) if overlap else seconds
    return step / (step + left)


def main():
    overlap = "--no-overlap" not in sys.argv[1:]
    print("| a step takes | parameters that train | line | " + " | ".join(f"{r} ranks" for r in RANKS) + " |")
    print("|---" * (3 + len(RANKS)) + "|")
    for step_name, step in STEPS:
        for name, parameters in PARAMETERS:
            for rate, alpha in LINES:
                times = [added(ranks, parameters, rate, alpha) for ranks in RANKS]
                cells = [f"{100 * share(step, seconds, parameters, overlap):.0f} %" for seconds in times]
                print(f"| {step_name} | {name} | {rate / 1e9:.0f} Gb/s | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
