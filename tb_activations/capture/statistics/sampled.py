"""Statistics that look at an even stride of the elements: short runs at equal distances.

The one invariant: at most `SAMPLED` elements of a tensor are looked at, all of them where the tensor has no more, and no stride visits some
channels or columns only. Zeros and subnormal numbers are told apart by their bits, since arithmetic on CPUs takes both for zero.

``finite`` is a mask, or None where everything is known to be finite.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import tensorflow as tf

from tb_activations.store.schema import HISTOGRAM_BINS, SAMPLED_ELEMENTS

__all__ = [
    "EXAMPLES",
    "LIFT",
    "PER_EXAMPLE",
    "ROWS",
    "RUN",
    "SAMPLED",
    "batch_std",
    "bits_of",
    "count_in_bins",
    "every_nth",
    "magnitude_bits",
    "prime_factors",
    "saturated_share",
    "share",
    "some_of_some",
    "subnormal_bound",
    "tiny_width",
]

SAMPLED = min(16_384, SAMPLED_ELEMENTS)
"""A quarter of what the format allows: fractions are off by 0.4 % at most (one standard error), at a quarter of the time."""

EXAMPLES = 64
PER_EXAMPLE = 256
RUN = 32
ROWS = 4_096


def every_nth(x: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Evenly spread runs along axis 1 of ``x`` [m, n], at most `SAMPLED` elements of each row. ``factors``: primes no stride may have."""
    return tf.gather(x, _runs(tf.shape(x)[1], factors, SAMPLED), axis=1)


def some_of_some(x: tf.Tensor, examples: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """The same elements of some examples, [m, examples, elements], of ``x`` [m, n] that holds so many ``examples``."""
    size = tf.shape(x)[1] // tf.maximum(1, examples)
    chosen = tf.range(0, examples, tf.maximum(1, -(-examples // EXAMPLES)))
    positions = _runs(size, factors, PER_EXAMPLE)
    return tf.gather(x, size * chosen[:, None] + positions, axis=1)


def _runs(count: tf.Tensor, factors: tf.Tensor, most: int) -> tf.Tensor:
    """Positions below ``count``: all of them where they are at most ``most``, else evenly spread runs."""
    stride = _stride(count, factors, most)
    # Neighbours come from memory together: a run costs hardly more time than one element.
    run = tf.where(stride > 1, RUN, 1)
    starts = tf.range(0, count - run + 1, stride * run)
    return tf.reshape(starts[:, None] + tf.range(run), [-1])


def _stride(count: tf.Tensor, factors: tf.Tensor, most: int) -> tf.Tensor:
    """The smallest stride that is short enough and has none of ``factors``; 1 where everything fits."""
    stride = -(-count // most)
    candidates = stride + tf.range(_LONGEST_GAP)
    has_factor = tf.reduce_any(candidates[:, None] % factors == 0, 1)
    coprime = stride + tf.argmin(tf.cast(has_factor, tf.int32), output_type=tf.int32)
    return tf.where(stride > 1, coprime, 1)


_LONGEST_GAP = 40
"""Among so many successive integers, one has no factor in common with a number of up to eleven prime factors (Jacobsthal's function)."""


def prime_factors(number: int) -> list[int]:
    """The different primes that divide ``number``."""
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
    return bits_of(ml_dtypes.finfo(dtype.as_numpy_dtype).smallest_normal, wide)


def bits_of(number: float, dtype: tf.DType) -> int:
    """`magnitude_bits` of a number that is not negative."""
    exact = np.asarray(number, dtype.as_numpy_dtype)
    return int(exact.view(f"i{exact.itemsize}"))


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
        rows = units[:, :: tf.maximum(1, -(-tf.shape(units)[1] // ROWS))]
        return share(tf.reduce_max(rows, 2) > 0.999, None if finite is None else tf.reduce_all(tf.math.is_finite(rows), 2))
    return tf.fill(tf.shape(units)[:1], float("nan"))


def batch_std(examples: tf.Tensor, careful: bool) -> tf.Tensor:
    """The root of the mean over columns of the variance over axis 1 of [m, examples, columns]; NaN for one example."""
    if careful:
        return _masked_batch_std(examples)
    variance = tf.reduce_mean(tf.math.reduce_variance(examples, 1), 1)
    return tf.where(tf.shape(examples)[1] > 1, tf.sqrt(variance), float("nan"))


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
    scale = _scale_for(high - low)
    strided, low, high = strided * scale[:, None], low * scale, high * scale
    width = high - low
    per_width = tf.math.divide_no_nan(tf.cast(HISTOGRAM_BINS, width.dtype), width)
    position = (strided - low[:, None]) * per_width[:, None]
    if finite is not None:
        position = tf.where(finite, position, 0)
    last = HISTOGRAM_BINS - 1
    bins = tf.cast(position, tf.int32)
    bins = tf.clip_by_value(bins, tf.where(width > 0, 0, last)[:, None], last)
    return _count(bins, finite)


def _scale_for(width: tf.Tensor) -> tf.Tensor:
    """By what to multiply numbers so that the distance of any two of them, and how many bins go into 1, are finite. Powers of 2 keep all bits."""
    few = tf.where((width > 0) & (width < tiny_width(width.dtype.as_numpy_dtype)), tf.constant(LIFT, width.dtype), tf.ones_like(width))
    return tf.where(tf.math.is_inf(width), tf.constant(0.5, width.dtype), few)


LIFT = 2.0**64
"""What numbers in a tiny range are multiplied by."""


def tiny_width(dtype: type[np.floating]) -> float:
    """A range below which the number of bins over it may not be finite: far above that, and far below what `LIFT` could push out of range."""
    return float(np.finfo(dtype).tiny) * 2.0**20


def _count(bins: tf.Tensor, finite: tf.Tensor | None) -> tf.Tensor:
    tensors = tf.shape(bins)[0]
    size = tensors * HISTOGRAM_BINS
    bins += HISTOGRAM_BINS * tf.range(tensors)[:, None]
    if finite is not None:
        bins = tf.where(finite, bins, size)  # out of the range that is counted
    counts = tf.raw_ops.DenseBincount(input=tf.reshape(bins, [-1]), size=size, weights=tf.zeros([0], tf.int32), binary_output=False)
    return tf.reshape(counts, tf.stack([tensors, HISTOGRAM_BINS]))
