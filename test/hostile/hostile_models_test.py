"""Hostile model files: `kaspar check` refuses each with K0404, K0405 or K0407, within a second of processor time and
256 MiB, and never crashes. Arguments: the program, and `--sanitized` where it is built so (limits do not hold then).
"""

import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from costly_models import COSTLY  # noqa: E402
from onnx_bytes import (FLOAT, INT64, STRING, Raw, attribute, field, fields, floats, graph, ints,  # noqa: E402
                        model, node, tensor, value, varint)

KASPAR = ""
SANITIZED = False
MOST_SECONDS = 1.0
MOST_KIB = 256 * 1024
PIPELINE = """pipe 1
schema Row { x: f32[4] }
source rows = stdin
sink out = stdout
model m = onnx "m.onnx"
on error drop
from rows |> parse csv as Row |> apply m(x) as y |> to out { value: y.out }
"""
BIG = 40_000_000
WEIGHTS = floats(*[0.5] * 16)
MATMUL = node("MatMul", ["x", "w"], ["y"])
RELU = node("Relu", ["x"], ["y"])


def one_weight(weight):
    return model(graph([MATMUL], [weight]))


def external(*entries, dims=(4, 4)):
    return one_weight(tensor("w", dims, external=entries))


def at(location, **more):
    return external(("location", location), *more.items())


def chain(first, step, count):
    """`first` defines c0, step(i) turns c(i) into c(i+1), the last is added to x."""
    nodes = [first] + [step(i) for i in range(count)]
    return nodes + [node("ReduceSum", [f"c{count}"], ["s"], keepdims=0), node("Add", ["x", "s"], ["y"])]


def filled(*shape):
    """ConstantOfShape of it, as c0."""
    return [ints("shape", *shape)], node("ConstantOfShape", ["shape"], ["c0"])


def made(*shape, step=None, count=0, more=()):
    initializers, first = filled(*shape)
    return model(graph(chain(first, step, count), initializers + list(more)))


def tree(**changes):
    """A tree of one branch and two leaves."""
    attributes = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [1.0, 2.0],
        "n_targets": 1,
    }
    attributes.update(changes)
    return model(graph([node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **attributes)]))


def long_tree(last):
    """Branches one below the other, a quarter of a million, the last of which leads to `last`."""
    count = 250_001
    branches = list(range(0, count - 1, 2))
    yes = [i + 1 if i % 2 == 0 and i < count - 1 else 0 for i in range(count)]
    no = [i + 2 if i % 2 == 0 and i < count - 1 else 0 for i in range(count)]
    no[branches[-1]] = last if last is not None else no[branches[-1]]
    modes = ["BRANCH_LEQ" if i % 2 == 0 and i < count - 1 else "LEAF" for i in range(count)]
    return tree(nodes_treeids=[0] * count, nodes_nodeids=list(range(count)), nodes_featureids=[0] * count,
                nodes_modes=modes, nodes_values=[0.5] * count, nodes_truenodeids=yes, nodes_falsenodeids=no,
                target_treeids=[0], target_nodeids=[1], target_ids=[0], target_weights=[1.0])


def nested(depth, wrap, core):
    for _ in range(depth):
        core = wrap(core)
    return core


def nested_subgraphs(op, depth):
    inner = nested(depth, lambda core: field(1, node(op, ["x"], ["y"], body=Raw(field(6, core)))), b"")
    return model(graph([node(op, ["x"], ["y"], then_branch=Raw(field(6, inner)))]))


def nested_type(depth):
    kind = nested(depth, lambda core: field(4, field(1, core)), field(1, field(1, FLOAT)))
    return model(graph([RELU], inputs=[field(1, "x") + field(2, kind)]))


# Name: the file. Each is refused.
REFUSED = {
    "no bytes": lambda: b"",
    "no model": lambda: b"kaspar\n" * 100,
    "an endless number": lambda: b"\xff" * 4096,
    "a length that leads out": lambda: b"\x3a" + varint(2**40) + b"x" * 100,
    "a length that wraps": lambda: b"\x3a" + varint(2**64 - 2) + b"x" * 100,
    "groups in groups": lambda: b"\x3b" * 1_000_000,
    "field zero": lambda: b"\x02\x00" * 100,
    "no graph": lambda: field(1, 8),
    "no input": lambda: model(graph([RELU], inputs=[])),
    "no output": lambda: model(graph([RELU], outputs=[])),
    "no opset": lambda: field(1, 8) + field(7, graph([RELU])),
    "an opset of the future": lambda: field(1, 8) + field(8, field(2, 26)) + field(7, graph([RELU])),
    "an opset of the past": lambda: field(1, 8) + field(8, field(2, 6)) + field(7, graph([RELU])),

    # weights beside the model
    "weights by an absolute path": lambda: at("/etc/passwd"),
    "weights on a device": lambda: at("/dev/zero", length="64"),
    "weights above": lambda: at("../outside.bin"),
    "weights above by a detour": lambda: at("below/../../outside.bin"),
    "weights above, twice": lambda: at("./../../outside.bin"),
    "weights by a link to outside": lambda: at("link.bin"),
    "weights by a link to a folder outside": lambda: at("folder-link/outside.bin"),
    "weights by a link to a device": lambda: at("zero.bin", length="64"),
    "weights by a link to itself": lambda: at("loop.bin"),
    "weights in a fifo": lambda: at("fifo.bin", length="64"),
    "weights in a folder": lambda: at("below"),
    "weights in the folder itself": lambda: at("."),
    "weights in no file": lambda: at(""),
    "weights without a location": lambda: external(("offset", "0")),
    "weights without anything": lambda: external(),
    "weights with a zero byte in their name": lambda: at("w.bin\0x"),
    "weights that are missing": lambda: at("missing.bin"),
    "weights behind the end": lambda: at("w.bin", offset="65"),
    "weights that are too short": lambda: at("w.bin", offset="4"),
    "weights shorter than their shape": lambda: at("w.bin", length="60"),
    "weights longer than their shape": lambda: external(("location", "w.bin"), ("length", "64"), dims=(4, 3)),
    "weights that lead out of the file": lambda: at("w.bin", offset="32", length="64"),
    "weights of a negative offset": lambda: at("w.bin", offset="-4"),
    "weights of a negative length": lambda: at("w.bin", length="-64"),
    "weights of an offset that wraps": lambda: at("w.bin", offset="18446744073709551612", length="64"),
    "weights of a length that wraps": lambda: at("w.bin", offset="4", length="18446744073709551612"),
    "weights of the largest offset": lambda: at("w.bin", offset="9223372036854775807", length="64"),
    "weights of an odd offset": lambda: at("w.bin", offset="0x10"),
    "weights of a huge length": lambda: at("w.bin", length="9" * 1000),
    "weights with a huge name": lambda: at("w" * 1_000_000),
    "weights with empty entries": lambda: one_weight(tensor("w", [4, 4]) + b"\x6a\x00" * (BIG // 2) + field(14, 1)),
    "weights of three gigabytes": lambda: external(("location", "sparse.bin"), dims=(4, 3 << 26)),
    "strings beside the model": lambda: one_weight(
        tensor("w", [4, 4], kind=STRING, external=[("location", "w.bin")])),

    # weights in the model
    "raw data too short": lambda: one_weight(tensor("w", [4, 4], WEIGHTS[:-4])),
    "raw data not of whole numbers": lambda: one_weight(tensor("w", [4, 4], WEIGHTS[:-1])),
    "raw data too long": lambda: one_weight(tensor("w", [4, 4], WEIGHTS + b"\0\0\0\0")),
    "no data": lambda: one_weight(tensor("w", [4, 4])),
    "too few numbers": lambda: one_weight(tensor("w", [4, 4], [0.5] * 15, raw=False)),
    "too many numbers": lambda: one_weight(tensor("w", [4, 4], [0.5] * 17, raw=False)),
    "packed numbers cut": lambda: one_weight(tensor("w", [4, 4], [], raw=False) + field(4, WEIGHTS[:-2])),
    "too few strings": lambda: one_weight(tensor("w", [4, 4], ["a"], kind=STRING, raw=False)),
    "a negative dimension": lambda: one_weight(tensor("w", [4, -4], WEIGHTS)),
    "a dimension of the least number": lambda: one_weight(tensor("w", [-2**63], WEIGHTS)),
    "a huge dimension": lambda: one_weight(tensor("w", [2**62], WEIGHTS)),
    "dimensions that wrap to none": lambda: one_weight(tensor("w", [2**32, 2**32], b"")),
    "dimensions that wrap to what is there": lambda: one_weight(tensor("w", [2**62 + 4, 4], WEIGHTS)),
    "a huge dimension beside none": lambda: one_weight(tensor("w", [0, 2**62], b"")),
    "seventeen dimensions": lambda: one_weight(tensor("w", [1] * 17, WEIGHTS[:4])),
    "a million dimensions": lambda: one_weight(tensor("w", [1] * 1_000_000, WEIGHTS[:4])),
    "packed dimensions, a million": lambda: one_weight(field(1, b"\x01" * 1_000_000) + tensor("w", [], WEIGHTS[:4])),
    "segments": lambda: one_weight(tensor("w", [4, 4], WEIGHTS) + field(3, field(1, 0) + field(2, 8))),
    "an unknown type": lambda: one_weight(tensor("w", [4, 4], WEIGHTS, kind=99)),
    "strings without end": lambda: one_weight(tensor("w", [BIG // 2], kind=STRING) + b"\x32\x00" * (BIG // 2)),
    "sparse weights": lambda: model(graph([MATMUL], more=field(15, field(1, tensor("w", [4, 4], WEIGHTS))))),

    # made of little
    "2^40 rows": lambda: made(2**40),
    "2^40 rows by 2^20": lambda: made(2**20, 2**20),
    "rows that wrap": lambda: made(2**32, 2**32),
    "rows of a negative number": lambda: made(-1),
    "none beside 2^40": lambda: made(0, 2**40),
    "2^24 rows, a hundred times": lambda: made(
        2**24, step=lambda i: node("ConstantOfShape", ["shape"], [f"c{i + 1}"]), count=100),
    "integers, 2^24 and again": lambda: made(
        2**24, count=10,
        step=lambda i: node("ConstantOfShape", ["shape"], [f"c{i + 1}"],
                            value=tensor("v", [1], struct.pack("<q", 7), INT64))),
    "expanded constants": lambda: model(graph(
        [node("Expand", ["w", "shape"], ["c0"])] + chain(RELU, None, 0)[1:], [ints("shape", 2**40), ints("w", 1)])),
    "expanded records": lambda: model(graph(
        [node("Expand", ["x", "shape"], ["y"])], [ints("shape", 2**30, 1, 4)])),
    "expanded by a shape that wraps": lambda: model(graph(
        [node("Expand", ["x", "shape"], ["y"])], [ints("shape", 2**62, 2**62, 1, 4)])),
    "doubled constants": lambda: made(
        1024, step=lambda i: node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0), count=40),
    "doubled records": lambda: model(graph(
        [node("Concat", ["x", "x"], ["c0"], axis=1)] +
        [node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=1) for i in range(40)] +
        [node("Relu", ["c40"], ["y"])])),
    "one tensor a hundred thousand times": lambda: made(
        2**20, step=lambda i: node("Concat", ["c0"] * 99_000, ["c1"], axis=0), count=1),
    "rows by columns": lambda: model(graph(
        [node("Add", ["a", "b"], ["c0"])] + chain(RELU, None, 0)[1:],
        [tensor("a", [2**17, 1], b"\0" * 2**19), tensor("b", [1, 2**17], b"\0" * 2**19)])),
    "rows times columns": lambda: model(graph(
        [node("MatMul", ["a", "b"], ["c0"])] + chain(RELU, None, 0)[1:],
        [tensor("a", [2**17, 1], b"\0" * 2**19), tensor("b", [1, 2**17], b"\0" * 2**19)])),
    "gathered constants": lambda: model(graph(
        [node("ConstantOfShape", ["shape"], ["all"], value=tensor("v", [1], struct.pack("<q", 7), INT64)),
         node("Gather", ["w", "all"], ["c0"])] + chain(RELU, None, 0)[1:],
        [ints("shape", 2**16), tensor("w", [8, 2**10], b"\0" * 2**15)])),
    "a shape that wraps": lambda: model(graph([node("Reshape", ["x", "s"], ["y"])], [ints("s", 2**62, 4)])),
    "a shape with two open dimensions": lambda: model(graph([node("Reshape", ["x", "s"], ["y"])], [ints("s", -1, -1)])),
    "a shape of 2^40 and none": lambda: model(graph(
        [node("Reshape", ["x", "s"], ["y"], allowzero=1)], [ints("s", 2**40, 0)])),
    "folded constants, one after the other": lambda: made(
        2**20, step=lambda i: node("Relu", [f"c{i}"], [f"c{i + 1}"]), count=200),
    "empty tensors without end": lambda: made(
        2**23, 0, step=lambda i: node("Relu", [f"c{i}"], [f"c{i + 1}"]), count=10_000),
    "an input of 2^40": lambda: model(graph([RELU], inputs=[value("x", (None, 2**40))])),
    "an input that wraps": lambda: model(graph([RELU], inputs=[value("x", (None, 2**32, 2**32))])),
    "tiled records": lambda: model(graph([node("Tile", ["x", "s"], ["y"])], [ints("s", 1, 2**40)])),
    "a range": lambda: model(graph([node("Range", ["a", "b", "c"], ["y"])],
                                   [ints("a", 0), ints("b", 2**40), ints("c", 1)])),
    "padded records": lambda: model(graph([node("Pad", ["x", "s"], ["y"])], [ints("s", 0, 0, 0, 2**40)])),
    "a hidden state of 2^40": lambda: model(graph(
        [node("LSTM", ["x", "w", "w"], ["y"], hidden_size=2**40)], [tensor("w", [1, 4, 4], WEIGHTS)])),
    "a million parts": lambda: model(graph([node("Split", ["x"], [f"p{i}" for i in range(1_000_000)])], outputs=["p0"])),
    "a million axes": lambda: model(graph([node("Unsqueeze", ["x", "a"], ["y"])], [ints("a", *range(1_000_000))])),

    # graphs
    "a cycle": lambda: model(graph([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]),
                                    node("Relu", ["b"], ["y"])])),
    "a node that reads itself": lambda: model(graph([node("Add", ["x", "y"], ["y"])])),
    "an output twice": lambda: model(graph([RELU, RELU])),
    "an output twice in a node": lambda: model(graph([node("Dropout", ["x"], ["y", "y"])])),
    "an output as an input": lambda: model(graph([node("Relu", ["x"], ["x"])], outputs=["x"])),
    "an output as a weight": lambda: model(graph([MATMUL, node("Relu", ["x"], ["w"])],
                                                 [tensor("w", [4, 4], WEIGHTS)])),
    "a weight twice": lambda: model(graph([MATMUL], [tensor("w", [4, 4], WEIGHTS)] * 2)),
    "an input twice": lambda: model(graph([RELU], inputs=[value("x"), value("x")])),
    "an output from nowhere": lambda: model(graph([RELU], outputs=["z"])),
    "an input from nowhere": lambda: model(graph([node("Relu", ["z"], ["y"])])),
    "an attribute twice": lambda: model(graph([RELU + fields(5, [attribute("a", 1)] * 2)])),
    "a node without an operator": lambda: model(graph([RELU, b""])),
    "an operator that nobody has": lambda: model(graph([node("Frobnicate", ["x"], ["y"])])),
    "an operator of somebody's": lambda: model(graph([node("Relu", ["x"], ["y"], domain="com.example")])),
    "an operator with a huge name": lambda: model(graph([node("X" * BIG, ["x"], ["y"])])),
    "a million nodes, the last in a cycle": lambda: model(graph(
        [node("Relu", ["x"], ["c0"])] +
        [node("Relu", [f"c{i}"], [f"c{i + 1}"]) for i in range(300_000)] + [node("Relu", ["z"], ["z"])],
        outputs=["z"])),

    # 40 MB
    "40 MB of empty nodes": lambda: model(graph([RELU], more=b"\x0a\x00" * (BIG // 2))),
    "40 MB of empty nodes alone": lambda: field(7, b"\x0a\x00" * (BIG // 2)),
    "40 MB of empty weights": lambda: model(graph([RELU], more=b"\x2a\x00" * (BIG // 2))),
    "40 MB of empty inputs": lambda: model(graph([RELU], more=b"\x5a\x00" * (BIG // 2))),
    "40 MB of empty outputs": lambda: model(graph([RELU], more=b"\x62\x00" * (BIG // 2))),
    "40 MB of empty names": lambda: model(graph([RELU + b"\x0a\x00" * (BIG // 2)])),
    "40 MB of empty attributes": lambda: model(graph([RELU + b"\x2a\x00" * (BIG // 2)])),
    "40 MB of empty dimensions": lambda: model(graph(
        [RELU], inputs=[field(1, "x") + field(2, field(1, field(1, 1) + field(2, b"\x0a\x00" * (BIG // 2))))])),
    "40 MB of a name": lambda: model(graph([node("Relu", ["x" * BIG], ["y"])])),

    # nested
    "subgraphs in subgraphs": lambda: nested_subgraphs("If", 2_000),
    "loops in loops": lambda: nested_subgraphs("Loop", 2_000),
    "types in types": lambda: nested_type(5_000),

    # trees
    "a tree whose branch leads out": lambda: tree(nodes_truenodeids=[7, 0, 0]),
    "a tree whose branch leads below": lambda: tree(nodes_truenodeids=[-1, 0, 0]),
    "a tree whose branch leads far out": lambda: tree(nodes_falsenodeids=[2**62, 0, 0]),
    "a tree that leads to itself": lambda: tree(nodes_truenodeids=[0, 0, 0]),
    "a tree in a circle": lambda: tree(nodes_modes=["BRANCH_LEQ", "BRANCH_LT", "LEAF"],
                                       nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0]),
    "a tree whose branches meet": lambda: tree(nodes_truenodeids=[2, 0, 0]),
    "a tree with two roots": lambda: tree(nodes_modes=["LEAF", "LEAF", "LEAF"]),
    "a tree with a node twice": lambda: tree(nodes_nodeids=[0, 1, 1]),
    "a tree of another tree": lambda: tree(nodes_treeids=[0, 0, 1]),
    "a tree of column 4": lambda: tree(nodes_featureids=[4, 0, 0]),
    "a tree of column -1": lambda: tree(nodes_featureids=[-1, 0, 0]),
    "a tree of column 2^32": lambda: tree(nodes_featureids=[2**32, 0, 0]),
    "a tree with too few values": lambda: tree(nodes_values=[0.5]),
    "a tree with too few modes": lambda: tree(nodes_modes=["BRANCH_LEQ"]),
    "a tree without modes": lambda: tree(nodes_modes=[]),
    "a tree without nodes": lambda: tree(nodes_treeids=[]),
    "a tree of an odd mode": lambda: tree(nodes_modes=["BRANCH_SOMEHOW", "LEAF", "LEAF"]),
    "a leaf's weight for nobody": lambda: tree(target_nodeids=[1, 9]),
    "a leaf's weight for target 1": lambda: tree(target_ids=[0, 1]),
    "a leaf's weight for target -1": lambda: tree(target_ids=[0, -1]),
    "a leaf's weight for a tree of nobody": lambda: tree(target_treeids=[0, -3]),
    "a tree with too few weights": lambda: tree(target_weights=[1.0]),
    "a tree for 2^40 targets": lambda: tree(n_targets=2**40),
    "a tree for no targets": lambda: tree(n_targets=0),
    "a long tree in a circle": lambda: long_tree(0),
}

# Odd, and valid: nothing of them needs to be kept.
TAKEN = {
    "a plain model": lambda: one_weight(tensor("w", [4, 4], WEIGHTS)),
    "packed numbers": lambda: one_weight(tensor("w", [4, 4], [], raw=False) + field(4, WEIGHTS)),
    "weights beside it": lambda: at("w.bin", offset="0", length="64"),
    "weights beside it, without offset and length": lambda: at("w.bin"),
    "weights below it": lambda: at("below/w.bin"),
    "weights by a link that stays": lambda: at("inner-link.bin"),
    "weights by a detour that stays": lambda: at("below/../w.bin"),
    "an unknown field": lambda: one_weight(tensor("w", [4, 4], WEIGHTS)) + field(999, "x" * 1000),
    "40 MB of unknown fields": lambda: one_weight(tensor("w", [4, 4], WEIGHTS)) + b"\xf8\x3f\x01" * (BIG // 3),
    "40 MB of functions": lambda: one_weight(tensor("w", [4, 4], WEIGHTS)) + b"\xca\x01\x00" * (BIG // 3),
    "40 MB of value infos": lambda: model(graph([RELU], more=b"\x6a\x00" * (BIG // 2))),
    "a subgraph that nobody reads": lambda: model(graph([node(
        "Relu", ["x"], ["y"], body=Raw(field(6, b"\x0a\x00" * (BIG // 2))))])),
    "a tree": tree,
    "a long tree": lambda: long_tree(None),
    "ten thousand nodes": lambda: model(graph(
        [node("Relu", ["x"], ["c0"])] + [node("Relu", [f"c{i}"], [f"c{i + 1}"]) for i in range(10_000)],
        outputs=["c10000"])),
}


def files_around(folder):
    """What the weights of the cases above lie in."""
    (folder.parent / "outside.bin").write_bytes(WEIGHTS)
    (folder / "w.bin").write_bytes(WEIGHTS)
    (folder / "below").mkdir()
    (folder / "below" / "w.bin").write_bytes(WEIGHTS)
    (folder / "link.bin").symlink_to("../outside.bin")
    (folder / "folder-link").symlink_to("..")
    (folder / "zero.bin").symlink_to("/dev/zero")
    (folder / "loop.bin").symlink_to("loop.bin")
    (folder / "inner-link.bin").symlink_to("below/w.bin")
    os.mkfifo(folder / "fifo.bin")
    with open(folder / "sparse.bin", "wb") as sparse:
        sparse.truncate(3 << 30)


class Checked:
    """One `kaspar check`, measured."""

    def __init__(self, folder):
        with open(folder / "out.json", "wb") as out:
            process = subprocess.Popen([KASPAR, "check", "--output", "json", "p.pipe"], stdout=out,
                                       stderr=subprocess.STDOUT, cwd=folder)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.status = process.returncode
        self.seconds = usage.ru_utime + usage.ru_stime
        self.kib = usage.ru_maxrss
        self.text = (folder / "out.json").read_text(errors="replace")

    def codes(self):
        return {d["code"] for d in json.loads(self.text)["diagnostics"]}


class HostileModels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "model"
        cls.folder.mkdir()
        files_around(cls.folder)
        (cls.folder / "p.pipe").write_text(PIPELINE, encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def write_model(self, make):
        # By a process of its own: what this one ever took would count as the program's.
        if (writer := os.fork()) == 0:
            status = 1
            try:
                (self.folder / "m.onnx").write_bytes(make())
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(writer, 0)[1], 0)

    def check_within_limits(self, make):
        self.write_model(make)
        checked = Checked(self.folder)
        if not SANITIZED:
            self.assertLess(checked.seconds, MOST_SECONDS)
            self.assertLess(checked.kib, MOST_KIB)
        return checked

    def test_each_is_refused(self):
        for name, make in REFUSED.items():
            with self.subTest(name):
                checked = self.check_within_limits(make)
                self.assertEqual(checked.status, 1, checked.text)
                codes = checked.codes()
                self.assertTrue(codes & {"K0401", "K0404", "K0405", "K0407"}, codes)

    def test_what_takes_long_is_refused(self):
        for name, make in COSTLY.items():
            with self.subTest(name):
                checked = self.check_within_limits(make)
                self.assertEqual(checked.status, 1, checked.text)
                self.assertEqual(checked.codes(), {"K0407"}, checked.text)

    def test_what_is_valid_is_taken(self):
        for name, make in TAKEN.items():
            with self.subTest(name):
                checked = self.check_within_limits(make)
                self.assertEqual(checked.status, 0, checked.text)

    def test_a_million_nodes_fit_the_default_budget(self):
        if SANITIZED:
            self.skipTest("it takes more of everything")
        def million():
            count = 1_000_000
            nodes = [node("Relu", ["x"], ["c0"])]
            nodes += [node("Abs" if i % 2 else "Relu", [f"c{i}"], [f"c{i + 1}"]) for i in range(count - 1)]
            return model(graph(nodes, outputs=[f"c{count - 1}"]))
        self.write_model(million)
        checked = Checked(self.folder)
        self.assertEqual(checked.status, 0, checked.text)
        self.assertLess(checked.kib, MOST_KIB)

    def test_weights_are_held_once(self):
        """160 MiB of them: beside the file's, the kernels' would be more than the budget."""
        size, layers = 2048, 10
        def deep():
            nodes, weights, at, shapes = [], [], 0, [(4, size)] + [(size, size)] * layers + [(size, 4)]
            for i, shape in enumerate(shapes):
                nodes.append(node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"h{i + 1}"]))
                length = 4 * shape[0] * shape[1]
                weights.append(tensor(f"w{i}", shape, external=[("location", "sparse.bin"), ("offset", str(at)),
                                                                ("length", str(length))]))
                at += length
            return model(graph(nodes, weights, outputs=[f"h{len(shapes)}"]))
        self.write_model(deep)
        checked = Checked(self.folder)
        self.assertEqual(checked.status, 0, checked.text)
        if not SANITIZED:
            self.assertLess(checked.kib, MOST_KIB)

    def test_a_huge_file_is_not_read(self):
        with open(self.folder / "m.onnx", "wb") as huge:
            huge.truncate(50 << 30)
        checked = Checked(self.folder)
        self.assertEqual(checked.codes(), {"K0407"})
        self.assertLess(checked.kib, MOST_KIB if not SANITIZED else 10 * MOST_KIB)

    def test_the_budget_of_the_profile_counts(self):
        self.write_model(lambda: one_weight(tensor("w", [4, 5_000_000], b"\0" * 80_000_000)))
        (self.folder / "kaspar.toml").write_text('[run]\nmemory_budget = "64MiB"\n', encoding="utf-8")
        try:
            checked = Checked(self.folder)
            self.assertEqual(checked.codes(), {"K0407"}, checked.text)
            self.assertIn("memory_budget", checked.text)
        finally:
            (self.folder / "kaspar.toml").unlink()

    def test_mounts_that_are_all_links_work(self):
        mount = self.folder.parent / "mount"
        version = mount / "..2026_11_28"
        version.mkdir(parents=True)
        (version / "m.onnx").write_bytes(at("m.onnx.data"))
        (version / "m.onnx.data").write_bytes(WEIGHTS)
        (version / "p.pipe").write_text(PIPELINE, encoding="utf-8")
        (mount / "..data").symlink_to("..2026_11_28")
        for name in ("m.onnx", "m.onnx.data", "p.pipe"):
            (mount / name).symlink_to(f"..data/{name}")
        checked = Checked(mount)
        self.assertEqual(checked.status, 0, checked.text)

    def test_a_computed_index_outside_fails_its_row(self):
        (self.folder / "m.onnx").write_bytes(model(graph(
            [node("Cast", ["x"], ["i"], to=INT64), node("Gather", ["w", "i"], ["y"])],
            [tensor("w", [3], floats(1, 2, 3))], inputs=[value("x", (None, 1))])))
        (self.folder / "index.pipe").write_text("""pipe 1
schema Row { x: f32 }
source rows = stdin
sink out = stdout
sink dead = file { path: "dead" }
model m = onnx "m.onnx"
on error dead
from rows |> parse csv as Row |> apply m(x) as y |> to out { value: y.out }
test "outside" {
  feed rows { value: "2" }
  feed rows { value: "3" }
  feed rows { value: "-4" }
  feed rows { value: "1e30" }
  feed rows { value: "-1" }
  expect out { value: 3.0 }
  expect out { value: 3.0 }
  expect dead { code: "K0906" }
  expect dead { code: "K0906" }
  expect dead { code: "K0906" }
}
""", encoding="utf-8")
        result = subprocess.run([KASPAR, "test", "index.pipe"], cwd=self.folder, capture_output=True, text=True,
                                timeout=60, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    KASPAR = os.path.abspath(sys.argv[1])
    SANITIZED = "--sanitized" in sys.argv
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main(argv=sys.argv[:1])
