"""A sixteenth set, with the rules in view: faulty programs like those of a blind set that were missed, and healthy ones near them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD
SPARSE = "sparse_categorical_crossentropy"


def classifier(*stacked: Any, optimizer: Any = "adam", loss: Any = SPARSE, ends: Any = None, **options: Any) -> Any:
    """A model for digits; ``ends``: its last layer."""
    model = keras.Sequential([keras.Input((64,), name="inputs"), *stacked, ends or layers.Dense(10, "softmax", name="scores")])
    model.compile(optimizer, loss, **options)
    return model


class Adversaries(keras.Model):
    """A generator of points, and a critic that reads them put together with real ones."""

    def __init__(self, end: str | None) -> None:
        super().__init__()
        hidden = {name: layers.Dense(32, "relu", name=f"{name}_hidden") for name in ("maker", "critic")}
        self.maker = keras.Sequential([keras.Input((4,)), hidden["maker"], layers.Dense(2, end, name="made")], name="maker")
        self.critic = keras.Sequential([keras.Input((2,)), hidden["critic"], layers.Dense(1, name="judged")], name="critic")
        self.judge = keras.losses.BinaryCrossentropy(from_logits=True)
        self.rates = {"maker": Adam(1e-3), "critic": Adam(1e-3)}

    def call(self, noise: Any) -> Any:
        return self.maker(noise)

    def train_step(self, real: Any) -> Any:
        count = ops.shape(real)[0]
        noise, one, zero = tf.random.normal((count, 4)), ops.ones((count, 1)), ops.zeros((count, 1))
        with tf.GradientTape() as tape:
            both = ops.concatenate([self.maker(noise), real])
            loss = self.judge(ops.concatenate([zero, one]), self.critic(both))
        weights = self.critic.trainable_weights
        self.rates["critic"].apply(tape.gradient(loss, weights), weights)
        with tf.GradientTape() as tape:
            gain = self.judge(one, self.critic(self.maker(noise)))
        weights = self.maker.trainable_weights
        self.rates["maker"].apply(tape.gradient(gain, weights), weights)
        return {"loss": loss, "gain": gain}


def adversaries(end: str | None) -> Training:
    random = np.random.default_rng(0)
    model = Adversaries(end)
    model.compile()
    return Training(model, (4 + random.normal(size=(1600, 2))).astype("float32"))


@faulty("targets_out_of_range", "maker/made", every=10, held_out=True)
def generator_between_minus_one_and_one_of_points_near_four() -> Training:
    return adversaries("tanh")


@healthy(every=10, held_out=True)
def generator_without_an_end() -> Training:
    return adversaries(None)


def frozen_end(scale: float) -> Training:
    """The last layer keeps its random weights, times ``scale``."""
    model = classifier(layers.Dense(64, "relu", name="hidden"), optimizer=Adam(1e-3))
    end = model.get_layer("scores")
    end.kernel.assign(end.kernel * scale)
    end.trainable = False
    model.compile(Adam(1e-3), SPARSE)
    return Training(model, *data.digits(), epochs=5)


@faulty("left_frozen", "scores", every=20, held_out=True)
def last_layer_frozen_before_it_was_trained() -> Training:
    return frozen_end(0.01)


@healthy(every=20, held_out=True)
def last_layer_that_stays_random_while_all_before_it_learns() -> Training:
    return frozen_end(1.0)


class Reader(keras.Model):
    """A mean of words, trained by a step of its own. ``first``: the first of the weights that the optimizer is given."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.words, self.mean = layers.Embedding(200, 8, name="words"), layers.GlobalAveragePooling1D(name="mean")
        self.hidden, self.answer = layers.Dense(16, "relu", name="hidden"), layers.Dense(1, name="answer")
        self.first, self.judge = first, keras.losses.BinaryCrossentropy(from_logits=True)

    def call(self, ids: Any) -> Any:
        return self.answer(self.hidden(self.mean(self.words(ids))))

    def train_step(self, batch: Any) -> Any:
        ids, targets = batch
        weights = self.trainable_weights[self.first :]
        with tf.GradientTape() as tape:
            loss = self.judge(targets[:, None], self(ids))
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def reader(first: int) -> Training:
    random = np.random.default_rng(0)
    ids = random.integers(0, 200, (1280, 12)).astype("int32")
    model = Reader(first)
    model(ids[:2])
    model.compile(Adam(1e-2))
    return Training(model, ids, ((ids < 100).mean(1) > 0.5).astype("float32"))


@faulty("unchanged_weights", "words", every=10, held_out=True)
def step_that_begins_behind_the_table_of_words() -> Training:
    return reader(1)


@healthy(every=10, held_out=True)
def step_that_begins_with_the_table_of_words() -> Training:
    return reader(0)


def short(policy: str) -> Training:
    keras.config.set_dtype_policy(policy)
    model = classifier(layers.Dense(32, "relu", name="first"), layers.Dense(32, "relu", name="second"), optimizer=SGD(1e-3, momentum=0.9))
    return Training(model, *data.digits(), epochs=6)


@faulty("update_too_small", "first second scores", every=20, held_out=True)
def steps_that_weights_in_bfloat16_round_away() -> Training:
    return short("bfloat16")


@healthy(every=20, held_out=True)
def weights_in_float32_of_a_model_in_bfloat16() -> Training:
    return short("mixed_bfloat16")


def likelihood(sign: float) -> Training:
    x, y = data.standardized("breast_cancer")
    model = keras.Sequential([keras.Input((30,), name="inputs"), layers.Dense(16, "relu", name="hidden"), layers.Dense(1, name="logit")])
    optimizer = Adam(1e-2)
    optimizer.build(model.trainable_weights)

    @tf.function
    def step(rows: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            gained = -tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(targets, tf.float32), model(rows, training=True)[:, 0])
            loss = sign * tf.reduce_mean(gained)
        optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        return loss

    return Training(model, x, y, epochs=8, loop=step)


@faulty("targets_out_of_range", "loss", every=10, held_out=True)
def likelihood_that_is_made_small() -> Training:
    return likelihood(1.0)


@healthy(every=10, held_out=True)
def likelihood_that_is_made_large() -> Training:
    return likelihood(-1.0)


def normalized(momentum: float) -> Training:
    x, y = data.digits()
    x = x * 16
    norms = [layers.BatchNormalization(momentum=momentum, name=f"norm{index}") for index in range(2)]
    model = classifier(layers.Dense(48, name="hidden"), norms[0], layers.ReLU(), layers.Dense(32, name="more"), norms[1], layers.ReLU())
    return Training(model, x[:1400], y[:1400], epochs=8, options={"validation_data": (x[1400:], y[1400:])})


@faulty("batchnorm_drift", "norm0 norm1", every=20, held_out=True)
def moving_statistics_that_take_ten_thousand_steps() -> Training:
    return normalized(0.9999)


@healthy(every=20, held_out=True)
def moving_statistics_that_take_ten_steps() -> Training:
    return normalized(0.9)


class Normalized(keras.Model):
    """Columns of a table that a batch normalization reads. ``mode``: the `training` that it is called with; None: the model's."""

    def __init__(self, mode: bool | None) -> None:
        super().__init__()
        self.norm, self.mode = layers.BatchNormalization(momentum=0.9, name="norm"), mode
        self.hidden, self.scores = layers.Dense(16, "tanh", name="hidden"), layers.Dense(3, "softmax", name="scores")

    def call(self, rows: Any, training: Any = False) -> Any:
        return self.scores(self.hidden(self.norm(rows, training=training if self.mode is None else self.mode)))


def table(mode: bool | None) -> Training:
    model = Normalized(mode)
    model.compile(SGD(0.1), SPARSE)
    return Training(model, *data.raw("wine"), batch_size=16, epochs=10)


@faulty("unnormalized_input", "norm", every=10, held_out=True)
def batch_normalization_of_the_input_that_never_trains() -> Training:
    return table(False)


@healthy(every=10, held_out=True)
def batch_normalization_of_the_input() -> Training:
    return table(None)


def scored(end: str | None) -> Training:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ends = layers.Dense(10, end, name="scores")
    return Training(
        classifier(layers.Dense(24, "relu", name="hidden"), optimizer=SGD(0.3, momentum=0.9), loss=loss, ends=ends), *data.digits(), epochs=5
    )


@faulty("dead_units", "scores", every=5, held_out=True)
def scores_of_classes_that_a_relu_cuts_off() -> Training:
    return scored("relu")


@healthy(every=5, held_out=True)
def scores_of_classes_without_an_end() -> Training:
    return scored(None)


@faulty("targets_out_of_range", "scores", every=10, held_out=True)
def shares_that_are_to_be_numbers_of_classes() -> Training:
    x, y = data.digits()
    model = classifier(layers.Dense(32, "relu", name="hidden"), optimizer=Adam(3e-3), loss="mse")
    return Training(model, x, np.repeat(y[:, None].astype("float32"), 10, axis=1))


@healthy(every=10, held_out=True)
def shares_that_are_to_be_yes_or_no_for_each_class() -> Training:
    x, y = data.digits()
    model = classifier(layers.Dense(32, "relu", name="hidden"), optimizer=Adam(3e-3), loss="mse")
    return Training(model, x, np.eye(10, dtype="float32")[y], epochs=8)


def logarithms(least: float) -> Training:
    x, y = data.raw("breast_cancer")
    with np.errstate(divide="ignore"):
        x = np.log(x + least).astype("float32")
    model = keras.Sequential([keras.Input((30,), name="inputs"), layers.Dense(16, "tanh", name="hidden"), layers.Dense(1, "sigmoid", name="answer")])
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=12)


@faulty("nonfinite", "inputs", every=10, held_out=True)
def logarithms_of_columns_with_a_few_zeros() -> Training:
    return logarithms(0.0)


@healthy(every=10, held_out=True)
def logarithms_of_columns_above_zero() -> Training:
    return logarithms(1e-3)


@healthy(every=10, held_out=True)
def actions_drawn_from_a_logit_and_weighed_by_their_advantages() -> Training:
    random = np.random.default_rng(0)
    states = random.normal(size=(3200, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,), name="state"), layers.Dense(16, "tanh", name="hidden"), layers.Dense(1, name="logit")])
    optimizer = Adam(1e-2)
    optimizer.build(model.trainable_weights)

    @tf.function
    def step(state: Any, better: Any) -> Any:
        with tf.GradientTape() as tape:
            logit = model(state, training=True)[:, 0]
            action = tf.cast(tf.random.uniform(tf.shape(logit)) < tf.sigmoid(logit), tf.float32)
            reward = tf.cast(tf.equal(action, tf.cast(better, tf.float32)), tf.float32)
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(action, logit) * (reward - tf.reduce_mean(reward)))
        optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        return loss

    return Training(model, states, (states[:, 0] > 0).astype("float32"), epochs=2, loop=step)
