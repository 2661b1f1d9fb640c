"""One moment of a run: the capture rows that count (`rows` decides), its nodes, and where each number lies. Immutable.

The one invariant: the same files give the same index, whatever was known before. Reads no array that grows with nodes × captures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tb_activations import __version__
from tb_activations.store.budget import NO_ROOM, STAGES, Stage
from tb_activations.store.findingsfile import FindingsFile, join_findings
from tb_activations.store.folder import Contents
from tb_activations.store.graphfile import GraphFile
from tb_activations.store.nodes import Joined, join_generations
from tb_activations.store.rows import LiveSegment, find_live_rows
from tb_activations.store.schema import STATISTICS, Quantity
from tb_activations.store.segments import Segment

__all__ = ["Index", "as_slice", "build_index", "find_again"]


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Index:
    """What a run held at one moment.

    Attributes:
      version: a name of this moment; the same files give the same name, read by the same version of this package.
      table: for each name of `ROW_ARRAYS` one number per live row, ordered by (step, worker, rank).
      steps: int64[C], unique, ascending.
      starts: int64[C], the first row of each step.
      columns: statistics that some segment has, those of this version first.
      problems: a sentence for each file that could not be read.
      left_out: a sentence for what the size budget left out.
      without_captures: fingerprint of a generation -> the first step whose capture the size budget left out altogether, and why.
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
    without_captures: Mapping[str, tuple[int, Stage]]
    findings: FindingsFile
    _derived: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for array in (self.steps, self.starts, self.dropped, *self.table.values()):
            array.flags.writeable = False  # answers are views of these

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
    """The index of a folder. What is known of the nodes is taken over from ``previous`` when the generations are the same."""
    segments, problems = _with_graph(contents.segments, contents.graphs)
    live = find_live_rows(segments)
    joined = _join(contents.graphs, {each.segment.graph for each in live.segments}, previous)
    steps, starts = np.unique(live.table["step"], return_index=True)
    unknown = {column: None for segment in segments for column in segment.columns if column not in STATISTICS}
    return Index(
        _version(contents),
        contents.graphs[0] if contents.graphs else None,
        joined,
        live.segments,
        live.table,
        steps,
        starts,
        live.dropped,
        (*STATISTICS, *unknown),
        (*contents.problems, *problems),
        _left_out(segments),
        _without_captures(segments),
        join_findings(contents.findings),
    )


def _join(graphs: Sequence[GraphFile], captured: Collection[str], previous: Index | None) -> Joined:
    """The nodes of the newest generation, and of those before it that captures point to: a training that was begun anew leaves no nodes behind."""
    wanted = [graph for graph in graphs if graph is graphs[0] or graph.fingerprint in captured]
    if previous is not None and [graph.fingerprint for graph in wanted] == list(previous.joined.index_of_id):
        return previous.joined
    return join_generations([(graph.fingerprint, graph.graph) for graph in wanted])


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
    """Of the files, and of this package, whose words are part of many answers."""
    names = [__version__, *(f"{name} {signature}" for name, signature in sorted(contents.operations.items()))]
    names += [f"{graph.fingerprint} {graph.created!r}" for graph in contents.graphs]
    names += [f"{segment.id.name} {segment.file.signature}" for segment in contents.segments]
    names += [f"findings {file.created!r}" for file in contents.findings]
    return hashlib.sha256("\n".join((*names, *contents.problems)).encode()).hexdigest()[:16]


def _with_graph(segments: Sequence[Segment], graphs: Sequence[GraphFile]) -> tuple[list[Segment], list[str]]:
    """Segments whose node ids can be looked up, and a problem for each of the others."""
    counts = {graph.fingerprint: len(graph.graph.nodes) for graph in graphs}
    sound, problems = [], []
    for segment in segments:
        count = counts.get(segment.graph)
        if count is None:
            problems.append(f"{segment.id.name} is left out: graph_missing: expected the file graph-{segment.graph}.json beside it.")
        elif any(len(index.nodes) and index.nodes[-1] >= count for index in segment.quantities.values()):
            problems.append(f"{segment.id.name} is left out: node_out_of_graph: expected node ids below {count}.")
        else:
            sound.append(segment)
    return sound, problems


def _left_out(segments: Sequence[Segment]) -> tuple[str, ...]:
    """What the size budget had the writer leave out, and since which step."""
    sentences = []
    for stage in (*STAGES[1:], NO_ROOM):
        steps = [segment.id.first_step for segment in segments if segment.budget == stage.code]
        if steps:
            sentences.append(f"Size budget: from step {min(steps)} on {stage.sentence}.")
    return tuple(sentences)


def _without_captures(segments: Sequence[Segment]) -> dict[str, tuple[int, Stage]]:
    stages = {stage.code: stage for stage in (STAGES[-1], NO_ROOM)}
    found: dict[str, tuple[int, Stage]] = {}
    for segment in segments:
        if segment.budget in stages and len(segment.dropped):
            this = int(segment.dropped.min()), stages[segment.budget]
            found[segment.graph] = min(found.get(segment.graph, this), this, key=itemgetter(0))
    return found
