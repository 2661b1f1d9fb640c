"""A run as a sequence of chapters: stretches of captures, each with the graph that the run had then.

The one invariant: what is said of a chapter follows from its generation and those before it. A generation that comes later adds a chapter and changes
none, and neither do captures that arrive later within one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tb_activations.errors import NotFoundError
from tb_activations.store.index import Index
from tb_activations.store.nodes import Node, describe_nodes, join_generations
from tb_activations.store.schema import QUANTITIES

__all__ = ["Chapter", "plan_nodes", "read_chapters"]


class Chapter(NamedTuple):
    """Captures from the one at position ``start`` on. ``graph``: fingerprint of the generation they have."""

    graph: str
    start: int


def read_chapters(index: Index) -> tuple[Chapter, ...]:
    """The chapters in their order; one without captures where nothing was recorded yet. A generation that was replaced begins no other one."""
    return index.derived("chapters", lambda: _find_chapters(index))


def _find_chapters(index: Index) -> tuple[Chapter, ...]:
    graphs = [graph for graph, _ in index.joined.generations]
    if not graphs:
        return ()
    age = np.full(len(index.steps), len(graphs) - 1, np.int64)
    for live in index.segments:
        np.minimum.at(age, np.searchsorted(index.starts, live.table, side="right") - 1, graphs.index(live.segment.graph))
    age = np.minimum.accumulate(age)
    starts = np.flatnonzero(np.diff(age, prepend=len(graphs)))
    return tuple(Chapter(graphs[age[start]], int(start)) for start in starts) or (Chapter(graphs[0], 0),)


def plan_nodes(index: Index, graph: str) -> tuple[Node, ...]:
    """The nodes of a run whose newest generation is ``graph``, as they were planned: nothing counts as captured.

    Raises:
      NotFoundError: the run has no such generation.
    """
    fingerprints = [fingerprint for fingerprint, _ in index.joined.generations]
    if graph not in fingerprints:
        raise NotFoundError(f"Expected the fingerprint of a generation: {', '.join(fingerprints) or 'none yet'}. Received: graph={graph!r:.200}")
    position = fingerprints.index(graph)
    joined = index.joined if position == 0 else join_generations(index.joined.generations[position:])
    none = np.zeros(len(joined.records), np.int64)
    return describe_nodes(joined, dict.fromkeys(QUANTITIES, none), {quantity: none.astype(np.bool_) for quantity in QUANTITIES})
