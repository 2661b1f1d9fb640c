"""Pairs that are drawn at random: what a seed says, and one pair that is trained and judged."""

from __future__ import annotations

import dataclasses

import pytest

pytestmark = pytest.mark.slow


def plain(plan):
    """All of a plan but functions and objects."""
    return {key: value for key, value in dataclasses.asdict(plan).items() if isinstance(value, (bool, int, float, str)) and key != "options"} | {
        "options": sorted(plan.options),
        "after": sorted(plan.after),
    }


def test_each_fault_is_drawn_once_before_one_comes_again():
    from benchmarks.programs.drawn import FAULTS, draw

    assert sorted(draw(seed).fault for seed in range(len(FAULTS), 2 * len(FAULTS))) == sorted(FAULTS)


def test_a_seed_draws_the_same_pair_again():
    from benchmarks.programs.drawn import draw

    for seed in range(20):
        first, again = draw(seed), draw(seed)
        assert (first.fault, first.rules, first.nodes) == (again.fault, again.rules, again.nodes)
        assert plain(first.healthy) == plain(again.healthy)
        assert plain(first.faulty) == plain(again.faulty)


def test_expected_rules_are_rules_and_expected_nodes_are_layers_of_the_twin():
    from benchmarks.programs.drawn import FAULTS, draw
    from tb_activations.diagnosis import all_rules

    known = {rule.name for rule in all_rules()}
    for seed in range(0, len(FAULTS), 5):
        pair = draw(seed)
        assert set(pair.rules) <= known
        layers = {layer.name for layer in pair.faulty.training().model.layers}
        assert not pair.rules or layers & set(pair.nodes) or "loss" in pair.nodes


@pytest.mark.parametrize(
    ("healthy", "faulty", "said"),
    [(0.3, -1.0, "unfit"), (0.9, 0.5, "fault"), (0.9, -1.0, "fault"), (0.9, 0.88, "harmless"), (0.9, 0.95, "harmless"), (0.9, 0.75, "between")],
)
def test_scores_say_what_came_of_a_fault(healthy, faulty, said):
    from benchmarks.programs.drawn import outcome

    assert outcome(healthy, faulty) == said


def test_a_pair_is_trained_and_judged(tmp_path, capsys):
    from benchmarks.findings import judge_pairs
    from benchmarks.programs.drawn import draw

    assert draw(4).fault == "exponential_units"
    judge_pairs([4], tmp_path)
    printed = capsys.readouterr().out
    assert "1 faulty programs: 1 (100 %) found, 1 (100 %) at the right node" in printed
    assert "1 healthy programs: 0 with a false alarm" in printed
    assert (tmp_path / "drawn.4.healthy" / "score.json").exists()
