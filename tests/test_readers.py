"""This library's readers beside others: many random files, whole and with a few bytes changed, of HDF5 (h5py),
safetensors (a second reader, below) and torch.save (torch.load with weights_only). Whole files must be read alike;
of changed ones, what both read must be the same, and of safetensors also which are refused. Prints how often each takes
what the other refuses; VGG16_READERS_FILES=N: so many files of each kind, and twice as many changed ones."""
import io
import json
import math
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

import numpy as np

DUMP = os.environ["VGG16_DUMP"]
FILES = int(os.environ.get("VGG16_READERS_FILES", "150"))


def name_of(word):
    return "" if word == "-" else bytes.fromhex(word).decode("utf-8", "surrogateescape")


def ours(kind, paths):
    """For each file None where it is refused, else {name: array}, names that are there without values, texts."""
    found = []
    for first in range(0, len(paths), 100):
        out = subprocess.run([DUMP, kind, *paths[first:first + 100]], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            word, *rest = line.split(" ")
            if word == "file":
                found.append(({}, set(), {}))
            elif word == "refused":
                found[-1] = None
            elif word in ("other", "bad"):
                found[-1][1].add(name_of(rest[0]))
            elif word == "text":
                found[-1][2][name_of(rest[0]), name_of(rest[1])] = [name_of(w) for w in rest[3:]]
            else:
                rank = int(rest[1])
                bits = np.array([int(w, 16) for w in rest[3 + rank:]], "<u4").view("<f4")
                found[-1][0][name_of(rest[0])] = bits.reshape([int(w) for w in rest[2:2 + rank]])
    return found


def same(a, b, filled=False):
    """Bit for bit but for NaNs, which conversions may make others of. filled: b may have 0 instead: so does HDF5 where it
    does not find a chunk in a changed index."""
    a, b = np.asarray(a, "f4"), np.asarray(b, "f4")
    return a.shape == b.shape and bool(np.all((a.view("u4") == b.view("u4")) | (np.isnan(a) & np.isnan(b)) | (filled & (b == 0))))


def changed(data, rng):
    """A few bytes other, or the end cut off."""
    data = bytearray(data)
    if rng.random() < 0.1:
        return bytes(data[:rng.randrange(len(data))])
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(data))
        data[at] = rng.choice((data[at] ^ 1 << rng.randrange(8), 0, 1, 255, rng.randrange(256)))
    return bytes(data)


class Readers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def write(self, files):
        paths = []
        for i, data in enumerate(files):
            paths.append(os.path.join(self.folder, f"{i}"))
            with open(paths[-1], "wb") as file:
                file.write(data)
        return paths

    def compare_whole(self, kind, whole, theirs):
        """`theirs`: for paths, results as `ours` gives them."""
        paths = self.write(whole)
        for i, (a, b) in enumerate(zip(ours(kind, paths), theirs(paths))):
            self.assertIsNotNone(a, f"whole file {i} is refused")
            self.assertIsNotNone(b, f"whole file {i} is refused by the other reader")
            self.assertEqual(a[0].keys(), b[0].keys(), f"whole file {i}")
            self.assertEqual(a[2], b[2], f"whole file {i}")
            for name in a[0]:
                self.assertTrue(same(a[0][name], b[0][name]), f"whole file {i}: {name}")

    def compare(self, kind, whole, theirs):
        rng = random.Random(5)
        self.compare_whole(kind, whole, theirs)
        broken = [changed(rng.choice(whole), rng) for _ in range(2 * FILES)]
        paths = self.write(broken)
        values = taken = refused = other = alone = 0
        for i, (a, b) in enumerate(zip(ours(kind, paths), theirs(paths))):
            alone += len(a[0].keys() & b[1]) if a and b else 0
            taken += a is not None and b is None
            refused += a is None and b is not None
            if a is None or b is None:
                continue
            for name in a[0].keys() & b[0].keys():
                if a[0][name].shape != b[0][name].shape:
                    other += 1
                    continue
                values += 1
                if not same(a[0][name], b[0][name], filled=kind == "hdf"):
                    keep = os.path.join(tempfile.gettempdir(), f"vgg16-differs-{kind}")
                    shutil.copyfile(paths[i], keep)
                    self.fail(f"changed file {i}, kept as {keep}: {name} has other values")
        print(f"{kind}: {len(whole)} whole files read alike; of {len(broken)} changed ones {values} data sets alike, "
              f"{other} of other shapes, {alone} read here alone, {taken} files taken here alone, {refused} refused here alone",
              file=sys.stderr)
        self.assertGreater(values, len(broken) // 20)
        return taken, refused


# ---- HDF5 ----

# In a process of its own: libhdf5 may crash on a changed file, or never return.
H5PY = r"""
import pickle, sys, h5py, numpy as np
def strings(value):
    if isinstance(value, h5py.Empty): return None
    value = np.asarray(value)
    if value.dtype.kind not in "SOU": return None
    return [v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else v for v in value.ravel().tolist()]
for path in sys.argv[1:]:
    result = None
    try:
        with h5py.File(path, "r") as file:
            result = ({}, set(), {})
            def look(group, at, depth):
                for key in group.attrs:
                    try:
                        text = strings(group.attrs[key])
                        if text is not None: result[2][at, key] = text
                    except Exception: pass
                if not isinstance(group, h5py.Group) or depth > 8: return
                for name in group:
                    try:
                        if not isinstance(group.get(name, getlink=True), h5py.HardLink): continue
                        item = group[name]
                        path = at + "/" + name
                        look(item, path, depth + 1)
                        if isinstance(item, h5py.Dataset):
                            if item.dtype.kind == "f" and item.size <= 65536: result[0][path] = item[()].astype("f4")
                            else: result[1].add(path)
                    except Exception: result[1].add(at + "/" + name)
            look(file, "", 0)
    except Exception: pass
    pickle.dump(result, sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


def by_h5py(paths):
    found = []
    while len(found) < len(paths):
        process = subprocess.Popen([sys.executable, "-c", H5PY, *paths[len(found):]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            out, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        stream = io.BytesIO(out)
        try:
            while True:
                found.append(pickle.load(stream))
        except (EOFError, pickle.UnpicklingError):
            pass
        if len(found) < len(paths):
            found.append(None)  # the one that it did not come back from
    return found


class Hdf(Readers):
    def test_hdf(self):
        try:
            import h5py
        except ImportError:
            self.skipTest("h5py is not installed")
        rng = random.Random(1)

        def fill(group, depth, chunks):
            for k in range(rng.randrange(1, 4)):
                name = rng.choice(("kernel:0", "x", "a b", "\u00e9", "long" * 20)) + str(k)
                if depth < 3 and rng.random() < 0.4:
                    fill(group.create_group(name), depth + 1, chunks)
                    continue
                shape = tuple(rng.randrange(0 if rng.random() < 0.1 else 1, 6) for _ in range(rng.randrange(0, 5)))
                value = np.random.default_rng(rng.randrange(2**32)).standard_normal(shape) * 10.0 ** rng.randrange(-9, 9)
                how = {"dtype": rng.choice(("<f4", "<f2", "<f8", ">f4", ">f2", ">f8"))}
                with np.errstate(over="ignore"):
                    value = value.astype(how["dtype"])
                if chunks and shape and 0 not in shape and rng.random() < 0.5:
                    how["chunks"] = tuple(rng.randrange(1, s + 1) for s in shape)
                    how.update(rng.choice(({}, {"compression": "gzip"}, {"shuffle": True, "compression": "gzip", "fletcher32": True},
                                           {"shuffle": True})))
                group.create_dataset(name, data=value, **how)
            if rng.random() < 0.5:
                group.attrs["words"] = rng.choice((np.array([b"a", b"bc", b"defg"]), np.array([b"x"]), b"alone"))
            if rng.random() < 0.5:
                group.attrs.create("text", rng.choice(("variable", "\u00e9 and more")), dtype=h5py.string_dtype())

        files = []
        for i in range(FILES):
            at = io.BytesIO()
            version = rng.choice(("earliest", "latest", ("earliest", "v108")))
            with h5py.File(at, "w", libver=version) as file:
                fill(file, 0, version != "latest")  # whose new indices of chunks are not read here
                if rng.random() < 0.3:
                    file["soft"] = h5py.SoftLink("/x0")
                    file.create_dataset("numbers", data=np.arange(4))
            files.append(at.getvalue())
        self.compare("hdf", files, by_h5py)


# ---- safetensors ----

SIZES = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "|u1", "I16": "<i2", "BF16": "<u2"}


def whole(value, least=0):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= 2**53 and value == int(value)


def second_reader(path):
    """As the format's description has it: None where a file breaks it."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        length = struct.unpack("<Q", data[:8])[0]
        assert len(data) >= 8 and length <= min(len(data) - 8, 100000000)

        def pairs(items):
            assert len({k for k, _ in items}) == len(items)
            return dict(items)

        def constant(_):
            raise AssertionError
        header = json.loads(data[8:8 + length].decode("utf-8", "surrogateescape"), object_pairs_hook=pairs, parse_constant=constant)
        body, spans, found = data[8 + length:], [], ({}, set(), {})
        assert isinstance(header, dict)
        for name, entry in header.items():
            assert isinstance(entry, dict)
            if name == "__metadata__":
                for key, value in entry.items():
                    assert isinstance(value, str)
                    found[2]["", key] = [value]
                continue
            shape, (begin, end) = entry["shape"], entry["data_offsets"]
            assert isinstance(entry["dtype"], str) and isinstance(shape, list) and len(shape) <= 8
            assert all(whole(v) for v in (*shape, begin, end)) and begin <= end <= len(body)
            begin, end, shape = int(begin), int(end), [int(v) for v in shape]
            spans.append((begin, end))
            dtype = SIZES.get(entry["dtype"])
            if dtype is None or entry["dtype"] == "I16":
                found[1].add(name)
                continue
            assert math.prod(shape) * np.dtype(dtype).itemsize == end - begin
            value = np.frombuffer(body[begin:end], dtype).reshape(shape)
            if entry["dtype"] == "BF16":
                value = (np.frombuffer(body[begin:end], "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
            with np.errstate(over="ignore"):
                found[0][name] = value.astype("f4")
        at = 0
        for begin, end in sorted(spans):
            assert begin == at
            at = end
        assert at == len(body)
        return found
    except (AssertionError, ValueError, KeyError, TypeError, struct.error, OverflowError, RecursionError):
        return None


class Safetensors(Readers):
    def test_safetensors(self):
        rng = random.Random(2)
        files = []
        for i in range(FILES):
            header, body = {}, b""
            if rng.random() < 0.5:
                header["__metadata__"] = {rng.choice(("a", "\u00e9", "k\n")) + str(k): rng.choice(("", "v", "\U0001f600 \"\\")) for k in range(rng.randrange(3))}
            for k in range(rng.randrange(5)):
                kind = rng.choice(sorted(SIZES))
                shape = [rng.randrange(4) for _ in range(rng.randrange(4))]
                size = math.prod(shape) * np.dtype(SIZES[kind]).itemsize
                header[rng.choice(("t", "a.b/c:0", "\u00e9")) + str(k)] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), len(body) + size]}
                body += rng.randbytes(size)
            text = json.dumps(header, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1))).encode()
            files.append(struct.pack("<Q", len(text)) + text + body)
        taken, refused = self.compare("safetensors", files, lambda paths: [second_reader(p) for p in paths])
        self.assertLessEqual(taken + refused, FILES // 50, "the two readers take other files")


# ---- torch.save ----


class Torch(Readers):
    def test_torch(self):
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed")
        rng = random.Random(3)
        torch.manual_seed(1)

        def read(path):
            try:
                state = torch.load(path, map_location="cpu", weights_only=True)
                if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
                    state = state["state_dict"]
                found = ({}, set(), {})
                for key, value in state.items():
                    if isinstance(key, str) and isinstance(value, torch.Tensor):
                        if value.is_complex() or value.dtype == torch.bool or value.numel() > 65536 or value.dtype in (torch.int16, torch.int8):
                            found[1].add(key)
                        else:
                            found[0][key] = value.detach().float().numpy()
                return found
            except Exception:
                return None

        files = []
        for i in range(FILES // 3):
            base = torch.randn(40)
            state = {}
            for k in range(rng.randrange(1, 5)):
                shape = [rng.randrange(1, 4) for _ in range(rng.randrange(4))]
                value = rng.choice((torch.randn(shape), torch.randn(shape).half(), torch.randn(shape).double(), torch.randn(shape).bfloat16(),
                                    torch.randint(-9, 9, shape), base[k:k + 5], base.view(5, 8).t()[:2], base[3::4]))
                state[f"features.{k}.weight"] = torch.nn.Parameter(value) if value.is_floating_point() and rng.random() < 0.3 else value
            at = io.BytesIO()
            torch.save({"state_dict": state, "epoch": 3} if rng.random() < 0.3 else state, at,
                       _use_new_zipfile_serialization=rng.random() < 0.7)
            files.append(at.getvalue())
        # Changes inside of an archive's parts: a checksum that fits lets them reach the pickle.
        def repacked(data):
            if data[:2] != b"PK":
                return changed(data, rng)
            out = io.BytesIO()
            with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as to:
                for part in source.namelist():
                    content = source.read(part)
                    to.writestr(part, changed(content, rng) if part.endswith("data.pkl") else content)
            return out.getvalue()

        self.compare_whole("torch", files, lambda paths: map(read, paths))
        paths = self.write([repacked(rng.choice(files)) for _ in range(2 * FILES)])
        values = taken = refused = 0
        for i, (a, b) in enumerate(zip(ours("torch", paths), map(read, paths))):
            taken += a is not None and b is None
            refused += a is None and b is not None
            for name in (a[0].keys() & b[0].keys() if a and b else ()):
                self.assertTrue(same(a[0][name], b[0][name]), f"changed file {i}: {name} has other values")
                values += 1
        print(f"torch: {len(files)} whole files read alike; of {len(paths)} changed ones {values} tensors alike, {taken} files taken here "
              f"alone, {refused} refused here alone", file=sys.stderr)
        self.assertGreater(values, len(paths) // 4)


del Readers  # what is common is no test


if __name__ == "__main__":
    unittest.main()
