"""check_stack.py OBJDUMP FILE...: no vector wider than 16 bytes is moved to or from the stack as if that were aligned to more.

Windows aligns the stack to 16 bytes, and GCC (its bug 54412) takes places for wider vectors on it for aligned; the
assembler writes unaligned moves instead (-muse-unaligned-vector-move). Moves that are aligned by their meaning, such as
those past the caches, and arguments by value, which travel through the stack, are found, too.
"""

import re
import subprocess
import sys

ALIGNED = r"\bv?mov(?:aps|apd|dqa|dqa32|dqa64|ntps|ntpd|ntdq|ntdqa)\b.*%[yz]mm"


def faults(listing):
    """(function, line) of each."""
    function = "?"
    for line in listing.splitlines():
        named = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        if named:
            function = named.group(1)
        elif re.search(ALIGNED, line) and re.search(r"\(%r(sp|bp)", line):
            yield function, line.strip()


def main():
    objdump, *files = sys.argv[1:]
    count = wide = 0
    for path in files:
        listing = subprocess.run([objdump, "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, check=True,
                                 text=True).stdout
        wide += len(re.findall(r"%[yz]mm\d+,.*\(%rsp|\(%rsp[^)]*\),%[yz]mm", listing))
        for function, line in faults(listing):
            count += 1
            print(f"{path}: {function}: {line}")
    print(f"{wide} moves of wide vectors to or from the stack, {count} of them aligned")
    if wide == 0:
        sys.exit("check_stack.py: no such move was found at all: is this a kernel's machine code?")
    sys.exit(count > 0)


if __name__ == "__main__":
    main()
