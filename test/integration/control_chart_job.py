"""The control-chart pipeline on a broker, with topics and a group of its own; and what it must have written."""
import collections
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import uuid

import numpy
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from brokers import KASPAR, PARTITIONS, ROOT

sys.path[:0] = [str(ROOT / "pipelines" / "control-chart"), str(ROOT / "test" / "pipelines")]
sys.dont_write_bytecode = True
import control_chart_test as reference  # noqa: E402
import generate  # noqa: E402

PIPELINE = ROOT / "pipelines" / "control-chart" / "control-chart.pipe"


class Job:
    def __init__(self, broker, name):
        self.broker = broker
        self.id = f"{name}-{uuid.uuid4().hex[:8]}"
        self.inputs, self.outputs, self.dead = (f"{self.id}-{kind}" for kind in ("in", "out", "dead"))
        self.group = f"{self.id}-group"
        broker.create_topics([self.inputs, self.outputs, self.dead])
        text = PIPELINE.read_text(encoding="utf-8").split("\ntest ")[0]
        text = (text.replace("kaspar-inputs", self.inputs).replace("kaspar-outputs", self.outputs)
                .replace("kaspar-dead-letters", self.dead).replace('"kaspar"', f'"{self.group}"')
                .replace('"control-chart.', f'"{PIPELINE.parent}/control-chart.'))
        self.folder = tempfile.TemporaryDirectory(prefix="kaspar-")
        self.file = pathlib.Path(self.folder.name) / "pipeline.pipe"
        self.file.write_text(text, encoding="utf-8")

    def close(self):
        self.broker.stop()
        self.folder.cleanup()

    def command(self, *options):
        return [KASPAR, "run", str(self.file), "--brokers", self.broker.address, *options]

    def run_to_end(self, *options):
        """Runs until everything is read; what it wrote to stderr."""
        done = subprocess.run(self.command("--until-end", *options), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-3000:]}"
        assert done.stdout == "", done.stdout[:1000]
        return done.stderr

    def produce(self, rows):
        """Writes (key, value) pairs in this order, as a foreign client does."""
        producer = Producer({"bootstrap.servers": self.broker.address, "partitioner": "murmur2_random",
                             "message.max.bytes": 2_000_000, "queue.buffering.max.messages": 1_000_000})
        for key, value in rows:
            producer.produce(self.inputs, value, key)
            producer.poll(0)
        assert producer.flush(60) == 0

    def consumer(self, group="none"):
        return Consumer({"bootstrap.servers": self.broker.address, "group.id": group, "enable.auto.commit": False})

    def ends(self, topic):
        consumer = self.consumer()
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in range(PARTITIONS)}
        consumer.close()
        return ends

    def committed(self):
        consumer = self.consumer(self.group)
        found = consumer.committed([TopicPartition(self.inputs, p) for p in range(PARTITIONS)], 10)
        consumer.close()
        return {part.partition: max(part.offset, 0) for part in found}

    def records(self, topic):
        """All committed records of a topic, in offset order within a partition."""
        consumer = Consumer({"bootstrap.servers": self.broker.address, "group.id": "none", "enable.auto.commit": False,
                             "isolation.level": "read_committed", "enable.partition.eof": True})
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        records, ended, deadline = [], set(), time.monotonic() + 60
        while len(ended) < PARTITIONS and time.monotonic() < deadline:
            for message in consumer.consume(1000, 1):
                if not message.error():
                    records.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    raise AssertionError(message.error())
        consumer.close()
        assert len(ended) == PARTITIONS, f"{topic} could not be read to its end"
        return records


def rows(count, seed, broken_every=100):
    """(key, value, expected code or None) for each row; keys as the client's clock writes them. In the middle of
    many rows there is one of a million bytes."""
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


def labels_of(texts):
    """The label of each row by the weights in the ONNX file, computed in f64; None where two scores are within
    1e-5, so that rounding may decide. The golden file ties these weights' scores to PyTorch's."""
    scaler = (PIPELINE.parent / "control-chart.scaler.toml").read_text(encoding="ascii")
    mean, std = (float(re.search(rf"^{name} = (.*)$", scaler, re.M).group(1)) for name in ("mean", "std"))
    windows = (numpy.array([[float(field) for field in text.split(",")] for text in texts]) - mean) / std
    model = reference.Model()
    hidden = model.r.shape[1]
    h, c = numpy.zeros((len(texts), hidden)), numpy.zeros((len(texts), hidden))
    for step in range(windows.shape[1]):
        gates = (numpy.outer(windows[:, step], model.w[:, 0]) + h @ model.r.T
                 + model.b[:4 * hidden] + model.b[4 * hidden:])
        i, o, f, g = numpy.split(gates, 4, axis=1)
        c = reference.sigmoid(f) * c + reference.sigmoid(i) * numpy.tanh(g)
        h = reference.sigmoid(o) * numpy.tanh(c)
    logits = h @ model.dense.T + model.bias
    powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    scores = powers / powers.sum(axis=1, keepdims=True)
    ranked = numpy.sort(scores, axis=1)
    return [generate.LABELS[best] if margin > 1e-5 else None
            for best, margin in zip(scores.argmax(axis=1), ranked[:, -1] - ranked[:, -2])]


def judge(test, job, made, exactly_once_each=True):
    """Each good row has one label, the right one; each broken one its dead letter; offsets are committed."""
    good = {key: value for key, value, code in made if not code}
    broken = {key: (code, value) for key, value, code in made if code}
    right = dict(zip(good, labels_of(list(good.values()))))
    labels, letters = job.records(job.outputs), job.records(job.dead)
    counts = collections.Counter(message.key().decode() for message in labels)
    test.assertEqual(set(counts), set(good))
    test.assertEqual({message.key().decode() for message in letters}, set(broken))
    for message in labels:
        wanted = right[message.key().decode()]
        if wanted is not None:
            test.assertEqual(message.value().decode(), wanted, message.key())
    for message in letters:
        code, raw = broken[message.key().decode()]
        headers = dict(message.headers())
        test.assertEqual(headers["kaspar.code"].decode(), code)
        test.assertEqual(message.value() or b"", raw.encode())
        test.assertEqual(headers["kaspar.topic"].decode(), job.inputs)
        test.assertIn(headers["kaspar.stage"].decode(), ("parse", "standardize"))
        test.assertGreaterEqual(int(headers["kaspar.offset"]), 0)
    if exactly_once_each:
        test.assertEqual(set(counts.values()), {1})
        test.assertEqual(len(letters), len(broken))
        # All topics have as many partitions, and the same partitioner: what came in one goes to the same one, in order.
        def keys(records, partition):
            return [message.key().decode() for message in records if message.partition() == partition]
        inputs = job.records(job.inputs)
        for partition in range(PARTITIONS):
            came = keys(inputs, partition)
            test.assertEqual(keys(labels, partition), [key for key in came if key in good])
            test.assertEqual(keys(letters, partition), [key for key in came if key in broken])
    test.assertEqual(job.committed(), job.ends(job.inputs))
