"""Statistics that look at an even stride of the elements, on the host.

The one invariant: the same as of ``statistics.sampled``, where the definitions and bounds stand: the same elements are looked at.

``finite`` is a mask, or None where everything is known to be finite. ``careful`` says the same of what has no mask yet.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from numpy.lib.stride_tricks import as_strided

from tb_activations.capture.statistics.sampled import EXAMPLES, PER_EXAMPLE, ROWS, RUN, SAMPLED, subnormal_bound
from tb_activations.store.schema import HISTOGRAM_BINS

__all__ = ["batch_std", "count_in_bins", "every_nth", "magnitude_bits", "saturated_share", "share", "some_of_some", "subnormal_share"]

Array = npt.NDArray[Any]


def every_nth(values: Array, period: int) -> Array:
    """Evenly spread runs along axis 1 of ``values`` [m, n], at most `SAMPLED` elements of each row. ``period``: what no stride may divide."""
    stride = _stride(values.shape[1], period, SAMPLED)
    if stride == 1:
        return values
    starts = _starts(values.shape[1], stride)
    row, element = values.strides
    runs: Array = as_strided(values, (len(values), starts, RUN), (row, stride * RUN * element, element)).reshape(len(values), -1)
    return runs


def some_of_some(values: Array, examples: int, period: int) -> Array:
    """The same elements of some examples, [m, examples, elements], of ``values`` [m, n] that holds so many ``examples``."""
    each = values.reshape(len(values), examples, -1)[:, :: max(1, -(-examples // EXAMPLES))]
    stride = _stride(each.shape[2], period, PER_EXAMPLE)
    if stride == 1:
        return each
    starts = _starts(each.shape[2], stride)
    row, example, element = each.strides
    shape, strides = (*each.shape[:2], starts, RUN), (row, example, stride * RUN * element, element)
    return as_strided(each, shape, strides).reshape(*each.shape[:2], -1)


@functools.lru_cache(maxsize=4096)
def _stride(count: int, period: int, most: int) -> int:
    """The smallest stride that is short enough and has no factor in common with ``period``; 1 where everything fits."""
    stride = -(-count // most)
    while stride > 1 and math.gcd(stride, period) > 1:
        stride += 1
    return max(1, stride)


def _starts(count: int, stride: int) -> int:
    return len(range(0, count - RUN + 1, stride * RUN))


def magnitude_bits(x: Array) -> Array:
    """The bits of ``|x|`` as integers, which have the order of the numbers."""
    kind = np.dtype(np.int64 if x.dtype == np.float64 else np.int32)
    bits: Array = np.ascontiguousarray(x).view(kind) & np.iinfo(kind).max
    return bits


def share(hits: Array, finite: Array | None) -> Array:
    """float64[m]: the share of ``hits`` among what is finite; NaN where nothing is."""
    among = np.float64(hits.shape[1]) if finite is None else _count(finite)
    shares: Array = _count(hits if finite is None else hits & finite) / among
    return shares


def _count(hits: Array) -> Array:
    # Along an axis, numpy counts many times slower.
    return np.array([np.count_nonzero(row) for row in hits], float)


def subnormal_share(magnitude: Array, finite: Array | None, dtype: tf.DType, wide: tf.DType) -> Array:
    """The share of elements that are not 0 and below the smallest normal number of ``dtype``."""
    if not dtype.is_floating:
        return share(np.zeros_like(magnitude, bool), finite)
    return share((magnitude > 0) & (magnitude < subnormal_bound(dtype, wide)), finite)


def saturated_share(units: Array, strided: Array, finite: Array | None, activation: str | None) -> Array:
    """The share of elements (of rows, for softmax) where the activation is flat; NaN for an activation that has no such part."""
    if activation == "sigmoid":
        return share((strided < 0.03) | (strided > 0.97), finite)
    if activation == "tanh":
        return share(np.abs(strided) > 0.97, finite)
    if activation == "softmax" and units.size:
        rows = units[:, :: max(1, -(-units.shape[1] // ROWS))].astype(strided.dtype, copy=False)
        return share(rows.max(2) > 0.999, None if finite is None else np.isfinite(rows).all(2))
    return np.full(len(units), np.nan)


def batch_std(examples: Array, careful: bool) -> Array:
    """The root of the mean over columns of the variance over axis 1 of [m, examples, columns]; NaN for one example."""
    if careful:
        return np.array([_masked_batch_std(tensor) for tensor in examples.astype(np.float64)])
    if examples.shape[1] < 2:
        return np.full(len(examples), np.nan)
    centred = (examples - examples.mean(1, keepdims=True)).reshape(len(examples), -1)
    deviation: Array = np.sqrt(np.einsum("ij,ij->i", centred, centred) / np.float64(centred.shape[1]))
    return deviation


def _masked_batch_std(examples: Array) -> float:
    finite = np.isfinite(examples)
    count = finite.sum(0)
    examples = np.where(finite, examples, 0)
    scale = np.abs(examples).max(initial=0) or 1.0
    examples /= scale
    mean = examples.sum(0) / np.maximum(count, 1)
    variance = np.square(np.where(finite, examples - mean, 0)).sum(0) / np.maximum(count, 1)
    return float(np.sqrt(variance[count > 1].mean()) * scale) if (count > 1).any() else float("nan")


def count_in_bins(strided: Array, low: Array, high: Array, finite: Array | None) -> Array:
    """int64[m, B]: counts in equal bins over [low, high], each [m]. The last bin is closed and holds everything where ``low == high``."""
    low, high = low.astype(strided.dtype), high.astype(strided.dtype)
    if finite is not None:
        # The distance of two finite numbers may not be finite; that of their halves is.
        strided, low, high = strided / 2, low / 2, high / 2
    width = high - low
    last = HISTOGRAM_BINS - 1
    per_width = np.divide(strided.dtype.type(HISTOGRAM_BINS), width, out=np.zeros_like(width), where=width > 0)
    position = (strided - low[:, None]) * per_width[:, None]
    position[width == 0] = last
    if finite is not None:
        position[~finite] = 0
    bins = np.minimum(position, last, out=position).astype(np.intp)
    bins += HISTOGRAM_BINS * np.arange(len(bins))[:, None]
    counted = bins.ravel() if finite is None else bins[finite]
    return np.bincount(counted, minlength=len(bins) * HISTOGRAM_BINS).reshape(len(bins), HISTOGRAM_BINS)
