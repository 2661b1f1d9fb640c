"""Dead units: and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.dead_units import DeadUnits
from tests.diagnosis.hand import RELU, History

STEPS = range(0, 100, 5)


def relu(dead, zero, elements=32 * 64):
    return History(RELU, STEPS).set("hidden", zero_unit_fraction=dead, zero_fraction=zero, elements=elements)


def test_dead_units_are_told_with_their_number():
    found = relu(dead=np.where(np.arange(20) < 8, 0.1, 41 / 64), zero=0.8).find(DeadUnits())
    assert [(f.node, f.first_step, f.last_step, f.severity) for f in found] == [("hidden", 40, None, "error")]
    assert found[0].sentence.startswith("41 of 64 units give 0 for every example since step 40.")


def test_what_was_trained_before_is_not_told_to_begin_so():
    history = relu(dead=1.0, zero=1.0)
    history.trains = False
    assert [f.remedy.startswith("Lower the learning rate") for f in history.find(DeadUnits())] == [True]


@pytest.mark.parametrize(
    ("node", "first", "remedy"),
    [
        ("hidden", 5, "Lower the learning rate"),
        ("hidden", 0, "They are so before anything was learned"),
        ("output", 0, "It is what the network gives out: end without the ReLU"),
    ],
)
def test_what_to_do_depends_on_the_place_of_dead_units_and_on_when_they_died(node, first, remedy):
    dead = np.where(np.arange(20) < first, 0.0, 1.0)
    history = History(RELU.replace("softmax", "relu"), STEPS).set(node, zero_unit_fraction=dead, zero_fraction=dead, elements=2048)
    assert [(f.node, f.remedy.startswith(remedy)) for f in history.find(DeadUnits())] == [(node, True)]


def test_a_single_unit_is_told_as_one():
    history = History("input x [?,8]; layer price Dense [?,1] <- x relu; loss loss [] <- price", STEPS)
    found = history.set("price", zero_unit_fraction=1.0, zero_fraction=1.0, elements=32).find(DeadUnits())
    assert [f.sentence for f in found] == ["Its only unit gives 0 for every example since step 0. Its gradient is 0 too, so it can't recover."]


@pytest.mark.parametrize(
    ("dead", "zero", "meaning", "told"),
    [
        (0.1, 0.7, "logits", True),  # a class whose score is 0 for ever
        (0.1, 0.7, "shares", False),  # no scores
        (0.0, 0.7, "logits", False),
        (np.where(np.arange(20) % 3, 0.1, 0.0), 0.7, "logits", False),  # examples of a class aren't in every batch
        (0.1, 0.95, "logits", False),  # each unit is active for so few examples that there is chance in it
    ],
)
def test_one_silent_unit_of_those_that_are_scores_of_classes_is_told_when_it_lasts(dead, zero, meaning, told):
    text = "input x [?,8]; layer scores Dense [?,10] <- x relu; variable scores/kernel [8,10]; loss loss [] <- scores"
    history = History(text, STEPS, loss={"attributes": {meaning: ["scores"]}}).set(
        "scores", zero_unit_fraction=dead, zero_fraction=zero, elements=320
    )
    history.progress[:] = True
    found = history.find(DeadUnits())
    assert [(f.node, f.first_step) for f in found] == [("scores", 50)] * told
    assert all(f.sentence.startswith("1 of 10 units give 0") and "end without the ReLU" in f.remedy for f in found)


@pytest.mark.parametrize(
    ("dead", "told"),
    [
        (np.linspace(0.1, 0.8, 20), False),  # a sparse code is learned
        (np.linspace(0.55, 0.68, 20), False),  # no more than by chance at first: the limit is 0.625
        (np.where(np.arange(20) < 8, 0.2, 0.7), True),  # killed within five steps
        (np.linspace(0.7, 0.8, 20), True),  # dead from the beginning
        (np.minimum(np.linspace(0.1, 1.3, 20), 0.95), True),  # hardly anything left
    ],
)
def test_units_that_fall_silent_by_and_by_while_the_loss_falls_are_not_dead(dead, told):
    history = relu(dead=dead, zero=0.5 + dead / 2)
    assert history.find(DeadUnits()) != []
    history.progress[:] = True
    assert (history.find(DeadUnits()) != []) == told


@pytest.mark.parametrize(("trained_before", "told"), [(True, False), (False, True)])
def test_features_that_new_data_lack_are_not_dead_while_the_loss_falls(trained_before, told):
    """A network that was trained on more than it is tuned on now: biases of which all differ tell so."""
    history = History(RELU.replace("kernel [8,64]", "kernel [8,64]; variable hidden/bias [64]", 1), STEPS)
    history.set("hidden", zero_unit_fraction=0.7, zero_fraction=0.9, elements=2048, min=0.0)
    history.set("hidden/bias", elements=64, mean=0.1, std=0.2 * trained_before, l2_norm=8 * np.sqrt(0.01 + 0.04 * trained_before), min=-0.4, max=0.5)
    assert [f.node for f in history.find(DeadUnits())] == ["hidden"]
    history.progress[:] = True
    assert (history.find(DeadUnits()) != []) == told


@pytest.mark.parametrize(
    ("frozen", "told"),
    [
        ({"hidden__kernel": {"trainable": False}}, []),
        ({"output__kernel": {"trainable": False}}, ["hidden"]),
        ({"hidden__kernel": {"trainable": False}, "hidden__bias": {"trainable": True}}, ["hidden"]),
    ],
)
def test_units_of_a_frozen_layer_do_not_die(frozen, told):
    bias = "; variable hidden/bias [64]" if "hidden__bias" in frozen else ""
    history = History(RELU.replace("kernel [8,64]", f"kernel [8,64]{bias}", 1), STEPS, **frozen)
    history.set("hidden", zero_unit_fraction=0.7, zero_fraction=0.9, elements=2048, min=0.0)
    assert [f.node for f in history.find(DeadUnits())] == told


SHARED = """
    input x [?,8]; input z [?,8]
    layer m/hidden Dense [?,64] <- x gradient; variable m/hidden/kernel [8,64]
    layer m/relu ReLU [?,64] <- m/hidden
    layer {other} Dense [?,64] <- z gradient; variable n/hidden/kernel [8,64]
    layer m/relu@2 ReLU [?,64] <- {other}
    loss loss [] <- m/relu m/relu@2
"""


@pytest.mark.parametrize(
    ("other", "alive", "told"),
    [("m/hidden@2", 0.1, []), ("m/hidden@2", 0.9, ["m/relu", "m/relu@2"]), ("n/hidden", 0.1, ["m/relu@2"])],
    ids=["alive in the other call", "dead in both", "other units, behind the same ReLU"],
)
def test_units_of_a_layer_that_is_called_twice_are_dead_where_no_call_wakes_them(other, alive, told):
    """The generators of a CycleGAN are called on pictures, and on what the other one makes, which is all of one colour at first."""
    relus = {"m__relu": {"activation": "relu"}, "m__relu@2": {"activation": "relu"}}
    history = History(SHARED.format(other=other), STEPS, **relus)
    history.set("m/relu", zero_unit_fraction=alive, zero_fraction=0.5 + alive / 2, elements=2048, min=0.0)
    history.set("m/relu@2", zero_unit_fraction=0.8, zero_fraction=0.9, elements=2048, min=0.0)
    assert [f.node for f in history.find(DeadUnits())] == told


def test_units_that_live_again_close_the_finding():
    found = relu(dead=np.where(np.arange(20) < 8, 1.0, 0.0), zero=np.where(np.arange(20) < 8, 1.0, 0.4)).find(DeadUnits())
    assert [(f.first_step, f.last_step) for f in found] == [(0, 35)]
    assert [f.sentence for f in found] == ["All 64 units gave 0 for every example from step 0 to step 35. The gradient was 0 there too."]


@pytest.mark.parametrize(
    ("dead", "zero"),
    [
        (0.5, 0.75),  # weights of random sign on positive inputs
        (0.7, 0.99),  # rare features: each living unit is active at one example
        (0.3, 0.6),
    ],
)
def test_sparse_layers_are_not_dead(dead, zero):
    assert relu(dead, zero).find(DeadUnits()) == []


def test_a_layer_that_gives_nothing_for_most_examples_is_dead():
    """Three units are left, and active at five of 32 examples: the network says the same of all others."""
    found = relu(dead=61 / 64, zero=1 - 10 / (32 * 64)).find(DeadUnits())
    assert [f.sentence[:37] for f in found] == ["61 of 64 units give 0 for every examp"]


@pytest.mark.parametrize(("lowest", "told"), [(-10.0, ["hidden"]), (-4.0, [])])
def test_a_part_of_the_units_is_told_where_biases_hold_them_below_zero(lowest, told):
    """Inputs of 1 and weights of 0.35 for eight of them make sums of 1."""
    history = History(RELU.replace("kernel [8,64]", "kernel [8,64]; variable hidden/bias [64]", 1), STEPS)
    history.set("hidden", zero_unit_fraction=0.25, zero_fraction=0.6, elements=2048, min=0.0).set("x", l2_norm=16.0, elements=256)
    history.set("hidden/kernel", elements=512, l2_norm=8.0).set("output/kernel", elements=192, l2_norm=3.0)
    history.set("hidden/bias", elements=64, min=lowest, max=0.0, mean=lowest / 4, std=0.2, l2_norm=-4 * lowest)
    assert history.find(DeadUnits()) == []  # biases that differ in every way were trained
    history.set("hidden/bias", elements=64, min=lowest, max=0.0, mean=lowest / 4, std=-lowest * np.sqrt(3) / 4, l2_norm=-4 * lowest)
    assert [f.node for f in history.find(DeadUnits())] == told


@pytest.mark.parametrize(("empty", "trained", "told"), [(0.25, False, ["hidden"]), (0.25, True, []), (1 / 64, False, [])])
def test_a_part_of_the_units_is_told_where_their_weights_began_at_zero(empty, trained, told):
    """A ReLU passes nothing to weights of exactly 0; those of a network that was trained before were pruned."""
    history = History(RELU.replace("kernel [8,64]", "kernel [8,64]; variable hidden/bias [64]", 1), STEPS)
    history.set("hidden", zero_unit_fraction=0.25, zero_fraction=0.6, elements=2048, min=0.0).set("x", l2_norm=16.0, elements=256)
    history.set("hidden/kernel", elements=512, l2_norm=8.0, zero_unit_fraction=empty)
    history.set("hidden/bias", elements=64, min=-0.2, max=0.2, mean=0.0, std=0.1 * trained, l2_norm=0.8 * trained)
    assert [f.node for f in history.find(DeadUnits())] == told


def test_a_relu_applied_to_every_time_step_can_be_dead():
    text = "input x [?,9,8]; layer t/dense Dense [?,16] <- x relu value=while_body; layer t TimeDistributed [?,9,16] <- x; loss loss [] <- t"
    history = History(text, STEPS).set("t", zero_unit_fraction=1.0, zero_fraction=1.0, min=0.0)
    assert [f.node for f in history.find(DeadUnits())] == ["t"]
    assert History(text.replace("relu", "tanh"), STEPS).set("t", zero_unit_fraction=1.0, zero_fraction=1.0, min=0.0).find(DeadUnits()) == []


def test_units_on_a_line_often_bend_outside_of_the_data():
    narrow = History(RELU.replace("x [?,8]", "x [?,1]"), STEPS).set("hidden", zero_unit_fraction=0.8, zero_fraction=0.81, elements=2048)
    assert narrow.find(DeadUnits()) == []
    assert [f.node for f in narrow.set("hidden", zero_unit_fraction=1.0, zero_fraction=1.0, elements=2048).find(DeadUnits())] == ["hidden"]


def test_a_moment_is_not_told():
    assert relu(dead=np.where(np.arange(20) == 5, 1.0, 0.1), zero=0.5).find(DeadUnits()) == []


def test_a_leaky_relu_has_no_dead_units():
    history = History("input x [?,8]; layer hidden LeakyReLU [?,64] <- x", STEPS).set("hidden", zero_unit_fraction=1.0, zero_fraction=1.0)
    assert history.find(DeadUnits()) == []


@pytest.mark.parametrize(
    ("node", "numbers", "told"),
    [
        ("x", {"nan_count": 1}, False),
        ("hidden/kernel", {"nan_count": 512}, False),
        ("hidden/kernel", {"pos_inf_count": 1}, False),
        ("x", {"neg_inf_count": 1}, True),
        ("output/kernel", {"nan_count": 1}, True),
    ],
)
def test_zeros_that_a_relu_makes_of_nan_are_not_dead_units(node, numbers, told):
    history = relu(dead=1.0, zero=1.0).set(node, **numbers)
    assert [f.node for f in history.find(DeadUnits())] == ["hidden"] * told


def test_dead_units_stay_told_when_numbers_are_no_longer_finite():
    history = relu(dead=1.0, zero=1.0).set("x", nan_count=np.where(np.array(STEPS) >= 50, 1, 0))
    assert [(f.first_step, f.last_step) for f in history.find(DeadUnits())] == [(0, None)]
