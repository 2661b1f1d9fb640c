"""A twenty-second set, with the rules in view: programs like those of a blind set that were missed, and their twins."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD


def progress(scale: float, activation: str | None = "sigmoid") -> Training:
    """How far diabetes goes, by absolute differences. ``scale``: what a target of 1 stands for."""
    x, _ = data.standardized("diabetes")
    _, y = data.raw("diabetes")
    hidden = [layers.Dense(24, "relu", name=name) for name in ("first", "second")]
    model = keras.Sequential([keras.Input((10,), name="inputs"), *hidden, layers.Dense(1, activation, name="answer")])
    model.compile(Adam(5e-3), "mae")
    return Training(model, x, (y / scale).reshape(-1, 1).astype("float32"), epochs=20)


@faulty("targets_out_of_range", "answer", every=10, held_out=True)
def absolute_differences_from_targets_beyond_a_sigmoid() -> Training:
    return progress(scale=20)


@healthy(every=10, held_out=True)
def absolute_differences_from_shares() -> Training:
    return progress(scale=350)


@healthy(every=10, held_out=True)
def absolute_differences_without_an_end() -> Training:
    return progress(scale=20, activation=None)


def digits_in_order(order: Any, halves: bool = False) -> Training:
    """Digits. ``halves``: kernels of the hidden layers aren't trained, and their biases are."""
    x, y = data.digits()
    hidden = [layers.Dense(16, "relu", name=name) for name in ("first", "second")]
    model = keras.Sequential([keras.Input((64,), name="inputs"), *hidden, layers.Dense(10, "softmax", name="scores")])
    for layer in hidden if halves else ():
        layer.kernel.trainable = False
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    at = order(y)
    return Training(model, x[at], y[at], epochs=12, options={"shuffle": False})


def by_class(y: Any) -> Any:
    return np.argsort(y, kind="stable")


def by_chance(y: Any) -> Any:
    return np.random.default_rng(0).permutation(len(y))


@faulty("constant_targets oscillating_loss", "scores loss", every=5, held_out=True)
def classes_one_after_the_other_at_every_fifth_step() -> Training:
    return digits_in_order(by_class)


@healthy(every=5, held_out=True)
def classes_in_any_order_at_every_fifth_step() -> Training:
    return digits_in_order(by_chance)


@healthy(every=5, held_out=True)
def kernels_that_are_frozen_beside_their_biases() -> Training:
    """As it may be meant: random features with biases that are learned."""
    return digits_in_order(by_chance, halves=True)


def kinds(one: bool) -> Training:
    """Pictures of digits. ``one``: the labels are those of another axis, which are all 3."""
    x, y = data.images()
    model = keras.Sequential(
        [keras.Input((8, 8, 1), name="inputs"), layers.Conv2D(8, 3, activation="relu", name="edges"), layers.Flatten(name="flat")]
    )
    model.add(layers.Dense(10, "softmax", name="scores"))
    model.compile(Adam(1e-3), "sparse_categorical_crossentropy")
    return Training(model, x, np.full_like(y, 3) if one else y, epochs=6)


@faulty("constant_targets", "scores", every=1, held_out=True)
def labels_of_one_class() -> Training:
    return kinds(one=True)


@healthy(every=1, held_out=True)
def labels_of_ten_classes() -> Training:
    return kinds(one=False)


@healthy(every=1, held_out=True)
def a_rare_class_beside_one_that_fills_batches() -> Training:
    """Nearly all digits are the same one: most batches hold nothing else."""
    x, y = data.digits()
    at = np.concatenate([np.flatnonzero(y == 3), np.flatnonzero(y == 8)[:2], np.flatnonzero(y == 5)[:2]])
    at = np.random.default_rng(0).permutation(np.tile(at, 6))
    model = keras.Sequential([keras.Input((64,), name="inputs"), layers.Dense(24, "relu", name="hidden"), layers.Dense(10, "softmax", name="scores")])
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy")
    return Training(model, x[at], y[at], batch_size=8, epochs=2)


@healthy(every=1, held_out=True)
def batches_of_one_example() -> Training:
    """Each is of one class, as no other can be."""
    x, y = data.digits()
    at = np.flatnonzero(y < 4)
    model = keras.Sequential([keras.Input((64,), name="inputs"), layers.Dense(24, "relu", name="hidden"), layers.Dense(4, "softmax", name="scores")])
    model.compile(SGD(0.02), "sparse_categorical_crossentropy")
    return Training(model, x[at], y[at], batch_size=1, epochs=5)
