"""Tensors of the graphs inside the step's graph: the bodies of loops and the branches of conditions.

The one invariant: no such tensor leaves its graph. It is reduced where it is made. Its value goes through a variable of ours, which is cleared
when the step begins and read when it ends. In the gradient of a loop no variable can be assigned: there the numbers go out as the gradient
of zeros that the step's tapes watch (`taps.tap_summing`), which changes nothing in what the user asked the tape for.

A loop adds up over its iterations; a branch runs at most once, and has all columns. Where a variable would be one per replica, nothing is
recorded, and the node says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

from tb_activations.capture.nodes import Seen, Tally
from tb_activations.capture.operations import ours
from tb_activations.capture.statistics import has_statistics, measure
from tb_activations.capture.statistics.running import EXTREMES, SUMS, as_vector, extremes, sums, vector_size
from tb_activations.capture.taps import dense_part, tap_summing
from tb_activations.store.schema import QuantityPlan

__all__ = ["InnerGraphs"]

Construct = Literal["loop", "branch", "function"]

_UNKNOWN = (float("nan"), float("nan"))
"""The extremes of a gradient in a loop, which are no sums."""

_CONSTRUCTS: dict[str, Construct] = {"WhileBodyFuncGraph": "loop", "WhileCondFuncGraph": "loop", "CondBranchFuncGraph": "branch"}


class _Watched(NamedTuple):
    """Zeros whose gradient is what is known of the gradient of ``node``. ``heard``: the gradients that came back so far."""

    node: Seen
    zeros: tf.Tensor
    repeated: bool
    heard: list[tf.Tensor]


class InnerGraphs:
    """What one trace of a step meets in other graphs than its own.

    Args:
      variables: where the variables made here are kept alive: the traced step needs them for as long as it is called.
    """

    def __init__(self, variables: list[tf.Variable]) -> None:
        self._variables = variables
        self._graph: tf.Graph | None = None
        self._tapes: list[tf.GradientTape] = []
        self._watched: dict[int, list[_Watched]] = {}

    def begin(self, graph: tf.Graph | None) -> None:
        """A step begins whose own graph is ``graph``; None: it runs eagerly."""
        self._graph = graph

    def obstacle(self, tensor: tf.Tensor) -> QuantityPlan | None:
        """Why nothing of ``tensor`` can be recorded."""
        constructs = self._constructs(tensor)
        if "function" in constructs:
            name = stable_name(tensor.graph)
            if name.startswith("Dataset_"):  # so tf.data calls whatever it is given, such as the body of a loop over a dataset
                return QuantityPlan("function_of_dataset")
            return QuantityPlan("traced_earlier", {"function": name, "detail": "it has a graph of its own."})
        if _is_replicated():
            return _replicated("loop" if "loop" in constructs else "branch")
        if not has_statistics(tensor.dtype):
            return QuantityPlan("no_statistics_dtype", {"dtype": tensor.dtype.name})
        return None

    def until_taken(self, tensor: tf.Tensor) -> QuantityPlan:
        """What is to be said of ``tensor`` as long as no recorded step has made it."""
        if "branch" not in self._constructs(tensor):
            return QuantityPlan()
        branch = next(graph for graph in self._way_out(tensor.graph) if _construct(graph) == "branch")
        is_switch = re.search(r"_branch\d+$", stable_name(branch))
        return QuantityPlan("other_branch", {"construct": "tf.switch_case" if is_switch else "tf.cond"})

    def is_repeated(self, tensor: tf.Tensor) -> bool:
        """Whether one step may make ``tensor`` several times."""
        return "loop" in self._constructs(tensor)

    def record_value(self, node: Seen, tensor: tf.Tensor) -> Tally:
        """Reduces ``tensor`` where it is made, into a variable."""
        with ours():
            tensor = tf.stop_gradient(tensor)  # or the user's tape would follow what we do with it
            if self.is_repeated(tensor):
                return self._add_up(sums(tensor, node.activation), extremes(tensor))
            return self._put(as_vector(measure(tensor, activation=node.activation, batch=node.has_batch)))

    def _add_up(self, added: tf.Tensor, largest: tf.Tensor | Sequence[float]) -> Tally:
        total, extreme = self._slot([0.0] * len(SUMS)), self._slot(EXTREMES)
        total.assign_add(added)
        extreme.assign(tf.maximum(extreme.read_value(), largest))
        return Tally(lambda: tf.concat([total.read_value(), extreme.read_value()], 0), repeated=True)

    def _put(self, vector: tf.Tensor) -> Tally:
        slot = self._slot([0.0] * vector.shape[0])
        slot.assign(vector)
        return Tally(slot.read_value, repeated=False)

    def _slot(self, initial: Sequence[float]) -> tf.Variable:
        with tf.init_scope():
            # Not `tf.Variable`: the function being traced would count it among its own, and be traced once more for it.
            slot = ResourceVariable(initial, trainable=False, dtype=tf.float64)
        self._variables.append(slot)
        assert self._graph is not None
        with self._graph.as_default(), tf.control_dependencies(None), ours():
            slot.assign(tf.constant(initial, tf.float64))  # made before the loop it is for, and so run before it
        return slot

    def is_ours(self, variable: tf.Variable) -> bool:
        """Whether ``variable`` was made here."""
        return any(variable is slot for slot in self._variables)

    # Gradients.

    def begin_tape(self, tape: tf.GradientTape) -> None:
        self._tapes.append(tape)

    @property
    def in_tape(self) -> bool:
        """Whether a tape of the step records now."""
        return bool(self._tapes)

    def is_in_other_tape(self, tape: tf.GradientTape) -> bool:
        """Whether a tape of the step records now that is not ``tape``."""
        return any(other is not tape for other in self._tapes)

    def end_tape(self, tape: tf.GradientTape) -> None:
        self._tapes = [other for other in self._tapes if other is not tape]

    def tap(self, node: Seen, x: Any, heard: list[tf.Tensor], failed: Callable[[Exception], None]) -> Any:
        """Returns what takes the place of ``x``: the same value, the gradient of which is reduced where it is computed, and ``heard``."""
        if not self._tapes or self._graph is None:
            return x
        repeated, batch = self.is_repeated(dense_part(x)), node.has_batch
        size = len(SUMS) if repeated else vector_size()
        with self._graph.as_default(), tf.control_dependencies(None), ours():
            zeros = tf.zeros([size], tf.float64)
        for tape in self._tapes:
            tape.watch(zeros)
            self._watched.setdefault(id(tape), []).append(_Watched(node, zeros, repeated, heard))

        # Holds no tensor: TensorFlow keeps the backward functions of a process in a table.
        def summarize(gradient: tf.Tensor) -> tf.Tensor:
            heard.append(gradient)
            try:
                with ours():
                    gradient = tf.stop_gradient(gradient)
                    return sums(gradient) if repeated else as_vector(measure(gradient, batch=batch))
            except Exception as error:  # noqa: BLE001  (the user's own gradient must be had all the same)
                failed(error)
                return tf.zeros([size], tf.float64)

        return tap_summing(x, zeros, summarize)

    def gradient(self, original: Callable[..., Any], tape: tf.GradientTape, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        """What ``tape.gradient`` gives, and the tallies of the gradients that were computed on the way."""
        watched = self._watched.get(id(tape), [])
        if not watched:
            return original(tape, target, sources, *args, **kwargs), ()
        flat, before = tf.nest.flatten(sources), [len(item.heard) for item in watched]
        results = original(tape, target, [*flat, *(item.zeros for item in watched)], *args, **kwargs)
        # Of what nothing in a loop uses nothing comes back, and the loop answers zeros all the same.
        pairs = [(item, result) for item, result, count in zip(watched, results[len(flat) :], before, strict=True) if len(item.heard) > count]
        tallies = [(item.node, self._tally(item, result)) for item, result in pairs if result is not None]
        return tf.nest.pack_sequence_as(sources, results[: len(flat)]), tallies

    def _tally(self, item: _Watched, result: tf.Tensor) -> Tally:
        if result.graph is self._graph:
            return Tally(lambda: tf.concat([result, _UNKNOWN], 0) if item.repeated else result, item.repeated)
        # The tape itself is in a loop or a branch, so what it found can't leave either.
        with ours():
            return self._add_up(result, _UNKNOWN) if item.repeated else self._put(result)

    # Graphs.

    def _constructs(self, tensor: tf.Tensor) -> set[Construct]:
        return {_construct(graph) for graph in self._way_out(tensor.graph)}

    def _way_out(self, graph: Any) -> Iterator[Any]:
        """The graphs that ``graph`` is in, itself first, up to the step's."""
        while graph is not None and graph is not self._graph:
            yield graph
            graph = getattr(graph, "outer_graph", None)


def stable_name(graph: Any) -> str:
    """The name of what a graph was made for, without the counter that tells traces apart."""
    name = re.sub(r"_\d+$", "", str(getattr(graph, "name", "")).removeprefix("__inference_"))
    return name if name.isidentifier() else "function"


def _construct(graph: Any) -> Construct:
    # By the exact class: the graphs of gradients are subclasses, and no variable of ours can be assigned there.
    return _CONSTRUCTS.get(type(graph).__name__, "function")


def _is_replicated() -> bool:
    context = tf.distribute.get_replica_context()
    return context is None or context.num_replicas_in_sync > 1


def _replicated(construct: Construct) -> QuantityPlan:
    place = "the body of a loop, once per iteration" if construct == "loop" else "a branch of a condition"
    detail = "What happens there is added up in a variable, which is not done where several replicas train."
    return QuantityPlan("while_body", {"place": place, "detail": detail})
