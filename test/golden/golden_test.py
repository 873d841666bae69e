#!/usr/bin/env python3
"""Golden tests of `kaspar check`: each check/NAME.pipe against NAME.out (for people) and NAME.json (for programs).

  golden_test.py KASPAR            compares; a missing expected file is a failure
  golden_test.py KASPAR --update   rewrites the expected files

Beside NAME.pipe may stand NAME.toml, its profile, and NAME.args, more arguments, one a line.

A file that begins with fail_ must be refused (exit status 1), every other must be accepted (0). Each code that the
checker raises must be shown by some file, unless EXEMPT gives a reason. Every text keeps to the style of messages."""
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys

import message_style

FOLDER = pathlib.Path(__file__).resolve().parent / "check"
CODES = FOLDER.parents[2] / "runtime" / "core" / "diagnostic_code.def"
# Scores differ in their last digits between instruction sets.
ENVIRONMENT = {**os.environ, "KASPAR_PARAM_WAIT": "soon", "KASPAR_PARAM_OF_NOBODY": "1", "GOLDEN_SECRET": "swordfish", "KASPAR_ISA": "portable"}
EXEMPT = {
    "K0604": "only brokers can tell (test/integration)",
    **{f"K090{number}": "of rows, at run time" for number in range(1, 9)},
}


def check(kaspar, name, *options):
    arguments = (FOLDER / name).with_suffix(".args")
    more = arguments.read_text(encoding="utf-8").split("\n")[:-1] if arguments.exists() else []
    if (FOLDER / name).with_suffix(".toml").exists():
        more += ["--profile", pathlib.Path(name).with_suffix(".toml").name]
    done = subprocess.run([kaspar, "check", *options, *more, name], cwd=FOLDER, env=ENVIRONMENT, capture_output=True, encoding="utf-8", timeout=60)
    if done.stderr:
        print(f"{name}: standard error must stay empty:\n{done.stderr}")
    return done.returncode, done.stdout, not done.stderr


def compare(path, text, update):
    if update:
        path.write_text(text, encoding="utf-8")
        return True
    if not path.exists():
        print(f"{path}: missing; write it with --update, read it, and commit it")
        return False
    wanted = path.read_text(encoding="utf-8")
    sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), text.splitlines(True), str(path), "is"))
    return wanted == text


def misplaced(report):
    """Spans whose line and column are not those of their byte: lines and columns count from 1, columns in code
    points, bytes from 0 with a byte-order mark."""
    for diagnostic in report["diagnostics"]:
        if not (FOLDER / diagnostic["file"]).exists():
            continue  # the command line, the environment
        written = (FOLDER / diagnostic["file"]).read_bytes()
        for span in [diagnostic["span"]] + [label["span"] for label in diagnostic["labels"]]:
            for end in span.values():
                before = written[: end["byte"]].decode("utf-8").removeprefix("\ufeff")
                place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
                if place != (end["line"], end["column"]):
                    yield f"{diagnostic['file']}: byte {end['byte']} is at {place}, not {end}"


def main():
    kaspar, update = str(pathlib.Path(sys.argv[1]).resolve()), "--update" in sys.argv
    files = sorted(FOLDER.glob("*.pipe"))
    problems, shown = 0, set()
    if len(files) < 10:
        sys.exit(f"only {len(files)} files in {FOLDER}")
    for file in files:
        wanted = 1 if file.name.startswith("fail_") else 0
        for options, suffix in (((), ".out"), (("--output", "json"), ".json")):
            status, text, quiet = check(kaspar, file.name, *options)
            if status != wanted:
                print(f"{file.name}: exit status {status}, must be {wanted}\n{text}")
                problems += 1
            problems += not quiet
            problems += not compare(file.with_suffix(suffix), text, update)
        report = json.loads(text)
        problems += report["valid"] != (wanted == 0)
        worded = (fault for diagnostic in report["diagnostics"] for fault in message_style.faults(diagnostic))
        for problem in [*misplaced(report), *worded]:
            print(problem)
            problems += 1
        shown |= {diagnostic["code"] for diagnostic in report["diagnostics"]}
    for stray in FOLDER.iterdir():
        if stray.suffix in (".out", ".json") and not stray.with_suffix(".pipe").exists():
            print(f"{stray}: of no .pipe file")
            problems += 1
    codes = set(re.findall(r"\bK\d{4}\b", CODES.read_text(encoding="utf-8")))
    for code in sorted(codes - shown - set(EXEMPT)):
        print(f"{code}: no golden file shows it")
        problems += 1
    for code in sorted(shown & set(EXEMPT)):
        print(f"{code}: it is shown, and must not be exempt")
        problems += 1
    sys.exit(f"{problems} problems" if problems else 0)


if __name__ == "__main__":
    main()
