"""A run followed while it grows says what a cold look at it says; findings stay; consequences are linked; a user's rule can't harm."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import tb_activations
from tb_activations.diagnosis import Diagnosis, engine, evaluate, rules
from tb_activations.errors import ArgumentError
from tb_activations.store.names import data_directory
from tb_activations.store.run import Run, open_run
from tests import builders
from tests.builders import build_run, capture_of, normal_values, open_writer, parse_nodes, put

NET = """
    input pixels [?,8] Dense
    layer stem Dense [?,8] <- pixels relu gradient
    variable stem/kernel [8,8] gradient update
    layer hidden Dense [?,8] <- stem relu gradient
    variable hidden/kernel [8,8] gradient update
    layer output Dense [?,4] <- hidden gradient
    variable output/kernel [8,4] gradient update
    loss loss [] <- output
"""


def values(graph, dead_from=10**9):
    """Healthy numbers; `stem` dies at a step, `hidden` with it."""
    normal = normal_values(graph)

    def value(name, quantity, step):
        tensor = normal(name, quantity, step)
        if name == "loss":
            return np.float32(1.0)
        if quantity == "update":
            return tensor * 1e-3
        if name.endswith("kernel") and quantity == "value":
            return tensor * 0.35
        if quantity == "value" and name in ("stem", "hidden"):
            return np.maximum(tensor, 0) * (step < dead_from)
        if step >= dead_from and quantity == "gradient" and (name == "stem" or name.startswith("stem/")):
            return tensor * 0
        return tensor

    return value


@pytest.fixture
def graph():
    return parse_nodes(NET)


def test_a_healthy_run_has_no_finding_and_all_rules_are_quiet(tmp_path, graph):
    report = evaluate(open_run(build_run(tmp_path / "train", graph, range(0, 100, 5), values(graph))))
    assert report.findings == ()
    assert [quiet.rule for quiet in report.quiet] == [rule.name for rule in rules.BUILT_IN]
    assert (report.checked_captures, report.problems, report.worst()) == (20, (), None)


def test_numbers_whose_squares_overflow_are_found_without_a_warning(tmp_path, graph):
    usual = values(graph)

    def value(name, quantity, step):
        return usual(name, quantity, step) * (np.float32(1e25) if name == "pixels" else 1)

    report = evaluate(open_run(build_run(tmp_path / "train", graph, range(0, 100, 5), value)))  # warnings are errors here
    assert [(f.rule, f.node) for f in report.findings] == [("unnormalized_input", "pixels")]


def test_what_follows_from_another_says_so_and_comes_after_it(tmp_path, graph):
    report = evaluate(open_run(build_run(tmp_path / "train", graph, range(0, 100, 5), values(graph, 40))))
    assert [(f.rule, f.node, f.first_step, f.consequence_of) for f in report.findings] == [
        ("dead_units", "stem", 40, None),
        ("dead_units", "hidden", 40, "dead_units at stem since step 40"),
    ]
    assert report.worst() == "error"
    assert json.loads(json.dumps(report.to_json()))["findings"][0]["last_step"] is None
    assert "dead_units" not in [quiet.rule for quiet in report.quiet]
    assert open_run(tmp_path).findings == report.findings


def test_a_run_followed_while_it_grows_says_what_a_cold_look_says(tmp_path, graph):
    told = set()
    with open_writer(tmp_path / "train", graph) as writer:
        writer.flush()
        run = None
        for step in range(0, 150, 5):
            put(writer, step, [capture_of(graph, values(graph, 40 if step < 100 else 10**9), step)])
            if step % 3 == 0:
                continue
            writer.flush()
            if run is None:
                run = open_run(tmp_path / "train")
                diagnosis = Diagnosis(run)
            run.refresh()
            report = diagnosis.update()
            assert report.to_json() == evaluate(open_run(tmp_path / "train")).to_json()
            now = {finding.identity for finding in report.findings}
            assert told <= now
            told = now
    assert [(f.rule, f.node, f.first_step, f.last_step) for f in report.findings] == [
        ("dead_units", "stem", 40, 95),
        ("dead_units", "hidden", 40, 95),
    ]


def test_training_resumed_earlier_begins_again(tmp_path, graph, monkeypatch):
    build_run(tmp_path / "train", graph, range(0, 100, 5), values(graph, 40))
    run = open_run(tmp_path / "train")
    diagnosis = Diagnosis(run)
    assert diagnosis.update().findings
    monkeypatch.setattr(builders, "START", builders.START + 1000)
    build_run(tmp_path / "train", graph, range(40, 100, 5), values(graph))
    run.refresh()
    assert diagnosis.update().findings == ()


def test_what_another_worker_records_of_the_same_steps_later_counts(tmp_path, graph):
    """Each worker has half of the batch; in the first one's half the units look dead, in the other they live."""
    build_run(tmp_path / "train", graph, range(0, 100, 5), values(graph, 40), worker=0)
    run = open_run(tmp_path / "train")
    diagnosis = Diagnosis(run)
    assert {finding.rule for finding in diagnosis.update().findings} >= {"dead_units"}
    alive = values(graph)
    with open_writer(tmp_path / "train", graph, worker=1) as writer:
        for step in range(0, 100, 5):
            put(writer, step, [capture_of(graph, alive, step, rank=1)])
    run.refresh()
    assert run.captures().rows.tolist() == [2] * 20
    report = diagnosis.update()
    assert report.to_json() == evaluate(open_run(tmp_path / "train")).to_json()
    assert "dead_units" not in {finding.rule for finding in report.findings}


def frozen(graph, *names):
    """The same graph after some variables were frozen."""
    records = [
        replace(record, trainable=False, quantities={"value": record.quantities["value"]}) if record.name in names else record
        for record in graph.nodes
    ]
    return replace(graph, nodes=tuple(records))


def test_what_was_found_before_a_layer_was_frozen_stays(tmp_path, graph):
    """`stem` never moves. Frozen for a second fit, it needn't."""

    def still(name, quantity, step):
        tensor = values(graph)(name, quantity, 0 if name.startswith("stem/") else step)
        return tensor * 0 if name.startswith("stem/") and quantity != "value" else tensor

    build_run(tmp_path / "train", graph, range(0, 60, 5), still)
    run = open_run(tmp_path / "train")
    diagnosis = Diagnosis(run)
    (before,) = diagnosis.update().findings
    assert (before.rule, before.node, before.first_step, before.last_step) == ("unchanged_weights", "stem/kernel", 0, None)
    build_run(tmp_path / "train", frozen(graph, "stem/kernel"), range(60, 120, 5), still)
    run.refresh()
    (after,) = diagnosis.update().findings
    assert repr(after) == repr(replace(before, last_step=55))
    assert repr(evaluate(open_run(tmp_path / "train")).findings) == repr((after,))


def test_a_look_before_the_first_capture_costs_no_finding(tmp_path):
    """The weights of `teacher` are given to no optimizer, which only the plan tells."""
    graph = parse_nodes("""
        input x [?,8]
        layer first Dense [?,8] <- x gradient
        variable first/kernel [8,8] gradient update=no_optimizer_step
        layer last Dense [?,4] <- first gradient
        variable last/kernel [8,4] gradient update
        loss loss [] <- last
    """)
    normal = normal_values(graph)

    def value(name, quantity, step):
        return np.float32(1.0) if name == "loss" else normal(name, quantity, 0 if name == "first/kernel" else step) * 0.3

    with open_writer(tmp_path / "train", graph) as writer:
        run = open_run(tmp_path / "train")
        diagnosis = Diagnosis(run)
        assert diagnosis.update().findings == ()
        for step in range(0, 100, 5):
            put(writer, step, [capture_of(graph, value, step)])
    run.refresh()
    found = diagnosis.update().findings
    assert ("unchanged_weights", "first/kernel") in [(f.rule, f.node) for f in found]
    assert repr(found) == repr(evaluate(open_run(tmp_path / "train")).findings)


def test_a_look_before_there_is_a_graph_costs_no_finding(tmp_path, graph):
    """What is wrong at step 0 is told only where a training begins."""
    wide = values(graph)

    def value(name, quantity, step):
        return wide(name, quantity, step) * (20 if name == "hidden/kernel" and quantity == "value" else 1)

    run = Run(tmp_path / "train")
    diagnosis = Diagnosis(run)
    assert diagnosis.update().findings == ()
    build_run(tmp_path / "train", graph, range(0, 20, 5), value)
    run.refresh()
    assert ("poor_initialization", "hidden/kernel") in [(f.rule, f.node) for f in diagnosis.update().findings]


def test_a_rule_that_fails_when_it_tells_takes_no_other_with_it(tmp_path, graph, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(rules.ExplodingLoss, "words", fail)

    def value(name, quantity, step):
        return np.float32(10.0 ** (step / 5)) if name == "loss" else values(graph, 40)(name, quantity, step)

    report = evaluate(open_run(build_run(tmp_path / "train", graph, range(0, 100, 5), value)))
    assert {finding.rule for finding in report.findings} >= {"dead_units"}
    assert [problem.split(":")[0] for problem in report.problems] == ["Rule exploding_loss failed and is left out"]
    assert "exploding_loss" not in [quiet.rule for quiet in report.quiet]


def test_a_loss_that_begins_at_0_harms_no_rule(tmp_path, graph):
    def value(name, quantity, step):
        return np.float32(0.0 if step < 10 else 1e4) if name == "loss" else values(graph)(name, quantity, step)

    report = evaluate(open_run(build_run(tmp_path / "train", graph, range(0, 100, 5), value)))
    assert report.problems == ()
    assert [finding.rule for finding in report.findings] == ["exploding_loss"]


def test_validation_that_is_seen_before_the_training_it_belongs_to_says_what_a_cold_look_says(tmp_path):
    graph = parse_nodes(
        "input x [?,8]; layer dense Dense [?,8] <- x; layer bn BatchNormalization [?,8] <- dense; layer out Dense [?,4] <- bn; loss loss [] <- out"
    )
    normal = normal_values(graph)

    def growing(name, quantity, step):
        return normal(name, quantity, step) * (1 + step / 200 if name == "bn" else 1)

    with open_writer(tmp_path / "train", graph) as writer:
        for step in range(0, 500, 10):
            put(writer, step, [capture_of(graph, growing, step)])
        writer.flush()
        build_run(tmp_path / "validation", graph, range(300, 1000, 100), growing)
        run = open_run(tmp_path / "train")
        diagnosis = Diagnosis(run)
        diagnosis.update()
        for step in range(500, 1000, 10):
            put(writer, step, [capture_of(graph, growing, step)])
    run.refresh()
    assert diagnosis.update().to_json() == evaluate(open_run(tmp_path / "train")).to_json()
    assert diagnosis.update().findings == ()


def test_batch_norm_that_does_something_else_in_validation_is_told(tmp_path):
    graph = parse_nodes(
        "input x [?,8]; layer dense Dense [?,8] <- x; layer bn BatchNormalization [?,8] <- dense; layer out Dense [?,4] <- bn; loss loss [] <- out"
    )
    normal = normal_values(graph)

    def scaled(factor):
        return lambda name, quantity, step: normal(name, quantity, step) * (factor if name == "bn" else 1)

    build_run(tmp_path / "train", graph, range(0, 1000, 10), scaled(1))
    build_run(tmp_path / "validation", graph, range(100, 1000, 100), scaled(1))
    assert evaluate(open_run(tmp_path / "train")).findings == ()
    for path in (tmp_path / "validation").rglob("*"):
        path.unlink() if path.is_file() else None
    build_run(tmp_path / "validation", graph, range(100, 1000, 100), scaled(6))
    found = evaluate(open_run(tmp_path / "train")).findings
    # Moving statistics with momentum 0.99 have arrived after 300 steps, not before.
    assert [(f.rule, f.node, f.first_step) for f in found] == [("batchnorm_drift", "bn", 300)]


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(rules, "_registered", {})


def test_a_function_can_be_a_rule(tmp_path, graph, registry):
    @tb_activations.rule(
        "spread", title="Wide", statistic="std", severity="note", sentence="`{node}` has a standard deviation of {std}.", remedy="Narrow it."
    )
    def spread(statistics):
        return statistics["std"] > 0.9

    report = evaluate(open_run(build_run(tmp_path / "train", graph, range(0, 100, 5), values(graph))))
    assert {(f.rule, f.node, f.severity) for f in report.findings} == {("spread", "output", "note")}
    assert report.findings[0].sentence.startswith("`output` has a standard deviation of 0.9")
    assert spread({"std": np.ones(3)}).all()


def test_a_rule_that_fails_takes_no_other_with_it(tmp_path, graph, registry):
    @tb_activations.rule("broken")
    def broken(statistics):
        return 1 / 0

    @tb_activations.rule("misshapen")
    def misshapen(statistics):
        return True

    report = evaluate(open_run(build_run(tmp_path / "train", graph, range(0, 100, 5), values(graph, 40))))
    assert [finding.rule for finding in report.findings] == ["dead_units", "dead_units"]
    assert [problem.split(":")[0] for problem in report.problems] == [
        "Rule broken failed and is left out",
        "Rule misshapen failed and is left out",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "Not A Name"},
        {"name": "dead_units"},
        {"quantity": "weight"},
        {"statistic": "median"},
        {"severity": "fatal"},
        {"kinds": "layer"},
        {"kinds": ("layers",)},
        {"kinds": ()},
        {"captures": 0},
        {"steps": -1},
        {"captures": 2.5},
        {"steps": None},
        {"title": 5},
        {"remedy": None},
    ],
)
def test_a_bad_argument_is_named(arguments):
    with pytest.raises(ArgumentError, match=f"Received: .*{next(iter(arguments))}=" if "name" not in arguments else "Received: name="):
        tb_activations.rule(**{"name": "mine", **arguments})


@pytest.mark.parametrize("anew", [False, True], ids=["a worker's earlier steps arrive", "steps are trained anew"])
def test_rules_see_one_moment_of_a_run_that_requests_refresh_meanwhile(tmp_path, graph, monkeypatch, anew):
    path = build_run(tmp_path / "train", graph, range(20, 120, 5), values(graph, 60))
    run, read, disturbed = open_run(path), engine._Reader.__call__, []
    before = evaluate(open_run(path))
    monkeypatch.setattr(engine, "_BLOCK_NUMBERS", 30)

    def disturb(self, *which):
        if not disturbed:
            disturbed.append(1)
            if anew:
                for segment in data_directory(path).glob("segment-*"):
                    segment.unlink()
            build_run(path, graph, range(0, 110, 5) if anew else range(0, 19, 3), values(graph, 80), worker=1, marker=False)
            run.refresh()
        return read(self, *which)

    monkeypatch.setattr(engine._Reader, "__call__", disturb)
    assert Diagnosis(run).update() == (evaluate(open_run(path)) if anew else before)
