"""Recorded steps that run on the side of the plain one, which then runs on the same batch, from the same state.

The one invariant: a step that runs on the side leaves nothing behind, whether it ends or fails; the training is what the plain step makes of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import tensorflow as tf

from tb_activations.capture.sameness import Sameness, same_bits, shapes_of, tensors_of
from tb_activations.capture.undo import Undo

__all__ = ["Aside"]


class Aside:
    """Decides which recorded steps run on the side, and takes them back.

    A step is told in this order: `begin`, `end_trace` if it is traced, `end`; and where that said so, the plain step and `compare`.

    Args:
      by_shapes: whether each shape of a batch is compiled by itself, so that what is found out of one says nothing of another.
    """

    def __init__(self, *, by_shapes: bool) -> None:
        self._undo = Undo()
        self._by_shapes = by_shapes
        self._sameness = Sameness()
        self._shapes: Hashable = ()
        self._was_traced = False
        self._before: list[tf.Tensor] | None = None
        self._after: list[Any] | None = None

    def refuse(self) -> None:
        """From now on no step runs twice."""
        self._undo.is_possible = False

    def begin(self, batch: Any) -> None:
        """A step begins. ``batch``: what the plain step could run on as well; None: nothing, so that no step can run twice."""
        if batch is None:
            self.refuse()
        self._shapes, self._after = shapes_of(batch) if self._by_shapes else (), None
        is_open = self._was_traced and self._undo.is_possible and self._sameness.is_open(self._shapes)
        self._before = self._undo.read() if is_open and not tf.config.functions_run_eagerly() else None

    def end_trace(self, graph: Any, ours: Iterable[tf.Variable], *, never_same: bool) -> bool:
        """The user's step is traced, in ``graph``; nothing has run yet. Returns whether it can run on the side.

        Args:
          ours: variables that belong to the recording.
          never_same: it is known that the trace ends in other bits than the plain step, or that it may do so at some steps only.
        """
        if self._undo.is_possible:
            self._undo.add(graph, ours)
        self._sameness.begin_trace(never_same=never_same)
        self._was_traced, self._before = True, None
        if self._undo.is_possible:
            # A step that makes variables is traced again when they have their values, before it runs.
            with tf.init_scope():
                self._before = self._undo.read() if self._undo.is_ready() else None
        return self._undo.is_possible

    def end(self, result: Any) -> bool:
        """The step has run. Returns whether it was taken back."""
        runs_aside = self._before is not None
        if runs_aside and not self._sameness.is_settled:
            self._after = [*self._undo.read(), *tensors_of(result)]
        self._sameness.recorded(self._shapes, compared=runs_aside)
        return self.take_back()

    def take_back(self) -> bool:
        """Puts back what the step found, if it ran on the side; returns whether it did."""
        if self._before is None:
            return False
        self._undo.put_back(self._before)
        self._before = None
        return True

    def compare(self, result: Any) -> bool:
        """The plain step has run after one that was taken back. Returns False where those that were not may have changed the training."""
        after, self._after = self._after, None
        if after is None:
            return True
        try:
            same = same_bits(after, [*self._undo.read(), *tensors_of(result)])
        except Exception:  # noqa: BLE001  (what can't be compared isn't known to be the same)
            same = False
        if not same:
            self._sameness.settle()
        return same or not self._sameness.was_trusted
