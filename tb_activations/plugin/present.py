"""Runs, nodes and findings as the JSON objects of ``docs/http_api.md``.

The one invariant: every key written here stands on that page. Values are those of the reader, unchanged.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_activations.store.nodes import Node, QuantityState
    from tb_activations.store.run import Run
    from tb_activations.store.schema import Operation, Source

__all__ = ["NAME", "present_graph", "present_operation", "present_run"]

NAME = "\0"
"""Stands for the node's name in the words of a reason: many nodes have the same reason, and its words are sent once."""


def present_run(name: str, run: Run, problems: tuple[str, ...]) -> dict[str, Any]:
    """One run of the answer of `/runs`; ``problems`` come before those of the reader."""
    captures = run.captures()
    steps = captures.step
    return {
        "run": name,
        "version": run.version,
        "graph": _graph_version(run),
        "sessions": f"{zlib.crc32(' '.join(run.sessions).encode()):08x}",
        "nodes": len(run.nodes),
        "captures": len(steps),
        "first_step": int(steps[0]) if len(steps) else None,
        "last_step": int(steps[-1]) if len(steps) else None,
        "last_wall_time": float(captures.wall_time[-1]) if len(steps) else None,
        "dropped": len(captures.dropped),
        "problems": [*problems, *run.problems],
    }


def present_graph(name: str, run: Run) -> dict[str, Any]:
    """The answer of `/graph`."""
    states: dict[tuple[Any, ...], int] = {}
    nodes = [_node(node, states) for node in run.nodes]
    return {
        "run": name,
        "graph": _graph_version(run),
        "model": run.model,
        "configuration": run.configuration,
        "versions": run.versions,
        "statistics": run.columns,
        "states": [dict(zip(_STATE, state, strict=False)) for state in states],
        "nodes": nodes,
    }


def present_operation(operation: Operation, everything: Sequence[Operation]) -> dict[str, Any]:
    """One operation of the answer of `/operations`; its inputs are among ``everything``."""
    source = operation.source
    return {
        "name": operation.name,
        "type": operation.type_name,
        "dtype": operation.dtype,
        "shape": operation.shape,
        "source": source and _source(source),
        "inputs": [everything[index].name for index in operation.inputs],
    }


def _graph_version(run: Run) -> str:
    """The generation and the states: a node that gets its first value, or its first sample, changes what a page shows of the graph."""
    states = "".join(f"{state.state[0]}{state.sampled:d}" for node in run.nodes for state in node.quantities.values())
    return f"{run.graph}-{zlib.crc32(states.encode()):08x}"


def _node(node: Node, states: dict[tuple[Any, ...], int]) -> dict[str, Any]:
    """A node; each of its quantities is the position of its state among ``states``, where new ones are added."""
    source = node.source
    return {
        "name": node.name,
        "kind": node.kind,
        "class": node.class_name,
        "dtype": node.dtype,
        "shape": node.shape,
        "trainable": node.trainable,
        "activation": node.activation,
        "source": source and _source(source),
        "inputs": node.inputs,
        "attributes": node.attributes,
        "state": node.state,
        "quantities": {quantity: states.setdefault(_quantity(state, node.name), len(states)) for quantity, state in node.quantities.items()},
    }


def _source(source: Source) -> dict[str, Any]:
    return {"file": source.file, "line": source.line, "function": source.function}


_STATE = ("state", "reason", "captures", "sampled", "title", "sentence", "remedy", "code")


def _quantity(state: QuantityState, name: str) -> tuple[Any, ...]:
    """The values of `_STATE`; without the words where there is no reason."""
    facts = (state.state, state.reason, state.captures, state.sampled)
    if state.reason is None:
        return facts
    words = (text.replace(name, NAME) for text in (state.sentence, state.remedy, state.code_to_paste))
    return (*facts, state.title, *words)
