"""Which gradients the step computes of itself, and of its losses: those on the way to what its tapes are asked for.

The one invariant: no gradient is recorded that only the recording would have computed. TensorFlow leaves out what nothing uses, such as the way back
through a frozen network that nothing trained comes before; gradients that are recorded there would make each step go that way.
"""

from __future__ import annotations

import tensorflow as tf

from tb_activations.capture.loss_path import handle_in, reached_from
from tb_activations.capture.recorder import Recorder

__all__ = ["forget_inner_gradients", "forget_needless_gradients"]


def forget_needless_gradients(recorder: Recorder) -> None:
    """Leaves out the gradients of tensors that nothing leads to by which a tape differentiates. Eager steps compute them all the same."""
    graph = recorder.graph
    if graph is None:
        return
    known = (source if isinstance(source, tf.Tensor) else handle_in(graph, source) for source in recorder.sources)
    sources = [source for source in known if source is not None]
    if not sources:
        return
    reached = reached_from(sources)
    for node in recorder.seen.values():
        if node.variable is not None or node.tensor is None or not recorder.belongs(node.tensor):
            continue
        if id(node.tensor.op) not in reached and all(node.tensor is not source for source in sources):
            node.is_followed = False
            recorder.recordings["gradient"].pop(node.name, None)


def forget_inner_gradients(recorder: Recorder) -> None:
    """Leaves out what a tape inside of another gave, as for a penalty on gradients, where the step has a loss: nothing of it came back there."""
    for node in recorder.seen.values() if recorder.targets else ():
        if node.is_inner:
            recorder.recordings["gradient"].pop(node.name, None)
