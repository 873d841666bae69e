"""Runs the program given as the first argument and looks at its output and exit status."""

import subprocess
import sys
import unittest

KASPAR = ""


def kaspar(*arguments, **options):
    return subprocess.run(
        [KASPAR, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


class ExitStatus(unittest.TestCase):
    def test_version_tells_program_and_libraries(self):
        result = kaspar("version")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"\Akaspar \d+\.\d+\.\d+\n")
        self.assertIn("CLI11", result.stdout)

    def test_help_is_no_mistake(self):
        result = kaspar("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("version", result.stdout)

    def test_wrong_usage_is_2_and_leaves_stdout_alone(self):
        for arguments in ([], ["no-such-command"], ["version", "--no-such-option"]):
            with self.subTest(arguments=arguments):
                result = kaspar(*arguments)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stdout, "")
                self.assertNotEqual(result.stderr, "")

    def test_full_standard_output_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run(
                [KASPAR, "version"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
            )
        self.assertEqual(result.returncode, 3)


if __name__ == "__main__":
    KASPAR = sys.argv.pop(1)
    unittest.main()
