"""`watch`: losses that a step computes inside its loops and branches."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.diagnosis.facts import Facts

from .tiny import batches, make_model

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("defined_before", [True, False])
def test_a_loss_inside_a_loop_is_recorded_over_its_iterations(tmp_path, defined_before):
    """AutoGraph runs a body once in vain where it defines a variable of the loop: that is no call."""
    model = make_model()
    optimizer = keras.optimizers.SGD(0.1)

    def before(x, y):
        loss = 0.0
        for _ in tf.range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x) - y) ** 2)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    def inside(x, y):
        for _ in tf.range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x) - y) ** 2)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    x, y = next(batches(1))
    optimizer.build(model.trainable_variables)
    start = model.get_weights()
    with tba.watch(tf.function(before if defined_before else inside), model=model, log_dir=tmp_path, every=1, print_findings=False) as step:
        step(x, y)
    run = tba.open_run(tmp_path / "train")
    ended = model.get_weights()
    model.set_weights(start)
    losses, of_inputs = [], []
    for _ in range(3):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            loss = tf.reduce_mean((model(x) - y) ** 2)
        of_inputs.append(tape.gradient(loss, x).numpy())
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        losses.append(float(loss))
    for one, other in zip(ended, model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    nodes = {node.name: node for node in run.nodes if node.kind != "variable"}
    assert list(nodes)[1:] == ["hidden", "drop", "out", "loss"]
    told = run.statistics("loss")
    for name, expected in {"min": min(losses), "max": max(losses), "mean": np.mean(losses)}.items():
        np.testing.assert_allclose(told[name], [expected], rtol=1e-4)
    assert nodes["loss"].quantities["gradient"].reason == "is_loss"
    assert [run.nodes[index].name for index in nodes["loss"].inputs] == ["out"]
    told = run.statistics(next(iter(nodes)), "gradient")  # of the input, which was made before the loop
    for name, expected in {"mean": np.mean(of_inputs), "std": np.std(of_inputs), "l2_norm": np.linalg.norm(np.ravel(of_inputs))}.items():
        np.testing.assert_allclose(told[name], [expected], rtol=1e-4)


def test_a_loss_inside_a_branch_is_recorded_at_the_steps_that_take_it(tmp_path):
    model = make_model()
    optimizer = keras.optimizers.SGD(0.0)

    @tf.function
    def train_step(x, y, trains):
        if trains:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x) - y) ** 2)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        else:
            loss = -1.0
        return loss

    optimizer.build(model.trainable_variables)
    x, y = next(batches(1))
    with tba.watch(train_step, model=model, log_dir=tmp_path, every=1, print_findings=False) as step:
        step(x, y, tf.constant(False))
        step(x, y, tf.constant(True))
    told = tba.open_run(tmp_path / "train").statistics("loss")
    assert told["step"].tolist() == [1]
    np.testing.assert_allclose(told["mean"][0], np.mean((model(x) - y) ** 2), rtol=1e-5, atol=1e-6)


def test_the_loss_that_others_are_differentiated_for_is_the_total(tmp_path):
    """Meta-learning and a penalty on the gradients of weights: what is differentiated inside is not what the step makes smaller."""
    model = make_model()
    optimizer = keras.optimizers.SGD(0.01)

    @tf.function
    def meta_step(x, y):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                one_task = tf.reduce_mean((model(x) - y) ** 2)
            penalty = tf.add_n([tf.reduce_sum(gradient**2) for gradient in inner.gradient(one_task, model.trainable_variables)])
            total = one_task + penalty
        optimizer.apply(outer.gradient(total, model.trainable_variables), model.trainable_variables)
        return total

    @tf.function
    def two_steps(x, y):
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x) - y) ** 2)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    x, y = next(batches(1))
    totals = {}
    for name, function in {"meta": meta_step, "twice": two_steps}.items():
        with tba.watch(function, model=model, log_dir=tmp_path / name, every=1, print_findings=False) as step:
            told = step(x, y)
        run = tba.open_run(tmp_path / name / "train")
        totals[name] = run.nodes[Facts(run.nodes).losses[0]].name
        if name == "meta":
            np.testing.assert_allclose(run.statistics("loss@2")["mean"], [float(told)], rtol=1e-5, atol=1e-6)
    assert totals == {"meta": "loss@2", "twice": "loss"}
