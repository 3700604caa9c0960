"""Every shader that GPUs get, translated to Metal's language as MoltenVK does: no array's size may depend on a
specialisation constant, which the translation cannot give it, or gives it without regard to the value that is asked for."""

import os
import re
import shutil
import subprocess
import unittest

MODULES = os.environ.get("VGG16_MODULES", "")
TRANSLATOR = shutil.which("spirv-cross")


def doubtful(text):
    """Declarations of arrays, in a translation, whose size is no number."""
    text = re.sub(r"template<typename T.*?\n};\n", "", text, flags=re.S)  # the array itself
    sizes = re.findall(r"spvUnsafeArray<[^;{]*?,\s*([^<>,]+?)\s*>\s*\w+", text)
    sizes += re.findall(r"^ *(?:thread |threadgroup |constant )? *(?!return\b)[a-z]\w* +\w+\[([^\]]+)\];", text, re.M)
    return sorted({size for size in sizes if not re.fullmatch(r"\d+u?", size)})


@unittest.skipUnless(TRANSLATOR, "spirv-cross is not installed (Debian: spirv-cross)")
class Metal(unittest.TestCase):
    def translate(self, module):
        done = subprocess.run([TRANSLATOR, "--msl", "--msl-version", "20100", module], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, f"{module}: {done.stderr}")
        return done.stdout

    def test_no_array_has_the_size_of_a_constant(self):
        with open(os.path.join(MODULES, "vk_shader_list.c"), encoding="utf-8") as file:
            names = re.findall(r'^    { "([^"/]+)", ', file.read(), re.M)  # not those of cpu/
        self.assertGreater(len(names), 30, f"in {MODULES}")
        for name in names:
            text = self.translate(os.path.join(MODULES, name + ".spv"))
            with self.subTest(name):
                self.assertEqual(doubtful(text), [])
                self.assertNotIn("SPIRV_CROSS_CONSTANT_ID", text, "a constant that became a macro")

    def test_such_an_array_is_seen(self):
        text = self.translate(os.path.join(MODULES, "cpu", "conv_lane.spv"))  # for devices of CPU type alone
        self.assertTrue(doubtful(text) or "SPIRV_CROSS_CONSTANT_ID" in text)
        self.assertEqual(doubtful("    threadgroup float4 tile_a[A_STRIDE];"), ["A_STRIDE"])
        self.assertEqual(doubtful("    spvUnsafeArray<float4, A_LOADS> v;"), ["A_LOADS"])
        self.assertEqual(doubtful("    threadgroup float4 tile_a[528];\n spvUnsafeArray<int, 2> at;\n x = y[i];"), [])


if __name__ == "__main__":
    unittest.main()
