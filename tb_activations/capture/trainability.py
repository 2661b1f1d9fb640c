"""What of a model is trainable, what was when its step function was made, and why a variable isn't.

The one invariant: flags are read, never set. Keras reads them when a step is traced, once; a function traced earlier goes on with the old
ones until the model is compiled anew. A twin traced after they changed would train something else than the plain function does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.structure import Structure
from tb_activations.store.schema import QuantityPlan

__all__ = ["Trainability", "is_frozen", "not_trainable", "untrained"]


class Trainability:
    """The flags of all layers and weights that a model has now.

    Args:
      function: the model's plain step function. Where it was traced before, in a training that nobody watched, what the optimizer was built
        for tells what has been frozen since.
    """

    def __init__(self, model: keras.Model, function: Callable[..., Any]) -> None:
        self._flags = [(item, bool(item.trainable)) for item in _flagged(model)]
        if _was_traced(function):
            self._flags += [(variable, True) for variable in _optimized(getattr(model, "optimizer", None))]

    def changed(self) -> list[str]:
        """The names of what has another flag now."""
        return [str(getattr(item, "path", item.name)) for item, flag in self._flags if bool(item.trainable) != flag]


def _flagged(model: keras.Model) -> Iterator[Any]:
    for layer in model._flatten_layers():
        yield layer
        if not isinstance(layer, keras.Model):  # its weights are those of its layers
            yield from layer.weights


def _optimized(optimizer: Any) -> list[Any]:
    return list(getattr(optimizer, "_trainable_variables", None) or ())


def _was_traced(function: Callable[..., Any]) -> bool:
    """Keras keeps the traced functions in the closure of a plain one, some of them wrapped; older versions have a traced one alone."""
    kept = (cell.cell_contents for cell in getattr(function, "__closure__", None) or ())
    functions = (inspect.unwrap(each, stop=_counts_traces) for each in (function, *kept) if callable(each))
    return any(each.experimental_get_tracing_count() > 0 for each in functions if _counts_traces(each))


def _counts_traces(function: Any) -> bool:
    return hasattr(function, "experimental_get_tracing_count")


def untrained(name: str, variable: keras.Variable | tf.Variable, layer: keras.Operation | None, structure: Structure) -> QuantityPlan:
    """Why no optimizer changes ``variable``: it was frozen with its ``layer``, or training is none of its business."""
    if layer is None and name.startswith("optimizer/"):
        return QuantityPlan("optimizer_state")
    owner = name.rpartition("/")[0] or (layer.name if layer is not None else "the step")
    # Keras sets `trainable` of these, and of no others, when that of the layer is set.
    if all(variable is not weight for weight in getattr(layer, "_trainable_variables", ())):
        return QuantityPlan("kept_by_layer", {"owner": owner})
    if not getattr(layer, "trainable", False):
        return not_trainable(owner, structure)
    weight = f'next(weight for weight in {structure.expression(owner)}.weights if weight.name == "{variable.name}")'
    return QuantityPlan("not_trainable", {"owner": name, "layer": weight})  # the weight alone


def is_frozen(op: keras.Operation | None) -> bool:
    """Whether ``op`` has weights that could be trained, and none that is. A `Normalization` has none to train."""
    if not isinstance(op, keras.layers.Layer) or op.trainable_weights:
        return False
    return any(layer._trainable_variables for layer in op._flatten_layers())


def not_trainable(owner: str, structure: Structure) -> QuantityPlan:
    """The owner is named as a path; the code to paste says how to come by it."""
    return QuantityPlan("not_trainable", {"owner": owner, "layer": structure.expression(owner)})
