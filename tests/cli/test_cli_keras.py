"""Whole models of Keras, whose configuration says their head: the same probabilities as PyTorch's in double precision.

No file that Keras wrote is at hand: they are made after its documented layouts and its source (keras/src/saving, and
model_config as Keras 1 and 2 wrote it), by h5py and zipfile.
"""

import io
import json
import os
import unittest
import zipfile

from cli_support import Program, write_png
from test_cli_convert import CLASSES, Network, classifier, h5py, nn, numpy, pixel, torch

CONVS = {"0": "block1_conv1", "2": "block1_conv2", "5": "block2_conv1", "7": "block2_conv2"}


def layer(kind, name, version=2, **config):
    """One layer of a configuration; version 3 has the module, and activations may be functions."""
    made = {"class_name": kind, "config": {"name": name, **config}}
    return {"module": "keras.layers", **made, "registered_name": None} if version == 3 else made


def base(version=2, size=(32, 32), padding="padding"):
    """The layers of the first two blocks of keras.applications.VGG16."""
    key = "batch_shape" if version == 3 else "batch_input_shape"
    layers = [layer("InputLayer", "input_1", version, **{key: [None, *size, 3]})]
    for block, filters in ((1, 64), (2, 128)):
        for conv in (1, 2):
            layers.append(layer("Conv2D", f"block{block}_conv{conv}", version, filters=filters, kernel_size=[3, 3],
                                strides=[1, 1], activation="relu", **{padding: "same"}))
        layers.append(layer("MaxPooling2D", f"block{block}_pool", version, pool_size=[2, 2], strides=[2, 2]))
    return layers


def sequential(layers, name="sequential", version=2):
    config = {"name": name, "layers": layers}
    return {"class_name": "Sequential", "config": layers if version == 1 else config}


def functional(layers, name="model", kind="Functional", version=2, shuffle=False):
    """Each layer takes the output of the one before, and says so; `shuffle` lists them in another order."""
    linked, before = [], None
    for l in layers:
        own = l["config"]["name"]
        if version == 3:
            history = {"class_name": "__keras_tensor__", "config": {"shape": [None, 1], "keras_history": [before, 0, 0]}}
            nodes = [{"args": [history], "kwargs": {"training": False}}]
        else:
            nodes = [[[before, 0, 0, {}]]]
        linked.append({**l, "name": own, "inbound_nodes": nodes if before else []})
        before = own
    if shuffle:
        linked = linked[::2] + linked[1::2][::-1]
    return {"class_name": kind, "config": {"name": name, "layers": linked, "input_layers": [[layers[0]["config"]["name"], 0, 0]],
                                           "output_layers": [[before, 0, 0]]}}


@unittest.skipUnless(torch and h5py, "no PyTorch or h5py here (Debian: python3-torch, python3-h5py)")
class Keras(Program):
    def setUp(self):
        super().setUp()
        torch.manual_seed(11)
        write_png(self.path("p.png"), 32, 32, pixel)
        write_png(self.path("q.png"), 48, 32, pixel)

    def arrays(self, network, names, width=32):
        """Kernel and bias of each layer in Keras' order, by its name."""
        found = {}
        for name, module in network.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                kernel, part = module.weight.detach().numpy(), name.split(".")[1]
                if kernel.ndim == 4:
                    kernel = kernel.transpose(2, 3, 1, 0)
                elif not network.pooled and part == "0":
                    kernel = kernel.reshape(len(kernel), 128, 8, width // 4).transpose(2, 3, 1, 0).reshape(-1, len(kernel))
                else:
                    kernel = kernel.T
                found[CONVS[part] if name.startswith("features") else names.pop(0)] = kernel, module.bias.detach().numpy()
        return found

    def write_h5(self, arrays, config, nested=()):
        """As Keras 1 and 2 save a whole model; `nested`: the layers that stand in a network inside, "vgg16"."""
        with h5py.File(self.path("k.h5"), "w") as file:
            group = file.create_group("model_weights")
            owners = {}
            for name, values in arrays.items():
                owners.setdefault("vgg16" if name in nested else name, []).append((name, values))
            for owner, members in owners.items():
                below, names = group.create_group(owner), []
                for name, values in members:
                    for kind, value in zip(("kernel", "bias"), values):
                        below[f"{name}/{kind}:0"] = value
                        names.append(f"{name}/{kind}:0".encode())
                below.attrs["weight_names"] = names
            group.attrs["layer_names"] = [o.encode() for o in owners]
            file.attrs["model_config"] = json.dumps(config).encode()
        return "k.h5"

    def write_keras(self, arrays, config):
        """A .keras archive: groups by kind and number, the layer's own name in the attribute."""
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            counts = {}
            for name, values in arrays.items():
                kind = "dense" if values[0].ndim == 2 else "conv2d"
                number = counts[kind] = counts.get(kind, -1) + 1
                group = file.create_group(f"layers/{kind}_{number}" if number else f"layers/{kind}")
                group.attrs["name"] = name
                group["vars/0"], group["vars/1"] = values
        with zipfile.ZipFile(self.path("k.keras"), "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.4.1"}))
            archive.writestr("config.json", json.dumps({"module": "keras", **config}))
            archive.writestr("model.weights.h5", buffer.getvalue())
        return "k.keras"

    def wanted(self, network, width=32, end=lambda x: torch.softmax(x, 1)):
        values = numpy.array([[pixel(x, y) for x in range(width)] for y in range(32)], dtype="f8") / 255
        with torch.no_grad():
            output = end(network.double().eval()(torch.tensor(values.transpose(2, 0, 1))[None]))[0].tolist()
        network.float()
        return dict(zip(CLASSES, output if len(output) > 1 else [1 - output[0], output[0]]))

    def check(self, file, wanted, head, picture="p.png", preprocess=("--preprocess", "rescale")):
        classes = ",".join(wanted)
        done = self.run_program("convert", file, "m.safetensors", "--classes", classes, *preprocess)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(self.path("m.safetensors"), "rb") as f:
            size = int.from_bytes(f.read(8), "little")
            self.assertEqual(json.loads(f.read(size))["__metadata__"]["head"], head)
        image = self.json("predict", "-m", "m.safetensors", picture, "--top", "9")["images"][0]
        got = {c["name"]: c["probability"] for c in image["classes"]}
        self.assertEqual(sorted(got), sorted(wanted))
        for name, value in wanted.items():
            self.assertAlmostEqual(got[name], value, delta=1e-5, msg=f"{got} {wanted}")

    def test_sequential_of_every_age(self):
        """Sizes that are not square, where the shapes alone would suggest others; a hidden layer without activation."""
        network = Network(nn.Sequential(nn.Linear(8 * 12 * 128, 7), nn.Linear(7, 3)))
        arrays = self.arrays(network, ["hidden", "answer"], 48)
        for version in (1, 2):
            units, rate = (("output_dim", "p") if version == 1 else ("units", "rate"))
            layers = base(size=(32, 48), padding="border_mode" if version == 1 else "padding") + [
                layer("Flatten", "flatten_1"),
                layer("Dense", "hidden", **{units: 7}, activation="linear"),
                layer("Dropout", "dropout_1", **{rate: 0.25}),
                layer("Dense", "answer", **{units: 3}, activation="softmax"),
            ]
            with self.subTest(version=version):
                file = self.write_h5(arrays, sequential(layers, version=version))
                self.check(file, self.wanted(network, 48), "flatten,dense:7:linear,dropout:0.25,dense:3:softmax", "q.png")

    def test_networks_inside(self):
        """A Sequential whose first layer is the network vgg16, and a functional one around it."""
        network = Network(nn.Sequential(nn.Linear(8 * 8 * 128, 5), nn.Sigmoid(), nn.Linear(5, 1)))
        network.classifier[1] = nn.ReLU()
        arrays = self.arrays(network, ["dense_3", "dense_4"])
        head = [layer("Flatten", "flatten"), layer("Dense", "dense_3", units=5, activation="linear"),
                layer("Activation", "activation", activation="relu"), layer("Dropout", "drop", rate=0.5),
                layer("Dense", "dense_4", units=1, activation="sigmoid", use_bias=True)]
        wanted = self.wanted(network, end=torch.sigmoid)
        for inner in (functional(base(), "vgg16", "Model"), sequential(base(), "vgg16"), functional(base(), "vgg16", shuffle=True)):
            outer = {"Sequential": sequential([inner, *head]),
                     "Functional": functional([layer("InputLayer", "input_2", batch_input_shape=[None, None, None, 3]), inner, *head],
                                              shuffle=True)}
            for kind, config in outer.items():
                with self.subTest(inner=inner["class_name"], outer=kind):
                    file = self.write_h5(arrays, config, nested=CONVS.values())
                    self.check(file, wanted, "flatten,dense:5:relu,dropout:0.5,dense:1:sigmoid")

    def test_archive(self):
        """Two square layers whose names stand in the other order than the layers."""
        network = Network(classifier(128, 4, 4, 4, 3), pooled=True)
        names = ["first", "mule", "ant", "b"]
        arrays = self.arrays(network, names[:])
        relu = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}
        layers = [base(3)[0], layer("RandomFlip", "flip", 3, mode="horizontal"), layer("Rescaling", "scale", 3, scale=1 / 255, offset=0.0)]
        layers += base(3)[1:] + [layer("GlobalAveragePooling2D", "gap", 3, data_format="channels_last")]
        for name, units, activation in zip(names, (4, 4, 4, 3), ("relu", relu, "relu", "softmax")):
            layers.append(layer("Dense", name, 3, units=units, activation=activation, use_bias=True))
        for config in (functional(layers, version=3, shuffle=True), sequential(layers)):
            file = self.write_keras(arrays, config)
            self.check(file, self.wanted(network), "gap,dense:4:relu,dense:4:relu,dense:4:relu,dense:3:softmax", preprocess=())

    def test_maximum_and_a_softmax_apart(self):
        network = Network(classifier(128, 3), pooled=True)
        network.forward = lambda x: network.classifier(network.features(x).amax((2, 3)))
        arrays = self.arrays(network, ["dense"])
        layers = base() + [layer("GlobalMaxPooling2D", "gmp"), layer("Dense", "dense", units=3), layer("Softmax", "softmax", axis=-1)]
        self.check(self.write_h5(arrays, functional(layers)), self.wanted(network), "gmp,dense:3:softmax")

    def test_refused(self):
        network = Network(classifier(128, 3), pooled=True)
        arrays = self.arrays(network, ["dense"])
        gap, dense = layer("GlobalAveragePooling2D", "gap"), layer("Dense", "dense", units=3, activation="softmax")
        first = dict(dense, config={**dense["config"], "data_format": "channels_first"})
        convs = base()
        bare = [dict(l, config={**l["config"], "activation": "linear"}) if l["config"]["name"] == "block2_conv1" else l for l in convs]
        valid = [dict(l, config={**l["config"], "padding": "valid"}) if l["config"]["name"] == "block1_conv2" else l for l in convs]
        branch = functional(convs + [gap, dense])
        branch["config"]["layers"].append({**layer("Dense", "other", units=3, activation="softmax"), "name": "other",
                                           "inbound_nodes": [[["gap", 0, 0, {}]]]})
        for pattern, config in (
            ("its layer norm \\(BatchNormalization\\) stands in its head and is not run here",
             sequential(convs + [gap, layer("BatchNormalization", "norm", axis=[1]), dense])),
            ("its layer odd \\(Lambda\\) is none of a VGG's", sequential([layer("Lambda", "odd"), *convs, gap, dense])),
            ("its layer norm \\(BatchNormalization\\) is none of a VGG's",
             sequential(convs[:2] + [layer("BatchNormalization", "norm")] + convs[2:] + [gap, dense])),
            ("its layer dense \\(Dense\\) has the activation tanh,", sequential(convs + [gap, layer("Dense", "dense", units=3, activation="tanh")])),
            ("its head gap,dense:3:linear gives no probabilities.*--head", sequential(convs + [gap, layer("Dense", "dense", units=3)])),
            ("its layer dense \\(Dense\\) has no bias", sequential(convs + [gap, layer("Dense", "dense", units=3, activation="softmax", use_bias=False)])),
            ("its layer dense \\(Dense\\) has its channels first", sequential(convs + [gap, first])),
            ("its layer block2_conv1 \\(Conv2D\\) is not followed by relu", sequential(bare + [gap, dense])),
            ("its layer block1_conv2 \\(Conv2D\\) does not pad", sequential(valid + [gap, dense])),
            ("its layer scale \\(Rescaling\\) does not scale by 1/255",
             sequential([layer("Rescaling", "scale", scale=1 / 127.5, offset=-1), *convs, gap, dense])),
            ("no single chain: it branches at dense \\(Dense\\)", branch),
            ("its configuration lists no layers", {"class_name": "Sequential", "config": {}}),
            ("is of no Sequential and no functional network", {"class_name": "Mine", "config": {}}),
        ):
            with self.subTest(pattern):
                self.write_h5(arrays, config)
                self.fail_with(1, "k.h5: .*" + pattern, "convert", "k.h5", "m.safetensors", "--classes", ",".join(CLASSES))
        # What the options say needs no configuration.
        self.succeed("convert", "k.h5", "m.safetensors", "--classes", ",".join(CLASSES), "--head", "gap,dense:3:softmax")
        os.unlink(self.path("m.safetensors"))
        self.write_h5(arrays, sequential(convs + [gap, dense]))
        self.fail_with(2, "input size 64x32: k.h5 says that it is for 32x32", "convert", "k.h5", "m.safetensors", "--classes",
                       ",".join(CLASSES), "--size", "64x32")


if __name__ == "__main__":
    unittest.main()
