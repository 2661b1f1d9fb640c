"""Statistics that look at every element, on the host.

The one invariant: the same as of ``statistics.exact``, where the definitions stand: a number that is returned is right to the precision of its dtype.
Where four quick passes can't promise that, `are_trusted` says so and `reduce_carefully` is to be run.

What bounds the speed is memory. A tensor is gone through in blocks that stay in the cache of one core, so all passes together read it once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["BLOCK", "Exact", "Totals", "add_up", "are_trusted", "from_totals", "reduce_carefully", "zero_unit_shares"]

Array = npt.NDArray[Any]

BLOCK = 65_536
"""Elements of a block: a quarter of a megabyte of float32."""

_DOT = 8_192
"""Longest dot product: from about 10,000 elements on, BLAS libraries spread one over threads of their own, and TensorFlow's would have to wait."""

_ONES = {np.dtype(dtype): np.ones((_DOT, 1), dtype) for dtype in (np.float32, np.float64)}
_SMALLEST_TO_SQUARE = 1e-10
_LEAST_SHARE_OF_VARIANCE = 0.01
_LOOKED_AT = 4_096


class Totals(NamedTuple):
    """What the quick passes give, each float64[m]."""

    low: Array
    high: Array
    total: Array
    squares: Array


class Exact(NamedTuple):
    """Statistics over the finite elements, each [m]; NaN where there is none. ``nonfinite`` is int64[m, 3]: NaN, +Inf, −Inf."""

    low: Array
    high: Array
    mean: Array
    std: Array
    l2_norm: Array
    nonfinite: Array


def add_up(values: Array, wide: np.dtype[Any]) -> Totals:
    """The quick passes over ``values`` [m, n], n > 0, reckoned in the dtype ``wide``."""
    if values.shape[1] > BLOCK:
        return Totals(*(np.array(column) for column in zip(*(_of_long(row, wide) for row in values), strict=True)))
    rows = max(1, BLOCK // values.shape[1])
    parts = [_of_rows(values[start : start + rows].astype(wide, copy=False)) for start in range(0, len(values), rows)]
    return Totals(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _of_rows(rows: Array) -> Totals:
    total, squares = np.zeros(len(rows)), np.zeros(len(rows))
    for start in range(0, rows.shape[1], _DOT):
        part = rows[:, start : start + _DOT]
        total += _dots(part, _ONES[rows.dtype][: part.shape[1]])
        squares += _dots(part, part[:, :, None])
    return Totals(rows.min(1).astype(float), rows.max(1).astype(float), total, squares)


def _dots(rows: Array, columns: Array) -> Array:
    dots: Array = np.matmul(rows[:, None, :], columns)[:, 0, 0]
    return dots


def _of_long(row: Array, wide: np.dtype[Any]) -> tuple[float, float, float, float]:
    blocks = -(-len(row) // BLOCK) - 1  # the last one, shorter mostly, is for itself
    low, high = np.empty(blocks, wide), np.empty(blocks, wide)
    total, squares = np.empty((2, blocks, BLOCK // _DOT, 1, 1), wide)
    for index in range(blocks):
        block = row[index * BLOCK : (index + 1) * BLOCK].astype(wide, copy=False)
        low[index], high[index] = np.minimum.reduce(block), np.maximum.reduce(block)
        pieces = block.reshape(-1, 1, _DOT)
        np.matmul(pieces, _ONES[wide], out=total[index])
        np.matmul(pieces, block.reshape(-1, _DOT, 1), out=squares[index])
    last = _of_rows(row[None, blocks * BLOCK :].astype(wide, copy=False))
    return (
        float(np.minimum(low.min(), last.low[0])),
        float(np.maximum(high.max(), last.high[0])),
        float(total.sum(dtype=float) + last.total[0]),
        float(squares.sum(dtype=float) + last.squares[0]),
    )


def _blocks(row: Array, wide: np.dtype[Any]) -> Iterator[Array]:
    for start in range(0, len(row), BLOCK):
        yield row[start : start + BLOCK].astype(wide, copy=False)


def are_trusted(totals: Totals, elements: int, wide: np.dtype[Any]) -> Array:
    """bool[m]: whether `from_totals` is right for tensors of so many elements."""
    mean = totals.total / elements
    magnitude = np.maximum(-totals.low, totals.high)
    can_be_squared = (magnitude > _SMALLEST_TO_SQUARE) | (magnitude == 0)
    # False where the sum of squares is NaN or infinite.
    spread = totals.squares - mean * mean * elements >= _LEAST_SHARE_OF_VARIANCE * totals.squares
    trusted: Array = can_be_squared & spread & (totals.squares < np.finfo(wide).max)
    return trusted


def from_totals(totals: Totals, elements: int) -> Exact:
    """The statistics of tensors whose totals are trusted."""
    mean = totals.total / elements
    std = np.sqrt(totals.squares / elements - mean * mean)
    return Exact(totals.low, totals.high, mean, std, np.sqrt(totals.squares), np.zeros((len(mean), 3), np.int64))


def reduce_carefully(values: Array) -> Exact:
    """Leaves out what is not finite, scales by the largest magnitude, and centres before it squares. ``values``: [m, n], n ≥ 0."""
    rows = [_of_careful(row) for row in values]
    low, high, mean, std, l2_norm, nonfinite = (np.array(column) for column in zip(*rows, strict=True))
    return Exact(low, high, mean, std, l2_norm, nonfinite.astype(np.int64))


def _of_careful(row: Array) -> tuple[float, float, float, float, float, tuple[int, int, int]]:
    wide = np.dtype(np.float64)
    count, low, high = 0, np.inf, -np.inf
    nan = above = below = 0
    for block in _blocks(row, wide):
        finite = block[np.isfinite(block)]
        if len(finite) < len(block):
            nan += int(np.isnan(block).sum())
            above += int((block == np.inf).sum())
            below += int((block == -np.inf).sum())
        if len(finite):
            count, low, high = count + len(finite), min(low, finite.min()), max(high, finite.max())
    nonfinite = (nan, above, below)
    if not count:
        return (*(float("nan"),) * 5, nonfinite)
    scale = max(-low, high) or 1.0
    mean = sum(float(scaled.sum()) for scaled in _scaled(row, scale)) / count
    squares = sum(float(scaled @ scaled) for scaled in _scaled(row, scale))
    # What rounding kept out of the mean is put back where it matters.
    rest = sum(float((scaled - mean).sum()) for scaled in _scaled(row, scale)) / count
    spread = sum(float(np.square(scaled - mean).sum()) for scaled in _scaled(row, scale)) / count - rest * rest
    return low, high, (mean + rest) * scale, np.sqrt(max(spread, 0.0)) * scale, np.sqrt(squares) * scale, nonfinite


def _scaled(row: Array, scale: float) -> Iterator[Array]:
    """The finite elements, divided by ``scale``, in pieces short enough for `_DOT`."""
    for block in _blocks(row, np.dtype(np.float64)):
        finite = block[np.isfinite(block)] / scale
        for start in range(0, len(finite), _DOT):
            yield finite[start : start + _DOT]


def zero_unit_shares(units: Array) -> Array:
    """float64[m]: the share of units of [m, rows, units] that are 0 in every row; NaN where there are no elements."""
    if not units.size:
        return np.full(len(units), np.nan)
    # Few rows tell mostly that no unit is zero.
    step = max(1, units.shape[1] * units.shape[2] // _LOOKED_AT)
    zero = ~(units[:, ::step] != 0).any(1)
    for tensor, of_tensor in zip(units, zero, strict=True):
        left = np.flatnonzero(of_tensor)
        if len(left):
            of_tensor[left] = _are_zero(tensor, left)
    shares: Array = zero.mean(1)
    return shares


def _are_zero(rows: Array, columns: Array) -> Array:
    """bool: which of ``columns`` of [rows, units] are 0 in every row; looks no further at one that isn't."""
    zero = np.ones(len(columns), bool)
    left = np.arange(len(columns))
    step = max(1, BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        live = (rows[start : start + step, columns[left]] != 0).any(0)
        zero[left[live]] = False
        left = left[~live]
        if not len(left):
            break
    return zero
