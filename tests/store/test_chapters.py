"""Chapters: which captures have which graph, and what the nodes were then."""

from __future__ import annotations

import numpy as np

from tb_activations.store.run import open_run
from tb_activations.store.session import Session
from tests.builders import build_run, capture_of, normal_values, open_writer, parse_nodes, put, write_segments

FIRST = parse_nodes("input x [?,8]; layer dense Dense [?,4] <- x gradient; variable dense/kernel [8,4] gradient update")
SECOND = parse_nodes("input x [?,8]; layer head Dense [?,4] <- x gradient; variable head/kernel [8,4] gradient update")


def test_a_run_without_captures_has_one_chapter(tmp_path):
    with open_writer(tmp_path / "train", FIRST):
        run = open_run(tmp_path / "train")
        assert [(chapter.graph, chapter.start) for chapter in run.chapters()] == [(run.graph, 0)]
    assert [node.name for node in run.planned_nodes(run.graph)] == ["x", "dense", "dense/kernel"]


def test_a_generation_begins_a_chapter_at_its_first_capture_and_none_later(tmp_path):
    with open_writer(tmp_path / "train", FIRST) as writer:
        for step, graph in ((0, FIRST), (5, FIRST), (10, SECOND), (15, SECOND)):
            if step == 10:
                writer.flush()
                first = open_run(tmp_path / "train")
                assert [chapter.start for chapter in first.chapters()] == [0]
                writer.set_graph(SECOND)
            put(writer, step, [capture_of(graph, normal_values(graph), step)])
    run = open_run(tmp_path / "train")
    assert [chapter.start for chapter in run.chapters()] == [0, 2]
    assert [chapter.graph for chapter in run.chapters()] == [first.graph, run.graph]
    assert [node.name for node in run.planned_nodes(first.graph)] == [node.name for node in first.nodes]
    assert [node.name for node in run.planned_nodes(run.graph)] == [node.name for node in run.nodes]


def test_a_worker_that_is_late_with_the_new_graph_begins_no_chapter(tmp_path):
    def rows(graph, *steps):
        return [capture_of(graph, normal_values(graph), step) for step in steps]

    write_segments(tmp_path, FIRST, [rows(FIRST, 0, 10, 21)], worker=1)
    first = open_run(tmp_path).graph
    session = Session(tmp_path, 0)
    session.write_captures(rows(FIRST, 0, 10), [], session.write_graph(FIRST))
    session.write_captures(rows(SECOND, 20, 22), [], session.write_graph(SECOND))
    run = open_run(tmp_path)
    assert run.steps().tolist() == [0, 10, 20, 21, 22]
    assert [(chapter.graph, chapter.start) for chapter in run.chapters()] == [(first, 0), (run.graph, 2)]


def test_what_is_planned_follows_from_the_graph_alone(tmp_path):
    run = open_run(build_run(tmp_path / "train", FIRST, range(0, 20, 5), normal_values(FIRST)))
    kernel = run.planned_nodes(run.graph)[2]
    assert {quantity: state.reason for quantity, state in kernel.quantities.items()} == dict.fromkeys(kernel.quantities, "not_captured_yet")
    assert run.nodes[2].quantities["update"].state == "materialized"


def test_a_training_that_is_begun_anew_leaves_no_nodes_behind(tmp_path):
    build_run(tmp_path / "train", FIRST, range(0, 20, 5))
    run = open_run(tmp_path / "train")
    old = run.graph
    build_run(tmp_path / "train", SECOND, range(0, 10, 5), marker=False)
    assert run.refresh()
    for reader in (run, open_run(tmp_path / "train")):
        assert [node.name for node in reader.nodes] == ["x", "head", "head/kernel"]
        assert reader.steps().tolist() == [0, 5]
        assert [chapter.graph for chapter in reader.chapters()] == [reader.graph]
        assert reader.graph != old
        np.testing.assert_array_equal(reader.value("head", 5), normal_values(SECOND)("head", "value", 5))
        assert reader.problems == ()


def test_a_training_that_is_resumed_keeps_the_nodes_of_what_was_before(tmp_path):
    build_run(tmp_path / "train", FIRST, range(0, 20, 5))
    build_run(tmp_path / "train", SECOND, range(10, 20, 5), marker=False)
    run = open_run(tmp_path / "train")
    assert [node.name for node in run.nodes] == ["x", "head", "head/kernel", "dense", "dense/kernel"]
    assert (run.steps("dense").tolist(), run.steps("head").tolist()) == ([0, 5], [10, 15])
