"""What the differences of outputs from their targets tell of these, which nobody records.

The one invariant: a target is an output less its difference, so means and variances of both bound those of the targets, whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import ends_in_relu
from tb_activations.diagnosis.rule import Observation
from tb_activations.diagnosis.squares import Squares

__all__ = ["POSITIVE", "ROUNDED", "Differences"]

Rows = npt.NDArray[np.int64]

POSITIVE = {"softplus": "a softplus", "exponential": "an exponential"}
"""Functions that give nothing below 0, beside a ReLU, and what to call them."""

REACH: Mapping[str, float] = {"sigmoid": 1.0, "softmax": 1.0, "tanh": 2.0}
"""The length of the range of a function, up to 1: the largest difference from a target within it."""
ROUNDED = 1.02
"""Times that, which rounding doesn't make."""
BEYOND_ANY = 0.25
"""Of the square of that range: variance of targets beyond the most that numbers within it can have around the same mean (Bhatia & Davis 2000),
the product of its distances from both ends. A quarter is the variance of yes and no, as often: those beyond are no odd ones."""

BELOW_ANY = 0.5
"""Of how far outputs and targets are apart at first (root mean square): how far below 0 one of the targets of a ReLU lies for certain. Those that
a sensor's noise puts there lie nearer."""
AGAIN, OFTEN = 3, 0.1
"""Captures, and share of them, at which one of the targets of the batch lies so far below 0, where the first one didn't show it: an odd one of a
thousand is in fewer."""
FAR, WAY, STEPS = 100.0, 0.1, 100
"""How often the first outputs (root mean square, at least 1) go into the mean of the targets; the share of the way there that an output has come,
and after how many steps. A bias alone could go it: noise doesn't explain it, nor that the task is hard."""


class Differences:
    """What the differences of outputs from their targets tell of these, where the loss is made of their squares."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        self._rows, self._squares = rows, Squares(facts, rows)
        nodes = [facts.nodes[row] for row in rows.tolist()]
        self._reach = np.array([REACH.get(node.activation or "", np.inf) for node in nodes], float)[:, None]
        self._of_relu = np.array([ends_in_relu(node) for node in nodes], np.bool_)[:, None]
        self._positive = self._of_relu | np.array([node.activation in POSITIVE for node in nodes], np.bool_)[:, None]
        self._most = np.full((len(rows), 1), np.nan)
        self._times: tuple[Rows, Rows] = (np.zeros((len(rows), 1), np.int64), np.zeros((len(rows), 1), np.int64))
        self._lowest = np.full((len(rows), 1), np.nan)
        self._began, self._first = -1, np.full((4, len(rows), 1), np.nan)

    def look(self, block: Block) -> Observation:
        """What no targets within range can do; and how far the mean of the outputs is from theirs."""
        if self._began < 0:
            self._began, self._first = int(block.steps[0]), np.stack([*self._outputs(block), block.rms()[self._rows]])[:, :, :1]
        outputs = self._outputs(block)
        seen, first = self._squares.differences(block)
        spare = self._most_spare(np.fmax(self._spare(outputs, seen), self._spare(self._first, first)))
        below = np.fmin(self._below(first), self._below_again(outputs[2] - seen[3], first[0]))
        farthest = self._farthest(block)
        goal = outputs[0] - seen[1]
        beyond = (seen[0] > ROUNDED * farthest) | (spare > BEYOND_ANY * self._reach**2) | ~np.isnan(below)
        far = self._is_far(block, goal) & ~beyond
        mean, output = np.where(far, goal, np.nan), np.where(far, outputs[0], np.nan)
        evidence = {"distance": seen[0], "farthest": farthest, "variance_beyond": spare, "below": below, "mean": mean, "output": output}
        return Observation(beyond | far, ~np.isnan(seen[0]) | beyond, evidence)

    def _outputs(self, block: Block) -> Floats:
        return np.stack([block.column(name)[self._rows].astype(float) for name in ("mean", "std", "max")])

    def _spare(self, outputs: Floats, seen: Floats) -> Floats:
        """By how much the variance of targets is beyond the most within range, [rows, c].

        Targets are what the output is less its differences from them: so are their means, and targets vary at least by what the deviations of both
        differ. That is most before anything was learned.
        """
        middle, varies = outputs[0] - seen[1], np.abs(seen[2] - outputs[1])
        low = np.where(np.isinf(self._reach), 0, 1 - self._reach)  # the low end; the high one is 1
        spare: Floats = np.where(np.isinf(self._reach), np.nan, varies**2 - np.maximum((middle - low) * (1 - middle), 0))
        return spare

    def _most_spare(self, spare: Floats) -> Floats:
        """The most so far: targets stay what they were."""
        so_far: Floats = np.fmax.accumulate(np.concatenate([self._most, spare], axis=1), axis=1)[:, 1:]
        self._most = so_far[:, -1:]
        return so_far

    def _farthest(self, block: Block) -> Floats:
        """How far a target within range can be from any of the outputs, none of which may be near an end, [rows, c]."""
        low = np.where(np.isinf(self._reach), -np.inf, 1 - self._reach)
        smallest, largest = (block.column(name)[self._rows].astype(float) for name in ("min", "max"))
        farthest: Floats = np.maximum(largest - low, 1 - smallest)
        return farthest

    def _below(self, first: Floats) -> Floats:
        """What one of the targets is below for certain, of an output that gives nothing below 0: the target of the largest difference at the first
        capture was as much less than an output, none of which was above the largest. NaN where that isn't far below 0."""
        below = self._first[2] - first[3]
        kept: Floats = np.where(self._positive & (below < -BELOW_ANY * first[0]), below, np.nan)
        return kept

    def _below_again(self, below: Floats, distance: Floats) -> Floats:
        """The lowest of what targets lie below by the captures so far, of which enough show some that are far below 0; else NaN."""
        far = self._positive & (below < -BELOW_ANY * distance)
        times, known = (before + np.cumsum(now, axis=1) for before, now in zip(self._times, (far, ~np.isnan(below)), strict=True))
        lowest = np.fmin.accumulate(np.concatenate([self._lowest, np.where(far, below, np.nan)], axis=1), axis=1)[:, 1:]
        self._times, self._lowest = (times[:, -1:], known[:, -1:]), lowest[:, -1:]
        again: Floats = np.where((times >= AGAIN) & (times >= OFTEN * known), lowest, np.nan)
        return again

    def _is_far(self, block: Block, goal: Floats) -> npt.NDArray[np.bool_]:
        """Whether the mean of an output that began near 0 is still near 0, and that of the targets isn't, although it had time."""
        began, *_, size = self._first
        way = (self._outputs(block)[0] - began) / (goal - began)
        far = np.isinf(self._reach) & ~self._of_relu & (np.abs(goal) > FAR * np.maximum(size, 1))
        held: npt.NDArray[np.bool_] = far & (np.abs(way) < WAY) & (block.steps - self._began >= STEPS)
        return held & block.untrained[self._rows][:, None]
