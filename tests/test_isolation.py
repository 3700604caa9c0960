"""The rules of the house that a script can check: who may include whom, names, sizes, and what the library must not do.

python3 -m unittest test_isolation, with VGG16_SHARED (the library), VGG16_OBJECTS (a file with the paths of its objects) and
VGG16_NM; without them the rules about symbols skip. Each rule is shown to fail once: a fault is planted for it in a copy.
"""

import collections
import os
import re
import shutil
import subprocess
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
NM = os.environ.get("VGG16_NM") or shutil.which("nm")

# From the ground to the roof: a room includes what lies in rows below its own, and nothing beside it.
ROWS = (
    ("public",),  # core/vgg16.h, core/vgg16_bench.h, core/vgg16_ranks.h
    ("base",),
    ("op", "format", "image", "page", "ranks"),
    ("arch",),
    ("plan", "weights", "data", "cpu", "vk", "mpi"),
    ("engine", "model"),
    ("quant",),
    ("infer", "selftest", "bench"),
    ("train",),
    ("report",),
    ("cli",),
)
ROW = {room: i for i, rooms in enumerate(ROWS) for room in rooms}
LIBRARY = ("core", "cpu", "vk", "mpi")  # the top folders that the law is about; the program is core/cli
INTERFACE = "LIBVGG16_1"  # scripts/packaging/vgg16.map
PUBLIC = ("core/vgg16.h", "core/vgg16_bench.h", "core/vgg16_ranks.h")

# Narrow doors: these rooms see less than the rows below them.
DOORS = {"cpu": ("base", "op", "public"), "vk": ("base", "op", "public"), "mpi": ("ranks",), "cli": ("public",)}
BACKENDS = "core/engine/device.c"  # the only file of core that names them
PARAMS = "shaders/common/params.h"  # the only header that C and GLSL share: vk's

# Each foreign library and the rooms that know it.
FOREIGN = {
    r"vulkan/": ("vk",),
    r"mpi\.h": ("mpi",),
    r"hdf5\.h|H5\w*\.h": ("format",),
    r"curl/": ("weights",),
    r"openssl/": ("base",),
    r"stb_|jpeglib\.h|webp/|tiffio\.h": ("image",),
    r"(cjson/)?cJSON\.h": ("format", "cli"),  # the program sees no header of format's, and has its own door
    r"sleef\.h": ("cpu",),
    r"omp\.h": ("base", "cpu"),
    r"zlib\.h": ("format", "image", "data", "train"),  # CRC and gzip, as plain as the C library
    r"minizip/": ("format",),
}

INTRINSICS_HEADERS = r"\w*intrin\.h|arm_neon\.h|arm_sve\.h|cpuid\.h"

# The operating system stands behind a seam: what ISO C lacks is known in these files alone.
SEAM = r"core/base/os_\w+\.[ch]|core/cli/cli_os_\w+\.c"
ISO_HEADERS = r"(assert|ctype|errno|float|inttypes|limits|math|setjmp|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|" \
              r"stdlib|stdnoreturn|string|strings)\.h"  # strings.h is everywhere; time.h, signal.h, threads.h are not
SYSTEM_CALLS = r"(?<![\w.>])(fopen|rename|fileno|fdopen|fseeko|ftello|getline|getdelim|posix_memalign|aligned_alloc|realpath|" \
               r"strcasestr|strsep|memmem|memrchr|strchrnul|time|localtime|gmtime|clock_gettime|popen|system|mkstemp)\("
SYSTEM_NAMES = r"\b(__linux__|__unix__|__APPLE__|_WIN32|__FreeBSD__|MADV_\w+)\b"


def room_of(path):
    if path in PUBLIC:
        return "public"
    parts = path.split("/")
    return parts[1] if parts[0] == "core" and len(parts) > 2 else parts[0]


def read_sources():
    """Path -> text of the project's sources."""
    ends = (".c", ".h", ".comp", ".glsl", ".py", ".sh")
    paths = ["CMakeLists.txt"]
    for top in (*LIBRARY, "shaders", "tests", "benchmarks", "scripts"):
        for folder, folders, names in os.walk(os.path.join(ROOT, top)):
            folders[:] = [f for f in folders if not f.startswith("build") and f != "__pycache__"]
            paths += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names
                      if name.endswith(ends) or name == "CMakeLists.txt"]
    text = {}
    for path in paths:
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            text[path] = f.read()
    return text


class House:
    """The sources and what they include."""

    def __init__(self, text):
        self.text = text
        self.own, self.foreign = {}, {}
        for path in self.sources():
            found = re.findall(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', self.text[path], re.M)
            near = "core/" if path in PUBLIC else ""  # they are installed side by side
            self.own[path] = [near + name for kind, name in found if kind == '"']
            self.foreign[path] = [name for kind, name in found if kind == "<"]

    def sources(self, *tops):
        """C files and headers, of all or of some top folders."""
        return sorted(p for p in self.text if p.endswith((".c", ".h")) and (not tops or p.split("/")[0] in tops))

    def library(self):
        return [p for p in self.sources(*LIBRARY) if room_of(p) != "cli"]

    def having(self, paths, pattern):
        wanted = re.compile(pattern)
        for path in paths:
            for number, line in enumerate(self.text[path].splitlines(), 1):
                if wanted.search(line):
                    yield f"{path}:{number}: {line.strip()}"


# ---- the law --------------------------------------------------------------------------------------------------------


def arrows(house):
    """Includes go down, from row to row, and through the narrow doors."""
    for path in house.sources(*LIBRARY):
        here = room_of(path)
        if here not in ROW:
            yield f"{path}: stands in no room"
            continue
        for other in house.own[path]:
            there = room_of(other)
            if there == here or (here == "vk" and other == PARAMS) or (path == BACKENDS and there in ("cpu", "vk")):
                continue
            allowed = there in DOORS[here] if here in DOORS else there in ROW and ROW[there] < ROW[here]
            if not allowed or (there in ("cpu", "vk", "mpi") and path != BACKENDS):
                yield f"{path} ({here}) includes {other} ({there})"


def by_room(house):
    """Project headers are named from the top: "core/base/mem.h"."""
    for path in house.sources(*LIBRARY):
        for other in house.own[path]:
            if other not in house.text:
                yield f"{path}: {other}"


def foreign_libraries(house):
    """Each foreign library is known in its rooms alone."""
    for path in house.sources(*LIBRARY):
        for name in house.foreign[path]:
            for pattern, rooms in FOREIGN.items():
                if re.match(pattern, name) and room_of(path) not in rooms:
                    yield f"{path}: <{name}> belongs to {', '.join(rooms)}"


def system_headers(house):
    """What is neither ISO C's nor a foreign library's is the operating system's."""
    known = "|".join((ISO_HEADERS, INTRINSICS_HEADERS, *FOREIGN))
    for path in house.sources(*LIBRARY):
        for name in house.foreign[path]:
            if not re.fullmatch(SEAM, path) and not re.match(known, name):
                yield f"{path}: <{name}> belongs behind the seam"


def system_calls(house):
    """Nor are its functions called, or its names asked for, beside the seam."""
    paths = [p for p in house.sources(*LIBRARY) if not re.fullmatch(SEAM, p)]
    return house.having(paths, SYSTEM_CALLS + "|" + SYSTEM_NAMES)


def circles(graph):
    """Strongly connected parts of more than one node (Tarjan, SIAM J. Comput. 1972)."""
    index, low, stack, on, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = set()
            while node not in part:
                part.add(stack.pop())
            on.difference_update(part)
            if len(part) > 1 or node in graph.get(node, ()):
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def include_circles(house):
    """No circle of includes."""
    for circle in circles(house.own):
        yield " <-> ".join(circle)


def link_circles(symbols):
    """No circle of calls between files. symbols: what `nm -A` prints of the library's objects."""
    defined, wanted = {}, collections.defaultdict(set)
    for line in symbols.splitlines():
        found = re.match(r"(\S+\.o):(?:[0-9a-f]+)? *([A-Za-z]) (\S+)$", line)
        if not found:
            continue
        name, kind, symbol = found.groups()
        if kind == "U":
            wanted[name].add(symbol)
        elif kind in "TDBRVWi":
            defined[symbol] = name
    graph = {name: {defined[s] for s in used if s in defined and defined[s] != name} for name, used in wanted.items()}
    for circle in circles(graph):
        yield " <-> ".join(circle)


# ---- intrinsics, names, sizes, manners ------------------------------------------------------------------------------

INTRINSICS = r'^\s*#\s*include\s*[<"](' + INTRINSICS_HEADERS + ")"


def intrinsics_in_cpu(house):
    """Intrinsics stay in cpu/x86 and cpu/arm; cpu_float.c sets the floating-point mode, cpu_isa.c asks the processor."""
    paths = [p for p in house.sources("core", "vk", "cpu")
             if not re.match(r"cpu/(x86/|arm/|cpu_float\.c|cpu_isa\.c)", p)]
    return house.having(paths, INTRINSICS)


def intrinsics_by_level(house):
    """Files are named after the level that they hold; what all levels share holds none."""
    cpu = house.sources("cpu")
    avx2 = [p for p in cpu if re.search(r"_(avx2|avxvnni)\.[ch]$", p)]
    shared = [p for p in cpu if re.fullmatch(r"cpu/cpu_(\w+_)?vec\.h", p)]
    others = shared + [p for p in cpu
                       if p.startswith("cpu/x86/") and not re.search(r"_(avx2|avxvnni|avx512[a-z0-9]*|amx)\.[ch]$", p)]
    arm = shared + [p for p in cpu if p.startswith("cpu/arm/") and not re.search(r"_neon[a-z0-9]*\.[ch]$", p)]
    yield from house.having(avx2, r"_mm512|__m512|_mm(256)?_maskz?_|__mmask")
    yield from house.having([p for p in cpu if not re.search(r"_amx\.[ch]$", p)], r"\b_tile_")
    yield from house.having(others, r"_mm(256|512)?_|__m(128|256|512)")
    yield from house.having(arm, r"float32x4|vld1q|vfmaq")


def no_native(house):
    """One instruction set a file, never the builder's own."""
    return house.having([p for p in house.text if p.endswith("CMakeLists.txt")], r"m(arch|tune)=native")


def sizes(house):
    """No file above 800 lines."""
    for path, text in house.text.items():
        if text.count("\n") > 800 and not path.endswith("CMakeLists.txt"):
            yield f"{path}: {text.count(chr(10))} lines"


def prefixes(house):
    """A file's prefix names its top folder: cpu_, vk_, mpi_."""
    for path in house.sources(*LIBRARY):
        top, name = path.split("/")[0], os.path.basename(path)
        named = next((p for p in ("cpu", "vk", "mpi") if name.startswith((p + "_", p + "."))), "core")
        if path.endswith(".c") and top != named:
            yield path


def never_ends(house):
    """The library never ends the process."""
    return house.having(house.library(), r"(^|[^a-zA-Z0-9_>.])(exit|_exit|abort|quick_exit) *\(")


def never_prints(house):
    """The library does not print."""
    return house.having(house.library(), r"(^|[^a-zA-Z0-9_])printf\s*\(")


def bounded(house):
    """No unbounded copies."""
    return house.having(house.sources(*LIBRARY), r"\b(strcpy|strcat|sprintf|gets)\s*\(")


def comments_above(house):
    """A comment of more than one line stands above what it speaks of, not beside it."""
    return house.having(house.sources(*LIBRARY), r"^\s*[^\s/*].*/\*(?!.*\*/)")


def finished(house):
    """Nothing is left to do."""
    return house.having(house.sources(), r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


RULES = (arrows, by_room, foreign_libraries, system_headers, system_calls, include_circles, intrinsics_in_cpu,
         intrinsics_by_level, no_native, sizes, prefixes, never_ends, never_prints, bounded, comments_above, finished)


def exports(symbols, header):
    """What the shared library exports is declared in the public headers, and the other way round; it bears a version."""
    shown = re.findall(r" [TDBR] ([^\s@]+)(\S*)$", symbols, re.M)
    exported = {name for name, _ in shown}
    yield from (f"{name}: its version is '{version}'" for name, version in shown if version != "@@" + INTERFACE)
    declared = {name for found in re.findall(r"^VGG_API[^;(]*?(\w+)\(", header, re.M) for name in [found]}
    yield from (f"{name}: exported, but not declared" for name in sorted(exported - declared))
    yield from (f"{name}: declared, but not exported" for name in sorted(declared - exported))


def nm(*args):
    return subprocess.run([NM, *args], stdout=subprocess.PIPE, check=True, text=True).stdout


class Rules(unittest.TestCase):
    """They hold."""

    def setUp(self):
        self.house = House(read_sources())

    def test_sources(self):
        for rule in RULES:
            with self.subTest(rule.__doc__):
                self.assertEqual(list(rule(self.house)), [])

    def test_links(self):
        objects = os.environ.get("VGG16_OBJECTS")
        if not objects or not NM:
            self.skipTest("no list of the library's objects, or no nm")
        self.assertEqual(list(link_circles(nm("-A", "@" + objects))), [])

    def test_exports(self):
        library = os.environ.get("VGG16_SHARED")
        if not library or not NM:
            self.skipTest("no shared library, or no nm")
        headers = "".join(self.house.text.get(p, "") for p in PUBLIC)
        self.assertEqual(list(exports(nm("-D", "--defined-only", library), headers)), [])


# A fault for each rule: the file that is written or lengthened, and by what.
FAULTS = (
    (arrows, "core/base/mem.c", '#include "core/op/op.h"\n'),
    (arrows, "core/op/op.h", '#include "core/image/image.h"\n'),
    (arrows, "core/format/npy.c", '#include "core/image/image.h"\n'),
    (arrows, "core/image/exif.c", '#include "core/data/data.h"\n'),
    (arrows, "core/ranks/ranks.h", '#include "core/data/data.h"\n'),
    (arrows, "mpi/mpi_component.c", '#include "core/base/log.h"\n'),
    (arrows, "core/page/axis.h", '#include "core/arch/arch.h"\n'),
    (arrows, "core/arch/arch.c", '#include "core/plan/plan.h"\n'),
    (arrows, "core/plan/arena.c", '#include "core/data/data.h"\n'),
    (arrows, "core/weights/starter.c", '#include "core/model/model.h"\n'),
    (arrows, "core/data/loader.c", '#include "core/plan/plan.h"\n'),
    (arrows, "core/engine/net.c", '#include "core/model/model.h"\n'),
    (arrows, "core/engine/net.c", '#include "cpu/cpu_backend.h"\n'),
    (arrows, "core/model/model.c", '#include "core/infer/match.h"\n'),
    (arrows, "core/infer/pass.c", '#include "core/train/trainer.h"\n'),
    (arrows, "core/selftest/selftest.c", '#include "core/bench/bench.h"\n'),
    (arrows, "core/train/train.c", '#include "core/report/words.h"\n'),
    (arrows, "core/report/report.c", '#include "core/cli/cli.h"\n'),
    (arrows, "core/cli/cli_say.c", '#include "core/base/mem.h"\n'),
    (arrows, "cpu/cpu_pack.c", '#include "core/arch/arch.h"\n'),
    (arrows, "cpu/cpu_pack.c", '#include "vk/vk_ops.h"\n'),
    (arrows, "cpu/cpu_pack.c", '#include "shaders/common/params.h"\n'),
    (arrows, "vk/vk_mem.c", '#include "cpu/cpu.h"\n'),
    (arrows, "vk/vk_mem.c", '#include "core/plan/plan.h"\n'),
    (arrows, "core/lonely.c", "\n"),
    (by_room, "core/base/mem.c", '#include "mem.h"\n'),
    (foreign_libraries, "core/ranks/join.c", "#include <mpi.h>\n"),
    (foreign_libraries, "core/engine/net.c", "#include <vulkan/vulkan_core.h>\n"),
    (foreign_libraries, "core/infer/sink.c", "#include <hdf5.h>\n"),
    (foreign_libraries, "core/data/data.c", "#include <curl/curl.h>\n"),
    (foreign_libraries, "core/weights/pull.c", "#include <openssl/evp.h>\n"),
    (foreign_libraries, "core/bench/load.c", "#include <cjson/cJSON.h>\n"),
    (foreign_libraries, "core/report/report.c", "#include <stb_image_write.h>\n"),
    (foreign_libraries, "core/data/data.c", "#include <tiffio.h>\n"),
    (foreign_libraries, "vk/vk_ops.c", "#include <sleef.h>\n"),
    (foreign_libraries, "core/model/model.c", "#include <zlib.h>\n"),
    (system_headers, "core/data/data.c", "#include <sys/stat.h>\n"),
    (system_headers, "core/base/file.c", "#include <unistd.h>\n"),
    (system_headers, "core/base/os.h", "#include <dirent.h>\n"),
    (system_headers, "core/train/train.c", "#include <pthread.h>\n"),
    (system_headers, "core/report/report.c", "#include <time.h>\n"),
    (system_headers, "cpu/cpu_mem.c", "#include <sched.h>\n"),
    (system_headers, "vk/vk_load.c", "#include <dlfcn.h>\n"),
    (system_headers, "core/cli/cli_main.c", "#include <signal.h>\n"),
    (system_headers, "core/cli/cli_os.h", "#include <termios.h>\n"),
    (system_calls, "core/base/file.c", "int f(void) { return rename(p, q); }\n"),
    (system_calls, "core/weights/pull.c", "int f(FILE *s) { return fileno(s); }\n"),
    (system_calls, "core/base/mem.c", "#ifdef __linux__\n#endif\n"),
    (foreign_libraries, "core/weights/h5.c", "#include <minizip/unzip.h>\n"),
    (include_circles, "core/op/op.h", '#include "core/op/backend.h"\n'),
    (intrinsics_in_cpu, "core/image/resize.c", "#include <immintrin.h>\n"),
    (intrinsics_by_level, "cpu/x86/cpu_avx2.c", "__m512 wide;\n"),
    (intrinsics_by_level, "cpu/cpu_vec.h", "__m512 wide;\n"),
    (intrinsics_by_level, "cpu/cpu_pool_vec.h", "float32x4_t wide;\n"),
    (intrinsics_by_level, "cpu/x86/cpu_other.h", "__m256 wide;\n"),
    (intrinsics_by_level, "cpu/x86/cpu_other_avx512.c", "_tile_zero(0);\n"),
    (intrinsics_by_level, "cpu/arm/cpu_other.h", "float32x4_t wide;\n"),
    (no_native, "CMakeLists.txt", "add_compile_options(-march=" + "native)\n"),
    (sizes, "core/base/long.c", "\n" * 801),
    (prefixes, "core/base/vk_thing.c", "\n"),
    (prefixes, "vk/thing.c", "\n"),
    (never_ends, "core/base/mem.c", "void f(void) { abort(); }\n"),
    (never_prints, "vk/vk_mem.c", 'void f(void) { printf("x"); }\n'),
    (bounded, "core/cli/cli_say.c", "void f(char *a, char *b) { strcpy(a, b); }\n"),
    (comments_above, "core/vgg16.h", "    int first; /* of\n                 two */\n"),
    (finished, "tests/test_arch.c", "/* TO" + "DO */\n"),
)


class Bite(unittest.TestCase):
    """Each rule sees a fault that is planted for it."""

    def test_sources(self):
        text = read_sources()
        for rule, path, more in FAULTS:
            with self.subTest(f"{rule.__name__}: {more.strip()} in {path}"):
                found = [line for line in rule(House({**text, path: text.get(path, "") + more})) if path in line]
                self.assertEqual(len(found), 1, found)
        self.assertEqual({fault[0] for fault in FAULTS}, set(RULES))

    def test_links(self):
        calls = "x/a.c.o:0000 T a\nx/a.c.o:       U b\nx/b.c.o:0000 T b\ny/a.c.o: U a\n"
        self.assertEqual(list(link_circles(calls)), [])
        self.assertEqual(list(link_circles(calls + "x/b.c.o: U a\n")), ["x/a.c.o <-> x/b.c.o"])

    def test_exports(self):
        header = "VGG_API int vgg_a(void);\nVGG_API const char *vgg_b(\n    int x);\n"
        a, b, c = (f"0 T vgg_{letter}@@{INTERFACE}\n" for letter in "abc")
        self.assertEqual(list(exports(f"0 A {INTERFACE}\n{a}{b}", header)), [])
        self.assertEqual(len(list(exports(a + c, header))), 2)
        self.assertEqual(len(list(exports(a + "0 T vgg_b\n", header))), 1)
        self.assertEqual(len(list(exports(a + "0 T vgg_b@@LIBVGG16_0\n", header))), 1)


if __name__ == "__main__":
    unittest.main()
