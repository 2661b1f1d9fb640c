"""Calls that a step makes only to learn a shape: Keras calls the cell of a recurrent layer once before the loop, and throws the result away.

The one invariant: calls are taken for rehearsals only where the same layer is then called in a loop and nothing that the step does or returns
depends on their numbers. The loop's node then has the plain name, as if the layer had been called there only.
"""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

from tb_activations.capture.calls import numbered
from tb_activations.capture.edges import OF_SHAPES
from tb_activations.capture.nodes import Seen
from tb_activations.capture.recorder import Recorder

__all__ = ["forget_rehearsals"]


def forget_rehearsals(recorder: Recorder, returned: Iterable[tf.Tensor] = ()) -> None:
    """Leaves rehearsals out of what ``recorder`` met.

    Args:
      returned: the tensors that the step returns.
    """
    if recorder.graph is None:
        return
    results = {id(tensor) for tensor in returned}
    for name, node in list(recorder.seen.items()):
        base, _, rest = name.partition("@")
        number, colon, output = rest.partition(":")
        if not number.isdigit() or node.tensor is None or recorder.belongs(node.tensor) or not recorder.inner.is_repeated(node.tensor):
            continue
        # The cells that a cell keeps are rehearsed more than once.
        earlier = [recorder.seen.get(numbered(base, call) + colon + output) for call in range(1, int(number))]
        if earlier and all(first is not None and _is_rehearsal(recorder, first, results) for first in earlier):
            _take_place(recorder, name, [first.name for first in earlier if first is not None])


def _is_rehearsal(recorder: Recorder, first: Seen, results: set[int]) -> bool:
    return first.tensor is not None and recorder.belongs(first.tensor) and not _matters(first.tensor, results)


def _matters(tensor: tf.Tensor, results: set[int]) -> bool:
    """Whether anything that the step does or returns depends on the numbers of ``tensor``."""
    waiting, met = [tensor], {id(tensor)}
    while waiting:
        current = waiting.pop()
        if id(current) in results:
            return True
        for op in current.consumers():
            if op.type in OF_SHAPES:
                continue
            if op.op_def is None or op.op_def.is_stateful or op.type.endswith(("While", "If", "Case", "Call")):
                return True
            fresh = [output for output in op.outputs if id(output) not in met]
            met.update(map(id, fresh))
            waiting.extend(fresh)
    return False


def _take_place(recorder: Recorder, name: str, earlier: list[str]) -> None:
    """The node ``name`` becomes the first of ``earlier``, which are dropped with what was recorded of them."""
    node, plain = recorder.seen.pop(name), earlier[0]
    for first in earlier:
        dropped = recorder.seen.pop(first) if first != plain else recorder.seen[first]
        dropped.tensor = dropped.op = None  # its tap, which TensorFlow keeps, knows it
        recorder.arguments.pop(first, None)
        for recordings in recorder.recordings.values():
            recordings.pop(first, None)
    node.name = plain
    recorder.seen[plain] = node
    for recordings in recorder.recordings.values():
        if name in recordings:
            recordings[plain] = recordings.pop(name)
    recorder.arguments[plain] = recorder.arguments.pop(name, [])
    for key, producer in recorder.producers.items():
        if producer == name:
            recorder.producers[key] = plain
