"""Several replicas' rows of one step into the statistics of the global batch.

The one invariant: merging the rows of the parts of a batch gives what numpy gives on the whole batch, for counts, ``min``, ``max``, ``mean``,
``std`` and ``l2_norm`` to rounding, and for every share of elements too. Two columns can't be had from the parts: ``zero_unit_fraction``
becomes its upper bound (a unit that is dead everywhere is dead in every part), ``batch_std`` its lower bound (the spread between the parts is
missing). The value of a variable and its update are the same in all replicas, so the first row stands for all; its gradient is each replica's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.schema import NOT_RECORDED

__all__ = ["merge_histograms", "merge_replicas", "rebin"]

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]


def merge_replicas(
    statistics: npt.NDArray[np.float32], counts: npt.NDArray[np.int64], starts: Integers, columns: Sequence[str], shared: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Merges rows of the same step.

    Args:
      statistics: float32[N, R, K].
      counts: int64[N, R, 4].
      starts: int64[C], first row of each step; row 0 starts the first.
      columns: names of the K columns.
      shared: bool[N], nodes whose tensor is the same in all replicas.

    Returns:
      float32[N, C, K] and int64[N, C, 4].
    """
    if len(starts) == statistics.shape[1]:
        return statistics, counts
    recorded = _recorded_rows(counts, starts, shared)
    total = np.add.reduceat(np.where(recorded[..., None], counts, 0), starts, axis=1)
    total[~np.logical_or.reduceat(recorded, starts, axis=1)] = (NOT_RECORDED, 0, 0, 0)
    weight = np.where(recorded, counts[..., 0] - counts[..., 1:].sum(axis=-1), 0).astype(np.float64)
    merged = np.empty((*total.shape[:2], statistics.shape[2]), np.float32)
    merger = _Merger(starts, weight)
    values = {name: statistics[..., column].astype(np.float64) for column, name in enumerate(columns)}
    for column, name in enumerate(columns):
        merged[..., column] = merger.merge(name, values)
    return merged, total


def _recorded_rows(counts: npt.NDArray[np.int64], starts: Integers, shared: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """bool[N, R]: the rows that take part; of a shared tensor only the first that is recorded in each step."""
    recorded: npt.NDArray[np.bool_] = counts[..., 0] != NOT_RECORDED
    rows = np.arange(counts.shape[1])
    first = np.minimum.reduceat(np.where(recorded, rows, counts.shape[1]), starts, axis=1)
    lengths = np.diff(starts, append=counts.shape[1])
    takes_part: npt.NDArray[np.bool_] = recorded & (~shared[:, None] | (rows == np.repeat(first, lengths, axis=1)))
    return takes_part


class _Merger:
    """Merges single columns, given the number of finite elements of each row."""

    def __init__(self, starts: Integers, weight: Floats) -> None:
        self._starts = starts
        self._weight = weight

    def merge(self, name: str, values: Mapping[str, Floats]) -> Floats:
        column = values[name]
        if name in ("min", "zero_unit_fraction"):
            return self._extreme(np.fmin, column)
        if name == "max":
            return self._extreme(np.fmax, column)
        if name == "std" and "mean" in values:
            return self._pooled_std(column, values["mean"])
        if name == "l2_norm":
            return np.sqrt(self._sum(column**2, column))
        if name == "batch_std":
            return np.sqrt(self._mean(column**2))
        return self._mean(column)

    def _extreme(self, function: np.ufunc, column: Floats) -> Floats:
        result: Floats = function.reduceat(np.where(self._weight > 0, column, np.nan), self._starts, axis=1)
        return result

    def _sum(self, terms: Floats, column: Floats) -> Floats:
        """Sum over the rows that have a finite number; NaN where none has."""
        known = (self._weight > 0) & ~np.isnan(column)
        total: Floats = np.add.reduceat(np.where(known, terms, 0.0), self._starts, axis=1)
        return np.where(np.logical_or.reduceat(known, self._starts, axis=1), total, np.nan)

    def _mean(self, column: Floats) -> Floats:
        # A row of no weight must not spoil the others, and one whose share is unknown must not count as 0.
        return self._sum(self._weight * column, column) / self._sum(self._weight, column)

    def _pooled_std(self, std: Floats, mean: Floats) -> Floats:
        # Chan, Golub, LeVeque 1979: variance within the parts plus variance of the parts' means, each weighted by the number of elements.
        lengths = np.diff(self._starts, append=mean.shape[1])
        distance = mean - np.repeat(self._mean(mean), lengths, axis=1)
        return np.sqrt(self._mean(std**2 + distance**2))


def rebin(counts: Integers, limits: Floats, wider: Floats, bins: int) -> npt.NDArray[np.int64]:
    """Counts int[B] of equal bins over ``limits`` (low, high) as counts of ``bins`` equal bins over ``wider``, which holds them.

    The distribution function is interpolated and rounded, so the total is kept exactly.
    """
    cumulative = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    low, high = wider
    result = np.zeros(bins, np.int64)
    if limits[1] <= limits[0]:  # all elements are equal
        result[min(int((limits[0] - low) / (high - low) * bins), bins - 1) if high > low else 0] = cumulative[-1]
        return result
    old_edges = np.linspace(limits[0], limits[1], len(cumulative))
    below = np.interp(np.linspace(low, high, bins + 1), old_edges, cumulative, left=0, right=cumulative[-1])
    result[:] = np.diff(np.rint(below))
    return result


def merge_histograms(counts: Integers, ranges: npt.NDArray[np.float64], starts: Integers, shared: bool) -> tuple[Integers, npt.NDArray[np.float64]]:
    """Adds the histograms [R, B] of rows of the same step over the smallest range [C, 2] that holds their ranges [R, 2]."""
    if len(starts) == len(counts):
        return counts, ranges
    if shared:
        return counts[starts], ranges[starts]
    merged = np.stack([np.minimum.reduceat(ranges[:, 0], starts), np.maximum.reduceat(ranges[:, 1], starts)], axis=1)
    total = np.zeros((len(starts), counts.shape[1]), np.int64)
    stops = [*starts[1:].tolist(), len(counts)]
    for step, (start, stop) in enumerate(zip(starts.tolist(), stops, strict=True)):
        for row in range(start, stop):
            total[step] += rebin(counts[row], ranges[row], merged[step], counts.shape[1])
    return total, merged
