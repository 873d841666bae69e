#!/usr/bin/env python3
"""Checks that every folder includes only what the architecture allows, and that the top level holds
nothing unforeseen. Usage: check_include_directions.py ROOT | --self-test"""
import pathlib
import re
import sys
import tempfile

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "dsl", "runtime", "nodes", "pipelines", "deploy",
             "test", "README.md", "CONTRIBUTING.md", "LICENSE", "build"}

# The compiler's phases: each includes only those before it.
DSL_PHASES = ["source", "diag", "lex", "profile", "parse", "check", "plan", "fmt"]

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def allowed(folder):
    """Folders that a file of `folder` may include from; None: all."""
    parts = folder.split("/")
    if parts[0] in ("test",) or folder.startswith("runtime/cli"):
        return None
    if folder.startswith("runtime/core"):
        return ["runtime/core"]
    if folder.startswith("runtime/"):
        return ["runtime/core", "/".join(parts[:2])]
    if parts[0] == "dsl":
        before = DSL_PHASES[:DSL_PHASES.index(parts[1]) + 1] if len(parts) > 1 else []
        return ["runtime/core"] + ["dsl/" + phase for phase in before]
    if parts[0] == "nodes":
        return ["runtime/core", "/".join(parts[:2])]
    return []


def violations(root):
    found = []
    for entry in sorted(root.iterdir()):
        if entry.name not in TOP_LEVEL and not entry.name.startswith("."):
            found.append(f"{entry.name}: the top level holds only {', '.join(sorted(TOP_LEVEL))}")
    for top in ("dsl", "runtime", "nodes"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".hpp", ".cpp", ".in", ".def"):
                continue
            file = path.relative_to(root).as_posix()
            folder = path.parent.relative_to(root).as_posix()
            if file.startswith("dsl/") and folder != "dsl" and folder.split("/")[1] not in DSL_PHASES:
                found.append(f"{file}: {folder} is no phase of the compiler")
                continue
            permitted = allowed(folder)
            for include in INCLUDE.findall(path.read_text(encoding="utf-8")):
                if include.split("/")[0] not in ("dsl", "runtime", "nodes", "test", "pipelines", "deploy"):
                    if (root / include).exists() or (path.parent / include).exists():
                        found.append(f'{file}: "{include}" is not written from the root')
                    continue  # generated, or of a third party
                if permitted is None:
                    continue
                if path.stem.endswith("_test") and include.startswith("test/"):
                    continue
                if not any(include.startswith(prefix + "/") for prefix in permitted):
                    found.append(f'{file}: may not include "{include}"; '
                                 f'{folder} includes only {", ".join(permitted)}')
    return found


def self_test():
    """A tree with one violation of each kind: every one must be found, and nothing else."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        files = {
            "extra.txt": "",
            "runtime/core/a.hpp": '#include "nodes/csv/b.hpp"\n',
            "runtime/engine/a.cpp": '#include "dsl/plan/b.hpp"\n#include "runtime/core/ok.hpp"\n',
            "dsl/lex/a.cpp": '#include "dsl/parse/b.hpp"\n#include "dsl/diag/ok.hpp"\n',
            "dsl/odd/a.cpp": "",
            "nodes/csv/a.cpp": '#include "nodes/kafka/b.hpp"\n#include "nodes/csv/ok.hpp"\n',
            "nodes/csv/b.cpp": '#include "a.cpp"\n',
            "runtime/cli/main.cpp": '#include "dsl/plan/fine.hpp"\n',
        }
        for file, text in files.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found = violations(root)
        for line in found:
            print(line)
        return len(found) == 7


if __name__ == "__main__":
    if sys.argv[1] == "--self-test":
        sys.exit(0 if self_test() else 1)
    problems = violations(pathlib.Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} violations")
    sys.exit(1 if problems else 0)
