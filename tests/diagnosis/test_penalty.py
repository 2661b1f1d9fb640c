"""Gradients that come from a penalty on the weights, and not through the network."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.gradients import ExplodingGradient
from tb_activations.diagnosis.penalty import PenaltyTooStrong
from tests.diagnosis.hand import History

STEPS = range(0, 100, 5)
TEXT = """
    input x [?,8]
    layer hidden {} <- x gradient
    variable hidden/kernel {} gradient update
    layer out Dense [?,3] <- hidden gradient
    variable out/kernel [8,3] gradient update
    loss loss [] <- out
"""
DENSE = TEXT.format("Dense [?,8]", "[8,8]")
CONVOLUTION = TEXT.format("Conv1D [?,9,8]", "[4,8,8]")
DEEP = "input x [?,8];" + ";".join(
    f"layer d{i} Dense [?,8] <- {f'd{i - 1}' if i else 'x'} gradient; variable d{i}/kernel [8,8] gradient update" for i in range(3)
) + "; loss loss [] <- d2"  # fmt: skip
FALLING = np.geomspace(5, 0.1, 20)


def told(own, rule, text=DENSE, weights=FALLING, given=2.0, back=0.05, **attributes):
    """The product of the norms of what comes in and of the gradient at the output is 0.1."""
    history = (
        History(text, STEPS, hidden={"attributes": attributes})
        .set("x", l2_norm=given)
        .set("hidden", "gradient", l2_norm=back)
        .set("hidden/kernel", l2_norm=weights)
    )
    history.set("hidden/kernel", "gradient", l2_norm=own).set("out/kernel", "gradient", l2_norm=0.05)
    return [(finding.node, finding.severity) for finding in history.set("out/kernel", l2_norm=1.0).find(rule)]


@pytest.mark.parametrize("own", [20 * FALLING, 20.0], ids=["of squares", "of absolute values"])
def test_a_gradient_that_the_loss_can_not_have_made_is_that_of_a_penalty(own):
    assert told(own, PenaltyTooStrong()) == [("hidden/kernel", "warning")]


def test_it_does_not_explode():
    """It is 400 times those nearer to the loss."""
    assert told(20.0, ExplodingGradient(), weights=5.0) == []
    assert told(6.0, ExplodingGradient(), weights=5.0, back=1.0) == []  # three times what can come back
    assert told(20.0, ExplodingGradient(), weights=5.0, back=15.0) == [("hidden", "error")]
    assert told(6.0, ExplodingGradient(), weights=5.0, back=3.5) == [("hidden", "error")]


@pytest.mark.parametrize(
    "other",
    [
        {"own": 0.9},  # within what the loss may pull, but for a factor
        {"own": 20 * np.tile([1, 3], 10)},  # changes with every batch: a penalty on gradients
        {"own": 20.0, "back": 0.0},  # nothing comes back
        {"own": 1.9, "text": CONVOLUTION},  # a number is used up to four times
        {"own": 20.0, "differentiated": 2},  # what comes back is of another loss, as that of a discriminator
    ],
)
def test_other_gradients_are_no_penalty(other):
    assert told(rule=PenaltyTooStrong(), **other) == []


def test_random_gradients_of_a_layer_stay_below_the_product_of_the_norms():
    """What the rule rests on, by numpy."""
    random = np.random.default_rng(0)
    for _ in range(20):
        x, back = random.normal(size=(32, 8)), random.normal(size=(32, 4)) * random.uniform(0, 10)
        assert np.linalg.norm(x.T @ back) <= np.linalg.norm(x) * np.linalg.norm(back)


@pytest.mark.parametrize(
    ("share", "loss", "told"),
    [(0.9, 2.3, True), (0.99, 2.3, True), (0.995, 2.3, False), (0.9, np.r_[2.3, np.full(19, 0.5)], False), (1.0, 2.3, False)],
)
def test_weights_of_which_little_is_left_while_nothing_is_learned_decay_too_fast(share, loss, told):
    """An optimizer takes the same share of the weights at every step."""
    left = 8 * share ** np.arange(0, 200, 10)
    history = History(DENSE, range(0, 200, 10)).set("loss", elements=1, mean=loss).set("hidden/kernel", l2_norm=left)
    for node in ("hidden", "hidden/kernel", "out/kernel"):
        history.set(node, "gradient", l2_norm=0.05)
    found = history.set("x", l2_norm=2.0).set("out/kernel", l2_norm=1.0).find(PenaltyTooStrong())
    assert [finding.node for finding in found] == ["hidden/kernel"] * told
    assert told == bool((left[-3:] < 8 / 5).all() and np.all(loss == 2.3))
    assert all("are left since step" in finding.sentence for finding in found)


@pytest.mark.parametrize(("penalty", "told"), [(1.0, True), (1e-5, False)])
def test_tables_that_a_penalty_on_squares_empties_are_told(penalty, told):
    """A recommender with the loss that is left when all scores are 0: what falls is the penalty."""
    text = "; ".join(f"input {n}_id [?]; layer {n} Embedding [?,8] <- {n}_id gradient; variable {n}/embeddings [60,8] gradient update" for n in "uv")
    history = History(text + "; layer score Dot [?] <- u v; loss loss [] <- score", range(0, 200, 10))
    size = 6.0 * (1 - 0.02 * penalty) ** np.arange(0, 200, 10)
    for name in "uv":
        history.set(f"{name}/embeddings", l2_norm=size, elements=480).set(f"{name}/embeddings", "gradient", l2_norm=2 * penalty * size)
    found = history.set("loss", elements=1, mean=4.3 + 2 * penalty * size**2).find(PenaltyTooStrong())
    assert [finding.node for finding in found] == ["u/embeddings", "v/embeddings"] * told
    assert all("the rest of it is where it was at first" in f.sentence and f.code.startswith("embeddings_regularizer") for f in found)


@pytest.mark.parametrize(("others", "told"), [((0.4, 0.45), 3), ((0.4, 0.9), 0), ((0.4, 0.6), 0)])
def test_a_decay_that_steps_keep_up_with_leaves_less_than_half_of_all_weights(others, told):
    """What is left tends to the size of a step over the share that is taken: of every layer, whatever it learns."""
    history = History(DEEP, range(0, 200, 10)).set("loss", elements=1, mean=1.6)
    for name, left in zip(("d0", "d1", "d2"), (0.3, *others), strict=True):
        history.set(f"{name}/kernel", l2_norm=8 * (left + (1 - left) * 0.95 ** np.arange(0, 200, 10)))
        history.set(f"{name}/kernel", "gradient", l2_norm=0.05).set(name, "gradient", l2_norm=0.05)
    found = history.find(PenaltyTooStrong())
    assert [finding.node for finding in found] == ["d0/kernel", "d1/kernel", "d2/kernel"][:told]
    assert all("they decay faster than they learn" in finding.sentence for finding in found)


LEARNED, STANDS = np.geomspace(2.3, 0.1, 20), np.full(20, 2.3)


@pytest.mark.parametrize(
    ("penalty", "last", "data", "noise", "told"),
    [
        (1.0, 0.3, STANDS, 0.0, True),
        (1.0, 0.3, LEARNED, 0.0, False),  # the data are learned beside it
        (1.0, 0.6, STANDS, 0.0, False),  # more than half is left
        (1.0, 0.3, STANDS, 0.5, False),  # gradients that change with every batch
    ],
)
def test_a_loss_that_falls_with_the_squares_of_weights_only_has_learned_nothing(penalty, last, data, noise, told):
    """Against the penalty itself, by numpy, of weights in two layers; what comes back explains a third of their gradients."""
    random, left = np.random.default_rng(0), np.geomspace(1, last, 20)
    history, squares = History(DENSE, STEPS).set("x", l2_norm=2.0), 0.0
    for name, first in (("hidden/kernel", 8.0), ("out/kernel", 3.0)):
        weights = first * left
        own = np.hypot(2 * penalty * weights, 0.01) * (1 + noise * random.uniform(-1, 1, 20))
        history.set(name, l2_norm=weights).set(name, "gradient", l2_norm=own)
        squares = squares + penalty * weights**2
    history.set("hidden", "gradient", l2_norm=8 / 3).set("loss", elements=1, mean=data + squares)
    found = history.find(PenaltyTooStrong())
    assert [f.node for f in found] == ["hidden/kernel", "out/kernel"] * told
    assert all("the rest of it is where it was at first" in f.sentence for f in found)


RECURRENT = """
    input x [?,9,4]
    layer gru GRU [?,8] <- x gradient
    variable gru/cell/kernel [4,24] gradient update
    variable gru/cell/recurrent_kernel [8,24] gradient update
    layer out Dense [?,1] <- gru gradient
    variable out/kernel [8,1] gradient update
    loss loss [] <- out
"""


@pytest.mark.parametrize(
    ("penalty", "data", "noise", "told"),
    [
        (3.0, 0.5, 0.01, True),
        (1e-3, 0.5, 0.01, False),  # as usual
        (3.0, 500.0, 0.01, False),  # and still the smaller part of the loss
        (3.0, 0.5, 0.5, False),  # gradients that change with every batch
    ],
)
def test_squares_of_recurrent_weights_that_make_most_of_the_loss_are_told(penalty, data, noise, told):
    """Against the penalty itself, by numpy: its gradient is twice the weights times the factor."""
    random, names = np.random.default_rng(0), ("gru/cell/kernel", "gru/cell/recurrent_kernel")
    weights = [2.0 * 0.95 ** np.arange(20), 4.0 * 0.95 ** np.arange(20)]
    history = History(RECURRENT, STEPS).set("x", l2_norm=10.0).set("out/kernel", l2_norm=1.0).set("out/kernel", "gradient", l2_norm=0.1)
    for name, norm in zip(names, weights, strict=True):
        history.set(name, l2_norm=norm).set(name, "gradient", l2_norm=2 * penalty * norm * (1 + noise * random.uniform(-1, 1, 20)))
    history.set("loss", elements=1, mean=data + penalty * sum(norm**2 for norm in weights))
    history.set("gru", "gradient", l2_norm=1e-3)
    assert [f.node for f in history.find(ExplodingGradient())] == ([] if told or penalty < 1 else ["gru"])
    found = history.find(PenaltyTooStrong())
    assert [f.node for f in found] == list(names) * told
    assert all("the same for all kernels of the layer: a penalty on their squares" in f.sentence for f in found)
