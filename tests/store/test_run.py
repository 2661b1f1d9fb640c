"""Reading: one suite for a finished run, a growing one, and one with torn and foreign files between its own."""

from __future__ import annotations

import functools
import os
import re
import shutil

import numpy as np
import pytest

from tb_activations import open_run
from tb_activations.errors import ArgumentError, NotFoundError
from tb_activations.store.run import Run
from tb_activations.store.schema import COUNTS, NOT_RECORDED, QUANTITIES, STATISTICS
from tests.builders import (
    START,
    TYPICAL_DROPPED,
    TYPICAL_STEPS,
    build_typical,
    histogram_of,
    segments_of,
    statistics_of,
    typical_graph,
    typical_values,
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
        assert 'include=[r"^add$"]' in nodes["add"].code_to_paste
        gradient = nodes["head/auxiliary"].quantities["gradient"]
        assert (gradient.state, gradient.reason, gradient.captures) == ("unreachable", "not_on_loss_path", 0)
        assert nodes["head/auxiliary"].state == "materialized"

    def test_statistics_are_those_of_the_tensors(self, run):
        for node, quantity in recorded_quantities():
            history = run.statistics(node, quantity)
            assert list(history) == ["step", *STATISTICS, *COUNTS, *(["update_ratio"] if quantity == "update" else [])]
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

    def test_how_large_a_part_of_a_weight_a_step_changes(self, run):
        steps, column = run.column("update_ratio", "update")
        variables = [node.name for node in GRAPH.nodes if node.kind == "variable" and node.trainable]
        assert variables
        for position, node in enumerate(GRAPH.nodes):
            expected = np.full(len(steps), np.nan)
            for name in {node.name} & set(variables):
                expected = [np.linalg.norm(tensors(name, "update")[step]) / np.linalg.norm(tensors(name)[step]) for step in TYPICAL_STEPS]
                np.testing.assert_allclose(run.statistics(name, "update")["update_ratio"], expected, rtol=1e-5)
            np.testing.assert_allclose(column[position], expected, rtol=1e-5)
        later, part = run.column("update_ratio", "update", after=100, until=200)
        np.testing.assert_array_equal(part, column[:, np.isin(steps, later)])
        assert "update_ratio" not in run.statistics(variables[0])
        with pytest.raises(NotFoundError, match="statistic='update_ratio', quantity='value'"):
            run.column("update_ratio")

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
        with pytest.raises(NotFoundError, match=r"Expected a statistic of min, .*, nonfinite_count. Received: statistic='median'"):
            run.column("median")

    @pytest.mark.parametrize("name", [None, 5, b"image", ["image"]])
    def test_what_is_no_name_of_a_node_is_told(self, run, name):
        with pytest.raises(
            ArgumentError, match=re.escape(f"Expected the name of a node as str, such as `run.nodes[0].name`. Received: node={name!r}")
        ):
            run.statistics(name)

    def test_a_node_in_the_place_of_its_name_is_told(self, run):
        with pytest.raises(ArgumentError, match=r"Received: node=Node\(name='image'"):
            run.statistics(run.nodes[0])

    @pytest.mark.parametrize("step", [None, "8", 8.5, float("nan"), True, [8], [], np.array([8])])
    def test_what_is_no_step_is_told(self, run, step):
        questions = {
            "step": (lambda: run.value("image", step), lambda: run.snapshot(step), lambda: run.left_out("image", step)),
            "after": (lambda: run.column("mean", after=step),),
            "until": (lambda: run.column("mean", until="8" if step is None else step),),
            "start": (lambda: run.window(start=step, stop=3),),
            "stop": (lambda: run.window(start=0, stop=step),),
        }
        for name, asked in questions.items():
            for ask in asked:
                with pytest.raises(ArgumentError, match=rf"^Expected `{name}` to be an integer\. Received: {name}="):
                    ask()

    def test_bounds_may_come_out_of_a_table_and_be_beyond_everything(self, run):
        steps = run.steps()
        for after, until in ((8.0, np.float32(24)), (np.int8(8), 24), (-(10**30), 10**30), (2**63, None), (8, -1)):
            expected = [step for step in steps.tolist() if after < step and (until is None or step <= until)]
            assert run.column("mean", after=after, until=until)[0].tolist() == expected
        assert run.window(start=1.0, stop=10**30)[0].shape[1] == len(steps) - 1

    @pytest.mark.parametrize("step", [np.int64(8), np.uint8(8), 8.0, np.float64(8)])
    def test_a_step_may_come_out_of_a_table(self, run, step):
        np.testing.assert_array_equal(run.value("image", step), run.value("image", 8))

    def test_a_replica_that_was_not_recorded_is_told(self, run):
        np.testing.assert_array_equal(run.statistics("image", rank=0)["mean"], run.statistics("image")["mean"])
        with pytest.raises(NotFoundError, match=r"Expected the rank of a recorded replica: 0\. Received: rank=1"):
            run.statistics("image", rank=1)
        with pytest.raises(NotFoundError, match="rank=-1"):
            run.history("image", rank=-1)
        with pytest.raises(ArgumentError, match=r"Expected `rank` to be an integer\. Received: rank='first'"):
            run.statistics("image", rank="first")

    def test_why_there_are_no_raw_numbers_is_told(self, run):
        for name, quantity in (("head/auxiliary", "gradient"), ("add", "value"), ("unused", "value")):
            state = run.node(name).quantities[quantity]
            with pytest.raises(NotFoundError, match=re.escape(f"were kept at step 8. {state.sentence} {state.remedy}".rstrip())):
                run.value(name, 8, quantity)
        with pytest.raises(NotFoundError, match=r"were kept at step 8\. There are none at any step: .*`samples`"):
            run.value("image", 8, "update")

    def test_a_node_by_its_name(self, run):
        assert [run.node(node.name) for node in run.nodes] == list(run.nodes)
        with pytest.raises(NotFoundError, match="Nearest: 'head/dense'"):
            run.node("head/dens")

    @pytest.mark.parametrize("cut", [slice(0, 99), slice(-3, None), slice(5, 2), slice(99, 120), slice(2, 4)])
    def test_a_window_is_cut_as_a_list_of_steps_is(self, run, cut):
        stop = len(run.steps()) if cut.stop is None else cut.stop
        statistics, counts = run.window(start=cut.start, stop=stop)
        steps = run.steps()[cut.start : stop].tolist()
        assert statistics.shape[1] == counts.shape[1] == len(steps)
        for column, step in enumerate(steps):
            np.testing.assert_array_equal(statistics[:, column], run.snapshot(step)[0])

    def test_a_generation_that_the_run_does_not_have_is_told(self, run):
        with pytest.raises(NotFoundError, match=f"Expected the fingerprint of a generation: {run.graph}. Received: graph='other'"):
            run.planned_nodes("other")

    def test_a_quantity_that_was_never_recorded_is_empty_not_an_error(self, run):
        assert run.steps("image", "update").tolist() == []
        assert run.statistics("image", "update")["mean"].tolist() == []
        assert run.histogram("image", "update").counts.shape[0] == 0

    @pytest.mark.parametrize("quantity", QUANTITIES)
    def test_it_holds_the_quantities_that_some_node_was_recorded_with(self, run, quantity):
        assert run.holds(quantity) == any(len(run.steps(node.name, quantity)) for node in run.nodes)

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
        segments = segments_of(folder)
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
    path = segments_of(run_dir)[2]
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
    path = segments_of(run_dir)[1]
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
