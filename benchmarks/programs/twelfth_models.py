"""Data and building blocks of the twelfth set."""

from __future__ import annotations

import argparse
import functools
import inspect
import json.decoder
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn import datasets

from benchmarks.programs.registry import Training

BCE, SCCE = "binary_crossentropy", "sparse_categorical_crossentropy"
LETTERS = 128


# Data.


@functools.cache
def numbers() -> tuple[Any, Any]:
    """Handwritten digits as vectors."""
    x, y = datasets.load_digits(return_X_y=True)
    return (x / 16).astype("float32")[:1024], y.astype("int32")[:1024]


def pictures() -> tuple[Any, Any]:
    """The same as pictures."""
    x, y = numbers()
    return x.reshape(-1, 8, 8, 1), y


def _standard(x: Any) -> Any:
    return ((x - x.mean(0)) / x.std(0)).astype("float32")


@functools.cache
def cells() -> tuple[Any, Any]:
    """Measured cell nuclei: benign or not."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return _standard(x), y.astype("float32")[:, None]


@functools.cache
def raw_wines() -> tuple[Any, Any]:
    """Analyses of wines of three growers as they are, four times over and shuffled."""
    x, y = datasets.load_wine(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(np.tile(np.arange(len(x)), 4))
    return x[chosen].astype("float32"), y[chosen].astype("int32")


def wines() -> tuple[Any, Any]:
    """The same with mean 0 and variance 1."""
    x, y = raw_wines()
    return _standard(x), y


@functools.cache
def patients() -> tuple[Any, Any]:
    """Diabetes: ten measurements, and the progress after a year in its own unit."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return _standard(x), y.astype("float32")[:, None]


def progress() -> tuple[Any, Any]:
    """The same, with a target of mean 0 and variance 1."""
    x, y = patients()
    return x, _standard(y)


@functools.cache
def lines(length: int = 32) -> tuple[Any, Any]:
    """Lines of two modules of Python, as letters: from which of both they are; padded with 0."""
    x, y = [], []
    for label, module in enumerate((argparse, textwrap, json.decoder)):
        for line in inspect.getsource(module).splitlines():
            signs = [ord(letter) % LETTERS for letter in line.strip()][:length]
            if len(signs) > 8:
                x.append(signs + [0] * (length - len(signs)))
                y.append([float(label == 0)])
    few = [i for i, (label,) in enumerate(y) if not label]
    chosen = np.random.default_rng(1).permutation([*few, *[i for i, (label,) in enumerate(y) if label][: len(few)]])
    return np.array(x, "int32")[chosen], np.array(y, "float32")[chosen]


@functools.cache
def letters(length: int = 24, count: int = 800) -> tuple[Any, Any]:
    """Pieces of the source of a module and the letter that follows."""
    text = np.array([ord(letter) % LETTERS for letter in inspect.getsource(argparse)], "int32")
    starts = np.random.default_rng(2).integers(0, len(text) - length - 1, count)
    return np.stack([text[start : start + length] for start in starts]), text[starts + length]


@functools.cache
def waves(length: int = 40, count: int = 640) -> tuple[Any, Any]:
    """Noisy waves, and the value that follows."""
    rng = np.random.default_rng(3)
    t = rng.uniform(0, 20, (count, 1)) + 0.3 * np.arange(length + 1)
    values = np.sin(t) + 0.5 * np.sin(2.3 * t) + 0.1 * rng.normal(size=t.shape)
    return values[:, :-1, None].astype("float32"), values[:, -1:].astype("float32")


@functools.cache
def rhythms(length: int = 48, count: int = 640) -> tuple[Any, Any]:
    """Waves of two shapes, of two channels, and which it is."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, count)
    t = rng.uniform(0, 6, (count, 1)) + np.arange(length) * 0.4
    wave = np.where(y[:, None] == 1, np.sign(np.sin(t)), np.sin(t))
    x = np.stack([wave, np.cos(t)], -1) + 0.3 * rng.normal(size=(count, length, 2))
    return x.astype("float32"), y.astype("float32")[:, None]


# Models.


class Of(layers.Layer):
    """A layer that computes a function."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        super().__init__(**options)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def compiled(model: Any, loss: Any = SCCE, optimizer: Any = None, **options: Any) -> Any:
    """The model, ready to train."""
    model.compile(optimizer=optimizer or keras.optimizers.Adam(1e-3), loss=loss, **options)
    return model


def chain(shape: Sequence[int], *stacked: Any, loss: Any = SCCE, optimizer: Any = None, dtype: str = "float32", **options: Any) -> Any:
    """A sequential model."""
    return compiled(keras.Sequential([keras.Input(tuple(shape), name="inputs", dtype=dtype), *stacked]), loss, optimizer, **options)


def part(name: str, shape: Sequence[int], *stacked: Any) -> Any:
    """A model to be put into another."""
    return keras.Sequential([keras.Input(tuple(shape)), *stacked], name=name)


def dense(*units: int, activation: Any = "relu", prefix: str = "fc", **options: Any) -> list[Any]:
    """Dense layers fc1, fc2 and so on."""
    return [layers.Dense(n, activation=activation, name=f"{prefix}{i + 1}", **options) for i, n in enumerate(units)]


def convolutions(*filters: int, activation: Any = "relu", **options: Any) -> list[Any]:
    """Convolutions conv1, conv2 and so on."""
    return [layers.Conv2D(n, 3, padding="same", activation=activation, name=f"conv{i + 1}", **options) for i, n in enumerate(filters)]


def classes(n: int = 10, **options: Any) -> Any:
    """The last layer of a classifier."""
    return layers.Dense(n, activation="softmax", name="predictions", **{"dtype": "float32", **options})


def yes_or_no(**options: Any) -> Any:
    """The last layer of a classifier of two classes."""
    return layers.Dense(1, activation="sigmoid", name="predictions", **{"dtype": "float32", **options})


def value(**options: Any) -> Any:
    """The last layer of a regression."""
    return layers.Dense(1, name="value", **options)


class Positions(layers.Layer):
    """Letters and where they stand, as vectors."""

    def __init__(self, width: int, initializer: Any = "uniform", **options: Any) -> None:
        super().__init__(**options)
        self.signs = layers.Embedding(LETTERS, width, embeddings_initializer=initializer, name="signs")
        self.width = width

    def build(self, shape: Any) -> None:
        self.signs.build(shape)
        self.places = self.add_weight(shape=(shape[1], self.width), initializer="uniform", name="places")

    def call(self, x: Any) -> Any:
        return self.signs(x) + self.places


def block(h: Any, width: int, prefix: str = "", normed: bool = True, **ffn: Any) -> Any:
    """A block of a transformer, normalized before its parts."""
    norm = (lambda name: layers.LayerNormalization(name=f"{prefix}{name}")) if normed else (lambda name: layers.Identity(name=f"{prefix}{name}"))
    n = norm("norm1")(h)
    h = layers.Add(name=f"{prefix}add1")([h, layers.MultiHeadAttention(2, width // 2, name=f"{prefix}attention")(n, n)])
    n = norm("norm2")(h)
    n = layers.Dense(2 * width, name=f"{prefix}ffn1", **{"activation": "relu", **ffn})(n)
    return layers.Add(name=f"{prefix}add2")([h, layers.Dense(width, name=f"{prefix}ffn2")(n)])


class Stepwise(keras.Model):
    """A model whose step computes a loss of its own. ``trained``: the weights that its optimizer gets."""

    def __init__(self, network: Any, **options: Any) -> None:
        super().__init__(**options)
        self.network = network

    def call(self, x: Any) -> Any:
        return self.network(x)

    def objective(self, x: Any, y: Any) -> Any:
        raise NotImplementedError

    def trained(self) -> list[Any]:
        return self.trainable_variables

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data if isinstance(data, tuple) and len(data) == 2 else (data[0] if isinstance(data, tuple) else data, None)
        with tf.GradientTape() as tape:
            loss = self.objective(x, y)
        weights = self.trained()
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


def looped(model: Any, loss: Any, optimizer: Any, x: Any, y: Any, epochs: int = 3, batch_size: int = 32) -> Training:
    """A loop of one's own over batches, watched."""
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(a: Any, b: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(b, model(a, training=True))
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
        return value

    return Training(model, x, y, batch_size=batch_size, epochs=epochs, loop=step)
