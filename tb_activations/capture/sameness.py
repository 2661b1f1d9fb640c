"""Whether a recorded step ends in the same bits as a plain one: found by running both.

The one invariant: a recorded step takes the place of the plain one only after the first few of its kind ended in the very bits that the plain step
gave on the same batch, from the same state. It is looked at again later, ever more seldom; once two ends differed, both run for ever.

Handing tensors out can cost a step a last bit: XLA and TensorFlow's graph optimizer join operations between which nobody looks, a product is rounded
once instead of twice, sums are added in another order. Which of it happens depends on versions and processors, so that no list of causes would be
complete. What another order of operations changes, it changes at once and in most of the weights of a network of some size: of a ResNet, 126 of 149
variables in one step. In a small one a difference may come late; its known cause is looked for (`gradient_sums`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["Sameness", "same_bits", "shapes_of", "tensors_of"]

_AT_FIRST = 4
"""The first step is not enough: momentum is still 0 there, and 0 times anything has no last bits to lose."""


_HANDLES = (tf.resource, tf.variant)


class Sameness:
    """What is known of the traces of one step.

    Attributes:
      is_settled: it is known that both have to run, for ever.
      was_trusted: whether a recorded step has taken the place of a plain one.
    """

    def __init__(self) -> None:
        self._recorded: Counter[Hashable] = Counter()
        self.is_settled = self.was_trusted = False

    def begin_trace(self, *, never_same: bool) -> None:
        """What is found out of one trace says nothing of another.

        Args:
          never_same: it is known to end otherwise, or may do so at some steps only.
        """
        self._recorded.clear()
        self.is_settled = self.is_settled or never_same

    def is_open(self, shapes: Hashable) -> bool:
        """Whether the next recorded step on a batch of these shapes has to be compared with a plain one."""
        following = self._recorded[shapes] + 1
        return self.is_settled or following <= _AT_FIRST or following & (following - 1) == 0

    def recorded(self, shapes: Hashable, *, compared: bool) -> None:
        """A step was recorded."""
        self._recorded[shapes] += 1
        self.was_trusted = self.was_trusted or not compared

    def settle(self) -> None:
        """Two ends were not the same."""
        self.is_settled = True


def shapes_of(batch: Any) -> Hashable:
    """What XLA compiles anew for: shapes and dtypes of all parts of a batch, and the values of what is no tensor."""
    leaves = tf.nest.flatten(batch, expand_composites=True)
    return tuple((str(leaf.shape), str(leaf.dtype)) if hasattr(leaf, "shape") else repr(leaf) for leaf in leaves)


def tensors_of(result: Any) -> list[Any]:
    """The numbers in what a step returned."""
    leaves = tf.nest.flatten(result, expand_composites=True)
    return [leaf for leaf in leaves if isinstance(leaf, (np.ndarray, np.generic)) or (tf.is_tensor(leaf) and leaf.dtype not in _HANDLES)]


def same_bits(some: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether two lists of tensors are alike to the last bit; NaN is NaN where its bits are."""
    return len(some) == len(others) and all(_are_the_same(np.asarray(one), np.asarray(other)) for one, other in zip(some, others, strict=True))


def _are_the_same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.hasobject:
        return np.array_equal(one, other)
    return np.array_equal(_bytes_of(one), _bytes_of(other))


def _bytes_of(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
