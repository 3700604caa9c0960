#!/usr/bin/env python3
"""make_seeds.py FOLDER: writes small valid inputs for every fuzz target, FOLDER/TARGET/NAME.

Needs h5py, numpy and Pillow; with PyTorch also files of torch.save, which are left out without it. The same bytes every
time, but for what HDF5 and PyTorch date."""
import gzip
import io
import json
import os
import struct
import sys
import zipfile

try:
    import h5py
    import numpy as np
    from PIL import Image
except ImportError as e:
    sys.exit(print(f"[SKIP] fuzz_seeds: {e.name} is not installed"))

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import make_pickles

FOLDER = sys.argv[1]


def put(target, name, data):
    folder = os.path.join(FOLDER, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)


def noise(*shape):
    count = int(np.prod(shape))
    return ((np.arange(count) * 2654435761 % 2**32 / 2**31 - 1).astype("<f4")).reshape(shape)


def safetensors(tensors, meta=None):
    words = {"<f4": "F32", "<f2": "F16", "<f8": "F64", "<i8": "I64", "<i4": "I32", "|u1": "U8", "<i2": "I16"}
    header, data = {}, b""
    if meta is not None:
        header["__metadata__"] = meta
    for name, value in tensors.items():
        header[name] = {"dtype": words[value.dtype.str], "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


ORIGIN = {"format": "vgg16-features-1", "digest": "0" * 64, "arch": "vgg16", "layer": "block5_pool", "pooling": "avg",
          "height": "32", "width": "32", "preprocess": "caffe", "resize": "nearest", "crop": "none", "decode": "exact",
          "weights": "random", "source": "random", "decoder": "array", "precision": "fp32", "version": "1.0.0"}


def arrays():
    put("safetensors", "images", safetensors({"x": noise(2, 3, 4, 3), "y": np.array([1, 0])}))
    put("safetensors", "bytes", safetensors({"x": np.arange(36, dtype="u1").reshape(3, 4, 3, 1), "y": np.array([0, 1, 2])}))
    put("safetensors", "features", safetensors({"x": noise(2, 1, 1, 8), "y": np.array([3, 0])}, ORIGIN))
    put("safetensors", "kinds", safetensors({"a": noise(2).astype("<f2"), "b": noise(1).astype("<f8"), "c": np.arange(3, dtype="<i4"),
                                             "d": np.arange(3, dtype="<i2"), "e": noise(0)}, {"key": "a\nb"}))
    conv = {"block1_conv1/kernel": noise(3, 3, 3, 2), "block1_conv1/bias": noise(2)}
    put("weights", "keras.safetensors", safetensors(conv, {"arch": "vgg16", "preprocess": "torch"}))
    put("weights", "torch.safetensors", safetensors({"features.0.weight": noise(2, 3, 3, 3), "features.0.bias": noise(2),
                                                     "classifier.0.weight": noise(2, 49), "classifier.0.bias": noise(2)}))
    put("weights", "norm.safetensors", safetensors({"features.0.weight": noise(2, 3, 3, 3), "features.0.bias": noise(2),
                                                    "features.1.running_mean": noise(2), "pre_logits.fc1.weight": noise(2, 1, 7, 7),
                                                    "head.fc.weight": noise(2, 2), "head.fc.bias": noise(2)}))
    put("weights", "head.safetensors", safetensors({**conv, "block1_conv1/int8": noise(8), "dense/kernel": noise(4, 3), "dense/bias": noise(3),
                                                    "dense_1/kernel": noise(3, 2), "dense_1/bias": noise(2)},
                                                   {"head": "gap,dense:3:relu,dense:2:softmax", "format": "vgg16-model-1"}))
    state = "epoch=1 epoch_step=2 step=5 pass=1 number=2 loss=0x1p-1 correct=0x1.8p+1 images=4"
    history = "1 0x1p-1 0x1p-2 nan nan 0x1p-3 0x1p+0 12 0x1p-4 0x1p-5 0x0p+0\n"
    settings = "epochs: 3\nlearning rate: 0.5\ndata: a\\x0ab\n"
    trained = {"params": noise(4), "moments": noise(4)}
    for name, extra in {"plain": {}, "scaled": {"scale": "factor=0x1p+15 good=3 skipped=1"}, "base": {"base": "base-0011223344556677.safetensors"},
                        "other": {"settings": "epochs: 4\nseed: 1\n"}, "old": {"settings": "epochs 3"}}.items():
        meta = {"settings": settings, "state": state, "history": history, "first": "dense_1", **extra}
        tensors = {**trained, "best": noise(4)} if name == "scaled" else trained
        put("checkpoint", name, safetensors(tensors, meta))
        put("weights", f"checkpoint_{name}", safetensors(tensors, {"format": "vgg16-model-1", "arch": "vgg16", "head": "gap,dense:2", **meta}))


def hdf(fill, **how):
    at = io.BytesIO()
    with h5py.File(at, "w", **how) as file:
        fill(file)
    return at.getvalue()


def config():
    """What Keras says of networks: Sequential, functional in lists and in keras_history, one inside the other."""
    def layer(kind, name, **rest):
        return {"class_name": kind, "config": {"name": name, **rest}}

    conv = {"filters": 64, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "activation": "relu", "use_bias": True,
            "data_format": "channels_last", "dilation_rate": [1, 1], "groups": 1}
    layers = [layer("InputLayer", "input_1", batch_input_shape=[None, 32, 32, 3]), layer("Rescaling", "r", scale=1 / 255, offset=0.0)]
    for block, count in enumerate((2, 2, 3, 3, 3), 1):
        for k in range(count):
            layers.append(layer("Conv2D", f"block{block}_conv{k + 1}", **{**conv, "filters": min(512, 32 << block)}))
        layers.append(layer("MaxPooling2D", f"block{block}_pool", pool_size=[2, 2], strides=[2, 2], padding="valid"))
    head = [layer("Flatten", "flatten"), layer("Dense", "d1", units=8, activation="relu", use_bias=True),
            layer("Dropout", "drop", rate=0.5), layer("Dense", "d2", units=2, activation="softmax", use_bias=True)]
    sequential = {"class_name": "Sequential", "config": {"name": "s", "layers": layers + head}}
    lists = [{**l, "name": l["config"]["name"], "inbound_nodes": [[[before["config"]["name"], 0, 0, {}]]] if before else []}
             for before, l in zip([None, *layers], layers)]
    base = {"class_name": "Functional", "config": {"name": "vgg16", "layers": lists}}
    keras3 = [{**l, "name": l["config"]["name"], "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {
        "shape": [None, 4], "keras_history": [before["config"]["name"], 0, 0]}}], "kwargs": {}}] if before else []}
        for before, l in zip([None, *(layers + head)], layers + head)]
    return {"sequential": sequential, "lists": base, "nested": {"class_name": "Sequential", "config": [base, *head]},
            "pooled": {"class_name": "Sequential", "config": {"layers": [base, layer("GlobalAveragePooling2D", "gap"), head[-1]]}},
            "keras3": {"class_name": "Functional", "config": {"name": "f", "layers": keras3}}}


def keras():
    def layers(file, dtype="<f4", names=lambda n: [f"{n}/kernel:0".encode(), f"{n}/bias:0".encode()], **how):
        file.attrs["layer_names"] = [b"block1_conv1", b"flatten", b"dense_1"]
        file.attrs["backend"] = b"tensorflow"
        for name, shape in (("block1_conv1", (3, 3, 3, 2)), ("flatten", None), ("dense_1", (4, 2))):
            group = file.create_group(name)
            group.attrs["weight_names"] = names(name) if shape else np.zeros(0)
            if shape:
                for title, value in zip(group.attrs["weight_names"], (noise(*shape), noise(2))):
                    group.create_dataset(title, data=value.astype(dtype), **how)

    def packed(file):
        layers(file, compression="gzip", shuffle=True, fletcher32=True, chunks=True)

    def odd(file):
        layers(file, names=lambda n: [f"{n}_W_1:0".encode(), f"{n}_b_1:0".encode()])
        file.attrs.create("text", "variable", dtype=h5py.string_dtype())
        file.create_dataset("chunked", data=noise(5, 7), chunks=(2, 3), maxshape=(None, None))
        file.create_dataset("scalar", data=np.float32(3))
        file.create_dataset("whole", data=np.arange(3))
        file["soft"] = h5py.SoftLink("/scalar")
        file["outer"] = h5py.ExternalLink("other.h5", "/x")

    def model(file):
        layers(file.create_group("model_weights"))
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": config()["pooled"]["config"]["layers"][1:]}})

    def keras3(file):
        group = file.create_group("layers/conv2d/vars")
        group["0"], group["1"] = noise(3, 3, 3, 2), noise(2)
        group = file.create_group("layers/dense/vars")
        group["0"], group["1"] = noise(2, 2), noise(2)

    archive = io.BytesIO()
    for name, fill in {"plain": layers, "packed": packed, "odd": odd, "model": model, "keras3": keras3,
                       "half": lambda f: layers(f, "<f2"), "big": lambda f: layers(f, ">f8")}.items():
        for version in ("earliest", "latest"):
            data = hdf(fill, libver=version)
            put("hdf", f"{name}_{version}", data)
            put("weights", f"{name}_{version}.h5", data)
    put("hdf", "tracked", hdf(lambda f: [f.create_group(str(i)) for i in range(12)], track_order=True))
    put("hdf", "many", hdf(lambda f: [f.create_dataset(f"d{i}", data=np.float32(i)) for i in range(40)]))
    for method, name in ((zipfile.ZIP_STORED, "stored"), (zipfile.ZIP_DEFLATED, "deflated")):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", method) as out:
            out.writestr(zipfile.ZipInfo("config.json"), json.dumps(config()["keras3"]), method)
            out.writestr(zipfile.ZipInfo("metadata.json"), '{"keras_version": "3.0"}', method)
            out.writestr(zipfile.ZipInfo("model.weights.h5"), hdf(keras3), method)
        put("weights", f"{name}.keras", archive.getvalue())
        put("torch", f"{name}.keras", archive.getvalue())
    for name, value in config().items():
        put("keras", name, json.dumps(value, separators=(",", ":")))


def pickles():
    for name, (body, _) in make_pickles.PICKLES.items():
        if len(body) < 4096:
            put("pickle", name, body)
    good = make_pickles.state(make_pickles.tensor())
    for name, body in {"good": b"\x80\x02" + good, "rest": b"\x80\x02]q\x00(K\x01M\x02\x03\x8a\x01\x7fG?\xf0\0\0\0\0\0\0NX\1\0\0\0aU\1be}(h\0\x85u0."}.items():
        put("pickle", name, body)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr(zipfile.ZipInfo("a/data.pkl"), b"\x80\x02" + good)
        out.writestr(zipfile.ZipInfo("a/data/0"), noise(108).tobytes())
        out.writestr(zipfile.ZipInfo("a/vgg16.json"), '{"arch":"vgg16"}')
    put("torch", "own", archive.getvalue())
    put("weights", "own.pth", archive.getvalue())
    try:
        import torch
    except ImportError:
        return
    base = torch.arange(12, dtype=torch.float32)
    for name, value in {
        "state": {"features.0.weight": torch.from_numpy(noise(2, 3, 3, 3)), "features.0.bias": base[:2]},
        "strided": {"state_dict": {"a": base.view(3, 4).t(), "b": base[2:6], "c": torch.nn.Parameter(base[:1])}, "epoch": 3},
        "kinds": {"a": base.half(), "b": base.double(), "c": base.long(), "d": base.bfloat16(), "e": base.bool(), "f": base[:0]},
    }.items():
        for kind, how in (("zip", {}), ("old", {"_use_new_zipfile_serialization": False})):
            at = io.BytesIO()
            torch.save(value, at, **how)
            put("torch", f"{name}_{kind}", at.getvalue())
            put("weights", f"{name}_{kind}.pth", at.getvalue())


def tables():
    put("table", "table", "cpath,label\na.png,cat\nb.jpg,\"dog, \"\"big\"\"\"\r\n c.png , cat \n")
    put("table", "bare", "ca.png,1\nb.png,0")
    put("table", "marked", "c\ufeffa.png,\u00e9\n\n\"b\nc.png\",x\n")
    put("table", "list", "la.png\nb.jpg\r\n\n/c d.png\n")


def idx():
    images = struct.pack(">IIII", 0x803, 3, 2, 2) + bytes(range(12))
    labels = struct.pack(">II", 0x801, 3) + bytes((1, 0, 2))
    for name, pack in (("plain", bytes), ("packed", lambda d: gzip.compress(d, mtime=0))):
        first = pack(images)
        put("idx", name, struct.pack("<H", len(first)) + first)
        put("idx", f"{name}_labels", struct.pack("<H", len(first)) + first + pack(labels))


def images():
    y, x = np.mgrid[0:20, 0:24]
    picture = Image.fromarray(np.stack([x * 9, y * 11, (x * y) % 256], -1).astype("u1"))
    exif = Image.Exif()
    exif[0x0112] = 6

    def save(name, image, form, **how):
        at = io.BytesIO()
        image.save(at, form, **how)
        put("image", name, at.getvalue())

    for mode in ("RGB", "L", "P", "RGBA", "1", "LA", "I"):
        save(f"{mode}.png", picture.convert("L").convert("I") if mode == "I" else picture.convert(mode), "PNG")
    save("exif.png", picture, "PNG", exif=exif)
    for mode in ("RGB", "L", "CMYK"):
        save(f"{mode}.jpg", picture.convert(mode), "JPEG", exif=exif)
        save(f"{mode}_progressive.jpg", picture.convert(mode), "JPEG", progressive=True, restart_marker_rows=1)
    for mode in ("RGB", "L", "P", "1"):
        save(f"{mode}.bmp", picture.convert(mode), "BMP")
        save(f"{mode}.gif", picture.convert(mode), "GIF")
    for how in ({"lossless": True}, {"quality": 50, "exif": exif}):
        save(f"{len(how)}.webp", picture, "WEBP", **how)
    for mode, compression in (("RGB", "raw"), ("L", "tiff_lzw"), ("CMYK", "tiff_deflate"), ("1", "group4"), ("P", "packbits"), ("RGB", "jpeg")):
        save(f"{mode}_{compression}.tif", picture.convert(mode), "TIFF", compression=compression)


def options():
    for i, line in enumerate((
            "train|data|--epochs|3|--lr|0.1|--augment|rotate=10,flip,zoom=0.2|--output|m.safetensors",
            "train|data|--validation-split|0.25|--optimizer|adam|--trainable|block5|--head|gap,dense:3:softmax|--size|96x64",
            "extract|data|--layer|fc1|--pooling|avg|-o|f.npy|-qv|--batch=4", "evaluate|d|--model|m|--json",
            "predict|--model|m|a.png|--top|3", "explain|--model=m|a.png|--output|e.png", "quantize|m|d|--output|q",
            "convert|a.h5|b.safetensors|--precision|fp16", "bench|--on|cpu,vulkan:0|--runs|2", "selftest|--backend|cpu|--isa|avx2",
            "devices|--json", "summary|--|--x", "pull|--help", "--version", "help|train", "train|--no-such|-zz")):
        put("options", str(i), line.replace("|", "\n") + "\n")


def written():
    for target, kinds in (("written", 3), ("texts", 5)):
        for kind in range(kinds):
            put(target, str(kind), bytes([kind]) + bytes((i * 37 + kind) % 256 for i in range(300)))
            put(target, f"{kind}_words", bytes([kind]) + b"\5a, \"b\"\n\t\x10c: d\\x0a e" * 8)


for make in (arrays, keras, pickles, tables, idx, images, options, written):
    make()
