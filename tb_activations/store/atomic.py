"""Files that are there whole or not at all.

The one invariant: a file gets its name when all of it is on disk, and the name is on disk before anything that builds on it happens; what failed
half-way leaves nothing behind. Only a killed process can; its leftovers have names of their own, and the next session removes them.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["remove_leftovers", "write_whole"]

_TEMPORARY_NAME = re.compile(r"((graph|operations|findings)-[0-9a-f-]+\.json|segment-[0-9a-f-]+\.safetensors)(\.[0-9a-f]+)?\.tmp")
"""Names that `write_whole` gives, and those that the first version gave."""

_PAUSES = (0.01, 0.05, 0.2, 0.5)
"""Seconds between attempts to give a file its name: on Windows that is refused while somebody reads the file that has it."""

LEFTOVER_SECONDS = 3600.0
"""Age from which on a temporary file counts as left over. A segment is written in seconds; the clock of a file server may be off by minutes."""


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Yields a file to write to, which becomes ``path`` when the block ends without an error: temporary sibling, flush, rename, flush the name.

    Raises:
      OSError: it could not be written.
    """
    # A name of its own for each writer: several workers write the same graph.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _rename(temporary, path)
        _flush_names(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _rename(temporary: Path, path: Path) -> None:
    for pause in _PAUSES:
        try:
            temporary.replace(path)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    temporary.replace(path)


def _flush_names(directory: Path) -> None:
    """Without it a power failure might undo the renaming, and not the deletion of the files that the new one was merged from."""
    with suppress(OSError):  # Windows opens no directory, and some file systems can't flush one
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(directory: Path) -> None:
    """Removes what a killed process was writing into ``directory``. Files of others, and those that may still be written, stay."""
    with suppress(OSError):
        for path in directory.iterdir():
            if _TEMPORARY_NAME.fullmatch(path.name):
                _remove_when_old(path)


def _remove_when_old(path: Path) -> None:
    with suppress(OSError):  # another session may remove it at the same time
        if not path.is_symlink() and time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
            path.unlink()
