"""Statistics of a tensor that a step makes again and again: what each time adds to.

The one invariant: `sums` may be added up in any order, also by the gradient of a loop, which adds up what flows to what the iterations share.
They are of 64 bits: squares of float32 neither overflow nor lose the variance, so no careful second way is needed.

A histogram, zero units and the spread over examples are no sums, and are not there. Where a tensor is made at most once, `measure` gives all
columns; `as_vector` and `from_vector` are its way through a variable.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tb_activations.capture.statistics import sampled
from tb_activations.capture.statistics.measured import Measured
from tb_activations.capture.statistics.stacks import working_dtype
from tb_activations.store.schema import COUNTS, HISTOGRAM_BINS, NOT_RECORDED, STATISTICS

__all__ = ["EXTREMES", "SUMS", "as_vector", "extremes", "from_sums", "from_vectors", "sums", "vector_size"]

SUMS = ("times", "elements", "total", "squares", "saturated", "pos_inf", "zeros", "below_normal", "finite", "numbers")
"""``below_normal`` counts zeros too, ``numbers`` all but NaN."""

EXTREMES = (-float("inf"), -float("inf"))
"""What the first `extremes` are compared with."""

_NOT_KNOWN = -1.0
"""The share of saturated numbers where no activation function tells what that is. NaN would be added up among the step's own gradients, where
`tf.debugging.enable_check_numerics` takes it for the user's."""

_IN_PLACE_OF_NAN = tf.float64.min
"""For the same reason; no statistic, which has 32 bits, is as low."""


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def sums(x: tf.Tensor, activation: str | None = None) -> tf.Tensor:
    """float64[SUMS]: what one more ``x`` adds. Of few operations: in a loop it is their number that takes the time."""
    wide = tf.cast(x, working_dtype(x.dtype))
    flat = tf.reshape(wide, [-1])
    finite = tf.math.is_finite(flat)
    values = tf.where(finite, tf.cast(flat, tf.float64), 0)
    above = tf.reduce_sum(tf.cast(flat == float("inf"), tf.float64))
    size = tf.size(x, out_type=tf.int64)
    parts = (1.0, size, tf.reduce_sum(values), tf.reduce_sum(values * values), _saturated(wide, flat, finite, activation), above)
    counts = tf.reduce_sum(tf.cast(sampled.magnitude_bits(flat) < _bounds(x.dtype, wide.dtype), tf.float64), 1)
    return tf.concat([tf.stack([tf.cast(part, tf.float64) for part in parts]), counts], 0)


def _bounds(dtype: tf.DType, wide: tf.DType) -> tf.Tensor:
    """[4, 1]: below which `magnitude_bits` in ``wide`` zeros lie, what is not normal in ``dtype``, what is finite, and what is a number."""
    infinity = sampled.bits_of(float("inf"), wide)
    normal = sampled.subnormal_bound(dtype, wide) if dtype.is_floating else 1
    return tf.constant([[1], [normal], [infinity], [infinity + 1]], tf.int64 if wide == tf.float64 else tf.int32)


def _saturated(wide: tf.Tensor, flat: tf.Tensor, finite: tf.Tensor, activation: str | None) -> tf.Tensor | float:
    if activation is None:
        return _NOT_KNOWN
    units = tf.shape(wide)[-1] if wide.shape.rank else 1
    return sampled.saturated_share(tf.reshape(wide, tf.stack([1, -1, units])), flat[None], finite[None], activation)[0]


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def extremes(x: tf.Tensor) -> tf.Tensor:
    """float64[2]: the largest finite number of ``-x`` and of ``x``."""
    flat = tf.reshape(tf.cast(x, working_dtype(x.dtype)), [-1])
    both = tf.where(tf.math.is_finite(flat), tf.stack([-flat, flat]), -float("inf"))
    return tf.cast(tf.reduce_max(both, 1), tf.float64)


def from_sums(added: tf.Tensor, largest: tf.Tensor) -> Measured:
    """The rows that were added up; where nothing was, one that says so.

    Args:
      added: float64[n, SUMS], sums of `sums`.
      largest: float64[n, 2], the largest of `extremes`; NaN where they are not known.
    """
    total = dict(zip(SUMS, tf.unstack(added, axis=1), strict=True))
    count = total["finite"]
    mean = total["total"] / count
    low_and_high = tf.where(count[:, None] > 0, largest * [-1.0, 1.0], float("nan"))
    columns = {
        "min": low_and_high[:, 0],
        "max": low_and_high[:, 1],
        "mean": mean,
        "std": tf.sqrt(tf.maximum(total["squares"] / count - mean * mean, 0)),
        "l2_norm": tf.where(count > 0, tf.sqrt(total["squares"]), float("nan")),
        "zero_fraction": total["zeros"] / count,
        "saturated_fraction": tf.where(total["saturated"] < 0, np.float64("nan"), total["saturated"] / total["times"]),
        "subnormal_fraction": (total["below_normal"] - total["zeros"]) / count,
    }
    rows = tf.shape(added)[0]
    return Measured(_statistics(columns, rows), _counts(total), tf.zeros([rows, HISTOGRAM_BINS], tf.int32), tf.zeros([rows, 2]))


def _statistics(columns: Mapping[str, tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
    unknown = tf.fill([rows], tf.constant(float("nan"), tf.float64))
    return tf.cast(tf.stack([columns.get(name, unknown) for name in STATISTICS], 1), tf.float32)


def _counts(total: Mapping[str, tf.Tensor]) -> tf.Tensor:
    elements = tf.where(total["times"] > 0, total["elements"], NOT_RECORDED)
    infinite = total["numbers"] - total["finite"]
    columns = (elements, total["elements"] - total["numbers"], total["pos_inf"], infinite - total["pos_inf"])
    return tf.cast(tf.stack(columns, 1), tf.int64)


def as_vector(row: Measured) -> tf.Tensor:
    """A row of `measure`, with its histogram, as float64[n], which holds each of its numbers exactly; the first says that there is one."""
    numbers = tf.concat([tf.cast(part, tf.float64) for part in row], 0)
    return tf.concat([tf.ones([1], tf.float64), tf.where(tf.math.is_nan(numbers), _IN_PLACE_OF_NAN, numbers)], 0)


def vector_size() -> int:
    return 1 + len(STATISTICS) + len(COUNTS) + HISTOGRAM_BINS + 2


def from_vectors(vectors: tf.Tensor) -> Measured:
    """The rows again, of [n, `vector_size`]; of zeros, one that says that nothing was recorded."""
    sizes = [1, len(STATISTICS), len(COUNTS), HISTOGRAM_BINS, 2]
    there, statistics, counts, histogram, edges = tf.split(vectors, sizes, axis=1)
    statistics = tf.where((there > 0) & (statistics != _IN_PLACE_OF_NAN), statistics, float("nan"))
    counts = tf.where(there > 0, counts, [float(NOT_RECORDED), *[0.0] * (len(COUNTS) - 1)])
    return Measured(tf.cast(statistics, tf.float32), tf.cast(counts, tf.int64), tf.cast(histogram, tf.int32), tf.cast(edges, tf.float32))
