"""Cats and dogs from end to end on Vulkan, by lavapipe, beside the CPU: real photos and real weights of VGG19's first
three blocks, at a small size."""

import array
import json
import os
import struct
import unittest

from cli_support import LAVAPIPE, Program, use_lavapipe

DATA = os.environ.get("VGG16_TEST_DATA", "")
PHOTOS = os.path.join(DATA, "cats-and-dogs")
WEIGHTS = os.path.join(DATA, "weights", "vgg19-imagenet-blocks1-3.safetensors")
BASE = ["--weights", WEIGHTS, "--arch", "vgg19", "--layer", "block3_pool", "--size", "64", "--preprocess", "torch"]
HEAD = ["--head", "gap,dense:1:sigmoid", "--optimizer", "adam"]


def photos(part, per_class):
    return os.path.join(PHOTOS, part) + f"?per_class={per_class}"


def read_features(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        begin, end = header["x"]["data_offsets"]
        data = f.read()
    values = array.array("f")
    values.frombytes(data[begin:end])
    return header["x"]["shape"], values


@unittest.skipUnless(LAVAPIPE, "lavapipe is not installed (Debian: mesa-vulkan-drivers)")
@unittest.skipUnless(os.path.isdir(PHOTOS) and os.path.exists(WEIGHTS),
                     "no VGG16_TEST_DATA with cats-and-dogs and weights/vgg19-imagenet-blocks1-3.safetensors")  # fmt: skip
class Photos(Program):
    def setUp(self):
        super().setUp()
        use_lavapipe(self.env, self.folder)

    def on(self, backend, *args):
        return self.json(*args, "--backend", backend)

    def features(self, backend):
        for part, count in ("train", 100), ("validation", 50):
            self.succeed("extract", photos(part, count), *BASE, "--backend", backend, "-q", "--output",
                         self.features_file(backend, part))  # fmt: skip

    def features_file(self, backend, part):
        return self.path(f"{backend}-{part}.safetensors")

    def work(self, backend):
        """A head on the features; with augmentation on the frozen base; the last block fine-tuned; what comes of it."""
        train, held = (self.features_file(backend, part) for part in ("train", "validation"))
        head, whole, tuned = (self.path(f"{backend}-{name}.safetensors") for name in ("head", "whole", "tuned"))
        runs = [
            ["train", train, "--validation", held, *BASE, *HEAD, "--lr", "0.002", "--epochs", "15", "--output", head],
            ["train", photos("train", 30), "--from", head, "--augment", "rotate=20,shift=0.1,zoom=0.1,flip",
             "--optimizer", "adam", "--lr", "0.001", "--epochs", "2", "--output", whole],
            ["train", photos("train", 20), "--from", whole, "--trainable", "block3", "--optimizer", "sgd",
             "--lr", "3e-6", "--momentum", "0.9", "--epochs", "2", "--output", tuned],
        ]  # fmt: skip
        epochs = [self.on(backend, *run, "--batch", "20")["epochs"] for run in runs]
        results = [self.on(backend, "evaluate", photos("validation", 50), "--model", m) for m in (head, whole, tuned)]
        photo = sorted(os.listdir(os.path.join(PHOTOS, "validation", "cat")))[0]
        answer = self.on(backend, "predict", "--model", tuned, os.path.join(PHOTOS, "validation", "cat", photo))
        return epochs, results, answer

    def test_the_same_as_on_the_cpu(self):
        for backend in "cpu", "vulkan":
            self.features(backend)
        for part in "train", "validation":
            shape, expected = read_features(self.features_file("cpu", part))
            self.assertEqual(shape[1:], [8, 8, 256])
            _, got = read_features(self.features_file("vulkan", part))
            scale = max(expected)
            self.assertGreater(scale, 1)
            self.assertLess(max(abs(a - b) for a, b in zip(expected, got)), 1e-3 * scale)
        expected, got = self.work("cpu"), self.work("vulkan")
        for ours, theirs in zip(got[0], expected[0]):
            losses = [[epoch["loss"] for epoch in run] for run in (ours, theirs)]
            for a, b in zip(*losses):
                self.assertAlmostEqual(a, b, delta=0.01 * b, msg=losses)
        self.assertLess(got[0][0][-1]["loss"], 0.5 * got[0][0][0]["loss"])
        for a, b in zip(got[1], expected[1]):
            self.assertGreater(a["accuracy"], 0.6)
            self.assertAlmostEqual(a["accuracy"], b["accuracy"], delta=0.03)
            self.assertAlmostEqual(a["loss"], b["loss"], delta=0.01 * b["loss"])
        answers = [[c["probability"] for c in answer["images"][0]["classes"]] for answer in (got[2], expected[2])]
        self.assertEqual(len(answers[0]), 2)
        for a, b in zip(*answers):
            self.assertAlmostEqual(a, b, delta=0.01)
