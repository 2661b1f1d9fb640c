"""Targets that are one number for all examples."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.diagnosis.targets import ConstantTargets
from tests.diagnosis.hand import History

L = keras.layers
X = np.random.default_rng(0).normal(size=(1600, 4)).astype("float32")
YES = (X[:, :1] > 0).astype("float32")


def told(tmp_path, targets, loss, activation=None, first=0.0):
    """What is found in a real training."""
    keras.utils.set_random_seed(0)
    bias = keras.initializers.Constant(first)
    hidden, units = L.Dense(16, activation="relu", name="hidden"), 3 if activation == "softmax" else 1
    model = keras.Sequential([keras.Input((4,), name="x"), hidden, L.Dense(units, activation=activation, bias_initializer=bias, name="head")])
    model.compile(keras.optimizers.Adam(0.01), loss)
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="none", histograms=False, print_findings=False)
    model.fit(X, targets, epochs=3, batch_size=32, verbose=0, callbacks=[callback])
    return [f for f in tba.open_run(tmp_path / "train").findings if f.rule == "constant_targets"]


CONSTANT = {
    "all no": (0 * YES, "binary_crossentropy", "sigmoid"),
    "all yes": (0 * YES + 1, keras.losses.BinaryCrossentropy(from_logits=True), None),
    "one number": (0 * YES - 0.3, "mse", None),
    "one class": (0 * YES + 1, "sparse_categorical_crossentropy", "softmax"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSTANT)
def test_targets_that_are_one_number_are_told(tmp_path, name):
    found = told(tmp_path, *CONSTANT[name])
    assert [(f.node, f.severity, f.last_step) for f in found] == [("head", "warning", None)]
    assert "are one number" in found[0].sentence


SEVERAL = {
    "yes and no": (YES, "binary_crossentropy", "sigmoid"),
    "one yes in a batch of all": (np.eye(1600, 1, -7, "float32"), "binary_crossentropy", "sigmoid"),
    "most are one number": (np.where(X[:, :1] > 1.5, 1, 0), "mse", None),
    "classes": (YES + (X[:, 1:2] > 0.5), "sparse_categorical_crossentropy", "softmax"),
    "one of another class in a hundred": (0 * YES + 1 - np.eye(1600, 1, -7, "float32"), "sparse_categorical_crossentropy", "softmax"),
    "learned": (X[:, :1] * 0.5, "mse", None),
    "who sets a bias knows how rare the other answer is": (0 * YES, "binary_crossentropy", "sigmoid", -3.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_other_targets_are_not(tmp_path, name):
    assert told(tmp_path, *SEVERAL[name]) == []


TEXT = "input x [?,4]; layer head Dense [?,1] <- x gradient; variable head/kernel [4,1] gradient update; variable head/bias [1] gradient update"


def of_one_number(size=0.5, falls=0.01, batch=96, stride=9):
    """Forty captures of a training on targets 0."""
    history = History(TEXT + "; loss loss [] <- head", range(0, 40 * stride, stride))
    std = size * np.sqrt(np.geomspace(1, falls, 40))
    history.set("head", elements=batch, std=std, l2_norm=std * np.sqrt(batch), mean=0.0)
    history.set("head", "gradient", elements=batch, std=2 * std / batch, l2_norm=2 * std / np.sqrt(batch), mean=0.0)
    return [f.node for f in history.set("loss", elements=1, mean=std**2).find(ConstantTargets())]


@pytest.mark.parametrize(("size", "falls", "count"), [(0.5, 0.01, 1), (1e5, 0.01, 0), (0.5, 0.5, 0)])
def test_beside_outputs_that_are_much_larger_all_targets_look_alike(size, falls, count):
    assert of_one_number(size, falls) == ["head"] * count


def test_a_thousand_examples_hold_none_of_a_rare_answer():
    assert of_one_number(batch=32) == []


def test_every_second_call_may_be_given_one_of_two_kinds():
    assert of_one_number(stride=10) == []


def test_a_judge_is_to_give_one_number():
    """Of what is real, at one call, and another of what is made, at the other."""
    history = History(TEXT + "; layer head@2 Dense [?,1] <- x gradient; loss loss [] <- head; loss loss@2 [] <- head@2", range(0, 400, 10))
    assert len(ConstantTargets().select(history.facts)) == 0


def of_classes(order, batch=8, moves=1.0, every=1):
    """What is told of a softmax that is trained on batches, the classes of which are ``order``: shares and gradients by numpy.

    What is learned beside the bias gives more and more to the class that is true. ``moves``: whether the bias is learned. ``every``: as is recorded.
    """
    text = "input x [?,4]; layer head Dense [?,4] <- x softmax; variable head/kernel [4,4] gradient update"
    history = History(text + "; variable head/bias [4] gradient update; loss loss [] <- head", range(0, len(order), every))
    random, bias, shares, gradients, biases, losses = np.random.default_rng(0), np.zeros(4), [], [], [], []
    for step, kind in enumerate(order):
        scores = bias + 0.1 * random.normal(size=(batch, 4)) + step / 50 * np.eye(4)[kind]
        p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        shares.append(p)
        gradients.append((p - np.eye(4)[kind]).mean(0))
        biases.append(bias)
        losses.append(-np.log(p[:, kind]).mean())
        bias = bias - 0.1 * moves * gradients[-1]
    p, g, b = np.array(shares)[::every], np.array(gradients)[::every], np.array(biases)[::every]
    history.set("head", elements=batch * 4, l2_norm=np.sqrt((p**2).sum((1, 2))), mean=0.25, batch_std=np.sqrt(p.var(1).mean(1)))
    history.set("head/bias", elements=4, l2_norm=np.linalg.norm(b, axis=1), min=b.min(1), max=b.max(1))
    history.set("head/bias", "gradient", elements=4, min=g.min(1), l2_norm=np.linalg.norm(g, axis=1))
    return [f.node for f in history.set("loss", elements=1, mean=losses[::every]).find(ConstantTargets())]


@pytest.mark.parametrize(
    ("order", "changes", "count"),
    [
        (np.full(600, 2), {}, 1),
        (np.arange(600) % 4, {}, 0),  # each batch is of one class, and the next of another
        (np.arange(4800) % 4, {"batch": 1}, 0),  # as each of one example is
        (np.arange(600) % 4, {"moves": 0.0}, 0),
        (np.where(np.arange(600) == 9, 1, 2), {}, 0),
        (np.where(np.arange(1800) % 3 == 1, 1, 2), {"every": 3}, 0),  # what is recorded is of one class
    ],
)
def test_batches_of_one_class_each_needn_t_be_of_the_same(order, changes, count):
    assert of_classes(order, **changes) == ["head"] * count
