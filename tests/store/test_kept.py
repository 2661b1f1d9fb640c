"""Columns that are kept: the same numbers, fewer readings, and never more memory than was said."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tb_activations.store.container import ArrayReader
from tb_activations.store.kept import ENTRY_BYTES, KeptColumns
from tb_activations.store.run import Run
from tests.builders import build_run

NODES = "input x [4]; layer a [3] <- x relu gradient; layer b [2] <- a gradient; variable b/kernel [3,2] update; loss loss <- b"


@pytest.fixture
def readings(monkeypatch):
    """Names of the arrays that were read from files, in order."""
    read, names = ArrayReader.read, []

    def counting(self, name, *arguments):
        names.append(name)
        return read(self, name, *arguments)

    monkeypatch.setattr(ArrayReader, "read", counting)
    return names


def test_kept_columns_are_the_columns(tmp_path):
    build_run(tmp_path / "train", NODES, range(0, 60, 3), per_segment=4)
    plain, kept = Run(tmp_path / "train"), Run(tmp_path / "train", KeptColumns(1 << 20))
    for _ in range(2):
        for statistic in (*plain.columns, "elements", "nan_count", "nonfinite_count"):
            for after, until in ((-1, None), (8, 40), (9, 9), (100, None)):
                steps, expected = plain.column(statistic, "value", after, until)
                again, found = kept.column(statistic, "value", after, until)
                assert again.tolist() == steps.tolist()
                np.testing.assert_array_equal(found, expected)
                found[...] = 0  # what the caller does with its copy is its own business


def test_of_a_growing_run_only_what_is_new_is_read(tmp_path, readings):
    build_run(tmp_path / "train", NODES, range(0, 40, 2), per_segment=5)
    run = Run(tmp_path / "train", KeptColumns(1 << 20))
    run.column("mean")
    assert readings.count("statistics/value") == 4
    build_run(tmp_path / "train", NODES, range(40, 50, 2), per_segment=5)
    assert run.refresh()
    readings.clear()
    steps, means = run.column("mean")
    assert readings.count("statistics/value") == 1
    assert steps.tolist() == list(range(0, 50, 2))
    np.testing.assert_array_equal(means, Run(tmp_path / "train").column("mean")[1])


def test_nothing_is_kept_unless_asked_for(tmp_path, readings):
    build_run(tmp_path / "train", NODES, range(3))
    run = Run(tmp_path / "train")
    run.column("mean")
    run.column("mean")
    assert readings.count("statistics/value") == 2


def test_no_more_is_kept_than_the_bound_says():
    kept, reads = KeptColumns(1000 + 2 * ENTRY_BYTES), []

    def get(number):
        """400 bytes each, and what an entry takes: two fit."""
        return kept.get(number, lambda: reads.append(number) or np.arange(100, dtype=np.float32).reshape(10, 10) + number)

    for number in [*range(4)] * 100:
        np.testing.assert_array_equal(get(number), np.arange(number, number + 100).reshape(10, 10))
    assert 200 <= len(reads) < 400  # more than half must be read again, but not all although they are asked for one after the other
    column = np.arange(5000, dtype=np.float32)[None]
    assert kept.get("larger than the bound", lambda: column) is column


def test_numbers_that_are_nearly_all_equal_take_the_room_of_the_others():
    kept, reads = KeptColumns(1000 + 20 * ENTRY_BYTES), []
    random = np.random.default_rng(0)
    columns = [np.zeros((100, 50), np.float32) for _ in range(20)]
    for column in columns:
        column[random.integers(0, 100, 5), random.integers(0, 50, 5)] = (np.nan, np.inf, 1, 2, 3)
    for number in [*range(20)] * 3:
        np.testing.assert_array_equal(kept.get(number, lambda number=number: reads.append(number) or columns[number]), columns[number])
    assert reads == [*range(20)]


def test_columns_of_one_number_take_room_too():
    """A column that is 0 everywhere has no numbers to keep, and a log directory has many segments."""
    bound = 1 << 20
    kept, zeros = KeptColumns(bound), np.zeros((100, 1), np.float32)
    tracemalloc.start()
    try:
        for number in range(20_000):
            path = f"/logs/run/train/plugins/tb_activations/segment-{number:012d}-0000-abcdef01-{number:06d}.safetensors"
            kept.get((path, (12345, 1796104366063828200 + number), "value", "nonfinite_count"), lambda: zeros)
        assert tracemalloc.get_traced_memory()[0] < 1.2 * bound
    finally:
        tracemalloc.stop()


def test_what_has_to_go_is_found_without_a_list_of_all_that_is_kept():
    """Such a list, for each of many that go, would hold up everybody who asks."""
    kept, column = KeptColumns(20_000 * ENTRY_BYTES), np.zeros((1, 1), np.float32)
    for number in range(20_000):
        kept.get(number, lambda: column)
    tracemalloc.start()
    try:
        kept.get("one more", lambda: column)
        assert tracemalloc.get_traced_memory()[1] < 8 * 20_000 / 2  # a list of 20,000 has a pointer for each
    finally:
        tracemalloc.stop()
