"""The JSON files of a run, which anybody may have written: read within bounds, and checked for what all of them say.

The one invariant: nothing is parsed that could take the memory or the time of whoever reads it. What a file means is known to the module of its kind.
"""

from __future__ import annotations

import json
import math
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from tb_activations.errors import FormatError, VersionError
from tb_activations.store.container import violation
from tb_activations.store.schema import FORMAT, FORMAT_VERSION

__all__ = [
    "END_OF_TIME",
    "MAX_BYTES",
    "MAX_VALUES",
    "check_created",
    "check_size",
    "check_version",
    "fits",
    "is_index",
    "is_shape",
    "read_created",
    "read_object",
    "time_after",
]

MAX_BYTES = 64 << 20
"""A graph of 100,000 operations is 40 MB."""

MAX_VALUES = 4 << 20
"""Commas and opening brackets. Brackets alone, 64 MiB of them, would become gigabytes of objects and hold TensorBoard up for a minute."""

END_OF_TIME = 1e12
"""Seconds; some 30,000 years."""


def read_object(path: Path, kind: str, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Reads a file that holds one JSON object of a version that is understood.

    Args:
      path: the file.
      kind: how the codes of its violations begin.
      max_bytes: a larger file is refused.

    Raises:
      FormatError: it violates ``docs/format.md``.
      VersionError: it was written in a newer version of the format.
      OSError: it can't be opened.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise violation(f"{kind}_no_file", "a regular file", name=path.name)
        data = file.read(max_bytes + 1)
    check_size(data, kind, max_bytes)
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise violation(f"{kind}_not_json", "UTF-8 JSON", error=str(error)) from error
    if not isinstance(content, dict):
        raise violation(f"{kind}_not_object", "a JSON object", content=type(content).__name__)
    check_version(content.get("format"), content.get("version"))
    return content


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe would block whoever opens it, until somebody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def check_size(data: bytes, kind: str, max_bytes: int = MAX_BYTES) -> None:
    """Refuses what is too large, or would become too many objects."""
    if len(data) > max_bytes:
        raise violation(f"{kind}_too_large", f"at most {max_bytes >> 20} MiB", size=f"{len(data)} bytes or more")
    if not fits(data):
        raise violation(f"{kind}_too_large", f"at most {MAX_VALUES} commas and brackets", values=_count_values(data))


def fits(data: bytes) -> bool:
    """Whether a file of this size and shape is read at all."""
    return len(data) <= MAX_BYTES and _count_values(data) <= MAX_VALUES


def _count_values(data: bytes) -> int:
    return sum(map(data.count, (b",", b"[", b"{")))


def check_version(format_name: object, version: object) -> None:
    """Refuses a file of another format, and one that is newer than this version reads."""
    if format_name != FORMAT:
        raise violation("wrong_format", f"format {FORMAT!r}", format=format_name)
    if type(version) is not int or version < 1:
        raise violation("bad_version", "a whole number of 1 or more", version=version)
    if version > FORMAT_VERSION:
        raise VersionError(f"version_too_new: this file has format version {version}; this tb_activations reads versions up to {FORMAT_VERSION}.")


def check_created(created: object) -> float:
    """The time at which a file was made, in seconds since the epoch."""
    if type(created) not in (int, float) or not 0 <= cast(float, created) < END_OF_TIME:
        raise violation("bad_created", "seconds since the epoch", created=created)
    return float(cast(float, created))


def read_created(paths: Iterable[Path], kind: str, max_bytes: int = MAX_BYTES) -> Iterator[float]:
    """The times at which these files say that they were made; nothing of those that can't be read."""
    for path in paths:
        with suppress(OSError, FormatError):
            yield check_created(read_object(path, kind, max_bytes).get("created"))


def time_after(earlier: Iterable[float]) -> float:
    """Now, in seconds since the epoch; where the clock was set back, just after all of ``earlier``: readers take the latest for the newest."""
    latest = max(earlier, default=0.0)
    return min(max(time.time(), math.nextafter(latest, math.inf)), math.nextafter(END_OF_TIME, 0.0))


def is_shape(value: Any) -> bool:
    """Whether ``value`` is a list of sizes and nulls, or null."""
    return value is None or (isinstance(value, list) and all(extent is None or is_index(extent, 1 << 62) for extent in value))


def is_index(value: Any, count: int) -> bool:
    """Whether ``value`` is the index of one of ``count`` things."""
    return type(value) is int and 0 <= value < count
