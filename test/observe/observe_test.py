#!/usr/bin/env python3
"""What a run shows of itself, on a real broker: probes, status, metrics, tap, and `trace` beside what the run did. Runs
under `test/kafka/cluster run`."""
import collections
import json
import os
import random
import subprocess
import sys
import unittest

from observed_run import ObservedRun

import brokers
from control_chart_job import Job, rows

KASPAR = brokers.KASPAR
ROWS = 4_000
OFFSETS = 1_000


def samples(text):
    """Metric with labels → value."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}


class Observed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.job = Job(brokers.RealBroker(), "observed")
        cls.addClassCleanup(cls.job.close)
        cls.made = rows(ROWS, 5, broken_every=20)
        cls.run_ = ObservedRun(cls.job.file, cls.job.broker.address)
        try:
            cls.job.produce((key, value) for key, value, _ in cls.made)
            cls.failed = sum(code is not None for _, _, code in cls.made)
            cls.status = cls.run_.wait_for(
                lambda s: s["records"]["written"] + s["records"]["dead_letters"] == ROWS and s["records"]["lag"] == 0)
        except BaseException:
            cls.run_.process.kill()
            raise
        cls.addClassCleanup(cls.run_.stop)

    def test_probes_have_a_listener_of_their_own(self):
        for path in ("/healthz", "/readyz", "/startupz"):
            self.assertEqual(self.run_.get(path, self.run_.probes)[0], 200)
            self.assertEqual(self.run_.get(path)[0], 200)
        for path in ("/", "/metrics", "/api/status"):
            self.assertEqual(self.run_.get(path, self.run_.probes)[0], 404)

    def test_the_status_agrees_with_what_was_fed(self):
        records = self.status["records"]
        self.assertEqual((records["read"], records["failed"], records["dead_letters"]), (ROWS, self.failed, self.failed))
        self.assertEqual(records["written"], ROWS - self.failed)
        self.assertEqual(self.status["state"], "running")
        kinds = [node["kind"] for node in self.status["nodes"]]
        self.assertEqual(kinds, ["source", "stage", "stage", "stage", "stage", "sink", "sink"])
        parse = self.status["nodes"][1]
        self.assertEqual((parse["word"], parse["records"]), ("parse", ROWS))
        self.assertEqual(sum(node["failed"] for node in self.status["nodes"]), self.failed)
        group, = self.status["groups"]
        self.assertEqual((group["group"], group["partition_count"]), (self.job.group, brokers.PARTITIONS))
        # Offsets are committed in an interval.
        self.run_.wait_for(lambda s: sum(part["committed"] or 0 for part in s["groups"][0]["partitions"]) == ROWS, 30)
        self.assertEqual(sum(self.status["errors"].values()), self.failed)
        model, = self.status["models"]
        digest = subprocess.run(["sha256sum", model["path"]], capture_output=True, text=True, check=True).stdout.split()[0]
        self.assertEqual(model["sha256"], digest)
        members = self.run_.wait_for(lambda s: s["groups"][0]["members"], 30)["groups"][0]["members"]
        self.assertEqual([(m["self"], m["partitions"]) for m in members], [(True, brokers.PARTITIONS)])

    def test_no_row_is_shown(self):
        rows_shown = self.status["error_rows"]
        self.assertTrue(0 < len(rows_shown) <= 32)
        values = {value for _, value, code in self.made if code}
        text = json.dumps(rows_shown)
        self.assertFalse([value for value in values if len(value) > 8 and value in text])
        for row in rows_shown:
            self.assertEqual(set(row), {"time", "code", "title", "stage", "place", "topic", "partition", "offset"})

    def test_promtool_accepts_the_metrics_and_they_agree_with_the_status(self):
        text = self.run_.metrics()
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""), checked.stdout)
        found = samples(text)
        self.assertEqual(found['kaspar_source_records_total{source="windows"}'], ROWS)
        self.assertEqual(found['kaspar_sink_records_total{sink="dead",kind="dead_letter"}'], self.failed)
        self.assertEqual(found['kaspar_sink_records_total{sink="labels",kind="result"}'], ROWS - self.failed)
        self.assertEqual(sum(value for name, value in found.items() if name.startswith("kaspar_lag_records{")), 0)
        self.assertGreater(found["kaspar_end_to_end_seconds_count"], 0)
        self.assertGreater(found["kaspar_commit_seconds_count"], 0)
        self.assertGreater(found['kaspar_memory_bytes{use="resident"}'], 1 << 20)

    def test_other_methods_hosts_and_paths_are_refused(self):
        self.assertEqual(self.run_.get("/nothing")[0], 404)
        curl = lambda *options: subprocess.run(  # noqa: E731
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *options, self.run_.page + "/"],
            capture_output=True, text=True, timeout=60).stdout
        self.assertEqual(curl("-X", "POST"), "405")
        self.assertEqual(curl("-H", "Host: evil.example"), "421")
        self.assertEqual(curl(), "200")

    def test_trace_does_what_the_run_did(self):
        results = collections.Counter((r.key(), r.value(), r.partition()) for r in self.job.records(self.job.outputs))
        letters = {}
        for record in self.job.records(self.job.dead):
            headers = dict(record.headers())
            place = (int(headers["kaspar.partition"]), int(headers["kaspar.offset"]))
            letters[place] = (headers["kaspar.code"].decode(), headers["kaspar.message"].decode(), headers["kaspar.stage"].decode(),
                              record.partition())
        ends = self.job.ends(self.job.inputs)
        every = [(p, offset) for p, end in ends.items() for offset in range(end)]
        self.assertEqual(len(every), ROWS)
        chosen = random.Random(3).sample(every, OFFSETS)
        bad = 0
        for first in range(0, OFFSETS, 250):
            names = [f"{self.job.inputs}:{p}:{offset}" for p, offset in chosen[first:first + 250]]
            done = subprocess.run([KASPAR, "trace", str(self.job.file), *names, "--brokers", self.job.broker.address,
                                   "--output", "json"], capture_output=True, text=True, timeout=300)
            self.assertEqual(done.returncode, 0, done.stderr)
            for (partition, offset), line in zip(chosen[first:first + 250], done.stdout.splitlines(), strict=True):
                traced = json.loads(line)
                self.assertEqual((traced["record"]["partition"], traced["record"]["offset"]), (partition, offset))
                chain, = traced["chains"]
                output, = chain["outputs"]
                if (partition, offset) in letters:
                    bad += 1
                    last = chain["stages"][-1]
                    self.assertEqual((last["code"], last["message"], last["stage"], output["partition"]), letters[partition, offset])
                    self.assertEqual((output["sink"], output["dead_letter"]), ("dead", True))
                else:
                    self.assertEqual(output["sink"], "labels")
                    one = (output["key"].encode(), output["value"].encode(), output["partition"])
                    results[one] -= 1
                    self.assertGreaterEqual(results[one], 0, f"the run wrote no {one}")
        self.assertGreater(bad, OFFSETS // 40)
        self.assertLess(bad, OFFSETS)

    def test_trace_tells_what_is_not_there(self):
        for record, status, text in ((f"{self.job.inputs}:0:99999999", 3, "there is no record"),
                                     (f"{self.job.inputs}:77:0", 3, "the topic has 3 partitions"),
                                     ("other:0:0", 2, "the file reads no topic `other`"),
                                     ("nonsense", 2, "names no record")):
            done = subprocess.run([KASPAR, "trace", str(self.job.file), record, "--brokers", self.job.broker.address],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(text, done.stderr)

    def test_a_tap_shows_rows_of_the_source(self):
        # A tap has no beginning that could be waited for: rows go to a run of their own until it has seen enough.
        job = Job(brokers.RealBroker(), "tapped")
        self.addCleanup(job.close)
        run = ObservedRun(job.file, job.broker.address)
        self.addCleanup(run.stop)
        run.wait_for(lambda s: s["ready"])
        tap = subprocess.Popen([KASPAR, "tap", str(job.file), "windows", "--limit", "2", "--address", run.page[7:]],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(300):
            if tap.poll() is not None:
                break
            job.produce([("a key", "1,2,3")])
            try:
                tap.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
        out, err = tap.communicate(timeout=60)
        self.assertEqual(tap.returncode, 0, err)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([(line["key"], line["value"]) for line in lines], [("a key", "1,2,3")] * 2)
        self.assertEqual(lines[0]["topic"], job.inputs)

    def test_a_tap_of_what_is_not_there(self):
        run = lambda *arguments: subprocess.run([KASPAR, "tap", str(self.job.file), *arguments],  # noqa: E731
                                                capture_output=True, text=True, timeout=60)
        done = run("window", "--address", self.run_.page[7:])
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean `windows`?", done.stderr)
        done = run("windows", "--address", "127.0.0.1:1")
        self.assertEqual(done.returncode, 3)
        self.assertIn("nothing answers at http://127.0.0.1:1", done.stderr)


if __name__ == "__main__":
    if not os.environ.get("KASPAR_TEST_BROKERS"):
        sys.exit("run it by: test/kafka/cluster run -- test/observe/observe_test.py")
    unittest.main()
