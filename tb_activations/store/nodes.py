"""Nodes as a reader sees them: the generations of a graph joined by name, and the state that follows from what was captured.

The one invariant: the order of `join_generations` (newest generation first, then nodes that only older ones have) is the order of every array with
an axis of nodes. States are derived here and nowhere else.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.budget import Stage
from tb_activations.store.reasons import Explanation, explain_reason
from tb_activations.store.schema import Graph, Kind, NodeRecord, Quantity, QuantityPlan, Source, State

__all__ = ["Joined", "Node", "QuantityState", "describe_nodes", "join_generations"]

_RANKING: Mapping[State, int] = {"materialized": 0, "available": 1, "unreachable": 2}


@dataclass(frozen=True, slots=True)
class QuantityState:
    """Whether a quantity of a node has values, and if not, why.

    Attributes:
      reason: a code of `reasons.REASONS`; None when materialized.
      captures: number of steps at which it was recorded.
      sampled: whether raw numbers were kept at one step or more.
      title, sentence, remedy, code_to_paste: the words of the reason; empty when materialized.
    """

    state: State
    reason: str | None = None
    captures: int = 0
    sampled: bool = False
    title: str = ""
    sentence: str = ""
    remedy: str = ""
    code_to_paste: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One vertex of the graph.

    Attributes:
      state: the best of its quantities' states; `reason` and the words are those of the quantity that decides.
      inputs: indices into `Run.nodes` of the nodes whose value it consumes.
    """

    name: str
    kind: Kind
    class_name: str
    state: State
    reason: str | None = None
    title: str = ""
    sentence: str = ""
    remedy: str = ""
    code_to_paste: str = ""
    shape: tuple[int | None, ...] | None = None
    dtype: str | None = None
    source: Source | None = None
    trainable: bool | None = None
    activation: str | None = None
    inputs: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    quantities: Mapping[Quantity, QuantityState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """The nodes of all generations.

    Attributes:
      records: one per name; ``inputs`` are indices into `records`.
      index: name -> index.
      index_of_id: fingerprint -> int64[nodes of that generation], the index of each node id.
      ids: fingerprint -> index -> node id.
      generations: (fingerprint, graph), newest first.
      states_without_value: (index, quantity) -> state, filled when first asked for: the words of a reason don't change while a run grows.
    """

    records: tuple[NodeRecord, ...]
    inputs: tuple[tuple[int, ...], ...]
    index: Mapping[str, int]
    index_of_id: Mapping[str, npt.NDArray[np.int64]]
    ids: Mapping[str, Mapping[int, int]]
    generations: tuple[tuple[str, Graph], ...] = ()
    states_without_value: dict[tuple[int, Quantity], QuantityState] = field(default_factory=dict, compare=False, repr=False)


def join_generations(generations: Sequence[tuple[str, Graph]]) -> Joined:
    """Joins generations, given newest first as (fingerprint, graph), by the names of their nodes."""
    records: list[NodeRecord] = []
    inputs: list[tuple[int, ...]] = []
    index: dict[str, int] = {}
    index_of_id: dict[str, npt.NDArray[np.int64]] = {}
    for fingerprint, graph in generations:
        first_new = len(records)
        for record in graph.nodes:
            if record.name not in index:
                index[record.name] = len(records)
                records.append(record)
        positions = index_of_id[fingerprint] = np.array([index[record.name] for record in graph.nodes], np.int64)
        inputs.extend(tuple(int(positions[item]) for item in record.inputs) for record in records[first_new:])
    ids = {fingerprint: {position: identity for identity, position in enumerate(array.tolist())} for fingerprint, array in index_of_id.items()}
    return Joined(tuple(records), tuple(inputs), index, index_of_id, ids, tuple(generations))


def describe_nodes(
    joined: Joined,
    captures: Mapping[Quantity, npt.NDArray[np.int64]],
    sampled: Mapping[Quantity, npt.NDArray[np.bool_]],
    without_captures: Mapping[str, tuple[int, Stage]] = MappingProxyType({}),
) -> tuple[Node, ...]:
    """The nodes with their states.

    Args:
      joined: the nodes of all generations.
      captures: int64[N] for each quantity: steps at which each node was recorded.
      sampled: bool[N] for each quantity: whether raw numbers were kept.
      without_captures: fingerprint of a generation -> the first step whose capture the size budget left out, and why.
    """
    counts = {quantity: array.tolist() for quantity, array in captures.items()}
    flags = {quantity: array.tolist() for quantity, array in sampled.items()}
    materialized = functools.cache(lambda captures, sampled: QuantityState("materialized", captures=captures, sampled=sampled))
    left_out = {position: found for fingerprint, found in without_captures.items() for position in joined.ids.get(fingerprint, ())}
    nodes = []
    for position, record in enumerate(joined.records):
        recorded = [quantity for quantity, count in counts.items() if count[position]]
        states = {quantity: materialized(counts[quantity][position], flags[quantity][position]) for quantity in recorded}
        for quantity, plan in record.quantities.items():
            if quantity not in states and plan.reason is None and position in left_out:
                step, stage = left_out[position]
                states[quantity] = _without_value(
                    record.name, QuantityPlan("size_budget", {"part": quantity, "step": f"{step:,}", "stage": stage.sentence})
                )
            elif quantity not in states:
                key = (position, quantity)
                if key not in joined.states_without_value:
                    joined.states_without_value[key] = _without_value(record.name, plan)
                states[quantity] = joined.states_without_value[key]
        nodes.append(_describe(record, joined.inputs[position], states))
    return tuple(nodes)


def _without_value(name: str, plan: QuantityPlan) -> QuantityState:
    words = explain_reason(plan.reason or "not_captured_yet", name, plan.detail)
    return QuantityState(words.state, plan.reason or words.code, 0, False, *_words(words))


def _words(words: Explanation) -> tuple[str, str, str, str]:
    return words.title, words.sentence, words.remedy, words.code_to_paste


def _describe(record: NodeRecord, inputs: tuple[int, ...], states: Mapping[Quantity, QuantityState]) -> Node:
    best = min(states.values(), key=lambda state: _RANKING[state.state]) if states else _without_value(record.name, QuantityPlan("unknown"))
    return Node(
        record.name,
        record.kind,
        record.class_name,
        best.state,
        best.reason,
        best.title,
        best.sentence,
        best.remedy,
        best.code_to_paste,
        record.shape,
        record.dtype,
        record.source,
        record.trainable,
        record.activation,
        inputs,
        record.attributes,
        states,
    )
