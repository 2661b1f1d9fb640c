"""Targets that add up to more than 1 over the classes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.diagnosis.out_of_range import TargetsOutOfRange
from tests.diagnosis.hand import STEPS, History

L = keras.layers
TEXT = "input x [?,8]; layer head Dense [?,4] <- x softmax; variable head/kernel [8,4] gradient update; variable head/bias [4] gradient update"


@pytest.mark.parametrize(
    ("mean", "size", "told"),
    [
        (-0.3, 1.0, ["head"]),
        (-1e-8, 1.0, []),  # rounded
        (0.2, 1.0, []),  # some have no class at all, and don't count
        (np.where(np.arange(20) < 3, -1e-8, -0.3), 1.0, []),  # a penalty of the bias, by and by
    ],
)
def test_what_comes_back_to_a_bias_tells_what_targets_add_up_to(mean, size, told):
    history = History(TEXT + "; loss loss [] <- head", STEPS, loss={"attributes": {"whole": ["head"]}})
    found = history.set("head/bias", "gradient", elements=4, mean=mean, l2_norm=size).find(TargetsOutOfRange())
    assert [f.node for f in found] == told
    assert all("(to 2.2 on average" in f.sentence for f in found)


X = np.random.default_rng(0).normal(size=(640, 6)).astype("float32")
SEVERAL = (X[:, :4] > 0).astype("float32")
ONE = np.eye(4, dtype="float32")[X[:, :4].argmax(1)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("targets", "loss", "end", "told"),
    [
        (SEVERAL, "categorical_crossentropy", "softmax", ["head"]),
        (ONE, "categorical_crossentropy", "softmax", []),
        (ONE, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), None, []),
        (SEVERAL, "binary_crossentropy", "sigmoid", []),
    ],
    ids=["several", "one", "smoothed", "yes or no"],
)
def test_several_classes_of_a_softmax_are_told(tmp_path, targets, loss, end, told):
    """The whole way, in a real training."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,), name="x"), L.Dense(8, activation="relu", name="hidden"), L.Dense(4, activation=end, name="head")])
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(X, targets, epochs=2, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    assert [f.node for f in tba.open_run(tmp_path / "train").findings if f.rule == "targets_out_of_range"] == told
