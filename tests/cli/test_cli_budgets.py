"""The contract of SECURITY.md: a file of 1 MB or less, whatever it promises, is refused or done within 2 seconds of
processor time and 512 MiB of memory. One bomb of each kind, made here."""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import unittest
import zipfile
import zlib
from pathlib import Path

from cli_support import PROGRAM, TINY, Program

SECONDS, MIB, LARGEST = 2.0, 512, 1 << 20
# Sanitizers take several times of both; the answers are the same.
SANITIZED = b"__asan_init" in Path(PROGRAM).read_bytes() or b"__tsan_init" in Path(PROGRAM).read_bytes()


def zeros(count, wbits=zlib.MAX_WBITS, head=b""):
    """`count` MiB of zeros behind `head`, compressed."""
    packer = zlib.compressobj(9, wbits=wbits)
    return packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(count)) + packer.flush()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, data, first=b"", before=b"", interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n" + first + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def bmp(width, height, bits, kind, data, palette=b""):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, kind, 0, 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(palette)) + head + palette + data


def tiff(width, height, compression, strip, bits=(8, 8, 8), photometric=2):
    rows = {256: [width], 257: [height], 258: bits, 259: [compression], 262: [photometric], 273: [8], 277: [len(bits)]}
    rows.update({278: [height], 279: [len(strip)]})
    body, entries = b"II*\0\0\0\0\0" + strip, b""
    for tag, values in sorted(rows.items()):
        data = b"".join(struct.pack("<I", v) for v in values)
        if len(values) > 1:
            body, data = body + data, struct.pack("<I", len(body))
        entries += struct.pack("<HHI", tag, 4, len(values)) + data
    return body[:4] + struct.pack("<I", len(body)) + body[8:] + struct.pack("<H", len(rows)) + entries + bytes(4)


def archive(parts):
    """parts: name -> bytes, or pieces of them: what this process holds counts for those that it starts, too."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, content in parts.items():
            with packed.open(name, "w") as part:
                for piece in [content] if isinstance(content, bytes) else content:
                    part.write(piece)
    return file.getvalue()


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def hdf5(make):
    """By h5py, or None."""
    try:
        import h5py
    except ImportError:
        return None
    file = io.BytesIO()
    with h5py.File(file, "w", libver="earliest") as opened:
        make(opened)
    return file.getvalue()


def deep_groups(file):
    group = file
    for i in range(700):
        group = group.create_group("g")


def wide_attribute(file):
    file.attrs["layer_names"] = [b"x" * 60] * 1000
    for i in range(600):
        file.create_group(f"layer{i}")


def promising_dataset(file):
    layer = file.create_group("block1_conv1")
    file.attrs["layer_names"] = [b"block1_conv1"]
    layer.attrs["weight_names"] = [b"kernel", b"bias"]
    layer.create_dataset("kernel", (1 << 15, 1 << 15), "f4", chunks=(64, 64), compression="gzip")
    layer.create_dataset("bias", (64,), "f4")


def jpeg(width, height, scans):
    """Progressive, with its last scan again and again."""
    try:
        from PIL import Image
    except ImportError:
        return None
    file = io.BytesIO()
    Image.new("L", (width, height), 90).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * min(scans, (LARGEST - len(whole)) // len(scan)) + b"\xff\xd9"


def picture(kind, width, height, **options):
    try:
        from PIL import Image
    except ImportError:
        return None
    file = io.BytesIO()
    Image.new("P" if kind == "GIF" else "RGB", (width, height)).save(file, kind, **options)
    return file.getvalue()


def images():
    much = zeros(400)
    palette = bytes(range(256)) * 3
    yield "stream.png", png(1, 1, 8, 2, much)
    yield "pixels.png", png(10000, 10000, 16, 6, zeros(765))
    yield "just.png", png(4600, 4600, 16, 6, zeros(162), interlaced=1)
    yield "just8.png", png(6200, 6200, 8, 6, zeros(148), interlaced=1)
    yield "palette.png", png(6200, 6200, 8, 3, zeros(38), before=chunk(b"PLTE", palette))
    yield "bits.png", png(32768, 3000, 1, 0, zeros(12))
    yield "apple.png", png(32000, 3000, 1, 0, zeros(12), first=chunk(b"CgBI", bytes(4)))
    yield "profile.png", png(64, 64, 8, 2, zlib.compress(bytes(64 * 193)), before=chunk(b"iCCP", b"x\0\0" + much))
    yield "chunks.png", png(64, 64, 8, 2, b"", before=chunk(b"tEXt", b"") * 80000)
    exif = chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * 900000)
    yield "exif.png", png(64, 64, 8, 2, zlib.compress(bytes(64 * 193)), before=exif)
    yield "pixels.bmp", bmp(10000, 10000, 24, 0, b"")
    yield "runs.bmp", bmp(10000, 10000, 8, 1, b"\xff\0" * 390000, palette=bytes(1024))
    yield "strip.tif", tiff(10000, 10000, 8, zeros(287))
    yield "longer.tif", tiff(64, 64, 8, much)
    yield "runs.tif", tiff(10000, 10000, 32773, b"\x81\0" * 390000)
    yield "words.tif", tiff(10000, 10000, 5, b"\x80" + bytes(900000))
    yield "fax.tif", tiff(10000, 10000, 4, b"\xff" * 900000, bits=(1,), photometric=0)
    yield "scans.jpg", jpeg(6900, 6900, 1 << 20)
    yield "just.jpg", jpeg(6900, 6900, 38)
    yield "pixels.gif", picture("GIF", 10000, 10000)
    yield "just.gif", picture("GIF", 6000, 6000)
    yield "pixels.webp", picture("WEBP", 10000, 10000, lossless=True)
    yield "lossy.webp", picture("WEBP", 10000, 10000, quality=1)


def models():
    yield "deep.safetensors", safetensors(b'{"a":' + b"[" * 1000000)
    nothing = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    yield "names.safetensors", safetensors({f"a{i}": nothing for i in range(15000)})
    yield "meta.safetensors", safetensors({"__metadata__": {str(i): "" for i in range(80000)}})
    yield "same.safetensors", safetensors(b"{" + b",".join([b'"a":{}'] * 140000) + b"}")
    ranks = {"dtype": "F32", "shape": [1] * 300000, "data_offsets": [0, 4]}
    yield "rank.safetensors", safetensors({"x": ranks}, b"0000")
    yield "promise.safetensors", struct.pack("<Q", 99999999) + b"{}"
    yield "pickle.pth", archive({"a/data.pkl": [bytes(1 << 20)] * 400, "a/version": b"3"})
    yield "marks.pth", archive({"a/data.pkl": b"\x80\x02" + b"(" * 3000000 + b".", "a/version": b"3"})
    yield "lists.pth", archive({"a/data.pkl": b"\x80\x02" + b"]" * 3000000 + b".", "a/version": b"3"})
    yield "pairs.pth", archive({"a/data.pkl": b"\x80\x02)" + b"2\x86" * 1500000 + b".", "a/version": b"3"})
    memo = b"".join(b"r" + struct.pack("<I", i) for i in range(0, 3000000, 16))
    yield "memo.pth", archive({"a/data.pkl": b"\x80\x02}" + memo + b".", "a/version": b"3"})
    yield "text.pth", archive({"a/data.pkl": b"\x80\x02X\xff\xff\xff\x7f", "a/version": b"3"})
    yield "parts.pth", archive({str(i): b"" for i in range(9000)})
    head = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
    yield "old.pth", head + b"\x80\x02}" + b"]q\0h\0" * 200000 + b"."
    yield "config.keras", archive({"metadata.json": b"{}", "config.json": b"[" * 30000000, "model.weights.h5": b""})
    much = [bytes(1 << 20)] * 400
    yield "weights.keras", archive({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": much})
    yield "groups.h5", hdf5(deep_groups)
    yield "wide.h5", hdf5(wide_attribute)
    yield "promise.h5", hdf5(promising_dataset)


def data_sets():
    head = struct.pack(">IIII", 0x803, 1, 30000, 30000)
    yield "idx:honest.gz", gzip.compress(struct.pack(">IIII", 0x803, 4, 3000, 3000) + bytes(36000000))
    yield "idx:packed.gz", zeros(859, wbits=31, head=head)
    yield "idx:short.gz", zeros(500, wbits=31, head=head)
    yield "idx:promise.idx", struct.pack(">IIII", 0x803, 60000, 1000, 1000) + bytes(900)
    x = {"dtype": "U8", "shape": [1, 32, 32, 3], "data_offsets": [8, 3080]}
    y = {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}
    names = json.dumps([""] * 65536)
    yield "names.safetensors", safetensors({"x": x, "y": y, "__metadata__": {"classes": names}}, bytes(3080))
    names = json.dumps([""] * 170000)
    yield "more.safetensors", safetensors({"x": x, "y": y, "__metadata__": {"classes": names}}, bytes(3080))
    record = "[" * 800000
    f = {"dtype": "F32", "shape": [4, 64], "data_offsets": [0, 1024]}
    meta = {"vgg16": record, "features": record[:9]}
    yield "record.safetensors", safetensors({"x": f, "__metadata__": meta}, bytes(1024))
    yield "paths.txt", b"a.png\n" * 160000
    yield "path.txt", b"a" * 1000000
    yield "lines.txt", b"\n" * 1000000


def make(made):
    """Writes what the function makes into the current folder, and prints the names."""
    for source, content in globals()[made]():
        if content is not None:
            Path(source.split(":")[-1]).write_bytes(content)
        print(source if content is not None else "-")


class Budgets(Program):
    def make(self, made):
        """In a process of its own: the memory that this one has held would count for those that it starts."""
        done = subprocess.run([sys.executable, "-B", __file__, made], cwd=self.folder, env=os.environ,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        names = done.stdout.split()
        if "-" in names:
            print(f"{names.count('-')} of {made} not made, since h5py or Pillow is not installed")
        return [name for name in names if name != "-"]

    def spend(self, name, *args):
        run = subprocess.Popen([PROGRAM, *args, "--quiet"], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        err = run.stderr.read()
        run.stderr.close()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        self.assertIn(run.returncode, (0, 1), f"{name}: {err}")
        self.assertEqual(len(err.splitlines()), run.returncode, f"{name}: {err}")
        self.tried += 1
        if SANITIZED:
            return
        seconds, mib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        self.worst = max(self.worst, (seconds, name)), max(self.most, (mib, name))
        self.worst, self.most = self.worst
        self.assertLess(seconds, SECONDS, f"{name}: {err}")
        self.assertLess(mib, MIB, f"{name}: {err}")

    def each(self, made, *commands):
        self.tried, self.worst, self.most = 0, (0, ""), (0, "")
        for source in self.make(made):
            name = source.split(":")[-1]
            self.assertLessEqual(os.path.getsize(self.path(name)), LARGEST, name)
            for command in commands:
                with self.subTest(file=name, command=command[0]):
                    self.spend(f"{command[0]} {name}", *(source if word == "FILE" else word for word in command))
            os.remove(self.path(name))
        (seconds, slow), (mib, large) = self.worst, self.most
        print(f"{self.tried} runs; {seconds:.2f} s at most ({slow}), {mib:.0f} MiB ({large})")

    def test_images(self):
        self.each("images", ["extract", "FILE", *TINY, "--threads", "1", "-o", "f.npy"])

    def test_models(self):
        self.each("models", ["summary", "FILE"], ["convert", "FILE", "o.safetensors"])

    def test_data_sets(self):
        self.each("data_sets", ["extract", "FILE", *TINY, "--threads", "1", "-o", "f.npy"])

    def test_checkpoints(self):
        """Whatever a file is that stands where a checkpoint should."""
        Path(self.path("i")).write_bytes(struct.pack(">IIII", 0x803, 4, 8, 8) + bytes(range(256)))
        Path(self.path("l")).write_bytes(struct.pack(">II", 0x801, 4) + bytes([0, 1, 0, 1]))
        os.makedirs(self.path("ck"))
        lines = safetensors({"__metadata__": {"settings": "a b\n" * 80000, "state": "", "history": "1\n" * 200000}})
        state = "epoch=1048576 epoch_step=0 step=1 pass=1 number=0 loss=0x0p+0 correct=0x0p+0 images=0"
        same = safetensors({"__metadata__": {"settings": "", "state": state, "history": ""}})
        command = ["train", "idx:i,l", *TINY, "--head", "gap,dense:2:softmax", "--epochs", "1", "--checkpoint", "ck",
                   "--resume", "-o", "m.safetensors"]
        for content in (lines, same, safetensors(b"{" * 900000)):
            Path(self.path("ck/checkpoint-000009-00000001.safetensors")).write_bytes(content)
            run = subprocess.Popen([PROGRAM, *command], cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
            err = run.stderr.read()
            run.stderr.close()
            _, status, used = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
            self.assertIn(run.returncode, (0, 1, 2), err)
            if not SANITIZED:
                self.assertLess(used.ru_utime + used.ru_stime, SECONDS, err)
                self.assertLess(used.ru_maxrss / 1024, MIB, err)
            for name in os.listdir(self.path("ck")):
                os.remove(self.path(f"ck/{name}"))


if __name__ == "__main__":
    make(sys.argv[1]) if len(sys.argv) == 2 and sys.argv[1] in globals() else unittest.main()
