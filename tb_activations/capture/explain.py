"""`explain`: why a tensor has no value, why a model answers "not connected to `inputs`", and where a gradient that is None is cut.

The one invariant: nothing of the model changes and nothing is computed; graphs are read, and where a gradient is asked for the model is
traced once into a graph that is thrown away.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.arguments import batch, told_of_keras_2
from tb_activations.capture.connections import (
    callback_code,
    feeds,
    history,
    inputs_of,
    is_functional,
    maker_inside,
    namesake,
    nested_code,
    nested_model_with,
    own_tensor,
    recording_code,
    second_model_code,
)
from tb_activations.capture.keras_variables import is_of_keras, is_variable
from tb_activations.capture.loss_path import Cut, LossPath, handle_in
from tb_activations.capture.structure import Structure
from tb_activations.capture.tell import cause
from tb_activations.capture.trainability import not_offered, untrained
from tb_activations.errors import ArgumentError
from tb_activations.store.reasons import Explanation, explain_reason

__all__ = ["TensorExplanation", "explain"]

Loss = Callable[[Any], Any]


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


def explain(tensor: Any, model: keras.Model, data: Any = None, loss: Loss | None = None) -> TensorExplanation:
    """Says why a tensor has no value or no gradient, and what to do.

    Args:
      tensor: a `KerasTensor` (``layer.output``), a symbolic ``tf.Tensor`` kept from a layer's ``call``, or a variable whose gradient is None.
      model: the model it belongs to, or ought to belong to.
      data: a batch of inputs, or their shapes as ``keras.Input``\\ s; needed for variables of a subclassed model that was never built.
      loss: a function of the model's output that gives the loss, for a gradient that may be cut inside it:
        ``lambda output: loss_function(y, output)``. None: paths are followed up to the model's outputs.

    Returns:
      The explanation. ``print`` it.

    Raises:
      ArgumentError: ``tensor`` is none of these, or ``model`` is no Keras model.
    """
    if not isinstance(model, keras.Model):
        raise ArgumentError(f"`model` must be a keras.Model.{told_of_keras_2(model)} Received: model={model!r} of type {type(model).__name__}")
    if loss is not None and not _takes_one(loss):
        expected = "`loss` must be a function of the model's output alone, such as `lambda output: loss_function(y, output)`, or None"
        raise ArgumentError(f"{expected}. Received: loss={loss!r} of type {type(loss).__name__}")
    batch("data", data)
    if isinstance(tensor, keras.KerasTensor):
        return _explain_keras_tensor(tensor, model, loss)
    if is_variable(tensor):
        return _explain_variable(tensor, model, data, loss)
    if tf.is_tensor(tensor):
        return _explain_tensor(tensor)
    raise ArgumentError(
        "`tensor` must be a KerasTensor such as model.get_layer(name).output, a tf.Tensor, or a variable. "
        f"Received: tensor={tensor!r} of type {type(tensor).__name__}"
    )


def _takes_one(function: Any) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # one that is written in C doesn't say what it takes
        return True
    return True


# KerasTensors -----------------------------------------------------------------------------------------------------------------------------


def _explain_keras_tensor(tensor: keras.KerasTensor, model: keras.Model, loss: Loss | None) -> TensorExplanation:
    chain = history(tensor, model)
    path = tuple(operation.name for operation in chain)
    subject = path[-1] if path else tensor.name
    missing = [operation for operation in chain if isinstance(operation, keras.layers.InputLayer) and not feeds(operation, model)]
    if missing or not is_functional(model):
        return _disconnected(tensor, model, subject, path, missing)
    value = (
        f"`{subject}` is symbolic: it stands for the output of a layer and gets a value only while the model runs. It follows from the model's inputs"
    )
    gradient = _gradient_of_output(tensor, subject, model, loss)
    structure = Structure(model)
    if not _belongs(tensor, structure):
        value += f", and no output of `{model.name}` needs it, so that it is no part of it."
        remedy = "Compute it for a batch with a second model. To record it while the model trains, connect it to an output:"
        return TensorExplanation(subject, value, True, path, gradient=gradient, remedy=remedy, code=second_model_code(tensor, model))
    remedy = "Compute it for a batch with a second model, or record it from the real training step with the callback:"
    code = second_model_code(tensor, model) + "\n" + recording_code(tensor, structure)
    return TensorExplanation(subject, f"{value}.", True, path, gradient=gradient, remedy=remedy, code=code)


_SUBCLASSED = "is a subclassed model: it has no graph of its own"


def _belongs(tensor: keras.KerasTensor, structure: Structure) -> bool:
    return any(operation is tensor._keras_history.operation for _, operation in structure)


def _disconnected(
    tensor: keras.KerasTensor, model: keras.Model, subject: str, path: tuple[str, ...], missing: list[keras.layers.InputLayer]
) -> TensorExplanation:
    names = tuple(operation.name for operation in missing)
    structure = Structure(model)
    belongs = _belongs(tensor, structure)
    recorded = recording_code(tensor, structure) if belongs else ""
    if not is_functional(model):
        what = "is a `Sequential` that isn't built: it has no graph yet" if isinstance(model, keras.Sequential) else _SUBCLASSED
        value = f"`{model.name}` {what}, so no tensor is connected to its inputs."
        remedy = "Record it from the real training step instead:" if belongs else f"Only what `{model.name}` calls can be recorded from its step."
        return TensorExplanation(subject, value, False, path, names, remedy=remedy, code=recorded)
    inputs = _quoted(names)
    nested = nested_model_with(missing[0], model)
    of_copy = None if belongs or nested is not None else namesake(tensor, model)
    if of_copy is not None:
        own = _explain_keras_tensor(of_copy, model, None)
        value = f"`{subject}` belongs to another model than `{model.name}`, which has a layer of that name of its own, as a copy of a model does."
        return TensorExplanation(subject, value, False, path, names, remedy=f"Use the tensor of that one. {own.remedy}", code=own.code)
    value = f"`{subject}` is computed from {inputs}, which is not an input of `{model.name}`. That is what “not connected to `inputs`” means."
    if nested is None:
        other = ", or record what the layer gives in the real training step:" if belongs else "."
        needed = _quoted(tuple(operation.name for operation in history(tensor, model) if isinstance(operation, keras.layers.InputLayer)))
        remedy = f"Build the second model from {needed}{other}"
        return TensorExplanation(subject, value, False, path, names, remedy=remedy, code=recorded)
    value += f" It is the input of the nested model `{nested.name}`: the call of that model made new tensors."
    remedy = f"Give `{nested.name}` a second output and call it again, or record the tensor from the real training step:"
    code = "\n".join(filter(None, (nested_code(tensor, nested, structure), recorded)))
    return TensorExplanation(subject, value, False, path, names, remedy=remedy, code=code)


def _quoted(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _gradient_of_output(tensor: keras.KerasTensor, name: str, model: keras.Model, loss: Loss | None) -> str:
    """Traces the model with ``tensor`` as a further output and looks for the path from it to the model's own outputs, or to ``loss``."""
    if not keras.backend.is_float_dtype(tensor.dtype):
        return explain_reason("no_gradient_dtype", name, {"dtype": tensor.dtype}).sentence
    of_model = own_tensor(tensor, model)
    if isinstance(model, keras.Sequential) and of_model is not None:
        tensor = of_model  # `add` calls the layers before once more, and `layer.output` stays what the first call gave
    outputs = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    extended = keras.Model(inputs_of(model), [tensor, *tf.nest.flatten(outputs)])

    def ends(made: Sequence[Any]) -> list[Any]:
        own, *rest = made
        return [own, *(rest if loss is None else [loss(tf.nest.pack_sequence_as(outputs, rest))])]

    try:
        own, *ended = _trace(extended, extended.input, ends).structured_outputs
    except Exception as error:  # noqa: BLE001  (of the user's layers, or of `loss`; what is known of the value is no less true)
        return f"Whether it has one can't be looked up, as `{model.name}` can't be traced, which its training needs as well: {cause(error)}"
    cut = LossPath(ended).cut(_origin(own))
    nested = maker_inside(tensor, model)
    if nested is not None and cut is not None and cut.reason == "not_on_loss_path":
        return (
            f"No output of `{model.name}` is computed from this very tensor: `{model.name}` calls `{nested.name}`, which makes it anew. "
            "The one made there is what is recorded, with its gradient."
        )
    if of_model is not None and of_model is not tensor:
        return (
            f"No output of `{model.name}` is computed from this very tensor, which another call of `{name}` gave. "
            f"What the calls in `{model.name}` give is recorded, with its gradient."
        )
    return "" if cut is None else _reason_of(cut, name).sentence


# Variables --------------------------------------------------------------------------------------------------------------------------------


def _explain_variable(variable: Any, model: keras.Model, data: Any, loss: Loss | None) -> TensorExplanation:
    structure = Structure(model)
    name, weight, layer = _owned(variable, structure)
    value = f"`{name}` is a variable: its value can be read at any time."
    code = f'{callback_code(name)}\ntb_activations.open_run(f"{{log_dir}}/train").statistics("{name}", "gradient")'
    if not (variable.trainable and model.trainable):
        plan = untrained(name, weight, layer, structure) if not variable.trainable else not_offered(name, structure)
        reason = explain_reason(str(plan.reason), name, plan.detail)
        return TensorExplanation(name, value, gradient=reason.sentence, remedy=reason.remedy, code=reason.code_to_paste)
    inputs = data if data is not None else inputs_of(model) if is_functional(model) else None
    if inputs is None:
        raise ArgumentError(
            f"`data` must be a batch of inputs, as `{model.name}` has no inputs of its own that would tell their shapes. Received: data=None"
        )
    graph = _trace(model, inputs, (lambda outputs: outputs) if loss is None else loss)
    handle = handle_in(graph.graph, variable)
    if handle is None and layer is None:
        foreign = f"`{name}` is no variable of `{model.name}`, and what `{model.name}` computes doesn't use it."
        remedy = "Ask with the model or layer that uses it, or keep it as an attribute of the layer that should."
        return TensorExplanation(name, value, gradient=foreign, remedy=remedy)
    if handle is None:
        reason = explain_reason("not_called", name, {})
        return TensorExplanation(name, value, gradient=reason.sentence, remedy=reason.remedy)
    outputs = [output for output in tf.nest.flatten(graph.structured_outputs) if output.dtype.is_floating]
    cut = LossPath([_origin(output) for output in outputs]).cut(handle)
    if cut is None:
        end = f"the outputs of `{model.name}`" if loss is None else "`loss`"
        cause = "the loss doesn't use that output, or cuts it (give `loss`)" if loss is None else "another loss was differentiated"
        sound = f"`{name}` leads to {end} on a differentiable path. If its gradient is None, {cause}"
        return TensorExplanation(name, value, gradient=f"{sound}, or the tape was not recording when the model was called.", code=code)
    reason = _reason_of(cut, name)
    return TensorExplanation(name, value, gradient=reason.sentence, remedy=reason.remedy, code=reason.code_to_paste)


def _owned(variable: Any, structure: Structure) -> tuple[str, Any, keras.layers.Layer | None]:
    """A variable by the name of its node, as its layer keeps it, and the layer; by its own name where no layer of the model keeps it."""
    for name, weight, layer in structure.owners():
        if variable is weight or variable is weight._value:
            return name, weight, layer
    return (variable.path if is_of_keras(variable) else variable.name.removesuffix(":0")), variable, None


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
    code = f'x = tb_activations.probe(x, "{name}")   # where the tensor is made\n{callback_code(name, start="(^|/)")}'
    return TensorExplanation(tensor.name, value, remedy="Name it where it is made, and record it from the real step:", code=code)


def _user_line(operation: tf.Operation) -> str:
    frames = [frame for frame in operation.traceback if "site-packages" not in frame.filename and not frame.filename.startswith("<")]
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""


# Tracing ------------------------------------------------------------------------------------------------------------------------------------


def _trace(model: keras.Model, inputs: Any, then: Callable[[Any], Any]) -> Any:
    """The concrete function of ``then(model(inputs, training=True))`` for inputs of these shapes."""
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, keras.backend.standardize_dtype(x.dtype)), inputs)

    def forward(x: Any) -> list[Any]:
        return [*tf.nest.flatten(then(model(x, training=True))), *model.losses]

    return tf.function(forward, autograph=False).get_concrete_function(specs)


def _origin(output: tf.Tensor) -> tf.Tensor:
    """What a function returns is a copy; the tensor of the model is what was copied."""
    return output.op.inputs[0] if output.op.type == "Identity" else output


def _reason_of(cut: Cut, name: str) -> Explanation:
    by = f"{cut.operation.type} ({cut.operation.name})" if cut.operation is not None else "?"
    return explain_reason(cut.reason, name, {"by": by})
