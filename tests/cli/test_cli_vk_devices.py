"""Devices of Vulkan drivers that need no GPU: which are listed, and how one is chosen."""

import glob
import json
import os
import shutil
import unittest

from cli_support import LAVAPIPE, TINY, Program, write_folder

RADV = next(iter(glob.glob("/usr/share/vulkan/icd.d/radeon_icd*.json")), None)
SWIFTSHADER = next(iter(glob.glob("/usr/lib/chromium/vk_swiftshader_icd.json")), None)


class VulkanDevices(Program):
    def setUp(self):
        super().setUp()
        done = self.run_program("extract", "none", *TINY, "--backend", "vulkan", "-o", "f.npy")
        if "not part of this build" in done.stderr:
            self.skipTest("this build has no Vulkan")

    def drivers(self, *paths):
        self.env.update(VK_ICD_FILENAMES=os.pathsep.join(paths), XDG_RUNTIME_DIR=self.folder)
        return [d for d in self.json("devices")["devices"] if d["backend"] == "vulkan"]

    def taken(self, *options):
        """The line that tells which device served an extraction."""
        args = ["extract", "data", *TINY, "--layer", "block1_pool", "-o", "f.npy", "-v"]
        done = self.run_program(*args, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr.split("\n")[0]

    def test_no_driver(self):
        self.assertEqual(self.drivers(os.devnull), [])
        write_folder(self.path("data"), count=1)
        self.assertRegex(self.taken(), "backend cpu on .*: no GPU comes before the CPU")
        args = ["extract", "data", *TINY, "--backend", "vulkan", "-o", "f.npy"]
        self.fail_with(1, "backend vulkan finds no device", *args)
        args = ["extract", "data", *TINY, "-o", "f.npy", "--precision", "fp16"]
        self.fail_with(1, "precision fp16: there is no GPU here to compute in it; the CPU computes in fp32, bf16 and int8", *args)
        self.assertRegex(self.taken("--precision", "int8"), "backend cpu on .*: no GPU comes before the CPU")

    @unittest.skipUnless(LAVAPIPE, "lavapipe is not installed (Debian: mesa-vulkan-drivers)")
    def test_fp16_is_not_left_to_a_processor(self):
        self.drivers(LAVAPIPE)
        write_folder(self.path("data"), count=1)
        args = ["extract", "data", *TINY, "-o", "f.npy", "--precision", "fp16"]
        self.fail_with(1, "precision fp16: there is no GPU here to compute in it, and llvmpipe.*, which is a CPU, only when asked for "
                       "by --backend vulkan; the CPU", *args)
        self.succeed(*args, "--backend", "vulkan", "-q")

    @unittest.skipUnless(RADV, "RADV is not installed (Debian: mesa-vulkan-drivers)")
    def test_gpu_that_cannot_be_opened(self):
        """RADV's null device: a GPU by its properties, and nothing behind it."""
        self.env.update(VK_ICD_FILENAMES=RADV, XDG_RUNTIME_DIR=self.folder)
        for family in ("navi31", "gfx1100"):  # before Mesa 23 the second; RADV aborts on names it does not know
            self.env["RADV_FORCE_FAMILY"] = family
            done = self.run_program("devices", "--json")
            if done.returncode == 0 and any(d["backend"] == "vulkan" for d in json.loads(done.stdout)["devices"]):
                break
        else:
            self.skipTest("RADV offers no device without a GPU here (Mesa 26 no longer does)")
        write_folder(self.path("data"), count=1)
        args = ["extract", "data", *TINY, "--layer", "block1_pool", "-o", "f.npy"]
        done = self.run_program(*args, "-v")
        self.assertEqual(done.returncode, 0, done.stderr)
        warning, choice = done.stderr.split("\n")[:2]
        self.assertRegex(warning, "^vgg16: warning: .*Null hardware")
        self.assertRegex(choice, "^vgg16: backend cpu .*: what comes first cannot be opened; threads [1-9]")
        self.fail_with(1, "Null hardware.*--backend cpu", *args, "--device", "Null")
        for precision in ("int8", "bf16"):  # which no GPU computes in: it is not even tried
            done = self.run_program(*args, "-v", "--precision", precision, "--isa", "scalar")
            self.assertEqual(done.returncode, 0, done.stderr)
            warning, choice = done.stderr.split("\n")[:2]
            self.assertRegex(warning, f"^vgg16: warning: precision {precision}: computed on the CPU, and not on .*; --backend cpu asks")
            self.assertRegex(choice, "^vgg16: backend cpu .*: what comes first does not compute in the precision; threads [1-9]")
        done = self.run_program(*args, "--precision", "fp16")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "(?s)^vgg16: warning: .*Null hardware.*\nvgg16: precision fp16: there is no GPU here.*\n$")

    @unittest.skipUnless(LAVAPIPE, "lavapipe is not installed (Debian: mesa-vulkan-drivers)")
    def test_one_gpu_by_two_drivers(self):
        again = self.path("again.json")
        shutil.copy(LAVAPIPE, again)
        self.assertEqual(len(self.drivers(LAVAPIPE, again)), 1)

    @unittest.skipUnless(LAVAPIPE, "lavapipe is not installed (Debian: mesa-vulkan-drivers)")
    @unittest.skipUnless(SWIFTSHADER, "SwiftShader is not installed (Debian: chromium)")
    def test_choice_by_index_name_and_uuid(self):
        write_folder(self.path("data"), count=1)
        devices = self.drivers(LAVAPIPE, SWIFTSHADER)
        self.assertEqual(len(devices), 2)
        self.assertEqual(len({d["uuid"] for d in devices}), 2)
        for own, device in enumerate(devices):
            self.assertEqual(device["type"], "cpu")
            self.assertFalse(device["chosen"])
            self.assertGreater(device["memory"], 1 << 20)
            self.assertGreater(device["allocation"], 1 << 20)
            part = device["name"].split()[0].upper()
            for which in (str(device["index"]), part, device["uuid"], f"vulkan:{own}", f"vulkan:{part}"):
                self.assertIn(f"backend vulkan on {device['name']} ", self.taken("--device", which), which)
            taken = self.taken("--backend", "vulkan", "--device", str(own))
            self.assertIn(f"backend vulkan on {device['name']} ", taken)
        extract = ["extract", "data", *TINY, "--layer", "block1_pool", "-o", "g.npy"]
        self.fail_with(2, r"device .vulkan:e. could be vulkan:0 \(.*\), vulkan:1 \(.*\); take one", *extract, "--device",
                       "vulkan:e")
        self.fail_with(1, r"no device .2. on backend vulkan; there are vulkan:0 \(", *extract, "--backend", "vulkan",
                       "--device", "2")
        self.fail_with(1, r"no device .nosuch.; there are cpu \(.*, vulkan:0 \(", *extract, "--device", "nosuch")
        bench = ["bench", "--arch", "vgg11", "--size", "32", "--repeats", "1", "--pass", "forward"]
        told = self.json(*bench, "--on", f"{devices[1]['uuid']},{devices[0]['index']},vulkan:1")
        self.assertEqual([d["name"] for d in told["devices"]], ["vulkan:1", "vulkan:0"])
        self.assertEqual([d["device"] for d in told["devices"]], [d["name"] for d in reversed(devices)])
        self.assertRegex(self.taken(), "^vgg16: backend cpu ")
        self.env["VGG16_DEVICE"] = devices[1]["uuid"]
        self.assertIn(devices[1]["name"], self.taken())

    def loads_vulkan(self, *args, env=None):
        """Does a run open libvulkan, or look for it? The C library's loader tells."""
        done = self.run_program(*args, env={"LD_DEBUG": "files", **(env or {})})
        lines = done.stderr.splitlines()
        self.assertEqual(done.returncode, 0, "\n".join(line for line in lines if line.startswith("vgg16: ")))
        if not any("libc.so" in line for line in lines):
            self.skipTest("the C library does not tell what it loads")
        return any("libvulkan" in line for line in lines)

    def test_the_cpu_alone_loads_no_vulkan(self):
        write_folder(self.path("data"), count=1)
        extract = ["extract", "data", *TINY, "--layer", "block1_pool", "-o", "f.npy"]
        bench = ["bench", "--arch", "vgg11", "--size", "32", "--repeats", "1", "--pass", "forward", "--json"]
        self.assertTrue(self.loads_vulkan(*extract, env={"VGG16_BACKEND": "auto"}))
        self.assertTrue(self.loads_vulkan("devices", env={"VGG16_BACKEND": "cpu"}))
        self.assertFalse(self.loads_vulkan(*extract, "--backend", "cpu"))
        self.assertFalse(self.loads_vulkan(*extract, env={"VGG16_BACKEND": "cpu"}))
        self.assertFalse(self.loads_vulkan(*extract, "--device", "cpu:scalar"))
        self.assertFalse(self.loads_vulkan(*bench, "--on", "cpu:auto,cpu:scalar:direct"))
        self.assertFalse(self.loads_vulkan(*bench, "--backend", "cpu", "--isa", "scalar"))


if __name__ == "__main__":
    unittest.main()
