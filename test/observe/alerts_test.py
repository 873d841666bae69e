#!/usr/bin/env python3
"""A real Prometheus scrapes two processes and judges the alerts of deploy/observability, their times shortened: each that a
test can provoke on a real Kafka fires, and is silent before. alerts_test.yaml shows all of them on made-up series."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from observed_cluster import ROOT, Kafka

if not shutil.which("prometheus"):
    print("skipped: there is no prometheus", file=sys.stderr)
    sys.exit(77)

from observed_run import ObservedRun  # noqa: E402

KAFKA = Kafka()
import brokers  # noqa: E402
from control_chart_job import Job, rows  # noqa: E402
from kafka_cluster import free_ports  # noqa: E402


def shortened(rules):
    """Minutes become seconds, and what is averaged is so over a few scrapes."""
    rules = re.sub(r"for: (\d+)m", "for: 1s", rules)
    rules = re.sub(r"\[(\d+)m\]", "[5s]", rules)
    return rules.replace("> 10000", "> 1000")


class Prometheus:
    def __init__(self, targets):
        self.folder = tempfile.TemporaryDirectory(prefix="kaspar-prometheus-")
        folder = pathlib.Path(self.folder.name)
        (folder / "alerts.yaml").write_text(shortened((ROOT / "deploy/observability/alerts.yaml").read_text()))
        (folder / "prometheus.yaml").write_text(
            "global: { scrape_interval: 1s, evaluation_interval: 1s }\nrule_files: [alerts.yaml]\nscrape_configs:\n"
            f"  - job_name: kaspar\n    static_configs: [{{ targets: {json.dumps(targets)} }}]\n")
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={self.address}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def up(self):
        return [target["health"] for target in self.ask("targets")["activeTargets"]]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.folder.cleanup()


class Alerts(unittest.TestCase):
    def wait(self, what, seconds=90):
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = what()
                if value:
                    return value
            except OSError:
                value = "no answer"
            if time.monotonic() > deadline:
                self.fail(f"never; firing: {self.prometheus.firing()}")
            time.sleep(0.5)

    def fires(self, name):
        self.wait(lambda: name in self.prometheus.firing())

    def ends(self, name):
        self.wait(lambda: name not in self.prometheus.firing(), 120)

    def test_each_alert_fires_when_it_is_provoked(self):
        self.addCleanup(KAFKA.stop)
        job = Job(brokers.RealBroker(), "alerts")
        self.addCleanup(job.close)
        runs = [ObservedRun(job.file, KAFKA.address) for _ in range(2)]
        for run in runs:
            self.addCleanup(run.process.kill)
        good = [(key, value) for key, value, code in rows(3_000, 7, broken_every=10**9) if not code]
        self.prometheus = Prometheus([run.page[7:] for run in runs])
        self.addCleanup(self.prometheus.stop)
        self.wait(lambda: self.prometheus.up() == ["up", "up"])
        for run in runs:
            run.wait_for(lambda s: s["ready"] and s["groups"][0]["partition_count"])
        job.produce(good[:300])
        time.sleep(8)  # several scrapes in which nothing may fire
        self.assertEqual(self.prometheus.firing() - {"KasparRebalancesOften"}, set())

        # Rows that fail.
        for _ in range(5):
            job.produce([("k", "1,2,3")] * 300)
            time.sleep(1)
        self.fires("KasparRowsFail")

        # Input while nobody reads: both processes stand still, then go on and see what waits.
        for run in runs:
            run.process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        self.fires("KasparDown")
        for run in runs:
            run.process.send_signal(signal.SIGCONT)
        self.ends("KasparDown")

        # Records that are older than they should be.
        import confluent_kafka
        producer = confluent_kafka.Producer({"bootstrap.servers": KAFKA.address})
        deadline = time.monotonic() + 60
        while "KasparSlow" not in self.prometheus.firing():
            self.assertLess(time.monotonic(), deadline, "KasparSlow never fires")
            for key, value in good[:200]:
                producer.produce(job.inputs, value, key, timestamp=int((time.time() - 120) * 1000))
            producer.flush(10)
            time.sleep(0.5)

        # Brokers go away, then come back.
        KAFKA.stop_broker()
        self.fires("KasparBrokersUnreachable")
        KAFKA.start_broker()
        self.ends("KasparBrokersUnreachable")

        # One process goes: it is down, and the other one takes its partitions.
        runs[0].stop()
        self.fires("KasparDown")
        runs[1].wait_for(lambda s: s["groups"][0]["partition_count"] == brokers.PARTITIONS)
        runs[1].stop()


if __name__ == "__main__":
    unittest.main()
