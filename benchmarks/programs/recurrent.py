"""Recurrent networks on lines of source, waves and the rows of digits."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy


def rows() -> Any:
    """Digits as sequences of eight rows."""
    x, y = data.images()
    return x[..., 0], y


def over_rows(layer: Any, *more: Any, optimizer: Any = "adam") -> keras.Model:
    """A classifier of digits that reads row after row."""
    model = keras.Sequential([keras.Input((8, 8), name="rows"), layer, *more, layers.Dense(10, activation="softmax", name="output")])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


# Healthy.

for _layer in ("LSTM", "GRU", "SimpleRNN"):

    @healthy(name=f"digits_{_layer.lower()}")
    def _(layer: str = _layer) -> Training:
        return Training(over_rows(getattr(layers, layer)(24), optimizer=keras.optimizers.Adam(3e-3)), *rows(), epochs=3)


@healthy()
def digits_bidirectional_stack() -> Training:
    return Training(over_rows(layers.Bidirectional(layers.LSTM(12, return_sequences=True)), layers.Dropout(0.2), layers.GRU(16)), *rows(), epochs=3)


@healthy()
def lines_masked_lstm() -> Training:
    ids, labels, size = data.lines()
    model = keras.Sequential(
        [keras.Input((24,), dtype="int32"), layers.Embedding(size, 16, mask_zero=True), layers.LSTM(16), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    return Training(model, ids, labels, epochs=3)


@healthy()
def lines_float_ids() -> Training:
    ids, labels, size = data.lines()
    model = keras.Sequential([keras.Input((24,)), layers.Embedding(size, 16), layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, ids.astype("float32"), labels, epochs=3)


@healthy()
def characters_gru() -> Training:
    x, y, size = data.characters(length=20, n=800)
    model = keras.Sequential(
        [keras.Input((20,), dtype="int32"), layers.Embedding(size, 24), layers.GRU(48, return_sequences=True), layers.Dense(size)]
    )
    model.compile(keras.optimizers.Adam(5e-3, clipnorm=1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Training(model, x, y, epochs=3)


@healthy()
def waves_lstm() -> Training:
    model = keras.Sequential([keras.Input((30, 1)), layers.LSTM(16), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, *data.series(), epochs=4)


@healthy()
def waves_seq2seq() -> Training:
    x, _ = data.series()
    model = keras.Sequential(
        [
            keras.Input((20, 1)),
            layers.LSTM(16),
            layers.RepeatVector(10),
            layers.LSTM(16, return_sequences=True),
            layers.TimeDistributed(layers.Dense(1)),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, x[:, :20], x[:, 20:], epochs=4)


# Faulty.


@faulty("saturated_activation poor_initialization", "rnn")
def saturated_rnn() -> Training:
    layer = layers.SimpleRNN(24, name="rnn", kernel_initializer=keras.initializers.RandomNormal(stddev=12.0))
    return Training(over_rows(layer), *rows(), epochs=3)


@faulty("exploding_gradient poor_initialization exploding_activation", "rnn", every=1)
def exploding_rnn() -> Training:
    layer = layers.SimpleRNN(32, activation="linear", name="rnn", recurrent_initializer=keras.initializers.Orthogonal(gain=3.0))
    model = keras.Sequential([keras.Input((30, 1), name="window"), layer, layers.Dense(1, name="output")])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    return Training(model, *data.series(), epochs=1)


@faulty("unnormalized_input", "window")
def unnormalized_waves() -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input((30, 1), name="window"), layers.LSTM(16, name="lstm"), layers.Dense(1, name="output")])
    model.compile("adam", "mse")
    return Training(model, x * 500 + 2000, y, epochs=3)


@faulty("nonfinite", "window")
def nan_in_the_data() -> Training:
    x, y = data.series()
    x = x.copy()
    x[100:, 3] = np.nan
    model = keras.Sequential([keras.Input((30, 1), name="window"), layers.GRU(16, name="gru"), layers.Dense(1, name="output")])
    model.compile("adam", "mse")
    return Training(model, x, y, epochs=2)


@faulty("dead_units", "reading")
def dead_reading() -> Training:
    layer = layers.TimeDistributed(layers.Dense(16, activation="relu", bias_initializer=keras.initializers.Constant(-9.0)), name="reading")
    return Training(over_rows(layer, layers.LSTM(16, name="lstm")), *rows(), epochs=3)


@faulty("poor_initialization", "lstm")
def init_zeros() -> Training:
    layer = layers.LSTM(16, name="lstm", kernel_initializer="zeros", recurrent_initializer="zeros")
    return Training(over_rows(layer), *rows(), epochs=3)


@faulty("missing_gradient", "unused")
def unused_layer() -> Training:
    class Reader(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.gru = layers.GRU(16, name="gru")
            self.unused = layers.Dense(4, name="unused")
            self.head = layers.Dense(10, activation="softmax", name="output")

        def call(self, x: Any) -> Any:
            x = self.gru(x)
            self.unused(x)
            return self.head(x)

    model = Reader()
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *rows(), epochs=3)


@faulty("missing_gradient", "embedding")
def gradient_cut_by_argmax() -> Training:
    ids, labels, size = data.lines()
    inputs = keras.Input((24,), dtype="int32", name="ids")
    x = layers.Embedding(size, 16, name="embedding")(inputs)
    x = keras.ops.one_hot(keras.ops.argmax(x, axis=-1), 16)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="output")(layers.LSTM(12, name="lstm")(x)))
    model.compile("adam", "binary_crossentropy")
    return Training(model, ids, labels, epochs=3)


@faulty("update_too_large exploding_loss oscillating_loss nonfinite", "gru embedding output loss", every=1)
def rate_huge() -> Training:
    ids, labels, size = data.lines()
    model = keras.Sequential(
        [
            keras.Input((24,), dtype="int32"),
            layers.Embedding(size, 16, name="embedding"),
            layers.GRU(16, name="gru"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )
    model.compile(keras.optimizers.Adam(3.0), "binary_crossentropy")
    return Training(model, ids, labels, epochs=2)


@faulty("update_too_small", "gru output")
def rate_tiny() -> Training:
    return Training(over_rows(layers.GRU(16, name="gru"), optimizer=keras.optimizers.Adam(1e-9)), *rows(), epochs=3)


@faulty("unchanged_weights", "lstm output")
def rate_zero() -> Training:
    return Training(over_rows(layers.LSTM(16, name="lstm"), optimizer=keras.optimizers.RMSprop(0.0)), *rows(), epochs=2)
