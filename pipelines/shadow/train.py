#!/usr/bin/python3
"""Trains the candidate of shadow.pipe on generated control charts: a dense network that sees all 60 readings at once,
beside the LSTM of ../control-chart, with its scaler. Writes candidate.onnx. Needs Debian's python3-torch and
python3-onnx."""
import pathlib
import re
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
CONTROL_CHART = HERE.parent / "control-chart"
sys.path[:0] = [str(CONTROL_CHART)]
sys.dont_write_bytecode = True
import generate  # noqa: E402


def data(count, seed):
    made = list(generate.charts(count, seed))
    return torch.tensor([readings for _, readings in made]), torch.tensor([label for label, _ in made])


def main():
    torch.set_num_threads(2)
    torch.manual_seed(7)
    scaler = (CONTROL_CHART / "control-chart.scaler.toml").read_text(encoding="ascii")
    mean, std = (float(re.search(rf"^{name} = (.*)$", scaler, re.M).group(1)) for name in ("mean", "std"))
    x, y = data(10_000, 1)
    x = ((x - mean) / std).float()
    model = torch.nn.Sequential(torch.nn.Linear(60, 32), torch.nn.ReLU(), torch.nn.Linear(32, 6))
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    for _ in range(30):
        for batch in torch.randperm(len(x)).split(256):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    held_out, truth = data(3_000, 2)
    with torch.no_grad():
        right = (model(((held_out - mean) / std).float()).argmax(1) == truth).float().mean()
    print(f"held-out charts: {100 * right:.1f} % right")
    model = torch.nn.Sequential(model, torch.nn.Softmax(1))
    torch.onnx.export(model, torch.zeros(2, 60), str(HERE / "candidate.onnx"), opset_version=14,
                      input_names=["window"], output_names=["scores"],
                      dynamic_axes={"window": {0: "batch"}, "scores": {0: "batch"}})


if __name__ == "__main__":
    main()
