"""Gathers small tensors of one shape into one tensor, so that they share their operations.

The one invariant: a stack never fails for what it holds. Where the number of examples is known only at run time and could differ, tensors are
filled up with NaN to the longest, and ``elements`` tells how many numbers each one really has. Large tensors stay alone: copying costs more
than the dispatch of a few operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tb_activations.errors import ArgumentError

__all__ = ["SMALL", "Request", "Stack", "graded", "has_statistics", "stack_requests", "working_dtype"]

SMALL = 8_192
"""Most elements of a tensor of known shape that is worth copying."""

_SMALL_EXAMPLE = 512
"""The same for one example, where the number of examples is unknown."""

_GRADED = ("sigmoid", "tanh", "softmax")


class Request(NamedTuple):
    """What to measure.

    Attributes:
      x: a real tensor of any shape, known or not.
      activation: name of the activation function that made ``x``; decides what counts as saturated.
      batch: whether axis 0 counts examples.
    """

    x: tf.Tensor
    activation: str | None = None
    batch: bool = True


class Stack(NamedTuple):
    """Some requests as one tensor.

    Attributes:
      values: [m, …], in the working dtype: float32 where it holds every value exactly, else float64. The rest is NaN.
      elements: int64[m], numbers of each tensor.
      shape: static shape of one tensor.
      dtype: what the tensors were before.
      activation: one of `sigmoid`, `tanh`, `softmax`, or None.
      batch: whether axis 0 of each tensor counts examples.
      indices: which requests they are.
    """

    values: tf.Tensor
    elements: tf.Tensor
    shape: tf.TensorShape
    dtype: tf.DType
    activation: str | None
    batch: bool
    indices: tuple[int, ...]


def has_statistics(dtype: tf.DType) -> bool:
    """Whether mean, std and the like are defined for tensors of ``dtype``."""
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def stack_requests(requests: Sequence[Request]) -> list[Stack]:
    """Each request is in one of the stacks."""
    members: dict[tuple[object, ...], list[int]] = {}
    for index, request in enumerate(requests):
        _check_dtype(request.x)
        key = _key(request) if _is_small(request.x.shape) else (index,)
        members.setdefault(key, []).append(index)
    return [_stack([requests[index] for index in indices], tuple(indices)) for indices in members.values()]


def _check_dtype(x: tf.Tensor) -> None:
    if not has_statistics(x.dtype):
        raise ArgumentError(f"Expected a tensor of a real, numeric dtype. Received: x.dtype={x.dtype.name}. Leave it out of the capture.")


def _is_small(shape: tf.TensorShape) -> bool:
    if shape.rank is None:
        return False
    if shape.is_fully_defined():
        return bool(shape.num_elements() <= SMALL)
    inner = shape[1:]
    return bool(inner.is_fully_defined() and inner.num_elements() <= _SMALL_EXAMPLE)


def _key(request: Request) -> tuple[object, ...]:
    return (request.x.dtype, tuple(request.x.shape), request.batch, graded(request))


def graded(request: Request) -> str | None:
    """The activation of a request where it decides anything."""
    return request.activation if request.activation in _GRADED else None


def _stack(requests: list[Request], indices: tuple[int, ...]) -> Stack:
    tensors = [request.x for request in requests]
    first = tensors[0]
    if first.shape.is_fully_defined():
        elements = tf.constant([first.shape.num_elements()] * len(tensors), tf.int64)
    else:
        elements = tf.stack([tf.size(x, out_type=tf.int64) for x in tensors])
    wide = working_dtype(first.dtype)
    if len(tensors) == 1:
        values = tf.cast(first, wide)[None]
    elif first.shape.is_fully_defined():
        values = tf.cast(tf.stack(tensors), wide)
    else:
        values = tf.stack(_filled_up([tf.cast(x, wide) for x in tensors], elements))
    return Stack(values, elements, first.shape, first.dtype, graded(requests[0]), requests[0].batch, indices)


def working_dtype(dtype: tf.DType) -> tf.DType:
    """float32 where it holds every value of ``dtype`` exactly, else float64."""
    return tf.float64 if dtype == tf.float64 or (dtype.is_integer and dtype.size >= 4) else tf.float32


def _filled_up(tensors: list[tf.Tensor], elements: tf.Tensor) -> list[tf.Tensor]:
    example = max(1, math.prod(tensors[0].shape[1:]))
    missing = tf.unstack(tf.cast((tf.reduce_max(elements) - elements) // example, tf.int32), len(tensors))
    rank = tensors[0].shape.rank
    # One-hot rows: the number of missing examples stands at the end of axis 0, zeros everywhere else.
    place = tf.constant([[0, 1]] + [[0, 0]] * (rank - 1))
    return [tf.pad(x, place * count, constant_values=float("nan")) for x, count in zip(tensors, missing, strict=True)]
