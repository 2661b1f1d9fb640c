"""Rules about the loss, and whether training gets somewhere.

The one invariant: the loss is compared with its own beginning, smoothed over captures; its size means nothing by itself (but that near 0 it says
nothing), and a loss that was ever negative (an adversarial or likelihood loss) is not judged: that it fell counts as progress, no more, unless it
runs to minus infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
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
        "The loss is more than 20 times what it was at first, for several captures, or at one, and 20 times that at the next; or 10,000 times, once;"
        " or, for several captures,"
        " as far below 0 as 10,000 and as 10,000 times what it was at first; or 10,000 times as far, once; or 100 times as far after 100 steps, and"
        " in their second half it fell by more than twice what it fell by in the first."
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
        halves = _Halves()

        def look(block: Block) -> Observation:
            loss, first = block.column("mean")[rows], _yardstick(block)
            before = np.concatenate([last, loss[:, :-1]], axis=1)
            last[:] = loss[:, -1:]
            extreme = (loss > self.AT_ONCE * first) | (before > self.GROWTH * first) & (loss > self.GROWTH * before)
            holds = (block.median_loss > self.GROWTH * first) & (loss > self.GROWTH * first) | extreme
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


class OscillatingLoss(NodeRule):
    """A loss that swings without falling."""

    name, title = "oscillating_loss", "Oscillating loss"
    definition = (
        "Over the last captures the loss swings by as much as it was at first, up and down again and again, and doesn't fall. Or it falls below a"
        " tenth of what it was at first, and is above that at the next capture and still high at the one after, three times in sixty captures, and"
        " never falls as far at once."
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
    """The same for a batch of one, and less for larger ones by the root of their size: the loss of one example varies by as much as it is large."""
    LOW, HIGH, RELAPSES, AMONG = 0.1, 0.2, 3, 60
    """Of the first loss, down to which all seems learned, and above which it stays after it has jumped above that: one odd batch alone does not;
    how often, and among how many captures. What was forgotten is learned again in steps. Where a loss has ever fallen from above the first one to
    that low at once, it is of batches that differ, as where a few examples are far larger than all others: these come in any order."""
    SEVERAL = 8
    """Examples of a batch, from which on one odd one doesn't make its loss jump so far."""

    def select(self, facts: Facts) -> Rows:
        """The total loss."""
        return facts.losses[:1]

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Counts crossings of the median in a sliding window."""
        sizes = _sizes_of_inputs(facts)
        window = np.full(self.LENGTH - 1, np.nan, np.float32)
        latest = np.full(self.AMONG + 1, np.nan, np.float32)
        differ = False

        def look(block: Block) -> Observation:
            nonlocal window, latest, differ
            loss = block.column("mean")[rows]
            series = np.concatenate([window, loss[0]])
            windows, window = np.lib.stride_tricks.sliding_window_view(series, self.LENGTH), series[1 - self.LENGTH :]
            above = windows > np.median(windows, axis=1, keepdims=True)
            # Peaks that rare examples make have a large standard deviation; from the lower to the upper quartile they are small.
            swings, deviation = (
                (above[:, 1:] != above[:, :-1]).sum(1),
                np.minimum(windows.std(1), np.ptp(np.quantile(windows, (0.25, 0.75), axis=1), axis=0)),
            )
            amplitude = np.fmax(self.AMPLITUDE, self.NOISE / np.sqrt(_examples(block, sizes)))
            holds = (swings >= self.SWINGS) & (deviation > amplitude * block.first_loss) & (block.first_loss >= SMALLEST) & ~block.progress
            series = np.concatenate([latest, loss[0]])
            latest = series[-1 - self.AMONG :]
            relapses = self._relapses(series, block.first_loss)
            fell = np.logical_or.accumulate(self._falls_at_once(series, block.first_loss)) | differ
            differ = bool(fell[-1])
            again = (relapses >= self.RELAPSES) & ~fell & ~(_examples(block, sizes) < self.SEVERAL) & (block.first_loss >= SMALLEST)
            evidence = {"loss": loss[0], "first_loss": block.first_loss, "standard_deviation": deviation}
            evidence["relapses"] = np.where(holds, np.nan, relapses)
            return Observation((holds | again)[None], ~np.isnan(loss), {name: values[None] for name, values in evidence.items()})

        return look

    def _relapses(self, series: Floats, first: Floats) -> Floats:
        """How often among the last captures the loss was low, then above the first one, then still high, [c]; ``series`` begins so much earlier."""
        among = np.lib.stride_tricks.sliding_window_view(series, self.AMONG + 2)
        limit = first[:, None]
        found = (among[:, :-2] < self.LOW * limit) & (among[:, 1:-1] > limit) & (among[:, 2:] > self.HIGH * limit)
        count: Floats = found.sum(1).astype(float)
        return count

    def _falls_at_once(self, series: Floats, first: Floats) -> npt.NDArray[np.bool_]:
        """Whether a loss is low at a capture, and was above the first one at the one before, [c]."""
        own = series[-1 - len(first) :]
        fell: npt.NDArray[np.bool_] = (own[:-1] > first) & (own[1:] < self.LOW * first)
        return fell

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How far it swings."""
        seen = episode.evidence
        if seen["relapses"] >= self.RELAPSES:
            return Words(
                f"The loss falls below a tenth of what it was at first ({number(seen['first_loss'])}) and jumps above it,"
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


def _yardstick(block: Block) -> Floats:
    """What the loss of the moment is compared with, [c]; NaN where it isn't judged."""
    yardstick: Floats = np.maximum(block.first_loss, SMALLEST)
    return yardstick


def _sizes_of_inputs(facts: Facts) -> dict[int, int]:
    """For each input of known shape how many numbers one example has."""
    shapes = {row: facts.nodes[row].shape for row in facts.flow.tolist() if facts.nodes[row].kind == "input" and not facts.nodes[row].inputs}
    return {row: math.prod(extent or 1 for extent in shape[1:]) for row, shape in shapes.items() if shape and None not in shape[1:]}


def _examples(block: Block, sizes: Mapping[int, int]) -> Floats:
    """Examples of a batch, [c]; NaN where it isn't known."""
    elements = [block.column("elements")[row] / size for row, size in sizes.items()]
    return np.fmin.reduce(elements) if elements else np.full(len(block.steps), np.nan, np.float32)
