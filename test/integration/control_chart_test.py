#!/usr/bin/env python3
"""The control-chart pipeline on a real broker: every row has exactly one result, in order, and
committed offsets say so. Runs under `test/kafka/cluster run`, which sets KASPAR_TEST_BROKERS."""
import collections
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
import unittest
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "pipelines" / "control-chart"), str(ROOT / "test" / "pipelines")]
sys.dont_write_bytecode = True
import control_chart_test as reference  # noqa: E402
import generate  # noqa: E402

KASPAR = os.environ.get("KASPAR", str(ROOT / "build" / "dev" / "kaspar"))
BROKERS = os.environ.get("KASPAR_TEST_BROKERS", "")
PIPELINE = ROOT / "pipelines" / "control-chart" / "control-chart.pipe"
PARTITIONS = 3


class Job:
    """The pipeline with topics and a group of its own, beside the committed model."""

    def __init__(self, name):
        self.id = f"{name}-{uuid.uuid4().hex[:8]}"
        self.inputs, self.outputs, self.dead = (f"{self.id}-{kind}" for kind in ("in", "out", "dead"))
        self.group = f"{self.id}-group"
        text = PIPELINE.read_text(encoding="utf-8").split("\ntest ")[0]
        text = (text.replace("kaspar-inputs", self.inputs).replace("kaspar-outputs", self.outputs)
                .replace("kaspar-dead-letters", self.dead).replace('"kaspar"', f'"{self.group}"')
                .replace('"control-chart.', f'"{PIPELINE.parent}/control-chart.'))
        self.file = pathlib.Path(os.environ.get("KASPAR_TEST_KAFKA_DIR", "/tmp")) / f"{self.id}.pipe"
        self.file.write_text(text, encoding="utf-8")
        topics = [NewTopic(topic, PARTITIONS, 1, config={"max.message.bytes": "2000000"})
                  for topic in (self.inputs, self.outputs, self.dead)]
        admin = AdminClient({"bootstrap.servers": BROKERS})  # must outlive its answers
        for future in admin.create_topics(topics).values():
            future.result()

    def command(self, *options):
        return [KASPAR, "run", str(self.file), "--brokers", BROKERS, *options]

    def produce(self, rows):
        """Writes (key, value) pairs in this order."""
        producer = Producer({"bootstrap.servers": BROKERS, "partitioner": "murmur2_random",
                             "message.max.bytes": 2_000_000, "queue.buffering.max.messages": 1_000_000})
        for key, value in rows:
            producer.produce(self.inputs, value, key)
            producer.poll(0)
        assert producer.flush(60) == 0

    def ends(self, topic):
        consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": "none"})
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in range(PARTITIONS)}
        consumer.close()
        return ends

    def committed(self):
        consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": self.group})
        found = consumer.committed([TopicPartition(self.inputs, p) for p in range(PARTITIONS)], 10)
        consumer.close()
        return {part.partition: max(part.offset, 0) for part in found}

    def records(self, topic):
        """All records of a topic, in offset order within a partition."""
        ends = self.ends(topic)
        consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": "none", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, p, 0) for p in ends])
        records, missing, deadline = [], sum(ends.values()), time.monotonic() + 60
        while missing and time.monotonic() < deadline:
            for message in consumer.consume(1000, 1):
                assert not message.error(), message.error()
                records.append(message)
                missing -= 1
        consumer.close()
        assert not missing, f"{missing} records of {topic} could not be read"
        return records


def rows(count, seed, broken_every=100):
    """(key, value, expected label or None, expected code or None); keys as the client's clock writes them."""
    rng = random.Random(seed)
    made = []
    for number, (_, readings) in enumerate(generate.charts(count, seed)):
        text, code = generate.text_of(readings), None
        if number % broken_every == broken_every - 1:
            code, text = generate.break_row(text, number // broken_every, rng)
        key = f"{1 + number // 86400:02d}-11-2026 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
        made.append((key, text, code))
    if count > 1000:
        made[count // 2] = (made[count // 2][0], "1" * 1_000_000, "K0901")
    return made


class RealBroker(unittest.TestCase):
    def run_to_end(self, job, *options):
        done = subprocess.run(job.command("--until-end", *options), capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertEqual(done.stdout, "")

    def judge(self, job, made, at_least_once=False):
        """Each good row one label as the weights give it, each broken one its dead letter."""
        model = reference.Model()
        expected, broken = {}, {}
        for key, value, code in made:
            if code:
                broken[key] = (code, value)
            else:
                expected[key] = value
        labels, letters = job.records(job.outputs), job.records(job.dead)
        counts = collections.Counter(message.key().decode() for message in labels)
        self.assertEqual(set(counts), set(expected))
        if not at_least_once:
            self.assertEqual(set(counts.values()), {1})
        text = (PIPELINE.parent / "control-chart.scaler.toml").read_text(encoding="ascii")
        mean, std = (float(re.search(rf"^{name} = (.*)$", text, re.M).group(1)) for name in ("mean", "std"))
        for message in random.Random(1).sample(labels, min(len(labels), 1500)):
            window = [(float(field) - mean) / std for field in expected[message.key().decode()].split(",")]
            scores = model.scores(window)
            best = sorted(scores)
            if best[-1] - best[-2] > 1e-5:
                self.assertEqual(message.value().decode(), generate.LABELS[int(scores.argmax())])
        self.assertEqual({message.key().decode() for message in letters}, set(broken))
        for message in letters:
            code, raw = broken[message.key().decode()]
            headers = dict(message.headers())
            self.assertEqual(headers["kaspar.code"].decode(), code)
            self.assertEqual(message.value() or b"", raw.encode())
            self.assertEqual(headers["kaspar.topic"].decode(), job.inputs)
        # Order: keys ascend with time, so within each partition of the output they must ascend too.
        if not at_least_once:
            for records in (labels, letters):
                for partition in range(PARTITIONS):
                    keys = [message.key() for message in records if message.partition() == partition]
                    self.assertEqual(keys, sorted(keys))
        self.assertEqual(job.committed(), job.ends(job.inputs))

    def test_every_row_has_exactly_one_result(self):
        job = Job("rows")
        made = rows(10_000, 11)
        job.produce((key, value) for key, value, _ in made)
        self.run_to_end(job)
        self.judge(job, made)
        before = job.ends(job.outputs), job.ends(job.dead)
        self.run_to_end(job)  # reads nothing
        self.assertEqual((job.ends(job.outputs), job.ends(job.dead)), before)

    def test_another_process_takes_over(self):
        job = Job("two")
        made = rows(20_000, 12)
        first, second = (subprocess.Popen(job.command(), stderr=subprocess.PIPE) for _ in range(2))
        try:
            half = len(made) // 2
            job.produce((key, value) for key, value, _ in made[:half])
            deadline = time.monotonic() + 60
            while sum(job.ends(job.outputs).values()) < half // 4 and time.monotonic() < deadline:
                time.sleep(0.05)
            job.produce((key, value) for key, value, _ in made[half:])
            first.send_signal(signal.SIGTERM)
            self.assertEqual(first.wait(30), 0, first.stderr.read()[-3000:])
            deadline = time.monotonic() + 90
            while job.committed() != job.ends(job.inputs) and time.monotonic() < deadline:
                time.sleep(0.2)
            second.send_signal(signal.SIGTERM)
            self.assertEqual(second.wait(30), 0)
        finally:
            for process in (first, second):
                process.kill()
                process.communicate()
        self.judge(job, made, at_least_once=True)


if __name__ == "__main__":
    if not BROKERS:
        sys.exit("run it by: test/kafka/cluster run -- test/integration/control_chart_test.py")
    unittest.main()
