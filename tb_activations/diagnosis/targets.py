"""Targets that are the same for all examples, told by what the loss sends back.

The one invariant: it is known exactly or not at all. Differences from one number vary as the outputs do, and what is learned from any others varies
otherwise; of yes or no the gradient at each output has one sign, and its mean is that of the outputs less the share of those that are yes; of one of
several classes the gradient of the bias is the mean of what a softmax gives, less 1 at that class.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, first_known
from tb_activations.diagnosis.classes import Classes
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.outputs import alone, taken_for
from tb_activations.diagnosis.rule import NodeRule, Observation, Words
from tb_activations.diagnosis.squares import EXACT, Squares

__all__ = ["ConstantTargets"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class ConstantTargets(NodeRule):
    """Targets that say nothing."""

    name, title = "constant_targets", "Constant targets"
    definition = (
        "The targets of all examples that were recorded, 3,000 at least, are one number: all yes, or all no, as what a binary cross entropy sends"
        " back tells; or one class of several, as what is sent back to a softmax tells, or differences from them, of which squares are learned, vary"
        " exactly as the outputs do, both also after these have come near."
    )
    reference = "Sculley et al. 2015; Breck et al. 2019, Data validation for machine learning"
    severity, statistic = "warning", "mean"
    persistence = Persistence(captures=2, steps=10)

    EXAMPLES = 3000
    """Recorded examples. Others may be as rare as 1 in 500, as fraud is: as many hold none of these by a chance of 1 in 400, and where
    they hold none, others are below 1 in 1,000, nearly for sure (Hanley & Lippman-Hand 1983: three over how many were seen)."""
    VARIES = 1e-3
    """Standard deviation of the outputs over their root mean square, from which on that of differences can be compared with it."""
    NEAR, USUAL = 0.05, 10.0
    """Of the first loss, down to which squares must have fallen, and the root mean square that outputs may begin with: beside outputs that are much
    larger than them all targets look alike."""

    def select(self, facts: Facts) -> Rows:
        """What weights that a step trains give, called once, and alone, in the only loss: what a judge or an equation is to give is one number."""
        rows = alone(facts) if len(facts.losses) == 1 else ()
        return np.array(sorted(row for row in rows if _is_trained(facts, facts.made_by(row))), np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Counts the examples of which it is known, as long as it is so of all. Who sets a bias knows how rare the one answer is. A step that is
        given what is real and what is made in turn is recorded with one of them only, where every second call is, or every tenth."""
        biases = np.array([_bias(facts, facts.made_by(row)) for row in rows.tolist()], np.int64)
        squares, answers, classes = Squares(facts, rows), _Answers(facts, rows), Classes(facts, rows, biases)
        units = np.array([math.prod(extent or 1 for extent in (facts.nodes[row].shape or (1,))[1:]) for row in rows.tolist()], float)[:, None]
        first = np.full((len(rows), 1), np.nan)
        in_turn = np.zeros((2, 1), np.bool_)
        before, always = np.zeros((len(rows), 1)), np.ones((len(rows), 1), np.bool_)

        def look(block: Block) -> Observation:
            nonlocal in_turn
            std = block.column("std")[rows].astype(float)
            differ = np.where(std > self.VARIES * block.rms()[rows], squares.differences(block)[0][2], np.nan)
            binary, alike = answers.look(block)
            known = np.where(answers.judged, binary, ~np.isnan(differ))
            same = np.where(answers.judged, alike, np.abs(differ - std) <= EXACT * std)
            of_one = classes.look(block)
            lasting = np.logical_and.accumulate(np.concatenate([always, same | ~known], axis=1), axis=1)[:, 1:]
            seen = before + np.cumsum(np.where(known | of_one, block.column("elements")[rows] / units, 0), axis=1)
            first[:] = np.where(np.isnan(first), first_known(block.rms()[rows]), first)
            near = (block.median_loss <= self.NEAR * block.first_loss) & (first <= self.USUAL)
            always[:], before[:] = lasting[:, -1:], seen[:, -1:]
            kinds = np.stack([block.steps % 2 == kind for kind in (0, 1)])
            both = np.logical_or.accumulate(np.concatenate([in_turn, kinds], axis=1), axis=1)[:, 1:]
            in_turn = both[:, -1:]
            told = known & lasting | of_one
            holds = both.all(0) & told & (seen >= self.EXAMPLES) & (block.first_bias[rows] == 0)[:, None] & (answers.judged | near)
            return Observation(holds, known | of_one, {"examples": seen})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How many were alike."""
        return Words(
            f"The targets of all {episode.evidence['examples']:,.0f} examples that were recorded by step {episode.last_step:,} are one number: they"
            " teach nothing else.",
            "Look at the targets that `fit` gets. Were labels compared with some of another type, cast to whole numbers, or taken from elsewhere?",
            "print(np.unique(y_train, return_counts=True))",
        )


class _Answers:
    """What a binary cross entropy sends back: the difference of each probability from yes (1) or no (0), over the size of the batch.

    Attributes:
      judged: bool[rows, 1], which rows are given to one.
    """

    ROUNDED = 1e-6
    """How far the share of those that are yes may be from 0 or 1 by rounding."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        made = [facts.made_by(row) for row in rows.tolist()]
        self._rows, self._single = rows, np.array([(facts.nodes[row].shape or (0,))[-1] == 1 for row in made], np.bool_)[:, None]
        self._biases = np.array([_bias(facts, row) for row in made], np.int64)
        self._of_sigmoid = np.array([facts.nodes[row].activation == "sigmoid" for row in made], np.bool_)[:, None]
        self._first = np.full((len(rows), 1), np.nan)
        self.judged = np.isin(made, taken_for(facts, "yes_or_no"))[:, None]

    def look(self, block: Block) -> tuple[Bools, Bools]:
        """Whether it is known what was sent back, and whether all answers are the one of the first capture, [rows, c]. Where Keras takes the logits
        in front of a sigmoid, nothing comes back to what that makes, and the mean of it all to the bias."""
        low, high = (block.column(name, "gradient")[self._rows] for name in ("min", "max"))
        by_sign = np.where(low > 0, 0.0, np.where(high < 0, 1.0, np.nan))
        sent = block.column("mean", "gradient")[self._biases]
        share = block.column("mean")[self._rows] - sent
        by_share = np.where(np.abs(share - np.round(share)) <= self.ROUNDED, np.round(share), np.nan)
        answer = np.where(np.isnan(low), by_share, by_sign)
        self._first = np.where(np.isnan(self._first), answer[:, :1], self._first)
        known: Bools = ~np.isnan(low) | self._single & self._of_sigmoid & ~np.isnan(sent)
        return known, answer == self._first


def _is_trained(facts: Facts, row: int) -> bool:
    """Whether a step calls a layer once, and changes its kernel."""
    kernels = set(facts.kernels.tolist()) if len(facts.calls.get(row, (row,))) == 1 else set()
    return any(own in kernels and facts.is_recorded(own, "update") for own in facts.owned.get(row, ()))


def _bias(facts: Facts, row: int) -> int:
    """The bias of a layer; itself, of which no such gradient is recorded, where it has none."""
    bias = facts.bias_of(row)
    return row if bias is None else bias
