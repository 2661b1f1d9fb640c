"""Captured numbers of trainings that do more than one plain step: compared with the same computed by hand, with numpy or a tape of one's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

from . import zoo

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer", "ignore:Gradients do not exist")]
L = keras.layers
X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(16, 2)).astype("float32")


def recorded(log_dir, model, x, y=None, batch_size=8, callback=None, **fit):
    callback = callback or tba.ActivationsCallback(log_dir, every=1, samples="full", histograms=False, print_findings=False)
    model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0, callbacks=[callback], **fit)
    return tba.open_run(log_dir / "train")


def linear(optimizer, loss="mse", **compiling):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([L.Input((4,), name="x"), L.Dense(2, name="out")], name="linear")
    model.compile(optimizer, loss, jit_compile=False, **compiling)
    return model


def mse_gradient(kernel, bias, x, y):
    """Of the mean squared error by the kernel of a linear layer."""
    return 2 * x.T @ (x @ kernel + bias - y) / y.size


class ByGraph(keras.Model):
    """Its step looks at the graph, and needs no tape."""

    def train_step(self, data):
        loss = self.compute_loss(y=data[1], y_pred=self(data[0], training=True))
        weights = [weight.value for weight in self.trainable_weights]
        self.optimizer.apply(tf.gradients(loss, weights), self.trainable_weights)
        return {"loss": loss}


def test_a_step_that_differentiates_by_tf_gradients_has_a_loss_and_its_gradients(tmp_path):
    x = L.Input((4,), name="x")
    model = ByGraph(x, L.Dense(2, name="out")(L.Dense(3, activation="tanh", name="hidden")(x)))
    model.compile("sgd", "mse", jit_compile=False)
    hidden = model.get_layer("hidden")(X[:8])
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        loss = tf.reduce_mean((model.get_layer("out")(hidden) - Y[:8]) ** 2)
    gradient = tape.gradient(loss, hidden)
    run = recorded(tmp_path, model, X[:8], Y[:8])
    np.testing.assert_allclose(run.value("hidden", 0, "gradient"), gradient, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("loss", 0), loss, rtol=1e-5, atol=1e-6)
    assert run.node("x").quantities["gradient"].reason == "nothing_trained"


class Keeping:
    """An optimizer that keeps the gradients it is handed."""

    def __init__(self, optimizer):
        self.optimizer, self.gradients = optimizer, {}

    def apply(self, gradients, variables):
        self.gradients |= {id(variable): gradient.numpy() for variable, gradient in zip(variables, gradients, strict=True)}
        self.optimizer.apply(gradients, variables)


def test_both_networks_of_a_gan_have_the_gradients_that_their_own_optimizers_get(tmp_path):
    model, x, y = zoo.build("adversarial")
    run = recorded(tmp_path, model, x, y)
    plain, x, y = zoo.build("adversarial")
    plain.optimizers = [Keeping(optimizer) for optimizer in plain.optimizers]
    networks = {"generator": plain.generator, "discriminator": plain.discriminator}
    before = {f"{name}/{part}/{weight.name}": weight.numpy() for name, part, weight in weights_of(networks)}
    losses = plain.train_step((x, tf.constant(y)))
    kept = plain.optimizers[0].gradients | plain.optimizers[1].gradients
    assert len(before) == 8
    for name, part, weight in weights_of(networks):
        node = f"{name}/{part}/{weight.name}"
        np.testing.assert_array_equal(run.value(node, 0), before[node])
        np.testing.assert_allclose(run.value(node, 0, "gradient"), kept[id(weight)], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(run.value(node, 0, "update"), weight.numpy() - before[node], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose([run.value("loss", 0), run.value("loss@2", 0)], [losses["critic"], losses["forger"]], rtol=1e-5, atol=1e-6)


class Accumulating(keras.Model):
    """Adds gradients up in variables of its own, and changes its weights in a branch, at every second step; ``optimizer``: not by hand."""

    def __init__(self, way):
        super().__init__(name="accumulating")
        self.out, self.way = L.Dense(2, name="out"), way
        self.out.build((None, 4))
        self.sums = [self.add_weight(shape=weight.shape, initializer="zeros", trainable=False) for weight in self.out.weights]
        self.steps = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)

    def call(self, x):
        return self.out(x)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=data[1], y_pred=self(data[0]))
        for total, gradient in zip(self.sums, tape.gradient(loss, self.out.trainable_weights), strict=True):
            total.assign_add(gradient)
        self.steps.assign_add(1)
        tf.cond(self.steps % 2 == 0, self.change, lambda: 0)
        return {"loss": loss}

    def change(self):
        totals = [tf.convert_to_tensor(total) for total in self.sums]
        if self.way == "optimizer":
            self.optimizer.apply(totals, self.out.trainable_weights)
        else:
            for weight, total in zip(self.out.trainable_weights, totals, strict=True):
                weight.assign_sub(0.1 * total)
        for total in self.sums:
            total.assign(tf.zeros_like(total))
        return 0


@pytest.mark.parametrize("way", ["optimizer", "by hand"])
def test_gradients_that_are_added_up_by_hand_and_applied_in_a_branch(tmp_path, way):
    keras.utils.set_random_seed(2)
    model = Accumulating(way)
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    kernel, bias = (weight.numpy() for weight in model.out.weights)
    run = recorded(tmp_path, model, X, Y, batch_size=4)
    changed, total = 0, (0, 0)
    for step in range(4):
        x, y = X[4 * step : 4 * step + 4], Y[4 * step : 4 * step + 4]
        gradient, of_bias = mse_gradient(kernel, bias, x, y), 2 * (x @ kernel + bias - y).sum(0) / y.size
        np.testing.assert_allclose(run.value("out/kernel", step), kernel, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(run.value("out/kernel", step, "gradient"), gradient, rtol=1e-4, atol=1e-6)
        total = (total[0] * (step % 2) + gradient, total[1] * (step % 2) + of_bias)
        update = 0.1 * total[0] * (step % 2)
        np.testing.assert_allclose(run.value("out/kernel", step, "update"), -update, rtol=1e-4, atol=1e-6)
        kernel, bias, changed = kernel - update, bias - 0.1 * total[1] * (step % 2), changed + np.abs(update).sum()
    assert changed > 0


def weights_of(networks):
    return [(name, layer.name, weight) for name, network in networks.items() for layer in network.layers for weight in layer.trainable_weights]


def test_class_weights_are_in_loss_and_gradients(tmp_path):
    model = linear(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels, weights = np.arange(16) % 2, {0: 1.0, 1: 5.0}
    run = recorded(tmp_path, model, X, labels, class_weight=weights)
    kernel, bias = (weight.numpy() for weight in model.weights)
    logits = X[:8] @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    each = np.array([weights[label] for label in labels[:8]])[:, None] / 8
    by_logits = each * (probabilities - np.eye(2)[labels[:8]])
    np.testing.assert_allclose(run.value("loss", 0), -(each[:, 0] * np.log(probabilities[np.arange(8), labels[:8]])).sum(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("out", 0, "gradient"), by_logits, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(run.value("out/kernel", 0, "gradient"), X[:8].T @ by_logits, rtol=1e-4, atol=1e-6)


def test_with_accumulation_weights_change_by_the_mean_gradient_at_every_second_step_only(tmp_path):
    model = linear(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    kernel, bias = (weight.numpy() for weight in model.weights)
    run = recorded(tmp_path, model, X, Y, batch_size=4)
    gradients = [mse_gradient(kernel, bias, X[start : start + 4], Y[start : start + 4]) for start in (0, 4)]
    for step, gradient in enumerate(gradients):
        np.testing.assert_allclose(run.value("out/kernel", step, "gradient"), gradient, rtol=1e-4, atol=1e-6)
    assert not run.value("out/kernel", 0, "update").any()
    np.testing.assert_allclose(run.value("out/kernel", 1, "update"), -0.1 * np.mean(gradients, 0), rtol=1e-4, atol=1e-6)
    assert not run.value("out/kernel", 2, "update").any()
    assert run.statistics("out/kernel", "update")["update_ratio"][[0, 2]].tolist() == [0, 0]


def test_a_sparse_input_and_the_gradient_behind_it(tmp_path):
    inputs = L.Input((4,), sparse=True, name="x")
    model = keras.Model(inputs, L.Dense(2, name="out")(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    x = np.where(X > 0.3, X, 0)[:8]
    data = tf.data.Dataset.from_tensor_slices((tf.sparse.from_dense(x), Y[:8])).batch(8)
    run = recorded(tmp_path, model, data, batch_size=None)
    (node,) = [node for node in run.nodes if node.name == "x"]
    assert node.attributes["layout"] == "sparse"
    np.testing.assert_array_equal(run.value("x", 0), x[x != 0])  # the numbers that are stored
    kernel, bias = (weight.numpy() for weight in model.weights)
    np.testing.assert_allclose(run.value("out", 0), x @ kernel + bias, rtol=1e-5, atol=1e-6)
    # TensorFlow gives the rows that the input met, in an order of its own.
    rows, expected = run.value("out/kernel", 0, "gradient"), mse_gradient(kernel, bias, x, Y[:8])
    np.testing.assert_allclose(rows[np.argsort(rows[:, 0])], expected[np.argsort(expected[:, 0])], rtol=1e-4, atol=1e-6)


class Ragged(keras.Model):
    """A ragged tensor between a layer and the output: the first ``n`` numbers of example ``n % 3 + 1``."""

    def __init__(self):
        super().__init__(name="ragged")
        self.out = L.Dense(4, name="out")
        self.cut = L.Lambda(lambda x: tf.RaggedTensor.from_tensor(x, lengths=tf.range(8) % 3 + 1), name="cut")

    def call(self, x):
        return tf.reduce_sum(self.cut(self.out(x)), axis=1, keepdims=True)


def test_the_gradient_of_a_ragged_tensor_is_that_of_the_numbers_it_stores(tmp_path):
    model = Ragged()
    model.build((None, 4))
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    run = recorded(tmp_path, model, X[:8], Y[:8, :1])
    kernel, bias = (weight.numpy() for weight in model.weights)
    stored = np.arange(4) < (np.arange(8) % 3 + 1)[:, None]
    out = X[:8] @ kernel + bias
    by_sum = 2 * ((out * stored).sum(1, keepdims=True) - Y[:8, :1]) / 8
    np.testing.assert_allclose(run.value("cut", 0), out[stored], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("cut", 0, "gradient"), (by_sum * stored)[stored], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run.value("out", 0, "gradient"), by_sum * stored, rtol=1e-4, atol=1e-6)


def test_a_layer_that_is_added_between_two_fits_is_recorded_from_then_on(tmp_path):
    model = linear(keras.optimizers.SGD(0.0))
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="full", histograms=False, print_findings=False)
    recorded(tmp_path, model, X[:8], Y[:8], callback=callback)
    model.add(L.Dense(2, activation="tanh", name="more"))
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    run = recorded(tmp_path, model, X, Y, callback=callback)
    kernel, bias = (weight.numpy() for weight in model.get_layer("out").weights)
    out = X[8:] @ kernel + bias
    more = np.tanh(out @ model.get_layer("more").kernel.numpy())
    last = 2
    assert run.steps("out").tolist() == [0, 1, 2]
    assert run.steps("more").tolist() == [1, 2]
    np.testing.assert_allclose(run.value("out", last), out, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run.value("more", last), more, rtol=1e-4, atol=1e-6)
    by_out = (2 * (more - Y[8:]) / 16 * (1 - more**2)) @ model.get_layer("more").kernel.numpy().T
    np.testing.assert_allclose(run.value("out", last, "gradient"), by_out, rtol=1e-4, atol=1e-6)
