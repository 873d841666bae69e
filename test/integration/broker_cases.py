"""What must hold on every broker; the real and the embedded one are tested by the same cases."""
import json
import signal
import subprocess
import time

from brokers import KASPAR, old_librdkafka
from control_chart_job import Job, judge, rows


def kcat(job, *options, **keywords):
    return subprocess.run(["kcat", "-b", job.broker.address, *options], capture_output=True, text=True, timeout=60,
                          check=True, **keywords).stdout


class BrokerCases:
    """Mixed into a unittest.TestCase that has make_broker(), embedded and ROWS."""

    def job(self, name):
        job = Job(self.make_broker(), name)
        self.addCleanup(job.close)
        return job

    def test_every_row_has_exactly_one_result(self):
        job = self.job("rows")
        made = rows(10_000, 11)
        job.produce((key, value) for key, value, _ in made)
        job.run_to_end()
        judge(self, job, made)
        before = job.ends(job.outputs), job.ends(job.dead)
        job.run_to_end("--no-fuse")  # reads nothing
        self.assertEqual((job.ends(job.outputs), job.ends(job.dead)), before)

    def test_each_stage_as_a_node_of_its_own_gives_the_same(self):
        job = self.job("unfused")
        made = rows(2_000, 13, broken_every=20)
        job.produce((key, value) for key, value, _ in made)
        job.run_to_end("--no-fuse")
        judge(self, job, made)

    def test_another_process_takes_over(self):
        job = self.job("two")
        made = rows(self.ROWS, 12)
        first, second = (subprocess.Popen(job.command(), stderr=subprocess.PIPE, text=True) for _ in range(2))
        try:
            # Both have partitions before the load begins: each says so when it gets them.
            owned = [self.wait_for_partitions(process) for process in (first, second)]
            self.assertTrue(all(owned))
            half = len(made) // 2
            job.produce((key, value) for key, value, _ in made[:half])
            self.wait_until(lambda: sum(job.ends(job.outputs).values()) >= half // 10)
            first.send_signal(signal.SIGTERM)
            job.produce((key, value) for key, value, _ in made[half:])
            self.assertEqual(first.wait(30), 0)
            self.wait_until(lambda: job.committed() == job.ends(job.inputs), 90)
            second.send_signal(signal.SIGTERM)
            self.assertEqual(second.wait(30), 0)
        finally:
            for process in (first, second):
                process.kill()
                process.communicate()
        judge(self, job, made, exactly_once_each=not old_librdkafka())

    def wait_for_partitions(self, process):
        """The count of the first assignment that is not empty."""
        for line in process.stderr:
            if '"partitions_assigned"' in line and '"count":"0"' not in line:
                return True
        self.fail("the process ended before it got partitions")

    def wait_until(self, holds, seconds=60):
        deadline = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_kcat_writes_and_reads(self):
        job = self.job("kcat")
        made = rows(50, 14, broken_every=10_000)
        kcat(job, "-P", "-t", job.inputs, "-K", "|", "-X", "partitioner=murmur2_random",
             input="".join(f"{key}|{value}\n" for key, value, _ in made))
        job.run_to_end()
        judge(self, job, made)
        read = kcat(job, "-C", "-t", job.outputs, "-e", "-q", "-f", "%k|%s\n").splitlines()
        self.assertEqual(sorted(line.split("|")[0] for line in read), [key for key, _, _ in made])

    def test_the_client_writes_and_reads(self):
        job = self.job("client")
        made = rows(50, 15, broken_every=10_000)
        text = "".join(f"{value}\n" for _, value, _ in made)
        written = subprocess.run(
            [KASPAR, "produce", "--brokers", job.broker.address, "--topic", job.inputs, "--key", "counter"],
            input=text, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
        self.assertEqual(sorted(written), sorted(f"topic = {job.inputs} key = {number} value = {value}"
                                                 for number, (_, value, _) in enumerate(made)))
        job.run_to_end()
        judge(self, job, [(str(number), value, code) for number, (_, value, code) in enumerate(made)],
              exactly_once_each=False)
        read = subprocess.run(
            [KASPAR, "consume", "--brokers", job.broker.address, "--topic", job.outputs, "--until-end"],
            capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
        self.assertEqual(len(read), 50)
        for line in read:
            self.assertRegex(line, rf"\Atopic = {job.outputs} key = \d+ value = [A-Z][A-Za-z ]+\Z")

    def test_rows_are_fed_to_any_broker(self):
        job = self.job("feed")
        made = rows(300, 16, broken_every=10_000)
        feed = job.file.parent / "rows.csv"
        feed.write_text("".join(f"{value}\n" for _, value, _ in made))
        job.run_to_end("--feed", f"windows={feed}")
        self.assertEqual(len(job.records(job.outputs)), 300)
        self.assertEqual(job.committed(), job.ends(job.inputs))

    def check_online(self, job, *options):
        done = subprocess.run([KASPAR, "check", "--online", "--output", "json", "--brokers", job.broker.address, *options,
                               str(job.file)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stderr, "")
        return done.returncode, json.loads(done.stdout)["diagnostics"]

    def test_check_online_finds_nothing_wrong_with_what_is_there(self):
        job = self.job("online")
        self.assertEqual(self.check_online(job), (0, []))

    def test_check_online_tells_each_missing_topic_at_its_option(self):
        job = self.job("online-missing")
        text = job.file.read_text().replace(job.outputs, "no-such-outputs").replace(job.inputs, "no-such-inputs")
        job.file.write_text(text)
        status, found = self.check_online(job)
        if old_librdkafka() and self.embedded:
            self.assertEqual((status, found), (0, []))
            return
        self.assertEqual(status, 3)
        self.assertEqual([(entry["code"], entry["message"].split(" at ")[0]) for entry in found],
                         [("K0604", "there is no topic `no-such-inputs`"), ("K0604", "there is no topic `no-such-outputs`")])
        for entry, name in zip(found, ("no-such-inputs", "no-such-outputs")):
            span = entry["span"]
            self.assertEqual(text.encode()[span["start"]["byte"]:span["end"]["byte"]].decode(), f'"{name}"')
        self.assertIn("create:", found[1]["help"])

    def test_a_missing_topic_is_told_and_ends_with_3(self):
        job = self.job("missing")
        job.file.write_text(job.file.read_text().replace(job.outputs, "no-such-topic"))
        done = subprocess.run(job.command("--until-end"), capture_output=True, text=True, timeout=60)
        if old_librdkafka() and self.embedded:
            self.assertEqual(done.returncode, 0, done.stderr)
            return
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("no-such-topic", done.stderr)
        self.assertIn("create", done.stderr)
