"""The raw numbers of a tensor that a capture keeps.

The one invariant: what is kept is a block from the beginning of the tensor, in its own dtype and rank, so that it can be shown as the tensor
it came from. Nothing is reduced or rounded here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

__all__ = ["sample", "sample_on_host"]


def sample(x: tf.Tensor, *, batch: bool, examples: int, elements: int, maps: bool = False) -> tf.Tensor:
    """A block of at most ``elements`` numbers of ``x``.

    With a batch axis these are the first examples, at most ``examples``; where one example alone is too large, its first channels (last axis).
    Where one channel alone is too large, a corner of it as square as it can be: a strip of a picture shows nothing. With ``maps`` each example is
    a stack of them: the last two axes are the picture, and what comes before gives way first. Without a batch axis the end of the last
    axis goes first. A tensor of unknown rank comes flat.
    """
    if x.shape.rank is None:
        return tf.reshape(x, [-1])[:elements]
    return x[_block([tf.shape(x)[axis] if size is None else size for axis, size in enumerate(x.shape)], batch, examples, elements, maps)]


def sample_on_host(x: npt.NDArray[Any], *, batch: bool, examples: int, elements: int, maps: bool = False) -> npt.NDArray[Any]:
    """The same block as a copy, which holds nothing of ``x`` in memory."""
    return np.array(x[_block(list(x.shape), batch, examples, elements, maps)])


def _block(extents: list[Any], batch: bool, examples: int, elements: int, maps: bool) -> tuple[slice, ...]:
    """The block of a tensor of these extents, each an int or a scalar tensor."""
    rank = len(extents)
    if not rank:
        return ()
    if batch:
        extents[0] = 1
    picture = _picture(rank, maps) if batch else ()
    for axis in (rank - 1, *range(batch, rank - 1)):
        if axis not in picture:
            extents[axis] = _at_most(extents[axis], _room(extents, axis, elements))
    for axis, least in zip(picture, (math.isqrt(elements), 1), strict=False):
        extents[axis] = _at_most(extents[axis], _at_least(least, _room(extents, axis, elements)))
    if batch:
        extents[0] = _at_most(examples, _room(extents, 0, elements))
    return tuple(slice(0, extent) for extent in extents)


def _picture(rank: int, maps: bool) -> tuple[int, ...]:
    """The axes of an example that make a picture, rows and columns; none where it has no third axis."""
    if rank < 4:
        return ()
    return (rank - 2, rank - 1) if maps else (rank - 3, rank - 2)


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
