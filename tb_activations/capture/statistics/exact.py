"""Statistics that look at every element.

The one invariant: a number that is returned is right to the precision of its dtype; where few passes can't promise that, `is_trusted` says so
and `reduce_carefully` is to be run.

The few passes are sum, sum of squares, minimum and maximum. They can't be trusted where something is not finite, squares overflow
or sink under the smallest number, or the mean is so large against the standard deviation that ``E[x²] − E[x]²`` loses its digits.

All functions take ``units``: [m, rows, units], m tensors with one column per slice of their last axis.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

__all__ = ["Exact", "Totals", "add_up", "from_totals", "is_trusted", "reduce_carefully"]

_SMALLEST_TO_SQUARE = 1e-10
_LEAST_SHARE_OF_VARIANCE = 0.01
_LOOKED_AT = 4_096


class Totals(NamedTuple):
    """What four passes give, each [m]."""

    low: tf.Tensor
    high: tf.Tensor
    total: tf.Tensor
    squares: tf.Tensor


class Exact(NamedTuple):
    """Statistics over the finite elements, each [m]; NaN where there is none. ``nonfinite`` is int64[m, 3]: NaN, +Inf, −Inf."""

    low: tf.Tensor
    high: tf.Tensor
    mean: tf.Tensor
    std: tf.Tensor
    l2_norm: tf.Tensor
    zero_units: tf.Tensor
    nonfinite: tf.Tensor


def add_up(units: tf.Tensor) -> Totals:
    """The few passes."""
    low, high, total = (reduce(units, [1, 2]) for reduce in (tf.reduce_min, tf.reduce_max, tf.reduce_sum))
    # One fused pass exists for the squares of a whole tensor only.
    alone = tf.shape(units)[0] == 1
    squares = tf.cond(alone, lambda: 2 * tf.nn.l2_loss(units)[None], lambda: tf.reduce_sum(units * units, [1, 2]))
    return Totals(low, high, total, squares)


def is_trusted(totals: Totals, elements: tf.Tensor) -> tf.Tensor:
    """Whether `from_totals` is right for all m tensors: one boolean."""
    count = tf.cast(elements, totals.total.dtype)
    mean = totals.total / count
    magnitude = tf.maximum(-totals.low, totals.high)
    can_be_squared = (magnitude > _SMALLEST_TO_SQUARE) | (magnitude == 0)
    # False where the sum of squares is NaN or infinite, or the tensor empty.
    spread = totals.squares - mean * mean * count >= _LEAST_SHARE_OF_VARIANCE * totals.squares
    return tf.reduce_all(can_be_squared & spread & (totals.squares < totals.squares.dtype.max))


def from_totals(totals: Totals, units: tf.Tensor, elements: tf.Tensor) -> Exact:
    """The statistics of tensors whose totals are trusted."""
    count = tf.cast(elements, totals.total.dtype)
    mean = totals.total / count
    std = tf.sqrt(totals.squares / count - mean * mean)
    nonfinite = tf.zeros(tf.stack([tf.shape(mean)[0], 3]), tf.int64)
    return Exact(totals.low, totals.high, mean, std, tf.sqrt(totals.squares), _zero_units_of_finite(units), nonfinite)


def _zero_units_of_finite(units: tf.Tensor) -> tf.Tensor:
    """The share of zero units. Few rows tell mostly that there is none; only where they don't, every element is looked at."""
    shape = tf.shape(units)
    some = tf.maximum(1, _LOOKED_AT // tf.maximum(1, shape[2]))
    rows = tf.gather(units, tf.range(0, shape[1], tf.maximum(1, shape[1] // some)), axis=1)

    def look_at_all() -> tf.Tensor:
        zero = (tf.reduce_min(units, 1) == 0) & (tf.reduce_max(units, 1) == 0)
        return tf.reduce_mean(tf.cast(zero, units.dtype), 1)

    none_is_zero = tf.reduce_all(tf.reduce_any(rows != 0, 1))
    return tf.cond(none_is_zero, lambda: tf.zeros(shape[:1], units.dtype), look_at_all)


def reduce_carefully(units: tf.Tensor, elements: tf.Tensor) -> Exact:
    """Leaves out what is not finite, scales by the largest magnitude, and centres before it squares."""
    finite = tf.math.is_finite(units)
    count = _count(finite, units.dtype)
    low = tf.reduce_min(tf.where(finite, units, units.dtype.max), [1, 2])
    high = tf.reduce_max(tf.where(finite, units, units.dtype.min), [1, 2])
    magnitude = tf.maximum(-low, high)
    scale = tf.where(magnitude == 0, tf.ones_like(magnitude), magnitude)
    scaled = tf.where(finite, units / scale[:, None, None], 0)
    mean = _sum(scaled) / count
    centred = tf.where(finite, scaled - mean[:, None, None], 0)
    rest = _sum(centred) / count  # what rounding kept out of the mean
    std = tf.sqrt(tf.maximum(_sum(centred * centred) / count - rest * rest, 0))
    l2_norm = tf.sqrt(_sum(scaled * scaled))
    columns = (low, high, (mean + rest) * scale, std * scale, l2_norm * scale, _zero_units(units, elements))
    low, high, mean, std, l2_norm, zero_units = (tf.where(count > 0, column, float("nan")) for column in columns)
    return Exact(low, high, mean, std, l2_norm, zero_units, _count_nonfinite(units, elements))


def _sum(units: tf.Tensor) -> tf.Tensor:
    # XLA adds one number after the other: two stages keep the sums, and with them the rounding, small.
    return tf.reduce_sum(tf.reduce_sum(units, 1), 1)


def _count(hits: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.math.count_nonzero(hits, [1, 2], dtype=dtype)


def _zero_units(units: tf.Tensor, elements: tf.Tensor) -> tf.Tensor:
    # Counted and not asked with `all`: what fills a tensor up in its stack is not 0 either.
    zeros = tf.math.count_nonzero(units == 0, 1)
    rows = elements // tf.maximum(tf.shape(units, out_type=tf.int64)[2], 1)
    return tf.reduce_mean(tf.cast(zeros == rows[:, None], units.dtype), 1)


def _count_nonfinite(units: tf.Tensor, elements: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(units, out_type=tf.int64)
    filling = shape[1] * shape[2] - elements
    infinity = tf.constant(float("inf"), units.dtype)
    nan, above, below = (_count(hits, tf.int64) for hits in (tf.math.is_nan(units), units == infinity, units == -infinity))
    return tf.stack([nan - filling, above, below], 1)
