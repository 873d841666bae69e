"""What test/bench measures with: rows, pipelines, and a logistic regression in ONNX."""
import importlib.util
import json
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "pipelines" / "control-chart"
sys.path.insert(0, str(CHART))
sys.dont_write_bytecode = True
import generate  # noqa: E402

FRAUD = ROOT / "pipelines" / "fraud" / "generate.py"
_spec = importlib.util.spec_from_file_location("payments", FRAUD)  # a second `generate`
payments = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(payments)

ROWS = 4096  # distinct ones: a repeated batch makes kernels look faster than they are
SEED = 20


def write_rows(path, count=ROWS):
    lines = [generate.text_of(readings) for _, readings in generate.charts(count, SEED)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def scaler():
    text = (CHART / "control-chart.scaler.toml").read_text(encoding="ascii")
    return [re.search(rf"^{name} = (.*)$", text, re.M).group(1) for name in ("mean", "std")]


def write_lr(path):
    """A softmax regression on the readings, by some steps of gradient descent."""
    import numpy

    mean, std = map(float, scaler())
    made = list(generate.charts(2000, SEED + 1))
    x = (numpy.array([readings for _, readings in made]) - mean) / std
    y = numpy.eye(len(generate.LABELS))[[label for label, _ in made]]
    weights, bias = numpy.zeros((x.shape[1], y.shape[1])), numpy.zeros(y.shape[1])
    for _ in range(300):
        logits = x @ weights + bias
        scores = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        error = scores / scores.sum(axis=1, keepdims=True) - y
        weights -= 0.1 * x.T @ error / len(x)
        bias -= 0.1 * error.mean(axis=0)
    write_dense(path, weights, bias)


def write_dense(path, weights, bias):
    """One dense layer and a softmax."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("Gemm", ["window", "weights", "bias"], ["logits"]),
         helper.make_node("Softmax", ["logits"], ["scores"], axis=1)],
        "lr",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", weights.shape[0]])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", weights.shape[1]])],
        [numpy_helper.from_array(weights.astype(numpy.float32), "weights"),
         numpy_helper.from_array(bias.astype(numpy.float32), "bias")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 7
    onnx.save(model, str(path))


def write_wide_lr(path, columns):
    """A softmax regression on so many columns; its weights are made up."""
    import numpy

    drawn = numpy.random.default_rng(SEED)
    write_dense(path, drawn.standard_normal((columns, len(generate.LABELS))) * columns ** -0.5, numpy.zeros(len(generate.LABELS)))


def write_wide_rows(path, columns, count):
    """Readings as those of the charts are written, so many a row."""
    drawn = random.Random(SEED)
    with path.open("w", encoding="ascii") as file:
        for _ in range(count):
            file.write(",".join(f"{drawn.gauss(30, 10):.4f}" for _ in range(columns)) + "\n")


def write_payments(path, count=ROWS):
    """JSON objects of some 200 bytes, those of pipelines/fraud."""
    made = payments.payments(count, SEED)
    path.write_text("".join(json.dumps(payment) + "\n" for payment, _ in made), encoding="ascii")


PAYMENT = """schema Payment {
  id:       string    from "id",
  at:       timestamp from "at",
  amount:   f64       from "amount",
  account:  string    from "account.id",
  home:     string    from "account.country",
  limit:    f64?      from "account.limit",
  recent:   i64       from "account.payments_last_hour",
  country:  string    from "merchant.country",
  category: string?   from "merchant.category",
}

from windows
  |> parse json as Payment
  |> derive { foreign = country != home, used = amount / (limit ?? 1000.0) }
  |> to labels
"""


def pipeline(kind, model=None, topics=("bench-in", "bench-out", "bench-dead"), group="bench", columns=60):
    """The text of a pipeline: "lstm" is the canonical one; "lr", "mlp" and "gbdt" the same with that model, of so many
    columns. "pass" does nothing between and writes each record's key, "copy" its value; "json" reads objects and writes
    them with two fields more."""
    text = (CHART / "control-chart.pipe").read_text(encoding="utf-8").split("\ntest ")[0] + "\n"
    for ours, theirs in zip(("kaspar-inputs", "kaspar-outputs", "kaspar-dead-letters"), topics):
        text = text.replace(ours, theirs)
    text = text.replace('group: "kaspar"', f'group: "{group}"').replace('"control-chart.', f'"{CHART}/control-chart.')
    if kind in ("lr", "mlp", "gbdt"):
        text = text.replace(f"{CHART}/control-chart.onnx", str(model)).replace("f32[60]", f"f32[{columns}]")
        text = re.sub(r"labels: \[.*\]", "labels: [" + ", ".join(f'"{label}"' for label in labels(kind)) + "]", text)
    if kind in ("pass", "copy", "json"):
        kept = ("pipe ", "source ", "sink ", "on error ")
        text = "\n".join(line for line in text.splitlines() if line.startswith(kept)) + "\n\n"
        if kind == "json":
            text += PAYMENT
        else:
            text += f"from windows\n  |> to labels {{ key: meta.key, value: meta.{'key' if kind == 'pass' else 'value'} }}\n"
    return text


def labels(kind):
    """Of the classes of that pipeline's model."""
    return ["calm", "alarming"] if kind == "gbdt" else generate.LABELS
