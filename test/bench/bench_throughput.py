"""What test/bench/run measures of a topic that is full: CPU a record and records a second of kaspar's pipelines and of
their peers."""
import statistics
import sys

import bench_data
from bench_programs import Program


def throughput(report, part, programs, topics, count, rounds, suffix=""):
    """Each program reads the topic, which is filled, `rounds` times in turn, and some times an empty one: what that costs is
    subtracted. By name: CPU us a record, and the peak of memory in MiB."""
    idle = {p.name: [] for p in programs}
    busy = {p.name: [] for p in programs}
    took = {p.name: [] for p in programs}
    before = topics.ends(topics.outputs)
    for number in range(rounds):
        for program in programs:
            if number < 3:
                idle[program.name].append(program.run(topics, topics.empty))
            busy[program.name].append(program.run(topics, topics.inputs))
            after, dead = topics.ends(topics.outputs), sum(topics.ends(topics.dead))
            if sum(after) - sum(before) != count or dead != 0:
                sys.exit(f"{program.name}: {sum(after) - sum(before)} of {count} records were written, {dead} dead letters")
            took[program.name].append(topics.seconds_between(before, after))
            before = after
    cost = {}
    for program in programs:
        name = program.name
        base = statistics.median(cpu for cpu, _ in idle[name])
        cost[name] = [1e6 * (run[0] - base) / count for run in busy[name]]
        report.add(part, name + suffix, "us CPU/rec", cost[name], records=count)
        report.add(part, f"{name}{suffix}, rate", "rec/s", [count / seconds for seconds in took[name]])
        report.add(part, f"{name}{suffix}, peak memory", "MiB", [run[1] for run in busy[name]])
        if "forwarder" in cost and name != "forwarder":
            report.ratio(part, f"CPU a record: {name} / forwarder{suffix}", cost[name], cost["forwarder"])
            report.ratio(part, f"records/s: {name} / forwarder{suffix}", took["forwarder"], took[name])
    peaks = {name: max(run[1] for run in runs) for name, runs in busy.items()}
    return cost, peaks


def compare(report, part, cost, kernels):
    floor = cost["forwarder"]
    lr = [one / other for one, other in zip(cost["lr"], floor)]
    report.target("1", f"LR / forwarder ({part})", lr, 1.35)
    report.target("now", f"LR / forwarder ({part})", lr, 2.0)
    report.target("now", f"LSTM, records/s/core ({part})", [1e6 / one for one in cost["lstm"]], 100_000, False)
    if kernels:
        alone = 1.25 * (kernels["parse", 256] + kernels["lstm", 256]) / 1000
        report.target("1", f"LSTM / (forwarder + 1.25 (parse + kernel)) ({part})",
                      [one / (other + alone) for one, other in zip(cost["lstm"], floor)], 1.0)
    if "hand-written with ONNX Runtime" in cost:
        report.target("8", f"LSTM job / hand-written with ONNX Runtime ({part})",
                      report.ratio(part, "CPU a record: lstm / hand-written with ONNX Runtime", cost["lstm"],
                                   cost["hand-written with ONNX Runtime"]), 1 / 3)


def models(lab, report, topics, count, rounds):
    """The whole job with a perceptron and with trees."""
    topics.fill(lab.rows, count)
    kinds = ("mlp", "gbdt")
    programs = [lab.forwarder, *(Program(kind, kind, lab) for kind in kinds)]
    if lab.library:
        programs += [Program(f"{kind}, hand-written", f"onnx {kind}", lab) for kind in kinds]
    cost, _ = throughput(report, "models", programs, topics, count, rounds)
    if lab.library:
        for kind in kinds:
            report.ratio("models", f"CPU a record: {kind} / hand-written with ONNX Runtime", cost[kind], cost[f"{kind}, hand-written"])


def shapes(lab, report, make_topics, count, rounds):
    """Other records than rows of 60 numbers: JSON in and out, and very narrow and wide rows."""
    payments = lab.folder / "payments.jsonl"
    bench_data.write_payments(payments)
    topics = make_topics(3)
    topics.fill(payments, count)
    relay = Program("relay", "relay", lab)
    json, copy = Program("json in and out", "json", lab), Program("pass-through of values", "copy", lab)
    cost, _ = throughput(report, "shapes", [relay, copy, json], topics, count, rounds, ", payments")
    for name in (copy.name, json.name):
        report.ratio("shapes", f"CPU a record: {name} / relay, payments", cost[name], cost["relay"])
    for columns, share in ((1, 1), (1000, 10)):
        topics = make_topics(3)
        topics.fill(lab.wide_rows(columns), count // share)
        programs = [lab.forwarder, Program("pass-through", "pass", lab), Program("lr", "lr", lab, columns=columns)]
        throughput(report, "shapes", programs, topics, count // share, rounds, f", {columns} column{'s' if columns > 1 else ''}")
