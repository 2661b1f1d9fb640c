"""A tiny model, and what tests ask of a training with the callback."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.aside import Aside

L = keras.layers

LEAN = {"histograms": False, "samples": "none", "kinds": ["loss"], "quantities": ["value"]}
"""Options with which a twin is traced in a blink, for tests that are about when and not about what."""


def told_of_an_earlier_training():
    """Expects the warning that a training takes the place of one in the same directory."""
    return pytest.warns(RuntimeWarning, match="train holds an earlier training, in whose place this one is shown")


@pytest.fixture
def make_tiny():
    """Builds a compiled two-layer model; the same weights each time."""

    def make(**compiling):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([L.Input((3,), name="x"), L.Dense(4, activation="relu", name="hidden"), L.Dense(1, name="out")], name="tiny")
        model.compile(**{"optimizer": keras.optimizers.SGD(0.01), "loss": "mse", "jit_compile": False, **compiling})
        return model

    return make


@pytest.fixture
def data():
    """24 examples for the tiny model."""
    random = np.random.default_rng(0)
    return random.normal(size=(24, 3)).astype("float32"), random.normal(size=(24, 1)).astype("float32")


@pytest.fixture
def lean(tmp_path):
    """Makes a callback that records as little as possible."""

    def make(every=1, **options):
        return tba.ActivationsCallback(tmp_path, every=every, **{**LEAN, "validation": False, **options})

    return make


@pytest.fixture
def steps(tmp_path):
    """Reads the steps recorded in a run."""
    return lambda run="train": tba.open_run(tmp_path / run).steps().tolist()


class Places:
    """Where recorded steps ran: "beside" the plain step, or in "its" place."""

    def __init__(self, monkeypatch):
        self.seen = []
        end = Aside.end

        def told(this, result):
            undone = end(this, result)
            self.seen.append("beside" if undone else "its")
            return undone

        monkeypatch.setattr(Aside, "end", told)


@pytest.fixture
def places(monkeypatch):
    return Places(monkeypatch)


_WRAPPED = [
    (keras.Operation, "__call__"),
    (keras.optimizers.Optimizer, "apply"),
    (keras.optimizers.Optimizer, "scale_loss"),
    (keras.optimizers.LossScaleOptimizer, "apply"),
    (tf.GradientTape, "gradient"),
    (tf, "gradients"),
    (tf, "recompute_grad"),
    (tf, "vectorized_map"),
    (type(tf.Variable(0.0)), "assign_add"),
    (tf.GradientTape, "batch_jacobian"),
]


@pytest.fixture(autouse=True)
def _nothing_is_told_past_the_test(capfd):
    """Where warnings are errors, as here, ours go to stderr; `pytest.warns` hears those that a test expects."""
    yield
    assert "tb_activations:" not in capfd.readouterr().err


@pytest.fixture(autouse=True)
def _nothing_stays_wrapped():
    before = [(owner, name, getattr(owner, name), name in vars(owner)) for owner, name in _WRAPPED]
    yield
    assert before == [(owner, name, getattr(owner, name), name in vars(owner)) for owner, name in _WRAPPED]
