"""What test/bench/run measures of groups and guarantees: exactly once beside at least once, and processes that share a topic."""
import json
import os
import signal
import subprocess
import sys
import time
import uuid

from bench_programs import Program
from bench_rates import latency_of


def guarantees(lab, report, make_topics, count, rounds, seconds):
    """What exactly once costs beside at least once, both committing ten times a second; and how soon results can be read
    where it commits a hundred times a second."""
    programs = [Program(f"{name}, every 100ms", "lstm", lab, {"commit_interval": "100ms"}, exactly_once)
                for name, exactly_once in (("at least once", False), ("exactly once", True))]
    topics = make_topics()
    topics.fill(lab.rows, count)
    rates = {p.name: [] for p in programs}
    for _ in range(rounds):
        for program in programs:
            before = topics.ends(topics.outputs)
            program.run(topics, topics.inputs)
            found, took = topics.committed(before)
            if found != count:
                sys.exit(f"{program.name}: {found} of {count} records were written")
            rates[program.name].append(count / took)
    for name, values in rates.items():
        report.add("guarantees", f"{name}, rate", "rec/s", values, records=count)
    report.target("5", "exactly once / at least once, records/s",
                  report.ratio("guarantees", "records/s: exactly once / at least once", *(rates[p.name] for p in reversed(programs))),
                  0.85, False)
    prompt = Program("exactly once, every 10ms", "lstm", lab, {"commit_interval": "10ms"}, True)
    got = [latency_of(lab, make_topics(), prompt, 1000, seconds) for _ in range(3)]
    report.add("guarantees", f"{prompt.name}, 1000/s, p99", "ms", [one["p99"] for one in got])
    report.target("5", "exactly once every 10 ms, median latency at 1000/s, ms",
                  report.add("guarantees", f"{prompt.name}, 1000/s, median", "ms", [one["median"] for one in got]), 25)


class Members:
    """Processes of one group on one topic."""

    def __init__(self, lab, topics):
        self.lab, self.topics, self.group = lab, topics, f"bench-{uuid.uuid4().hex[:8]}"
        self.program = Program("lstm", "lstm", lab)
        self.processes, self.logs = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def add(self):
        self.logs.append(self.lab.folder / f"{self.group}-{len(self.logs)}.log")
        with self.logs[-1].open("wb") as out:
            command = self.program.command(self.topics, self.topics.inputs, False, self.group)
            self.processes.append(subprocess.Popen(command, stdout=out, stderr=out))

    def events(self, number):
        return [json.loads(line) for line in self.logs[number].read_text(encoding="utf-8").splitlines() if line.endswith("}")]

    def held(self, number):
        """How many partitions a process has."""
        held = 0
        for event in self.events(number):
            sign = {"partitions_assigned": 1, "partitions_revoked": -1, "partitions_lost": -1}.get(event["event"], 0)
            held += sign * int(event["count"]) if sign else 0
        return held

    def wait_until_shared(self):
        """Until every partition is somebody's, and each has as many as another or one more."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            held = [self.held(number) for number in range(len(self.processes))]
            if sum(held) == self.topics.partitions and max(held) - min(held) <= 1:
                return
            time.sleep(0.1)
        sys.exit(f"partitions are not shared: {held} of {self.topics.partitions}")

    def signal(self, what):
        for process in self.processes:
            process.send_signal(what)

    def wait_until_written(self, count, before):
        deadline = time.monotonic() + 120
        while sum(self.topics.ends(self.topics.outputs)) - before < count:
            if time.monotonic() > deadline:
                sys.exit("processes do not get to the end")
            time.sleep(0.1)

    def finish(self):
        """CPU seconds of all, and how many records each has written."""
        self.signal(signal.SIGTERM)
        cpu = 0
        for process in self.processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                sys.exit(f"a process of the group ended with {process.returncode}")
            cpu += usage.ru_utime + usage.ru_stime
        written = [next(event for event in self.events(number) if event["event"] == "run_finished") for number in range(len(self.logs))]
        return cpu, [int(event["records_written"]) for event in written]


def shared_run(lab, make_topics, number, count):
    """So many processes, stopped until their topic is full: records/s, CPU us a record, and the least by the most that one wrote."""
    topics = make_topics(12)
    with Members(lab, topics) as members:
        for _ in range(number):
            members.add()
        members.wait_until_shared()
        members.signal(signal.SIGSTOP)
        topics.fill(lab.rows, count)
        members.signal(signal.SIGCONT)
        members.wait_until_written(count, 0)
        cpu, written = members.finish()
    if sum(written) != count:
        sys.exit(f"{written} records were written of {count}")
    return count / topics.seconds_between([0] * topics.output_partitions, topics.ends(topics.outputs)), 1e6 * cpu / count, min(written) / max(written)


def processes(lab, report, make_topics, count, rounds):
    """One, two and four on one topic of 12 partitions."""
    numbers = (1, 2, 4)
    found = {number: [] for number in numbers}
    for _ in range(rounds):
        for number in numbers:
            found[number].append(shared_run(lab, make_topics, number, count))
    rates = {number: [one[0] for one in found[number]] for number in numbers}
    for number in numbers:
        name = f"{number} process{'es' if number > 1 else ''}"
        report.add("processes", f"{name}, rate of all", "rec/s", rates[number], records=count)
        report.add("processes", name, "us CPU/rec", [one[1] for one in found[number]])
        if number > 1:
            shares = [one[2] for one in found[number]]
            report.target("7", f"{name}: records of the one that wrote least / most", shares, 0.9, False)
    for more, fewer in ((2, 1), (4, 2)):
        report.target("7", f"records/s: {more} processes / {fewer}",
                      report.ratio("processes", f"records/s: {more} processes / {fewer}", rates[more], rates[fewer]), 0.95, False)
