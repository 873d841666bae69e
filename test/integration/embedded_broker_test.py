#!/usr/bin/env python3
"""The control-chart pipeline and the examples on embedded brokers: those of `kaspar broker`, and that of `kaspar run --embedded`."""
import re
import subprocess
import sys
import tempfile
import unittest

import brokers
from broker_cases import BrokerCases
from control_chart_job import PIPELINE, generate, rows
from example_cases import ExampleCases


class EmbeddedBroker(BrokerCases, ExampleCases, unittest.TestCase):
    ROWS = 10_000
    embedded = True

    def make_broker(self):
        return brokers.EmbeddedBroker()


class InProcess(unittest.TestCase):
    def run_fed(self, text, *options):
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as feed:
            feed.write(text)
            feed.flush()
            return subprocess.run([brokers.KASPAR, "run", str(PIPELINE), "--embedded", "--feed",
                                   f"windows={feed.name}", *options], capture_output=True, text=True, timeout=300)

    def test_what_is_fed_is_printed_as_results_and_dead_letters(self):
        made = rows(1_000, 21)
        done = self.run_fed("".join(f"{value}\n" for _, value, _ in made), "--until-end")
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        lines = done.stdout.splitlines()
        labels = [line for line in lines if line.startswith("topic = kaspar-outputs ")]
        letters = [line for line in lines if line.startswith("topic = kaspar-dead-letters ")]
        self.assertEqual(len(labels), 990)
        self.assertEqual(len(letters), 10)
        self.assertEqual(len(lines), 1_000)
        pattern = r"topic = kaspar-outputs key = \d\d-\d\d-\d{4} \d\d:\d\d:\d\d value = (.*)"
        found = {re.fullmatch(pattern, line).group(1) for line in labels}
        self.assertEqual(found, set(generate.LABELS))

    def test_more_than_the_broker_holds_passes_through(self):
        # 40 MB, where a partition keeps 5 MiB: what is ahead of the readers must be bounded.
        made = rows(500, 22, broken_every=10_000)
        text = "".join(f"{value}\n" for _, value, _ in made)
        repeats = 40_000_000 // len(text)
        done = self.run_fed(text * repeats, "--until-end")
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertEqual(done.stdout.count("\n"), repeats * 500)

    def test_a_limit_ends_the_run(self):
        made = rows(500, 23)
        done = self.run_fed("".join(f"{value}\n" for _, value, _ in made), "--limit", "100")
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertEqual(len(done.stdout.splitlines()), 100)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
