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


def of_classes(order, batch=32, classes=4, learns=0.7):
    """What is told of a softmax that is trained on batches whose targets are the rows of ``order``: shares and gradients by numpy.

    It gives most to what the last batch held, and the rest, by chance, to the others.
    """
    text = "input x [?,4]; layer head Dense [?,CLASSES] <- x softmax; variable head/kernel [4,CLASSES] gradient update"
    text += "; variable head/bias [CLASSES] gradient update; loss loss [] <- head"
    random, bias = np.random.default_rng(0), np.zeros(classes)
    history = History(text.replace("CLASSES", str(classes)), range(0, 3 * len(order), 3))
    shares, gradients, losses = [], [], []
    for targets in order:
        scores = np.exp(bias + 0.1 * random.normal(size=(batch, classes)))
        p, true = scores / scores.sum(1, keepdims=True), np.eye(classes)[targets]
        shares.append(p)
        gradients.append((p - true).mean(0))
        losses.append(-np.log(p[true == 1]).mean())
        bias = (1 - learns) * bias + learns * 6 * true.mean(0)
    p, g = np.array(shares), np.array(gradients)
    history.set("head", elements=batch * classes, l2_norm=np.sqrt((p**2).sum((1, 2))), mean=1 / classes)
    history.set("head", batch_std=np.sqrt(p.var(1).mean(1)), elements=batch * classes)
    history.set("head/bias", elements=classes, l2_norm=0.0)
    history.set("head/bias", "gradient", elements=classes, min=g.min(1), l2_norm=np.linalg.norm(g, axis=1))
    return history.set("loss", elements=1, mean=losses).find(ConstantTargets())


def sorted_classes(classes=4, batch=32, each=6, rounds=4, mixed=False):
    """Rows of targets, one class after the other; ``mixed``: the last batch of each is of the next one to a quarter."""
    order = np.repeat(np.tile(np.arange(classes), rounds), each)[:, None].repeat(batch, 1)
    if mixed:
        order[each - 1 :: each, 3 * batch // 4 :] = (order[each - 1 :: each, 3 * batch // 4 :] + 1) % classes
    return order


@pytest.mark.parametrize("mixed", [False, True])
def test_batches_of_one_class_each_are_told_to_be_sorted(mixed):
    (found,) = of_classes(sorted_classes(mixed=mixed))
    assert (found.node, found.severity) == ("head", "warning")
    assert "they are sorted" in found.sentence
    assert found.evidence["relapses"] == len(sorted_classes()) // 6 - 1


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        (np.random.default_rng(0).integers(0, 4, (96, 32)), {}),
        (sorted_classes(2, rounds=8), {"classes": 2}),  # a judge may be given what is real and what is made in turn
        (sorted_classes(batch=4), {"batch": 4}),
        (sorted_classes(rounds=1), {}),  # each is new
        (sorted_classes(each=2, mixed=True), {}),  # half of the batches hold two classes
        (np.where(np.arange(96) % 40 == 0, 1, 0)[:, None].repeat(32, 1), {}),  # a rare one comes twice
    ],
)
def test_batches_of_several_classes_are_not(order, changes):
    assert of_classes(order, **changes) == []
