"""Batches that were taken from the data before a step runs.

The one invariant: what they are fed through has the same type as the iterator they were taken from, unknown extents included, so that
nothing is traced anew and no extent becomes a constant: that alone can change the last bits of a step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

__all__ = ["Feed"]


class Feed:
    """Hands batches to a step function as an iterator like the one they come from."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()
        self._signature: Any = None
        self._iterator: Any = None

    @staticmethod
    def can_repeat(source: Any) -> bool:
        """Whether a batch of ``source`` can be given to a function as if it came from there."""
        return isinstance(source, tf.data.Iterator) and _can_be_fed(source.element_spec)

    def take(self, source: Iterator[Any]) -> Any:
        """Takes one batch from ``source``; raises what ``source`` raises at its end."""
        self._signature = source.element_spec if isinstance(source, tf.data.Iterator) else None
        return next(source)

    def give(self, batch: Any) -> Any:
        """What to call a step function with, so that it runs on a batch taken last."""
        self._waiting.clear()
        if self._signature is None or tf.config.functions_run_eagerly() or not _can_be_fed(self._signature):
            return [batch]
        if self._iterator is None or self._iterator.element_spec != self._signature:
            self._iterator = self._endless()
        self._waiting.append(batch)
        return self._iterator

    def _endless(self) -> Any:
        waiting = self._waiting  # not `self`: TensorFlow keeps the function, and it would keep the iterator

        def batches() -> Iterator[Any]:
            while True:
                yield waiting.popleft()

        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.inject_prefetch = False  # nothing may be asked for before it is there
        return iter(tf.data.Dataset.from_generator(batches, output_signature=self._signature).with_options(options))


def _can_be_fed(signature: Any) -> bool:
    return all(isinstance(spec, (tf.TensorSpec, tf.RaggedTensorSpec)) for spec in tf.nest.flatten(signature))
