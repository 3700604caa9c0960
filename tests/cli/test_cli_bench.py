"""vgg16 bench: table, JSON, report, comparison, interruption, on a network that runs in milliseconds."""

import json
import os
import re
import signal
import subprocess
import time

from cli_support import PROGRAM, Program

SMALL = ["bench", "--arch", "vgg11", "--size", "32", "--repeats", "3"]
TIMES = ["min", "q1", "median", "q3", "max"]
RESULT = """device pass batch height width seconds runs first_seconds images_per_second flops bytes flops_per_second
peak_share memory error error_bound others_share steal_share noise energy_joules layers""".split()
LAYER = """name op stage seconds runs flops bytes intensity flops_per_second roof_flops_per_second
roof_share""".split()
DEVICE = """name backend device type driver isa conv threads memory peak_flops_per_second
bandwidth_bytes_per_second""".split()


class Bench(Program):
    def setUp(self):
        super().setUp()
        self.env["OMP_WAIT_POLICY"] = "passive"

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def check_times(self, row):
        self.assertEqual(list(row["seconds"]), TIMES)
        values = [row["seconds"][name] for name in TIMES]
        self.assertEqual(values, sorted(values))
        self.assertGreater(values[0], 0)

    def test_schema(self):
        told = self.json(*SMALL, "--on", "cpu:auto,cpu:auto:direct", "--pass", "forward,step", "--batch", "1,2", "--layers", timeout=300)
        self.assertEqual(
            list(told),
            "schema schema_version version date machine network interrupted peak_resident devices results skipped".split(),
        )
        self.assertEqual((told["schema"], told["schema_version"]), ("vgg16-bench", 1))
        self.assertRegex(told["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(told["network"], {"arch": "vgg11", "head": "gap,dense:10:softmax", "trainable": "all"})
        self.assertGreater(told["machine"]["processors"], 0)
        self.assertGreater(told["peak_resident"], 1 << 20)
        self.assertFalse(told["interrupted"])
        names = [d["name"] for d in told["devices"]]
        self.assertRegex(" ".join(names), r"^cpu:\w+ cpu:\w+:direct$")
        for device in told["devices"]:
            self.assertEqual(list(device), DEVICE)
            self.assertGreater(device["peak_flops_per_second"], 1e6)
            self.assertGreater(device["bandwidth_bytes_per_second"], 1e6)
        self.assertEqual(
            [(r["batch"], r["pass"], r["device"]) for r in told["results"]],
            [(b, p, d) for b in (1, 2) for p in ("forward", "step") for d in names],
        )
        for result in told["results"]:
            self.check_result(result)
        documented = self.read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../benchmarks/README.md"))
        for name in set(RESULT + LAYER + DEVICE + list(told)):
            self.assertIn(f"`{name}`", documented)

    def test_precisions_stand_beside_fp32(self):
        for precision, bound in (("bf16", 5e-2), ("int8", 2e-1)):
            told = self.json(*SMALL, "--isa", "scalar", "--precision", precision, timeout=300)
            self.assertEqual([d["name"] for d in told["devices"]], ["cpu:scalar", "cpu:scalar:" + precision])
            self.assertEqual([r["pass"] for r in told["results"]], ["forward"] * 2)
            exact, other = told["results"]
            self.assertEqual((exact["error"], exact["error_bound"], other["error_bound"]), (0, 1e-3, bound))
            self.assertGreater(other["error"], 1e-4)
        told = self.json(*SMALL, "--on", "cpu:scalar:direct,cpu:scalar", "--precision", "int8", timeout=300)
        names = ["cpu:scalar:direct", "cpu:scalar:direct:int8", "cpu:scalar", "cpu:scalar:int8"]
        self.assertEqual([d["name"] for d in told["devices"]], names)
        direct, other = (r["error"] for r in told["results"] if r["device"].endswith("int8"))
        self.assertNotEqual(direct, other)
        shown = self.succeed(*SMALL, "--isa", "scalar", "--precision", "bf16", timeout=300)
        rows = [line for line in shown.splitlines() if line.startswith("forward")]
        self.assertEqual([bool(re.search(r" \d+\.\d\d% off fp32$", row)) for row in rows], [False, True])
        self.usage("--pass: only forward with --precision bf16 or int8", *SMALL, "--isa", "scalar", "--precision", "bf16", "--pass", "step")

    def check_result(self, result):
        self.assertEqual(list(result), RESULT)
        self.check_times(result)
        median = result["seconds"]["median"]
        self.assertAlmostEqual(result["images_per_second"] * median, result["batch"], places=6)
        self.assertAlmostEqual(result["flops_per_second"] * median / result["flops"], 1, places=6)
        self.assertLessEqual(result["error"], result["error_bound"])
        self.assertEqual(result["memory"]["gradients"] > 0, result["pass"] == "step")
        self.assertAlmostEqual(sum(layer["flops"] for layer in result["layers"]) / result["flops"], 1, places=9)
        self.assertAlmostEqual(sum(layer["bytes"] for layer in result["layers"]) / result["bytes"], 1, places=9)
        for layer in result["layers"]:
            self.assertEqual(list(layer), LAYER)
            self.check_times(layer)
            self.assertAlmostEqual(layer["intensity"] * layer["bytes"] / layer["flops"], 1, places=9)

    def test_nothing_measured(self):
        """What is left out is a result; that nothing is left is a failure."""
        args = [*SMALL, "--on", "cpu:scalar", "-q"]
        done = self.fail_with(1, "^vgg16: nothing was measured: all was left out; take a larger --memory$", *args, "--memory", "1M")
        self.assertRegex(done.stdout, "(?m)^Left out: cpu:scalar, forward, batch 1 at 32x32: needs .* the limit is 1 MiB$")
        done = self.fail_with(1, "^vgg16: nothing was measured", *args, "--memory", "1M", "--json")
        self.assertEqual(json.loads(done.stdout)["results"], [])

    def test_table_and_report(self):
        text = self.succeed(*SMALL, "--on", "cpu", "--layers", "--report", "bench.html", "-q")
        self.assertRegex(text, r"(?m)^Device +Name +Threads +Peak GFLOP/s +GB/s$")
        for name in ("forward", "backward", "step"):
            self.assertRegex(text, rf"(?m)^{name} +1 +32 cpu:\w+ +[\d.]+ +[\d.]+% +[\d.]+ +[\d.]+ +\d+% +\d+")
        self.assertRegex(text, r"(?m)^    block5_conv2 +CONV_BWD_WEIGHT +[\d.]+ ")
        self.assertRegex(text, r"(?m)^Most memory held by the process: \d+ MiB$")
        page = self.read("bench.html")
        self.assertTrue(page.startswith("<!DOCTYPE html>") or page.startswith("<!doctype html>"))
        for words in ("Training step", "Roofline", "Share of the roof", "block5_conv2", "All results"):
            self.assertIn(words, page)
        self.assertGreater(page.count('<rect class="b"'), 2)
        self.assertGreater(page.count('<rect class="h"'), 20)
        self.assertNotRegex(page, r"<script|https?://(?!www\.w3\.org)")

    def test_winograd_where_it_is_not(self):
        """Plain C computes directly: it is not measured under Winograd's name."""
        told = self.json(*SMALL, "--on", "cpu:scalar:winograd4,cpu:scalar:direct", "--pass", "forward")
        self.assertEqual([result["device"] for result in told["results"]], ["cpu:scalar:direct"])
        (left,) = [entry for entry in told["skipped"] if entry["device"] == "cpu:scalar"]
        self.assertIn("Winograd needs fp32 and a level above scalar", left["why"])

    def test_compare(self):
        first = self.json(*SMALL, "--on", "cpu:auto", "--pass", "forward", "--repeats", "9")
        self.assertNotIn("comparison", first)

        def against(factor):
            old = json.loads(json.dumps(first))
            for name in TIMES:
                old["results"][0]["seconds"][name] *= factor
            with open(self.path("old.json"), "w") as f:
                json.dump(old, f)
            return [*SMALL, "--on", "cpu:auto", "--pass", "forward", "--repeats", "9", "--compare", "old.json"]

        # A tenth of the time is beyond any machine's noise, and so is ten times as much.
        slow = self.json(*against(0.05))["comparison"]
        self.assertEqual((slow["slower"], slow["faster"]), (1, 0))
        self.assertEqual(slow["changes"][0]["verdict"], "slower")
        self.assertGreater(slow["changes"][0]["ratio"], 2)
        text = self.succeed(*against(20))
        self.assertRegex(text, r"(?m)^faster +[\d.]+x  forward +batch 1 at 32 on cpu:\w+: [\d.]+ ms, was [\d.]+ \(noise")
        self.assertIn("0 slower, 1 faster, 0 of 1 within the noise", text)

    def test_broken_old_file(self):
        with open(self.path("old.json"), "w") as f:
            f.write('{"schema": "something else"}')
        self.fail_with(1, "old.json: is not what `vgg16 bench --json` writes", *SMALL, "--compare", "old.json")
        self.fail_with(1, "none.json: cannot be opened", *SMALL, "--compare", "none.json")
        self.fail_with(1, "there is no folder", *SMALL, "--report", "no/where.html")

    def test_wrong_devices(self):
        self.fail_with(1, "no device .gpu.; there (is|are) cpu ", *SMALL, "--on", "gpu")
        self.fail_with(1, "no device .vulkan:77.", *SMALL, "--on", "vulkan:77")
        self.fail_with(2, "isa mmx: is not known", *SMALL, "--on", "cpu:mmx")

    def test_devices_by_every_name(self):
        """--on takes what --device takes; a device that has two names is measured once."""
        devices = self.json("devices")["devices"]
        cpu = [d["name"] for d in self.json(*SMALL, "--on", "cpu", "--pass", "forward")["devices"]]
        self.assertTrue(all(name.startswith("cpu:") for name in cpu))
        whole = devices[0]["name"]
        forms = ["0", "cpu"] + [whole] * ("," not in whole)
        told = self.json(*SMALL, "--on", ",".join(forms), "--pass", "forward")
        self.assertEqual([d["name"] for d in told["devices"]], cpu)
        told = self.json(*SMALL, "--device", cpu[0], "--pass", "forward")
        self.assertEqual([d["name"] for d in told["devices"]], cpu[:1])
        vulkan = [d for d in devices if d["backend"] == "vulkan"]
        if not vulkan:
            self.skipTest("no Vulkan device here")
        forms = [str(vulkan[0]["index"]), "vulkan:0", vulkan[0]["uuid"]]
        told = self.json(*SMALL, "--on", ",".join(forms), "--pass", "forward", timeout=300)
        self.assertEqual([d["name"] for d in told["devices"]], ["vulkan:0"])
        # Options of the CPU cannot act where the list names none, in whatever words.
        for word in forms:
            self.usage("--threads: only on the CPU", *SMALL, "--on", word, "--threads", "1")

    def test_interrupt(self):
        program = subprocess.Popen(
            [PROGRAM, *SMALL, "--on", "cpu:auto", "--pass", "forward", "--repeats", "10000", "--json", "--report", "r.html"],
            cwd=self.folder,
            env=dict(self.env, TERM="dumb"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Roofs and warm-up come first; a line of progress tells that runs are being timed.
        started = time.monotonic()
        for line in program.stderr:
            if re.match(r"forward: ([3-9]|\d\d+)[0-9]*/", line) or time.monotonic() - started > 60:
                break
        time.sleep(1)
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 130)
        told = json.loads(out)
        self.assertTrue(told["interrupted"])
        self.assertEqual(len(told["results"]), 1)
        self.assertGreaterEqual(told["results"][0]["runs"], 3)
        self.assertLess(told["results"][0]["runs"], 10000)
        self.assertIn("interrupted", self.read("r.html"))
