"""Reading: one suite for a finished run, a growing one, and one with torn and foreign files between its own."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tb_activations import open_run
from tb_activations.errors import ArgumentError, NotFoundError
from tb_activations.store.run import Run
from tb_activations.store.schema import COUNTS, NOT_RECORDED, STATISTICS, Capture, QuantityRecord
from tb_activations.store.session import Session
from tests.builders import (
    START,
    TYPICAL_DROPPED,
    TYPICAL_STEPS,
    build_run,
    build_typical,
    capture_of,
    histogram_of,
    normal_values,
    parse_nodes,
    record_of,
    statistics_of,
    typical_graph,
    typical_values,
    write_segments,
)

GRAPH = typical_graph()
VALUES = typical_values(GRAPH)


@functools.cache
def tensors(node, quantity="value"):
    """The steps at which a node was recorded, and its tensors there."""
    pairs = [(step, VALUES(node, quantity, step)) for step in TYPICAL_STEPS]
    return {step: tensor for step, tensor in pairs if tensor is not None}


@functools.cache
def expected_statistics(node, quantity):
    """float32[C, K] and int64[C, 4]."""
    pairs = [statistics_of(tensor) for tensor in tensors(node, quantity).values()]
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


def recorded_quantities():
    return [
        (node.name, quantity) for node in GRAPH.nodes for quantity, plan in node.quantities.items() if plan.reason is None or node.name == "head/rare"
    ]


@pytest.fixture(scope="class")
def run(request, tmp_path_factory):
    return request.cls.make(tmp_path_factory)


class ReaderSuite:
    """What every reader must answer for the typical run, whatever state its files are in."""

    @staticmethod
    def make(tmp_path_factory) -> Run:
        """Makes the run that the suite is applied to."""
        raise NotImplementedError

    def test_the_steps_are_exactly_those_recorded(self, run):
        assert run.steps().dtype == np.int64
        assert run.steps().tolist() == list(TYPICAL_STEPS)
        for node, quantity in recorded_quantities():
            assert run.steps(node, quantity).tolist() == list(tensors(node, quantity)), (node, quantity)

    def test_nodes_are_those_of_the_graph_in_order(self, run):
        assert [node.name for node in run.nodes] == [node.name for node in GRAPH.nodes]
        for node, record in zip(run.nodes, GRAPH.nodes, strict=True):
            for attribute in ("kind", "class_name", "dtype", "shape", "trainable", "activation", "source", "inputs", "attributes"):
                assert getattr(node, attribute) == getattr(record, attribute)

    def test_states_follow_from_captures_and_reasons(self, run):
        nodes = {node.name: node for node in run.nodes}
        for name, quantity in recorded_quantities():
            state = nodes[name].quantities[quantity]
            assert (state.state, state.reason, state.captures, state.sampled) == ("materialized", None, len(tensors(name, quantity)), True)
        assert nodes["head/rare"].state == "materialized"
        assert (nodes["unused"].state, nodes["unused"].reason) == ("unreachable", "not_called")
        assert (nodes["add"].state, nodes["add"].reason) == ("available", "filtered")
        assert "`add`" in nodes["add"].sentence
        assert 'include=[r"add"]' in nodes["add"].code_to_paste
        gradient = nodes["head/auxiliary"].quantities["gradient"]
        assert (gradient.state, gradient.reason, gradient.captures) == ("unreachable", "not_on_loss_path", 0)
        assert nodes["head/auxiliary"].state == "materialized"

    def test_statistics_are_those_of_the_tensors(self, run):
        for node, quantity in recorded_quantities():
            history = run.statistics(node, quantity)
            assert list(history) == ["step", *STATISTICS, *COUNTS]
            statistics, counts = expected_statistics(node, quantity)
            np.testing.assert_array_equal(np.stack([history[name] for name in STATISTICS], axis=1), statistics)
            np.testing.assert_array_equal(np.stack([history[name] for name in COUNTS], axis=1), counts)

    @pytest.mark.parametrize("quantity", ["value", "gradient", "update"])
    def test_a_snapshot_has_every_node_in_order(self, run, quantity):
        for step in (0, 152, 160, 392):
            statistics, counts = run.snapshot(step, quantity)
            assert statistics.shape == (len(GRAPH.nodes), len(STATISTICS))
            for position, node in enumerate(GRAPH.nodes):
                tensor = VALUES(node.name, quantity, step) if (node.name, quantity) in recorded_quantities() else None
                if tensor is None:
                    assert np.isnan(statistics[position]).all()
                    assert counts[position].tolist() == [NOT_RECORDED, 0, 0, 0]
                else:
                    expected = statistics_of(tensor)
                    np.testing.assert_array_equal(statistics[position], expected[0])
                    np.testing.assert_array_equal(counts[position], expected[1])

    @pytest.mark.parametrize("statistic", ["mean", "l2_norm", "nan_count", "elements"])
    def test_a_column_is_the_histories_side_by_side(self, run, statistic):
        steps, column = run.column(statistic)
        assert steps.tolist() == list(TYPICAL_STEPS)
        assert column.dtype == np.float32
        for position, node in enumerate(GRAPH.nodes):
            history = run.statistics(node.name)
            missing = NOT_RECORDED if statistic in COUNTS else np.nan
            expected = np.full(len(steps), missing, np.float32)
            expected[np.isin(steps, history["step"])] = history[statistic]
            np.testing.assert_array_equal(column[position], expected)
        for after in (-1, 0, 151, 152, 391, 392):
            later, part = run.column(statistic, after=after)
            assert later.tolist() == [step for step in TYPICAL_STEPS if step > after]
            np.testing.assert_array_equal(part, column[:, len(steps) - len(later) :])
            stretch, part = run.column(statistic, after=after, until=200)
            assert stretch.tolist() == [step for step in TYPICAL_STEPS if after < step <= 200]
            np.testing.assert_array_equal(part, column[:, np.isin(steps, stretch)])

    def test_histograms_hold_every_finite_element(self, run):
        for node, quantity in recorded_quantities():
            histogram = run.histogram(node, quantity)
            expected = tensors(node, quantity)
            assert histogram.steps.tolist() == list(expected)
            for row, tensor in enumerate(expected.values()):
                counts, limits = histogram_of(tensor)
                np.testing.assert_array_equal(histogram.counts[row], counts)
                np.testing.assert_array_equal(histogram.edges[row], np.linspace(*limits.astype(float), 65))
            assert histogram.counts.dtype == np.uint32

    def test_values_come_back_bit_by_bit(self, run):
        for node, quantity in recorded_quantities():
            assert run.sample_steps(node, quantity).tolist() == list(tensors(node, quantity))
            for step, tensor in list(tensors(node, quantity).items())[::7]:
                value = run.value(node, step, quantity)
                assert (value.dtype, value.shape, value.tobytes()) == (tensor.dtype, tensor.shape, tensor.tobytes())

    def test_captures_say_when_and_at_what_cost(self, run):
        captures = run.captures()
        assert captures.step.tolist() == list(TYPICAL_STEPS)
        assert captures.wall_time.tolist() == [START + step for step in TYPICAL_STEPS]
        assert captures.epoch.tolist() == [step // 100 for step in TYPICAL_STEPS]
        assert captures.overhead.tolist() == [0.001] * len(TYPICAL_STEPS)
        assert np.isnan(captures.loss_scale).all()
        assert captures.dropped.tolist() == list(TYPICAL_DROPPED)

    def test_unknown_names_get_the_nearest(self, run):
        with pytest.raises(NotFoundError, match=r"Received: node='encoder/conv2'\. Nearest: 'encoder/conv2d'"):
            run.statistics("encoder/conv2")
        with pytest.raises(NotFoundError, match=r"The run has 14 nodes; see run\.nodes"):
            run.histogram("zzzzzz")
        with pytest.raises(NotFoundError, match=r"Received: step=13\. Nearest: 8, 16\."):
            run.snapshot(13)
        with pytest.raises(NotFoundError, match=r"Received: step=9999\. Nearest: 392\."):
            run.value("image", 9999)
        with pytest.raises(NotFoundError, match=r"No raw numbers of 'head/rare' \(value\) were kept at step 8\. Nearest: 0, 24\."):
            run.value("head/rare", 8)
        with pytest.raises(ArgumentError, match=r"Expected a quantity of value, gradient, update. Received: quantity='weights'"):
            run.steps("image", "weights")
        with pytest.raises(NotFoundError, match=r"Expected a statistic of min, .*, neg_inf_count. Received: statistic='median'"):
            run.column("median")

    def test_a_quantity_that_was_never_recorded_is_empty_not_an_error(self, run):
        assert run.steps("image", "update").tolist() == []
        assert run.statistics("image", "update")["mean"].tolist() == []
        assert run.histogram("image", "update").counts.shape[0] == 0

    def test_what_the_graph_says_of_the_run(self, run):
        assert run.model == {"name": "model", "class": "Functional"}
        assert run.configuration == {"every": 1}
        assert run.versions["keras"] == "3.15.1"
        assert len(run.graph) == 16


class TestFinishedRun(ReaderSuite):
    @staticmethod
    def make(tmp_path_factory):
        return open_run(build_typical(tmp_path_factory.mktemp("finished") / "train"))

    def test_nothing_is_wrong(self, run):
        assert run.problems == ()
        assert not run.refresh()


class TestGrowingRun(ReaderSuite):
    """The same run, read while its files appear one by one."""

    @staticmethod
    def make(tmp_path_factory):
        whole = build_typical(tmp_path_factory.mktemp("whole") / "train") / "plugins/tb_activations"
        folder = tmp_path_factory.mktemp("growing") / "train" / "plugins/tb_activations"
        folder.mkdir(parents=True)
        run = Run(folder.parents[1])
        assert (run.nodes, run.steps().tolist(), run.graph, run.refresh()) == ((), [], "", False)
        versions = {run.version}
        for path in sorted(whole.iterdir()):
            shutil.copy(path, folder / "x.tmp")
            assert not run.refresh()
            (folder / "x.tmp").rename(folder / path.name)
            assert run.refresh()
            versions.add(run.version)
            assert len(run.nodes) == len(GRAPH.nodes)
            assert run.steps("image").tolist() == run.steps().tolist()
        assert len(versions) == 5
        return run

    def test_a_growing_run_and_a_finished_one_have_the_same_version_for_the_same_files(self, run):
        assert Run(run.path).version == run.version


class TestTornRun(ReaderSuite):
    """The same run with files between its own that are torn, foreign or hostile."""

    @staticmethod
    def make(tmp_path_factory):
        run_dir = build_typical(tmp_path_factory.mktemp("torn") / "train")
        folder = run_dir / "plugins/tb_activations"
        segments = sorted(folder.glob("segment-*"))
        content = segments[1].read_bytes()
        session = segments[1].name.split("-")[3]
        for number, length in enumerate((0, 7, 100, len(content) // 2, len(content) - 1)):
            (folder / f"segment-000000000160-0000-{session}-{100 + number:06d}.safetensors").write_bytes(content[:length])
        (folder / "segment-000000000160-0001-ffffffff-000000.safetensors").write_bytes(content)
        (folder / "graph-ffffffffffffffff.json").write_text('{"format": "tb_activations", "version": 99}', encoding="utf-8")
        (folder / "segment-000000000000-0000-00000000-000000.safetensors").mkdir()
        (folder / "segment-000000000000-0000-00000000-000001.safetensors").symlink_to(folder / "nowhere")
        os.mkfifo(folder / "segment-000000000000-0000-00000000-000002.safetensors")  # whoever opens it waits for ever
        for name in ("notes.txt", f"{segments[0].name}.tmp", "segment-x.safetensors", "graph-1.json"):
            (folder / name).write_bytes(b"\0" * 64)
        return open_run(run_dir)

    def test_each_bad_file_is_one_named_problem(self, run):
        problems = "\n".join(run.problems)
        assert len(run.problems) == 7
        for code in ("file_too_short", "header_truncated", "data_truncated", "wrong_session", "version_too_new"):
            assert f"left out: {code}: " in problems


def test_a_torn_file_counts_once_it_is_whole(tmp_path):
    run_dir = build_typical(tmp_path / "train")
    path = sorted(run_dir.rglob("segment-*"))[2]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    run = open_run(run_dir)
    assert len(run.problems) == 1
    assert run.steps().tolist() == list(TYPICAL_STEPS[:40])
    path.write_bytes(content)
    assert run.refresh()
    assert run.problems == ()
    assert run.steps().tolist() == list(TYPICAL_STEPS)


@pytest.mark.parametrize("harm", ["delete", "truncate", "garbage"])
def test_a_segment_lost_after_it_was_opened_costs_its_steps_only(tmp_path, harm):
    run_dir = build_typical(tmp_path / "train")
    run = open_run(run_dir)
    path = sorted(run_dir.rglob("segment-*"))[1]
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000] if harm == "truncate" else os.urandom(5000))
    left = [*TYPICAL_STEPS[:20], *TYPICAL_STEPS[40:]]
    assert run.statistics("image")["step"].tolist() == left
    assert run.column("mean")[0].tolist() == left
    assert len(run.problems) == (harm != "delete")
    with pytest.raises(NotFoundError, match="Expected a recorded step"):
        run.value("image", TYPICAL_STEPS[25])


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


def test_a_sample_of_a_dtype_without_a_name_is_left_out_and_the_statistics_stay(tmp_path):
    record = record_of({0: np.ones(3, np.float32)})
    odd = QuantityRecord(record.nodes, record.statistics, record.counts, samples={0: np.array(["text"])})
    write_segments(tmp_path, parse_nodes("layer a"), [[Capture(1, 0.0, {"value": odd})]])
    run = open_run(tmp_path)
    assert run.statistics("a")["max"].tolist() == [1.0]
    assert not run.nodes[0].quantities["value"].sampled


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


def test_statistics_that_only_some_segments_have(tmp_path):
    """A newer writer adds a column: it is read by name, and older captures have NaN there."""
    graph = parse_nodes("layer a")
    write_segments(tmp_path, graph, [[capture_of(graph, normal_values(graph), step)] for step in (1, 2)])
    path = sorted(tmp_path.rglob("segment-*"))[1]
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
        with pytest.raises(NotFoundError, match=r"holds plugins/tb_activations\. Received: path=.*none below"):
            open_run(tmp_path)
        with pytest.raises(NotFoundError, match="is not a directory"):
            open_run(tmp_path / "nothing")

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
