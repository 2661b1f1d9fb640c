"""Variables without a name of their own, and those that are no weights of a layer: of TensorFlow, and whatever else a step uses.

The one invariant: what metrics, optimizers and random generators keep for themselves is not taken for a variable of the step.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable, ResourceVariable

from tb_activations.capture.keras_variables import Variable, is_of_keras

__all__ = ["WRITES", "bare_variables", "is_copy", "kept_by", "kept_by_module", "weight_name", "whole_variable", "whose"]

WRITES = [
    (kind, name)
    for kind in (BaseResourceVariable, ResourceVariable)
    for name in vars(kind)
    if name.startswith(("assign", "scatter_", "batch_scatter_"))
]
"""The methods of a TensorFlow variable that change it, with the class that has each."""

_MADE_UP = re.compile(r"variable(_\d+)?")
"""The name that Keras makes up for a variable."""

_COPIES = ("_self_", "_variables", "_trainable_variables", "_non_trainable_variables")
"""How attributes begin in which TensorFlow and Keras keep what others keep too."""

_FOR_THEMSELVES = (keras.metrics.Metric, keras.optimizers.Optimizer, keras.random.SeedGenerator, tf.random.Generator)


def bare_variables(layer: keras.Operation) -> Iterator[tuple[str, Variable]]:
    """The variables among the attributes of ``layer``, also in lists and dicts, with a name: whether or not Keras counts them among its weights.

    Those of TensorFlow are none of them, nor is what recurrent layers keep from one batch to the next.
    """
    for attribute, variable in kept_by(layer):
        if isinstance(variable, tf.Variable):
            name = variable.name.split(":")[0].rpartition(f"{layer.name}/")[2]  # one that `build` makes bears the names of all layers around it
            yield attribute if name == "Variable" else name, variable
        elif is_of_keras(variable):
            yield weight_name(layer, variable), variable


def weight_name(layer: keras.Operation, weight: keras.Variable) -> str:
    """The name that ``weight`` was given; without one the attribute of ``layer`` that keeps it, as Keras counts all such of a process."""
    if not _MADE_UP.fullmatch(weight.name):
        return str(weight.name)
    return next((attribute for attribute, variable in kept_by(layer) if variable is weight), "variable")


def kept_by(layer: keras.Operation) -> Iterator[tuple[str, Any]]:
    """What the attributes of ``layer`` keep, also in lists and dicts, with the attribute."""
    for attribute, value in vars(layer).items():
        if not attribute.startswith(_COPIES):
            held = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
            yield from ((attribute, item) for item in held)


def is_copy(variable: Any) -> bool:
    """Whether ``variable`` is what an assignment answers: another object for the same variable."""
    return type(variable).__name__ == "_UnreadVariable"


def whole_variable(variable: tf.Variable) -> tf.Variable:
    """The variable of all replicas of which ``variable`` is one replica's part."""
    if not isinstance(variable, BaseResourceVariable):
        return variable
    container = getattr(variable.handle, "_distributed_container", lambda: None)()  # TensorFlow notes it there
    return variable if container is None else container


def whose(variable: tf.Variable) -> Variable | None:
    """The variable of Keras that keeps ``variable``, or itself; None where who uses it now keeps it for itself.

    Read from the stack: neither knows who keeps it.
    """
    found: Variable = variable
    for user in _at_work():
        if isinstance(user, _FOR_THEMSELVES):
            return None
        if is_of_keras(user) and user._value is variable:
            found = user
    return found


def kept_by_module() -> dict[int, str]:
    """id -> `net/layers/0/kernel` of each variable that the outermost `tf.Module` at work keeps: a variable tells neither where nor by whom."""
    root: tf.Module | None = next((user for user in reversed(list(_at_work())) if isinstance(user, tf.Module)), None)
    if root is None:
        return {}
    kept = root._flatten(predicate=lambda value: isinstance(value, tf.Variable), with_path=True)
    return {id(variable): "/".join(map(str, (root.name, *path))) for path, variable in kept}


def _at_work() -> Iterator[Any]:
    """The objects whose methods are running, from the inside to the step."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "instrumented_step":
        yield frame.f_locals.get("self")
        frame = frame.f_back
