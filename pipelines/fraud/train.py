#!/usr/bin/python3
"""Trains the model of fraud.pipe on generated payments and writes what the pipeline needs beside itself:

  fraud.onnx          six standardized features -> the probability of fraud
  fraud.scaler.toml   mean and standard deviation of each feature
  golden.csv          standardized features, then the probability that PyTorch gives for them
  sample-feed.jsonl   payments that were not trained on

Needs Debian's python3-torch and python3-onnx."""
import json
import pathlib
import sys

import torch
from onnx import TensorProto, helper, numpy_helper, save

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]
sys.dont_write_bytecode = True
import generate  # noqa: E402

TRAINING_SEED, HELD_OUT_SEED, GOLDEN_SEED, SAMPLE_SEED = 1, 2, 3, 4


def data(count, seed):
    made = list(generate.payments(count, seed))
    return (torch.tensor([generate.features(payment) for payment, _ in made], dtype=torch.float64),
            torch.tensor([[float(fraud)] for _, fraud in made]))


def train(x, y):
    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(x.shape[1], 16), torch.nn.ReLU(), torch.nn.Linear(16, 1),
                                torch.nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    loss_of = torch.nn.BCELoss()
    for _ in range(30):
        for batch in torch.randperm(len(x)).split(512):
            optimizer.zero_grad()
            loss_of(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model


def write_model(model):
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    nodes = [helper.make_node("Gemm", ["features", "0.weight", "0.bias"], ["hidden"], transB=1),
             helper.make_node("Relu", ["hidden"], ["active"]),
             helper.make_node("Gemm", ["active", "2.weight", "2.bias"], ["logit"], transB=1),
             helper.make_node("Sigmoid", ["logit"], ["fraud"])]
    graph = helper.make_graph(
        nodes, "fraud", [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 6])],
        [helper.make_tensor_value_info("fraud", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()])
    save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]),
         str(HERE / "fraud.onnx"))


def main():
    torch.set_num_threads(2)
    x, y = data(40_000, TRAINING_SEED)
    mean, std = x.mean(0), x.std(0)

    def scaled(features):
        return ((features - mean) / std).float()

    model = train(scaled(x), y)
    held_out, truth = data(5_000, HELD_OUT_SEED)
    with torch.no_grad():
        right = ((model(scaled(held_out)) >= 0.5).float() == truth).float().mean()
    print(f"held-out payments: {100 * right:.1f} % right, {100 * truth.mean():.1f} % are fraud")

    def numbers(tensor):
        return ", ".join(repr(value) for value in tensor.tolist())

    (HERE / "fraud.scaler.toml").write_text(
        "# Of log(amount), share of the limit, foreign, night, risky, payments in the last hour.\n"
        f"mean = [{numbers(mean)}]\nstd = [{numbers(std)}]\n", encoding="ascii")
    write_model(model)
    golden, _ = data(32, GOLDEN_SEED)
    with torch.no_grad(), open(HERE / "golden.csv", "w", encoding="ascii") as file:
        for row, out in zip(scaled(golden).tolist(), model(scaled(golden)).tolist()):
            file.write(",".join(f"{value:.9g}" for value in row + out) + "\n")
    with open(HERE / "sample-feed.jsonl", "w", encoding="ascii") as file:
        for payment, _ in generate.payments(100, SAMPLE_SEED):
            file.write(json.dumps(payment) + "\n")


if __name__ == "__main__":
    main()
