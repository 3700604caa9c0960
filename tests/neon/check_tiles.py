"""Static inspection of the NEON matrix kernels: the inner loop of each tile stays in registers and consists mostly of
multiply-adds. Usage: check_tiles.py OBJDUMP LIBRARY.a. Prints each loop with its instructions; exit code 1 when one
touches the stack or holds too few multiply-adds.

An emulator runs spilled code as well as any, only real processors are slow with it: so it is looked for here."""
import re
import subprocess
import sys

# Functions, with the multiply-adds that each round of their loops holds and the least share of all instructions.
TILES = {"gemm_rows": ((24, 96), 0.6), "gemm_cols": ((16, 24), 0.6), "gemm_outer": ((16, 24), 0.6)}


def functions(text):
    """Yields (name, [(address, mnemonic, operands)])."""
    name, body = None, []
    for line in text.splitlines():
        if head := re.match(r"[0-9a-f]+ <(.*)>:", line):
            if name:
                yield name, body
            name, body = head[1], []
        elif code := re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*)", line):
            body.append((int(code[1], 16), code[2], code[3]))
    if name:
        yield name, body


def inner_loops(body):
    """Stretches that end in a branch to their own beginning and hold no other such stretch."""
    at = {address: i for i, (address, _, _) in enumerate(body)}
    loops = []
    for i, (_, mnemonic, operands) in enumerate(body):
        target = re.search(r"([0-9a-f]+) <", operands)
        if re.fullmatch(r"b|b\..*|cbn?z|tbn?z", mnemonic) and target and at.get(int(target[1], 16), i + 1) <= i:
            loops.append((at[int(target[1], 16)], i))
    for begin, end in loops:
        if not any(begin <= b and e <= end and (b, e) != (begin, end) for b, e in loops):
            yield body[begin : end + 1]


def main(objdump, library):
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", library], capture_output=True, text=True, check=True).stdout
    seen, bad = set(), 0
    for name, body in functions(text):
        if name not in TILES:
            continue
        counts, least = TILES[name]
        for loop in inner_loops(body):
            fmla = sum(mnemonic == "fmla" for _, mnemonic, _ in loop)
            if fmla not in counts:
                continue
            loads = sum(mnemonic.startswith("ld") for _, mnemonic, _ in loop)
            stack = sum("[sp" in operands for _, _, operands in loop)
            good = not stack and fmla / len(loop) >= least
            print(f"{'pass' if good else 'FAIL'} {name}: {len(loop)} instructions, {fmla} multiply-adds "
                  f"({fmla / len(loop):.0%}), {loads} loads, {stack} of the stack")
            seen.add((name, fmla))
            bad += not good
    for name, (counts, _) in TILES.items():
        for count in counts:
            if (name, count) not in seen:
                print(f"FAIL {name}: no loop of {count} multiply-adds was found")
                bad += 1
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
