"""Apache Kafka in KRaft mode for tests: 1 or 3 brokers on loopback, each also a controller.

A Cluster lives in one directory: DIR/cluster.json tells its ports and process ids, DIR/broker-N holds a
broker's properties, log and data. Stopping it ends those processes and removes DIR.
"""

import concurrent.futures
import ctypes
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
import base64

HERE = os.path.dirname(os.path.abspath(__file__))
JARS = os.path.join(HERE, "..", "..", "build", "third-party", "kafka")
MINIMUM_JAVA = 17
START_SECONDS = 90
STOP_SECONDS = 5


class Unavailable(Exception):
    """Kafka cannot be had on this machine: no Java, no jars, no client. A test skips, loudly."""


class ClusterError(Exception):
    """The cluster is there but did not do what was asked."""


def find_java():
    """The first Java that is new enough: of JAVA_HOME, the path, Debian's folders."""
    candidates = []
    if os.environ.get("JAVA_HOME"):
        candidates.append(os.path.join(os.environ["JAVA_HOME"], "bin", "java"))
    candidates.append(shutil.which("java"))
    candidates += sorted(glob.glob("/usr/lib/jvm/*/bin/java"))
    for java in candidates:
        if not java or not os.access(java, os.X_OK):
            continue
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        version = re.search(r'version "(\d+)', answer.stderr)
        if version and int(version.group(1)) >= MINIMUM_JAVA:
            return java
    raise Unavailable(f"no Java {MINIMUM_JAVA} or newer (deploy/install-dependencies --test installs one)")


def fetch_jars():
    """Makes sure that the broker's jars are below build/third-party; offline once they are."""
    done = subprocess.run([os.path.join(HERE, "fetch")], stdout=sys.stderr, check=False)
    if done.returncode == 77:
        raise Unavailable("its jars could not be fetched")
    if done.returncode != 0:
        raise ClusterError(f"test/kafka/fetch failed with status {done.returncode}")


def admin_client(bootstrap):
    try:
        from confluent_kafka.admin import AdminClient
    except ImportError as error:
        raise Unavailable("no python3-confluent-kafka (deploy/install-dependencies --test installs it)") from error
    # While brokers start, refused connections are expected: librdkafka's log would only worry.
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})


def free_ports(count):
    """Ports that were free a moment ago; held together so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


class Topic:
    """NAME:PARTITIONS[:REPLICATION][,key=value…], for example `rows:3,max.message.bytes=2000000`."""

    def __init__(self, text):
        head, *options = text.split(",")
        parts = head.split(":")
        try:
            self.name = parts[0]
            self.partitions = int(parts[1]) if len(parts) > 1 else 1
            self.replication = int(parts[2]) if len(parts) > 2 else None
            self.config = dict(option.split("=", 1) for option in options)
        except ValueError as error:
            raise ClusterError(f"`{text}` is not NAME:PARTITIONS[:REPLICATION][,key=value…]") from error
        if len(parts) > 3 or not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", self.name) or self.partitions < 1:
            raise ClusterError(f"`{text}` is not NAME:PARTITIONS[:REPLICATION][,key=value…]")


def _die_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Cluster:
    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        self.state_path = os.path.join(self.directory, "cluster.json")
        self.brokers = {}  # id → {"port", "controller_port", "pid"}
        self.java = None
        self.die_with_parent = False
        self._children = {}

    # ---- life cycle

    @classmethod
    def load(cls, directory):
        self = cls(directory)
        try:
            with open(self.state_path, encoding="utf-8") as file:
                state = json.load(file)
        except FileNotFoundError:
            raise ClusterError(f"no cluster in {self.directory}") from None
        self.java = state["java"]
        self.brokers = {int(id): broker for id, broker in state["brokers"].items()}
        return self

    def save(self):
        with open(self.state_path + ".new", "w", encoding="utf-8") as file:
            json.dump({"java": self.java, "bootstrap": self.bootstrap, "brokers": self.brokers}, file, indent=2)
        os.replace(self.state_path + ".new", self.state_path)

    def start(self, brokers=1, port=None, config=None, die_with_parent=False):
        """Formats and starts the brokers and waits until all serve. Raises after cleaning up."""
        if os.path.exists(self.state_path):
            raise ClusterError(f"there is a cluster in {self.directory} already: stop it first")
        if os.path.isdir(self.directory) and os.listdir(self.directory):
            raise ClusterError(f"{self.directory} is not empty")
        self.java = find_java()
        fetch_jars()
        admin_client("127.0.0.1:1")  # fail before brokers run
        self.die_with_parent = die_with_parent
        ids = range(1, brokers + 1)
        controller_ports = free_ports(2 * brokers)
        ports = [port + i for i in range(brokers)] if port else controller_ports[brokers:]
        self.brokers = {
            id: {"port": ports[id - 1], "controller_port": controller_ports[id - 1], "pid": None} for id in ids
        }
        os.makedirs(self.directory, exist_ok=True)
        self.save()
        try:
            for id in ids:
                self._write_properties(id, config or {})
            cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            with concurrent.futures.ThreadPoolExecutor() as pool:
                list(pool.map(lambda id: self._format(id, cluster_id), ids))
            for id in ids:
                self._spawn(id)
            self.wait_until_serving()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """Ends every broker by its process id and removes the directory with all data."""
        for id in self.brokers:
            self._signal(id, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for id in self.brokers:
            # Brokers of a quorum wait for each other when all stop; their data goes anyway.
            if not self._wait_ended(id, deadline):
                self._signal(id, signal.SIGKILL)
                self._wait_ended(id, time.monotonic() + STOP_SECONDS)
        alive = [id for id in self.brokers if self.alive(id)]
        if alive:
            raise ClusterError(f"brokers {alive} did not end; {self.directory} is left as it is")
        if os.path.exists(self.state_path):
            shutil.rmtree(self.directory)

    # ---- single brokers, for tests of outages

    def start_broker(self, *ids):
        """Those of a quorum that is lost start together: none serves without the others."""
        for id in ids:
            if not self.alive(id):
                self._spawn(id)
        self.wait_until_serving({i for i in self.brokers if self.alive(i)})

    def stop_broker(self, id, kill=False):
        """A graceful stop, or with `kill` a crash. The data stay."""
        self._signal(id, signal.SIGKILL if kill else signal.SIGTERM)
        if not self._wait_ended(id, time.monotonic() + 60):
            raise ClusterError(f"broker {id} (process {self.brokers[id]['pid']}) did not end within 60 s")

    def alive(self, id):
        pid = self.brokers[id]["pid"]
        if pid is None:
            return False
        child = self._children.get(id)
        if child is not None and child.pid == pid:
            return child.poll() is None
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                # A process id may have been given to another process since.
                return self._properties_path(id).encode() in file.read().split(b"\0")
        except OSError:
            return False

    # ---- what it serves

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{broker['port']}" for broker in self.brokers.values())

    def wait_until_serving(self, ids=None):
        expected = set(ids or self.brokers)
        admin = admin_client(self.bootstrap)
        deadline = time.monotonic() + START_SECONDS
        seen = set()
        while time.monotonic() < deadline:
            for id in expected:
                if not self.alive(id):
                    raise ClusterError(f"broker {id} ended while starting:\n{self.log_tail(id)}")
            try:
                seen = set(admin.list_topics(timeout=1).brokers)
                if seen >= expected:
                    return
            except Exception:  # librdkafka's errors while nobody serves yet
                pass
            time.sleep(0.05)
        raise ClusterError(f"only brokers {sorted(seen)} of {sorted(expected)} serve after {START_SECONDS} s")

    def create_topics(self, topics):
        from confluent_kafka.admin import NewTopic

        if not topics:
            return
        default_replication = min(3, len(self.brokers))
        admin = admin_client(self.bootstrap)
        created = admin.create_topics(
            [NewTopic(t.name, t.partitions, t.replication or default_replication, config=t.config) for t in topics],
            operation_timeout=30,
        )
        for name, done in created.items():
            try:
                done.result()
            except Exception as error:
                raise ClusterError(f"topic {name}: {error}") from error
        self._wait_for_leaders(admin, {t.name: t.partitions for t in topics})

    def _wait_for_leaders(self, admin, partitions):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            known = admin.list_topics(timeout=5).topics
            if all(
                name in known
                and len(known[name].partitions) == count
                and all(p.leader >= 0 for p in known[name].partitions.values())
                for name, count in partitions.items()
            ):
                return
            time.sleep(0.05)
        raise ClusterError(f"topics {sorted(partitions)} have no leaders after 30 s")

    def topics(self):
        """Name → number of partitions, without Kafka's own."""
        known = admin_client(self.bootstrap).list_topics(timeout=10).topics
        return {name: len(topic.partitions) for name, topic in sorted(known.items()) if not name.startswith("__")}

    def log_tail(self, id, lines=20):
        try:
            with open(os.path.join(self._broker_dir(id), "log"), encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except OSError:
            return ""

    # ---- one broker's files and process

    def _broker_dir(self, id):
        return os.path.join(self.directory, f"broker-{id}")

    def _properties_path(self, id):
        return os.path.join(self._broker_dir(id), "server.properties")

    def _write_properties(self, id, config):
        broker = self.brokers[id]
        count = len(self.brokers)
        os.makedirs(os.path.join(self._broker_dir(id), "tmp"))
        properties = {
            "process.roles": "broker,controller",
            "node.id": id,
            "controller.quorum.voters": ",".join(
                f"{i}@127.0.0.1:{other['controller_port']}" for i, other in self.brokers.items()
            ),
            "listeners": f"PLAINTEXT://127.0.0.1:{broker['port']},CONTROLLER://127.0.0.1:{broker['controller_port']}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker['port']}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": os.path.join(self._broker_dir(id), "data"),
            "auto.create.topics.enable": "false",
            "log.retention.ms": -1,  # tests bring their own timestamps, old ones too
            "num.network.threads": 2,
            "num.io.threads": 2,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 3,
            "offsets.topic.replication.factor": count,
            "transaction.state.log.num.partitions": 3,
            "transaction.state.log.replication.factor": count,
            "transaction.state.log.min.isr": min(2, count),
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": count,
            "share.coordinator.state.topic.min.isr": min(2, count),
        }
        properties.update(config)
        with open(self._properties_path(id), "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in properties.items())

    def _command(self, id, main, *arguments, options=()):
        return [
            self.java,
            *options,
            "-XX:-UsePerfData",  # or it leaves files in /tmp
            f"-Djava.io.tmpdir={os.path.join(self._broker_dir(id), 'tmp')}",
            f"-Dlog4j2.configurationFile={os.path.join(HERE, 'log4j2.properties')}",
            "-cp",
            os.path.join(os.path.abspath(JARS), "*"),
            main,
            *arguments,
        ]

    def allow(self, principal, resource, name, *operations):
        """Lets the principal do that with a "topic" or "group". Needs an authorizer in the brokers' configuration."""
        command = self._command(
            min(self.brokers), "org.apache.kafka.tools.AclCommand", "--bootstrap-server", self.bootstrap, "--add",
            "--allow-principal", principal, *(f"--operation={operation}" for operation in operations), f"--{resource}", name,
            options=("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise ClusterError(f"no entry for the {resource} {name}:\n{done.stdout}{done.stderr}")

    def _format(self, id, cluster_id):
        arguments = ("format", f"--cluster-id={cluster_id}",  # it may begin with a dash
                      "--config", self._properties_path(id))
        command = self._command(
            id, "kafka.tools.StorageTool", *arguments, options=("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ClusterError(f"formatting broker {id} failed:\n{done.stdout}{done.stderr}")

    def _spawn(self, id):
        command = self._command(id, "kafka.Kafka", self._properties_path(id), options=("-Xms128m", "-Xmx512m"))
        with open(os.path.join(self._broker_dir(id), "log"), "ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt at the terminal is for us, who then stop it
                preexec_fn=_die_with_parent if self.die_with_parent else None,
            )
        self._children[id] = child
        self.brokers[id]["pid"] = child.pid
        self.save()

    def _signal(self, id, number):
        if self.alive(id):
            try:
                os.kill(self.brokers[id]["pid"], number)
            except ProcessLookupError:
                pass

    def _wait_ended(self, id, deadline):
        while self.alive(id):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True
