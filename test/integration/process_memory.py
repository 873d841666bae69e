"""What memory a process takes, from outside."""
import pathlib
import re


def peak_of(pid):
    """The most memory that a process had so far, in KiB; None once it has ended."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+)", status, re.M)
    return int(found[1]) if found else None
