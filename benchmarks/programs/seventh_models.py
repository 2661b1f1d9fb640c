"""Short ways to the models and data of the seventh set: an output layer and a loss behind a stack of layers, as tutorials write them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.data import Arrays, digits


def classifier(shape: tuple[int, ...], *stack: Any, classes: int = 10, optimizer: Any = "adam", **options: Any) -> keras.Model:
    """A stack with a softmax at its end."""
    output = layers.Dense(classes, activation="softmax", name="output", dtype="float32")
    model = keras.Sequential([keras.Input(shape, name="features"), *stack, output])
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def binary(shape: tuple[int, ...], *stack: Any, optimizer: Any = "adam") -> keras.Model:
    """A stack with a sigmoid at its end."""
    output = layers.Dense(1, activation="sigmoid", name="output")
    model = keras.Sequential([keras.Input(shape, name="features"), *stack, output])
    model.compile(optimizer, "binary_crossentropy")
    return model


def regression(shape: tuple[int, ...], *stack: Any, optimizer: Any = "adam", loss: Any = "mse") -> keras.Model:
    """A stack with one number at its end."""
    model = keras.Sequential([keras.Input(shape, name="features"), *stack, layers.Dense(1, name="output")])
    model.compile(optimizer, loss)
    return model


def hidden(count: int, units: int = 64, activation: Any = "relu", **options: Any) -> list[Any]:
    """Dense layers called dense_0, dense_1, …"""
    return [layers.Dense(units, activation=activation, name=f"dense_{k}", **options) for k in range(count)]


def convolutions(*filters: int, activation: Any = "relu", **options: Any) -> list[Any]:
    """Convolutions that keep the size, called conv_0, conv_1, …"""
    return [layers.Conv2D(n, 3, padding="same", activation=activation, name=f"conv_{k}", **options) for k, n in enumerate(filters)]


def encoder(x: Any, k: int, width: int = 32, heads: int = 4, activation: Any = "relu", **feed_forward: Any) -> Any:
    """A transformer's block that normalizes after adding, as in the first paper."""
    mixed = layers.MultiHeadAttention(heads, width // heads, name=f"attention_{k}")(x, x)
    x = layers.LayerNormalization(name=f"norm_{k}a")(x + mixed)
    wide = layers.Dense(2 * width, activation=activation, name=f"up_{k}", **feed_forward)(x)
    return layers.LayerNormalization(name=f"norm_{k}b")(x + layers.Dense(width, name=f"down_{k}")(wide))


class Positions(layers.Layer):
    """Adds a learned vector to each position."""

    def build(self, shape: Any) -> None:
        """Makes the table."""
        self.table = self.add_weight(shape=shape[1:], initializer="uniform", name="table")

    def call(self, x: Any) -> Any:
        """Adds it."""
        return x + self.table


def tokens(n: int = 900, length: int = 24, words: int = 100) -> Arrays:
    """Sequences of ids, and whether more of them are below than above the middle."""
    random = np.random.default_rng(70)
    x = random.integers(1, words, (n, length))
    bias = random.random((n, 1)) < 0.5
    x = np.where((random.random((n, length)) < 0.3) & bias, random.integers(1, words // 2, (n, length)), x)
    return x.astype("int32"), ((x < words // 2).mean(1) > 0.58).astype("float32")[:, None]


def rows() -> Arrays:
    """The digits as eight steps of eight pixels."""
    x, y = digits()
    return x.reshape(-1, 8, 8), y


def first_sign(length: int, n: int = 900) -> Arrays:
    """Noise of many steps, and the sign of the first one."""
    random = np.random.default_rng(71)
    x = random.normal(0, 0.3, (n, length, 1)).astype("float32")
    y = random.integers(0, 2, n)
    x[:, 0, 0] = 2.0 * y - 1
    return x, y.astype("float32")[:, None]


def mixture(n: int = 1000, features: int = 12) -> Arrays:
    """Two classes of a synthetic table, standardized."""
    from sklearn.datasets import make_classification

    x, y = make_classification(n, features, n_informative=6, random_state=7)
    return ((x - x.mean(0)) / x.std(0)).astype("float32"), y.astype("float32")[:, None]


def prices(n: int = 800, length: int = 30) -> Arrays:
    """Windows of a price that wanders around 30,000, and the next one."""
    random = np.random.default_rng(72)
    walk = 30_000 + np.cumsum(random.normal(0, 60, n + length + 1))
    x = np.stack([walk[k : k + length] for k in range(n)])[..., None]
    return x.astype("float32"), walk[length : length + n].astype("float32")[:, None]


class Times(layers.Layer):
    """Multiplies by a number."""

    def __init__(self, factor: float, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, x: Any) -> Any:
        """The product."""
        return x * ops.cast(self.factor, x.dtype)
