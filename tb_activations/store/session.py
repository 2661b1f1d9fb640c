"""The files of one writing session: names, numbers, and what they weigh.

The one invariant: a name is used once. A segment is never written twice under the same name, so a reader that has seen a name knows the bytes.
Which captures are written, and when, is the writer's business.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from tb_activations.store.assemble import Arrays, arrays_of
from tb_activations.store.container import write_arrays
from tb_activations.store.graphfile import graph_name, write_graph
from tb_activations.store.schema import FORMAT, FORMAT_VERSION, PLUGIN_NAME, STATISTICS, Capture, Graph
from tb_activations.store.segments import SegmentId

__all__ = ["Session", "data_directory"]


def data_directory(run_dir: Path) -> Path:
    """Where the files of a run lie."""
    return run_dir / "plugins" / PLUGIN_NAME


class Session:
    """Writes the files of one session. Used by one thread at a time."""

    def __init__(self, run_dir: Path, worker: int) -> None:
        self.directory = data_directory(run_dir)
        self.worker = worker
        self.token = secrets.token_hex(4)
        self.started = time.time()
        self._serial = 0

    def write_graph(self, graph: Graph) -> str:
        """Writes a generation of the graph and returns its fingerprint."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return write_graph(self.directory, graph)

    def graph_bytes(self, fingerprint: str) -> int:
        """Size of the graph file."""
        return (self.directory / graph_name(fingerprint)).stat().st_size

    def write_captures(self, captures: Sequence[Capture], dropped: Sequence[int], graph: str, budget: str = "") -> int:
        """Writes one segment and returns its size in bytes."""
        return self._write(arrays_of(captures, dropped), graph, STATISTICS, budget)

    def _write(self, arrays: Arrays, graph: str, columns: Sequence[str], budget: str, replaces: Sequence[str] = ()) -> int:
        steps = [*arrays["step"][:1].tolist(), *arrays["dropped"][:1].tolist()]
        identity = SegmentId(min(steps), self.worker, self.token, self._serial)
        self._serial += 1
        metadata = {
            "format": FORMAT,
            "version": str(FORMAT_VERSION),
            "graph": graph,
            "worker": f"{self.worker:04d}",
            "session": self.token,
            "session_started": repr(self.started),
            "statistics": ",".join(columns),
            "replaces": ",".join(replaces),
            "budget": budget,
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        return write_arrays(self.directory / identity.name, arrays, metadata)
