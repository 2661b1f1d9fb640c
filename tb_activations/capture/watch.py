"""`watch`: records a train step that is the user's own function, of a loop that is the user's own.

The one invariant: on every step that isn't recorded the user's function is called, the object itself with the arguments as they came; nothing is
copied, wrapped or traced anew. What is recorded, and how, is the same as in `fit`: this module knows how to make the twin of a function, and when
to run it.
"""

from __future__ import annotations

import functools
import inspect
import os
import time
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal

import keras
import tensorflow as tf
from tensorflow.python.saved_model.function_deserialization import RestoredFunction

from tb_activations.capture.arguments import Arguments, batch, check_arguments, told_of_keras_2
from tb_activations.capture.destination import Destination, let_go
from tb_activations.capture.forward import FixedBatch
from tb_activations.capture.instrument import instrumented
from tb_activations.capture.on_replicas import OnReplicas, converted
from tb_activations.capture.pace import Pace
from tb_activations.capture.packing import SAMPLE_EXAMPLES
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.replicas import this_worker
from tb_activations.capture.schedule import Every
from tb_activations.capture.selection import KINDS, Names
from tb_activations.capture.structure import Structure
from tb_activations.capture.tell import Warnings, tell
from tb_activations.capture.traced_functions import uncounted
from tb_activations.capture.trainability import Trainability
from tb_activations.capture.twin import Captured, Options, Twin
from tb_activations.capture.variables import Variables
from tb_activations.diagnosis import Finding, Severity
from tb_activations.diagnosis.live import LiveFindings, because_of
from tb_activations.errors import ArgumentError
from tb_activations.store.layout import STEPS
from tb_activations.store.schema import QUANTITIES, Kind, Quantity

__all__ = ["WatchedStep", "watch"]


def watch(
    train_step: Callable[..., Any],
    *,
    log_dir: str | os.PathLike[str],
    model: keras.Model | None = None,
    every: Every = "auto",
    first_step: int = 0,
    probe_data: Any = None,
    include: Names | None = None,
    exclude: Names | None = None,
    kinds: Sequence[Kind] = KINDS,
    quantities: Sequence[Quantity] = QUANTITIES,
    slots: bool = False,
    source_text: bool = False,
    ops: Names | None = None,
    histograms: bool = True,
    samples: Literal["none", "sample", "full"] = "sample",
    sample_examples: int = SAMPLE_EXAMPLES,
    sample_elements: int | None = None,
    max_bytes: int | None = None,
    print_findings: bool = True,
    on_finding: Callable[[Finding], object] | None = None,
    stop_on: Severity | None = None,
) -> WatchedStep:
    """Returns a function to call in the place of ``train_step``; it does the same, and records some of the calls.

    ```python
    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    with tb_activations.watch(train_step, model=model, log_dir="logs/run1") as step:
        for x, y in batches:
            loss = step(x, y)
    ```

    Args:
      train_step: a `tf.function` or a plain Python function that runs eagerly; one call is one step. It may call `strategy.run` of a
        `tf.distribute` strategy.
      log_dir: directory below which the run `train` is written.
      model: the Keras model whose layers name the nodes. Without one, as for a step of several models, layers are named as they are met.
      every: which calls are recorded, by their numbers, as the steps of `ActivationsCallback`.
      first_step: number of the first call; for a training that is resumed, the steps it made before.
      probe_data: a batch of inputs of `model`, whose forward pass (inference mode) is recorded at the same steps into the run `probe`: the same
        inputs each time, whatever the step is given.
      include, exclude, kinds, quantities, slots, source_text, ops, histograms, samples, sample_examples, sample_elements, max_bytes,
        print_findings, on_finding: as of `ActivationsCallback`.
      stop_on: the severity of findings ("note", "warning", "error") from which on `WatchedStep.should_stop` is True; None: never. The loop is
        yours, so it ends when you end it: `if step.should_stop: break`.
    """
    if not callable(train_step) or isinstance(train_step, keras.layers.Layer):
        advice = " For `model.fit`, give it an ActivationsCallback." if isinstance(train_step, keras.Model) else ""
        raise ArgumentError(
            f"`train_step` must be a function that makes one step, such as a tf.function.{advice} Received: train_step={train_step!r}"
        )
    if isinstance(train_step, WatchedStep):
        raise ArgumentError(f"`train_step` must be a function that isn't watched yet. Received: train_step={train_step!r}")
    if isinstance(_taken_apart(train_step)[0], _GRAPHS_ONLY):
        raise ArgumentError(
            "`train_step` must be a function whose Python code can run once more, such as the tf.function that `get_concrete_function` was called "
            f"of, or that was saved. Received one of which only the graph is left: train_step={train_step!r}"
        )
    if model is not None and not isinstance(model, keras.Model):
        several = " Leave it out for a step of several models: all that it calls are recorded."
        single = " Leave it out for a layer: it is recorded all the same." if isinstance(model, keras.layers.Layer) else told_of_keras_2(model)
        advice = several if isinstance(model, (list, tuple, dict)) else single
        raise ArgumentError(f"`model` must be a keras.Model, or None.{advice} Received: model={model!r}")
    if probe_data is not None and model is None:
        raise ArgumentError("`probe_data` must come with `model`, whose forward pass it is for. Received: model=None")
    if isinstance(first_step, bool) or not isinstance(first_step, int) or not 0 <= first_step < STEPS:
        raise ArgumentError(f"`first_step` must be an int of 0 or more, and less than 10**12. Received: first_step={first_step!r}")
    arguments = check_arguments(
        log_dir,
        every,
        include=include,
        exclude=exclude,
        kinds=kinds,
        quantities=quantities,
        slots=slots,
        source_text=source_text,
        ops=ops,
        histograms=histograms,
        samples=samples,
        sample_examples=sample_examples,
        sample_elements=sample_elements,
        max_bytes=max_bytes,
        print_findings=print_findings,
        on_finding=on_finding,
        stop_on=stop_on,
    )
    return WatchedStep(train_step, model, arguments, first_step, batch("probe_data", probe_data))


_GRAPHS_ONLY = (tf.types.experimental.ConcreteFunction, RestoredFunction)


class WatchedStep:
    """A train step that records itself. Made by `watch`.

    Attributes:
      step: number of the next call.
    """

    def __init__(
        self, train_step: Callable[..., Any], model: keras.Model | None, arguments: Arguments, first_step: int, probe_data: Any = None
    ) -> None:
        self.step = first_step
        self._plain = train_step
        self._model, self._options, self._schedule = model, arguments.options, arguments.schedule
        self._warnings = Warnings()
        run_dir = arguments.log_dir / "train"
        self._findings = LiveFindings(run_dir, arguments.actions, self._warnings.add, lambda: this_worker()[0] == 0)
        self._destination: Destination | None = Destination(run_dir, arguments.max_bytes, self._warnings.add, self._findings)
        self._probe = None if model is None else FixedBatch(model, probe_data, arguments.options, self._warnings.add)
        self._probe_destination = Destination(arguments.log_dir / "probe", arguments.max_bytes, self._warnings.add)
        weakref.finalize(self, let_go, [self._destination, self._probe_destination]).atexit = False  # then each writer ends by itself
        self._trainability: Trainability | None = None
        self._twin: FunctionTwin | None = None
        self._pace = Pace()
        self._names_checked = self._place_told = self._stop_told = False
        self._destination.begin(first_step)
        functools.update_wrapper(self, train_step, updated=())

    @property
    def should_stop(self) -> bool:
        """Whether a finding asks for the end of the training, by `stop_on`. Steps go on as before for who doesn't look."""
        return self._findings.stop is not None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """One step."""
        if tf.inside_function() or not _outside_replicas():
            self._tell_place()
            return self._plain(*args, **kwargs)
        started = time.perf_counter()
        if self._trainability is None and self._model is not None:
            self._trainability = Trainability(self._model, _taken_apart(self._plain)[0])
        if self._is_due():
            self._record_probe(self.step)
            result = self._record(args, kwargs, time.perf_counter())
        else:
            result = self._plain(*args, **kwargs)
            self._pace.add(time.perf_counter() - started)
        self.step += 1
        self._tell()
        return result

    def close(self) -> None:
        """Writes what is left and ends the recording; calls go on as plain steps. Happens by itself when the process ends."""
        destination, self._destination, self._twin = self._destination, None, None
        if destination is not None:
            destination.close()
            self._probe_destination.close()
        self._tell()

    def __enter__(self) -> WatchedStep:
        if self._destination is None:
            tell(f"The recording of this step is over, and is not begun again. Watch the function anew, with `first_step={self.step}`.", stacklevel=3)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _is_due(self) -> bool:
        try:
            return self._destination is not None and not self._destination.over and self._schedule.due(self.step)
        except Exception as error:  # noqa: BLE001  (the user's function; a schedule must not end a training)
            self._end("The function given as `every` failed", error)
            return False

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any], started: float) -> Any:
        if self._twin is None:
            self._twin = FunctionTwin(self._plain, self._model, self._options, self._trainability)
        twin = self._twin
        try:
            result, captured = twin(*args, **kwargs)
        except Exception as error:
            if twin.has_run_the_step and not twin.undone:
                raise
            result = self._plain(*args, **kwargs)
            self._end("Recording the step failed", error)
            return result
        if twin.undone:
            result = self._plain(*args, **kwargs)
            twin.compare(result)
        if captured is None:
            self._end("Recording the step failed", twin.failure)
        else:
            for remark in twin.take_remarks():
                self._warnings.add(remark)
            self._keep(captured, time.perf_counter() - started)
        return result

    def _keep(self, captured: Captured, seconds: float) -> None:
        if not self._names_checked:
            self._names_checked = True
            for sentence in self._options.selection.unmatched(captured.catalogue.graph):
                self._warnings.add(sentence)
        if self._destination is not None:
            self._destination.put(self.step, captured, overhead=self._pace.overhead(seconds))
        if self._probe is not None and self._probe.waits:
            self._record_probe(self.step + 1)  # the model was built by this step

    def _record_probe(self, step: int) -> None:
        captured = None if self._probe is None else self._probe()
        if captured is not None:
            self._probe_destination.put(step, captured)

    def _end(self, what: str, error: Exception | None) -> None:
        self._warnings.add(f"{what}, and recording is over: {type(error).__name__}: {str(error)[:300]} The steps themselves go on.")
        self.close()

    def _tell_place(self) -> None:
        """Told at once: replicas run in threads of their own."""
        if not self._place_told:
            self._place_told = True
            tell(
                "Expected a watched step to be called by the training loop itself. Received: a call inside a tf.function or `strategy.run`, where "
                "nothing is recorded. Watch the outermost function, the one that calls `strategy.run`.",
                stacklevel=3,
            )

    def _tell(self) -> None:
        if self._findings.stop is not None and not self._stop_told:
            self._stop_told = True
            self._warnings.add(f"Training should stop because of `stop_on`: {because_of(self._findings.stop)}")
        self._warnings.tell(stacklevel=3)


class FunctionTwin(Twin):
    """The instrumented twin of a function: for a `tf.function`, a second one of the same options; else the function itself, watched."""

    def __init__(self, function: Any, model: keras.Model | None, options: Options, trainability: Trainability | None) -> None:
        function, given, named = _taken_apart(function)
        self._keep_state(model, options, trainability, compiled_by_xla=bool(getattr(function, "_jit_compile", False)))
        self._entered = False
        self._compiled = isinstance(function, tf.types.experimental.PolymorphicFunction)
        body = function.python_function if self._compiled else function
        if self._compiled and function._autograph:
            body = converted(body)
        self._on_replicas = OnReplicas(self._recorded)
        instrumented_step = self._instrumented(body)
        # The copy has every option of the user's function: signature, XLA, retracing.
        self._twin: Any = uncounted(function._clone(python_function=instrumented_step)) if self._compiled else instrumented_step
        self._function = lambda arguments: self._twin(*given, *arguments[0], **{**named, **arguments[1]})

    @property
    def has_run_the_step(self) -> bool:
        """Whether the last call got so far that the step may have changed something: it must not be run again."""
        if self._compiled and not tf.config.functions_run_eagerly():
            return not self.tracing and not self._twin._jit_compile  # XLA runs a step whole or not at all
        return self._entered

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, Captured | None]:
        """Runs one step. Returns the step's own result and what was recorded."""
        self.tracing = self._entered = self.undone = False
        self._aside.begin((args, kwargs))
        return self._ended(self._run_or_undo((args, kwargs)))

    def _instrumented(self, body: Callable[..., Any]) -> Callable[..., Any]:
        recorded = self._recorded(body)

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        @functools.wraps(body)
        def step(*args: Any, **kwargs: Any) -> dict[str, Any]:
            self.tracing = True
            self._check_trainability()
            self._on_replicas.begin()
            outputs = recorded(*args, **kwargs)
            if self._on_replicas.captured is not None:
                outputs["captured"] = self._on_replicas.captured
            if self._on_replicas.runs > 1:
                self._remarks.setdefault("The step calls `strategy.run` more than once: only the first run of each step is recorded.", True)
            if self._on_replicas.unsupported:
                self._remarks.setdefault(f"Nothing is recorded of what the step runs by `{self._on_replicas.unsupported}.run`: not supported.", True)
            self.tracing = False
            return outputs

        stepper: Callable[..., Any] = step
        return stepper

    def _recorded(self, body: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
        """``body`` with a recorder of its own for each call."""

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        @functools.wraps(body)
        def instrumented_step(*args: Any, **kwargs: Any) -> dict[str, Any]:
            structure = Structure(self._model)
            recorder = Recorder(structure, self._options.selection, "train", self._lasting)
            recorder.variables = Variables(structure, by_hand=True)
            recorder.on_replicas = self._on_replicas
            with instrumented(recorder):
                self._entered = True
                result = body(*args, **kwargs)
            replicated = self._on_replicas.runs > 0
            if replicated:
                self._aside.refuse()
            self._end_trace(recorder)
            captured = {} if replicated and _outside_replicas() else self._finish(recorder, result)
            recorder.release()
            return {"result": result, "captured": captured}

        recorded: Callable[..., dict[str, Any]] = instrumented_step
        return recorded


def _taken_apart(function: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """A function, that of an object which is called, and the arguments that `functools.partial` gave it beforehand."""
    given, named = (function.args, function.keywords) if isinstance(function, functools.partial) else ((), {})
    function = function.func if isinstance(function, functools.partial) else function
    if isinstance(inspect.getattr_static(type(function), "__call__", None), tf.types.experimental.PolymorphicFunction):
        function = function.__call__
    return function, given, named


def _outside_replicas() -> bool:
    return not tf.distribute.has_strategy() or tf.distribute.in_cross_replica_context()
