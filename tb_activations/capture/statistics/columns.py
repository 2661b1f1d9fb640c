"""All columns of one stack of tensors.

The one invariant: both ways to a column, the quick one for tensors that are known to be finite and well scaled and the careful one for all
others, follow the same definition; which way is taken is decided by the numbers, at run time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from tb_activations.capture.statistics import exact, sampled
from tb_activations.capture.statistics.stacks import Stack
from tb_activations.store.schema import STATISTICS

__all__ = ["reduce_stack"]


class _Views(NamedTuple):
    """A stack seen as what each kind of statistic reads."""

    units: tf.Tensor  # [m, rows, units]
    strided: tf.Tensor  # [m, at most SAMPLED]
    examples: tf.Tensor | None  # [m, examples, elements of one]


def reduce_stack(stack: Stack, *, histogram: bool) -> tuple[tf.Tensor, ...]:
    """Statistics [m, K], counts [m, 4] and, when asked for, histogram [m, B] and its range [m, 2]."""
    views = _look(stack)
    totals = exact.add_up(views.units)

    def quick() -> tuple[tf.Tensor, ...]:
        return _columns(stack, views, exact.from_totals(totals, stack.elements), careful=False, histogram=histogram)

    def careful() -> tuple[tf.Tensor, ...]:
        return _columns(stack, views, exact.reduce_carefully(views.units, stack.elements), careful=True, histogram=histogram)

    return tuple(tf.cond(exact.is_trusted(totals, stack.elements), quick, careful))


def _look(stack: Stack) -> _Views:
    tensors = stack.values.shape[0]
    inner = math.prod(extent or 1 for extent in stack.shape[1:]) if stack.shape.rank else 1
    flat = tf.reshape(stack.values, [tensors, stack.shape.num_elements() or -1])
    examples = None
    if stack.batch and _has_units(stack):
        examples = tf.reshape(stack.values, [tensors, _at_least_one(stack, 0), -1])
    last = _at_least_one(stack, -1) if _has_units(stack) else 1
    return _Views(tf.reshape(stack.values, [tensors, -1, last]), sampled.every_nth(flat, inner), examples)


def _has_units(stack: Stack) -> bool:
    return stack.shape.rank is not None and stack.shape.rank >= 2


def _at_least_one(stack: Stack, axis: int) -> int | tf.Tensor:
    """The extent of ``axis`` of one tensor; of an empty one something that -1 can be derived beside."""
    extent = stack.shape[axis]
    return max(1, extent) if extent is not None else tf.maximum(1, tf.shape(stack.values)[1:][axis])


def _columns(stack: Stack, views: _Views, reduced: exact.Exact, *, careful: bool, histogram: bool) -> tuple[tf.Tensor, ...]:
    magnitude = sampled.magnitude_bits(views.strided)
    finite = tf.math.is_finite(views.strided) if careful else None
    nothing = tf.fill([reduced.low.shape[0]], float("nan"))
    columns = {
        "min": reduced.low,
        "max": reduced.high,
        "mean": reduced.mean,
        "std": reduced.std,
        "l2_norm": reduced.l2_norm,
        "zero_fraction": sampled.share(magnitude == 0, finite),
        "zero_unit_fraction": reduced.zero_units if _has_units(stack) else nothing,
        "batch_std": nothing if views.examples is None else sampled.batch_std(views.examples, careful),
        "saturated_fraction": sampled.saturated_share(views.units, views.strided, finite, stack.activation),
        "subnormal_fraction": _subnormal_share(stack, magnitude, finite),
    }
    statistics = tf.stack([tf.cast(columns[name], tf.float32) for name in STATISTICS], 1)
    counts = tf.concat([stack.elements[:, None], reduced.nonfinite], 1)
    if not histogram:
        return statistics, counts
    bins = sampled.count_in_bins(views.strided, reduced.low, reduced.high, finite)
    return statistics, counts, bins, tf.cast(tf.stack([reduced.low, reduced.high], 1), tf.float32)


def _subnormal_share(stack: Stack, magnitude: tf.Tensor, finite: tf.Tensor | None) -> tf.Tensor:
    if not stack.dtype.is_floating:
        return sampled.share(tf.zeros_like(magnitude), finite)
    bound = sampled.subnormal_bound(stack.dtype, stack.values.dtype)
    return sampled.share((magnitude > 0) & (magnitude < bound), finite)
