"""What is wrong with the world ends in one line on stderr, the right exit code, and nothing half-written."""

import gzip
import os
import shutil
import struct

from cli_support import GAP, TINY, Program, write_features, write_folder, write_png, write_safetensors


class Weights(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=1)
        self.train("data", "good.safetensors")
        with open(self.path("good.safetensors"), "rb") as f:
            self.good = f.read()

    def use(self, name, codes, pattern):
        """Every command that reads weights or models refuses the file."""
        extract = ["extract", "data", "--size", "32", "--layer", "block1_pool", "-o", "f.npy", "--weights", name]
        self.fail_with(codes, pattern, *extract)
        train = ["train", "data", "-o", "m.safetensors"]
        self.fail_with(codes, pattern, *train, "--layer", "block1_pool", "--weights", name)
        self.fail_with(codes, pattern, *train, "--from", name)
        self.fail_with(codes, pattern, "evaluate", "data", "--model", name)
        self.fail_with(codes, pattern, "predict", "data/cat/0.png", "--model", name)
        self.fail_with(codes, pattern, "convert", name, "c.h5")
        self.fail_with(codes, pattern, "summary", name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)

    def test_missing(self):
        self.use("no.safetensors", 1, r"^vgg16: no.safetensors: cannot be opened")

    def test_folder(self):
        os.mkdir(self.path("folder"))
        self.use("folder", 1, r"^vgg16: folder: ")

    def test_empty(self):
        self.write("e.safetensors", b"")
        self.use("e.safetensors", 1, r"^vgg16: e.safetensors: is empty")

    def test_truncated(self):
        for keep in (4, 20, len(self.good) - 4):
            self.write("t.safetensors", self.good[:keep])
            self.use("t.safetensors", 1, r"^vgg16: t.safetensors: ")

    def test_neither_format(self):
        self.write("text.h5", b"these are no weights at all\n" * 100)
        self.use("text.h5", 1, r"^vgg16: text.h5: ")

    def test_truncated_hdf5(self):
        self.write("t.h5", b"\x89HDF\r\n\x1a\n" + bytes(200))
        self.use("t.h5", 1, r"^vgg16: t.h5: ")

    def test_huge_header(self):
        self.write("h.safetensors", struct.pack("<Q", 1 << 60) + b"{}")
        self.use("h.safetensors", 1, r"^vgg16: h.safetensors: ")

    def test_overlap(self):
        header = (
            b'{"block1_conv1/kernel":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
            b'"block1_conv1/bias":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}'
        )
        self.write("o.safetensors", struct.pack("<Q", len(header)) + header + bytes(12))
        self.use("o.safetensors", 1, r"^vgg16: o.safetensors: ")

    def test_wrong_shape(self):
        tensors = {
            "block1_conv1/kernel": ("F32", [3, 3, 3, 32], bytes(4 * 9 * 3 * 32)),
            "block1_conv1/bias": ("F32", [32], bytes(4 * 32)),
        }
        write_safetensors(self.path("s.safetensors"), tensors)
        self.fail_with(
            1, r"^vgg16: s.safetensors: .*block1_conv1", "extract", "data", "--arch", "vgg11", "--weights",
            "s.safetensors", "--layer", "block1_pool", "-o", "f.npy"
        )

    def test_missing_layers_are_named(self):
        tensors = {
            "block1_conv1/kernel": ("F32", [3, 3, 3, 64], bytes(4 * 9 * 3 * 64)),
            "block1_conv1/bias": ("F32", [64], bytes(4 * 64)),
        }
        write_safetensors(self.path("p.safetensors"), tensors)
        args = ["extract", "data", "--weights", "p.safetensors", "--size", "32", "-o", "f.npy"]
        self.fail_with(1, r"p.safetensors: .*block5_conv3", *args)
        self.succeed(*args, "--layer", "block1_conv1")
        self.fail_with(1, r"p.safetensors: .*block5_conv3", "summary", "p.safetensors")
        table = self.succeed("summary", "p.safetensors", "--layer", "block1_conv1")
        self.assertRegex(table, "Total parameters: +1,792 ")

    def test_no_weights_on_this_machine(self):
        self.fail_with(1, "vgg16 pull", "extract", "data", "--weights", "imagenet", "-o", "f.npy")
        self.fail_with(1, "vgg16 pull", "predict", "data/cat/0.png", "--model", "imagenet")

    def test_weights_without_a_head_are_no_model(self):
        write_safetensors(
            self.path("b.safetensors"),
            {
                "block1_conv1/kernel": ("F32", [3, 3, 3, 64], bytes(4 * 9 * 3 * 64)),
                "block1_conv1/bias": ("F32", [64], bytes(4 * 64)),
            },
        )
        self.fail_with(1, "b.safetensors: ", "evaluate", "data", "--model", "b.safetensors")
        self.fail_with(1, "b.safetensors: ", "train", "data", "--from", "b.safetensors", "-o", "m.safetensors")

    def test_nothing_overwritten(self):
        self.fail_with(1, "cannot be opened", "convert", "no.h5", "good.safetensors")
        with open(self.path("good.safetensors"), "rb") as f:
            self.assertEqual(f.read(), self.good)


class Data(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=2)
        self.train("data", "good.safetensors")

    def use(self, source, codes, pattern):
        """Every command that reads labelled data refuses it."""
        self.fail_with(codes, pattern, "train", source, *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1")
        self.fail_with(codes, pattern, "evaluate", source, "--model", "good.safetensors", "-o", "p.csv")
        extract = ["extract", source, *TINY, "-o", "f.npy"]
        self.fail_with(codes, pattern, *extract)

    def test_missing(self):
        self.use("nowhere", 1, "^vgg16: nowhere: ")
        self.fail_with(1, "^vgg16: no.png: ", "predict", "-m", "good.safetensors", "no.png")
        self.fail_with(1, "^vgg16: no.png: ", "predict", "-m", "good.safetensors", "data/cat/0.png", "no.png")

    def test_no_classes(self):
        os.mkdir(self.path("empty"))
        self.use("empty", 1, "^vgg16: empty: ")

    def test_one_empty_class(self):
        os.mkdir(self.path("data/fox"))
        self.use("data", 1, "^vgg16: data/fox: |^vgg16: data: .*fox")

    def test_one_class(self):
        shutil.rmtree(self.path("data/dog"))
        self.fail_with(1, r"^vgg16: data: has one class only \(cat\)", "train", "data", *TINY, "-o", "m.safetensors")

    def test_no_labels(self):
        self.fail_with(1, "data/cat: has no labels", "train", "data/cat", *TINY, "-o", "m.safetensors")
        self.fail_with(1, "data/cat: has no labels", "evaluate", "data/cat", "-m", "good.safetensors")
        self.fail_with(
            1, "has no labels", "train", "data", *TINY, *GAP, "-o", "m.safetensors", "--validation", "data/cat"
        )

    def test_text_named_jpg(self):
        with open(self.path("data/cat/text.jpg"), "w") as f:
            f.write("this is no picture\n")
        self.use("data", 1, "^vgg16: data/cat/text.jpg: ")
        self.fail_with(1, "^vgg16: data/cat/text.jpg: ", "predict", "-m", "good.safetensors", "data/cat/text.jpg")

    def test_truncated_image(self):
        with open(self.path("data/cat/0.png"), "rb") as f:
            whole = f.read()
        with open(self.path("data/cat/0.png"), "wb") as f:
            f.write(whole[: len(whole) // 2])
        self.use("data", 1, "^vgg16: data/cat/0.png: ")

    def test_absurd_sizes(self):
        for width, height in ((0, 0), (60000, 60000)):
            write_png(self.path("data/cat/0.png"), 1, 1, lambda x, y: (0, 0, 0))
            with open(self.path("data/cat/0.png"), "r+b") as f:
                f.seek(16)
                f.write(struct.pack(">II", width, height))
            self.use("data", 1, "^vgg16: data/cat/0.png: ")

    def test_only_bad_images(self):
        with open(self.path("text.jpg"), "w") as f:
            f.write("this is no picture\n")
        done = self.run_program("predict", "-m", "good.safetensors", "text.jpg", "--skip-bad")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\nvgg16: .*no (readable image|image could be read)")

    def test_other_classes(self):
        write_folder(self.path("other"), ("ant", "bee"), count=1)
        write_folder(self.path("more"), ("cat", "dog", "fox"), count=1)
        self.fail_with(1, "^vgg16: other/.*ant", "evaluate", "other", "-m", "good.safetensors")
        self.fail_with(1, "^vgg16: more/.*fox", "train", "data", *TINY, "-o", "m.safetensors", "--validation", "more")
        self.fail_with(1, "^vgg16: more/.*fox", "train", "more", "--from", "good.safetensors", "-o", "m.safetensors")

    def test_features_that_do_not_fit(self):
        write_features(self.path("f.safetensors"), [77], [0, 1])
        self.fail_with(1, "f.safetensors.*77", "train", "f.safetensors", *TINY, *GAP, "-o", "m.safetensors")
        write_features(self.path("g.safetensors"), [64], [0, 1])
        self.succeed("train", "g.safetensors", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1")
        self.fail_with(1, "f.safetensors.*77", "evaluate", "f.safetensors", "-m", "m.safetensors")

    def test_labels_out_of_range(self):
        for labels in ([0, -1], [0, 1 << 40]):
            write_features(self.path("f.safetensors"), [16, 16, 64], labels)
            self.fail_with(1, "f.safetensors", "train", "f.safetensors", *TINY, *GAP, "-o", "m.safetensors")
        write_features(self.path("f.safetensors"), [16, 16, 64], [0, 5])
        self.fail_with(1, "f.safetensors.*", "evaluate", "f.safetensors", "-m", "good.safetensors")

    def test_bad_arrays(self):
        self.fail_with(1, "good.safetensors: ", "extract", "good.safetensors", *TINY, "-o", "f.npy")
        with open(self.path("i"), "wb") as f:
            f.write(struct.pack(">IIII", 0x803, 1000, 28, 28) + bytes(100))
        self.fail_with(1, "i: ", "extract", "idx:i", *TINY, "-o", "f.npy")
        with gzip.open(self.path("g.gz"), "wb") as f:
            f.write(b"\0\0\7\7")
        self.fail_with(1, "g.gz: ", "extract", "idx:g.gz", *TINY, "-o", "f.npy")

    def test_list_with_a_missing_image(self):
        with open(self.path("list.txt"), "w") as f:
            f.write("data/cat/0.png\ngone.png\n")
        self.fail_with(1, "gone.png: ", "predict", "-m", "good.safetensors", "list.txt")


class Outputs(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=2)
        self.train("data", "good.safetensors")

    def refuse(self, name, pattern, csv=None):
        """No command writes there, and none works long before it says so."""
        train = ["train", "data", *TINY, *GAP, "--epochs", "0", "-o"]
        self.fail_with(1, pattern, *train, name + ".safetensors" if csv is None else name)
        self.fail_with(1, pattern, "extract", "data", *TINY, "-o", name + ".csv" if csv is None else name)
        self.fail_with(1, pattern, "convert", "good.safetensors", name + ".h5" if csv is None else name)
        self.fail_with(1, pattern, "evaluate", "data", "-m", "good.safetensors", "-o", name + ".csv")
        self.fail_with(1, pattern, *train[:-3], "-o", "m.safetensors", "--log", name + ".csv")

    def test_no_folder(self):
        self.refuse("no/where/f", "^vgg16: no/where/f.*: cannot be written: there is no folder no/where")
        self.refuse("good.safetensors/f", "^vgg16: good.safetensors/f.*: cannot be written")

    def test_folder_in_the_way(self):
        os.mkdir(self.path("dir.safetensors"))
        why = "dir.safetensors: is not a regular file"
        self.fail_with(1, why, "train", "data", *TINY, *GAP, "-o", "dir.safetensors")
        self.fail_with(1, why, "extract", "data", *TINY, "-o", "dir.safetensors")
        self.fail_with(1, why, "convert", "good.safetensors", "dir.safetensors")
        os.mkdir(self.path("dir.csv"))
        self.fail_with(1, "dir.csv: is not a regular file", "evaluate", "data", "-m", "good.safetensors", "-o", "dir.csv")

    def test_closed_folder(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere")
        os.mkdir(self.path("closed"), 0o555)
        self.refuse("closed/f", "^vgg16: closed/f.*: cannot be written: Permission denied")

    def test_devices(self):
        self.fail_with(1, "/dev/full: is not a regular file", "train", "data", *TINY, *GAP, "-o", "/dev/full")
        self.fail_with(1, "/dev/full: .*No space left", "evaluate", "data", "-m", "good.safetensors", "-o", "/dev/full")
        self.assertTrue(os.path.exists("/dev/full") and not os.path.isfile("/dev/full"))

    def test_checkpoint_folder(self):
        self.fail_with(1, "good.safetensors", "train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1",
                       "--checkpoint", "good.safetensors")

    def test_full_disk(self):
        """A limit on file sizes stands in for a full disk."""
        import resource
        import subprocess

        from cli_support import PROGRAM

        before = self.files()
        done = subprocess.run(
            [PROGRAM, "train", "data", *TINY, "--epochs", "0", "-o", "m.safetensors"],
            cwd=self.folder,
            env=self.env,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"^vgg16: m.safetensors: .*File too large")
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(self.files(), before)


class Training(Program):
    def setUp(self):
        super().setUp()
        write_folder(self.path("data"), count=2)

    def test_loss_not_a_number(self):
        self.fail_with(
            1, "loss is no longer a number .*--lr", "train", "data", *TINY, "-o", "m.safetensors", "--optimizer", "sgd",
            "--lr", "1e30", "--epochs", "20"
        )

    def test_heads(self):
        for head, why in (
            ("nonsense", "nonsense"),
            ("flatten,dense:0:softmax", "dense:0"),
            ("gap,dense:2:tanh", "tanh"),
            ("gap,dropout:1.5,dense:1:sigmoid", "dropout:1.5"),
            ("gap", "--head: must end in"),
            ("gap,dense:2:relu", "--head: must end in"),
        ):
            self.fail_with(
                2, why, "train", "data", *TINY, "--head", head, "-o", "m.safetensors", "--epochs", "1"
            )

    def test_layers(self):
        train = ["train", "data", *TINY, *GAP, "-o", "m.safetensors"]
        self.usage("--trainable block9: no such layer or block", *train, "--trainable", "block9")
        for typed, meant in ("blok1", "block1"), ("haed", "head"), ("block1_conv11", "block1_conv1"):
            self.usage(rf"--trainable {typed}: no such layer or block; did you mean {meant}\?", *train, "--trainable", typed)
        self.fail_with(2, r"has no layer blok3_pol; did you mean block3_pool\?$", "extract", "data",
                       "--weights", "random", "--layer", "blok3_pol", "-o", "f.npy")
        self.fail_with(2, "block9_pool", "train", "data", "--weights", "random", "--layer", "block9_pool", "-o", "m.st")
        self.fail_with(
            2, "block9_pool", "extract", "data", "--weights", "random", "--layer", "block9_pool", "-o", "f.npy"
        )

    def test_devices(self):
        self.fail_with(1, "vulkan", "train", "data", *TINY, *GAP, "-o", "m.safetensors", "--backend", "vulkan",
                       "--device", "99")
        self.fail_with(1, "no device .99.", "train", "data", *TINY, *GAP, "-o", "m.safetensors", "--device", "99")

    def test_resume_with_other_settings(self):
        args = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--checkpoint", "ck", "--epochs", "2"]
        self.succeed(*args)
        self.fail_with(1, "ck", *args, "--resume", "--optimizer", "adam")
