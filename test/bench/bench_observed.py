"""What being watched costs: the HTTP server, a status page that is open and a Prometheus that scrapes each second."""
import http.client
import threading

from bench_programs import Program
from bench_throughput import throughput
from kafka_cluster import free_ports


class WatchedProgram(Program):
    """kaspar with its HTTP server on, read all the time; the peer has it off."""

    def __init__(self, name, work, lab):
        super().__init__(name, work, lab)
        self.port = free_ports(1)[0]
        self.http = f'listen = "127.0.0.1:{self.port}"'
        self.scrapes = self.events = 0

    def run(self, topics, inputs):
        over = threading.Event()
        watchers = [threading.Thread(target=watch, args=(over,)) for watch in (self._scrape, self._watch_page)]
        for watcher in watchers:
            watcher.start()
        try:
            return super().run(topics, inputs)
        finally:
            over.set()
            for watcher in watchers:
                watcher.join()

    def _scrape(self, over):
        while not over.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                connection.request("GET", "/metrics")
                self.scrapes += b"kaspar_source_records_total" in connection.getresponse().read()
                over.wait(1)
            except (OSError, http.client.HTTPException):
                over.wait(0.02)  # it starts, or has ended

    def _watch_page(self, over):
        while not over.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                connection.request("GET", "/api/events")
                answer = connection.getresponse()
                while not over.is_set() and (line := answer.readline()):
                    self.events += line.startswith(b"data:")
            except (OSError, http.client.HTTPException):
                over.wait(0.02)


def observed(lab, report, topics, count, rounds):
    topics.fill(lab.rows, count)
    programs = []
    for work in ("lr", "lstm"):
        programs += [Program(work, work, lab), WatchedProgram(f"{work}, watched", work, lab)]
        programs[-2].http = "enabled = false"
    cost, _ = throughput(report, "observed", programs, topics, count, rounds)
    for program in programs:
        if isinstance(program, WatchedProgram):
            assert program.scrapes and program.events, f"{program.name} was not seen: {program.scrapes} scrapes, {program.events} events"
            times = report.ratio("observed", f"CPU a record: {program.name} / unwatched", cost[program.name], cost[program.work])
            report.target("seen", f"CPU a record: {program.name} / unwatched", times, 1.02)
