"""Long pipeline files of several shapes, for measuring `kaspar check`: each is a function of the number of lines."""

HEAD = ["pipe 1", "", "on error drop", ""]
SOURCE = 'source rows = file { path: "rows.csv" }'
SINK = "sink   out  = stdout"


def fit(lines, body):
    """Blocks of lines until there are about as many as wanted; each as body(number)."""
    made, number = [], 0
    while len(made) < lines:
        made += body(number)
        number += 1
    return made


def pipelines(lines):
    """Many small pipelines in one file, with functions, parameters and tests."""
    return HEAD + [SINK] + fit(lines, lambda i: [
        f"param limit_{i}: f64 = 0.5 {{ min: 0.0, max: 1.0 }}",
        f"schema Row_{i} {{ id: string, amount: f64, items: i64, age: i64? }}",
        f'source rows_{i} = file {{ path: "rows-{i}.csv" }}',
        f"fn rate_{i}(amount: f64, items: i64): f64 = log(amount + 1.0) / to_f64(items + 1)",
        "",
        f"from rows_{i}",
        f"  |> parse csv as Row_{i}",
        "  |> filter amount > 0.0 and items in [1, 2, 3]  # the small ones",
        f"  |> derive {{ rated = rate_{i}(amount, items), young = (age ?? 99) < 25 }}",
        f"  |> filter rated > limit_{i}",
        "  |> keep { id, rated, young }",
        "  |> to out { key: id, format: json }",
        "",
        f'test "an old one {i}" {{',
        f'  feed   rows_{i} {{ value: "a,1.0,1,90" }}',
        '  expect out { key: "a" }',
        "}",
        "",
    ])


def stages(lines):
    """One chain of many stages, which goes on with few columns."""
    return HEAD + [SOURCE, SINK, "schema Row { a: f64, b: f64 }", "from rows", "  |> parse csv as Row"] + fit(lines, lambda i: [
        f"  |> derive {{ c_{i % 10} = a + b * {i}.0 }}",
        f"  |> filter c_{i % 10} > 1.0",
    ]) + ["  |> to out"]


def columns(lines):
    """A schema of many columns, all computed with."""
    return HEAD + [SOURCE, SINK, "schema Row {"] + [f"  c_{i}: f64," for i in range(lines // 2)] + [
        "}", "from rows", "  |> parse csv as Row", "  |> derive {"] + [
        f"    d_{i} = c_{i} + 1.0," for i in range(lines // 2)] + ["  }", "  |> to out"]


def arms(lines):
    """A route of many arms, each read."""
    count = lines // 4
    return HEAD + [SOURCE, SINK, "schema Row { a: i64 }", "from rows", "  |> parse csv as Row", "  |> route {"] + [
        f"    a == {i} => arm_{i}," for i in range(count)] + ["    else => drop,", "  }"] + fit(count * 3, lambda i: [
        f"from arm_{i}", f"  |> filter a > {i}", "  |> to out"])


def streams(lines):
    """A stream made of a stream made of a stream …"""
    made = HEAD + [SOURCE, SINK, "schema Row { a: i64 }", "stream s_0 = from rows |> parse csv as Row"]
    count = lines // 2
    made += fit(count * 2, lambda i: [f"stream s_{i + 1} = from s_{i}", f"  |> filter a > {i}"])
    return made + [f"from s_{count}", "  |> to out"]


def mistakes(lines):
    """A misspelt name in every second line."""
    return HEAD + [SINK] + fit(lines, lambda i: [
        f"schema Row_{i} {{ amount: f64, price: f46 }}",
        f'source rows_{i} = file {{ paht: "rows.csv" }}',
        f"from rows_{i}",
        f"  |> parse csv as Rwo_{i}",
        "  |> filter amuont > 1.0",
        "  |> to uot",
    ])


def damage(lines):
    """A syntax error in every item and stage."""
    return HEAD + [SINK] + fit(lines, lambda i: [
        f"schema Row_{i} {{ amount f64 }}",
        f'source rows_{i} = file {{ path = "rows.csv" }}',
        f"from rows_{i}",
        f"  |> parse csv in Row_{i}",
        "  |> filter (amount > 1.0",
        "  | to out",
    ])


SHAPES = [pipelines, stages, columns, arms, streams, mistakes, damage]


def text(shape, lines):
    return "\n".join(shape(lines)) + "\n"
