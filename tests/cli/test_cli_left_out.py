"""What data sets leave out is said once, on stderr, by every command that opens one."""

import json
import os
import shutil
import unittest
from pathlib import Path

from cli_support import GAP, TINY, Program, write_folder

LEFT = "left out: 3 .xcf, 1 .heic, 1 without suffix"
DOG = f"vgg16: warning: data/dog: {LEFT}"
FLAT = f"vgg16: warning: flat: {LEFT}"


class LeftOut(Program):
    def setUp(self):
        super().setUp()
        dog = os.path.join(write_folder(self.path("data"), count=3), "dog")
        for name in ("a.xcf", "b.XCF", "c.xcf", "phone.heic", "plain", ".DS_Store"):
            open(os.path.join(dog, name), "w").close()
        shutil.copytree(dog, self.path("flat"))
        os.makedirs(os.path.join(dog, "puppies", "small"))
        os.mkdir(os.path.join(dog, "empty"))
        for i in range(5):
            place = ("puppies", "puppies/small")[i == 4]
            shutil.copy(os.path.join(dog, "0.png"), os.path.join(dog, place, f"{i}.png"))

    def test_every_command_says_it_once(self):
        self.train("data")
        train = ["train", "data", *TINY, *GAP, "--epochs", "1", "--batch", "2", "--output", "n.safetensors"]
        model = ["--model", "m.safetensors"]
        for expected, *args in (
            (DOG, "extract", "data", *TINY, "--output", "f.csv"),
            (DOG, "extract", "data", *TINY, "--output", "f.csv", "-q"),
            (FLAT, "extract", "flat", *TINY, "--output", "f.csv"),
            (DOG, *train),
            (DOG, *train, "--validation-split", "0.4"),
            (DOG, "evaluate", "data", *model),
            (FLAT, "predict", "flat", *model),
            (FLAT, "explain", "flat", *model, "--output", "heat.html"),
        ):
            done = self.run_program(*args)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([x for x in done.stderr.splitlines() if "warning" in x], [expected], args)

    def test_json(self):
        self.train("data")
        done = self.run_program("evaluate", "data", "--model", "m.safetensors", "--json")
        self.assertEqual(done.stderr.splitlines(), [DOG])
        self.assertIn("loss", json.loads(done.stdout))

    def test_a_list_is_not_filtered(self):
        shutil.copy(self.path("data/cat/0.png"), self.path("odd.xyz"))
        with open(self.path("list.txt"), "w") as f:
            f.write("odd.xyz\ndata/cat/1.png\n")
        done = self.run_program("extract", "list.txt", *TINY, "--output", "f.csv")
        self.assertEqual((done.returncode, "warning" in done.stderr), (0, False), done.stderr)
        self.assertEqual(len(Path(self.path("f.csv")).read_text().splitlines()), 3)

    def test_what_lies_deeper(self):
        """Images below a class belong to it; the parent of train/ and validation/ is named as such."""
        extract = [*TINY, "--output", "f.csv"]
        for name in ("cat", "dog"):
            shutil.copytree(self.path(f"data/{name}"), self.path(f"parts/train/{name}"))
            shutil.copytree(self.path("flat"), self.path(f"parts/validation/{name}"))
            shutil.copytree(self.path(f"data/{name}"), self.path(f"all/{name}/sub"))
        for data in ("data", "all"):
            self.succeed("extract", data, *extract)
            self.assertEqual(len(Path(self.path("f.csv")).read_text().splitlines()), 1 + 3 + 3 + 5)
        self.fail_with(
            1,
            "parts: looks like the parent of data sets: parts/validation holds images in its subfolders alone; give "
            "parts/train or parts/validation instead$",
            "extract",
            "parts/",
            *extract,
        )


if __name__ == "__main__":
    unittest.main()
