"""Every node of a step's graph, and for each quantity of it: captured, or the reason why not.

The one invariant: whatever the trace met or the model keeps is in the list; nothing is left out silently. Reads a recorder whose trace is
over; changes neither it nor the graph.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

import tb_activations
from tb_activations.capture import describe
from tb_activations.capture.edges import producing_nodes
from tb_activations.capture.inner_losses import inner_losses
from tb_activations.capture.keras_variables import is_of_keras
from tb_activations.capture.loss_inputs import taken_for
from tb_activations.capture.loss_path import Cut, LossPath, handle_in
from tb_activations.capture.nodes import Seen
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.source import source_text
from tb_activations.capture.trace import Mode
from tb_activations.capture.trainability import is_frozen, not_offered, not_trainable, untrained
from tb_activations.capture.uncalled import Uncalled
from tb_activations.capture.variables import key_of
from tb_activations.store.schema import QUANTITIES, Graph, NodeRecord, Quantity, QuantityPlan

__all__ = ["Catalogue", "make_catalogue"]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A generation of the graph, and for each quantity the names recorded and their ids, by ascending id."""

    graph: Graph
    names: Mapping[Quantity, tuple[str, ...]]
    ids: Mapping[Quantity, npt.NDArray[np.int32]]


def make_catalogue(recorder: Recorder, configuration: Mapping[str, Any]) -> Catalogue:
    """Lists the nodes of ``recorder`` in execution order, variables after their layer, what was never called last."""
    nodes = list(_in_order(recorder))
    ids = {node.name: index for index, node in enumerate(nodes)}
    plans = _Plans(recorder)
    losses = [node for node in nodes if node.kind == "loss" and node.tensor is not None]
    inner = inner_losses(recorder.answers, [node.tensor for node in losses])
    for node in losses:
        if id(node.tensor) in inner:
            node.attributes["inner"] = True
    if configuration.get("source_text"):
        for node in nodes:
            if node.source is not None:
                node.attributes["source_text"] = source_text(node.source)
    records = tuple(_record(node, recorder, ids, plans.of(node)) for node in nodes)
    names = {quantity: tuple(sorted(recorder.recordings[quantity], key=ids.__getitem__)) for quantity in QUANTITIES}
    return Catalogue(
        Graph(records, _model(recorder.structure.model), dict(configuration), versions()),
        names,
        {quantity: np.array([ids[name] for name in names[quantity]], np.int32) for quantity in QUANTITIES},
    )


def versions() -> dict[str, str]:
    return {
        "tb_activations": tb_activations.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }


def _model(model: keras.Model | None) -> dict[str, str] | None:
    return None if model is None else {"name": model.name, "class": type(model).__name__}


def _in_order(recorder: Recorder) -> Iterator[Seen]:
    variables: dict[int, list[Seen]] = {}
    for node in recorder.seen.values():
        if node.variable is not None:
            variables.setdefault(id(node.op), []).append(node)
    called: set[int] = set()
    for node in recorder.seen.values():
        if node.variable is None:
            called.add(id(node.op))
            yield node
            if node.kind == "layer":
                yield from variables.pop(id(node.op), ())
    uncalled = Uncalled(recorder, called)
    for name, op in recorder.structure:
        if id(op) not in called:
            free = recorder.structure.unique(name) if name in recorder.seen else name  # what was met may have the name of a layer
            yield _never_called(free, op, uncalled.reason(op))
            yield from variables.pop(id(op), ())
    for rest in variables.values():
        yield from rest


def _never_called(name: str, op: keras.Operation, obstacle: QuantityPlan) -> Seen:
    is_layer = isinstance(op, keras.layers.Layer)
    kind = "input" if isinstance(op, keras.layers.InputLayer) else "layer" if is_layer else "op"
    facts = {"op": op, "activation": describe.activation(op), "attributes": describe.attributes(op)}
    return Seen(name, kind, type(op).__name__, None, obstacle=obstacle, **facts)  # type: ignore[arg-type]


def _record(node: Seen, recorder: Recorder, ids: Mapping[str, int], plans: Mapping[Quantity, QuantityPlan]) -> NodeRecord:
    inputs: list[str] = []
    if node.tensor is not None and node.variable is None:
        producers = recorder.producers if node.graph_op is None else {**recorder.producers, **recorder.op_producers}
        if node.kind == "loss":
            node.attributes.update(taken_for(node.tensor, producers, recorder.logits, node.name))
            producers = {**producers, **recorder.logits}
        inputs = producing_nodes(node.tensor, producers, node.name) or recorder.arguments.get(node.name, [])
    return NodeRecord(
        name=node.name,
        kind=node.kind,
        class_name=node.class_name,
        dtype=None if node.dtype is None else node.dtype.name,
        shape=_shape(node),
        trainable=_trainable(node),
        activation=node.activation,
        source=node.source,
        inputs=tuple(sorted({ids[name] for name in inputs if name in ids})),
        quantities=plans,
        attributes=node.attributes,
    )


def _shape(node: Seen) -> tuple[int | None, ...] | None:
    """The static shape; the batch extent is unknown even where this trace fixed it, so that a shorter last batch is the same graph."""
    if node.tensor is None or node.tensor.shape.rank is None:
        return None
    shape = tuple(node.tensor.shape)
    return (None, *shape[1:]) if node.variable is None and node.has_batch else shape


def _trainable(node: Seen) -> bool | None:
    if node.variable is not None:
        return bool(node.variable.trainable)
    return bool(getattr(node.op, "trainable_weights", ())) if getattr(node.op, "weights", ()) else None


class _Plans:
    """Decides for each quantity of a node whether it is captured, else why not."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._loss_path = None if recorder.graph is None else LossPath(recorder.targets, recorder.graph)

    def of(self, node: Seen) -> dict[Quantity, QuantityPlan]:
        return {quantity: self._plan(node, quantity) for quantity in QUANTITIES}

    def _plan(self, node: Seen, quantity: Quantity) -> QuantityPlan:
        if node.name in self._recorder.recordings[quantity]:
            return node.until_taken
        if quantity == "update" and node.kind != "variable":
            return QuantityPlan("no_update")
        if node.graph_op is not None:
            return self._of_operation(node, quantity)
        if node.obstacle is not None:
            return node.obstacle
        return self._impossible(node, quantity) or self._unselected(node, quantity) or self._missing(node, quantity)

    def _of_operation(self, node: Seen, quantity: Quantity) -> QuantityPlan:
        if node.obstacle is not None:
            return node.obstacle
        if quantity == "gradient":
            return QuantityPlan("op_value_only")
        if "inside" in node.attributes:
            return self._recorder.selection.plan(node.name, node.kind, quantity)
        return QuantityPlan("op_not_selected", {"pattern": f"^{re.escape(node.name)}$"})

    def _impossible(self, node: Seen, quantity: Quantity) -> QuantityPlan | None:
        if quantity == "value":
            return None
        if self._recorder.mode != "train":
            return QuantityPlan("inference_only", {"mode": _CALLS[self._recorder.mode]})
        if node.variable is not None and self._recorder.variables.is_slot(node.variable):
            return QuantityPlan("optimizer_state")
        is_trained = node.variable is None or node.variable.trainable
        if node.dtype is not None and not node.dtype.is_floating and (is_trained or quantity == "gradient"):
            return QuantityPlan("no_gradient_dtype", {"dtype": node.dtype.name})
        return None if is_trained else untrained(node.name, node.variable, node.op, self._recorder.structure)

    def _unselected(self, node: Seen, quantity: Quantity) -> QuantityPlan | None:
        plan = self._recorder.selection.plan(node.name, node.kind, quantity)
        return None if plan.reason is None else plan

    def _missing(self, node: Seen, quantity: Quantity) -> QuantityPlan:
        if node.variable is None:
            return self._no_gradient(node)
        if self._recorder.variables.is_replaced(node.variable):
            return QuantityPlan("replaced")
        if self._recorder.variables.is_trained_inside(node.variable):
            return QuantityPlan("trained_inside")
        if not self._recorder.variables.was_offered(node.variable):
            unseen = next((call for call in self._recorder.functions.unseen if key_of(node.variable) in call.variables), None)
            return unseen.plan if unseen is not None else self._never_offered(node)
        handle = None if self._recorder.graph is None else handle_in(self._recorder.graph, node.variable)
        cut = None if self._loss_path is None or handle is None else self._loss_path.cut(handle)
        return QuantityPlan("not_on_loss_path") if cut is None else _cut_plan(cut)

    def _never_offered(self, node: Seen) -> QuantityPlan:
        if node.variable is None or node.op is None:
            return QuantityPlan("no_optimizer_step")
        if is_of_keras(node.variable):
            return not_offered(node.name, self._recorder.structure)
        owner, _, attribute = node.name.rpartition("/")
        return QuantityPlan("not_a_weight", {"owner": owner or node.op.name, "attribute": attribute})

    def _no_gradient(self, node: Seen) -> QuantityPlan:
        """Nothing flowed back to a node: no loss depends on it, the way is cut, no tape saw it, or nothing before it is trained."""
        if node.kind == "loss":
            return QuantityPlan("is_loss")
        if node.is_inner:
            return QuantityPlan("inner_gradient")
        cut = self._cut(node)
        if cut is not None:
            return cut
        if not node.in_tape and self._recorder.needs_tape:
            return QuantityPlan("outside_tape")
        if node.is_followed:
            return QuantityPlan("custom_gradient" if self._meets_custom_gradient(node) else "not_on_loss_path")
        return not_trainable(node.name, self._recorder.structure) if is_frozen(node.op) else QuantityPlan("nothing_trained")

    def _cut(self, node: Seen) -> QuantityPlan | None:
        """How the way to the loss is cut, as far as it can be known: eager steps have no graph to look at."""
        if not self._recorder.targets and not self._recorder.functions.unseen:
            return QuantityPlan("nothing_differentiated")
        if node.tensor is None or not self._recorder.targets:
            return QuantityPlan("not_on_loss_path")
        if self._loss_path is None:
            return QuantityPlan("loss_from_logits", {"by": node.activation or "softmax"}) if hasattr(node.tensor, "_keras_logits") else None
        cut = self._loss_path.cut(node.tensor)
        return None if cut is None else _cut_plan(cut)

    def _meets_custom_gradient(self, node: Seen) -> bool:
        """Whether the way to the loss, which the graph has, leads through a function with a gradient of its own: nothing else lets none come back."""
        return self._loss_path is not None and node.tensor is not None and self._loss_path.meets_custom_gradient(node.tensor)


def _cut_plan(cut: Cut) -> QuantityPlan:
    return QuantityPlan(cut.reason, {} if cut.operation is None else {"by": cut.operation.type})


_CALLS: Mapping[Mode, str] = {"train": "fit", "evaluate": "evaluate", "predict": "predict", "probe": "model(x, training=False)"}
