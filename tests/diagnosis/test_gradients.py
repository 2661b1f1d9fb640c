"""Gradients over depth and through time, and weights that get none."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.gradients import ExplodingGradient, MissingGradient, VanishingGradient
from tb_activations.store.nodes import QuantityState
from tests.diagnosis.hand import STEPS, History, deep, without_gradient


def decaying(factor):
    return deep(**{f"d{i}": {"gradient": 0.1 * factor ** (4 - i)} for i in range(5)})


def test_a_gradient_that_dies_on_the_way_is_told_once_at_its_far_end():
    found = decaying(0.05).find(VanishingGradient())
    assert [(f.node, f.quantity, f.first_step) for f in found] == [("d0", "gradient", 0)]
    assert found[0].evidence["ratio"] == pytest.approx(0.05**4)


@pytest.mark.parametrize("factor", [0.2, 1.0, 3.0])
def test_usual_decay_is_healthy(factor):
    assert decaying(factor).find(VanishingGradient()) == []


def test_small_gradients_everywhere_are_convergence():
    assert deep(**{f"d{i}": {"gradient": 1e-9} for i in range(5)}).find(VanishingGradient()) == []


def test_keys_of_attention_have_small_gradients_while_what_comes_before_them_has_not():
    assert deep(d2={"gradient": 1e-5}).find(VanishingGradient()) == []


def test_the_member_of_a_chain_that_is_told_first_stands_for_it():
    late, later = np.where(np.arange(20) < 10, 0.1, 1e4), np.where(np.arange(20) < 15, 0.1, 1e4)
    found = deep(d1={"gradient": later}, d2={"gradient": late}).find(ExplodingGradient())
    assert [(f.node, f.first_step) for f in found] == [("d2", 100)]


def test_biases_show_that_weights_behind_tiny_activations_get_no_gradient():
    history = deep(**{f"d{i}": {"gradient": 1e-9} for i in range(5)})
    history.set("d4/bias", "gradient", l2_norm=0.5)
    assert [f.node for f in history.find(VanishingGradient())] == ["d0"]


def test_gradients_that_grow_on_the_way_explode():
    assert [f.node for f in decaying(40.0).find(ExplodingGradient())] == ["d0"]
    assert decaying(4.0).find(ExplodingGradient()) == []


@pytest.mark.parametrize(
    ("gradients", "said"),
    [({"d0": 1e3, "d1": 0.1}, "is 1,000, against 0.1 nearer to the loss"), ({"d0": 2e5, "d1": 3e5}, "is 200,000, that of the weights is 8")],
    ids=["it grew on the way", "it is large everywhere"],
)
def test_an_exploding_gradient_is_compared_with_what_it_is_large_beside(gradients, said):
    found = deep(**{layer: {"gradient": size} for layer, size in gradients.items()}).find(ExplodingGradient())
    assert [(f.node, said in f.sentence) for f in found] == [("d0", True)]


def recurrent(gradient):
    text = (
        "input x [?,9,8]; layer r SimpleRNN [?,8] <- x gradient; variable r/kernel [8,8] gradient update; layer d Dense [?,2] <-"
        " r gradient; loss loss [] <- d"
    )
    history = History(text, STEPS).set("x", l2_norm=16.0).set("r", "gradient", l2_norm=0.1).set("r", l2_norm=5.0)
    return history.set("r/kernel", elements=64, l2_norm=8.0).set("r/kernel", "gradient", elements=64, l2_norm=gradient)


def test_gradients_that_grow_through_time_explode():
    assert [f.node for f in recurrent(1e3).find(ExplodingGradient())] == ["r"]
    assert recurrent(1.0).find(ExplodingGradient()) == []
    assert recurrent(1.0).set("x", l2_norm=0.0).find(ExplodingGradient()) == []


BY_HAND = """
    input x [?,9,4]
    layer loop Loop {shape} <- x gradient
    variable loop/inward [4,8] gradient update
    variable loop/around {around} gradient update
    layer d Dense [?,2] <- loop gradient
    loss loss [] <- d
"""


@pytest.mark.parametrize(
    ("gain", "shape", "around", "told"),
    [(2.0, "[?,8]", "[8,8]", True), (0.9, "[?,8]", "[8,8]", False), (2.0, "[?,8]", "[8,2]", False), (2.0, "[?,9,8]", "[8,8]", False)],
)
def test_gradients_that_grow_through_a_loop_of_a_user_explode(gain, shape, around, told):
    """Against gradients that are followed through the loop, by numpy: linear states, and what the loss hands to the last one."""
    random = np.random.default_rng(0)
    x, back = random.normal(size=(32, 9, 4)), random.normal(size=(32, 8)) / 100
    turn = gain * np.linalg.qr(random.normal(size=(8, 8)))[0]
    gradient, at = np.zeros((4, 8)), back
    for step in reversed(range(9)):
        gradient, at = gradient + x[:, step].T @ at, at @ turn.T
    history = History(BY_HAND.format(shape=shape, around=around), STEPS).set("x", l2_norm=np.linalg.norm(x))
    history.set("loop", "gradient", l2_norm=np.linalg.norm(back)).set("loop", l2_norm=5.0).set("loop/inward", l2_norm=3.0)
    history.set("loop/inward", "gradient", l2_norm=30 * np.linalg.norm(gradient) / (1 if gain > 1 else 30))
    found = history.set("loss", elements=1, mean=1.0).find(ExplodingGradient())
    assert [f.node for f in found] == ["loop"] * told


BESIDE = """
    input x [?,8]
    layer main Dense [?,8] <- x gradient
    variable main/kernel [8,8] gradient update
    layer detail Dense [?,8] <- x gradient
    variable detail/kernel [8,8] gradient update
    layer share {share} [?,8] <- detail
    {more}
    op sum Add [?,8] <- main share
    layer d Dense [?,2] <- sum gradient
    variable d/kernel [8,2] gradient update
    loss loss [] <- d
"""


@pytest.mark.parametrize(
    ("left", "share", "more", "told"),
    [
        (1e-6, "Rescaling", "", True),
        (1e-6, "LayerScale", "variable share/gamma [8] gradient update", False),  # may grow
        (1e-3, "Rescaling", "", False),
        (np.geomspace(1e-6, 1e-2, 20), "FadeIn", "", False),  # does grow
        (0.0, "Rescaling", "", False),
        (1e-6, "LayerNormalization", "", False),
    ],
    ids=str,
)
def test_a_branch_of_which_a_constant_leaves_next_to_nothing_is_told(left, share, more, told):
    history = History(BESIDE.format(share=share, more=more), range(0, 200, 10))
    for node, size in (("x", 1.0), ("main", 1.0), ("detail", 1.0), ("share", left), ("sum", 1.0), ("d", 1.0)):
        history.set(node, l2_norm=size * np.sqrt(320))
    for kernel in ("main", "detail", "d"):
        history.set(f"{kernel}/kernel", "gradient", l2_norm=0.1)
    found = history.set("loss", elements=1, mean=1.0).find(VanishingGradient())
    assert [(f.node, f.first_step) for f in found] == [("detail", 50)] * told
    assert all("a constant has made 1e-6 of it" in f.sentence and f.evidence["constant_factor"] == pytest.approx(1e-6) for f in found)


def test_gradients_far_beyond_the_weights_explode():
    assert [(f.node, f.first_step) for f in deep(**{f"d{i}": {"gradient": [0.1] * 18 + [1e6] * 2} for i in range(5)}).find(ExplodingGradient())] == [
        ("d0", 180)
    ]


def test_large_targets_have_large_gradients():
    far = deep(**{f"d{i}": {"gradient": 1e6} for i in range(5)})
    assert far.find(ExplodingGradient()) != []
    for output, told in ((1.0, False), (3e4, True)):
        far.set("loss", elements=1, mean=1e9).set("d4", l2_norm=output * np.sqrt(320))
        assert bool(far.find(ExplodingGradient())) is told


@pytest.mark.parametrize(
    ("reason", "told"), [("not_on_loss_path", 1), ("gradient_stopped", 1), ("non_differentiable", 1), ("not_trainable", 0), ("not_called", 0)]
)
def test_trainable_weights_without_gradient_are_told(reason, told):
    history = History("input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8]", [0], d__kernel=without_gradient(reason)).set("d/kernel")
    assert [f.node for f in history.watch(MissingGradient()).findings()] == ["d/kernel"] * told


@pytest.mark.parametrize("bias_std", [0.0, 0.5])
@pytest.mark.parametrize("feeds", ["e", "loss"])
def test_weights_before_a_stopped_gradient_that_nobody_trains_are_told(bias_std, feeds):
    """Not so those that were trained before, nor those that only make targets."""
    text = f"""
        input x [?,8]
        layer d Dense [?,8] <- x gradient=gradient_stopped
        variable d/kernel [8,8] gradient=no_optimizer_step update=no_optimizer_step
        variable d/bias [8] gradient=no_optimizer_step update=no_optimizer_step
        layer e Dense [?,8] <- {"d" if feeds == "e" else "x"} gradient
        variable e/kernel [8,8] gradient update
        loss loss [] <- e {"" if feeds == "e" else "d"}
    """
    history = History(text, [0]).set("d/kernel").set("d/bias", elements=8, l2_norm=1.0, std=bias_std)
    assert [f.node for f in history.find(MissingGradient())] == ["d/kernel"] * (feeds == "e" and bias_std == 0)


@pytest.mark.parametrize(("reads", "bias_std", "told"), [("e", 0.0, True), ("e", 0.5, False), ("x", 0.0, False)])
def test_weights_whose_results_no_loss_reads_are_told_though_no_optimizer_is_given_them(reads, bias_std, told):
    """As where a step of one's own leaves out what has no gradient. What was trained before may be there to look at, or reads the data."""
    text = f"""
        input x [?,8]
        layer e Dense [?,8] <- x gradient
        variable e/kernel [8,8] gradient update
        layer d Dense [?,8] <- {reads} gradient=not_on_loss_path
        variable d/kernel [8,8] gradient=no_optimizer_step update=no_optimizer_step
        variable d/bias [8] gradient=no_optimizer_step update=no_optimizer_step
        loss loss [] <- e
    """
    history = History(text, [0]).set("d/kernel").set("d/bias", elements=8, l2_norm=1.0, std=bias_std)
    found = history.find(MissingGradient())
    assert [(f.node, f.severity) for f in found] == [("d/kernel", "warning")] * told
    assert all("No loss of this step depends on `d`" in f.sentence for f in found)


def test_what_lies_between_the_last_gradient_and_the_weights_is_named():
    text = """
        input x [?,8]
        layer d Dense [?,8] <- x
        variable d/kernel [8,8]
        op round Round [?,8] <- d
        op cast Cast [?,8] <- round
        layer e Dense [?,8] <- cast gradient
        variable e/kernel [8,8] gradient update
        loss loss [] <- e
    """
    history = History(text, [0], d__kernel=without_gradient("not_on_loss_path")).set("d/kernel")
    found = history.watch(MissingGradient()).findings()
    assert "none passes back from `e` through `round`, `cast` to `d` at" in found[0].sentence


def test_a_layer_that_is_called_outside_of_the_tape_says_so():
    """The encoder of the GauGAN example: nothing between it and the loss cuts its gradient."""
    text = (
        "input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8]; layer head Dense [?,8] <- d gradient; variable head/kernel [8,8] gradient"
    )
    outside = {"quantities": {"gradient": QuantityState("unreachable", "outside_tape", sentence="No tape.", remedy="Make the call inside.")}}
    history = History(f"{text}; loss loss [] <- head", [0], d=outside, d__kernel=without_gradient("not_on_loss_path")).set("d/kernel")
    (found,) = history.find(MissingGradient())
    assert (found.sentence, found.remedy) == ("It is trainable, and no gradient reaches it. No tape.", "Make the call inside.")


@pytest.mark.parametrize(
    ("between", "passed", "told"),
    [
        ("Rescaling", 1e-4, "between"),
        ("LayerNormalization", 1e-2, "between"),
        ("Mine", 1e-4, "between"),
        ("Activation", 1e-4, "first"),  # a function that is flat there
        ("Rescaling", 0.1, "first"),
    ],
)
def test_a_layer_that_passes_back_next_to_nothing_is_told_in_place_of_the_one_before_it(between, passed, told):
    text = (
        "input x [?,8]; layer first Dense [?,8] <- x gradient; variable first/kernel [8,8] gradient update; variable first/bias [8] gradient update"
    )
    text += (
        f"; layer between {between} [?,8] <- first gradient; layer last Dense [?,8] <- between gradient; variable last/kernel [8,8] gradient update"
    )
    history = History(f"{text}; variable last/bias [8] gradient update; loss loss [] <- last", range(0, 200, 10))
    for name, size in (("last", 1.0), ("between", 0.5), ("first", 0.5 * passed)):
        history.set(name, "gradient", l2_norm=size)
    for name, size in (("last", 1.0), ("first", 1e-5)):
        history.set(f"{name}/kernel", elements=64, l2_norm=8.0).set(f"{name}/kernel", "gradient", elements=64, l2_norm=size)
        history.set(f"{name}/bias", "gradient", elements=8, l2_norm=size)
    found = history.find(VanishingGradient())
    assert [(f.node, f.quantity, f.first_step) for f in found] == [(told, "gradient", 0)]
    assert (f"It passes back {passed:.4g} of the gradient" in found[0].sentence) == (told == "between")
    assert ("weights of `first`" in found[0].sentence) == (told == "between")
