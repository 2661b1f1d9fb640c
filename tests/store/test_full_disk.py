"""A disk that is full, or a folder that may not be written any more, from any moment on: recording ends, and what was written before stays whole."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import pytest

from tb_activations.store.run import Run
from tb_activations.store.writer import Writer
from tests.builders import capture_of, normal_values, parse_nodes

GRAPH = parse_nodes("input x [3]; layer dense [2,?] <- x relu gradient; variable kernel update")
CAPTURES = [capture_of(GRAPH, normal_values(GRAPH), step) for step in range(9)]
"""One more than are merged into one segment."""


class Disk:
    """Counts what changes the disk, and refuses it once it is full."""

    def __init__(self, monkeypatch, operations: int) -> None:
        self.left = operations
        for owner, name in ((Path, "mkdir"), (Path, "open"), (Path, "replace"), (os, "fsync")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, operation):
        def counted(*args, **kwargs):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return operation(*args, **kwargs)

        return counted


def record(run_dir):
    """Each capture in a segment of its own. Returns what ended the writing, and what was told of it."""
    told = []
    writer = Writer(run_dir, on_failure=told.append)
    writer.set_graph(GRAPH)
    for capture in CAPTURES:
        writer.put(capture.step, lambda capture=capture: [capture])
        writer.flush()
    writer.close()
    return writer.failure, told


def test_whenever_the_disk_is_full_what_was_written_stays(tmp_path):
    for operations in itertools.count():
        run_dir = tmp_path / str(operations)
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = Disk(monkeypatch, operations)
            failure, told = record(run_dir)
        run = Run(run_dir)
        steps = run.steps().tolist()
        assert steps == list(range(len(steps)))
        assert (run.problems, list(run_dir.rglob("*.tmp"))) == ((), [])
        assert told == ([] if failure is None else [failure])
        if disk.left >= 0:
            break
    assert (failure, len(steps)) == (None, len(CAPTURES))
    assert operations > 3 * len(CAPTURES), "every segment is a file that is opened, flushed and given its name"
