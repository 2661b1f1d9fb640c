"""Noise that drowns what examples tell."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.noise import DrownedCode, HeavyDropout
from tests.diagnosis.hand import History

STEPS = range(0, 200, 10)
DROPPED = "input x [?,8]; layer d Dense [?,8] <- x; layer drop {} [?,8] <- d; loss loss [] <- drop"
DRAWN = """
    input x [?,8]
    layer mean Dense [?,4] <- x
    layer log_variance Dense [?,4] <- x
    layer z {} [?,4] <- mean log_variance
    variable z/seed [2]
    layer out Dense [?,8] <- z
    loss loss [] <- out
"""


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        (0.0, 0.98, 1),
        (0.5, 0.95, 1),  # of what a ReLU left, nine tenths
        (0.9, 0.95, 0),  # a sparse layer, and a half dropped
        (0.0, 0.8, 0),
    ],
)
def test_who_drops_nearly_everything_is_told_whatever_was_zero_before(before, after, count):
    history = History(DROPPED.format("Dropout"), STEPS).set("d", zero_fraction=before, elements=3200)
    found = history.set("drop", zero_fraction=after, elements=3200).find(HeavyDropout())
    assert [(f.node, f.first_step) for f in found] == [("drop", 0)] * count
    assert all("the share to drop, not the share to keep" in f.remedy for f in found)


RECURRENT = "input x [?,9,8]; layer read {} [?,8] <- x; variable read/cell/kernel [8,8] {}; loss loss [] <- read"


@pytest.mark.parametrize(
    ("layer", "rates", "trains", "said"),
    [
        ("LSTM", {"dropout": 0.1, "recurrent_dropout": 0.95}, True, "recurrent_dropout"),
        ("MultiHeadAttention", {"dropout": 0.9}, True, "dropout"),
        ("LSTM", {"dropout": 0.5, "recurrent_dropout": 0.0}, True, ""),
        ("LSTM", {"dropout": 0.95}, False, ""),  # validation drops nothing
        ("Mine", {"dropout": 0.95}, True, ""),  # it may mean something else
    ],
)
def test_who_drops_nearly_everything_inside_is_told_by_its_argument(layer, rates, trains, said):
    history = History(RECURRENT.format(layer, "gradient update" if trains else ""), STEPS, read={"attributes": rates})
    found = history.set("read", zero_fraction=0.0).set("x", zero_fraction=0.0).find(HeavyDropout())
    assert [f.node for f in found] == ["read"] * bool(said)
    assert all(f"{said}=0.2" in f.code for f in found)


@pytest.mark.parametrize(
    ("layer", "rate", "trains", "said"),
    [
        ("AlphaDropout", 0.9, True, "set 90 % of what comes in to one and the same number"),
        ("GaussianDropout", 0.95, True, "multiply what comes in by noise as strong as if 95 % of it were dropped"),
        ("AlphaDropout", 0.2, True, ""),
        ("GaussianDropout", 0.95, False, ""),  # validation drops nothing
    ],
)
def test_who_drops_nearly_everything_without_a_zero_is_told_by_its_rate(layer, rate, trains, said):
    text = DROPPED.format(layer) + "; variable d/kernel [8,8]" + " gradient update" * trains
    found = History(text, STEPS, drop={"attributes": {"rate": rate}}).set("drop", zero_fraction=0.0).set("d", zero_fraction=0.0).find(HeavyDropout())
    assert [f.node for f in found] == ["drop"] * bool(said)
    assert all(said in f.sentence and f.code == f"keras.layers.{layer}(0.1)" for f in found)


def test_few_numbers_may_be_dropped_by_chance():
    history = History(DROPPED.format("Dropout"), STEPS).set("d", zero_fraction=0.0, elements=16)
    assert history.set("drop", zero_fraction=1.0, elements=16).find(HeavyDropout()) == []


def code(ends, first=0.4, drawn=1.0, variance=0.02, layer="Draw"):
    """Means whose spread goes from ``first`` to ``ends``."""
    history = History(DRAWN.format(layer), STEPS, z__seed={"dtype": "uint32"})
    for name, spread, size in (("mean", np.geomspace(first, ends, 20), ends), ("log_variance", variance, variance), ("z", drawn, drawn)):
        history.set(name, batch_std=spread, l2_norm=size * np.sqrt(320))
    return history.find(DrownedCode())


def test_a_code_that_has_shrunk_below_its_noise_is_told():
    found = code(0.01)
    assert [(f.node, f.severity, f.last_step) for f in found] == [("mean", "warning", None)]
    assert "noise of 1 is added" in found[0].sentence
    shrinking = np.geomspace(0.4, 0.01, 20)
    assert found[0].first_step == STEPS[int(np.argmax(shrinking < 0.2 * 0.4))]


@pytest.mark.parametrize(
    "other",
    [
        {"ends": 0.3},  # speaks
        {"ends": 0.03, "first": 0.05},  # was small at first: learns to speak
        {"ends": 0.01, "variance": 3.0},  # says its variance
        {"ends": 0.01, "drawn": 0.02},  # no noise
        {"ends": 0.01, "layer": "Add"},
    ],
)
def test_other_codes_are_healthy(other):
    assert code(**other) == []


def read_by(layer, penalized="mean log_variance", ends=0.01):
    """A code that is drawn between two layers, in no layer."""
    text = f"""
        input x [?,8]
        layer mean Dense [?,4] <- x
        layer log_variance Dense [?,4] <- x
        layer decode {layer} [?,8] <- mean log_variance
        variable decode/kernel [4,8]
        loss loss [] <- decode {penalized}
    """
    history = History(text, STEPS)
    for name, spread, size in (("mean", np.geomspace(0.4, ends, 20), ends), ("log_variance", 0.02, 0.02)):
        history.set(name, batch_std=spread, l2_norm=size * np.sqrt(320))
    return [f.node for f in history.set("decode", batch_std=1.0, l2_norm=np.sqrt(320)).find(DrownedCode())]


def test_noise_that_is_drawn_in_no_layer_is_known_by_what_the_loss_is_given():
    assert read_by("Dense") == ["mean"]
    assert read_by("Dense", ends=0.3) == []
    assert read_by("Dense", penalized="mean") == []
    assert read_by("MultiHeadAttention") == []  # which takes two
