"""The matrix of one statistic: all nodes over all steps, as wide as a screen.

The one invariant: a cell shows the smallest and the largest number of the captures it stands for, and whether any of their elements was not finite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tb_activations.plugin.reduce import column_starts, column_stops, reduce_columns, reduce_flags
from tb_activations.store.run import Run
from tb_activations.store.schema import COUNTS, NOT_RECORDED, Quantity

__all__ = ["DERIVED", "Matrix", "make_matrix"]

DERIVED = ("nan_count", "inf_count", "update_ratio")
"""What a matrix can show besides the columns of a run."""

_INFINITE = ("pos_inf_count", "neg_inf_count")

Column = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


class Matrix(NamedTuple):
    """N nodes, W columns: ``low`` and ``high`` float32[N, W], ``nonfinite`` uint8[N, W], ``start`` and ``stop`` int64[W], steps."""

    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    nonfinite: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]


def make_matrix(run: Run, statistic: str, quantity: Quantity, columns: int) -> Matrix:
    """Returns the matrix of a column of ``run`` or of one of `DERIVED`, at most ``columns`` wide."""
    steps, numbers = _column(run, statistic, quantity)
    starts = column_starts(len(steps), columns)
    low, high = reduce_columns(numbers, starts)
    nonfinite = np.maximum.reduce([_flags(run, name, quantity, starts) for name in ("nan_count", *_INFINITE)])
    return Matrix(low, high, nonfinite, steps[starts], steps[column_stops(starts, len(steps))])


def _column(run: Run, statistic: str, quantity: Quantity) -> Column:
    if statistic == "inf_count":
        (steps, positive), (_, negative) = (_count(run, name, quantity) for name in _INFINITE)
        return steps, positive + negative
    if statistic == "update_ratio":
        (steps, update), (_, weight) = run.column("l2_norm", "update"), run.column("l2_norm", "value")
        with np.errstate(divide="ignore", invalid="ignore"):
            return steps, update / weight
    return _count(run, statistic, quantity) if statistic in COUNTS else run.column(statistic, quantity)


def _count(run: Run, name: str, quantity: Quantity) -> Column:
    """A count as the matrix has it: NaN where nothing was recorded."""
    steps, counts = run.column(name, quantity)
    counts[counts == NOT_RECORDED] = np.nan
    return steps, counts


def _flags(run: Run, count: str, quantity: Quantity, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    return reduce_flags(run.column(count, quantity)[1] > 0, starts)
