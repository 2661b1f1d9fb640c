"""Rules about the loss, and whether training gets somewhere.

The one invariant: the loss is compared with its own beginning, smoothed over captures; its size means nothing by itself (but that near 0 it says
nothing), and a loss that was ever negative (an adversarial or likelihood loss) is not judged: that it fell counts as progress, no more, unless it
runs to minus infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.fingerprint import Fingerprint
from tb_activations.diagnosis.judged import Judged
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, number

__all__ = ["ExplodingLoss", "LossHistory", "OscillatingLoss"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]

WINDOW = 5
"""Captures whose median stands for the loss of the moment."""

PROGRESS = 0.7
"""Of the first loss. Below it, training works: what looks odd is how it works."""

RUNAWAY = 10.0
"""Times the size of the first loss, below 0. A likelihood falls below 0, but not without an end."""

SMALLEST = 0.05
"""The least that a loss is compared with. A loss that begins near 0 met no reward, no violated margin, no rare class yet, and must grow to learn; one
that runs away passes this too."""

GUESSED = 1.0
"""The same for a step with a judge, of what guessing costs it by any usual loss. One that was trained before begins near 0, as it knows all that is
made as yet, and comes back to guessing as that gets better."""


_UNTAUGHT = ("gradient_stopped", "nothing_trained")
"""Why no gradient is taken of what a network gives that is only to be learned from."""


class LossHistory:
    """The loss of a run so far: its first value, its last few, and whether it has ever been negative."""

    def __init__(self) -> None:
        self._recent = np.empty(0, np.float32)
        self._first = np.float32(np.nan)
        self._negative = False

    def feed(self, block: Block, loss: Floats) -> None:
        """Takes in the next losses, and tells the block how training goes."""
        known = ~np.isnan(loss)
        if known.any() and np.isnan(self._first):
            self._first = loss[known][0]
        negative = np.logical_or.accumulate(loss < 0) | self._negative
        fall = PROGRESS * self._first if self._first > 0 else (2 - PROGRESS) * self._first
        self._negative = bool(negative[-1])
        series = np.concatenate([self._recent, loss[known]])
        padded = np.concatenate([np.full(WINDOW, np.nan, np.float32), series])
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[len(self._recent) + 1 :]
        self._recent = series[-WINDOW:]
        block.beginning_loss = np.full(len(loss), self._first, np.float32)
        block.first_loss = np.where(negative, np.nan, self._first).astype(np.float32)
        block.median_loss = np.full(len(loss), np.nan, np.float32)
        block.median_loss[known] = np.nanmedian(windows, axis=1) if len(windows) else np.nan
        block.is_judged = ~negative
        block.progress = (block.median_loss < fall) & (block.median_loss > -RUNAWAY * abs(self._first))


class ExplodingLoss(NodeRule):
    """A loss that runs away."""

    name, title = "exploding_loss", "Exploding loss"
    definition = (
        "The loss is more than 20 times what it was at first (or 0.05, or 1 in a step with a judge, if that is larger), for several captures, or at"
        " one, and 20 times that at the next; or 10,000 times, once; or, for several captures, as far below 0 as 10,000 and as 10,000 times what it"
        " was at first; or 10,000 times as far, once; or 100 times as far after 100 steps, and in their second half it fell by more than twice what"
        " it fell by in the first."
    )
    reference = "AutoTrainer (exploding); DeepDiagnosis; UMLAUT learning rate high"
    severity, statistic = "error", "mean"
    persistence = Persistence(captures=3, steps=0)

    GROWTH = 20.0
    """Times the first loss. A cross entropy that begins at 2.3 is then at 46: more wrong than any guess."""
    AT_ONCE = 1e4
    """The same, for which one capture is enough: the next one may be NaN."""

    ENDLESS = 100.0
    """Times the size of the first loss (at least 1), below 0, from which on the pace of a fall counts."""
    FASTER, STEPS = 2.0, 100
    """How much more a loss falls in the second half of all steps than in the first, that nears no bound, and how many there must be. A loss that has
    a lowest value slows down on its way there."""

    def select(self, facts: Facts) -> Rows:
        """The total loss."""
        return facts.losses[:1]

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares with the first loss, with the one before, and with that of half of the steps."""
        last = np.full((len(rows), 1), np.nan, np.float32)
        halves, targets, least = _Halves(), _MovingTargets(facts), _least(facts)

        def look(block: Block) -> Observation:
            loss, first = block.column("mean")[rows], np.maximum(block.first_loss, least)
            before = np.concatenate([last, loss[:, :-1]], axis=1)
            last[:] = loss[:, -1:]
            moving = targets.feed(block)
            extreme = (loss > self.AT_ONCE * first) | (before > self.GROWTH * first) & (loss > self.GROWTH * before) & ~moving
            holds = (block.median_loss > self.GROWTH * first) & (loss > self.GROWTH * first) & ~moving | extreme
            endless = -self.AT_ONCE * np.maximum(np.abs(block.beginning_loss), 1)
            extreme |= loss < self.AT_ONCE * endless
            holds |= (block.median_loss < endless) & (loss < endless) | extreme
            early, late = halves.feed(block)
            low = block.median_loss < -self.ENDLESS * np.maximum(np.abs(block.beginning_loss), 1)
            holds |= low & (late > self.FASTER * np.maximum(early, 0)) & (block.steps - halves.began >= self.STEPS)
            return Observation(holds, ~np.isnan(loss), {"loss": loss, "first_loss": block.beginning_loss[None]}, extreme)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How far it ran."""
        loss, first = episode.evidence["loss"], episode.evidence["first_loss"]
        if loss < 0:
            return Words(
                f"The loss runs to minus infinity: it is {number(loss)} since step {episode.first_step:,}, and was {number(first)} at first.",
                "Nothing bounds it from below. Look at the sign of each of its terms, and constrain what can make it fall without an end: a"
                " gradient penalty or clipped weights for a critic, a smallest variance for a likelihood.",
            )
        against = f"{number(loss / first)} times the first one ({number(first)})" if first > 0 else "and was 0 at first"
        return Words(
            f"The loss is {number(loss)}, {against}, since step {episode.first_step:,}.",
            "Lower the learning rate, and clip gradients; in a step of your own, check that it goes against the gradient:",
            "keras.optimizers.Adam(1e-4, global_clipnorm=1.0)",
        )


class _MovingTargets:
    """Whether targets come from a network that something else than a gradient changes, as the copy in Q-learning that is brought up to date now and
    then, or a teacher that is an average: they grow as what it says does, and jump with it, so the first loss says nothing about later ones."""

    def __init__(self, facts: Facts) -> None:
        def gives_targets(row: int) -> bool:
            places = facts.places(row)
            return all(facts.reason(place, "gradient") in _UNTAUGHT and facts.reaches_loss(place) for place in places)

        given = facts.select(lambda node: node.kind == "variable" and len(node.shape or ()) >= 2)
        rows = [row for row in given.tolist() if not facts.is_recorded(row, "update") and gives_targets(row)]
        self._fingerprint, self._moved = Fingerprint(np.array(rows, np.int64)), False

    def feed(self, block: Block) -> npt.NDArray[np.bool_]:
        """Whether it has changed by each capture, [c]."""
        now, before = self._fingerprint.feed(block)
        moved: npt.NDArray[np.bool_] = np.logical_or.accumulate(((now != before) & ~np.isnan(before)).any((0, 1))) | self._moved
        self._moved = bool(moved[-1])
        return moved


class _Halves:
    """By how much a loss has fallen in each half of the steps.

    Attributes:
      began: the step of the first loss.
    """

    def __init__(self) -> None:
        self.began = 0
        self._steps, self._medians = np.empty(0, np.int64), np.empty(0, np.float32)

    def feed(self, block: Block) -> tuple[Floats, Floats]:
        """By how much it fell in the first half of the steps up to each capture, and in the second, [c]; NaN where there is no loss."""
        known = ~np.isnan(block.median_loss)
        self._steps = np.concatenate([self._steps, block.steps[known]])
        self._medians = np.concatenate([self._medians, block.median_loss[known]])
        if not len(self._steps):
            return (np.full(len(block.steps), np.nan),) * 2
        self.began = int(self._steps[0])
        middle = self._medians[np.searchsorted(self._steps, (block.steps + self.began) / 2, side="right") - 1]
        return block.beginning_loss - middle, middle - block.median_loss


@dataclass(frozen=True, slots=True)
class _Relapses:
    """How a loss that was low comes back, as multiples of the first one.

    Attributes:
      low: below which much seems learned.
      high: above which it stays after it has jumped above the first one.
      times: how often.
    """

    low: float
    high: float
    times: int

    def count(self, among: Floats, first: Floats) -> Floats:
        """How often in each of the windows ``among``, [c, captures], it was low, then above the first one, then still high, [c]; NaN where that is
        less than `times`."""
        limit = first[:, None]
        found = ((among[:, :-2] < self.low * limit) & (among[:, 1:-1] > limit) & (among[:, 2:] > self.high * limit)).sum(1)
        return np.where(found >= self.times, found, np.nan)

    def falls_at_once(self, own: Floats, first: Floats) -> npt.NDArray[np.bool_]:
        """Whether it is low at a capture, and was above the first one at the one before, with which ``own`` begins, [c]. Then it is of batches that
        differ, as where a few examples are far larger than all others: these come in any order."""
        fell: npt.NDArray[np.bool_] = (own[:-1] > first) & (own[1:] < self.low * first)
        return fell


class OscillatingLoss(NodeRule):
    """A loss that swings without falling."""

    name, title = "oscillating_loss", "Oscillating loss"
    definition = (
        "Over the last captures the loss swings by as much as it was at first, up and down again and again, and doesn't fall. Or it falls below a"
        " tenth of what it was at first (a quarter), and is above that at the next capture and still above a fifth of it (half) at the one after,"
        " three times in sixty captures (four), and never falls as far at once."
    )
    reference = "AutoTrainer oscillating loss; DeepDiagnosis"
    severity, statistic = "warning", "mean"
    persistence = Persistence(captures=5, steps=10)
    """Fewer end with the beginning, whose loss is measured by one batch: it may be an easy one, as where rare examples weigh much."""

    LENGTH = 12
    """Captures that are looked at."""
    SWINGS = 4
    """Crossings of their median, in either direction."""
    AMPLITUDE = 0.75
    """Standard deviation within them, in units of the first loss. The noise of small batches stays below 0.4."""
    NOISE = 2.0
    """The same for a batch of one, and less for larger ones by the root of their size: the loss of one example varies by as much as it is large. So
    the first one of a few may be small by chance, and the mean of the first `LENGTH` counts in its place, if that is larger."""
    AMONG = 60
    """Captures in which relapses are counted."""
    RELAPSES = (_Relapses(low=0.1, high=0.2, times=3), _Relapses(low=0.25, high=0.5, times=4))
    """The shallower it falls and the more often, the further it must come back: what was forgotten is learned again in steps, and one odd batch alone
    leaves the next one as low as the one before."""
    SEVERAL = 8
    """Examples of a batch, from which on one odd one doesn't make its loss jump so far."""

    def select(self, facts: Facts) -> Rows:
        """The total loss."""
        return facts.losses[:1]

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Counts crossings of the median in a sliding window."""
        sizes, targets, least = _sizes_of_inputs(facts), _MovingTargets(facts), _least(facts)
        window = np.full(self.LENGTH - 1, np.nan, np.float32)
        latest = np.full(self.AMONG + 1, np.nan, np.float32)
        beginning = np.empty(0, np.float32)
        differ = np.zeros((len(self.RELAPSES), 1), np.bool_)

        def look(block: Block) -> Observation:
            nonlocal window, latest, differ, beginning
            loss = block.column("mean")[rows]
            series = np.concatenate([window, loss[0]])
            windows, window = np.lib.stride_tricks.sliding_window_view(series, self.LENGTH), series[1 - self.LENGTH :]
            above = windows > np.median(windows, axis=1, keepdims=True)
            # Peaks that rare examples make have a large standard deviation; from the lower to the upper quartile they are small.
            swings, deviation = (
                (above[:, 1:] != above[:, :-1]).sum(1),
                np.minimum(windows.std(1), np.ptp(np.quantile(windows, (0.25, 0.75), axis=1), axis=0)),
            )
            beginning = np.concatenate([beginning, loss[0][~np.isnan(loss[0])]])[: self.LENGTH]
            is_few = _examples(block, sizes) < self.SEVERAL
            at_first = beginning.mean() if len(beginning) else np.nan
            usual = np.where(is_few, np.maximum(block.first_loss, at_first), block.first_loss)
            usual = np.maximum(usual, least)
            amplitude = np.fmax(self.AMPLITUDE, self.NOISE / np.sqrt(_examples(block, sizes)))
            holds = (swings >= self.SWINGS) & (deviation > amplitude * usual) & (block.first_loss >= SMALLEST) & ~block.progress
            series = np.concatenate([latest, loss[0]])
            latest = series[-1 - self.AMONG :]
            among = np.lib.stride_tricks.sliding_window_view(series, self.AMONG + 2)
            own = series[-1 - len(loss[0]) :]
            fell = np.stack([kind.falls_at_once(own, block.first_loss) for kind in self.RELAPSES])
            fell = np.logical_or.accumulate(np.concatenate([differ, fell], axis=1), axis=1)[:, 1:]
            differ = fell[:, -1:]
            counts = np.stack([kind.count(among, block.first_loss) for kind in self.RELAPSES])
            relapses = np.fmax.reduce(np.where(fell, np.nan, counts), axis=0)
            again = ~np.isnan(relapses) & ~is_few & (block.first_loss >= SMALLEST)
            evidence = {"loss": loss[0], "first_loss": block.first_loss, "standard_deviation": deviation}
            evidence["relapses"] = np.where(again & ~holds, relapses, np.nan)
            told = (holds | again) & ~targets.feed(block)
            return Observation(told[None], ~np.isnan(loss), {name: values[None] for name, values in evidence.items()})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How far it swings."""
        seen = episode.evidence
        if not np.isnan(seen["relapses"]):
            return Words(
                f"The loss falls far below what it was at first ({number(seen['first_loss'])}) and jumps above it,"
                f" {seen['relapses']:.0f} times in {self.AMONG} recorded steps: what is learned from some batches is forgotten, or wrong, at the"
                " next.",
                "Are examples sorted, as by class? Shuffle them all, with a buffer as large as the data; else lower the learning rate:",
                "dataset = dataset.shuffle(len(x_train)).batch(32)",
            )
        return Words(
            f"The loss swings by ±{number(seen['standard_deviation'])} and doesn't fall below what it was at first ({number(seen['first_loss'])}),"
            f" since step {episode.first_step:,}.",
            "Lower the learning rate, or take larger batches:",
            "model.optimizer.learning_rate = model.optimizer.learning_rate / 10",
        )


def _least(facts: Facts) -> float:
    """The least that a loss is compared with."""
    return GUESSED if len(Judged(facts).rows) else SMALLEST


def _sizes_of_inputs(facts: Facts) -> dict[int, int]:
    """For each input of known shape how many numbers one example has."""
    shapes = {row: facts.nodes[row].shape for row in facts.flow.tolist() if facts.nodes[row].kind == "input" and not facts.nodes[row].inputs}
    return {row: math.prod(extent or 1 for extent in shape[1:]) for row, shape in shapes.items() if shape and None not in shape[1:]}


def _examples(block: Block, sizes: Mapping[int, int]) -> Floats:
    """Examples of a batch, [c]; NaN where it isn't known."""
    elements = [block.column("elements")[row] / size for row, size in sizes.items()]
    return np.fmin.reduce(elements) if elements else np.full(len(block.steps), np.nan, np.float32)
