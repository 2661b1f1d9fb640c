"""`explain`: why a tensor has no value, why a model answers "not connected to `inputs`", and where a gradient that is None is cut.

The one invariant: nothing of the model changes and nothing is computed; graphs are read, and where a gradient is asked for the model is
traced once into a graph that is thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.loss_path import Cut, LossPath
from tb_activations.capture.structure import Structure
from tb_activations.capture.trainability import untrained
from tb_activations.errors import ArgumentError
from tb_activations.store.reasons import explain_reason

__all__ = ["TensorExplanation", "explain"]


@dataclass(frozen=True, slots=True)
class TensorExplanation:
    """What `explain` found; ``str()`` gives it as text.

    Attributes:
      subject: the name of what was asked about.
      value: why it has no value, or where it breaks off.
      connected: whether it follows from the inputs of the model; None where that is no question.
      path: names of the layers and operations from an input to the tensor.
      missing: names of the inputs that the tensor needs and the model does not have.
      gradient: why d loss / d tensor does not exist; empty when nothing is in its way.
      remedy: what to do.
      code: Python to paste; empty when none helps.
    """

    subject: str
    value: str
    connected: bool | None = None
    path: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    gradient: str = ""
    remedy: str = ""
    code: str = field(default="")

    def __str__(self) -> str:
        path = f"Path: {' → '.join(self.path)}" if self.path else ""
        gradient = f"Gradient: {self.gradient}" if self.gradient else ""
        code = "\n".join(f"    {line}" for line in self.code.splitlines())
        return "\n".join(part for part in (self.value, path, gradient, self.remedy, code) if part)


def explain(tensor: Any, model: keras.Model, data: Any = None) -> TensorExplanation:
    """Says why a tensor has no value or no gradient, and what to do.

    Args:
      tensor: a `KerasTensor` (``layer.output``), a symbolic ``tf.Tensor`` kept from a layer's ``call``, or a variable whose gradient is None.
      model: the model it belongs to, or ought to belong to.
      data: a batch of inputs, or their shapes as ``keras.Input``\\ s; needed for variables of a subclassed model that was never built.

    Returns:
      The explanation. ``print`` it.

    Raises:
      ArgumentError: ``tensor`` is none of these, or ``model`` is no Keras model.
    """
    if not isinstance(model, keras.Model):
        raise ArgumentError(f"`model` must be a keras.Model. Received: model={model!r} of type {type(model).__name__}")
    if isinstance(tensor, keras.KerasTensor):
        return _explain_keras_tensor(tensor, model)
    if isinstance(tensor, (keras.Variable, tf.Variable)):
        return _explain_variable(tensor, model, data)
    if tf.is_tensor(tensor):
        return _explain_tensor(tensor)
    raise ArgumentError(
        "`tensor` must be a KerasTensor such as model.get_layer(name).output, a tf.Tensor, or a variable. "
        f"Received: tensor={tensor!r} of type {type(tensor).__name__}"
    )


# KerasTensors -----------------------------------------------------------------------------------------------------------------------------


def _explain_keras_tensor(tensor: keras.KerasTensor, model: keras.Model) -> TensorExplanation:
    chain = list(reversed(list(_history(tensor, stop=_input_ids(model)))))
    path = tuple(operation.name for operation in chain)
    subject = path[-1] if path else tensor.name
    missing = [operation for operation in chain if isinstance(operation, keras.layers.InputLayer) and not _feeds(operation, model)]
    if missing or not _is_functional(model):
        return _disconnected(tensor, model, subject, path, missing)
    gradient = _gradient_of_output(tensor, model)
    return TensorExplanation(
        subject,
        f"`{subject}` is symbolic: it stands for the output of a layer and gets a value only while the model runs. "
        "It follows from the model's inputs.",
        connected=True,
        path=path,
        gradient=gradient,
        remedy="Compute it for a batch with a second model, or record it from the real training step with the callback:",
        code=_second_model_code(subject, model) + "\n" + _callback_code(subject),
    )


def _history(tensor: keras.KerasTensor, stop: set[int]) -> Iterator[keras.Operation]:
    """The operations that ``tensor`` was made by, the last first, each once; does not go beyond the tensors in ``stop``."""
    seen: set[int] = set()
    waiting = [tensor]
    while waiting:
        current = waiting.pop()
        history = getattr(current, "_keras_history", None)
        if history is None or id(history.operation) in seen:
            continue
        seen.add(id(history.operation))
        yield history.operation
        if id(current) not in stop:
            waiting.extend(history.operation._inbound_nodes[history.node_index].input_tensors)


def _input_ids(model: keras.Model) -> set[int]:
    return {id(x) for x in tf.nest.flatten(getattr(model, "inputs", None) or [])}


def _is_functional(model: keras.Model) -> bool:
    return bool(getattr(model, "inputs", None))


def _inputs(model: keras.Model) -> Any:
    """What a model with a graph of its own takes. `Sequential.input` would be what it was called on, inside another model."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def _inputs_code(expression: str, model: keras.Model) -> str:
    return f"{expression}.inputs[0]" if isinstance(model, keras.Sequential) else f"{expression}.input"


def _feeds(operation: keras.layers.InputLayer, model: keras.Model) -> bool:
    inputs = _input_ids(model)
    return any(id(x) in inputs for x in tf.nest.flatten(operation.output))


def _disconnected(
    tensor: keras.KerasTensor, model: keras.Model, subject: str, path: tuple[str, ...], missing: list[keras.layers.InputLayer]
) -> TensorExplanation:
    names = tuple(operation.name for operation in missing)
    if not _is_functional(model):
        value = f"`{model.name}` is a subclassed model: it has no graph of its own, so no tensor is connected to its inputs."
        remedy = "Record it from the real training step instead:"
        return TensorExplanation(subject, value, False, path, names, remedy=remedy, code=_callback_code(subject))
    inputs = _quoted(names)
    nested = _nested_model_with(missing[0], model)
    value = f"`{subject}` is computed from {inputs}, which is not an input of `{model.name}`. That is what “not connected to `inputs`” means."
    if nested is None:
        remedy = f"Build the second model from {inputs}, or record the tensor from the real training step:"
        return TensorExplanation(subject, value, False, path, names, remedy=remedy, code=_callback_code(subject))
    value += f" It is the input of the nested model `{nested.name}`: `{model.name}` calls that model, and the call made new tensors."
    remedy = f"Give `{nested.name}` a second output and call it again, or record the tensor from the real training step:"
    return TensorExplanation(subject, value, False, path, names, remedy=remedy, code=_nested_code(subject, nested) + "\n" + _callback_code(subject))


def _quoted(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _nested_model_with(operation: keras.layers.InputLayer, model: keras.Model) -> keras.Model | None:
    """The model inside ``model`` that ``operation`` is an input of."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    return next((layer for layer in layers if isinstance(layer, keras.Model) and _is_functional(layer) and _feeds(operation, layer)), None)


def _nested_code(subject: str, nested: keras.Model) -> str:
    return (
        f'nested = model.get_layer("{nested.name}")\n'
        f'inner = keras.Model({_inputs_code("nested", nested)}, nested.get_layer("{subject}").output)   # call it on what `{nested.name}` gets'
    )


def _second_model_code(subject: str, model: keras.Model) -> str:
    return f'keras.Model({_inputs_code("model", model)}, model.get_layer("{subject}").output).predict(x)'


def _callback_code(subject: str) -> str:
    return f'model.fit(…, callbacks=[tb_activations.ActivationsCallback(log_dir, include=[r"{subject}"])])'


def _gradient_of_output(tensor: keras.KerasTensor, model: keras.Model) -> str:
    """Traces the model with ``tensor`` as a further output and looks for the path from it to the model's own outputs."""
    extended = keras.Model(_inputs(model), [tensor, *tf.nest.flatten(model.outputs)])
    graph = _trace(extended, extended.input)
    own, *outputs = graph.structured_outputs
    return _gradient_sentence(LossPath([*outputs]).cut(_origin(own)), tensor.name)


# Variables --------------------------------------------------------------------------------------------------------------------------------


def _explain_variable(variable: Any, model: keras.Model, data: Any) -> TensorExplanation:
    structure = Structure(model)
    name, weight, layer = _owned(variable, structure)
    value = f"`{name}` is a variable: its value can be read at any time."
    code = f"{_callback_code(name)}\nrun.statistics(node, 'gradient')"
    if not variable.trainable:
        plan = untrained(name, weight, layer, structure)
        reason = explain_reason(str(plan.reason), name, plan.detail)
        return TensorExplanation(name, value, gradient=reason.sentence, remedy=reason.remedy, code=reason.code_to_paste)
    inputs = data if data is not None else _inputs(model) if _is_functional(model) else None
    if inputs is None:
        raise ArgumentError(
            f"`data` must be a batch of inputs, as `{model.name}` is a subclassed model whose input shapes are not known. Received: data=None"
        )
    graph = _trace(model, inputs)
    handle = _captured(graph, variable)
    if handle is None:
        reason = explain_reason("not_called", name, {})
        return TensorExplanation(name, value, gradient=reason.sentence, remedy=reason.remedy)
    outputs = [output for output in tf.nest.flatten(graph.structured_outputs) if output.dtype.is_floating]
    cut = LossPath(map(_origin, outputs)).cut(handle)
    if cut is None:
        sound = f"`{name}` leads to the outputs of `{model.name}` on a differentiable path. If its gradient is None, the loss doesn't use that output"
        return TensorExplanation(name, value, gradient=f"{sound}, or the tape was not recording when the model was called.", code=code)
    return TensorExplanation(name, value, gradient=_gradient_sentence(cut, name), code=code)


def _owned(variable: Any, structure: Structure) -> tuple[str, Any, keras.layers.Layer | None]:
    """A variable by the name of its node, as its layer keeps it, and the layer; by its own name where no layer of the model keeps it."""
    for name, weight, layer in structure.owners():
        if variable is weight or variable is weight._value:
            return name, weight, layer
    return (variable.path if isinstance(variable, keras.Variable) else variable.name.removesuffix(":0")), variable, None


def _captured(graph: Any, variable: Any) -> tf.Tensor | None:
    """The placeholder by which the traced function sees ``variable``; None when it doesn't use it."""
    handle = (variable.value if isinstance(variable, keras.Variable) else variable).handle
    return next((inner for outer, inner in graph.graph.captures if outer is handle), None)


# Symbolic tensors of TensorFlow -------------------------------------------------------------------------------------------------------------


def _explain_tensor(tensor: tf.Tensor) -> TensorExplanation:
    if hasattr(tensor, "numpy"):
        return TensorExplanation("tensor", f"It has a value: an eager tensor of shape {list(tensor.shape)}. `tensor.numpy()` gives it.")
    graph = getattr(tensor.graph, "name", "") or "a graph"
    line = _user_line(tensor.op)
    made = f", made at {line}" if line else ""
    value = (
        f"`{tensor.name}` is a node of the graph of `{graph}`{made}. It was kept while the function was traced; a value exists only "
        "inside each later run of that function, and is gone when the run ends."
    )
    name = tensor.op.name.rsplit("/", 1)[-1]
    code = f'x = tb_activations.probe(x, "{name}")   # where the tensor is made\n{_callback_code(name)}'
    return TensorExplanation(tensor.name, value, remedy="Name it where it is made, and record it from the real step:", code=code)


def _user_line(operation: tf.Operation) -> str:
    frames = [frame for frame in operation.traceback if "site-packages" not in frame.filename and not frame.filename.startswith("<")]
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""


# Tracing ------------------------------------------------------------------------------------------------------------------------------------


def _trace(model: keras.Model, inputs: Any) -> Any:
    """The concrete function of ``model(inputs, training=True)`` for inputs of these shapes."""
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, keras.backend.standardize_dtype(x.dtype)), inputs)

    def forward(x: Any) -> list[Any]:
        return [*tf.nest.flatten(model(x, training=True)), *model.losses]

    return tf.function(forward, autograph=False).get_concrete_function(specs)


def _origin(output: tf.Tensor) -> tf.Tensor:
    """What a function returns is a copy; the tensor of the model is what was copied."""
    return output.op.inputs[0] if output.op.type == "Identity" else output


def _gradient_sentence(cut: Cut | None, name: str) -> str:
    if cut is None:
        return ""
    by = f"{cut.operation.type} ({cut.operation.name})" if cut.operation is not None else "?"
    return explain_reason(cut.reason, name, {"by": by}).sentence
