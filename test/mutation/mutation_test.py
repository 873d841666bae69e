#!/usr/bin/env python3
"""Damaged files and the program itself: `kaspar check` ends with 0 or 1 and prints JSON whose places are in the files.

  mutation_test.py KASPAR MUTATION FILE…"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

COUNT = 200
SECONDS = 120


def outside(diagnostic, folder):
    """Whether a place of the diagnostic is outside its file."""
    size = (folder / diagnostic["file"]).stat().st_size
    spans = [diagnostic["span"]] + [label["span"] for label in diagnostic["labels"]]
    spans += [fix["span"] for fix in diagnostic["fixes"]]
    return any(not 0 <= span["start"]["byte"] <= span["end"]["byte"] <= size for span in spans)


def main():
    kaspar, mutation, *files = sys.argv[1:]
    problems = 0
    # What the files name must stay beside the mutants of all: those of one file at a time.
    for number, path in enumerate(map(pathlib.Path, files)):
        with tempfile.TemporaryDirectory() as root:
            folder = pathlib.Path(root) / "mutants"
            shutil.copytree(path.parent, folder)
            made = [kaspar, "check", "--output", "json"]
            subprocess.run([mutation, "--keep", folder, "--count", str(COUNT), "--seed", str(number), path], check=True, timeout=SECONDS)
            names = [f"mutant-{i}.pipe" for i in range(COUNT)]
            done = subprocess.run(made + names, cwd=folder, capture_output=True, timeout=SECONDS)
            if done.returncode != 1 or done.stderr:
                print(f"mutants of {path}: exit status {done.returncode}, must be 1: {done.stderr[:2000]}")
                problems += 1
                continue
            report = json.loads(done.stdout.decode("utf-8"))
            found = report["diagnostics"]
            if report["error_count"] != sum(diagnostic["severity"] == "error" for diagnostic in found):
                print(f"mutants of {path}: error_count is {report['error_count']}")
                problems += 1
            for diagnostic in found:
                if outside(diagnostic, folder):
                    print(f"a place outside the file: {diagnostic}")
                    problems += 1
    sys.exit(f"{problems} problems" if problems else 0)


if __name__ == "__main__":
    main()
