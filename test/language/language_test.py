#!/usr/bin/env python3
"""The language by example: every test of NAME.pipe passes `kaspar test`; those of fail_NAME.pipe all fail, as NAME.out has it.

  language_test.py KASPAR            runs them
  language_test.py KASPAR --update   rewrites the expected reports of fail_NAME.pipe"""
import difflib
import json
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


def run(kaspar, name, *options):
    return subprocess.run([kaspar, "test", *options, name], cwd=FOLDER, capture_output=True, encoding="utf-8", timeout=60,
                          check=False)


def main():
    kaspar, update = str(pathlib.Path(sys.argv[1]).resolve()), "--update" in sys.argv
    problems = 0
    for file in sorted(FOLDER.glob("*.pipe")):
        if re.search(r"^test ", file.read_text(encoding="utf-8"), re.M) is None:
            continue  # used by others
        broken = file.name.startswith("fail_")
        done = run(kaspar, file.name, "--output", "json")
        report = json.loads(done.stdout or "{}")
        outcomes = {test["status"] for test in report.get("tests", [])}
        if done.returncode != broken or outcomes != {"failed" if broken else "ok"} or report["warning_count"] != 0:
            print(f"{file.name}: exit status {done.returncode}\n{done.stderr}{run(kaspar, file.name).stdout}")
            problems += 1
        if not broken:
            continue
        text = re.sub(r"\([^()]*ms\)$", "(TIME)", run(kaspar, file.name).stdout, flags=re.M)
        text = re.sub(r"( in `\w+`): .*", r"\1: WHY", text)  # the nodes' own words
        expected = file.with_suffix(".out")
        if update:
            expected.write_text(text, encoding="utf-8")
            continue
        wanted = expected.read_text(encoding="utf-8") if expected.exists() else ""
        sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), text.splitlines(True), str(expected), "is"))
        problems += wanted != text
    sys.exit(f"{problems} problems" if problems else 0)


if __name__ == "__main__":
    main()
