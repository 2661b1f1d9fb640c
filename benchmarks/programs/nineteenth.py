"""A nineteenth set, with the rules in view: faulty programs like those of a blind set that were missed, and their healthy twins."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

Adam = keras.optimizers.Adam


def answered(*stacked: Any, loss: Any = "binary_crossentropy", end: str | None = "sigmoid", name: str = "breast_cancer") -> Training:
    """A yes or no about a table, of which ``stacked`` makes something first."""
    x, y = data.standardized(name)
    model = keras.Sequential([keras.Input((x.shape[1],), name="inputs"), *stacked, layers.Dense(16, "relu", name="hidden")])
    model.add(layers.Dense(1, end, name="answer"))
    model.compile(Adam(3e-3), loss)
    return Training(model, x, y.astype("float32").reshape(-1, 1), epochs=6)


def compared(with_what: Any) -> Training:
    """Labels that were read as text, and are compared with what stands for yes."""
    training = answered()
    texts = training.y.astype("int32").astype(str)
    return Training(training.model, training.x, np.array([[text[0] == with_what] for text in texts], "float32"), epochs=6)


@faulty("constant_targets", "answer", every=1, held_out=True)
def labels_that_are_text_compared_with_a_number() -> Training:
    return compared(1)


@healthy(every=1, held_out=True)
def labels_that_are_text_compared_with_text() -> Training:
    return compared("1")


@faulty("output_mismatch", "answer", every=10, held_out=True)
def logits_of_a_relu() -> Training:
    return answered(loss=keras.losses.BinaryCrossentropy(from_logits=True), end="relu")


@healthy(every=10, held_out=True)
def logits_of_any_sign() -> Training:
    return answered(loss=keras.losses.BinaryCrossentropy(from_logits=True), end=None)


class Noise(layers.Layer):
    """Noise in training, ``size`` times as large as what it is added to."""

    def __init__(self, size: float, name: str) -> None:
        super().__init__(name=name)
        self.size, self.seeds = size, keras.random.SeedGenerator(0)

    def call(self, x: Any, training: bool = False) -> Any:
        return x + self.size * keras.random.normal(ops.shape(x), seed=self.seeds) if training else x


@faulty("unnormalized_input", "noise", every=10, held_out=True)
def noise_that_drowns_the_columns() -> Training:
    return answered(Noise(30.0, name="noise"))


@healthy(every=10, held_out=True)
def noise_that_blurs_the_columns() -> Training:
    return answered(Noise(0.3, name="noise"))


def digits(*stacked: Any, scale: Any = None) -> Training:
    x, y = data.digits()
    model = keras.Sequential([keras.Input((64,), name="inputs"), *stacked, layers.Dense(10, "softmax", name="scores")])
    model.compile(Adam(3e-3), "sparse_categorical_crossentropy")
    return Training(model, scale(x) if scale else x, y, epochs=3)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def pixels_that_are_brought_to_one_from_bytes_they_are_not() -> Training:
    return digits(layers.Dense(32, "relu", name="hidden"), scale=lambda x: x / 127.5 - 1)


@healthy(every=10, held_out=True)
def pixels_from_minus_one_to_one() -> Training:
    return digits(layers.Dense(32, "relu", name="hidden"), scale=lambda x: 2 * x - 1)


@faulty("cut_off", "cut", every=10, held_out=True)
def a_relu_that_ends_at_a_fiftieth() -> Training:
    return digits(layers.Dense(32, name="hidden"), layers.ReLU(max_value=0.02, name="cut"))


@healthy(every=10, held_out=True)
def a_relu_that_ends_at_six() -> Training:
    return digits(layers.Dense(32, name="hidden"), layers.ReLU(max_value=6.0, name="cut"))


def reads(trainable: bool) -> Training:
    """Lines whose characters are numbers of a table. ``trainable``: whether it learns."""
    x, y, characters = data.lines()
    table = layers.Embedding(characters, 4, trainable=trainable, name="table")
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), table, layers.GlobalAveragePooling1D(name="mean")])
    model.add(layers.Dense(1, "sigmoid", name="answer"))
    model.compile(Adam(5e-3), "binary_crossentropy")
    return Training(model, x, np.asarray(y, "float32").reshape(-1, 1), epochs=6)


@faulty("left_frozen", "table", every=10, held_out=True)
def a_table_of_random_rows_that_is_frozen() -> Training:
    return reads(False)


@healthy(every=10, held_out=True)
def a_table_that_learns() -> Training:
    return reads(True)


def remembered(rate: float) -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input(x.shape[1:], name="inputs"), layers.LSTM(16, recurrent_dropout=rate, name="read")])
    model.add(layers.Dense(1, name="next"))
    model.compile(Adam(5e-3), "mse")
    return Training(model, x, y, epochs=3)


@faulty("heavy_dropout", "read", every=10, held_out=True)
def states_of_which_the_share_to_keep_is_dropped() -> Training:
    return remembered(0.9)


@healthy(every=10, held_out=True)
def states_of_which_a_tenth_is_dropped() -> Training:
    return remembered(0.1)


class Views(keras.Model):
    """Two views of a picture that should have one direction. ``varied``: whether codes are kept apart."""

    def __init__(self, varied: bool) -> None:
        super().__init__()
        self.code = keras.Sequential([keras.Input((64,)), layers.Dense(64, "relu", name="hidden"), layers.Dense(16, name="vector")], name="code")
        self.varied = varied

    def call(self, x: Any) -> Any:
        return self.code(x)

    def train_step(self, batch: Any) -> Any:
        x = batch[0] if isinstance(batch, tuple) else batch
        with tf.GradientTape() as tape:
            one, two = (self.code(x + 0.1 * tf.random.normal(tf.shape(x))) for _ in range(2))
            loss = -tf.reduce_mean(tf.reduce_sum(tf.math.l2_normalize(one, 1) * tf.math.l2_normalize(two, 1), 1))
            for view in (one, two) if self.varied else ():
                mean, variance = tf.nn.moments(view, 0)
                loss += tf.reduce_mean(tf.nn.relu(1 - tf.sqrt(variance + 1e-6))) + 0.1 * tf.reduce_mean(tf.square(mean))
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def views(varied: bool) -> Training:
    model = Views(varied)
    model.compile(Adam(3e-3))
    return Training(model, data.digits()[0], epochs=6)


@faulty("collapse", "code", every=10, held_out=True)
def views_that_all_point_the_same_way() -> Training:
    return views(False)


@healthy(every=10, held_out=True)
def views_whose_codes_are_kept_apart() -> Training:
    return views(True)
