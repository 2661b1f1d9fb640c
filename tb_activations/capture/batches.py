"""A batch that can be fed twice.

The one invariant: what it is fed through has the same type as the iterator it was taken from, unknown extents included, so that nothing is
traced anew and no extent becomes a constant: that alone can change the last bits of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

__all__ = ["take"]


def take(source: Iterator[Any]) -> Callable[[], Any]:
    """Takes one batch from ``source``; each call of the result feeds it once more. Raises what ``source`` raises at its end."""
    if not isinstance(source, tf.data.Iterator) or tf.config.functions_run_eagerly():
        batch = next(source)
        return lambda: [batch]
    signature = source.element_spec
    if not all(isinstance(spec, (tf.TensorSpec, tf.RaggedTensorSpec)) for spec in tf.nest.flatten(signature)):
        return lambda: source  # such elements can't be fed from Python; what is fed is lost if the step fails
    batch = next(source)
    return lambda: iter(tf.data.Dataset.from_generator(lambda: iter([batch]), output_signature=signature))
