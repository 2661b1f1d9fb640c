"""The callback prints what is wrong while a real model trains, calls a function, and stops."""

from __future__ import annotations

import keras
import numpy as np
import pytest

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


def test_what_a_rule_of_the_user_finds_is_written_with_the_run(tmp_path, dying, monkeypatch):
    monkeypatch.setattr(rules, "_registered", {})
    tb_activations.rule("silent", title="Silent layer", sentence="`{node}` is silent.", remedy="Wake it.")(lambda seen: seen["max"] <= 0)
    dying.fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=[tb_activations.ActivationsCallback(tmp_path, every=4, print_findings=False)])
    monkeypatch.setattr(rules, "_registered", {})
    found = {finding.node: finding for finding in tb_activations.open_run(tmp_path / "train").findings if finding.rule == "silent"}
    assert (found["hidden"].title, found["hidden"].sentence, found["hidden"].remedy) == ("Silent layer", "`hidden` is silent.", "Wake it.")
    assert found["hidden"].first_step == 0


@pytest.mark.parametrize("arguments", [{"print_findings": 1}, {"on_finding": "print"}, {"stop_on": "fatal"}])
def test_a_bad_argument_is_named(tmp_path, arguments):
    with pytest.raises(ArgumentError, match=f"Received: {next(iter(arguments))}="):
        tb_activations.ActivationsCallback(tmp_path, **arguments)
