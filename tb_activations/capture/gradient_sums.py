"""Whether taps make TensorFlow add up a gradient in other groups than it does without them.

The one invariant: it only reads graphs of a step that is traced.

A tensor that several operations take gets a gradient from each, and TensorFlow adds them up, one after the other. A tap is one taker: what comes
back through it was added up by itself. Where that sum comes first the others are added to it as always; where it comes later, `a + (b + c)` is
computed for `(a + b) + c`, and the last bit may be another one, in some steps and in others not, so that comparing the first few ends of a small
model doesn't find it. A cell of a recurrent layer is the case that is known: its output and its state are one tensor, which is tapped as both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tensorflow as tf

from tb_activations.capture.loss_path import LossPath
from tb_activations.capture.operations import is_ours

__all__ = ["Tap", "adds_in_other_groups"]


class Tap(NamedTuple):
    """A tap in a graph.

    Attributes:
      tensor: what was tapped.
      heard: the gradients that came back, one for each time that the tensor was differentiated by.
    """

    tensor: tf.Tensor
    heard: list[tf.Tensor]


def adds_in_other_groups(taps: Iterable[Tap], losses: Sequence[tf.Tensor], graph: tf.Graph) -> bool:
    """Whether the gradient of a tensor that was tapped may be added up otherwise than without taps.

    Args:
      taps: those of the step, and of the loops and branches in it.
      losses: what the step differentiates.
      graph: that of the step.
    """
    later = [tap for tap in taps if any(map(_is_added_later, tap.heard))]
    if not later:
        return False
    number, paths = Counter(id(tap.tensor) for tap in taps), {id(graph): LossPath(losses, graph)}

    def is_taken_elsewhere(tensor: tf.Tensor) -> bool:
        if id(tensor.graph) not in paths:
            paths[id(tensor.graph)] = LossPath(tensor.graph.outputs)
        leads = paths[id(tensor.graph)].leads
        return number[id(tensor)] > 1 or any(leads(taker) and not is_ours(taker.name) for taker in tensor.consumers())

    # Of a sum, whose gradient is that of what was added, the same is seen where nothing else takes it: the plain step does it, too.
    return any(is_taken_elsewhere(tap.tensor) for tap in later)


def _is_added_later(gradient: tf.Tensor) -> bool:
    """Whether ``gradient`` is a sum that is added to what comes before it."""
    return gradient.op.type == "AddN" and any(taker.type == "AddN" and taker.inputs[0] is not gradient for taker in gradient.consumers())
