"""What a loss takes its input for is read from the graph of the step, whatever the loss is called."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba

L, losses = keras.layers, keras.losses

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
CLASS = (X[:, 0] > 0).astype("int32")
SHARES, ONE = np.eye(2, dtype="float32")[CLASS], CLASS[:, None].astype("float32")

CASES = {
    "logits of two": (2, None, losses.SparseCategoricalCrossentropy(from_logits=True), CLASS, {"logits": ["out"]}),
    "logits of shares": (2, None, losses.CategoricalCrossentropy(from_logits=True), SHARES, {"logits": ["out"]}),
    "logits of one": (1, None, losses.BinaryCrossentropy(from_logits=True), ONE, {"logits": ["out"], "yes_or_no": ["out"]}),
    "probability": (1, None, "binary_crossentropy", ONE, {"probabilities": ["out"], "yes_or_no": ["out"]}),
    "focal": (1, None, "binary_focal_crossentropy", ONE, {"probabilities": ["out"], "yes_or_no": ["out"]}),
    "probabilities": (2, None, "sparse_categorical_crossentropy", CLASS, {"probabilities": ["out"]}),
    "shares": (2, None, losses.CategoricalCrossentropy(label_smoothing=0.1), SHARES, {"shares": ["out"]}),
    "number": (1, None, "mse", ONE, {}),
    "Keras takes the logits before the softmax": (2, "softmax", losses.CategoricalCrossentropy(from_logits=True), SHARES, {}),
    "Keras takes the logits before the sigmoid": (1, "sigmoid", "binary_crossentropy", ONE, {"yes_or_no": ["out"]}),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*received `from_logits=True`, but")
@pytest.mark.parametrize("name", CASES)
def test_what_a_loss_takes_its_input_for(tmp_path, name):
    units, activation, loss, targets, expected = CASES[name]
    model = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="relu", name="hidden"), L.Dense(units, activation=activation, name="out")])
    model.compile("sgd", loss, jit_compile=False)
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="none", histograms=False, print_findings=False)
    model.fit(X, targets, verbose=0, callbacks=[callback])
    nodes = tba.open_run(tmp_path / "train").nodes
    found = next(node for node in nodes if node.kind == "loss")
    assert {key: found.attributes[key] for key in ("logits", "probabilities", "shares", "yes_or_no") if key in found.attributes} == expected
    assert [nodes[index].name for index in found.inputs] == ["out"]
