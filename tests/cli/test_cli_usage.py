"""Options, arguments, help and exit codes."""

import os
import re
import shutil
import subprocess
import unittest

from cli_support import GAP, LAVAPIPE, PROGRAM, TINY, Program, use_lavapipe, write_features, write_folder

COMMANDS = ["devices", "summary", "pull", "extract", "merge", "train", "evaluate", "predict", "explain", "quantize", "convert", "bench",
            "selftest"]

# Every option of every command, as scripts may use them.
ALWAYS = "json quiet verbose help version"
ENGINE = "backend conv device isa precision threads memory"
COMMON = {
    "devices": ALWAYS,
    "summary": ALWAYS,
    "pull": ALWAYS,
    "extract": f"{ENGINE} seed {ALWAYS}",
    "merge": ALWAYS,
    "train": f"{ENGINE} seed {ALWAYS}",
    "evaluate": f"{ENGINE} {ALWAYS}",
    "predict": f"{ENGINE} {ALWAYS}",
    "explain": f"{ENGINE} {ALWAYS}",
    "quantize": f"backend conv device isa threads memory seed {ALWAYS}",
    "convert": ALWAYS,
    "bench": f"{ENGINE} seed {ALWAYS}",
    "selftest": f"backend device isa precision threads {ALWAYS}",
}
IMAGES = "preprocess resize crop decode skip-bad"
OPTIONS = {
    "devices": "",
    "summary": "weights size top arch layer trainable",
    "pull": "",
    "extract": f"output layer pooling part resume batch picture channels colours weights arch size {IMAGES}",
    "merge": "",
    "train": "output from head layer trainable validation validation-split weights arch size optimizer lr momentum "
    "nesterov weight-decay schedule warmup lr-decay clip-norm label-smoothing epochs steps-per-epoch batch shard class-weight early-stop keep monitor no-shuffle checkpoint checkpoint-every on-device-lost resume overwrite "
    f"log tensorboard report augment {IMAGES}",
    "evaluate": f"model output report batch top threshold {IMAGES}",
    "predict": f"model top batch {IMAGES}",
    "explain": f"model output map class layer colours alpha top {IMAGES}",
    "quantize": f"output model images layer weights arch size {IMAGES}",
    "convert": "layout dtype head classes size preprocess",
    "bench": "on pass batch size layers repeats report compare arch head trainable",
    "selftest": "",
}


class Help(Program):
    def test_program(self):
        text = self.succeed("--help")
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} ")
        self.assertEqual(self.succeed("-h"), text)
        self.assertEqual(self.succeed("help"), text)
        self.assertEqual(self.succeed("help", "help"), text)
        self.usage(r"trian: unknown command; did you mean train\?", "help", "trian")
        self.usage(r"hepl: unknown command; did you mean help\?", "hepl", "train")
        self.fail_with(1, "^vgg16: help: cannot be opened as a data set", "train", "help", "-o", "m")  # may be a folder
        for name in f"{ENGINE} seed {ALWAYS}".split():
            self.assertRegex(text, rf"(?m)^  (-., |    )--{name}\b")

    def test_commands(self):
        for command in COMMANDS:
            text = self.succeed(command, "--help")
            self.assertTrue(text.startswith(f"Usage: vgg16 {command} "))
            self.assertEqual([line for line in text.splitlines() if len(line) > 80], [])
            self.assertIn("JSON: ", text)
            listed = re.findall(r"(?m)^  (?:-., |    )--([a-z-]+)", text)
            self.assertEqual(sorted(listed), sorted((OPTIONS[command] + " " + COMMON[command]).split()))
            self.assertEqual(self.succeed("--help", command), text)
            self.assertEqual(self.succeed("help", command), text)
            self.assertEqual(self.succeed("-q", "help", command, "--json"), text)

    def test_defaults_are_told(self):
        silent = set("from skip-bad nesterov no-shuffle resume overwrite top json quiet verbose help version".split())
        for command in COMMANDS:
            text = self.succeed(command, "--help")
            for name in (OPTIONS[command] + " " + COMMON[command]).split():
                if name in silent and not (name == "top" and command in ("predict", "explain")):
                    continue
                entry = re.search(rf"(?m)^ {{2,6}}(-., )?--{name} .*(\n {{8}}.*)*", text).group(0)
                self.assertRegex(entry, r"\((default|required)", f"{command} --{name}")

    def test_needs_are_told(self):
        text = re.sub(r"\n {4}", " ", self.succeed("train", "--help"))
        for line in (
            "--momentum: only with --optimizer sgd",
            "--layer: not with --from",
            "--isa, --threads: only on the CPU",
            "--resume, --overwrite, --checkpoint-every: only with --checkpoint DIR",
        ):
            self.assertRegex(text, rf"(?m)^  {line}$")
        text = self.succeed("selftest", "--help")
        self.assertRegex(text, r"(?m)^  --isa, --threads: only on the CPU$")
        self.assertNotIn("--conv", text)

    def test_version(self):
        self.assertRegex(self.succeed("--version"), r"^vgg16 \d+\.\d+\.\d+\nimages: .*stb_image \d+\.\d+ \(.*PNG, BMP, GIF\).*\n"
                         r"zip archives \(.pth, .keras\): (minizip|none: .*)\nHDF5 files \(.h5\), written: (\S*hdf5\S*|none: .*)\n"
                         r"downloads: (\S*curl\S*|none: .*)\nchecksums: \S*crypto\S*\n"
                         r"exponentials and logarithms: (SLEEF \d+\.\d+\S*|the C library)\n$")
        self.assertEqual(self.succeed("train", "--version"), self.succeed("--version"))

    @unittest.skipUnless(shutil.which("ldd"), "no ldd here")
    def test_starts_light(self):
        """What few commands need is opened by them."""
        needed = subprocess.run(["ldd", PROGRAM], stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("libz", needed)
        self.assertNotRegex(needed, "hdf5|curl|crypto|minizip|jpeg|webp|tiff|vulkan")


class Usage(Program):
    def test_commands(self):
        self.usage("a command is missing")
        self.usage("trian: unknown command; did you mean train?", "trian")
        self.usage("swim: unknown command;", "swim")
        self.usage(r"sw\?\[31m im\?\?: unknown", "sw\x1b[31m im\x9b")  # nothing that terminals obey, in UTF-8 either
        self.usage("evaluate: unexpected argument", "devices", "evaluate")

    def test_unknown_options(self):
        self.usage("--bacth: unknown option; did you mean --batch?", "train", "d", "--bacth", "3")
        self.usage("--treads: unknown option; did you mean --threads?", "predict", "--treads=3")
        self.usage("--tensorboard: unknown option", "evaluate", "d", "--tensorboard", "x")
        self.usage("--batch: unknown option", "devices", "--batch", "3")
        self.usage("--treads: unknown option;", "devices", "--treads=3")  # it would be refused, too
        self.usage("-x: unknown option", "devices", "-x")
        self.usage("--re: could be several", "train", "d", "--re")

    def test_values(self):
        self.usage("--batch: needs a value, N", "train", "d", "--batch")
        self.usage("--output: needs a value, FILE", "extract", "d", "--output", "--json")
        self.usage("-o: needs a value, FILE", "extract", "d", "-o")
        self.usage("--json: takes no value", "devices", "--json=yes")
        self.usage("--output : must be not empty", "extract", "d", "--output", "")

    def test_arguments(self):
        for command in ("extract", "train", "evaluate", "quantize"):
            self.usage("DATA is missing", command)
            self.usage("b: unexpected argument", command, "a", "b")
        self.usage("IMAGE is missing", "predict", "--model", "m")
        self.usage("IN or OUT is missing", "convert", "a")
        self.usage("c: unexpected argument", "convert", "a", "b", "c")
        self.usage("vgg16 or vgg16-notop is missing", "pull")
        self.usage("vgg99: unknown weights", "pull", "vgg99")
        self.usage("x: unexpected argument", "selftest", "x")

    def test_required(self):
        self.usage("--output is missing", "train", "d")
        self.usage("--output is missing", "extract", "d")
        self.usage("--output is missing", "quantize", "d")
        self.usage("--model is missing", "evaluate", "d")
        self.usage("--model is missing", "predict", "d")
        self.usage("--model is missing", "explain", "d", "-o", "e.png")
        self.usage("--output is missing", "explain", "d", "-m", "m")

    def test_numbers(self):
        for name, wrong, rule in (
            ("batch", "0 -1 65537 1.5 1e3 x 0x10 9999999999999999999999", "a whole number from 1 to 65536"),
            ("epochs", "-1 x 1000001", "a whole number from 0 to 1000000"),
            ("steps-per-epoch", "0 x", "a whole number from 1 to 1000000000"),
            ("early-stop", "0 -3", "a whole number from 1 to 1000000"),
            ("threads", "0 1025 two", "a whole number from 1 to 1024"),
            ("seed", "-1 1.5 x 18446744073709551616", "a whole number from 0 to 18446744073709551615"),
            ("lr", "0 -1 nan inf x 1e99", "a number above 0"),
            ("momentum", "-0.1 1 nan", "a number from 0 to below 1"),
            ("weight-decay", "-1 x nan", "a number from 0"),
            ("validation-split", "0 1 -0.2 1.5", "a number between 0 and 1"),
            ("memory", "0 1K lots 512Q -1M 5 0x10M 1.5.2G 5GiBB", "a size of 1M or more"),
            ("size", "0 31 150x 31x64 64x31 16385 x 224x224x3", "one number or HEIGHTxWIDTH"),
            ("schedule", "linear step step:3 step:0:0.1 step:3:0 step:3:2 step:x:0.1 plateau plateau:0.1 plateau:0.1, plateau:0.1,0 "
             "plateau:1,2 plateau:0,2 plateau:2 plateau:,3 plateau:0.1,2x plateau:0.1:2 plateau:1e-50,2",
             "constant, cosine, step:EVERY:FACTOR"),
            ("warmup", "-1 x 1e9", "a number from 0"),
            ("lr-decay", "0 1 2 -0.5", "a number between 0 and 1"),
            ("clip-norm", "0 -1 inf", "a number above 0"),
            ("label-smoothing", "1 -0.1 2", "a number from 0 to below 1"),
            (
                "augment",
                "rotate rotate=1,rotate=2 flip,flip flip=1 rotate=x rotate=181 zoom=1 shift=2 shear=90 turn=3 flip,,flip flip, ,",
                "a list of rotate=",
            ),
            ("optimizer", "lion RMSPROP", "one of rmsprop, sgd, adam, adamw"),
            ("class-weight", "yes", "one of none, balanced"),
            ("keep", "first worst", "one of last, best"),
            ("monitor", "loss accuracy", "one of val_loss, val_accuracy"),
            ("preprocess", "default keras", "one of caffe, torch, rescale, none"),
            ("resize", "bicubic", "one of nearest, bilinear, lanczos"),
            ("crop", "top", "one of none, center"),
            ("decode", "slow", "one of exact, fast"),
            ("arch", "vgg12", "one of vgg11, vgg13, vgg16, vgg19"),
            ("backend", "cuda", "one of auto, cpu, vulkan"),
            ("isa", "sse2", "one of auto, scalar, avx2, avx512, neon"),
            ("precision", "fp8 int4", "one of fp32, bf16, fp16, int8"),
        ):
            for value in wrong.split():
                self.usage(re.escape(f"--{name} {value}: must be {rule}"), "train", "d", f"--{name}={value}")
        self.usage("--top 0: must be a whole number from 1", "predict", "i", "--top", "0")
        self.usage("--top 0: must be a whole number from 1", "evaluate", "i", "--top", "0")
        for value in ("0", "1", "x"):
            self.usage(f"--threshold {value}: must be a number between 0 and 1", "evaluate", "i", "--threshold", value)
        for name, wrong, rule in (
            ("batch", "0 1,,2 1, ,1 x 1,70000 " + ",".join(["1"] * 17), "up to 16 whole numbers from 1"),
            ("size", "31 224, 224,x 224x 32x32x32", "up to 16 sizes"),
            ("pass", "update forward, forward,all ,step", "a list of forward, backward and step"),
            ("repeats", "0 x 10001", "a whole number from 1 to 10000"),
        ):
            for value in wrong.split():
                self.usage(re.escape(f"--{name} {value}: must be {rule}"), "bench", f"--{name}={value}")
        for value in ("0", "5x", "0s", "0.5s", "1.5", "m", "10d", "-1m", "1e3", "2000h", "1 m", "nan"):
            self.usage(f"--checkpoint-every {value}: must be a whole number of steps from 1 to 1000000000, or a time such as", "train",
                       "d", f"--checkpoint-every={value}")
        for value in ("0/3", "4/3", "3", "/3", "1/", "1/2/3", "+1/3", "1/1000001", "x/3", "1/3x", "-1/3"):
            self.usage(f"--part {re.escape(value)}: must be I/N, as 3/8", "extract", "d", f"--part={value}")
        self.usage("--pooling sum: must be one of none, avg, max", "extract", "d", "--pooling", "sum")
        self.usage("--dtype bf16: must be one of f32, f16", "convert", "a", "b", "--dtype", "bf16")
        self.usage("--layout onnx: must be one of auto, keras, torchvision", "convert", "a", "b", "--layout", "onnx")

    def test_contradictions(self):
        train = ["train", "d", "--output", "m.safetensors"]
        self.usage("--from and --weights", *train, "--from", "a", "--weights", "b")
        self.usage("--from and --head", *train, "--from", "a", "--head", "gap,dense:2:softmax")
        self.usage("--from and --layer", *train, "--from", "a", "--layer", "block1_pool")
        self.usage("--validation and --validation-split", *train, "--validation", "v", "--validation-split", "0.2")
        self.usage("--resume: only with --checkpoint DIR", *train, "--resume")
        self.usage("--overwrite: only with --checkpoint DIR", *train, "--overwrite")
        self.usage("--resume and --overwrite: give one of them", *train, "--checkpoint", "ck", "--resume", "--overwrite")
        self.usage("--momentum: only with --optimizer sgd", *train, "--momentum", "0")
        self.usage("--nesterov: only with --momentum above 0", *train, "--nesterov", "--optimizer", "sgd")
        self.usage("--keep best: only with --validation or --validation-split", *train, "--keep", "best")
        self.usage("--monitor: only with validation data and --keep best, --early-stop or --schedule", *train, "--monitor", "val_loss",
                   "--validation", "v")
        self.usage("--schedule plateau:0.1,2: only with --validation", *train, "--schedule", "plateau:0.1,2")
        self.usage("--schedule plateau:0.1,5: EVERY or PATIENCE must be below", *train, "--schedule", "plateau:0.1,5",
                   "--validation", "v", "--epochs", "5")
        self.usage("--warmup 5: must be below the number of --epochs", *train, "--warmup", "5", "--epochs", "5")
        self.usage("--lr-decay: only with a --trainable below the head", *train, "--lr-decay", "0.5")
        self.usage("--lr-decay: only with a --trainable below the head", *train, "--lr-decay", "0.5", "--trainable", "head")
        self.usage("--quiet and --verbose", "devices", "-q", "-v")
        self.usage("extension must be .npy, .h5, .safetensors or .csv", "extract", "d", "-o", "f.txt")
        self.usage("extension must be .safetensors, .h5, .pth, .pt or .onnx", "convert", "a", "b.keras")
        self.usage("--size: only with --head or --classes", "convert", "a", "b.h5", "--size", "32")
        self.usage("extension must be .npy, .h5, .safetensors or .csv", "merge", "f.txt", "a")
        self.usage("OUT or PART is missing", "merge", "f.npy")
        part = ["extract", "d", "--part", "1/2"]
        self.usage("--part: only with an --output that ends in .safetensors; `vgg16 merge`", *part, "-o", "f.npy")
        self.usage("--picture and --part: a part has no picture", *part, "-o", "f.safetensors", "--picture", "p.png")
        self.usage("--resume: only with --part I/N", "extract", "d", "-o", "f.safetensors", "--resume")
        self.usage("--checkpoint-every: only with --checkpoint DIR", *train, "--checkpoint-every", "10m")
        self.usage("--layout keras: needs an OUT", "convert", "a", "b.pth", "--layout", "keras")
        self.usage("--layout torchvision: needs an OUT", "convert", "a", "b.h5", "--layout", "torchvision")
        self.usage("--dtype f16: needs an OUT", "convert", "a", "b.h5", "--dtype", "f16")

    def test_what_cannot_act(self):
        self.usage("--seed: cannot act in evaluate: nothing is random", "evaluate", "d", "-m", "m", "--seed", "0")
        self.usage("--threads: cannot act in devices: nothing is computed", "devices", "--threads", "1")
        self.usage("--output m.h5: the model is written as safetensors; name it X.safetensors", "train", "d", "-o", "m.h5")
        vulkan = ["extract", "d", *TINY, "-o", "f.npy", "--backend", "vulkan"]
        self.usage("--isa: only on the CPU", *vulkan, "--isa", "auto")
        self.usage("--isa: only on the CPU", *vulkan[:-2], "--isa", "avx2", env={"VGG16_BACKEND": "vulkan"})
        self.usage("--threads: only on the CPU", *vulkan, "--threads", "2")
        self.usage("--conv winograd: only on the CPU", *vulkan, "--conv", "winograd")
        self.usage("--conv winograd4: only on the CPU", *vulkan, "--conv", "winograd4")
        self.usage("--conv winograd6: only with --precision fp32", *vulkan[:-2], "--conv", "winograd6", "--isa", "scalar")
        self.usage("--conv winograd8: must be one of auto, direct, winograd, winograd2,", *vulkan[:-2], "--conv", "winograd8")
        self.usage("--colours: only with --picture F.png", *vulkan[:-2], "--colours", "viridis")
        self.usage("--alpha: only with an --output in .png or .html", "explain", "i", "-m", "m", "-o", "e.npy", "--alpha", "0.7")
        self.usage("--backend vulkan: not what --device says", *vulkan, "--device", "cpu")
        self.usage("--isa: --device names a level", *vulkan[:-2], "--device", "cpu:avx2", "--isa", "avx2")
        self.usage("--isa: only on the CPU", *vulkan[:-2], "--device", "vulkan:0", "--isa", "avx2")
        self.usage("--on and --backend", "bench", "--on", "cpu", "--backend", "cpu")
        self.usage("--log: only with --epochs above 0", "train", "d", "-o", "m", "--epochs", "0", "--log", "h.csv")

    def test_values_that_act_on_nothing(self):
        """What is certain is refused, what only the data tell is warned of once."""
        write_folder(self.path("data"), count=2)
        self.usage("--augment zoom=0: must be a list of .* each above 0", "train", "data", "-o", "m", "--augment", "zoom=0")
        self.usage("--schedule step:3:1: must be", "train", "data", "-o", "m", "--schedule", "step:3:1")
        picture = ["extract", "data", *TINY, "--picture", "p.png", "--channels"]
        self.usage("--channels 65: block1_pool has 64", *picture, "65")
        self.succeed(*picture, "64")

        def warnings(*args):
            done = self.run_program(*args)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [line for line in done.stderr.splitlines() if "warning: " in line]

        train = ["train", "data", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1"]
        for part, steps, idle in (("0.5", "2", True), ("0.5", "1", True), ("0.51", "2", False)):
            told = warnings(*train, "--warmup", part, "--steps-per-epoch", steps)
            wanted = f"vgg16: warning: warm-up of {part} epochs: is over before the first step, since an epoch has {steps}"
            self.assertEqual(told, [wanted] if idle else [])
        one = ["data/cat/0.png", "-m", "m.safetensors"]
        lines = (train, ["evaluate", "data", *one[1:]], ["predict", *one], ["explain", *one, "-o", "e.npy"],
                 ["extract", "data", *TINY, "-o", "f.npy"])
        for line in lines:
            self.assertEqual(warnings(*line), [])
            told = warnings(*line, "--decode", "fast")
            self.assertEqual(len(told), 1, told)
            self.assertIn("--decode fast: acts on JPEG files alone", told[0])
        os.rename(self.path("data/dog/1.png"), self.path("data/dog/1.JPE"))
        self.assertEqual(warnings("evaluate", "data", *one[1:], "--decode", "fast"), [])

    def test_what_data_and_device_tell(self):
        """Of the environment nothing is refused."""
        write_folder(self.path("images"), ("0", "1"), count=1)
        write_features(self.path("f.safetensors"), [16, 16, 64], [0, 1])
        train = ["train", "f.safetensors", *TINY, *GAP, "-o", "m.safetensors", "--epochs", "1"]
        cpu = ["--backend", "cpu"]
        self.usage("--augment: only on images; DATA holds features", *train, "--augment", "flip")
        self.usage("--skip-bad: only on images", *train, "--skip-bad")
        self.usage("--on-device-lost: only on a GPU", *train, *cpu, "--on-device-lost", "stop")
        self.succeed(*train, "--skip-bad", "--validation", "images", "-q")
        self.succeed(*train, "-q", *cpu)
        self.usage("--skip-bad: only on images", "evaluate", "f.safetensors", "-m", "m.safetensors", "--skip-bad")
        self.usage("--skip-bad: only on images", "predict", "f.safetensors", "-m", "m.safetensors", "--skip-bad")
        cpu_index = str(next(d["index"] for d in self.json("devices")["devices"] if d["backend"] == "cpu"))
        self.usage("--on-device-lost: only on a GPU", *train, "--device", cpu_index, "--on-device-lost", "cpu",
                   env={"VGG16_BACKEND": ""})

    @unittest.skipUnless(LAVAPIPE, "lavapipe is not installed (Debian: mesa-vulkan-drivers)")
    def test_what_a_vulkan_device_tells(self):
        use_lavapipe(self.env, self.folder)
        devices = [d for d in self.json("devices")["devices"] if d["backend"] == "vulkan"]
        if not devices:
            self.skipTest("this build has no Vulkan")
        write_folder(self.path("images"), count=1)
        device = ["--device", str(devices[0]["index"])]
        extract = ["extract", "images", *TINY, "-o", "f.csv", *device]
        for option in (["--isa", "scalar"], ["--threads", "1"], ["--conv", "winograd"]):
            self.usage(option[0] + ".*: only on the CPU", *extract, *option)
        self.succeed(*extract, "--conv", "direct", env={"VGG16_ISA": "scalar", "VGG16_THREADS": "1"})
        self.usage("--isa: only on the CPU", "selftest", *device, "--isa", "scalar")
        self.usage("--threads: only on the CPU", "bench", *device, "--threads", "1")

    def test_environment(self):
        self.usage("VGG16_THREADS=many: must be a whole number from 1", "devices", env={"VGG16_THREADS": "many"})
        self.usage("VGG16_BACKEND=gpu: must be one of auto, cpu", "devices", env={"VGG16_BACKEND": "gpu"})
        self.usage("VGG16_ISA=mmx: must be one of auto, scalar", "devices", env={"VGG16_ISA": "mmx"})
        self.usage("VGG16_PRECISION=f16: must be one of fp32", "devices", env={"VGG16_PRECISION": "f16"})
        self.succeed("devices", env={"VGG16_THREADS": "", "VGG16_BACKEND": ""})

    def test_environment_is_used_and_overridden(self):
        data = write_folder(self.path("data"), count=1)
        self.train(data)
        predict = ["predict", "-m", "m.safetensors", "data", "-v"]
        chosen = {"VGG16_ISA": "scalar", "VGG16_BACKEND": "cpu", "VGG16_THREADS": "1"}
        for env, reason in ((chosen, "asked for"), ({}, "GPU")):
            told = self.run_program(*predict, env=env)
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertRegex(told.stderr, f"backend cpu .*{reason}")
        self.fail_with(1, "no device .nosuch", *predict[:-1], env={"VGG16_DEVICE": "nosuch"})
        self.succeed(*predict[:-1], "--device", "0", env={"VGG16_DEVICE": "nosuch"})
        # What was typed counts, not what the environment says beside it.
        self.succeed(*predict[:-1], "--device", "cpu:scalar", env={"VGG16_BACKEND": "vulkan", "VGG16_ISA": "avx2"})
        self.succeed(*predict[:-1], "--backend", "cpu", env={"VGG16_DEVICE": "vulkan:0"})
        self.succeed(*predict[:-1], "--isa", "scalar", env={"VGG16_DEVICE": "cpu:mmx"})


class Order(Program):
    """Options may stand before or after the command."""

    def setUp(self):
        super().setUp()
        self.data = write_folder(self.path("data"), count=1)
        self.train(self.data)

    def test_everywhere(self):
        expected = self.succeed("predict", "--model", "m.safetensors", "--top", "1", "data/cat/0.png")
        for args in (
            "--top 1 --model m.safetensors predict data/cat/0.png",
            "--model=m.safetensors predict data/cat/0.png --top=1",
            "-m m.safetensors -q predict --top 1 -- data/cat/0.png",
            "-qmm.safetensors --threads 1 predict data/cat/0.png --to 1",
            "predict data/cat/0.png --mod m.safetensors --top 3 --top 1",
        ):
            self.assertEqual(self.succeed(*args.split()), expected, args)

    def test_top_is_a_flag_of_summary(self):
        done = self.run_program("--top", "summary", "m.safetensors", timeout=100)
        self.assertEqual(done.returncode, 1)
        self.assertIn("fc1", done.stderr)

    def test_output_named_like_a_command(self):
        self.succeed("--output", "train.csv", "evaluate", "data", "--model", "m.safetensors")
        self.succeed("--output", "train", "evaluate", "data", "--model", "m.safetensors")
        self.assertTrue(os.path.exists(self.path("train")))

    def test_words_after_two_dashes(self):
        self.fail_with(1, "^vgg16: --json: ", "predict", "-m", "m.safetensors", "--", "--json")


class Stdout(Program):
    def test_full(self):
        with open("/dev/full", "w") as full:
            for args in (["--help"], ["devices"], ["summary", "--json"], ["train", "--help"], ["--version"]):
                self.fail_with(1, "standard output: cannot be written: No space left", *args, stdout=full)

    def test_closed_pipe(self):
        read, write = os.pipe()
        os.close(read)
        try:
            self.fail_with(1, "standard output: cannot be written: Broken pipe", "summary", stdout=write)
        finally:
            os.close(write)

    def test_closed(self):
        done = subprocess.run(
            ["sh", "-c", '"$0" devices >&-', PROGRAM], stderr=subprocess.PIPE, env=self.env, text=True
        )
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_precision(self):
        data = write_folder(self.path("data"), count=1)
        self.train(data)
        bf16 = ["--backend", "cpu", "--isa", "scalar", "--precision", "bf16"]
        self.usage("--precision fp16: only with Vulkan", "train", data, "-o", "n.safetensors", *bf16[:2], "--precision", "fp16")
        self.usage("--precision fp16: only with Vulkan", "bench", "--on", "cpu:avx2", "--precision", "fp16")
        self.usage("--precision bf16: training needs fp32 or fp16", "train", data, *TINY, *GAP, "-o", "n.safetensors", *bf16)
        self.fail_with(1, "training needs fp32 or fp16", "train", data, *TINY, *GAP, "-o", "n.safetensors", "-q", *bf16[:4],
                       env={"VGG16_PRECISION": "bf16"})
        expected = self.json("predict", "-m", "m.safetensors", "data", *bf16[:4])
        rounded = self.json("predict", "-m", "m.safetensors", "data", *bf16)
        self.assertNotEqual(rounded, expected)
        self.fail_with(1, "bf16 dot products", "predict", "-m", "m.safetensors", "data", "--isa", "avx2", *bf16[4:])
