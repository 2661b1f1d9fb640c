"""Invented data of the kind a short script makes for itself: blobs, a plane with noise, pictures of shapes, sentences of numbers, waves."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.programs.data import Arrays

LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def blobs(n: int = 1000, features: int = 20, classes: int = 4, spread: float = 1.0) -> Arrays:
    """Standard normal clouds around random centres."""
    random = np.random.default_rng(11)
    y = random.integers(0, classes, n)
    x = random.normal(size=(classes, features))[y] + spread * random.normal(size=(n, features))
    return ((x - x.mean(0)) / x.std(0)).astype("float32"), y


def plane(n: int = 1000, features: int = 8) -> Arrays:
    """A linear function of standard normal columns with something curved in it, standardized."""
    random = np.random.default_rng(12)
    x = random.normal(size=(n, features)).astype("float32")
    y = x @ random.normal(size=features) + np.sin(2 * x[:, 0]) + 0.1 * random.normal(size=n)
    return x, ((y - y.mean()) / y.std()).astype("float32")[:, None]


def shapes(n: int = 800, size: int = 12, channels: int = 1) -> Arrays:
    """Pictures in 0…1 of a square, a cross or a stripe on a noisy ground, and which it is."""
    random = np.random.default_rng(13)
    y, x = random.integers(0, 3, n), random.uniform(0, 0.3, (n, size, size, channels))
    for picture, label in zip(x, y, strict=True):
        row, column = random.integers(1, size - 5, 2)
        part = picture[row : row + 4, column : column + 4]
        if label == 0:
            part += 0.6
        elif label == 1:
            part[1:3] += 0.6
            part[:, 1:3] += 0.1
        else:
            picture[:, column] += 0.6
    return np.clip(x, 0, 1).astype("float32"), y


def sentences(n: int = 1000, length: int = 16, words: int = 50) -> Arrays:
    """Rows of ids from 1, and whether more of them are low than high."""
    random = np.random.default_rng(14)
    x = random.integers(1, words, (n, length)).astype("int32")
    return x, ((x < words // 2).mean(1) > 0.5).astype("int32")


def padded(n: int = 1000, length: int = 16, words: int = 50) -> Arrays:
    """The same with zeros behind a sentence's end."""
    x, _ = sentences(n, length, words)
    ends = np.random.default_rng(15).integers(3, length + 1, n)
    x = np.where(np.arange(length) < ends[:, None], x, 0)
    return x.astype("int32"), (((x > 0) & (x < words // 2)).sum(1) > ends / 2).astype("int32")


def waves(n: int = 800, length: int = 24) -> Arrays:
    """Pieces of two kinds of noisy waves [n, length, 2] in −1…1, and which it is."""
    random = np.random.default_rng(16)
    y = random.integers(0, 2, n)
    phase, t = random.uniform(0, 6, (n, 1)), np.arange(length) * 0.4
    first = np.sin(t * (1 + 0.5 * y[:, None]) + phase)
    x = np.stack([first, np.cos(t + phase)], -1) * 0.8 + 0.1 * random.normal(size=(n, length, 2))
    return np.clip(x, -1, 1).astype("float32"), y


def classifier(shape: tuple[int, ...], *stack: Any, classes: int = 4, optimizer: Any = "adam") -> keras.Model:
    """A sequential model that ends with scores."""
    model = keras.Sequential([keras.Input(shape), *stack, layers.Dense(classes, name="scores")])
    model.compile(optimizer, LOGITS)
    return model


def regressor(*stack: Any, optimizer: Any = "adam", loss: Any = "mse", shape: tuple[int, ...] = (8,)) -> keras.Model:
    """A sequential model that ends with one number."""
    model = keras.Sequential([keras.Input(shape), *stack, layers.Dense(1, name="value")])
    model.compile(optimizer, loss)
    return model


def encoder_block(x: Any, width: int = 32, heads: int = 2, **dense: Any) -> Any:
    """Attention and two dense layers, each added and normalized."""
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(x, x)]))
    y = layers.Dense(width)(layers.Dense(2 * width, activation="relu", **dense)(x))
    return layers.LayerNormalization()(layers.Add()([x, y]))


class Positions(layers.Layer):
    """Tokens and their places."""

    def __init__(self, words: int, length: int, width: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.tokens, self.places = layers.Embedding(words, width), layers.Embedding(length, width)
        self.length = length

    def call(self, x: Any) -> Any:
        """The sum of both."""
        return self.tokens(x) + self.places(np.arange(self.length))


def transformer(optimizer: Any = "adam", blocks: int = 2, words: int = 50, length: int = 16, **dense: Any) -> keras.Model:
    """An encoder that says one of two."""
    inputs = keras.Input((length,), dtype="int32", name="tokens")
    x = Positions(words, length, 32, name="positions")(inputs)
    for _ in range(blocks):
        x = encoder_block(x, **dense)
    model = keras.Model(inputs, layers.Dense(2, name="scores")(layers.GlobalAveragePooling1D()(x)))
    model.compile(optimizer, LOGITS)
    return model
