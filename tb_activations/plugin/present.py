"""Runs, nodes and findings as the JSON objects of ``docs/http_api.md``.

The one invariant: every key written here stands on that page. Values are those of the reader, unchanged; nothing is computed here.
"""

from __future__ import annotations

from typing import Any

from tb_activations.store.nodes import Node, QuantityState
from tb_activations.store.run import Run

__all__ = ["present_graph"]


def present_graph(name: str, run: Run) -> dict[str, Any]:
    """The answer of `/graph`."""
    return {
        "run": name,
        "graph": run.graph,
        "model": run.model,
        "configuration": run.configuration,
        "versions": run.versions,
        "statistics": run.columns,
        "nodes": [_node(node) for node in run.nodes],
    }


def _node(node: Node) -> dict[str, Any]:
    source = node.source
    return {
        "name": node.name,
        "kind": node.kind,
        "class": node.class_name,
        "dtype": node.dtype,
        "shape": node.shape,
        "trainable": node.trainable,
        "activation": node.activation,
        "source": source and {"file": source.file, "line": source.line, "function": source.function},
        "inputs": node.inputs,
        "attributes": node.attributes,
        "state": node.state,
        "quantities": {quantity: _quantity(state) for quantity, state in node.quantities.items()},
    }


def _quantity(state: QuantityState) -> dict[str, Any]:
    facts = {"state": state.state, "reason": state.reason, "captures": state.captures, "sampled": state.sampled}
    if state.reason is None:
        return facts
    return {**facts, "title": state.title, "sentence": state.sentence, "remedy": state.remedy, "code": state.code_to_paste}
