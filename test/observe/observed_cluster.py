"""A Kafka of a test's own, which it may stop, and pipelines on it."""
import pathlib
import os
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "kafka"), str(ROOT / "test" / "integration")]
sys.dont_write_bytecode = True
from kafka_cluster import Cluster, Unavailable  # noqa: E402

# Where screenshots and the like are kept.
ARTIFACTS = pathlib.Path(os.environ.get("KASPAR_ARTIFACTS", ROOT / "build" / "observe"))


class Kafka:
    def __init__(self, config=None, count=1):
        self.folder = tempfile.TemporaryDirectory(prefix="kaspar-observe-")
        try:
            self.cluster = Cluster(os.path.join(self.folder.name, "cluster"))
            self.cluster.start(count, None, {"group.initial.rebalance.delay.ms": "0", **(config or {})}, True)
        except Unavailable as missing:
            print(f"skipped: {missing}", file=sys.stderr)
            sys.exit(1 if os.environ.get("KASPAR_REQUIRE_KAFKA") == "1" else 77)
        os.environ["KASPAR_TEST_BROKERS"] = self.cluster.bootstrap

    @property
    def address(self):
        return self.cluster.bootstrap

    def stop_broker(self, id=1, kill=False):
        self.cluster.stop_broker(id, kill)

    def start_broker(self, *ids):
        self.cluster.start_broker(*(ids or [1]))

    def stop(self):
        self.cluster.stop()
        self.folder.cleanup()
