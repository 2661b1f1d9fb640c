"""Which finding is said to follow from which."""

from __future__ import annotations

import pytest

from tb_activations.diagnosis.causes import causes_first, link_consequences
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding
from tests.diagnosis.hand import nodes_of

FACTS = Facts(
    nodes_of("input x [?,8]; layer one Dense [?,8] <- x; layer two Dense [?,8] <- one; layer three Dense [?,8] <- two; loss loss [] <- three")
)


def causes(*findings, **evidence):
    """What each finding, given as rule, node and first step, is said to follow from."""
    made = [Finding(rule, rule, node, "value", "mean", step, None, "error", evidence, "", "") for rule, node, step in findings]
    return [finding.consequence_of for finding in link_consequences(made, FACTS)]


def test_an_activation_that_explodes_does_not_follow_from_its_own_gradient():
    assert causes(("exploding_gradient", "two", 50), ("exploding_activation", "two", 70)) == [None, None]
    assert causes(("exploding_gradient", "two", 50), ("exploding_activation", "one", 70)) == [None, "exploding_gradient at two since step 50"]


@pytest.mark.parametrize("node", ["one", "two"])
def test_a_gradient_vanishes_before_a_collapse_that_begins_with_it(node):
    assert causes(("collapse", node, 0), ("vanishing_gradient", "one", 0)) == [None, f"collapse at {node} since step 0"]


def test_examples_that_many_layers_pull_together_follow_from_what_makes_gradients_vanish():
    found = causes(("collapse", "three", 0), ("vanishing_gradient", "one", 0), batch_std=4e-5, root_mean_square=0.5)
    assert found == ["vanishing_gradient at one since step 0", None]


def test_a_collapse_that_comes_later_may_follow_from_a_gradient_that_vanished():
    assert causes(("vanishing_gradient", "one", 0), ("collapse", "two", 20)) == [None, "vanishing_gradient at one since step 0"]


def test_units_are_dead_for_all_examples_behind_a_node_where_these_are_equal():
    assert causes(("dead_units", "two", 0), ("collapse", "one", 0)) == ["collapse at one since step 0", None]
    assert causes(("dead_units", "two", 0), ("collapse", "two", 0)) == [None, "dead_units at two since step 0"]
    assert causes(("dead_units", "one", 0), ("collapse", "two", 0)) == [None, "dead_units at one since step 0"]
    assert causes(("dead_units", "two", 0), ("collapse", "one", 5)) == [None, None]
    assert causes(("dead_units", "two", 5), ("collapse", "one", 0), batch_std=4e-5, root_mean_square=0.5) == [None, None]  # some are left


def test_values_of_the_first_step_follow_from_what_comes_before_them_only():
    assert causes(("nonfinite", "two", 0), ("dead_units", "one", 0)) == [None, None]
    assert causes(("nonfinite", "one", 0), ("dead_units", "two", 0)) == [None, "nonfinite at one since step 0"]
    assert causes(("nonfinite", "two", 5), ("dead_units", "one", 5)) == [None, "nonfinite at two since step 5"]  # what it did to weights in between


def test_units_in_front_of_a_code_that_says_nothing_may_die():
    assert causes(("drowned_code", "two", 40), ("dead_units", "one", 110)) == [None, "drowned_code at two since step 40"]
    assert causes(("drowned_code", "two", 40), ("dead_units", "three", 110)) == [None, None]
    assert causes(("drowned_code", "two", 40), ("dead_units", "one", 0)) == [None, None]


def test_numbers_over_infinity_are_equal_and_dead():
    found = causes(("float16_overflow", "one", 0), ("collapse", "one", 0), ("dead_units", "two", 0))
    assert found == [None, *["float16_overflow at one since step 0"] * 2]


@pytest.mark.parametrize("rule", ["dead_units", "saturated_activation", "collapse"])
def test_an_output_stays_at_its_end_for_targets_beyond_it(rule):
    assert causes(("targets_out_of_range", "three", 2), (rule, "three", 12)) == [None, "targets_out_of_range at three since step 2"]
    assert causes(("targets_out_of_range", "three", 12), (rule, "three", 2)) == [None, None]
    assert causes(("targets_out_of_range", "one", 2), (rule, "three", 12)) == [None, None]  # behind it are other outputs


def test_what_a_step_computes_does_not_follow_from_its_update():
    """A softmax that is flat before anything was trained isn't so for the first step's size."""
    made = [
        Finding("update_too_large", "", "one", "update", "l2_norm", 0, None, "warning", {}, "", ""),
        *(Finding("saturated_activation", "", "three", "value", "mean", step, None, "warning", {}, "", "") for step in (0, 5)),
    ]
    found = [finding.consequence_of for finding in link_consequences(made, FACTS)]
    assert found == [None, None, "update_too_large at one since step 0"]


def test_steps_are_too_small_for_an_input_that_is():
    assert causes(("unnormalized_input", "x", 0), ("update_too_small", "two", 0)) == [None, "unnormalized_input at x since step 0"]


@pytest.mark.parametrize(("gradient", "cause"), [(float("nan"), "nonfinite at two since step 0"), (0.0, "saturated_activation at one since step 0")])
def test_skipped_steps_follow_from_what_is_not_finite_and_others_do_not(gradient, cause):
    found = causes(
        ("saturated_activation", "one", 0), ("nonfinite", "two", 0), ("unchanged_weights", "two", 0), update_norm=0.0, gradient_norm=gradient
    )
    assert found[2] == cause
    overflown = causes(("exploding_gradient", "three", 0), ("unchanged_weights", "two", 0), update_norm=0.0, gradient_norm=gradient)
    assert overflown[1] == ("exploding_gradient at three since step 0" if gradient else None)


@pytest.mark.parametrize("rule", ["exploding_gradient", "update_too_large", "exploding_loss"])
def test_what_nothing_can_reach_is_run_after_without_an_end(rule):
    assert causes(("targets_out_of_range", "three", 2), (rule, "one", 90)) == [None, "targets_out_of_range at three since step 2"]


@pytest.mark.parametrize(("cause", "rule"), [("cut_off", "unchanged_weights"), ("cut_off", "vanishing_gradient"), ("constant_targets", "collapse")])
def test_what_is_cut_off_or_asked_for_shows_in_front_of_it(cause, rule):
    assert causes((cause, "two", 0), (rule, "one", 0)) == [None, f"{cause} at two since step 0"]
    assert causes((cause, "two", 0), (rule, "three", 0)) == [None, None]


def test_what_a_dropout_leaves_nothing_of_is_the_same_for_all_examples():
    found = causes(("heavy_dropout", "two", 0), ("collapse", "two", 125), ("collapse", "one", 125))
    assert found == [None, "heavy_dropout at two since step 0", None]


def test_a_collapse_does_not_make_gradients_vanish_after_it():
    assert causes(("collapse", "one", 0), ("vanishing_gradient", "three", 10)) == [None, None]


def test_what_overflows_at_once_does_not_follow_from_its_numbers_that_are_still_finite():
    assert causes(("exploding_activation", "two", 0), ("nonfinite", "two", 0)) == [None, None]
    assert causes(("exploding_activation", "two", 0), ("nonfinite", "two", 5)) == [None, "exploding_activation at two since step 0"]
    assert causes(("exploding_activation", "one", 0), ("nonfinite", "two", 0)) == [None, "exploding_activation at one since step 0"]


def test_gradients_underflow_where_they_did_nearer_to_the_loss():
    nearest = "float16_underflow at three since step 0"
    assert causes(*(("float16_underflow", node, 0) for node in ("one", "two", "three"))) == [nearest, nearest, None]
    assert causes(("float16_underflow", "one", 0), ("float16_underflow", "three", 20)) == [None, None]


def test_what_one_normalization_makes_of_validation_goes_into_those_behind_it():
    first = "batchnorm_drift at one since step 80"
    assert causes(("batchnorm_drift", "three", 80), ("batchnorm_drift", "one", 80), ("batchnorm_drift", "two", 120)) == [first, None, first]


def test_the_worst_comes_first_but_no_finding_stands_below_what_follows_from_it():
    made = [
        Finding(rule, rule, node, "value", "mean", step, None, severity, {}, "", "")
        for rule, node, step, severity in (
            ("dead_units", "two", 30, "error"),
            ("heavy_dropout", "three", 5, "warning"),
            ("missing_gradient", "three", 25, "error"),
            ("update_too_large", "three", 20, "warning"),
            ("update_too_large", "one", 20, "warning"),
            ("poor_initialization", "three", 10, "warning"),
        )
    ]
    found = causes_first(link_consequences(made, FACTS), FACTS)
    assert [(f.rule, f.node) for f in found] == [
        ("poor_initialization", "three"),  # too large updates follow from it, and from these the dead units
        ("missing_gradient", "three"),
        ("update_too_large", "one"),
        ("dead_units", "two"),
        ("heavy_dropout", "three"),
        ("update_too_large", "three"),
    ]


@pytest.mark.parametrize(
    ("cause", "node", "step", "follows"), [("collapse", "one", 0, True), ("collapse", "one", 50, False), ("collapse", "three", 0, False)]
)
def test_weights_shrink_where_examples_were_equal_from_the_start(cause, node, step, follows):
    found = causes((cause, node, step), ("penalty_too_strong", "two", 100))
    assert found == [None, f"{cause} at {node} since step {step}" if follows else None]


def test_signs_of_single_numbers_hold_a_gradient_back_however_much_they_differ():
    found = causes(("collapse", "two", 0), ("vanishing_gradient", "two", 0), batch_std=float("nan"), root_mean_square=1.0)
    assert found == [None, "collapse at two since step 0"]
