"""Calls that a step makes only to learn a shape: Keras calls the cell of a recurrent layer once before the loop, and throws the result away.

The one invariant: calls are taken for rehearsals only where the same layer, or the one whose call makes them, is then called in a loop and nothing
that the step does or returns depends on their numbers. All other calls are numbered as if there had been no rehearsal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tb_activations.capture.calls import numbered
from tb_activations.capture.edges import OF_SHAPES
from tb_activations.capture.nodes import Seen
from tb_activations.capture.recorder import Recorder

__all__ = ["forget_rehearsals"]


_CHECKS = frozenset({"CheckNumerics", "CheckNumericsV2"})
"""What gives the numbers that it looks at; `tf.debugging.enable_check_numerics` puts one behind each operation."""


class _Call(NamedTuple):
    """One call of a layer, and its nodes by what follows the number in their names."""

    number: int
    nodes: dict[str, Seen]


def forget_rehearsals(recorder: Recorder, returned: Iterable[tf.Tensor] = ()) -> None:
    """Leaves rehearsals out of what ``recorder`` met.

    Args:
      returned: the tensors that the step returns.
    """
    if recorder.graph is None:
        return
    results = {id(tensor) for tensor in returned}
    dropped: set[str] = set()
    renamed: dict[str, str] = {}
    for base, calls in _calls(recorder).items():
        rehearsals = list(_rehearsals(recorder, calls, results))
        dropped.update(node.name for call in rehearsals for node in call.nodes.values())
        kept = (call for call in calls if call not in rehearsals)
        renamed |= {node.name: numbered(base, number) + rest for number, call in enumerate(kept, 1) for rest, node in call.nodes.items()}
    if dropped:
        _add_what_they_made(recorder, dropped, results)
        _forget(recorder, dropped)
        _rename(recorder, renamed)


def _calls(recorder: Recorder) -> dict[str, list[_Call]]:
    """The calls of each layer that is called in a loop, in their order."""
    calls: dict[str, dict[int, _Call]] = {}
    looped = set()
    for node in recorder.seen.values():
        name, colon, output = node.name.partition(":")
        base, _, number = name.partition("@")
        if node.tensor is None or node.kind in ("variable", "loss") or not (number or "1").isdigit():
            continue
        call = int(number or 1)
        calls.setdefault(base, {}).setdefault(call, _Call(call, {})).nodes[colon + output] = node
        if _is_in_loop(recorder, node):
            looped.add(base)
    return {base: [made for _, made in sorted(calls[base].items())] for base in looped}


def _is_in_loop(recorder: Recorder, node: Seen) -> bool:
    return node.tensor is not None and not recorder.belongs(node.tensor) and recorder.inner.is_repeated(node.tensor)


def _rehearsals(recorder: Recorder, calls: list[_Call], results: set[int]) -> Iterator[_Call]:
    """Those that stand before a call in a loop, one or several: the cells that a cell keeps are rehearsed more than once."""
    waiting: list[_Call] = []
    for call in calls:
        if any(_is_in_loop(recorder, node) for node in call.nodes.values()):
            yield from waiting
            waiting = []
        elif all(_is_rehearsal(recorder, node, results) for node in call.nodes.values()):
            waiting.append(call)
        else:
            waiting = []


def _add_what_they_made(recorder: Recorder, dropped: set[str], results: set[int]) -> None:
    """Layers that a cell makes when it is called, as `keras.layers.concatenate` does, are others in the loop, and called once each."""
    for node in reversed(recorder.seen.values()):  # a call is met after what it made
        if node.name not in dropped and node.within in dropped and _is_rehearsal(recorder, node, results):
            dropped.add(node.name)
            recorder.structure.forget(node.op)


def _is_rehearsal(recorder: Recorder, node: Seen, results: set[int]) -> bool:
    return node.tensor is not None and recorder.belongs(node.tensor) and not _matters(node.tensor, results)


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
            acts = op.op_def is None or (op.op_def.is_stateful and op.type not in _CHECKS)
            if acts or op.type.endswith(("While", "If", "Case", "Call")):
                return True
            fresh = [output for output in op.outputs if id(output) not in met]
            met.update(map(id, fresh))
            waiting.extend(fresh)
    return False


def _forget(recorder: Recorder, dropped: set[str]) -> None:
    """Leaves nodes out, with what was recorded of them."""
    for name in dropped:
        node = recorder.seen.pop(name)
        node.tensor = node.op = None  # its tap, which TensorFlow keeps, knows it
        recorder.arguments.pop(name, None)
        for recordings in recorder.recordings.values():
            recordings.pop(name, None)
    for made in (recorder.producers, recorder.logits):
        for key in [key for key, name in made.items() if name in dropped]:
            del made[key]
    for arguments in recorder.arguments.values():
        arguments[:] = [name for name in arguments if name not in dropped]


def _rename(recorder: Recorder, renamed: Mapping[str, str]) -> None:
    for name, node in recorder.seen.items():
        node.name = renamed.get(name, name)
    named: tuple[dict[str, Any], ...] = (recorder.seen, recorder.arguments, *recorder.recordings.values())
    for entries in named:
        after = {renamed.get(name, name): entry for name, entry in entries.items()}
        entries.clear()
        entries.update(after)
    for made in (recorder.producers, recorder.logits):
        made.update({key: renamed.get(name, name) for key, name in made.items()})
    for arguments in recorder.arguments.values():
        arguments[:] = [renamed.get(name, name) for name in arguments]
