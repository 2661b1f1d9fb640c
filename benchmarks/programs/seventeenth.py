"""A seventeenth set, with the rules in view: faulty programs like those of a blind set that were missed, and healthy ones near them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

Adam = keras.optimizers.Adam
SPARSE = "sparse_categorical_crossentropy"


def of_digits(*stacked: Any, flat: bool = False, optimizer: Any = "adam") -> Any:
    """A model of digits, with a last layer that gives the shares of ten classes."""
    model = keras.Sequential([keras.Input((64,) if flat else (8, 8, 1), name="inputs"), *stacked, layers.Dense(10, "softmax", name="scores")])
    model.compile(optimizer, SPARSE)
    return model


def segmented(axis: int) -> Training:
    """Which pixels of a noisy digit are ink. ``axis``: over which the shares add up to 1."""
    x, _ = data.images()
    noise = np.random.default_rng(0).normal(0, 0.2, x.shape).astype("float32")
    inputs = keras.Input((8, 8, 1), name="inputs")
    hidden = layers.Conv2D(16, 3, padding="same", activation="relu", name="hidden")(inputs)
    logits = layers.Conv2D(2, 1, name="logits")(hidden)
    model = keras.Model(inputs, layers.Softmax(axis=axis, name="shares")(logits))
    model.compile("adam", SPARSE)
    return Training(model, x + noise, (x[..., 0] > 0.5).astype("int32"))


@faulty("output_mismatch", "shares", every=10, held_out=True)
def shares_of_the_width_in_place_of_the_classes() -> Training:
    return segmented(2)


@healthy(every=10, held_out=True)
def shares_of_the_classes_at_each_pixel() -> Training:
    return segmented(-1)


def widened(empty: bool) -> Training:
    """A layer that takes its first filters from a smaller one. ``empty``: whether the others are left at 0."""
    model = of_digits(layers.Conv2D(32, 3, activation="relu", name="filters"), layers.Flatten())
    if empty:
        kernel, bias = model.get_layer("filters").get_weights()
        kernel[..., 24:] = 0
        model.get_layer("filters").set_weights([kernel, bias])
    return Training(model, *data.images())


@faulty("dead_units", "filters", every=10, held_out=True)
def filters_that_nobody_filled() -> Training:
    return widened(True)


@healthy(every=10, held_out=True)
def filters_that_begin_at_random() -> Training:
    return widened(False)


def excited(factor: float) -> Training:
    """Channels that are weighed by a gate of their means, times ``factor``."""
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    hidden = layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer="he_normal", name="hidden")(inputs)
    squeezed = layers.Rescaling(factor, name="squeezed")(layers.GlobalAveragePooling2D(name="mean")(hidden))
    gate = layers.Dense(32, "sigmoid", name="gate")(layers.Dense(16, "relu", name="squeeze")(squeezed))
    weighed = layers.Multiply(name="weighed")([hidden, layers.Reshape((1, 1, 32), name="spread")(gate)])
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(layers.GlobalMaxPooling2D(name="max")(weighed)))
    model.compile(Adam(3e-3), SPARSE)
    return Training(model, x, y)


@faulty("saturated_activation", "gate", every=10, held_out=True)
def gate_of_sums_in_place_of_means() -> Training:
    return excited(400.0)


@healthy(every=10, held_out=True)
def gate_of_means() -> Training:
    return excited(1.0)


def on_features(trainable: bool) -> Training:
    """A head on convolutions that nobody has trained."""
    base = [layers.Conv2D(8, 3, activation="relu", name="first"), layers.Conv2D(8, 3, strides=2, activation="relu", name="second")]
    for layer in base:
        layer.trainable = trainable
    return Training(of_digits(*base, layers.GlobalAveragePooling2D(), optimizer=Adam(3e-3)), *data.images(), epochs=5)


@faulty("left_frozen", "first", every=20, held_out=True)
def base_frozen_without_its_downloaded_weights() -> Training:
    return on_features(False)


@healthy(every=20, held_out=True)
def base_that_learns_with_its_head() -> Training:
    return on_features(True)


@healthy(every=20, held_out=True)
def head_on_many_random_features() -> Training:
    model = of_digits(layers.Dense(400, "relu", trainable=False, name="random"), flat=True, optimizer=Adam(2e-3))
    return Training(model, *data.digits(), epochs=5)


def unrolled(size: float) -> Training:
    """A recurrence in a loop of Python; the answer is in the first of sixteen steps."""
    x = np.random.default_rng(0).normal(size=(1280, 16, 4)).astype("float32")
    inputs = keras.Input((16, 4), name="inputs")
    reads, turns = (
        layers.Dense(24, name="reads"),
        layers.Dense(24, use_bias=False, kernel_initializer=keras.initializers.Orthogonal(size), name="turns"),
    )
    state = layers.Activation("tanh", name="state_0")(reads(inputs[:, 0]))
    for step in range(1, 16):
        state = layers.Activation("tanh", name=f"state_{step}")(0.2 * reads(inputs[:, step]) + turns(state))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid", name="answer")(state))
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, (x[:, 0, 0] > 0).astype("float32"), epochs=6)


@faulty("vanishing_gradient", "turns", every=10, held_out=True)
def recurrence_by_hand_that_forgets_its_first_step() -> Training:
    return unrolled(0.1)


@healthy(every=10, held_out=True)
def recurrence_by_hand_that_keeps_its_first_step() -> Training:
    return unrolled(1.0)


def hidden_function(function: str | None) -> Training:
    """Two rings, one in the other, for a network with two hidden layers."""
    random = np.random.default_rng(0)
    angle, y = random.uniform(0, 2 * np.pi, 1280), random.integers(0, 2, 1280)
    x = ((1 + y) * np.stack([np.cos(angle), np.sin(angle)])).T.astype("float32")
    hidden = [layers.Dense(24, function, name=name) for name in ("first", "second")]
    model = keras.Sequential([keras.Input((2,), name="inputs"), *hidden, layers.Dense(1, "sigmoid", name="answer")])
    model.compile(Adam(5e-3), "binary_crossentropy")
    return Training(model, x, y.astype("float32"), epochs=5)


@faulty("inner_function", "first", every=10, held_out=True)
def layers_whose_functions_were_forgotten() -> Training:
    return hidden_function(None)


@healthy(every=10, held_out=True)
def layers_with_a_function_each() -> Training:
    return hidden_function("relu")


@faulty("inner_function", "shares", every=10, held_out=True)
def softmax_between_two_layers() -> Training:
    inner = [layers.Dense(64, "relu", name="first"), layers.Dense(64, "softmax", name="shares"), layers.Dense(32, "relu", name="last")]
    return Training(of_digits(*inner, flat=True), *data.digits())


@healthy(every=10, held_out=True)
def codes_that_are_shares_of_a_book() -> Training:
    x, _ = data.digits()
    hidden = [layers.Dense(64, "relu", name="hidden"), layers.Dense(16, "softmax", name="shares")]
    model = keras.Sequential([keras.Input((64,), name="inputs"), *hidden, layers.Dense(64, name="book")])
    model.compile(Adam(5e-3), "mse")
    return Training(model, x, x, epochs=8)


def priced(unit: float) -> Training:
    """Classes of digits, and how much ink they take, in a unit."""
    x, y = data.images()
    ink = unit * x.mean((1, 2, 3))[:, None]
    inputs = keras.Input((8, 8, 1), name="inputs")
    trunk = layers.Dense(32, "relu", name="trunk")(layers.Flatten()(layers.Conv2D(16, 3, activation="relu", name="filters")(inputs)))
    model = keras.Model(inputs, [layers.Dense(10, "softmax", name="kind")(trunk), layers.Dense(1, name="price")(trunk)])
    model.compile(Adam(3e-3), [SPARSE, "mse"])
    return Training(model, x, [y, ink], epochs=4)


@faulty("loss_outweighs", "price", every=10, held_out=True)
def price_in_cents_beside_classes() -> Training:
    return priced(1e5)


@healthy(every=10, held_out=True)
def price_in_a_unit_near_one_beside_classes() -> Training:
    return priced(1.0)


class Mask(layers.Layer):
    """Lets each position look at itself only, in every second window."""

    def call(self, scores: Any) -> Any:
        alone = -100.0 * (1 - ops.eye(16))
        second = ops.cast(ops.arange(ops.shape(scores)[0]) % 2, scores.dtype)
        return scores + ops.reshape(second, (-1, 1, 1)) * alone


@healthy(every=10, held_out=True)
def windows_masked_by_minus_a_hundred() -> Training:
    inputs = keras.Input((8, 8, 1), name="inputs")
    tokens = layers.Reshape((16, 24), name="tokens")(layers.Conv2D(24, 2, strides=2, name="patches")(inputs))
    scores = layers.Dot(axes=(2, 2), name="scores")([layers.Dense(24, name="query")(tokens), layers.Dense(24, name="key")(tokens)])
    weights = layers.Softmax(name="weights")(Mask(name="mask")(scores / 24**0.5))
    read = layers.Add(name="read")([tokens, layers.Dot(axes=(2, 1), name="seen")([weights, layers.Dense(24, name="value")(tokens)])])
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="classes")(layers.GlobalAveragePooling1D(name="mean")(read)))
    model.compile(Adam(5e-3), SPARSE)
    return Training(model, *data.images(), epochs=5)


def normalized(momentum: float) -> Training:
    x, y = data.images()
    x = 8 * x
    parts = [
        [layers.Conv2D(16, 3, name=f"filters{n}"), layers.BatchNormalization(momentum=momentum, name=f"norm{n}"), layers.ReLU()] for n in range(2)
    ]
    model = of_digits(*parts[0], *parts[1], layers.GlobalAveragePooling2D(), optimizer=Adam(5e-3))
    return Training(model, x[:1440], y[:1440], epochs=3, options={"validation_data": (x[1440:], y[1440:])})


@faulty("batchnorm_drift", "norm0 norm1", every=10, held_out=True)
def moving_statistics_that_take_a_thousand_steps() -> Training:
    return normalized(0.999)


@healthy(every=10, held_out=True)
def moving_statistics_that_take_five_steps() -> Training:
    return normalized(0.8)
