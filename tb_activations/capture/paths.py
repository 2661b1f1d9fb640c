"""Ways through the graph of a step: which nodes a tensor was computed from, and where a gradient was cut.

The one invariant: only reads the graph, and only forwards of the losses: what differentiation added is never on a way. Eager steps have no graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import tensorflow as tf

__all__ = ["Reach", "producing_nodes"]


def producing_nodes(tensor: tf.Tensor, producers: Mapping[int, str], itself: str) -> list[str]:
    """The nodes whose values ``tensor`` was computed from, without another node between, nearest first."""
    found: dict[str, None] = {}
    waiting, met = [tensor], {id(tensor)}
    while waiting:
        for source in _inputs(waiting.pop()):
            if id(source) in met:
                continue
            met.add(id(source))
            name = producers.get(id(source))
            if name is None or name == itself:
                waiting.append(source)
            else:
                found.setdefault(name)
    return list(found)


def _inputs(tensor: tf.Tensor) -> Iterable[tf.Tensor]:
    return () if isinstance(tensor, tf.__internal__.EagerTensor) else tensor.op.inputs


_STOPS = frozenset({"StopGradient", "PreventGradient"})
_FLAT = frozenset({"ArgMax", "ArgMin", "Round", "Rint", "Floor", "Ceil", "Sign", "Equal", "Greater", "Less", "GreaterEqual", "LessEqual", "Shape"})


class Reach:
    """What the losses of a step depend on.

    Args:
      targets: the losses.
    """

    def __init__(self, targets: Iterable[tf.Tensor]) -> None:
        roots = [target for target in targets if not isinstance(target, tf.__internal__.EagerTensor)]
        self._all = _ancestors(roots, through=lambda operation: True)
        self._smooth = _ancestors(roots, through=lambda operation: _cut(operation) is None)

    def depends_on(self, tensor: tf.Tensor) -> bool:
        """Whether a loss was computed from ``tensor``."""
        return id(tensor) in self._all

    def differentiably(self, tensor: tf.Tensor) -> bool:
        """Whether it was, on a way that lets a gradient pass."""
        return id(tensor) in self._smooth

    def cut_after(self, tensor: tf.Tensor) -> tuple[str, str] | None:
        """The operation that lets no gradient pass from a loss to ``tensor``: a reason's code, and the operation's type and name."""
        waiting, met = [tensor], {id(tensor)}
        while waiting:
            for operation in waiting.pop().consumers():
                if not any(self.depends_on(output) for output in operation.outputs):
                    continue
                code = _cut(operation)
                if code is not None:
                    return code, operation.type
                fresh = [output for output in operation.outputs if id(output) not in met]
                met.update(map(id, fresh))
                waiting.extend(fresh)
        return None


def _ancestors(roots: Iterable[tf.Tensor], through: Callable[[tf.Operation], bool]) -> dict[int, tf.Tensor]:
    met = {id(root): root for root in roots}
    waiting = list(met.values())
    while waiting:
        tensor = waiting.pop()
        if through(tensor.op):
            for source in tensor.op.inputs:
                if id(source) not in met:
                    met[id(source)] = source
                    waiting.append(source)
    return met


def _cut(operation: tf.Operation) -> str | None:
    """The reason code of an operation that lets no gradient pass, else None."""
    if operation.type in _STOPS:
        return "gradient_stopped"
    real = any(output.dtype.is_floating or output.dtype.is_complex or output.dtype == tf.variant for output in operation.outputs)
    return "non_differentiable" if operation.type in _FLAT or (operation.outputs and not real) else None
