"""A twentieth set, with the rules in view: faulty programs like those of a blind set that were missed, and their healthy twins."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD


def digits(*stacked: Any, optimizer: Any = None) -> Training:
    """Pictures of digits, flat, of which ``stacked`` makes something first."""
    x, y = data.digits()
    model = keras.Sequential([keras.Input((64,), name="inputs"), *stacked, layers.Dense(10, "softmax", name="scores")])
    model.compile(optimizer or Adam(3e-3), "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=4)


def measured(*stacked: Any, end: str | None = None, positive: bool = False) -> Training:
    """A number of a table, standardized, or its exponential."""
    x, y = data.standardized("diabetes")
    y = np.asarray((y - y.mean()) / y.std(), "float32").reshape(-1, 1)
    model = keras.Sequential([keras.Input((x.shape[1],), name="inputs"), layers.Dense(32, "relu", name="hidden"), *stacked])
    model.add(layers.Dense(1, end, name="answer"))
    model.compile(Adam(5e-3), "mse")
    return Training(model, x, np.exp(0.5 * y) if positive else y, epochs=10)


def alpha(rate: float) -> Training:
    return digits(layers.Dense(48, "selu", kernel_initializer="lecun_normal", name="hidden"), layers.AlphaDropout(rate, name="drop"))


@faulty("heavy_dropout", "drop", every=10, held_out=True)
def an_alpha_dropout_that_is_given_the_share_to_keep() -> Training:
    return alpha(0.95)


@healthy(every=10, held_out=True)
def an_alpha_dropout_that_is_given_the_share_to_drop() -> Training:
    return alpha(0.05)


@faulty("collapse", "unit", every=10, held_out=True)
def a_number_over_its_own_length() -> Training:
    return measured(layers.Dense(1, name="one"), layers.UnitNormalization(name="unit"))


@healthy(every=10, held_out=True)
def several_numbers_over_their_length() -> Training:
    return measured(layers.Dense(8, name="several"), layers.UnitNormalization(name="unit"))


@faulty("targets_out_of_range", "answer", every=10, held_out=True)
def standardized_targets_for_a_softplus() -> Training:
    return measured(end="softplus")


@healthy(every=10, held_out=True)
def positive_targets_for_a_softplus() -> Training:
    return measured(end="softplus", positive=True)


def slowed(by: float) -> Training:
    schedule = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, by)
    return digits(layers.Dense(48, "relu", name="hidden"), optimizer=SGD(schedule))


@faulty("update_too_small", "hidden scores", every=5, held_out=True)
def a_rate_that_is_a_fiftieth_after_one_step() -> Training:
    return slowed(50.0)


@healthy(every=5, held_out=True)
def a_rate_that_is_half_after_a_thousand_steps() -> Training:
    return slowed(1e-3)


def scaled(factor: float) -> Training:
    return digits(layers.Dense(48, "relu", name="first"), layers.Rescaling(factor, name="scale"), layers.Dense(48, "relu", name="second"))


@faulty("vanishing_gradient", "scale", every=5, held_out=True)
def a_factor_of_next_to_nothing_between_layers() -> Training:
    return scaled(1e-4)


@healthy(every=5, held_out=True)
def a_factor_between_layers() -> Training:
    return scaled(0.5)


def stepped(biases_only: bool) -> Training:
    """A step of one's own. ``biases_only``: whether the optimizer gets nothing else."""
    training = digits(layers.Dense(48, "relu", name="hidden"))
    model, optimizer = training.model, Adam(3e-3)
    weights = [weight for weight in model.trainable_variables if not biases_only or weight.name == "bias"]

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = ops.mean(keras.losses.sparse_categorical_crossentropy(y, model(x, training=True)))
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return Training(model, training.x, training.y, loop=step)


@faulty("unchanged_weights", "hidden scores", every=10, held_out=True)
def a_step_that_gives_the_optimizer_biases_only() -> Training:
    return stepped(biases_only=True)


@healthy(every=10, held_out=True)
def a_step_that_gives_the_optimizer_all_weights() -> Training:
    return stepped(biases_only=False)


def likelihood(sign: float) -> Training:
    """A normal distribution whose mean and log deviation are learned. ``sign``: of the logarithm, which keeps the deviation from going to 0."""
    x, y = data.sine(2048)

    def loss(y: Any, made: Any) -> Any:
        return 0.5 * ops.square((y - made[:, :1]) * ops.exp(made[:, 1:])) + sign * made[:, 1:]

    model = keras.Sequential([keras.Input((1,), name="inputs"), layers.Dense(32, "relu", name="hidden"), layers.Dense(2, name="made")])
    model.compile(Adam(1e-2), loss)
    return Training(model, x, y, epochs=10)


@faulty("exploding_loss", "loss", every=10, held_out=True)
def a_likelihood_with_the_wrong_sign() -> Training:
    return likelihood(1.0)


@healthy(every=10, held_out=True)
def a_likelihood() -> Training:
    return likelihood(-1.0)
