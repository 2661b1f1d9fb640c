"""Memory of a process that belongs to no file: what a program itself holds. Linux only."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["anonymous_megabytes"]


def anonymous_megabytes(process: int | str = "self") -> float:
    """Anonymous memory of a process, by its id, in MB."""
    match = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    assert match is not None, "RssAnon is known on Linux only"
    return int(match[1]) / 1e3
