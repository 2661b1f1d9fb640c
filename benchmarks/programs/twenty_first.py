"""A twenty-first set, with the rules in view: programs like those of a blind set that were missed or told wrongly, and their twins."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy

Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD


def read(known: bool) -> Training:
    """Lines of source by their characters. ``known``: whether the vocabulary has them; what it lacks is 1."""
    x, y, characters = data.lines()
    table = [keras.Input((x.shape[1],), dtype="int32", name="inputs"), layers.Embedding(characters, 16, name="table")]
    model = keras.Sequential([*table, layers.Conv1D(32, 3, activation="relu", name="near"), layers.GlobalMaxPooling1D(name="pool")])
    model.add(layers.Dense(1, "sigmoid", name="answer"))
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, x if known else np.minimum(x, 1), y.reshape(-1, 1))


@faulty("constant_input", "inputs", every=10, held_out=True)
def words_of_another_vocabulary() -> Training:
    return read(known=False)


@healthy(every=10, held_out=True)
def words_of_this_vocabulary() -> Training:
    return read(known=True)


def moons(function: str | None) -> Training:
    """Two half rings, one in the other's end."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 1200)
    angle, side = np.pi * random.uniform(size=1200), 1 - 2 * y
    x = np.stack([y + side * np.cos(angle), 0.5 * y + side * np.sin(angle)], 1) + 0.1 * random.normal(size=(1200, 2))
    hidden = [layers.Dense(24, function, name=name) for name in ("first", "second")]
    model = keras.Sequential([keras.Input((2,), name="inputs"), *hidden, layers.Dense(1, "sigmoid", name="answer")])
    model.compile(Adam(5e-3), "binary_crossentropy")
    return Training(model, x.astype("float32"), y.reshape(-1, 1).astype("float32"), epochs=10)


@faulty("inner_function", "first second", every=10, held_out=True)
def layers_whose_functions_were_forgotten() -> Training:
    return moons(None)


@healthy(every=10, held_out=True)
def layers_with_functions() -> Training:
    return moons("relu")


def in_order(by_class: bool) -> Training:
    """Pictures of digits, flat."""
    x, y = data.digits()
    order = np.argsort(y, kind="stable") if by_class else np.random.default_rng(0).permutation(len(y))
    model = keras.Sequential([keras.Input((64,), name="inputs"), layers.Dense(64, "relu", name="hidden"), layers.Dense(10, "softmax", name="scores")])
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    return Training(model, x[order], y[order], options={"shuffle": False})


@faulty("oscillating_loss", "loss", every=1, held_out=True)
def classes_one_after_the_other() -> Training:
    return in_order(by_class=True)


@healthy(every=1, held_out=True)
def classes_in_any_order() -> Training:
    return in_order(by_class=False)


def adversaries(rate: float, flat: bool) -> Training:
    """A generator of pictures of digits, and what judges them. ``flat``: the generator's loss is that of the judge with the other sign."""
    x, _ = data.digits()
    made = [layers.Dense(48, name="first"), layers.LeakyReLU(0.2, name="bend"), layers.Dense(64, "sigmoid", name="pixels")]
    generator = keras.Sequential([keras.Input((12,), name="noise"), *made], name="generator")
    judge = keras.Sequential(
        [keras.Input((64,), name="picture"), layers.Dense(48, "tanh", name="hidden"), layers.Dense(1, name="score")], name="judge"
    )
    both = keras.Model(generator.inputs, judge(generator.outputs[0]))
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    makers, judges = Adam(1e-4 if flat else 1e-3, beta_1=0.5), Adam(rate, beta_1=0.5)
    seed = keras.random.SeedGenerator(0)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        noise = keras.random.normal((32, 12), seed=seed)
        with tf.GradientTape() as tape:
            real, fake = judge(x, training=True), judge(generator(noise, training=True), training=True)
            loss = entropy(ops.ones_like(real), real) + entropy(ops.zeros_like(fake), fake)
        judges.apply(tape.gradient(loss, judge.trainable_variables), judge.trainable_variables)
        with tf.GradientTape() as tape:
            fake = judge(generator(noise, training=True), training=True)
            deceived = -ops.mean(ops.softplus(fake)) if flat else entropy(ops.ones_like(fake), fake)
        makers.apply(tape.gradient(deceived, generator.trainable_variables), generator.trainable_variables)
        return loss

    return Training(both, x, x, loop=step)


@faulty("judge_won", "pixels", every=5, held_out=True)
def a_judge_that_learns_a_hundred_times_as_fast() -> Training:
    return adversaries(5e-2, flat=True)


@healthy(every=5, held_out=True)
def a_judge_that_learns_as_fast() -> Training:
    return adversaries(1e-3, flat=False)


@healthy(every=1, held_out=True)
def values_whose_targets_a_copy_gives() -> Training:
    """Q-learning: the copy is brought up to date every 15 steps, and what it says grows."""
    x = np.random.default_rng(0).normal(size=(3200, 4)).astype("float32")

    def network(name: str) -> Any:
        return keras.Sequential([keras.Input((4,)), layers.Dense(32, "relu", name="hidden"), layers.Dense(2, name="values")], name=name)

    learner, copy, optimizer, seed = network("learner"), network("copy"), Adam(5e-3), keras.random.SeedGenerator(0)
    copy.set_weights(learner.get_weights())

    @tf.function
    def step(x: Any, y: Any) -> Any:
        action = keras.random.randint((32,), 0, 2, seed=seed)
        after = 0.9 * x + 0.3 * ops.cast(2 * action[:, None] - 1, "float32")
        goal = 1.0 - 0.3 * ops.abs(after[:, 0]) + 0.97 * ops.max(copy(after), -1)
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(ops.stop_gradient(goal) - ops.sum(learner(x, training=True) * ops.one_hot(action, 2), -1)))
        optimizer.apply(tape.gradient(loss, learner.trainable_variables), learner.trainable_variables)
        if optimizer.iterations % 15 == 0:
            for ours, theirs in zip(copy.weights, learner.weights, strict=True):
                ours.assign(theirs)
        return loss

    return Training(learner, x, x, loop=step)


@healthy(every=5, held_out=True)
def two_examples_a_batch() -> Training:
    x, y = data.standardized("diabetes")
    y = np.asarray((y - y.mean()) / y.std(), "float32").reshape(-1, 1)
    easy = np.argsort(np.abs(y[:, 0]))[110:112]  # so the first loss is small, as it may be by chance
    order = [*easy, *np.setdiff1d(np.arange(len(y)), easy)]
    model = keras.Sequential([keras.Input((x.shape[1],), name="inputs"), layers.Dense(16, "tanh", name="hidden")])
    model.add(layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(stddev=0.05), name="answer"))
    model.compile(SGD(3e-3), "mse")
    return Training(model, x[order], y[order], batch_size=2, options={"shuffle": False})
