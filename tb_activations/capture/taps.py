"""The tap: an identity that hears the gradient flowing back.

The one invariant: a tap changes no bit, of the value or of the gradient. Its backward function runs inside whatever differentiates the step,
the user's own tape, so that any train step with any number of tapes is served. It records nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

__all__ = ["Tensor", "dense_part", "tap"]

Tensor = tf.Tensor | tf.RaggedTensor | tf.SparseTensor | tf.IndexedSlices


def dense_part(x: Any) -> tf.Tensor:
    """The numbers of a tensor: for ragged and sparse ones those that are stored."""
    if isinstance(x, tf.RaggedTensor):
        return x.flat_values
    return x.values if isinstance(x, (tf.SparseTensor, tf.IndexedSlices)) else tf.convert_to_tensor(x)


def tap(x: Any, flowed_back: Callable[[Any], None]) -> Any:
    """Returns ``x``; when a gradient flows back through it, calls ``flowed_back`` with d loss / d x."""
    tapped = _tap_dense(dense_part(x), flowed_back)
    if isinstance(x, tf.RaggedTensor):
        return x.with_flat_values(tapped)
    if isinstance(x, tf.SparseTensor):
        return tf.SparseTensor(x.indices, tapped, x.dense_shape)
    if isinstance(x, tf.IndexedSlices):
        return tf.IndexedSlices(tapped, x.indices, x.dense_shape)
    mask = getattr(x, "_keras_mask", None)
    if mask is not None:
        tapped._keras_mask = mask
    return tapped


def _tap_dense(x: tf.Tensor, flowed_back: Callable[[Any], None]) -> tf.Tensor:
    def identity(value: tf.Tensor) -> tuple[tf.Tensor, Callable[[Any], Any]]:
        def backward(gradient: Any) -> Any:
            flowed_back(gradient)
            return gradient

        return tf.identity(value), backward

    return tf.custom_gradient(identity)(x)
