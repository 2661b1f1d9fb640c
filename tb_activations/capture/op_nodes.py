"""Single TensorFlow operations: a list of all, and nodes for those that the user asks for, and for the activation functions in layers of users.

The one invariant: an operation is read where it is; asking for its value adds an output to the step and changes nothing else. Gradients of
operations are the values of other operations, and are not looked for here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import keras
import tensorflow as tf

from tb_activations.capture.activations import Activation, activations_inside
from tb_activations.capture.nodes import Recording, Seen
from tb_activations.capture.operations import leaf_name, operations
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.source import operation_line
from tb_activations.store.schema import Operation, QuantityPlan

__all__ = ["list_operations", "record_operations"]


def record_operations(recorder: Recorder) -> None:
    """Names the operations of the step that ``recorder`` has seen to its end; those that the selection asks for become nodes, and activation
    functions in layers of users."""
    selection = recorder.selection
    if recorder.graph is None:
        return
    optimizer = getattr(recorder.structure.model, "optimizer", None)
    optimizers = [optimizer.name] if isinstance(optimizer, keras.optimizers.Optimizer) else []
    activations, inside = activations_inside(recorder), []
    for name, op in operations(recorder.operations, recorder.graph, optimizers):
        activation = activations.get(op)
        unique = recorder.structure.unique(leaf_name(op) if activation is not None and activation.in_model else name)
        recorder.named_operations[unique] = op
        is_selected = selection.selects_op(name, op.type)
        if activation is not None:
            inside.append(_inside(recorder, unique, op, activation))
            if is_selected or selection.selects(unique, "op", "value"):
                _record(recorder, inside[-1])
        elif is_selected or selection.lists_all_ops:
            _list(recorder, unique, op, is_selected)
    _put_in_order(recorder, inside)


def list_operations(named: Mapping[str, tf.Operation]) -> tuple[Operation, ...]:
    """What `record_operations` named, as the store keeps it."""
    ids = {op.name: index for index, op in enumerate(named.values())}
    return tuple(_describe(name, op, ids) for name, op in named.items())


def _describe(name: str, op: tf.Operation, ids: Mapping[str, int]) -> Operation:
    output = op.outputs[0] if op.outputs else None
    shape = None if output is None or output.shape.rank is None else tuple(output.shape)
    dtype = None if output is None else output.dtype.base_dtype.name
    return Operation(name, op.type, dtype, shape, operation_line(op), tuple(sorted(set(_producers(op, ids)))))


def _producers(op: tf.Operation, ids: Mapping[str, int]) -> Iterator[int]:
    """The operations that ``op`` reads; a tap of ours between them is looked through."""
    for tensor in op.inputs:
        if tensor.op.name in ids:
            yield ids[tensor.op.name]
        else:
            yield from _producers(tensor.op, ids)


def _list(recorder: Recorder, name: str, op: tf.Operation, is_selected: bool) -> None:
    source = operation_line(op)
    for index, tensor in enumerate(op.outputs or [None]):
        node = Seen(name if index == 0 else f"{name}:{index}", "op", op.type, tensor, graph_op=op, source=source)
        node.obstacle = QuantityPlan("no_output") if tensor is None else recorder.obstacle(tensor)
        recorder.seen[node.name] = node
        if tensor is not None:
            recorder.op_producers.setdefault(id(tensor), node.name)
            if is_selected:
                _record(recorder, node)


def _record(recorder: Recorder, node: Seen) -> None:
    if node.obstacle is None:
        recorder.recordings["value"][node.name] = Recording(node.tensor, node.has_batch, node.activation)


def _inside(recorder: Recorder, name: str, op: tf.Operation, activation: Activation) -> Seen:
    """The node of an activation function: other than single operations usually do, it stands between the nodes of layers."""
    tensor = op.outputs[0]
    node = Seen(name, "op", op.type, tensor, graph_op=op, activation=activation.name, source=operation_line(op), batch=activation.batch)
    node.attributes.update(activation.facts)
    node.obstacle = recorder.obstacle(tensor)
    recorder.producers[id(tensor)] = name
    recorder.keep(tensor)
    return node


def _put_in_order(recorder: Recorder, nodes: Iterable[Seen]) -> None:
    """Puts nodes among those that ``recorder`` has seen, where the graph has them."""
    waiting = deque(nodes)
    if not waiting or recorder.graph is None:
        return
    numbers = {op: number for number, op in enumerate(recorder.graph.get_operations())}
    seen = list(recorder.seen.values())
    recorder.seen.clear()
    for node in seen:
        number = numbers.get(node.tensor.op, 0) if node.tensor is not None and node.variable is None else 0
        while waiting and numbers[waiting[0].graph_op] < number:
            first = waiting.popleft()
            recorder.seen[first.name] = first
        recorder.seen[node.name] = node
    recorder.seen.update({node.name: node for node in waiting})
