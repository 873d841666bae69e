#!/usr/bin/env python3
"""Broken files as people write them: each broken/NAME.pipe must give exactly the diagnostics of broken/NAME.expect.

  broken_test.py KASPAR

A line of NAME.expect is `CODE PLACE [HELP]`: the code, LINE or LINE:COLUMN of the primary place (FILE:LINE:COLUMN if
it is in another file), and a part of the help. The diagnostics stand in that order, and there are no others. What the
files need stands in broken/files. Nesting that no one would write is made here."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import message_style

FOLDER = pathlib.Path(__file__).resolve().parent / "broken"
FEWEST = 100
DEPTH = 10_000
SECONDS = 2  # that refusing a nesting may take

HEAD = """pipe 1

schema Reading { a: f64, b: bool }

source readings = file { path: "readings.csv" }
sink   out      = stdout

on error drop

from readings
  |> parse csv as Reading
"""
DEEP = {  # the line that the error is on is the last that has any text
    "parentheses": HEAD + "  |> filter " + "(" * DEPTH + "a" + ")" * DEPTH + " > 1.0\n  |> to out\n",
    "open parentheses": HEAD + "  |> filter " + "(" * DEPTH + "\n  |> to out\n",
    "ifs": HEAD + "  |> derive { c = " + "if b then a else " * DEPTH + "a }\n  |> to out\n",
    "conditions of ifs": HEAD + "  |> derive { c = " + "if " * DEPTH + "b" + " then b else b" * DEPTH + " }\n  |> to out\n",
    "negations": HEAD + "  |> filter " + "not " * DEPTH + "b\n  |> to out\n",
    "minus signs": HEAD + "  |> filter " + "- " * DEPTH + "a > 1.0\n  |> to out\n",
    "sums": HEAD + "  |> filter " + "a + " * DEPTH + "a > 1.0\n  |> to out\n",
    "ands": HEAD + "  |> filter " + "b and " * DEPTH + "b\n  |> to out\n",
    "coalescings": HEAD + "  |> filter " + "a ?? " * DEPTH + "a > 1.0\n  |> to out\n",
    "calls": HEAD + "  |> filter " + "abs(" * DEPTH + "a" + ")" * DEPTH + " > 1.0\n  |> to out\n",
    "indexes": HEAD + "  |> filter a" + "[0]" * DEPTH + " > 1.0\n  |> to out\n",
    "members": HEAD + "  |> filter a" + ".b" * DEPTH + " > 1.0\n  |> to out\n",
    "lists": HEAD.replace("stdout", "stdout { show_key: " + "[" * DEPTH + "]" * DEPTH + " }") + "  |> to out\n",
    "tables": HEAD.replace("stdout", "stdout { show_key: " + "{ a = " * DEPTH + "1" + " }" * DEPTH + " }") + "  |> to out\n",
    "braces": HEAD.replace("stdout", "stdout " + "{" * DEPTH) + "  |> to out\n",
}


def check(kaspar, name, folder):
    """The diagnostics as (code, place with column, help), what else is wrong, and the diagnostics as they came."""
    done = subprocess.run([kaspar, "check", "--output", "json", name], cwd=folder, capture_output=True, encoding="utf-8", timeout=60)
    if done.returncode not in (0, 1) or done.stderr:
        return [], f"exit status {done.returncode}, standard error: {done.stderr}", []
    report = json.loads(done.stdout)
    found = []
    for diagnostic in report["diagnostics"]:
        start = diagnostic["span"]["start"]
        place = f"{start['line']}:{start['column']}"
        if diagnostic["file"] != name:
            place = f"{diagnostic['file']}:{place}"
        found.append((diagnostic["code"], place, diagnostic.get("help") or ""))
    errors = sum(diagnostic["severity"] == "error" for diagnostic in report["diagnostics"])
    problem = None
    if report["error_count"] != errors or report["valid"] != (errors == 0) or done.returncode != (errors > 0):
        problem = f"exit status {done.returncode}, valid {report['valid']}, {report['error_count']} errors; it has {errors}"
    return found, problem, report["diagnostics"]


def agrees(wanted, found):
    code, place, help_part = (wanted.split(" ", 2) + [""])[:3]
    is_code, is_place, is_help = found
    if place.count(":") < is_place.count(":"):
        is_place = is_place.rpartition(":")[0]
    return (code, place) == (is_code, is_place) and help_part in is_help


def test_file(kaspar, path):
    wanted = path.with_suffix(".expect").read_text(encoding="utf-8").splitlines()
    found, problem, diagnostics = check(kaspar, path.name, FOLDER)
    if not wanted:
        problem = "expects nothing"
    problem = problem or next((fault for diagnostic in diagnostics for fault in message_style.faults(diagnostic)), None)
    if problem is None and len(wanted) == len(found) and all(map(agrees, wanted, found)):
        return 0
    print(f"{path.name}: {problem or 'other diagnostics'}")
    for line in wanted:
        print(f"    must: {line}")
    for (code, place, help_text), diagnostic in zip(found, diagnostics):
        print(f"    is:   {code} {place} {help_text!r}: {diagnostic['message']}")
    return 1


def test_depth(kaspar, folder, name, text):
    pathlib.Path(folder, "deep.pipe").write_text(text, encoding="utf-8")
    start = time.monotonic()
    found, problem, _ = check(kaspar, "deep.pipe", folder)
    seconds = time.monotonic() - start
    if problem is None and len(found) == 1 and found[0][0] == "K0101" and seconds < SECONDS:
        return 0
    print(f"{DEPTH} deep {name}: {problem or found}, {seconds:.2f} s; must: K0101 alone, within {SECONDS} s")
    return 1


def main():
    kaspar = str(pathlib.Path(sys.argv[1]).resolve())
    files = sorted(FOLDER.glob("*.pipe"))
    problems = 0
    if len(files) < FEWEST:
        print(f"only {len(files)} files in {FOLDER}, must be {FEWEST}")
        problems += 1
    for stray in FOLDER.glob("*.expect"):
        if not stray.with_suffix(".pipe").exists():
            print(f"{stray}: of no .pipe file")
            problems += 1
    problems += sum(test_file(kaspar, path) for path in files)
    with tempfile.TemporaryDirectory() as folder:
        problems += sum(test_depth(kaspar, folder, name, text) for name, text in DEEP.items())
    sys.exit(f"{problems} problems" if problems else 0)


if __name__ == "__main__":
    main()
