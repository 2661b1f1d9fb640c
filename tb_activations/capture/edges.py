"""The edges between nodes: which nodes a tensor was computed from.

The one invariant: only reads the graph. Eager tensors have none, and so no edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import tensorflow as tf

__all__ = ["producing_nodes"]


def producing_nodes(tensor: tf.Tensor, producers: Mapping[int, str], itself: str) -> list[str]:
    """The nodes whose values ``tensor`` was computed from, without another node between, nearest first."""
    maker = producers.get(id(tensor), itself)
    if maker != itself:
        return [maker]  # handed on as it is
    found: dict[str, None] = {}
    waiting, met = [tensor], {id(tensor)}
    while waiting:
        for source in _inputs(waiting.pop()):
            if id(source) in met:
                continue
            met.add(id(source))
            name = producers.get(id(source))
            if name is None or name == itself:
                waiting.append(source)
            else:
                found.setdefault(name)
    return list(found)


def _inputs(tensor: tf.Tensor) -> Iterable[tf.Tensor]:
    return () if isinstance(tensor, tf.__internal__.EagerTensor) else tensor.op.inputs
