"""Which steps, nodes and quantities are recorded: pure rules, and what is said of bad arguments."""

from __future__ import annotations

import itertools
import re
from types import SimpleNamespace

import numpy as np
import pytest

from tb_activations.capture.clock import Clock
from tb_activations.capture.schedule import Schedule
from tb_activations.capture.selection import Selection
from tb_activations.errors import ArgumentError
from tb_activations.store.reasons import explain_reason
from tb_activations.store.schema import Graph, NodeRecord, Operation


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        (7, [0, 7, 14, 21, 28]),
        (1, list(range(30))),
        (np.int64(10), [0, 10, 20]),
        ([0, 3, 29, 500], [0, 3, 29]),
        ({4}, [4]),
        (np.array([2, 5]), [2, 5]),
        (range(1, 30, 9), [1, 10, 19, 28]),
        (lambda step: step in (8, 9), [8, 9]),
        ("auto", [*range(20), 20, 25]),
    ],
)
def test_due_steps(every, steps):
    schedule = Schedule(every)
    assert [step for step in range(30) if schedule.due(step)] == steps


def test_by_default_captures_are_a_quarter_of_the_steps_so_far_apart_and_a_hundred_at_most():
    due = Schedule("auto").due
    steps = [step for step in range(2001) if due(step)]
    assert [step for step in steps if 30 <= step <= 500] == [30, 35, *range(40, 101, 10), 125, 150, 175, 200, 250, 300, 350, 400, 500]
    assert steps[-1] == 2000
    assert all(later - step <= max(1, min(step / 4, 100)) for step, later in itertools.pairwise(steps))


@pytest.mark.parametrize(
    ("every", "description"), [({3, 1}, [1, 3]), (set(range(0, 3000, 2)), "1,500 steps from 0 to 2,998"), (range(9), "range(0, 9)")]
)
def test_a_schedule_is_described_in_a_few_words(every, description):
    assert Schedule(every).description == description


@pytest.mark.parametrize("every", [0, -1, 2.5, "100", None, True, [], range(0), range(-5, 0), [1, -2], [1.5], b"7", 1j], ids=repr)
def test_unusable_schedules_are_refused_with_what_was_received(every):
    with pytest.raises(ArgumentError, match=r"`every` must be .* Received: every="):
        Schedule(every)


NAMES = ["image", "encoder/conv", "encoder/conv/kernel", "encoder/conv_1", "head", "head/kernel", "loss"]


@pytest.mark.parametrize(
    ("options", "selected"),
    [
        ({}, NAMES),
        ({"include": "conv"}, ["encoder/conv", "encoder/conv/kernel", "encoder/conv_1"]),
        ({"include": ["^head$", re.compile("LOSS", re.I)]}, ["head", "loss"]),
        ({"exclude": "/"}, ["image", "head", "loss"]),
        ({"include": "conv", "exclude": ["kernel$"]}, ["encoder/conv", "encoder/conv_1"]),
        ({"include": lambda name: len(name) == 4}, ["head", "loss"]),
    ],
)
def test_selected_names(options, selected):
    selection = Selection(**options)
    assert [name for name in NAMES if selection.selects(name, "layer", "value")] == selected


def test_what_is_left_out_names_the_option():
    selection = Selection(include="a", exclude="b", kinds=["layer"], quantities=["value"])
    plan = selection.plan("a", "variable", "value")
    assert (plan.reason, plan.detail["kinds"]) == ("kind_off", "['layer', 'variable']")
    assert selection.plan("ab", "layer", "value").detail["option"] == "`exclude`"
    assert selection.plan("c", "layer", "value").detail["option"] == "`include`"
    assert selection.plan("a", "layer", "gradient").reason == "quantity_off"


def starts_with_e(name):
    return name.startswith("e")


def your_function(name):
    return "conv" in name


MANY = [f"^layer_{index}$" for index in range(100)]


@pytest.mark.parametrize(
    ("options", "also"),
    [
        ({"include": "head"}, ()),
        ({"include": [re.compile("LOSS", re.I), "image"]}, ()),
        ({"include": starts_with_e}, ()),
        ({"include": lambda name: "conv" in name}, ()),
        ({"include": [*MANY, "head"]}, ()),
        ({"include": []}, ()),
        ({"exclude": ["^loss$", "kernel"]}, ("encoder/conv/kernel", "head/kernel")),
        ({"exclude": ["/"]}, tuple(NAMES)),
        ({"exclude": starts_with_e}, ()),
        ({"exclude": lambda name: "conv" in name}, ()),
        ({"exclude": [*MANY, "^loss$", "^head$"]}, ()),
        ({"include": "conv", "exclude": ["_1$", "kernel"]}, ("encoder/conv/kernel",)),
        ({"include": starts_with_e, "exclude": starts_with_e}, ()),
    ],
)
def test_the_code_to_paste_selects_what_was_left_out_and_what_was_selected(options, also):
    """Where a pattern that leaves something out is taken away, what else it left out is ``also`` back."""
    selection = Selection(**options)
    selected = {name for name in NAMES if selection.selects(name, "layer", "value")}
    assert len(selected) < len(NAMES)
    scope = {"re": re, "tb_activations": SimpleNamespace(ActivationsCallback=lambda _, **arguments: Selection(**arguments)), "log_dir": ""}
    scope |= {"starts_with_e": starts_with_e, "your_function": your_function, **options}
    for name in set(NAMES) - selected:
        code = explain_reason("filtered", name, selection.plan(name, "layer", "value").detail).code_to_paste
        assert len(code) < 300
        exec(f"again = {code}", scope)
        again = scope["again"]
        assert selected | {name} <= {each for each in NAMES if again.selects(each, "layer", "value")} <= selected | {name, *also}


@pytest.mark.parametrize("name", ["x.y", 'a"b', "it's", "ends\\", "new\nline"])
def test_a_name_is_found_as_it_is_written(name):
    scope = {}
    exec(f"arguments = dict(step=0{Selection(include=()).plan(name, 'layer', 'value').detail['arguments']})", scope)
    (pattern,) = scope["arguments"]["include"]
    assert re.search(pattern, name)
    assert not re.search(pattern, name.replace(".", "z") + "z")


def test_patterns_without_a_match_are_told_with_the_nearest_names():
    nodes = tuple(NodeRecord(name, "layer", "Dense") for name in NAMES)
    operations = (Operation("head/MatMul", "MatMul"), Operation("loss/Mean", "Mean"))
    graph = Graph(nodes, operations=operations)
    (sentence,) = Selection(include=["encoder/konv", "head"]).unmatched(graph)
    assert "`include` names 'encoder/konv'" in sentence
    assert "encoder/conv" in sentence
    (sentence,) = Selection(exclude="kernal").unmatched(graph)
    assert "`exclude`" in sentence
    assert "head/kernel" in sentence or "encoder/conv/kernel" in sentence
    (sentence,) = Selection(ops=["MatMull", "^Mean$", "head/"]).unmatched(graph)
    assert "`ops` names 'MatMull', which matches no operation" in sentence
    assert "MatMul." in sentence
    (sentence,) = Selection(ops="MatMul").unmatched(Graph(nodes))
    assert "runs eagerly" in sentence
    assert not Selection(ops="list").unmatched(graph)


@pytest.mark.parametrize(
    "options",
    [{"include": 3}, {"include": "("}, {"exclude": [1]}, {"kinds": ["layers"]}, {"kinds": []}, {"quantities": "gradients"}, {"quantities": 1}],
    ids=repr,
)
def test_unusable_selections_are_refused_with_what_was_received(options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"`{name}` must .* Received: {name}="):
        Selection(**options)


def run_epoch(clock, executions, steps_per_execution=1, **ending):
    clock.begin_epoch()
    firsts = [clock.begin_execution(steps_per_execution) for _ in range(executions)]
    clock.end_epoch(steps_per_execution, **{"expected": None, "iterations": None, "stopped": False, **ending})
    return firsts


def test_steps_go_on_over_epochs():
    clock = Clock(5)
    assert run_epoch(clock, 3, expected=3) == [5, 6, 7]
    assert run_epoch(clock, 3, expected=3) == [8, 9, 10]


def test_the_last_execution_may_be_shorter():
    clock = Clock(0)
    assert run_epoch(clock, 3, 4, expected=10) == [0, 4, 8]
    assert clock.step == 10


def test_where_the_length_is_unknown_the_optimizer_tells_how_many_steps_there_were():
    clock = Clock(0)
    run_epoch(clock, 4, 4, iterations=13)
    assert clock.step == 13


def test_a_last_execution_that_finds_no_data_comes_after_a_shorter_one():
    clock = Clock(0)
    assert run_epoch(clock, 3, 4, iterations=6) == [0, 4, 8]
    assert run_epoch(clock, 2, 4) == [6, 10]
    assert clock.step == 12


def test_the_execution_that_met_the_end_of_the_data_made_no_step():
    clock = Clock(0)
    run_epoch(clock, 6, iterations=6)
    assert clock.step == 5
    run_epoch(clock, 5)
    assert clock.step == 10


def test_an_execution_goes_on_behind_the_steps_of_an_epoch():
    clock = Clock(0)
    assert run_epoch(clock, 2, 4, expected=6, iterations=8) == [0, 4]
    assert run_epoch(clock, 2, 4, expected=6, iterations=6) == [8, 12]
    assert clock.step == 14


def test_data_that_is_known_to_be_shorter_than_was_announced():
    clock = Clock(0)
    run_epoch(clock, 7, expected=9, iterations=7)
    run_epoch(clock, 7, expected=9, iterations=6)
    assert clock.step == 13


def test_whether_the_last_execution_made_a_step_may_be_known():
    clock = Clock(0)
    run_epoch(clock, 5, expected=6, iterations=5, ended=True)
    run_epoch(clock, 5, ended=False)
    assert clock.step == 9


def test_an_epoch_that_is_longer_than_the_one_before():
    clock = Clock(0)
    run_epoch(clock, 5, iterations=5)
    run_epoch(clock, 8, iterations=8)
    assert clock.step == 11


def test_a_stopped_epoch_made_all_the_steps_it_began():
    clock = Clock(0)
    run_epoch(clock, 3, expected=10, iterations=3, stopped=True)
    assert clock.step == 3
    run_epoch(clock, 4, expected=10, iterations=None, stopped=True)
    assert clock.step == 7
