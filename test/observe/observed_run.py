"""A pipeline that runs on a broker, and its HTTP server."""
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
sys.dont_write_bytecode = True
from brokers import KASPAR  # noqa: E402


class ObservedRun:
    """`kaspar run FILE` with a page, probes and a tap at ports of its own choice."""

    def __init__(self, file, broker, *options, profile="", environment=None):
        self.profile = file.with_name(f"observed-{time.monotonic_ns()}.toml")
        self.profile.write_text('[http]\nlisten = "127.0.0.1:0"\nprobes = "127.0.0.1:0"\ntap = true\n' + profile, encoding="utf-8")
        self.process = subprocess.Popen([KASPAR, "run", str(file), "--brokers", broker, "--profile", str(self.profile), *options],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.log = []
        self.said = threading.Condition()
        threading.Thread(target=self._read_log, daemon=True).start()
        self.page = self.event("http_listening")["address"].rstrip("/")
        self.probes = self.event("probes_listening")["address"].rstrip("/")

    def _read_log(self):
        for line in self.process.stderr:
            with self.said:
                self.log.append(json.loads(line) if line.startswith("{") else {"event": "", "message": line})
                self.said.notify_all()
        with self.said:
            self.log.append({"event": "end_of_log"})
            self.said.notify_all()

    def event(self, name, seconds=60):
        """The first log line with this event, which is waited for."""
        found = lambda: next((line for line in self.log if line["event"] in (name, "end_of_log")), None)  # noqa: E731
        with self.said:
            self.said.wait_for(found, seconds)
            line = found()
        assert line and line["event"] == name, f"no {name}: {self.log[-5:]}"
        return line

    def get(self, path, base=None, seconds=30):
        """Status and body."""
        try:
            with urllib.request.urlopen((base or self.page) + path, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def status(self):
        code, body = self.get("/api/status")
        assert code == 200, body
        return json.loads(body)

    def wait_for(self, what, seconds=90, state="the state is not reached"):
        """Until `what(status)` holds; the status."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if what(status):
                return status
            assert time.monotonic() < deadline, f"{state}: {json.dumps(status)[:3000]}"
            time.sleep(0.2)

    def metrics(self):
        return self.get("/metrics")[1]

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}")

    def resident(self):
        return int(self.proc("statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    def descriptors(self):
        return len(os.listdir(self.proc("fd")))

    def stop(self, expected=0):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        with self.said:
            self.said.wait_for(lambda: any(line["event"] == "end_of_log" for line in self.log), 10)
        self.process.stderr.close()
        assert status == expected, f"exit status {status}: {self.log[-8:]}"
