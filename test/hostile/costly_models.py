"""Small files that would take long to load: each asks for far more work than its size tells."""

import struct

from onnx_bytes import FLOAT, INT64, STRING, Raw, field, floats, graph, ints, model, node, tensor, value

DOUBLE, BOOL = 11, 9
ML = "ai.onnx.ml"


def filled(name, *shape, kind=FLOAT, data=b"\0\0\x80\x3f"):
    """A constant that the file need not hold; its shape is `NAME.shape`."""
    return [ints(f"{name}.shape", *shape)], [node("ConstantOfShape", [f"{name}.shape"], [name],
                                                  value=tensor("v", [1], data, kind))]


def doubles(name, number, *shape):
    return filled(name, *shape, kind=DOUBLE, data=struct.pack("<d", number))


def ending(name, kind=FLOAT):
    """The sum of a constant, added to the record."""
    cast = [] if kind == FLOAT else [node("Cast", [name], [f"{name}.f"], to=FLOAT)]
    return cast + [node("ReduceSum", [name if kind == FLOAT else f"{name}.f"], ["s"], keepdims=0),
                   node("Add", ["x", "s"], ["y"])]


def folded(parts, step, count, kind=FLOAT):
    """`parts` define c0 among others, step(from, to) is done so many times."""
    initializers = [one for part in parts for one in part[0]]
    nodes = [one for part in parts for one in part[1]]
    nodes += [step(f"c{i}", f"c{i + 1}") for i in range(count)]
    return model(graph(nodes + ending(f"c{count}", kind), initializers))


def unary(op, count=100):
    return lambda: folded([doubles("c0", 0.7, 2**18)], lambda a, b: node(op, [a], [b]), count, DOUBLE)


def binary(op, left, right, count=100, **attributes):
    return lambda: folded([doubles("c0", left, 2**17), doubles("w", right, 2**17)],
                          lambda a, b: node(op, ["c0", "w"], [b], **attributes), count, DOUBLE)


def loop(inputs, body, outputs=("out",), turns=2**40, initializers=(), nodes_after=None):
    nodes = [node("Loop", ["turns", "go", *inputs], list(outputs), body=Raw(field(6, body)))]
    return model(graph(nodes + (nodes_after or [node("Add", ["x", outputs[0]], ["y"])]),
                       [ints("turns", turns), tensor("go", [1], b"\1", BOOL), *initializers]))


def body(nodes, carried, made=(), initializers=()):
    """A turn's graph: its number, the condition, then what is carried: names before and after."""
    return graph(nodes, initializers, [value("i", ()), value("go_in", ()), *(value(a) for a, _ in carried)],
                 ["go_in", *(b for _, b in carried), *made])


def carried_loop(count):
    names = [f"s{i}" for i in range(count)]
    return loop(["zero"] * count, body([], [(n, n) for n in names]), [f"o{i}" for i in range(count)],
                initializers=[tensor("zero", [1], floats(0))])


def trees_in_a_loop(nodes=1001):
    half = nodes // 2
    ids = list(range(nodes))
    inner = [2 * i + 1 < nodes for i in ids]
    attributes = {
        "nodes_treeids": [0] * nodes, "nodes_nodeids": ids, "nodes_featureids": [0] * nodes,
        "nodes_modes": ["BRANCH_LEQ" if i else "LEAF" for i in inner], "nodes_values": [0.5] * nodes,
        "nodes_truenodeids": [2 * i + 1 if inner[i] else 0 for i in ids],
        "nodes_falsenodeids": [2 * i + 2 if inner[i] else 0 for i in ids],
        "target_treeids": [0] * (nodes - half), "target_nodeids": ids[half:], "target_ids": [0] * (nodes - half),
        "target_weights": [1.0] * (nodes - half), "n_targets": 1}
    turn = body([node("TreeEnsembleRegressor", ["x"], ["t"], domain=ML, **attributes)], [("a", "t")])
    return loop(["zero"], turn, initializers=[tensor("zero", [1, 1], floats(0))])


def encoder_in_a_loop():
    keys = {"keys_floats": [1.0], "values_strings": ["v" * 60_000], "default_string": "d" * 60_000}
    turn = body([node("LabelEncoder", ["x"], ["names"], domain=ML, **keys),
                 node("LabelEncoder", ["names"], ["t"], domain=ML, keys_strings=["k"], values_floats=[1.0])], [("a", "t")])
    return loop(["zero"], turn, initializers=[tensor("zero", [1, 4], floats(0, 0, 0, 0))])


def machine(classes):
    pairs = classes * (classes - 1) // 2
    columns = 4
    attributes = {"classlabels_ints": list(range(classes)), "kernel_type": "RBF", "kernel_params": [0.1, 0.0, 3.0],
                  "vectors_per_class": [1] * classes, "support_vectors": [0.5] * classes * columns,
                  "coefficients": [0.5] * classes * (classes - 1), "rho": [0.1] * pairs, "prob_a": [-1.0] * pairs,
                  "prob_b": [0.1] * pairs}
    part = filled("c0", 1, columns)
    nodes = part[1] + [node("SVMClassifier", ["c0"], ["label", "scores"], domain=ML, **attributes)]
    return model(graph(nodes + ending("scores"), part[0]))


def texts(count, length, op, *inputs, **attributes):
    """One long string, and an operator that makes many of it."""
    made = node(op, ["t", *inputs], ["many"], **attributes)
    return model(graph([made, node("Gather", ["many", "first"], ["one"]),
                        node("LabelEncoder", ["one"], ["s"], domain=ML, keys_strings=["a"], values_floats=[1.0]),
                        node("Add", ["x", "s"], ["y"])],
                       [tensor("t", [1], ["t" * length], STRING, raw=False), ints("shape", count), ints("first", 0)]))


def compared_texts():
    return model(graph([node("Expand", ["t", "shape"], ["many"]), node("Equal", ["t", "many"], ["same"]),
                        node("Cast", ["same"], ["f"], to=FLOAT), node("ReduceSum", ["f"], ["s"], keepdims=0),
                        node("Add", ["x", "s"], ["y"])],
                       [tensor("t", [1], ["t" * 1_000_000], STRING, raw=False), ints("shape", 2**18)]))


def encoded_texts():
    """Numbers that become a long string each."""
    part = filled("c0", 2**18, kind=INT64, data=struct.pack("<q", 1))
    encoder = node("LabelEncoder", ["c0"], ["many"], domain=ML, keys_int64s=[1], values_strings=["v" * 60_000])
    back = node("LabelEncoder", ["many"], ["c1"], domain=ML, keys_strings=["k"], values_floats=[1.0])
    return model(graph([*part[1], encoder, back, *ending("c1")], part[0]))


def steps(op, gates, length, kind=DOUBLE):
    one = struct.pack("<d", 1) if kind == DOUBLE else floats(1)
    part = filled("c0", length, 1, 1, kind=kind, data=one)
    nodes = part[1] + [node(op, ["c0", "w", "w"], ["c1"], hidden_size=1)]
    return model(graph(nodes + ending("c1", kind), part[0] + [tensor("w", [1, gates, 1], one * gates, kind)]))


def sequences(count):
    """So many sequences in one record."""
    return model(graph([node("Reshape", ["x", "flat"], ["r"]), node("Expand", ["r", "shape"], ["many"]),
                        node("RNN", ["many", "w", "w"], ["all"], hidden_size=1), node("ReduceSum", ["all"], ["s"], keepdims=0),
                        node("Add", ["x", "s"], ["y"])],
                       [ints("flat", 4, 1, 1), ints("shape", 4, count, 1), tensor("w", [1, 1, 1], floats(1))]))


def products(count):
    """So many products of one number each."""
    return model(graph([node("Reshape", ["x", "flat"], ["r"]), node("Expand", ["r", "shape"], ["many"]),
                        node("MatMul", ["many", "many"], ["all"]), node("ReduceSum", ["all"], ["s"], keepdims=0),
                        node("Add", ["x", "s"], ["y"])], [ints("flat", 4, 1, 1), ints("shape", count, 4, 1, 1)]))


def read_again(op, count, **attributes):
    """A large tensor of the record, of which many nodes take little."""
    nodes = [node("Reshape", ["x", "flat"], ["r"]), node("Expand", ["r", "shape"], ["many"])]
    nodes += [node(op, ["many"], [f"c{i}"], **attributes) for i in range(count)]
    return model(graph(nodes + [node("Relu", ["x"], ["y"])], [ints("flat", 4, 1), ints("shape", 4, 2**20)]))


def matrices(kind, size, count):
    one = struct.pack("<d", 1e-3) if kind == DOUBLE else floats(1e-3)
    return folded([filled("c0", size, size, kind=kind, data=one), filled("w", size, size, kind=kind, data=one)],
                  lambda a, b: node("MatMul", [a, "w"], [b]), count, kind)


def convolutions(kind, channels, size, kernel, count):
    one = struct.pack("<d", 1e-3) if kind == DOUBLE else floats(1e-3)
    pad = kernel // 2
    parts = [filled("c0", 1, channels, size, size, kind=kind, data=one), filled("w", channels, channels, kernel, kernel, kind=kind, data=one)]
    return folded(parts, lambda a, b: node("Conv", [a, "w"], [b], pads=[pad] * 4), count, kind)


# Name: the file. Each is refused.
COSTLY = {
    "products of constants": lambda: matrices(FLOAT, 640, 100),
    "products of doubles": lambda: matrices(DOUBLE, 400, 100),
    "convolutions of constants": lambda: convolutions(FLOAT, 32, 64, 3, 100),
    "convolutions of doubles": lambda: convolutions(DOUBLE, 16, 64, 3, 100),
    "pools of constants": lambda: folded([filled("c0", 1, 8, 128, 128)], lambda a, b: node(
        "AveragePool", [a], [b], kernel_shape=[15, 15], pads=[7] * 4), 100),
    "tanh of doubles": unary("Tanh"),
    "erf of doubles": unary("Erf"),
    "logarithms of doubles": unary("Log"),
    "powers of doubles": binary("Pow", 1.0000001, 1.37),
    "remainders of huge numbers": binary("Mod", 1.7e308, 3e-308, fmod=1),
    "softmax of doubles": lambda: folded([doubles("c0", 0.7, 4, 2**16)], lambda a, b: node("Softmax", [a], [b]), 100, DOUBLE),
    "an LSTM of a million steps": lambda: steps("LSTM", 4, 2**20),
    "a million sequences in a record": lambda: sequences(2**20),
    "a million products in a record": lambda: products(2**19),
    "a running sum of a million": lambda: model(graph(
        [node("ConstantOfShape", ["c.shape"], ["c0"]), node("CumSum", ["c0", "zero"], ["c1"]), *ending("c1")],
        [ints("c.shape", 2**20), ints("zero", 0)])),
    "a support vector machine of a thousand classes": lambda: machine(1000),
    "parts of nothing without end": lambda: model(graph(
        [node("ConstantOfShape", ["shape"], ["none"]), node("Concat", ["none"] * 50_000, ["c0"], axis=1), *ending("c0")],
        [ints("shape", 2**23, 0)])),
    "a long string, a million times": lambda: texts(2**20, 1_000_000, "Expand", "shape"),
    "a long string, tiled": lambda: texts(2**20, 1_000_000, "Tile", "shape"),
    "a long string, compared": compared_texts,
    "numbers that become long strings": encoded_texts,
    "a loop that carries a thousand": lambda: carried_loop(1000),
    "a loop that does nothing": lambda: loop(["zero"], body([], [("a", "a")]), initializers=[tensor("zero", [1], floats(0))]),
    "a loop of weights": lambda: loop(["zero"], body([], [("a", "a")], initializers=[tensor(f"w{i}", [0], b"") for i in range(10_000)]),
                                      initializers=[tensor("zero", [1], floats(0))]),
    "a loop of trees": trees_in_a_loop,
    "a loop of long strings": encoder_in_a_loop,
    "a loop of folded nodes": lambda: loop(["zero"], body([node("Add", ["a", "a"], ["b"]), node("Tanh", ["b"], ["c"])], [("a", "c")]),
                                           initializers=[tensor("zero", [1], floats(0))]),
    "many sums of a large tensor": lambda: read_again("ReduceSum", 50_000, keepdims=0),
    "many shapes of a large tensor": lambda: read_again("Shape", 50_000),
    "many parts of a large tensor": lambda: read_again("Split", 50_000, axis=1),
    "a million folded nodes": lambda: folded([filled("c0", 1)], lambda a, b: node("Relu", [a], [b]), 300_000),
}
