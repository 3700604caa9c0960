"""VGG networks for feature extraction and fine-tuning: libvgg16 from Python, by ctypes and numpy alone.

    import vgg16

    features = vgg16.Features(pooling="avg", size=150)          # a transformer as scikit-learn has them
    x = features.fit_transform(["cat.1.jpg", "dog.7.jpg"])      # (2, 512) float32

    model = vgg16.Model(head="flatten,dense:256:relu,dropout:0.5,dense:1:sigmoid", size=150)
    history = model.fit("data/train", validation="data/validation", epochs=30, augment=dict(rotate=40, flip=True))
    model.evaluate("data/test")["accuracy"]
    model.save("cats-and-dogs.safetensors")

Data is what `vgg16 train DATA` takes (a folder with a subfolder per class, a .csv, an array file, "idx:..."), a list of
image paths, an array of images (N, H, W, 3) with values 0..255, or of features (N, ...), with labels beside it.
Images are resized and preprocessed as the model wants them. Words and defaults are those of the program's options.

The library is $VGG16_LIBRARY, that of the installation this file belongs to, or the system's libvgg16.so.1.
"""
from __future__ import annotations

import atexit
import contextlib
import ctypes as c
import ctypes.util
import json
import logging
import math
import os
import pathlib
import signal
import struct
import sys
import tempfile
import threading
import weakref
from typing import Any, Iterator, Mapping, Sequence, Union

import numpy as np

__all__ = ["Data", "Engine", "Error", "Features", "History", "Model", "convert", "devices", "load_image", "pull"]

log = logging.getLogger("vgg16")
Array = np.ndarray[Any, Any]
Path = Union[str, "os.PathLike[str]"]
Source = Union[Path, Sequence[Path], Array, "Data"]


def _open_library() -> Any:
    name = {"darwin": "libvgg16.1.dylib", "win32": "libvgg16.dll"}.get(sys.platform, "libvgg16.so.1")
    named, failed = os.environ.get("VGG16_LIBRARY"), ""
    prefixes = [p for p in pathlib.Path(__file__).resolve().parents if (p / "share/vgg16").is_dir()]
    near = [str(f) for p in prefixes for place in ("lib", "lib64", "lib/*") for f in sorted(p.glob(f"{place}/{name}"))]
    for path in [named] if named else [*near, ""]:  # beside Debian's lib/x86_64-linux-gnu another processor's may lie
        try:
            return c.CDLL(path or ctypes.util.find_library("vgg16") or name)
        except OSError as error:
            failed = str(error)
    raise ImportError(f"libvgg16 cannot be opened ({failed}); install it or name its file in VGG16_LIBRARY")


_lib = _open_library()
_text, _size, _u64, _double, _float, _int, _bool = c.c_char_p, c.c_size_t, c.c_uint64, c.c_double, c.c_float, c.c_int, c.c_bool
_floats, _doubles = c.POINTER(_float), c.POINTER(_double)


def _structure(name: str, fields: str, **types: Any) -> Any:
    """A ctypes structure of "TYPE: NAME NAME...; ...", in the order of vgg16.h; `types`: of the words used there."""
    known: dict[str, Any] = {
        "text": _text, "size": _size, "u64": _u64, "double": _double, "float": _float, "int": _int, "bool": _bool,
        "floats": _floats, "doubles": _doubles, "ints": c.POINTER(_int), "sizes": c.POINTER(_size),
        "u64s": c.POINTER(_u64), "pointer": c.c_void_p, **types}
    members = []
    for part in fields.split(";"):
        kind, names = part.split(":")
        kind, _, length = kind.strip().partition("*")
        members += [(member, known[kind] * int(length) if length else known[kind]) for member in names.split()]
    return type(name, (c.Structure,), {"_fields_": members})


_Progress = _structure("vgg_progress", """
    text: phase unit; u64: done total; int: epoch epochs; double: loss accuracy""")
_ProgressFn = c.CFUNCTYPE(_bool, c.c_void_p, c.POINTER(_Progress))
_LogFn = c.CFUNCTYPE(None, c.c_void_p, _int, _text)
_DeviceInfo = _structure("vgg_device_info", """
    char*16: backend; char*128: name; char*16: type; char*128: driver; char*40: uuid; u64: memory allocation; char*160:
    limits; int: threads index; bool: chosen; char*128: reason""", char=c.c_char)
_EngineOptions = _structure("vgg_engine_options", """
    pointer: ranks; text: backend device isa conv; int: threads; u64: memory; text: precision""")
_ImageOptions = _structure("vgg_image_options", "int: height width preprocess resize crop decode; bool: skip_bad")
_AugmentOptions = _structure("vgg_augment_options", """
    float: rotate shift_height shift_width shear zoom; bool: flip vflip; float: crop brightness contrast saturation""")
_ModelOptions = _structure("vgg_model_options", """
    text: arch weights head; int: height width; text: last; int: preprocess; u64: seed""")
_LayerInfo = _structure("vgg_layer_info", "text: name kind; int: height width channels; u64: parameters flops")
_FeaturesOptions = _structure("vgg_features_options", "text: layer; int: pooling batch")
_QuantizeOptions = _structure("vgg_quantize_options", """
    images: images; text: layer; int: count; bool: direct; progress: progress; pointer: user""",
                             images=_ImageOptions, progress=_ProgressFn)
_QuantizedLayer = _structure("vgg_quantized_layer", "char*32: name; float: step; double: error", char=c.c_char)
_Quantized = _structure("vgg_quantized", """
    size: images tried; layer: layer; size: layers; double: features outputs agree seconds_fp32 seconds_int8; u64:
    activations_fp32 activations_int8""", layer=c.POINTER(_QuantizedLayer))
_Epoch = _structure("vgg_epoch", """
    int: epoch; double: loss accuracy val_loss val_accuracy learning_rate seconds; u64: images; double: seconds_load
    seconds_train seconds_validate""")
_EpochFn = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(_Epoch))
_History = _structure("vgg_history", """
    epochs: epochs; size: count; u64: steps; int: shard best monitor stopped; double: seconds_features seconds_save;
    bool: kept; double: scale; u64: skipped""", epochs=c.POINTER(_Epoch))
_TrainOptions = _structure("vgg_train_options", """
    text: trainable; images: images; augment: augment; int: optimizer; float: learning_rate momentum; bool: nesterov;
    float: rho beta1 beta2 epsilon weight_decay; int: schedule schedule_every; float: schedule_factor warmup lr_decay
    clip_norm label_smoothing; int: epochs steps_per_epoch batch shard; bool: balanced; int: monitor early_stop keep;
    bool: no_shuffle; u64: seed; text: checkpoint; int: checkpoint_steps; double: checkpoint_seconds; bool:
    cpu_on_device_lost resume overwrite; text: log tensorboard; history: history; progress: progress; on_epoch:
    on_epoch; pointer: user""",
    images=_ImageOptions, augment=_AugmentOptions, history=c.POINTER(_History), progress=_ProgressFn, on_epoch=_EpochFn)
_EvaluateOptions = _structure("vgg_evaluate_options", """
    images: images; int: batch top; float: threshold; progress: progress; pointer: user""",
                             images=_ImageOptions, progress=_ProgressFn)
_Evaluation = _structure("vgg_evaluation", """
    size: count; int: classes; double: loss accuracy top_accuracy; floats: probabilities; ints: labels predicted; sizes:
    index; u64s: confusion; doubles: precision recall f1; u64s: support; doubles: auc; double: mean_auc""")
_Report = _structure("vgg_report", """
    text: command data validation; pointer: engine model; training: training; history: history; evaluation: evaluation;
    pointer: evaluated; images: images; bool: interrupted""", images=c.POINTER(_ImageOptions),
                     training=c.POINTER(_TrainOptions), history=c.POINTER(_History), evaluation=c.POINTER(_Evaluation))
STRUCTURES = [_Progress, _DeviceInfo, _EngineOptions, _ImageOptions, _AugmentOptions, _ModelOptions, _LayerInfo,
              _FeaturesOptions, _QuantizeOptions, _QuantizedLayer, _Quantized, _Epoch, _History, _TrainOptions,
              _EvaluateOptions, _Evaluation, _Report]  # as vgg16.h has them

for _name in ("vgg_status_text", "vgg_version", "vgg_name", "vgg_data_class_name", "vgg_data_path", "vgg_model_arch",
              "vgg_model_weights", "vgg_model_class_name"):
    getattr(_lib, _name).restype = _text
__version__ = _lib.vgg_version().decode()
_lib.vgg_engine_device.restype = c.POINTER(_DeviceInfo)
_lib.vgg_data_count.restype = _size
_lib.vgg_data_features.restype = _bool
_libc_free = c.CDLL(None).free if sys.platform != "win32" else c.cdll.msvcrt.free
_libc_free.argtypes = [c.c_void_p]


class Error(RuntimeError):
    """What the library refused or could not do, in its words. `status`: the number of enum vgg_status."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


_INTERRUPTED = 10
_thread = threading.local()  # .engine: its own
_said = [""]  # the last line of an error


def _write_log(_user: Any, level: int, line: bytes) -> None:
    text = line.decode(errors="replace")
    if level == 0:
        _said[0] = text
    log.log((logging.DEBUG, logging.WARNING, logging.INFO, logging.DEBUG)[level], "%s", text)


_on_log = _LogFn(_write_log)
_lib.vgg_log_set(_on_log, None, 2)
atexit.register(_lib.vgg_log_set, None, None, 1)


def _check(status: int) -> None:
    if status != 0:
        text, _said[0] = _said[0], ""
        raise Error(status, text or _lib.vgg_status_text(status).decode())


def _encode(value: Any) -> bytes | None:
    return None if value is None else os.fsencode(value)


def _words(group: int) -> dict[str, int]:
    names: dict[str, int] = {}
    while (word := _lib.vgg_name(group, len(names))) is not None:
        names[word.decode()] = len(names)
    return names


_WORDS = {"preprocess": 0, "resize": 1, "crop": 2, "pooling": 3, "optimizer": 4, "decode": 9, "schedule": 10}
_OTHERS = {"monitor": {"default": 0, "val_loss": 1, "val_accuracy": 2}, "keep": {"last": 0, "best": 1}}


def _fill(structure: c.Structure, options: Mapping[str, Any]) -> c.Structure:
    """Sets members by name; words become their numbers, None stays the default. TypeError: no such member."""
    kinds = dict(structure._fields_)
    for name, value in options.items():
        if name not in kinds or kinds[name] in (c.c_void_p, _ProgressFn, _EpochFn):
            raise TypeError(f"unexpected option {name!r}; there are {', '.join(n for n in kinds if n != 'user')}")
        if value is None:
            continue
        if isinstance(value, str) and kinds[name] is _int:
            words = _OTHERS[name] if name in _OTHERS else _words(_WORDS[name])
            if value not in words:
                raise ValueError(f"{name} {value!r} is unknown; take one of {', '.join(words)}")
            value = words[value]
        if issubclass(kinds[name], c.Structure):
            value = _fill(kinds[name](), value)
        setattr(structure, name, _encode(value) if kinds[name] is _text else value)
    return structure


def _image_options(size: Any = None, **options: Any) -> Any:
    height, width = _height_width(size)
    return _fill(_ImageOptions(height=height, width=width), options)


def _height_width(size: Any) -> tuple[int, int]:
    return (0, 0) if size is None else (size, size) if isinstance(size, int) else (size[0], size[1])


class _Watch:
    """The callbacks of one long call: what they raise, and Ctrl-C, ends the call and is raised again after it."""

    def __init__(self, progress: Any = None, on_epoch: Any = None):
        self.raised: BaseException | None = None
        self.stopped = False

        def watched(work: Any, *args: Any) -> bool:
            try:
                if self.raised is None and work is not None and work(*args) is False:
                    self.stopped = True
            except BaseException as error:  # it cannot pass through C
                self.raised = error
            return self.raised is None and not self.stopped

        def on_progress(_user: Any, at: Any) -> bool:
            return watched(progress, _members(at.contents) if progress else None)

        def at_epoch(_user: Any, at: Any) -> None:
            watched(on_epoch, at.contents)

        self.progress, self.on_epoch = _ProgressFn(on_progress), _EpochFn(at_epoch)

    def call(self, function: Any, *args: Any, broken_off: str | None = None) -> None:
        """Calls the library. `broken_off`: the error where a callback stopped it; None: that is none."""

        def interrupt(*_signal: Any) -> None:
            self.raised = KeyboardInterrupt()

        ours = threading.current_thread() is threading.main_thread() and \
            signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if ours:
            signal.signal(signal.SIGINT, interrupt)
        try:
            status = function(*args)
        finally:
            if ours:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.raised is not None:
            raise self.raised
        if not self.stopped or status != _INTERRUPTED:
            _check(status)
        elif broken_off is not None:
            raise Error(_INTERRUPTED, broken_off)


def _members(structure: c.Structure) -> dict[str, Any]:
    values = {name: getattr(structure, name) for name, _ in structure._fields_}
    return {name: v.decode(errors="replace") if isinstance(v, bytes) else v for name, v in values.items()}


def devices() -> list[dict[str, Any]]:
    """Every device of every backend; `chosen`: the one that is taken by itself."""
    found, count = c.POINTER(_DeviceInfo)(), _size()
    _check(_lib.vgg_device_list(c.byref(found), c.byref(count)))
    try:
        return [_members(found[i]) for i in range(count.value)]
    finally:
        _libc_free(found)


class _Object:
    """What the library made, until it is closed or forgotten; `keeps`, which it needs, lives longer, also in a cycle and at
    Python's end."""

    _destroy = ""

    def __init__(self, handle: c.c_void_p, *keeps: Any, destroy: str = ""):
        self._handle: c.c_void_p | None = handle
        self._finish = weakref.finalize(self, _destroyed, getattr(_lib, destroy or self._destroy), handle, keeps)

    def close(self) -> None:
        """Gives the memory back; the object cannot be used any more."""
        self._handle = None
        if hasattr(self, "_finish"):
            self._finish()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_error: Any) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _destroyed(destroy: Any, handle: c.c_void_p, _keeps: Any) -> None:
    destroy(handle)


class Engine(_Object):
    """One opened backend on one device. Options: backend, device, isa, conv, threads, memory, precision, as
    `vgg16 train --help` explains them. One engine is for the thread that made it."""

    _destroy = "vgg_engine_destroy"

    def __init__(self, **options: Any):
        handle = c.c_void_p()
        _check(_lib.vgg_engine_create(c.byref(handle), c.byref(_fill(_EngineOptions(), options))))
        super().__init__(handle)

    @property
    def device(self) -> dict[str, Any]:
        return _members(_lib.vgg_engine_device(self._handle).contents)


def _engine(engine: Engine | None) -> Engine:
    """The one asked for, else this thread's own."""
    if engine is None and getattr(_thread, "engine", None) is None:
        _thread.engine = Engine()
    return engine or _thread.engine


def _write_arrays(path: str, x: Array, y: Array | None, names: Sequence[str] | None) -> None:
    """A .safetensors file with x, y and the classes' names, which the library opens as a data set."""
    arrays = {"x": np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype(np.float32, copy=False))}
    if y is not None:
        arrays["y"] = np.ascontiguousarray(y, dtype=np.int64)
    at: int = 0
    head: dict[str, Any] = {"__metadata__": {"classes": json.dumps(names)}} if names else {}
    for name, a in arrays.items():
        kind = {"uint8": "U8", "float32": "F32", "int64": "I64"}[a.dtype.name]
        head[name] = {"dtype": kind, "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for a in arrays.values():
            stream.write(a.data)


class Data(_Object):
    """A data set: `source` as the module's head says; labels of arrays by `y`: numbers from 0, or names."""

    _destroy = "vgg_data_destroy"

    def __init__(self, source: Source, y: Sequence[Any] | Array | None = None):
        handle, names = c.c_void_p(), None
        self._folder: Any = None
        if isinstance(source, np.ndarray):
            if source.ndim < 2 or len(source) == 0 or (y is not None and len(y) != len(source)):
                raise ValueError(f"x has shape {source.shape}, y {'none' if y is None else len(y)} labels; x is (N, H, "
                                 "W, 3) or (N, ...), y has N")
            if y is not None and not np.issubdtype(np.asarray(y).dtype, np.integer):
                names, y = np.unique(np.asarray(y, dtype=str), return_inverse=True)
                names = [str(name) for name in names]
            self._folder = tempfile.TemporaryDirectory(prefix="vgg16-")
            path = os.path.join(self._folder.name, "arrays.safetensors")
            _write_arrays(path, source, None if y is None else np.asarray(y), names)
            _check(_lib.vgg_data_open(c.byref(handle), _encode(path)))
        elif y is not None:
            raise ValueError("y goes with an array; folders and tables have their labels")
        elif isinstance(source, Data):
            raise TypeError("this is a data set already")
        elif isinstance(source, (str, os.PathLike)):
            _check(_lib.vgg_data_open(c.byref(handle), _encode(source)))
        else:
            paths = [_encode(path) for path in source]
            _check(_lib.vgg_data_open_images(c.byref(handle), (_text * len(paths))(*paths), _size(len(paths))))
        super().__init__(handle)

    @classmethod
    def _of(cls, handle: c.c_void_p, *keeps: Any) -> Data:
        data = cls.__new__(cls)
        data._folder = None
        _Object.__init__(data, handle, *keeps)
        return data

    def close(self) -> None:
        super().close()
        folder, self._folder = getattr(self, "_folder", None), None
        if folder:
            folder.cleanup()

    def __len__(self) -> int:
        return int(_lib.vgg_data_count(self._handle))

    @property
    def classes(self) -> list[str]:
        """Names in the order of the labels; empty without labels."""
        count = _lib.vgg_data_class_count(self._handle)
        return [_lib.vgg_data_class_name(self._handle, i).decode() for i in range(count)]

    @property
    def labels(self) -> Array:
        """(N,) int64; -1 without labels."""
        return np.array([_lib.vgg_data_label(self._handle, _size(i)) for i in range(len(self))], dtype=np.int64)

    @property
    def paths(self) -> list[str]:
        return [_lib.vgg_data_path(self._handle, _size(i)).decode(errors="replace") for i in range(len(self))]

    def split(self, fraction: float, seed: int = 0) -> tuple[Data, Data]:
        """(the rest, `fraction` held out), balanced by class, the same for the same seed."""
        rest, held = c.c_void_p(), c.c_void_p()
        _check(_lib.vgg_data_split(c.byref(rest), c.byref(held), self._handle, _double(fraction), _u64(seed)))
        return Data._of(rest, self), Data._of(held, self)


@contextlib.contextmanager
def _open(source: Source, y: Any = None) -> Iterator[Data]:
    if isinstance(source, Data):
        yield source
        return
    with Data(source, y) as data:
        yield data


class History:
    """What a training went through, as Keras' History: `epoch` from 0, `history` a dict of lists by name."""

    def __init__(self, found: Any):
        epochs = [found.epochs[i] for i in range(found.count)]
        self.epoch = [e.epoch - 1 for e in epochs]
        names = [n for n, _ in _Epoch._fields_ if n != "epoch"]
        self.history = {n: [getattr(e, n) for e in epochs] for n in names}
        for name in ("val_loss", "val_accuracy"):
            if all(math.isnan(v) for v in self.history[name]):
                del self.history[name]
        self.steps, self.best, self.stopped = found.steps, found.best - 1, found.stopped


class Model(_Object):
    """A network: base and, with `head`, a classifier. `weights`: a file, "imagenet", "starter", "random"; None:
    imagenet if it is here, else the starter weights. Other options: arch, head, last, preprocess, seed. `size`: pixels a
    side, or (height, width). Without `head`, a model file or a checkpoint is itself, whatever the options say."""

    _destroy = "vgg_model_destroy"

    def __init__(self, weights: Path | None = None, *, size: Any = None, engine: Engine | None = None,
                 **options: Any):
        handle = c.c_void_p()
        height, width = _height_width(size)
        settings = _fill(_ModelOptions(height=height, width=width), {"weights": weights, **options})
        make = _lib.vgg_model_open if options.get("head") is None else _lib.vgg_model_create
        _check(make(c.byref(handle), c.byref(settings)))
        super().__init__(handle)
        self.engine = engine
        self.stop_training = False

    @classmethod
    def load(cls, path: Path, *, engine: Engine | None = None) -> Model:
        """What save wrote, or a checkpoint or folder of them; "starter"."""
        model, handle = cls.__new__(cls), c.c_void_p()
        _check(_lib.vgg_model_load(c.byref(handle), _encode(path)))
        _Object.__init__(model, handle)
        model.engine, model.stop_training = engine, False
        return model

    def save(self, path: Path) -> None:
        """A .safetensors file, written aside and renamed."""
        _check(_lib.vgg_model_save(self._handle, _encode(path)))

    def export(self, path: Path, half: bool = False) -> None:
        """For other programs, by the extension: .h5, .safetensors, .pth, .onnx; half: F16 where the format has it."""
        _check(_lib.vgg_model_export(self._handle, _encode(path), 0, int(half)))

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Name, kind, shape of the output, parameters and operations of each layer."""
        info, found = _LayerInfo(), []
        for i in range(_lib.vgg_model_layer_count(self._handle)):
            _check(_lib.vgg_model_layer(self._handle, i, c.byref(info)))
            found.append(_members(info))
        return found

    @property
    def arch(self) -> str:
        return str(_lib.vgg_model_arch(self._handle).decode())

    def _input(self) -> tuple[int, int, int]:
        """Height, width and the number of the preprocessing."""
        height, width, preprocess = _int(), _int(), _int()
        _lib.vgg_model_input(self._handle, c.byref(height), c.byref(width), c.byref(preprocess))
        return height.value, width.value, preprocess.value

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return (*self._input()[:2], 3)

    @property
    def preprocess(self) -> str:
        return str(_lib.vgg_name(_WORDS["preprocess"], self._input()[2]).decode())

    @property
    def classes(self) -> list[str]:
        count = _lib.vgg_model_class_count(self._handle)
        names = [_lib.vgg_model_class_name(self._handle, i) for i in range(count)]
        return [str(i) if name is None else name.decode() for i, name in enumerate(names)]

    def digest(self, layer: str) -> str:
        """SHA-256 of the parameters up to a layer."""
        text = c.create_string_buffer(65)
        _check(_lib.vgg_model_digest(self._handle, self._find(layer), text))
        return text.value.decode()

    def _find(self, layer: str) -> int:
        index = int(_lib.vgg_model_layer_find(self._handle, _encode(layer)))
        if index < 0:
            raise KeyError(f"no layer {layer!r}; there are {', '.join(l['name'] for l in self.layers)}")
        return index

    def _shape(self, index: int) -> tuple[int, ...]:
        layers = self.layers
        this, before = layers[index], layers[index - 1] if index else {"height": 1, "width": 1, "channels": 3}
        if this["kind"] == "conv":
            return 3, 3, before["channels"], this["channels"]
        if this["kind"] != "dense":
            raise ValueError(f"layer {this['name']} has no weights")
        return before["height"] * before["width"] * before["channels"], this["channels"]

    def get_weights(self, layer: str) -> list[Array]:
        """[kernel, bias] of a layer, as Keras has them: (3, 3, in, out) or (in, out), and (out,)."""
        index = self._find(layer)
        shape = self._shape(index)
        arrays = [np.empty(shape, np.float32), np.empty(shape[-1:], np.float32)]
        for bias, a in zip((False, True), arrays):
            _check(_lib.vgg_model_get(self._handle, index, _bool(bias), a.ctypes.data_as(_floats), _size(a.size)))
        return arrays

    def set_weights(self, layer: str, arrays: Sequence[Array]) -> None:
        """The counterpart of get_weights."""
        index = self._find(layer)
        shape = self._shape(index)
        arrays = [np.ascontiguousarray(a, dtype=np.float32) for a in arrays]
        if [a.shape for a in arrays] != [shape, shape[-1:]]:
            raise ValueError(f"{layer} takes shapes {shape} and {shape[-1:]}, not {[a.shape for a in arrays]}")
        for bias, a in zip((False, True), arrays):
            _check(_lib.vgg_model_set(self._handle, index, _bool(bias), a.ctypes.data_as(_floats), _size(a.size)))

    def fit(self, data: Source, y: Any = None, *, validation: Source | tuple[Source, Any] | None = None,
            validation_split: float = 0, epochs: int = 1, images: Mapping[str, Any] | None = None,
            augment: Mapping[str, Any] | None = None, callbacks: Sequence[Any] = (), progress: Any = None,
            report: Path | None = None, engine: Engine | None = None, **options: Any) -> History:
        """Trains in place: the head, or with `trainable` "all", a block or a layer: that one and all above.

        validation: data, or (x, y). images: size, preprocess, resize, crop, decode, skip_bad. augment: rotate, flip,
        zoom, ... Other options by the names of the program's: optimizer, learning_rate, batch, schedule, early_stop,
        keep, checkpoint, resume, log, tensorboard, seed, ... callbacks: objects with any of set_model,
        on_train_begin(logs), on_epoch_end(epoch, logs), on_train_end(logs), as Keras'; `stop_training = True` ends the
        training. progress: a function of a dict; returns False to stop. report: an HTML page is written there.
        """
        engine = _engine(engine or self.engine)
        settings = _fill(_TrainOptions(epochs=epochs, images=_image_options(**(images or {}))),
                         {"augment": augment, **options})
        found = _History()
        self.stop_training = False

        def tell(what: str, *args: Any) -> None:
            for callback in callbacks:
                if hasattr(callback, what):
                    getattr(callback, what)(*args)

        def on_epoch(at: Any) -> bool:
            logs = {n: value for n, value in _members(at).items() if not math.isnan(value)}
            tell("on_epoch_end", at.epoch - 1, logs)
            return not self.stop_training

        watch = _Watch(progress, on_epoch)
        settings.history, settings.progress, settings.on_epoch = c.pointer(found), watch.progress, watch.on_epoch
        with contextlib.ExitStack() as stack:
            train = stack.enter_context(_open(data, y))
            held = None
            if validation is not None:
                held = stack.enter_context(_open(*(validation if isinstance(validation, tuple) else (validation, ))))
            elif validation_split:
                train, held = (stack.enter_context(part) for part in train.split(validation_split, settings.seed))
            stack.callback(_lib.vgg_history_finish, c.byref(found))
            tell("set_model", self)
            tell("on_train_begin", {})
            watch.call(_lib.vgg_train, engine._handle, self._handle, train._handle, held and held._handle,
                       c.byref(settings))
            history = History(found)
            tell("on_train_end", {})
            if report is not None:
                self._report(report, engine, settings, found, held)
        return history

    def _report(self, path: Any, engine: Engine, settings: Any, found: Any, held: Data | None) -> None:
        page = _Report(engine=engine._handle, model=self._handle, training=c.pointer(settings), history=c.pointer(found),
                       images=c.pointer(settings.images))
        result = c.POINTER(_Evaluation)()
        try:
            if held is not None:
                options = _EvaluateOptions(images=settings.images)
                _check(_lib.vgg_evaluate(c.byref(result), engine._handle, self._handle, held._handle, c.byref(options)))
                page.evaluation, page.evaluated = result, held._handle
            _check(_lib.vgg_report_write(_encode(path), c.byref(page)))
        finally:
            _lib.vgg_evaluation_destroy(result)

    def evaluate(self, data: Source, y: Any = None, *, images: Mapping[str, Any] | None = None, batch: int = 0,
                 top: int = 0, threshold: float = 0, progress: Any = None,
                 engine: Engine | None = None) -> dict[str, Any]:
        """Loss, accuracy, confusion, precision, recall, f1, auc, and each image's probabilities, label, prediction and
        `index` in the data. Without labels: predictions alone."""
        watch = _Watch(progress)
        options = _EvaluateOptions(images=_image_options(**(images or {})), batch=batch, top=top, threshold=threshold,
                                   progress=watch.progress)
        found = c.POINTER(_Evaluation)()
        with _open(data, y) as source:
            try:
                watch.call(_lib.vgg_evaluate, c.byref(found), _engine(engine or self.engine)._handle, self._handle,
                           source._handle, c.byref(options), broken_off="the evaluation was stopped")
                return _evaluation(found.contents)
            finally:
                _lib.vgg_evaluation_destroy(found)

    def predict(self, data: Source, **options: Any) -> Array:
        """(N, classes) float32: the probability of each class, in the order of `classes`."""
        return np.asarray(self.evaluate(data, **options)["probabilities"])

    def explain(self, image: Path | Array, *, layer: str | None = None, label: int | str | None = None,
                engine: Engine | None = None) -> tuple[Array, Array, int]:
        """Grad-CAM of one image (a path, or an array as load_image makes it): (map, probabilities, label explained)."""
        height, width, _ = self.input_shape
        x = image if isinstance(image, np.ndarray) else load_image(image, (height, width), preprocess=self.preprocess)
        if x.shape != (height, width, 3):
            raise ValueError(f"the image has shape {x.shape}; the model takes {(height, width, 3)}")
        x = np.ascontiguousarray(x, dtype=np.float32)
        handle, h, w = c.c_void_p(), _int(), _int()
        which = _int(-1 if label is None else label if isinstance(label, int) else self.classes.index(label))
        probabilities = np.empty(len(self.classes), np.float32)
        _check(_lib.vgg_explain_create(c.byref(handle), _engine(engine or self.engine)._handle, self._handle,
                                       _encode(layer)))
        try:
            _lib.vgg_explain_shape(handle, c.byref(h), c.byref(w))
            heat = np.empty((h.value, w.value), np.float32)
            _check(_lib.vgg_explain_run(handle, heat.ctypes.data_as(_floats), probabilities.ctypes.data_as(_floats),
                                        c.byref(which), x.ctypes.data_as(_floats)))
        finally:
            _lib.vgg_explain_destroy(handle)
        return heat, probabilities, which.value

    def quantize(self, data: Source, *, images: Mapping[str, Any] | None = None, layer: str | None = None,
                 count: int = 0, direct: bool = False, progress: Any = None) -> dict[str, Any]:
        """Finds the scales of int8, which the model then holds; tells how far int8 is from fp32. direct: closer to
        fp32, without Winograd's algorithm."""
        watch, found = _Watch(progress), c.POINTER(_Quantized)()
        options = _QuantizeOptions(images=_image_options(**(images or {})), layer=_encode(layer), count=count,
                                   direct=direct, progress=watch.progress)
        with _open(data) as source, Engine(backend="cpu", precision="int8") as engine:
            try:
                watch.call(_lib.vgg_quantize, c.byref(found), engine._handle, self._handle, source._handle,
                           c.byref(options), broken_off="finding scales was stopped")
                told = _members(found.contents)
                layers = told.pop("layer")[:told["layers"]]
                return told | {"layers": {layer.name.decode(): layer.error for layer in layers}}
            finally:
                _lib.vgg_quantized_destroy(found)


def _evaluation(e: Any) -> dict[str, Any]:
    def array(pointer: Any, *shape: int) -> Array | None:
        return np.ctypeslib.as_array(pointer, shape).copy() if pointer else None

    n, k = e.count, e.classes
    told = {name: getattr(e, name) for name in ("count", "loss", "accuracy", "top_accuracy", "mean_auc")}
    told |= {name: array(getattr(e, name), n) for name in ("labels", "predicted", "index")}
    told |= {name: array(getattr(e, name), k) for name in ("precision", "recall", "f1", "support", "auc")}
    return told | {"probabilities": array(e.probabilities, n, k), "confusion": array(e.confusion, k, k)}


class Features:
    """Features of images as a transformer of scikit-learn: in a Pipeline, cloned, searched over.

    layer: None is block5_pool. pooling: "none" (maps), "avg", "max". size: None is what the weights were trained at.
    weights, arch, preprocess as of Model; resize, crop, decode as of the program; backend, precision, ... in `engine`,
    a dict of Engine's options. fit learns nothing; transform gives (N, D) float32, maps flattened row by row.
    """

    _names = ("layer", "pooling", "size", "weights", "arch", "preprocess", "resize", "crop", "decode", "batch", "engine")

    def __init__(self, layer: str | None = None, pooling: str = "avg", size: Any = None, weights: Any = None,
                 arch: str | None = None, preprocess: str | None = None, resize: str | None = None,
                 crop: str | None = None, decode: str | None = None, batch: int = 0,
                 engine: Mapping[str, Any] | None = None):
        self.layer, self.pooling, self.size, self.weights, self.arch = layer, pooling, size, weights, arch
        self.preprocess, self.resize, self.crop, self.decode = preprocess, resize, crop, decode
        self.batch, self.engine = batch, engine

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {name: getattr(self, name) for name in self._names}

    def set_params(self, **params: Any) -> Features:
        for name, value in params.items():
            if name not in self._names:
                raise ValueError(f"Features has no parameter {name!r}; it has {', '.join(self._names)}")
            setattr(self, name, value)
        self.__dict__.pop("_made", None)
        return self

    def __repr__(self) -> str:
        return "Features(" + ", ".join(f"{k}={v!r}" for k, v in self.get_params().items() if v is not None) + ")"

    def __getstate__(self) -> dict[str, Any]:
        return self.get_params()

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, x: Any = None, y: Any = None) -> Features:
        """Opens the weights, so that wrong ones are told here."""
        self._prepared()
        return self

    def _prepared(self) -> tuple[Model, Engine, _Object]:
        if "_made" not in self.__dict__:
            model = Model(self.weights, size=self.size, arch=self.arch, preprocess=self.preprocess,
                          last=self.layer or "block5_pool")
            engine = Engine(**self.engine) if self.engine else _engine(None)
            options = _fill(_FeaturesOptions(batch=self.batch), {"layer": self.layer, "pooling": self.pooling})
            handle = c.c_void_p()
            _check(_lib.vgg_features_create(c.byref(handle), engine._handle, model._handle, c.byref(options)))
            self._made = model, engine, _Object(handle, model, engine, destroy="vgg_features_destroy")
        return self._made

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image's features."""
        h, w, k = _int(), _int(), _int()
        _lib.vgg_features_shape(self._prepared()[2]._handle, c.byref(h), c.byref(w), c.byref(k))
        return h.value, w.value, k.value

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        layer = self.layer or "block5_pool"
        return np.array([f"{layer}_{i}" for i in range(math.prod(self.shape))], dtype=object)

    def transform(self, x: Source, progress: Any = None) -> Array:
        """x: a list of paths, a folder, a table, or an array of images (N, H, W, 3), 0..255."""
        with tempfile.TemporaryDirectory(prefix="vgg16-") as folder:
            path = os.path.join(folder, "features.npy")
            self.extract(x, path, progress=progress)
            return np.asarray(np.load(path)).reshape(-1, math.prod(self.shape))

    def fit_transform(self, x: Source, y: Any = None, **_params: Any) -> Array:
        return self.fit(x, y).transform(x)

    def extract(self, data: Source, output: Path, *, skip_bad: bool = False, progress: Any = None) -> None:
        """Features of a data set into a file: .npy, .h5, .safetensors or .csv, labels and paths with them."""
        _, _, made = self._prepared()
        watch = _Watch(progress)
        options = _image_options(preprocess=self.preprocess, resize=self.resize, crop=self.crop, decode=self.decode,
                                 skip_bad=skip_bad)
        with _open(data) as source:
            watch.call(_lib.vgg_features_extract, made._handle, _encode(output), source._handle, c.byref(options),
                       watch.progress, None, broken_off="the extraction was stopped")

    def run(self, x: Array) -> Array:
        """Features of images that are preprocessed: (N, height, width, 3) at the model's size; (N, h, w, c)."""
        model, _, made = self._prepared()
        x = np.ascontiguousarray(x, dtype=np.float32)
        if x.shape[1:] != model.input_shape:
            raise ValueError(f"x has shape {x.shape}; the model takes (N, {', '.join(map(str, model.input_shape))})")
        y = np.empty((len(x), *self.shape), np.float32)
        _check(_lib.vgg_features_run(made._handle, y.ctypes.data_as(_floats), x.ctypes.data_as(_floats), _size(len(x))))
        return y


def load_image(path: Path, size: Any, **options: Any) -> Array:
    """(height, width, 3) float32 as a network takes it. options: preprocess (None: caffe), resize, crop, decode."""
    settings = _image_options(size, **options)
    x = np.empty((settings.height, settings.width, 3), np.float32)
    _check(_lib.vgg_image_load(x.ctypes.data_as(_floats), _encode(path), c.byref(settings)))
    return x


def convert(source: Path, output: Path, half: bool = False) -> None:
    """Weights from one layout into that of `output`'s extension: .h5, .safetensors, .pth, .onnx."""
    _check(_lib.vgg_weights_convert(_encode(source), _encode(output), 0, int(half)))


def pull(name: str = "vgg16-notop", progress: Any = None) -> str:
    """Finds or downloads ImageNet's weights; the path."""
    watch, path = _Watch(progress), c.c_char_p()
    try:
        watch.call(_lib.vgg_weights_pull, c.byref(path), _encode(name), watch.progress, None,
                   broken_off="the download was stopped; another goes on where it is")
        return os.fsdecode(path.value or b"")
    finally:
        _libc_free(path)
