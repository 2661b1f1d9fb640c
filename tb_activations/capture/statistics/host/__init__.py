"""The same reductions by numpy, for tensors that lie in the memory of the host anyway.

The one invariant: what is measured here is what `statistics.measure_all` would have measured; the tests run both against the same numbers.

Why a second way: on CPUs the time goes into reading memory. TensorFlow reads a tensor once for each reduction; here blocks that fit into the
cache are read once for all, which takes about a third of the time, in a thread of its own beside the next steps, and nothing has to be
traced or compiled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tb_activations.capture.statistics.host import exact, sampled
from tb_activations.capture.statistics.stacks import SMALL, Request, graded, working_dtype
from tb_activations.store.schema import COUNTS, HISTOGRAM_BINS, STATISTICS

__all__ = ["HostMeasured", "measure_all"]

Array = npt.NDArray[Any]


class HostMeasured(NamedTuple):
    """Of n tensors.

    Attributes:
      statistics: float32[n, K], in the order of `schema.STATISTICS`.
      counts: int64[n, 4], in the order of `schema.COUNTS`.
      histogram: int64[n, B], or None when not asked for.
      histogram_range: float32[n, 2], or None when not asked for.
    """

    statistics: Array
    counts: Array
    histogram: Array | None
    histogram_range: Array | None


class _Group(NamedTuple):
    """Some tensors of one shape. ``values``: [m, n], in the dtype they came in."""

    values: Array
    shape: tuple[int, ...]
    dtype: tf.DType
    activation: str | None
    batch: bool


def measure_all(requests: Sequence[Request], *, histogram: bool = True) -> HostMeasured:
    """Reduces many arrays at once; row i of the result belongs to ``requests[i]``, whose ``x`` is a numpy array of a real dtype."""
    measured = _empty(len(requests), histogram)
    members: dict[tuple[Any, ...], list[int]] = {}
    for index, request in enumerate(requests):
        key = (request.x.dtype, request.x.shape, request.batch, graded(request)) if request.x.size <= SMALL else (index,)
        members.setdefault(key, []).append(index)
    with np.errstate(all="ignore"):
        for indices in members.values():
            _put(measured, np.array(indices), _reduce(_group([requests[index] for index in indices]), histogram))
    return measured


def _empty(count: int, histogram: bool) -> HostMeasured:
    statistics, counts = np.empty((count, len(STATISTICS)), np.float32), np.empty((count, len(COUNTS)), np.int64)
    if not histogram:
        return HostMeasured(statistics, counts, None, None)
    return HostMeasured(statistics, counts, np.empty((count, HISTOGRAM_BINS), np.int64), np.empty((count, 2), np.float32))


def _put(whole: HostMeasured, places: Array, part: HostMeasured) -> None:
    for column, of_part in zip(whole, part, strict=True):
        if column is not None:
            column[places] = of_part


def _group(requests: Sequence[Request]) -> _Group:
    first = requests[0].x
    values = first.reshape(1, -1) if len(requests) == 1 else np.stack([request.x for request in requests]).reshape(len(requests), -1)
    return _Group(values, first.shape, tf.as_dtype(first.dtype), graded(requests[0]), requests[0].batch)


def _reduce(group: _Group, histogram: bool) -> HostMeasured:
    count = group.values.shape[1]
    if not count:
        return _columns(group, exact.reduce_carefully(group.values), careful=True, histogram=histogram)
    wide = np.dtype(working_dtype(group.dtype).as_numpy_dtype)
    totals = exact.add_up(group.values, wide)
    trusted = exact.are_trusted(totals, count, wide)
    if trusted.all():
        return _columns(group, exact.from_totals(totals, count), careful=False, histogram=histogram)
    if not trusted.any():
        return _columns(group, exact.reduce_carefully(group.values), careful=True, histogram=histogram)
    measured = _empty(len(trusted), histogram)
    for places in (np.flatnonzero(trusted), np.flatnonzero(~trusted)):
        _put(measured, places, _reduce(group._replace(values=group.values[places]), histogram))
    return measured


def _columns(group: _Group, reduced: exact.Exact, *, careful: bool, histogram: bool) -> HostMeasured:
    values, shape = group.values, group.shape
    wide = working_dtype(group.dtype)
    has_units = len(shape) >= 2
    units = values.reshape(len(values), math.prod(shape[:-1]), shape[-1]) if has_units else values[:, :, None]
    period = math.prod(shape[1:]) or 1
    strided = sampled.every_nth(values, period).astype(wide.as_numpy_dtype, copy=False)
    finite = np.isfinite(strided) if careful else None
    magnitude = sampled.magnitude_bits(strided)
    nothing = np.full(len(values), np.nan)
    columns = {
        "min": reduced.low,
        "max": reduced.high,
        "mean": reduced.mean,
        "std": reduced.std,
        "l2_norm": reduced.l2_norm,
        "zero_fraction": sampled.share(magnitude == 0, finite),
        "zero_unit_fraction": _zero_units(units, reduced) if has_units else nothing,
        "batch_std": _batch_std(values, shape, wide, careful) if group.batch and has_units else nothing,
        "saturated_fraction": sampled.saturated_share(units, strided, finite, group.activation),
        "subnormal_fraction": sampled.subnormal_share(magnitude, finite, group.dtype, wide),
    }
    statistics = np.stack([columns[name] for name in STATISTICS], 1).astype(np.float32)
    counts = np.concatenate([np.full((len(values), 1), values.shape[1], np.int64), reduced.nonfinite], 1)
    if not histogram:
        return HostMeasured(statistics, counts, None, None)
    bins = sampled.count_in_bins(strided, reduced.low, reduced.high, finite)
    return HostMeasured(statistics, counts, bins, np.stack([reduced.low, reduced.high], 1).astype(np.float32))


def _zero_units(units: Array, reduced: exact.Exact) -> Array:
    shares = exact.zero_unit_shares(units)
    shares[np.isnan(reduced.low)] = np.nan
    return shares


def _batch_std(values: Array, shape: tuple[int, ...], wide: tf.DType, careful: bool) -> Array:
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    examples = sampled.some_of_some(values, shape[0], math.prod(shape[1:]))
    return sampled.batch_std(examples.astype(wide.as_numpy_dtype, copy=False), careful)
