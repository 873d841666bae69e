"""What test/bench measures with: rows, pipelines, and a logistic regression in ONNX."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "pipelines" / "control-chart"
sys.path.insert(0, str(CHART))
sys.dont_write_bytecode = True
import generate  # noqa: E402

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
    import onnx
    from onnx import TensorProto, helper, numpy_helper

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
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["window", "weights", "bias"], ["logits"]),
         helper.make_node("Softmax", ["logits"], ["scores"], axis=1)],
        "lr",
        [helper.make_tensor_value_info("window", TensorProto.FLOAT, ["batch", x.shape[1]])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", y.shape[1]])],
        [numpy_helper.from_array(weights.astype(numpy.float32), "weights"),
         numpy_helper.from_array(bias.astype(numpy.float32), "bias")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 7
    onnx.save(model, str(path))


def pipeline(kind, model=None, topics=("bench-in", "bench-out", "bench-dead"), group="bench"):
    """The text of a pipeline: "lstm" is the canonical one, "lr" the same with that model, "pass" does nothing between."""
    text = (CHART / "control-chart.pipe").read_text(encoding="utf-8").split("\ntest ")[0] + "\n"
    for ours, theirs in zip(("kaspar-inputs", "kaspar-outputs", "kaspar-dead-letters"), topics):
        text = text.replace(ours, theirs)
    text = text.replace('group: "kaspar"', f'group: "{group}"').replace('"control-chart.', f'"{CHART}/control-chart.')
    if kind == "lr":
        text = text.replace(f"{CHART}/control-chart.onnx", str(model))
    if kind == "pass":
        kept = ("pipe ", "source ", "sink ", "on error ")
        text = "\n".join(line for line in text.splitlines() if line.startswith(kept))
        text += "\n\nfrom windows\n  |> to labels { key: meta.key, value: meta.key }\n"
    return text
