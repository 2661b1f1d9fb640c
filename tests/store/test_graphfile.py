"""The graph file: the same graph gives the same name, and hostile content gives a named error."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from tb_activations.errors import FormatError, VersionError
from tb_activations.store.graphfile import read_graph, write_graph
from tb_activations.store.jsonfile import MAX_VALUES
from tb_activations.store.names import graph_name
from tb_activations.store.schema import Graph, NodeRecord, QuantityPlan, Source

GRAPH = Graph(
    (
        NodeRecord("x", "input", "InputLayer", "float32", (None, 4), quantities={"value": QuantityPlan()}),
        NodeRecord(
            "dense",
            "layer",
            "Dense",
            "float32",
            (None, 2),
            True,
            "relu",
            Source("model.py", 12, "build"),
            (0,),
            {"value": QuantityPlan(), "gradient": QuantityPlan("gradient_stopped", {"by": "stop_gradient"})},
            {"units": 2},
        ),
        NodeRecord("dense/kernel", "variable", "Variable", "bfloat16", (4, 2), False, quantities={"update": QuantityPlan("not_trainable")}),
    ),
    {"name": "m", "class": "Functional"},
    {"every": 100},
    {"keras": "3.15.1"},
)
CANONICAL = (
    '{"configuration":{"every":100},"format":"tb_activations","model":{"class":"Functional","name":"m"},"nodes":['
    '{"activation":null,"attributes":{},"class":"InputLayer","dtype":"float32","id":0,"inputs":[],"kind":"input","name":"x",'
    '"quantities":{"value":{"reason":null}},"shape":[null,4],"source":null,"trainable":null},'
    '{"activation":"relu","attributes":{"units":2},"class":"Dense","dtype":"float32","id":1,"inputs":[0],"kind":"layer","name":"dense",'
    '"quantities":{"gradient":{"detail":{"by":"stop_gradient"},"reason":"gradient_stopped"},"value":{"reason":null}},'
    '"shape":[null,2],"source":{"file":"model.py","function":"build","line":12},"trainable":true},'
    '{"activation":null,"attributes":{},"class":"Variable","dtype":"bfloat16","id":2,"inputs":[],"kind":"variable","name":"dense/kernel",'
    '"quantities":{"update":{"detail":{},"reason":"not_trainable"}},"shape":[4,2],"source":null,"trainable":false}],'
    '"version":1,"versions":{"keras":"3.15.1"}}'
)
"""Written down: were the encoding changed, old runs would get new generations."""
FINGERPRINT = hashlib.sha256(CANONICAL.encode()).hexdigest()[:16]


def test_a_graph_comes_back_as_it_was(tmp_path):
    assert write_graph(tmp_path, GRAPH, 1.5) == FINGERPRINT
    file = read_graph(tmp_path / graph_name(FINGERPRINT))
    assert (file.fingerprint, file.graph) == (FINGERPRINT, GRAPH)
    assert [path.name for path in tmp_path.iterdir()] == [f"graph-{FINGERPRINT}.json"]


def test_a_changed_graph_has_another_fingerprint(tmp_path):
    node = GRAPH.nodes[2]
    frozen = NodeRecord(node.name, node.kind, node.class_name, node.dtype, node.shape, True)
    assert write_graph(tmp_path, Graph((*GRAPH.nodes[:2], frozen), GRAPH.model, GRAPH.configuration, GRAPH.versions), 1.5) != FINGERPRINT
    assert write_graph(tmp_path, Graph(GRAPH.nodes, GRAPH.model, {"every": 50}, GRAPH.versions), 1.5) != FINGERPRINT


def test_writing_again_renews_created_only(tmp_path):
    write_graph(tmp_path, GRAPH, 1.5)
    first = read_graph(tmp_path / graph_name(FINGERPRINT))
    write_graph(tmp_path, GRAPH, 2.5)
    second = read_graph(tmp_path / graph_name(FINGERPRINT))
    assert (first.created, second.created) == (1.5, 2.5)
    assert second.graph == first.graph


def test_what_json_has_no_word_for_becomes_text(tmp_path):
    options = {"include": len, "thresholds": (np.float32(0.5), np.int64(3)), "limit": float("inf"), "path": {1: None}, "lone": "\ud800"}
    fingerprint = write_graph(tmp_path, Graph((), None, options), 1.5)
    configuration = read_graph(tmp_path / graph_name(fingerprint)).graph.configuration
    assert configuration["include"] == str(len)
    assert configuration["thresholds"] == [0.5, 3]
    assert configuration["limit"] == "inf"
    assert configuration["path"] == {"1": None}
    json.loads((tmp_path / graph_name(fingerprint)).read_text(encoding="utf-8"), parse_constant=pytest.fail)


def node(**changes):
    return {"id": 0, "name": "x", "kind": "layer", "class": "Dense", "shape": [None, 3], "inputs": [], "quantities": {}, **changes}


VIOLATIONS = {
    "graph_not_json": b"{",
    "graph_not_object": b"[]",
    "wrong_format": {"format": "other"},
    "bad_version": {"version": "1"},
    "version_too_new": {"version": 2},
    "graph_fingerprint": {"fingerprint": "0123456789abcdef"},
    "bad_created": {"created": "today"},
    "graph_nodes": {"nodes": {}},
    "node_id": {"nodes": [node(id=1)]},
    "node_name": {"nodes": [node(name="")]},
    "node_name_twice": {"nodes": [node(), node(id=1)]},
    "node_kind": {"nodes": [node(kind="tensor")]},
    "node_shape": {"nodes": [node(shape=[-1])]},
    "node_inputs": {"nodes": [node(inputs=[1])]},
    "node_reason": {"nodes": [node(quantities={"value": {"reason": 3}})]},
    "graph_value": {"nodes": [node(quantities=[])]},
}
SOUND = {"format": "tb_activations", "version": 1, "fingerprint": "0" * 16, "created": 1.5, "model": None, "nodes": [node()]}


@pytest.mark.parametrize("code", VIOLATIONS)
def test_a_violation_has_its_name(tmp_path, code):
    change = VIOLATIONS[code]
    path = tmp_path / graph_name("0" * 16)
    path.write_bytes(change if isinstance(change, bytes) else json.dumps({**SOUND, **change}).encode())
    with pytest.raises(FormatError, match=f"^{code}: "):
        read_graph(path)


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": [node(kind=["layer"])]},
        {"nodes": [node(inputs=[True])]},
        {"nodes": [node(attributes=3)]},
        {"nodes": [7]},
        {"nodes": [node(quantities={"value": None})]},
        {"created": float("nan")},
        {"created": 10**400},
        {"created": True},
        {"version": True},
        {"model": "m"},
        {"versions": []},
    ],
)
def test_content_of_the_wrong_type_is_refused(tmp_path, change):
    path = tmp_path / graph_name("0" * 16)
    path.write_text(json.dumps({**SOUND, **change}), encoding="utf-8")
    with pytest.raises(FormatError):
        read_graph(path)


@pytest.mark.parametrize("line", [True, -1, 10**400, "7"])
def test_a_line_that_is_none_is_no_source(tmp_path, line):
    path = tmp_path / graph_name("0" * 16)
    path.write_text(json.dumps({**SOUND, "nodes": [node(source={"file": "model.py", "line": line})]}), encoding="utf-8")
    assert read_graph(path).graph.nodes[0].source is None


def test_what_would_take_gigabytes_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    path = tmp_path / graph_name("0" * 16)
    path.write_bytes(b"[" + b"[]," * (MAX_VALUES // 2) + b"0]")
    monkeypatch.setattr(json, "loads", pytest.fail)
    with pytest.raises(FormatError, match=r"^graph_too_large: .*commas and brackets"):
        read_graph(path)
    with path.open("wb") as file:
        file.truncate(500 << 20)  # takes no room on disk
    with pytest.raises(FormatError, match=r"^graph_too_large: expected at most 64 MiB"):
        read_graph(path)


def test_a_graph_that_no_reader_would_take_is_not_written(tmp_path):
    shape = tuple(range(1000))
    nodes = tuple(NodeRecord(f"n{number}", "op", "Add", "float32", shape) for number in range(MAX_VALUES // 1000))
    with pytest.raises(FormatError, match=r"^graph_too_large: "):
        write_graph(tmp_path, Graph(nodes), 1.5)
    assert not list(tmp_path.iterdir())


def test_a_newer_version_says_the_facts(tmp_path):
    path = tmp_path / graph_name("0" * 16)
    path.write_text(json.dumps({**SOUND, "version": 7}), encoding="utf-8")
    with pytest.raises(VersionError, match="format version 7; this tb_activations reads versions up to 1"):
        read_graph(path)


def test_what_a_newer_writer_adds_is_ignored(tmp_path):
    path = tmp_path / graph_name("0" * 16)
    path.write_text(json.dumps({**SOUND, "new": [], "nodes": [node(new=1, quantities={"hessian": 3})]}), encoding="utf-8")
    assert read_graph(path).graph.nodes[0].quantities == {}


def test_missing_facts_are_unknown(tmp_path):
    path = tmp_path / graph_name("0" * 16)
    path.write_text(json.dumps({**SOUND, "nodes": [{"id": 0, "name": "x", "kind": "op", "source": {"line": "3"}}]}), encoding="utf-8")
    assert read_graph(path).graph.nodes == (NodeRecord("x", "op", ""),)
