"""Reductions of a tensor to the fixed-size numbers of one capture row, inside the graph of the step.

The one invariant: only numeric operations that every backend and XLA can compile; no string, print, summary or Python operation, and
nothing that changes what the user's step computes. Columns and definitions: ``docs/format.md``.

The common case is few passes over the tensor: sum, sum of squares, minimum and maximum per unit. Only where these say that they can't be
trusted (something is not finite, squares overflow or underflow, or cancellation would eat the variance) a second, careful reduction runs.
Nothing here chooses tensors or knows about nodes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.errors import ArgumentError
from tb_activations.store.schema import HISTOGRAM_BINS, SAMPLED_ELEMENTS, STATISTICS

__all__ = ["Measured", "has_statistics", "measure", "sample"]


class Measured(NamedTuple):
    """Statistics of one tensor, as tensors of the graph they were computed in.

    Attributes:
      statistics: float32[K], in the order of `schema.STATISTICS`.
      counts: int64[4], in the order of `schema.COUNTS`.
      histogram: int32[B], or None when not asked for.
      histogram_range: float32[2], or None when not asked for.
    """

    statistics: tf.Tensor
    counts: tf.Tensor
    histogram: tf.Tensor | None
    histogram_range: tf.Tensor | None


class _Reduced(NamedTuple):
    """Exact statistics over the finite elements, in the working dtype."""

    low: tf.Tensor
    high: tf.Tensor
    mean: tf.Tensor
    std: tf.Tensor
    l2_norm: tf.Tensor
    zero_units: tf.Tensor
    nonfinite: tf.Tensor  # int64[3]: NaN, +Inf, −Inf


def has_statistics(dtype: tf.DType) -> bool:
    """Whether mean, std and the like are defined for tensors of ``dtype``."""
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def measure(x: tf.Tensor, *, activation: str | None = None, batch: bool = True, histogram: bool = True) -> Measured:
    """Reduces ``x`` to one row of statistics.

    Args:
      x: a real tensor of any shape, known or not.
      activation: name of the activation function that made ``x``; decides what counts as saturated.
      batch: whether axis 0 counts examples.
      histogram: whether to count the values in equal bins.
    """
    if not has_statistics(x.dtype):
        raise ArgumentError(f"Expected a tensor of a real, numeric dtype. Received: x.dtype={x.dtype.name}. Leave it out of the capture.")
    wide = tf.cast(x, _working_dtype(x.dtype))
    elements = tf.size(x, out_type=tf.int64)
    reduced = _reduce(wide, elements)
    strided = _strided(wide)
    columns = {
        "min": reduced.low,
        "max": reduced.high,
        "mean": reduced.mean,
        "std": reduced.std,
        "l2_norm": reduced.l2_norm,
        "zero_unit_fraction": reduced.zero_units,
        "batch_std": _batch_std(wide) if batch else _nan(wide),
        "saturated_fraction": _saturated_fraction(wide, strided, activation),
        **_zero_and_subnormal(x),
    }
    statistics = tf.stack([tf.cast(columns[name], tf.float32) for name in STATISTICS])
    counts = tf.concat([elements[None], reduced.nonfinite], 0)
    if not histogram:
        return Measured(statistics, counts, None, None)
    return Measured(statistics, counts, _histogram(strided, reduced), tf.cast(tf.stack([reduced.low, reduced.high]), tf.float32))


def sample(x: tf.Tensor, *, batch: bool, examples: int, elements: int) -> tf.Tensor:
    """The raw numbers of ``x`` to keep: a block from its beginning of at most ``elements`` numbers, in the tensor's own dtype and rank.

    With a batch axis these are the first examples, at most ``examples``; where one example is too large, its first channels
    (last axis), then its first rows. A tensor without a batch axis gives up the end of its last axis first. A tensor of unknown rank comes flat.
    """
    rank = x.shape.rank
    if rank is None:
        return tf.reshape(x, [-1])[:elements]
    if rank == 0:
        return x
    shape = tf.shape(x)
    extents: list[Any] = [shape[axis] if size is None else size for axis, size in enumerate(x.shape)]
    if batch:
        extents[0] = 1
    order = [rank - 1, *range(rank - 1)]
    for axis in order:
        if not (batch and axis == 0):
            extents[axis] = _fitting(extents, axis, elements)
    if batch:
        extents[0] = _at_most(examples, _fitting([examples, *extents[1:]], 0, elements))
    return x[tuple(slice(0, extent) for extent in extents)]


def _fitting(extents: list[Any], axis: int, elements: int) -> Any:
    """The largest extent along ``axis``, at least 1, with which a block of ``extents`` has at most ``elements`` elements."""
    others: Any = 1
    for other, extent in enumerate(extents):
        if other != axis:
            others = others * extent
    if isinstance(others, int):
        return _at_most(extents[axis], max(1, elements // max(1, others)))
    return _at_most(extents[axis], tf.maximum(1, elements // tf.maximum(1, others)))


def _at_most(extent: Any, bound: Any) -> Any:
    if isinstance(extent, int) and isinstance(bound, int):
        return min(extent, bound)
    return tf.minimum(extent, bound)


def _working_dtype(dtype: tf.DType) -> tf.DType:
    """float32 where it holds every value of ``dtype`` exactly, else float64."""
    return tf.float64 if dtype == tf.float64 or (dtype.is_integer and dtype.size >= 4) else tf.float32


def _nan(like: tf.Tensor) -> tf.Tensor:
    return tf.constant(float("nan"), like.dtype)


# Exact columns.


def _reduce(x: tf.Tensor, elements: tf.Tensor) -> _Reduced:
    units = _units(x)
    count = tf.cast(elements, x.dtype)
    low, high = tf.reduce_min(units, 0), tf.reduce_max(units, 0)
    zero_units = tf.reduce_mean(tf.cast((low == 0) & (high == 0), x.dtype)) if _may_have_units(x) else _nan(x)
    low, high = tf.reduce_min(low), tf.reduce_max(high)
    mean = tf.reduce_sum(x) / count
    squares = 2 * tf.nn.l2_loss(x)
    variance = squares / count - mean * mean
    magnitude = tf.maximum(tf.abs(low), tf.abs(high))
    trusted = tf.math.is_finite(squares) & ((magnitude == 0) | (magnitude > _SMALLEST_TO_SQUARE)) & (variance >= _CANCELLATION * squares / count)

    def quick() -> _Reduced:
        return _Reduced(low, high, mean, tf.sqrt(variance), tf.sqrt(squares), _unless_flat(x, zero_units), tf.zeros([3], tf.int64))

    return _Reduced(*tf.cond(trusted, quick, lambda: _reduce_carefully(x)))


_SMALLEST_TO_SQUARE = 1e-10
"""Below this, squares of the elements would sink under the smallest float32."""

_CANCELLATION = 0.01
"""The least share of the mean square that the variance may have before ``E[x²] − E[x]²`` loses digits that matter."""


def _reduce_carefully(x: tf.Tensor) -> _Reduced:
    """Masks what is not finite, scales by the largest magnitude, and centres before it squares."""
    finite = tf.math.is_finite(x)
    count = tf.cast(tf.math.count_nonzero(finite), x.dtype)
    low = tf.reduce_min(tf.where(finite, x, x.dtype.max))
    high = tf.reduce_max(tf.where(finite, x, x.dtype.min))
    magnitude = tf.maximum(tf.abs(low), tf.abs(high))
    scale = tf.where(magnitude == 0, tf.ones_like(magnitude), magnitude)
    scaled = tf.where(finite, x, tf.zeros_like(x)) / scale
    mean = tf.reduce_sum(scaled) / count
    centred = tf.where(finite, scaled - mean, tf.zeros_like(x))
    std = tf.sqrt(tf.reduce_sum(centred * centred) / count)
    l2_norm = tf.sqrt(tf.reduce_sum(scaled * scaled))
    zero_units = tf.reduce_mean(tf.cast(tf.reduce_all(_units(x) == 0, 0), x.dtype)) if _may_have_units(x) else _nan(x)
    columns = (low, high, mean * scale, std * scale, l2_norm * scale, _unless_flat(x, zero_units))
    nonfinite = tf.stack(
        [tf.math.count_nonzero(kind) for kind in (tf.math.is_nan(x), x == x.dtype.as_numpy_dtype("inf"), x == -x.dtype.as_numpy_dtype("inf"))]
    )
    return _Reduced(*(tf.where(count > 0, column, _nan(x)) for column in columns), nonfinite)


def _units(x: tf.Tensor) -> tf.Tensor:
    """``x`` as a matrix with one column per slice of the last axis."""
    shape = tf.shape(x, out_type=tf.int64)
    last = tf.concat([[1], shape], 0)[-1] if x.shape.rank is None or x.shape.rank == 0 or x.shape[-1] is None else x.shape[-1]
    rows = tf.size(x, out_type=tf.int64) // tf.maximum(tf.cast(last, tf.int64), 1)
    return tf.reshape(x, tf.stack([rows, tf.cast(last, tf.int64)]))


def _may_have_units(x: tf.Tensor) -> bool:
    return x.shape.rank is None or x.shape.rank >= 2


def _unless_flat(x: tf.Tensor, zero_units: tf.Tensor) -> tf.Tensor:
    """NaN for a tensor of unknown rank that turns out to have no units."""
    return zero_units if x.shape.rank is not None else tf.where(tf.rank(x) >= 2, zero_units, _nan(x))


# Sampled columns.


def _strided(x: tf.Tensor) -> tf.Tensor:
    """An even stride over the elements, at most `SAMPLED_ELEMENTS`."""
    flat = tf.reshape(x, [-1])
    return flat[:: _stride(x, tf.size(flat))]


def _stride(x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The smallest stride that is short enough and shares no factor with the inner extents.

    A stride with such a factor would visit some channels or columns only.
    """
    stride = tf.maximum(1, -(-size // SAMPLED_ELEMENTS))
    inner = 1
    for extent in x.shape[1:] if x.shape.rank else ():
        inner *= extent or 1
    candidates = stride + tf.range(_LONGEST_GAP)
    shares = tf.reduce_any(candidates[:, None] % tf.constant(_prime_factors(inner), tf.int32) == 0, 1)
    return candidates[tf.argmin(tf.cast(shares, tf.int32))] if inner > 1 else stride


_LONGEST_GAP = 40
"""More than the longest run of integers that all share a factor with one product of layer extents (Jacobsthal's function of 11 primes)."""


def _prime_factors(number: int) -> list[int]:
    factors, divisor = [], 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            factors.append(divisor)
            while number % divisor == 0:
                number //= divisor
        divisor += 1
    return [*factors, number] if number > 1 else factors


def _zero_and_subnormal(x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Shares of zero and of subnormal elements, read from the bits: arithmetic on CPUs takes subnormal numbers for zeros."""
    strided = _strided(x if not x.dtype.is_bool else tf.cast(x, tf.int8))
    if not x.dtype.is_floating:
        return {
            "zero_fraction": _share(strided == 0, tf.ones_like(strided, tf.bool)),
            "subnormal_fraction": _share(strided != strided, tf.ones_like(strided, tf.bool)),
        }
    kind = {2: tf.uint16, 4: tf.uint32, 8: tf.uint64}[x.dtype.size]
    digits = {tf.bfloat16: 7, tf.float16: 10, tf.float32: 23, tf.float64: 52}[x.dtype]
    bits = tf.bitcast(strided, kind)
    sign = 1 << (8 * x.dtype.size - 1)
    magnitude = tf.bitwise.bitwise_and(bits, tf.constant(sign - 1, kind))
    exponents = tf.bitwise.right_shift(magnitude, tf.constant(digits, kind))
    finite = tf.math.is_finite(tf.cast(strided, _working_dtype(x.dtype)))
    zero = magnitude == 0
    return {"zero_fraction": _share(zero, finite), "subnormal_fraction": _share((exponents == 0) & ~zero, finite)}


def _share(hits: tf.Tensor, among: tf.Tensor) -> tf.Tensor:
    """The share of ``hits`` among the elements where ``among`` holds; NaN when there is none."""
    count = tf.cast(tf.math.count_nonzero(among), tf.float32)
    return tf.cast(tf.math.count_nonzero(hits & among), tf.float32) / count


def _batch_std(x: tf.Tensor) -> tf.Tensor:
    if x.shape.rank is None or x.shape.rank < 2:
        return _nan(x)
    shape = tf.shape(x)
    features = tf.reduce_prod(shape[1:])
    matrix = tf.reshape(x, tf.stack([shape[0], features]))
    matrix = matrix[:: tf.maximum(1, -(-shape[0] // _SAMPLED_EXAMPLES))]
    matrix = matrix[:, :: _stride(x, tf.size(matrix))]
    finite = tf.math.is_finite(matrix)
    matrix = tf.where(finite, matrix, tf.zeros_like(matrix))
    magnitude = tf.reduce_max(tf.abs(matrix))
    scale = tf.where(magnitude > 0, magnitude, tf.ones_like(magnitude))
    count = tf.math.count_nonzero(finite, 0, dtype=x.dtype)
    mean = tf.math.divide_no_nan(tf.reduce_sum(matrix / scale, 0), count)
    centred = tf.where(finite, matrix / scale - mean, tf.zeros_like(matrix))
    variance = tf.math.divide_no_nan(tf.reduce_sum(centred * centred, 0), count)
    seen = tf.math.count_nonzero(count > 1, dtype=x.dtype)
    std = tf.sqrt(tf.reduce_sum(tf.where(count > 1, variance, tf.zeros_like(variance))) / seen) * scale
    return tf.where(seen > 0, std, _nan(x))


_SAMPLED_EXAMPLES = 256


def _saturated_fraction(x: tf.Tensor, strided: tf.Tensor, activation: str | None) -> tf.Tensor:
    if activation == "sigmoid":
        return _share((strided < 0.03) | (strided > 0.97), tf.math.is_finite(strided))
    if activation == "tanh":
        return _share(tf.abs(strided) > 0.97, tf.math.is_finite(strided))
    if activation == "softmax" and x.shape.rank:
        rows = _units(x)
        rows = rows[:: tf.maximum(1, -(-tf.size(rows) // SAMPLED_ELEMENTS))]
        return _share(tf.reduce_max(rows, 1) > 0.999, tf.reduce_all(tf.math.is_finite(rows), 1))
    return _nan(x)


def _histogram(strided: tf.Tensor, reduced: _Reduced) -> tf.Tensor:
    """Counts of the sampled elements in `HISTOGRAM_BINS` equal bins from the lowest to the highest finite element, the last bin closed."""
    # Halves, so that the distance of two finite numbers is finite.
    low, high = reduced.low / 2, reduced.high / 2
    position = (strided / 2 - low) / (high - low) * HISTOGRAM_BINS
    position = tf.where(high > low, position, tf.fill(tf.shape(position), tf.cast(HISTOGRAM_BINS, position.dtype)))
    finite = tf.math.is_finite(strided)
    bins = tf.cast(tf.clip_by_value(tf.where(finite, position, tf.zeros_like(position)), 0, HISTOGRAM_BINS - 1), tf.int32)
    bins = tf.where(finite, bins, -1)
    # A bin is a pair of octal digits: the table of pairs is one small matrix product, which XLA has a fast kernel for, unlike a scatter.
    tens, ones = tf.one_hot(bins // 8, HISTOGRAM_BINS // 8), tf.one_hot(bins % 8, 8)
    return tf.reshape(tf.cast(tf.matmul(tens, ones, transpose_a=True), tf.int32), [HISTOGRAM_BINS])
