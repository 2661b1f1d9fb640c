"""Trainings from a fresh, seeded model: what they are fed with, how often and how they fit, and everything that they changed.

The one invariant: a training is a function of the callbacks alone; called twice with the same, it gives the same bits.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.capture import zoo

L = keras.layers

DATA = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")

TARGETS = np.random.default_rng(1).normal(size=(20, 2)).astype("float32")

EPOCHS = 3
"""Of three steps each: the first four recorded steps of a trace run on the side, the next ones don't, if all is well."""


def state(model: keras.Model, *histories: keras.callbacks.History) -> list[Any]:
    """Weights, moving averages, seeds, optimizer slots, metrics, and what was logged."""
    optimizers = getattr(model, "optimizers", None) or [model.optimizer]
    return [variable.numpy() for owner in (model, *optimizers) for variable in owner.variables] + [history.history for history in histories]


def adam() -> Any:
    return keras.optimizers.Adam(0.01)


def repeated(data: Any) -> Any:
    """20 examples: the last batch is a shorter one."""
    return tf.nest.map_structure(lambda part: np.concatenate([part] * 3)[:20], data)


def of_zoo(name: str, **compiling: Any) -> Callable[[list[Any]], list[Any]]:
    def train(callbacks: list[Any]) -> list[Any]:
        model, x, y = zoo.build(name, **{key: value() if key == "optimizer" else value for key, value in compiling.items()})
        return state(model, model.fit(repeated(x), repeated(y), batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks))

    return train


def of_layers(
    *layers: Callable[[], Any],
    policy: str = "float32",
    loss: Any = "mse",
    jit_compile: bool = False,
    last: str | Callable[[Any], Any] | None = None,
    then: Callable[..., list[Any]] | None = None,
    **fit: Any,
) -> Any:
    """A chain of layers, whose last one ends in the function ``last``. ``then(model, fit)`` trains it in another way than one `fit`."""

    def train(callbacks: list[Any]) -> list[Any]:
        keras.utils.set_random_seed(7)
        keras.config.set_dtype_policy(policy)
        try:
            chain = [L.Input((6,)), *(layer() for layer in layers), L.Dense(2, activation=last, name="out")]
            model = keras.Sequential(chain)
            model.compile(adam(), loss, jit_compile=jit_compile)
        finally:
            keras.config.set_dtype_policy("float32")
        options = {"x": DATA, "y": TARGETS, "batch_size": 8, "epochs": EPOCHS, "verbose": 0, "callbacks": callbacks, **fit}
        options = {name: value() if inspect.isfunction(value) or value is Batches else value for name, value in options.items() if value is not None}
        histories = (
            [model.fit(**options)]
            if then is None
            else then(model, lambda more=(), **others: model.fit(**{**options, **others, "callbacks": [*more, *callbacks]}))
        )
        return state(model, *histories)

    return train


def of_model(
    make: Callable[[], keras.Model], loss: str | None = "mse", optimizer: Callable[[], Any] = adam, **compiling: Any
) -> Callable[[list[Any]], list[Any]]:
    def train(callbacks: list[Any]) -> list[Any]:
        keras.utils.set_random_seed(7)
        model = make()
        model.compile(optimizer(), loss, **{"jit_compile": False, **compiling})
        return state(model, model.fit(DATA, TARGETS, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks))

    return train


def batches() -> Any:
    while True:
        for first in range(0, 20, 8):
            yield DATA[first : first + 8], TARGETS[first : first + 8]


def batches_of_unknown_number() -> Any:
    return tf.data.Dataset.from_tensor_slices((DATA, TARGETS)).batch(8).filter(lambda x, y: True)


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return DATA[8 * index : 8 * index + 8], TARGETS[8 * index : 8 * index + 8]


def twice(model: keras.Model, fit: Any) -> list[Any]:
    return [fit(), fit(epochs=EPOCHS + 2, initial_epoch=EPOCHS)]


def compiled_between(model: keras.Model, fit: Any) -> list[Any]:
    first = fit()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mae", jit_compile=False)
    return [first, fit()]


def frozen_between(model: keras.Model, fit: Any) -> list[Any]:
    first = fit()
    model.get_layer("hidden").trainable = False
    model.compile("adam", "mse", jit_compile=False)
    return [first, fit()]


def quantized(model: keras.Model, fit: Any) -> list[Any]:
    model.get_layer("hidden").quantize("int8")
    model.compile("adam", "mse", jit_compile=False)
    return [fit()]


def added_between(model: keras.Model, fit: Any) -> list[Any]:
    first = fit()
    model.add(L.Dense(2, name="more"))
    model.compile("adam", "mse", jit_compile=False)
    return [first, fit()]


def batch_by_batch(model: keras.Model, fit: Any) -> list[Any]:
    """`train_on_batch` calls no callback; what recording left behind must not change it."""
    first = fit()
    for start in (0, 8):
        model.train_on_batch(DATA[start : start + 8], TARGETS[start : start + 8])
    return [first, fit()]


def resumed(model: keras.Model, fit: Any) -> list[Any]:
    """Interrupted in its second epoch, and taken up by `BackupAndRestore`."""
    with tempfile.TemporaryDirectory() as directory:
        backup = keras.callbacks.BackupAndRestore(directory)
        interrupt = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: _interrupt(epoch))
        with suppress(KeyboardInterrupt):
            fit(more=[backup, interrupt], epochs=3)
        return [fit(more=[keras.callbacks.BackupAndRestore(directory)], epochs=3)]


def _interrupt(epoch: int) -> None:
    if epoch == 1:
        raise KeyboardInterrupt


def run_eagerly(model: keras.Model, fit: Any) -> list[Any]:
    tf.config.run_functions_eagerly(True)
    try:
        return [fit()]
    finally:
        tf.config.run_functions_eagerly(False)


def raw_softmax(callbacks: list[Any]) -> list[Any]:
    """Keras finds the logits by the operation that made the output: the layer doesn't tell."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([L.Input((6,)), L.Dense(4, name="hidden"), L.Dense(3, name="logits"), L.Lambda(tf.nn.softmax, name="probabilities")])
    model.compile(adam(), "sparse_categorical_crossentropy", jit_compile=False)
    return state(model, model.fit(DATA, np.arange(20) % 3, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks))


def sparse_input(callbacks: list[Any]) -> list[Any]:
    keras.utils.set_random_seed(7)
    inputs = L.Input((6,), sparse=True, name="x")
    model = keras.Model(inputs, L.Dense(2, name="out")(inputs))
    model.compile(adam(), "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((tf.sparse.from_dense(np.where(DATA > 0.3, DATA, 0)), TARGETS)).batch(8)
    return state(model, model.fit(data, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=callbacks))
