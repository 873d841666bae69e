"""One case: topics and a group of its own, a load, kaspar processes under a supervisor, and the judge."""
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

PARTITIONS = 4
KEYS = 64
ROOT = pathlib.Path(__file__).resolve().parents[2]

PIPELINE = """pipe 1

schema Row {{ run: string, key: string, sequence: i64 }}

source rows = kafka {{ topic: "{inputs}", group: "{group}", start: {start} }}
sink   out  = kafka {{ topic: "{outputs}" }}
sink   dead = kafka {{ topic: "{dead}" }}

on error dead
deliver {guarantee}

from rows
  |> parse csv as Row
  |> to out {{ key: meta.key, value: to_string(sequence), headers: {{ "run" = run }} }}
"""

# Shorter than the defaults, so that a case sees several of each within its seconds.
TRANSACTION_TIMEOUT = 5  # s
OPTIONS = {
    "session.timeout.ms": "3000",
    "heartbeat.interval.ms": "500",
    "transaction.timeout.ms": f"{TRANSACTION_TIMEOUT}000",
    "socket.timeout.ms": "5000",
    "reconnect.backoff.max.ms": "500",
}
KIP_848 = {"session.timeout.ms", "heartbeat.interval.ms"}  # the broker's there


class Process:
    """kaspar, started again whenever it ends by itself."""

    def __init__(self, case, number):
        self.case, self.number = case, number
        self.folder = pathlib.Path(case.folder.name)
        self.child, self.statuses, self.wanted = None, [], True
        self.may_be_fenced = False  # by brokers that heard nothing of it
        self.lives = 0  # begun; `statuses` has those that are over
        self.peak, self.fail_point, self.log_start = 0, None, 0
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._supervise, daemon=True)

    def start(self, fail_point=None, instance=None):
        """It kills itself at the point, the first time that it is started."""
        self.fail_point, self.instance = fail_point, instance or f"process-{self.number}"
        self.thread.start()
        return self

    def _supervise(self):
        while self.wanted:
            environment = dict(os.environ, KASPAR_INSTANCE=self.instance)
            if self.fail_point and not self.statuses:
                environment["KASPAR_FAIL_POINT"] = self.fail_point
            if self.case.bug:
                environment["KASPAR_PLANTED_BUG"] = self.case.bug
            with open(self.folder / f"log-{self.number}", "ab") as log, self.lock:
                if not self.wanted:
                    return
                self.log_start = log.tell()
                self.child = subprocess.Popen(
                    [self.case.kaspar, "run", str(self.folder / "pipeline.pipe"), "--brokers", self.case.brokers],
                    stderr=log, stdout=log, stdin=subprocess.DEVNULL, env=environment)
                self.lives += 1
            _, status, usage = os.wait4(self.child.pid, 0)
            self.child.returncode = os.waitstatus_to_exitcode(status)
            self.peak = max(self.peak, usage.ru_maxrss)
            self.statuses.append(self.child.returncode)
            if self.wanted:
                time.sleep(0.2)

    def wait_until_running(self, seconds=60):
        """Until the present life heeds signals; not of one that was stopped."""
        deadline = time.monotonic() + seconds
        while self.wanted and not self._runs():
            assert time.monotonic() < deadline, f"process {self.number} does not run\n{self.case.log()}"
            time.sleep(0.05)

    def _runs(self):
        with self.lock:
            if len(self.statuses) == self.lives:
                return False  # the next life has not begun
            return b'"event":"run_started"' in (self.folder / f"log-{self.number}").read_bytes()[self.log_start:]

    def kill(self, seconds=30):
        """Until the present life is over."""
        deadline, lives = time.monotonic() + seconds, self.lives
        self.send(signal.SIGKILL)
        while len(self.statuses) < lives:
            assert time.monotonic() < deadline, f"process {self.number} cannot be killed"
            time.sleep(0.01)

    def send(self, number):
        """To the present life."""
        with self.lock:
            if self.child is not None and self.child.returncode is None:
                os.kill(self.child.pid, number)

    def stop(self, number=signal.SIGTERM, seconds=60):
        """The exit status of the last life."""
        self.wanted = False
        self.send(number)
        self.thread.join(seconds)
        if self.thread.is_alive():
            self.send(signal.SIGKILL)
            self.thread.join()
            return "hung"
        return self.statuses[-1] if self.statuses else None


class Case:
    transaction_timeout = TRANSACTION_TIMEOUT

    def __init__(self, cluster, kaspar, name, seed, guarantee, protocol="classic", start="earliest", options=None,
                 bug=None):
        self.cluster, self.kaspar, self.brokers, self.bug = cluster, kaspar, cluster.bootstrap, bug
        self.exactly_once = guarantee == "exactly_once"
        self.random = random.Random(seed)
        self.id = f"{name}-{guarantee}-{protocol}-{seed}-{os.getpid()}-{time.monotonic_ns()}"
        self.inputs, self.outputs, self.dead, self.group = (f"{self.id}-{kind}" for kind in ("in", "out", "dead", "group"))
        self.create_topics()
        self.folder = tempfile.TemporaryDirectory(prefix="kaspar-faults-")
        folder = pathlib.Path(self.folder.name)
        (folder / "pipeline.pipe").write_text(PIPELINE.format(
            inputs=self.inputs, outputs=self.outputs, dead=self.dead, group=self.group, guarantee=guarantee, start=start))
        group_protocol = protocol.removesuffix("-static")
        options = {key: value for key, value in (OPTIONS | (options or {})).items()
                   if group_protocol == "classic" or key not in KIP_848}
        if group_protocol == "consumer":
            options["group.protocol"] = "consumer"
        interval = "100ms" if self.exactly_once else "200ms"
        lines = [f'"{key}" = "{value}"' for key, value in options.items()]
        if protocol.endswith("-static"):
            lines.append('"group.instance.id" = { env = "KASPAR_INSTANCE" }')
        (folder / "kaspar.toml").write_text(
            f'[run]\ncommit_interval = "{interval}"\nthreads = 2\n[http]\nenabled = false\n[kafka.options]\n' + "\n".join(lines) + "\n")
        self.processes, self.sent, self.refused, self.loader = [], [], set(), None
        self.pause = threading.Event()

    def create_topics(self):
        from kafka_cluster import Topic
        # Compacted topics take no records without a key; nothing is compacted within a case.
        self.cluster.create_topics([Topic(f"{self.inputs}:{PARTITIONS}"), Topic(f"{self.dead}:{PARTITIONS}"),
                                    Topic(f"{self.outputs}:{PARTITIONS},cleanup.policy=compact")])

    def process(self, fail_point=None, instance=None):
        self.processes.append(Process(self, len(self.processes)).start(fail_point, instance))
        return self.processes[-1]

    # ---- load

    def load(self, count, per_second, refused_every=None):
        """Begins to write `count` rows at that rate, in a thread; one of 50 is broken. The results of one of
        `refused_every` have no key, so their topic refuses them. The input is what it wrote."""
        def write():
            producer = Producer({"bootstrap.servers": self.brokers, "enable.idempotence": True, "linger.ms": 5,
                                 "partitioner": "murmur2_random", "log_level": 0})
            sequences = collections.Counter()
            begun = time.monotonic()
            for number in range(count):
                key = f"k{number % KEYS}"
                sequence = sequences[key]
                sequences[key] += 1
                refused = refused_every is not None and number % refused_every == refused_every // 2
                broken = number % 50 == 49 and not refused
                value = f"{self.id},{key},{'x' if broken else ''}{sequence}"
                self.sent.append((key, sequence))
                if refused:
                    self.refused.add((key, sequence))
                producer.produce(self.inputs, value, None if refused else key)
                producer.poll(0)
                ahead = number / per_second - (time.monotonic() - begun)
                if ahead > 0.02:
                    producer.flush(1)
                    time.sleep(ahead)
            assert producer.flush(120) == 0
        self.loader = threading.Thread(target=write)
        self.loader.start()

    def write_one_partition(self, count, refused=None):
        """Writes so many rows of one key at once; the result of number `refused` of them has no key."""
        producer = Producer({"bootstrap.servers": self.brokers, "enable.idempotence": True, "log_level": 0})
        for number in range(count):
            row = ("k", len(self.sent))
            self.sent.append(row)
            if number == refused:
                self.refused.add(row)
            producer.produce(self.inputs, f"{self.id},k,{row[1]}", None if number == refused else "k", partition=0)
        assert producer.flush(60) == 0

    def wait_for_outputs(self, count, seconds=60):
        deadline = time.monotonic() + seconds
        while sum(self.ends(self.outputs)) < count:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def consumer(self, group="judge", **options):
        return Consumer({"bootstrap.servers": self.brokers, "group.id": group, "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True, "log_level": 0, **options})

    def ends(self, topic):
        consumer = self.consumer(**{"isolation.level": "read_uncommitted"})
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in range(PARTITIONS)]
        consumer.close()
        return ends

    def committed(self):
        consumer = self.consumer(self.group)
        try:
            found = consumer.committed([TopicPartition(self.inputs, p) for p in range(PARTITIONS)], 10)
        finally:
            consumer.close()
        return [max(part.offset, 0) for part in found]

    def wait_until_committed(self, seconds):
        """Waits until the load is written and every offset of it is committed; how long the latter took."""
        if self.loader is not None:
            self.loader.join()
        begun, ends, committed = time.monotonic(), self.ends(self.inputs), "unknown"
        while True:
            try:
                committed = self.committed()
                if committed == ends:
                    return time.monotonic() - begun
            except KafkaException as error:  # brokers may be away
                committed = str(error)
            if time.monotonic() - begun > seconds:
                raise AssertionError(f"after {seconds} s committed are {committed} of {ends}\n{self.log()}")
            time.sleep(0.1)

    def log(self, lines=12):
        texts = []
        for path in sorted(pathlib.Path(self.folder.name).glob("log-*")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            texts.append(f"{path.name}:\n" + "\n".join(line[:300] for line in tail))
        return "\n".join(texts)

    def keep_logs(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in pathlib.Path(self.folder.name).glob("log-*"):
            shutil.copy(path, folder / f"{self.id}-{path.name}")

    def events(self, name):
        """How often the processes logged the event."""
        return sum(path.read_text(errors="replace").count(f'"event":"{name}"')
                   for path in pathlib.Path(self.folder.name).glob("log-*"))

    # ---- judge

    def read(self, topic):
        """Committed records of a topic, in order within a partition."""
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        records, at_end, deadline = [], set(), time.monotonic() + 120
        while len(at_end) < PARTITIONS:
            assert time.monotonic() < deadline, f"{topic} has no end"
            for message in consumer.consume(1000, 1):
                if message.error():
                    if message.error().name() == "_PARTITION_EOF":
                        at_end.add(message.partition())
                    continue
                records.append(message)
        consumer.close()
        return records

    def judge(self):
        """Raises AssertionError where a promise is broken."""
        rows = [row_of(message) for message in self.read(self.inputs)]
        good = [row for row, broken in rows if not broken and row not in self.refused]
        bad = [row for row, broken in rows if broken]
        refused = [row for row, _ in rows if row in self.refused]
        # What a client that was cut off from its broker writes twice is input like any other.
        assert {row for row, _ in rows} == set(self.sent), "the load is not whole"
        results = [(message.key().decode(), int(message.value())) for message in self.read(self.outputs)]
        letters = [row_of(message) for message in self.read(self.dead)]
        check("results", good, results, self.exactly_once)
        check("dead letters", bad, [row for row, broken in letters if broken], self.exactly_once)
        # They are found after others were written, and have partitions of their own, for want of a key.
        check("dead letters of refused results", refused, sorted(row for row, broken in letters if not broken),
              self.exactly_once)

    def close(self):
        for process in self.processes:
            process.stop(signal.SIGKILL)
        if self.loader is not None:
            self.loader.join()
        self.folder.cleanup()


def row_of(message):
    """((key, sequence), whether the row is broken) of what a case wrote into its input."""
    _, key, sequence = message.value().decode().split(",")
    return (key, int(sequence.removeprefix("x"))), sequence[0] == "x"


def check(what, wanted, found, exactly_once):
    """`found` holds all that is wanted, in order for each key; nothing twice if exactly once."""
    missing = collections.Counter(wanted) - collections.Counter(found)
    surplus = collections.Counter(found) - collections.Counter(wanted)
    strange = set(found) - set(wanted)
    if missing:
        raise AssertionError(f"{sum(missing.values())} {what} are missing, {sorted(missing)[:5]} among them")
    if strange:
        raise AssertionError(f"{len(strange)} {what} were made up, {sorted(strange)[:5]} among them")
    if exactly_once and surplus:
        raise AssertionError(f"{sum(surplus.values())} {what} are doubled, {sorted(surplus)[:5]} among them")
    # Order with repeats removed: a repeat never brings an older row for the first time.
    newest = {}
    seen = set()
    for key, sequence in found:
        if (key, sequence) in seen:
            continue
        seen.add((key, sequence))
        if sequence < newest.get(key, -1):
            raise AssertionError(f"{what} of {key} are out of order at {sequence} after {newest[key]}")
        newest[key] = sequence
