"""What of a model is trainable, what was when its step function was made, and why a variable isn't.

The one invariant: flags are read, never set. Keras reads them when a step is traced, once; a function traced earlier goes on with the old
ones until the model is compiled anew. A twin traced after they changed would train something else than the plain function does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.structure import Structure
from tb_activations.capture.traced_functions import was_traced
from tb_activations.store.schema import QuantityPlan

__all__ = ["Trainability", "is_frozen", "not_offered", "not_trainable", "untrained"]


class Trainability:
    """The flags of all layers and weights that a model has now.

    Args:
      function: the model's plain step function. Where it was traced before, in a training that nobody watched, what the optimizer was built
        for tells what has been frozen since.
    """

    def __init__(self, model: keras.Model, function: Callable[..., Any]) -> None:
        self._flags = [(item, bool(item.trainable)) for item in _flagged(model)]
        if was_traced(function):
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


def untrained(name: str, variable: keras.Variable | tf.Variable, layer: keras.Operation | None, structure: Structure) -> QuantityPlan:
    """Why no optimizer changes ``variable``: it was frozen with its ``layer``, or training is none of its business."""
    owner = name.rpartition("/")[0] or (layer.name if layer is not None else "the step")
    # Keras sets `trainable` of these, and of no others, when that of the layer is set.
    if all(variable is not weight for weight in getattr(layer, "_trainable_variables", ())):
        return QuantityPlan("kept_by_layer", {"owner": owner})
    if not getattr(layer, "trainable", False):
        return not_trainable(owner, structure)
    weight = f'next(weight for weight in {structure.expression(owner)}.weights if weight.name == "{variable.name}")'
    return QuantityPlan("not_trainable", {"owner": name, "layer": weight})  # the weight alone


def not_offered(name: str, structure: Structure) -> QuantityPlan:
    """Why no optimizer was given the variable ``name``, which is trainable: what is around it is frozen, or else that isn't known."""
    frozen = next((path for path, keeper in structure.keepers(name) if not getattr(keeper, "trainable", True)), None)
    if frozen is None:
        return QuantityPlan("no_optimizer_step")
    return QuantityPlan("frozen_from_above", {"owner": frozen or "the model", "layer": structure.expression(frozen)})


def is_frozen(op: keras.Operation | None) -> bool:
    """Whether ``op`` has weights that could be trained, and none that is. A `Normalization` has none to train."""
    if not isinstance(op, keras.layers.Layer) or op.trainable_weights:
        return False
    return any(layer._trainable_variables for layer in op._flatten_layers())


def not_trainable(owner: str, structure: Structure) -> QuantityPlan:
    """The owner is named as a path; the code to paste says how to come by it."""
    return QuantityPlan("not_trainable", {"owner": owner, "layer": structure.expression(owner)})
