"""The graph file of a run: one generation of the graph as JSON, named by its fingerprint.

The one invariant: `parse_graph` returns a `Graph` in which every name, kind, id and reference is what ``docs/format.md`` allows, or raises;
a file that was parsed needs no further check. Which node has data is not known here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from tb_activations.store.atomic import write_whole
from tb_activations.store.container import violation
from tb_activations.store.jsonfile import check_created, check_size, is_index, is_shape, read_object
from tb_activations.store.names import GRAPH_NAME, graph_name
from tb_activations.store.operationsfile import write_operations
from tb_activations.store.schema import FORMAT, FORMAT_VERSION, QUANTITIES, Graph, Kind, NodeRecord, QuantityPlan, Source

__all__ = ["GraphFile", "read_graph", "write_graph"]

_KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A graph that was read from a file. ``created``: seconds since the epoch."""

    fingerprint: str
    created: float
    graph: Graph


def write_graph(directory: Path, graph: Graph, created: float) -> str:
    """Writes the graph file, there whole or not at all, and returns the fingerprint. The file of its operations is there before it.

    A file of the same generation is replaced: its ``created`` tells which generation is the newest.

    Args:
      created: seconds since the epoch.

    Raises:
      FormatError: the graph is larger than ``docs/format.md`` allows.
      OSError: it could not be written.
    """
    content = _encode(graph)
    fingerprint = _fingerprint(content)
    text = json.dumps({**content, "fingerprint": fingerprint, "created": created}, ensure_ascii=False, allow_nan=False)
    data = text.encode("utf-8", "backslashreplace")
    check_size(data, "graph")
    write_operations(directory, fingerprint, graph.operations)  # first: whoever sees a generation may keep what it is told of it
    with write_whole(directory / graph_name(fingerprint)) as file:
        file.write(data)
    return fingerprint


def read_graph(path: Path) -> GraphFile:
    """Reads and checks a graph file.

    Raises:
      FormatError: it violates ``docs/format.md``.
      VersionError: it was written in a newer version of the format.
    """
    content = read_object(path, "graph")
    match = GRAPH_NAME.fullmatch(path.name)
    if match is None or content.get("fingerprint") != match[1]:
        raise violation("graph_fingerprint", "the fingerprint of the file's name", name=path.name, fingerprint=content.get("fingerprint"))
    return GraphFile(match[1], check_created(content.get("created")), _parse(content))


def _encode(graph: Graph) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "model": _plain(graph.model),
        "configuration": _plain(graph.configuration),
        "versions": _plain(graph.versions),
        "nodes": [_encode_node(index, node) for index, node in enumerate(graph.nodes)],
    }


def _encode_node(index: int, node: NodeRecord) -> dict[str, Any]:
    source = node.source
    return {
        "id": index,
        "name": node.name,
        "kind": node.kind,
        "class": node.class_name,
        "dtype": node.dtype,
        "shape": _plain(node.shape),
        "trainable": node.trainable,
        "activation": node.activation,
        "source": None if source is None else {"file": source.file, "line": source.line, "function": source.function},
        "inputs": _plain(node.inputs),
        "quantities": {name: _encode_plan(plan) for name, plan in node.quantities.items()},
        "attributes": _plain(node.attributes),
    }


def _encode_plan(plan: QuantityPlan) -> dict[str, Any]:
    return {"reason": None} if plan.reason is None else {"reason": plan.reason, "detail": _plain(plan.detail)}


def _plain(value: Any) -> Any:
    """``value`` as JSON has it. What JSON has no word for (a function, a NaN) becomes its text: a graph must always be writable."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)


def _fingerprint(content: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that are the same for the same graph captured in the same way."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:16]


def _parse(content: Mapping[str, Any]) -> Graph:
    nodes = content.get("nodes")
    if not isinstance(nodes, list):
        raise violation("graph_nodes", "a list of nodes", nodes=type(nodes).__name__)
    records = tuple(_parse_node(index, node, len(nodes)) for index, node in enumerate(nodes))
    names = {record.name for record in records}
    if len(names) != len(records):
        raise violation("node_name_twice", "unique names", nodes=len(records), names=len(names))
    model = content.get("model")
    return Graph(
        records,
        None if model is None else {key: str(value) for key, value in _mapping("model", model).items()},
        _mapping("configuration", content.get("configuration", {})),
        {key: str(value) for key, value in _mapping("versions", content.get("versions", {})).items()},
    )


def _parse_node(index: int, node: Any, count: int) -> NodeRecord:
    if not isinstance(node, dict) or node.get("id") != index:
        raise violation("node_id", f"an object with id {index}", node=node)
    name, kind, shape, inputs = node.get("name"), node.get("kind"), node.get("shape"), node.get("inputs", [])
    if not isinstance(name, str) or not name:
        raise violation("node_name", f"a name for node {index}", name=name)
    if kind not in _KINDS:
        raise violation("node_kind", f"a kind of {', '.join(_KINDS)} for node {name!r}", kind=kind)
    if not is_shape(shape):
        raise violation("node_shape", f"a list of sizes for node {name!r}", shape=shape)
    if not isinstance(inputs, list) or not all(is_index(item, count) for item in inputs):
        raise violation("node_inputs", f"ids of nodes for node {name!r}", inputs=inputs)
    return NodeRecord(
        name,
        kind,
        _text(node.get("class")) or "",
        _text(node.get("dtype")),
        None if shape is None else tuple(shape),
        node.get("trainable") if isinstance(node.get("trainable"), bool) else None,
        _text(node.get("activation")),
        _parse_source(node.get("source")),
        tuple(inputs),
        {
            quantity: _parse_plan(name, plan)
            for quantity, plan in _mapping("quantities", node.get("quantities", {})).items()
            if quantity in QUANTITIES
        },
        _mapping("attributes", node.get("attributes", {})),
    )


_CAPTURED = QuantityPlan()
"""One for all: a big graph says it thousands of times."""


def _parse_plan(name: str, plan: Any) -> QuantityPlan:
    if plan == {"reason": None}:
        return _CAPTURED
    content = _mapping("quantities", plan)
    reason = content.get("reason")
    if reason is not None and not isinstance(reason, str):
        raise violation("node_reason", f"a reason code or null for node {name!r}", reason=reason)
    return QuantityPlan(reason, _mapping("detail", content.get("detail", {})))


def _parse_source(source: Any) -> Source | None:
    if not isinstance(source, dict) or not is_index(source.get("line"), 1 << 53):
        return None
    return Source(_text(source.get("file")) or "", source["line"], _text(source.get("function")) or "")


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise violation("graph_value", f"an object for {key!r}", value=value)
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
