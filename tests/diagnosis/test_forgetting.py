"""What a plain recurrence forgets, against gradients that are followed through time one step after the other."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.gradients import VanishingGradient
from tests.diagnosis.hand import History

TEXT = """
    input x [?,{steps},4]
    layer rnn/cell SimpleRNNCell [?,16] gradient
    variable rnn/cell/kernel [4,16] gradient update
    variable rnn/cell/recurrent_kernel [16,16] gradient update
    layer rnn/cell:1/0 SimpleRNNCell [?,16] <- rnn/cell gradient
    layer rnn {layer} [?,16] <- x gradient
    layer output Dense [?,1] <- rnn gradient
    variable output/kernel [16,1] gradient update
    loss loss [] <- output
"""


def norms(gain, steps, batch=32):
    """L2 norms of what the loss hands to the last state, and of what states hand to those before them, all together."""
    random = np.random.default_rng(0)
    turn = gain * np.linalg.qr(random.normal(size=(16, 16)))[0]
    gradient = first = random.normal(size=(batch, 16))
    handed_on = 0.0
    for _ in range(steps - 1):
        gradient = gradient @ turn
        handed_on += (gradient**2).sum()
    return np.linalg.norm(first), np.sqrt(handed_on), np.linalg.norm(gradient) / np.linalg.norm(first)


def recurrence(gain, steps=80, layer="SimpleRNN", loss=0.69, captures=20):
    given, handed_on, left = norms(gain, steps)
    history = History(TEXT.format(steps=steps, layer=layer), range(0, 10 * captures, 10)).set("loss", elements=1, mean=loss)
    history.set("rnn", "gradient", elements=32 * 16, l2_norm=given)
    history.set("rnn/cell", "gradient", elements=32 * 16 * steps, l2_norm=given)
    history.set("rnn/cell:1/0", "gradient", elements=32 * 16 * steps, l2_norm=handed_on)
    for kernel in ("rnn/cell/kernel", "rnn/cell/recurrent_kernel", "output/kernel"):
        history.set(kernel, "gradient", l2_norm=1.0)
    return history, left


@pytest.mark.parametrize(
    ("gain", "steps", "told"), [(0.5, 80, 40), (0.8, 150, 40), (0.85, 110, 40), (0.9, 150, 100), (0.95, 150, None), (0.5, 20, None)]
)
def test_a_recurrence_that_reaches_its_first_step_no_more_is_told(gain, steps, told):
    history, left = recurrence(gain, steps)
    found = history.find(VanishingGradient())
    assert [(f.node, f.first_step) for f in found] == ([] if told is None else [("rnn", told)])
    assert told == (40 if left < 2**-24 else 100 if left < 1e-6 else None)
    assert all(f.evidence["factor_per_time_step"] == pytest.approx(gain, rel=1e-3) and f.evidence["time_steps"] == steps for f in found)
    assert all(f"the gradient shrinks to {gain} of its size" in f.sentence and f"of {steps}," in f.sentence for f in found)


def by_hand(gain, calls, residual=False):
    """A layer that is called on the states that it gave, with the gradients at its calls, followed back one after the other."""
    random = np.random.default_rng(0)
    turn, gradient = gain * np.linalg.qr(random.normal(size=(16, 16)))[0], random.normal(size=(32, 16))
    text = "input x [?,16]; variable turn/kernel [16,16] gradient update; layer turn Dense [?,16] <- x gradient; op s1 Tanh [?,16] <- turn;"
    text += "".join(f"layer turn@{n} Dense [?,16] <- s{n - 1} gradient; op s{n} Tanh [?,16] <- turn@{n};" for n in range(2, calls + 1))
    text += f"layer output Dense [?,1] <- s{calls} gradient; variable output/kernel [16,1] gradient update; loss loss [] <- output"
    history = History(text, range(0, 200, 10)).set("loss", elements=1, mean=0.69)
    for n in range(calls, 0, -1):
        history.set("turn" if n == 1 else f"turn@{n}", "gradient", elements=512, l2_norm=np.linalg.norm(gradient))
        gradient = gradient @ turn + residual * gradient
    for kernel in ("turn/kernel", "output/kernel"):
        history.set(kernel, "gradient", l2_norm=1.0)
    return history


@pytest.mark.parametrize(
    ("gain", "calls", "residual", "told"),
    [(0.3, 16, False, 40), (0.35, 15, False, 100), (0.9, 16, False, None), (0.05, 7, False, None), (0.3, 16, True, None)],
)
def test_a_recurrence_that_is_unrolled_by_hand_is_told_alike(gain, calls, residual, told):
    found = by_hand(gain, calls, residual).find(VanishingGradient())
    assert [(f.node, f.first_step) for f in found] == ([] if told is None else [("turn", told)])
    assert all(f.evidence["factor_per_time_step"] == pytest.approx(gain) and f.evidence["time_steps"] == calls for f in found)


def test_two_batches_that_reach_further_are_an_exception():
    """Each capture is an estimate from one batch: what counts is the median of the last five."""
    history, left = recurrence(0.9, 150, captures=12)
    _, further, more_left = norms(0.95, 150)
    assert left < 1e-6 < more_left
    handed_on = np.r_[np.full(10, norms(0.9, 150)[1]), further, further]
    found = history.set("rnn/cell:1/0", "gradient", elements=32 * 16 * 150, l2_norm=handed_on).find(VanishingGradient())
    assert [(f.node, f.first_step) for f in found] == [("rnn", 100)]


def test_what_learns_from_its_last_steps_or_keeps_its_state_elsewhere_is_not():
    assert recurrence(0.5, loss=np.geomspace(0.69, 0.1, 20))[0].find(VanishingGradient()) == []
    assert recurrence(0.5, layer="LSTM")[0].find(VanishingGradient()) == []
