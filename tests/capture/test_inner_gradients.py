"""A tape inside of another gives no gradient of the loss: a penalty on gradients, by hand and by a step, as a graph and eagerly."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
L = keras.layers


def make_critic():
    keras.utils.set_random_seed(0)
    critic = keras.Sequential(
        [L.Input((3,)), L.Dense(4, activation="tanh", name="low"), L.Dense(4, activation="tanh", name="high"), L.Dense(1, name="score")]
    )
    critic.compile("sgd")
    return critic


def penalty_of(critic, between, call):
    with tf.GradientTape() as inner:
        inner.watch(between)
        score = call(between)
    return tf.reduce_mean((tf.norm(inner.gradient(score, between), axis=1) - 1.0) ** 2)


def trained(log_dir, critic, eagerly, loss_of, *data):
    """The run of one step that makes `loss_of(*data)` smaller."""
    optimizer = keras.optimizers.SGD(0.0)

    def step(*data):
        with tf.GradientTape() as tape:
            loss = loss_of(*data)
        optimizer.apply(tape.gradient(loss, critic.trainable_variables), critic.trainable_variables)

    optimizer.build(critic.trainable_variables)
    watched = step if eagerly else tf.function(step)
    with tba.watch(watched, model=critic, log_dir=log_dir, every=1, samples="full", print_findings=False) as watching:
        watching(*data)
    return tba.open_run(log_dir / "train")


def reason(run, name):
    return run.node(name).quantities["gradient"].reason


@pytest.mark.parametrize("eagerly", [False, True])
def test_what_only_a_penalty_takes_has_no_gradient_of_the_inner_tape(tmp_path, eagerly):
    """As in a WGAN with a gradient penalty: a call for what is real, and one in between, of which only the gradient is used."""
    critic = make_critic()
    real, between = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")

    def loss_of(real, between):
        return 10.0 * penalty_of(critic, between, critic) - tf.reduce_mean(critic(real))

    run = trained(tmp_path, critic, eagerly, loss_of, tf.constant(real), tf.constant(between))
    assert [reason(run, name) for name in ("score", "high", "low", "score@2", "high@2")] == ["inner_gradient", None, None, None, None]
    np.testing.assert_allclose(run.value("score@2", 0, "gradient"), np.full((8, 1), -1 / 8), rtol=1e-5, atol=1e-6)
    # The gradient of a tanh is computed from what it gives, so that something comes back to the last of them, too.
    outputs, between = {}, tf.constant(between)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(between)
            x = between
            for layer in critic.layers:
                x = outputs[layer.name] = layer(x)
        penalty = 10.0 * tf.reduce_mean((tf.norm(inner.gradient(x, between), axis=1) - 1.0) ** 2)
    for name, expected in outer.gradient(penalty, outputs).items():
        if expected is not None:
            np.testing.assert_allclose(run.value(name, 0, "gradient"), expected, rtol=1e-3, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = loss_of(tf.constant(real), between)
    np.testing.assert_allclose(run.value("score/kernel", 0, "gradient"), tape.gradient(loss, critic.layers[-1].kernel.value), rtol=1e-4, atol=1e-6)


def test_a_penalty_that_looks_at_the_graph_gives_what_one_of_a_tape_gives(tmp_path):
    """`tf.gradients` in a step whose loss a tape differentiates."""
    critic = make_critic()
    real, between = map(tf.constant, np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32"))

    def penalty_in_the_graph(between):
        return tf.reduce_mean((tf.norm(tf.gradients(critic(between), between)[0], axis=1) - 1.0) ** 2)

    def run_with(name, penalty):
        def loss_of(real, between):
            return 10.0 * penalty(between) - tf.reduce_mean(critic(real))

        return trained(tmp_path / name, critic, False, loss_of, real, between)

    run, expected = run_with("graph", penalty_in_the_graph), run_with("tape", lambda between: penalty_of(critic, between, critic))
    names = [node.name for node in run.nodes]
    assert names == [node.name for node in expected.nodes]
    assert [reason(run, name) for name in names] == [reason(expected, name) for name in names]
    assert reason(run, "score") == "inner_gradient"
    compared = [name for name in names if len(run.sample_steps(name, "gradient"))]
    assert {"high", "low", "score@2", "low/kernel"} <= {*compared}
    for name in compared:
        np.testing.assert_allclose(run.value(name, 0, "gradient"), expected.value(name, 0, "gradient"), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_penalty_on_the_gradients_of_weights_comes_back_whole(tmp_path, eagerly):
    """Also what comes back to a layer through the gradient of its own activation."""
    critic = make_critic()
    x = tf.constant(np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))

    def loss_of(x, call=critic):
        with tf.GradientTape() as inner:
            one_task = tf.reduce_mean((call(x) - 1.0) ** 2)
        return one_task + tf.add_n([tf.reduce_sum(gradient**2) for gradient in inner.gradient(one_task, critic.trainable_variables)])

    run = trained(tmp_path, critic, eagerly, loss_of, x)
    outputs = {}

    def layer_by_layer(x):
        for layer in critic.layers:
            x = outputs[layer.name] = layer(x)
        return x

    with tf.GradientTape() as outer:
        loss = loss_of(x, layer_by_layer)
    for name, expected in outer.gradient(loss, outputs).items():
        np.testing.assert_allclose(run.value(name, 0, "gradient"), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("eagerly", [False, True])
def test_what_is_looked_at_after_the_loss_takes_no_place_of_its_gradient(tmp_path, eagerly):
    """A tape that records what another one gives, for a picture of what the network looks at."""
    critic = make_critic()
    x = tf.constant(np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))
    optimizer = keras.optimizers.SGD(0.0)
    optimizer.build(critic.trainable_variables)

    def step(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            score = critic(x)
            loss = tf.reduce_mean(score**2)
        gradients = tape.gradient(loss, critic.trainable_variables)
        with tf.GradientTape():
            seen = tape.gradient(score, x)
        optimizer.apply(gradients, critic.trainable_variables)
        return seen

    with tba.watch(step if eagerly else tf.function(step), model=critic, log_dir=tmp_path, every=1, samples="full", print_findings=False) as watching:
        watching(x)
    run = tba.open_run(tmp_path / "train")
    np.testing.assert_allclose(run.value("score", 0, "gradient"), 2 / 8 * critic(x), rtol=1e-5, atol=1e-6)


def test_in_a_step_without_a_loss_the_gradients_of_all_tapes_are_recorded(tmp_path):
    """Nothing is differentiated by a variable: a picture is made, not a network trained."""
    critic = make_critic()
    x = tf.constant(np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))

    @tf.function
    def step(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                score = critic(x)
            slope = inner.gradient(score, x)
        return outer.gradient(slope, x)

    with tba.watch(step, model=critic, log_dir=tmp_path, every=1, samples="full", print_findings=False) as watching:
        watching(x)
    np.testing.assert_array_equal(tba.open_run(tmp_path / "train").value("score", 0, "gradient"), np.ones((8, 1)))
