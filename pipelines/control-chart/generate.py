#!/usr/bin/env python3
"""Makes synthetic control charts: rows of 60 readings in six classes.

The equations are those of Alcock and Manolopoulos, "Time-Series Similarity Queries Employing a
Feature-Based Approach" (1999), for a process of mean m = 30 with noise r*s, s = 2, r uniform in
[-3, 3], at the steps t = 1 … 60:

    Normal             m + r*s
    Cyclic             m + r*s + a*sin(2*pi*t/T)   amplitude a and period T in [10, 15]
    Increasing Trend   m + r*s + g*t               gradient g in [0.2, 0.5]
    Decreasing Trend   m + r*s - g*t
    Upward Shift       m + r*s + k*x               shift x in [7.5, 20], k = 0 before a step
    Downward Shift     m + r*s - k*x               of the middle third, 1 from it on

Only the standard library is needed, and a seed always makes the same rows.
"""
import argparse
import math
import random
import sys

LABELS = ["Normal", "Cyclic", "Increasing Trend", "Decreasing Trend", "Upward Shift", "Downward Shift"]
STEPS = 60
MEAN = 30.0
NOISE = 2.0


def chart(label, rng):
    """The 60 readings of one chart of the class LABELS[label]."""
    readings = [MEAN + rng.uniform(-3, 3) * NOISE for _ in range(STEPS)]
    if label == 1:
        amplitude, period = rng.uniform(10, 15), rng.uniform(10, 15)
        change = [amplitude * math.sin(2 * math.pi * t / period) for t in range(1, STEPS + 1)]
    elif label in (2, 3):
        gradient = rng.uniform(0.2, 0.5) * (1 if label == 2 else -1)
        change = [gradient * t for t in range(1, STEPS + 1)]
    elif label in (4, 5):
        step, shift = rng.uniform(STEPS / 3, 2 * STEPS / 3), rng.uniform(7.5, 20)
        shift *= 1 if label == 4 else -1
        change = [shift if t >= step else 0.0 for t in range(1, STEPS + 1)]
    else:
        change = [0.0] * STEPS
    return [reading + difference for reading, difference in zip(readings, change)]


def charts(rows, seed):
    """`rows` pairs of label and readings, classes equally likely."""
    rng = random.Random(seed)
    for _ in range(rows):
        label = rng.randrange(len(LABELS))
        yield label, chart(label, rng)


def text_of(readings):
    """As a data logger writes them: six significant digits."""
    return ",".join(f"{reading:.6g}" for reading in readings)


# How to break a row, and the code that its dead letter must carry.
BREAKS = [
    ("K0901", lambda fields, rng: fields[:-1]),                            # short
    ("K0901", lambda fields, rng: fields + ["30.5"]),                      # long
    ("K0901", lambda fields, rng: []),                                     # empty
    ("K0902", lambda fields, rng: replaced(fields, rng, "abc")),           # letters
    ("K0905", lambda fields, rng: replaced(fields, rng, "")),              # an empty field
    ("K0904", lambda fields, rng: replaced(fields, rng, "nan")),           # not a number
    ("K0903", lambda fields, rng: replaced(fields, rng, '"30.5')),         # an unbalanced quote
]


def replaced(fields, rng, text):
    fields = list(fields)
    fields[rng.randrange(len(fields))] = text
    return fields


def break_row(text, kind, rng):
    """A broken form of the row, and its code. `kind` counts through all ways of breaking."""
    code, breaking = BREAKS[kind % len(BREAKS)]
    return code, ",".join(breaking(text.split(","), rng))


def main():
    parser = argparse.ArgumentParser(description="Prints synthetic control charts, one CSV row a line.")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--labels", action=argparse.BooleanOptionalAction, default=True,
                        help="append the true label as the last column")
    parser.add_argument("--broken", type=float, default=0.0, metavar="PERCENT",
                        help="break that share of the rows; the last column is then the expected code")
    options = parser.parse_args()
    rng = random.Random(options.seed + 1)
    broken = 0
    for label, readings in charts(options.rows, options.seed):
        row, last = text_of(readings), LABELS[label]
        if rng.random() * 100 < options.broken:
            last, row = break_row(row, broken, rng)
            broken += 1
        sys.stdout.write(f"{row},{last}\n" if options.labels else f"{row}\n")


if __name__ == "__main__":
    main()
