"""Told what a step does while it is traced, it makes nodes of it: the hooks that the instrumented Keras and TensorFlow call.

The one invariant: nothing that fails here reaches the user's step. The first failure makes the recorder passive: from then on it hands every
tensor through untouched, and the twin that holds it is given up. What becomes of a tensor that is met is `trace.Trace`'s business.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture import describe
from tb_activations.capture.activations import OwnCall, activation_of, is_masked, is_of_users, is_other_than
from tb_activations.capture.active import telling
from tb_activations.capture.bare_variables import is_copy, whole_variable, whose
from tb_activations.capture.harmless import harmless
from tb_activations.capture.keras_variables import Variable, is_variable
from tb_activations.capture.nodes import Seen
from tb_activations.capture.operations import ours
from tb_activations.capture.source import user_line
from tb_activations.capture.trace import Trace
from tb_activations.store.schema import Kind, QuantityPlan

__all__ = ["Recorder"]

_TEMPLATE = re.compile(r"(^|/)loop_body(_\d+)?/(?!(.*/)?pfor/)")
"""Operations of one example, as TensorFlow names them where it rewrites them for all; those for all are called `pfor`."""


class Recorder(Trace):
    """Records one trace; its hooks run inside the user's step."""

    # Lifetime.

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Everything that runs inside is recorded. Begins with reading the variables, before the step changes them."""
        self.graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        self.inner.begin(self.graph)
        with telling(self):
            self._read_variables()
            yield

    def paused(self) -> AbstractContextManager[None]:
        """What runs inside is none of the step's business, for example shape inference on placeholders."""
        return telling(None)

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
        first, owner = 0 if graph is None else graph.version, "" if op is self.structure.model else name
        self.operations.begin(owner, graph)
        try:
            outputs = original(op, *args, **kwargs)
        finally:
            self.calls.leave()
            self.operations.end(graph)
        if graph is not None and not self.calls.repeating:
            self._note_own_call(op, OwnCall(owner, first, graph.version, outputs))
        tapped = self._tap_outputs(op, name, outputs)
        return outputs if tapped is None else tapped[0]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def probe(self, x: Any, name: str) -> Any:
        if self.wants_shapes_only(x, {}):  # a layer that is built by its first call is run once for shapes alone, outside of any call
            return x
        tapped = self._tap_probe(x, name)
        return x if tapped is None else tapped[0]

    @harmless
    def differentiated(self, target: Any, sources: Any, above: Any, *, by_tape: bool = True) -> None:
        """A tape, or `tf.gradients`, differentiates ``target``. With respect to variables, that is a loss of the step.

        Unless it has a gradient of its own, ``above``: then it is an activation, such as what `tf.recompute_grad` computes again.
        """
        self.needs_tape = self.needs_tape and by_tape
        self.sources += tf.nest.flatten(sources)
        if any(map(is_variable, tf.nest.flatten(sources))):
            for tensor in tf.nest.flatten(target):
                if above is not None and tf.is_tensor(tensor) and (tensor.shape.rank or 0) > 1:
                    self.lead_to(tensor)
                else:
                    self.list_loss(tensor)

    def looking_back(self, target: Any, sources: Any, above: Any) -> AbstractContextManager[None]:
        """`tf.gradients` runs inside. Where a tape records it, by no variable, it is asked for a penalty, as an inner tape is."""
        is_inner = self._is_asked_for_no_loss(sources, above, is_inside=self.inner.in_tape)
        self.differentiated(target, sources, above, by_tape=is_inner)
        return self.hearing(is_inside=self.inner.in_tape, is_inner=is_inner)

    @harmless
    def found_gradients(self, target: Any, sources: Any, gradients: Any) -> None:
        """The answer."""
        self.note_answer(target, gradients)
        flat = tf.nest.flatten(sources)
        found = [gradients] if len(flat) == 1 and not tf.nest.is_nested(sources) else tf.nest.flatten(gradients)
        for source, gradient in zip(flat, found, strict=False):
            if is_variable(source) and not self._are_trained_inside([source]):
                self.variables.differentiate(source, gradient, self.loss_scale)

    def gradient(self, original: Callable[..., Any], tape: tf.GradientTape, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        """What a tape answers; on the way, the gradients of inner graphs.

        Inside of another tape it may be asked for a penalty on gradients: what it differentiates is then no loss, unless by a variable (an inner
        one), or with a gradient ``above``, as a part of what is being differentiated.
        """
        if self.rewriting:
            return original(tape, target, sources, *args, **kwargs)
        above = args[0] if args else kwargs.get("output_gradients")
        self.differentiated(target, sources, above)
        # Where None is turned into zeros, what isn't connected can't be told.
        asked = [] if len(args) > 1 or "unconnected_gradients" in kwargs else self.heard_inside()
        flat, is_inside = tf.nest.flatten(sources), self.inner.is_in_other_tape(tape)
        with self.hearing(is_inside=is_inside, is_inner=self._is_asked_for_no_loss(flat, above, is_inside=is_inside)):
            wanted = [*flat, *(node.tensor for node in asked)] if asked else sources
            gradients, tallies = self.inner.gradient(original, tape, target, wanted, *args, **kwargs)
            if asked:
                self.found_whole_gradients(asked, gradients[len(flat) :])
                gradients = tf.nest.pack_sequence_as(sources, gradients[: len(flat)])
            self.found_gradients(target, sources, gradients)
            for node, tally in tallies:
                if self.hears(node):
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

    @harmless
    def computed_loss(self, loss: Any) -> None:
        """A step without a tape computed its loss."""
        if self.mode != "train" and tf.is_tensor(loss):
            self.list_loss(loss)

    @harmless
    def scaled(self, loss: tf.Tensor, scaled: tf.Tensor, scale: tf.Tensor) -> None:
        """The optimizer multiplied the loss; gradients computed from here on carry the factor."""
        self.loss_scale = tf.cast(scale, tf.float32)
        self.unscaled[id(scaled)] = loss
        self.keep(scaled)

    @harmless
    def used_variable(self, variable: tf.Variable) -> None:
        """The step is about to read or to change ``variable``, which may be one that no layer tells of."""
        variable = whole_variable(variable)
        if is_copy(variable) or self.variables.has_met(variable) or self.inner.is_ours(variable) or tf.executing_eagerly() != (self.graph is None):
            return
        kept = whose(variable)
        if kept is None:
            self.variables.pass_over([variable])
        else:
            with self._at_the_beginning():
                self.variables.read_bare(kept)

    @harmless
    def applied_gradients(self, optimizer: keras.optimizers.Optimizer, gradients: Sequence[Any], variables: Sequence[Variable]) -> None:
        """An optimizer is about to change ``variables``."""
        if self._are_trained_inside(variables):
            return
        self.variables.pass_over(optimizer.variables)
        with ours():
            if self.selection.slots:
                self.variables.read_slots(optimizer, variables)
            for gradient, variable in zip(gradients, variables, strict=False):
                self.variables.hand_over(variable, gradient, self.loss_scale)

    def applying(self) -> AbstractContextManager[None]:
        """An optimizer is at work; what another one inside it applies (loss scaling keeps one) is the same gradients again."""
        return telling(None)

    # What the hooks ask for.

    def _is_asked_for_no_loss(self, sources: Any, above: Any, *, is_inside: bool) -> bool:
        return is_inside and above is None and not any(map(is_variable, tf.nest.flatten(sources)))

    @harmless
    def _note_templates(self, first: int) -> None:
        """Keeps in mind what was made for one example only, from operation number ``first`` on."""
        for op in [] if self.graph is None else self.graph.get_operations()[first:]:
            if _TEMPLATE.search(op.name):
                self.templates.update(map(id, op.outputs))

    def _are_trained_inside(self, variables: Sequence[Variable]) -> bool:
        """Notes it where a graph inside the step's trains ``variables``: gradients there can't leave the step."""
        if self.graph is None or self.records_here():
            return False
        with self._at_the_beginning():
            for variable in variables:
                self.variables.train_inside(variable)
        return True

    @contextmanager
    def _at_the_beginning(self) -> Iterator[None]:
        """What is made inside belongs to the step itself, comes before all that the step has yet to do, and is none of its business."""
        with ExitStack() as stack:
            if self.graph is not None:
                stack.enter_context(self.graph.as_default())
                stack.enter_context(tf.control_dependencies(None))
            stack.enter_context(ours())
            stack.enter_context(telling(None))
            yield

    @harmless
    def _read_variables(self) -> None:
        with ours():
            self.variables.read_known()

    @harmless
    def _enter(self, op: keras.Operation) -> str:
        if self.records_here():
            with ours():
                for weight in getattr(op, "weights", ()):
                    self.variables.read(weight)  # of a layer that is built by this very call
        return self.calls.enter(op)

    @harmless
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
        return self.tap(Seen(self.calls.next(name), "input", type(layer).__name__ if layer else "Tensor", None, op=layer), tensor)

    @harmless
    def _note_arguments(self, name: str, args: Any, kwargs: Any) -> None:
        known = (self.producers.get(id(leaf)) for leaf in tf.nest.flatten((args, kwargs)))
        self.arguments[name] = [producer for producer in known if producer is not None]

    @harmless
    def _note_own_call(self, op: keras.Operation, call: OwnCall) -> None:
        if is_of_users(op):
            self.own_calls.append(call._replace(outputs=[leaf for leaf in tf.nest.flatten(call.outputs) if isinstance(leaf, tf.Tensor)]))

    @harmless
    def _tap_outputs(self, op: keras.Operation, name: str, outputs: Any) -> tuple[Any]:
        leaves = describe.named_leaves(outputs)
        given = [(key, leaf) for key, leaf in leaves if leaf is not None] or leaves  # None beside others is an output that the call doesn't have
        if op is self.structure.model and all(id(leaf) in self.producers for _, leaf in given):
            return (outputs,)  # the outputs of a layer, seen already
        kind: Kind = "layer" if isinstance(op, keras.layers.Layer) else "op"
        facts = describe.attributes(op)
        tapped, source = [], user_line()
        if not leaves:
            obstacle = QuantityPlan("not_a_tensor", {"type": type(outputs).__name__})
            self.seen[name] = Seen(name, kind, type(op).__name__, None, op=op, source=source, attributes=dict(facts), obstacle=obstacle)
            return (outputs,)
        for index, (key, leaf) in enumerate(given):
            node = Seen(name if index == 0 else f"{name}:{key}", kind, type(op).__name__, None, op=op, source=source, attributes=dict(facts))
            node.activation = describe.activation(op) if len(given) == 1 else None
            is_own = is_of_users(op) and id(leaf) not in self.producers
            if is_own and is_other_than(node.activation, leaf):
                node.activation = None
            elif is_own and node.activation is None:
                node.activation = activation_of(leaf)
                if node.activation == "softmax" and is_masked(leaf.op):
                    node.attributes["masked"] = True
            if len(given) > 1:
                node.attributes["output"] = key
            tapped.append(self.tap(node, leaf))
        taken = iter(tapped)
        return (describe.with_leaves(outputs, [next(taken) if given is leaves or leaf is not None else None for _, leaf in leaves]),)

    @harmless
    def _tap_probe(self, x: Any, name: str) -> tuple[Any]:
        first = self.calls.next(f"{self.calls.scope}{name}")
        leaves, source = describe.named_leaves(x), user_line()
        tapped = [
            self.tap(Seen(first if index == 0 else f"{first}:{key}", "probe", "probe", None, source=source), leaf)
            for index, (key, leaf) in enumerate(leaves)
        ]
        return (describe.with_leaves(x, tapped),)
