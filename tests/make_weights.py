"""Writes small weight files of every layout that the library reads, and broken ones, into a folder.

Every value follows from its layer, role and index in Keras' order (see `values`), so that a reader needs no second copy
to compare with. The layouts follow what Keras' and PyTorch's own code writes: keras.saving.hdf5_format, Keras 3's
saving_lib, torchvision.models.vgg, timm.models.vgg. Needs numpy and h5py. Usage: make_weights.py FOLDER"""
import json
import os
import struct
import sys
import zipfile

import h5py
import numpy as np

import make_pickles

CONVS = {
    "vgg11": [1, 1, 2, 2, 2],
    "vgg13": [2, 2, 2, 2, 2],
    "vgg16": [2, 2, 3, 3, 3],
    "vgg19": [2, 2, 4, 4, 4],
}
CHANNELS = [4, 6, 8, 10, 12]
TOP = [("fc1", 100, 7 * 7 * 12, 4096), ("fc2", 101, 4096, 4096), ("predictions", 102, 4096, 5)]
HEAD = [("dense_1", 110, 4 * 4 * 12, 9), ("dense_2", 111, 9, 2)]


def values(layer, bias, shape):
    """Multiples of 1/1024 with at most 10 bits: exact in every dtype from half precision up."""
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    return (((layer * 7919 + bias * 104729 + i * 31) % 2003 - 1001) / 1024).astype("<f4").reshape(shape)


def convs(arch):
    """Keras name, torchvision number, kernel (HWIO), bias of each convolution."""
    k, number, before = 0, 0, 3
    for block, count in enumerate(CONVS[arch]):
        for n in range(count):
            after = CHANNELS[block]
            yield f"block{block + 1}_conv{n + 1}", number, values(k, 0, (3, 3, before, after)), values(k, 1, (after,))
            k, number, before = k + 1, number + 2, after
        number += 1


def dense(table):
    for name, k, n_in, n_out in table:
        yield name, values(k, 0, (n_in, n_out)), values(k, 1, (n_out,))


def columns(kernel, h, w):
    """(in, out) with rows in HWC order to PyTorch's (out, in) with columns in CHW order."""
    n_in, n_out = kernel.shape
    c = n_in // (h * w)
    return np.ascontiguousarray(kernel.reshape(h, w, c, n_out).transpose(3, 2, 0, 1).reshape(n_out, n_in))


# ---- safetensors ----

DTYPES = {"<f4": "F32", "<f2": "F16", "<f8": "F64", "<u2": "BF16", "|b1": "BOOL", "|i1": "I8", "<i2": "I16", "|V1": "F8_E4M3"}


def write_safetensors(path, tensors, meta=None):
    head, blobs, at = {}, [], 0
    if meta:
        head["__metadata__"] = meta
    for name, array in tensors.items():
        blob = np.ascontiguousarray(array).tobytes()
        head[name] = {"dtype": DTYPES[array.dtype.str], "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def torch_tensors(arch, top, head=(), prefix=""):
    tensors = {}
    for _, number, kernel, bias in convs(arch):
        tensors[f"{prefix}features.{number}.weight"] = kernel.transpose(3, 2, 0, 1)
        tensors[f"{prefix}features.{number}.bias"] = bias
    for i, (_, kernel, bias) in enumerate(dense(TOP if top else head)):
        side = (7 if top else 4) if i == 0 else 1
        tensors[f"{prefix}classifier.{3 * i}.weight"] = columns(kernel, side, side)
        tensors[f"{prefix}classifier.{3 * i}.bias"] = bias
    return tensors


def timm_tensors():
    tensors = torch_tensors("vgg16", False)
    names = ["pre_logits.fc1", "pre_logits.fc2", "head.fc"]
    for i, (_, kernel, bias) in enumerate(dense(TOP)):
        side = 7 if i == 0 else 1
        weight = columns(kernel, side, side)
        tensors[names[i] + ".weight"] = weight if i == 2 else weight.reshape(len(weight), -1, side, side)
        tensors[names[i] + ".bias"] = bias
    return tensors


def keras_tensors(arch, extra=(), suffix=""):
    tensors = {}
    for name, _, kernel, bias in convs(arch):
        tensors[f"{name}/kernel{suffix}"], tensors[f"{name}/bias{suffix}"] = kernel, bias
    for name, kernel, bias in dense(extra):
        tensors[f"{name}/kernel{suffix}"], tensors[f"{name}/bias{suffix}"] = kernel, bias
    return tensors


# ---- HDF5 of Keras 1 and 2 ----


def layer_list(arch, extra=()):
    """Layer names with their tensors, pools and input included."""
    layers, block = [("input_1", None)], 1
    for name, _, kernel, bias in convs(arch):
        if int(name[5]) != block:
            layers.append((f"block{block}_pool", None))
            block = int(name[5])
        layers.append((name, (kernel, bias)))
    layers.append(("block5_pool", None))
    if extra:
        layers.append(("flatten", None))
    return layers + [(name, (kernel, bias)) for name, kernel, bias in dense(extra)]


def names_new(layer):
    return [f"{layer}/kernel:0", f"{layer}/bias:0"]


def names_old(layer):
    return [f"{layer}_W_1:0", f"{layer}_b_1:0"]


def set_names(group, key, names, variable=False):
    if variable:
        group.attrs.create(key, names, dtype=h5py.string_dtype())
    else:
        group.attrs[key] = [name.encode() for name in names]


def fill(group, layers, names=names_new, dtype="<f4", variable=False, **how):
    set_names(group, "layer_names", [name for name, _ in layers], variable)
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = b"2.2.4"
    for name, tensors in layers:
        below = group.create_group(name)
        set_names(below, "weight_names", names(name) if tensors else [], variable and bool(tensors))
        for path, array in zip(names(name), tensors or ()):
            below.create_dataset(path, data=array.astype(dtype), **how)


def nested_model(group):
    """The seed's model: a Sequential whose first layer is the network vgg16."""
    inner = layer_list("vgg16")
    set_names(group, "layer_names", ["vgg16", "flatten_1", "dense_1", "dense_2"])
    base = group.create_group("vgg16")
    set_names(base, "weight_names", [path for name, tensors in inner if tensors for path in names_new(name)])
    for name, tensors in inner:
        for path, array in zip(names_new(name), tensors or ()):
            base.create_dataset(path, data=array)
    set_names(group.create_group("flatten_1"), "weight_names", [])
    for name, kernel, bias in dense(HEAD):
        below = group.create_group(name)
        set_names(below, "weight_names", names_new(name))
        for path, array in zip(names_new(name), (kernel, bias)):
            below.create_dataset(path, data=array)


def chunked(path):
    """layer_names in pieces, as Keras splits lists beyond 64 KiB; here after every 5 names."""
    with h5py.File(path, "w") as file:
        layers = layer_list("vgg16")
        fill(file, layers)
        del file.attrs["layer_names"]
        for i in range(0, len(layers), 5):
            set_names(file, f"layer_names{i // 5}", [name for name, _ in layers[i : i + 5]])


# ---- HDF5 of Keras 3 ----


def keras3(path, root="layers", inner="", names=False, extra=(), dtype="<f4"):
    with h5py.File(path, "w") as file:
        base = f"{root}/{inner}" if inner else root
        file.create_group(f"{root}/input_layer/vars")
        for k, (name, _, kernel, bias) in enumerate(convs("vgg16")):
            group = file.create_group(f"{base}/conv2d_{k}/vars" if k else f"{base}/conv2d/vars")
            group["0"], group["1"] = kernel.astype(dtype), bias.astype(dtype)
            if names:
                group.attrs["name"] = name
        for k, (name, kernel, bias) in enumerate(dense(extra)):
            group = file.create_group(f"{root}/dense_{k}/vars" if k else f"{root}/dense/vars")
            group.create_dataset("0", data=kernel, compression="gzip", compression_opts=1)
            group["1"] = bias
        file.create_group("optimizer/vars")["0"] = np.int64(3)


# ---- small ones, to be damaged byte by byte ----


def small(at):
    layers = layer_list("vgg16")[:2]
    with h5py.File(at("small.h5"), "w") as file:
        fill(file, layers)
    with h5py.File(at("small_variable.h5"), "w") as file:
        fill(file, layers, variable=True)
    with h5py.File(at("small_gzip.h5"), "w") as file:
        fill(file, layers, compression="gzip", shuffle=True, fletcher32=True, chunks=True)
    with h5py.File(at("small_latest.h5"), "w", libver="latest") as file:
        fill(file, layers)
    with h5py.File(at("small_keras3.h5"), "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group["0"], group["1"] = layers[1][1]
        group.attrs["name"] = "block1_conv1"
    write_safetensors(at("small.safetensors"), {k: v for k, v in keras_tensors("vgg16").items() if k[:12] == layers[1][0]},
                      {"arch": "vgg16"})


# ---- PyTorch's own files ----


def torch_files(at):
    """What torch.save makes of state dictionaries, as people keep them."""
    import torch

    def tensors(**how):
        return {name: torch.tensor(array) for name, array in torch_tensors("vgg16", False, **how).items()}

    state = tensors(head=HEAD)
    torch.save(state, at("torch_zip.pth"))
    torch.save(state, at("torch_old.pth"), _use_new_zipfile_serialization=False)
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in state.items()}
    torch.save({"epoch": 3, "best": 0.5, "state_dict": tensors(prefix="module.")}, at("torch_checkpoint.pth"))
    optimizer = torch.optim.Adam(parameters.values())
    sum(p.sum() for p in parameters.values()).backward()
    optimizer.step()
    torch.save({"optimizer": optimizer.state_dict(), "n": 1 << 70, "model": state}, at("torch_model.pth"))
    torch.save({name: torch.nn.Parameter(value) for name, value in state.items()}, at("torch_parameters.pth"))

    # Views: an offset into a storage that others share, strides in another order, every second element; other dtypes.
    views = {}
    for i, (name, value) in enumerate(state.items()):
        if value.dim() == 4:
            view = torch.empty(value.shape[::-1]).permute(3, 2, 1, 0).copy_(value)
        elif value.dim() == 2:
            view = torch.empty(value.shape[0], 2 * value.shape[1])[:, 1::2].copy_(value)
        else:
            view = torch.cat([torch.full((7,), 9.0), value, value])[7 : 7 + len(value)]
        views[name] = [view, view.half(), view.double()][i % 3]
    views["features.0.bias"] = views["features.0.bias"].float()
    shared = torch.cat([views["features.2.bias"].float(), views["features.5.bias"].float()])
    views["features.2.bias"], views["features.5.bias"] = shared[:4], shared[4:]
    views |= {"mask": torch.ones(3, dtype=torch.bool), "wave": torch.ones(2, dtype=torch.complex64), "n": torch.tensor(3)}
    torch.save(views, at("torch_views.pth"))
    torch.save(views, at("torch_views_old.pth"), _use_new_zipfile_serialization=False)
    torch.save({"a": state, "b": state}, at("bad_two.pth"))
    torch.save(torch.nn.Linear(2, 3), at("bad_whole.pth"))
    torch.save({"x": torch.ones(3)}, at("bad_names.pth"))
    torch.save({"features.0.weight": torch.ones(1).expand(4, 3, 3, 3), "features.0.bias": torch.ones(4)}, at("bad_expanded.pth"))
    torch.save({"features.0.weight": state["features.0.weight"].char(), "features.0.bias": torch.ones(4)}, at("bad_dtype.pth"))
    first = {name: state[name] for name in ("features.0.weight", "features.0.bias")}
    first["features.0.weight"] = first["features.0.weight"].half()
    torch.save(first, at("small.pth"))
    torch.save(first, at("small_old.pth"), _use_new_zipfile_serialization=False)


# ---- names behind prefixes, tensors that nothing needs ----


def prefixed(at):
    def write(name, fn, **more):
        tensors = {fn(key): array for key, array in torch_tensors("vgg16", False, HEAD).items()} | more
        write_safetensors(at(f"prefix_{name}.safetensors"), tensors)

    write("compiled", lambda key: "_orig_mod." + key)
    write("lightning", lambda key: "model." + key, **{"loss.pos_weight": values(1, 0, (2,)), "loss.table": values(1, 0, (2, 2))})
    write("backbone", lambda key: ("backbone." if "features" in key else "") + key.replace("classifier", "head"))
    write("parallel", lambda key: key.replace("features.", "features.module."))
    write("deep", lambda key: "_orig_mod.net.module.base_model.encoder." + key)
    write("sequence", lambda key: key.replace("features.", "0.").replace("classifier.", "2."))
    write("named", lambda key: key.replace("classifier.0", "zebra.fc").replace("classifier.3", "ant.out"))
    write("mask", lambda key: key, **{"sampler.mask": np.ones(5, "?"), "scale": np.zeros((2, 3), "V1"), "i": np.ones(3, "<i2")})
    bare = {key[9:]: array for key, array in torch_tensors("vgg16", False).items()}
    write_safetensors(at("prefix_bare.safetensors"), bare)
    both = {prefix + key: array for prefix in ("ema.", "net.") for key, array in torch_tensors("vgg16", False).items()}
    write_safetensors(at("bad_networks.safetensors"), both)
    write_safetensors(at("bad_dtype.safetensors"), {"features.0.weight": np.ones((4, 3, 3, 3), "i1"), "features.0.bias": values(0, 1, (4,))})


# ---- broken ----


def broken(folder):
    def legacy(name):
        file = h5py.File(os.path.join(folder, name), "w")
        set_names(file, "layer_names", ["block1_conv1"])
        group = file.create_group("block1_conv1")
        set_names(group, "weight_names", names_new("block1_conv1"))
        group["block1_conv1/bias:0"] = np.zeros(4, "f4")
        return file, group, "block1_conv1/kernel:0"

    file, group, name = legacy("bad_integers.h5")
    group[name] = np.zeros((3, 3, 3, 4), "i4")
    file, group, name = legacy("bad_missing.h5")
    file, group, name = legacy("bad_group.h5")
    group.create_group(name)
    file, group, name = legacy("bad_huge.h5")
    group.create_dataset(name, (1 << 40, 1 << 20, 3, 4), "f4", chunks=(1, 64, 3, 4))
    file, group, name = legacy("bad_huge2.h5")
    group.create_dataset(name, (3, 3, 1 << 28, 4), "f4", chunks=(3, 3, 64, 4))[0, 0, 0, 0] = 1
    file, group, name = legacy("bad_empty.h5")
    group.create_dataset(name, (3, 3, 3, 4), "f4")
    file, group, name = legacy("bad_rank.h5")
    group.create_dataset(name, (1,) * 20, "f4")
    file, group, name = legacy("bad_soft_loop.h5")
    group["block1_conv1/loop"] = h5py.SoftLink("/block1_conv1/block1_conv1/loop")
    group[name] = h5py.SoftLink("/block1_conv1/block1_conv1/loop")
    file, group, name = legacy("bad_external_link.h5")
    group[name] = h5py.ExternalLink("keras_new.h5", "/block1_conv1/block1_conv1/kernel:0")
    file, group, name = legacy("bad_external_data.h5")
    group.create_dataset(name, (3, 3, 3, 4), "f4", external=[("/etc/passwd", 0, 432)])
    file, group, name = legacy("bad_names.h5")
    group[name] = np.zeros((3, 3, 3, 4), "f4")
    group.attrs["weight_names"] = np.arange(3)
    file, group, name = legacy("bad_twice.h5")
    group[name] = np.zeros((3, 3, 3, 4), "f4")
    set_names(group, "weight_names", [name, name])
    file, group, name = legacy("bad_theano.h5")
    group[name] = np.zeros((3, 3, 3, 4), "f4")
    file.attrs["backend"] = b"theano"
    with h5py.File(os.path.join(folder, "bad_hard_loop.h5"), "w") as file:
        group = file.create_group("layers/functional")
        group["again"] = file["layers"]
        group["more"] = file["layers"]
    with h5py.File(os.path.join(folder, "bad_other.h5"), "w") as file:
        file["data"] = np.zeros(4)
    with open(os.path.join(folder, "bad_pickle.pth"), "wb") as file:
        file.write(b"PK\x03\x04" + bytes(60))
    with open(os.path.join(folder, "bad_old_pickle.pth"), "wb") as file:
        file.write(b"\x80\x02" + bytes(60))
    with open(os.path.join(folder, "bad_text.h5"), "w") as file:
        file.write("<html>not found</html>")
    write_safetensors(os.path.join(folder, "bad_data.safetensors"), {"x": values(0, 0, (4, 3))})
    bn = torch_tensors("vgg16", False)
    bn["features.1.running_mean"] = values(1, 0, (4,))
    write_safetensors(os.path.join(folder, "bad_bn.safetensors"), bn)
    write_safetensors(os.path.join(folder, "bad_number.safetensors"), {"features.1.weight": values(0, 0, (4, 3, 3, 3))})


def main(folder):
    os.makedirs(folder, exist_ok=True)

    def at(name):
        return os.path.join(folder, name)

    with h5py.File(at("keras_old.h5"), "w") as file:
        fill(file, layer_list("vgg16"), names_old)
    with h5py.File(at("keras_new.h5"), "w") as file:
        fill(file, layer_list("vgg16"))
    with h5py.File(at("keras_top.h5"), "w") as file:
        fill(file, layer_list("vgg16", TOP), compression="gzip", compression_opts=1)
    with h5py.File(at("keras_variable.h5"), "w") as file:
        fill(file, layer_list("vgg16"), variable=True)
    for dtype, name in (("<f2", "half"), (">f4", "big"), ("<f8", "double")):
        with h5py.File(at(f"keras_{name}.h5"), "w") as file:
            fill(file, layer_list("vgg16"), dtype=dtype)
    with h5py.File(at("keras_gzip.h5"), "w") as file:
        fill(file, layer_list("vgg16"), compression="gzip", shuffle=True)
    for arch in CONVS:
        with h5py.File(at(f"keras_{arch}.h5"), "w") as file:
            fill(file, layer_list(arch))
    with h5py.File(at("keras_model.h5"), "w") as file:
        file.attrs["model_config"] = b"{}"
        nested_model(file.create_group("model_weights"))
    small(at)
    chunked(at("keras_chunked.h5"))
    keras3(at("keras3.weights.h5"))
    keras3(at("keras3_top.weights.h5"), extra=TOP)
    keras3(at("keras3_head.weights.h5"), inner="functional/layers", extra=HEAD)
    keras3(at("keras3_named.weights.h5"), names=True, extra=HEAD)
    keras3(at("keras3_old.weights.h5"), root="_layer_checkpoint_dependencies")
    for name, how in (("keras3_archive.keras", zipfile.ZIP_STORED), ("keras3_packed.keras", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(at(name), "w", how) as file:
            file.writestr("metadata.json", '{"keras_version": "3.3.3"}')
            file.writestr("config.json", '{"class_name": "Sequential"}')
            file.write(at("keras3_head.weights.h5"), "model.weights.h5")
    for arch in CONVS:
        write_safetensors(at(f"torch_{arch}.safetensors"), torch_tensors(arch, False))
    write_safetensors(at("torch_top.safetensors"), torch_tensors("vgg16", True), {"format": "pt"})
    write_safetensors(at("torch_head.safetensors"), torch_tensors("vgg16", False, HEAD))
    write_safetensors(at("torch_parallel.safetensors"), torch_tensors("vgg16", False, prefix="module."))
    write_safetensors(at("timm.safetensors"), timm_tensors())
    half = {name: array.astype("<f2") for name, array in torch_tensors("vgg16", False).items()}
    write_safetensors(at("torch_half.safetensors"), half)
    meta = {"arch": "vgg16", "preprocess": "rescale", "height": "150", "width": "150"}
    write_safetensors(at("keras_head.safetensors"), keras_tensors("vgg16", HEAD), meta)
    write_safetensors(at("keras_colon.safetensors"), keras_tensors("vgg16", suffix=":0"))
    partial = {k: v for k, v in keras_tensors("vgg19").items() if k[5] in "123"}
    write_safetensors(at("keras_partial.safetensors"), partial)
    partial = {k: v for k, v in torch_tensors("vgg16", False).items() if int(k.split(".")[1]) < 17}
    write_safetensors(at("torch_partial.safetensors"), partial)
    prefixed(at)
    broken(folder)
    make_pickles.write(folder)
    try:
        torch_files(at)
    except ModuleNotFoundError:
        print("make_weights.py: no PyTorch here: no .pth files")


if __name__ == "__main__":
    main(sys.argv[1])
