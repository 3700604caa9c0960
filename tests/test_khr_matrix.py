"""scripts/spirv/khr_matrix.c: what it makes of the shaders of matrix cores beside what a compiler that knows the extension
makes of the same text, and what a validator says that knows it; both from scripts/newer_mesa.sh. What is no SPIR-V."""
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent
MODULES = pathlib.Path(os.environ["VGG16_MODULES"])  # build/shaders
TOOL = MODULES / "khr_matrix"
NAMES = ("conv", "dense", "wgrad")

CONSTANT, SPEC_CONSTANT, DECORATE, CAPABILITY, EXTENSION = 43, 50, 71, 17, 10
TYPE, LOAD, STORE, MULTIPLY_ADD = 4456, 4457, 4458, 4459


def newer(program):
    folder = os.environ.get("VGG16_NEWER_MESA", "")
    path = pathlib.Path(folder, "usr/bin", program)
    if not folder or not path.exists():
        raise unittest.SkipTest("VGG16_NEWER_MESA names no folder filled by scripts/newer_mesa.sh")
    return [f"{folder}/run", path]


def instructions(module):
    words = struct.unpack(f"<{len(module) // 4}I", module)
    at = 5
    while at < len(words):
        count = words[at] >> 16
        yield words[at] & 0xFFFF, words[at + 1:at + count]
        at += count


def meaning(module):
    """The matrix instructions in their order, with ids told by what they stand for, and what the module declares."""
    spec, value, types, found, declared = {}, {}, {}, [], set()
    for op, w in instructions(module):
        if op == DECORATE and w[1] == 1:
            spec[w[0]] = f"spec {w[2]}"
        elif op in (CONSTANT, SPEC_CONSTANT):
            value[w[1]] = spec.get(w[1], w[2])
        elif op == TYPE:
            types[w[0]] = tuple(value[i] for i in w[2:])
        elif op == LOAD:
            found.append(("load", types[w[0]], value[w[3]]))
        elif op == STORE:
            found.append(("store", value[w[2]]))
        elif op == MULTIPLY_ADD:
            found.append(("multiply-add", types[w[0]]))
        elif op == CAPABILITY and w[0] in (5357, 6022):
            declared.add(w[0])
        elif op == EXTENSION:
            name = struct.pack(f"<{len(w)}I", *w).rstrip(b"\0").decode()
            declared.add(name)
    return found, sorted(types.values(), key=str), declared


def as_khr(text):
    """The words of GL_NV_cooperative_matrix in those of GL_KHR_cooperative_matrix."""
    use = {"FM_A, FK": "gl_MatrixUseA", "FK, FN": "gl_MatrixUseB", "FM, FN": "gl_MatrixUseAccumulator"}
    for sides, name in use.items():
        for bits, kind in (("16", "float16_t"), ("32", "float")):
            text = text.replace(f"fcoopmatNV<{bits}, gl_ScopeSubgroup, {sides}>",
                                f"coopmat<{kind}, gl_ScopeSubgroup, {sides}, {name}>")
    for flag, layout in (("false", "RowMajor"), ("true", "ColumnMajor")):
        text = re.sub(rf"(coopMat(?:Load|Store)NV\(.*), {flag}\);", rf"\1, gl_CooperativeMatrixLayout{layout});", text)
    text = re.sub(r"coopMat(Load|Store|MulAdd)NV", r"coopMat\1", text)
    return text.replace("GL_NV_cooperative_matrix : require", "GL_KHR_cooperative_matrix : require")


class Khr(unittest.TestCase):
    def test_beside_a_compiler_that_knows_it(self):
        compiler = newer("glslang")
        with tempfile.TemporaryDirectory() as folder:
            for path in (TOP / "shaders").rglob("*"):
                if path.suffix in (".comp", ".glsl", ".h"):
                    to = pathlib.Path(folder, path.relative_to(TOP / "shaders"))
                    to.parent.mkdir(exist_ok=True)
                    to.write_text(as_khr(path.read_text()))
            for name in NAMES:
                real = pathlib.Path(folder, f"{name}.spv")
                run = subprocess.run([*compiler, "-V", "--quiet", "--target-env", "vulkan1.1", f"-I{folder}", "-o", real,
                                      pathlib.Path(folder, "matrix", f"{name}.comp")], capture_output=True, text=True)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                found, types, declared = meaning((MODULES / "matrix" / f"{name}.spv").read_bytes())
                expected, real_types, real_declared = meaning(real.read_bytes())
                self.assertEqual(found, expected)
                self.assertEqual(types, real_types)
                self.assertEqual(len(types), 3)
                self.assertGreater(len(found), 3)
                self.assertIn(6022, declared)
                self.assertNotIn(5357, declared)
                self.assertIn("SPV_KHR_cooperative_matrix", declared)
                self.assertTrue(declared <= real_declared, declared)

    def test_validator(self):
        validator = newer("spirv-val")
        for name in NAMES:
            run = subprocess.run([*validator, "--target-env", "vulkan1.3", MODULES / "matrix" / f"{name}.spv"],
                                 capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def refused(self, words, why):
        with tempfile.TemporaryDirectory() as folder:
            source, result = pathlib.Path(folder, "in.spv"), pathlib.Path(folder, "out.spv")
            source.write_bytes(struct.pack(f"<{len(words)}I", *words))
            run = subprocess.run([TOOL, source, result], capture_output=True, text=True)
            self.assertEqual(run.returncode, 1)
            self.assertIn(why, run.stderr)
            self.assertFalse(result.exists())

    def test_what_it_refuses(self):
        header = [0x07230203, 0x10300, 0, 10, 0]
        unsigned = [4 << 16 | 21, 1, 32, 0]
        self.refused([1, 2, 3], "no SPIR-V")
        self.refused([0x03022307, 0x10300, 0, 10, 0], "no SPIR-V")
        self.refused(header, "no matrices")
        self.refused(header + [0], "leads out of it")
        self.refused(header + [9 << 16 | 17, 1], "leads out of it")
        matrix = [6 << 16 | 5358, 2, 3, 4, 5, 6]
        self.refused(header + unsigned + matrix, "do not tell")
        self.refused(header + matrix, "no type uint")
        load = [6 << 16 | 5359, 2, 3, 4, 5, 6]
        self.refused(header + unsigned + load, "layout is no constant")
        self.refused(header + unsigned + [7 << 16 | 5358, 2, 3, 4, 99, 6, 0], "beyond its bound")
        self.assertEqual(subprocess.run([TOOL], capture_output=True).returncode, 2)


if __name__ == "__main__":
    unittest.main()
