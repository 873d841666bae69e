"""Models of the families that are deployed, of realistic size: made by a seed, or trained ones of the fixtures."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

import bench_data

LEARNED = bench_data.ROOT / "nodes" / "model" / "fixtures" / "learned"
COLUMNS = 60
CLASSES = 6
ROWS = 1024  # distinct ones


class Model:
    """A graph that grows node by node."""

    def __init__(self, seed, shape=(COLUMNS,)):
        self.random = numpy.random.default_rng(seed)
        self.shape, self.nodes, self.initializers = shape, [], []

    def add(self, op, *inputs, outputs=1, domain="", **attributes):
        """The name of its output, or a list of them."""
        names = [f"{op.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def held(self, values, dtype=numpy.float32):
        name = f"held{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(numpy.asarray(values, dtype), name))
        return name

    def some(self, *shape, scale=None):
        """Weights as an untrained layer has them."""
        return (self.random.standard_normal(shape) * (scale or shape[-1] ** -0.5)).astype(numpy.float32)

    def dense(self, x, inputs, outputs):
        return self.add("Gemm", x, self.held(self.some(outputs, inputs)), self.held(self.some(outputs)), transB=1)

    def projected(self, x, inputs, outputs):
        return self.add("Add", self.add("MatMul", x, self.held(self.some(inputs, outputs, scale=inputs ** -0.5))),
                        self.held(self.some(outputs)))

    def save(self, path, output, opset=17):
        graph = helper.make_graph(
            self.nodes, "family", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *self.shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)])
        model.ir_version = 8
        onnx.save(model, str(path))


def perceptron(path):
    model = Model(1)
    x = model.add("Relu", model.dense("x", COLUMNS, 32))
    model.save(path, model.add("Softmax", model.dense(x, 32, CLASSES), axis=1))


def wide_perceptron(path):
    model = Model(2)
    x = "x"
    for inputs, outputs in ((COLUMNS, 128), (128, 128)):
        x = model.add("Relu", model.dense(x, inputs, outputs))
    model.save(path, model.add("Softmax", model.dense(x, 128, CLASSES), axis=1))


def learned_perceptron(path):
    """As skl2onnx writes MLPClassifier."""
    model = Model(3)
    x = model.add("Scaler", "x", domain="ai.onnx.ml", offset=model.some(COLUMNS).tolist(), scale=[1.0] * COLUMNS)
    x = model.add("Cast", x, to=TensorProto.FLOAT)
    x = model.add("Relu", model.projected(x, COLUMNS, 100))
    model.save(path, model.add("Softmax", model.projected(x, 100, CLASSES), axis=-1))


def recurrent(op, gates, layers, units, directions):
    """As PyTorch's exporter writes it: sequence first, the last step of the last layer into a dense one."""
    def write(path):
        model = Model(4 + gates + layers, (COLUMNS, 1))
        x, inputs = model.add("Transpose", "x", perm=[1, 0, 2]), 1
        for _ in range(layers):
            weights = [model.held(model.some(directions, gates * units, size, scale=units ** -0.5)) for size in (inputs, units)]
            bias = model.held(model.some(directions, 2 * gates * units, scale=0.3))
            more = {"direction": "bidirectional"} if directions == 2 else {}
            if op == "GRU":
                more["linear_before_reset"] = 1
            y = model.add(op, x, *weights, bias, outputs=2, hidden_size=units, **more)[0]
            y = model.add("Transpose", y, perm=[0, 2, 1, 3])
            x, inputs = model.add("Reshape", y, model.held([0, 0, -1], numpy.int64)), directions * units
        last = model.add("Gather", x, model.held(-1, numpy.int64), axis=0)
        model.save(path, model.add("Softmax", model.dense(last, inputs, CLASSES), axis=1))
    return write


def convolutional(path):
    model = Model(20, (1, COLUMNS))
    x = model.add("Conv", "x", model.held(model.some(8, 1, 5, scale=0.4)), model.held(model.some(8)), kernel_shape=[5], pads=[2, 2])
    x = model.add("MaxPool", model.add("Relu", x), kernel_shape=[2], strides=[2])
    x = model.add("Conv", x, model.held(model.some(16, 8, 5, scale=0.15)), model.held(model.some(16)), kernel_shape=[5], pads=[2, 2])
    x = model.add("MaxPool", model.add("Relu", x), kernel_shape=[2], strides=[2])
    x = model.add("Flatten", x)
    model.save(path, model.add("Softmax", model.dense(x, 16 * (COLUMNS // 4), CLASSES), axis=1))


def transformer(path, steps=20, width=16, heads=2):
    """One encoder layer, normalized after each half, as torch.nn.TransformerEncoderLayer is by default."""
    model = Model(21)
    x = model.add("Reshape", "x", model.held([-1, steps, COLUMNS // steps], numpy.int64))
    x = model.projected(x, COLUMNS // steps, width)

    def normalized(y):
        return model.add("LayerNormalization", y, model.held(1 + model.some(width) / 10), model.held(model.some(width) / 10), axis=-1)

    def split(y, perm):
        y = model.add("Reshape", y, model.held([-1, steps, heads, width // heads], numpy.int64))
        return model.add("Transpose", y, perm=perm)

    query, key, value = (model.projected(x, width, width) for _ in range(3))
    scores = model.add("MatMul", split(query, [0, 2, 1, 3]), split(key, [0, 2, 3, 1]))
    scores = model.add("Softmax", model.add("Mul", scores, model.held((width / heads) ** -0.5)), axis=-1)
    mixed = model.add("Transpose", model.add("MatMul", scores, split(value, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
    mixed = model.add("Reshape", mixed, model.held([-1, steps, width], numpy.int64))
    x = normalized(model.add("Add", x, model.projected(mixed, width, width)))
    inner = model.projected(x, width, 4 * width)
    inner = model.add("Mul", model.add("Mul", inner, model.held(0.5)),
                      model.add("Add", model.add("Erf", model.add("Mul", inner, model.held(0.5 ** 0.5))), model.held(1.0)))
    x = normalized(model.add("Add", x, model.projected(inner, 4 * width, width)))
    pooled = model.add("ReduceMean", x, axes=[1], keepdims=0)
    model.save(path, model.add("Softmax", model.dense(pooled, width, CLASSES), axis=1))


def linear_regression(path):
    model = Model(30)
    x = model.add("Scaler", "x", domain="ai.onnx.ml", offset=model.some(COLUMNS).tolist(), scale=(1 + model.some(COLUMNS)).tolist())
    model.save(path, model.add("LinearRegressor", x, domain="ai.onnx.ml", coefficients=model.some(COLUMNS).tolist(), intercepts=[0.5], targets=1))


def logistic_regression(path):
    model = Model(31)
    x = model.add("Scaler", "x", domain="ai.onnx.ml", offset=model.some(COLUMNS).tolist(), scale=(1 + model.some(COLUMNS)).tolist())
    scores = model.add("LinearClassifier", x, outputs=2, domain="ai.onnx.ml", classlabels_ints=list(range(CLASSES)), post_transform="SOFTMAX",
                       coefficients=model.some(CLASSES * COLUMNS, scale=0.2).tolist(), intercepts=model.some(CLASSES).tolist())[1]
    model.save(path, scores)


def trees(model, count, mode, leaves, depth, targets, balanced):
    """Attributes of so many trees. Each grows at a leaf drawn at random, or level by level, to `leaves` leaves."""
    nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")}
    weights = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(count):
        depths, children, open_leaves = [0], {}, [0]
        while len(open_leaves) < leaves:
            able = [leaf for leaf in open_leaves if depths[leaf] < depth]
            if not able:
                break
            grown = able[0] if balanced else able[int(model.random.integers(len(able)))]
            open_leaves.remove(grown)
            children[grown] = (len(depths), len(depths) + 1)
            open_leaves += children[grown]
            depths += [depths[grown] + 1] * 2
        for node in range(len(depths)):
            yes, no = children.get(node, (0, 0))
            inner = node in children
            for name, value in (("treeids", tree), ("nodeids", node), ("featureids", int(model.random.integers(COLUMNS)) if inner else 0),
                                ("modes", mode if inner else "LEAF"), ("truenodeids", yes), ("falsenodeids", no),
                                ("values", float(numpy.float32(model.random.standard_normal() * 0.7)) if inner else 0.0)):
                nodes[name].append(value)
            if inner:
                continue
            shares = model.random.dirichlet([0.3] * targets) / count if targets > 1 else model.random.standard_normal(1) * 0.1
            for target, share in enumerate(shares):
                for name, value in (("treeids", tree), ("nodeids", node), ("ids", target), ("weights", float(share))):
                    weights[name].append(value)
    return {f"nodes_{name}": value for name, value in nodes.items()}, weights


def ensemble(seed, count, mode, leaves, depth, targets, balanced, transform="NONE"):
    def write(path):
        model = Model(seed)
        nodes, weights = trees(model, count, mode, leaves, depth, targets, balanced)
        classes = max(2, targets)
        scores = model.add("TreeEnsembleClassifier", "x", outputs=2, domain="ai.onnx.ml", classlabels_int64s=list(range(classes)),
                           post_transform=transform, **nodes, **{f"class_{name}": value for name, value in weights.items()})[1]
        model.save(path, scores)
    return write


def support_vectors(path, vectors=300, classes=3):
    model = Model(50)
    pairs = classes * (classes - 1) // 2
    scores = model.add("SVMClassifier", "x", outputs=2, domain="ai.onnx.ml", classlabels_ints=list(range(classes)), kernel_type="RBF",
                       kernel_params=[0.012, 0.0, 3.0], coefficients=model.some((classes - 1) * vectors, scale=0.5).tolist(),
                       support_vectors=model.some(vectors * COLUMNS, scale=1).tolist(), vectors_per_class=[vectors // classes] * classes,
                       rho=model.some(pairs, scale=0.2).tolist(), prob_a=[-1.5] * pairs, prob_b=[0.1] * pairs)[1]
    model.save(path, scores)


def one_hot(path, columns=6, categories=12):
    """Codes one-hot, the other columns scaled, side by side into a logistic regression."""
    model = Model(51)
    codes = model.add("Gather", "x", model.held(range(columns), numpy.int64), axis=1)
    codes = model.add("Cast", model.add("Floor", model.add("Mul", codes, model.held(3.0))), to=TensorProto.INT64)
    parts = []
    for column in range(columns):
        code = model.add("Gather", codes, model.held([column], numpy.int64), axis=1)
        hot = model.add("OneHotEncoder", code, domain="ai.onnx.ml", cats_int64s=list(range(-categories // 2, categories // 2)), zeros=1)
        parts.append(model.add("Reshape", hot, model.held([-1, categories], numpy.int64)))
    rest = model.add("Gather", "x", model.held(range(columns, COLUMNS), numpy.int64), axis=1)
    parts.append(model.add("Scaler", rest, domain="ai.onnx.ml", offset=[0.1] * (COLUMNS - columns), scale=[1.5] * (COLUMNS - columns)))
    x = model.add("Concat", *parts, axis=1)
    width = columns * categories + COLUMNS - columns
    scores = model.add("LinearClassifier", x, outputs=2, domain="ai.onnx.ml", classlabels_ints=list(range(CLASSES)), post_transform="SOFTMAX",
                       coefficients=model.some(CLASSES * width, scale=0.2).tolist(), intercepts=model.some(CLASSES).tolist())[1]
    model.save(path, scores)


def learned(name, output):
    """A trained one of the fixtures, and one output of it."""
    def write(path):
        model = onnx.load(str(LEARNED / f"{name}.onnx"))
        kept = [o for o in model.graph.output if o.name == output]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        onnx.save(model, str(path))
    return write


def control_chart(path):
    path.write_bytes((bench_data.CHART / "control-chart.onnx").read_bytes())


class Family:
    """How a model is made, the shape of a row, and how many times faster than ONNX Runtime it is to be, by batch."""

    def __init__(self, write, shape=(COLUMNS,), times=None):
        self.write, self.shape, self.times = write, shape, times or {}
        self.columns = int(numpy.prod(shape))


SERIES = (COLUMNS, 1)
FAMILIES = {
    "perceptron 60-32-6": Family(perceptron),
    "perceptron 60-128-128-6": Family(wide_perceptron),
    "LSTM of 10": Family(control_chart, SERIES, {1: 3, 256: 5}),
    "LSTM of 16, both ways, 2 layers": Family(recurrent("LSTM", 4, 2, 16, 2), SERIES),
    "GRU of 16": Family(recurrent("GRU", 3, 1, 16, 1), SERIES),
    "RNN of 16": Family(recurrent("RNN", 1, 1, 16, 1), SERIES),
    "1-D CNN": Family(convolutional, (1, COLUMNS)),
    "transformer encoder": Family(transformer),
    "scaler + linear regression": Family(linear_regression),
    "scaler + logistic regression": Family(logistic_regression, times={256: 2}),
    "random forest, 100 deep trees": Family(ensemble(40, 100, "BRANCH_LEQ", 100, 12, CLASSES, False)),
    "gradient boosting, 100 x depth 6": Family(ensemble(41, 100, "BRANCH_LEQ", 64, 6, 1, True, "LOGISTIC"), times={256: 5}),
    "XGBoost, 300 x depth 6": Family(ensemble(42, 300, "BRANCH_LT", 48, 6, 1, True, "LOGISTIC")),
    "LightGBM, 100 x 31 leaves": Family(ensemble(43, 100, "BRANCH_LEQ", 31, 12, 1, False, "LOGISTIC")),
    "SVC, 300 vectors": Family(support_vectors),
    "one-hot + logistic regression": Family(one_hot),
    "k-means": Family(learned("k-means", "scores"), (6,)),
    "naive Bayes": Family(learned("naive-bayes", "probabilities"), (6,)),
    "perceptron of scikit-learn": Family(learned_perceptron),
}


JOBS = {"mlp": "perceptron 60-32-6", "gbdt": "gradient boosting, 100 x depth 6"}


def write_job_model(kind, path, columns=COLUMNS):
    """The model of a pipeline of that kind, if it has one of its own (`bench_data.pipeline`)."""
    if kind in JOBS:
        FAMILIES[JOBS[kind]].write(path)
    elif kind == "lr" and columns == COLUMNS:
        bench_data.write_lr(path)
    elif kind == "lr":
        bench_data.write_wide_lr(path, columns)


def write_rows(path, columns, count=ROWS):
    """Standard normal ones, 32-bit floats one after the other."""
    numpy.random.default_rng(60).standard_normal((count, columns)).astype(numpy.float32).tofile(str(path))
