"""What test/bench/run measures of growth: CPU a record stays what it is with more records, partitions and columns, and memory
within its budget."""
import statistics

from bench_programs import Program
from bench_throughput import throughput

BUDGET = 256  # MiB, the default
FLAT = 1.1


def flat(report, part, what, costs, target=True):
    """The largest of these costs' medians by the smallest."""
    medians = [statistics.median(values) for values in costs]
    if min(medians) <= 0:
        return report.skip(f"{what}: the machine's noise is larger than what is measured")
    if not target:
        return report.number(part, what, max(medians) / min(medians))
    return report.target("flat", what, max(medians) / min(medians), FLAT)


def records(lab, report, make_topics, counts, rounds):
    """The same rows over and over; what is fetched ahead stays within the budget however much there is."""
    job, costs = Program("lr", "lr", lab), []
    for count in counts:
        topics = make_topics(3)
        topics.fill(lab.rows, count)
        cost, peaks = throughput(report, "records", [lab.forwarder, job], topics, count, rounds, f", {count / 1e6:g} million")
        costs.append(cost)
        if count >= 1_000_000:
            report.target("6", f"peak memory with {count / 1e6:g} million records of lag, MiB", peaks[job.name], BUDGET)
        topics.delete()
    span = f"{counts[0] / 1e6:g} to {counts[-1] / 1e6:g} million records"
    flat(report, "records", f"CPU a record, forwarder: most / least, {span}", [cost["forwarder"] for cost in costs], False)
    flat(report, "records", f"CPU a record: most / least, {span}", [cost[job.name] for cost in costs])


def tiny(lab, report, make_topics, count):
    """Rows of one column, a hundred million of them."""
    topics = make_topics(3)
    topics.fill(lab.wide_rows(1), count)
    job = Program("lr", "lr", lab, columns=1)
    _, peaks = throughput(report, "records", [lab.forwarder, job], topics, count, 1, f", {count / 1e6:g} million tiny ones")
    report.target("6", f"peak memory with {count / 1e6:g} million tiny records of lag, MiB", peaks[job.name], BUDGET)
    topics.delete()


def partitions(lab, report, make_topics, count, rounds):
    """As many records, in more partitions, by turns. The output has three of them: requests to many partitions are
    smaller and more, whoever writes them."""
    numbers = (1, 8, 64)
    programs = [lab.forwarder, Program("lr", "lr", lab)]
    topics = {number: make_topics(number, 3) for number in numbers}
    for one in topics.values():
        one.fill(lab.rows, count)
    costs = {(number, program.name): [] for number in numbers for program in programs}
    for _ in range(rounds):
        for number in numbers:
            for program in programs:
                cpu = program.run(topics[number], topics[number].inputs)[0] - program.run(topics[number], topics[number].empty)[0]
                costs[number, program.name].append(1e6 * cpu / count)
    for program in programs:
        for number in numbers:
            report.add("partitions", f"{program.name}, {number} partition{'s' if number > 1 else ''}", "us CPU/rec",
                       costs[number, program.name], records=count)
        what = "CPU a record, forwarder" if program is lab.forwarder else "CPU a record"
        flat(report, "partitions", f"{what}: most / least, 1 to 64 partitions",
             [costs[number, program.name] for number in numbers], program is not lab.forwarder)


def columns(lab, report, make_topics, count, rounds):
    """What a column costs, from text to a linear model's sum: less what the same bytes cost that only pass through. Of
    runs in which the first touch of the memory that a batch's columns take is little."""
    widths = (100, 300, 1000)
    passing = Program("pass-through", "pass", lab)
    topics, jobs = {}, {width: Program("lr", "lr", lab, columns=width) for width in widths}
    for width in widths:
        topics[width] = make_topics(3)
        topics[width].fill(lab.wide_rows(width), count * 100 // width)
    costs = {width: [] for width in widths}
    for _ in range(rounds):
        for width in widths:
            spent = [program.run(topics[width], topics[width].inputs)[0] for program in (jobs[width], passing)]
            costs[width].append(1e9 * (spent[0] - spent[1]) / (count * 100))
    for width in widths:
        report.add("columns", f"a column of {width}", "ns CPU", costs[width])
    flat(report, "columns", "CPU a column: most / least, 100 to 1000 columns", costs.values())
