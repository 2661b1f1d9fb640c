"""Activation functions inside layers of users: judged as those of layers are, while everything else is as if they were no nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tb_activations.diagnosis.activations import SaturatedActivation
from tb_activations.diagnosis.bitsets import members
from tb_activations.diagnosis.causes import link_consequences
from tb_activations.diagnosis.dead_units import DeadUnits
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding
from tests.diagnosis.hand import History, nodes_of

STEPS = range(0, 100, 5)

INSIDE = """
    input x [?,8,4]
    layer own/query Dense [?,8,4] <- x
    variable own/query/kernel [4,4]
    op own/inner {function} [?,8,8] <- own/query {name}
    layer own Own [?,8,4] <- own/query own/inner
    variable own/w [8,4]
    layer flat Flatten [?,32] <- own
    {head}
    loss loss [] <- {end}
"""
HEAD = "layer out Dense [?,3] <- flat\n variable out/kernel [32,3]"


def history(name="softmax", head=HEAD, **facts):
    text = INSIDE.format(function=name.capitalize(), name=name, head=head, end="out" if head else "flat")
    return History(text, STEPS, own__inner={"attributes": {"inside": "own", **facts}}).set("loss", elements=1, mean=2.0)


@pytest.mark.parametrize("name", ["softmax", "sigmoid", "tanh"])
def test_it_is_told_as_saturated_where_it_is_computed(name):
    found = history(name).set("own/inner", saturated_fraction=0.95, min=0.0, max=1.0).find(SaturatedActivation())
    assert [(f.node, f.first_step) for f in found] == [("own/inner", 0)]
    assert "scores" in found[0].remedy if name == "softmax" else "Normalize" in found[0].remedy
    assert history(name).set("own/inner", saturated_fraction=0.3, min=0.0, max=1.0).find(SaturatedActivation()) == []


@pytest.mark.parametrize(("name", "told"), [("softmax", True), ("tanh", False), ("sigmoid", False)])
def test_a_softmax_that_gives_all_to_one_in_half_of_its_rows_is_told_before_others_are(name, told):
    """Half of the outputs of a tanh on raw data may be at its ends; scores 7 apart, initial weights don't make."""
    seen = {"saturated_fraction": 0.5, "min": 0.0, "max": 1.0}
    assert (history(name).set("own/inner", **seen).find(SaturatedActivation()) != []) == told


def test_a_gate_is_told_only_where_it_can_not_move():
    gate = {"saturated_fraction": 0.95, "min": 0.001, "max": 0.02}
    assert history("sigmoid", gate=True).set("own/inner", **gate).find(SaturatedActivation()) == []
    assert history("sigmoid").set("own/inner", **gate).find(SaturatedActivation()) != []
    assert history("sigmoid", gate=True).set("own/inner", saturated_fraction=1.0, min=0.0, max=1e-6).find(SaturatedActivation()) != []


def test_masked_scores_are_no_trouble_whether_the_layer_or_another_one_masks_them():
    assert history("softmax", masked=True).set("own/inner", saturated_fraction=0.95).find(SaturatedActivation()) == []
    given = history("softmax").set("own/inner", saturated_fraction=0.95).set("own/query", min=-1e9)
    assert given.find(SaturatedActivation()) == []


def test_dead_units_inside_are_told():
    dead = history("relu").set("own/inner", zero_unit_fraction=1.0, zero_fraction=1.0, elements=512, min=0.0)
    assert [(f.node, f.first_step) for f in dead.find(DeadUnits())] == [("own/inner", 0)]
    assert history("relu").set("own/inner", zero_unit_fraction=0.2, zero_fraction=0.5, elements=512, min=0.0).find(DeadUnits()) == []


def test_what_is_computed_inside_does_not_follow_from_what_the_layer_gives():
    """As zeros of a ReLU, of which the layer takes the logarithm: if one of the two brings about the other, it is the ReLU."""
    facts = history("relu").facts
    made = [
        Finding(rule, "", node, "value", "mean", 0, None, "error", {}, "", "") for rule, node in (("nonfinite", "own"), ("dead_units", "own/inner"))
    ]
    assert [finding.consequence_of for finding in link_consequences(made, facts)] == [None, None]
    before = [replace(made[0], node="own/query"), made[1]]
    assert [finding.consequence_of for finding in link_consequences(before, facts)] == [None, "nonfinite at own/query since step 0"]


@pytest.mark.parametrize(("facts", "is_output"), [({"last": True}, True), ({}, False)])
def test_it_is_an_output_only_where_no_matrix_comes_after_it(facts, is_output):
    """In the last layer with weights, which of these stand before it and which after it, the graph of nodes doesn't tell."""
    made = history("tanh", head="", **facts).facts
    assert made.is_output(made.index["own/inner"]) == is_output
    hidden = history("tanh", **facts).facts
    assert not hidden.is_output(hidden.index["own/inner"])


def test_for_all_others_it_is_part_of_the_layer():
    """Rules know layers of users by what goes in and what comes out."""
    text = "input x [?,8]; {}layer own Own [?,4] <- {} x; variable own/w [8,4]; layer out Dense [?,3] <- own; loss loss [] <- out"
    plain = Facts(nodes_of(text.format("", "")))
    inside = {"own__Relu": {"attributes": {"inside": "own"}}, "own__Tanh": {"attributes": {"inside": "own"}}}
    more = Facts(nodes_of(text.format("op own/Relu Relu [?,8] <- x; op own/Tanh Tanh [?,8] <- own/Relu; ", "own/Tanh"), **inside))

    def named(facts, rows):
        return [facts.names[row] for row in rows]

    for name in plain.names:
        row, other = plain.index[name], more.index[name]
        assert named(plain, plain.inputs[row]) == named(more, more.inputs[other])
        assert named(plain, plain.consumers[row]) == named(more, more.consumers[other])
        assert plain.is_output(row) == more.is_output(other)
    assert named(plain, plain.kernels) == named(more, more.kernels)
    tanh = more.index["own/Tanh"]
    assert named(more, more.inputs[tanh]) == ["x"]
    assert named(more, more.consumers[tanh]) == ["own"]
    assert named(more, members(more.downstream[more.index["x"]])) == ["own/Relu", "own/Tanh", "own", "out", "loss"]
    assert named(more, members(more.upstream[tanh])) == ["x", "own/Relu"]


def test_of_a_second_call_it_is_no_call_of_the_layer():
    text = (
        "input x [?,8]; layer own Own [?,8] <- x; variable own/w [8,8]; op own@2/Relu Relu [?,8] <- own;"
        " layer own@2 Own [?,8] <- own@2/Relu; loss loss [] <- own@2"
    )
    facts = Facts(nodes_of(text, **{"own@2__Relu": {"attributes": {"inside": "own@2"}}}))
    assert [facts.names[row] for row in facts.places(facts.index["own/w"])] == ["own", "own@2"]


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        (("poor_initialization", "own/w"), ("saturated_activation", "own/inner")),
        (("dead_units", "own/inner"), ("unchanged_weights", "own/w")),
        (("saturated_activation", "own/inner"), ("collapse", "own")),
    ],
)
def test_it_follows_from_the_weights_of_its_layer_and_they_from_it(cause, effect):
    made = [Finding(rule, rule, node, "value", "mean", 0, None, "error", {}, "", "") for rule, node in (cause, effect)]
    found = link_consequences(made, history().facts)
    assert found[1].consequence_of == f"{cause[0]} at {cause[1]} since step 0"
    assert found[0].consequence_of is None
