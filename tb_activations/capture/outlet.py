"""The way of tensors out of a plain graph: queues that a step fills and that are emptied behind it.

The one invariant: what is taken belongs to the last step that came to its end. A step never waits here.

As results of the function the tensors would cost its optimization time that grows with the square of their number: for 60 layers a minute. In one
queue they would all be alive at the same time, at the end of the step: TensorFlow estimates the memory that this takes, and where it finds too
much it adds gradients up in another way, in whatever order they come. So each queue takes what the step makes one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

__all__ = ["Outlet"]

_QUEUES = 8
"""Most; emptying one takes some 50 microseconds."""


class Outlet:
    """Made in the graph of the step, of the tensors that leave it each time that it runs."""

    def __init__(self, tensors: Sequence[tf.Tensor]) -> None:
        places = {op: place for place, op in enumerate(tensors[0].graph.get_operations())}
        order = sorted(range(len(tensors)), key=lambda index: places[tensors[index].op])
        size = -(-len(order) // _QUEUES)
        self._groups = [order[start : start + size] for start in range(0, len(order), size)]
        self._queues = [_filled([tensors[index] for index in group]) for group in self._groups]

    def take(self) -> list[tf.Tensor]:
        """What the last step put in, in the order in which it was named here."""
        taken: dict[int, tf.Tensor] = {}
        for group, queue in zip(self._groups, self._queues, strict=True):
            taken.update(zip(group, _last_in(queue), strict=True))
        return [taken[index] for index in range(len(taken))]


def _filled(tensors: Sequence[tf.Tensor]) -> tf.queue.QueueBase:
    with tf.init_scope():
        queue = tf.queue.FIFOQueue(-1, [tensor.dtype for tensor in tensors])  # of any length: a step must never wait for it
    queue.enqueue(tensors)
    return queue


def _last_in(queue: tf.queue.QueueBase) -> Sequence[tf.Tensor]:
    taken = queue.dequeue()
    while int(queue.size()):  # before it, what was left by a step that failed further on
        taken = queue.dequeue()
    return taken if isinstance(taken, list) else [taken]
