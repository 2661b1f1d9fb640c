"""Why no call was met of a layer that the model keeps.

The one invariant: only reads the recorder of a trace and the graph of its step. "Not called" is said only where nothing of the layer was seen in use.
"""

from __future__ import annotations

from collections.abc import Set

import keras

from tb_activations.capture.activations import is_of_users
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.structure import children
from tb_activations.store.schema import QuantityPlan

__all__ = ["Uncalled"]

_SIZES = {
    "MultiHeadAttention": ("num_heads", "key_dim"),
    "GroupQueryAttention": ("head_dim", "num_query_heads", "num_key_value_heads"),
}
"""Arguments by the name that a class has in `keras.layers`; in Keras' own module the second has another."""

_ATTENTION = tuple(getattr(keras.layers, name) for name in _SIZES)


class Uncalled:
    """The layers of a model that one trace met no call of.

    Args:
      called: the `id` of every layer and operation that was called.
    """

    def __init__(self, recorder: Recorder, called: Set[int]) -> None:
        self._recorder, self._called = recorder, called
        self._keepers: dict[int, tuple[str, keras.Operation]] = {}
        for name, op in recorder.structure:
            for child in children(op):
                self._keepers.setdefault(id(child), (name, op))
        self._weights: dict[int, list[keras.Variable]] = {}
        for _, weight, owner in recorder.structure.owners():
            self._weights.setdefault(id(owner), []).append(weight)

    def reason(self, op: keras.Operation) -> QuantityPlan:
        """It was called in a function that can't be looked into, past Keras, or not at all."""
        name, keeper = self._keepers.get(id(op), ("", None))
        if isinstance(keeper, _ATTENTION) and id(keeper) in self._called:
            if not isinstance(op, keras.layers.Dropout):
                return QuantityPlan("fused_attention", {"owner": name})
            if not op.rate:
                return QuantityPlan("no_dropout_rate", {"owner": name, **_as_written(keeper)})
        fed = keeper or self._recorder.structure.model
        if isinstance(op, keras.layers.InputLayer) and fed is not None:
            return self._reason_of_input(name or fed.name, fed)
        if id(keeper) in self._called and self._runs_what_it_keeps(keeper) and not getattr(op, "weights", ()):
            return QuantityPlan("used_without_call")
        return self._reason_of_use(op)

    def _reason_of_input(self, name: str, model: keras.Operation) -> QuantityPlan:
        """An input shares the fate of the model ``name`` that it feeds, or the step goes past that."""
        plan = self._reason_of_use(model)
        return QuantityPlan("past_model", {"model": name}) if plan.reason == "used_without_call" else plan

    def _reason_of_use(self, op: keras.Operation) -> QuantityPlan:
        if not getattr(op, "built", True) and not self._is_table_used(op):
            return QuantityPlan("not_called")  # the first call would have built it
        weights = {id(weight._value) for weight in getattr(op, "weights", ())}
        for function in self._recorder.functions.unseen:
            if not weights or weights & function.variables:
                return function.plan
        return QuantityPlan("used_without_call" if self._is_used(op) else "not_called")

    def _runs_what_it_keeps(self, keeper: keras.Operation | None) -> bool:
        """Whether Keras wrote ``keeper``, which was called: past their calls, as `TimeDistributed` does, it runs the layers that it keeps; of those
        without weights nothing else would tell. A model keeps what its user gives it; attention, and augmentation but in training, leave out some.
        """
        if not isinstance(keeper, keras.layers.Layer) or isinstance(keeper, (keras.Model, *_ATTENTION)) or is_of_users(keeper):
            return False
        return isinstance(keeper, keras.layers.Wrapper) or self._recorder.mode == "train"

    def _is_used(self, op: keras.Operation) -> bool:
        """Whether the step calls ``op`` or a layer that it keeps, trains their weights, or computes something of them or its table."""
        waiting, met = [op], {id(op), id(self._recorder.structure.model)}  # a layer may keep the one that keeps it
        while waiting:
            layer = waiting.pop()
            if id(layer) in self._called or any(map(self._is_weight_used, self._weights.get(id(layer), ()))) or self._is_table_used(layer):
                return True
            waiting += [child for child in children(layer) if id(child) not in met]
            met.update(map(id, waiting))
        return False

    def _is_table_used(self, layer: keras.Operation) -> bool:
        table = getattr(layer, "lookup_table", None)  # of `StringLookup`, which `TextVectorization` keeps
        return hasattr(table, "resource_handle") and self._recorder.is_used(table)

    def _is_weight_used(self, weight: keras.Variable) -> bool:
        return self._recorder.variables.is_changed(weight) or self._recorder.is_used(weight)


def _as_written(attention: keras.layers.Layer) -> dict[str, str]:
    """How a layer of this kind and size is made."""
    name, sizes = next((name, sizes) for name, sizes in _SIZES.items() if isinstance(attention, getattr(keras.layers, name)))
    return {"class_name": name, "sizes": ", ".join(f"{size}={getattr(attention, size, size)}" for size in sizes)}
