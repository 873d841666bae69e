#!/usr/bin/env python3
"""Golden tests of `kaspar check --dump`: each dump/NAME.pipe against NAME.tokens, .ast, .typed and .plan.

  dump_test.py KASPAR            compares; a missing expected file is a failure
  dump_test.py KASPAR --update   rewrites the expected files

Of a file that begins with fail_ there are no .typed and .plan; what is wrong in it is told on standard error."""
import difflib
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "dump"
PHASES = ("tokens", "ast", "typed", "plan")


def main():
    kaspar, update = str(pathlib.Path(sys.argv[1]).resolve()), "--update" in sys.argv
    files = sorted(FOLDER.glob("*.pipe"))
    problems = 0
    if len(files) < 3:
        sys.exit(f"only {len(files)} files in {FOLDER}")
    for file in files:
        broken = file.name.startswith("fail_")
        for phase in PHASES:
            done = subprocess.run([kaspar, "check", "--dump", phase, file.name], cwd=FOLDER, capture_output=True,
                                  encoding="utf-8", timeout=60, check=False)
            expected = file.with_suffix(f".{phase}")
            if done.returncode != broken or bool(done.stderr) != broken:
                print(f"{file.name}: exit status {done.returncode}\n{done.stderr}")
                problems += 1
            if broken and phase in ("typed", "plan"):
                if done.stdout or expected.exists():
                    print(f"{expected}: there must be none")
                    problems += 1
            elif update:
                expected.write_text(done.stdout, encoding="utf-8")
            else:
                wanted = expected.read_text(encoding="utf-8") if expected.exists() else ""
                sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), done.stdout.splitlines(True),
                                                           str(expected), "is"))
                problems += not done.stdout or wanted != done.stdout
    sys.exit(f"{problems} problems" if problems else 0)


if __name__ == "__main__":
    main()
