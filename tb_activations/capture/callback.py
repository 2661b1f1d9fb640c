"""`ActivationsCallback`: records a model's step from inside `fit`, `evaluate` and `predict`.

The one invariant: training is what it would be without the callback: the same numbers, the same functions on the steps between captures, and no
error of ours. This module knows lifetimes only: what Keras tells when, and who has to hear it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

import keras

from tb_activations.capture.clock import Clock
from tb_activations.capture.destination import Destination
from tb_activations.capture.forward import FixedBatch
from tb_activations.capture.packing import SAMPLE_ELEMENTS, SAMPLE_EXAMPLES, Keep
from tb_activations.capture.replicas import this_worker
from tb_activations.capture.schedule import Every, Schedule
from tb_activations.capture.selection import KINDS, Names, Selection
from tb_activations.capture.swap import Swap
from tb_activations.capture.tell import tell
from tb_activations.capture.twin import Captured, Options, StepKind
from tb_activations.diagnosis import Finding, Severity
from tb_activations.diagnosis.live import Actions, LiveFindings
from tb_activations.errors import ActivationsError, ArgumentError
from tb_activations.store.schema import QUANTITIES, Kind, Quantity

__all__ = ["ActivationsCallback"]


class ActivationsCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Records the values, gradients and updates of every node of a model while it trains, for TensorBoard and `open_run`.

    Args:
      log_dir: directory below which the runs `train`, `validation`, `predict` and `probe` are written.
      every: which steps are recorded: an int n (steps 0, n, 2n, …), a collection of steps, or a function of the step that returns a bool.
        Steps are counted from 0, over all epochs and all calls of `fit`.
      include: regular expressions searched for in the names of nodes, or a function of a name: record only these.
      exclude: the same: don't record these.
      kinds: kinds of nodes to record: "input", "layer", "op", "probe", "variable", "loss".
      quantities: what to record of them: "value", "gradient" and, for variables, "update".
      slots: whether what the optimizer keeps (momentum, velocity …) is listed and recorded too, as variables below `optimizer/`.
      source_text: whether the list keeps a few lines of your source around the line that made a node. Off by default: source may be private.
      ops: single TensorFlow operations of the step, beside layers: "list" lists them all, regular expressions for names or types
        (`"MatMul"`, `r"^head/"`) list and record what they find. None: there are so many that they would bury the layers.
      histograms: whether to keep a histogram of each tensor.
      samples: raw numbers to keep of each tensor: "none", "sample" (a bounded part) or "full".
      sample_examples: most examples of the batch in a sample.
      sample_elements: most numbers in a sample.
      max_bytes: size budget of each run in bytes; None: no bound.
      validation: whether to record the first batch of each evaluation during `fit`.
      probe_data: a batch of inputs whose forward pass (inference mode) is recorded at the same steps, beside the training batch.
      print_findings: whether what the rules find wrong is printed to stderr, once, when it appears.
      on_finding: a function called with each new `Finding`, on another thread.
      stop_on: stop training at a finding of this severity ("note", "warning", "error") or a higher one; None: never.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        every: Every = 100,
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
        sample_elements: int = SAMPLE_ELEMENTS,
        max_bytes: int | None = None,
        validation: bool = True,
        probe_data: Any = None,
        print_findings: bool = True,
        on_finding: Callable[[Finding], object] | None = None,
        stop_on: Severity | None = None,
    ) -> None:
        super().__init__()
        if keras.backend.backend() != "tensorflow":
            raise ActivationsError(f"Expected Keras on its TensorFlow backend. Received: keras.backend.backend()={keras.backend.backend()!r}")
        self._log_dir = _directory(log_dir)
        self._schedule = Schedule(every)
        selection = Selection(include, exclude, kinds, quantities, ops, slots)
        keep = Keep(
            _flag("histograms", histograms),
            _one_of("samples", samples, ("none", "sample", "full")),
            _positive("sample_examples", sample_examples),
            _positive("sample_elements", sample_elements),
        )
        self._max_bytes = None if max_bytes is None else _positive("max_bytes", max_bytes)
        self._validation = _flag("validation", validation)
        self._probe_data = probe_data
        self._actions = Actions(_flag("print_findings", print_findings), on_finding, stop_on)
        configuration = {
            "every": self._schedule.description,
            "source_text": _flag("source_text", source_text),
            **selection.description,
            **{name: getattr(keep, name) for name in keep.__slots__},
        }
        self._options = Options(selection, keep, configuration)
        self._begin()

    def _begin(self) -> None:
        """Everything that recording changes, as it is before the first step."""
        self._findings = LiveFindings(self._log_dir / "train", self._actions, self._warn, lambda: this_worker()[0] == 0)
        self._destinations: dict[str, Destination] = {}
        self._swaps: dict[StepKind, Swap] = {}
        self._probe: FixedBatch | None = None
        self._clock: Clock | None = None
        self._pace = _Pace()
        self._epoch = -1
        self._iterations = 0
        self._fitting = False
        self._names_checked = False
        self._warnings: deque[str] = deque()
        self._thread = threading.get_ident()

    def __getstate__(self) -> dict[str, Any]:
        """A copy, here or in another process, has the same options and has recorded nothing: tuners copy callbacks."""
        return {name: value for name, value in vars(self).items() if name not in _OF_A_TRAINING} | {"_model": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    # What Keras tells.

    def set_model(self, model: keras.Model) -> None:
        if model is not self._model:
            self._swaps, self._probe, self._names_checked = {}, None, False
        super().set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        self._fitting, self._thread = True, threading.get_ident()
        self._swap("train", self._trained).meet()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        self._pace.pause()
        if self._clock is not None:
            self._begin_epoch(self._clock)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._clock is None:
            # Not before: other callbacks may restore the optimizer when training begins.
            self._clock = Clock(self._first_step())
            self._begin_epoch(self._clock)
        steps = self.model.steps_per_execution
        first = self._clock.begin_execution(steps)
        due = self._due(first, steps)
        self._pace.begin(steps, idle=not any(due))
        if any(due):
            self._step = first
            self._record_probe(first + due.index(True))
            self._swap("train", self._trained).arm(due)
        self._stop_if_asked()
        self._tell()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._swap("train", self._trained).disarm()
        if self._clock is not None:
            iterations = None if isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer) else _iterations(self.model)
            self._clock.end_epoch(
                self.model.steps_per_execution,
                expected=(self.params or {}).get("steps"),  # a loop of one's own need not tell
                iterations=None if iterations is None else iterations - self._iterations,
                stopped=bool(self.model.stop_training),
            )

    def on_train_end(self, logs: Any = None) -> None:
        self._fitting = False
        self._close()

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 0 and (self._validation or not self._fitting):
            self._swap("evaluate", self._evaluated).arm([True] + [False] * (self.model.steps_per_execution - 1))

    def on_test_end(self, logs: Any = None) -> None:
        self._swap("evaluate", self._evaluated).disarm()
        if not self._fitting:
            self._close()

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 0:
            self._swap("predict", self._predicted).arm([True])

    def on_predict_end(self, logs: Any = None) -> None:
        self._swap("predict", self._predicted).disarm()
        if not self._fitting:
            self._close()

    # What was recorded.

    def _trained(self, index: int, captured: Captured, seconds: float) -> None:
        self._check_names(captured)
        self._destination("train").put(self._step + index, captured, epoch=self._epoch, overhead=self._pace.overhead(seconds))
        if self._probe_data is not None and self._probe is None:
            self._record_probe(self._step + index + 1)  # the model was built by this step

    def _evaluated(self, index: int, captured: Captured, seconds: float) -> None:
        self._destination("validation").put(self._now(), captured, epoch=self._epoch)

    def _predicted(self, index: int, captured: Captured, seconds: float) -> None:
        self._destination("predict").put(self._now(), captured, epoch=self._epoch)

    def _record_probe(self, step: int) -> None:
        if self._probe_data is None or not self.model.built:
            return
        try:
            if self._probe is None:
                self._probe = FixedBatch(self.model, self._probe_data, self._options)
            captured = self._probe()
        except Exception as error:  # noqa: BLE001  (the fixed batch is an extra: training goes on)
            self._probe_data = None
            self._warn(f"Recording the forward pass of `probe_data` failed, and is over: {type(error).__name__}: {error}")
        else:
            self._destination("probe").put(step, captured, epoch=self._epoch)

    # Where things are kept.

    def _swap(self, kind: StepKind, handle: Callable[[int, Captured, float], None]) -> Swap:
        if kind not in self._swaps:
            self._swaps[kind] = Swap(self.model, kind, self._options, handle, self._warn)
        return self._swaps[kind]

    def _destination(self, run: str) -> Destination:
        if run not in self._destinations:
            follow = self._findings if run in ("train", "validation") else None
            self._destinations[run] = Destination(self._log_dir / run, self._max_bytes, self._warn, follow)
        return self._destinations[run]

    def _close(self) -> None:
        for swap in self._swaps.values():
            swap.release()
        for _, destination in sorted(self._destinations.items(), key=lambda item: item[0] == "validation"):  # compared with what training gave
            destination.close()
        self._tell()

    # Steps.

    def _due(self, first: int, steps: int) -> list[bool]:
        try:
            return [self._schedule.due(first + index) for index in range(steps)]
        except Exception as error:  # noqa: BLE001  (the user's function; a schedule must not end a training)
            self._schedule = Schedule(lambda step: False)
            self._warn(f"The function given as `every` failed, and recording is over: {type(error).__name__}: {error}")
            return [False] * steps

    def _first_step(self) -> int:
        """0 in a new run; where a training is resumed into a run that was recorded before, the optimizer's count."""
        return (_iterations(self.model) or 0) if self._destination("train").was_recorded() else 0

    def _begin_epoch(self, clock: Clock) -> None:
        clock.begin_epoch()
        self._iterations = _iterations(self.model) or 0

    def _stop_if_asked(self) -> None:
        finding = self._findings.take_stop()
        if finding is not None:
            self.model.stop_training = True
            self._warn(
                f"Training stops because of `stop_on`: {finding.title} at {finding.node} since step {finding.first_step:,}. {finding.sentence}"
            )

    def _now(self) -> int:
        return 0 if self._clock is None else self._clock.step

    # Warnings.

    def _check_names(self, captured: Captured) -> None:
        if not self._names_checked:
            self._names_checked = True
            for sentence in self._options.selection.unmatched([node.name for node in captured.catalogue.graph.nodes]):
                self._warn(sentence)

    def _warn(self, sentence: str) -> None:
        """Keeps a warning for the training thread; the writer's thread has no one to tell."""
        self._warnings.append(sentence)
        if threading.get_ident() == self._thread:
            self._tell()

    def _tell(self) -> None:
        while self._warnings:
            tell(self._warnings.popleft(), stacklevel=2)


_OF_A_TRAINING = frozenset(
    {
        *("_findings", "_destinations", "_swaps", "_probe", "_clock", "_pace", "_epoch", "_iterations", "_fitting", "_names_checked"),
        *("_warnings", "_thread", "_step"),
    }
)


class _Pace:
    """How long steps take without a capture, so that what a capture costs can be told."""

    def __init__(self) -> None:
        self._idle: deque[float] = deque(maxlen=32)
        self._began: tuple[float, int] | None = None

    def begin(self, steps: int, *, idle: bool) -> None:
        """An execution begins, and so the last one has ended."""
        now = time.perf_counter()
        if self._began is not None:
            self._idle.append((now - self._began[0]) / self._began[1])
        self._began = (now, steps) if idle else None

    def pause(self) -> None:
        """What comes before the next execution is no step."""
        self._began = None

    def overhead(self, seconds: float) -> float:
        return max(seconds - median(self._idle), 0.0) if self._idle else float("nan")


def _iterations(model: keras.Model) -> int | None:
    count = getattr(model.optimizer, "iterations", None)
    return None if count is None else int(count.numpy())


def _directory(log_dir: Any) -> Path:
    if not isinstance(log_dir, (str, os.PathLike)) or not str(log_dir):
        raise ArgumentError(f'`log_dir` must be a path such as "logs/run1". Received: log_dir={log_dir!r}')
    return Path(log_dir).expanduser()


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ArgumentError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return value


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"`{name}` must be a positive int. Received: {name}={value!r}")
    return value


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ArgumentError(f"`{name}` must be one of {', '.join(map(repr, allowed))}. Received: {name}={value!r}")
    return value
