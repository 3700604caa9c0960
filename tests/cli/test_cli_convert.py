"""Classifiers that other programs trained become models, and models go to other programs: the same probabilities as
PyTorch's in double precision, from .pth, .safetensors and Keras' .h5, to .pth, .h5, .safetensors and .onnx."""

import json
import os
import struct
import sys
import unittest
import zlib

from cli_support import Program, write_png

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
try:
    import numpy
    import torch
    from torch import nn
except ModuleNotFoundError:
    torch = None
try:
    import h5py
except ModuleNotFoundError:
    h5py = None
try:
    import onnx
    import onnx.numpy_helper
except ModuleNotFoundError:
    onnx = None

CLASSES = ["ant", "bee", "wasp"]


def pixel(x, y):
    return (x * 37 + y * 11) % 256, (x * y * 5 + 60) % 256, (255 - x * 3 - y * y) % 256


def features():
    """The first two blocks of VGG16, numbered as torchvision numbers them."""
    layers, before = [], 3
    for after in (64, 64, 0, 128, 128, 0):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()] if after else [nn.MaxPool2d(2)]
        before = after or before
    return nn.Sequential(*layers)


def classifier(*sizes, first=0):
    """Linear, ReLU, Dropout ... as the README tells it."""
    layers = [nn.Dropout()] * first
    for n_in, n_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*layers[:-2])


class Network(nn.Module if torch else object):
    def __init__(self, head, pooled=False):
        super().__init__()
        self.features, self.classifier, self.pooled = features(), head, pooled

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.mean((2, 3)) if self.pooled else x.flatten(1))


@unittest.skipUnless(torch, "no PyTorch here (Debian: python3-torch)")
class Models(Program):
    def setUp(self):
        super().setUp()
        if "zip archives (.pth, .keras): none" in self.succeed("--version"):
            self.skipTest("no minizip here (Debian: libminizip-dev)")
        torch.manual_seed(5)
        write_png(self.path("p.png"), 32, 32, pixel)
        write_png(self.path("q.png"), 48, 32, pixel)

    def image(self, width=32):
        values = numpy.array([[pixel(x, y) for x in range(width)] for y in range(32)], dtype="f8") / 255
        return torch.tensor(values.transpose(2, 0, 1))[None]

    def probabilities(self, model="m.safetensors", picture="p.png"):
        """By class, as the program tells them."""
        image = self.json("predict", "-m", model, picture, "--top", "99")["images"][0]
        return {c["name"]: c["probability"] for c in image["classes"]}

    def wanted(self, network, width=32):
        with torch.no_grad():
            logits = network.double().eval()(self.image(width))[0]
        network.float()
        if len(logits) == 1:
            p = torch.sigmoid(logits)[0].item()
            return {"ant": 1 - p, "bee": p}
        return dict(zip(CLASSES, torch.softmax(logits, 0).tolist()))

    def compare(self, got, wanted):
        self.assertEqual(sorted(got), sorted(wanted))
        for name, value in wanted.items():
            self.assertAlmostEqual(got[name], value, delta=1e-5, msg=f"{got} {wanted}")

    def import_model(self, file, *more, classes=CLASSES, size="32"):
        return self.run_program("convert", file, "m.safetensors", "--classes", ",".join(classes), "--size", size,
                                "--preprocess", "rescale", *more)


class Import(Models):
    def check(self, network, state, *more, width=32, **how):
        torch.save(state, self.path("w.pth"))
        self.assertEqual((done := self.import_model("w.pth", *more, **how)).returncode, 0, done.stderr)
        self.compare(self.probabilities(picture="p.png" if width == 32 else "q.png"), self.wanted(network, width))
        return done.stderr

    def test_pooled(self):
        network = Network(classifier(128, 3, first=1), pooled=True)
        said = self.check(network, network.state_dict())
        self.assertRegex(said, r"^vgg16: warning: w.pth: its head is taken for gap,dense:3:softmax; --head says otherwise\n$")

    def test_flattened_and_oblong(self):
        network = Network(classifier(8 * 12 * 128, 7, 5, 3))
        state = {"epoch": 3, "state_dict": {"model." + k: v for k, v in network.state_dict().items()}}
        head = "flatten,dense:7:relu,dropout:0.5,dense:5:relu,dense:3:softmax"
        self.assertEqual(self.check(network, state, "--head", head, width=48, size="32x48"), "")

    def test_names_tell_no_order(self):
        network = Network(classifier(8 * 8 * 128, 6, 3))
        names = {"classifier.0": "zebra", "classifier.3": "fc"}
        state = {k.replace("classifier", names.get(k.rsplit(".", 1)[0], "")).replace("zebra.0", "zebra").replace("fc.3", "fc"): v
                 for k, v in network.state_dict().items()}
        self.assertIn("fc.weight", state)
        self.check(network, dict(reversed(state.items())))

    def test_one_sigmoid(self):
        network = Network(classifier(8 * 8 * 128, 5, 1))
        self.check(network, {"model": network.state_dict()}, classes=["ant", "bee"])

    def test_timm(self):
        network = Network(classifier(8 * 8 * 128, 6, 5, 3))
        names = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}
        state = network.state_dict()
        for old, new in names.items():
            weight, bias = state.pop(old + ".weight"), state.pop(old + ".bias")
            side = {"pre_logits.fc1": 8, "pre_logits.fc2": 1}.get(new)
            state[new + ".weight"] = weight.reshape(len(weight), -1, side, side) if side else weight
            state[new + ".bias"] = bias
        self.check(network, state)

    @unittest.skipUnless(h5py, "no h5py here (Debian: python3-h5py)")
    def test_keras(self):
        network = Network(classifier(8 * 8 * 128, 6, 3))
        with h5py.File(self.path("k.h5"), "w") as file:
            group = file.create_group("model_weights")
            layers = []
            for name, module in network.named_modules():
                if not isinstance(module, (nn.Conv2d, nn.Linear)):
                    continue
                kernel = module.weight.detach().numpy()
                if kernel.ndim == 4:
                    kernel = kernel.transpose(2, 3, 1, 0)
                elif kernel.shape[1] > 6:
                    kernel = kernel.reshape(-1, 128, 8, 8).transpose(2, 3, 1, 0).reshape(-1, len(kernel))
                else:
                    kernel = kernel.T
                part = name.split(".")[1]
                named = {"0": "block1_conv1", "2": "block1_conv2", "5": "block2_conv1", "7": "block2_conv2"}
                label = named[part] if name.startswith("features") else {"0": "dense_7", "3": "predictions"}[part]
                layers.append(label)
                below = group.create_group(label)
                below.attrs["weight_names"] = [f"{label}/kernel:0".encode(), f"{label}/bias:0".encode()]
                below[f"{label}/kernel:0"], below[f"{label}/bias:0"] = kernel, module.bias.detach().numpy()
            group.attrs["layer_names"] = [name.encode() for name in layers]
        self.assertEqual((done := self.import_model("k.h5")).returncode, 0, done.stderr)
        self.compare(self.probabilities(), self.wanted(network))

    def test_refused(self):
        network = Network(classifier(128, 3), pooled=True)
        state = network.state_dict()
        torch.save(state, self.path("w.pth"))
        self.fail_with(2, "the head needs dense layers 128x4; the file's are classifier.0 \\(128x3\\)", "convert", "w.pth",
                       "m.safetensors", "--head", "gap,dense:4:softmax")
        self.fail_with(2, "2 class names for a head with 3 classes", "convert", "w.pth", "m.safetensors", "--classes", "a,b",
                       "--head", "gap,dense:3:softmax")
        self.fail_with(2, "head \"dense:3\"", "convert", "w.pth", "m.safetensors", "--head", "dense:3")
        self.fail_with(1, "w.pth: .*vgg16 convert --classes", "predict", "-m", "w.pth", "p.png")
        torch.save({**state, "classifier.1.running_mean": torch.ones(3)}, self.path("n.pth"))
        self.fail_with(1, "batch normalisation \\(classifier.1.running_mean\\)", "convert", "n.pth", "m.safetensors",
                       "--classes", "a,b,c")
        torch.save({k: v for k, v in state.items() if "features" in k}, self.path("b.pth"))
        self.fail_with(1, "no dense layers to make a head of", "convert", "b.pth", "m.safetensors", "--classes", "a,b,c")
        torch.save({**state, "x.weight": torch.ones(9, 5), "x.bias": torch.ones(9)}, self.path("x.pth"))
        self.compare_classifier("x.pth")
        torch.save({k: v for k, v in state.items() if "classifier" in k}, self.path("h.pth"))
        self.fail_with(1, "holds no convolutions", "convert", "h.pth", "m.safetensors", "--classes", "a,b,c")

    def test_names_of_classes(self):
        network = Network(classifier(128, 3), pooled=True)
        torch.save(network.state_dict(), self.path("w.pth"))
        for pattern, names in (("--classes: names 1 and 3 are both a;", "a,b,a"), ("--classes: name 2 of 3 is empty;", "a,,c"),
                               ("--classes: name 3 of 3 is empty;", "a,b,")):
            self.usage(pattern, "convert", "w.pth", "m.safetensors", "--classes", names)

    def test_what_a_model_says_of_itself(self):
        """Its size and head cannot be contradicted, and are taken where the options are silent."""
        network = Network(classifier(8 * 12 * 128, 5, 3))
        torch.save(network.state_dict(), self.path("w.pth"))
        head = "flatten,dense:5:linear,dense:3:softmax"
        self.succeed("convert", "w.pth", "m.safetensors", "--head", head, "--size", "32x48", "--classes", "a,b,c")
        new = ["convert", "m.safetensors", "n.safetensors", "--classes", "x,y,z"]
        self.fail_with(2, "input size 48x32: m.safetensors is a model for 32x48; leave --size out", *new, "--size", "48x32")
        self.fail_with(2, f"m.safetensors is a model with the head {head}; leave --head out", *new, "--head",
                       head.replace("linear", "relu"))
        for more in ([], ["--size", "32x48", "--head", head]):
            done = self.run_program(*new, *more)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            got = self.probabilities("n.safetensors", "q.png")
            wanted = self.probabilities("m.safetensors", "q.png")
            self.assertEqual(got, {dict(zip("abc", "xyz"))[k]: v for k, v in wanted.items()})

    def test_damaged_part(self):
        """A byte in the values of a tensor: its part's CRC tells, where that tensor is read and where it states one."""
        network = Network(classifier(128, 3), pooled=True)
        torch.save(network.state_dict(), self.path("w.pth"))
        with open(self.path("w.pth"), "rb") as f:
            content = bytearray(f.read())
        at = content.index(network.state_dict()["classifier.0.bias"].numpy().tobytes())
        content[at + 5] ^= 4
        with open(self.path("w.pth"), "wb") as f:
            f.write(content)
        pattern = "w.pth: part w/data/9 of the archive is damaged: its CRC-32 is [0-9a-f]{8}, not [0-9a-f]{8}"
        self.fail_with(1, pattern, "convert", "w.pth", "m.safetensors", "--head", "gap,dense:3:softmax")
        self.succeed("summary", "w.pth", "--layer", "block2_pool")
        crc = zlib.crc32(network.state_dict()["classifier.0.bias"].numpy().tobytes())
        stated = struct.pack("<I", crc)
        self.assertGreaterEqual(content.count(stated), 1)
        with open(self.path("w.pth"), "wb") as f:
            f.write(content.replace(stated, bytes(4)))
        self.succeed("convert", "w.pth", "m.safetensors", "--head", "gap,dense:3:softmax")

    def test_weights_that_are_no_numbers(self):
        network = Network(classifier(128, 3), pooled=True)
        for name, value in (("features.5.bias", float("nan")), ("classifier.0.weight", float("-inf"))):
            state = {k: v.clone() for k, v in network.state_dict().items()}
            state[name].view(-1)[-1] = value
            torch.save(state, self.path("w.pth"))
            said = f"w.pth: tensor {name} holds values that are infinite or no numbers"
            self.fail_with(1, said, "convert", "w.pth", "m.safetensors", "--head", "gap,dense:3:softmax")
            if "features" in name:
                self.fail_with(1, said, "extract", "p.png", "--weights", "w.pth", "--layer", "block2_pool", "-o", "f.npy")

    def test_summary_shows_the_head(self):
        network = Network(classifier(8 * 8 * 128, 6, 3))
        torch.save(network.state_dict(), self.path("w.pth"))
        table = self.json("summary", "--weights", "w.pth")
        self.assertEqual([l["name"] for l in table["layers"]][-3:], ["flatten", "dense_1", "dense_2"])
        self.assertEqual(table["input"], [32, 32, 3])
        self.assertEqual(table["parameters"], sum(v.numel() for v in network.state_dict().values()))
        self.assertEqual(table, self.json("summary", "w.pth"))
        torch.save({k: v for k, v in network.state_dict().items() if "features" in k}, self.path("b.pth"))
        table = self.json("summary", "--weights", "b.pth", "--size", "64x32")
        self.assertEqual((table["layers"][-1]["name"], table["layers"][-1]["shape"]), ("block2_pool", [16, 8, 128]))
        self.usage("--weights b.pth: the file is given already, as w.pth", "summary", "w.pth", "--weights", "b.pth")

    def compare_classifier(self, file):
        """What does not chain is left out; torchvision's classifier counts."""
        self.assertEqual((done := self.import_model(file)).returncode, 0, done.stderr)
        self.assertEqual(sorted(self.probabilities()), CLASSES)


class Export(Models):
    """From a model to other programs' files; each holds the same network."""

    def setUp(self):
        super().setUp()
        self.network = Network(classifier(8 * 8 * 128, 6, 3))
        torch.save(self.network.state_dict(), self.path("w.pth"))
        done = self.import_model("w.pth", "--head", "flatten,dense:6:relu,dropout:0.5,dense:3:softmax")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_pytorch(self):
        for name, more in (("t.pth", ()), ("u.pt", ()), ("h.pth", ("--dtype", "f16"))):
            self.succeed("convert", "m.safetensors", name, *more)
            state = torch.load(self.path(name), weights_only=True)
            network = Network(classifier(8 * 8 * 128, 6, 3))
            network.load_state_dict({k: v.float() for k, v in state.items()}, strict=True)
            for (key, value), wanted in zip(state.items(), self.network.state_dict().values()):
                self.assertTrue(torch.equal(value, wanted.half() if more else wanted), key)
        self.compare(self.wanted(network), self.wanted(self.network)) if not more else None

    def test_round_trips(self):
        wanted = self.wanted(self.network)
        for name, more in (("t.pth", ()), ("t.h5", ()), ("t.safetensors", ("--layout", "torchvision"))):
            self.succeed("convert", "m.safetensors", name, *more)
            self.compare(self.probabilities(name), wanted)  # a model, with its classes

    def evaluate(self, path, x):
        """The graph by PyTorch's operators, as ONNX defines its own."""
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        graph = model.graph
        values = {t.name: torch.tensor(onnx.numpy_helper.to_array(t).copy()).double() for t in graph.initializer}
        values[graph.input[0].name] = x
        for node in graph.node:
            a = {at.name: onnx.helper.get_attribute_value(at) for at in node.attribute}
            i = [values[name] for name in node.input]
            values[node.output[0]] = {
                "Conv": lambda: nn.functional.conv2d(*i, padding=a["pads"][:2]),
                "Relu": lambda: i[0].relu(),
                "MaxPool": lambda: nn.functional.max_pool2d(i[0], a["kernel_shape"], a["strides"]),
                "GlobalAveragePool": lambda: i[0].mean((2, 3), keepdim=True),
                "GlobalMaxPool": lambda: i[0].amax((2, 3), keepdim=True),
                "Flatten": lambda: i[0].flatten(1),
                "Transpose": lambda: i[0].permute(a["perm"]),
                "Gemm": lambda: i[0] @ i[1].T + i[2],
                "Softmax": lambda: i[0].softmax(a["axis"]),
                "Sigmoid": lambda: i[0].sigmoid(),
            }[node.op_type]()
        return model, values[graph.output[0].name]

    @unittest.skipUnless(onnx, "no onnx here (Debian: python3-onnx)")
    def test_onnx(self):
        self.succeed("convert", "m.safetensors", "m.onnx")
        model, output = self.evaluate(self.path("m.onnx"), self.image())
        self.compare(dict(zip(CLASSES, output[0].tolist())), self.wanted(self.network))
        meta = {p.key: p.value for p in model.metadata_props}
        self.assertEqual(json.loads(meta["classes"]), CLASSES)
        self.assertEqual((meta["preprocess"], meta["input"]), ("rescale", "N x 3 x height x width: red, green, blue from 0 to 1"))
        dims = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        self.assertEqual((model.graph.input[0].name, dims, model.graph.output[0].name), ("input", ["N", 3, 32, 32], "output"))
        self.assertGreaterEqual(model.opset_import[0].version, 17)
        two = torch.cat([self.image(), 1 - self.image()])
        self.assertEqual(self.evaluate(self.path("m.onnx"), two)[1].shape, (2, 3))

    @unittest.skipUnless(onnx, "no onnx here (Debian: python3-onnx)")
    def test_onnx_of_other_heads(self):
        for head, network, classes in (
            ("gap,dense:1:sigmoid", Network(classifier(128, 1), pooled=True), ["ant", "bee"]),
            ("gmp,dense:6:linear,dense:3:softmax", None, CLASSES),
        ):
            network = network or Network(nn.Sequential(nn.Linear(128, 6), nn.Linear(6, 3)), pooled=True)
            torch.save(network.state_dict(), self.path("w.pth"))
            self.assertEqual(self.import_model("w.pth", "--head", head, classes=classes).stderr, "")
            self.succeed("convert", "m.safetensors", "m.onnx")
            got = self.probabilities()
            model, output = self.evaluate(self.path("m.onnx"), self.image())
            output = output[0].tolist()
            self.compare(got, dict(zip(classes, output if len(output) > 1 else [1 - output[0], output[0]])))
            dims = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
            self.assertEqual(dims, ["N", 3, "height", "width"])

    @unittest.skipUnless(onnx, "no onnx here (Debian: python3-onnx)")
    def test_onnx_of_a_base(self):
        torch.save({k: v for k, v in self.network.state_dict().items() if "features" in k}, self.path("b.pth"))
        self.succeed("convert", "b.pth", "b.onnx")
        _, output = self.evaluate(self.path("b.onnx"), self.image(48))
        with torch.no_grad():
            wanted = self.network.features.double()(self.image(48))
        self.network.float()
        self.assertLess((output - wanted).abs().max().item(), 1e-5)

    def test_refused(self):
        self.fail_with(2, "--dtype f16: needs an OUT that ends in .safetensors or .pth", "convert", "m.safetensors", "a.onnx",
                       "--dtype", "f16")
        self.fail_with(1, "cannot be", "convert", "m.safetensors", "nowhere/a.pth")
        self.fail_with(1, "cannot be", "convert", "m.safetensors", "nowhere/a.onnx")


if __name__ == "__main__":
    unittest.main()
