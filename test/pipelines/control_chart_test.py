#!/usr/bin/env python3
"""The committed results of pipelines/control-chart agree with each other: the sample rows are the
generator's, and the weights in the ONNX file give the golden scores when computed step by step."""
import csv
import math
import pathlib
import re
import sys
import unittest

import numpy
import onnx
from onnx import numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "pipelines" / "control-chart"
sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True
import generate  # noqa: E402


def rows_of(name):
    with open(FOLDER / name, encoding="ascii") as file:
        return list(csv.reader(file))


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


class Model:
    """The LSTM's equations as the ONNX specification writes them, in f64."""

    def __init__(self):
        model = onnx.load(str(FOLDER / "control-chart.onnx"))
        weights = {i.name: numpy_helper.to_array(i).astype("f8") for i in model.graph.initializer}
        lstm = next(node for node in model.graph.node if node.op_type == "LSTM")
        self.w, self.r, self.b = (weights[name][0] for name in lstm.input[1:4])
        self.dense, self.bias = weights["dense.weight"], weights["dense.bias"]

    def scores(self, window):
        hidden = self.r.shape[1]
        h, c = numpy.zeros(hidden), numpy.zeros(hidden)
        for x in window:
            gates = self.w[:, 0] * x + self.r @ h + self.b[:4 * hidden] + self.b[4 * hidden:]
            i, o, f, g = numpy.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * numpy.tanh(g)
            h = sigmoid(o) * numpy.tanh(c)
        logits = self.dense @ h + self.bias
        powers = numpy.exp(logits - logits.max())
        return powers / powers.sum()


class ControlChart(unittest.TestCase):
    def test_sample_rows_are_the_generators(self):
        made = [generate.text_of(readings).split(",") + [generate.LABELS[label]]
                for label, readings in generate.charts(120, 2003)]
        self.assertEqual(rows_of("sample-rows.csv"), made)
        self.assertEqual(rows_of("sample-feed.csv"), [row[:-1] for row in made])

    def test_golden_scores_follow_from_the_weights(self):
        model = Model()
        golden = rows_of("golden.csv")
        self.assertEqual(len(golden), 32)
        for row in golden:
            values = [float(field) for field in row]
            numpy.testing.assert_allclose(model.scores(values[:60]), values[60:], atol=1e-5)

    def test_sample_rows_are_labelled_right(self):
        text = (FOLDER / "control-chart.scaler.toml").read_text(encoding="ascii")
        mean, std = (float(re.search(rf"^{name} = (.*)$", text, re.M).group(1)) for name in ("mean", "std"))
        model = Model()
        wrong = 0
        for row in rows_of("sample-rows.csv"):
            scores = model.scores([(float(field) - mean) / std for field in row[:-1]])
            wrong += generate.LABELS[int(scores.argmax())] != row[-1]
        self.assertLessEqual(wrong, 1)

    def test_equations_keep_their_bounds(self):
        for label, readings in generate.charts(2000, 5):
            self.assertEqual(len(readings), 60)
            name = generate.LABELS[label]
            reach = {"Normal": 6, "Cyclic": 21, "Increasing Trend": 36, "Decreasing Trend": 36}.get(name, 26)
            self.assertTrue(all(math.fabs(reading - 30) <= reach for reading in readings), name)
            if name == "Increasing Trend":
                self.assertGreaterEqual(readings[-1], 30 + 0.2 * 60 - 6)

    def test_every_way_of_breaking_a_row_breaks_it(self):
        import random
        row = generate.text_of(next(generate.charts(1, 1))[1])
        codes = [generate.break_row(row, kind, random.Random(3)) for kind in range(len(generate.BREAKS))]
        self.assertEqual({code for code, _ in codes}, {"K0901", "K0902", "K0903", "K0904", "K0905"})
        self.assertTrue(all(broken != row for _, broken in codes))


if __name__ == "__main__":
    unittest.main()
