"""The tap: an identity that hears the gradient flowing back.

The one invariant: a tap changes no bit, of the value or of the gradient. Its backward function runs inside whatever differentiates the step,
the user's own tape, so that any train step with any number of tapes is served. It records nothing itself.

TensorFlow keeps the backward function of each tap in a graph in a table of the process, and with it the graph, the variables and the model. Who makes
taps has to see to it that they are forgotten when nothing differentiates that graph any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import record
from tensorflow.python.framework import ops

from tb_activations.capture.operations import ours

__all__ = ["Tensor", "captured", "dense_part", "forget_gradients", "is_followed", "name_of_gradient", "tap", "tap_summing", "untapped"]

Tensor = tf.Tensor | tf.RaggedTensor | tf.SparseTensor | tf.IndexedSlices


def dense_part(x: Any) -> tf.Tensor:
    """The numbers of a tensor: for ragged and sparse ones those that are stored."""
    if isinstance(x, tf.RaggedTensor):
        return x.flat_values
    return x.values if isinstance(x, (tf.SparseTensor, tf.IndexedSlices)) else tf.convert_to_tensor(x)


def captured(x: Any, graph: Any) -> Any:
    """``x`` as ``graph``, a loop or a branch, sees it, where it was made around it."""
    return _with_dense_part(x, graph.capture(dense_part(x)))


def is_followed(x: tf.Tensor) -> bool:
    """Whether a tape that records here differentiates what is computed from ``x``."""
    return bool(record.should_record_backprop([x]))


def is_stopped() -> bool:
    """Whether tapes are told not to record here, as where what is computed will be computed again for the gradient."""
    return bool(pywrap_tfe.TFE_Py_TapeSetIsStopped())


def tap(x: Any, flowed_back: Callable[[Any], None]) -> Any:
    """Returns ``x``; when a gradient flows back through it, calls ``flowed_back`` with d loss / d x."""

    def identity(value: tf.Tensor) -> tuple[tf.Tensor, Callable[[Any], Any]]:
        def backward(gradient: Any) -> Any:
            flowed_back(gradient)
            return gradient

        return tf.identity(value), backward

    with ours():
        return _with_dense_part(x, tf.custom_gradient(identity)(dense_part(x)))


def tap_summing(x: Any, zeros: tf.Tensor, summarize: Callable[[tf.Tensor], tf.Tensor]) -> Any:
    """Returns ``x``; the gradient of ``zeros`` is ``summarize(d loss / d x)``, added up over all the times that the tap runs.

    A tensor can't leave the gradient of a loop or of a branch. The gradient of what all iterations share can: TensorFlow adds it up.
    """

    def identity(value: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, Callable[[Any], Any]]:
        def backward(gradient: Any) -> Any:
            return gradient, summarize(dense_part(gradient))

        return tf.identity(value), backward

    with ours():
        return _with_dense_part(x, tf.custom_gradient(identity)(dense_part(x), zeros))


def name_of_gradient(tapped: Any) -> str | None:
    """What the backward function of a tap goes by in the table of TensorFlow; None: it stands in no table, as those of eager steps."""
    op = getattr(dense_part(tapped), "op", None)
    return None if op is None else op.get_attr("_gradient_op_type").decode()


def forget_gradients(names: Iterable[str]) -> None:
    """Takes backward functions out of the table: the graphs that they are of can't be differentiated any more."""
    table = getattr(ops.gradient_registry, "_registry", {})
    for name in names:
        table.pop(name, None)


def _with_dense_part(x: Any, tapped: tf.Tensor) -> Any:
    """``x``, its numbers replaced by ``tapped``, with what Keras told of it: a mask, and the logits that a loss computes with in its place."""
    if isinstance(x, tf.RaggedTensor):
        return x.with_flat_values(tapped)
    if isinstance(x, tf.SparseTensor):
        return tf.SparseTensor(x.indices, tapped, x.dense_shape)
    if isinstance(x, tf.IndexedSlices):
        return tf.IndexedSlices(tapped, x.indices, x.dense_shape)
    setattr(tapped, _UNTAPPED, x)
    for name in ("_keras_mask", "_keras_logits"):
        if hasattr(x, name):
            setattr(tapped, name, getattr(x, name))
    return tapped


_UNTAPPED = "_tb_activations_untapped"


def untapped(x: Any) -> Any:
    """The tensor that a tap, or several, took the place of; itself where none did."""
    while hasattr(x, _UNTAPPED):
        x = getattr(x, _UNTAPPED)
    return x
