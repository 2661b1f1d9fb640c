"""At how many steps each node was recorded: what the list of nodes says of every node.

The one invariant: the answer equals ``len(run.steps(node, quantity))`` for every node. Nodes recorded at all rows of a segment (nearly all of them)
cost no reading: the segment says so in ``recorded``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.store.budget import STAGES, Stage
from tb_activations.store.index import Index
from tb_activations.store.rows import LiveSegment
from tb_activations.store.schema import NOT_RECORDED, Quantity

__all__ = ["budget_stage", "count_captures", "find_sampled", "read_steps"]

_CHUNK_FLAGS = 16 << 20


def count_captures(index: Index, quantity: Quantity) -> npt.NDArray[np.int64]:
    """int64[N]: steps at which each node was recorded."""
    if index.row_count != len(index.steps):
        return _count_over_replicas(index, quantity)
    captures = np.zeros(len(index.joined.records), np.int64)
    for live in index.holding(quantity):
        whole = len(live.rows) == len(live.segment.step)
        captures[index.positions(live, quantity)] += live.segment.quantities[quantity].recorded if whole else _presence(live, quantity).sum(axis=1)
    return captures


def find_sampled(index: Index, quantity: Quantity) -> npt.NDArray[np.bool_]:
    """bool[N]: whether a sample of each node was kept at a step that counts."""
    sampled = np.zeros(len(index.joined.records), np.bool_)
    for live in index.holding(quantity):
        part = live.segment.quantities[quantity]
        if part.samples.any():
            has_sample = part.samples > 0 if len(live.rows) == len(live.segment.step) else np.isin(part.nodes, _nodes_sampled(live, quantity))
            sampled[index.positions(live, quantity)] |= has_sample
    return sampled


def budget_stage(index: Index, step: int) -> Stage | None:
    """How much the size budget had the writer leave out of the captures of ``step``; None: nothing."""
    codes = {live.segment.budget for live in index.segments if np.any(index.table["step"][live.table] == step)}
    return next((stage for stage in reversed(STAGES[1:]) if stage.code in codes), None)


def read_steps(index: Index, node: int, quantity: Quantity) -> npt.NDArray[np.int64]:
    """int64[C]: the steps at which one node was recorded."""
    parts = [np.empty(0, np.int64)]
    for live in index.holding(quantity):
        position = index.position_in(live, quantity, node)
        if position is not None:
            parts.append(index.table["step"][live.table[_rows_of_node(live, quantity, position)]])
    return np.unique(np.concatenate(parts))


def _rows_of_node(live: LiveSegment, quantity: Quantity, position: int) -> npt.NDArray[np.bool_]:
    """bool[L]: the live rows at which the node at ``position`` was recorded."""
    recorded = int(live.segment.quantities[quantity].recorded[position])
    if recorded in (0, len(live.segment.step)):
        return np.full(len(live.rows), recorded > 0)
    with live.segment.file.reader() as reader:
        present: npt.NDArray[np.bool_] = reader.read(f"counts/{quantity}", position, position + 1)[0, live.rows, 0] != NOT_RECORDED
    return present


def _presence(live: LiveSegment, quantity: Quantity) -> npt.NDArray[np.bool_]:
    """bool[nodes of the segment, L]: where something was recorded."""
    recorded = live.segment.quantities[quantity].recorded
    presence = np.repeat((recorded == len(live.segment.step))[:, None], len(live.rows), axis=1)
    partly = np.flatnonzero((recorded > 0) & (recorded < len(live.segment.step)))
    if len(partly):
        with live.segment.file.reader() as reader:
            presence[partly] = reader.read(f"counts/{quantity}")[partly][:, live.rows, 0] != NOT_RECORDED
    return presence


def _nodes_sampled(live: LiveSegment, quantity: Quantity) -> npt.NDArray[np.int64]:
    with live.segment.file.reader() as reader:
        table = reader.read(f"sample_index/{quantity}")
    nodes: npt.NDArray[np.int64] = table[np.isin(table[:, 1], live.rows), 0]
    return nodes


def _count_over_replicas(index: Index, quantity: Quantity) -> npt.NDArray[np.int64]:
    """A step counts once, however many replicas recorded it. Some steps at a time, so that a long run of many nodes fits in memory."""
    nodes = len(index.joined.records)
    captures = np.zeros(nodes, np.int64)
    step_of_row = np.repeat(np.arange(len(index.steps)), np.diff(index.starts, append=index.row_count))
    length = max(1, _CHUNK_FLAGS // max(nodes, 1))
    for start in range(0, len(index.steps), length):
        seen = np.zeros((nodes, min(length, len(index.steps) - start)), np.bool_)
        for live in index.holding(quantity):
            steps = step_of_row[live.table] - start
            inside = np.flatnonzero((steps >= 0) & (steps < length))
            if len(inside):
                positions, presence = index.positions(live, quantity), _presence(live, quantity)
                for row in inside.tolist():
                    seen[positions, steps[row]] |= presence[:, row]
        captures += seen.sum(axis=1)
    return captures
