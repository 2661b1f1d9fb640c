"""What a loss takes its input for is read from the graph of the step, whatever the loss is called."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

L, losses = keras.layers, keras.losses

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
CLASS = (X[:, 0] > 0).astype("int32")
SHARES, ONE = np.eye(2, dtype="float32")[CLASS], CLASS[:, None].astype("float32")

MEANINGS = ("logits", "probabilities", "shares", "yes_or_no", "single", "directions", "signs", "relative", "whole")
CASES = {
    "logits of two": (2, None, losses.SparseCategoricalCrossentropy(from_logits=True), CLASS, {"logits": ["out"]}),
    "logits of shares": (2, None, losses.CategoricalCrossentropy(from_logits=True), SHARES, {"logits": ["out"], "whole": ["out"]}),
    "logits of one": (1, None, losses.BinaryCrossentropy(from_logits=True), ONE, {"logits": ["out"], "yes_or_no": ["out"]}),
    "probability": (1, None, "binary_crossentropy", ONE, {"probabilities": ["out"], "yes_or_no": ["out"]}),
    "focal": (1, None, "binary_focal_crossentropy", ONE, {"probabilities": ["out"], "yes_or_no": ["out"]}),
    "probabilities": (2, None, "sparse_categorical_crossentropy", CLASS, {"probabilities": ["out"]}),
    "shares": (2, None, losses.CategoricalCrossentropy(label_smoothing=0.1), SHARES, {"shares": ["out"]}),
    "probabilities of a divergence": (2, None, "kld", SHARES, {"probabilities": ["out"]}),
    "number": (1, None, "mse", ONE, {}),
    "number in percent": (1, None, "mape", ONE, {"relative": ["out"]}),
    "directions": (2, None, "cosine_similarity", SHARES, {"directions": ["out"]}),
    "signs": (1, None, "cosine_similarity", ONE, {"directions": ["out"], "signs": ["out"]}),
    "one direction of the batch": (1, None, lambda y, p: -tf.reduce_sum(y * tf.math.l2_normalize(p)), ONE, {"directions": ["out"]}),
    "directions by TensorFlow": (2, None, lambda y, p: -tf.reduce_sum(y * tf.math.l2_normalize(p, 1)), SHARES, {"directions": ["out"]}),
    "shares of one class": (1, None, "categorical_crossentropy", ONE, {"shares": ["out"], "single": ["out"]}),
    "logits of one class": (1, None, losses.CategoricalCrossentropy(from_logits=True), ONE, {"logits": ["out"], "single": ["out"], "whole": ["out"]}),
    "Keras takes the logits of one class before the sigmoid": (1, "sigmoid", "categorical_crossentropy", ONE, {"single": ["out"], "whole": ["out"]}),
    "Keras takes the logits before the softmax": (2, "softmax", losses.CategoricalCrossentropy(from_logits=True), SHARES, {"whole": ["out"]}),
    "Keras takes the logits before the sigmoid": (1, "sigmoid", "binary_crossentropy", ONE, {"yes_or_no": ["out"]}),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*received `from_logits=True`, but")
@pytest.mark.filterwarnings("ignore:In loss categorical_crossentropy, expected y_pred.shape")
@pytest.mark.parametrize("name", CASES)
def test_what_a_loss_takes_its_input_for(tmp_path, name):
    units, activation, loss, targets, expected = CASES[name]
    model = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="relu", name="hidden"), L.Dense(units, activation=activation, name="out")])
    model.compile("sgd", loss, jit_compile=False)
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="none", histograms=False, print_findings=False)
    model.fit(X, targets, batch_size=20, verbose=0, callbacks=[callback])  # the last batch is smaller, so the graph knows no size
    nodes = tba.open_run(tmp_path / "train").nodes
    found = next(node for node in nodes if node.kind == "loss")
    assert {key: found.attributes[key] for key in MEANINGS if key in found.attributes} == expected
    assert [nodes[index].name for index in found.inputs] == ["out"]


class Regression(keras.Model):
    """A step of one's own that leaves the shapes to `tf`. ``shaped``: how the targets are compared."""

    def __init__(self, shaped):
        super().__init__()
        self.out, self.shaped = L.Dense(1, name="out"), shaped

    def call(self, x):
        return self.out(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.shaped(y, self(x))
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


UNITS = {
    "the only one": (1, lambda p: p[:, 0], ["out"]),
    "the only one of the last axis": (1, lambda p: p[..., -1], ["out"]),
    "one of two": (2, lambda p: p[:, 0], None),
    "some examples": (1, lambda p: p[1:, 0], None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_the_only_unit_is_all_that_a_layer_gives(tmp_path, name):
    units, taken, expected = UNITS[name]

    def loss(targets, outputs):
        answers = taken(outputs)
        return tf.nn.sigmoid_cross_entropy_with_logits(tf.reshape(targets, [-1])[: tf.shape(answers)[0]], answers)

    model = keras.Sequential([keras.Input((3,)), L.Dense(units, name="out")])
    model.compile("sgd", loss, jit_compile=False)
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="none", histograms=False, print_findings=False)
    model.fit(X, ONE, batch_size=20, verbose=0, callbacks=[callback])
    found = next(node for node in tba.open_run(tmp_path / "train").nodes if node.kind == "loss")
    assert found.attributes.get("yes_or_no") == expected


COUNTED = {
    "as they are": (lambda y, p, entropy: 0.5 * entropy, ["out"]),
    "by advantages": (lambda y, p, entropy: entropy * (y[:, 0] - 0.5), None),  # REINFORCE: what is below the mean counts against it
    "by an advantage of all": (lambda y, p, entropy: tf.reduce_mean(entropy) * tf.reduce_mean(y - 0.5), None),
    "by what is made of outputs": (lambda y, p, entropy: entropy * tf.stop_gradient(tf.cast(p[:, 0] > 0, "float32") - 0.5), None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTED)
def test_a_cross_entropy_that_numbers_of_the_program_are_multiplied_by_may_be_negative(tmp_path, name):
    counted, expected = COUNTED[name]

    def shaped(y, p):
        return tf.reduce_mean(counted(y, p, tf.nn.sigmoid_cross_entropy_with_logits(labels=y[:, 0], logits=p[:, 0])))

    model = Regression(shaped)
    model.compile("sgd", jit_compile=False)
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="none", histograms=False, print_findings=False)
    model.fit(X, ONE, batch_size=20, verbose=0, callbacks=[callback])
    found = next(node for node in tba.open_run(tmp_path / "train").nodes if node.kind == "loss")
    assert found.attributes.get("yes_or_no") == expected


QUANTILES = np.linspace(0.1, 0.9, 5).astype("float32")
COMPARED = {
    "targets of [n]": (lambda y, p: tf.reduce_mean((y - p) ** 2), 1, ["out"]),
    "a cross entropy": (lambda y, p: -tf.reduce_mean(y * tf.math.log_sigmoid(p) + (1 - y) * tf.math.log_sigmoid(-p)), 1, ["out"]),
    "outputs of [n]": (lambda y, p: tf.reduce_mean(tf.math.squared_difference(p[:, 0], y)), 2, ["out"]),
    "both of [n]": (lambda y, p: tf.reduce_mean((y - p[:, 0]) ** 2), 1, None),
    "both of [n, 1]": (lambda y, p: tf.reduce_mean((y - p) ** 2), 2, None),
    "examples with each other": (lambda y, p: tf.reduce_mean((y - tf.nn.sigmoid(p[:, 0] - p)[:, 0]) ** 2), 1, None),
    "a cross entropy of [n]": (lambda y, p: -tf.reduce_mean(y * tf.math.log_sigmoid(p[:, 0])), 1, None),
    "numbers of the program": (lambda y, p: tf.reduce_mean((QUANTILES - p) ** 2) + 0 * tf.reduce_mean(y), 1, None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_targets_that_are_subtracted_from_all_outputs_of_a_batch(tmp_path, name):
    shaped, axes, expected = COMPARED[name]
    model = Regression(shaped)
    model.compile("sgd", jit_compile=False)
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="none", histograms=False, print_findings=False)
    model.fit(X, ONE if axes == 2 else ONE[:, 0], verbose=0, callbacks=[callback])
    found = next(node for node in tba.open_run(tmp_path / "train").nodes if node.kind == "loss")
    assert found.attributes.get("crossed") == expected


BOOTSTRAPPED = {
    "what the next state is worth, and a reward": (lambda y, p, q: tf.reduce_mean((y + 0.9 * q[:, 0] - p) ** 2), ["out"]),
    "the same of one shape": (lambda y, p, q: tf.reduce_mean((y + 0.9 * q[:, 0] - p[:, 0]) ** 2), None),
    "all pairs of two networks": (lambda y, p, q: tf.reduce_mean(tf.nn.relu(1 + q[:, 0] - p)) + 0 * tf.reduce_mean(y), None),
    "all pairs of one network, weighted": (lambda y, p, q: tf.reduce_mean((y * p[:, 0] - p) ** 2) + 0 * tf.reduce_mean(q), None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOTSTRAPPED)
def test_targets_that_another_network_has_a_part_in_are_targets_too(tmp_path, name):
    shaped, expected = BOOTSTRAPPED[name]
    model = Regression(lambda y, p: shaped(y, p, model.slow(X)))
    model.slow = keras.Sequential([keras.Input((3,)), L.Dense(1, name="worth")], name="slow")
    model.slow.trainable = False
    model.compile("sgd", jit_compile=False)
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="none", histograms=False, print_findings=False)
    model.fit(X, ONE[:, 0], verbose=0, callbacks=[callback])
    found = next(node for node in tba.open_run(tmp_path / "train").nodes if node.kind == "loss")
    assert found.attributes.get("crossed") == expected
