"""Batches of many lengths are one graph with an unknown extent, reduced in one thread; each capture has its own numbers."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

L = keras.layers
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.shuffle=True. was passed")]
LENGTHS = range(2, 32)


def batches():
    return [(np.arange(4 * length, dtype="int32").reshape(4, length) % 10, np.ones((4, 1), "float32")) for length in LENGTHS]


def sequences(**compiling):
    keras.utils.set_random_seed(5)
    layers = [L.Embedding(10, 4, name="embedding"), L.Conv1D(3, 2, padding="same", name="conv"), L.GlobalAveragePooling1D(name="pool"), L.Dense(1)]
    model = keras.Sequential(layers, name="sequences")
    model.build((None, None))
    model.compile(keras.optimizers.SGD(0.0), "mse", **compiling)  # the weights stay, so that a second pass gives the same numbers
    return model


def by_fit(log_dir, model):
    callback = tba.ActivationsCallback(log_dir, every=1, validation=False, print_findings=False)
    model.fit((batch for batch in batches()), steps_per_epoch=len(LENGTHS), verbose=0, callbacks=[callback])


def by_hand(log_dir, model):
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((model(x, training=True) - y) ** 2)
        model.optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)

    with tba.watch(step, log_dir=log_dir, model=model, every=1, print_findings=False) as watched:
        for x, y in batches():
            watched(tf.constant(x), tf.constant(y))


@pytest.mark.parametrize(
    ("train", "compiling"),
    [(by_fit, {"run_eagerly": True}), (by_fit, {"jit_compile": False}), (by_hand, {"run_eagerly": True})],
    ids=["eager fit", "graph fit", "eager loop"],
)
def test_thirty_lengths(tmp_path, train, compiling):
    model, threads = sequences(**compiling), set(threading.enumerate())
    train(tmp_path, model)
    ours = [thread for thread in set(threading.enumerate()) - threads if "tb_activations" in thread.name]
    assert len(ours) <= 1, ours
    run = tba.open_run(tmp_path / "train")
    assert len(list((tmp_path / "train/plugins/tb_activations").glob("graph-*.json"))) <= 2
    assert {node.name: node.shape for node in run.nodes if node.kind == "layer"}["conv"] == (None, None, 3)
    embedding, conv = model.layers[:2]
    for step, (x, _) in enumerate(batches()):
        expected = conv(embedding(x)).numpy()
        np.testing.assert_allclose(run.value("conv", step), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(run.statistics("conv")["mean"][step], expected.mean(), rtol=1e-4, atol=1e-6)
    assert run.statistics("conv", "gradient")["elements"].tolist() == [4 * 3 * length for length in LENGTHS]


def test_a_graph_of_other_nodes_is_another_generation(tmp_path):
    model = sequences(run_eagerly=True)
    extra = L.Dense(3, name="extra")

    def step(x, more):
        return extra(model.layers[0](x)) if more else model(x)

    with tba.watch(step, log_dir=tmp_path, model=model, every=1, print_findings=False) as watched:
        for x, _ in batches()[:6]:
            watched(tf.constant(x), x.shape[1] % 2)
    run = tba.open_run(tmp_path / "train")
    assert len(run.steps()) == 6
    assert len(list((tmp_path / "train/plugins/tb_activations").glob("graph-*.json"))) <= 4
    assert [n for n in run.statistics("extra")["elements"].tolist() if n > 0] == [4 * 3 * 3, 4 * 3 * 5, 4 * 3 * 7]


def test_samples_of_longer_batches_stay_within_the_budget(tmp_path):
    """The first batch is so short that nothing bounds its samples; that bound is not the one of the next."""
    turns = [L.Rescaling(1.0, name=f"turn_{index}") for index in range(80)]

    def step(x):
        for turn in turns:
            x = turn(x)
        return x

    with tba.watch(step, log_dir=tmp_path, every=1, print_findings=False) as watched:
        for length in (2, 2000, 1999):
            watched(tf.ones((1, length)))
    run = tba.open_run(tmp_path / "train")
    assert sum(run.value(f"turn_{index}", 2).size for index in range(80)) <= 100_000
