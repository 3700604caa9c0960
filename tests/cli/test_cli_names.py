"""Names that file systems allow, lists as Windows writes them, and bad images that are found before the work."""

import csv
import json
import os
import shutil
import struct
import unittest
from pathlib import Path

from cli_support import GAP, TINY, Program, write_folder, write_png


def metadata(path):
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size].decode())["__metadata__"]


class Names(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=3)
        os.rename(self.path("data/cat/1.png"), self.path("data/cat/new\nline\t.png"))
        os.rename(os.fsencode(self.path("data/dog")), os.fsencode(self.path("data/")) + b"caf\xe9")

    def test_outputs_stay_valid(self):
        for name in ("f.npy", "f.csv", "f.safetensors", "f.h5"):
            self.succeed("extract", "data", *TINY, "--output", name)
        paths = Path(self.path("f.paths.txt")).read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(paths), 6)
        self.assertIn("data/cat/new\\nline\\t.png", paths)
        self.assertIn("data/caf\\xE9/0.png", paths)
        with open(self.path("f.csv"), encoding="utf-8", newline="") as f:
            rows = list(csv.reader(f))
        self.assertEqual((len(rows), rows[1][0]), (7, "data/caf\\xE9/0.png"))
        self.assertEqual(json.loads(metadata(self.path("f.safetensors"))["classes"]), ["caf\\xE9", "cat"])

    def test_models_and_predictions(self):
        self.train("data")
        self.assertEqual(json.loads(metadata(self.path("m.safetensors"))["classes"]), ["caf\\xE9", "cat"])
        self.succeed("evaluate", "data", "--model", "m.safetensors", "--output", "e.csv")
        with open(self.path("e.csv"), encoding="utf-8", newline="") as f:
            rows = list(csv.reader(f))
        self.assertEqual(sorted({row[1] for row in rows[1:]}), ["caf\\xE9", "cat"])
        found = json.loads(self.succeed("predict", "data", "--model", "m.safetensors", "--json"))
        self.assertIn("new\\\\nline", json.dumps(found))

    def test_messages_stay_one_line(self):
        Path(self.path("bad\nname.png")).write_text("no image")
        self.fail_with(1, r"bad\?name.png: is not a JPEG, PNG", "extract", "bad\nname.png", *TINY, "--output", "f.csv")

    def test_lists_of_windows(self):
        write_png(self.path("a.png"), 9, 8, lambda x, y: (x, y, 77))
        shutil.copy(self.path("a.png"), self.path("b.png"))
        Path(self.path("list.txt")).write_bytes(b"\xef\xbb\xbfa.png\r\n\r\nb.png\r\n")
        self.succeed("extract", "list.txt", *TINY, "--output", "f.npy")
        self.assertEqual(Path(self.path("f.paths.txt")).read_text(), "a.png\nb.png\n")


class BadImages(Program):
    def test_they_are_found_before_the_first_step(self):
        write_folder(self.path("train"))
        write_folder(self.path("val"), seed=2)
        train = ["train", "train", "--validation", "val", *TINY, *GAP, "--augment", "flip", "--epochs", "2", "--batch", "4"]
        train += ["--output", "m.safetensors", "--log", "h.csv"]
        wide = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 50000, 2) + b"\x08\x02\0\0\0" + b"\0" * 4
        thumb = b"\xff\xd8\xff\xe1\xff\xf0" + b"\0" * 0xFFEE + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 2, 40000)
        for place in ("train/dog/5.png", "val/dog/5.png"):
            whole = Path(self.path(place)).read_bytes()
            for content, words in (
                (b"", "is empty, not an image"),
                (b"<html>not found</html>", "is not a JPEG"),
                (wide, "is too large"),
                (thumb + b"\3\1\x22\0" * 4, "is too large"),
                (b"\xff\xd8\xff\xe0\0\4ab", "is damaged: its header is missing"),
                (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC image"),
            ):
                Path(self.path(place)).write_bytes(content)
                self.fail_with(1, f"{place}: {words}", *train)
                self.assertFalse(os.path.exists(self.path("h.csv")), "a step was made")
            Path(self.path(place)).write_bytes(b"")
            self.succeed(*train, "--skip-bad")
            os.remove(self.path("h.csv"))
            Path(self.path(place)).write_bytes(whole)
        self.succeed(*train)


if __name__ == "__main__":
    unittest.main()
