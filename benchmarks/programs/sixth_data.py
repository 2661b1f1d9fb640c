"""Invented data for the sixth set: customers of a bank, loads of a grid, glyphs, reviews, spectra, rings; and short ways to models."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.programs.data import Arrays

LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)


def customers(n: int = 1200) -> Arrays:
    """Raw columns of a bank (age, income, balance, months, products, member) and whether they leave."""
    random = np.random.default_rng(60)
    age, months = random.uniform(18, 80, n), random.integers(0, 240, n)
    income, balance = np.exp(random.normal(10.8, 0.5, n)), random.normal(3000, 8000, n)
    products, member = random.integers(1, 5, n), random.integers(0, 2, n)
    score = 0.05 * (age - 45) - 0.01 * months + 0.0001 * balance - 0.7 * products + 1.2 * member + random.normal(0, 0.3, n)
    x = np.stack([age, income, balance, months, products, member], -1).astype("float32")
    return x, (score > np.median(score)).astype("float32")[:, None]


def standard(x: Any) -> Any:
    """Columns with mean 0 and deviation 1."""
    return ((x - x.mean(0)) / (x.std(0) + 1e-7)).astype("float32")


def known_customers() -> Arrays:
    """The customers with standardized columns."""
    x, y = customers()
    return standard(x), y


def loads(n: int = 700, length: int = 48) -> Arrays:
    """Windows [n, length, 3] of a standardized load with the hour as sine and cosine, and the load that follows."""
    random = np.random.default_rng(61)
    t = np.arange(n + length + 1)
    load = np.sin(t * 2 * np.pi / 24) + 0.4 * np.sin(t * 2 * np.pi / 168) + 0.15 * random.normal(size=len(t))
    rows = np.stack([(load - load.mean()) / load.std(), np.sin(t * np.pi / 12), np.cos(t * np.pi / 12)], -1).astype("float32")
    return np.stack([rows[k : k + length] for k in range(n)]), rows[length : length + n, :1]


def glyphs(n: int = 800, size: int = 16) -> Arrays:
    """Coloured pictures in 0…1 with one of five marks, and which it is."""
    random = np.random.default_rng(62)
    y = random.integers(0, 5, n)
    x = random.uniform(0, 0.25, (n, size, size, 3))
    for picture, label in zip(x, y, strict=True):
        a, b = random.integers(2, size - 8, 2)
        colour, part = random.uniform(0.5, 0.75, 3), picture[a : a + 6, b : b + 6]
        lit = [part[2:4], part[:, 2:4], part[1:5, 1:5], part[np.arange(6), np.arange(6)], part[::5]][label]
        lit += colour
        if label == 3:
            part[np.arange(6), np.arange(6)] = lit
    return x.astype("float32"), y


def reviews(n: int = 900, length: int = 40, words: int = 200) -> Arrays:
    """Sentences of ids padded with 0; good words have ids up to 20, bad ones from 21 to 40; and which of them prevail."""
    random = np.random.default_rng(63)
    x = random.integers(41, words, (n, length))
    y = random.integers(0, 2, n)
    told = random.random((n, length)) < 0.25
    mood = np.where(random.random((n, length)) < 0.8, y[:, None], 1 - y[:, None])
    x = np.where(told, random.integers(1, 21, (n, length)) + 20 * (1 - mood), x)
    x = np.where(np.arange(length) < random.integers(8, length + 1, n)[:, None], x, 0)
    return x.astype("int32"), y.astype("int32")


def spectra(n: int = 900, width: int = 64) -> Any:
    """Curves in 0…1 of two peaks each."""
    random = np.random.default_rng(64)
    t = np.linspace(0, 1, width)
    peaks = random.uniform(0.1, 0.9, (n, 2, 1))
    heights = random.uniform(0.2, 0.5, (n, 2, 1))
    return ((heights * np.exp(-((t - peaks) ** 2) / 0.005)).sum(1) + random.uniform(0, 0.03, (n, width))).clip(0, 1).astype("float32")


def ring(n: int = 1024) -> Any:
    """Points near a circle of radius 1."""
    random = np.random.default_rng(65)
    angle = random.uniform(0, 2 * np.pi, n)
    return (np.stack([np.cos(angle), np.sin(angle)], -1) + 0.05 * random.normal(size=(n, 2))).astype("float32")


def surface(n: int = 1000, features: int = 6) -> Arrays:
    """Standard normal columns and a curved function of them."""
    random = np.random.default_rng(66)
    x = random.normal(size=(n, features)).astype("float32")
    y = x[:, 0] * x[:, 1] + np.sin(x[:, 2] * 2) + 0.5 * x[:, 3] + 0.1 * random.normal(size=n)
    return x, ((y - y.mean()) / y.std()).astype("float32")[:, None]


def dense(sizes: tuple[int, ...], activation: Any = "relu", **options: Any) -> list[Any]:
    """Dense layers called hidden_0, hidden_1, …"""
    return [layers.Dense(size, activation=activation, name=f"hidden_{k}", **options) for k, size in enumerate(sizes)]


def stacked(shape: tuple[int, ...], *stack: Any, loss: Any = LOGITS, optimizer: Any = "adam", dtype: str = "float32") -> keras.Model:
    """A sequential model, compiled."""
    model = keras.Sequential([keras.Input(shape, dtype=dtype, name="features"), *stack])
    model.compile(optimizer, loss)
    return model


def joined(inputs: Any, outputs: Any, loss: Any = LOGITS, optimizer: Any = "adam", **options: Any) -> keras.Model:
    """A functional model, compiled."""
    model = keras.Model(inputs, outputs)
    model.compile(optimizer, loss, **options)
    return model


def block(x: Any, name: str, width: int = 32, heads: int = 2, activation: str = "gelu", **attention: Any) -> Any:
    """A transformer's block that normalizes first."""
    y = layers.LayerNormalization(name=f"{name}_norm_a")(x)
    x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention", **attention)(y, y)])
    y = layers.LayerNormalization(name=f"{name}_norm_b")(x)
    y = layers.Dense(2 * width, activation=activation, name=f"{name}_up")(y)
    return layers.Add()([x, layers.Dense(width, name=f"{name}_down")(y)])


class Steps(keras.Model):
    """A model with a loss of its own: `objective(batch)` is what is minimized."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on TensorFlow."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self.objective(keras.utils.unpack_x_y_sample_weight(data))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}

    def objective(self, data: Any) -> Any:
        """A number."""
        raise NotImplementedError
