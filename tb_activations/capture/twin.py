"""The twin: an instrumented second trace of a model's own step function.

The one invariant: the model's function is never touched. The twin is made by Keras itself, from the same step, through public calls; when `Twin`
has returned, nothing of ours is left on the model, and what the step computes is what it always computes. It decides neither when it runs nor what is
written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx
from tensorflow.python.autograph.impl.api import autograph_artifact
from tensorflow.python.ops.control_flow_v2_func_graphs import CondBranchFuncGraph, WhileBodyFuncGraph, WhileCondFuncGraph

from tb_activations.capture.active import current
from tb_activations.capture.aside import Aside
from tb_activations.capture.catalogue import Catalogue, make_catalogue
from tb_activations.capture.first_trace import make_variables, will_make_variables
from tb_activations.capture.generations import Generations
from tb_activations.capture.handover import Beside, Handover, handover_of
from tb_activations.capture.instrument import instrumented
from tb_activations.capture.needed import forget_inner_gradients, forget_needless_gradients
from tb_activations.capture.nodes import Lasting
from tb_activations.capture.on_replicas import converted
from tb_activations.capture.op_nodes import list_operations, record_operations
from tb_activations.capture.packing import Keep, Layout, Packed
from tb_activations.capture.randomness import stateful_draws
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.rehearsals import forget_rehearsals
from tb_activations.capture.selection import Selection
from tb_activations.capture.step_functions import NAMES, StepKind, is_made_by_keras, made_anew, outermost_graph, overridden
from tb_activations.capture.structure import Structure
from tb_activations.capture.trainability import Trainability
from tb_activations.errors import ActivationsError
from tb_activations.store.reasons import explain_reason

__all__ = ["Captured", "Options", "Twin"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a twin records, and how the graph file describes it."""

    selection: Selection
    keep: Keep
    configuration: Mapping[str, Any]


class Captured(NamedTuple):
    """What one run of a twin recorded, and the nodes it belongs to. ``packed`` waits for the numbers, on any thread."""

    catalogue: Catalogue
    packed: Callable[[], Packed]


class Twin:
    """The instrumented twin of one step function of ``model``.

    Args:
      trainability: the flags with which the plain function is traced; None: they don't matter.

    Attributes:
      failure: what of ours went wrong, once something did; the twin is of no use then.
      undone: the last run was taken back: the plain function is still to run, and `compare` to be told.
      running: the step's function was reached. An error before that was ours, and no data was consumed.
      tracing: a trace of the step has begun and not ended. An error that leaves it so was raised before any data was consumed.
    """

    def __init__(self, model: keras.Model, kind: StepKind, options: Options, trainability: Trainability | None = None) -> None:
        self._keep_state(model, options, trainability, compiled_by_xla=bool(model.jit_compile))
        self._kind = kind
        self._step: Callable[[Any], Any] = getattr(model, NAMES[kind].step)
        if model.distribute_strategy.num_replicas_in_sync > 1:
            self._aside.refuse()
        self.running = False
        self._traced_in: Any = None
        make_variables(model, kind)
        self._is_first_of_two = is_made_by_keras(model, kind) and will_make_variables(model, kind)
        with self._overrides():
            self._function = made_anew(model, kind)

    def _keep_state(self, model: Any, options: Options, trainability: Trainability | None, *, compiled_by_xla: bool) -> None:
        """Begins with what every twin has, also that of a function without a model."""
        self._model = model
        self._options = options
        self._trainability = trainability
        self._compiled_by_xla = compiled_by_xla
        self._generations = Generations()
        self._handovers: dict[str, Handover] = {}
        self._unlisted: dict[str, dict[str, tf.Operation]] = {}
        self._beside = Beside()
        self._aside = Aside(by_shapes=compiled_by_xla)
        self._remarks: dict[str, bool] = {}
        self._lasting = Lasting()
        self.failure: Exception | None = None
        self.tracing = self.undone = self._traced_in_vain = False

    def __call__(self, source: Any, batch: Any = None) -> tuple[Any, Captured | None]:
        """Runs one step on data from ``source``. Returns the step's own result and what was recorded.

        Args:
          batch: what ``source`` will give, if it could be given once more.
        """
        self.running = self.tracing = self.undone = False  # a trace before may have been interrupted
        self._traced_in = None
        self._aside.begin(batch)
        with self._overrides():
            self.running = True
            outputs = self._run_or_undo(source)
        if not (isinstance(outputs, dict) and outputs.keys() == _OUTPUTS):
            names = NAMES[self._kind]
            self.failure = ActivationsError(f"`{names.make}` of the model makes a function that does not call `{names.step}`.")
            return outputs, None
        return self._ended(outputs)

    def _ended(self, outputs: Mapping[str, Any]) -> tuple[Any, Captured | None]:
        captured = self._captured(outputs["captured"])
        self.undone = self._aside.end(outputs["result"])
        return outputs["result"], captured

    def compare(self, result: Any) -> None:
        """The plain function has run after a run that was taken back, and gave ``result``."""
        if not self._aside.compare(result):
            self._remarks.setdefault(
                "A recorded step ended in other last bits than the plain step, as none before had that was compared: recorded steps so far may have "
                "changed the training by as much. From now on the plain step runs as well, and nothing is changed.",
                True,
            )

    def _captured(self, outputs: Mapping[str, Any]) -> Captured | None:
        """The capture that a run of the step handed out."""
        for key, given in outputs.items():
            try:
                self._list_operations(key)
                return Captured(self._generations[key], self._handovers[key].take(given))
            except Exception as error:  # noqa: BLE001  (the step is done; kept, and told once by who owns the twin)
                self.failure = error
        return None

    def _list_operations(self, key: str) -> None:
        """Lists the operations of the trace that ran; one that makes variables is traced again before it runs."""
        if key in self._unlisted:
            self._generations.complete(key, list_operations(self._unlisted.pop(key)))

    def take_remarks(self) -> list[str]:
        """What the user should know of the step, each sentence once."""
        new = [sentence for sentence, is_new in self._remarks.items() if is_new]
        self._remarks.update(dict.fromkeys(new, False))
        return new

    def _run_or_undo(self, source: Any) -> Any:
        try:
            return self._run(source)
        except BaseException:
            self.undone = self._aside.take_back()
            raise

    def _run(self, source: Any) -> Any:
        """Runs the step; is traced again where that is found to be needed in tracing."""
        refused = len(self._lasting.refused)
        try:
            outputs = self._function(source)
        except Exception:
            if not self.tracing or (len(self._lasting.refused) == refused and not self._traced_in_vain):
                raise
            self._traced_in_vain = False
            outputs = self._run(source)
        return outputs

    @contextmanager
    def _overrides(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(overridden(self._model, NAMES[self._kind].step, self._instrumented_step()))
            # Several steps in one execution are a loop in the graph, whose body can hand nothing out.
            stack.enter_context(overridden(self._model, "steps_per_execution", 1))
            if self._kind == "evaluate":
                stack.enter_context(overridden(self._model, "compute_loss", self._telling_compute_loss()))
            yield

    def _instrumented_step(self) -> Callable[[Any], dict[str, Any]]:
        @autograph_artifact  # type: ignore[untyped-decorator]
        def instrumented_step(data: Any) -> dict[str, Any]:
            """What is ours is not for AutoGraph, which is at work where a function of the user's runs the step; his step is."""
            step = converted(self._step) if ag_ctx.control_status_ctx().status is ag_ctx.Status.ENABLED else self._step
            self.tracing = True
            self._check_trainability()
            if self._is_first_of_two and not tf.executing_eagerly():
                return {"result": self._first_of_two(step, data), "captured": {}}
            if self._runs_again():
                return {"result": step(data), "captured": {}}
            recorder = Recorder(Structure(self._model), self._options.selection, self._kind, self._lasting)
            with instrumented(recorder):
                result = step(data)
            self._end_trace(recorder)
            captured = self._finish(recorder, result)
            recorder.release()
            self.tracing = False
            return {"result": result, "captured": captured}

        stepper: Callable[[Any], dict[str, Any]] = instrumented_step
        return stepper

    def _first_of_two(self, step: Callable[[Any], Any], data: Any) -> Any:
        """The first of two traces, of which TensorFlow runs the second: nothing of it has to be recorded."""
        self._is_first_of_two = False
        graph, makes_variables = tf.compat.v1.get_default_graph(), False

        def make(creator: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
            nonlocal makes_variables
            # For those of a function that the step calls only that function is traced again.
            makes_variables |= _around_branches(tf.compat.v1.get_default_graph()) is graph
            return creator(**options)

        with tf.variable_creator_scope(make):
            result = step(data)
        if not makes_variables:
            self._traced_in_vain = True
            raise ActivationsError("The step makes no variables, so it would not be traced again.")
        return result

    def _end_trace(self, recorder: Recorder) -> None:
        """The user's step is traced, and nothing of ours that hands out is in its graph yet."""
        if recorder.graph is None:
            self._remark_unseen(recorder)
            return
        try:
            draws = stateful_draws(recorder.graph)
            never_same = bool(draws) or recorder.looks_into_branches() or recorder.adds_in_other_groups()
            never_same = never_same or (not self._compiled_by_xla and recorder.parts_what_is_joined())
            self._remark_draws(draws, self._aside.end_trace(recorder.graph, self._lasting.variables, never_same=never_same))
        except Exception as error:  # noqa: BLE001  (as in `_finish`: variables that the trace made would have no value if it were given up)
            self.failure = error

    def _check_trainability(self) -> None:
        changed = [] if self._trainability is None or tf.executing_eagerly() else self._trainability.changed()
        if changed:
            raise ActivationsError(
                f"`trainable` of {', '.join(changed[:5])} was changed after the train step was traced, which has no effect on it before `compile()`."
            )

    def _runs_again(self) -> bool:
        """A function of the user's may run the step several times, of which only one can be told. Keras' own may trace it twice, and runs it once."""
        graph = outermost_graph()
        if graph is not None and graph is self._traced_in and not is_made_by_keras(self._model, self._kind):
            names = NAMES[self._kind]
            # Not raised: variables that the trace made would have no value if it were given up.
            self.failure = ActivationsError(f"`{names.make}` of the model makes a function that runs `{names.step}` more than once.")
            self.tracing = False
            return True
        self._traced_in = graph
        return False

    def _telling_compute_loss(self) -> Callable[..., Any]:
        original = self._model.compute_loss

        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            recorder = current()
            if recorder is not None:
                recorder.computed_loss(loss)
            return loss

        return compute_loss

    def _finish(self, recorder: Recorder, result: Any) -> dict[str, Any]:
        """What the step hands out besides its result: the key names the catalogue of the trace that made it."""
        recorder.record_variables()
        self.failure = self.failure or recorder.failure
        if self.failure is not None:
            return {}
        try:
            forget_rehearsals(recorder, tf.nest.flatten(result))
            forget_needless_gradients(recorder)
            forget_inner_gradients(recorder)
            record_operations(recorder)
            catalogue = make_catalogue(recorder, self._options.configuration)
            key = self._generations.add(catalogue)
            if not self._generations[key].graph.operations:
                self._unlisted[key] = dict(recorder.named_operations)
            if key not in self._handovers:
                layout = Layout(recorder, self._generations[key], self._options.keep)
                self._handovers[key] = handover_of(layout, self._options.keep, self._beside, compiled_by_xla=self._compiled_by_xla)
            return {key: self._handovers[key].give(recorder, catalogue)}
        except Exception as error:  # noqa: BLE001  (kept, and told once by who owns the twin)
            self.failure = error
            return {}

    def _remark_unseen(self, recorder: Recorder) -> None:
        """An eager step is over. What it computes may all be in a function of its own, as that of a method that hands its arguments on to one is."""
        if recorder.functions.unseen and not recorder.seen:
            name, plan = recorder.functions.unseen[0].name, recorder.functions.unseen[0].plan
            reason = explain_reason(str(plan.reason), name, plan.detail)
            self._remarks.setdefault(
                f"Nothing but variables is recorded: the step runs eagerly, and what it computes is inside `{name}`, which has a graph of its own. "
                f"{reason.remedy} {reason.code_to_paste}",
                True,
            )

    def _remark_draws(self, draws: list[str], is_undone: bool) -> None:
        if draws:
            told = "what is recorded is computed with others" if is_undone else "on recorded steps they are others than without recording"
            self._remarks.setdefault(
                f"The step draws random numbers by {', '.join(draws)} of TensorFlow, which count their draws in each traced function by itself: "
                f"{told}. Draw them with `keras.random` and a `keras.random.SeedGenerator`.",
                True,
            )


_OUTPUTS = {"result", "captured"}


def _around_branches(graph: tf.Graph) -> tf.Graph:
    """The graph of the function that a branch of a condition, or the body of a loop, is part of: they aren't traced by themselves."""
    while isinstance(graph, (CondBranchFuncGraph, WhileBodyFuncGraph, WhileCondFuncGraph)):
        graph = graph.outer_graph
    return graph
