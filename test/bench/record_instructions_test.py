#!/usr/bin/env python3
"""What a record costs has not grown: instructions and allocations, counted by valgrind, so that it holds on any machine
under any load.

  record_instructions_test.py FOLDER [--update | --self-test]

FOLDER is that of the release preset, with kaspar and bench_kernels. Compared with record_instructions.json, by compiler:
10 % more instructions, or an allocation for every twentieth record more, is a failure. Exit status 77, skipped, where
there is no valgrind or there are no figures for the compiler. --self-test: that kaspar_copying, which copies each payload,
would be such a failure."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import bench_data
import model_families

FIGURES = pathlib.Path(__file__).with_name("record_instructions.json")
FEW = 1_000
# So much more work, in a warm program, that a run's own noise is far below 1 %.
MANY = {"lstm": 11_000, "lr": 21_000, "mlp": 21_000, "gbdt": 21_000, "json": 21_000, "pass": 401_000}
REPEATS, ROWS = 11, 512
MORE, MORE_ALLOCATIONS = 1.10, 0.05


def count(tool, pattern, command, folder):
    options = {"callgrind": ["--callgrind-out-file=/dev/null"],
               "memcheck": ["--leak-check=no", "--undef-value-errors=no"]}[tool]
    # Valgrind knows some of the wider instructions, by version: the figures are those without any.
    done = subprocess.run(["valgrind", f"--tool={tool}", *options, *map(str, command)], cwd=folder, capture_output=True,
                          encoding="utf-8", timeout=600, env={**os.environ, "KASPAR_ISA": "portable"})
    found = re.search(pattern, done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return int(found[1].replace(",", ""))


def write_inputs(folder):
    bench_data.write_rows(folder / "kernel.csv", ROWS)
    bench_data.write_payments(folder / "payments.jsonl", ROWS)
    for kind, many in MANY.items():
        lines = (folder / ("payments.jsonl" if kind == "json" else "kernel.csv")).read_text(encoding="ascii").splitlines(keepends=True)
        for rows in (FEW, many):
            (folder / f"{kind}-{rows}").write_text("".join(lines[i % ROWS] for i in range(rows)), encoding="ascii")
        model_families.write_job_model(kind, folder / f"{kind}.onnx")
        text = bench_data.pipeline(kind, f"{kind}.onnx")
        if kind == "pass":
            text = text.replace("key: meta.key, value: meta.key", 'value: "same"')
        (folder / f"{kind}.pipe").write_text(text, encoding="utf-8")
    (folder / "one.toml").write_text("[run]\nthreads = 1\n", encoding="ascii")


def stage_figures(build, folder):
    figures = {}
    for stage in ("parse", "apply"):
        few, many = (count("callgrind", r"Collected : (\d+)",
                           [build / "test/bench/bench_kernels", "repeat", "--rows", "kernel.csv", "--pipeline", "lstm.pipe",
                            "--stage", stage, "--repeats", repeats], folder) for repeats in (1, REPEATS))
        figures[f"{stage}: instructions"] = (many - few) / (REPEATS - 1) / ROWS
    return figures


def file_figures(program, kind, folder):
    def run(rows):
        for sink in ("labels", "dead"):
            (folder / sink).unlink(missing_ok=True)
        return [program, "run", f"{kind}.pipe", "--profile", "one.toml", "--source", f"windows=file:{kind}-{rows}",
                "--sink", "labels=file:labels", "--sink", "dead=file:dead", "--until-end"]
    figures, most = {}, MANY[kind]
    for what, tool, pattern in (("instructions", "callgrind", r"Collected : (\d+)"),
                                ("allocations", "memcheck", r"total heap usage: ([\d,]+) allocs")):
        few, many = (count(tool, pattern, run(rows), folder) for rows in (FEW, most))
        written = len((folder / "labels").read_text(encoding="utf-8").splitlines())
        if written != most:
            sys.exit(f"{written} of {most} records were written")
        figures[f"{kind}, file to file: {what}"] = (many - few) / (most - FEW)
    return figures


def measure(build, self_test):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_inputs(folder)
        if self_test:
            figures = file_figures(build / "test/bench/kaspar_copying", "pass", folder)
        else:
            figures = stage_figures(build, folder)
            for kind in MANY:
                figures |= file_figures(build / "kaspar", kind, folder)
    return {name: round(value, 3 if "allocations" in name else 0) for name, value in figures.items()}


def compiler(build):
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.M).group(1)
    version = subprocess.run([path, "-dumpversion"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{pathlib.Path(path).name.replace('c++', 'g++') if 'clang' not in path else 'clang++'} {version.split('.')[0]}"


def main():
    if shutil.which("valgrind") is None:
        print("no valgrind")
        sys.exit(77)
    build = pathlib.Path(sys.argv[1]).resolve()
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    name = compiler(build)
    if name not in known and "--update" not in sys.argv:
        print(f"no figures for {name}: record_instructions_test.py FOLDER --update makes some")
        sys.exit(77)
    self_test = "--self-test" in sys.argv
    figures = measure(build, self_test)
    if "--update" in sys.argv:
        known[name] = figures
        FIGURES.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    problems = 0
    for what, value in figures.items():
        was = known[name].get(what)
        worse = was is None or value > (was + MORE_ALLOCATIONS if "allocations" in what else was * MORE)
        problems += worse
        print(f"{what:<40} {value:>12} a record, was {was}{'  MORE' if worse else ''}")
    if self_test:
        sys.exit(0 if problems == len(figures) else "a copy of each payload goes unseen")
    sys.exit(f"{problems} figures have grown" if problems else 0)


if __name__ == "__main__":
    main()
