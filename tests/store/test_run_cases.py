"""Reading, case by case: generations, dtypes, columns of a newer writer, missing graphs, threads, and finding the run."""

from __future__ import annotations

import copy
import json
import pickle
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tb_activations import open_run
from tb_activations.errors import ArgumentError, NotFoundError
from tb_activations.store.assemble import arrays_of
from tb_activations.store.kept import KeptColumns
from tb_activations.store.run import Run
from tb_activations.store.schema import STATISTICS, Capture, QuantityRecord
from tb_activations.store.session import Session
from tests.builders import (
    build_run,
    capture_of,
    normal_values,
    parse_nodes,
    record_of,
    segments_of,
    statistics_of,
    write_segments,
)
from tests.rights import forbidden, needs_rights


def test_thousands_of_steps_all_of_them(tmp_path):
    steps = range(0, 7 * 4000, 7)
    random = np.random.default_rng(0).standard_normal((4000, len(STATISTICS))).astype(np.float32)
    graph = parse_nodes("layer a")
    counts = np.array([[10, 0, 0, 0]])
    rows = [Capture(step, 0.0, {"value": QuantityRecord(np.zeros(1, np.int32), random[[i]], counts)}) for i, step in enumerate(steps)]
    write_segments(tmp_path, graph, [rows[start : start + 100] for start in range(0, 4000, 100)])
    run = open_run(tmp_path)
    assert run.steps("a").tolist() == list(steps)
    np.testing.assert_array_equal(run.statistics("a")["std"], random[:, STATISTICS.index("std")])
    np.testing.assert_array_equal(run.column("std")[1][0], random[:, STATISTICS.index("std")])


def test_every_dtype_and_rank_of_sample(tmp_path):
    graph = parse_nodes("; ".join(f"layer n{number}" for number in range(7)))
    samples = {
        0: np.float32(3.5),
        1: np.array([1e-40, np.nan, -np.inf], ml_dtypes.bfloat16),
        2: np.arange(24, dtype=np.float16).reshape(1, 2, 3, 4, 1),
        3: np.array([[True], [False]]),
        4: np.empty((0, 3), np.float64),
        5: np.array([2**62, -1]),
        6: np.array([[1 + 1j]], np.complex64),
    }
    blank = QuantityRecord(
        np.arange(7, dtype=np.int32),
        np.zeros((7, len(STATISTICS)), np.float32),
        np.ones((7, 4), np.int64),
        samples=samples,
    )
    other = QuantityRecord(blank.nodes, blank.statistics, blank.counts, samples={0: np.arange(5, dtype=np.int32), 6: np.zeros((1, 1), np.uint8)})
    write_segments(tmp_path, graph, [[Capture(1, 0.0, {"value": blank}), Capture(2, 0.0, {"value": other})]])
    run = open_run(tmp_path)
    for node, sample in samples.items():
        value = run.value(f"n{node}", 1)
        expected = np.asarray(sample)
        assert (value.dtype, value.shape, value.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
    assert run.value("n0", 2).tolist() == [0, 1, 2, 3, 4]
    assert run.sample_steps("n0").tolist() == [1, 2]
    assert run.sample_steps("n3").tolist() == [1]


def test_strides_are_those_of_each_sample(tmp_path):
    wide, flat = record_of({0: np.ones((2, 5, 3), np.float32), 1: np.ones(4, np.float32)}), record_of({0: np.ones((2, 9, 3), np.float32)})
    wide = replace(wide, strides={0: (1, 4, 2)})
    graph = parse_nodes("layer a; layer b")
    write_segments(tmp_path, graph, [[Capture(1, 0.0, {"value": wide}), Capture(2, 0.0, {"value": flat})], [Capture(3, 0.0, {"value": flat})]])
    run = open_run(tmp_path)
    assert [run.sample("a", step).strides for step in (1, 2, 3)] == [(1, 4, 2), (1, 1, 1), (1, 1, 1)]
    assert run.sample("b", 1).strides == (1,)
    np.testing.assert_array_equal(run.sample("a", 1).numbers, np.ones((2, 5, 3)))


@pytest.mark.parametrize("strides", [{0: (1, 2)}, {0: (0,)}, {1: (1,)}])
def test_strides_that_fit_no_sample_are_refused(strides):
    record = replace(record_of({0: np.ones(3, np.float32)}), strides=strides)
    with pytest.raises(ArgumentError, match=r"^Expected a stride of at least 1 for each axis of the sample of node"):
        arrays_of([Capture(1, 0.0, {"value": record})], [])


def test_a_sample_of_a_dtype_without_a_name_is_left_out_and_the_statistics_stay(tmp_path):
    record = record_of({0: np.ones(3, np.float32)})
    odd = QuantityRecord(record.nodes, record.statistics, record.counts, samples={0: np.array(["text"])})
    write_segments(tmp_path, parse_nodes("layer a"), [[Capture(1, 0.0, {"value": odd})]])
    run = open_run(tmp_path)
    assert run.statistics("a")["max"].tolist() == [1.0]
    assert not run.nodes[0].quantities["value"].sampled


@pytest.mark.parametrize("ranks", [1, 2])
def test_what_is_done_to_an_answer_changes_no_other(tmp_path, ranks):
    graph = parse_nodes("input x [?,3]; layer a <- x gradient; variable a/kernel update")
    values = normal_values(graph)
    segments = [[capture_of(graph, values, step, rank) for step in steps for rank in range(ranks)] for steps in ((0, 5, 10), (15, 20))]
    write_segments(tmp_path, graph, segments, dropped=[7])
    run, untouched = Run(tmp_path, KeptColumns(1 << 20)), Run(tmp_path)
    for _ in range(2):
        for given, expected in zip(_arrays_of(run), _arrays_of(untouched), strict=True):
            np.testing.assert_array_equal(given, expected)
            if given.flags.writeable:
                given[...] = 0
    assert [array.flags.writeable for array in (run.statistics("a")["mean"], run.column("std")[1], run.value("a", 5))] == [True] * 3


def _arrays_of(run):
    """Every array that a run gives, of every method that gives some; copies of none."""
    for quantity in ("value", "gradient", "update"):
        yield from (
            *run.window(quantity, start=0, stop=9),
            *run.snapshot(5, quantity),
            *run.column("std", quantity),
            *run.column("elements", quantity),
        )
        for node in ("a", "a/kernel"):
            answers = run.statistics(node, quantity).values(), run.history(node, quantity), run.histogram(node, quantity)
            yield from (run.steps(node, quantity), run.sample_steps(node, quantity), *(array for answer in answers for array in answer))
    captures = run.captures()
    yield from (run.steps(), *(getattr(captures, each.name) for each in fields(captures)))
    yield from (*run.statistics("a", rank=0).values(), run.value("a", 5), run.column("update_ratio", "update")[1])


def test_generations_are_joined_by_name(tmp_path):
    old = parse_nodes("input x; layer gone <- x; layer dense <- gone; variable dense/kernel update")
    new = parse_nodes("input x; layer added <- x; layer dense <- added; variable dense/kernel update=not_trainable")
    write_segments(tmp_path, old, [[capture_of(old, normal_values(old), step) for step in (0, 10)]])
    write_segments(tmp_path, new, [[capture_of(new, normal_values(new), step) for step in (20, 30)]])
    run = open_run(tmp_path)
    assert [node.name for node in run.nodes] == ["x", "added", "dense", "dense/kernel", "gone"]
    assert [node.inputs for node in run.nodes] == [(), (0,), (1,), (), (0,)]
    assert run.steps("dense").tolist() == [0, 10, 20, 30]
    assert run.steps("gone").tolist() == [0, 10]
    assert run.steps("added").tolist() == [20, 30]
    assert run.steps("dense/kernel", "update").tolist() == [0, 10]
    assert run.nodes[3].quantities["update"].state == "materialized"
    np.testing.assert_array_equal(run.value("gone", 10), normal_values(old)("gone", "value", 10))
    np.testing.assert_array_equal(run.value("dense", 20), normal_values(new)("dense", "value", 20))
    statistics, _ = run.snapshot(0)
    np.testing.assert_array_equal(statistics[4], statistics_of(normal_values(old)("gone", "value", 0))[0])
    assert np.isnan(statistics[1]).all()
    generation = run.graph
    write_segments(tmp_path, old, [()], dropped=[35])
    assert run.refresh()
    assert run.graph != generation
    assert [node.name for node in run.nodes] == ["x", "gone", "dense", "dense/kernel", "added"]


def test_a_selected_node_without_captures_is_not_captured_yet(tmp_path):
    write_segments(tmp_path, parse_nodes("layer a"), [])
    (node,) = open_run(tmp_path).nodes
    assert (node.state, node.reason, node.title) == ("available", "not_captured_yet", "no capture yet")


def test_an_unknown_reason_and_a_node_without_quantities_are_said_to_be_unknown(tmp_path):
    write_segments(tmp_path, parse_nodes("layer a value=of_a_newer_version"), [])
    (path,) = tmp_path.rglob("graph-*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["nodes"].append({"id": 1, "name": "b", "kind": "op"})
    path.write_text(json.dumps(content), encoding="utf-8")
    first, second = open_run(tmp_path).nodes
    assert (first.state, first.reason, first.title) == ("unreachable", "of_a_newer_version", "unknown reason")
    assert (second.state, second.title) == ("unreachable", "unknown reason")


@pytest.mark.parametrize("cause", ["no graph file", "node beyond the graph"])
def test_a_segment_without_its_graph_is_left_out_and_says_so(tmp_path, cause):
    two, one = parse_nodes("layer a; layer b"), parse_nodes("layer a")
    write_segments(tmp_path, two, [[capture_of(two, normal_values(two), 1)]])
    (path,) = tmp_path.rglob("graph-*.json")
    if cause == "no graph file":
        path.unlink()
        write_segments(tmp_path, one, [])
    else:
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, "nodes": content["nodes"][:1]}), encoding="utf-8")
    run = open_run(tmp_path)
    assert run.steps().tolist() == []
    assert ("graph_missing" if cause == "no graph file" else "node_out_of_graph") in run.problems[0]


def test_a_run_that_is_gone_or_damaged_says_so_where_it_is_asked(tmp_path):
    run = open_run(build_run(tmp_path / "train", "layer a", [1, 2]))
    for segment in segments_of(tmp_path):
        segment.write_bytes(b"damaged")
    with pytest.raises(NotFoundError, match=r"Received: step=1\. There is none; run\.problems tells of files that can't be read\."):
        run.value("a", 1)
    assert "file_too_short" in run.problems[0]
    shutil.rmtree(tmp_path / "train")
    run.refresh()
    with pytest.raises(NotFoundError, match=r"Received: node='a'\. The run has no graph: nothing was captured yet, or its files are gone\."):
        run.statistics("a")


def test_statistics_that_only_some_segments_have(tmp_path):
    """A newer writer adds a column: it is read by name, and older captures have NaN there."""
    graph = parse_nodes("layer a")
    write_segments(tmp_path, graph, [[capture_of(graph, normal_values(graph), step)] for step in (1, 2)])
    path = segments_of(tmp_path)[1]
    content = path.read_bytes()
    path.write_bytes(content.replace(b"subnormal_fraction", b"fraction_subnormal"))
    run = open_run(tmp_path)
    assert run.columns == (*STATISTICS, "fraction_subnormal")
    history = run.statistics("a")
    assert history["fraction_subnormal"][1] == 0
    assert np.isnan(history["fraction_subnormal"][0])
    assert np.isnan(history["subnormal_fraction"][1])
    assert run.snapshot(2)[0][0, -1] == 0
    np.testing.assert_array_equal(run.column("fraction_subnormal")[1], [[np.nan, 0]])


class TestOpenRun:
    def test_a_run_directory_or_a_log_directory_with_one_run(self, tmp_path):
        build_run(tmp_path / "logs" / "train", "layer a", [1])
        assert open_run(tmp_path / "logs" / "train").path == open_run(str(tmp_path)).path == tmp_path / "logs" / "train"

    def test_several_runs_are_named(self, tmp_path):
        for name in ("train", "validation"):
            build_run(tmp_path / name, "layer a", [1])
        with pytest.raises(NotFoundError, match=r"2 runs below; open one of '.*train', '.*validation'\."):
            open_run(tmp_path)

    def test_a_run_with_a_run_below_is_itself(self, tmp_path):
        build_run(tmp_path, "layer a", [1])
        build_run(tmp_path / "below", "layer b", [1])
        assert open_run(tmp_path).nodes[0].name == "a"

    def test_nothing_there(self, tmp_path):
        (tmp_path / "file").touch()
        run_dir = build_run(tmp_path / "logs" / "train", "layer a", [1])
        for path, why in (
            (run_dir.parent.parent / "nothing", "which does not exist"),
            (tmp_path / "file", "which is not a directory"),
            (run_dir / "plugins" / "tb_activations", f"which lies inside the run {str(run_dir)!r}"),
        ):
            with pytest.raises(NotFoundError, match=re.escape(f"Expected the directory of a run. Received: path={str(path)!r}, {why}.")):
                open_run(path)
        (tmp_path / "empty").mkdir()
        with pytest.raises(NotFoundError, match=r"with no plugins.tb_activations below that can be read\."):
            open_run(tmp_path / "empty")

    @needs_rights
    def test_a_directory_that_may_not_be_read(self, tmp_path):
        build_run(tmp_path / "closed" / "train", "layer a", [1])
        with forbidden(tmp_path / "closed"):
            for path in (tmp_path / "closed", tmp_path / "closed" / "train"):
                with pytest.raises(NotFoundError, match="which may not be read"):
                    open_run(path)

    @pytest.mark.parametrize("path", [None, 5, b"logs", "", "a\0b", ["logs"]])
    def test_what_is_no_path_is_told(self, path):
        with pytest.raises(ArgumentError, match=re.escape(f'`path` must be a path such as "logs/run1". Received: path={path!r}')):
            open_run(path)

    def test_a_path_that_no_file_system_takes(self):
        with pytest.raises(NotFoundError, match="which does not exist"):
            open_run("long" * 5000)

    def test_an_unknown_user_has_no_directory(self):
        with pytest.raises(NotFoundError, match="which does not exist"):
            open_run("~nobody-of-this-name/logs")

    def test_an_address_is_no_directory(self):
        with pytest.raises(ArgumentError, match="`path` must be a local directory: mount or copy it"):
            open_run("gs://bucket/logs")

    def test_no_tensor_library_and_no_tensorboard_are_needed(self, tmp_path):
        run_dir = build_run(tmp_path / "train", "layer a", [1, 2])
        code = (
            "import sys\n"
            "for name in ('tensorflow', 'keras', 'tensorboard', 'werkzeug', 'jax', 'torch'): sys.modules[name] = None\n"
            f"import tb_activations\nrun = tb_activations.open_run({str(run_dir)!r})\n"
            "print(run.steps('a').tolist(), run.value('a', 2).shape, run.nodes[0].state)"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        assert result.stdout.strip() == "[1, 2] (4, 3) materialized"


def test_a_run_answers_many_threads_while_it_grows(tmp_path):
    """Every answer is of one moment: as many steps as numbers, and never fewer than before."""
    graph = parse_nodes("layer a; layer b gradient")
    values = normal_values(graph)
    session = Session(tmp_path, 0)
    fingerprint = session.write_graph(graph)
    run = Run(tmp_path)
    done, wrong = threading.Event(), []

    def read():
        seen = 0
        while not done.is_set() or seen < 60:
            run.refresh()
            history = run.statistics("b", "gradient")
            steps, column = run.column("mean", "gradient")
            if not seen <= len(history["step"]) <= len(steps) == column.shape[1]:
                wrong.append((seen, len(history["step"]), column.shape))
            seen = len(history["step"])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        session.write_captures([capture_of(graph, values, number)], (), fingerprint)
        session.compact_full_levels()
    session.compact_rest()
    done.set()
    for thread in threads:
        thread.join(60)
    assert not wrong
    run.refresh()
    assert run.steps("b", "gradient").tolist() == list(range(60))


def test_a_part_of_nothing_is_not_a_number(tmp_path):
    """A bias that is still 0, and a step at which only the update was recorded."""
    graph = parse_nodes("variable bias [4] update")
    update = np.full(4, 0.5, np.float32)
    tensors = {("value", 0): np.zeros(4, np.float32), ("value", 1): update, ("update", 0): update, ("update", 1): update, ("update", 2): update}
    run = Run(build_run(tmp_path, graph, range(3), lambda name, quantity, step: tensors.get((quantity, step))))
    np.testing.assert_array_equal(run.statistics("bias", "update")["update_ratio"], [np.nan, 1, np.nan])
    np.testing.assert_array_equal(run.column("update_ratio", "update")[1], [[np.nan, 1, np.nan]])


def test_a_ratio_that_float32_can_not_hold_is_infinite(tmp_path):
    tensors = {"value": np.full(4, 1e-30, np.float32), "update": np.full(4, 1e30, np.float32)}
    run = Run(build_run(tmp_path, parse_nodes("variable bias [4] update"), [0], lambda name, quantity, step: tensors.get(quantity)))
    assert run.statistics("bias", "update")["update_ratio"].tolist() == [np.inf]


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))], ids=["copy", "deep copy", "pickle"])  # noqa: S301
def test_a_run_that_is_copied_or_sent_is_opened_anew(tmp_path, take):
    build_run(tmp_path, "layer a", range(3))
    run = Run(tmp_path, KeptColumns(1 << 20))
    run.column("mean")
    build_run(tmp_path, "layer a", range(3, 6))
    taken = take(run)
    assert (taken.path, len(run.steps()), taken.steps().tolist()) == (tmp_path, 3, [*range(6)])
    assert run.refresh()
    assert (taken.version, taken.nodes) == (run.version, run.nodes)
    shutil.rmtree(tmp_path)
    with pytest.raises(NotFoundError, match="which does not exist"):
        take(run)
    with pytest.raises(TypeError, match=r"^A pinned run can't be copied or sent to another process"):
        take(run.pinned())
