"""Statistics that look at an even stride of the elements, on the host.

The one invariant: the same as of ``statistics.sampled``, where the definitions and bounds stand: the same elements are looked at.

``careful`` says that some tensors have elements that are not finite, or too large to be subtracted from each other.
"""

from __future__ import annotations

import functools
import itertools
import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from tb_activations.capture.statistics.host.kinds import kind_of
from tb_activations.capture.statistics.host.units import as_units
from tb_activations.capture.statistics.sampled import EXAMPLES, LIFT, PER_EXAMPLE, ROWS, RUN, SAMPLED, tiny_width
from tb_activations.capture.statistics.stacks import Request, graded
from tb_activations.store.schema import HISTOGRAM_BINS

__all__ = ["Sampled", "measure_all"]

Array = npt.NDArray[Any]


class Sampled(NamedTuple):
    """Of n tensors: float64[n] each, NaN where a statistic has no meaning, and int64[n, B] or None."""

    zero_fraction: Array
    batch_std: Array
    saturated_fraction: Array
    subnormal_fraction: Array
    histogram: Array | None


def measure_all(requests: Sequence[Request], low: Array, high: Array, *, careful: bool, histogram: bool) -> Sampled:
    """Measures arrays that are reckoned in the same dtype. ``low`` and ``high``: their finite extremes, float64[n]."""
    some = _Joined([request.x for request in requests], careful)
    zero = some.below(1)
    return Sampled(
        zero_fraction=zero,
        batch_std=_batch_std(requests, careful),
        saturated_fraction=np.array([_saturated_share(request, some, index) for index, request in enumerate(requests)]),
        subnormal_fraction=_subnormal_share(some, zero, [kind_of(request.x.dtype).smallest_normal for request in requests]),
        histogram=_count_in_bins(some, low, high) if histogram else None,
    )


class _Joined:
    """Some elements of each of n tensors, end to end, so that one call of numpy serves all.

    Attributes:
      numbers: [total], in the dtype that is reckoned in.
      magnitudes: [total], the bits of their absolute values as integers, which have the order of the numbers.
      finite: bool[total], or None where everything is known to be finite.
      parts: where each tensor stands in them.
    """

    def __init__(self, tensors: Sequence[Array], careful: bool) -> None:
        runs = [_every_nth(tensor.reshape(-1), math.prod(tensor.shape[1:]) or 1, SAMPLED) for tensor in tensors]
        self._lengths = [run.size for run in runs]
        ends = np.cumsum([0, *self._lengths]).tolist()
        self.parts = [slice(*pair) for pair in itertools.pairwise(ends)]
        self.numbers = _scratch.array("numbers", ends[-1], kind_of(tensors[0].dtype).wide)
        for part, run in zip(self.parts, runs, strict=True):
            self.numbers[part].reshape(run.shape)[...] = run
        integers = np.dtype(f"i{self.numbers.itemsize}")
        most = integers.type(np.iinfo(integers).max)
        self.magnitudes = np.bitwise_and(self.numbers.view(integers), most, out=_scratch.array("magnitudes", ends[-1], integers))
        self.finite = np.isfinite(self.numbers) if careful else None
        self._among = np.array(self._lengths, float) if self.finite is None else self._count(self.finite)

    def share(self, hits: Array) -> Array:
        """float64[n]: the share of ``hits`` [total] among what is finite of each tensor; NaN where nothing is."""
        shares: Array = self._count(hits if self.finite is None else hits & self.finite) / self._among
        return shares

    def _count(self, hits: Array) -> Array:
        # Along an axis, numpy counts many times slower.
        return np.array([np.count_nonzero(hits[part]) for part in self.parts], float)

    def for_each(self, column: Array) -> Array:
        """[total]: the number of ``column`` [n] that belongs to the tensor of each element."""
        return np.repeat(column, self._lengths)

    def below(self, bound: Any) -> Array:
        """float64[n]: the share of magnitudes below ``bound``, of any shape that fits [total]."""
        return self.share(np.less(self.magnitudes, bound, out=_scratch.array("hits", len(self.magnitudes), np.dtype(np.bool_))))

    def finite_of(self, index: int) -> Array:
        """The finite elements of one tensor."""
        part = self.parts[index]
        return self.numbers[part] if self.finite is None else self.numbers[part][self.finite[part]]


def _every_nth(values: Array, period: int, most: int) -> Array:
    """Evenly spread runs along the last axis of ``values``, [..., starts, RUN], of at most so many elements; itself where it has no more.

    ``period``: what no stride may divide.
    """
    count = values.shape[-1]
    stride = _stride(count, period, most)
    if stride == 1:
        return values
    step = values.strides[-1]
    starts = len(range(0, count - RUN + 1, stride * RUN))
    return as_strided(values, (*values.shape[:-1], starts, RUN), (*values.strides[:-1], stride * RUN * step, step))


@functools.lru_cache(maxsize=4096)
def _stride(count: int, period: int, most: int) -> int:
    """The smallest stride that is short enough and has no factor in common with ``period``; 1 where everything fits."""
    stride = -(-count // most)
    while stride > 1 and math.gcd(stride, period) > 1:
        stride += 1
    return max(1, stride)


def _subnormal_share(some: _Joined, zero: Array, smallest_normal: Sequence[int]) -> Array:
    """The share of elements that are not 0 and below the smallest normal number of their dtype. ``zero``: the share of zeros."""
    bounds = np.array(smallest_normal, some.magnitudes.dtype)
    alike = bool((bounds == bounds[0]).all())
    below = some.below(bounds[0] if alike else some.for_each(bounds))
    # Below the bound are the zeros, too; integers have no bound.
    return np.where(bounds > 0, below - zero, zero * 0)


def _saturated_share(request: Request, some: _Joined, index: int) -> float:
    """The share of elements (of rows, for softmax) where the activation is flat; NaN for an activation that has no such part."""
    activation = graded(request)
    if activation == "softmax":
        units = as_units(request.x)
        return _decided_share(units[:: max(1, -(-len(units) // ROWS))].astype(some.numbers.dtype, copy=False), some.finite is not None)
    if activation == "sigmoid":
        finite = some.finite_of(index)
        return _mean((finite < 0.03) | (finite > 0.97))
    if activation == "tanh":
        return _mean(np.abs(some.finite_of(index)) > 0.97)
    return math.nan


def _decided_share(rows: Array, careful: bool) -> float:
    """The share of finite rows of [rows, units] whose largest element is nearly 1."""
    if not rows.size:
        return math.nan
    decided = rows.max(1) > 0.999
    return _mean(decided[np.isfinite(rows).all(1)] if careful else decided)


def _mean(hits: Array) -> float:
    return np.count_nonzero(hits) / len(hits) if len(hits) else math.nan


def _batch_std(requests: Sequence[Request], careful: bool) -> Array:
    """The root of the mean over elements of the variance over examples; NaN for one example, and without a batch axis."""
    spread = np.full(len(requests), np.nan)
    alike: dict[int, dict[int, Array]] = {}
    for index, request in enumerate(requests):
        if not request.batch or request.x.ndim < 2 or not request.x.size:
            continue
        examples = _some_of_some(request.x)
        if careful:
            spread[index] = _masked_spread(examples.astype(np.float64))
        elif len(examples) > 1:
            alike.setdefault(len(examples), {})[index] = examples
    for members in alike.values():
        spread[list(members)] = _spread(list(members.values()))
    return spread


def _some_of_some(tensor: Array) -> Array:
    """The same elements of some examples, [examples, elements]."""
    each = tensor.reshape(len(tensor), -1)[:: max(1, -(-len(tensor) // EXAMPLES))]
    return _every_nth(each, each.shape[1], PER_EXAMPLE).reshape(len(each), -1)


def _spread(tensors: Sequence[Array]) -> Array:
    """Of n tensors [examples, elements] of as many examples."""
    size, wide = sum(tensor.size for tensor in tensors), kind_of(tensors[0].dtype).wide
    columns = np.concatenate(tensors, 1, out=_scratch.array("columns", size, wide).reshape(len(tensors[0]), -1))
    columns -= columns.mean(0)
    squares = np.einsum("ij,ij->j", columns, columns)
    starts = np.cumsum([0, *(tensor.shape[1] for tensor in tensors[:-1])])
    spread: Array = np.sqrt(np.add.reduceat(squares, starts) / [tensor.size for tensor in tensors])
    return spread


def _masked_spread(examples: Array) -> float:
    finite = np.isfinite(examples)
    count = finite.sum(0)
    examples = np.where(finite, examples, 0)
    scale = np.abs(examples).max(initial=0) or 1.0
    examples /= scale
    mean = examples.sum(0) / np.maximum(count, 1)
    variance = np.square(np.where(finite, examples - mean, 0)).sum(0) / np.maximum(count, 1)
    return float(np.sqrt(variance[count > 1].mean()) * scale) if (count > 1).any() else math.nan


def _count_in_bins(some: _Joined, low: Array, high: Array) -> Array:
    """int64[n, B]: counts in equal bins over [low, high]. The last bin is closed and holds everything where ``low == high``."""
    numbers, low, high = some.numbers, low.astype(some.numbers.dtype), high.astype(some.numbers.dtype)
    scale = _scale_for(high - low)
    low, high = low * scale, high * scale
    width, last = high - low, numbers.dtype.type(HISTOGRAM_BINS - 1)
    per_width = np.divide(numbers.dtype.type(HISTOGRAM_BINS), width, out=np.zeros_like(width), where=width > 0)
    counts = np.empty((len(low), HISTOGRAM_BINS), np.int64)
    for index, part in enumerate(some.parts):
        position = numbers[part] if some.finite is None else numbers[part][some.finite[part]]
        if scale[index] != 1:
            position = position * scale[index]
        position = (position - low[index]) * per_width[index]
        bins = np.minimum(position, last, out=position).astype(np.intp)
        if width[index] == 0:
            bins[:] = HISTOGRAM_BINS - 1
        counts[index] = np.bincount(bins, minlength=HISTOGRAM_BINS)
    return counts


def _scale_for(width: Array) -> Array:
    """By what to multiply numbers so that the distance of any two of them, and how many bins go into 1, are finite. Powers of 2 keep all bits."""
    few = np.where((width > 0) & (width < tiny_width(width.dtype.type)), width.dtype.type(LIFT), width.dtype.type(1))
    scale: Array = np.where(np.isinf(width), width.dtype.type(0.5), few)
    return scale


class _Scratch(threading.local):
    """Large arrays that the next capture uses again, each thread its own: fresh ones would be asked of the system, and cleared, page by page."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[str, Any], Array] = {}

    def array(self, name: str, size: int, dtype: np.dtype[Any]) -> Array:
        """[size], with anything in it; valid until the next array of this name and dtype is asked for."""
        known = self._arrays.get((name, dtype))
        if known is None or len(known) < size:
            known = self._arrays[name, dtype] = np.empty(size, dtype)
        return known[:size]


_scratch = _Scratch()
