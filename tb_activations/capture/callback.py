"""`ActivationsCallback`: records a model's step from inside `fit`, `evaluate` and `predict`.

The one invariant: training is what it would be without the callback: the same numbers, the same functions on the steps between captures, and no
error of ours. This module knows lifetimes only: what Keras tells when, and who has to hear it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec

import keras

from tb_activations.capture.arguments import KERAS_3, batch, check_arguments, flag
from tb_activations.capture.clock import Clock
from tb_activations.capture.destination import Destination, let_go
from tb_activations.capture.forward import FixedBatch
from tb_activations.capture.optimizers import steps_counted
from tb_activations.capture.pace import Pace
from tb_activations.capture.packing import SAMPLE_EXAMPLES
from tb_activations.capture.replicas import this_worker
from tb_activations.capture.schedule import Every, Schedule
from tb_activations.capture.selection import KINDS, Names
from tb_activations.capture.step_functions import StepKind
from tb_activations.capture.swap import Swap
from tb_activations.capture.tell import Warnings
from tb_activations.capture.twin import Captured
from tb_activations.diagnosis import Finding, Severity
from tb_activations.diagnosis.live import LiveFindings, because_of
from tb_activations.errors import ArgumentError
from tb_activations.store.schema import QUANTITIES, Kind, Quantity

__all__ = ["ActivationsCallback"]

P = ParamSpec("P")


def _harmless(hook: Callable[Concatenate[ActivationsCallback, P], None]) -> Callable[Concatenate[ActivationsCallback, P], None]:
    """A hook that ends the recording, and not the training, when something of ours fails in it."""

    @functools.wraps(hook)
    def guarded(self: ActivationsCallback, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self._over:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  (told once)
            self._end(error)

    return guarded


class ActivationsCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Records the values, gradients and updates of every node of a model while it trains, for TensorBoard and `open_run`.

    Args:
      log_dir: directory below which the runs `train`, `validation`, `predict` and `probe` are written.
      every: which steps are recorded: an int n (steps 0, n, 2n, …), a collection of steps, a function of the step that returns a bool, or
        "auto": the first 20 steps, then ever fewer (captures are a quarter of the steps so far apart at most), from 400 on every hundredth.
        Steps are counted from 0, over all epochs and all calls of `fit`.
      include: regular expressions searched for in the names of nodes, or a function of a name: record only these.
      exclude: the same: don't record these.
      kinds: kinds of nodes to record: "input", "layer", "op", "probe", "variable", "loss".
      quantities: what to record of them: "value", "gradient" and, for variables, "update".
      slots: whether what the optimizer keeps (momentum, velocity …) is listed and recorded too, as variables below `optimizer/`.
      source_text: whether the list keeps a few lines of your source around the line that made a node. Off by default: source may be private.
      ops: single TensorFlow operations of the step to show as nodes beside layers: regular expressions for names or types (`"MatMul"`,
        `r"^head/"`) record what they find, "list" shows all and records none. None: they would bury the layers; `Run.operations` has them all.
        Softmax, sigmoid, tanh and ReLU in the `call` of a layer of yours are nodes either way, as `include`, `exclude` and `kinds` have it.
      histograms: whether to keep a histogram of each tensor.
      samples: raw numbers to keep of each tensor: "none", "sample" (a bounded part, of large images every second, third … row and column) or
        "full".
      sample_examples: most examples of the batch in a sample.
      sample_elements: most numbers in a sample. None: 2,048, and fewer where so many tensors are recorded that the samples of a capture would
        take more than some 400 kB; activations come first then.
      max_bytes: size budget of each run in bytes, the list of its operations apart; None: no bound.
      validation: whether to record the first batch of each evaluation during `fit`.
      probe_data: a batch of inputs whose forward pass (inference mode) is recorded at the same steps, beside the training batch.
      print_findings: whether what the rules find wrong is printed to stderr, once, when it appears.
      on_finding: a function called with each new `Finding`, on another thread.
      stop_on: stop training at a finding of this severity ("note", "warning", "error") or a higher one; None: never.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        every: Every = "auto",
        *,
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
        validation: bool = True,
        probe_data: Any = None,
        print_findings: bool = True,
        on_finding: Callable[[Finding], object] | None = None,
        stop_on: Severity | None = None,
    ) -> None:
        super().__init__()
        self._log_dir, self._schedule, self._options, self._max_bytes, self._actions = check_arguments(
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
        self._validation = flag("validation", validation)
        self._probe_data = batch("probe_data", probe_data)
        self._begin()

    def _begin(self) -> None:
        """Everything that recording changes, as it is before the first step."""
        self._warnings = Warnings()
        self._warnings.thread = threading.get_ident()
        self._findings = LiveFindings(self._log_dir / "train", self._actions, self._warnings.add, lambda: this_worker()[0] == 0)
        self._destinations: dict[str, Destination] = {}
        weakref.finalize(self, let_go, self._destinations.values()).atexit = False  # then each writer ends by itself
        self._swaps: dict[StepKind, Swap] = {}
        self._probe: FixedBatch | None = None
        self._clock: Clock | None = None
        self._pace = Pace()
        self._epoch = -1
        self._iterations = 0
        self._fitting = False
        self._announcement: Mapping[str, Any] = {}
        self._names_checked = self._is_passed_by = False
        self._over = False

    def __getstate__(self) -> dict[str, Any]:
        """A copy, here or in another process, has the same options and has recorded nothing: tuners copy callbacks."""
        return {name: value for name, value in vars(self).items() if name not in _OF_A_TRAINING} | {"_model": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    # What Keras tells.

    def set_model(self, model: keras.Model) -> None:
        if not isinstance(model, keras.Model):
            # The Keras 2 that TensorFlow still offers calls callbacks in its own way, and would fail at a method that Keras 3 hasn't got.
            raise ArgumentError(f"Expected a model of Keras 3. Received: {model!r} of {type(model).__module__}. {KERAS_3}")
        if model is not self._model:
            self._swaps, self._probe, self._names_checked = {}, None, False
        if self._clock is not None:
            # A loop of its own, such as an evaluation by another callback. No hook tells that a batch has ended: Keras would wait for it.
            self._clock.end_execution()
        super().set_model(model)

    @_harmless
    def on_train_begin(self, logs: Any = None) -> None:
        self._fitting, self._warnings.thread, self._announcement = True, threading.get_ident(), self._params()

    @_harmless
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        self._pace.pause()
        self._swap("train", self._trained).disarm()  # of a training that was interrupted
        if self._clock is not None:
            self._begin_epoch(self._clock)

    @_harmless
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._clock is None:
            # Not before: other callbacks may restore the optimizer when training begins.
            self._clock = Clock(self._first_step())
            self._begin_epoch(self._clock)
        steps = self.model.steps_per_execution
        first = self._clock.begin_execution(steps, self._announced().get("steps"))
        due = self._due(first, steps)
        self._pace.begin(steps, idle=not any(due))
        swap = self._swap("train", self._trained)
        self._expect_no_wait(swap)
        swap.meet()  # not before: Keras traces a new function in this step, and other callbacks may set `trainable` until then
        if any(due):
            self._step = first
            self._record_probe(first + due.index(True))
            swap.arm(due)
        self._stop_if_asked()
        self._warnings.tell(stacklevel=2)

    @_harmless
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        swap = self._swap("train", self._trained)
        self._expect_no_wait(swap)
        swap.disarm()
        if self._clock is not None:
            self._clock.end_epoch(self.model.steps_per_execution, **self._of_the_epoch())

    @_harmless
    def on_train_end(self, logs: Any = None) -> None:
        self._fitting = False
        _LAST_STEPS.setdefault(self.model, {})[self._log_dir] = self._now()
        self._close()

    @_harmless
    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 0 and (self._validation or not self._fitting) and not self._is_lost("validation"):
            self._swap("evaluate", self._evaluated).arm([True] + [False] * (self.model.steps_per_execution - 1))

    @_harmless
    def on_test_end(self, logs: Any = None) -> None:
        self._swap("evaluate", self._evaluated).disarm()
        if not self._fitting:
            self._close()

    @_harmless
    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 0 and not self._is_lost("predict"):
            self._swap("predict", self._predicted).arm([True])

    @_harmless
    def on_predict_end(self, logs: Any = None) -> None:
        self._swap("predict", self._predicted).disarm()
        if not self._fitting:
            self._close()

    # What was recorded.

    def _trained(self, index: int, captured: Captured, seconds: float) -> None:
        self._check_names(captured)
        self._destination("train").put(self._step + index, captured, epoch=self._epoch, overhead=self._pace.overhead(seconds))
        if self._probe is not None and self._probe.waits:
            self._record_probe(self._step + index + 1)  # the model was built by this step

    def _evaluated(self, index: int, captured: Captured, seconds: float) -> None:
        self._put_beside("validation", captured)

    def _predicted(self, index: int, captured: Captured, seconds: float) -> None:
        self._put_beside("predict", captured)

    def _put_beside(self, run: str, captured: Captured) -> None:
        """Keeps what was recorded of no training step, as of the step that comes next."""
        step = self._now()
        if self._clock is None and run not in self._destinations:
            self._destination(run).begin_beside(step)
        self._destination(run).put(step, captured, epoch=self._epoch)

    def _record_probe(self, step: int) -> None:
        if self._probe is None:
            self._probe = FixedBatch(self.model, self._probe_data, self._options, self._warnings.add)
        captured = self._probe()
        if captured is not None:
            self._destination("probe").put(step, captured, epoch=self._epoch)

    # Where things are kept.

    def _swap(self, kind: StepKind, handle: Callable[[int, Captured, float], None]) -> Swap:
        if kind not in self._swaps:
            self._swaps[kind] = Swap(self.model, kind, self._options, handle, self._warnings.add)
        return self._swaps[kind]

    def _destination(self, run: str) -> Destination:
        if run not in self._destinations:
            follow = self._findings if run in ("train", "validation") else None
            self._destinations[run] = Destination(self._log_dir / run, self._max_bytes, self._warnings.add, follow)
        return self._destinations[run]

    def _is_lost(self, run: str) -> bool:
        """Whether recording ``run`` would be in vain, as it can't be written."""
        return run in self._destinations and self._destinations[run].over

    def _close(self) -> None:
        for swap in self._swaps.values():
            swap.release()
        for _, destination in sorted(self._destinations.items(), key=lambda item: item[0] == "validation"):  # compared with what training gave
            destination.close()
        self._warnings.tell(stacklevel=2)

    def _end(self, error: Exception) -> None:
        """Nothing is recorded any more; what was, is kept."""
        self._over = True
        for end in (*(swap.release for swap in self._swaps.values()), *(destination.close for destination in self._destinations.values())):
            with contextlib.suppress(Exception):
                end()
        self._warnings.add(f"Recording failed, and is over: {type(error).__name__}: {error}. Training goes on without it.")

    # Steps.

    def _due(self, first: int, steps: int) -> list[bool]:
        if self._is_lost("train"):
            return [False] * steps
        try:
            return [self._schedule.due(first + index) for index in range(steps)]
        except Exception as error:  # noqa: BLE001  (the user's function; a schedule must not end a training)
            self._schedule = Schedule(lambda step: False)
            self._warnings.add(f"The function given as `every` failed, and recording is over: {type(error).__name__}: {error}")
            return [False] * steps

    def _first_step(self) -> int:
        """0 in a new run; in one that was recorded before, where this model stood there, or the optimizer's count of a resumed training."""
        destination = self._destination("train")
        if not destination.was_recorded():
            return 0
        first = self._stands_at()
        destination.begin(first)
        return first

    def _stands_at(self) -> int:
        """How far the model was trained, as far as this process recorded it here, or as its optimizer counted."""
        known = _LAST_STEPS.get(self.model, {}).get(self._log_dir)
        return known if known is not None else steps_counted(self.model) or 0

    def _announced(self) -> Mapping[str, Any]:
        """What was told of the loop, as the steps of each epoch; one's own need not tell of any. An evaluation within `fit` tells of its own."""
        return self._announcement if self._fitting else self._params()

    def _params(self) -> Mapping[str, Any]:
        return getattr(self, "params", None) or {}  # older ones of Keras set it in `fit` only

    def _of_the_epoch(self) -> dict[str, Any]:
        """What is known of the steps of this epoch, beside the executions that began."""
        announced = self._announced()
        # `fit` tells of steps, be it that it doesn't know how many. A loop of one's own has its batch before it begins a step.
        stopped = bool(self.model.stop_training) or "steps" not in announced
        iterations = None if isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer) else steps_counted(self.model)
        swap = self._swap("train", self._trained)
        in_vain = not stopped and swap.counts_the_end()
        return {
            "ended": swap.ended,
            "expected": announced.get("steps"),
            "iterations": None if iterations is None else iterations - self._iterations - in_vain,
            "stopped": stopped,
        }

    def _begin_epoch(self, clock: Clock) -> None:
        iterations = steps_counted(self.model) or 0
        clock.begin_epoch(iterations - self._iterations)
        self._iterations = iterations

    def _stop_if_asked(self) -> None:
        finding = self._findings.take_stop()
        if finding is not None:
            self.model.stop_training = True
            self._warnings.add(f"Training stops because of `stop_on`: {because_of(finding)}")

    def _expect_no_wait(self, swap: Swap) -> None:
        """The last batch is over. Warns where it was trained past the model's own function, so that nothing of it was recorded."""
        if swap.waits and not self._is_passed_by:
            self._is_passed_by = True
            self._warnings.add(
                f"A batch was trained without `train_function` of `{self.model.name}`, and so not recorded. In a loop of your own, such as a `fit` "
                "that you wrote, watch the step (`tb_activations.watch`); give a `fit` inside another a callback of its own."
            )

    def _now(self) -> int:
        if self._clock is None:
            return self._stands_at()
        return self._clock.now(self.model.steps_per_execution, **self._of_the_epoch())

    # Warnings.

    def _check_names(self, captured: Captured) -> None:
        if not self._names_checked:
            self._names_checked = True
            for sentence in self._options.selection.unmatched(captured.catalogue.graph):
                self._warnings.add(sentence)


_LAST_STEPS: weakref.WeakKeyDictionary[keras.Model, dict[Path, int]] = weakref.WeakKeyDictionary()
"""Where each model of this process stands in each log directory: a callback made anew, after another `compile`, goes on from there. The
optimizer's count begins at 0 then, and captures of the same steps would take the place of the earlier ones."""

_OF_A_TRAINING = frozenset(
    {
        *("_findings", "_destinations", "_swaps", "_probe", "_clock", "_pace", "_epoch", "_iterations", "_fitting", "_announcement"),
        *("_names_checked", "_is_passed_by", "_warnings", "_step", "_over"),
    }
)
