"""Figures, ratios and targets of a run of test/bench/run."""
import statistics


def say(text):
    print(text, flush=True)


def spread(row):
    return f"{row['least']:.4g} to {row['most']:.4g}" if len(row["values"]) > 1 else ""


def row_of(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "values": values}


class Report:
    def __init__(self):
        self.rows, self.ratios, self.skipped, self.targets = [], [], [], []
        self.seconds = {}  # of each part

    def add(self, part, name, unit, values, **more):
        """One figure, of several measurements; its median."""
        row = {"part": part, "name": name, "unit": unit, **row_of(values), **more}
        self.rows.append(row)
        say(f"  {name:<56} {row['median']:>10.4g} {unit:<12} {spread(row)}")
        return row["median"]

    def ratio(self, part, name, above, below):
        """One measurement by another of the same round, so that what else the machine did then counts for both."""
        values = [a / b for a, b in zip(above, below, strict=True)]
        self.ratios.append({"part": part, "name": name, **row_of(values)})
        return values

    def number(self, part, name, value):
        """A ratio that is not of one round."""
        self.ratios.append({"part": part, "name": name, **row_of([value])})

    def skip(self, what):
        self.skipped.append(what)
        say(f"  SKIPPED: {what}")

    def target(self, number, what, values, limit, at_most=True):
        """`values`: of each round, or one number."""
        row = row_of(values if isinstance(values, list) else [values])
        self.targets.append({"target": number, "what": what, "value": row["median"], **row, "limit": limit, "at_most": at_most,
                             "met": row["median"] <= limit if at_most else row["median"] >= limit})

    def print_ratios(self):
        say("\nratios, of each round: median, least and most")
        for row in self.ratios:
            say(f"  {row['part']:<10} {row['name']:<76} {row['median']:>8.3g}  {spread(row)}")

    def print_targets(self):
        say("\ntargets: figure of this run, what is wanted, least and most")
        for t in self.targets:
            say(f"  {t['target']:<4} {t['what']:<76} {t['value']:>8.3g}  {'<=' if t['at_most'] else '>='} {t['limit']:<8.3g} "
                f"{'met' if t['met'] else 'not yet':<8} {spread(t)}")
