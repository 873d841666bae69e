"""What the fraud and the shadow example must do on every broker."""
import collections
import json
import os
import re
import subprocess
import sys
import time

import numpy
import onnx
from onnx import numpy_helper

from brokers import PARTITIONS, ROOT
from control_chart_job import generate as charts
from example_job import ExampleJob

FRAUD = ROOT / "pipelines" / "fraud"


def fraud_generator():
    """pipelines/fraud/generate.py; that of control-chart has the same name."""
    import importlib.util
    specification = importlib.util.spec_from_file_location("fraud_generate", FRAUD / "generate.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class FraudModel:
    """The weights in the ONNX file, computed in f64."""

    def __init__(self):
        graph = onnx.load(str(FRAUD / "fraud.onnx")).graph
        self.weights = {tensor.name: numpy_helper.to_array(tensor).astype(float) for tensor in graph.initializer}
        scaler = (FRAUD / "fraud.scaler.toml").read_text(encoding="ascii")
        self.mean, self.std = (
            numpy.array(json.loads(re.search(rf"^{name} = (.*)$", scaler, re.M).group(1))) for name in ("mean", "std"))

    def scores(self, features):
        x = (numpy.array(features) - self.mean) / self.std
        hidden = numpy.maximum(x @ self.weights["0.weight"].T + self.weights["0.bias"], 0)
        return 1 / (1 + numpy.exp(-(hidden @ self.weights["2.weight"].T + self.weights["2.bias"])[:, 0]))


def broken(payment, kind):
    """(text, code) of a record that is no payment in one of five ways."""
    if kind == 0:
        return json.dumps(payment)[:-1], "K0903"
    if kind == 1:
        return json.dumps({**payment, "amount": str(payment["amount"])}), "K0902"
    if kind == 2:
        return json.dumps({key: value for key, value in payment.items() if key != "id"}), "K0905"
    if kind == 3:
        return json.dumps({**payment, "merchant": 7}), "K0902"
    return json.dumps({**payment, "at": "yesterday"}), "K0902"


class ExampleCases:
    """Mixed into a unittest.TestCase that has make_broker()."""

    def example(self, *arguments, **keywords):
        job = ExampleJob(self.make_broker(), *arguments, **keywords)
        self.addCleanup(job.close)
        return job

    def test_fraud_is_routed_scored_and_dead_lettered(self):
        job = self.example("fraud", ["payments", "fraud-alerts", "scored-payments", "dead-payments"], "fraud")
        made, good, bad, free = [], {}, {}, set()
        for number, (payment, _) in enumerate(fraud_generator().payments(3_000, 31)):
            key, value = f"k{number % 97}-{number}", json.dumps(payment)
            if number % 50 == 49:
                value, code = broken(payment, number // 50 % 5)
                bad[key] = (value, code)
            elif number % 70 == 69:
                value = json.dumps({**payment, "amount": 0})
                free.add(key)
            else:
                good[payment["id"]] = payment
            made.append((key, value, [("trace", f"t{number}".encode())]))
        scores = dict(zip(good, FraudModel().scores([fraud_generator().features(p) for p in good.values()])))
        job.produce(made)
        job.run_to_end()

        alerts = [(json.loads(message.value()), message) for message in job.records("fraud-alerts")]
        for value, message in alerts:
            payment, headers = good[value["id"]], dict(message.headers())
            self.assertEqual(list(value), ["id", "account", "amount", "country", "score"])
            self.assertEqual(value["account"], payment["account"]["id"])
            self.assertEqual(message.key().decode(), payment["account"]["id"])
            self.assertEqual(value["amount"], payment["amount"])
            self.assertAlmostEqual(value["score"], scores[value["id"]], delta=1e-5)
            self.assertEqual(headers["threshold"], b"0.5")
            self.assertRegex(headers["trace"].decode(), r"\At\d+\Z")
        found = {value["id"] for value, _ in alerts}
        self.assertEqual(len(found), len(alerts))
        for identity, score in scores.items():
            if abs(score - 0.5) > 1e-5:
                self.assertEqual(identity in found, score >= 0.5, identity)
        self.assertGreater(len(found), 50)
        self.assertEqual(len(job.records("scored-payments")), len(good) - len(found))

        letters = job.records("dead-payments")
        self.assertEqual(len(letters), len(bad))
        for message in letters:
            value, code = bad[message.key().decode()]
            self.assertEqual(dict(message.headers())["kaspar.code"].decode(), code, value)
            self.assertEqual(message.value().decode(), value)
        self.in_order(job, "dead-payments", list(bad))
        self.assertEqual(job.committed(), job.ends(job.inputs))

        before = [job.ends(name) for name in job.topics.values()]
        job.run_to_end("--no-fuse")  # reads nothing
        self.assertEqual([job.ends(name) for name in job.topics.values()], before)

    def in_order(self, job, topic, keys):
        """Records of a partition came in the order of the input: all topics have as many partitions."""
        came = collections.defaultdict(list)
        for message in job.records("payments"):
            if message.key().decode() in keys:
                came[message.partition()].append(message.key())
        for partition in range(PARTITIONS):
            self.assertEqual([message.key() for message in job.records(topic) if message.partition() == partition],
                             came[partition])

    SHADOW = ["kaspar-inputs", "kaspar-outputs", "kaspar-dead-letters", "kaspar-differences"]

    def windows(self, count, seed):
        return [(f"k{number}", charts.text_of(readings), None)
                for number, (_, readings) in enumerate(charts.charts(count, seed))]

    def test_a_shadow_logs_where_the_models_differ(self):
        job = self.example("shadow", self.SHADOW, "kaspar-shadow")
        job.produce(self.windows(3_000, 41))
        job.run_to_end()
        labels = {message.key(): message.value().decode() for message in job.records("kaspar-outputs")}
        self.assertEqual(len(labels), 3_000)
        differences = job.records("kaspar-differences")
        self.assertGreater(len(differences), 0)
        self.assertLess(len(differences), 300)
        for message in differences:
            value = json.loads(message.value())
            self.assertEqual(value["live"], labels[message.key()])
            self.assertNotEqual(value["candidate"], value["live"])
        self.assertEqual(job.committed(), job.ends(job.inputs))

    def test_a_stalled_shadow_holds_nothing_up(self):
        """Every row goes to the shadow's sink, a pipe that nobody reads: it stalls after 64 KiB. All labels are
        written and committed meanwhile, and the rows that the shadow missed are counted."""
        rows = 20_000
        job = self.example("shadow", self.SHADOW, "kaspar-shadow",
                           edit=lambda text: text.replace("y.index != z.index", "y.index >= 0")
                           .replace("queue: 10_000", "queue: 1_000"))
        stalled = f"{job.folder.name}/stalled"
        os.mkfifo(stalled)
        reader = os.open(stalled, os.O_RDWR)  # so that it can be opened for writing, and is never read
        process = subprocess.Popen(job.command("--sink", f"differences=file:{stalled}"), stderr=subprocess.PIPE, text=True)
        try:
            job.produce(self.windows(rows, 42))
            deadline = time.monotonic() + 120
            while job.committed() != job.ends(job.inputs) or sum(job.ends(job.inputs).values()) != rows:
                self.assertLess(time.monotonic(), deadline)
                self.assertIsNone(process.poll())
                time.sleep(0.1)
            self.assertEqual(sum(job.ends(job.topics["kaspar-outputs"]).values()), rows)
            process.terminate()
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
            os.close(reader)
        self.assertEqual(process.returncode, 0, log[-3000:])
        finished = next(json.loads(line) for line in log.splitlines() if '"run_finished"' in line)
        missed = int(finished["best_effort_dropped"]) + int(finished.get("best_effort_failed", 0))
        self.assertGreater(missed, rows // 2)
        self.assertLessEqual(missed, rows)


if __name__ == "__main__":
    sys.exit("run real_broker_test.py or embedded_broker_test.py")
