"""The functions of a model that run its steps: what Keras calls them, and how to have one made.

The one invariant: a model keeps the functions that it has, and every attribute that was set on it here is what it was afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import keras
import tensorflow as tf

from tb_activations.capture.traced_functions import uncounted

__all__ = [
    "NAMES",
    "StepKind",
    "fails_where_data_ends",
    "is_made_by_keras",
    "is_step_of_keras",
    "made_anew",
    "outermost_graph",
    "overridden",
    "single_step",
]

StepKind = Literal["train", "evaluate", "predict"]


class _StepNames(NamedTuple):
    step: str
    function: str
    make: str
    loop: str


NAMES: Mapping[StepKind, _StepNames] = {
    "train": _StepNames("train_step", "train_function", "make_train_function", "fit"),
    "evaluate": _StepNames("test_step", "test_function", "make_test_function", "evaluate"),
    "predict": _StepNames("predict_step", "predict_function", "make_predict_function", "predict"),
}


@contextmanager
def overridden(target: Any, name: str, value: Any) -> Iterator[None]:
    """Sets an attribute of an instance, past any tracking of it, and puts back what was there."""
    missing = object()
    before = vars(target).get(name, missing)
    object.__setattr__(target, name, value)
    try:
        yield
    finally:
        if before is missing:
            object.__delattr__(target, name)
        else:
            object.__setattr__(target, name, before)


def is_made_by_keras(model: keras.Model, kind: StepKind) -> bool:
    """Whether the function that runs the step is made by Keras, and not by a method of the user's: it runs the step once, on one batch."""
    return _is_of_keras(model, NAMES[kind].make)


def is_step_of_keras(model: keras.Model, kind: StepKind) -> bool:
    """Whether the step itself is Keras' own, and not a method of the user's."""
    return _is_of_keras(model, NAMES[kind].step)


def _is_of_keras(model: keras.Model, method: str) -> bool:
    return getattr(getattr(model, method), "__func__", None) is getattr(keras.Model, method)


def made_anew(model: keras.Model, kind: StepKind) -> Callable[[Any], Any]:
    """A new function of the model's present step. The model keeps the one it has."""
    names = NAMES[kind]
    plain = getattr(model, names.function)
    try:
        getattr(model, names.make)(force=True)
        made: Callable[[Any], Any] = getattr(model, names.function)
    finally:
        setattr(model, names.function, plain)
    return uncounted(made)


def single_step(model: keras.Model, kind: StepKind) -> Callable[[Any], Any]:
    """The model's plain step, one step per execution whatever the model was compiled with."""
    function = made_anew(model, kind)

    def run(source: Any) -> Any:
        with overridden(model, "steps_per_execution", 1):
            return function(source)

    return run


def fails_where_data_ends() -> bool:
    """Whether an execution of several steps that meets the end of its data fails there, in the middle of a step. Since Keras 3.7 it returns."""
    return tuple(map(int, keras.__version__.split(".")[:2])) < (3, 7)


def outermost_graph() -> Any:
    """The graph that is traced, past those inside it; None in eager steps."""
    graph: Any = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    while getattr(getattr(graph, "outer_graph", None), "building_function", False):
        graph = graph.outer_graph
    return graph
