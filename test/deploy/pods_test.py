"""The local overlay as pods, under load and faults: pods_test.py KASPAR KASPAR_IMAGE KAFKA_IMAGE.

Renders a copy of control-chart that says `deliver exactly_once`, starts three brokers, three kaspar pods and the client,
and breaks things while records flow: a pod is killed, all pods are replaced one by one, a broker is killed. In the end each record
must have its label or its dead letter, once.
"""

import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from pods import PodError, Pods  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUSTOMIZE = ROOT / "build" / "third-party" / "deploy-tools" / "bin" / "kustomize"
NAME = "control-chart"
GROUP = "kaspar"
INPUTS, OUTPUTS, DEAD = "kaspar-inputs", "kaspar-outputs", "kaspar-dead-letters"
RATE = 75  # records a second, for as long as things are broken
SLOW = 3  # seconds; of a pod that takes longer to drain the log is shown
BAD_EACH = 50  # every so many records one is no row
# Brokers of a test: rebalances without a pause, few partitions of their own.
BROKER_ENVIRONMENT = {
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "3",
    "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "3",
    "KAFKA_NUM_NETWORK_THREADS": "2",
    "KAFKA_NUM_IO_THREADS": "2",
}


def say(text):
    print(f"  {text}", flush=True)


def require(condition, text):
    if not condition:
        raise PodError(text)
    say(f"ok  {text}")


def wait_until(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.25)
    raise PodError(f"after {seconds} s still not: {what}")


def render(kaspar, folder):
    source = ROOT / "pipelines" / NAME
    copy = folder / "pipeline"
    shutil.copytree(source, copy)
    pipe = copy / f"{NAME}.pipe"
    text = pipe.read_text(encoding="utf-8")
    pipe.write_text(text.replace("pipe 1\n", "pipe 1\n\ndeliver exactly_once\n", 1), encoding="utf-8")
    subprocess.run([kaspar, "deploy", pipe, "--to", folder / "kubernetes", "--feed", f"windows={copy}/sample-feed.csv"], check=True)
    rendered = subprocess.run([KUSTOMIZE, "build", folder / "kubernetes" / "overlays" / "local"], check=True,
                              capture_output=True, text=True).stdout
    return [one for one in yaml.safe_load_all(rendered) if one]


class Feed:
    """Writes rows to the client's standard input until it is told to stop; the key of each is its number."""

    def __init__(self, process):
        self.process = process
        self.rows = (ROOT / "pipelines" / NAME / "sample-feed.csv").read_text(encoding="utf-8").splitlines()
        self.count = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._write)
        self.thread.start()

    @staticmethod
    def is_bad(number):
        return number % BAD_EACH == BAD_EACH - 1

    def _write(self):
        try:
            while not self.stopped.wait(1 / RATE):
                row = "no,row" if self.is_bad(self.count) else self.rows[self.count % len(self.rows)]
                self.process.stdin.write(row + "\n")
                self.process.stdin.flush()
                self.count += 1
        except BrokenPipeError:
            pass  # finish() tells

    def finish(self):
        """How many records were written."""
        alive = self.process.poll() is None
        self.stopped.set()
        self.thread.join()
        _, errors = self.process.communicate(timeout=60)
        if not alive or self.process.returncode != 0:
            raise PodError(f"the client ended with {self.process.returncode}: {errors}")
        return self.count


class Scenario:
    def __init__(self, pods, kaspar_image):
        self.pods = pods
        self.image = kaspar_image
        self.grace = pods.find("StatefulSet", NAME)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        self.keeping = threading.Event()
        self.restarts = collections.Counter()
        self.absent = set()  # pods that are being replaced
        self.lock = threading.Lock()

    # ---- what a cluster does by itself

    def keep_running(self):
        """The kubelet: starts again what ended."""
        while not self.keeping.wait(0.5):
            for name in self.pods.names_of(NAME) + self.pods.names_of("kafka"):
                with self.lock:
                    if name not in self.absent:
                        self.restarts[name] += self.pods.restart_ended(name)

    def probe(self, name, which):
        return self.pods.probe("StatefulSet", NAME, name, which)

    def all_ready(self):
        return all(self.probe(name, "readinessProbe") for name in self.pods.names_of(NAME))

    # ---- Kafka's own view

    def group(self, *options):
        for broker in self.pods.names_of("kafka"):
            try:
                return self.pods.execute(broker, "/opt/kafka/bin/kafka-consumer-groups.sh", "--bootstrap-server", "localhost:9092",
                                         "--describe", "--group", GROUP, *options).stdout
            except (PodError, subprocess.TimeoutExpired):
                continue
        return ""

    def partitions_of_members(self):
        """Host → how many partitions its member has."""
        counts = {}
        for line in self.group("--members").splitlines():
            fields = line.split()
            if len(fields) >= 5 and fields[0] == GROUP:
                counts[fields[2].strip("/")] = int(fields[4])
        return counts

    def lag(self):
        """Records that the group has not committed; None where nobody tells."""
        lags = [fields[5] for fields in map(str.split, self.group().splitlines()) if len(fields) > 5 and fields[1] == INPUTS]
        return sum(map(int, lags)) if lags and all(lag.isdigit() for lag in lags) else None

    def consumed(self, topic):
        text = self.pods.output("reader", self.image, ["consume", "--topic", topic, "--until-end", "--output", "json", "--brokers", "kafka:9092"])
        return [json.loads(line) for line in text.splitlines()]

    # ---- the story

    def bring_up(self):
        pods = self.pods
        # Without brokers a pod does not start: it ends with 3, for which the kubelet starts it again.
        early = pods.start("StatefulSet", NAME, 0)
        probed = [self.probe(early, which) for which in ("startupProbe", "readinessProbe")]
        wait_until(lambda: pods.statuses(early) == [3], "a pod without brokers ends with 3")
        require(not any(probed), "without brokers a pod is neither started nor ready, and ends with 3")

        for i in range(3):
            pods.start("StatefulSet", "kafka", i, BROKER_ENVIRONMENT)
        job = pods.start("Job", f"{NAME}-topics")
        wait_until(lambda: pods.statuses(job) == [0] or pods.restart_ended(job) < 0, "the job made the topics", 300)
        require(pods.statuses(job) == [0], "the job made the topics")

        for i in range(1, 3):
            pods.start("StatefulSet", NAME, i)
        threading.Thread(target=self.keep_running, daemon=True).start()
        wait_until(lambda: all(self.probe(name, "startupProbe") for name in pods.names_of(NAME)), "every pod started")
        wait_until(self.all_ready, "every pod is ready")
        require(all(self.probe(name, "livenessProbe") for name in pods.names_of(NAME)), "startup, readiness and liveness probes succeed")
        wait_until(lambda: sorted(self.partitions_of_members().values()) == [1, 1, 1], "each pod has a partition")
        require(True, "the partitions are spread over the pods")
        for one in pods.inspect(f"{NAME}-0"):
            host = one["HostConfig"]
            require(one["Config"]["User"].split(":")[0] == "65532" and host["ReadonlyRootfs"] and not one["EffectiveCaps"],
                    "it runs as its user, with a read-only root and no capability")

    def page(self):
        port = next(port["port"] for port in self.pods.find("Service", NAME)["spec"]["ports"] if port["name"] == "http")
        for name in self.pods.names_of(NAME):
            status, body = self.pods.get(name, port, "/")
            require(status == 200 and "<html" in body.lower(), f"the page of {name} answers")

    def kill_a_pod(self):
        victim = f"{NAME}-1"
        before = self.restarts[victim]
        with self.lock:
            self.pods.kill(victim)
        wait_until(lambda: self.restarts[victim] > before, "the pod is started again")
        wait_until(self.all_ready, "every pod is ready again")
        require(True, "a pod was killed with -9 and came back")

    def replace_all(self):
        for i in reversed(range(3)):
            name = f"{NAME}-{i}"
            with self.lock:
                self.absent.add(name)
            statuses, took, log = self.pods.remove(name, self.grace)
            if statuses != [0] or took > SLOW:
                print(f"---- the end of {name}'s log, status {statuses} after {took:.1f} s", *log, sep="\n", file=sys.stderr)
            require(statuses == [0] and took < self.grace, f"{name} drained on SIGTERM within the grace ({took:.1f} s of {self.grace} s) and ended with 0")
            self.pods.start("StatefulSet", NAME, i)
            with self.lock:
                self.absent.discard(name)
            wait_until(lambda name=name: self.probe(name, "readinessProbe"), f"{name} is ready")
        require(True, "all pods were replaced one by one")

    def kill_a_broker(self):
        victim = "kafka-1"
        with self.lock:
            self.absent.add(victim)
            self.pods.kill(victim)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            for name in self.pods.names_of(NAME):
                if not (self.probe(name, "livenessProbe") and self.probe(name, "readinessProbe")):
                    raise PodError(f"{name} was taken for dead or not ready while a broker was down")
            time.sleep(1)
        require(True, "while a broker was down every pod stayed live and ready")
        with self.lock:
            self.absent.discard(victim)
        wait_until(lambda: self.restarts[victim] > 0, "the broker is started again")

    def judge(self, records):
        wait_until(lambda: self.lag() == 0, "everything was read", 180)
        labels = collections.Counter(record["key"] for record in self.consumed(OUTPUTS))
        dead = collections.Counter(record["key"] for record in self.consumed(DEAD))
        expected_dead = {str(i) for i in range(records) if Feed.is_bad(i)}
        expected = {str(i) for i in range(records)} - expected_dead
        for what, got, wanted in (("labels", labels, expected), ("dead letters", dead, expected_dead)):
            lost, doubled = wanted - set(got), [key for key, count in got.items() if count > 1]
            require(not lost and not doubled and set(got) == wanted,
                    f"{len(wanted)} {what}: {len(lost)} lost, {len(doubled)} doubled, {len(set(got) - wanted)} unknown")

    def run(self):
        self.bring_up()
        feed = Feed(self.pods.begin("writer", self.image, ["produce", "--topic", INPUTS, "--key", "counter", "--brokers", "kafka:9092"]))
        try:
            wait_until(lambda: feed.count > RATE, "records flow")
            self.page()
            self.kill_a_pod()
            self.replace_all()
            self.kill_a_broker()
        finally:
            records = feed.finish()
        self.judge(records)
        self.keeping.set()


def main():
    kaspar, kaspar_image, kafka_image = sys.argv[1:4]
    with tempfile.TemporaryDirectory(prefix="kaspar-pods-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        objects = render(kaspar, folder)
        named = {container["image"] for one in objects if "template" in one.get("spec", {})
                 for container in one["spec"]["template"]["spec"]["containers"]}
        images = {image: kafka_image if "kafka:" in image else kaspar_image for image in named}
        with Pods(folder, objects, images) as pods:
            scenario = Scenario(pods, kaspar_image)
            try:
                scenario.run()
            except (PodError, subprocess.TimeoutExpired) as error:
                scenario.keeping.set()
                print(f"FAILED: {error}", file=sys.stderr)
                for name in list(pods.started):
                    try:
                        log = pods.logs(name).splitlines()[-25:]
                    except (PodError, subprocess.TimeoutExpired) as reason:
                        log = [str(reason)]
                    print(f"---- the end of {name}'s log", *log, sep="\n", file=sys.stderr)
                return 1
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
