"""One version everywhere, and an interface that stays: what the headers declare is what scripts/packaging/abi.txt and the
Debian package's symbols file say."""
import os
import re
import sys
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.join(ROOT, "scripts", "packaging"))

import abi  # noqa: E402


def found(pattern, path):
    return re.search(pattern, abi.read(path), re.M).group(1)


class Versions(unittest.TestCase):

    def test_same(self):
        version = found(r"^project\(vgg16 VERSION (\S+)", "CMakeLists.txt")
        major = version.split(".")[0]
        self.assertEqual(found(r"^## (\S+)", "CHANGELOG.md"), version)
        self.assertEqual(found(r"^vgg16 \(([0-9.]+)-", "scripts/packaging/debian/changelog"), version)
        self.assertEqual(found(r'^version = "(.*)"', "scripts/packaging/python/pyproject.toml"), version)
        self.assertEqual(found(r"^LIBVGG16_(\d+) \{", "scripts/packaging/vgg16.map"), major)
        self.assertEqual(found(r"^libvgg16\.so\.(\d+) libvgg16-\d+ ", "scripts/packaging/debian/libvgg16-1.symbols"), major)

    def test_interface(self):
        now = [line for path in abi.HEADERS for line in abi.declarations(abi.read(path))]
        self.assertEqual(abi.read(abi.STORED).splitlines(), now, "scripts/packaging/abi.py says what to do")

    def test_symbols(self):
        """The functions, without comments, are those of the symbols file, each of a version that has been."""
        listed = re.findall(r"^ (\w+)@LIBVGG16_\d+ (\S+)$", abi.read("scripts/packaging/debian/libvgg16-1.symbols"), re.M)
        functions = [re.search(r"(\w+)\(", line)[1] for path in abi.HEADERS for line in abi.declarations(abi.read(path))
                     if line.startswith("VGG_API")]
        self.assertEqual(sorted(name for name, _ in listed if name.startswith("vgg_")), sorted(functions))
        released = set(re.findall(r"^## (\S+)", abi.read("CHANGELOG.md"), re.M))
        self.assertLessEqual({version for _, version in listed}, released)


class Bite(unittest.TestCase):
    """Changes are seen, and comments and line breaks are none."""

    HEADER = """#ifndef A_H\n#define A_H\n#include <stdint.h>\n#ifdef __cplusplus\nextern "C" {\n#endif
#define VGG_MOST 7 /* at most */\n/* first; */\nstruct vgg_a {\n    int x, y; /* pixels */\n};\nenum vgg_b { VGG_B_ONE, VGG_B_TWO };
VGG_API int vgg_c(const struct vgg_a *a,\n                  int n);\n#ifdef __cplusplus\n}\n#endif\n#endif\n"""

    def test_sees(self):
        stored = abi.declarations(self.HEADER)
        self.assertEqual(stored, ["#define VGG_MOST 7", "struct vgg_a { int x, y; };", "enum vgg_b { VGG_B_ONE, VGG_B_TWO };",
                                  "VGG_API int vgg_c(const struct vgg_a *a, int n);"])
        for old, new, gone, added in (("int n", "long n", 1, 1), ("x, y", "y, x", 1, 1), ("x, y", "x, y, z", 1, 1),
                                      ("ONE, ", "ZERO, VGG_B_ONE, ", 1, 1), ("7", "8", 1, 1), ("first", "second", 0, 0),
                                      ("VGG_API", "VGG_API int vgg_d(void);\nVGG_API", 0, 1), (" int n", "int n", 0, 0)):
            changed = abi.declarations(self.HEADER.replace(old, new, 1))
            self.assertEqual(tuple(map(len, abi.compare(stored, changed))), (gone, added), (old, new))
        self.assertEqual(abi.compare(stored, stored[:-1]), (stored[-1:], []))


if __name__ == "__main__":
    unittest.main()
