#!/usr/bin/env python3
"""Makes card payments as JSON, one a line: `generate.py --rows 1000 --seed 7`. No measured data.

A payment is fraud with a probability that grows with its share of the account's limit, at night, abroad, in risky
categories and with the number of payments in the last hour."""
import argparse
import json
import math
import random

CATEGORIES = ["grocery", "travel", "clothes", "gambling", "crypto", None]
COUNTRIES = ["DE", "FR", "PL", "US", "BR"]


def payments(count, seed):
    """(payment, whether it is fraud) as dictionaries with the keys of the JSON objects."""
    rng = random.Random(seed)
    for number in range(count):
        home = rng.choice(COUNTRIES)
        limit = rng.choice([None, 500, 1000, 2500, 5000])
        payment = {
            "id": f"p{number:06d}",
            "amount": round(math.exp(rng.gauss(4, 1.3)), 2),
            "at": f"2026-11-{1 + number // 2000 % 28:02d}T{rng.randrange(24):02d}:{rng.randrange(60):02d}:00Z",
            "account": {"id": f"a{rng.randrange(200):03d}", "country": home, "limit": limit,
                        "payments_last_hour": min(40, int(rng.expovariate(0.5)))},
            "merchant": {"country": home if rng.random() < 0.8 else rng.choice(COUNTRIES),
                         "category": rng.choice(CATEGORIES)},
        }
        used, foreign, night, risky, pace = signals(payment)
        score = -4 + 3 * min(used, 3) + 1.5 * foreign + night + 1.5 * risky + 0.2 * pace
        yield payment, rng.random() < 1 / (1 + math.exp(-score))


def signals(payment):
    """The features as fraud.pipe derives them, but for the size."""
    account, merchant = payment["account"], payment["merchant"]
    limit = 1000 if account["limit"] is None else account["limit"]
    return (payment["amount"] / limit if limit > 0 else 1.0, float(merchant["country"] != account["country"]),
            float(int(payment["at"][11:13]) < 6), float(merchant["category"] in ("gambling", "crypto")),
            float(min(account["payments_last_hour"], 20)))


def features(payment):
    """What the model is given, before it is standardized."""
    return [math.log(payment["amount"]), *signals(payment)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    for payment, _ in payments(options.rows, options.seed):
        print(json.dumps(payment))


if __name__ == "__main__":
    main()
