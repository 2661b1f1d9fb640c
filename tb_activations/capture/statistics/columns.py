"""All columns of one stack of tensors.

The one invariant: both ways to a column, the quick one for tensors that are known to be finite and well scaled and the careful one for all
others, follow the same definition; which way is taken is decided by the numbers, at run time.

The reduction is one function per kind of tensor, traced once in a process and called for each stack, for tensors of any extents. That is why
recording a thousand layers costs neither a thousand traces nor a graph that the optimizers of TensorFlow take minutes for.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tb_activations.capture.statistics import exact, sampled
from tb_activations.capture.statistics.stacks import Stack
from tb_activations.store.schema import STATISTICS

__all__ = ["reduce_stack"]

Columns = tuple[tf.Tensor, ...]


class _Kind(NamedTuple):
    """What decides which columns a tensor has, and how they are computed."""

    dtype: tf.DType
    wide: tf.DType
    activation: str | None
    batch: bool
    has_units: bool
    histogram: bool


class _Views(NamedTuple):
    """A stack seen as what each kind of statistic reads."""

    units: tf.Tensor  # [m, rows, units]
    strided: tf.Tensor  # [m, at most SAMPLED]
    examples: tf.Tensor  # [m, some examples, some elements of each]


def reduce_stack(stack: Stack, *, histogram: bool) -> Columns:
    """Statistics [m, K], counts [m, 4] and, when asked for, histogram [m, B] and its range [m, 2]."""
    has_units = stack.shape.rank is not None and stack.shape.rank >= 2
    kind = _Kind(stack.dtype, stack.values.dtype, stack.activation, stack.batch and has_units, has_units, histogram)
    positions = math.prod(extent or 1 for extent in stack.shape[1:]) if has_units else 1
    factors = tf.constant(sampled.prime_factors(positions), tf.int32)
    results = _reducer(kind)(_as_examples(stack), _not_constant(stack.elements), _not_constant(factors))
    for result in results:
        result.set_shape([len(stack.indices), *result.shape[1:]])
    return tuple(results)


def _not_constant(vector: tf.Tensor) -> tf.Tensor:
    # For each call with a constant TensorFlow would make, and optimize, a copy of the function: most of the time to the first capture.
    return tf.raw_ops.PlaceholderWithDefault(input=vector, shape=[None])


def _as_examples(stack: Stack) -> tf.Tensor:
    """The stack as [m, examples, positions, units]; a vector has one unit. Without a batch axis, any split into examples will do."""
    shape, tensors = stack.shape, len(stack.indices)
    if shape.rank is None or shape.rank < 2:
        return tf.reshape(stack.values, [tensors, -1, 1, 1])
    if shape[1:].is_fully_defined():
        # An empty tensor has a unit of no rows: -1 can't be derived beside a zero.
        return tf.reshape(stack.values, [tensors, -1, max(1, math.prod(shape[1:-1])), max(1, shape[-1])])
    extents = tf.maximum(1, tf.shape(stack.values)[1:])
    return tf.reshape(stack.values, tf.stack([tensors, -1, tf.reduce_prod(extents[1:-1]), extents[-1]]))


@functools.cache
def _reducer(kind: _Kind) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Columns]:
    signature = [tf.TensorSpec([None] * 4, kind.wide), tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.int32)]
    # Not inlined: the graph of the step stays small.
    function = tf.function(functools.partial(_reduce, kind), signature, autograph=False, experimental_attributes={"_noinline": True})
    with tf.init_scope():
        reducer: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Columns] = function.get_concrete_function()
    return reducer


def _reduce(kind: _Kind, values: tf.Tensor, elements: tf.Tensor, factors: tf.Tensor) -> Columns:
    views = _look(values, factors)
    totals = exact.add_up(views.units)

    def quick() -> Columns:
        return _columns(kind, views, elements, exact.from_totals(totals, views.units, elements), careful=False)

    def careful() -> Columns:
        return _columns(kind, views, elements, exact.reduce_carefully(views.units, elements), careful=True)

    return tuple(tf.cond(exact.is_trusted(totals, elements), quick, careful))


def _look(values: tf.Tensor, factors: tf.Tensor) -> _Views:
    shape = tf.shape(values)
    tensors, examples, positions, units = shape[0], shape[1], shape[2], shape[3]
    flat = tf.reshape(values, tf.stack([tensors, examples * positions * units]))
    return _Views(
        tf.reshape(values, tf.stack([tensors, examples * positions, units])),
        sampled.every_nth(flat, factors),
        sampled.some_of_some(flat, examples, factors),
    )


def _columns(kind: _Kind, views: _Views, elements: tf.Tensor, reduced: exact.Exact, *, careful: bool) -> Columns:
    magnitude = sampled.magnitude_bits(views.strided)
    finite = tf.math.is_finite(views.strided) if careful else None
    nothing = tf.fill(tf.shape(reduced.low), float("nan"))
    columns = {
        "min": reduced.low,
        "max": reduced.high,
        "mean": reduced.mean,
        "std": reduced.std,
        "l2_norm": reduced.l2_norm,
        "zero_fraction": sampled.share(magnitude == 0, finite),
        "zero_unit_fraction": reduced.zero_units if kind.has_units else nothing,
        "batch_std": sampled.batch_std(views.examples, careful) if kind.batch else nothing,
        "saturated_fraction": sampled.saturated_share(views.units, views.strided, finite, kind.activation),
        "subnormal_fraction": _subnormal_share(kind, magnitude, finite),
    }
    statistics = tf.stack([tf.cast(columns[name], tf.float32) for name in STATISTICS], 1)
    counts = tf.concat([elements[:, None], reduced.nonfinite], 1)
    if not kind.histogram:
        return statistics, counts
    bins = sampled.count_in_bins(views.strided, reduced.low, reduced.high, finite)
    return statistics, counts, bins, tf.cast(tf.stack([reduced.low, reduced.high], 1), tf.float32)


def _subnormal_share(kind: _Kind, magnitude: tf.Tensor, finite: tf.Tensor | None) -> tf.Tensor:
    if not kind.dtype.is_floating:
        return sampled.share(tf.zeros_like(magnitude), finite)
    bound = sampled.subnormal_bound(kind.dtype, kind.wide)
    return sampled.share((magnitude > 0) & (magnitude < bound), finite)
