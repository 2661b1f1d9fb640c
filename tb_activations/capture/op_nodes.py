"""Nodes for single TensorFlow operations, as far as the user asks for them.

The one invariant: an operation is read where it is; asking for its value adds an output to the step and changes nothing else. Gradients of
operations are the values of other operations, and are not looked for here.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from tb_activations.capture.nodes import Recording, Seen
from tb_activations.capture.operations import operations
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.source import operation_line
from tb_activations.store.schema import QuantityPlan

__all__ = ["record_operations"]


def record_operations(recorder: Recorder) -> None:
    """Lists operations of the step that ``recorder`` has seen to its end, and records those that the selection names."""
    selection = recorder.selection
    if recorder.graph is None or not (selection.ops or selection.lists_all_ops):
        return
    optimizer = getattr(recorder.structure.model, "optimizer", None)
    optimizers = [optimizer.name] if isinstance(optimizer, keras.optimizers.Optimizer) else []
    for name, op in operations(recorder.operations, recorder.graph, optimizers):
        is_selected = selection.selects_op(name, op.type)
        if is_selected or selection.lists_all_ops:
            _list(recorder, recorder.structure.unique(name), op, is_selected)


def _list(recorder: Recorder, name: str, op: tf.Operation, is_selected: bool) -> None:
    source = operation_line(op)
    for index, tensor in enumerate(op.outputs or [None]):
        node = Seen(name if index == 0 else f"{name}:{index}", "op", op.type, tensor, graph_op=op, source=source)
        node.obstacle = QuantityPlan("no_output") if tensor is None else recorder.obstacle(tensor)
        recorder.seen[node.name] = node
        if tensor is not None:
            recorder.op_producers.setdefault(id(tensor), node.name)
            if is_selected and node.obstacle is None:
                recorder.recordings["value"][node.name] = Recording(tensor, node.has_batch)
