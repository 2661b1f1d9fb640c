"""One moment of a run: what is asked of it does not change, whatever is written, merged or refreshed meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.store.container import FileChangedError
from tb_activations.store.run import Run
from tb_activations.store.session import Session
from tests.builders import build_run, capture_of, normal_values, parse_nodes, segments_of

GRAPH = parse_nodes("input x [4]; layer dense [8] <- x relu")


def _answers(run):
    return [run.version, run.problems, run.steps(), run.captures().wall_time, *run.window(start=2, stop=6), *run.history("dense"), len(run.nodes)]


def _assert_same(run, before):
    for now, then in zip(_answers(run), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_earlier_steps_of_another_worker_do_not_shift_the_positions(tmp_path):
    run = Run(build_run(tmp_path, GRAPH, range(10, 100, 10)))
    pinned, before = run.pinned(), _answers(run)
    build_run(tmp_path, GRAPH, range(0, 9, 3), worker=1, marker=False)
    assert run.refresh()
    assert not pinned.refresh()
    _assert_same(pinned, before)
    assert run.captures().step[2] != pinned.captures().step[2]


def test_rows_are_found_where_a_merge_put_them(tmp_path):
    session = Session(tmp_path, 0)
    session.prepare()
    fingerprint = session.write_graph(GRAPH)

    def write(steps):
        for step in steps:
            session.write_captures([capture_of(GRAPH, normal_values(GRAPH), step)], [], fingerprint)

    write(range(8))
    run = Run(tmp_path)
    pinned, before = run.pinned(), _answers(run)
    write(range(8, 12))
    session.compact_rest()  # old and new rows in one file
    assert len(segments_of(tmp_path)) == 1
    _assert_same(pinned, before)


def test_numbers_that_are_gone_are_not_replaced_by_others(tmp_path):
    run = Run(build_run(tmp_path, GRAPH, range(8)))
    pinned = run.pinned()
    for segment in segments_of(tmp_path):
        segment.unlink()
    build_run(tmp_path, GRAPH, range(4), normal_values(GRAPH, seed=1), marker=False)
    with pytest.raises(FileChangedError):
        pinned.window(start=0, stop=4)
