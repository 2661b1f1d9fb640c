"""The matrix of one statistic: all nodes over all steps, as wide as a screen.

The one invariant: a cell shows the smallest and the largest number of the captures it stands for, and whether any of their elements was not
finite. A run is gone through a stretch of captures at a time, so a long run takes time but no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tb_activations.plugin.reduce import column_starts, column_stops, reduce_columns, reduce_flags
from tb_activations.store.run import Run
from tb_activations.store.schema import NOT_RECORDED, Quantity

__all__ = ["DERIVED", "MAX_STEP", "Matrix", "make_matrix"]

MAX_STEP = 2**53
"""Beyond it a browser can't tell steps apart."""

DERIVED = ("nan_count", "inf_count", "update_ratio")
"""What a matrix can show besides the columns of a run."""

_STRETCH_NUMBERS = 4 << 20
"""Numbers of one stretch; several arrays of this size, of 4 bytes each, are held at a time."""

Numbers = npt.NDArray[np.float32]


class Matrix(NamedTuple):
    """N nodes, W columns: ``low`` and ``high`` float32[N, W], ``nonfinite`` uint8[N, W], ``start`` and ``stop`` int64[W], steps."""

    low: Numbers
    high: Numbers
    nonfinite: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]


class _Stretch(NamedTuple):
    """Columns ``columns`` of the matrix: the captures ``captures``, each column beginning at one of ``starts``, counted from the first of them."""

    columns: slice
    captures: slice
    starts: npt.NDArray[np.int64]


def make_matrix(run: Run, statistic: str, quantity: Quantity, columns: int, first_step: int = 0, last_step: int = MAX_STEP) -> Matrix:
    """Returns the matrix of a column of ``run`` or of one of `DERIVED`, at most ``columns`` wide, over the steps from the first to the last."""
    steps, nodes = run.steps(), len(run.nodes)
    steps = steps[np.searchsorted(steps, first_step) : np.searchsorted(steps, last_step, side="right")]
    starts = column_starts(len(steps), columns)
    low, high = np.full((2, nodes, len(starts)), np.nan, np.float32)
    nonfinite = np.zeros((nodes, len(starts)), np.uint8)
    for stretch in _stretches(starts, len(steps), nodes):
        wanted = steps[stretch.captures]
        numbers = _align(wanted, _read(run, statistic, quantity, wanted), nodes)
        low[:, stretch.columns], high[:, stretch.columns] = reduce_columns(numbers, stretch.starts)
        broken = _align(wanted, run.column("nonfinite_count", quantity, int(wanted[0]) - 1, int(wanted[-1])), nodes)
        nonfinite[:, stretch.columns] = reduce_flags(broken > 0, stretch.starts)
    return Matrix(low, high, nonfinite, steps[starts], steps[column_stops(starts, len(steps))])


def _stretches(starts: npt.NDArray[np.int64], captures: int, nodes: int) -> Iterator[_Stretch]:
    """Cuts the captures between columns, into stretches of about `_STRETCH_NUMBERS` numbers."""
    bounds = np.append(starts, captures)
    first = 0
    while first < len(starts):
        last = int(np.searchsorted(bounds, bounds[first] + _STRETCH_NUMBERS // max(nodes, 1), side="right")) - 1
        last = min(max(last, first + 1), len(starts))
        yield _Stretch(slice(first, last), slice(int(bounds[first]), int(bounds[last])), starts[first:last] - bounds[first])
        first = last


def _read(run: Run, statistic: str, quantity: Quantity, wanted: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Numbers]:
    after, until = int(wanted[0]) - 1, int(wanted[-1])
    steps, numbers = run.column(statistic, quantity, after, until)
    if statistic.endswith("_count"):
        numbers[numbers == NOT_RECORDED] = np.nan
    return steps, numbers


def _align(wanted: npt.NDArray[np.int64], column: tuple[npt.NDArray[np.int64], Numbers], nodes: int) -> Numbers:
    """Returns a column at the steps ``wanted``: nearly always as it is, but the run may have changed between two questions."""
    steps, numbers = column
    if len(numbers) == nodes and np.array_equal(steps, wanted):
        return numbers
    result = np.full((nodes, len(wanted)), np.nan, np.float32)
    _, ours, theirs = np.intersect1d(wanted, steps, assume_unique=True, return_indices=True)
    rows = min(nodes, len(numbers))
    result[:rows, ours] = numbers[:rows, theirs]
    return result
