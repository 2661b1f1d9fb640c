"""A judge that is right each time, and what it judges."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.diagnosis.judge_won import JudgeWon
from tests.diagnosis.hand import History

GAN = """
    input noise [?,4]
    layer g/hidden Dense [?,8] <- noise relu gradient
    variable g/hidden/kernel [4,8] gradient update
    layer g/out Dense [?,2] <- g/hidden tanh gradient
    variable g/out/kernel [8,2] gradient update
    input d/given [?,2]
    layer d/score Dense [?,1] <- d/given gradient
    variable d/score/kernel [2,1] gradient update
    input d/given@2 [?,2] <- g/out
    layer d/score@2 Dense [?,1] <- d/given@2 gradient
    loss loss [] <- {first}
    loss loss@2 [] <- d/score@2
"""
TWICE = GAN.replace(
    "    loss loss []", "    input d/given@3 [?,2] <- g/out\n    layer d/score@3 Dense [?,1] <- d/given@3 gradient\n    loss loss []", 1
)
"""As in most steps: what is made is judged once for the judge's loss, and once for the other one."""
FALLS = np.geomspace(1, 1e-6, 20)


def told(judge=FALLS, hidden=FALLS, out=FALLS, other=0.5, first="d/score", text=GAN):
    history = History(text.format(first=first), range(0, 200, 10))
    history.set("g/hidden/kernel", "gradient", l2_norm=hidden).set("g/out/kernel", "gradient", l2_norm=out)
    history.set("loss", elements=1, mean=judge).set("loss@2", elements=1, mean=other)
    return [(f.node, f.first_step) for f in history.find(JudgeWon())]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, [("g/out", 70)]),
        ({"judge": 1.4 * FALLS, "first": "d/score d/score@2"}, [("g/out", 70)]),
        ({"judge": 0.1}, []),  # ahead
        ({"hidden": 1.0}, []),  # a gradient comes back
        ({"hidden": np.maximum(FALLS, 2e-2), "out": 1e-6}, []),
        ({"judge": -FALLS}, []),  # a critic's loss has no such end
        ({"text": TWICE, "first": "d/score d/score@3"}, [("g/out", 70)]),
        ({"text": TWICE, "first": "d/score d/score@3", "other": FALLS, "judge": 1.0}, []),  # it deceives the judge
    ],
    ids=str,
)
def test_what_a_judge_lets_learn_nothing_is_told(changes, found):
    assert told(**changes) == found


def test_what_nothing_is_beside_has_no_judge():
    other = GAN.replace("input d/given [?,2]\n", "input e/given [?,2]\n").replace(
        "d/score Dense [?,1] <- d/given gradient", "e/score Dense [?,1] <- e/given"
    )
    assert told(text=other, first="e/score") == []


def gan(tmp_path, rate, flat):
    """A generator and a discriminator of numbers near 0 and 1 by turns, in one step."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    made = [keras.Input((4,)), layers.Dense(16, "tanh", name="hidden"), layers.Dense(8, "sigmoid", name="out")]
    generator = keras.Sequential(made, name="generator")
    judge = keras.Sequential([keras.Input((8,)), layers.Dense(16, "tanh", name="first"), layers.Dense(1, name="score")], name="judge")
    model = keras.Model(generator.inputs, judge(generator.outputs[0]))
    seed = keras.random.SeedGenerator(0)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    optimizers = keras.optimizers.Adam(1e-4 if flat else 1e-3), keras.optimizers.Adam(rate)

    @tf.function
    def step(data):
        noise = keras.random.normal((64, 4), seed=seed)
        with tf.GradientTape() as tape:
            real, fake = judge(data), judge(generator(noise))
            loss = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)
        weights = judge.trainable_variables
        optimizers[1].apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fake = judge(generator(noise))
            loss = tf.reduce_mean(tf.math.log_sigmoid(-fake)) if flat else entropy(tf.ones_like(fake), fake)
        weights = generator.trainable_variables
        optimizers[0].apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    random = np.random.default_rng(0)
    with tba.watch(step, model=model, log_dir=tmp_path, every=10, samples="none", histograms=False, print_findings=False) as watched:
        for _ in range(250):
            watched(tf.constant(random.uniform(0, 0.1, (64, 8)) + 0.9 * (np.arange(8) % 2), tf.float32))
    return [f.node for f in tba.open_run(tmp_path).findings if f.rule == "judge_won"]


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "flat", "found"), [(0.1, True, ["out"]), (1e-3, False, [])])
def test_a_judge_that_learns_too_fast_is_told_in_a_real_training(tmp_path, rate, flat, found):
    assert gan(tmp_path, rate, flat) == found
