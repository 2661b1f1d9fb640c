"""Programs with a known verdict: a fault at a node, or none.

The one invariant: a program says what is wrong with it before anything is measured; no rule and no threshold knows a program. Training happens in
`Program.train`, judging elsewhere.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["PROGRAMS", "Program", "Training", "faulty", "healthy", "twins"]


@dataclass(frozen=True)
class Training:
    """A model and what `fit` gets.

    ``again``: what further calls of `fit` get. ``loop``: a train step of one's own, called with each batch in the place of `fit`.
    """

    model: Any
    x: Any
    y: Any = None
    batch_size: int = 32
    epochs: int = 4
    options: dict[str, Any] = field(default_factory=dict)
    again: Sequence[Callable[[Any], dict[str, Any]]] = ()
    more_callbacks: Sequence[Any] = ()
    loop: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
      rules: names of rules that describe the fault; the first is the usual one; empty for a healthy program.
      nodes: where the fault is; a node below one of them (a weight of the layer) counts too.
      every: which steps are recorded.
      held_out: written after the rules were fixed.
    """

    name: str
    family: str
    build: Callable[[], Training]
    rules: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    every: int = 5
    held_out: bool = False

    def train(self, log_dir: Path) -> Path:
        """Trains with the callback and returns the directory of the run."""
        import keras

        import tb_activations

        keras.backend.clear_session()
        keras.config.set_dtype_policy("float32")
        keras.utils.set_random_seed(zlib.crc32(self.name.encode()) % 10_000)
        training = self.build()
        if training.loop:
            self._loop(training, log_dir)
        else:
            callback = tb_activations.ActivationsCallback(log_dir, every=self.every, samples="none", histograms=False, print_findings=False)
            callbacks = [callback, *training.more_callbacks]
            options = {"batch_size": training.batch_size, "epochs": training.epochs, "verbose": 0, "callbacks": callbacks, **training.options}
            training.model.fit(training.x, training.y, **options)
            for more in training.again:
                training.model.fit(training.x, training.y, **{**options, **more(training.model)})
        keras.config.set_dtype_policy("float32")
        return log_dir / "train"

    def _loop(self, training: Training, log_dir: Path) -> None:
        import tb_activations

        watched = tb_activations.watch(training.loop, model=training.model, log_dir=log_dir, every=self.every, samples="none", histograms=False)
        size = training.batch_size
        with watched as step:
            for _ in range(training.epochs):
                for start in range(0, len(training.x) - size + 1, size):
                    step(training.x[start : start + size], training.y[start : start + size])


PROGRAMS: dict[str, Program] = {}


def healthy(every: int = 5, held_out: bool = False, name: str = "") -> Callable[[Callable[[], Training]], Callable[[], Training]]:
    """Registers a program with nothing wrong."""
    return _register((), (), every, held_out, name)


def faulty(
    rules: str, nodes: str, every: int = 5, held_out: bool = False, name: str = ""
) -> Callable[[Callable[[], Training]], Callable[[], Training]]:
    """Registers a program with one fault: names of rules and of nodes, separated by spaces."""
    return _register(tuple(rules.split()), tuple(nodes.split()), every, held_out, name)


def twins(rules: str, nodes: str, every: int = 5) -> Callable[[Callable[[bool], Training]], Callable[[bool], Training]]:
    """Registers a program of a held-out set twice: with its fault, and mended. What builds it is told whether it has the fault."""

    def add(build: Callable[[bool], Training]) -> Callable[[bool], Training]:
        for ill, name, register in (
            (True, build.__name__, faulty(rules, nodes, every, True)),
            (False, f"{build.__name__}_mended", healthy(every, True)),
        ):
            one = functools.wraps(build)(functools.partial(build, ill))
            one.__name__ = name
            register(one)
        return build

    return add


def _register(
    rules: tuple[str, ...], nodes: tuple[str, ...], every: int, held_out: bool, name: str
) -> Callable[[Callable[[], Training]], Callable[[], Training]]:
    def add(build: Callable[[], Training]) -> Callable[[], Training]:
        family = build.__module__.rsplit(".", 1)[-1]
        full = f"{family}/{name or build.__name__}"
        assert full not in PROGRAMS, full
        PROGRAMS[full] = Program(full, family, build, rules, nodes, every, held_out)
        return build

    return add
