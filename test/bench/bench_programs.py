"""The programs that test/bench/run measures, and the topics and brokers that they run on."""
import os
import pathlib
import subprocess
import sys
import time
import uuid

sys.dont_write_bytecode = True
import bench_data
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import brokers

BUILD = bench_data.ROOT / "build" / "release"
KASPAR = BUILD / "kaspar"
MODEL = bench_data.CHART / "control-chart.onnx"


class Topics:
    """An input topic, filled once, and an output topic, on some broker."""

    def __init__(self, broker, partitions):
        self.broker, self.partitions = broker, partitions
        self.id = f"bench-{uuid.uuid4().hex[:6]}"
        self.inputs, self.outputs, self.dead, self.empty = (f"{self.id}-{name}" for name in ("in", "out", "dead", "empty"))
        broker.create_topics([self.inputs, self.outputs, self.dead, self.empty], partitions)

    def fill(self, rows, count):
        subprocess.run([BUILD / "test/bench/bench_load", "fill", "--brokers", self.broker.address, "--in", self.inputs,
                        "--rows", rows, "--count", str(count)], check=True)

    def ends(self, topic):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.broker.address, "group.id": "bench-ends"})
        found = [consumer.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in range(self.partitions)]
        consumer.close()
        return found

    def committed(self, first):
        """Records of the outputs from these offsets on that a `read_committed` consumer sees, and the seconds from the
        first to the last. Offsets tell neither: the ends of transactions have some too."""
        from confluent_kafka import Consumer, KafkaError, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.broker.address, "group.id": "bench-committed", "enable.partition.eof": True,
                             "isolation.level": "read_committed"})
        consumer.assign([TopicPartition(self.outputs, p, offset) for p, offset in enumerate(first)])
        count, times, reading, deadline = 0, [], self.partitions, time.monotonic() + 120
        while reading:
            if time.monotonic() > deadline:
                sys.exit("the outputs cannot be read")
            for message in consumer.consume(10_000, 1):
                if not message.error():
                    count += 1
                    times.append(message.timestamp()[1] / 1000)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    reading -= 1
        consumer.close()
        return count, max(times) - min(times) if times else 0

    def seconds_between(self, first, last):
        """From the first record that was made for the output to the last; offsets, of each partition."""
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.broker.address, "group.id": "bench-times"})
        times = []
        for offsets in (first, [end - 1 for end in last]):
            consumer.assign([TopicPartition(self.outputs, p, offset) for p, offset in enumerate(offsets)])
            missing, deadline = set(range(self.partitions)), time.monotonic() + 60
            while missing:
                message = consumer.poll(1)
                if time.monotonic() > deadline:
                    sys.exit("the outputs cannot be read")
                if message is None or message.error() or message.partition() not in missing:
                    continue
                missing.remove(message.partition())
                times.append(message.timestamp()[1] / 1000)
                consumer.incremental_unassign([TopicPartition(self.outputs, message.partition())])
        consumer.close()
        return max(times) - min(times)


class Program:
    """One that reads a topic to its end, or serves it until it is stopped. Of kaspar's, `interval` is what it commits at, and
    `exactly_once` its guarantee."""

    def __init__(self, name, work, lab, interval=None, exactly_once=False):
        self.name, self.work, self.lab, self.interval, self.exactly_once = name, work, lab, interval, exactly_once

    def command(self, topics, inputs, until_end):
        group = f"bench-{uuid.uuid4().hex[:8]}"
        end = ["--until-end"] if until_end else []
        if self.work in ("forward", "onnx"):
            mean, std = bench_data.scaler()
            model = ["--library", self.lab.library, "--model", MODEL, "--mean", mean, "--std", std] if self.work == "onnx" else []
            return [BUILD / "test/bench/bench_peer", self.work, "--brokers", topics.broker.address, "--in", inputs,
                    "--out", topics.outputs, "--group", group, "--partitions", str(topics.partitions), *model, *end]
        file = self.lab.folder / f"{self.work}-{group}.pipe"
        text = bench_data.pipeline(self.work, self.lab.lr, (inputs, topics.outputs, topics.dead), group)
        if self.exactly_once:
            text = text.replace("pipe 1\n", "pipe 1\ndeliver exactly_once\n", 1)
        file.write_text(text)
        profile = []
        if self.interval:
            profile = ["--profile", file.with_suffix(".toml")]
            profile[1].write_text(f'[run]\ninstance = "{group}"\ncommit_interval = "{self.interval}"\n')
        return [KASPAR, "run", file, *profile, "--brokers", topics.broker.address, *end]

    def run(self, topics, inputs):
        """CPU seconds of all threads, peak memory in MiB."""
        log = self.lab.folder / "program.log"
        with log.open("wb") as out:
            child = subprocess.Popen(self.command(topics, inputs, True), stdout=out, stderr=out)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{self.name}: exit status {child.returncode}: {log.read_text()[-2000:]}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Lab:
    def __init__(self, folder, library):
        self.folder, self.library = pathlib.Path(folder), library
        self.rows, self.lr = self.folder / "rows.csv", self.folder / "lr.onnx"
        bench_data.write_rows(self.rows)
        bench_data.write_lr(self.lr)
        self.programs = [Program("forwarder", "forward", self), Program("pass-through", "pass", self),
                         Program("lr", "lr", self), Program("lstm", "lstm", self)]
        if library:
            self.programs.append(Program("hand-written with ONNX Runtime", "onnx", self))


class Embedded(brokers.EmbeddedBroker):
    def create_topics(self, names, partitions):
        options = [option for name in names for option in ("--topic", f"{name}:{partitions}")]
        self.process = subprocess.Popen([KASPAR, "broker", *options], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()


class Real(brokers.RealBroker):
    def create_topics(self, names, partitions):
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": self.address})
        for future in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
            future.result()
