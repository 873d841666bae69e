"""An example pipeline on a broker, with topics and a group of its own."""
import pathlib
import re
import subprocess
import tempfile
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

from brokers import KASPAR, PARTITIONS, ROOT


class ExampleJob:
    """`topics` of the file, the first one is read; each gets a name of its own, and so does the group."""

    def __init__(self, broker, folder, topics, group, edit=lambda text: text):
        self.broker = broker
        self.id = f"{folder}-{uuid.uuid4().hex[:8]}"
        self.topics = {topic: f"{self.id}-{topic}" for topic in topics}
        self.inputs = self.topics[topics[0]]
        self.group = f"{self.id}-group"
        broker.create_topics(list(self.topics.values()))
        source = ROOT / "pipelines" / folder / f"{folder}.pipe"
        text = edit(source.read_text(encoding="utf-8").split("\ntest ")[0])
        for topic, name in self.topics.items():
            text = text.replace(f'topic: "{topic}"', f'topic: "{name}"')
        text = text.replace(f'group: "{group}"', f'group: "{self.group}"')
        text = re.sub(r'"([^"\n]*\.(?:onnx|toml|csv))"', lambda path: f'"{source.parent / path.group(1)}"', text)
        self.folder = tempfile.TemporaryDirectory(prefix="kaspar-")
        self.file = pathlib.Path(self.folder.name) / "pipeline.pipe"
        self.file.write_text(text, encoding="utf-8")

    def close(self):
        self.broker.stop()
        self.folder.cleanup()

    def command(self, *options):
        return [KASPAR, "run", str(self.file), "--brokers", self.broker.address, *options]

    def run_to_end(self, *options):
        """What the run logs."""
        done = subprocess.run(self.command("--until-end", *options), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-3000:]}"
        return done.stderr

    def produce(self, records):
        """Writes (key, value, headers) in this order."""
        producer = Producer({"bootstrap.servers": self.broker.address, "partitioner": "murmur2_random",
                             "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000})
        for key, value, headers in records:
            producer.produce(self.inputs, value, key, headers=headers)
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
        """All records of one of the file's topics, in offset order within a partition."""
        name = self.topics[topic]
        ends = self.ends(name)
        consumer = self.consumer()
        consumer.assign([TopicPartition(name, p, 0) for p in ends])
        records, missing, deadline = [], sum(ends.values()), time.monotonic() + 60
        while missing and time.monotonic() < deadline:
            for message in consumer.consume(1000, 1):
                assert not message.error(), message.error()
                records.append(message)
                missing -= 1
        consumer.close()
        assert not missing, f"{missing} records of {name} could not be read"
        return records
