"""The loss, its scale, and float16."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.losses import ExplodingLoss, LossHistory, OscillatingLoss
from tb_activations.diagnosis.precision import HalfOverflow, HalfUnderflow, LossScaleThrash
from tests.diagnosis.hand import History

RANDOM = np.random.default_rng(0)


def loss(values, rule):
    values = np.asarray(values, float)
    return History("input x [?,8]; loss loss [] <- x", range(0, 2 * len(values), 2)).set("loss", elements=1, mean=values).find(rule)


def test_a_loss_that_runs_away_is_told():
    found = loss(np.geomspace(1, 1e6, 20), ExplodingLoss())
    assert [(f.node, f.severity) for f in found] == [("loss", "error")]


def test_a_loss_beyond_measure_is_told_before_it_is_nan():
    found = loss([4.4, 17.8, 17e3, 4e13, np.nan, np.nan, np.nan], ExplodingLoss())
    assert [(f.first_step, f.evidence["loss"]) for f in found] == [(6, np.float32(4e13))]


def test_a_loss_that_grows_twentyfold_twice_is_told_at_once():
    assert [f.first_step for f in loss([0.4, 33.0, 1100.0], ExplodingLoss())] == [2]
    assert loss([0.4, 33.0, 40.0], ExplodingLoss()) == []
    assert loss([0.4, 5.0, 1100.0], ExplodingLoss()) == []


def test_a_loss_that_runs_to_minus_infinity_is_told():
    found = loss(np.concatenate([[0.01], -np.geomspace(1, 1e6, 39)]), ExplodingLoss())
    assert [(f.node, f.severity) for f in found] == [("loss", "error")]
    assert "runs to minus infinity: it is -1e6 since step" in found[0].sentence
    assert found[0].evidence["first_loss"] == np.float32(0.01)


def test_a_loss_far_below_zero_beyond_measure_is_told_before_it_is_nan():
    found = loss([-2.4, -4.9, -156, -1e9, np.nan, np.nan, np.nan], ExplodingLoss())
    assert [(f.first_step, f.evidence["loss"]) for f in found] == [(6, np.float32(-1e9))]
    assert loss([-2.4, -4.9, -156, -1e6, -30, -30, -30], ExplodingLoss()) == []


@pytest.mark.parametrize(
    ("fall", "count", "told"),
    [
        (lambda t: t**2, 80, True),  # by three times as much in the second half
        (lambda t: t, 80, False),  # as much in both: a scale that is learned shrinks by as much at each step
        (lambda t: 1 - np.exp(-3 * t), 80, False),  # it comes to rest
        (lambda t: np.where(t < 0.6, t**2, 0.36 + 0.2 * (t - 0.6)), 80, False),  # it slows down before it is 100 times as far
        (lambda t: t**2, 40, False),  # 80 steps
    ],
)
def test_a_loss_below_zero_that_falls_faster_and_faster_is_told(fall, count, told):
    noise = RANDOM.normal(size=count)
    found = loss(0.5 - 250 * fall(np.linspace(0, 1, count)) + noise * (np.arange(count) > 0), ExplodingLoss())
    assert [f.node for f in found] == ["loss"] * told
    assert all("runs to minus infinity" in f.sentence and 100 <= f.first_step < 112 for f in found)


def test_a_likelihood_far_below_zero_is_healthy():
    assert loss(np.linspace(700, -9_000, 40), ExplodingLoss()) == []
    assert loss(np.linspace(-50, -90_000, 40), ExplodingLoss()) == []


def test_losses_that_rise_within_reason_are_not():
    assert loss(np.linspace(0.7, 8, 40), ExplodingLoss()) == []  # a generator that is losing
    assert loss(np.linspace(-0.01, -50, 40), ExplodingLoss()) == []  # a critic
    assert loss(np.where(np.arange(40) == 20, 100.0, 1.0), ExplodingLoss()) == []  # one bad batch


def test_a_loss_that_swings_is_told():
    assert [f.rule for f in loss(2.3 + 9 * np.abs(np.sin(np.arange(60) * 2.0)) * (np.arange(60) > 2), OscillatingLoss())] == ["oscillating_loss"]


def test_noise_is_no_oscillation():
    assert loss(1 + 0.3 * RANDOM.normal(size=200), OscillatingLoss()) == []
    assert loss(np.maximum(np.exp(-np.arange(200) / 20) + 0.05 * np.abs(RANDOM.normal(size=200)), 0), OscillatingLoss()) == []


def test_an_easy_first_batch_makes_no_oscillation_of_the_noise_of_the_beginning():
    """Losses of a classifier of rare examples that weigh much, at the first ten steps and then at every tenth: it learns."""
    values = [0.47, 1.0, 0.45, 1.47, 1.32, 0.92, 0.24, 0.23, 0.62, 0.87, 0.46, 0.4, 0.28, 0.38, 0.26, 0.3, 0.26, 0.29, 0.32, 0.15]
    history = History("loss loss []", [*range(10), *range(10, 101, 10)]).set("loss", elements=1, mean=values)
    assert history.find(OscillatingLoss()) == []


def test_single_examples_differ_by_as_much_as_their_loss():
    """Losses near 0.8 and 3 by turns, in batches of one and of 32."""
    for examples, told in ((1, []), (32, ["oscillating_loss"])):
        values = np.where(np.arange(60) % 2, 3.0, 0.8) + 0.2 * RANDOM.uniform(size=60)
        values[:3] = 1
        history = History("input x [?,8]; loss loss [] <- x", range(60)).set("loss", elements=1, mean=values).set("x", elements=8 * examples)
        assert [f.rule for f in history.find(OscillatingLoss())] == told


@pytest.mark.parametrize(("examples", "told"), [(2, []), (32, ["oscillating_loss"])])
def test_the_first_loss_of_two_examples_may_be_small_by_chance(examples, told):
    """Squares of normal numbers, of batches of two."""
    values = (np.random.default_rng(0).normal(size=(200, 2)) ** 2).mean(1)
    values[0] = 0.06
    history = History("input x [?,8]; loss loss [] <- x", range(200)).set("loss", elements=1, mean=values).set("x", elements=8 * examples)
    assert sorted({f.rule for f in history.find(OscillatingLoss())}) == told


def progress(*losses):
    values = np.array(losses, np.float32)
    history = History("loss loss []", range(len(values)))
    whole, parts = LossHistory(), LossHistory()
    blocks = [history.block()], [history.block(0, 2), history.block(2, None)]
    whole.feed(blocks[0][0], values)
    parts.feed(blocks[1][0], values[:2])
    parts.feed(blocks[1][1], values[2:])
    assert np.concatenate([block.progress for block in blocks[1]]).tolist() == blocks[0][0].progress.tolist()
    return blocks[0][0].progress.astype(int).tolist()


def test_progress_is_a_loss_that_has_clearly_fallen():
    assert progress(1.0, 0.9, 0.8, 0.5, 0.4, 0.3, 0.3) == [0, 0, 0, 0, 0, 1, 1]
    assert progress(1.0, np.nan, 0.5, np.nan, 0.5, 0.5) == [0, 0, 0, 0, 1, 1]
    assert progress(-1.0, -5.0, -9.0, -9.0, -9.0) == [0, 1, 1, 1, 1]  # a likelihood
    assert progress(1.0, 0.9, -0.5, -2.0, -2.0) == [0, 0, 0, 1, 1]
    assert progress(-1.0, -20.0, -900.0, -9000.0, -9e4) == [0, 0, 0, 0, 0]  # without an end
    assert progress(0.0, 0.0, 0.1) == [0, 0, 0]


HALF = "input x [?,8]; layer dense Dense [?,8] <- x gradient; loss loss [] <- dense"


def half(loss_scale=np.nan, quantity="value", **statistics):
    return (
        History(HALF, range(0, 40, 2), loss_scale=loss_scale, dense={"dtype": "float16"}).set("dense", quantity, **statistics).set("loss", mean=1.0)
    )


def test_float16_at_the_end_of_its_range_is_told():
    assert [f.node for f in half(max=60_000).find(HalfOverflow())] == ["dense"]
    assert [f.node for f in half(max=100, pos_inf_count=3).find(HalfOverflow())] == ["dense"]
    assert half(max=300, min=-65_504, neg_inf_count=9).find(HalfOverflow()) == []


@pytest.mark.parametrize(
    ("size", "class_name", "told"), [(400.0, "Spread", True), (100.0, "Spread", False), (400.0, "Dropout", False), (0.0, "Spread", False)]
)
def test_squares_that_overflow_inside_of_a_layer_are_told_by_the_zeros_that_are_left(size, class_name, told):
    """x / sqrt(mean(x²)) in float16, by numpy."""
    x = np.random.default_rng(0).uniform(-size, size, (32, 8)).astype("float16")
    with np.errstate(all="ignore"):
        y = np.nan_to_num(x / np.sqrt((x * x).mean(-1, keepdims=True, dtype="float16")))
    assert (y == 0).all() == (size != 100.0)
    history = History(f"input x [?,8]; layer norm {class_name} [?,8] <- x; loss loss [] <- norm", range(0, 40, 2), norm={"dtype": "float16"})
    for node, numbers in (("x", x), ("norm", y)):
        history.set(node, min=numbers.min(), max=numbers.max(), zero_fraction=(numbers == 0).mean())
    found = history.set("loss", mean=1.0).find(HalfOverflow())
    assert [f.node for f in found] == ["norm"] * told
    assert all("hardly anything but 0 since step 0" in f.sentence for f in found)


def test_gradients_below_float16_are_told():
    for zero, words in ((0.5, "47 % of its gradient is below 6e-5, where float16 loses digits, and 50 % is 0,"), (1.0, "All of its gradient is 0")):
        found = half(quantity="gradient", subnormal_fraction=0.47 * (zero < 1), zero_fraction=zero).find(HalfUnderflow())
        assert [(f.node, f.sentence) for f in found] == [("dense", f"{words} since step {found[0].first_step}.")]
    assert half(quantity="gradient", subnormal_fraction=0.4, zero_fraction=0.5).find(HalfUnderflow()) == []  # no number to speak of is lost


@pytest.mark.parametrize(("scale", "remedy"), [(np.nan, "Use a loss scale"), (1.0, "Use a loss scale"), (64.0, "The loss scale of 64 is too small")])
def test_gradients_below_float16_name_the_loss_scale_that_is_there(scale, remedy):
    history = half(quantity="gradient", subnormal_fraction=0.47, zero_fraction=0.5)
    history.loss_scale = np.full(len(history.steps), scale, np.float32)
    assert [f.remedy.startswith(remedy) for f in history.find(HalfUnderflow())] == [True]


def test_a_loss_scale_that_finds_no_rest_is_told():
    assert [f.node for f in half(loss_scale=32768 * 0.5 ** np.arange(20)).find(LossScaleThrash())] == ["loss"]
    too_high = half(loss_scale=2.0 ** np.arange(50, 30, -1)).find(LossScaleThrash())
    assert "gradients overflow float16 at larger ones" in too_high[0].sentence
    assert "initial_scale=32768" in too_high[0].code
    settled = half(loss_scale=32768 * 0.5 ** np.minimum(np.arange(20), 4))
    assert settled.find(LossScaleThrash()) == []
    assert half().find(LossScaleThrash()) == []


@pytest.mark.parametrize(
    ("values", "examples", "told"),
    [
        ([2.1, 1.1, 0.2, 0.06, 4.2, 1.4, 0.4, 0.07] * 4, 32, True),  # one class after the other
        ([2.1, 1.1, 0.2, 0.06, 4.2, 1.4, 0.4, 0.07] * 4, 4, False),  # of few examples one odd one is as many
        ([2.1, 1.1, 0.2, 0.06, 4.2, 0.2, 0.1, 0.07] * 4, 32, False),  # one odd batch
        ([2.1, 1.1, 0.8, 0.6, 4.2, 1.4, 0.9, 0.7] * 4, 32, False),  # it is never learned
        ([2.2, 1.1, 0.5, 0.3, 2.4, 2.2, 1.1, 0.5, 0.5, 3.6, 1.4, 0.6, 0.3, 3.4, 2.1, 1.2, 0.4, 4.1, 1.6, 0.8] + [1.1] * 14, 32, True),  # half learned
        ([2.2, 1.1, 0.5, 0.3, 2.4, 2.2, 1.1, 0.5, 0.5, 3.6, 1.4, 0.6, 0.3, 3.4, 2.1, 1.2] + [1.1] * 14, 32, False),  # three times
        ([2.1, *np.geomspace(1.5, 0.05, 28), 4.2, 1.4, 0.4], 32, False),  # once
        ([2.1, 0.06, 4.2, 1.4, 0.07, 3.5, 0.1] * 5, 32, False),  # a few large examples, in any order
    ],
)
def test_a_loss_that_falls_to_nothing_and_comes_back_again_and_again_is_told(values, examples, told):
    history = History("input x [?,8]; loss loss [] <- x", range(len(values))).set("x", elements=8 * examples)
    found = history.set("loss", elements=1, mean=np.asarray(values)).find(OscillatingLoss())
    assert [(f.node, "sorted" in f.remedy) for f in found] == [("loss", True)] * told


def swinging(period, steps=60):
    """A scale that is doubled after so many steps, and overflows at the step after that."""
    text, numbers = "input x [?,8]; loss loss [] <- x", np.arange(steps)
    return History(text, numbers, loss_scale=np.where(numbers % period == 0, 2.0**21, 2.0**20)).set("loss", mean=1.0)


def test_a_loss_scale_that_is_raised_and_falls_again_and_again_is_told():
    found = swinging(3).find(LossScaleThrash())
    assert [f.node for f in found] == ["loss"]
    assert "rose and fell again 10 times in the 29 steps before" in found[0].sentence


def test_a_loss_scale_that_overflows_now_and_then_is_healthy():
    assert swinging(12).find(LossScaleThrash()) == []


TARGETS = """
    input x [?,8]
    layer copy Dense [?,2] <- x gradient={reason}
    variable copy/kernel [8,2] {update}
    layer scores Dense [?,2] <- x gradient
    variable scores/kernel [8,2] gradient update
    loss loss [] <- copy scores
"""


@pytest.mark.parametrize(
    ("reason", "update", "moves", "told"),
    [
        ("gradient_stopped", "update=no_optimizer_step", True, []),  # Q-learning: the copy is brought up to date
        ("nothing_trained", "update=not_trainable", True, []),
        ("gradient_stopped", "update=no_optimizer_step", False, ["oscillating_loss", "exploding_loss"]),
        ("gradient_stopped", "update", True, ["oscillating_loss", "exploding_loss"]),  # a loss beside this one trains it
    ],
)
def test_where_a_copy_of_the_network_gives_the_targets_and_moves_the_first_loss_says_nothing(reason, update, moves, told):
    captures, history = np.arange(60), History(TARGETS.format(reason=reason, update=update), range(60))
    copied = 1.0 + captures // 15 * moves
    history.set("copy/kernel", elements=16, mean=0.1 * copied, l2_norm=copied, min=-copied, max=copied)
    jumps = np.where(captures < 15, 1.0, np.where(captures % 4 < 2, 4.0 * captures, captures))
    history.set("x", elements=8 * 32).set("loss", elements=1, mean=jumps)
    assert [f.rule for rule in (OscillatingLoss(), ExplodingLoss()) for f in history.find(rule)][:2] == told


def test_a_loss_out_of_all_proportion_is_told_whatever_gives_the_targets():
    history = History(TARGETS.format(reason="gradient_stopped", update="update=no_optimizer_step"), range(60))
    copied = 1.0 + np.arange(60) // 15
    history.set("copy/kernel", elements=16, mean=0.1 * copied, l2_norm=copied, min=-copied, max=copied)
    history.set("loss", elements=1, mean=np.geomspace(1, 1e6, 60))
    assert [f.rule for f in history.find(ExplodingLoss())] == ["exploding_loss"]


JUDGED = """
    input noise [?,4]
    layer hidden Dense [?,8] <- noise relu gradient
    variable hidden/kernel [4,8] gradient update
    layer made Dense [?,2] <- hidden tanh gradient
    variable made/kernel [8,2] gradient update
    input judge/given [?,2]
    layer judge/score Dense [?,1] <- judge/given gradient
    variable judge/score/kernel [2,1] gradient update
    input judge/given@2 [?,2] <- made
    layer judge/score@2 Dense [?,1] <- judge/given@2 gradient
    loss loss [] <- judge/score judge/score@2
"""


@pytest.mark.parametrize(
    ("text", "largest", "told"),
    [
        (JUDGED, 4.0, []),
        (JUDGED, 60.0, ["oscillating_loss", "exploding_loss"]),
        (JUDGED.replace("@2 [?,2] <- made", "@2 [?,2] <- noise"), 4.0, ["oscillating_loss", "exploding_loss"]),
    ],
)
def test_a_judge_that_was_trained_before_comes_back_to_guessing(text, largest, told):
    """And is wrong at times: guessing costs 2 of a hinge loss."""
    history = History(text, range(60))
    swings = np.where(np.arange(60) < 10, 0.08, np.where(np.arange(60) % 4 < 2, largest, 0.75 * largest))
    history.set("noise", elements=4 * 32).set("loss", elements=1, mean=swings)
    assert [f.rule for rule in (OscillatingLoss(), ExplodingLoss()) for f in history.find(rule)][:2] == told
