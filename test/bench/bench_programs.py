"""The programs that test/bench/run measures, and the topics and brokers that they run on."""
import os
import pathlib
import subprocess
import sys
import time
import uuid

sys.dont_write_bytecode = True
import bench_data
import model_families
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / folder) for folder in ("integration", "kafka")]
import brokers
from process_memory import peak_of

BUILD = bench_data.ROOT / "build" / "release"
KASPAR = BUILD / "kaspar"
MODEL = bench_data.CHART / "control-chart.onnx"
PEERS = ("forward", "relay", "onnx")  # what bench_peer does


class Topics:
    """An input topic, filled once, and an output topic, on some broker; of as many partitions where not said otherwise."""

    def __init__(self, broker, partitions, output_partitions=None):
        self.broker, self.partitions, self.output_partitions = broker, partitions, output_partitions or partitions
        self.id = f"bench-{uuid.uuid4().hex[:6]}"
        self.inputs, self.outputs, self.dead, self.empty = (f"{self.id}-{name}" for name in ("in", "out", "dead", "empty"))
        broker.create_topics({self.inputs: partitions, self.empty: partitions, self.outputs: self.output_partitions,
                              self.dead: self.output_partitions})

    def delete(self):
        self.broker.delete_topics([self.inputs, self.outputs, self.dead, self.empty])

    def partitions_of(self, topic):
        return range(self.partitions if topic in (self.inputs, self.empty) else self.output_partitions)

    def fill(self, rows, count):
        subprocess.run([BUILD / "test/bench/bench_load", "fill", "--brokers", self.broker.address, "--in", self.inputs,
                        "--rows", rows, "--count", str(count)], check=True)

    def ends(self, topic):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.broker.address, "group.id": "bench-ends"})
        found = [consumer.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in self.partitions_of(topic)]
        consumer.close()
        return found

    def committed(self, first):
        """Records of the outputs from these offsets on that a `read_committed` consumer sees, and the seconds from the
        first to the last. Offsets tell neither: the ends of transactions have some too."""
        from confluent_kafka import Consumer, KafkaError, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.broker.address, "group.id": "bench-committed", "enable.partition.eof": True,
                             "isolation.level": "read_committed"})
        consumer.assign([TopicPartition(self.outputs, p, offset) for p, offset in enumerate(first)])
        count, times, reading, deadline = 0, [], self.output_partitions, time.monotonic() + 120
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
            missing, deadline = set(self.partitions_of(self.outputs)), time.monotonic() + 60
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
    """One that reads a topic to its end, or serves it until it is stopped.

    `work` is a kind of `bench_data.pipeline`, run by kaspar with `run` as its profile's [run] table; or what bench_peer does:
    "forward" (keys), "relay" (values) and "onnx KIND", the job of that pipeline as one writes it by hand."""

    def __init__(self, name, work, lab, run=None, exactly_once=False, columns=60):
        self.name, self.work, self.lab, self.run_table, self.exactly_once, self.columns = name, work, lab, run or {}, exactly_once, columns
        self.http = None  # what the profile's [http] says

    def command(self, topics, inputs, until_end, group=None):
        group = group or f"bench-{uuid.uuid4().hex[:8]}"
        end = ["--until-end"] if until_end else []
        if self.work.split()[0] in PEERS:
            return [BUILD / "test/bench/bench_peer", self.work.split()[0], "--brokers", topics.broker.address, "--in", inputs,
                    "--out", topics.outputs, "--group", group, "--partitions", str(topics.partitions), *self.peer_model(), *end]
        file = self.lab.folder / f"{self.work}-{uuid.uuid4().hex[:8]}.pipe"
        text = bench_data.pipeline(self.work, self.lab.model(self.work, self.columns), (inputs, topics.outputs, topics.dead), group,
                                   self.columns)
        if self.exactly_once:
            text = text.replace("pipe 1\n", "pipe 1\ndeliver exactly_once\n", 1)
        file.write_text(text)
        profile = []
        if self.run_table or self.http:
            profile = ["--profile", file.with_suffix(".toml")]
            table = {"instance": file.stem, **self.run_table}
            text = "[run]\n" + "".join(f'{name} = "{value}"\n' for name, value in table.items())
            profile[1].write_text(text + (f"[http]\n{self.http}\n" if self.http else ""))
        return [KASPAR, "run", file, *profile, "--brokers", topics.broker.address, *end]

    def peer_model(self):
        if not self.work.startswith("onnx "):
            return []
        kind = self.work.removeprefix("onnx ")
        mean, std = bench_data.scaler()
        return ["--library", self.lab.library, "--model", self.lab.model(kind), "--mean", mean, "--std", std,
                "--labels", ",".join(bench_data.labels(kind)), *(["--steps"] if kind == "lstm" else [])]

    def run(self, topics, inputs):
        """CPU seconds of all threads, peak memory in MiB."""
        log = self.lab.folder / "program.log"
        with log.open("wb") as out:
            child = subprocess.Popen(self.command(topics, inputs, True), stdout=out, stderr=out)
            # What wait4() tells of memory is also that of this process, as of before exec().
            peak = 0
            while not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                peak = peak_of(child.pid) or peak
                time.sleep(0.05)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{self.name}: exit status {child.returncode}: {log.read_text()[-2000:]}")
        return usage.ru_utime + usage.ru_stime, peak / 1024


class Lab:
    """A folder with rows and models, and the programs of the canonical job."""

    def __init__(self, folder, library):
        self.folder, self.library = pathlib.Path(folder), library
        self.rows = self.folder / "rows.csv"
        bench_data.write_rows(self.rows)
        self.forwarder = Program("forwarder", "forward", self)
        self.programs = [self.forwarder, Program("pass-through", "pass", self), Program("lr", "lr", self), Program("lstm", "lstm", self)]
        if library:
            self.programs.append(Program("hand-written with ONNX Runtime", "onnx lstm", self))

    def model(self, kind, columns=60):
        """The path of the model that a pipeline of that kind runs, made when it is first wanted."""
        if kind == "lstm":
            return MODEL
        path = self.folder / f"{kind}-{columns}.onnx"
        if not path.exists():
            model_families.write_job_model(kind, path, columns)
        return path

    def wide_rows(self, columns, count=512):
        path = self.folder / f"rows-of-{columns}.csv"
        if not path.exists():
            bench_data.write_wide_rows(path, columns, count)
        return path


class Embedded(brokers.EmbeddedBroker):
    def create_topics(self, partitions):
        options = [option for name, count in partitions.items() for option in ("--topic", f"{name}:{count}")]
        self.process = subprocess.Popen([KASPAR, "broker", *options], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()


class Real(brokers.RealBroker):
    def create_topics(self, partitions):
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": self.address})
        for future in admin.create_topics([NewTopic(name, count, 1) for name, count in partitions.items()]).values():
            future.result()

    def delete_topics(self, names):
        from confluent_kafka.admin import AdminClient
        admin = AdminClient({"bootstrap.servers": self.address})
        for future in admin.delete_topics(names).values():
            future.result()
