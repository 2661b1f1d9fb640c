"""The variables of one step: their values before it changed them, and the gradients that optimizers were handed for them.

The one invariant: a variable is read once, before anything in the step assigns it. Only tensors are kept here; which of them are recorded
is the recorder's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.auto_control_deps_utils import get_read_write_resource_inputs

from tb_activations.capture.bare_variables import kept_by_module, weight_name
from tb_activations.capture.keras_variables import Variable, in_tensorflow, is_of_keras
from tb_activations.capture.loss_path import handle_in
from tb_activations.capture.nodes import Recording
from tb_activations.capture.optimizers import build_optimizer
from tb_activations.capture.structure import Structure

__all__ = ["Variable", "Variables", "key_of", "read"]


class Variables:
    """What one trace of a step knows of variables.

    Args:
      structure: names the weights of the model's layers; other variables go by their own names.
      by_hand: whether the step may change variables without an optimizer; then what a tape differentiates counts as handed over.
    """

    def __init__(self, structure: Structure, *, by_hand: bool = False) -> None:
        self._structure = structure
        self._by_hand = by_hand
        self._before: dict[int, tuple[Variable, tf.Tensor]] = {}
        self._handed_over: dict[int, Recording | None] = {}
        self._found: dict[int, tuple[Variable, Any, tf.Tensor | None]] = {}
        self._slots: dict[int, str] = {}
        self._in_modules: dict[int, str] = {}
        self._trained_inside: set[int] = set()
        self._replaced: set[int] = set()
        self._passed_over: set[int] = set()

    def read_known(self) -> None:
        """Reads every weight that is there when the step begins."""
        for _, variable, _ in self._structure.owners():
            self.read(variable)

    def read(self, variable: Variable) -> None:
        if key_of(variable) not in self._before:
            self._before[key_of(variable)] = variable, read(variable)

    def read_bare(self, variable: Variable) -> None:
        """Reads one that no layer tells of, in the midst of what uses it."""
        if key_of(variable) not in self._in_modules:
            self._in_modules |= kept_by_module()
        self.read(variable)

    def has_met(self, variable: Variable) -> bool:
        """Whether ``variable`` was read, or passed over."""
        return key_of(variable) in self._before or key_of(variable) in self._passed_over

    def pass_over(self, variables: Iterable[Variable]) -> None:
        """Has ``variables`` left out, unless they were read: somebody keeps them for himself."""
        self._passed_over.update(map(key_of, variables))

    def read_slots(self, optimizer: keras.optimizers.Optimizer, variables: Sequence[Variable]) -> None:
        """Reads what ``optimizer``, which is about to change ``variables``, keeps itself."""
        build_optimizer(optimizer, variables)
        weights = {_prefix_of(weight): name for name, weight, _ in self._structure.owners() if is_of_keras(weight)}
        for slot in optimizer.variables:
            if key_of(slot) not in self._slots:
                self._slots[key_of(slot)] = self._structure.unique("optimizer/" + _slot_name(optimizer, slot, weights))
                self.read(slot)

    def hand_over(self, variable: Variable, gradient: Any, scale: tf.Tensor | None) -> None:
        """An optimizer is about to change ``variable`` by ``gradient``, which carries the loss scale ``scale``."""
        self.read(variable)
        if getattr(variable, "overwrite_with_gradient", False):
            self._replaced.add(key_of(variable))
        elif gradient is None:
            self._handed_over.setdefault(key_of(variable), None)
        else:
            # The rows of an embedding that were looked up; never made dense.
            values = gradient.values if isinstance(gradient, tf.IndexedSlices) else tf.convert_to_tensor(gradient)
            self._handed_over[key_of(variable)] = Recording(values, batch=False, scale=scale)

    def differentiate(self, variable: Variable, gradient: Any, scale: tf.Tensor | None) -> None:
        """A tape found ``gradient``. What an optimizer is handed later takes its place."""
        if self._by_hand:
            self.hand_over(variable, gradient, scale)
        elif gradient is not None:
            self._found[key_of(variable)] = variable, gradient, scale

    def hand_over_what_is_written(self, graph: tf.Graph) -> None:
        """What a tape found of a variable that no optimizer was handed, and that the step changes all the same, trains it."""
        left = {key: found for key, found in self._found.items() if key not in self._handed_over}
        written = {id(handle) for op in (graph.get_operations() if left else ()) for handle in get_read_write_resource_inputs(op)[1]}
        for variable, gradient, scale in left.values():
            if id(handle_in(graph, variable)) in written:
                self.hand_over(variable, gradient, scale)

    def is_slot(self, variable: Variable) -> bool:
        """Whether an optimizer keeps ``variable`` for itself."""
        return key_of(variable) in self._slots

    def train_inside(self, variable: Variable) -> None:
        """A loop, a branch or a function in the step finds a gradient of ``variable``, or hands it to an optimizer."""
        self.read(variable)
        self._trained_inside.add(key_of(variable))

    def is_replaced(self, variable: Variable) -> bool:
        """Whether what an optimizer is handed for ``variable`` is no gradient but its next value, as of the scales of a float8 layer."""
        return key_of(variable) in self._replaced

    def is_trained_inside(self, variable: Variable) -> bool:
        return key_of(variable) in self._trained_inside

    def is_changed(self, variable: Variable) -> bool:
        """Whether the step may have changed ``variable`` by a gradient, or what stands in its place."""
        return self.gradient_of(variable) is not None or self.is_trained_inside(variable) or self.is_replaced(variable)

    def was_offered(self, variable: Variable) -> bool:
        """Whether an optimizer was asked to change ``variable``, with a gradient or with None."""
        return key_of(variable) in self._handed_over

    def gradient_of(self, variable: Variable) -> Recording | None:
        return self._handed_over.get(key_of(variable))

    def named(self) -> Iterator[tuple[str, Variable, keras.Operation | None, tf.Tensor]]:
        """Each variable with its name, the layer that keeps it, and its value before the step. Called once: it takes the names."""
        owned = {key_of(variable): (name, op) for name, variable, op in self._structure.owners()}
        for key, (variable, before) in self._before.items():
            name, op = owned.get(key) or (self._in_modules.get(key) or variable.name.split(":")[0], None)
            yield self._slots.get(key) or self._structure.unique(name), variable, op, before


def _slot_name(optimizer: keras.optimizers.Optimizer, slot: keras.Variable, weights: Mapping[str, str]) -> str:
    """`hidden/kernel/momentum`, where Keras has the path of the weight in the name, which depends on what else the process made."""
    prefix = max((prefix for prefix in weights if slot.name.startswith(prefix)), key=len, default="")
    if prefix:
        return f"{weights[prefix]}/{slot.name.removeprefix(prefix)}"
    keeper = getattr(optimizer, "inner_optimizer", optimizer)  # loss scaling gives every variable that it keeps a name
    return _name_by_place(keeper, slot, weights) or weight_name(keeper, slot).strip("_")


def _name_by_place(optimizer: keras.optimizers.Optimizer, slot: keras.Variable, weights: Mapping[str, str]) -> str | None:
    """`hidden/kernel/r` of a slot that bears the bare name of its weight, as those of Adafactor do: lists of them are in the order of weights."""
    for attribute, kept in vars(optimizer).items():
        if isinstance(kept, list) and len(kept) == len(optimizer._trainable_variables):
            for weight, candidate in zip(optimizer._trainable_variables, kept, strict=True):
                if candidate is slot and weight.name == slot.name:
                    return f"{weights.get(_prefix_of(weight), weight.name)}/{attribute.strip('_')}"
    return None


def _prefix_of(weight: keras.Variable) -> str:
    """What the names of most slots of ``weight`` begin with."""
    return f"{weight.path.replace('/', '_')}_"


def key_of(variable: Variable) -> int:
    """One key for a variable of Keras and the one of TensorFlow that it keeps: tapes are asked for either."""
    return id(in_tensorflow(variable))


def read(variable: Variable) -> tf.Tensor:
    """The present value of a variable in the dtype it is kept in."""
    # `Variable.value` would answer in the compute dtype while a layer with a mixed-precision policy is called.
    return tf.convert_to_tensor(in_tensorflow(variable))
