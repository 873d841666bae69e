"""What test/bench/run measures at rates that leave the machine idle: latencies, and the CPU that waiting costs."""
import json
import subprocess
import sys
import time

from bench_programs import BUILD, Program
from bench_throughput import throughput


def cpu_seconds(process):
    """Of all threads, by the clock that the kernel has for each process."""
    return time.clock_gettime(~process.pid << 3 | 2)


def latency_of(lab, topics, program, rate, seconds):
    """What bench_load measures; and as "cpu", the CPU seconds a second of the program while it does."""
    with (lab.folder / "program.log").open("wb") as out:
        child = subprocess.Popen(program.command(topics, topics.inputs, False), stdout=out, stderr=out)
    try:
        load = subprocess.Popen([BUILD / "test/bench/bench_load", "latency", "--brokers", topics.broker.address, "--in", topics.inputs,
                               "--out", topics.outputs, "--rows", lab.rows, "--partitions", str(topics.partitions),
                               "--rate", str(rate), "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True)
        time.sleep(2)  # what comes first are probes
        begun, spent = time.monotonic(), cpu_seconds(child)
        time.sleep(seconds - 1)
        cpu = (cpu_seconds(child) - spent) / (time.monotonic() - begun)
        told = load.communicate(timeout=180)[0]
    finally:
        child.terminate()
        child.wait(60)
    if load.returncode != 0:
        sys.exit(f"{program.name} at {rate}/s: {told}")
    return {**json.loads(told), "cpu": cpu}


def latency(lab, report, make_topics, rates, seconds):
    """Percentiles of what each program adds between two topics, in turn, three times at each rate."""
    programs = [p for p in lab.programs if p.work in ("forward", "lstm", "onnx lstm")]
    for rate in rates:
        found = {p.name: {"median": [], "p99": []} for p in programs}
        for _ in range(3):
            for program in programs:
                topics = make_topics()
                got = latency_of(lab, topics, program, rate, seconds)
                for name, values in found[program.name].items():
                    values.append(got[name])
        for program in programs:
            name = "echo" if program.work == "forward" else program.name
            for percentile, values in found[program.name].items():
                report.add("latency", f"{name} at {rate}/s, {percentile}", "ms", values)
                if program.work == "forward":
                    continue
                times = report.ratio("latency", f"{name} / echo at {rate}/s, {percentile}", values, found["forwarder"][percentile])
                if rate <= 1000 and program.work == "lstm":
                    report.target("4", f"latency at {rate}/s, {percentile}: LSTM / echo", times, {"p99": 2.0, "median": 1.5}[percentile])


def trickle(lab, report, make_topics, rounds, seconds):
    """CPU a second where records come one by one: what wakes a program costs more than what it does then."""
    programs = [lab.forwarder, Program("pass-through", "pass", lab), Program("lstm", "lstm", lab)]
    for partitions, rate, what in ((64, 640, "64 partitions, 10/s in each"), (1, 1000, "1 partition, 1000/s")):
        topics = make_topics(partitions)
        spent = {program.name: [] for program in programs}
        for _ in range(1 + rounds):
            for program in programs:
                spent[program.name].append(latency_of(lab, topics, program, rate, seconds)["cpu"])
        for values in spent.values():
            del values[0]  # the first round finds a broker, and topics, that nobody has used
        for name, values in spent.items():
            report.add("trickle", f"{name}, {what}", "ms CPU/s", [1000 * value for value in values])
            if name != "forwarder":
                times = report.ratio("trickle", f"CPU a second: {name} / forwarder, {what}", values, spent["forwarder"])
                report.target("idle", f"CPU a second: {name} / forwarder, {what}", times, 1.1)


def modes(lab, report, make_topics, count, rounds, seconds):
    """The default beside the profile's `mode` at the end that each is for."""
    programs = [Program(mode or "default", "lstm", lab, run={"mode": mode} if mode else None) for mode in (None, "latency", "throughput")]
    found = {p.name: [] for p in programs}
    for _ in range(rounds):
        for program in programs:
            found[program.name].append(latency_of(lab, make_topics(3), program, 1000, seconds))
    for name, got in found.items():
        for what in ("median", "p99"):
            report.add("modes", f"{name} at 1000/s, {what}", "ms", [one[what] for one in got])
        report.add("modes", f"{name} at 1000/s", "ms CPU/s", [1000 * one["cpu"] for one in got])
    topics = make_topics(3)
    topics.fill(lab.rows, count)
    cost, _ = throughput(report, "modes", programs, topics, count, rounds)
    report.target("mode", "default / latency, median at 1000/s",
                  report.ratio("modes", "median at 1000/s: default / latency", *([one["median"] for one in found[name]] for name in ("default", "latency"))), 1.1)
    report.target("mode", "default / throughput, CPU a record",
                  report.ratio("modes", "CPU a record: default / throughput", cost["default"], cost["throughput"]), 1.1)
