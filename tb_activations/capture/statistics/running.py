"""Statistics of a tensor that a step makes again and again: what each time adds to.

The one invariant: `sums` may be added up in any order, also by the gradient of a loop, which adds up what flows to what the iterations share.
They are of 64 bits: squares of float32 neither overflow nor lose the variance, so no careful second way is needed.

A histogram, zero units and the spread over examples are no sums, and are not there. Where a tensor is made at most once, `measure` gives all
columns; `as_vector` and `from_vector` are its way through a variable.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tb_activations.capture.statistics import sampled
from tb_activations.capture.statistics.measured import Measured
from tb_activations.capture.statistics.stacks import working_dtype
from tb_activations.store.schema import COUNTS, HISTOGRAM_BINS, NOT_RECORDED, STATISTICS

__all__ = ["EXTREMES", "SUMS", "as_vector", "extremes", "from_sums", "from_vector", "sums", "vector_size"]

SUMS = ("times", "elements", "nan", "pos_inf", "neg_inf", "total", "squares", "zeros", "subnormals", "saturated")
EXTREMES = (float("inf"), -float("inf"))
"""What the first minimum and maximum are compared with."""


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def sums(x: tf.Tensor, activation: str | None = None) -> tf.Tensor:
    """float64[SUMS]: what one more ``x`` adds."""
    wide = tf.cast(x, working_dtype(x.dtype))
    flat = tf.reshape(wide, [1, -1])
    finite = tf.math.is_finite(flat)
    values = tf.where(finite, tf.cast(flat, tf.float64), 0)
    magnitude = sampled.magnitude_bits(flat)
    infinity = tf.constant(float("inf"), flat.dtype)
    hits = (tf.math.is_nan(flat), flat == infinity, flat == -infinity, magnitude == 0, _subnormal(magnitude, x.dtype, wide.dtype))
    nan, above, below, zeros, subnormals = (tf.math.count_nonzero(hit, dtype=tf.float64) for hit in hits)
    saturated = sampled.saturated_share(_rows(wide), flat, finite, activation)[0]
    size = tf.size(x, out_type=tf.int64)
    parts = (1.0, size, nan, above, below, tf.reduce_sum(values), tf.reduce_sum(values * values), zeros, subnormals, saturated)
    return tf.stack([tf.cast(part, tf.float64) for part in parts])


def _subnormal(magnitude: tf.Tensor, dtype: tf.DType, wide: tf.DType) -> tf.Tensor:
    bound = sampled.subnormal_bound(dtype, wide) if dtype.is_floating else 0
    return (magnitude > 0) & (magnitude < bound)


def _rows(x: tf.Tensor) -> tf.Tensor:
    units = tf.shape(x)[-1] if x.shape.rank else 1
    return tf.reshape(x, tf.stack([1, -1, units]))


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def extremes(x: tf.Tensor) -> tf.Tensor:
    """float64[2]: the smallest and largest finite number of ``x``."""
    flat = tf.cast(tf.reshape(x, [-1]), tf.float64)
    finite = tf.math.is_finite(flat)
    low, high = EXTREMES
    return tf.stack([tf.reduce_min(tf.where(finite, flat, low)), tf.reduce_max(tf.where(finite, flat, high))])


def from_sums(added: tf.Tensor, low_and_high: tf.Tensor | None = None) -> Measured:
    """The row that was added up; where nothing was, one that says so."""
    total = dict(zip(SUMS, tf.unstack(added), strict=True))
    count = total["elements"] - total["nan"] - total["pos_inf"] - total["neg_inf"]
    mean = total["total"] / count
    columns = {
        "mean": mean,
        "std": tf.sqrt(tf.maximum(total["squares"] / count - mean * mean, 0)),
        "l2_norm": _where_any(count, tf.sqrt(total["squares"])),
        "zero_fraction": total["zeros"] / count,
        "saturated_fraction": total["saturated"] / total["times"],
        "subnormal_fraction": total["subnormals"] / count,
    }
    if low_and_high is not None:
        columns |= {"min": _where_any(count, low_and_high[0]), "max": _where_any(count, low_and_high[1])}
    return Measured(_statistics(columns), _counts(total), tf.zeros([HISTOGRAM_BINS], tf.int32), tf.zeros([2]))


def _statistics(columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
    unknown = tf.constant(float("nan"), tf.float64)
    return tf.cast(tf.stack([columns.get(name, unknown) for name in STATISTICS]), tf.float32)


def _counts(total: Mapping[str, tf.Tensor]) -> tf.Tensor:
    elements = tf.where(total["times"] > 0, total["elements"], NOT_RECORDED)
    return tf.cast(tf.stack([elements, total["nan"], total["pos_inf"], total["neg_inf"]]), tf.int64)


def _where_any(count: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
    return tf.where(count > 0, column, float("nan"))


def as_vector(row: Measured) -> tf.Tensor:
    """A row of `measure`, with its histogram, as float64[n], which holds each of its numbers exactly; the first says that there is one."""
    return tf.concat([tf.ones([1], tf.float64), *(tf.cast(part, tf.float64) for part in row)], 0)


def vector_size() -> int:
    return 1 + len(STATISTICS) + len(COUNTS) + HISTOGRAM_BINS + 2


def from_vector(vector: tf.Tensor) -> Measured:
    """The row again; of zeros, one that says that nothing was recorded."""
    there, statistics, counts, histogram, edges = tf.split(vector, [1, len(STATISTICS), len(COUNTS), HISTOGRAM_BINS, 2])
    statistics = tf.where(there > 0, statistics, float("nan"))
    counts = tf.where(there > 0, counts, [float(NOT_RECORDED), *[0.0] * (len(COUNTS) - 1)])
    return Measured(tf.cast(statistics, tf.float32), tf.cast(counts, tf.int64), tf.cast(histogram, tf.int32), tf.cast(edges, tf.float32))
