"""vgg16.py against the library, numpy and, where it is installed, scikit-learn."""
import ctypes
import gc
import importlib
import os
import pickle
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scripts", "packaging", "python"))

import vgg16  # noqa: E402

TINY = dict(weights="random", arch="vgg11", size=32, seed=5)


def colours(count, side=32, seed=0):
    """Images (count, side, side, 3) of three noisy colours, and their labels in no regular order."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    x = random.integers(0, 90, (count, side, side, 3))
    x[np.arange(count), :, :, y] += 150
    return x.astype(np.uint8), y


def write_bmp(path, rgb):
    """rgb: (height, width, 3) uint8, width a multiple of 4."""
    height, width, _ = rgb.shape
    head = struct.pack("<2sIHHI", b"BM", 54 + rgb.size, 0, 0, 54)
    head += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, rgb.size, 0, 0, 0, 0)
    with open(path, "wb") as stream:
        stream.write(head + rgb[::-1, :, ::-1].tobytes())


class Layout(unittest.TestCase):
    """What Python takes a structure for is what C does."""

    @unittest.skipUnless(shutil.which("cc"), "no C compiler here")
    def test_offsets(self):
        lines, told = [], []
        for structure in vgg16.STRUCTURES:
            name = structure.__name__
            lines.append(f'    printf("%zu\\n", sizeof(struct {name}));')
            told.append((name, ctypes.sizeof(structure)))
            for member, kind in structure._fields_:
                value = f"((struct {name} *)0)->{member}"
                lines.append(f'    printf("%zu %zu\\n", offsetof(struct {name}, {member}), sizeof {value});')
                told.append((f"{name}.{member}", getattr(structure, member).offset, ctypes.sizeof(kind)))
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "a.c"), os.path.join(folder, "a")
            with open(source, "w") as stream:
                stream.write('#include <stddef.h>\n#include <stdio.h>\n#include "core/vgg16.h"\nint main(void)\n{\n')
                stream.write("\n".join(lines) + "\n    return 0;\n}\n")
            subprocess.run(["cc", "-I", os.path.join(HERE, ".."), "-o", program, source], check=True)
            real = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
        for mine, theirs in zip(told, real, strict=False):
            self.assertEqual(mine[1:], tuple(map(int, theirs.split())), mine[0])

    def test_order(self):
        """Members of one type may not change places: their names stand in the header in the same order."""
        with open(os.path.join(HERE, "..", "core", "vgg16.h")) as stream:
            header = re.sub(r"/\*.*?\*/", "", stream.read(), flags=re.S)
        for structure in vgg16.STRUCTURES:
            body = re.search(rf"struct {structure.__name__} {{(.*?)\n}};", header, flags=re.S).group(1)
            names = re.findall(r"(\w+)(?:\[\w+\])?\s*(?=[,;])", body)
            self.assertEqual([name for name, _ in structure._fields_], names, structure.__name__)


class Library(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.engine = vgg16.Engine(backend="cpu", threads=2)
        cls.x, cls.y = colours(37)

    def test_words(self):
        self.assertRegex(vgg16.__version__, r"^\d+\.\d+\.\d+$")
        self.assertEqual([d["chosen"] for d in vgg16.devices()].count(True), 1)
        self.assertEqual(self.engine.device["backend"], "cpu")

    def test_features(self):
        """By arrays, by files and by hand they are the same."""
        features = vgg16.Features(layer="block3_pool", pooling="max", weights="starter", size=32, engine=dict(backend="cpu"))
        found = features.fit_transform(self.x)
        self.assertEqual((found.shape, found.dtype), ((37, 256), np.float32))
        x = self.x[:, :, :, ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
        model = vgg16.Model("starter", size=32)
        if model.preprocess != "caffe":
            x = {"rescale": self.x / 255, "none": self.x, "torch": (self.x / 255 - [0.485, 0.456, 0.406]) /
                 [0.229, 0.224, 0.225]}[model.preprocess].astype(np.float32)
        np.testing.assert_allclose(features.run(x).reshape(37, -1), found, rtol=1e-5, atol=1e-5)
        maps = vgg16.Features("block2_pool", "none", weights="starter", size=32, engine=dict(backend="cpu"))
        self.assertEqual((maps.shape, maps.transform(self.x[:2]).shape), ((8, 8, 128), (2, 8192)))
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, f"{7 * i % 10}.bmp") for i in range(10)]
            for path, image in zip(paths, self.x):
                write_bmp(path, image)
            np.testing.assert_array_equal(features.transform(paths), found[:10])
            np.testing.assert_array_equal(features.transform(folder), features.transform(sorted(paths)))
            np.testing.assert_array_equal(vgg16.load_image(paths[3], 32, preprocess="none"), self.x[3])
        again = pickle.loads(pickle.dumps(features))
        self.assertEqual(repr(again), repr(features))
        self.assertEqual(again.set_params(pooling="avg").transform(self.x).shape, (37, 256))
        self.assertEqual(list(again.get_feature_names_out()[[0, 255]]), ["block3_pool_0", "block3_pool_255"])

    def test_scikit_learn(self):
        try:
            from sklearn.base import clone
            from sklearn.linear_model import LogisticRegression
            from sklearn.model_selection import GridSearchCV
            from sklearn.pipeline import make_pipeline
        except ImportError:
            self.skipTest("no scikit-learn here")
        features = vgg16.Features("block1_pool", weights="starter", size=32, engine=dict(backend="cpu"))
        self.assertEqual(clone(features).get_params(), features.get_params())
        pipe = make_pipeline(features, LogisticRegression(max_iter=1000))
        search = GridSearchCV(pipe, {"features__pooling": ["avg", "max"]}, cv=3).fit(self.x, self.y)
        x, y = colours(20, seed=1)
        self.assertEqual(search.score(x, y), 1)

    def test_training(self):
        names = np.array(["red", "green", "blue"])[self.y]
        said = []

        class Callback:
            def set_model(self, model):
                said.append(type(model).__name__)

            def on_train_begin(self, logs):
                said.append("begin")

            def on_epoch_end(self, epoch, logs):
                said.append((epoch, sorted(logs)[:2]))

            def on_train_end(self, logs):
                said.append("end")

        model = vgg16.Model("starter", head="gap,dense:8:relu,dense:3:softmax", size=32, engine=self.engine)
        before = model.get_weights("dense_1")
        base = model.digest("block5_pool")
        with tempfile.TemporaryDirectory() as folder:
            page, path = os.path.join(folder, "r.html"), os.path.join(folder, "m.safetensors")
            history = model.fit(self.x, names, validation_split=0.3, epochs=40, batch=7, optimizer="adam",
                                learning_rate=0.01, images=dict(preprocess="rescale"), callbacks=[Callback()], report=page)
            self.assertEqual(len(history.history["loss"]), 40)
            self.assertLess(history.history["loss"][-1], history.history["loss"][0])
            self.assertIn("val_accuracy", history.history)
            self.assertEqual(said[:3], ["Model", "begin", (0, ["accuracy", "epoch"])])
            self.assertEqual((said[41][0], said[42:]), (39, ["end"]))
            self.assertFalse(np.array_equal(before[0], model.get_weights("dense_1")[0]))
            self.assertEqual(base, model.digest("block5_pool"))
            self.assertEqual(model.classes, ["blue", "green", "red"])
            with open(page) as stream:
                self.assertIn("<svg", stream.read())
            model.save(path)
            other = vgg16.Model.load(path, engine=self.engine)
        x, y = colours(24, seed=2)
        found = other.evaluate(x, np.array(["red", "green", "blue"])[y])
        self.assertEqual(found["confusion"].sum(axis=1).tolist(), [np.sum(y == 2), np.sum(y == 1), np.sum(y == 0)])
        self.assertEqual(found["accuracy"], np.mean(found["predicted"] == found["labels"]))
        self.assertGreater(found["accuracy"], 0.9)
        two = np.flatnonzero(y > 0)  # without red: classes are told by their names
        self.assertEqual(other.evaluate(x[two], np.array(["red", "green", "blue"])[y[two]])["labels"].tolist(),
                         (2 - y[two]).tolist())
        np.testing.assert_array_equal(other.predict(x), model.predict(x))
        np.testing.assert_allclose(model.predict(x).sum(axis=1), 1, rtol=1e-5)
        with tempfile.TemporaryDirectory() as folder:
            write_bmp(os.path.join(folder, "a.bmp"), x[4])
            heat, probabilities, label = model.explain(os.path.join(folder, "a.bmp"), layer="block3_conv3", label="green")
        self.assertEqual((heat.shape, label), ((8, 8), 1))
        np.testing.assert_allclose(probabilities, model.predict(x[4:5])[0], rtol=1e-4, atol=1e-6)

    def test_weights(self):
        model = vgg16.Model(head="gap,dense:3:softmax", **TINY)
        kernel, bias = model.get_weights("block2_conv1")
        self.assertEqual((kernel.shape, bias.shape), ((3, 3, 64, 128), (128, )))
        model.set_weights("block2_conv1", [kernel[::-1], bias + 1])
        np.testing.assert_array_equal(model.get_weights("block2_conv1")[0], kernel[::-1])
        np.testing.assert_array_equal(model.get_weights("block2_conv1")[1], bias + 1)
        self.assertEqual(model.get_weights("dense_1")[0].shape, (512, 3))
        for arrays in ([kernel], [kernel, bias[1:]], [kernel[0], bias]):
            self.assertRaises(ValueError, model.set_weights, "block2_conv1", arrays)
        self.assertRaisesRegex(KeyError, "block9_conv1.*block1_conv1", model.get_weights, "block9_conv1")
        self.assertRaises(ValueError, model.get_weights, "block1_pool")

    def test_stops(self):
        model = vgg16.Model(head="gap,dense:3:softmax", **TINY, engine=self.engine)

        class Stop:
            def set_model(self, model):
                self.model = model

            def on_epoch_end(self, epoch, logs):
                self.model.stop_training = epoch == 2

        self.assertEqual(model.fit(self.x, self.y, epochs=50, callbacks=[Stop()]).epoch, [0, 1, 2])

        def fails(at):
            if at["phase"] == "train" and at["epoch"] == 2:
                raise LookupError("mine")

        self.assertRaisesRegex(LookupError, "mine", model.fit, self.x, self.y, epochs=50, progress=fails)
        self.assertRaises(vgg16.Error, model.evaluate, self.x, progress=lambda at: False)

        def interrupts(at):
            os.kill(os.getpid(), signal.SIGINT)

        self.assertRaises(KeyboardInterrupt, model.fit, self.x, self.y, epochs=50, progress=interrupts)
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_refuses(self):
        for wrong, words in ((lambda: vgg16.Model("/no/such.h5"), "/no/such.h5"),
                             (lambda: vgg16.Data("/no/such"), "/no/such"),
                             (lambda: vgg16.Engine(backend="gpu"), "gpu"),
                             (lambda: vgg16.Features("block9_pool", weights="random", size=32).fit(), "block9_pool")):
            with self.assertRaisesRegex(vgg16.Error, words), self.assertLogs("vgg16"):
                wrong()
        model = vgg16.Model(head="gap,dense:3:softmax", **TINY, engine=self.engine)
        self.assertRaisesRegex(TypeError, "lerning_rate.*learning_rate", model.fit, self.x, self.y, lerning_rate=1)
        self.assertRaisesRegex(ValueError, "adan.*adam", model.fit, self.x, self.y, optimizer="adan")
        self.assertRaisesRegex(ValueError, "37", model.fit, self.x, self.y[1:])
        self.assertRaises(ValueError, vgg16.Data, HERE, self.y)

    def test_data(self):
        with vgg16.Data(self.x, self.y) as data:
            self.assertEqual((len(data), data.labels.tolist()), (37, self.y.tolist()))
            rest, held = data.split(0.25, seed=3)
            self.assertEqual(sorted(rest.paths + held.paths), sorted(data.paths))
            self.assertEqual(held.paths, data.split(0.25, seed=3)[1].paths)
            self.assertNotEqual(held.paths, data.split(0.25, seed=4)[1].paths)
        x = np.random.default_rng(0).normal(size=(9, 2, 2, 512))
        model = vgg16.Model(head="gap,dense:2:softmax", weights="random", size=64, engine=self.engine)
        self.assertEqual(len(model.fit(x, np.arange(9) % 2, epochs=2).epoch), 2)

    def test_threads(self):
        """Each thread has an engine of its own."""
        found = []

        def work():
            found.append(vgg16.Model(head="gap,dense:3:softmax", **TINY).predict(self.x[:3]))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(found), 3)
        for one in found[1:]:
            np.testing.assert_array_equal(one, found[0])

    def test_quantize(self):
        model = vgg16.Model("starter", head="gap,dense:3:softmax", size=32, seed=1, engine=self.engine)
        told = model.quantize(self.x, count=16)
        self.assertEqual((told["images"], len(told["layers"])), (16, 13))
        self.assertLess(told["features"], 0.1)

    def test_lives(self):
        """What is needed lives longer, where all of it is garbage at once, too."""
        died, destroyed = [], vgg16._destroyed

        def watched(destroy, handle, keeps):
            died.append(destroy.__name__)
            destroyed(destroy, handle, keeps)

        with unittest.mock.patch.object(vgg16, "_destroyed", watched):
            circle = [vgg16.Features(weights="random", arch="vgg11", size=32, engine=dict(backend="cpu")).fit()]
            circle.append(circle)
            del circle
            gc.collect()
        self.assertEqual(sorted(died), ["vgg_engine_destroy", "vgg_features_destroy", "vgg_model_destroy"])
        self.assertEqual(died[0], "vgg_features_destroy")

    def test_example(self):
        """The example runs as it stands, and its last model has learned."""
        source = os.path.join(os.path.dirname(vgg16.__file__), "cats_and_dogs.py")
        if not os.path.exists(source):
            self.skipTest("the example is not installed with the module")
        with tempfile.TemporaryDirectory() as folder:
            for part, seed in (("train", 1), ("validation", 2)):
                for i, (image, label) in enumerate(zip(*colours(8, seed=seed))):
                    path = os.path.join(folder, part, "cat" if label == 2 else "dog", f"{i}.bmp")
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    write_bmp(path, image)
            environment = {**os.environ, "PETS": folder, "EPOCHS": "1", "PYTHONPATH": os.path.dirname(vgg16.__file__),
                           "HOME": folder, "VGG16_BACKEND": "cpu", "OMP_WAIT_POLICY": "passive"}
            said = subprocess.run([sys.executable, "-B", source], cwd=folder, env=environment, check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            for words in ("8 photos to train with, 8 to validate, cat, dog", "features: (8, 8192) of maps (4, 4, 512)",
                          "epoch 1: loss ", "accuracy ", "map of 9 x 9", "channels of block4_pool"):
                self.assertIn(words, said)
            model = vgg16.Model.load(os.path.join(folder, "cats_and_dogs.safetensors"), engine=self.engine)
            self.assertEqual((model.classes, model.input_shape), (["cat", "dog"], (150, 150, 3)))
            self.assertTrue(os.path.exists(os.path.join(folder, "cats_and_dogs.html")))


if __name__ == "__main__":
    unittest.main()
