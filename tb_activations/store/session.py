"""The files of one writing session: names, numbers, what they weigh, and which are merged.

The one invariant: a name is used once. A segment is never written twice under the same name, so a reader that has seen a name knows the bytes.
Which captures are written, and when, is the writer's business.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from pathlib import Path

from tb_activations.errors import FormatError
from tb_activations.store.assemble import Arrays, arrays_of
from tb_activations.store.atomic import remove_leftovers
from tb_activations.store.compact import compact
from tb_activations.store.container import FileChangedError, write_arrays
from tb_activations.store.graphfile import write_graph
from tb_activations.store.jsonfile import read_created, time_after
from tb_activations.store.layout import SegmentId
from tb_activations.store.names import GRAPH_NAME, data_directory, graph_name
from tb_activations.store.schema import FORMAT, FORMAT_VERSION, STATISTICS, Capture, Graph
from tb_activations.store.segments import open_segment

__all__ = ["Session"]

FAN_IN = 8
"""So many segments of a level become one of the next: a capture is rewritten a few times in its life, and the number of small files stays small."""
COMPACT_BYTES = 32 << 20
"""No compacted segment weighs more: reading all nodes at one step reads most of a segment."""

SMALL_BYTES = 4 << 20
"""Only segments below this are merged at the end of a session."""


_STARTED: dict[str, float] = {}
"""Token of a session -> when it started, as far as this process wrote or read it: who calls `predict` in a loop begins a session each time."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A segment on disk. ``level``: how often its captures were merged. Only segments of one graph and one budget stage are merged."""

    name: str
    size_bytes: int
    level: int
    graph: str
    budget: str


class Session:
    """Writes the files of one session. `write_graph` may be called by another thread than the rest, which belongs to one at a time."""

    def __init__(self, run_dir: Path, worker: int) -> None:
        self.directory = data_directory(run_dir)
        self.token = secrets.token_hex(4)
        self._worker = worker
        self._serial = 0
        self._written: list[_Written] = []
        self._undeleted: list[str] = []
        self._graphs: dict[str, Graph] = {}
        self._graph_created: float | None = None

    def prepare(self) -> None:
        """Makes the directory, and removes what a killed session was writing in it. From here on the session counts as started."""
        self.directory.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.directory)
        self._started  # noqa: B018  (not with its first segment: one that begins after it and writes before it would seem the older one)

    def write_graph(self, graph: Graph) -> str:
        """Writes a generation of the graph, and the operations of its step, and returns its fingerprint."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._graph_created = time_after(self._created_before())
        fingerprint = write_graph(self.directory, graph, self._graph_created)
        self._graphs[fingerprint] = graph
        return fingerprint

    def used_bytes(self) -> int:
        """What the graphs and this worker's segments weigh on disk, those of earlier sessions included.

        The operations of a step come on top: some 70 bytes each, once; a small budget is not to be used up by them.
        """
        total = 0
        for path in self.directory.iterdir():
            if GRAPH_NAME.fullmatch(path.name) or self._is_own(path.name):
                with suppress(FileNotFoundError):  # somebody deleted it meanwhile
                    total += path.stat().st_size
        return total

    def write_captures(self, captures: Sequence[Capture], dropped: Sequence[int], graph: str, budget: str = "") -> None:
        """Writes one segment."""
        self._write(arrays_of(captures, dropped), 0, graph, budget)

    def compact_full_levels(self) -> None:
        """Merges the newest segments wherever enough of one level have come together, as many of them as may weigh one segment."""
        while len(self._written) >= FAN_IN:
            newest = self._written[-FAN_IN:]
            group = newest[: _fitting(newest)]
            if len({(written.level, written.graph, written.budget) for written in newest}) > 1 or len(group) < 2:
                return
            self._merge(group)

    def compact_rest(self) -> None:
        """Merges small neighbours: at the end of a session few files stay. What is big stays as it is, since the end of a training waits for this."""
        for _, neighbours in groupby([*self._written], key=lambda written: (written.size_bytes < SMALL_BYTES, written.graph, written.budget)):
            group = list(neighbours)
            while group and group[0].size_bytes < SMALL_BYTES:
                count = _fitting(group)
                self._merge(group[:count])
                group = group[count:]

    @cached_property
    def _started(self) -> float:
        """Seconds since the epoch: later than every earlier session of this worker, also where the clock was set back since.

        Readers take the session with the highest start for the newest one, and hide what it recorded anew.
        """
        written = filter(None, (SegmentId.parse(path.name) for path in self.directory.iterdir()))
        one_of_each = {identity.session: identity for identity in written if identity.worker == self._worker}
        for identity in one_of_each.values():
            if identity.session not in _STARTED:
                with suppress(OSError, FormatError, FileChangedError):  # what can't be read hides nothing
                    _STARTED[identity.session] = open_segment(self.directory / identity.name).session_started
        _STARTED[self.token] = time_after(_STARTED[session] for session in one_of_each if session in _STARTED)
        return _STARTED[self.token]

    def _created_before(self) -> Iterator[float]:
        """When the generations before were made: those of earlier sessions are in files, which are read once."""
        if self._graph_created is not None:
            return iter((self._graph_created,))
        return read_created((path for path in self.directory.iterdir() if GRAPH_NAME.fullmatch(path.name)), "graph")

    def _is_own(self, name: str) -> bool:
        identity = SegmentId.parse(name)
        return identity is not None and identity.worker == self._worker

    def _merge(self, group: Sequence[_Written]) -> None:
        if len(group) < 2:
            return
        position = self._written.index(group[0])
        try:
            names = [written.name for written in group]
            arrays = compact([open_segment(self.directory / name) for name in names])
            self._write(arrays, group[-1].level + 1, group[0].graph, group[0].budget, [*names, *self._undeleted])
        except (OSError, MemoryError, FormatError, FileChangedError):
            # Somebody deleted or damaged what was written, or there is no room for a copy: merging is a convenience, so these stay as they are.
            self._written = [written for written in self._written if written not in group]
            return
        self._written[position : position + len(group)] = [self._written.pop()]
        self._undeleted = [name for name in (*self._undeleted, *names) if not self._delete(name)]

    def _delete(self, name: str) -> bool:
        """False where the file can't be deleted now (on Windows: somebody reads it); it stays replaced."""
        try:
            (self.directory / name).unlink(missing_ok=True)
        except PermissionError:
            return False
        return True

    def _write(self, arrays: Arrays, level: int, graph: str, budget: str, replaces: Sequence[str] = ()) -> None:
        steps = [*arrays["step"][:1].tolist(), *arrays["dropped"][:1].tolist()]
        identity = SegmentId(min(steps), self._worker, self.token, self._serial)
        self._serial += 1
        metadata = {
            "format": FORMAT,
            "version": str(FORMAT_VERSION),
            "graph": graph,
            "worker": f"{self._worker:04d}",
            "session": self.token,
            "session_started": repr(self._started),
            "statistics": ",".join(STATISTICS),
            "replaces": ",".join(replaces),
            "budget": budget,
        }
        if not (self.directory / graph_name(graph)).exists():  # somebody emptied the log directory: without its graph a segment says nothing
            self.write_graph(self._graphs[graph])
        size_bytes = write_arrays(self.directory / identity.name, arrays, metadata)
        self._written.append(_Written(identity.name, size_bytes, level, graph, budget))


def _fitting(written: Sequence[_Written]) -> int:
    """How many of these, from the first on, may become one segment; 1 at least."""
    sizes = accumulate(each.size_bytes for each in written)
    return max(1, sum(size <= COMPACT_BYTES for size in sizes))
