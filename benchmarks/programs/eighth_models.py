"""Short ways to the models of the eighth set, as people write them who ask about them: sequential stacks, small transformers, steps of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import Arrays, digits, raw, standardized

CLASSES = "sparse_categorical_crossentropy"


def net(shape: tuple[int, ...], *stack: Any, loss: Any = CLASSES, optimizer: Any = "adam", dtype: str = "float32", **options: Any) -> keras.Model:
    """A sequential model whose last layer is given, compiled."""
    model = keras.Sequential([keras.Input(shape, dtype=dtype, name="inputs"), *stack])
    model.compile(optimizer, loss, **options)
    return model


def graph(inputs: Any, outputs: Any, loss: Any = CLASSES, optimizer: Any = "adam", **options: Any) -> keras.Model:
    """A functional model, compiled."""
    model = keras.Model(inputs, outputs)
    model.compile(optimizer, loss, **options)
    return model


def fc(*units: int, activation: Any = "relu", **options: Any) -> list[Any]:
    """Dense layers called fc1, fc2, …"""
    return [layers.Dense(size, activation=activation, name=f"fc{k + 1}", **options) for k, size in enumerate(units)]


def convs(*filters: int, activation: Any = "relu", **options: Any) -> list[Any]:
    """Convolutions that keep the size, called conv1, conv2, …"""
    return [layers.Conv2D(size, 3, padding="same", activation=activation, name=f"conv{k + 1}", **options) for k, size in enumerate(filters)]


def softmax(classes: int = 10) -> Any:
    """The usual last layer of a classifier."""
    return layers.Dense(classes, activation="softmax", name="predictions", dtype="float32")


def sigmoid() -> Any:
    """The usual last layer for two classes."""
    return layers.Dense(1, activation="sigmoid", name="predictions", dtype="float32")


class Of(layers.Layer):
    """A layer that applies a function."""

    def __init__(self, function: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(**options)
        self.function = function

    def call(self, x: Any) -> Any:
        """The function's result."""
        return self.function(x)


class WithPositions(layers.Layer):
    """Words and their places, as in the keras.io examples."""

    def __init__(self, words: int, length: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.words, self.places, self.length = layers.Embedding(words, width, name="words"), layers.Embedding(length, width, name="places"), length

    def call(self, x: Any) -> Any:
        """Their sum."""
        return self.words(x) + self.places(ops.arange(self.length))


def transformer_block(x: Any, name: str, width: int = 32, heads: int = 2, **feed_forward: Any) -> Any:
    """Attention and two dense layers; each is normalized after it was added."""
    x = layers.LayerNormalization(name=f"{name}_norm1")(x + layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")(x, x))
    y = layers.Dense(2 * width, activation="relu", name=f"{name}_ffn1", **feed_forward)(x)
    return layers.LayerNormalization(name=f"{name}_norm2")(x + layers.Dense(width, name=f"{name}_ffn2")(y))


class Own(keras.Model):
    """A subclassed model with a `train_step` of its own: `losses_of` names what is minimized by which variables."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on TensorFlow."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = self.objective(x, y)
        variables = self.trained()
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss}

    def trained(self) -> list[Any]:
        """The variables that the step trains."""
        return list(self.trainable_variables)

    def objective(self, x: Any, y: Any) -> Any:
        """A number."""
        raise NotImplementedError


class Vae(Own):
    """A variational autoencoder of 64 numbers: what it codes, and what it makes of the code. `objective` weighs them."""

    def __init__(self, hidden: int, codes: int) -> None:
        super().__init__()
        self.encode = layers.Dense(hidden, activation="relu", name="encode")
        self.mean, self.log_variance = layers.Dense(codes, name="mean"), layers.Dense(codes, name="log_variance")
        self.decode = layers.Dense(hidden, activation="relu", name="decode")
        self.picture = layers.Dense(64, activation="sigmoid", name="picture")

    def decoded(self, x: Any) -> tuple[Any, Any]:
        """The picture made of a code that is drawn, and the divergence of the codes from normal ones."""
        h = self.encode(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        code = mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))
        return self.picture(self.decode(code)), -0.5 * ops.mean(ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), -1))


def tumours() -> Arrays:
    """The tumours, standardized, with labels as a column."""
    x, y = standardized("breast_cancer")
    return x, y.astype("float32")[:, None]


def diabetes() -> Arrays:
    """The patients, standardized, with targets as a column."""
    x, y = standardized("diabetes")
    return x, y[:, None]


def bytes_of_digits() -> Arrays:
    """Pictures [n, 8, 8, 1] with values from 0 to 255."""
    x, y = digits()
    return np.round(x * 255).astype("float32").reshape(-1, 8, 8, 1), y


def progress() -> Arrays:
    """The patients, standardized, with the disease's progress in its own units, 25 to 346."""
    return standardized("diabetes")[0], raw("diabetes")[1].astype("float32")[:, None]


def word_lists(n: int = 1000, length: int = 20, words: int = 300) -> Arrays:
    """Ids padded with 0 behind; whether a word below 30 is among them."""
    random = np.random.default_rng(80)
    x = random.integers(30, words, (n, length))
    y = random.integers(0, 2, n)
    ends = random.integers(5, length + 1, n)
    for row, label, end in zip(x, y, ends, strict=True):
        row[random.integers(0, end, 2)] = random.integers(1, 30, 2) if label else row[0]
        row[end:] = 0
    return x.astype("int32"), y.astype("float32")[:, None]


def weather(n: int = 900, length: int = 24) -> Arrays:
    """Windows [n, length, 2] of temperature in Kelvin and pressure in hectopascal, and the next temperature in deviations from its mean."""
    random = np.random.default_rng(81)
    t = np.arange(n + length + 1)
    temperature = 283 + 8 * np.sin(t * 2 * np.pi / 24) + np.cumsum(random.normal(0, 0.2, len(t))).clip(-6, 6)
    pressure = 1013 + 6 * np.sin(t / 40) + random.normal(0, 0.5, len(t))
    both = np.stack([temperature, pressure], -1).astype("float32")
    target = (temperature - temperature.mean()) / temperature.std()
    return np.stack([both[k : k + length] for k in range(n)]), target[length : length + n, None].astype("float32")


def standard_weather(**options: Any) -> Arrays:
    """The same with standardized windows."""
    x, y = weather(**options)
    return ((x - x.mean((0, 1))) / x.std((0, 1))).astype("float32"), y


def recall(length: int, n: int = 900) -> Arrays:
    """Noise [n, length, 1] whose first value says the class."""
    random = np.random.default_rng(82)
    x = random.normal(0, 0.5, (n, length, 1)).astype("float32")
    y = random.integers(0, 2, n)
    x[:, 0, 0] = np.where(y == 1, 1.5, -1.5)
    return x, y.astype("float32")[:, None]


def adding(length: int = 30, n: int = 1000) -> Arrays:
    """The adding problem: values and two marks; the sum of the marked."""
    random = np.random.default_rng(83)
    values, marks = random.uniform(0, 1, (n, length)), np.zeros((n, length))
    for row in marks:
        row[random.choice(length, 2, replace=False)] = 1
    return np.stack([values, marks], -1).astype("float32"), (values * marks).sum(1, keepdims=True).astype("float32")


class Adversaries(keras.Model):
    """A generator of 64 numbers and a critic, with a step for both."""

    def __init__(self, generator: Any, critic: Any, of_generator: Any, of_critic: Any) -> None:
        super().__init__()
        self.generator, self.critic, self.of_generator, self.of_critic = generator, critic, of_generator, of_critic

    def call(self, x: Any) -> Any:
        """The critic's scores."""
        return self.critic(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Both steps on one batch."""
        x = data[0] if isinstance(data, tuple) else data
        noise = keras.random.normal((ops.shape(x)[0], 8))
        with tf.GradientTape(persistent=True) as tape:
            real, fake = self.critic(x, training=True), self.critic(self.generator(noise), training=True)
            loss = ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
            fooled = ops.mean(ops.softplus(-fake))
        for optimizer, value, part in ((self.of_critic, loss, self.critic), (self.of_generator, fooled, self.generator)):
            optimizer.apply_gradients(zip(tape.gradient(value, part.trainable_weights), part.trainable_weights, strict=True))
        return {"loss": loss}
