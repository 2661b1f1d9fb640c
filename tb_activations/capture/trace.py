"""What one trace of a step has met so far: nodes, the tensors of them that are recorded, and which node made which tensor.

The one invariant: what takes the place of a tensor here has the same value and, with a tap, the same gradient. A trace knows the graph that it
builds (None while steps run eagerly); a tensor of any other graph can't leave the step: it is reduced where it is, or listed with the reason.
Who tells it of calls and gradients is `recorder.Recorder`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import tensorflow as tf

from tb_activations.capture import describe
from tb_activations.capture.activations import OwnCall
from tb_activations.capture.active import telling
from tb_activations.capture.calls import CallNames, numbered
from tb_activations.capture.functions import Functions
from tb_activations.capture.gradient_sums import Tap, adds_in_other_groups
from tb_activations.capture.harmless import harmless
from tb_activations.capture.inner_graphs import InnerGraphs
from tb_activations.capture.inner_losses import Answer
from tb_activations.capture.keras_variables import Variable
from tb_activations.capture.loss_path import handle_in, is_used
from tb_activations.capture.nodes import Lasting, Recording, Seen, Tally
from tb_activations.capture.on_replicas import OnReplicas
from tb_activations.capture.operations import Calls, ours
from tb_activations.capture.regrouping import is_joined, joins_products
from tb_activations.capture.selection import Selection
from tb_activations.capture.statistics import has_statistics
from tb_activations.capture.structure import Structure
from tb_activations.capture.taps import captured, dense_part, is_followed, is_stopped, name_of_gradient, tap, untapped
from tb_activations.capture.variables import Variables, read
from tb_activations.store.schema import Quantity, QuantityPlan

__all__ = ["Mode", "Trace"]

Mode = Literal["train", "evaluate", "predict", "probe"]

_MADE_OF_LOGITS = frozenset({"Softmax", "Sigmoid"})


class Trace:
    """One trace of one replica.

    Args:
      structure: the names of the model's layers.
      selection: what is recorded.
      mode: what kind of step this is; only `train` has gradients and updates.
      lasting: what the traces of one twin have in common.

    Attributes:
      graph: the graph that the trace builds; None while steps run eagerly.
      failure: the first error of ours; from then on nothing more is recorded.
      seen: the nodes by name, in the order in which they were met.
      recordings: what is recorded of each quantity, by the name of the node.
      producers: id of a tensor -> name of the node that made it.
      logits: id of what went into a softmax or sigmoid -> name of the node that came out.
      arguments: name of a call -> names of the nodes that it was given.
      targets: what is differentiated in the step: its losses, and what has a gradient of its own.
      sources: what its tapes differentiate by.
      needs_tape: nothing but tapes differentiates; `tf.gradients` looks at the graph, whether or not a tape has recorded.
      answers: what its tapes gave for each loss.
      own_calls: the calls of layers of users, in the graph of the step.
      op_producers: id of a tensor -> name of the node that is the operation which made it.
      named_operations: every TensorFlow operation of the step, by its name in the run.
      templates: ids of tensors that stand for one example only, see `Recorder.rewritten`.
      rewriting: what is made now are such tensors.
      unscaled: id of a loss that was multiplied by the loss scale -> the loss.
    """

    def __init__(self, structure: Structure, selection: Selection, mode: Mode = "train", lasting: Lasting | None = None) -> None:
        self.structure = structure
        self.selection = selection
        self.mode = mode
        self.graph: tf.Graph | None = None
        self.failure: Exception | None = None
        self.seen: dict[str, Seen] = {}
        self.recordings: dict[Quantity, dict[str, Recording | Tally]] = {"value": {}, "gradient": {}, "update": {}}
        self.producers: dict[int, str] = {}
        self.logits: dict[int, str] = {}
        self.arguments: dict[str, list[str]] = {}
        self.targets: list[tf.Tensor] = []
        self.sources: list[Any] = []
        self.needs_tape = True
        self.answers: list[Answer] = []
        self.variables = Variables(structure)
        lasting = lasting or Lasting()
        self.inner = InnerGraphs(lasting.variables)
        self._gradients = lasting.gradients
        self.functions = Functions(lasting.refused, bool(getattr(structure.model, "_jit_compile", False)))
        self.on_replicas: OnReplicas | None = None
        self.loss_scale: tf.Tensor | None = None
        self.own_calls: list[OwnCall] = []
        self.op_producers: dict[int, str] = {}
        self.operations = Calls()
        self.named_operations: dict[str, tf.Operation] = {}
        self.calls = CallNames(structure)
        self.unscaled: dict[int, tf.Tensor] = {}
        self.templates: set[int] = set()
        self.rewriting = False
        self._asked = (False, False)
        self._taps: list[Tap] = []
        self._heard_inside: dict[str, Seen] = {}
        self._kept: list[Any] = []  # what `producers`, `logits` and `unscaled` know by id must stay alive

    def release(self) -> None:
        """Lets go of the tensors of a trace that is over: TensorFlow keeps the backward functions of its taps as long as the twin lives."""
        for node in self.seen.values():
            node.tensor = node.op = node.variable = None
        for noted in self._taps:
            noted.heard.clear()
        named: tuple[dict[str, Any], ...] = (self.seen, self._heard_inside, self.arguments, self.named_operations, *self.recordings.values())
        by_id: tuple[dict[int, Any] | set[int], ...] = (self.producers, self.logits, self.unscaled, self.templates)
        for things in (*named, *by_id, self.targets, self.sources, self.answers, self.own_calls, self._taps, self._kept):
            things.clear()
        self.variables = Variables(self.structure)
        self.inner = InnerGraphs([])
        self.loss_scale = self.graph = self.on_replicas = None

    # What belongs to the step.

    def belongs(self, tensor: tf.Tensor) -> bool:
        """Whether ``tensor`` is one of the step's own graph (or of an eager step)."""
        return getattr(tensor, "graph", None) is self.graph if self.graph is not None else isinstance(tensor, tf.__internal__.EagerTensor)

    def records_here(self) -> bool:
        """Whether tensors made now belong to the graph of the step."""
        return tf.executing_eagerly() if self.graph is None else tf.compat.v1.get_default_graph() is self.graph

    def is_used(self, variable: Any) -> bool:
        """Whether the step, and not we, computes something of ``variable``, or of a lookup table. Not known of eager steps."""
        handle = None if self.graph is None else handle_in(self.graph, variable)
        return handle is not None and is_used(handle)

    def obstacle(self, tensor: tf.Tensor) -> QuantityPlan | None:
        """Why ``tensor`` can't leave the step."""
        if self.rewriting or id(tensor) in self.templates:
            return QuantityPlan("vectorized")
        if not self.belongs(tensor):
            return self.inner.obstacle(tensor)
        if not has_statistics(tensor.dtype):
            return QuantityPlan("no_statistics_dtype", {"dtype": tensor.dtype.name})
        return None

    # Nodes.

    def tap(self, node: Seen, x: Any) -> Any:
        """Lists a node, records its value, and returns what takes the place of ``x``: the same value, whose gradient is recorded."""
        if self.calls.repeating and node.name in self.seen:
            return self._tapped(node, x) if tf.is_tensor(x) and self.belongs(dense_part(x)) else x
        self.seen[node.name], node.within = node, self.calls.within
        if not tf.is_tensor(x):
            node.obstacle = QuantityPlan("not_a_tensor", {"type": type(x).__name__})
            return x
        if self.graph is not None and self.belongs(dense_part(x)) and not self.records_here():
            x = captured(x, tf.compat.v1.get_default_graph())  # or the gradient that comes back in a loop or branch would be missed
        node.tensor = dense_part(x)
        node.attributes.update(describe.layout(x))
        node.obstacle = self.obstacle(node.tensor)
        node.in_tape, node.is_followed = self.inner.in_tape and not is_stopped(), is_followed(node.tensor)
        self._produced(node.name, node.tensor)
        if node.obstacle is not None:
            return x
        if not self.belongs(node.tensor):
            return self._tap_inside(node, x, node.tensor)
        self._record("value", node, node.tensor)
        self._note_logits(node.name, x)
        return self._tapped(node, x)

    def _tap_inside(self, node: Seen, x: Any, tensor: tf.Tensor) -> Any:
        """The same for a tensor of a graph inside the step's."""
        node.until_taken = self.inner.until_taken(tensor)
        if self.inner.is_repeated(tensor):
            node.attributes["recorded"] = "over all iterations of a loop"
        with telling(None):
            if self._selects(node, "value"):
                self.recordings["value"][node.name] = self.inner.record_value(node, tensor)
            if not self._is_differentiated(node, tensor):
                return x
            heard: list[tf.Tensor] = []
            tapped = self.inner.tap(node, x, heard, self._fail)
            self._note_tap(tapped, x, heard)
        self._produced(node.name, dense_part(tapped))
        return tapped

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error

    def _tapped(self, node: Seen, x: Any) -> Any:
        if not self._is_differentiated(node, dense_part(x)):
            return x
        heard: list[tf.Tensor] = []
        tapped = tap(x, functools.partial(self._flowed_back, node, heard))
        self._note_tap(tapped, x, heard)
        self._produced(node.name, dense_part(tapped))
        return tapped

    def _note_tap(self, tapped: Any, x: Any, heard: list[tf.Tensor]) -> None:
        name = None if tapped is x else name_of_gradient(tapped)
        if name is not None:
            self._gradients.append(name)
            self._taps.append(Tap(dense_part(x), heard))

    def _is_differentiated(self, node: Seen, tensor: tf.Tensor) -> bool:
        return self.mode == "train" and node.kind != "loss" and tensor.dtype.is_floating and self._selects(node, "gradient")

    def _note_logits(self, name: str, x: Any) -> None:
        """Losses of Keras compute with what went into a softmax or sigmoid: that is then what leads from this node to the loss."""
        made = getattr(untapped(x), "op", None)
        logits = getattr(x, "_keras_logits", made.inputs[0] if made is not None and made.type in _MADE_OF_LOGITS else None)
        if logits is not None:
            self.logits.setdefault(id(logits), name)
            self.keep(logits)

    @harmless
    def _flowed_back(self, node: Seen, heard: list[tf.Tensor], gradient: Any) -> None:
        gradient = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
        if self.belongs(gradient) and not self.rewriting:
            heard.append(gradient)
            if node.name in self.recordings["gradient"]:
                node.attributes["differentiated"] = node.attributes.get("differentiated", 1) + 1
            self._hear(node, gradient)

    def _hear(self, node: Seen, gradient: tf.Tensor) -> None:
        is_inside, _ = self._asked
        if is_inside:
            self._heard_inside[node.name] = node
        if self.hears(node):
            self._record("gradient", node, gradient, self.loss_scale)

    def heard_inside(self) -> list[Seen]:
        """The nodes of which a tape that is asked now has to tell: what an inner one gave may be computed from their values past their taps, as the
        gradient of a tanh is from what it gives."""
        return [node for node in self._heard_inside.values() if self.records_here() and node.tensor is not None and self.belongs(node.tensor)]

    @harmless
    def found_whole_gradients(self, nodes: Sequence[Seen], gradients: Sequence[Any]) -> None:
        """The answer."""
        for node, gradient in zip(nodes, gradients, strict=True):
            if gradient is not None:
                self._hear(node, gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient)

    @contextlib.contextmanager
    def hearing(self, *, is_inside: bool, is_inner: bool) -> Iterator[None]:
        """A tape is asked. ``is_inside``: another one follows what it gives; ``is_inner``: it is asked for no loss."""
        before, self._asked = self._asked, (is_inside, is_inner)
        try:
            yield
        finally:
            self._asked = before

    def hears(self, node: Seen) -> bool:
        """Whether what comes back to ``node`` now is its gradient: that of an inner tape takes no other's place."""
        _, is_inner = self._asked
        if is_inner and not node.is_inner and node.name in self.recordings["gradient"]:
            return False
        node.is_inner = is_inner
        return True

    def list_loss(self, tensor: Any) -> None:
        """Lists a loss of the step, once."""
        loss = self.unscaled.get(id(tensor), tensor)
        if not tf.is_tensor(loss) or not self.lead_to(loss):
            return
        wanted = numbered("loss", 1 + sum(node.kind == "loss" for node in self.seen.values()))
        name = self.structure.unique(wanted)  # a layer may be called so
        name = self.structure.unique(wanted) if name in self.seen else name
        with contextlib.nullcontext() if self.graph is None else loss.graph.as_default():  # a loop may differentiate in another graph
            self.tap(Seen(name, "loss", "Loss", None), loss)

    def lead_to(self, target: tf.Tensor) -> bool:
        """Takes in what the step differentiates; returns whether it is met for the first time."""
        if any(target is known for known in self.targets):
            return False
        self.targets.append(target)
        return True

    def note_answer(self, target: Any, gradients: Any) -> None:
        """Keeps what a tape gave for losses of the step. Of eager steps nothing tells what is computed from it."""
        for tensor in tf.nest.flatten(target) if self.graph is not None else ():
            loss = self.unscaled.get(id(tensor), tensor)
            if any(loss is known for known in self.targets):
                self.answers.append(Answer(loss, gradients))

    @harmless
    def record_variables(self) -> None:
        """Turns what was read and handed over into nodes. Called once, in the graph of the step, when the user's step has returned."""
        with ours():
            if self.graph is not None:
                self.variables.hand_over_what_is_written(self.graph)
            for wanted, variable, op, before in self.variables.named():
                name = self.structure.unique(wanted) if wanted in self.seen else wanted  # a probe may have it
                node = Seen(name, "variable", "Variable", before, op=op, variable=variable, obstacle=self.obstacle(before))
                self.seen[name] = node
                if node.obstacle is None:
                    self._record_variable(node, variable, before)

    def _record_variable(self, node: Seen, variable: Variable, before: tf.Tensor) -> None:
        self._record("value", node, before)
        gradient = self.variables.gradient_of(variable)
        if gradient is not None and self.belongs(gradient.tensor) and self._selects(node, "gradient"):
            self.recordings["gradient"][node.name] = gradient
        if self.variables.is_changed(variable) and self._selects(node, "update"):
            self._record("update", node, read(variable) - before)

    def looks_into_branches(self) -> bool:
        """Whether what is recorded may be made in some steps only."""
        recorded = {name for recordings in self.recordings.values() for name in recordings}
        return any(self.seen[name].until_taken.reason is not None for name in recorded if name in self.seen)

    def parts_what_is_joined(self) -> bool:
        """Whether a value that is recorded would not be made by itself in a plain graph."""
        values = (self.seen[name].tensor for name in self.recordings["value"] if name in self.seen)
        return self.graph is not None and joins_products() and any(isinstance(value, tf.Tensor) and is_joined(value) for value in values)

    def adds_in_other_groups(self) -> bool:
        """Whether gradients may be added up otherwise than without taps."""
        return self.graph is not None and adds_in_other_groups(self._taps, self.targets, self.graph)

    def _produced(self, name: str, tensor: tf.Tensor) -> None:
        self.producers.setdefault(id(tensor), name)  # a layer that returns what another made is not its producer
        self.keep(tensor)

    def keep(self, tensor: Any) -> None:
        """What is known by its id must stay alive."""
        self._kept.append(tensor)

    def _selects(self, node: Seen, quantity: Quantity) -> bool:
        return self.selection.selects(node.name, node.kind, quantity)

    def _record(self, quantity: Quantity, node: Seen, tensor: tf.Tensor, scale: tf.Tensor | None = None) -> None:
        if self._selects(node, quantity):
            activation = node.activation if quantity == "value" else None
            self.recordings[quantity][node.name] = Recording(tensor, node.has_batch, activation, scale)
