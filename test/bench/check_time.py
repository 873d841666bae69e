#!/usr/bin/env python3
"""How long `kaspar check` takes: test/bench/check_time.py [KASPAR], by default that of the release preset.

Prints the process time (user and system, from start to end) of checking the canonical pipeline, with its model, and
files of 10 000 lines, beside those of /bin/true and `python3 -c pass`: the median, least and most of 15 runs."""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import long_pipeline

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = 15
LINES = 10_000


def measure(command):
    """(process time, wall time) in ms."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: exit status {child.returncode}")
    return 1000 * (usage.ru_utime + usage.ru_stime), 1000 * wall


def main():
    kaspar = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release" / "kaspar").resolve())
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            ("/bin/true", ["/bin/true"]),
            ("python3 -c pass", ["/usr/bin/python3", "-c", "pass"]),
            ("kaspar version", [kaspar, "version"]),
            ("check control-chart.pipe", [kaspar, "check", str(ROOT / "pipelines" / "control-chart" / "control-chart.pipe")]),
        ]
        for shape in long_pipeline.SHAPES:
            path = pathlib.Path(folder, f"{shape.__name__}.pipe")
            path.write_text(long_pipeline.text(shape, LINES), encoding="utf-8")
            rows.append((f"check {LINES} lines: {shape.__name__}", [kaspar, "check", str(path)]))
        print(f"{'median (least to most) in ms of ' + str(RUNS) + ' runs':<42} {'process time':>24} {'wall time':>24}")
        for name, command in rows:
            columns = zip(*[measure(command) for _ in range(RUNS)])
            cells = [f"{statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f})" for times in columns]
            print(f"{name:<42} {cells[0]:>24} {cells[1]:>24}")


if __name__ == "__main__":
    main()
