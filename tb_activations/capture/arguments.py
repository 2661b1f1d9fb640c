"""What the callback and `watch` are given, checked.

The one invariant: both take the same options, mean the same by them and refuse the same, since both ask here. A bad argument is an `ArgumentError`
that names it, says what was expected and what was received, before anything is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tb_activations.capture.packing import Keep
from tb_activations.capture.schedule import Every, Schedule
from tb_activations.capture.selection import Names, Selection
from tb_activations.capture.twin import Options
from tb_activations.diagnosis import Finding, Severity
from tb_activations.diagnosis.live import Actions
from tb_activations.errors import ActivationsError, ArgumentError
from tb_activations.store.local_path import local_path
from tb_activations.store.schema import Kind, Quantity

__all__ = ["KERAS_3", "Arguments", "batch", "check_arguments", "flag", "told_of_keras_2"]

KERAS_3 = "Make it with `import keras` in place of `tf_keras`, and without TF_USE_LEGACY_KERAS in place of `tf.keras`."


class Arguments(NamedTuple):
    """The options, ready for use.

    Attributes:
      log_dir: directory below which runs are written.
      schedule: which steps are recorded.
      options: what is recorded of them.
      max_bytes: size budget of each run; None: no bound.
      actions: what happens when a finding appears.
    """

    log_dir: Path
    schedule: Schedule
    options: Options
    max_bytes: int | None
    actions: Actions


def check_arguments(
    log_dir: str | os.PathLike[str],
    every: Every,
    *,
    include: Names | None,
    exclude: Names | None,
    kinds: Sequence[Kind],
    quantities: Sequence[Quantity],
    slots: bool,
    source_text: bool,
    ops: Names | None,
    histograms: bool,
    samples: str,
    sample_examples: int,
    sample_elements: int | None,
    max_bytes: int | None,
    print_findings: bool,
    on_finding: Callable[[Finding], object] | None,
    stop_on: Severity | None,
) -> Arguments:
    """The options of `ActivationsCallback` and `watch`, by the names they have there."""
    if keras.backend.backend() != "tensorflow":
        raise ActivationsError(f"Expected Keras on its TensorFlow backend. Received: keras.backend.backend()={keras.backend.backend()!r}")
    schedule = Schedule(every)
    selection = Selection(include, exclude, kinds, quantities, ops, slots)
    keep = Keep(
        flag("histograms", histograms),
        _one_of("samples", samples, ("none", "sample", "full")),
        _positive("sample_examples", sample_examples),
        None if sample_elements is None else _positive("sample_elements", sample_elements),
    )
    configuration = {
        "every": schedule.description,
        "source_text": flag("source_text", source_text),
        **selection.description,
        **{name: getattr(keep, name) for name in keep.__slots__},
    }
    return Arguments(
        local_path("log_dir", log_dir).absolute(),  # a program may change its directory
        schedule,
        Options(selection, keep, configuration),
        None if max_bytes is None else _positive("max_bytes", max_bytes),
        Actions(flag("print_findings", print_findings), on_finding, stop_on),
    )


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ArgumentError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return value


def batch(name: str, value: Any) -> Any:
    """Inputs of a model as they are, or None: an array or a tensor, or lists and dicts of such."""
    for leaf in tf.nest.flatten(value):
        if leaf is not None and not hasattr(leaf, "shape"):
            expected = f"`{name}` must be a batch of inputs, as the model is called with it: arrays or tensors"
            advice = ". Take one from it first, without the targets" if isinstance(leaf, Iterable) and not isinstance(leaf, (str, bytes)) else ""
            raise ArgumentError(f"{expected}{advice}. Received: {name}={value!r}")
    return value


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"`{name}` must be a positive int. Received: {name}={value!r}")
    return value


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ArgumentError(f"`{name}` must be one of {', '.join(map(repr, allowed))}. Received: {name}={value!r}")
    return value


def told_of_keras_2(model: Any) -> str:
    """What to do about ``model``, which isn't one of Keras 3, where it is one of the Keras 2 that TensorFlow still offers; "" where it is neither."""
    return f" It is one of Keras 2. {KERAS_3}" if type(model).__module__.partition(".")[0] == "tf_keras" else ""
