"""Statistics that look at every element, on the host.

The one invariant: the same as of ``statistics.exact``, where the definitions stand: a number that is returned is right to the precision of its dtype.
Where four quick passes can't promise that, `_are_trusted` says so and the tensor is gone through again, carefully.

What bounds the speed is memory. A tensor is gone through in blocks that stay in the cache of one core, so all passes together read it once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tb_activations.capture.statistics.host.kinds import kind_of

__all__ = ["Exact", "reduce_all"]

Array = npt.NDArray[Any]

_PIECE = 8_192
"""Longest dot product: from about 10,000 elements on, BLAS libraries spread one over threads of their own, and TensorFlow's would have to wait."""

_PIECES = 16
_BLOCK = _PIECES * _PIECE
"""Elements of a block: half a megabyte of float32."""

_ONES = {np.dtype(dtype): np.ones((_PIECE, 1), dtype) for dtype in (np.float32, np.float64)}
_SMALLEST_TO_SQUARE = 1e-10
_LEAST_SHARE_OF_VARIANCE = 0.01


class Exact(NamedTuple):
    """Statistics over the finite elements, each float64[n]; NaN where there is none. ``nonfinite`` is int64[n, 3]: NaN, +Inf, −Inf."""

    low: Array
    high: Array
    mean: Array
    std: Array
    l2_norm: Array
    nonfinite: Array


class _Totals(NamedTuple):
    """What the quick passes give, each float64[n]; NaN for a tensor without elements."""

    low: Array
    high: Array
    total: Array
    squares: Array


def reduce_all(tensors: Sequence[Array]) -> tuple[Exact, Array]:
    """The statistics of n tensors, and bool[n]: which of them needed no care, so are finite and neither too large nor too small to be squared."""
    rows = [tensor.reshape(-1) for tensor in tensors]
    # A residual sum hands one gradient to both its inputs, and a reshaped tensor is the same memory: a tenth of a ResNet or a transformer.
    keys = [(row.ctypes.data, len(row), row.dtype) if len(row) > _PIECE else index for index, row in enumerate(rows)]
    distinct = dict(zip(keys, rows, strict=True))
    place_of = {key: place for place, key in enumerate(distinct)}
    reduced, trusted = _reduce_distinct(list(distinct.values()))
    back = [place_of[key] for key in keys]
    return Exact(*(column[back] for column in reduced)), trusted[back]


def _reduce_distinct(rows: Sequence[Array]) -> tuple[Exact, Array]:
    elements = np.array([len(row) for row in rows])
    totals = _add_up(rows)
    trusted = _are_trusted(totals, elements, np.array([np.finfo(kind_of(row.dtype).wide).max for row in rows]))
    reduced = _from_totals(totals, elements)
    for index in np.flatnonzero(~trusted).tolist():
        for column, number in zip(reduced, _reduce_carefully(rows[index]), strict=True):
            column[index] = number
    return reduced, trusted


def _add_up(rows: Sequence[Array]) -> _Totals:
    totals = np.full((4, len(rows)), np.nan)
    alike: dict[tuple[Any, int], list[int]] = {}
    for index, row in enumerate(rows):
        if len(row) > _PIECE:
            totals[:, index] = _of_long(row)
        elif len(row):
            alike.setdefault((row.dtype, len(row)), []).append(index)
    for (dtype, length), indices in alike.items():
        most = _BLOCK // length
        for some in (indices[start : start + most] for start in range(0, len(indices), most)):
            totals[:, some] = _of_short(np.array([rows[index] for index in some]).astype(kind_of(dtype).wide, copy=False))
    return _Totals(*totals)


def _of_short(rows: Array) -> tuple[Array, Array, Array, Array]:
    """The totals of rows [m, n], 0 < n <= `_PIECE`."""
    total = np.matmul(rows[:, None, :], _ONES[rows.dtype][: rows.shape[1]])[:, 0, 0]
    squares = np.matmul(rows[:, None, :], rows[:, :, None])[:, 0, 0]
    return rows.min(1), rows.max(1), total, squares


def _of_long(row: Array) -> tuple[float, float, float, float]:
    wide = kind_of(row.dtype).wide
    pieces = row[: len(row) // _PIECE * _PIECE].reshape(-1, 1, _PIECE)
    low, high = [], []
    total, squares = np.empty((2, len(pieces), 1, 1), wide)
    for start in range(0, len(pieces), _PIECES):
        block = pieces[start : start + _PIECES].astype(wide, copy=False)
        numbers = block.reshape(-1)
        low.append(np.minimum.reduce(numbers))
        high.append(np.maximum.reduce(numbers))
        np.matmul(block, _ONES[wide], out=total[start : start + _PIECES])
        np.matmul(block, block.reshape(-1, _PIECE, 1), out=squares[start : start + _PIECES])
    rest = row[pieces.size :].astype(wide, copy=False)
    return (
        float(np.min([*low, rest.min(initial=np.inf)])),
        float(np.max([*high, rest.max(initial=-np.inf)])),
        float(total.sum(dtype=float) + rest.sum(dtype=float)),
        float(squares.sum(dtype=float) + np.dot(rest, rest)),
    )


def _are_trusted(totals: _Totals, elements: Array, largest: Array) -> Array:
    """bool[n]: whether `_from_totals` is right for tensors of so many elements. ``largest``: number of the dtype that was reckoned in."""
    mean = totals.total / elements
    magnitude = np.maximum(-totals.low, totals.high)
    can_be_squared = (magnitude > _SMALLEST_TO_SQUARE) | (magnitude == 0)
    # False where the sum of squares is NaN or infinite.
    spread = totals.squares - mean * mean * elements >= _LEAST_SHARE_OF_VARIANCE * totals.squares
    trusted: Array = can_be_squared & spread & (totals.squares < largest)
    return trusted


def _from_totals(totals: _Totals, elements: Array) -> Exact:
    """The statistics of tensors whose totals are trusted."""
    mean = totals.total / elements
    std = np.sqrt(totals.squares / elements - mean * mean)
    return Exact(totals.low, totals.high, mean, std, np.sqrt(totals.squares), np.zeros((len(mean), 3), np.int64))


def _reduce_carefully(row: Array) -> tuple[float, float, float, float, float, tuple[int, int, int]]:
    """The fields of `Exact`: leaves out what is not finite, scales by the largest magnitude, and centres before it squares."""
    count, low, high = 0, np.inf, -np.inf
    nan = above = below = 0
    for block in _blocks(row):
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


def _blocks(row: Array) -> Iterator[Array]:
    for start in range(0, len(row), _BLOCK):
        yield row[start : start + _BLOCK].astype(np.float64, copy=False)


def _scaled(row: Array, scale: float) -> Iterator[Array]:
    """The finite elements, divided by ``scale``, in pieces short enough for one dot product."""
    for block in _blocks(row):
        finite = block[np.isfinite(block)] / scale
        for start in range(0, len(finite), _PIECE):
            yield finite[start : start + _PIECE]
