"""What a run leaves to look at: pages, event files, histories, curves on a terminal."""

import base64
import fcntl
import glob
import html.parser
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import unittest
import zlib

from cli_support import GAP, PROGRAM, TINY, Program, write_features, write_folder

READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "read_events.py")


class Page(html.parser.HTMLParser):
    """What a page holds: charts by title with their marks, tables, texts, and everything that it would load."""

    ALONE = {"meta", "link", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.charts, self.links, self.images, self.rows, self.texts = {}, [], [], [], []
        self.open, self.chart, self.dot = [], None, None
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        kinds = (values.get("class") or "").split()
        self.links += [values[k] for k in ("src", "href", "action", "data", "xlink:href") if values.get(k)]
        if tag not in self.ALONE:
            self.open.append(tag)
        if tag == "svg" and "chart" in kinds:
            self.chart = self.charts.setdefault(
                values["aria-label"], {"dots": [], "lines": [], "bars": 0, "cells": [], "places": []}
            )
        if tag == "img":
            self.images.append(values)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
        if self.chart is None:
            return
        if tag == "path" and "l" in kinds:
            self.chart["lines"].append(values["d"])
        if tag == "circle" and "d" in kinds:
            self.chart["places"].append((float(values["cx"]), float(values["cy"])))
            self.dot = "dots"
        if tag == "rect" and "b" in kinds:
            self.chart["bars"] += 1
        if tag == "rect" and "h" in kinds:
            self.dot = "cells"

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.ALONE:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open}"
        self.open.pop()
        if tag == "svg":
            self.chart = None
        if tag in ("circle", "rect"):
            self.dot = None

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] == "title" and self.chart is not None and self.dot:
            self.chart[self.dot].append(data)
        if "td" in self.open:
            self.rows[-1][-1] += data

    def text(self):
        return " ".join(self.texts)


def smooth(values, factor=0.8):
    out = []
    for v in values:
        out.append(out[-1] * factor + v * (1 - factor) if out else v)
    return out


class Reports(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=6)
        write_folder(self.path("held"), count=3, seed=2)

    def page(self, name="r.html"):
        with open(self.path(name), encoding="utf-8") as f:
            page = Page(f.read())
        self.assertEqual([link for link in page.links if not link.startswith("data:")], [])
        return page

    def run_training(self, *more, epochs=4):
        return json.loads(
            self.train("data", "m.safetensors", "--epochs", str(epochs), *(["--lr", "0.02"] if epochs else []), "--json",
                       "--report", "r.html", *more)
        )["epochs"]


class Training(Reports):
    def check_curve(self, chart, epochs, values, percent):
        """Dots tell the values, stand where they should, and so does the line's number of points."""
        scale = 100 if percent else 1
        told = [re.fullmatch(r"training, (\d+): ([\d.e-]+)( %)?", t).groups() for t in chart["dots"]]
        self.assertEqual([int(t[0]) for t in told], list(range(1, len(epochs) + 1)))
        for t, value in zip(told, values):
            self.assertAlmostEqual(float(t[1]), value * scale, delta=1e-3 * abs(value * scale) + 1e-9)
        (x0, y0), (x1, y1) = chart["places"][0], chart["places"][-1]
        for k, (x, y) in enumerate(chart["places"]):
            self.assertAlmostEqual(x, x0 + (x1 - x0) * k / (len(values) - 1), delta=0.11)
            if abs(values[-1] - values[0]) > 1e-3:
                part = (values[k] - values[0]) / (values[-1] - values[0])
                self.assertAlmostEqual(y, y0 + (y1 - y0) * part, delta=0.15 * (1 + abs(part)))
        self.assertEqual(len(re.findall("[ML]", chart["lines"][0])), len(epochs))
        self.assertTrue(chart["lines"][0].startswith(f"M{x0:.1f} "))

    def test_page(self):
        epochs = self.run_training("--validation", "held", "--schedule", "cosine")
        page = self.page()
        for title, name, percent in (("Accuracy", "accuracy", True), ("Loss", "loss", False)):
            values = [e[name] for e in epochs]
            self.check_curve(page.charts[title], epochs, values, percent)
            self.check_curve(page.charts[title + ", smoothed by 0.8"], epochs, smooth(values), percent)
        self.assertEqual(len(page.charts["Learning rate"]["lines"]), 1)
        self.assertGreaterEqual(page.charts["Time"]["bars"], 2)

        measured = self.json("evaluate", "held", "--model", "m.safetensors")
        matrix = measured["confusion"]
        self.assertEqual(
            sorted(page.charts["Confusion matrix"]["cells"]),
            sorted(f"{a}, {b}: {matrix[i][j]}" for i, a in enumerate(("cat", "dog")) for j, b in
                   enumerate(("cat", "dog"))),
        )
        for one in measured["classes"]:
            figures = ["–" if v is None else f"{v:.3f}" for v in (one["precision"], one["recall"], one["f1"], one["auc"])]
            self.assertIn([one["name"], *figures, str(one["images"])], page.rows)
        text = page.text()
        self.assertIn(f"accuracy {100 * measured['accuracy']:.1f} %, loss {measured['loss']:.4f}", text)
        for setting in ("RMSprop", "rho 0.9", "down to 0 along a cosine", "gap,dense:1:sigmoid", "held", "random"):
            self.assertIn(setting, text)
        self.assertIn("--report r.html", text)
        self.assertIn(["block1_conv1", "32 × 32 × 64", "1,792", ""], page.rows)
        self.assertIn(["dense_1", "1 × 1 × 1", "65", "yes"], page.rows)
        self.check_images(page)

    def check_images(self, page):
        worst = [i for i in page.images]
        self.assertGreaterEqual(len(worst), 3)  # of six images three are the worst, and what is right is among the best
        for image in page.images:
            self.assertRegex(image["alt"], r"^held/(cat|dog)/\d\.png$")
            picture = base64.b64decode(image["src"].split(",", 1)[1], validate=True)
            self.assertEqual(picture[:3], b"\xff\xd8\xff", "a JPEG file")
            self.assertLess(len(picture), 40000)

    def test_without_validation(self):
        self.run_training(epochs=2)
        page = self.page()
        self.assertEqual(page.charts["Loss"]["lines"], [])
        self.assertEqual(len(page.charts["Loss"]["dots"]), 2)
        self.assertNotIn("Confusion matrix", page.charts)
        self.assertIn("Not measured: there was no validation data.", page.text())
        self.assertEqual(page.images, [])

    def test_features_have_no_pictures(self):
        write_features(self.path("f.safetensors"), (16, 16, 64), [0, 1, 2] * 4)
        self.succeed("train", "f.safetensors", *TINY, "--head", "gap,dense:3:softmax", "-o", "m.safetensors",
                     "--validation-split", "0.5", "--epochs", "2", "--report", "r.html")
        page = self.page()
        self.assertEqual(len(page.charts["Confusion matrix"]["cells"]), 9)
        self.assertEqual(page.images, [])
        self.assertIn("None are shown: the data holds features of images, not the images.", page.text())
        self.assertIn("0.5 of each class held out", page.text())

    def test_names_are_escaped(self):
        names = ("<b>&\"'", "café")
        write_folder(self.path("odd"), names, count=4)
        self.succeed("train", "odd", *TINY, *GAP, "-o", "m.safetensors", "--validation-split", "0.5", "--epochs", "1",
                     "--report", "r.html")
        page = self.page()
        self.assertIn(names[0], [row[0] for row in page.rows if row])
        self.assertIn(names[1], [row[0] for row in page.rows if row])

    def test_resumed_run_shows_all_epochs(self):
        self.run_training("--checkpoint", "ck", epochs=2)
        self.run_training("--checkpoint", "ck", "--resume", epochs=5)
        page = self.page()
        self.assertEqual(len(page.charts["Loss"]["dots"]), 5)
        self.assertIn("gone on from the newest", page.text())

    def test_epochs_0(self):
        self.run_training("--validation", "held", "--batch", "5", epochs=0)
        page = self.page()
        self.assertNotIn("Loss", page.charts)
        self.assertEqual(len(page.charts["Confusion matrix"]["cells"]), 4)

    def test_interrupted(self):
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1000000", "--json", "--validation",
                "held", "--report", "r.html"]
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as run:
            run.stderr.readline()  # the first epoch is done
            run.send_signal(signal.SIGINT)
            _, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 130, err)
        page = self.page()
        self.assertGreaterEqual(len(page.charts["Loss"]["dots"]), 1)
        self.assertIn("interrupted before its end", page.text())
        self.assertIn("Not measured: the training was interrupted.", page.text())

    def test_cannot_be_written(self):
        train = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1"]
        self.fail_with(1, "nowhere/r.html: cannot be written: there is no folder nowhere", *train, "--report",
                       "nowhere/r.html")
        open(self.path("file"), "w").close()
        self.fail_with(1, "file/train: folder cannot be created", *train, "--tensorboard", "file")


class Evaluation(Reports):
    def test_page(self):
        self.train("data")
        plain = self.succeed("evaluate", "held", "-m", "m.safetensors")
        self.assertEqual(self.succeed("evaluate", "held", "-m", "m.safetensors", "--report", "r.html"), plain)
        page = self.page()
        self.assertIn("Evaluation of vgg11 on held", page.text())
        self.assertEqual(len(page.charts["Confusion matrix"]["cells"]), 4)
        self.assertNotIn("Loss", page.charts)


class Browser(Reports):
    """The page in headless Chromium."""

    def chromium(self, *args):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            self.skipTest("chromium is not installed")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            return subprocess.run(
                [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                 "--disable-background-networking", "--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}",
                 *args, "file://" + self.path("r.html")],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=90, check=True)

    def test_loads_without_a_word(self):
        self.run_training("--validation", "held", epochs=3)
        done = self.chromium("--dump-dom")
        self.assertNotIn("CONSOLE", done.stderr)
        page = Page(done.stdout)
        self.assertEqual(len(page.charts["Accuracy"]["dots"]), 3)
        self.assertEqual(len(page.charts["Accuracy"]["lines"]), 1)
        self.assertEqual(len(page.charts["Confusion matrix"]["cells"]), 4)
        self.assertEqual([link for link in page.links if not link.startswith("data:")], [])

    def first_pixel(self, *args):
        self.chromium(f"--screenshot={self.path('shot.png')}", "--window-size=390,400", *args)
        with open(self.path("shot.png"), "rb") as f:
            data = f.read()
        packed, at = b"", 8
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at : at + 8])
            packed += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
            at += 12 + size
        return tuple(zlib.decompress(packed)[1:4])  # no filter changes the first pixel of the first row

    def test_light_and_dark(self):
        self.run_training(epochs=1)
        self.assertGreater(min(self.first_pixel("--blink-settings=preferredColorScheme=1")), 230)
        self.assertLess(max(self.first_pixel("--blink-settings=preferredColorScheme=0")), 40)


class EventFiles(Reports):
    def read(self, folder):
        """The scalars of all files of a folder, by tag: [(step, value), ...]."""
        for python in (sys.executable, "/usr/bin/python3"):
            if os.path.exists(python) and not subprocess.run(
                [python, "-c", "import google.protobuf"], stderr=subprocess.DEVNULL, check=False
            ).returncode:
                break
        else:
            self.skipTest("python3-protobuf is not installed")
        files = sorted(glob.glob(self.path(folder) + "/events.out.tfevents.*"))
        self.reader = subprocess.run(
            [python, READER, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
        )
        if self.reader.returncode:
            return None
        by_tag = {}
        for file in json.loads(self.reader.stdout):
            for tag, step, value in file:
                by_tag.setdefault(tag, []).append((step, value))
        return by_tag

    def check(self, found, tag, values):
        self.assertEqual([step for step, _ in found[tag]], list(range(len(values))))
        for (_, got), wanted in zip(found[tag], values):
            self.assertAlmostEqual(got, wanted, delta=1e-6 * abs(wanted))

    def test_scalars(self):
        epochs = self.run_training("--validation", "held", "--tensorboard", "tb/deep", "--batch", "4")
        train, held = self.read("tb/deep/train"), self.read("tb/deep/validation")
        self.assertEqual(self.reader.stderr, "")
        self.assertEqual(sorted(train), ["batch_loss", "epoch_accuracy", "epoch_learning_rate", "epoch_loss"])
        self.assertEqual(sorted(held), ["epoch_accuracy", "epoch_loss"])
        for found, tag, name in ((train, "epoch_loss", "loss"), (train, "epoch_accuracy", "accuracy"),
                                 (train, "epoch_learning_rate", "learning_rate"), (held, "epoch_loss", "val_loss"),
                                 (held, "epoch_accuracy", "val_accuracy")):
            self.check(found, tag, [e[name] for e in epochs])
        steps = [value for _, value in train["batch_loss"]]
        self.assertEqual(len(steps), 3 * len(epochs))
        for k, epoch in enumerate(epochs):
            self.assertAlmostEqual(sum(steps[3 * k : 3 * k + 3]) / 3, epoch["loss"], places=5)

    def test_resumed(self):
        options = ["--checkpoint", "ck", "--tensorboard", "tb"]
        first = self.run_training(*options, epochs=2)
        rest = self.run_training(*options, "--resume", epochs=5)
        self.assertEqual([e["epoch"] for e in rest], [3, 4, 5])
        self.check(self.read("tb/train"), "epoch_loss", [e["loss"] for e in first + rest])
        self.check(self.read("tb/train"), "batch_loss", [e["loss"] for e in first + rest])
        self.assertFalse(os.path.exists(self.path("tb/validation")))

    def test_reader_notices_damage(self):
        self.run_training("--tensorboard", "tb", epochs=1)
        (path,) = glob.glob(self.path("tb/train/*"))
        with open(path, "rb") as f:
            whole = f.read()
        for at in (0, 9, 20, len(whole) - 1):
            with open(path, "wb") as f:
                f.write(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            self.assertIsNone(self.read("tb/train"), f"byte {at}")


class Histories(Reports):
    FIELDS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images", "seconds",
              "seconds_load", "seconds_train", "seconds_validate"]

    def lines(self, name):
        with open(self.path(name)) as f:
            return [json.loads(line) for line in f.read().splitlines()]

    def test_json_lines(self):
        epochs = self.run_training("--validation", "held", "--log", "h.jsonl", epochs=3)
        lines = self.lines("h.jsonl")
        self.assertEqual([list(line) for line in lines], [self.FIELDS] * 3)
        for line, epoch in zip(lines, epochs):
            for name in self.FIELDS:
                self.assertAlmostEqual(line[name], epoch[name], delta=1e-8 * abs(epoch[name]))

    def test_resumed(self):
        self.run_training("--log", "whole.jsonl", epochs=4)
        self.run_training("--log", "h.jsonl", "--checkpoint", "ck", epochs=2)
        self.assertEqual([line["epoch"] for line in self.lines("h.jsonl")], [1, 2])
        self.run_training("--log", "h.jsonl", "--checkpoint", "ck", "--resume", epochs=4)
        timeless = [[{k: v for k, v in line.items() if "seconds" not in k} for line in self.lines(name)]
                    for name in ("whole.jsonl", "h.jsonl")]
        self.assertEqual(timeless[0], timeless[1])
        self.assertEqual([line["val_loss"] for line in timeless[0]], [None] * 4)


class Curves(Reports):
    def on_terminal(self, *more, columns=80, **env):
        """What a terminal of that width gets on stderr."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--validation", "held", "--lr", "0.02", *more]
        merged = {**self.env, "TERM": "xterm", "NO_COLOR": "1", "LC_ALL": "", "LC_CTYPE": "", "LANG": "C.UTF-8", **env}
        with subprocess.Popen([PROGRAM, *args], cwd=self.folder, env=merged, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=slave) as run:
            os.close(slave)
            seen = b""
            while True:
                try:
                    piece = os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                seen += piece
        os.close(master)
        self.assertEqual(run.returncode, 0, seen)
        return seen.decode()

    def test_braille(self):
        for columns, side_by_side in ((80, False), (120, True), (200, True)):
            text = self.on_terminal("--epochs", "5", columns=columns)
            self.assertRegex(text, "[\u2801-\u28ff]")
            plot = [line for line in text.replace("\r", "\n").split("\n") if re.search("[┤│└]", line)]
            self.assertLessEqual(max(map(len, plot)), columns)
            self.assertGreaterEqual(max(map(len, plot)), columns - 4)
            self.assertIn("loss: training dots, validation line", text)
            self.assertEqual(bool(re.search("loss: .*accuracy: ", text)), side_by_side)
            self.assertEqual(len(plot), 10 if side_by_side else 20)

    def test_ascii(self):
        text = self.on_terminal("--epochs", "5", LANG="C")
        self.assertTrue(text.isascii())
        plot = [line for line in text.replace("\r", "\n").split("\n") if re.match(r" *[\d.e-]* \|", line)]
        self.assertEqual(len(plot), 18)
        self.assertTrue(any("*" in line for line in plot))

    def test_not_shown(self):
        self.assertEqual(self.on_terminal("--epochs", "5", "-q"), "")
        self.assertNotRegex(self.on_terminal("--epochs", "1"), "[┤\u2801-\u28ff]")
        self.assertNotIn("validation line", self.on_terminal("--epochs", "5", TERM="dumb"))
        done = self.run_program("train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "5")
        self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()
