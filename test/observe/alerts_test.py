#!/usr/bin/env python3
"""A real Prometheus scrapes kaspar processes on a real Kafka and judges the alerts of deploy/observability, their times
shortened: none fires before something is provoked, and each of the file does once it is."""
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

# The first members of a group get their partitions after so long.
KAFKA = Kafka({"group.initial.rebalance.delay.ms": "12000"}, count=3)
from confluent_kafka import Consumer, Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource  # noqa: E402
import brokers  # noqa: E402
from control_chart_job import Job, rows  # noqa: E402
from kafka_cluster import free_ports  # noqa: E402


RULES = (ROOT / "deploy/observability/alerts.yaml").read_text()
ALERTS = set(re.findall(r"- alert: (\w+)", RULES))


def shortened(rules):
    """Minutes become seconds: six for what is counted up, so that something can happen in them. What is averaged is so over
    a few scrapes."""
    rules = re.sub(r"for: (\d+)m", "for: 1s", rules)
    rules = re.sub(r"(increase\(\w+\[)(\d+)m\]", lambda found: f"{found[1]}{6 * int(found[2])}s]", rules)
    rules = re.sub(r"\[(\d+)m\]", "[5s]", rules)
    return rules.replace("> 10000", "> 1000")


# Its best-effort branch is fed as much as the other, and its topic takes nothing while it wants three replicas.
SHADOW = """pipe 1
schema Window {{ x: f32[60] }}
source windows = kafka {{ topic: "{inputs}", group: "{group}-shadow", start: latest }}
sink   values  = kafka {{ topic: "{dead}" }}
sink   shadow  = kafka {{ topic: "{outputs}", deliver: best_effort, queue: 100 }}
on error values
stream parsed = from windows |> parse csv as Window
from parsed |> derive {{ first = x[0] }} |> to values {{ key: meta.key, value: first }}
from parsed |> derive {{ last = x[59] }} |> to shadow {{ key: meta.key, value: last }}
"""


class Prometheus:
    def __init__(self, targets):
        self.folder = tempfile.TemporaryDirectory(prefix="kaspar-prometheus-")
        folder = pathlib.Path(self.folder.name)
        (folder / "alerts.yaml").write_text(shortened(RULES))
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
        if self.process.poll() is not None:
            return
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

    def fires(self, name, seconds=90):
        self.wait(lambda: name in self.prometheus.firing(), seconds)
        self.fired.add(name)

    def ends(self, name):
        self.wait(lambda: name not in self.prometheus.firing(), 120)

    def fires_while(self, name, does, seconds=90):
        """What is done again and again until the alert fires."""
        deadline = time.monotonic() + seconds
        while name not in self.prometheus.firing():
            self.assertLess(time.monotonic(), deadline, f"{name} never fires; {self.prometheus.firing()} do")
            does()
        self.fired.add(name)

    def start(self, file, **options):
        run = ObservedRun(file, KAFKA.address, **options)
        self.addCleanup(run.process.kill)
        return run

    def replicas_wanted(self, topic, count):
        """A topic that wants more than there are takes no record of those who wait for all."""
        admin = AdminClient({"bootstrap.servers": KAFKA.address})  # a new one, which has seen no broker go
        resource = ConfigResource("topic", topic)
        described = admin.describe_configs([resource])[resource].result(30)
        # Those that are not told again go back to their defaults.
        settings = {name: entry.value for name, entry in described.items() if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value}
        changed = ConfigResource("topic", topic, set_config={**settings, "min.insync.replicas": str(count)})
        admin.alter_configs([changed])[changed].result(30)

    def produce_old(self):
        producer = Producer({"bootstrap.servers": KAFKA.address})
        for key, value in self.good[:200]:
            producer.produce(self.job.inputs, value, key, timestamp=int((time.time() - 120) * 1000))
        producer.flush(10)
        time.sleep(0.5)

    def come_and_go(self):
        """Another member of the group, for as long as it takes until it has partitions."""
        member = Consumer({"bootstrap.servers": KAFKA.address, "group.id": self.job.group, "enable.auto.commit": False,
                           "partition.assignment.strategy": "cooperative-sticky"})
        assigned = []
        member.subscribe([self.job.inputs], on_assign=lambda _, partitions: assigned.append(partitions))
        deadline = time.monotonic() + 30
        while not assigned and time.monotonic() < deadline:
            member.poll(0.1)
        member.close()

    def test_each_alert_fires_when_it_is_provoked(self):
        self.addCleanup(KAFKA.stop)
        self.fired = set()
        self.job = job = Job(brokers.RealBroker(replication=3), "alerts")
        self.addCleanup(job.close)
        shadow_file = job.file.with_name("shadow.pipe")
        shadow_file.write_text(SHADOW.format(inputs=job.inputs, outputs=f"{job.outputs}-shadow", dead=job.dead, group=job.group))
        job.broker.create_topics([f"{job.outputs}-shadow"])
        runs = [self.start(job.file) for _ in range(2)]
        self.good = [(key, value) for key, value, code in rows(3_000, 7, broken_every=10**9) if not code]
        self.prometheus = Prometheus([run.page[7:] for run in runs])
        self.addCleanup(self.prometheus.stop)
        self.wait(lambda: self.prometheus.up() == ["up", "up"])

        # The group's first assignment takes as long as its broker waits for members.
        self.fires("KasparNotReady")
        for run in runs:
            run.wait_for(lambda s: s["ready"] and s["groups"][0]["partition_count"])
        self.ends("KasparNotReady")
        job.produce(self.good[:300])
        time.sleep(8)  # several scrapes in which nothing may fire
        self.assertEqual(self.prometheus.firing(), set())

        # Rows that fail.
        def produce_bad():
            job.produce([("k", "1,2,3")] * 300)
            time.sleep(1)
        self.fires_while("KasparRowsFail", produce_bad)

        # Input while nobody reads: both processes stand still, then go on and see what waits.
        for run in runs:
            run.process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        self.fires("KasparDown")
        for run in runs:
            run.process.send_signal(signal.SIGCONT)
        self.ends("KasparDown")

        self.fires_while("KasparSlow", self.produce_old)

        # Processes that come and go.
        self.fires_while("KasparRebalancesOften", self.come_and_go, 200)

        # Results that no broker takes, though all but one are there: what waits grows, and nothing is acknowledged.
        def produce_good():
            job.produce(self.good[:500])
            time.sleep(0.2)
        self.replicas_wanted(job.outputs, 3)
        KAFKA.stop_broker(3)
        self.fires_while("KasparLagGrows", produce_good)
        self.fires("KasparStalled")
        self.replicas_wanted(job.outputs, 1)
        self.ends("KasparStalled")

        # A branch that takes less than the live one, in a process with a budget below what it takes when idle.
        # And one of which every other transaction is aborted.
        once_file = job.file.with_name("once.pipe")
        once_file.write_text(job.file.read_text().replace("pipe 1\n", "pipe 1\ndeliver exactly_once\n", 1)
                             .replace(job.group, f"{job.group}-once"))
        shadow = self.start(shadow_file, profile='[run]\nmemory_budget = "16MiB"\n')
        once = self.start(once_file, environment={"KASPAR_FAIL_POINT": "abort:2"})
        for run in (shadow, once):
            run.wait_for(lambda s: s["ready"] and s["groups"][0]["partition_count"])
        self.prometheus.stop()
        self.prometheus = Prometheus([run.page[7:] for run in (*runs, shadow, once)])
        self.addCleanup(self.prometheus.stop)
        self.fires("KasparMemoryOverBudget")
        self.replicas_wanted(f"{job.outputs}-shadow", 3)
        self.fires_while("KasparDropsBestEffort", produce_good)
        self.fires_while("KasparCommitsFail", produce_good)
        self.replicas_wanted(f"{job.outputs}-shadow", 1)
        for run in (shadow, once):
            run.stop()

        # The other brokers go away too, then all come back.
        for id in (1, 2):
            KAFKA.stop_broker(id, kill=True)
        self.fires("KasparBrokersUnreachable")
        KAFKA.start_broker(1, 2, 3)
        self.ends("KasparBrokersUnreachable")

        # One process goes: it is down, and the other one takes its partitions.
        runs[0].stop()
        self.fires("KasparDown")
        runs[1].wait_for(lambda s: s["groups"][0]["partition_count"] == brokers.PARTITIONS)
        runs[1].stop()
        self.assertEqual(self.fired, ALERTS)


if __name__ == "__main__":
    unittest.main()
