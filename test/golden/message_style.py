"""How diagnostics are worded: lower-case, no full stop, names in backticks, one line, at most one did-you-mean."""
import re

# They begin with a capital wherever they stand.
NAMES = ("CSV", "JSON", "Kafka", "ONNX", "RFC", "TOML", "UTF-8")
WORST = [
    "Unknown column `x`",
    "unknown column `x`.",
    "unknown column `x`!",
    "unknown column 'x'",
    "unknown column `x",
    " unknown column `x`",
    "unknown column\n`x`",
    "did you mean `x`? did you mean `y`?",
    "",
]


def faults_of(text):
    """What is wrong with a message, label, note or help."""
    plain = re.sub(r"`[^`]*`", "`", text)
    if not text or text != text.strip() or "\n" in text:
        yield "is empty, or of several lines, or begins or ends with blanks"
    if re.match(r"[A-Z]", text) and not text.startswith(NAMES):
        yield "begins with a capital"
    if re.search(r"[.!]$", plain):
        yield "ends with a full stop"
    if text.count("`") % 2:
        yield "has a backtick too many"
    # Behind a colon may stand what a library says.
    if re.search(r"(?:^|[ (])'[^' ]+'(?:$|[ ),])", plain.split(": ")[0]):
        yield "has a name in quotes, not in backticks"
    if plain.count("did you mean") > 1:
        yield "guesses twice"


def faults(diagnostic):
    """Of a diagnostic of the JSON."""
    texts = [diagnostic["message"], *diagnostic["notes"], *(label["text"] for label in diagnostic["labels"])]
    if diagnostic["help"] is not None:
        texts.append(diagnostic["help"])
    for text in texts:
        for fault in faults_of(text):
            yield f"{diagnostic['code']}: {text!r} {fault}"


assert all(list(faults_of(text)) for text in WORST), "a fault is not seen"
