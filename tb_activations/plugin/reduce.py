"""Reductions of long histories to as many columns as a screen has.

The one invariant: no extreme is hidden. A column keeps the smallest and the largest of what it stands for, and a merged histogram spans the
widest range of its captures with every counted element in it. Pure functions of arrays; nothing here knows a run.

Shapes: C captures, W columns, N nodes, B bins.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["MergedHistogram", "column_starts", "column_stops", "merge_histograms", "reduce_columns", "reduce_flags"]

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]

_ROWS_AT_ONCE = 256
"""Histograms that are moved together: their arrays stay in the processor's cache."""


class MergedHistogram(NamedTuple):
    """Histograms of neighbouring captures, added: ``range`` float64[W, 2], ``counts`` float64[W, B]."""

    range: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]


def column_starts(captures: int, columns: int) -> Integers:
    """Returns int64[W]: the index of the first capture of each of at most ``columns`` equally long stretches."""
    width = min(captures, columns)
    return np.arange(width, dtype=np.int64) * captures // max(width, 1)


def column_stops(starts: Integers, captures: int) -> Integers:
    """Returns int64[W]: the index of the last capture of each column."""
    return np.append(starts[1:], captures)[: len(starts)] - 1


def reduce_columns(values: npt.NDArray[np.float32], starts: Integers) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Returns the smallest and the largest number, float32[N, W] each, of every column of ``values`` [N, C]; NaN where there is none."""
    if not len(starts):
        empty = np.empty((len(values), 0), np.float32)
        return empty, empty
    return np.fmin.reduceat(values, starts, axis=1), np.fmax.reduceat(values, starts, axis=1)


def reduce_flags(flags: npt.NDArray[np.bool_], starts: Integers) -> npt.NDArray[np.uint8]:
    """Returns uint8[N, W]: 1 where any capture of the column has its flag set."""
    if not len(starts):
        return np.empty((len(flags), 0), np.uint8)
    return np.maximum.reduceat(flags.view(np.uint8), starts, axis=1)


def merge_histograms(counts: npt.NDArray[np.integer[Any]], edges: npt.NDArray[np.float64], starts: Integers) -> MergedHistogram:
    """Adds the histograms of each column after spreading them over the column's common range.

    Inside a source bin the elements count as evenly spread, so the bins of a merged histogram may hold fractions; their sum is exact.

    Args:
      counts: [C, B]. A row of zeros is no histogram, and its edges are ignored.
      edges: float64[C, B + 1], ascending, equally wide in each row.
      starts: int64[W], from `column_starts`.
    """
    captures, bins = counts.shape
    if not len(starts):
        return MergedHistogram(np.empty((0, 2)), np.empty((0, bins)))
    present: npt.NDArray[np.bool_] = np.any(counts, axis=1)
    low = np.fmin.reduceat(np.where(present, edges[:, 0], np.nan), starts)
    high = np.fmax.reduceat(np.where(present, edges[:, -1], np.nan), starts)
    column = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, captures)))
    total = np.zeros((len(starts), bins))
    for first in range(0, captures, _ROWS_AT_ONCE):
        rows = np.arange(first, min(first + _ROWS_AT_ONCE, captures))
        rows = rows[present[rows]]
        if len(rows):
            of = column[rows]
            spread = _spread(counts[rows].astype(np.float64), edges[rows, 0], edges[rows, -1], low[of], high[of])
            columns, first_rows = np.unique(of, return_index=True)
            total[columns] += np.add.reduceat(spread, first_rows, axis=0)
    return MergedHistogram(np.stack([low, high], axis=1), total)


def _spread(counts: Floats, low: Floats, high: Floats, wide_low: Floats, wide_high: Floats) -> npt.NDArray[np.float64]:
    """Moves each histogram [C, B] from its range (low, high) to the range (wide_low, wide_high) that contains it.

    Works on the cumulative counts: read at the new edges, by position in the old ones, their differences are the new counts.
    """
    captures, bins = counts.shape
    cumulative = np.zeros((captures, bins + 1))
    np.cumsum(counts, axis=1, out=cumulative[:, 1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        new_edges = wide_low[:, None] + (wide_high - wide_low)[:, None] * np.linspace(0.0, 1.0, bins + 1)
        position = np.clip((new_edges - low[:, None]) / (high - low)[:, None], 0.0, 1.0) * bins
    # A histogram of one repeated number has no width, so its position is 0/0 at that number: all of it lies right of the edge.
    position[np.isnan(position)] = 0.0
    position[:, 0], position[:, -1] = 0.0, bins
    whole = np.minimum(position.astype(np.int64), bins - 1)
    position -= whole
    row = np.arange(captures)[:, None]
    at_edges = cumulative[row, whole] + position * counts[row, whole]
    unmoved = (low == wide_low) & (high == wide_high)
    return np.where(unmoved[:, None], counts, np.diff(at_edges, axis=1))
