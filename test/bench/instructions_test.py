#!/usr/bin/env python3
"""`kaspar check` takes a time that grows with the length of a file and not with its square.

  instructions_test.py KASPAR

Counted by valgrind in instructions, so that it holds on any machine under any load: ten times the lines take at most
twelve times what is above the work for an empty file. Exit status 77, skipped, where there is no valgrind."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import long_pipeline

FEW, MANY = 1_000, 10_000
MOST = 12.0  # names stand in ordered maps and mistakes are sorted, which adds a logarithm: 10 * log(10 000) / log(1 000) = 13


def instructions(kaspar, text):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "long.pipe").write_text(text, encoding="utf-8")
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = subprocess.run([*valgrind, kaspar, "check", "--output", "json", "long.pipe"], cwd=folder, capture_output=True, encoding="utf-8", timeout=600)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode not in (0, 1) or not counted:
        sys.exit(f"exit status {done.returncode}: {done.stderr}")
    return int(counted[1])


def main():
    if shutil.which("valgrind") is None:
        print("no valgrind")
        sys.exit(77)
    kaspar = str(pathlib.Path(sys.argv[1]).resolve())
    start = instructions(kaspar, long_pipeline.text(lambda lines: ["pipe 1"], 1))
    problems = 0
    texts = [long_pipeline.text(shape, lines) for shape in long_pipeline.SHAPES for lines in (FEW, MANY)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        counts = list(threads.map(lambda text: instructions(kaspar, text) - start, texts))
    for shape, few, many in zip(long_pipeline.SHAPES, counts[::2], counts[1::2]):
        ratio = many / few
        print(f"{shape.__name__:<10} {few / 1e6:8.1f} {many / 1e6:8.1f} million instructions: {ratio:.1f} times as many")
        problems += ratio > MOST
    sys.exit(f"{problems} grow faster than the file" if problems else 0)


if __name__ == "__main__":
    main()
