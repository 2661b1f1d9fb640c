"""The edges between nodes: which nodes a tensor was computed from.

The one invariant: only reads the graph. Eager tensors have none, and so no edges. What was asked for its shape only gave no numbers: noise with as
many rows as the batch is not computed from the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

__all__ = ["OF_SHAPES", "inputs_of", "producing_nodes", "walk_back"]

OF_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})
"""Operations that don't look at the numbers of what they are given."""


def producing_nodes(tensor: tf.Tensor, producers: Mapping[int, str], itself: str) -> list[str]:
    """The nodes whose values ``tensor`` was computed from, without another node between, nearest first."""
    maker = producers.get(id(tensor), itself)
    if maker != itself:
        return [maker]  # handed on as it is
    found: dict[str, None] = {}
    for op in walk_back(tensor, producers, itself):
        for source in op.inputs:
            name = producers.get(id(source), itself)
            if name != itself:
                found.setdefault(name)
    return list(found)


def walk_back(tensor: tf.Tensor, producers: Mapping[int, str], itself: str) -> Iterator[tf.Operation]:
    """The operations that made ``tensor`` out of the values of other nodes, nearest first."""
    waiting, met = [tensor], {id(tensor)}
    while waiting:
        made = waiting.pop()
        if isinstance(made, tf.__internal__.EagerTensor) or (made is not tensor and made.op.type in OF_SHAPES):
            continue
        yield made.op
        for source in made.op.inputs:
            if id(source) not in met:
                met.add(id(source))
                if producers.get(id(source), itself) == itself:
                    waiting.append(source)


def inputs_of(tensor: tf.Tensor) -> Sequence[tf.Tensor]:
    return () if isinstance(tensor, tf.__internal__.EagerTensor) else tensor.op.inputs
