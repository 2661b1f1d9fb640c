"""How a `KerasTensor` follows from the inputs of a model, and Python that computes it.

The one invariant: code that is handed out runs as it stands, where `model`, `x`, `y` and `log_dir` are the user's, and gives the very tensor that
was asked about; where no chain of `get_layer` leads to it, the code calls it `tensor`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.structure import Structure

__all__ = [
    "callback_code",
    "feeds",
    "history",
    "inputs_of",
    "is_functional",
    "namesake",
    "nested_code",
    "nested_model_with",
    "own_tensor",
    "recording_code",
    "second_model_code",
]


def history(tensor: keras.KerasTensor, model: keras.Model) -> list[keras.Operation]:
    """The operations that ``tensor`` is made by, one entry per call, each after those it needs; does not go beyond the inputs of ``model``."""
    return [operation for operation, _ in _calls([tensor], model)]


def own_tensor(tensor: keras.KerasTensor, model: keras.Model) -> keras.KerasTensor | None:
    """What the same layer gives in the graph of ``model``, ``tensor`` itself if it is there; None where that graph has no such layer."""
    call = tensor._keras_history
    places = [place for operation, place in _calls(model.outputs, model) if operation is call.operation]
    if not places:
        return None
    place = call.node_index if call.node_index in places else places[0]
    own: keras.KerasTensor = call.operation._inbound_nodes[place].output_tensors[call.tensor_index]
    return own


def _calls(tensors: Iterable[keras.KerasTensor], model: keras.Model) -> list[tuple[keras.Operation, int]]:
    """The calls that make ``tensors``: operations, and which of their calls."""
    stop = _input_ids(model)
    made: dict[Any, tuple[keras.Operation, int]] = {}
    waiting = [(tensor, False) for tensor in tensors]
    while waiting:
        current, needs_are_made = waiting.pop()
        call = getattr(current, "_keras_history", None)
        if call is None or (id(call.operation), call.node_index) in made:
            continue
        if needs_are_made or id(current) in stop:
            made[id(call.operation), call.node_index] = call.operation, call.node_index
        else:
            needed = call.operation._inbound_nodes[call.node_index].input_tensors
            waiting += [(current, True), *((other, False) for other in reversed(needed))]
    return list(made.values())


def is_functional(model: keras.Model) -> bool:
    """Whether the model has a graph of its own."""
    return bool(getattr(model, "inputs", None))


def inputs_of(model: keras.Model) -> Any:
    """What a model with a graph of its own takes. `Sequential.input` would be what it was called on, inside another model."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def feeds(operation: keras.Operation, model: keras.Model) -> bool:
    """Whether ``operation`` is one of the model's inputs."""
    return bool({id(x) for x in tf.nest.flatten(operation.output)} & _input_ids(model))


def _input_ids(model: keras.Model) -> set[int]:
    return {id(x) for x in tf.nest.flatten(getattr(model, "inputs", None) or [])}


def nested_model_with(operation: keras.Operation, model: keras.Model) -> keras.Model | None:
    """The model inside ``model`` that ``operation`` is an input of."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    return next((layer for layer in layers if isinstance(layer, keras.Model) and is_functional(layer) and feeds(operation, layer)), None)


def namesake(tensor: keras.KerasTensor, model: keras.Model) -> keras.KerasTensor | None:
    """What a layer of ``model`` gives whose name and class are those of the maker of ``tensor``, as those of a copy are; None: there is none."""
    call = tensor._keras_history
    same = (own for _, own in Structure(model) if own.name == call.operation.name and type(own) is type(call.operation))
    outputs = (node.output_tensors for own in same for node in own._inbound_nodes)
    return next((made[call.tensor_index] for made in outputs if call.tensor_index < len(made)), None)


def maker_inside(tensor: keras.KerasTensor, model: keras.Model) -> keras.Model | None:
    """The model inside ``model`` that makes ``tensor``, where ``model`` has it made anew by a call of that one."""
    operation = tensor._keras_history.operation
    if any(operation is own for own in _operations(model)):
        return None
    layers = model._flatten_layers(include_self=False, recursive=True)
    inside = (layer for layer in layers if isinstance(layer, keras.Model) and is_functional(layer))
    return next((layer for layer in inside if any(operation is own for own in _operations(layer))), None)


def _operations(model: keras.Model) -> list[keras.Operation]:
    operations: list[keras.Operation] = (getattr(model, "_functional", None) or model).operations
    return operations


def recording_code(tensor: keras.KerasTensor, structure: Structure) -> str:
    """Records ``tensor``: of all calls of what makes it the first output or, as Keras doesn't keep what the others are called, all others."""
    call = tensor._keras_history
    return callback_code(structure.name_of(call.operation, ""), end=":" if call.tensor_index else "$")


def second_model_code(tensor: keras.KerasTensor, model: keras.Model) -> str:
    output = _tensor_code(tensor, model, "model")
    return f"keras.Model({_inputs_code('model', model)}, {output}).predict(x){_REMARK if output == 'tensor' else ''}"


def nested_code(tensor: keras.KerasTensor, nested: keras.Model, structure: Structure) -> str:
    """Code for a tensor of a model inside another; empty where no chain of models leads to that one."""
    way = structure.expression(structure.name_of(nested, ""))
    output = _tensor_code(tensor, nested, "nested")
    lines = (
        f"nested = {way}",
        f"inner = keras.Model({_inputs_code('nested', nested)}, {output})   # call it on what `{nested.name}` gets",
    )
    return "" if way == "layer" else "\n".join(lines)


def callback_code(name: str, *, start: str = "^", end: str = "$") -> str:
    """Records the node ``name``: all calls of it. ``start``, ``end``: the pattern before and after it."""
    pattern = f'r"{start}{re.escape(name)}(@\\d+)?{end}"'
    return f"model.fit(x, y, callbacks=[tb_activations.ActivationsCallback(log_dir, include=[{pattern}])])"


_REMARK = "   # `tensor`: the one you asked about"


def _inputs_code(expression: str, model: keras.Model) -> str:
    return f"{expression}.inputs[0]" if isinstance(model, keras.Sequential) else f"{expression}.input"


def _tensor_code(tensor: keras.KerasTensor, model: keras.Model, expression: str) -> str:
    """The tensor as an output of a layer: of its first call, as `output` is, and where `get_layer` finds the layer. Else just `tensor`."""
    place = next((index for index, fed in enumerate(model.inputs) if fed is tensor), None)
    if place is not None:
        return f"{expression}.inputs[{place}]"  # of a `Sequential`, `get_layer` doesn't find the input
    operation, structure = tensor._keras_history.operation, Structure(model)
    path = next((path for path, kept in structure if kept is operation and isinstance(kept, keras.layers.Layer)), None)
    layer = "layer" if path is None else structure.expression(path)
    if layer == "layer":
        return "tensor"
    output = f"{expression}{layer.removeprefix('model')}.output"
    if operation.output is tensor:
        return output
    places = operation.output.items() if isinstance(operation.output, dict) else enumerate(tf.nest.flatten(operation.output))
    return next((f"{output}[{place!r}]" for place, other in places if other is tensor), "tensor")
