"""What one trace of a step met: nodes, and the tensors of it that are recorded.

The one invariant: nothing that fails here reaches the user's step. The first failure makes the recorder passive: from then on it hands every
tensor through untouched, and the twin that holds it is given up. One recorder belongs to one trace of one replica and knows the graph that
trace builds (None while steps run eagerly); a tensor of any other graph can't leave the step, and is listed with the reason.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import keras
import tensorflow as tf

from tb_activations.capture import describe
from tb_activations.capture.calls import CallNames, numbered
from tb_activations.capture.functions import Functions
from tb_activations.capture.inner_graphs import InnerGraphs
from tb_activations.capture.last_bits import may_differ
from tb_activations.capture.loss_path import handle_in
from tb_activations.capture.nodes import Lasting, Recording, Seen, Tally
from tb_activations.capture.on_replicas import OnReplicas
from tb_activations.capture.operations import SCOPE, Calls, is_ours
from tb_activations.capture.selection import Selection
from tb_activations.capture.source import user_line
from tb_activations.capture.statistics import has_statistics
from tb_activations.capture.structure import Structure
from tb_activations.capture.taps import dense_part, is_followed, tap, untapped
from tb_activations.capture.variables import Variable, Variables, read
from tb_activations.store.schema import Kind, Quantity, QuantityPlan

__all__ = ["Mode", "Recorder", "current"]

Mode = Literal["train", "evaluate", "predict", "probe"]

_active = threading.local()  # replicas are traced each in a thread of its own


def current() -> Recorder | None:
    """The recorder of the trace that runs in this thread, if any."""
    return getattr(_active, "recorder", None)


_TEMPLATE = re.compile(r"(^|/)loop_body(_\d+)?/(?!(.*/)?pfor/)")
"""Operations of one example, as TensorFlow names them where it rewrites them for all; those for all are called `pfor`."""

P = ParamSpec("P")
R = TypeVar("R")


def _harmless(method: Callable[Concatenate[Recorder, P], R]) -> Callable[Concatenate[Recorder, P], R | None]:
    """A hook that answers None, and does nothing any more, once something of ours failed."""

    @functools.wraps(method)
    def guarded(self: Recorder, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        if self.failure is not None:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  (kept, and told once by who owns the twin)
            self.failure = error
            return None

    return guarded


_MADE_OF_LOGITS = frozenset({"Softmax", "Sigmoid"})


class Recorder:
    """Records one trace.

    Args:
      structure: the names of the model's layers.
      selection: what is recorded.
      mode: what kind of step this is; only `train` has gradients and updates.
      lasting: what the traces of one twin have in common.
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
        self.variables = Variables(structure)
        lasting = lasting or Lasting()
        self.inner = InnerGraphs(lasting.variables)
        self.functions = Functions(lasting.refused, bool(getattr(structure.model, "_jit_compile", False)))
        self.on_replicas: OnReplicas | None = None
        self.loss_scale: tf.Tensor | None = None
        self.op_producers: dict[int, str] = {}
        self.operations = Calls()
        self.named_operations: dict[str, tf.Operation] = {}
        self.calls = CallNames(structure)
        self._unscaled: dict[int, tf.Tensor] = {}
        self.templates: set[int] = set()
        self.rewriting = False
        self._taps: list[tuple[tf.Tensor, tf.Tensor]] = []
        self._kept: list[Any] = []  # what `producers`, `logits` and `_unscaled` know by id must stay alive

    # Lifetime.

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Everything that runs inside is recorded. Begins with reading the variables, before the step changes them."""
        self.graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        self.inner.begin(self.graph)
        previous, _active.recorder = current(), self
        try:
            self._read_variables()
            yield
        finally:
            _active.recorder = previous

    def release(self) -> None:
        """Lets go of the tensors of a trace that is over.

        TensorFlow keeps the backward function of every tap in a table for as long as the process lives, and through them this recorder.
        """
        for node in self.seen.values():
            node.tensor = node.op = node.variable = None
        named: tuple[dict[str, Any], ...] = (self.seen, self.arguments, self.named_operations, *self.recordings.values())
        by_id: tuple[dict[int, Any] | set[int], ...] = (self.producers, self.logits, self._unscaled, self.templates)
        for things in (*named, *by_id, self.targets, self._kept, self._taps):
            things.clear()
        self.variables = Variables(self.structure)
        self.inner = InnerGraphs([])
        self.loss_scale = self.graph = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What runs inside is none of the step's business, for example shape inference on placeholders."""
        previous, _active.recorder = current(), None
        try:
            yield
        finally:
            _active.recorder = previous

    def wants_shapes_only(self, args: Any, kwargs: Any) -> bool:
        """Whether a call is Keras inferring shapes: with symbolic tensors, or inside its scratch graph."""
        if any(isinstance(leaf, keras.KerasTensor) for leaf in tf.nest.flatten((args, kwargs))):
            return True
        return not tf.executing_eagerly() and str(getattr(tf.compat.v1.get_default_graph(), "name", "")).startswith("scratch_graph")

    @contextmanager
    def rewritten(self) -> Iterator[None]:
        """TensorFlow runs a function on one example and makes of its operations others, for all: what it calls in here is not what is computed."""
        before, self.rewriting = self.rewriting, True
        first = 0 if self.graph is None else self.graph.version
        try:
            yield
        finally:
            self.rewriting = before
            self._note_templates(first)

    # Hooks: what the instrumented Keras and TensorFlow call.

    def call(self, op: keras.Operation, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs one call of a layer or Keras operation, and taps what goes in (for a model) and what comes out."""
        if self.wants_shapes_only(args, kwargs):
            with self.paused():
                return original(op, *args, **kwargs)
        name = self._enter(op)
        if name is None:
            return original(op, *args, **kwargs)
        args, kwargs = self._tap_inputs(op, args, kwargs) or (args, kwargs)
        self._note_arguments(name, args, kwargs)
        graph = self.graph if self.records_here() else None
        self.operations.begin("" if op is self.structure.model else name, graph)
        try:
            outputs = original(op, *args, **kwargs)
        finally:
            self.calls.leave()
            self.operations.end(graph)
        tapped = self._tap_outputs(op, name, outputs)
        return outputs if tapped is None else tapped[0]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def probe(self, x: Any, name: str) -> Any:
        if self.wants_shapes_only(x, {}):  # a layer that is built by its first call is run once for shapes alone, outside of any call
            return x
        tapped = self._tap_probe(x, name)
        return x if tapped is None else tapped[0]

    @_harmless
    def differentiated(self, target: Any, sources: Any) -> None:
        """A tape differentiates ``target``. With respect to variables, that is a loss of the step."""
        if any(isinstance(source, (tf.Variable, keras.Variable)) for source in tf.nest.flatten(sources)):
            for tensor in tf.nest.flatten(target):
                self._loss(tensor)

    @_harmless
    def found_gradients(self, sources: Any, gradients: Any) -> None:
        """The tape's answer."""
        flat = tf.nest.flatten(sources)
        found = [gradients] if len(flat) == 1 and not tf.nest.is_nested(sources) else tf.nest.flatten(gradients)
        for source, gradient in zip(flat, found, strict=False):
            if isinstance(source, (tf.Variable, keras.Variable)):
                self.variables.differentiate(source, gradient, self.loss_scale)

    def gradient(self, original: Callable[..., Any], tape: tf.GradientTape, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        """What a tape answers; on the way, the gradients of inner graphs."""
        if self.rewriting:
            return original(tape, target, sources, *args, **kwargs)
        self.differentiated(target, sources)
        gradients, tallies = self.inner.gradient(original, tape, target, sources, *args, **kwargs)
        self.found_gradients(sources, gradients)
        for node, tally in tallies:
            self.recordings["gradient"][node.name] = tally._replace(scale=self.loss_scale)
        return gradients

    def function(self, function: Any, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a function of its own that the step calls."""
        if self.rewriting and self.graph is None:
            return original(function, *args, **kwargs)  # TensorFlow's own, made for this call
        obstacle = self.functions.obstacle(function, args, kwargs)
        if obstacle is None:
            return self.functions.run_inline(function, args, kwargs, self.paused)
        with self.paused():
            return self.functions.call_unseen(function, lambda: original(function, *args, **kwargs), obstacle, args, kwargs)

    @_harmless
    def computed_loss(self, loss: Any) -> None:
        """A step without a tape computed its loss."""
        if self.mode != "train" and tf.is_tensor(loss):
            self._loss(loss)

    @_harmless
    def scaled(self, loss: tf.Tensor, scaled: tf.Tensor, scale: tf.Tensor) -> None:
        """The optimizer multiplied the loss; gradients computed from here on carry the factor."""
        self.loss_scale = tf.cast(scale, tf.float32)
        self._unscaled[id(scaled)] = loss
        self._kept.append(scaled)

    @_harmless
    def applied_gradients(self, optimizer: keras.optimizers.Optimizer, gradients: Sequence[Any], variables: Sequence[Variable]) -> None:
        """An optimizer is about to change ``variables``."""
        with tf.name_scope(SCOPE):
            if self.selection.slots:
                self.variables.read_slots(optimizer, variables)
            for gradient, variable in zip(gradients, variables, strict=False):
                self.variables.hand_over(variable, gradient, self.loss_scale)

    @contextmanager
    def applying(self) -> Iterator[None]:
        """An optimizer is at work; what another one inside it applies (loss scaling keeps one) is the same gradients again."""
        with self.paused():
            yield

    # Nodes.

    @_harmless
    def _note_templates(self, first: int) -> None:
        """Keeps in mind what was made for one example only, from operation number ``first`` on."""
        for op in [] if self.graph is None else self.graph.get_operations()[first:]:
            if _TEMPLATE.search(op.name):
                self.templates.update(map(id, op.outputs))

    @_harmless
    def _read_variables(self) -> None:
        with tf.name_scope(SCOPE):
            self.variables.read_known()

    @_harmless
    def _enter(self, op: keras.Operation) -> str:
        if self.records_here():
            with tf.name_scope(SCOPE):
                for weight in getattr(op, "weights", ()):
                    self.variables.read(weight)  # of a layer that is built by this very call
        return self.calls.enter(op)

    def records_here(self) -> bool:
        """Whether tensors made now belong to the graph of the step."""
        return tf.executing_eagerly() if self.graph is None else tf.compat.v1.get_default_graph() is self.graph

    @_harmless
    def _tap_inputs(self, op: keras.Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Nodes for what a model is fed: an `InputLayer` is never called."""
        layers = describe.input_layers(op)
        if layers is not None and (args or "inputs" in kwargs):
            fed = describe.map_inputs(layers, args[0] if args else kwargs["inputs"], functools.partial(self._tap_input, self.calls.scope))
            return ((fed, *args[1:]), kwargs) if args else (args, {**kwargs, "inputs": fed})
        if op is self.structure.model:
            bound = describe.bind(op, args, kwargs)
            for name, tensor in bound:
                self._tap_input("", name, None, tensor)
        return args, kwargs

    def _tap_input(self, scope: str, name: str, layer: keras.Operation | None, tensor: Any) -> Any:
        name = self.structure.name_of(layer, scope) if layer is not None else name
        return self._tap(Seen(self.calls.next(name), "input", type(layer).__name__ if layer else "Tensor", None, op=layer), tensor)

    @_harmless
    def _note_arguments(self, name: str, args: Any, kwargs: Any) -> None:
        known = (self.producers.get(id(leaf)) for leaf in tf.nest.flatten((args, kwargs)))
        self.arguments[name] = [producer for producer in known if producer is not None]

    @_harmless
    def _tap_outputs(self, op: keras.Operation, name: str, outputs: Any) -> tuple[Any]:
        leaves = describe.named_leaves(outputs)
        if op is self.structure.model and all(id(leaf) in self.producers for _, leaf in leaves):
            return (outputs,)  # the outputs of a layer, seen already
        kind: Kind = "layer" if isinstance(op, keras.layers.Layer) else "op"
        facts = describe.attributes(op)
        tapped, source = [], user_line()
        if not leaves:
            obstacle = QuantityPlan("not_a_tensor", {"type": type(outputs).__name__})
            self.seen[name] = Seen(name, kind, type(op).__name__, None, op=op, source=source, attributes=dict(facts), obstacle=obstacle)
            return (outputs,)
        for index, (key, leaf) in enumerate(leaves):
            node = Seen(name if index == 0 else f"{name}:{key}", kind, type(op).__name__, None, op=op, source=source, attributes=dict(facts))
            node.activation = describe.activation(op) if len(leaves) == 1 else None
            if len(leaves) > 1:
                node.attributes["output"] = key
            tapped.append(self._tap(node, leaf))
        return (tf.nest.pack_sequence_as(outputs, tapped),)

    @_harmless
    def _tap_probe(self, x: Any, name: str) -> tuple[Any]:
        first = self.calls.next(f"{self.calls.scope}{name}")
        leaves, source = describe.named_leaves(x), user_line()
        tapped = [
            self._tap(Seen(first if index == 0 else f"{first}:{key}", "probe", "probe", None, source=source), leaf)
            for index, (key, leaf) in enumerate(leaves)
        ]
        return (tf.nest.pack_sequence_as(x, tapped),)

    def _tap(self, node: Seen, x: Any) -> Any:
        """Lists a node, records its value, and returns what takes the place of ``x``: the same value, whose gradient is recorded."""
        if self.calls.repeating and node.name in self.seen:
            return self._tapped(node, x) if tf.is_tensor(x) and self.belongs(dense_part(x)) else x
        self.seen[node.name] = node
        if not tf.is_tensor(x):
            node.obstacle = QuantityPlan("not_a_tensor", {"type": type(x).__name__})
            return x
        node.tensor = dense_part(x)
        node.attributes.update(describe.layout(x))
        node.obstacle = self.obstacle(node.tensor)
        node.in_tape, node.is_followed = self.inner.in_tape, is_followed(node.tensor)
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
        with self.paused():
            if self._selects(node, "value"):
                self.recordings["value"][node.name] = self.inner.record_value(node, tensor)
            if self.mode != "train" or not tensor.dtype.is_floating or not self._selects(node, "gradient"):
                return x
            tapped = self.inner.tap(node, x, self._fail)
        self._produced(node.name, dense_part(tapped))
        return tapped

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error

    def _tapped(self, node: Seen, x: Any) -> Any:
        if self.mode != "train" or not dense_part(x).dtype.is_floating or not self._selects(node, "gradient"):
            return x
        tapped = tap(x, functools.partial(self._flowed_back, node))
        self._produced(node.name, dense_part(tapped))
        self._taps.append((dense_part(x), dense_part(tapped)))
        return tapped

    def _note_logits(self, name: str, x: Any) -> None:
        """Losses of Keras compute with what went into a softmax or sigmoid: that is then what leads from this node to the loss."""
        made = getattr(untapped(x), "op", None)
        logits = getattr(x, "_keras_logits", made.inputs[0] if made is not None and made.type in _MADE_OF_LOGITS else None)
        if logits is not None:
            self.logits.setdefault(id(logits), name)
            self._kept.append(logits)

    @_harmless
    def _flowed_back(self, node: Seen, gradient: Any) -> None:
        gradient = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
        if self.belongs(gradient) and not self.rewriting:
            if node.name in self.recordings["gradient"]:
                node.attributes["differentiated"] = node.attributes.get("differentiated", 1) + 1
            self._record("gradient", node, gradient, self.loss_scale)

    def obstacle(self, tensor: tf.Tensor) -> QuantityPlan | None:
        """Why ``tensor`` can't leave the step."""
        if self.rewriting or id(tensor) in self.templates:
            return QuantityPlan("vectorized")
        if not self.belongs(tensor):
            return self.inner.obstacle(tensor)
        if not has_statistics(tensor.dtype):
            return QuantityPlan("no_statistics_dtype", {"dtype": tensor.dtype.name})
        return None

    def belongs(self, tensor: tf.Tensor) -> bool:
        """Whether ``tensor`` is one of the step's own graph (or of an eager step)."""
        return getattr(tensor, "graph", None) is self.graph if self.graph is not None else isinstance(tensor, tf.__internal__.EagerTensor)

    def is_read(self, variable: Variable) -> bool:
        """Whether an operation of the step, and not one of ours, reads ``variable``. Not known of eager steps."""
        handle = None if self.graph is None else handle_in(self.graph, variable)
        return handle is not None and any(not is_ours(op.name) for op in handle.consumers())

    def _produced(self, name: str, tensor: tf.Tensor) -> None:
        self.producers.setdefault(id(tensor), name)  # a layer that returns what another made is not its producer
        self._kept.append(tensor)

    def _loss(self, tensor: Any) -> None:
        loss = self._unscaled.get(id(tensor), tensor)
        if not self.belongs(loss) or any(loss is known for known in self.targets):
            return
        self.targets.append(loss)
        self._tap(Seen(numbered("loss", len(self.targets)), "loss", "Loss", None), loss)

    def _selects(self, node: Seen, quantity: Quantity) -> bool:
        return self.selection.selects(node.name, node.kind, quantity)

    def _record(self, quantity: Quantity, node: Seen, tensor: tf.Tensor, scale: tf.Tensor | None = None) -> None:
        if self._selects(node, quantity):
            activation = node.activation if quantity == "value" else None
            self.recordings[quantity][node.name] = Recording(tensor, node.has_batch, activation, scale)

    def may_change_bits(self) -> bool:
        """Whether the step may end in other last bits for what is recorded of it."""
        if self.graph is None:
            return False
        recordings = [recording for recordings in self.recordings.values() for recording in recordings.values()]
        recorded = [recording.tensor for recording in recordings if isinstance(recording, Recording)]
        return len(recorded) < len(recordings) or may_differ(self._taps, recorded)

    @_harmless
    def record_variables(self) -> None:
        """Turns what was read and handed over into nodes. Called once, in the graph of the step, when the user's step has returned."""
        with tf.name_scope(SCOPE):
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
        if self.variables.was_handed_over(variable) and self._selects(node, "update"):
            self._record("update", node, read(variable) - before)
