"""Reductions against slow, plain computations of the same thing."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tb_activations.plugin.reduce import column_starts, column_stops, merge_histograms, reduce_columns, reduce_flags


@pytest.mark.parametrize(("captures", "columns"), [(0, 5), (1, 5), (5, 5), (6, 5), (7, 5), (1000, 512), (10_000, 512), (3, 1)])
def test_columns_cover_every_capture_once_and_are_about_equally_long(captures, columns):
    starts = column_starts(captures, columns)
    stops = column_stops(starts, captures)
    assert len(starts) == len(stops) == min(captures, columns)
    covered = [index for start, stop in zip(starts, stops, strict=True) for index in range(start, stop + 1)]
    assert covered == list(range(captures))
    lengths = stops - starts + 1
    assert captures == 0 or lengths.max() - lengths.min() <= 1


def test_no_extreme_is_hidden():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(20, 1003)).astype(np.float32)
    values[generator.random(values.shape) < 0.3] = np.nan
    values[3] = np.nan
    values[4, 500], values[4, 501] = np.inf, -np.inf
    starts = column_starts(1003, 64)
    stops = column_stops(starts, 1003)
    low, high = reduce_columns(values, starts)
    for node in range(20):
        for column, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            numbers = [value for value in values[node, start : stop + 1].tolist() if value == value]
            assert low[node, column] == min(numbers) if numbers else np.isnan(low[node, column])
            assert high[node, column] == max(numbers) if numbers else np.isnan(high[node, column])


def test_one_flag_in_a_column_shows():
    flags = np.zeros((2, 100), bool)
    flags[1, 57] = True
    starts = column_starts(100, 10)
    assert reduce_flags(flags, starts).tolist() == [[0] * 10, [0] * 5 + [1] + [0] * 4]


def test_nothing_reduces_to_nothing():
    starts = column_starts(0, 8)
    low, high = reduce_columns(np.empty((3, 0), np.float32), starts)
    assert low.shape == high.shape == (3, 0)
    assert reduce_flags(np.empty((3, 0), bool), starts).shape == (3, 0)
    merged = merge_histograms(np.empty((0, 64), np.uint32), np.empty((0, 65)), starts)
    assert merged.counts.shape == (0, 64)


def _edges(low, high, bins):
    return np.linspace(low, high, bins + 1)


def _spread_plainly(counts, edges, low, high):
    """Spreads each source bin evenly over a very fine grid, then counts the grid in the wide bins."""
    bins = len(counts)
    result = np.zeros(bins)
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        for target in range(bins):
            target_left, target_right = low + (high - low) * target / bins, low + (high - low) * (target + 1) / bins
            overlap = min(right, target_right) - max(left, target_left)
            if overlap > 0:
                result[target] += count * overlap / (right - left)
    return result


def test_merged_histograms_are_the_sum_of_evenly_spread_bins():
    generator = np.random.default_rng(2)
    counts = generator.integers(0, 50, size=(7, 8)).astype(np.uint32)
    lows, highs = generator.uniform(-3, 0, 7), generator.uniform(0.5, 4, 7)
    edges = np.stack([_edges(low, high, 8) for low, high in zip(lows, highs, strict=True)])
    merged = merge_histograms(counts, edges, column_starts(7, 2))
    for column, rows in enumerate([range(3), range(3, 7)]):
        low, high = lows[list(rows)].min(), highs[list(rows)].max()
        assert merged.range[column].tolist() == [low, high]
        expected = sum(_spread_plainly(counts[row], edges[row], low, high) for row in rows)
        np.testing.assert_allclose(merged.counts[column], expected, rtol=1e-9, atol=1e-9)
        assert merged.counts[column].sum() == pytest.approx(counts[list(rows)].sum(), rel=1e-12)


def test_a_histogram_alone_in_its_column_is_untouched():
    counts = np.array([[3, 0, 1, 5], [0, 0, 7, 0]], np.uint32)
    edges = np.stack([_edges(-0.1, 0.7, 4), _edges(2.0, 2.0, 4)])
    merged = merge_histograms(counts, edges, column_starts(2, 10))
    assert merged.counts.tolist() == counts.tolist()


def test_a_histogram_of_one_number_lands_in_the_bin_that_holds_the_number():
    counts = np.array([[9, 0, 0, 0], [1, 1, 1, 1]], np.uint32)
    edges = np.stack([_edges(2.5, 2.5, 4), _edges(0.0, 4.0, 4)])
    merged = merge_histograms(counts, edges, column_starts(2, 1))
    assert merged.counts.tolist() == [[1, 1, 10, 1]]
    largest = np.stack([_edges(4.0, 4.0, 4), _edges(0.0, 4.0, 4)])
    assert merge_histograms(counts, largest, column_starts(2, 1)).counts.tolist() == [[1, 1, 1, 10]]


def test_a_number_at_the_edge_of_two_bins_is_in_the_upper_one_as_numpy_has_it():
    numbers, edges = (0.0, 0.5, -1.0, 1.0), np.linspace(-1.0, 1.0, 9)
    for number in numbers:
        counts = np.array([[7, *[0] * 7], [0, *[1] * 7]])
        merged = merge_histograms(counts, np.stack([np.full(9, number), edges]), np.array([0]))
        expected = np.histogram([number] * 7, edges)[0] + counts[1]
        np.testing.assert_array_equal(merged.counts[0], expected)


def test_captures_without_a_histogram_do_not_widen_the_range():
    counts = np.array([[0, 0], [4, 2]], np.uint32)
    edges = np.array([[-100.0, 0.0, 100.0], [0.0, 0.5, 1.0]])
    merged = merge_histograms(counts, edges, column_starts(2, 1))
    assert merged.range.tolist() == [[0.0, 1.0]]
    assert merged.counts.tolist() == [[4, 2]]
    none = merge_histograms(np.zeros((2, 2), np.uint32), np.full((2, 3), np.nan), column_starts(2, 1))
    assert none.counts.tolist() == [[0, 0]]
    assert np.isnan(none.range).all()


def test_a_long_history_of_histograms_takes_no_second_copy():
    captures, columns = 20_000, 7
    random = np.random.default_rng(0)
    counts = random.integers(0, 9, (captures, 64), np.uint32)
    edges = np.linspace(0.0, 1.0, 65)[None] + np.zeros((captures, 1))
    starts = column_starts(captures, columns)
    tracemalloc.start()
    merged = merge_histograms(counts, edges, starts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < counts.nbytes
    np.testing.assert_array_equal(merged.counts, np.add.reduceat(counts.astype(np.float64), starts, axis=0))
