"""The TensorFlow operations of a step: written beside the graph file, read back, refused."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from tb_activations import open_run
from tb_activations.errors import FormatError, VersionError
from tb_activations.store import jsonfile, operationsfile
from tb_activations.store.names import data_directory, operations_name
from tb_activations.store.operationsfile import read_operations, write_operations
from tb_activations.store.schema import Operation, Source
from tb_activations.store.session import Session
from tests.builders import build_run, parse_nodes
from tests.rights import forbidden, needs_rights

MODEL = Source("model.py", 7, "call")
OPERATIONS = (
    Operation("x", "Placeholder", "float32", (None, 4)),
    Operation("dense/MatMul", "MatMul", "float32", (None, 3), MODEL, (0,)),
    Operation("größer/of_unknown_rank", "While", "int64", None, MODEL, (0, 1)),
    Operation("dense/NoOp", "NoOp"),
)
FINGERPRINT = "0123456789abcdef"
GRAPH = dataclasses.replace(parse_nodes("input x [?,4]; layer dense Dense [?,3] <- x"), operations=OPERATIONS)


def test_what_is_written_is_read(tmp_path):
    write_operations(tmp_path, FINGERPRINT, OPERATIONS)
    assert read_operations(tmp_path, FINGERPRINT) == OPERATIONS
    assert read_operations(tmp_path, "f" * 16) == ()


def test_a_run_gives_those_of_its_newest_generation(tmp_path):
    build_run(tmp_path, GRAPH)
    run = open_run(tmp_path)
    assert run.operations() == OPERATIONS
    assert [node.name for node in run.nodes] == ["x", "dense"]
    build_run(tmp_path, "input x [?,4]; layer other Dense [?,3] <- x", range(60, 70))
    run.refresh()
    assert run.operations() == ()


def test_whoever_sees_a_generation_sees_its_operations(tmp_path, monkeypatch):
    """What a browser was told of a version of the run, it keeps for a day."""
    replace, seen = Path.replace, []

    def look_after(self, target):
        replace(self, target)
        seen.append((open_run(tmp_path).operations(), open_run(tmp_path).graph) if list(tmp_path.rglob("graph-*.json")) else None)

    monkeypatch.setattr(Path, "replace", look_after)
    fingerprint = Session(tmp_path, 0).write_graph(GRAPH)
    assert seen == [None, (OPERATIONS, fingerprint)]


def test_a_graph_is_the_same_whatever_its_operations(tmp_path):
    build_run(tmp_path / "with", GRAPH)
    build_run(tmp_path / "without", dataclasses.replace(GRAPH, operations=()))
    assert open_run(tmp_path / "with").graph == open_run(tmp_path / "without").graph
    assert not list(data_directory(tmp_path / "without").glob("operations-*"))


def test_only_so_many_are_kept_and_none_points_beyond_them(tmp_path, monkeypatch):
    monkeypatch.setattr(operationsfile, "MAX_OPERATIONS", 2)
    backwards = (dataclasses.replace(OPERATIONS[0], inputs=(3, 1)), *OPERATIONS[1:])
    write_operations(tmp_path, FINGERPRINT, backwards)
    kept = read_operations(tmp_path, FINGERPRINT)
    assert [operation.name for operation in kept] == ["x", "dense/MatMul"]
    assert kept[0].inputs == (1,)


def test_so_many_are_kept_as_a_reader_takes(tmp_path, monkeypatch):
    written = [Operation(f"{'long/' * 100}{number}", "Relu", inputs=(number - 1,) if number else ()) for number in range(40)]
    monkeypatch.setattr(jsonfile, "MAX_BYTES", 10_000)
    write_operations(tmp_path, FINGERPRINT, written)
    kept = read_operations(tmp_path, FINGERPRINT)
    assert list(kept) == written[: len(kept)]
    assert 10 < len(kept) < 20
    monkeypatch.setattr(jsonfile, "MAX_VALUES", 10)
    write_operations(tmp_path, FINGERPRINT, written)
    assert read_operations(tmp_path, FINGERPRINT) == ()


def test_brackets_that_would_take_gigabytes_are_refused(tmp_path):
    path = tmp_path / operations_name(FINGERPRINT)
    path.write_bytes(b'{"operations": [' + b"[]," * (jsonfile.MAX_VALUES // 2) + b"0]}")
    with pytest.raises(FormatError, match=r"^operations_too_large: .*commas and brackets"):
        read_operations(tmp_path, FINGERPRINT)
    with path.open("wb") as file:
        file.truncate(jsonfile.MAX_BYTES + 1)
    with pytest.raises(FormatError, match=r"^operations_too_large: expected at most 64 MiB"):
        read_operations(tmp_path, FINGERPRINT)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo] if hasattr(os, "mkfifo") else [Path.mkdir])
def test_what_is_no_file_is_refused_and_blocks_nobody(tmp_path, make):
    make(tmp_path / operations_name(FINGERPRINT))
    with pytest.raises(FormatError, match=r"operations_(no_file|unreadable: Is a directory)"):
        read_operations(tmp_path, FINGERPRINT)


@needs_rights
def test_a_file_that_may_not_be_read_is_told(tmp_path):
    write_operations(tmp_path, FINGERPRINT, OPERATIONS)
    with forbidden(tmp_path), pytest.raises(FormatError, match="operations_unreadable: Permission denied"):
        read_operations(tmp_path, FINGERPRINT)


VALID = {"format": "tb_activations", "version": 1, "sources": [["model.py", 7, "call"]], "operations": [["x", "Relu", "float32", [None, 4], [], 0]]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "other"}, "wrong_format"),
        ({"version": 0}, "bad_version"),
        ({"sources": [["model.py", "7", "call"]]}, "operations_source"),
        ({"sources": [["model.py", 7]]}, "operations_source"),
        ({"operations": {}}, "operations_rows"),
        ({"operations": [1]}, "operations_rows"),
        ({"operations": [["x", "Relu"]]}, "operations_row"),
        ({"operations": [["", "Relu", "float32", None, [], None]]}, "operations_text"),
        ({"operations": [["x", 1, "float32", None, [], None]]}, "operations_text"),
        ({"operations": [["x", "Relu", 32, None, [], None]]}, "operations_text"),
        ({"operations": [["x", "Relu", None, [-1], [], None]]}, "operations_shape"),
        ({"operations": [["x", "Relu", None, None, [1], None]]}, "operations_inputs"),
        ({"operations": [["x", "Relu", None, None, None, None]]}, "operations_inputs"),
        ({"operations": [["x", "Relu", None, None, [], 1]]}, "operations_source"),
        ({"operations": [["x", "Relu", None, None, [], True]]}, "operations_source"),
    ],
)
def test_what_violates_the_format_is_refused(tmp_path, change, words):
    path = tmp_path / operations_name(FINGERPRINT)
    path.write_text(json.dumps(VALID), encoding="utf-8")
    assert read_operations(tmp_path, FINGERPRINT) == (Operation("x", "Relu", "float32", (None, 4), MODEL),)
    path.write_text(json.dumps({**VALID, **change}), encoding="utf-8")
    with pytest.raises(FormatError, match=words):
        read_operations(tmp_path, FINGERPRINT)


def test_a_newer_version_says_so(tmp_path):
    (tmp_path / operations_name(FINGERPRINT)).write_text(json.dumps({**VALID, "version": 2}), encoding="utf-8")
    with pytest.raises(VersionError, match="version_too_new"):
        read_operations(tmp_path, FINGERPRINT)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000], ids=["empty", "list", "open", "null", "deep"])
def test_what_is_no_object_is_refused(tmp_path, text):
    (tmp_path / operations_name(FINGERPRINT)).write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match="operations_not_"):
        read_operations(tmp_path, FINGERPRINT)
