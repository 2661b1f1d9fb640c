"""Recorded tensors as integers of the same bits, for the way out of a step that XLA compiles.

The one invariant: `from_bits` and `arrays_from_bits` give back what `as_bits` took, bit by bit.

A tensor that leaves the step has to be stored, and what was one loop for XLA becomes two: where the next operation had used it before it was rounded
(a fused multiply-add), it is rounded now, and the weights differ in the last place. An operation in between makes XLA compute what
is stored a second time, and leaves the step's own loop as it was. This is one that it can't optimize away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["arrays_from_bits", "as_bits", "dtypes_of", "from_bits"]

_BITS = {1: tf.int8, 2: tf.int16, 4: tf.int32, 8: tf.int64}


def as_bits(structure: dict[str, Any]) -> dict[str, Any]:
    """The same structure; floating tensors are integers."""
    bits: dict[str, Any] = tf.nest.map_structure(lambda x: tf.bitcast(x, _BITS[x.dtype.size]) if x.dtype.is_floating else x, structure)
    return bits


def dtypes_of(structure: dict[str, Any]) -> dict[str, Any]:
    """What is needed to make them of bits again."""
    dtypes: dict[str, Any] = tf.nest.map_structure(lambda x: x.dtype, structure)
    return dtypes


def from_bits(bits: dict[str, Any], dtypes: dict[str, Any]) -> dict[str, Any]:
    """The structure that was given to `as_bits`."""
    structure: dict[str, Any] = tf.nest.map_structure(lambda x, dtype: x if x.dtype == dtype else tf.bitcast(x, dtype), bits, dtypes)
    return structure


def arrays_from_bits(bits: dict[str, Any], dtypes: dict[str, Any]) -> dict[str, Any]:
    """The same as numpy arrays of the same memory, without an operation of TensorFlow."""
    structure: dict[str, Any] = tf.nest.map_structure(lambda x, dtype: _as_array(x).view(dtype.as_numpy_dtype), bits, dtypes)
    return structure


def _as_array(tensor: tf.Tensor) -> Any:
    """Without a copy. Numpy makes no array of a single number of bfloat16, which TensorFlow hands it as a scalar of a type of its own."""
    return np.asarray(tensor if tensor.ndim else tensor.numpy())
