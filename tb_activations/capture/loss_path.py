"""Which tensors of a traced graph the loss depends on, and where a gradient is cut on the way.

The one invariant: it only reads the graph (operations, inputs, consumers, registered gradients) and adds nothing to it, so it can look at
a step that is going to run. A called function, a loop and a branch count as one operation, which has a gradient.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework import ops as framework_ops

from tb_activations.capture.keras_variables import in_tensorflow
from tb_activations.capture.operations import is_ours

__all__ = ["Cut", "LossPath", "handle_in", "is_used", "reached_from"]


class Cut(NamedTuple):
    """Why d loss / d tensor does not exist: a reason code of `store.reasons`, and the operation at which the path ends (None: there is no path)."""

    reason: str
    operation: tf.Operation | None = None


class LossPath:
    """The part of a graph that leads to its losses.

    Args:
      losses: what is differentiated.
      graph: that of the step. Where a loss is in another, inside it, whatever runs such a graph may lead to it.
    """

    def __init__(self, losses: Sequence[tf.Tensor], graph: tf.Graph | None = None) -> None:
        self._graphs = {id(graph), *(id(loss.graph) for loss in losses)}
        ends: dict[Any, tf.Operation] = {loss.ref(): loss.op for loss in losses}
        if graph is not None and any(loss.graph is not graph for loss in losses):
            ends |= {op.name: op for op in graph.get_operations() if op.type in _CALLS}
        self._losses = ends.keys()
        self._leading = _closure(ends.values(), _producers)
        passing = (op for op in ends.values() if not _cuts(op))
        self._differentiable = _closure(passing, lambda op: (before for before in _producers(op) if not _cuts(before)))
        ended = (*ends.values(), *(before for op in self._differentiable.values() for before in _producers(op)))
        self._last = {id(op) for op in ended if _cuts(op)}

    def leads(self, op: tf.Operation) -> bool:
        """Whether gradients of the losses come back through ``op``."""
        return id(op) in self._differentiable

    def cut(self, tensor: tf.Tensor) -> Cut | None:
        """Where the gradient of ``tensor`` is lost; None when it has one."""
        if not tensor.dtype.is_floating and not tensor.dtype.is_complex and tensor.dtype not in (tf.resource, tf.variant):
            return Cut("no_gradient_dtype")
        consumers = [op for op in tensor.consumers() if id(op) in self._leading]
        if any(map(self.leads, consumers)) or (tensor.ref() in self._losses and not _cuts(tensor.op)):
            return None
        if not consumers:
            activation = _last_activation(tensor)
            if activation is not None and self._has_a_way_around(activation):
                return Cut("loss_from_logits", activation)
            return self._cut_inside(tensor) or Cut("not_on_loss_path")
        barrier = self._barrier(consumers)
        return Cut("gradient_stopped" if barrier.type in _STOPS else "non_differentiable", barrier)

    def meets_custom_gradient(self, tensor: tf.Tensor) -> bool:
        """Whether a function of the user's with a gradient of its own is on a way from ``tensor`` to the loss.

        What was handed on is what its tap gave. Who made it may have used it before that, as a layer that also returns what its gate computed: those
        uses give a gradient to the gate, and not to what is returned.
        """
        taps = [op for op in tensor.consumers() if is_ours(op.name)]
        return any(_is_custom(op) for op in _closure(taps or tensor.consumers(), self._onwards).values() if self.leads(op))

    def _cut_inside(self, tensor: tf.Tensor) -> Cut | None:
        """Where the gradient of ``tensor`` is lost in the graph that it is in, such as the body of a loop, or around that; None where it isn't."""
        outputs = [] if id(tensor.graph) in self._graphs else getattr(tensor.graph, "outputs", [])
        if not outputs:
            return None
        cut = LossPath(outputs).cut(tensor)
        cuts = [self.cut(result) for result in _results(tensor)] if cut is None else [cut]
        return None if None in cuts else next((cut for cut in cuts if cut is not None and cut.reason != "not_on_loss_path"), None)

    def _has_a_way_around(self, activation: tf.Operation) -> bool:
        """Whether a loss is computed from what goes into ``activation`` without it, as scores of attention are not, whoever else is given theirs."""
        return any(op is not activation and self.leads(op) for op in activation.inputs[0].consumers())

    def _barrier(self, consumers: list[tf.Operation]) -> tf.Operation:
        """The operation at which the way to the loss ends: the last on it that lets no gradient pass, best one that is the first as well.

        Others may stand beside the way: a batch normalization stops the gradient of a shift that it takes its moments with. Where integers go in, the
        first is named, which made them out of numbers: a table is read with nothing else.
        """
        near = _closure(consumers, lambda op: iter(()) if _cuts(op) else self._onwards(op))
        last = [op for op in _closure(consumers, self._onwards).values() if id(op) in self._last]
        barrier = min(last, key=lambda op: (id(op) not in near, not _is_floating(op)))
        whole = _closure([barrier], lambda op: (before for before in _producers(op) if not _is_floating(before)))
        return next((op for op in whole.values() if id(op) in near and _cuts(op)), barrier)

    def _onwards(self, op: tf.Operation) -> Iterator[tf.Operation]:
        return (after for after in _consumers(op) if id(after) in self._leading)


def handle_in(graph: tf.Graph, variable: Any) -> tf.Tensor | None:
    """The tensor by which a traced function sees ``variable``, of Keras or TensorFlow, or a lookup table; None when it doesn't use it."""
    kept = in_tensorflow(variable)
    handle = kept.handle if isinstance(kept, tf.Variable) else kept.resource_handle
    around: list[Any] = [graph]
    while getattr(around[-1], "outer_graph", None) is not None:
        around.append(around[-1].outer_graph)
    for function in reversed(around):  # each function sees what the one around it sees
        handle = next((inner for outer, inner in getattr(function, "captures", ()) if outer is handle), handle)
    return handle if getattr(handle, "graph", None) is graph else None


def is_used(handle: tf.Tensor) -> bool:
    """Whether the numbers behind ``handle``, of a variable or a lookup table, go anywhere but back into it.

    Weights that follow those of another network, by an average, aren't used by that.
    """
    users = (op for op in handle.consumers() if not is_ours(op.name))
    reached = _closure(users, lambda op: _consumers(op) if op.type in _AVERAGING else ()).values()
    return any(not (op.type in _AVERAGING or is_ours(op.name) or (op.type in _WRITES and op.inputs[0] is handle)) for op in reached)


def reached_from(tensors: Iterable[tf.Tensor]) -> set[int]:
    """The ids of all operations that use ``tensors``, or what is computed from them."""
    return set(_closure((op for tensor in tensors for op in tensor.consumers()), _consumers))


def _results(tensor: tf.Tensor) -> list[tf.Tensor]:
    """What leaves the loop or branch that ``tensor`` is made in, and hands a gradient back to it; of a loop in whichever iteration."""
    graph = tensor.graph
    runner = next((op for op in graph.outer_graph.get_operations() if op.type in _CALLS and graph.name in _function_names(op)), None)
    if runner is None:
        return []
    found: dict[int, tf.Tensor] = {}
    waiting = [tensor]
    while waiting:
        source = waiting.pop()
        passing = _closure(_passed_on(source), lambda op: (after for output in op.outputs for after in _passed_on(output)))
        for place, (output, result) in enumerate(zip(graph.outputs, runner.outputs, strict=False)):
            if place not in found and (output is source or id(output.op) in passing):
                found[place] = result
                waiting += [graph.inputs[place]] if runner.type.endswith("While") else []
    return list(found.values())


def _function_names(op: tf.Operation) -> Iterator[str]:
    for attribute in op.node_def.attr.values():
        yield from (function.name for function in (attribute.func, *attribute.list.func))


def _passed_on(tensor: tf.Tensor) -> Iterator[tf.Operation]:
    return (op for op in tensor.consumers() if not _cuts(op))


def _last_activation(tensor: tf.Tensor) -> tf.Operation | None:
    """The softmax or sigmoid that gave ``tensor``, copies apart."""
    op = tensor.op
    while op.type in ("Identity", "IdentityN"):
        op = op.inputs[0].op
    return op if op.type in ("Softmax", "Sigmoid") else None


_STOPS = frozenset({"StopGradient", "PreventGradient"})

_CALLS = frozenset(
    {"PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile", "Case", "StatelessCase", "SymbolicGradient"}
)
"""Operations that run a function: their gradient is made by TensorFlow itself, not found in the registry."""

_STEPWISE = frozenset({"Ceil", "Floor", "FloorDiv", "Rint", "Round"})
"""Registered with a gradient function that answers None for every input."""

_AVERAGING = frozenset({"Add", "AddV2", "Cast", "Identity", "Mul", "ReadVariableOp", "RealDiv", "Sub"})
_WRITES = frozenset({"AssignAddVariableOp", "AssignSubVariableOp", "AssignVariableOp"})

_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "Placeholder", "Const", "VariableV2"})
"""Where a path begins: what they give out is what one differentiates by."""


def _cuts(op: tf.Operation) -> bool:
    """Whether no gradient passes from the outputs of ``op`` to its inputs."""
    if op.type in _READS or op.type in _CALLS:
        return False
    if op.outputs and not _is_floating(op):
        return True
    return op.type in _STEPWISE or _gradient_function(op) is None


def _is_custom(op: tf.Operation) -> bool:
    """Whether `tf.custom_gradient` made ``op`` of what a function returned; taps are such functions, too."""
    return op.type == "IdentityN" and "_gradient_op_type" in op.node_def.attr and not is_ours(op.name)


def _is_floating(op: tf.Operation) -> bool:
    """Whether ``op`` gives numbers that can be differentiated."""
    return any(output.dtype.is_floating or output.dtype.is_complex or output.dtype == tf.variant for output in op.outputs)


def _gradient_function(op: tf.Operation) -> Any:
    # The registry has no public reader; `tf.gradients` would add operations to the graph.
    try:
        return framework_ops.get_gradient_function(op)
    except LookupError:
        return None


def _producers(op: tf.Operation) -> Iterator[tf.Operation]:
    return (tensor.op for tensor in op.inputs)


def _consumers(op: tf.Operation) -> Iterator[tf.Operation]:
    return (consumer for output in op.outputs for consumer in output.consumers())


def _closure(start: Iterable[tf.Operation], step: Callable[[tf.Operation], Iterable[tf.Operation]]) -> dict[int, tf.Operation]:
    """Everything that ``step`` leads to from ``start``, breadth first, by identity (operations are made once per graph)."""
    found = {id(op): op for op in start}
    waiting = deque(found.values())
    while waiting:
        for op in step(waiting.popleft()):
            if id(op) not in found:
                found[id(op)] = op
                waiting.append(op)
    return found
