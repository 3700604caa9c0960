#!/usr/bin/python3
"""Measures what decoding large photos costs, and what --decode fast saves, beside Pillow.

usage: decode.py [--program build/vgg16] [--count N] [--rounds N] [--photo WxH] [--size N] [--threads N] [--json FILE]

Makes N JPEGs (4:2:0, quality 90) of the photo's size and the same photos reduced to about twice the network's size, then lets
take turns: `vgg16 extract` of VGG16's base on the small ones, on the large ones with --decode fast and with exact; the same
for the first block of VGG11 alone, which is little more than loading; and Pillow decoding the large ones to RGB in as many
processes, whole and at the reduced size that libjpeg gives it. Rates are images a second without the start of the program,
which a folder of one image tells; each is the median of the rounds."""
import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
from PIL import Image


def make_photos(folder, count, width, height, side):
    """Smooth shapes under grain of a few pixels, as photos have: noise alone would not compress, ramps too well."""
    rng = np.random.default_rng(7)
    for name in ("large", "small", "one"):
        os.mkdir(os.path.join(folder, name))
    for i in range(count):
        coarse = rng.uniform(0, 255, (6, 8, 3)).astype(np.uint8)
        photo = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(np.int16)
        grain = np.repeat(np.repeat(rng.integers(-24, 25, (height // 4 + 1, width // 4 + 1, 1)), 4, 0), 4, 1)
        photo = Image.fromarray(np.clip(photo + grain[:height, :width], 0, 255).astype(np.uint8))
        photo.save(os.path.join(folder, "large", f"{i:03}.jpg"), quality=90, subsampling=2)
        scale = 2 * side / min(width, height)
        small = photo.resize((round(width * scale), round(height * scale)), Image.LANCZOS)
        small.save(os.path.join(folder, "small", f"{i:03}.jpg"), quality=90, subsampling=2)
    os.link(os.path.join(folder, "small", "000.jpg"), os.path.join(folder, "one", "000.jpg"))


def decode(task):
    path, side = task
    with Image.open(path) as image:
        if side:
            image.draft("RGB", (side, side))  # the smallest scale of libjpeg's that is not below
        image.convert("RGB")


def pillow(folder, processes, side):
    tasks = [(os.path.join(folder, "large", name), side) for name in sorted(os.listdir(os.path.join(folder, "large")))]
    with multiprocessing.Pool(processes) as pool:
        pool.map(decode, tasks[:processes])  # what starts once has started
        began = time.monotonic()
        pool.map(decode, tasks, chunksize=1)
        return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/vgg16")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photo", default="4032x3024")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", help="a file for all times, in seconds")
    options = parser.parse_args()
    width, height = map(int, options.photo.split("x"))
    networks = {"vgg16": ["--arch", "vgg16"], "loading": ["--arch", "vgg11", "--layer", "block1_pool", "--pooling", "avg"]}
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        make_photos(folder, options.count, width, height, options.size)

        def extract(network, photos, mode):
            began = time.monotonic()
            subprocess.run(
                [options.program, "extract", os.path.join(folder, photos), "--weights", "random", *networks[network],
                 "--size", str(options.size), "--resize", "bilinear", "--decode", mode, "--backend", "cpu", "--threads",
                 str(options.threads), "--batch", "8", "--quiet", "-o", os.path.join(folder, "f.npy")],
                check=True, stdout=subprocess.DEVNULL)
            return time.monotonic() - began

        for _ in range(options.rounds):
            for network in networks:
                for photos, mode in (("one", "exact"), ("small", "exact"), ("large", "fast"), ("large", "exact")):
                    seconds.setdefault((network, photos, mode), []).append(extract(network, photos, mode))
            for mode, side in (("exact", 0), ("fast", options.size)):
                seconds.setdefault(("pillow", "large", mode), []).append(pillow(folder, options.threads, side))

    def rate(network, photos, mode):
        taken = statistics.median(seconds[network, photos, mode])
        if network == "pillow":
            return options.count / taken
        return (options.count - 1) / (taken - statistics.median(seconds[network, "one", "exact"]))

    print(f"images a second, {options.photo} at {options.size}, {options.threads} threads, median of {options.rounds}")
    for network in networks:
        small, fast, exact = (rate(network, *row) for row in (("small", "exact"), ("large", "fast"), ("large", "exact")))
        print(f"{network:8} small {small:7.1f}   fast {fast:7.1f} ({fast / small:.2f} of small)   exact {exact:7.1f}")
    for mode in ("exact", "fast"):
        alone = rate("pillow", "large", mode)
        print(f"Pillow's decoding alone, {mode}, {options.threads} processes: {alone:.1f}; loading is "
              f"{rate('loading', 'large', mode) / alone:.2f} of it")
    small, alone = rate("vgg16", "small", "exact"), rate("pillow", "large", "fast")
    print(f"vgg16 fast can be {alone / (alone + small):.2f} of small, if nothing but that decoding is added to it")
    if options.json:
        with open(options.json, "w") as f:
            json.dump({" ".join(key): times for key, times in seconds.items()}, f, indent=1)


if __name__ == "__main__":
    main()
