"""Runs the program given as the first argument and looks at its output and exit status."""

import signal
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
        self.assertIn("librdkafka", result.stdout)

    def test_help_is_no_mistake(self):
        result = kaspar("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("version", result.stdout)

    def test_wrong_usage_is_2_and_leaves_stdout_alone(self):
        for arguments in ([], ["no-such-command"], ["version", "--no-such-option"],
                          ["broker", "--topic", "t"], ["broker", "--topic", "t:0"]):
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


class Broker(unittest.TestCase):
    def setUp(self):
        self.broker = subprocess.Popen(
            [KASPAR, "broker", "--topic", "rows:3"], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.broker.stdout.close)
        self.addCleanup(self.broker.wait)
        self.addCleanup(self.broker.kill)
        self.address = self.broker.stdout.readline().strip()

    def test_foreign_client_writes_and_reads_records_with_keys(self):
        self.assertRegex(self.address, r"\A127\.0\.0\.1:\d+\Z")
        produced = subprocess.run(
            ["kcat", "-b", self.address, "-P", "-t", "rows", "-K", "|"],
            input="22-11-2026 10:00:00|1,2\n22-11-2026 10:00:01|3,4\n",
            capture_output=True, text=True, timeout=60, check=False,
        )
        self.assertEqual(produced.returncode, 0, produced.stderr)
        consumed = subprocess.run(
            ["kcat", "-b", self.address, "-C", "-t", "rows", "-e", "-q", "-f", "%k|%s\n"],
            capture_output=True, text=True, timeout=60, check=False,
        )
        self.assertEqual(consumed.returncode, 0, consumed.stderr)
        self.assertEqual(
            sorted(consumed.stdout.splitlines()),
            ["22-11-2026 10:00:00|1,2", "22-11-2026 10:00:01|3,4"],
        )
        listed = subprocess.run(
            ["kcat", "-b", self.address, "-L", "-t", "rows"],
            capture_output=True, text=True, timeout=60, check=False,
        )
        self.assertIn('topic "rows" with 3 partitions', listed.stdout)

    def test_a_signal_ends_it_gracefully(self):
        self.broker.send_signal(signal.SIGTERM)
        self.assertEqual(self.broker.wait(timeout=60), 0)


if __name__ == "__main__":
    KASPAR = sys.argv.pop(1)
    unittest.main()
