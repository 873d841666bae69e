"""The examples in dsl/diag/explanations are what they say: explanation_test.py KASPAR

A fence tells what an example is: ```LANGUAGE KIND [file=NAME]. KIND is
  wrong  `kaspar check` finds its file's code in it, and no other
  right  `kaspar check` finds nothing in it
  both   lies beside the wrong and the right ones
  test   `kaspar test` passes it
A `pipe` example is the pipeline itself, `toml` the profile beside it, unless it has a name."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

KASPAR = ""
ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ROOT / "dsl" / "diag" / "explanations"
CODES = re.findall(r"^KASPAR_DIAGNOSTIC\((K\d{4}), \"(.*)\"\)$",
                   (ROOT / "runtime" / "core" / "diagnostic_code.def").read_text(encoding="utf-8"), re.M)
# Files that the examples name.
BESIDE = [*(ROOT / "pipelines" / "control-chart").glob("*.*"), ROOT / "nodes" / "model" / "fixtures" / "unsupported.onnx"]
WITHOUT_EXAMPLE = {
    "K0407": "whether a model is too large depends on the memory that it may have",
    "K0604": "only brokers can tell",
    "K0907": "only a record of many megabytes is too large",
    "K0908": "only a Kafka sink refuses a record",
}


def examples(code):
    """(language, kind, file name or None, text) of each."""
    text = (TEXTS / f"{code}.md").read_text(encoding="utf-8")
    fences = re.findall(r"^```(\w+) (\w+)(?: file=(\S+))?\n(.*?)^```$", text, re.M | re.S)
    assert text.count("```") == 2 * len(fences), f"{code}: a fence is damaged"
    return fences


class Explanations(unittest.TestCase):
    def run_kaspar(self, *arguments, cwd=None):
        return subprocess.run([KASPAR, *arguments], capture_output=True, encoding="utf-8", timeout=60, check=False, cwd=cwd,
                              env={**os.environ, "KAFKA_PASSWORD": "secret"})

    def written(self, fences, kinds):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for file in BESIDE:
            shutil.copy(file, folder.name)
        for language, kind, name, text in fences:
            if kind in kinds:
                path = pathlib.Path(folder.name, name or {"pipe": "example.pipe", "toml": "kaspar.toml"}[language])
                path.write_text(text, encoding="utf-8")
        return folder.name

    def found(self, fences, kind):
        result = self.run_kaspar("check", "--output", "json", "example.pipe", cwd=self.written(fences, (kind, "both")))
        self.assertEqual(result.stderr, "")
        report = json.loads(result.stdout)
        return [entry["code"] for entry in report["diagnostics"]], result.stdout

    def test_wrong_and_right_examples(self):
        for code, _ in CODES:
            kinds = {kind for _, kind, _, _ in examples(code)}
            if code in WITHOUT_EXAMPLE or kinds == {"test"}:
                continue
            with self.subTest(code=code):
                wrong, output = self.found(examples(code), "wrong")
                self.assertEqual(set(wrong), {code}, output)
                right, output = self.found(examples(code), "right")
                self.assertEqual(right, [], output)

    def test_examples_of_rows(self):
        for code, _ in CODES:
            for fence in examples(code):
                if fence[1] != "test":
                    continue
                with self.subTest(code=code):
                    result = self.run_kaspar("test", "--output", "json", "example.pipe", cwd=self.written([fence], ("test",)))
                    self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                    self.assertEqual(json.loads(result.stdout)["test_count"], 1)

    def test_every_code_has_an_example(self):
        for code, _ in CODES:
            with self.subTest(code=code):
                kinds = {kind for _, kind, _, _ in examples(code)}
                if code in WITHOUT_EXAMPLE:
                    self.assertEqual(kinds, set())
                else:
                    self.assertTrue({"wrong", "right"} <= kinds or kinds == {"test"})
        self.assertEqual({path.stem for path in TEXTS.iterdir()}, {code for code, _ in CODES})

    def test_explain_prints_each(self):
        for code, title in CODES:
            with self.subTest(code=code):
                result = self.run_kaspar("explain", code.lower())
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertTrue(result.stdout.startswith(f"{code}: {title}\n\n"), result.stdout)
                self.assertNotIn("```", result.stdout)
                for _, _, _, text in examples(code):
                    self.assertIn("\n    " + text.splitlines()[-1], result.stdout)

    def test_explain_lists_all(self):
        result = self.run_kaspar("explain")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "".join(f"{code}  {title}\n" for code, title in CODES))

    def test_an_unknown_code_is_wrong_usage(self):
        for given, told in (("K0999", "error: there is no code `K0999`\nhelp: "),
                            ("K04O1", "error: there is no code `K04O1`\nhelp: did you mean `K0401`?\n"),
                            ("nonsense", "error: there is no code `nonsense`\nhelp: `kaspar explain` lists all codes\n")):
            with self.subTest(given=given):
                result = self.run_kaspar("explain", given)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertTrue(result.stderr.startswith(told), result.stderr)


if __name__ == "__main__":
    KASPAR = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
