"""The raw numbers of a tensor that a capture keeps.

The one invariant: what is kept are numbers of the tensor at even distances from its beginning, in its own dtype and rank, so that it can be shown
as the tensor it came from. Nothing is reduced or rounded here.
"""

from __future__ import annotations

import itertools
import math
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

__all__ = ["Block", "Picture", "sample", "sample_on_host"]


class Picture(Enum):
    """How the pictures lie in one example of a tensor with four axes or more."""

    CHANNELS_LAST = "rows, columns, channels"
    CHANNELS_FIRST = "channels, rows, columns"
    ATTENTION = "heads, queries, keys"


class Block(NamedTuple):
    """Numbers of a tensor.

    Attributes:
      numbers: ``numbers[i, j, …]`` is ``tensor[i * strides[0], j * strides[1], …]``.
      strides: one per axis, each an int or a scalar tensor.
    """

    numbers: Any
    strides: tuple[Any, ...]


_MAPS = 4
"""Of so many channels whole pictures are shown, coarser if they must be: one channel of many tells little of a layer."""


def sample(x: tf.Tensor, *, batch: bool, examples: int, elements: int, picture: Picture = Picture.CHANNELS_LAST) -> Block:
    """At most ``elements`` numbers of ``x``.

    With a batch axis these are the first examples, at most ``examples``; where one example alone is too large, its first channels. Where not even
    four channels would find room, every second, third … row and column of them: a part of a picture may show nothing. Of attention the first
    heads, and of a map that is too large a corner as square as it can be: what lies between two tokens is no finer grain of them. Without a batch
    axis the end of the last axis goes first. A tensor of unknown rank comes flat.
    """
    if x.shape.rank is None:
        return Block(tf.reshape(x, [-1])[:elements], (1,))
    block = _take(x, [tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)], batch, examples, elements, picture)
    block.numbers.set_shape([None] * x.shape.rank)  # which TensorFlow forgets where strides are known only when the step runs
    return block


def sample_on_host(x: npt.NDArray[Any], *, batch: bool, examples: int, elements: int, picture: Picture = Picture.CHANNELS_LAST) -> Block:
    """The same block as a copy, which holds nothing of ``x`` in memory."""
    block = _take(x, list(x.shape), batch, examples, elements, picture)
    return block._replace(numbers=np.array(block.numbers))


def _take(x: Any, extents: list[Any], batch: bool, examples: int, elements: int, picture: Picture) -> Block:
    """The block of ``x`` of these extents, each an int or a scalar tensor."""
    rank = len(extents)
    if not rank:
        return Block(x, ())
    kept, strides = list(extents), [1] * rank
    axes = _axes(rank, picture) if batch else ()
    if batch:
        kept[0] = 1
    if axes and picture is not Picture.ATTENTION:
        channels = extents[rank - 1 if picture is Picture.CHANNELS_LAST else rank - 3]
        room = elements // _at_most(_at_least(1, channels), min(_MAPS, elements))
        for axis, stride in zip(axes, _strides(extents[axes[0]], extents[axes[1]], room), strict=True):
            kept[axis], strides[axis] = -(-extents[axis] // stride), stride
    for axis in (rank - 1, *range(batch, rank - 1)):
        if axis not in axes:
            kept[axis] = _at_most(kept[axis], _room(kept, axis, elements))
    if picture is Picture.ATTENTION:
        for axis, least in zip(axes, (math.isqrt(elements), 1), strict=False):
            kept[axis] = _at_most(kept[axis], _at_least(least, _room(kept, axis, elements)))
    if batch:
        kept[0] = _at_most(examples, _room(kept, 0, elements))
    return Block(x[tuple(slice(0, extent * stride, stride) for extent, stride in zip(kept, strides, strict=True))], tuple(strides))


def _axes(rank: int, picture: Picture) -> tuple[int, ...]:
    """The axes of an example that make a picture, rows and columns; none where it has no third axis."""
    if rank < 4:
        return ()
    return (rank - 3, rank - 2) if picture is Picture.CHANNELS_LAST else (rank - 2, rank - 1)


def _strides(rows: Any, columns: Any, room: Any) -> tuple[Any, Any]:
    """The distances of the rows and of the columns to keep of a picture for which there is ``room``.

    They are alike, as the picture shall not be squeezed, but of a few long rows all are kept, and of a few columns too.
    """
    few, both = _root(room), _common_stride(rows, columns, room)
    return (
        _choose(rows <= few, 1, _choose(columns <= few, _distance(rows, columns, room), both)),
        _choose(columns <= few, 1, _choose(rows <= few, _distance(columns, rows, room), both)),
    )


def _common_stride(rows: Any, columns: Any, room: Any) -> Any:
    if isinstance(rows, int) and isinstance(columns, int) and isinstance(room, int):
        return next(stride for stride in itertools.count(1) if -(-rows // stride) * -(-columns // stride) <= room)
    strides = tf.range(1, _at_least(1, tf.maximum(rows, columns)) + 1)
    fits = -(-rows // strides) * -(-columns // strides) <= room
    return strides[tf.argmax(tf.cast(fits, tf.int32))]


def _distance(extent: Any, other: Any, room: Any) -> Any:
    """The distance along an axis where all of the ``other`` one is kept."""
    return -(-extent // _at_least(1, room // _at_least(1, other)))


def _root(room: Any) -> Any:
    return math.isqrt(room) if isinstance(room, int) else tf.cast(tf.sqrt(tf.cast(room, tf.float64)), tf.int32)


def _room(extents: list[Any], axis: int, elements: int) -> Any:
    """The extent along ``axis``, at least 1, up to which a block of ``extents`` has at most ``elements`` numbers."""
    others: Any = 1
    for extent in (*extents[:axis], *extents[axis + 1 :]):
        others = others * extent
    return _at_least(1, elements // _at_least(1, others))


def _at_most(extent: Any, bound: Any) -> Any:
    if isinstance(extent, int) and isinstance(bound, int):
        return min(extent, bound)
    return tf.minimum(extent, bound)


def _at_least(bound: int, extent: Any) -> Any:
    return max(bound, extent) if isinstance(extent, int) else tf.maximum(bound, extent)


def _choose(condition: Any, one: Any, other: Any) -> Any:
    return (one if condition else other) if isinstance(condition, bool) else tf.where(condition, one, other)
