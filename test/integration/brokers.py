"""Brokers to test against: the real one that `test/kafka/cluster run` starts, and embedded ones of kaspar."""
import functools
import os
import pathlib
import re
import subprocess
import time

from confluent_kafka.admin import AdminClient, NewTopic

ROOT = pathlib.Path(__file__).resolve().parents[2]
KASPAR = os.environ.get("KASPAR", str(ROOT / "build" / "dev" / "kaspar"))


@functools.cache
def old_librdkafka():
    """Whether kaspar is linked with one before 2.10.1, as `test/run old_librdkafka` builds it with Debian's own: it reads
    records again when partitions are handed over, and its embedded broker makes any topic that is asked for."""
    text = subprocess.run([KASPAR, "version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.search(r"librdkafka\s+([0-9.]+)", text)[1].split(".")) < (2, 10, 1)


PARTITIONS = 3


class RealBroker:
    def __init__(self, replication=1):
        self.address = os.environ["KASPAR_TEST_BROKERS"]
        self.replication = replication

    def create_topics(self, names):
        admin = AdminClient({"bootstrap.servers": self.address})  # must outlive its answers
        topics = [NewTopic(name, PARTITIONS, self.replication, config={"max.message.bytes": "2000000"}) for name in names]
        for future in admin.create_topics(topics).values():
            future.result()
        for name in names:
            self.wait_until_served(admin, name)

    @staticmethod
    def wait_until_served(admin, name):
        """A broker that has made a topic hears of it a moment later."""
        deadline = time.monotonic() + 60
        while True:
            partitions = admin.list_topics(name, timeout=30).topics[name].partitions
            if len(partitions) == PARTITIONS and all(part.leader >= 0 for part in partitions.values()):
                return
            assert time.monotonic() < deadline, f"the topic {name} is not served"
            time.sleep(0.05)

    def stop(self):
        pass


class EmbeddedBroker:
    """A `kaspar broker` process; it gets its topics when it starts."""

    def __init__(self):
        self.process = None
        self.address = None

    def create_topics(self, names):
        topics = [option for name in names for option in ("--topic", f"{name}:{PARTITIONS}")]
        self.process = subprocess.Popen([KASPAR, "broker", *topics], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        assert re.fullmatch(r"127\.0\.0\.1:\d+", self.address), self.address

    def stop(self):
        self.process.terminate()
        status = self.process.wait(60)
        self.process.stdout.close()
        assert status == 0, f"the embedded broker ended with {status}"
