"""Several sessions and workers in one run, merged segments, and readers that look while files come and go."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import time
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy

from tb_activations import open_run
from tb_activations.store import folder as folder_module
from tb_activations.store import session as session_module
from tb_activations.store.compact import compact
from tb_activations.store.jsonfile import END_OF_TIME
from tb_activations.store.names import data_directory, graph_name
from tb_activations.store.run import Run
from tb_activations.store.schema import STATISTICS, Capture
from tb_activations.store.segments import open_segment
from tb_activations.store.session import FAN_IN, Session
from tests.builders import capture_of, normal_values, open_writer, parse_nodes, put, record_of, segments_of, write_segments

GRAPH = parse_nodes("input x [3]; layer dense [2,?] <- x relu gradient; variable kernel update")


def marked(steps, mark):
    """Captures whose every number is ``mark``, so that one sees which session a row is of."""
    return [Capture(step, float(step), {"value": record_of({1: np.full((2, 2), mark, np.float32)})}) for step in steps]


class TestSuperseding:
    def test_the_newer_session_wins_from_its_first_step_on(self, tmp_path):
        write_segments(tmp_path, GRAPH, [marked((0, 10, 20), 1), marked((30, 40), 1), marked((50,), 1)], dropped=[5, 45])
        write_segments(tmp_path, GRAPH, [marked((30, 44), 2)])
        run = open_run(tmp_path)
        assert run.steps().tolist() == [0, 10, 20, 30, 44]
        assert run.statistics("dense")["mean"].tolist() == [1, 1, 1, 2, 2]
        assert run.column("mean")[1][1].tolist() == [1, 1, 1, 2, 2]
        assert run.snapshot(30)[0][1, STATISTICS.index("max")] == 2
        assert run.value("dense", 30).tolist() == [[2, 2], [2, 2]]
        assert run.sample_steps("dense").tolist() == [0, 10, 20, 30, 44]
        assert run.histogram("dense").steps.tolist() == [0, 10, 20, 30, 44]
        assert run.captures().dropped.tolist() == [5]
        node = run.nodes[1]
        assert node.quantities["value"].captures == 5

    def test_a_dropped_step_of_the_newer_session_supersedes_too(self, tmp_path):
        write_segments(tmp_path, GRAPH, [marked((0, 10, 20), 1)])
        write_segments(tmp_path, GRAPH, [marked((15,), 2)], dropped=[10])
        run = open_run(tmp_path)
        assert run.steps().tolist() == [0, 15]
        assert run.captures().dropped.tolist() == [10]

    def test_three_sessions(self, tmp_path):
        write_segments(tmp_path, GRAPH, [marked(range(0, 50, 10), 1)])
        write_segments(tmp_path, GRAPH, [marked(range(30, 80, 10), 2)])
        write_segments(tmp_path, GRAPH, [marked(range(20, 40, 10), 3)])
        assert open_run(tmp_path).statistics("dense")["mean"].tolist() == [1, 1, 3, 3]

    def test_a_session_supersedes_those_before_the_one_before_it_too(self, tmp_path):
        """What the second began later than the third does not bring back what the third left behind."""
        write_segments(tmp_path, GRAPH, [marked((0, 10, 20, 25), 1)], dropped=[22])
        write_segments(tmp_path, GRAPH, [marked((30, 40), 2)])
        write_segments(tmp_path, GRAPH, [marked((20, 35), 3)])
        run = open_run(tmp_path)
        assert run.steps().tolist() == [0, 10, 20, 35]
        assert run.statistics("dense")["mean"].tolist() == [1, 1, 3, 3]
        assert run.captures().dropped.tolist() == []

    @pytest.mark.parametrize("later_first", [True, False])
    def test_of_two_rows_of_one_step_in_one_session_the_later_stands(self, tmp_path, later_first):
        rows = [replace(marked((7,), mark)[0], wall_time=100.0 + mark) for mark in (1, 2)]
        write_segments(tmp_path, GRAPH, [[row] for row in (reversed(rows) if later_first else rows)])
        run = open_run(tmp_path)
        assert (run.captures().wall_time.tolist(), run.statistics("dense")["mean"].tolist()) == ([102], [2])

    def test_the_newer_session_wins_though_the_clock_was_set_back(self, tmp_path, monkeypatch):
        for mark, (steps, moment) in enumerate((((0, 10, 20), 2.0e9), ((20, 30), 1.9e9), ((30, 40), 1.8e9))):
            monkeypatch.setattr(time, "time", lambda moment=moment: moment)
            write_segments(tmp_path, GRAPH, [marked(steps, mark)])
        assert open_run(tmp_path).statistics("dense")["mean"].tolist() == [0, 0, 1, 2, 2]

    def test_the_newer_session_wins_though_it_wrote_first(self, tmp_path):
        """A training that an error ended holds its last captures a moment longer; the next one may be over by then."""
        earlier = Session(tmp_path, 0)
        earlier.prepare()
        write_segments(tmp_path, GRAPH, [marked((0, 10), 2)])
        earlier.write_captures(marked((0,), 1), [], earlier.write_graph(GRAPH))
        assert open_run(tmp_path).statistics("dense")["mean"].tolist() == [2, 2]

    def test_who_began_many_sessions_opens_no_file_to_begin_the_next(self, tmp_path, monkeypatch):
        monkeypatch.setattr(time, "time", lambda: 1.9e9)
        for mark in range(3):
            write_segments(tmp_path, GRAPH, [marked((0, 10), mark)])
        monkeypatch.setattr(session_module, "open_segment", lambda path: pytest.fail(f"{path} was opened"))
        write_segments(tmp_path, GRAPH, [marked((10,), 3)])
        assert open_run(tmp_path).statistics("dense")["mean"].tolist() == [2, 3]

    def test_the_graph_written_last_is_the_newest_though_the_clock_was_set_back(self, tmp_path, monkeypatch):
        others = [parse_nodes(f"input x{number} [3]") for number in range(4)]
        for moment, graphs in ((2.0e9, others[:1]), (1.9e9, others[1:3]), (1.8e9, others[3:]), (1.7e9, others[:1])):
            monkeypatch.setattr(time, "time", lambda moment=moment: moment)
            session = Session(tmp_path, 0)
            for graph in graphs:
                fingerprint = session.write_graph(graph)
                assert open_run(tmp_path).graph == fingerprint
        assert open_run(tmp_path).nodes[0].name == "x0"

    def test_a_session_may_write_more_than_a_million_segments(self, tmp_path):
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        session._serial = 10**6 - FAN_IN // 2
        for step in range(FAN_IN):
            session.write_captures(marked((step,), 1), [], fingerprint)
        assert [open_segment(path).id.serial for path in segments_of(tmp_path)] == [*range(10**6 - FAN_IN // 2, 10**6 + FAN_IN // 2)]
        session.compact_full_levels()
        assert [open_segment(path).id.serial for path in segments_of(tmp_path)] == [10**6 + FAN_IN // 2]
        assert open_run(tmp_path).steps().tolist() == [*range(FAN_IN)]

    def test_times_that_nobody_could_outdo_are_no_reason_to_write_what_cannot_be_read(self, tmp_path):
        """A graph file that says it was made at the end of time is anybody's; ours is sound all the same."""
        other = Session(tmp_path, 0).write_graph(parse_nodes("input other [3]"))
        path = data_directory(tmp_path) / graph_name(other)
        path.write_text(json.dumps({**json.loads(path.read_text()), "created": math.nextafter(END_OF_TIME, 0)}))
        write_segments(tmp_path, GRAPH, [marked((0, 10), 1)])
        run = open_run(tmp_path)
        assert run.problems == ()
        assert run.steps().tolist() == [0, 10]

    def test_another_worker_supersedes_nothing(self, tmp_path):
        write_segments(tmp_path, GRAPH, [marked((0, 10), 1)], worker=0)
        write_segments(tmp_path, GRAPH, [marked((0, 10), 3)], worker=1)
        assert open_run(tmp_path).statistics("dense")["mean"].tolist() == [2, 2]

    def test_counts_where_a_session_is_cut_in_the_middle_of_a_segment(self, tmp_path):
        """`recorded` of the segment is no longer true then: the counts decide."""
        rare = [capture for step in range(6) for capture in (marked((step,), 1) if step in (1, 4) else [Capture(step, 0.0, {})])]
        write_segments(tmp_path, GRAPH, [rare])
        write_segments(tmp_path, GRAPH, [[Capture(3, 0.0, {})]])
        run = open_run(tmp_path)
        assert run.steps().tolist() == [0, 1, 2, 3]
        assert run.steps("dense").tolist() == [1]
        assert run.nodes[1].quantities["value"].captures == 1

    def test_a_sample_that_was_superseded_is_no_sample(self, tmp_path):
        write_segments(tmp_path, GRAPH, [marked((0, 10), 1)])
        without = [capture_of(GRAPH, normal_values(GRAPH), 0, samples=False)]
        write_segments(tmp_path, GRAPH, [without])
        assert not open_run(tmp_path).nodes[1].quantities["value"].sampled


def answers(run):
    """Everything that a reader says of the numbers of a run."""
    said = list(astuple(run.captures()))
    for quantity in ("value", "gradient", "update"):
        said += [*run.column("mean", quantity), *run.column("elements", quantity)]
        for node in run.nodes:
            history = run.statistics(node.name, quantity)
            said += [*history.values(), *run.histogram(node.name, quantity)]
            said += [run.value(node.name, step, quantity) for step in run.sample_steps(node.name, quantity).tolist()]
    return said


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def varied_captures(count):
    """Captures that lack nodes, quantities, histograms and samples here and there, in shapes and dtypes that change."""
    draw = random.Random(0)
    captures = []
    for step in range(count):
        quantities = {}
        for quantity in ("value", "gradient", "update"):
            nodes = [node for node in range(3) if draw.random() < 0.7]
            tensors = {
                node: np.random.default_rng((step, node)).standard_normal((draw.randint(0, 4), 3)).astype(draw.choice(("f4", "f2"))) for node in nodes
            }
            if tensors and draw.random() < 0.8:
                quantities[quantity] = record_of(tensors, draw.random() < 0.6, draw.random() < 0.6)
        captures.append(Capture(step, float(step), quantities, rank=0, epoch=step // 7, overhead=0.5 * step, loss_scale=float(step)))
    return captures


class TestCompaction:
    def test_nothing_changes_for_the_reader(self, tmp_path):
        captures = varied_captures(40)
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        draw = random.Random(1)
        rows = [captures[start : start + 2] for start in range(0, 40, 2)]
        for number, part in enumerate(rows):
            session.write_captures(part, [1000 + number] if draw.random() < 0.3 else [], fingerprint)
        before = answers(open_run(tmp_path))
        assert len(segments_of(tmp_path)) == 20
        session.compact_rest()
        assert len(segments_of(tmp_path)) == 1
        assert_same(answers(open_run(tmp_path)), before)

    def test_rows_that_interleave_are_ordered(self, tmp_path):
        write_segments(tmp_path, GRAPH, [marked((10, 30), 1), marked((0, 20), 2)])
        arrays = compact([open_segment(path) for path in segments_of(tmp_path)])
        assert arrays["step"].tolist() == [0, 10, 20, 30]
        assert arrays["statistics/value"][0, :, STATISTICS.index("mean")].tolist() == [2, 1, 2, 1]

    def test_levels_keep_the_number_of_files_small(self, tmp_path):
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        most = 0
        for step in range(3 * FAN_IN**2):
            session.write_captures(marked((step,), step), (), fingerprint)
            session.compact_full_levels()
            most = max(most, len(segments_of(tmp_path)))
        assert most <= 3 * FAN_IN
        assert len(segments_of(tmp_path)) == 3
        assert open_run(tmp_path).statistics("dense")["mean"].tolist() == list(range(3 * FAN_IN**2))

    def test_a_merged_segment_stays_within_its_bound(self, tmp_path, monkeypatch):
        monkeypatch.setattr(session_module, "COMPACT_BYTES", 40_000)
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        for step in range(60):
            session.write_captures([capture_of(GRAPH, normal_values(GRAPH), step)], (), fingerprint)
            session.compact_full_levels()
        session.compact_rest()
        sizes = [path.stat().st_size for path in segments_of(tmp_path)]
        assert 1 < len(sizes) < 10
        assert max(sizes) <= 40_000
        assert open_run(tmp_path).steps("dense").tolist() == list(range(60))

    def test_at_the_end_big_segments_stay_as_they_are(self, tmp_path, monkeypatch):
        monkeypatch.setattr(session_module, "SMALL_BYTES", 10_000)
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        for first, count in ((0, 1), (1, 1), (2, 30), (32, 30), (62, 1), (63, 1)):
            session.write_captures([capture_of(GRAPH, normal_values(GRAPH), step) for step in range(first, first + count)], (), fingerprint)
        big = [path.name for path in segments_of(tmp_path)][2:4]
        session.compact_rest()
        assert [open_segment(path).step[0] for path in segments_of(tmp_path)] == [0, 2, 32, 62]
        assert [path.name for path in segments_of(tmp_path)][1:3] == big

    def test_generations_and_budget_stages_are_not_mixed(self, tmp_path):
        session = Session(tmp_path, 0)
        other = parse_nodes("layer dense")
        first, second = session.write_graph(GRAPH), session.write_graph(other)
        for step, (graph, budget) in enumerate(
            [(first, ""), (first, ""), (second, ""), (second, ""), (second, "no_samples"), (second, "no_samples")]
        ):
            row = Capture(step, 0.0, {"value": record_of({0: np.full((2, 2), step, np.float32)})})
            session.write_captures([row], (), graph, budget)
        session.compact_rest()
        assert [open_segment(path).step.tolist() for path in segments_of(tmp_path)] == [[0, 1], [2, 3], [4, 5]]

    def test_a_reader_that_sees_both_leaves_out_the_replaced(self, tmp_path):
        run_dir, kept = tmp_path / "run", tmp_path / "kept"
        session = Session(run_dir, 0)
        fingerprint = session.write_graph(GRAPH)
        for step in range(4):
            session.write_captures(marked((step,), step), (), fingerprint)
        shutil.copytree(run_dir, kept)
        session.compact_rest()
        for path in segments_of(kept):
            shutil.copy(path, run_dir / "plugins/tb_activations")
        assert len(segments_of(run_dir)) == 5
        run = open_run(run_dir)
        assert run.steps("dense").tolist() == [0, 1, 2, 3]
        assert run.nodes[1].quantities["value"].captures == 4

    def test_a_replaced_file_that_is_damaged_is_no_problem(self, tmp_path):
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        for step in range(2):
            session.write_captures(marked((step,), step), (), fingerprint)
        names = [path.name for path in segments_of(tmp_path)]
        session.compact_rest()
        for name in names:
            (tmp_path / "plugins/tb_activations" / name).write_bytes(b"half deleted")
        assert open_run(tmp_path).problems == ()

    def test_samples_of_unlike_ranks_keep_their_shapes_and_strides(self, tmp_path):
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        tensors = [np.arange(6, dtype=np.float32).reshape(shape) for shape in ((6,), (2, 3), (1, 2, 3), (3, 2))]
        for step, tensor in enumerate(tensors):
            record = record_of({1: tensor})
            record = replace(record, strides={1: (3, 7)}) if step == 1 else record
            session.write_captures([Capture(step, float(step), {"value": record})], [], fingerprint)
        session.compact_rest()
        assert len(segments_of(tmp_path)) == 1
        for step, tensor in enumerate(tensors):
            numbers, strides = open_run(tmp_path).sample("dense", step)
            np.testing.assert_array_equal(numbers, tensor)
            assert strides == ((3, 7) if step == 1 else (1,) * tensor.ndim)

    def test_a_reader_that_has_opened_what_is_merged_away_goes_on(self, tmp_path):
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        for step in range(6):
            session.write_captures([capture_of(GRAPH, normal_values(GRAPH), step)], (), fingerprint)
        run = Run(tmp_path)
        nodes = run.nodes
        version = run.version
        session.compact_rest()
        assert run.statistics("dense", "gradient")["step"].tolist() == list(range(6))
        assert run.version != version
        assert run.nodes == nodes
        np.testing.assert_array_equal(run.value("dense", 3), normal_values(GRAPH)("dense", "value", 3))

    @pytest.mark.parametrize("opened_before", [True, False])
    def test_a_listing_that_is_taken_while_segments_are_merged_is_taken_again(self, tmp_path, monkeypatch, opened_before):
        """A directory that changes while it is listed may show neither what was deleted meanwhile nor what was made."""
        session = Session(tmp_path, 0)
        fingerprint = session.write_graph(GRAPH)
        for step in range(6):
            session.write_captures(marked((step,), 1), (), fingerprint)
        run = Run(tmp_path) if opened_before else None
        scandir, merge = os.scandir, [session.compact_rest]

        @contextmanager
        def list_while_merging(path):
            with scandir(path) as entries:
                listed = list(entries)
            while merge:
                merge.pop()()
            yield [entry for entry in listed if Path(entry.path).exists()]

        monkeypatch.setattr(folder_module, "os", SimpleNamespace(scandir=list_while_merging))
        if run is None:
            run = Run(tmp_path)
        else:
            run.refresh()
        assert run.steps().tolist() == list(range(6))

    def test_another_session_cannot_be_replaced(self, tmp_path):
        """A file that claims to replace another writer's segment is refused; the data it names stays."""
        write_segments(tmp_path, GRAPH, [marked((0, 1), 1)])
        (victim,) = segments_of(tmp_path)
        claim = victim.name.replace(victim.name.split("-")[3], "ffffffff").replace("000000.safe", "000009.safe")
        safetensors.numpy.save_file(
            {}, victim.with_name(claim), {**open_segment(victim).file.metadata, "session": "ffffffff", "replaces": victim.name}
        )
        run = open_run(tmp_path)
        assert run.steps().tolist() == [0, 1]
        assert "bad_replaces" in run.problems[0]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_that_end_at_different_steps(tmp_path, workers):
    for worker in range(workers):
        write_segments(tmp_path, GRAPH, [marked(range(0, 30 + 10 * worker, 10), worker)], worker=worker)
    run = open_run(tmp_path)
    assert run.steps().tolist() == list(range(0, 30 + 10 * (workers - 1), 10))
    assert run.statistics("dense")["elements"].tolist()[0] == 4 * workers
    assert run.statistics("dense")["elements"].tolist()[-1] == 4


def test_a_merge_that_can_not_be_written_ends_no_recording(tmp_path, monkeypatch):
    write = session_module.write_arrays

    def full(path, arrays, metadata):
        if metadata["replaces"]:
            raise OSError(28, "No space left on device")
        return write(path, arrays, metadata)

    monkeypatch.setattr(session_module, "write_arrays", full)
    with open_writer(tmp_path, GRAPH) as writer:
        for step in range(2 * FAN_IN):
            put(writer, step, [capture_of(GRAPH, normal_values(GRAPH), step)])
            writer.flush()
    assert writer.failure is None
    run = open_run(tmp_path)
    assert (run.steps().tolist(), run.problems) == (list(range(2 * FAN_IN)), ())


def test_a_segment_that_goes_away_while_it_is_weighed_is_passed_over(tmp_path, monkeypatch):
    session = Session(tmp_path, 0)
    session.prepare()
    fingerprint = session.write_graph(GRAPH)
    for step in range(3):
        session.write_captures([capture_of(GRAPH, normal_values(GRAPH), step)], [], fingerprint)
    files = sorted(data_directory(tmp_path).iterdir())
    sizes = [path.stat().st_size for path in files]
    gone = files[-1].with_name(f"segment-000000000009-0000-{session.token}-000009.safetensors")
    monkeypatch.setattr(Path, "iterdir", lambda path: iter([*files, gone]))
    assert session.used_bytes() == sum(sizes)
