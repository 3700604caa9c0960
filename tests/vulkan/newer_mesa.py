"""newer_mesa.py VARIABLE PROGRAM ARGUMENT...: runs a test program on the drivers that scripts/newer_mesa.sh has unpacked
into the folder that the environment's variable names, and that know matrix cores, as Debian 12's do not. They want their
own C library, and Criterion starts programs anew by their path, so a copy of the program names the loader of that C
library as its interpreter."""
import os
import pathlib
import subprocess
import sys
import tempfile

INTERPRETER = b"/lib64/ld-linux-x86-64.so.2\0"


def main():
    mesa = os.environ.get(sys.argv[1])
    program = pathlib.Path(sys.argv[2])
    if not mesa or not pathlib.Path(mesa, "lvp.json").exists():
        print(f"[SKIP] {program.name}: {sys.argv[1]} names no folder filled by scripts/newer_mesa.sh")
        return 0
    lib, low = pathlib.Path(mesa, "usr/lib/x86_64-linux-gnu"), pathlib.Path(mesa, "lib/x86_64-linux-gnu")
    own = "/usr/lib/x86_64-linux-gnu"
    with tempfile.TemporaryDirectory(prefix="vm") as folder:
        loader = pathlib.Path(folder, "ld")
        loader.symlink_to((low if low.exists() else lib).resolve() / "ld-linux-x86-64.so.2")
        name = bytes(loader) + b"\0"
        code = program.read_bytes()
        if code.count(INTERPRETER) != 1 or len(name) > len(INTERPRETER):
            print(f"{program}: cannot be given another interpreter", file=sys.stderr)
            return 1
        copy = pathlib.Path(folder, program.name)
        copy.write_bytes(code.replace(INTERPRETER, name.ljust(len(INTERPRETER), b"\0")))
        copy.chmod(0o755)
        environment = dict(os.environ, VGG16_TEST_LAVAPIPE=f"{mesa}/lvp.json", VGG16_TEST_RADV=f"{mesa}/radv.json",
                           LD_LIBRARY_PATH=f"{lib}:{low}:{own}:{own}/hdf5/serial:/lib/x86_64-linux-gnu")
        return subprocess.run([copy, *sys.argv[3:]], env=environment).returncode


sys.exit(main())
