"""Makes Keras and TensorFlow tell the recorder of this thread what a step does, for as long as the step's Python code runs.

The one invariant: outside `instrumented` every attribute is what it was, whatever was raised inside; inside, a thread without a recorder
runs the originals. A step that was traced before runs none of its Python code, and so without any wrapper. Attributes of classes are wrapped,
not of the user's objects: that also reaches layers made inside layers, models the model doesn't keep, and optimizers it doesn't know.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.autograph.operators import control_flow
from tensorflow.python.eager.polymorphic_function.concrete_function import ConcreteFunction
from tensorflow.python.ops import resource_variable_ops

from tb_activations.capture.active import current
from tb_activations.capture.bare_variables import WRITES
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.taps import untapped

__all__ = ["instrumented"]

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]

_FUNCTIONS = (type(tf.function(lambda: None)), ConcreteFunction)


@contextmanager
def instrumented(recorder: Recorder) -> Iterator[None]:
    """Everything that runs inside is told to ``recorder``. Several threads may be inside at once."""
    _patches.install()
    try:
        with recorder.recording():
            yield
    finally:
        _patches.remove()


def _wrap_call(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(op: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        return original(op, *args, **kwargs) if recorder is None else recorder.call(op, original, args, kwargs)

    return call


def _wrap_apply(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def apply(optimizer: keras.optimizers.Optimizer, grads: Any, trainable_variables: Any = None) -> Any:
        recorder = current()
        if recorder is None:
            return original(optimizer, grads, trainable_variables)
        grads = list(grads)
        variables = None if trainable_variables is None else list(trainable_variables)
        recorder.applied_gradients(optimizer, grads, optimizer._trainable_variables if variables is None else variables)
        with recorder.applying():
            return original(optimizer, grads, variables)

    return apply


def _wrap_scale_loss(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def scale_loss(optimizer: keras.optimizers.Optimizer, loss: Any) -> Any:
        scaled = original(optimizer, loss)
        recorder = current()
        if recorder is not None and scaled is not loss:
            recorder.scaled(loss, scaled, original(optimizer, tf.ones([])))
        return scaled

    return scale_loss


def _wrap_gradient(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def gradient(tape: tf.GradientTape, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is None:
            return original(tape, target, sources, *args, **kwargs)
        return recorder.gradient(original, tape, target, sources, *args, **kwargs)

    return gradient


def _wrap_gradients(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def gradients(ys: Any, xs: Any, grad_ys: Any = None, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is None or recorder.rewriting:
            return original(ys, xs, grad_ys, *args, **kwargs)
        with recorder.looking_back(ys, xs, grad_ys):
            found = original(ys, xs, grad_ys, *args, **kwargs)
        recorder.found_gradients(ys, xs, found)
        return found

    return gradients


def _wrap_enter(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def enter(tape: tf.GradientTape) -> Any:
        recorder = current()
        if recorder is not None:
            recorder.inner.begin_tape(tape)
        return original(tape)

    return enter


def _wrap_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def leave(tape: tf.GradientTape, *error: Any) -> Any:
        recorder = current()
        if recorder is not None:
            recorder.inner.end_tape(tape)
        return original(tape, *error)

    return leave


def _wrap_function(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        return original(function, *args, **kwargs) if recorder is None else recorder.function(function, original, args, kwargs)

    return call


def _wrap_run(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def run(strategy: tf.distribute.Strategy, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is None or recorder.on_replicas is None:
            return original(strategy, fn, *args, **kwargs)
        return recorder.on_replicas.run(original, recorder.paused, strategy, fn, *args, **kwargs)

    return run


def _wrap_recompute(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def recompute_grad(function: Callable[..., Any]) -> Any:
        recorder = current()
        return original(function if recorder is None else recorder.calls.recomputed(function))

    return recompute_grad


def _wrap_rewriting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def rewrite(*args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is None:
            return original(*args, **kwargs)
        with recorder.rewritten():
            return original(*args, **kwargs)

    return rewrite


def _wrap_rehearsal(original: Callable[..., Any]) -> Callable[..., Any]:
    """AutoGraph runs the body of a loop once in a graph that it throws away, to learn of what type a variable is that the loop defines."""

    @functools.wraps(original)
    def rehearse(*args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is None:
            return original(*args, **kwargs)
        with recorder.paused():
            return original(*args, **kwargs)

    return rehearse


def _wrap_accessed(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def variable_accessed(variable: tf.Variable) -> Any:
        recorder = current()
        if recorder is not None:
            recorder.used_variable(variable)
        return original(variable)

    return variable_accessed


def _wrap_write(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def write(variable: tf.Variable, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is not None:
            recorder.used_variable(variable)
        return original(variable, *args, **kwargs)

    return write


def _wrap_get_logits(original: Callable[..., Any]) -> Callable[..., Any]:
    """Keras computes a loss from what goes into the softmax or sigmoid that made its argument. It looks for that operation: past taps."""

    @functools.wraps(original)
    def get_logits(output: Any, *args: Any, **kwargs: Any) -> Any:
        made = untapped(output)
        logits, are_logits = original(made, *args, **kwargs)
        return (output if logits is made else logits), are_logits

    return get_logits


class _Patches:
    """Puts the wrappers in place when the first thread comes, and the originals back when the last has gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._originals: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        with self._lock:
            if not self._users:
                self._wrap()
            self._users += 1

    def remove(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._restore()

    def _wrap(self) -> None:
        try:
            for owner, name, wrapper in _targets():
                self._originals.append((owner, name, vars(owner).get(name)))
                setattr(owner, name, wrapper(getattr(owner, name)))
        except BaseException:
            self._restore()
            raise

    def _restore(self) -> None:
        while self._originals:
            owner, name, original = self._originals.pop()
            if original is not None:
                setattr(owner, name, original)
            elif name in vars(owner):
                delattr(owner, name)  # it was inherited


def _targets() -> list[tuple[Any, str, Wrapper]]:
    optimizers = (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
    return [
        (keras.Operation, "__call__", _wrap_call),
        *((optimizer, "apply", _wrap_apply) for optimizer in optimizers),
        *((optimizer, "scale_loss", _wrap_scale_loss) for optimizer in optimizers),
        (tf.GradientTape, "gradient", _wrap_gradient),
        *((module, "gradients", _wrap_gradients) for module in (tf, tf.compat.v1)),
        (tf.GradientTape, "__enter__", _wrap_enter),
        (tf.GradientTape, "__exit__", _wrap_exit),
        *((kind, "__call__", _wrap_function) for kind in _FUNCTIONS),
        (tf.distribute.Strategy, "run", _wrap_run),
        (tf, "recompute_grad", _wrap_recompute),
        (tf, "vectorized_map", _wrap_rewriting),
        (tf.GradientTape, "jacobian", _wrap_rewriting),
        (tf.GradientTape, "batch_jacobian", _wrap_rewriting),
        (resource_variable_ops, "variable_accessed", _wrap_accessed),
        *((owner, name, _wrap_write) for owner, name in WRITES),
        *((module, name, wrapper) for module, name, wrapper in _PRIVATE if hasattr(module, name)),
    ]


_PRIVATE = [
    (sys.modules.get("keras.src.backend.tensorflow.nn"), "_get_logits", _wrap_get_logits),
    (control_flow, "_try_handling_undefineds", _wrap_rehearsal),
]
"""Functions of modules of Keras's and TensorFlow's own: another version may not have them."""


_patches = _Patches()
