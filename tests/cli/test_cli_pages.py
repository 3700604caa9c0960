"""The manual page and the completions that the build makes."""

import os
import re
import shutil
import subprocess
import unittest

from cli_support import PROGRAM, Program
from test_cli_usage import COMMANDS, COMMON, OPTIONS

PAGES = os.path.join(os.path.dirname(PROGRAM), "pages")
SOURCES = os.path.join(os.path.dirname(__file__), "..", "..")


def need(program):
    return unittest.skipUnless(shutil.which(program), f"no {program}")


@unittest.skipUnless(os.path.isdir(PAGES), f"no {PAGES}")
class Pages(Program):
    def run_tool(self, *command, **kwargs):
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env=self.env, **kwargs)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout


class Manual(Pages):
    def setUp(self):
        super().setUp()
        with open(os.path.join(PAGES, "vgg16.1")) as f:
            self.text = f.read()

    @need("groff")
    def test_is_well_formed(self):
        self.run_tool("groff", "-man", "-ww", "-z", "-Tutf8", os.path.join(PAGES, "vgg16.1"))

    @need("groff")
    def test_tells_everything(self):
        text = self.run_tool("groff", "-man", "-Tascii", "-P-c", "-rLL=200n", os.path.join(PAGES, "vgg16.1"))
        text = re.sub(".\b", "", text)
        for command in COMMANDS:
            section = re.search(rf"(?ms)^   vgg16 {command}\b.*?(?=^   vgg16 |^[A-Z])", text).group(0)
            self.assertEqual(
                sorted(re.findall(r"(?m)^       (?:-., )?--([a-z-]+)(?![a-z,:-]| [a-z])", section)), sorted(OPTIONS[command].split())
            )
        self.assertRegex(text, r"(?m)^       -q, --quiet$")
        self.assertRegex(text, r"(?m)^       --momentum: only with --optimizer sgd$")
        self.assertRegex(text, r"(?m)^ +In extract, train, quantize, bench\.$|default 0\) +In extract, train, quantize, bench\.$")
        self.assertIn("--weights W", text)
        self.assertIn("the first Ctrl-C stops", text)

    def test_tells_every_variable(self):
        names = set()
        for folder in ("core", "core/cli", "cpu", "vk"):
            for name in os.listdir(os.path.join(SOURCES, folder)):
                if name.endswith(".c"):
                    with open(os.path.join(SOURCES, folder, name)) as f:
                        names.update(re.findall(r'"(VGG16_[A-Z_]+|(?:KERAS|TORCH|HF)_[A-Z_]+|NO_COLOR)"', f.read()))
        self.assertIn("VGG16_BACKEND", names)
        # VGG16_VK_*: limits that tests set
        untold = [n for n in sorted(names) if n not in self.text and not n.startswith("VGG16_VK_")]
        self.assertEqual(untold, [])


@need("bash")
class Bash(Pages):
    def complete(self, *words):
        """What the last word is completed to, split as readline does it."""
        script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vgg16; printf "%s\\n" "${COMPREPLY[@]}"'
        done = self.run_tool("bash", "-c", script, "bash", os.path.join(PAGES, "vgg16.bash"), "vgg16", *words)
        return sorted(done.split())

    def test_is_registered(self):
        told = self.run_tool("bash", "-c", 'source "$1"; complete -p vgg16', "-", os.path.join(PAGES, "vgg16.bash"))
        self.assertEqual(told, "complete -F _vgg16 vgg16\n")

    def test_commands(self):
        self.assertEqual(self.complete(""), sorted(COMMANDS + ["help"]))
        self.assertEqual(self.complete("help", "ev"), ["evaluate"])
        self.assertEqual(self.complete("ev"), ["evaluate"])
        self.assertEqual(self.complete("--backend", "cpu", "-q", "--seed", "=", "3", "ev"), ["evaluate"])

    def test_options(self):
        for command in COMMANDS:
            wanted = sorted("--" + name for name in (OPTIONS[command] + " " + COMMON[command]).split())
            self.assertEqual(self.complete(command, "--"), wanted)
        self.assertEqual(self.complete("--js"), ["--json"])
        self.assertEqual(self.complete("train", "data", "--resu"), ["--resume"])
        self.assertEqual(self.complete("--weights", "random", "train", "--resu"), ["--resume"])

    def test_values(self):
        self.assertEqual(self.complete("train", "--optimizer", ""), sorted("rmsprop sgd adam adamw".split()))
        self.assertEqual(self.complete("train", "--optimizer", "=", "ad"), ["adam", "adamw"])
        self.assertEqual(self.complete("train", "--optimizer", "="), sorted("rmsprop sgd adam adamw".split()))
        self.assertEqual(self.complete("train", "--epochs", ""), [])
        self.assertEqual(self.complete("--backend", ""), ["auto", "cpu", "vulkan"])
        self.assertEqual(self.complete("extract", "--preprocess", ""), ["caffe", "none", "rescale", "torch"])
        self.assertEqual(self.complete("extract", "--pooling", ""), ["avg", "max", "none"])
        self.assertEqual(self.complete("extract", "--layer", "block5_p"), ["block5_pool"])
        self.assertEqual(self.complete("pull", ""), ["vgg16", "vgg16-notop"])
        self.assertEqual(self.complete("devices", ""), [])

    def test_files(self):
        os.mkdir(self.path("photos"))
        open(self.path("photo.jpg"), "w").close()
        self.assertEqual(self.complete("train", "pho"), ["photo.jpg", "photos"])
        self.assertEqual(self.complete("train", "--checkpoint", "pho"), ["photos"])
        self.assertEqual(self.complete("predict", "-m", "pho"), ["photo.jpg", "photos"])
        self.assertEqual(self.complete("predict", "-m", "st"), ["starter"])
        self.assertEqual(self.complete("train", "--weights", "ran"), ["random"])


@need("zsh")
class Zsh(Pages):
    def test_is_well_formed(self):
        self.run_tool("zsh", "-n", os.path.join(PAGES, "_vgg16"))

    def complete(self, line):
        """What zsh writes after the line and a tab, in a terminal of its own."""
        script = """
            zmodload zsh/zpty
            zpty z "TERM=dumb zsh -f -i"
            zpty -w z "PS1= RPS1=; fpath=($1 \\$fpath); autoload -U compinit; compinit -u -D; setopt no_auto_menu"
            zpty -w z "zstyle ':completion:*' list-separator ' '; zstyle ':completion:*' list-colors; bindkey '^I' complete-word; echo rea''dy"
            zpty -r z out '*ready*'
            zpty -w -n z "$2"$'\\t'
            zpty -w -n z $'\\x01echo \\x05 fi\\'\\'nis\\n'
            zpty -r z out '*finis*'
            print -r -- $out
            zpty -d z
        """
        return self.run_tool("zsh", "-f", "-c", script, "zsh", PAGES, line, timeout=60)

    def test_completes(self):
        for begun, whole in (
            ("vgg16 ev", "vgg16 evaluate"),
            ("vgg16 help ev", "vgg16 help evaluate"),
            ("vgg16 train --optimizer=rm", "vgg16 train --optimizer=rmsprop"),
            ("vgg16 -q --backend cpu train --early", "vgg16 -q --backend cpu train --early-stop"),
            ("vgg16 pull vgg16-", "vgg16 pull vgg16-notop"),
        ):
            self.assertIn(f"\n{whole} finis", self.complete(begun))
