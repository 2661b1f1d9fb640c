"""Batches that were taken from the data before a step runs.

The one invariant: what they are fed through has the same type as the iterator they were taken from, unknown extents included, so that
nothing is traced anew and no extent becomes a constant: that alone can change the last bits of a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

__all__ = ["Feed"]


class Feed:
    """Hands batches to a step function as an iterator like the one they come from."""

    def __init__(self) -> None:
        self._source: Any = None
        self._iterator: Any = None
        self._handle: Any = None

    @staticmethod
    def can_repeat(source: Any) -> bool:
        """Whether a batch of ``source`` can be given to a function as if it came from there."""
        return isinstance(source, tf.data.Iterator) and _can_be_fed(source.element_spec)

    def take(self, source: Iterator[Any]) -> Any:
        """Takes one batch from ``source``; raises what ``source`` raises at its end."""
        self._source = source
        return next(source)

    def give(self, batch: Any) -> Any:
        """What to call a step function with, so that it runs on a batch taken last."""
        if tf.config.functions_run_eagerly() or not self.can_repeat(self._source):
            return [batch]
        if self._iterator is None or self._iterator.element_spec != self._source.element_spec:
            self._make_iterator()
        # The same iterator begins anew. A generator would do as well, but it makes TensorFlow give memory back to the system all the time.
        tf.raw_ops.MakeIterator(dataset=tf.data.experimental.to_variant(tf.data.Dataset.from_tensors(batch)), iterator=self._handle)
        return self._iterator

    def nothing(self) -> Any:
        """What to call a step function with, so that it finds no data."""
        self._make_iterator()
        return self._iterator

    def _make_iterator(self) -> None:
        source = self._source
        self._handle = tf.raw_ops.AnonymousIteratorV3(output_types=source._flat_output_types, output_shapes=source._flat_output_shapes)
        self._iterator = type(source)(components=[self._handle], element_spec=source.element_spec)


def _can_be_fed(signature: Any) -> bool:
    return all(isinstance(spec, (tf.TensorSpec, tf.RaggedTensorSpec)) for spec in tf.nest.flatten(signature))
