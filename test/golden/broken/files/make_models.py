#!/usr/bin/env python3
"""Writes the small models of the broken pipelines: make_models.py, with Debian's python3-onnx."""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent


def constant(name, values):
    return numpy_helper.from_array(numpy.asarray(values, dtype=numpy.float32), name)


def write(name, nodes, inputs, outputs, constants=()):
    value = lambda pair: helper.make_tensor_value_info(pair[0], TensorProto.FLOAT, pair[1])
    graph = helper.make_graph(nodes, name, list(map(value, inputs)), list(map(value, outputs)), initializer=list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="make_models")
    model.ir_version = 8
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())


def main():
    # Three values: how much the last is above the first, in three scores.
    write(
        "shape",
        [helper.make_node("MatMul", ["window", "weights"], ["scores"])],
        [("window", ["N", 3])],
        [("scores", ["N", 3])],
        [constant("weights", [[0, -1, 1], [0.5, 0, 0], [0, 1, -1]])],
    )
    # Three features: a probability.
    write(
        "fraud",
        [
            helper.make_node("MatMul", ["features", "weights"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["probability"]),
        ],
        [("features", ["N", 3])],
        [("probability", ["N", 1])],
        [constant("weights", [[0.001], [0.1], [0.5]])],
    )
    # Two inputs: their sum.
    write(
        "sum",
        [helper.make_node("Add", ["left", "right"], ["total"])],
        [("left", ["N", 3]), ("right", ["N", 3])],
        [("total", ["N", 3])],
    )
    # An operator that no one executes.
    write(
        "sampling",
        [helper.make_node("RandomNormalLike", ["window"], ["noise"]), helper.make_node("Add", ["window", "noise"], ["scores"])],
        [("window", ["N", 3])],
        [("scores", ["N", 3])],
    )


if __name__ == "__main__":
    main()
