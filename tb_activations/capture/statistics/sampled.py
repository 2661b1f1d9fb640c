"""Statistics that look at an even stride of the elements.

The one invariant: at most `SAMPLED` elements of a tensor are looked at, all of them where the tensor has no more, and no stride visits some
channels or columns only. Zeros and subnormal numbers are told apart by their bits, since arithmetic on CPUs takes both for zero.

``finite`` is a mask, or None where everything is known to be finite.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import tensorflow as tf

from tb_activations.store.schema import HISTOGRAM_BINS, SAMPLED_ELEMENTS

__all__ = ["SAMPLED", "batch_std", "count_in_bins", "every_nth", "magnitude_bits", "saturated_share", "share", "subnormal_bound"]

SAMPLED = min(16_384, SAMPLED_ELEMENTS)
"""A quarter of what the format allows: fractions are off by 0.4 % at most (one standard error), at a quarter of the time."""

_EXAMPLES = 64
_ROWS = 4_096


def every_nth(x: tf.Tensor, inner: int, most: int = SAMPLED) -> tf.Tensor:
    """An even stride over axis 1 of ``x`` [m, n], at most ``most`` of each row. ``inner`` is the product of the extents within one example."""
    return x[:, :: _stride(_extent(x, 1), inner, most)]


def _extent(x: tf.Tensor, axis: int) -> Any:
    return tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]


def _stride(count: Any, inner: int, most: int) -> Any:
    """The smallest stride that is short enough and has no factor in common with ``inner``."""
    if isinstance(count, int):
        stride = max(1, -(-count // most))
        while math.gcd(stride, inner) > 1:
            stride += 1
        return stride
    stride = tf.maximum(1, -(-count // most))
    factors = _prime_factors(inner)
    if not factors:
        return stride
    candidates = stride + tf.range(_LONGEST_GAP)
    in_common = tf.reduce_any(candidates[:, None] % tf.constant(factors, candidates.dtype) == 0, 1)
    return tf.where(stride == 1, 1, candidates[tf.argmin(tf.cast(in_common, tf.int32), output_type=tf.int32)])


_LONGEST_GAP = 40
"""Among so many successive integers, one has no factor in common with a number of up to eleven prime factors (Jacobsthal's function)."""


def _prime_factors(number: int) -> list[int]:
    factors: list[int] = []
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            factors.append(divisor)
        while number % divisor == 0:
            number //= divisor
        divisor += 1
    return [*factors, number] if number > 1 else factors


def magnitude_bits(x: tf.Tensor) -> tf.Tensor:
    """The bits of ``|x|`` as integers, which have the order of the numbers."""
    kind = tf.int64 if x.dtype == tf.float64 else tf.int32
    return tf.bitwise.bitwise_and(tf.bitcast(x, kind), kind.max)


def subnormal_bound(dtype: tf.DType, wide: tf.DType) -> int:
    """`magnitude_bits` in the dtype ``wide`` of the smallest normal number of the floating ``dtype``."""
    smallest = np.asarray(ml_dtypes.finfo(dtype.as_numpy_dtype).smallest_normal, wide.as_numpy_dtype)
    return int(smallest.view(f"i{smallest.itemsize}"))


def share(hits: tf.Tensor, finite: tf.Tensor | None) -> tf.Tensor:
    """float32[m]: the share of ``hits`` among what is finite; NaN where nothing is."""
    hits = tf.cast(hits, tf.float32)
    if finite is None:
        return tf.reduce_mean(hits, 1)
    among = tf.cast(finite, tf.float32)
    return tf.reduce_sum(hits * among, 1) / tf.reduce_sum(among, 1)


def saturated_share(units: tf.Tensor, strided: tf.Tensor, finite: tf.Tensor | None, activation: str | None) -> tf.Tensor:
    """The share of elements (of rows, for softmax) where the activation is flat; NaN for an activation that has no such part."""
    if activation == "sigmoid":
        return share((strided < 0.03) | (strided > 0.97), finite)
    if activation == "tanh":
        return share(tf.abs(strided) > 0.97, finite)
    if activation == "softmax":
        rows = units[:, :: _stride(_extent(units, 1), 1, _ROWS)]
        return share(tf.reduce_max(rows, 2) > 0.999, None if finite is None else tf.reduce_all(tf.math.is_finite(rows), 2))
    return tf.fill([units.shape[0]], float("nan"))


def batch_std(examples: tf.Tensor, careful: bool) -> tf.Tensor:
    """The root of the mean over columns of the variance over axis 1 of [m, examples, columns]; NaN for one example."""
    columns = _extent(examples, 2)
    examples = examples[:, :: _stride(_extent(examples, 1), 1, _EXAMPLES), :: _stride(columns, examples.shape[2] or 1, SAMPLED // _EXAMPLES)]
    if careful:
        return _masked_batch_std(examples)
    variance = tf.math.reduce_variance(examples, 1)
    return tf.where(_extent(examples, 1) > 1, tf.sqrt(tf.reduce_mean(variance, 1)), float("nan"))


def _masked_batch_std(examples: tf.Tensor) -> tf.Tensor:
    finite = tf.math.is_finite(examples)
    count = tf.math.count_nonzero(finite, 1, dtype=examples.dtype)
    examples = tf.where(finite, examples, 0)
    magnitude = tf.reduce_max(tf.abs(examples), [1, 2])
    scale = tf.where(magnitude > 0, magnitude, tf.ones_like(magnitude))
    examples = examples / scale[:, None, None]
    mean = tf.math.divide_no_nan(tf.reduce_sum(examples, 1), count)
    centred = tf.where(finite, examples - mean[:, None, :], 0)
    variance = tf.math.divide_no_nan(tf.reduce_sum(centred * centred, 1), count)
    seen = tf.cast(count > 1, examples.dtype)
    return tf.sqrt(tf.reduce_sum(variance * seen, 1) / tf.reduce_sum(seen, 1)) * scale


def count_in_bins(strided: tf.Tensor, low: tf.Tensor, high: tf.Tensor, finite: tf.Tensor | None) -> tf.Tensor:
    """int32[m, B]: counts in equal bins over [low, high], each [m]. The last bin is closed and holds everything where ``low == high``."""
    if finite is not None:
        # The distance of two finite numbers may not be finite; that of their halves is.
        strided, low, high = strided / 2, low / 2, high / 2
    width = high - low
    per_width = tf.math.divide_no_nan(tf.cast(HISTOGRAM_BINS, width.dtype), width)
    position = (strided - low[:, None]) * per_width[:, None]
    if finite is not None:
        position = tf.where(finite, position, 0)
    last = HISTOGRAM_BINS - 1
    bins = tf.cast(position, tf.int32)
    bins = tf.clip_by_value(bins, tf.where(width > 0, 0, last)[:, None], last)
    return _count(bins, finite)


def _count(bins: tf.Tensor, finite: tf.Tensor | None) -> tf.Tensor:
    tensors = bins.shape[0]
    size = tensors * HISTOGRAM_BINS
    if tensors > 1:
        bins += HISTOGRAM_BINS * tf.range(tensors)[:, None]
    if finite is not None:
        bins = tf.where(finite, bins, size)  # out of the range that is counted
    counts = tf.raw_ops.DenseBincount(input=tf.reshape(bins, [-1]), size=size, weights=tf.zeros([0], tf.int32), binary_output=False)
    return tf.reshape(counts, [tensors, HISTOGRAM_BINS])
