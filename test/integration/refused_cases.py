"""A topic refuses a record for what it is: its row fails like any other, and nothing else is lost by it."""
import pathlib
import subprocess
import tempfile
import time
import uuid

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import RESOURCE_TOPIC, AdminClient, ConfigResource, NewTopic

from brokers import KASPAR, PARTITIONS

PIPELINE = """pipe 1

source rows = kafka {{ topic: "{inputs}", group: "{group}" }}
sink   out  = kafka {{ topic: "{outputs}" }}
sink   dead = kafka {{ topic: "{dead}" }}

on error {policy}
deliver {guarantee}

from rows |> to out {{ key: meta.key, value: meta.value }}
"""
# No key of its own: a compacted topic does not take it.
UNKEYED = (None, b"without a key")


class RefusedJob:
    def __init__(self, address, guarantee, policy="dead", outputs=None, dead=None):
        self.address = address
        name = f"refused-{uuid.uuid4().hex[:8]}"
        self.inputs, self.outputs, self.dead = (f"{name}-{kind}" for kind in ("in", "out", "dead"))
        self.group = f"{name}-group"
        self.admin = AdminClient({"bootstrap.servers": address})
        for topic, config in ((self.inputs, None), (self.outputs, outputs), (self.dead, dead)):
            for future in self.admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config or {})]).values():
                future.result()
        self.folder = tempfile.TemporaryDirectory(prefix="kaspar-")
        self.file = pathlib.Path(self.folder.name) / "pipeline.pipe"
        self.file.write_text(PIPELINE.format(inputs=self.inputs, outputs=self.outputs, dead=self.dead, group=self.group,
                                             policy=policy, guarantee=guarantee))

    def produce(self, records, partition=0):
        """(key, value) pairs, in this order, into one partition."""
        producer = Producer({"bootstrap.servers": self.address, "enable.idempotence": True})
        for key, value in records:
            producer.produce(self.inputs, value, key, partition=partition)
        assert producer.flush(60) == 0

    def start(self, *options):
        return subprocess.Popen([KASPAR, "run", str(self.file), "--brokers", self.address, *options],
                                stderr=subprocess.PIPE, text=True)

    def run_to_end(self):
        process = self.start("--until-end")
        _, log = process.communicate(timeout=120)
        return process.returncode, log

    def lower_limit(self, size):
        resource = ConfigResource(RESOURCE_TOPIC, self.outputs, set_config={"max.message.bytes": str(size)})
        for future in self.admin.alter_configs([resource]).values():
            future.result()

    def records(self, topic):
        """What is committed there, by partition and offset."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "judge", "enable.auto.commit": False,
                             "isolation.level": "read_committed", "enable.partition.eof": True})
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        records, ended, deadline = [], set(), time.monotonic() + 60
        while len(ended) < PARTITIONS:
            assert time.monotonic() < deadline, f"{topic} has no end"
            for message in consumer.consume(1000, 1):
                if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    assert not message.error(), message.error()
                    records.append(message)
        consumer.close()
        return records

    def committed(self):
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": self.group, "enable.auto.commit": False})
        found = consumer.committed([TopicPartition(self.inputs, 0)], 10)[0].offset
        end = consumer.get_watermark_offsets(TopicPartition(self.inputs, 0), 10)[1]
        consumer.close()
        return max(found, 0), end


def once_each(values):
    """Without repeats."""
    return list(dict.fromkeys(values))


class RefusedCases:
    """Mixed into a unittest.TestCase that has make_broker(), a real one."""

    def refused_job(self, guarantee, **keywords):
        job = RefusedJob(self.make_broker().address, guarantee, **keywords)
        self.addCleanup(job.folder.cleanup)
        return job

    def judge_refused(self, job, guarantee, rows, refused, stage="to"):
        """All but the refused rows are results, in order; these are dead letters that tell why."""
        results = [message.value() for message in job.records(job.outputs)]
        letters = job.records(job.dead)
        if guarantee == "at_least_once":
            results = once_each(results)
        # One key, and so one partition there too.
        self.assertEqual(results, [value for key, value in rows if (key, value) not in refused])
        self.assertEqual(once_each(message.value() for message in letters), [value for _, value in refused])
        if guarantee == "exactly_once":
            self.assertEqual(len(letters), len(refused))
        for message in letters:
            headers = dict(message.headers())
            self.assertEqual(headers["kaspar.code"], b"K0908")
            self.assertEqual(headers["kaspar.stage"], stage.encode())
            self.assertIn(job.outputs, headers["kaspar.message"].decode())
            self.assertEqual(rows[int(headers["kaspar.offset"])][1], message.value())
        committed, end = job.committed()
        self.assertEqual(committed, end)

    def test_a_refused_record_in_the_middle_of_a_batch_becomes_a_dead_letter(self):
        for guarantee in ("at_least_once", "exactly_once"):
            with self.subTest(guarantee):
                job = self.refused_job(guarantee, outputs={"cleanup.policy": "compact"})
                rows = [(b"k", str(number).encode()) for number in range(3000)]
                rows.insert(1234, UNKEYED)
                job.produce(rows)
                status, log = job.run_to_end()
                self.assertEqual(status, 0, log)
                self.judge_refused(job, guarantee, rows, [UNKEYED])

    def test_a_record_is_refused_once_the_limit_of_its_topic_is_lowered(self):
        for guarantee in ("at_least_once", "exactly_once"):
            with self.subTest(guarantee):
                job = self.refused_job(guarantee)
                rows = [(b"k", b"first")]
                job.produce(rows)
                process = job.start()
                try:
                    self.wait_until(lambda: len(job.records(job.outputs)) == 1)
                    job.lower_limit(10_000)
                    large = (b"k", b"7" * 20_000)
                    # Requests of many small ones are too large as well; none of these is refused for that.
                    more = [(b"k", str(number).encode().rjust(50)) for number in range(1000)]
                    more.insert(321, large)
                    job.produce(more)
                    self.wait_until(lambda: job.committed() == (len(rows + more),) * 2)
                    process.terminate()
                    _, log = process.communicate(timeout=60)
                finally:
                    process.kill()
                    process.wait()
                self.assertEqual(process.returncode, 0, log)
                self.judge_refused(job, guarantee, rows + more, [large])

    def test_a_refused_record_ends_the_run_where_the_file_says_so(self):
        for guarantee in ("at_least_once", "exactly_once"):
            with self.subTest(guarantee):
                job = self.refused_job(guarantee, policy="fail", outputs={"cleanup.policy": "compact"})
                job.produce([*((b"k", str(number).encode()) for number in range(200)), UNKEYED])
                status, log = job.run_to_end()
                self.assertEqual(status, 3, log)
                self.assertIn("K0908", log)
                self.assertIn("partition 0, offset 200", log)

    def test_a_refused_dead_letter_ends_the_run(self):
        for guarantee in ("at_least_once", "exactly_once"):
            with self.subTest(guarantee):
                compact = {"cleanup.policy": "compact"}
                job = self.refused_job(guarantee, outputs=compact, dead=compact)
                job.produce([(b"k", b"1"), UNKEYED, (b"k", b"2")])
                status, log = job.run_to_end()
                self.assertEqual(status, 3, log)
                self.assertIn("an error row was refused", log)
                self.assertIn("partition 0, offset 1", log)
                self.assertEqual(job.records(job.dead), [])
                self.assertLessEqual(job.committed()[0], 1)
