"""Batches that were taken from the data before a step runs.

The one invariant: what they are fed through has the same type as the iterator they were taken from, unknown extents included, so that
nothing is traced anew and no extent becomes a constant: that alone can change the last bits of a step. So can it that somebody holds the batch: a
step that is given it alone computes in its memory, and begins sums of three or more with what is there. The plain function is given it as the data
gave it, and another one a copy.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["Batch", "Feed"]


class Batch:
    """A batch that was taken, for as long as it isn't let go of."""

    def __init__(self, held: list[Any]) -> None:
        self._held = held

    @property
    def tensors(self) -> Any:
        return self._held[0]

    def let_go(self) -> Any:
        return self._held.pop()


class Feed:
    """Hands batches to a step function as an iterator like the one they come from.

    The iterator is made once and reads from a place: to make one, TensorFlow copies its library of functions, which takes 5 ms.
    Only the type of the source is kept: the source itself holds buffers, and is let go of when whoever made it does.
    """

    def __init__(self) -> None:
        self._type: _Type | None = None
        self._iterator: Any = None
        self._place: _Place | None = None

    @staticmethod
    def can_repeat(source: Any) -> bool:
        """Whether a batch of ``source`` can be given to a function as if it came from there."""
        return isinstance(source, tf.data.Iterator) and _can_be_fed(source.element_spec)

    def prepare(self, source: Any) -> None:
        """Makes what batches of ``source`` go through, and reads nothing: what fails here is ours, what fails when one is taken is the data's."""
        if not self.can_repeat(source):
            self._type = None
            return
        if self._type is None or self._type.element_spec != source.element_spec:
            self._type = _type_of(source)
        if not tf.config.functions_run_eagerly():  # then batches are given as they are
            self._make_iterator(self._type)

    def take(self, source: Any) -> Batch:
        """Takes one batch from ``source``, prepared before; raises what a step that reads ``source`` raises at its end."""
        return Batch([next(source) if self._type is None else self._type.read(source)])

    def give(self, batch: Batch) -> Any:
        """What to call a step function with, so that it runs on a copy of a batch taken last."""
        return self._give(batch.tensors if self._runs_eagerly() else tf.nest.map_structure(_copied, batch.tensors, expand_composites=True))

    def hand_over(self, batch: Batch) -> Any:
        """The same with the batch itself, which nobody here holds any more."""
        return self._give(batch.let_go())

    def _give(self, tensors: Any) -> Any:
        if self._runs_eagerly():
            return iter([tensors])
        assert self._type is not None
        self._make_iterator(self._type)
        assert self._place is not None
        self._place.put(tf.nest.flatten(tensors, expand_composites=True))
        return self._iterator

    def _runs_eagerly(self) -> bool:
        return tf.config.functions_run_eagerly() or self._type is None

    def renew(self) -> None:
        """Lets go of what a step left that failed; if it was reading just then, TensorFlow has cancelled the iterator for good."""
        if self._place is not None:
            self._place.clear()
        self._place = None

    def nothing(self) -> Any:
        """What to call a step function with, so that it finds no data."""
        assert self._type is not None  # asked for only where what was taken can be repeated
        return self._type.iterator()[0]

    def _make_iterator(self, kind: _Type) -> None:
        spec = kind.element_spec
        if self._place is not None and self._iterator.element_spec == spec:
            return
        parts = tf.nest.flatten(spec, expand_composites=True)
        self._iterator, handle = kind.iterator()
        place = _Place([part.dtype for part in parts], handle.device)

        def batch(_: tf.Tensor) -> Any:
            taken = place.take()
            for tensor, part in zip(taken, parts, strict=True):
                tensor.set_shape(part.shape)
            return tf.nest.pack_sequence_as(spec, taken, expand_composites=True)

        # A step that reads more than it was given finds the end of the data, and doesn't wait. The next batch is found all the same.
        batches = tf.data.Dataset.counter().take_while(lambda _: place.is_full()).map(batch).repeat().with_options(_as_it_is())
        tf.raw_ops.MakeIterator(dataset=tf.data.experimental.to_variant(batches), iterator=handle)
        self._place = place


class _Place:
    """Holds the parts of one batch until a step takes them.

    Not a queue of TensorFlow's: that may hold for some microseconds more what it has just given, and a step that reads within them can't compute in
    the memory of its batch.
    """

    _made = itertools.count()

    def __init__(self, dtypes: list[tf.DType], device: str) -> None:
        self._device = device  # where it is taken from: TensorFlow has one place of a name on each
        self._stage = {"dtypes": dtypes, "shared_name": f"tb_activations/batch/{next(self._made)}"}

    def put(self, parts: list[tf.Tensor]) -> None:
        """Puts a batch here, in place of one that a step left which failed before it read."""
        self.clear()
        with tf.device(self._device):
            tf.raw_ops.Stage(values=parts, shared_name=self._stage["shared_name"])

    def take(self) -> list[tf.Tensor]:
        return list(tf.raw_ops.Unstage(**self._stage))

    def is_full(self) -> tf.Tensor:
        return tf.raw_ops.StageSize(**self._stage) > 0

    def clear(self) -> None:
        with tf.device(self._device):
            tf.raw_ops.StageClear(**self._stage)


@dataclass(frozen=True, slots=True)
class _Type:
    """What an iterator is, without the iterator. ``read``: a function that takes one batch of any of this type."""

    python_class: type
    element_spec: Any
    dtypes: Any
    shapes: Any
    read: Callable[[Any], Any]

    def iterator(self) -> tuple[Any, tf.Tensor]:
        """One of this type, without data yet, and its handle."""
        handle = tf.raw_ops.AnonymousIteratorV3(output_types=self.dtypes, output_shapes=self.shapes)
        return self.python_class(components=[handle], element_spec=self.element_spec), handle


def _type_of(source: Any) -> _Type:
    # Read outside of a function, an iterator is let go of as much as 10 seconds later: TensorFlow 2.21 often fails then to wake the thread that
    # tunes it. Traced by hand, as functions that are traced once for each `fit` make TensorFlow warn.
    read = tf.function(_next, autograph=False).get_concrete_function(tf.type_spec_from_value(source))
    return _Type(type(source), source.element_spec, source._flat_output_types, source._flat_output_shapes, read)


def _next(source: Any) -> Any:
    return next(source)


def _copied(tensor: tf.Tensor) -> tf.Tensor:
    with tf.device("CPU:0"):
        return tf.raw_ops.DeepCopy(x=tensor)


def _as_it_is() -> tf.data.Options:
    """No thread of its own measures how the data could be made faster."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _can_be_fed(signature: Any) -> bool:
    return all(isinstance(spec, (tf.TensorSpec, tf.RaggedTensorSpec)) for spec in tf.nest.flatten(signature))
