#!/usr/bin/env python3
"""The HTTP server under abuse while records flow: slow clients, a thousand connections, huge heads, random bytes. No record
is lost or doubled, memory and descriptors stay bounded, and probes are answered all the while."""
import os
import random
import socket
import sys
import threading
import time
import unittest

from observed_cluster import Kafka
from observed_run import ObservedRun

KAFKA = Kafka()
import brokers  # noqa: E402
from control_chart_job import Job, judge, rows  # noqa: E402

SECONDS = int(os.environ.get("KASPAR_ABUSE_SECONDS", "60"))
ROWS = 40_000


def connect(run):
    host, port = run.page[7:].split(":")
    return socket.create_connection((host, int(port)), timeout=20)


class Abuse:
    """Clients that misbehave until they are told to end; what goes wrong in them is nobody's concern."""

    def __init__(self, run):
        self.run, self.ending, self.done = run, threading.Event(), {}
        kinds = (self.slow, self.crowd, self.huge, self.noise, self.streams, self.reader)
        self.threads = [threading.Thread(target=self._repeat, args=(kind,), daemon=True) for kind in kinds]
        for thread in self.threads:
            thread.start()

    def _repeat(self, kind):
        self.done[kind.__name__] = 0
        while not self.ending.is_set():
            try:
                kind()
            except OSError:
                pass
            self.done[kind.__name__] += 1

    def slow(self):
        with connect(self.run) as client:
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100:
                client.sendall(bytes([byte]))
                if self.ending.wait(0.3):
                    return

    def crowd(self):
        clients = []
        try:
            while len(clients) < 1_000 and not self.ending.is_set():
                clients.append(connect(self.run))
        finally:
            for client in clients:
                client.close()

    def huge(self):
        with connect(self.run) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for number in range(20_000):
                client.sendall(b"X-%d: %s\r\n" % (number, b"y" * 1_000))

    def noise(self):
        with connect(self.run) as client:
            client.sendall(random.randbytes(random.randrange(1, 20_000)))
            client.recv(100)

    def streams(self):
        clients = [connect(self.run) for _ in range(8)]
        for client in clients:
            client.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.ending.wait(1)
        for client in clients:
            client.close()

    def reader(self):
        """Asks for much and takes nothing."""
        with connect(self.run) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(200):
                client.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.ending.wait(3)

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)


class AbuseTest(unittest.TestCase):
    def test_the_pipeline_does_not_suffer(self):
        self.addCleanup(KAFKA.stop)
        job = Job(brokers.RealBroker(), "abuse")
        self.addCleanup(job.close)
        run = ObservedRun(job.file, KAFKA.address)
        self.addCleanup(run.process.kill)
        made = rows(ROWS, 11)
        run.wait_for(lambda s: s["ready"])
        run.get("/metrics")
        before = run.resident(), run.descriptors()
        abuse = Abuse(run)
        worst_files = worst_probe = 0
        begun = time.monotonic()
        step = ROWS // 40
        for number in range(40):
            job.produce((key, value) for key, value, _ in made[number * step:(number + 1) * step])
            while time.monotonic() < begun + (number + 1) * SECONDS / 40:
                asked = time.monotonic()
                self.assertEqual(run.get("/healthz", run.probes)[0], 200)
                self.assertEqual(run.get("/readyz", run.probes)[0], 200)
                worst_probe = max(worst_probe, time.monotonic() - asked)
                worst_files = max(worst_files, run.descriptors())
                time.sleep(0.2)
        abuse.stop()
        print(f"rounds {abuse.done}; descriptors {before[1]} → {worst_files}; two probes took {worst_probe:.2f} s at most", file=sys.stderr)
        self.assertEqual([kind for kind, times in abuse.done.items() if times == 0], [])
        self.assertLess(worst_files, before[1] + 80)  # 64 connections, and some for brokers
        status = run.wait_for(lambda s: s["records"]["written"] + s["records"]["dead_letters"] >= ROWS and s["records"]["lag"] == 0, 120)
        self.assertEqual(status["records"]["read"], ROWS)
        after = run.resident()
        print(f"resident {before[0] >> 20} MiB → {after >> 20} MiB", file=sys.stderr)
        self.assertLess(after, status["memory"]["budget"] * 1.25)
        self.assertLess(run.descriptors(), before[1] + 20)
        self.assertEqual(run.get("/")[0], 200)
        run.stop()
        judge(self, job, made)


if __name__ == "__main__":
    unittest.main()
