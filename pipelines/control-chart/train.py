#!/usr/bin/env python3
"""Trains the control-chart classifier and writes everything in this folder that comes from it:

    control-chart.onnx          LSTM(1 -> 10) over 60 steps, dense layer, softmax over six labels
    control-chart.scaler.toml   mean and standard deviation of the training readings
    golden.csv                  standardized readings, then the six scores that PyTorch gives for them
    sample-rows.csv             labelled rows that were not trained on, for `kaspar eval`
    sample-feed.csv             the same rows without their labels
    falling.csv                 one chart that falls

Needs Debian's python3-torch and python3-onnx; run it by /usr/bin/python3. Trained on generated rows
only; `--evaluate FILE` prints the accuracy on labelled rows of yours, which change nothing.
"""
import argparse
import csv
import pathlib

import torch

import generate

HERE = pathlib.Path(__file__).resolve().parent
TRAINING_SEED, HELD_OUT_SEED, SAMPLE_SEED, GOLDEN_SEED = 1999, 2001, 2003, 2005


class ControlChart(torch.nn.Module):
    """[N, 60, 1] standardized readings -> [N, 6] scores that sum to 1."""

    def __init__(self, hidden=10):
        super().__init__()
        self.lstm = torch.nn.LSTM(1, hidden, batch_first=True)
        self.dense = torch.nn.Linear(hidden, len(generate.LABELS))

    def logits(self, x):
        outputs, _ = self.lstm(x)
        return self.dense(outputs[:, -1, :])

    def forward(self, x):
        return torch.softmax(self.logits(x), dim=1)


def data(rows, seed):
    """Readings as they are read back from their text, and labels."""
    labels, readings = zip(*generate.charts(rows, seed))
    texts = [[float(f"{reading:.6g}") for reading in row] for row in readings]
    return torch.tensor(texts), torch.tensor(labels)


def train(x, y, epochs, seed):
    torch.manual_seed(seed)
    model = ControlChart()
    batch = 128
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.02, epochs=epochs, steps_per_epoch=(len(x) + batch - 1) // batch)
    loss_of = torch.nn.CrossEntropyLoss()
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        total = 0.0
        for rows in order.split(batch):
            optimizer.zero_grad()
            loss = loss_of(model.logits(x[rows]), y[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1}/{epochs}: loss {total / len(x):.4f}", flush=True)
    return model.eval()


def evaluate(model, x, y):
    """Prints the confusion matrix; returns the accuracy."""
    with torch.no_grad():
        predicted = model(x).argmax(dim=1)
    for label, name in enumerate(generate.LABELS):
        counts = [int(((y == label) & (predicted == other)).sum()) for other in range(len(generate.LABELS))]
        print(f"  {name:17s}" + "".join(f"{count:7d}" for count in counts))
    right = int((predicted == y).sum())
    print(f"  {right} of {len(y)} right, {100 * right / len(y):.2f} %")
    return right / len(y)


def write_rows(mean, std, model):
    with open(HERE / "sample-rows.csv", "w", encoding="ascii") as labelled, \
            open(HERE / "sample-feed.csv", "w", encoding="ascii") as feed:
        for label, readings in generate.charts(120, SAMPLE_SEED):
            row = generate.text_of(readings)
            labelled.write(f"{row},{generate.LABELS[label]}\n")
            feed.write(f"{row}\n")
    falling = next(readings for label, readings in generate.charts(1000, SAMPLE_SEED + 1) if label == 3)
    (HERE / "falling.csv").write_text(generate.text_of(falling) + "\n", encoding="ascii")
    x, _ = data(32, GOLDEN_SEED)
    standardized = (x - mean) / std
    with torch.no_grad():
        scores = model(standardized.unsqueeze(2))
    with open(HERE / "golden.csv", "w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row, out in zip(standardized.tolist(), scores.tolist()):
            writer.writerow([f"{value:.9g}" for value in row + out])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--evaluate", metavar="FILE", help="labelled rows to try the result on")
    options = parser.parse_args()
    torch.set_num_threads(2)

    x, y = data(options.rows, TRAINING_SEED)
    mean, std = float(f"{float(x.mean()):.7g}"), float(f"{float(x.std()):.7g}")

    def scaled(readings):
        return ((readings - mean) / std).unsqueeze(2)

    model = train(scaled(x), y, options.epochs, options.seed)
    held_out, truth = data(6_000, HELD_OUT_SEED)
    print("held-out generated rows (rows are the truth, columns the prediction):")
    evaluate(model, scaled(held_out), truth)
    if options.evaluate:
        with open(options.evaluate, encoding="utf-8") as file:
            rows = [line.rstrip("\r\n").split(",") for line in file if line.strip()]
        given = torch.tensor([[float(field) for field in row[:-1]] for row in rows])
        print(f"{options.evaluate}:")
        evaluate(model, scaled(given), torch.tensor([generate.LABELS.index(row[-1]) for row in rows]))

    (HERE / "control-chart.scaler.toml").write_text(
        "# Of the readings that the model was trained on.\n"
        f"mean = {mean!r}\nstd = {std!r}\n", encoding="ascii")
    torch.onnx.export(model, torch.zeros(2, generate.STEPS, 1), str(HERE / "control-chart.onnx"), opset_version=14,
                      input_names=["window"], output_names=["scores"],
                      dynamic_axes={"window": {0: "batch"}, "scores": {0: "batch"}})
    write_rows(mean, std, model)


if __name__ == "__main__":
    main()
