"""Calls that a step makes only to learn a shape: Keras calls the cell of a recurrent layer once before the loop, and throws the result away.

The one invariant: a call is taken for a rehearsal only where the same layer is called again in a loop and nothing that the step does or returns
depends on its numbers. The loop's node then has the plain name, as if the layer had been called there only.
"""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

from tb_activations.capture.recorder import Recorder

__all__ = ["forget_rehearsals"]

_NUMBERS_UNUSED = frozenset({"Shape", "Size", "Rank", "ZerosLike", "OnesLike"})


def forget_rehearsals(recorder: Recorder, returned: Iterable[tf.Tensor] = ()) -> None:
    """Leaves rehearsals out of what ``recorder`` met.

    Args:
      returned: the tensors that the step returns.
    """
    if recorder.graph is None:
        return
    results = {id(tensor) for tensor in returned}
    for name, node in list(recorder.seen.items()):
        base, mark, output = name.partition("@2")
        first = recorder.seen.get(base + output)
        if not mark or (output and not output.startswith(":")) or first is None or node.tensor is None or first.tensor is None:
            continue
        in_loop = not recorder.belongs(node.tensor) and recorder.inner.is_repeated(node.tensor)
        if in_loop and recorder.belongs(first.tensor) and not _matters(first.tensor, results):
            _take_place(recorder, name, first.name)


def _matters(tensor: tf.Tensor, results: set[int]) -> bool:
    """Whether anything that the step does or returns depends on the numbers of ``tensor``."""
    waiting, met = [tensor], {id(tensor)}
    while waiting:
        current = waiting.pop()
        if id(current) in results:
            return True
        for op in current.consumers():
            if op.type in _NUMBERS_UNUSED:
                continue
            if op.op_def is None or op.op_def.is_stateful or op.type.endswith(("While", "If", "Case", "Call")):
                return True
            fresh = [output for output in op.outputs if id(output) not in met]
            met.update(map(id, fresh))
            waiting.extend(fresh)
    return False


def _take_place(recorder: Recorder, name: str, plain: str) -> None:
    """The node ``name`` becomes ``plain``, whose own recordings are dropped."""
    dropped, node = recorder.seen[plain], recorder.seen.pop(name)
    dropped.tensor = dropped.op = None  # its tap, which TensorFlow keeps, knows it
    node.name = plain
    recorder.seen[plain] = node
    for recordings in recorder.recordings.values():
        recordings.pop(plain, None)
        if name in recordings:
            recordings[plain] = recordings.pop(name)
    recorder.arguments[plain] = recorder.arguments.pop(name, [])
    for key, producer in recorder.producers.items():
        if producer == name:
            recorder.producers[key] = plain
