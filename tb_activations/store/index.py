"""One moment of a run: its live capture rows, its nodes, and where each number lies. Immutable.

The one invariant: a row is in `Index` exactly once, and only if it counts: rows of an older session at steps that a newer session of the same worker
recorded again are left out, and of two rows of one replica at one step the later stands. Reads no array that grows with nodes × captures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tb_activations.store.budget import STAGES
from tb_activations.store.findingsfile import FindingsFile, join_findings
from tb_activations.store.folder import Contents
from tb_activations.store.graphfile import GraphFile
from tb_activations.store.nodes import Joined, join_generations
from tb_activations.store.schema import STATISTICS, Quantity
from tb_activations.store.segments import ROW_ARRAYS, Segment

__all__ = ["Index", "LiveSegment", "as_slice", "build_index", "find_again"]


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A segment that has live rows.

    Attributes:
      rows: its live rows.
      table: where they stand in the table of all rows.
    """

    segment: Segment
    rows: npt.NDArray[np.int64]
    table: npt.NDArray[np.int64]


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Index:
    """What a run held at one moment.

    Attributes:
      version: a name of this moment; the same files give the same name.
      table: for each name of `ROW_ARRAYS` one number per live row, ordered by (step, worker, rank).
      steps: int64[C], unique, ascending.
      starts: int64[C], the first row of each step.
      columns: statistics that some segment has, those of this version first.
      problems: a sentence for each file that could not be read.
      left_out: a sentence for what the size budget left out.
      findings: what rules of the user found in the process that trained.
    """

    version: str
    graph: GraphFile | None
    joined: Joined
    segments: tuple[LiveSegment, ...]
    table: Mapping[str, npt.NDArray[Any]]
    steps: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.int64]
    columns: tuple[str, ...]
    problems: tuple[str, ...]
    left_out: tuple[str, ...]
    findings: FindingsFile
    _derived: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def derived(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What ``make`` makes of this index, made once (two threads that ask at once may both make it)."""
        if key not in self._derived:
            self._derived[key] = make()
        value: _T = self._derived[key]
        return value

    @property
    def row_count(self) -> int:
        """Number of live rows; more than steps when there are replicas."""
        return len(self.table["step"])

    def holding(self, quantity: Quantity) -> tuple[LiveSegment, ...]:
        """The segments that hold something of ``quantity``."""
        return self.derived(("holding", quantity), lambda: tuple(live for live in self.segments if quantity in live.segment.quantities))

    def positions(self, live: LiveSegment, quantity: Quantity) -> npt.NDArray[np.int64]:
        """int64[nodes of the segment]: where they stand among the nodes of the run."""
        return self.joined.index_of_id[live.segment.graph][live.segment.quantities[quantity].nodes]

    def position_in(self, live: LiveSegment, quantity: Quantity, node: int) -> int | None:
        """Where node ``node`` of the run stands in the arrays of a segment; None when it is not there."""
        identity = self.joined.ids[live.segment.graph].get(node)
        nodes = live.segment.quantities[quantity].nodes
        if identity is None:
            return None
        # As int32: another dtype would have numpy convert all nodes first.
        position = int(nodes.searchsorted(np.int32(identity)))
        return position if position < len(nodes) and nodes[position] == identity else None


def as_slice(indices: npt.NDArray[np.int64]) -> slice | npt.NDArray[np.int64]:
    """Ascending indices without a gap as a slice: what is read by it need not be copied, and what is written goes several times faster."""
    if len(indices) and indices[-1] - indices[0] == len(indices) - 1 and bool((np.diff(indices) == 1).all()):
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return indices


def build_index(contents: Contents, previous: Index | None = None) -> Index:
    """Decides which rows count. What is known of the nodes is taken over from ``previous`` when the generations are the same."""
    fingerprints = [graph.fingerprint for graph in contents.graphs]
    if previous is not None and fingerprints == list(previous.joined.index_of_id):
        joined = previous.joined
    else:
        joined = join_generations([(graph.fingerprint, graph.graph) for graph in contents.graphs])
    segments, problems = _with_graph(contents.segments, joined)
    cutoffs = _cutoffs(segments)
    table, lives = _live_rows(segments, cutoffs)
    steps, starts = np.unique(table["step"], return_index=True)
    unknown = {column: None for segment in segments for column in segment.columns if column not in STATISTICS}
    return Index(
        _version(contents),
        contents.graphs[0] if contents.graphs else None,
        joined,
        lives,
        table,
        steps,
        starts,
        _dropped(segments, cutoffs),
        (*STATISTICS, *unknown),
        (*contents.problems, *problems),
        _left_out(segments),
        join_findings(contents.findings),
    )


def find_again(index: Index, older: Index) -> Index | None:
    """``older`` with its rows where ``index`` has them, as after a merge of segments; None when ``index`` has other rows in their place."""
    count = older.row_count
    unchanged = index.joined is older.joined and index.columns == older.columns
    if not unchanged or not all(np.array_equal(index.table[name][:count], rows, equal_nan=True) for name, rows in older.table.items()):
        return None
    kept = [(live, live.table < count) for live in index.segments]
    lives = tuple(LiveSegment(live.segment, live.rows[known], live.table[known]) for live, known in kept if known.any())
    return replace(older, segments=lives, _derived={})


def _version(contents: Contents) -> str:
    names = [f"{graph.fingerprint} {graph.created!r}" for graph in contents.graphs]
    names += [f"{segment.id.name} {segment.file.signature}" for segment in contents.segments]
    names += [f"findings {file.created!r}" for file in contents.findings]
    return hashlib.sha256("\n".join((*names, *contents.problems)).encode()).hexdigest()[:16]


def _with_graph(segments: Sequence[Segment], joined: Joined) -> tuple[list[Segment], list[str]]:
    """Segments whose node ids can be looked up, and a problem for each of the others."""
    sound, problems = [], []
    for segment in segments:
        ids = joined.index_of_id.get(segment.graph)
        if ids is None:
            problems.append(f"{segment.id.name} is left out: graph_missing: expected the file graph-{segment.graph}.json beside it.")
        elif any(len(index.nodes) and index.nodes[-1] >= len(ids) for index in segment.quantities.values()):
            problems.append(f"{segment.id.name} is left out: node_out_of_graph: expected node ids below {len(ids)}.")
        else:
            sound.append(segment)
    return sound, problems


def _left_out(segments: Sequence[Segment]) -> tuple[str, ...]:
    """What the size budget had the writer leave out, and since which step."""
    sentences = []
    for stage in STAGES[1:]:
        steps = [segment.id.first_step for segment in segments if segment.budget == stage.code]
        if steps:
            sentences.append(f"Size budget: from step {min(steps)} on {stage.sentence}.")
    return tuple(sentences)


def _cutoffs(segments: Sequence[Segment]) -> dict[tuple[int, str], float]:
    """For each session the step from which a newer session of its worker supersedes it."""
    first: dict[tuple[int, str], int] = {}
    started: dict[tuple[int, str], float] = {}
    for segment in segments:
        session = (segment.id.worker, segment.id.session)
        steps = np.concatenate([segment.step[:1], segment.dropped])
        if len(steps):
            first[session] = min(first.get(session, int(steps.min())), int(steps.min()))
        started[session] = segment.session_started
    cutoffs: dict[tuple[int, str], float] = {}
    nearest: dict[int, float] = {}
    for session in sorted(started, key=lambda key: (started[key], key), reverse=True):
        worker = session[0]
        cutoffs[session] = nearest.get(worker, np.inf)
        nearest[worker] = min(cutoffs[session], first.get(session, np.inf))
    return cutoffs


def _live_rows(segments: Sequence[Segment], cutoffs: Mapping[tuple[int, str], float]) -> tuple[dict[str, npt.NDArray[Any]], tuple[LiveSegment, ...]]:
    lengths = [int(np.searchsorted(segment.step, cutoffs[segment.id.worker, segment.id.session])) for segment in segments]
    table = {
        name: np.concatenate([np.empty(0, dtype), *(segment.rows[name][:length] for segment, length in zip(segments, lengths, strict=True))])
        for name, dtype in ROW_ARRAYS.items()
    }
    owner = np.repeat(np.arange(len(segments)), lengths)
    row = np.concatenate([np.empty(0, np.int64), *map(np.arange, lengths)]).astype(np.int64)
    worker = np.repeat(np.array([segment.id.worker for segment in segments], np.int64), lengths)
    order = np.lexsort((table["wall_time"], table["rank"], worker, table["step"]))
    order = order[_last_of_each(table["step"][order], worker[order], table["rank"][order])]
    by_owner = order[np.argsort(owner[order], kind="stable")]
    table_position = np.empty(len(owner), np.int64)
    table_position[order] = np.arange(len(order))
    bounds = np.searchsorted(owner[by_owner], np.arange(len(segments) + 1))
    lives = [
        LiveSegment(segment, row[by_owner[bounds[i] : bounds[i + 1]]], table_position[by_owner[bounds[i] : bounds[i + 1]]])
        for i, segment in enumerate(segments)
    ]
    return {name: array[order] for name, array in table.items()}, tuple(live for live in lives if len(live.rows))


def _last_of_each(*keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """bool[R]: whether a row is the last of those with equal keys, for rows ordered by the keys."""
    last = np.ones(len(keys[0]), np.bool_)
    if len(last):
        last[:-1] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return last


def _dropped(segments: Sequence[Segment], cutoffs: Mapping[tuple[int, str], float]) -> npt.NDArray[np.int64]:
    parts = [segment.dropped[segment.dropped < cutoffs[segment.id.worker, segment.id.session]] for segment in segments]
    return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))
