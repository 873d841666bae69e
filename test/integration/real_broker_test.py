#!/usr/bin/env python3
"""The control-chart pipeline and the examples on a real broker. Runs under `test/kafka/cluster run`, which sets KASPAR_TEST_BROKERS."""
import os
import subprocess
import sys
import textwrap
import time
import unittest

import brokers
from broker_cases import BrokerCases
from control_chart_job import judge, rows
from example_cases import ExampleCases
from process_memory import peak_of
from refused_cases import RefusedCases


class RealBroker(BrokerCases, ExampleCases, RefusedCases, unittest.TestCase):
    ROWS = 20_000
    embedded = False

    def make_broker(self):
        return brokers.RealBroker()

    @unittest.skipUnless(brokers.old_librdkafka(), "an old librdkafka only: test/run old_librdkafka")
    def test_an_old_librdkafka_warns_and_refuses_exactly_once(self):
        job = self.job("old")
        job.produce([("k", ",".join(["30"] * 60))])
        self.assertIn('"old_librdkafka"', job.run_to_end())
        job.file.write_text(job.file.read_text() + "\ndeliver exactly_once\n")
        done = subprocess.run([brokers.KASPAR, "check", str(job.file)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("K0602", done.stdout)
        self.assertRegex(done.stdout, r"it needs librdkafka 2\.10\.1 or newer, this is \d+\.\d+\.\d+")

    @unittest.skipIf(brokers.old_librdkafka(), "refused with an old librdkafka, which another case shows")
    def test_exactly_once_to_the_end(self):
        job = self.job("exactly-once")
        job.file.write_text(job.file.read_text() + "\ndeliver exactly_once\n")
        made = rows(10_000, 17)
        job.produce((key, value) for key, value, _ in made)
        job.run_to_end()
        judge(self, job, made)
        before = job.ends(job.outputs), job.ends(job.dead)
        # A transaction leaves its marker where it wrote.
        self.assertGreater(sum(before[0].values()), sum(code is None for _, _, code in made))
        # Which is no record that a reader would wait for.
        read = subprocess.run([brokers.KASPAR, "consume", "--brokers", job.broker.address, "--topic", job.outputs, "--until-end"],
                              capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
        self.assertEqual(len(read), sum(code is None for _, _, code in made))
        job.run_to_end("--no-fuse")  # reads nothing
        self.assertEqual((job.ends(job.outputs), job.ends(job.dead)), before)

    def test_what_is_fetched_of_small_records_stays_within_the_memory_budget(self):
        job, budget, records = self.job("small"), 96, 1_500_000
        job.file.write_text(textwrap.dedent(f"""\
            pipe 1
            schema Reading {{ x: f32 }}
            source readings = kafka {{ topic: "{job.inputs}", group: "{job.group}", start: earliest }}
            sink texts = kafka {{ topic: "{job.outputs}" }}
            from readings |> parse csv as Reading |> to texts {{ value: meta.key }} on error fail
            """))
        profile = job.file.with_suffix(".toml")
        profile.write_text(f'[run]\nmemory_budget = "{budget}MiB"\n')
        job.produce((f"k{i % 100}", "1.5") for i in range(records))
        with open(job.file.with_suffix(".log"), "w+", encoding="utf-8") as log:
            process = subprocess.Popen(job.command("--until-end", "--profile", str(profile)), stderr=log)
            peak = 0
            while process.poll() is None:
                peak = peak_of(process.pid) or peak
                time.sleep(0.01)
            log.seek(0)
            told = log.read()
        self.assertEqual(process.returncode, 0, told)
        self.assertIn(f'"records_read":"{records}"', told)
        self.assertLess(peak / 1024, budget)
        self.assertGreater(peak / 1024, 20)

    def test_a_sink_creates_its_topic_if_the_file_says_so(self):
        job = self.job("create")
        made = f"{job.id}-made"
        job.file.write_text(job.file.read_text().replace(
            f'"{job.outputs}"', f'"{made}", create: {{ partitions = 2, replication = 1 }}'))
        job.produce([("k", ",".join(["30"] * 60))])
        job.run_to_end()
        listed = subprocess.run(["kcat", "-b", job.broker.address, "-L", "-t", made], capture_output=True, text=True,
                                check=True, timeout=60).stdout
        self.assertIn(f'topic "{made}" with 2 partitions', listed)

    def test_check_online_tells_whether_a_topic_could_be_created_and_creates_none(self):
        job = self.job("online-create")
        made = f"{job.id}-made"
        written = job.file.read_text()
        for replication, status in (1, 0), (3, 3):
            job.file.write_text(written.replace(
                f'"{job.outputs}"', f'"{made}", create: {{ partitions = 2, replication = {replication} }}'))
            found = self.check_online(job)
            self.assertEqual(found[0], status, found)
        self.assertIn("cannot be created", found[1][0]["message"])
        start = found[1][0]["span"]["start"]["byte"]
        self.assertTrue(job.file.read_bytes()[start:].startswith(b"{ partitions"))
        listed = subprocess.run(["kcat", "-b", job.broker.address, "-L"], capture_output=True, text=True, check=True, timeout=60)
        self.assertNotIn(made, listed.stdout)


if __name__ == "__main__":
    if not os.environ.get("KASPAR_TEST_BROKERS"):
        sys.exit("run it by: test/kafka/cluster run -- test/integration/real_broker_test.py")
    unittest.main()
