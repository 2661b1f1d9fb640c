"""Layers that were frozen with a base, and that nobody had trained."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.diagnosis.left_frozen import LeftFrozen
from tests.diagnosis.hand import STEPS, History, without_gradient

NET = "input x [?,8];" + ";".join(
    f"layer {name} Dense [?,8] <- {source}; variable {name}/kernel [8,8] gradient update; variable {name}/bias [8] gradient update"
    for name, source in (("base", "x"), ("more", "base"), ("new", "more"), ("head", "new"))
) + "; loss loss [] <- head"  # fmt: skip
FROZEN = {"trainable": False, **without_gradient("not_trainable")}


def left(frozen=("base", "more", "new"), trained=("base", "more"), steps=STEPS, losses=np.nan, moves=0.0):
    """Names of the kernels that are told, of four layers; ``moves``: by how much frozen weights change from capture to capture."""
    history = History(NET, steps, **{f"{layer}__{what}": FROZEN for layer in frozen for what in ("kernel", "bias")})
    for layer in ("base", "more", "new", "head"):
        spread = 0.3 if layer in trained else 0.0
        history.set(f"{layer}/bias", elements=8, std=spread, l2_norm=spread * 3, mean=0.0, min=-2 * spread, max=2 * spread)
        history.set(f"{layer}/kernel", elements=64, std=0.3, l2_norm=2.4 + moves * np.arange(len(steps)), mean=0.0, min=-0.6, max=0.6)
    history.set("loss", elements=1, mean=losses)
    return [finding.node for finding in history.find(LeftFrozen())]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["new/kernel"]),
        ({"trained": ("base", "more", "new")}, []),
        ({"frozen": ("base", "more")}, []),
        ({"trained": ()}, []),  # random features
        ({"frozen": ("base", "more", "new", "head")}, []),  # told of all weights, by another rule
        ({"frozen": ("new",), "trained": ()}, []),  # it waits for its turn
        ({"steps": range(100, 300, 10)}, []),  # where a run goes on, nobody knows how it began
    ],
)
def test_untrained_layers_frozen_between_a_trained_base_and_layers_that_learn_are_told(changes, told):
    assert left(**changes) == told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["head/kernel"]),
        ({"frozen": ("new",)}, ["new/kernel"]),
        ({"frozen": ("base",), "losses": np.where(np.arange(20) < 1, 2.3, 2.25)}, []),  # random features, from which something is learned
        ({"frozen": ("base",)}, ["base/kernel"]),  # and nothing
        ({"frozen": ("base", "more")}, ["base/kernel"]),  # the first stands for both
        ({"trained": ("base", "more", "new", "head")}, []),
        ({"frozen": ("base",), "trained": ("base", "more")}, []),
        ({"losses": np.linspace(2.3, 0.5, 20)}, []),  # training gets on with it
        ({"losses": np.where(np.arange(20) < 1, 0.8, 0.65)}, []),  # as far as noisy targets let it
        ({"losses": -2.3}, []),  # a loss that doesn't say how training goes
        ({"steps": range(0, 60, 3)}, []),  # it had no time yet
        ({"moves": 0.01}, []),  # something else trains it
    ],
)
def test_what_learns_in_vain_before_an_untrained_frozen_layer_is_told(changes, told):
    assert left(**{"frozen": ("head",), "trained": (), "losses": 2.3, **changes}) == told


@pytest.mark.parametrize(
    ("reads", "moves", "told"),
    [
        ("real", 0.0, ["head/kernel"]),
        ("real", 0.01, []),  # another step trains it
        ("new", 0.0, []),  # made as well: it judges nothing
    ],
)
def test_what_judges_data_beside_what_learns_and_that_nobody_trains_is_told(reads, moves, told):
    text = f"; input real [?,8]; layer head@2 Dense [?,8] <- {reads}; loss loss@2 [] <- head@2"
    history = History(NET + text, STEPS, head__kernel=FROZEN, head__bias=FROZEN)
    history.set("head/bias", elements=8, std=0.0, l2_norm=0.0).set("head/kernel", elements=64, l2_norm=2.4 + moves * np.arange(20))
    found = history.set("loss", elements=1, mean=np.linspace(2.3, 0.3, 20)).find(LeftFrozen())
    assert [f.node for f in found] == told
    assert all("tell one from the other" in f.sentence for f in found)


def test_random_features_that_one_loss_compares_are_no_judge():
    """Of what is made and of what it is to be, as a loss of perception does."""
    text = NET.replace("loss loss [] <- head", "input real [?,8]; layer head@2 Dense [?,8] <- real; loss loss [] <- head head@2")
    history = History(text, STEPS, head__kernel=FROZEN, head__bias=FROZEN)
    history.set("head/bias", elements=8, std=0.0, l2_norm=0.0).set("head/kernel", elements=64, l2_norm=2.4)
    assert history.set("loss", elements=1, mean=np.linspace(2.3, 0.3, 20)).find(LeftFrozen()) == []


def test_random_features_beside_others_that_learn_are_not_in_the_way():
    text = "; layer wide Dense [?,8] <- x; variable wide/kernel [8,8] gradient update; loss loss@2 [] <- wide"
    history = History(NET + text, STEPS, base__kernel=FROZEN, base__bias=FROZEN)
    history.set("base/bias", elements=8, std=0.0, l2_norm=0.0).set("base/kernel", elements=64, l2_norm=2.4).set("loss", elements=1, mean=2.3)
    assert history.find(LeftFrozen()) == []


TABLE = "input x [?,8]; layer words Embedding [?,8,4] <- x; variable words/embeddings [50,4]; layer d Dense [?,8] <- words;"
TABLE += "variable d/kernel [4,8] gradient update; variable d/bias [8] gradient update; loss loss [] <- d"


@pytest.mark.parametrize(
    ("size", "loss", "told"),
    [
        (0.05 / np.sqrt(3), 0.66, ["words/embeddings"]),  # spread evenly between −0.05 and 0.05
        (0.02, 0.66, []),  # as training leaves them
        (0.05 / np.sqrt(3), 0.6, []),  # random rows are enough
    ],
)
def test_a_frozen_table_that_nobody_has_trained_is_told(size, loss, told):
    history = History(TABLE, STEPS, words__embeddings=FROZEN)
    history.set("words/embeddings", elements=200, l2_norm=size * np.sqrt(200), mean=0.0, min=-0.05, max=0.05, std=size)
    history.set("d/bias", elements=8, std=0.0, l2_norm=0.0, mean=0.0, min=0.0, max=0.0).set("d/kernel", elements=32, l2_norm=2.4, std=0.3)
    found = history.set("loss", elements=1, mean=np.where(np.arange(20) < 1, 0.7, loss)).find(LeftFrozen())
    assert [f.node for f in found] == told
    assert all("random rows" in f.sentence for f in found)


@pytest.mark.slow
@pytest.mark.parametrize(("forgotten", "told"), [(True, ["new"]), (False, [])])
def test_a_head_that_was_frozen_with_its_base_is_told(tmp_path, forgotten, told):
    """The whole way, in a real training."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    y = (x[:, :1] * x[:, 1:2] > 0).astype("float32")
    base = keras.layers.Dense(16, "relu", name="base")
    first = keras.Sequential([keras.Input((8,)), base, keras.layers.Dense(1, "sigmoid", name="old")])
    first.compile("adam", "binary_crossentropy")
    first.fit(x, y, epochs=2, verbose=0)
    model = keras.Sequential([keras.Input((8,)), base, keras.layers.Dense(4, "tanh", name="new"), keras.layers.Dense(1, "sigmoid", name="head")])
    for layer in model.layers[:2] if forgotten else [base]:
        layer.trainable = False
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, epochs=4, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=5, print_findings=False)])
    found = [finding for finding in tba.open_run(tmp_path / "train").findings if finding.rule == "left_frozen"]
    assert [finding.node for finding in found] == [f"{name}/kernel" for name in told]
