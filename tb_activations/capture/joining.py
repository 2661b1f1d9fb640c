"""Samples of all nodes, and their strides, as few tensors, for the way out of the step.

The one invariant: `split_samples` gives back what `join_samples` took, number by number, in the same dtypes and shapes. Every tensor that leaves a
train function costs TensorFlow's graph optimizer time that grows much faster than their number, so the raw numbers go end to end, one tensor a dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tb_activations.store.schema import QUANTITIES

__all__ = ["join_samples", "split_samples"]

Packed = dict[str, Any]


def join_samples(packed: Packed) -> Packed:
    """Runs in the graph: moves the samples of all quantities into one tensor for each dtype, and the strides of all into one, with the shapes and
    owners to take them apart by."""
    kept: dict[str, list[tuple[int, int, tf.Tensor]]] = {}
    strides: list[tuple[int, int, tf.Tensor]] = []
    for index, quantity in enumerate(QUANTITIES):
        part = packed.get(quantity, {})
        for node, tensor in part.get("samples", {}).items():
            kept.setdefault(tensor.dtype.name, []).append((index, int(node), tensor))
        strides += [(index, int(node), tf.cast(of_node, tf.float64)) for node, of_node in part.get("strides", {}).items()]
    if not kept:
        return packed
    parts = {key: {name: x for name, x in part.items() if name not in _JOINED} if isinstance(part, dict) else part for key, part in packed.items()}
    parts["samples"] = {dtype: _join(samples) for dtype, samples in kept.items()}
    return parts | ({"strides": _join(strides)} if strides else {})


_JOINED = ("samples", "strides")


def _join(samples: list[tuple[int, int, tf.Tensor]]) -> Packed:
    tensors = [tensor for _, _, tensor in samples]
    return {
        "numbers": tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0),
        # float64, like everything that several replicas hand out: Keras answers with their mean, and the mean of equal numbers is the number
        "extents": tf.concat([tf.cast(tf.shape(tensor), tf.float64) for tensor in tensors], 0),
        "owners": tf.constant([[quantity, node, tensor.shape.rank] for quantity, node, tensor in samples], tf.float64),
    }


def split_samples(packed: Packed) -> Packed:
    """Takes apart on the host what `join_samples` joined: samples and strides by quantity and node, as numpy arrays."""
    if "samples" not in packed:
        return packed
    parts = {key: dict(part) if isinstance(part, dict) else part for key, part in packed.items() if key not in _JOINED}
    for joined in packed["samples"].values():
        _split("samples", joined, parts)
    if "strides" in packed:
        _split("strides", packed["strides"], parts)
    return parts


def _split(name: str, joined: Packed, parts: Packed) -> None:
    numbers, extents = np.asarray(joined["numbers"]), np.asarray(joined["extents"]).astype(np.int64)
    number = axis = 0
    for quantity, node, rank in np.asarray(joined["owners"]).astype(np.int64).tolist():
        shape = extents[axis : axis + rank]
        size = int(shape.prod())
        parts[QUANTITIES[quantity]].setdefault(name, {})[str(node)] = numbers[number : number + size].reshape(shape)
        number, axis = number + size, axis + rank
