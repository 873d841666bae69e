#!/usr/bin/env python3
"""`kaspar check --online` against a broker with an authorizer. Runs under `test/kafka/cluster run` with one configured; where a
resource has an entry, only who is named there may use it."""
import json
import os
import subprocess
import sys
import unittest

import brokers
from control_chart_job import Job

sys.path.append(str(brokers.ROOT / "test" / "kafka"))
from kafka_cluster import Cluster  # noqa: E402


class Authorization(unittest.TestCase):
    def setUp(self):
        self.job = Job(brokers.RealBroker(), "authorization")
        self.addCleanup(self.job.close)
        self.allow = Cluster.load(os.environ["KASPAR_TEST_KAFKA_DIR"]).allow

    def check(self):
        done = subprocess.run([brokers.KASPAR, "check", "--online", "--output", "json", "--brokers", self.job.broker.address,
                               str(self.job.file)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stderr, "")
        written = self.job.file.read_bytes()
        return done.returncode, [
            (entry["code"], written[entry["span"]["start"]["byte"]:entry["span"]["end"]["byte"]].decode(),
             entry["message"].split(" at ")[0]) for entry in json.loads(done.stdout)["diagnostics"]]

    def test_everything_is_granted(self):
        self.assertEqual(self.check(), (0, []))

    @unittest.skipIf(brokers.old_librdkafka(), "librdkafka tells what is granted since 2.3")
    def test_what_may_be_seen_and_no_more_is_told_with_its_place(self):
        job = self.job
        self.allow("User:ANONYMOUS", "topic", job.inputs, "Describe", "Write")
        self.allow("User:ANONYMOUS", "topic", job.outputs, "Describe", "Read")
        self.allow("User:ANONYMOUS", "group", job.group, "Describe")
        self.assertEqual(self.check(), (3, [
            ("K0604", f'"{job.inputs}"', f"the topic `{job.inputs}`"),
            ("K0604", f'"{job.group}"', f"the group `{job.group}`"),
            ("K0604", f'"{job.outputs}"', f"the topic `{job.outputs}`")]))
        self.allow("User:ANONYMOUS", "topic", job.inputs, "Read")
        self.allow("User:ANONYMOUS", "topic", job.outputs, "Write")
        self.allow("User:ANONYMOUS", "group", job.group, "Read")
        self.assertEqual(self.check(), (0, []))

    @unittest.skipIf(brokers.old_librdkafka(), "librdkafka tells what is granted since 2.3")
    def test_what_may_not_even_be_seen(self):
        job = self.job
        self.allow("User:somebody-else", "topic", job.outputs, "All")
        self.allow("User:somebody-else", "group", job.group, "All")
        status, found = self.check()
        self.assertEqual(status, 3)
        self.assertEqual([place for _, place, _ in found], [f'"{job.group}"', f'"{job.outputs}"'])


if __name__ == "__main__":
    if not os.environ.get("KASPAR_TEST_BROKERS"):
        sys.exit("run it by: test/kafka/cluster run --config authorizer.class.name=… -- test/integration/authorization_test.py")
    unittest.main()
