"""The callback prints what is wrong while a real model trains, calls a function, and stops."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations
from tb_activations.diagnosis import rules
from tb_activations.errors import ArgumentError

pytestmark = pytest.mark.slow


@pytest.fixture
def dying():
    """A model whose first layer is dead."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,), name="x"),
            keras.layers.Dense(16, activation="relu", bias_initializer=keras.initializers.Constant(-9.0), name="hidden"),
            keras.layers.Dense(2, name="output"),
        ]
    )
    model.compile("sgd", "mse")
    return model


X = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")
Y = X[:, :2] * 0.5


def test_what_is_wrong_is_printed_once(tmp_path, dying, capsys):
    dying.fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=[tb_activations.ActivationsCallback(tmp_path, every=4)])
    printed = capsys.readouterr().err
    assert printed.count("tb_activations error: Dead ReLU at hidden (value)\n") == 1
    assert "All 16 units give 0 for every example since step 0." in printed


def test_a_finding_can_call_a_function_and_stop_the_training(tmp_path, dying, capsys):
    seen = []
    callback = tb_activations.ActivationsCallback(tmp_path, every=1, print_findings=False, on_finding=seen.append, stop_on="error")
    with pytest.warns(RuntimeWarning, match="Training stops because of `stop_on`: Dead ReLU at hidden since step 0"):
        history = dying.fit(X, Y, batch_size=16, epochs=2000, verbose=0, callbacks=[callback])
    assert len(history.epoch) < 2000
    assert {finding.node for finding in seen} >= {"hidden"}
    assert "tb_activations" not in capsys.readouterr().err


def test_the_last_validation_is_looked_at_though_training_ends_with_it(tmp_path):
    """Validation data forty times as large as those of training, seen for the first time when everything is over."""
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(16, name="hidden"), keras.layers.BatchNormalization(name="norm"), keras.layers.Dense(2)]
    )
    model.compile("sgd", "mse")
    found = []
    callback = tb_activations.ActivationsCallback(tmp_path, every=4, print_findings=False, on_finding=found.append)
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0, callbacks=[callback], validation_data=(X[:64] * 40, Y[:64]))
    assert "batchnorm_drift" in {finding.rule for finding in found}
    cold = tb_activations.open_run(tmp_path / "train").findings
    assert {(finding.rule, finding.node) for finding in found} == {(finding.rule, finding.node) for finding in cold}


def _fit(model, log_dir):
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=[tb_activations.ActivationsCallback(log_dir, every=4, print_findings=False)])


def _loop(model, log_dir):
    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((model(x, training=True) - y) ** 2)
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    with tb_activations.watch(train_step, model=model, log_dir=log_dir, every=4) as step:
        for start in range(0, 512, 8):
            step(tf.constant(X[start : start + 8]), tf.constant(Y[start : start + 8]))


@pytest.mark.parametrize("train", [_fit, _loop])
def test_what_a_rule_of_the_user_finds_is_written_with_the_run(tmp_path, dying, monkeypatch, train):
    monkeypatch.setattr(rules, "_registered", {})
    tb_activations.rule("silent", title="Silent layer", sentence="`{node}` is silent.", remedy="Wake it.")(lambda seen: seen["max"] <= 0)
    train(dying, tmp_path)
    monkeypatch.setattr(rules, "_registered", {})
    found = {finding.node: finding for finding in tb_activations.open_run(tmp_path / "train").findings if finding.rule == "silent"}
    assert (found["hidden"].title, found["hidden"].sentence, found["hidden"].remedy) == ("Silent layer", "`hidden` is silent.", "Wake it.")
    assert found["hidden"].first_step == 0


@pytest.mark.parametrize("arguments", [{"print_findings": 1}, {"on_finding": "print"}, {"stop_on": "fatal"}])
def test_a_bad_argument_is_named(tmp_path, arguments):
    with pytest.raises(ArgumentError, match=f"Received: {next(iter(arguments))}="):
        tb_activations.ActivationsCallback(tmp_path, **arguments)
