"""Updates too large and too small for the weights, and what only looks so."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.updates import UpdateTooLarge, UpdateTooSmall
from tests.diagnosis.hand import STEPS, History, deep


def test_steps_as_large_as_the_weights_are_told_unless_the_loss_falls():
    history = deep(d3={"update": 8.0})
    assert [f.node for f in history.find(UpdateTooLarge())] == ["d3/kernel"]
    history.progress[:] = True
    assert history.find(UpdateTooLarge()) == []


@pytest.mark.parametrize(("norm", "told"), [(40.0, ["d2/kernel"]), (30.0, []), (10.0, [])])
def test_weights_that_a_few_steps_replace_are_told_however_small_later_steps_are(norm, told):
    """Ten steps between captures; weights of usual size are 8/√8, and 4 times that is 11.3."""
    weights = {"value": {"l2_norm": np.where(np.arange(20) < 3, 8.0, norm)}, "update": 0.01}
    history = deep(d2=weights, d4=weights)
    history.progress[:] = True
    found = history.find(UpdateTooLarge())
    assert [f.node for f in found] == told  # not at the output, which large targets may ask for
    assert all(f.first_step == 30 and "These weights grew to 5 times their size within 10 steps." in f.sentence for f in found)


@pytest.mark.parametrize(("entries", "told"), [(12.0, ["words/embeddings"]), (8.0, [])])
def test_entries_of_a_table_that_few_steps_make_large_are_told_though_the_loss_falls(entries, told):
    text = "input x [?,8] ; layer words Embedding [?,8,16] <- x; variable words/embeddings [200,16] update; loss loss [] <- words"
    size = np.where(np.arange(20) < 1, 0.03, entries) * np.sqrt(3200)
    history = History(text, STEPS).set("words/embeddings", l2_norm=size, elements=3200).set("words/embeddings", "update", l2_norm=1.0, elements=3200)
    history.progress[:] = True
    found = history.find(UpdateTooLarge())
    assert [f.node for f in found] == told
    assert all(f"grew to {12 * np.sqrt(3200) / 4:.0f} times their size" in f.sentence for f in found)  # of usual entries


def test_weights_that_grow_and_grow_while_the_loss_stands_are_told():
    """By a tenth of their size per step, and by a hundredth."""
    for pace, told in ((0.1, ["d2/kernel"]), (0.01, [])):
        weights = {"value": {"l2_norm": 8.0 * (1 + pace * np.arange(0, 200, 10))}, "update": 0.8}
        history = deep(d2=weights, d4=weights).set("loss", elements=1, mean=2.3)
        found = history.find(UpdateTooLarge())
        assert [f.node for f in found] == told  # not at the output
        assert all("grew to 20 times their size within 190 steps." in f.sentence for f in found)
        history.progress[:] = True
        assert history.find(UpdateTooLarge()) == []


def test_steps_too_small_from_the_beginning_are_told():
    for last, words in (
        (1e-7, "One step changes these weights by 1.2e-8 of their size"),
        (0.0, "Steps hardly change these weights since step 0, the last"),
    ):
        found = deep(**{f"d{i}": {"update": [1e-7] * 10 + [last] * 10} for i in range(5)}).find(UpdateTooSmall())
        assert [f.node for f in found] == [f"d{i}/kernel" for i in range(5)]
        assert all(f.sentence.startswith(words) for f in found), found[0].sentence


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["d/kernel"]),
        ({"dtype": "float16"}, ["d/kernel"]),
        ({"dtype": "float32"}, []),  # zeros have another reason
        ({"left": 0.6}, []),
        ({"touched": 0.01, "left": 0.0}, []),  # rows of words that aren't in the batch
        ({"update": 0.0}, []),  # gradients are added up
        ({"progress": True}, []),
    ],
)
def test_steps_that_a_short_format_rounds_away_are_told(changes, told):
    seen = {"dtype": "bfloat16", "left": 0.98, "touched": 0.7, "update": 1e-3, "progress": False, **changes}
    text = "input x [?,8]; layer d Dense [?,8] <- x; variable d/kernel [8,8] gradient update; loss loss [] <- d"
    history = History(text, STEPS, d__kernel={"dtype": seen["dtype"]})
    history.set("d/kernel", elements=64, l2_norm=8.0, mean=np.arange(20) * 0.01)
    history.set("d/kernel", "gradient", elements=64, l2_norm=0.1, zero_fraction=1 - seen["touched"])
    history.set("d/kernel", "update", elements=64, l2_norm=seen["update"], zero_fraction=1 - seen["touched"] * (1 - seen["left"]))
    history.progress[:] = seen["progress"]
    found = history.find(UpdateTooSmall())
    assert [f.node for f in found] == told
    assert all("Each step leaves 98 % of those" in f.sentence and f"mixed_{seen['dtype']}" in f.code for f in found)


@pytest.mark.parametrize(("gradient", "remedy"), [(0.1, "Raise the learning rate, look at what clips"), (1e-6, "Look for what makes the loss")])
def test_steps_are_too_small_by_their_rate_or_by_their_gradient(gradient, remedy):
    found = deep(**{f"d{i}": {"update": 1e-8, "gradient": gradient} for i in range(5)}).find(UpdateTooSmall())
    assert [f.remedy.startswith(remedy) for f in found] == [True] * 5


def test_one_layer_alone_that_does_not_move_is_told_where_its_gradient_is_no_smaller_than_others():
    assert [(f.node, f.first_step) for f in deep(d0={"update": 1e-7}).find(UpdateTooSmall())] == [("d0/kernel", 50)]
    assert deep(d0={"update": 1e-7, "gradient": 1e-4}).find(UpdateTooSmall()) == []  # has vanished
    assert deep(d0={"update": np.r_[1e-7, np.full(19, 1e-4)]}).find(UpdateTooSmall()) == []
    assert deep(d0={"update": 1e-5}).find(UpdateTooSmall()) == []


@pytest.mark.parametrize(
    ("rate", "spread", "untrained", "told"),
    [
        (4e-6, 0.0, True, 50),  # 250 times below 1e-3
        (4e-5, 0.0, True, None),
        (4e-6, 1.0, True, None),  # plain descent: the gradients are small, as they are now
        (1e-6, 0.0, True, 0),
        (4e-6, 0.0, False, None),  # fine-tuning
        (1e-6, 0.0, False, None),
        (1e-9, 0.0, False, 0),
    ],
)
def test_a_rate_that_adam_takes_for_its_first_step_is_known_and_may_be_too_low(rate, spread, untrained, told):
    """Against updates of Adam by numpy, of gradients that change with every batch; weights have a root mean square of 1/8."""
    random, m, v, update = np.random.default_rng(0), 0.0, 0.0, []
    history = deep().set("loss", elements=1, mean=2.3)
    for step in range(200):
        gradient = random.normal(size=64)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        adam = rate * m / (1 - 0.9 ** (step + 1)) / np.sqrt(v / (1 - 0.999 ** (step + 1)))
        update.append(rate * gradient if spread else adam)
    seen = np.array(update)[::10]
    for i in range(5):
        history.set(f"d{i}/kernel", elements=64, l2_norm=1.0)
        history.set(f"d{i}/bias", elements=8, std=0.0 if untrained else 0.1, l2_norm=0.0 if untrained else 0.3, mean=0.0, min=-0.1, max=0.2)
        ends = {"min": seen.min(1), "max": seen.max(1), "zero_fraction": 0.0}
        history.set(f"d{i}/kernel", "update", elements=64, l2_norm=np.linalg.norm(seen, axis=1), **ends)
    found = history.find(UpdateTooSmall())
    assert {(finding.node, finding.first_step) for finding in found} == {(f"d{i}/kernel", told) for i in range(5) if told is not None}


@pytest.mark.parametrize(("last", "told"), [(1e-7, True), (1e-4, False)])
def test_steps_that_grow_and_are_still_next_to_nothing_are_told(last, told):
    """Not so a warm-up. Weights have an L2 norm of 8."""
    found = deep(**{f"d{i}": {"update": np.linspace(1e-9, last, 20)} for i in range(5)}).find(UpdateTooSmall())
    assert bool(found) == told
    assert all(f.first_step >= 50 for f in found)


def test_steps_that_float32_loses_count_as_small_beside_small_ones():
    lost = {f"d{i}": {"update": 0.0, "moves": False} for i in range(4)}
    assert [f.node for f in deep(d4={"update": 1e-7}, **lost).find(UpdateTooSmall())] == ["d4/kernel"]


@pytest.mark.parametrize("update", [np.linspace(1e-6, 1e-5, 20), np.geomspace(0.1, 1e-9, 20)])
def test_warm_up_and_convergence_are_healthy(update):
    assert deep(**{f"d{i}": {"update": update} for i in range(5)}).find(UpdateTooSmall()) == []


def standing(update, loss=2.3, gradient=0.1, moving=()):
    """Five layers of which some are given another update: at 20 captures, over 200 steps."""
    still = np.where(np.asarray(update) > 1e-6, np.arange(20), 0) * 0.01
    numbers = {"l2_norm": 8.0 + still, "mean": still}
    history = deep(**{f"d{i}": {"update": update, "gradient": gradient, "value": numbers} for i in range(5) if i not in moving})
    return history.set("loss", elements=1, mean=loss)


def at(capture, low, high=0.01):
    return np.where(np.arange(20) >= capture, low, high)


@pytest.mark.parametrize("rate", [0.0, 1e-13])
def test_a_learning_rate_that_fell_to_nothing_while_the_loss_stands_is_told(rate):
    found = standing(at(1, rate)).find(UpdateTooSmall())
    assert [(f.node, f.rule) for f in found] == [(f"d{i}/kernel", "update_too_small") for i in range(5)]
    assert {f.evidence["standing_since"] for f in found} == {10}
    assert "since step 10, while the loss stands at 2.3" in found[0].sentence


def test_few_captures_are_enough_where_nothing_moved_for_most_of_the_time():
    """Captures 1 to 7 of 8, and 3 to 9 of 10; nothing is known of what comes after."""
    for first, end, told in ((1, 8, 5), (3, 10, 0)):
        update = np.where(np.arange(20) < end, at(first, 0.0), np.nan)
        assert len(standing(update).find(UpdateTooSmall())) == told


@pytest.mark.parametrize(("every", "told"), [(100, 5), (10, 0)])
def test_weights_that_are_what_they_were_a_hundred_steps_ago_stand_still(every, told):
    """Two captures of four, a third of the steps between them."""
    history = standing(np.where(np.arange(20) < 4, at(2, 0.0), np.nan))
    history.steps = np.arange(20) * every
    found = history.find(UpdateTooSmall())
    assert [f.evidence["standing_since"] for f in found] == [2 * every] * told


@pytest.mark.parametrize(
    ("update", "changes", "told"),
    [
        (at(2, 5e-5, 0.1), {}, 5),
        (at(2, 5e-5, 0.1), {"moving": (2,)}, 4),
        (at(2, 5e-5, 0.1), {"moving": (1, 2, 3)}, 0),
        (at(2, 5e-4, 0.1), {}, 0),  # a 200th of the first step, and 16,000 steps for a change as large as the weights
        (at(2, 5e-5, 0.01), {}, 0),  # a 200th of the first step
        (at(8, 5e-5, 0.1), {}, 0),  # at the end of a schedule
        (at(2, 5e-5, 0.1), {"gradient": at(2, 5e-5, 0.1)}, 0),  # it is the gradient that has become small
        (at(2, 5e-5, 0.1), {"loss": at(1, 0.3, 2.3)}, 0),
    ],
)
def test_steps_that_became_a_thousandth_of_what_they_were_are_told_though_weights_still_move(update, changes, told):
    found = standing(update, **changes).find(UpdateTooSmall())
    assert [(f.first_step, f.evidence["fading_since"]) for f in found] == [(120, 20)] * told
    assert all("What a step makes of the gradient is 0.0005 of what it was" in f.sentence for f in found)


def test_rest_at_the_end_of_a_schedule_or_of_learning_is_healthy():
    assert standing(at(16, 0.0)).find(UpdateTooSmall()) == []
    assert standing(at(5, 0.0), loss=at(4, 0.3, 2.3)).find(UpdateTooSmall()) == []
    assert standing(at(5, 0.0), gradient=at(5, 0.0)).find(UpdateTooSmall()) == []
    assert standing(at(5, 0.0), gradient=at(5, 5e-5, 0.1)).find(UpdateTooSmall()) == []  # full batches, and noise that nothing explains


def test_layers_that_wait_while_another_one_moves_do_not_stand_still():
    assert standing(at(5, 0.0), moving=(2,)).find(UpdateTooSmall()) == []


def test_an_optimizer_that_adds_up_gradients_moves_between_captures():
    history = standing(at(1, 0.0))
    for index in range(5):
        history.set(f"d{index}/kernel", elements=64, l2_norm=8.0 + 0.01 * np.arange(20), mean=0.0, min=-1.0, max=1.0, std=1.0)
    assert history.find(UpdateTooSmall()) == []


@pytest.mark.parametrize(
    ("pace", "told"),
    [
        (lambda step: 1 - 0.95 ** (step + 1), 5),  # momentum adds up the first few
        (lambda step: (step + 1) / 1000, 0),  # a warm-up goes on
        (lambda step: np.minimum((step + 1) / 100, 1.0), 5),  # one that arrives nowhere
    ],
)
def test_updates_that_grew_at_first_and_stay_tiny_are_told(pace, told):
    update = 8 * 3e-6 * pace(np.arange(0, 200, 10))
    history = deep(**{f"d{i}": {"update": update, "moves": False} for i in range(5)}).set("loss", elements=1, mean=2.0)
    found = history.find(UpdateTooSmall())
    assert [f.node for f in found] == [f"d{i}/kernel" for i in range(told)]
