"""Features in parts by jobs that know nothing of each other, joined to the files of one extraction, byte for byte."""

import json
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest
from pathlib import Path

from cli_support import PROGRAM, TINY, Program, write_folder, write_safetensors

FILES = {  # what an extraction to one.EXTENSION leaves
    "npy": ["one.npy", "one.npy.json", "one.paths.txt", "one.labels.npy"],
    "csv": ["one.csv", "one.csv.json"],
    "h5": ["one.h5"],
    "safetensors": ["one.safetensors"],
}
EXTRACT = [*TINY, "--seed", "5"]


def read_part(path):
    """Its header and the data behind."""
    raw = Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


def write_part(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


class Parts(Program):
    def setUp(self):
        super().setUp()
        self.data = write_folder(self.path("data"), ("cat", "dog", "eel"), 5)

    def extract_parts(self, data, count, *more, numbers=None):
        """The parts' names, in an order that is no order."""
        names = []
        for i in numbers or range(1, count + 1):
            name = f"p{i}.safetensors"
            self.succeed("extract", data, *EXTRACT, *more, "--part", f"{i}/{count}", "-o", name)
            names.append(name)
        return names[1::2] + names[::2]

    def check(self, data, count, *more, kinds=FILES):
        """Parts come to what an extraction at once writes, of each kind."""
        parts = self.extract_parts(data, count, *more)
        for kind in kinds:
            with self.subTest(kind=kind, count=count):
                self.succeed("extract", data, *EXTRACT, *more, "--batch", "4", "-o", f"one.{kind}")
                wanted = {n: Path(self.path(n)).read_bytes() for n in FILES[kind] if os.path.exists(self.path(n))}
                for name in wanted:
                    os.remove(self.path(name))
                self.succeed("merge", f"one.{kind}", *parts)
                left = {n: Path(self.path(n)).read_bytes() for n in FILES[kind] if os.path.exists(self.path(n))}
                self.assertEqual(left.keys(), wanted.keys())
                for name in wanted:
                    self.assertTrue(left[name] == wanted[name], name)
        return parts

    def test_every_kind(self):
        self.check(self.data, 4)
        self.check(self.data, 1, "--pooling", "avg", kinds=["h5", "csv"])
        rows = [self.json("extract", self.data, *EXTRACT, "--part", f"{i}/4", "-o", "p.safetensors")["images"] for i in range(1, 5)]
        self.assertEqual(rows, [3, 4, 4, 4])

    def test_without_labels_and_more_parts_than_images(self):
        paths = [f"data/{c}/{i}.png" for c in ("dog", "cat") for i in (4, 1, 3)]
        Path(self.path("list.txt")).write_text("\n".join(paths) + "\n")
        self.check("list.txt", 9, "--pooling", "max")

    def test_arrays(self):
        pixels = bytes((i * 37 + i // 9) % 256 for i in range(7 * 40 * 33 * 3))
        labels = struct.pack("<7q", 0, 1, 1, 0, 2, 0, 2)
        write_safetensors(self.path("a.safetensors"), {"x": ("U8", [7, 40, 33, 3], pixels), "y": ("I64", [7], labels)},
                          {"classes": '["r\\u00e9","b,c","d\\"e"]'})
        self.check("a.safetensors", 3, kinds=["npy", "csv", "safetensors"])
        self.check("a.safetensors?classes=0,2", 2, kinds=["h5", "safetensors"])
        parts = self.extract_parts("a.safetensors", 2)
        changed = bytearray(Path(self.path("a.safetensors")).read_bytes())
        changed[-len(labels) - 7 * 40] ^= 1  # a pixel
        Path(self.path("a.safetensors")).write_bytes(changed)
        self.extract_parts("a.safetensors", 2, numbers=[2])
        self.fail_with(1, "checksum of the data .*, but ", "merge", "x.npy", *parts)

    def test_bad_images(self):
        """In a part that has others, and all of one part."""
        for name in ("cat/1.png", "dog/1.png", "dog/2.png", "dog/3.png"):
            os.truncate(self.path(f"data/{name}"), 90)
        parts = self.check(self.data, 5, "--skip-bad")
        rows = [read_part(self.path(f"p{i}.safetensors"))[0]["x"]["shape"][0] for i in range(1, 6)]
        self.assertEqual(rows, [2, 3, 0, 3, 3])
        self.fail_with(1, "dog/1.png", "extract", self.data, *EXTRACT, "--part", "3/5", "-o", "q.safetensors")
        self.assertEqual(len(parts), 5)
        for name in Path(self.data).rglob("*.png"):
            os.truncate(name, 90)
        parts = self.extract_parts(self.data, 2, "--skip-bad")
        self.fail_with(1, "no image could be read: all 15 were skipped", "merge", "x.npy", *parts)

    def test_int8_finds_its_scales_in_all_of_the_data(self):
        self.check(self.data, 3, "--precision", "int8", "--backend", "cpu", "--layer", "block2_pool", kinds=["safetensors"])

    def test_refused(self):
        def one(name, *args, **env):
            self.succeed("extract", *args, "--part", "2/3", "-o", name, env=env)

        names = self.extract_parts(self.data, 3)
        merge = ["merge", "x.npy", "p1.safetensors", "p3.safetensors", "q.safetensors"]
        base = [self.data, *EXTRACT, "--backend", "cpu"]
        self.fail_with(1, "part 2/3: not among the files; all parts are needed", *merge[:4])
        self.fail_with(1, "part 1/3 and 1 other: not among", "merge", "x.npy", "p3.safetensors")
        shutil.copy(self.path("p1.safetensors"), self.path("q.safetensors"))
        self.fail_with(1, "q.safetensors: is part 1/3, and so is p1.safetensors; give each part once", *merge)
        self.succeed("extract", *base, "--part", "2/4", "-o", "q.safetensors")
        self.fail_with(1, "q.safetensors: is one of 4 parts, but p1.safetensors is one of 3", *merge)
        for why, args in (
            ("digest of the weights [0-9a-f]{64}, but [0-9a-f]{64} in p1", [*base, "--seed", "6"]),
            ("layer block1_conv1, but block1_pool in", [*base, "--layer", "block1_conv1"]),
            ("pooling max, but none in", [*base, "--pooling", "max"]),
            ("height 40, but 32 in", [*base, "--size", "40x32"]),
            ("preprocess torch, but", [*base, "--preprocess", "torch"]),
            ("resize lanczos, but", [*base, "--resize", "lanczos"]),
            ("precision int8, but", [*base, "--precision", "int8"]),
            ("device .*convolutions direct, but .*convolutions auto in", [*base, "--conv", "direct"]),
        ):
            with self.subTest(why):
                one("q.safetensors", *args)
                self.fail_with(1, f"q.safetensors: {why}", *merge)
        if "avx2" in self.json("devices")["devices"][0]["driver"]:
            one("q.safetensors", *base, "--isa", "scalar")
            self.fail_with(1, "q.safetensors: device cpu scalar, convolutions auto, but cpu scalar avx2", *merge)
        # Other data: one more image, another one of the same name, other classes.
        write_folder(self.path("other"), ("cat", "dog", "fox"), 5)
        one("q.safetensors", "other", *EXTRACT)
        self.fail_with(1, "q.safetensors: classes .*fox.*, but .*eel", *merge)
        with open(self.path("data/eel/0.png"), "ab") as f:
            f.write(b"!")
        one("q.safetensors", *base)
        self.fail_with(1, "q.safetensors: checksum of the data", *merge)
        shutil.copy(self.path("data/eel/0.png"), self.path("data/eel/9.png"))
        one("q.safetensors", *base)
        self.fail_with(1, "q.safetensors: number of images 16, but 15 in", *merge)
        # Another version.
        header, data = read_part(self.path("p2.safetensors"))
        header["__metadata__"]["version"] = "0.9.9"
        write_part(self.path("q.safetensors"), header, data)
        self.fail_with(1, r"version 0\.9\.9, but \d+\.\d+\.\d+ in p1", *merge)
        # No parts, or no more.
        self.succeed("extract", *base, "-o", "q.safetensors")
        self.fail_with(1, "q.safetensors: is no part of features", *merge)
        self.fail_with(2, "p2.safetensors: is part 2/3 of features; join all parts", "train", "p2.safetensors", "-o", "m.safetensors")
        os.symlink("p2.safetensors", self.path("link.safetensors"))
        for output in ("p2.safetensors", "link.safetensors"):
            self.fail_with(1, f"{output}: is one of the parts", "merge", output, *names)

    def test_damaged(self):
        """What a part says must be so."""
        self.extract_parts(self.data, 3)
        merge = ["merge", "x.npy", "p1.safetensors", "q.safetensors", "p3.safetensors"]
        header, data = read_part(self.path("p2.safetensors"))
        places = {k: v["data_offsets"] for k, v in header.items() if k != "__metadata__"}
        self.assertEqual([i for i in struct.unpack("<5q", data[slice(*places["index"])])], [5, 6, 7, 8, 9])

        def spoil(why, change):
            spoilt, bytes_ = json.loads(json.dumps(header)), bytearray(data)
            change(spoilt, bytes_)
            write_part(self.path("q.safetensors"), spoilt, bytes(bytes_))
            with self.subTest(why):
                self.fail_with(1, f"q.safetensors: {why}", *merge)

        def put_index(i, value):
            def change(_, bytes_):
                struct.pack_into("<q", bytes_, places["index"][0] + 8 * i, value)
            return change

        for i, value in ((0, 4), (4, 10), (1, 5), (2, 9), (0, -1)):
            spoil("tensor index is not as", put_index(i, value))
        for text in ("0/3", "4/3", "2/3 ", "+2/3", "2", "2/2000000", "x"):
            spoil("the record of the part is not as", lambda h, _, t=text: h["__metadata__"].update(part=t))
        for text in ("0", "-1", "015", "5000000000"):
            spoil("the record of the part is not as", lambda h, _, t=text: h["__metadata__"].update(items=t))
        spoil("metadata layer is missing", lambda h, _: h["__metadata__"].pop("layer"))
        spoil("tensor paths is not as", lambda _, b: b.__setitem__(places["paths"][1] - 1, 65))
        spoil("tensor paths is not as", lambda _, b: b.__setitem__(places["paths"][0], 10))
        spoil("tensor paths is not as", lambda _, b: b.__setitem__(places["paths"][0], 0))
        spoil("tensor x is not as", lambda h, _: h["x"].update(dtype="I32"))
        spoil("tensor y is not as", lambda h, _: h["__metadata__"].pop("classes"))
        spoil("features of 8 x 32 x 64, but of 16 x 16 x 64 in p1", lambda h, _: h["x"].update(shape=[5, 8, 32, 64]))
        spoil("the file has been|tensor paths lies|truncated", lambda _, b: b.__delitem__(slice(-30, None)))
        Path(self.path("q.safetensors")).write_bytes(Path(self.path("p2.safetensors")).read_bytes())
        labels = bytearray(data)
        struct.pack_into("<q", labels, places["y"][0], 3)
        write_part(self.path("q.safetensors"), header, bytes(labels))
        self.fail_with(1, "label 3 of item 5 is out of range", *merge)

    def test_interrupted(self):
        """The file that was there stays, and nothing is beside it."""
        parts = self.extract_parts(self.data, 2, "--size", "224")
        Path(self.path("x.csv")).write_text("good")
        before = self.files()
        with subprocess.Popen([PROGRAM, "merge", "x.csv", *parts], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as run:
            while run.poll() is None and self.files() == before:
                time.sleep(0.01)  # until the output is begun: 12 million numbers are still to be written
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=60)
        self.assertEqual([run.returncode, out], [130, ""], err)
        self.assertEqual(err.splitlines()[1:], ["vgg16: interrupted"], err)  # after the line that it stops
        self.assertEqual(self.files(), before)
        self.assertEqual(Path(self.path("x.csv")).read_text(), "good")

    def test_resume(self):
        args = ["extract", self.data, *EXTRACT, "--part", "2/3", "--resume", "-o", "p.safetensors"]
        self.assertEqual(self.json(*args)["found"], False)
        before = os.stat(self.path("p.safetensors"))
        again = self.json(*args)
        self.assertEqual((again["found"], again["images"], again["part"]), (True, 5, "2/3"))
        self.assertIn("p.safetensors: part 2/3 was there, 5 x 16 x 16 x 64, block1_pool", self.succeed(*args))
        after = os.stat(self.path("p.safetensors"))
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        self.fail_with(1, "p.safetensors: is there with another part, 2/3; --resume leaves alone", *args, "--part", "3/3")
        self.fail_with(1, "p.safetensors: is there with another resize, nearest", *args, "--resize", "bilinear")
        self.succeed(*[a for a in args if a != "--resume"], "--part", "3/3")
        self.assertEqual(self.json(*args, "--part", "3/3")["found"], True)
        shutil.copy(self.path("data/cat/0.png"), self.path("p.safetensors"))
        self.fail_with(1, "p.safetensors: not a safetensors file", *args)


if __name__ == "__main__":
    unittest.main()
