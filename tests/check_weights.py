"""Reads a file that the library wrote as Keras or PyTorch would, and compares each value. Exit 0: all as it must be.

Usage: check_weights.py keras FILE    the steps of Keras' load_weights_from_hdf5_group and ..._by_name (needs h5py)
       check_weights.py torch FILE    load_state_dict of a torch.nn VGG, and a forward pass (needs torch)"""
import json
import struct
import sys

import numpy as np

from make_weights import CHANNELS, CONVS, HEAD, TOP, convs, dense, layer_list


def expected(has_dense):
    tables = {name: TOP for name, *_ in TOP} | {name: HEAD for name, *_ in HEAD}
    table = next((tables[name] for name in has_dense if name in tables), ())
    return {name: (kernel, bias) for name, _, kernel, bias in convs("vgg16")} | {
        name: (kernel, bias) for name, kernel, bias in dense(table)
    }


def check_keras(path):
    import h5py

    with h5py.File(path, "r") as file:
        names = [name.decode("utf8") for name in file.attrs["layer_names"]]  # numpy bytes, as Keras expects
        assert file.attrs["layer_names"].dtype.kind == "S"
        assert file.attrs["backend"].decode("utf8") == "tensorflow"
        assert file.attrs["keras_version"].decode("utf8")[0] == "2"
        weights = expected(names)
        base = [name for name, _ in layer_list("vgg16")]
        assert names[: len(base)] == base, names
        filtered = [name for name in names if len(file[name].attrs["weight_names"])]
        assert filtered == list(weights), filtered
        assert sorted(file.keys()) == sorted(names)
        for name in filtered:
            group = file[name]
            tensors = [n.decode("utf8") for n in group.attrs["weight_names"]]
            assert tensors == [f"{name}/kernel:0", f"{name}/bias:0"], tensors
            for tensor, wanted in zip(tensors, weights[name]):
                value = np.asarray(group[tensor])
                assert value.dtype == np.dtype("<f4") and value.shape == wanted.shape and (value == wanted).all(), tensor


def read_safetensors(path):
    import torch

    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        head, data = json.loads(file.read(size)), file.read()
    assert size % 8 == 0
    head.pop("__metadata__", None)
    state = {}
    for name, entry in head.items():
        assert entry["dtype"] == "F32"
        begin, end = entry["data_offsets"]
        state[name] = torch.tensor(np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]))
    return state


def make_network(sizes):
    """torchvision.models.vgg's layout with our channels; sizes: inputs and outputs of the dense layers."""
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            layers, before = [], 3
            for count, after in zip(CONVS["vgg16"], CHANNELS):
                for _ in range(count):
                    layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
                    before = after
                layers.append(nn.MaxPool2d(2))
            self.features = nn.Sequential(*layers)
            classifier = []
            for n_in, n_out in sizes:
                classifier += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout()]
            self.classifier = nn.Sequential(*classifier[:-2])

        def forward(self, x):
            return self.classifier(self.features(x).flatten(1))

    return Network().eval()


def check_torch(path):
    import torch

    state = read_safetensors(path)
    count = sum(name.startswith("classifier") for name in state) // 2
    table = {0: (), 2: HEAD, 3: TOP}[count]
    network = make_network([(n_in, n_out) for *_, n_in, n_out in table])
    network.load_state_dict(state, strict=True)
    for (_, number, kernel, bias) in convs("vgg16"):
        assert (state[f"features.{number}.weight"].numpy() == kernel.transpose(3, 2, 0, 1)).all(), number
        assert (state[f"features.{number}.bias"].numpy() == bias).all(), number
    if not table:
        return
    # The classifier on a feature map, against Keras' Flatten in HWC order.
    side = 7 if count == 3 else 4
    x = torch.rand(2, 12, side, side, dtype=torch.float64)
    y = x.permute(0, 2, 3, 1).flatten(1)
    for i, (_, kernel, bias) in enumerate(dense(table)):
        y = y @ torch.tensor(kernel, dtype=torch.float64) + torch.tensor(bias, dtype=torch.float64)
        y = torch.relu(y) if i + 1 < count else y
    with torch.no_grad():
        z = network.double().classifier(x.flatten(1))
    assert torch.allclose(y, z, rtol=1e-9), (y - z).abs().max()


if __name__ == "__main__":
    {"keras": check_keras, "torch": check_torch}[sys.argv[1]](sys.argv[2])
