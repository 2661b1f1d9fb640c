"""A fifteenth set, with the rules in view: faulty programs like scripts outside of the repository that were missed, and healthy ones near them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

Adam = keras.optimizers.Adam
SPARSE = "sparse_categorical_crossentropy"


def regression(*ends: Any, rate: float = 1e-3) -> Any:
    """A model for the ten columns of the diabetes data, trained on squares."""
    model = keras.Sequential([keras.Input((10,), name="inputs"), layers.Dense(32, "relu", name="hidden"), *ends])
    model.compile(Adam(rate), "mse")
    return model


def classifier(*stacked: Any, optimizer: Any = "adam", **options: Any) -> Any:
    """A model for digits."""
    model = keras.Sequential([keras.Input((64,), name="inputs"), *stacked, layers.Dense(10, "softmax", name="shares")])
    model.compile(optimizer, SPARSE, **options)
    return model


@faulty("targets_out_of_range", "value", every=100, held_out=True)
def rectified_output_for_standardized_targets() -> Training:
    return Training(regression(layers.Dense(1, "relu", name="value")), *data.standardized("diabetes"), epochs=20)


@faulty("targets_out_of_range", "value", every=100, held_out=True)
def prices_for_an_output_that_begins_at_zero() -> Training:
    x, y = data.standardized("diabetes")
    return Training(regression(layers.Dense(1, name="value")), x, (200_000 + 50_000 * y).astype("float32"), epochs=25)


@healthy(every=100, held_out=True)
def rectified_output_for_targets_above_zero() -> Training:
    x, y = data.standardized("diabetes")
    return Training(regression(layers.Dense(1, "relu", bias_initializer="ones", name="value"), rate=1e-2), x, np.abs(y), epochs=20)


@healthy(every=100, held_out=True)
def targets_far_from_zero_that_the_last_bias_begins_with() -> Training:
    x, y = data.standardized("diabetes")
    last = layers.Dense(1, bias_initializer=keras.initializers.Constant(152.0), name="value")
    return Training(regression(last, rate=1e-2), x, (152 + 77 * y).astype("float32"), epochs=20)


@faulty("other_validation_data", "inputs", every=100, held_out=True)
def validated_on_digits_that_nobody_scaled() -> Training:
    x, y = data.digits()
    model = classifier(layers.Dense(32, "relu", name="hidden"))
    return Training(model, x[:1400], y[:1400], epochs=5, options={"validation_data": (x[1400:] * 255, y[1400:])})


@faulty("update_too_small", "hidden shares", every=100, held_out=True)
def rate_that_falls_at_every_step_and_not_at_every_epoch() -> Training:
    rate = keras.optimizers.schedules.ExponentialDecay(2e-3, 1, 0.9)
    return Training(classifier(layers.Dense(64, "relu", name="hidden"), optimizer=Adam(rate)), *data.digits(), epochs=6)


@healthy(every=100, held_out=True)
def rate_that_falls_to_nothing_at_the_end() -> Training:
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 340)
    return Training(classifier(layers.Dense(64, "relu", name="hidden"), optimizer=Adam(rate)), *data.digits(), epochs=6)


def transferred(frozen: int) -> Training:
    """Two layers that were trained on half of the digits, a new one, and a head; so many of them are frozen."""
    x, y = data.digits()
    stacked = [layers.Dense(64, "relu", name="base1"), layers.Dense(32, "relu", name="base2")]
    first = classifier(*stacked)
    first.fit(x[y < 5], y[y < 5], epochs=4, verbose=0)
    stacked.append(layers.Dense(6, "tanh", name="new"))
    for layer in stacked[:frozen]:
        layer.trainable = False
    return Training(classifier(*stacked, optimizer=Adam(5e-3)), x, y, epochs=6)


@faulty("left_frozen", "new", every=100, held_out=True)
def new_layer_frozen_with_its_base() -> Training:
    return transferred(3)


@healthy(every=100, held_out=True)
def new_layer_behind_a_frozen_base() -> Training:
    return transferred(2)


@faulty("unnormalized_input", "inputs", every=100, held_out=True)
def bytes_that_a_layer_multiplies_as_they_are() -> Training:
    x, y = data.digits()
    return Training(classifier(layers.Dense(32, "relu", name="hidden")), (x * 255).astype("uint8"), y, epochs=6)


class Critic(keras.Model):
    """What a state is worth: a reward and what the next one is worth, by a slow copy. ``axis``: whether each answer keeps its last axis."""

    def __init__(self, keeps_axis: bool) -> None:
        super().__init__()
        self.online, self.slow = (
            keras.Sequential([keras.Input((4,)), layers.Dense(16, "tanh", name="hidden"), layers.Dense(1, name=f"worth_{name}")], name=name)
            for name in ("online", "slow")
        )
        self.slow.trainable, self.keeps_axis = False, keeps_axis

    def call(self, states: Any) -> Any:
        return self.online(states)

    def train_step(self, batch: Any) -> Any:
        states, (rewards, following) = batch
        goal = rewards + 0.9 * self.slow(following)[:, 0]
        with tf.GradientTape() as tape:
            answers = self.online(states)
            loss = ops.mean((goal - (answers if self.keeps_axis else answers[:, 0])) ** 2)
        weights = self.online.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        for slow, fast in zip(self.slow.weights, self.online.weights, strict=True):
            slow.assign(0.95 * slow + 0.05 * fast)
        return {"loss": loss}


def walk(keeps_axis: bool) -> Training:
    random = np.random.default_rng(0)
    states = random.normal(size=(3200, 4)).astype("float32")
    following = (0.5 * states + 0.1 * random.normal(size=states.shape)).astype("float32")
    model = Critic(keeps_axis)
    model.build((None, 4))
    model.compile(Adam(3e-3))
    return Training(model, states, (states[:, 0], following), epochs=4)


@faulty("output_mismatch", "online", every=100, held_out=True)
def critic_that_compares_all_states_with_all_goals() -> Training:
    return walk(True)


@healthy(every=100, held_out=True)
def critic_with_a_slow_copy() -> Training:
    return walk(False)
