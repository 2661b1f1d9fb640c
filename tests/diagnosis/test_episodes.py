"""Since when, until when, long enough: and the same however the captures arrive."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis import episodes as episodes_module
from tb_activations.diagnosis.episodes import Episodes, Persistence


def follow(holds, known=None, steps=None, persistence=Persistence(captures=3, steps=10, patience=2), pieces=1):  # noqa: B008
    holds = np.atleast_2d(np.array(holds, bool))
    known = np.ones_like(holds) if known is None else np.atleast_2d(np.array(known, bool))
    steps = np.arange(holds.shape[1]) * 5 if steps is None else np.asarray(steps)
    episodes = Episodes(len(holds), persistence)
    evidence = np.tile(steps.astype(np.float32), (len(holds), 1))
    for part in np.array_split(np.arange(holds.shape[1]), pieces):
        episodes.update(steps[part], holds[:, part], known[:, part], {"step": evidence[:, part]})
    return [(e.row, e.first_step, e.opened_at, e.last_step, e.closed_at, e.evidence) for e in episodes.all]


def test_a_condition_must_last_for_captures_and_for_steps():
    assert follow([1, 1, 0, 1, 1]) == []
    assert follow([0, 1, 1, 1]) == [(0, 5, 15, 15, None, {"step": 15.0})]
    assert follow([1, 1, 1, 1], steps=[0, 1, 2, 3]) == []
    assert follow([1] * 12, steps=range(12)) == [(0, 0, 10, 11, None, {"step": 11.0})]


def test_an_episode_ends_with_the_last_step_at_which_it_held():
    assert follow([1, 1, 1, 1, 0, 0, 0]) == [(0, 0, 10, 15, 25, {"step": 15.0})]
    assert follow([1, 1, 1, 0, 1, 0, 1]) == [(0, 0, 10, 30, None, {"step": 30.0})]


def test_one_that_returns_later_is_another_one():
    assert [(first, last, closed) for _, first, _, last, closed, _ in follow([1, 1, 1, 0, 0, 1, 1, 1])] == [(0, 10, 20), (25, 35, None)]


def test_captures_without_data_neither_continue_nor_end_anything():
    assert follow([1, 1, 0, 0, 0, 1], known=[1, 1, 0, 0, 0, 1]) == [(0, 0, 25, 25, None, {"step": 25.0})]
    assert follow([1, 1, 1, 0, 0, 0], known=[1, 1, 1, 0, 0, 0])[0][4] is None


@pytest.mark.parametrize("seed", range(20))
def test_pieces_do_not_matter(seed):
    random = np.random.default_rng(seed)
    holds, known = random.random((6, 40)) < 0.7, random.random((6, 40)) < 0.9
    whole = sorted(map(str, follow(holds, known)))
    for pieces in (2, 7, 40):
        assert sorted(map(str, follow(holds, known, pieces=pieces))) == whole


@pytest.mark.parametrize("seed", range(5))
def test_what_was_told_is_never_taken_back(seed):
    random = np.random.default_rng(seed)
    holds = random.random((4, 50)) < 0.8
    told = set()
    for stop in range(1, 51):
        now = {(row, first, opened) for row, first, opened, *_ in follow(holds[:, :stop])}
        assert told <= now
        told = now


@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_what_comes_and_goes_without_end_is_bounded_the_same_in_any_pieces(pieces, monkeypatch):
    monkeypatch.setattr(episodes_module, "MOST", 7)
    holds = np.arange(50)[None] % 2 == np.arange(3)[:, None] % 2
    episodes = Episodes(3, Persistence(captures=1, steps=0, patience=1))
    for part in np.array_split(np.arange(50), pieces):
        episodes.update(part, holds[:, part], np.ones_like(holds[:, part]), {})
    assert [(episode.row, episode.first_step) for episode in episodes.all] == [(0, 0), (2, 0), (1, 1), (0, 2), (2, 2), (1, 3), (0, 4)]
