#!/usr/bin/env python3
"""What is compiled once for each instruction set stays apart: check_kernel_objects.py BUILD | --self-test

The linker keeps one copy of a function that several objects define weakly, as they do inline functions and templates. If that
were one of AVX-512, it would run on processors that have none. So an object of kernels shows its table, which is data, and no
function, weak or not; it calls none but a few of the C library; and it has no wider registers than its set."""
import pathlib
import re
import subprocess
import sys
import tempfile

OBJECT = re.compile(r"kaspar_\w+_(portable|avx2|avx512)\.dir/")
CALLS = {"memcpy", "memmove", "memset", "memcmp", "__popcountdi2", "_GLOBAL_OFFSET_TABLE_"}
FORBIDDEN = {"portable": r"%[yz]mm", "avx2": r"%zmm|\{%k", "avx512": r"(?!)"}
SETS = ("portable", "avx2", "avx512")


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def violations(path, of):
    found, tables = [], []
    for line in output_of("nm", path).splitlines():
        kind, name = line.split()[-2:]
        if kind == "U" and name not in CALLS:
            found.append(f"{path}: calls {name}")
        elif kind in "Ww":
            found.append(f"{path}: defines {name} weakly")
        elif kind == "T":
            found.append(f"{path}: defines the function {name} for all")
        elif kind in "DR":
            tables.append(name)
    if not any(f"{of}_" in table for table in tables):
        found.append(f"{path}: it shows no table of its set: {tables}")
    if wide := re.search(FORBIDDEN[of], output_of("objdump", "-d", "--no-show-raw-insn", path)):
        found.append(f"{path}: {of} code has {wide[0]}")
    return found


def objects(build):
    for path in sorted(build.rglob("*.o")):
        if of := OBJECT.search(str(path)):
            yield path, of[1]


def self_test():
    """Objects with one violation of each kind, each of which must be found."""
    table = "extern const int {0}_table; const int {0}_table = 1;"
    cases = [
        ("portable", [], "inline int half(int x) {{ return x / 2; }} int (*volatile keep)(int);" + table + "static void f() {{ keep = half; }}"
         "__attribute__((used)) static void (*g)() = f;"),
        ("portable", [], "int twice(int x) {{ return 2 * x; }}" + table),
        ("portable", [], "extern \"C\" int puts(const char*);" + table + "__attribute__((used)) static void f() {{ puts(\"\"); }}"),
        ("portable", ["-mavx2"], table + "__attribute__((used)) static void f() {{ asm(\"vpaddd %ymm0, %ymm0, %ymm0\"); }}"),
        ("avx2", ["-mavx512f"], table + "__attribute__((used)) static void f() {{ asm(\"vpaddd %zmm0, %zmm0, %zmm0\"); }}"),
        ("avx2", [], "int other = 1;"),
    ]
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        for number, (of, options, text) in enumerate(cases):
            source, made = pathlib.Path(name, f"{number}.cpp"), pathlib.Path(name, f"{number}.o")
            source.write_text(text.format(of), encoding="utf-8")
            subprocess.run(["c++", "-O1", "-c", *options, source, "-o", made], check=True)
            found = violations(made, of)
            print(number, found)
            missed += not found
    return missed


def main():
    if sys.argv[1] == "--self-test":
        sys.exit(self_test())
    found, sets = [], []
    for path, of in objects(pathlib.Path(sys.argv[1])):
        sets.append(of)
        found += violations(path, of)
    print("\n".join(found))
    print(f"{len(sets)} objects, {len(found)} violations")
    sys.exit(1 if found or any(sets.count(of) < 2 for of in SETS) else 0)


if __name__ == "__main__":
    main()
