"""The twenty-third set, blind: updates, beginnings, collapse and inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, twins
from benchmarks.programs.twenty_third import CLASSES, SGD, Adam, Function, of_digits

# Weights that stay.


class HeadOnly(keras.Model):
    """An encoder and a head, with a train step that may forget one of them."""

    def __init__(self, ill: bool) -> None:
        super().__init__()
        self.encoder = keras.Sequential([layers.Conv2D(8, 3, activation="relu", name="edges"), layers.Flatten(name="flat")], name="encoder")
        self.scores, self.ill = layers.Dense(10, "softmax", name="scores"), ill

    def call(self, x: Any) -> Any:
        return self.scores(self.encoder(x))

    def train_step(self, batch: Any) -> Any:
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        weights = self.scores.trainable_variables if self.ill else self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


@twins("unchanged_weights missing_gradient", "encoder encoder/edges edges", every=5)
def train_step_that_forgets_the_encoder(ill: bool) -> Training:
    x, y = data.images()
    model = HeadOnly(ill)
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x, y)


@twins("unchanged_weights missing_gradient", "scores", every=3)
def loop_that_applies_all_but_the_last_two(ill: bool) -> Training:
    x, y = data.digits()
    hidden = [layers.Dense(32, "relu", name=name) for name in ("fc1", "fc2")]
    model = keras.Sequential([keras.Input((64,), name="inputs"), *hidden, layers.Dense(10, name="scores")])
    optimizer, loss_function = Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = model.trainable_variables[:-2] if ill else model.trainable_variables
    optimizer.build(weights)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return Training(model, x, y, epochs=2, loop=step)


@twins("unchanged_weights update_too_small", "fc1 fc2 scores", every=5)
def rate_that_a_callback_sets_to_nothing(ill: bool) -> Training:
    stop = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0 if ill and epoch >= 2 else rate)
    hidden = [layers.Dense(32, "relu", name=name) for name in ("fc1", "fc2")]
    return of_digits(*hidden, epochs=5, more_callbacks=[stop])


@twins("unchanged_weights vanishing_gradient missing_gradient", "aux aux_1 side", every=5)
def head_whose_loss_counts_for_nothing(ill: bool) -> Training:
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Flatten(name="flat")(layers.Conv2D(8, 3, activation="relu", name="edges")(inputs))
    aux = layers.Dense(1, "sigmoid", name="aux")(layers.Dense(16, "relu", name="aux_1")(h))
    model = keras.Model(inputs, {"scores": layers.Dense(10, "softmax", name="scores")(h), "aux": aux})
    losses = {"scores": CLASSES, "aux": "binary_crossentropy"}
    model.compile(Adam(2e-3), losses, loss_weights={"scores": 1.0, "aux": 0.0 if ill else 0.5})
    return Training(model, x, {"scores": y, "aux": (y % 2).astype("float32")[:, None]})


# Updates too large or too small.


@twins("update_too_large exploding_loss oscillating_loss dead_units exploding_activation saturated_activation",
       "letters attention up down scores loss norm_1 norm_2", every=5)  # fmt: skip
def transformer_with_a_rate_of_a_third(ill: bool) -> Training:
    x, y = data.digits()
    inputs = keras.Input((8, 8), name="inputs")
    h = layers.Dense(32, name="letters")(inputs)
    a = layers.MultiHeadAttention(2, 16, name="attention")(h, h)
    h = layers.LayerNormalization(name="norm_1")(layers.Add(name="add_1")([h, a]))
    f = layers.Dense(32, name="down")(layers.Dense(64, "relu", name="up")(h))
    h = layers.LayerNormalization(name="norm_2")(layers.Add(name="add_2")([h, f]))
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(layers.Flatten(name="flat")(h)))
    model.compile(Adam(0.3 if ill else 1e-3), CLASSES)
    return Training(model, x.reshape(-1, 8, 8), y)


@twins("update_too_large exploding_loss oscillating_loss dead_units exploding_activation exploding_gradient nonfinite",
       "conv_a conv_b scores loss", every=5)  # fmt: skip
def schedule_that_jumps_to_five(ill: bool) -> Training:
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([100], [0.02, 5.0 if ill else 0.01])
    convs = [layers.Conv2D(8, 3, activation="relu", name=name) for name in ("conv_a", "conv_b")]
    return of_digits(*convs, layers.Flatten(name="flat"), pictures=True, optimizer=SGD(rate, 0.9))


class Adversaries(keras.Model):
    """A generator of digits against a critic."""

    def __init__(self, critic_rate: float) -> None:
        super().__init__()
        self.generator = keras.Sequential([layers.Dense(48, "relu", name="g1"), layers.Dense(64, "sigmoid", name="g2")], name="generator")
        self.critic = keras.Sequential([layers.Dense(48, "leaky_relu", name="c1"), layers.Dense(1, name="c2")], name="critic")
        self.rates = Adam(1e-3, 0.5), Adam(critic_rate, 0.5)
        self.binary = keras.losses.BinaryCrossentropy(from_logits=True)

    def build(self, shape: Any) -> None:
        self.generator.build((None, 8))
        self.critic.build((None, 64))
        for optimizer, net in zip(self.rates, (self.generator, self.critic), strict=True):
            optimizer.build(net.trainable_variables)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.critic(x)

    def train_step(self, x: Any) -> Any:
        n = tf.shape(x)[0]
        with tf.GradientTape(persistent=True) as tape:
            made = self.generator(tf.random.normal((n, 8)))
            real, fake = self.critic(x), self.critic(made)
            critic_loss = self.binary(tf.ones_like(real), real) + self.binary(tf.zeros_like(fake), fake)
            loss = self.binary(tf.ones_like(fake), fake)
        for optimizer, net, value in zip(self.rates, (self.generator, self.critic), (loss, critic_loss), strict=True):
            optimizer.apply(tape.gradient(value, net.trainable_variables), net.trainable_variables)
        return {"loss": loss, "critic": critic_loss}


@twins("update_too_large exploding_loss exploding_activation judge_won saturated_activation vanishing_gradient oscillating_loss",
       "critic critic/c1 critic/c2 c1 c2 loss generator", every=5)  # fmt: skip
def critic_with_a_rate_of_a_fifth(ill: bool) -> Training:
    x, _ = data.digits()
    model = Adversaries(0.2 if ill else 5e-4)
    model.compile(Adam(1e-3))
    return Training(model, x, epochs=6)


@twins("update_too_small unchanged_weights", "lstm next", every=5)
def rate_of_a_millionth_for_a_recurrent_model(ill: bool) -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input((30, 1), name="inputs"), layers.LSTM(16, name="lstm"), layers.Dense(1, name="next")])
    model.compile(Adam(1e-7 if ill else 3e-3), "mse")
    return Training(model, x, y, epochs=6)


@twins("update_too_small unchanged_weights", "fc1 fc2 scores", every=5)
def gradients_clipped_to_nearly_nothing(ill: bool) -> Training:
    hidden = [layers.Dense(32, "relu", name=name) for name in ("fc1", "fc2")]
    return of_digits(*hidden, optimizer=SGD(0.05, 0.9, clipnorm=1e-5 if ill else 1.0))


@twins("update_too_small unchanged_weights", "conv_a conv_b scores", every=5)
def rate_that_decays_in_twenty_steps(ill: bool) -> Training:
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 2 if ill else 200, 0.5)
    convs = [layers.Conv2D(8, 3, activation="relu", name=name) for name in ("conv_a", "conv_b")]
    return of_digits(*convs, layers.Flatten(name="flat"), pictures=True, optimizer=SGD(rate, 0.9), epochs=6)


# Beginnings.


@twins("poor_initialization", "fc2", every=5)
def second_layer_of_equal_weights(ill: bool) -> Training:
    start = keras.initializers.Constant(0.1) if ill else "he_normal"
    hidden = [layers.Dense(24, "relu", name="fc1"), layers.Dense(24, "relu", kernel_initializer=start, name="fc2")]
    return of_digits(*hidden, epochs=5)


@twins("poor_initialization unchanged_weights vanishing_gradient collapse dead_units", "branch_3", every=5)
def branch_of_an_inception_block_of_equal_filters(ill: bool) -> Training:
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(inputs)
    branches = []
    for size in (1, 3, 5):
        start = "zeros" if ill and size == 3 else "he_normal"
        branches.append(layers.Conv2D(6, size, padding="same", activation="relu", kernel_initializer=start, name=f"branch_{size}")(h))
    h = layers.Flatten(name="flat")(layers.Concatenate(name="both")(branches))
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(h))
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x, y)


class Adapter(keras.Layer):
    """A product of two small matrices beside the way through."""

    def __init__(self, ill: bool, name: str) -> None:
        super().__init__(name=name)
        self.first = "zeros" if ill else "he_normal"

    def build(self, shape: Any) -> None:
        self.down = self.add_weight(shape=(shape[-1], 4), initializer=self.first, name="down")
        self.up = self.add_weight(shape=(4, shape[-1]), initializer="zeros", name="up")

    def call(self, x: Any) -> Any:
        return x + ops.matmul(ops.matmul(x, self.down), self.up)


@twins("poor_initialization unchanged_weights vanishing_gradient", "adapter", every=5)
def adapter_of_which_both_halves_begin_at_nothing(ill: bool) -> Training:
    return of_digits(layers.Dense(32, "relu", name="hidden"), Adapter(ill, "adapter"))


@twins("poor_initialization saturated_activation", "lstm", every=5)
def kernels_of_a_recurrence_far_too_wide(ill: bool) -> Training:
    x, y, words = data.lines()
    start = keras.initializers.RandomNormal(stddev=8.0) if ill else "glorot_uniform"
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), layers.Embedding(words, 16, "normal", name="letters")])
    model.add(layers.Bidirectional(layers.LSTM(16, kernel_initializer=start, recurrent_initializer=start, name="lstm"), name="lstm"))
    model.add(layers.Dense(1, "sigmoid", name="answer"))
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, y, epochs=3)


# Collapse.


@twins("collapse", "average", every=5)
def mean_over_the_wrong_axis(ill: bool) -> Training:
    """Over the examples of the batch instead of the positions."""
    x, y = data.digits()
    inputs = keras.Input((8, 8), name="inputs")
    h = layers.Conv1D(24, 3, padding="same", activation="relu", name="rows")(inputs)
    average = (lambda a: ops.mean(ops.mean(a, 0, keepdims=True) + 0 * a, 1)) if ill else (lambda a: ops.mean(a, 1))
    h = layers.Dense(24, "relu", name="hidden")(Function(average, "average")(h))
    model = keras.Model(inputs, layers.Dense(10, "softmax", name="scores")(h))
    model.compile(Adam(2e-3), CLASSES)
    return Training(model, x.reshape(-1, 8, 8), y)


@twins("collapse", "norm", every=5)
def norm_over_a_single_value(ill: bool) -> Training:
    x, y = data.standardized("diabetes")
    steps: list[Any] = [layers.Dense(24, "relu", name="fc1"), layers.Dense(1 if ill else 8, name="narrow"), layers.LayerNormalization(name="norm")]
    model = keras.Sequential([keras.Input((10,), name="inputs"), *steps, layers.Dense(16, "relu", name="fc2"), layers.Dense(1, name="value")])
    model.compile(Adam(3e-3), "mse")
    return Training(model, x, y, epochs=12)


@twins("collapse output_mismatch", "answer", every=5)
def softmax_over_one_unit_of_a_recurrent_model(ill: bool) -> Training:
    x, y, words = data.lines()
    model = keras.Sequential([keras.Input((24,), dtype="int32", name="ids"), layers.Embedding(words, 16, name="letters"), layers.GRU(24, name="gru")])
    model.add(layers.Dense(1, "softmax" if ill else "sigmoid", name="answer"))
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, x, y, epochs=3)


class Pairs(keras.Model):
    """Codes of two noisy views of a digit should be near; those of different digits apart, unless that was forgotten."""

    def __init__(self, ill: bool) -> None:
        super().__init__()
        self.hidden, self.code, self.ill = layers.Dense(32, "relu", name="hidden"), layers.Dense(8, name="code"), ill

    def call(self, x: Any) -> Any:
        a, b = (self.code(self.hidden(x + 0.1 * keras.random.normal(ops.shape(x)))) for _ in range(2))
        near = ops.mean(ops.square(a - b))
        apart = 0.0 if self.ill else ops.mean(ops.relu(1 - ops.norm(a - ops.roll(b, 1, 0) + 1e-3, axis=-1)))
        self.add_loss((1.0 if self.ill else 0.2) * near + apart)
        return a


@twins("collapse", "code", every=10)
def views_of_a_digit_without_any_that_are_apart(ill: bool) -> Training:
    x, _ = data.digits()
    model = Pairs(ill)
    model.compile(Adam(1e-2))
    return Training(model, x, epochs=8)


# Inputs.


@twins("unnormalized_input", "chemistry", every=5)
def one_of_two_tables_as_it_comes(ill: bool) -> Training:
    raw, y = data.raw("wine")
    x, _ = data.standardized("wine")
    parts = [keras.Input((7,), name="colour"), keras.Input((6,), name="chemistry")]
    h = [layers.Dense(16, "relu", name=f"{part.name}_1")(part) for part in parts]
    model = keras.Model(parts, layers.Dense(3, "softmax", name="scores")(layers.Concatenate(name="both")(h)))
    model.compile(SGD(0.01), CLASSES)
    return Training(model, [x[:, :7], raw[:, 7:] if ill else x[:, 7:]], y, epochs=20)


@twins("constant_input", "side", every=5)
def a_table_that_a_join_left_empty(ill: bool) -> Training:
    x, y = data.standardized("breast_cancer")
    parts = [keras.Input((20,), name="main"), keras.Input((10,), name="side")]
    h = [layers.Dense(16, "relu", name=f"{part.name}_1")(part) for part in parts]
    model = keras.Model(parts, layers.Dense(1, "sigmoid", name="answer")(layers.Concatenate(name="both")(h)))
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, [x[:, :20], x[:, 20:] * (0 if ill else 1)], y.astype("float32")[:, None], epochs=8)


@twins("unnormalized_input saturated_activation", "inputs lstm", every=5)
def prices_in_thousands(ill: bool) -> Training:
    x, y = data.series()
    model = keras.Sequential([keras.Input((30, 1), name="inputs"), layers.LSTM(24, name="lstm"), layers.Dense(1, name="next")])
    model.compile(Adam(3e-3), "mse")
    return Training(model, x * 300 + 5000 if ill else x, y, epochs=6)


@twins("unnormalized_input constant_input vanishing_gradient update_too_small collapse", "inputs conv_a", every=5)
def pictures_divided_by_255_once_too_often(ill: bool) -> Training:
    x, _ = data.images()
    convs = [layers.Conv2D(8, 3, activation="relu", name=name) for name in ("conv_a", "conv_b")]
    training = of_digits(*convs, layers.Flatten(name="flat"), pictures=True, optimizer=SGD(0.1, 0.9), epochs=5)
    return replace(training, x=x / 255 / 255 if ill else x)


@twins("constant_input", "inputs", every=5)
def loader_that_yields_the_same_pictures_from_some_step_on(ill: bool) -> Training:
    """Pictures of all the batches after the first epoch are the empty buffer."""
    x, y = data.digits()
    x, y = np.tile(x, (3, 1)), np.tile(y, 3)
    if ill:
        x[1800:] = 0.0
    training = of_digits(layers.Dense(32, "relu", name="hidden"), epochs=1, options={"shuffle": False})
    return replace(training, x=x, y=y)
