"""Which losses of a step are inner ones: differentiated in the inner loop of meta-learning, or for a penalty on the gradients of weights.

The one invariant: it only reads the graph. A loss whose gradients another loss is computed from isn't what the step makes smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.capture.loss_path import reached_from

__all__ = ["Answer", "inner_losses"]


class Answer(NamedTuple):
    """What a tape gave for a loss."""

    loss: tf.Tensor
    gradients: list[Any]


def inner_losses(answers: Sequence[Answer], losses: Sequence[tf.Tensor]) -> set[int]:
    """The ids of those of ``losses`` whose gradients go into another of them."""
    if not answers or len(losses) < 2:
        return set()
    ends = {id(loss): id(loss.op) for loss in losses}
    found = set[int]()
    for loss, gradients in answers:
        others = {end for other, end in ends.items() if other != id(loss)}
        flat = filter(tf.is_tensor, tf.nest.flatten(gradients, expand_composites=True))
        if id(loss) in ends and others & reached_from(flat):
            found.add(id(loss))
    return found
