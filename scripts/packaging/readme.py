#!/usr/bin/env python3
"""readme.py PART...: runs what README.md says, as it stands there, with what is installed, in a folder of its own.

  program  the lines that begin with vgg16
  ranks    the first line that begins with mpirun, for each MPI that is here
  library  the program in C, built by the lines for pkg-config and by the lines for CMake
  python   the lines in Python; needs scikit-learn
  small    not the README's, but the whole way by VGG11 at 32 x 32, for an emulated processor: extract, a head, fine-tuning,
           evaluate, predict, explain, convert

A few small pictures stand for the photos, and the starter weights for ImageNet's; what needs a network or measures speed
(pull, bench) is passed over and named. Python's standard library is enough. Exit code 0: every line did.
"""
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
PASSED_OVER = {"pull": "needs a network", "bench": "measures"}
SMALL = " --size 32 --epochs 1 --shard 3"  # four shards, a rank each
COLOURS = {"cat": (60, 90, 200), "dog": (60, 200, 90), "bee": (190, 100, 60)}


def blocks(language, text=""):
    with open(README, encoding="utf-8") as stream:
        found = re.findall(rf"^```{language}\n(.*?)^```$", stream.read(), re.M | re.S)
    return [block for block in found if text in block]


def lines(block):
    """Commands without comments, a line each."""
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        line = re.sub(r"\s+#.*", "", line).strip()
        if line and not line.startswith("#"):
            yield line


def picture(path, colour, noise):
    """A BMP of 40 x 48 pixels, which by its name is a JPEG: what a file holds decides."""
    width, height = 40, 48
    pixels = bytes(min(255, channel + noise.randrange(56)) for _ in range(width * height) for channel in colour)
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    head += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(head + pixels)


def run(command, **more):
    print(f"$ {command}", flush=True)
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], check=True, stdin=subprocess.DEVNULL, **more)


def prepare():
    noise = random.Random(7)
    for folder in ("photos", "pets/train", "pets/validation", "train", "validation"):
        for name in ("cat", "dog"):
            for i in range(5):
                picture(f"{folder}/{name}/{name}.{i}.jpg", COLOURS[name], noise)
    picture("photo.jpg", COLOURS["dog"], noise)
    os.environ["TORCH_HOME"] = os.path.abspath("torch")
    os.makedirs("torch/hub/checkpoints")
    summary = subprocess.run(["vgg16", "summary", "starter"], check=True, stdout=subprocess.PIPE, text=True).stdout
    starter = re.search(r"/\S*/share/vgg16/\S*\.safetensors", summary)[0]
    subprocess.run(["vgg16", "--quiet", "convert", starter, "torch/hub/checkpoints/vgg16-starter.safetensors"], check=True)


def theirs():
    """A classifier of three classes with PyTorch's names."""
    noise = random.Random(8)
    for name, colour in COLOURS.items():
        picture(f"three/{name}/1.jpg", colour, noise)
    subprocess.run(["vgg16", "--quiet", "train", "three", "--weights", "starter", "--size", "32", "--epochs", "1", "--head",
                    "flatten,dense:256:relu,dense:3:softmax", "--output", "three.safetensors"], check=True)
    subprocess.run(["vgg16", "--quiet", "convert", "three.safetensors", "theirs.pth"], check=True)


def jobs(line):
    """A line with --part I/N as each of the N jobs has it; others as they are."""
    part = re.search(r"--part (\d+)/(\d+)", line)
    numbers = range(1, int(part[2]) + 1) if part else ()
    return [re.sub(rf"\b{part[1]}(?=/{part[2]}|\.safetensors)", str(i), line) for i in numbers] or [line]


def program():
    theirs()
    ran = 0
    if "without libhdf5" in subprocess.run(["vgg16", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout:
        PASSED_OVER["convert"] = "writes .h5, which this program does not"
    for block in blocks("sh"):
        for line in lines(block):
            words = line.split()
            if words[0] != "vgg16" or "..." in words:
                continue
            if words[1] in PASSED_OVER and (words[1] != "convert" or words[-1].endswith(".h5")):
                print(f"# {PASSED_OVER[words[1]]}: {line}")
                continue
            for job in jobs(line):
                run(job)
            ran += 1
    if ran < 15:
        sys.exit(f"readme.py: only {ran} lines were found in README.md")


def ranks():
    line = next(line for block in blocks("sh", "mpirun") for line in lines(block) if line.startswith("mpirun"))
    done = []
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1")
    for mpi in ("openmpi", "mpich"):
        if not shutil.which(f"mpirun.{mpi}"):
            print(f"# not here: mpirun.{mpi}")
            continue
        here = line if mpi == "openmpi" else line.replace(" --bind-to none", "")  # which is Open MPI's
        run(here.replace("mpirun", f"mpirun.{mpi}", 1) + SMALL)
        os.rename("tuned.safetensors", f"{mpi}.safetensors")
        done.append(f"{mpi}.safetensors")
    run(re.sub(r"^.* vgg16", "vgg16", line) + SMALL)
    for name in done:
        run(f"cmp {name} tuned.safetensors")
    if not done:
        sys.exit("readme.py: there is no mpirun")


def library():
    with open("features.c", "w", encoding="utf-8") as stream:
        stream.write(blocks("c")[0])
    os.mkdir("cmake")
    with open("CMakeLists.txt", "w", encoding="utf-8") as stream:
        stream.write(blocks("cmake")[0])
    run(next(line for block in blocks("sh", "--libs vgg16") for line in lines(block)))
    run("./features photo.jpg > 1.txt && [ $(wc -w < 1.txt) = 512 ]")
    run("cmake -B cmake && cmake --build cmake && cmake/features photo.jpg | cmp - 1.txt")


def python():
    block = blocks("python", "import vgg16")[0]
    print(block, flush=True)
    subprocess.run(["/usr/bin/python3", "-c", block], check=True)


def told(command):
    print(f"$ {command}", flush=True)
    return json.loads(subprocess.run(command.split(), check=True, stdout=subprocess.PIPE, text=True).stdout)


def right(evaluation):
    if evaluation["accuracy"] != 1:
        sys.exit(f"readme.py: the colours are told apart in {evaluation['accuracy']} of the cases")


def small():
    theirs()
    base = "--arch vgg11 --weights random --size 32 --preprocess torch"
    run(f"vgg16 extract photos {base} --output features.safetensors")
    run("vgg16 train features.safetensors --head gap,dense:2:softmax --optimizer adam --lr 0.01 --epochs 30 --output head.safetensors")
    right(told("vgg16 evaluate features.safetensors --model head.safetensors --json"))
    run(f"vgg16 train photos {base} --head gap,dense:2:softmax --trainable block5 --optimizer adam --lr 0.001 --epochs 1 "
        "--batch 5 --augment flip,rotate=10 --checkpoint checkpoints --output tuned.safetensors")
    run("vgg16 train photos --from tuned.safetensors --trainable head --optimizer adam --lr 0.01 --epochs 8 "
        "--output trained.safetensors")
    right(told("vgg16 evaluate pets/validation --model trained.safetensors --json"))
    run("vgg16 predict --model trained.safetensors photo.jpg | grep -m 1 -E 'photo|dog'")
    run("vgg16 explain --model trained.safetensors photo.jpg --output heat.png && [ -s heat.png ]")
    run("vgg16 convert trained.safetensors trained.onnx && vgg16 convert trained.safetensors trained.pth")
    run("vgg16 summary trained.safetensors")


def main():
    parts = {"program": program, "ranks": ranks, "library": library, "python": python, "small": small}
    wanted = sys.argv[1:]
    if not wanted or set(wanted) - set(parts):
        sys.exit(f"usage: readme.py PART...; there are {', '.join(parts)}")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin wait long for those that have no processor
    for part in wanted:
        with tempfile.TemporaryDirectory(prefix="vgg16-readme-") as folder:
            os.chdir(folder)
            prepare()
            parts[part]()
            os.chdir("/")


if __name__ == "__main__":
    main()
