"""Whether words that stand beside paddings are all one and the same, as where a vocabulary knows none of them.

The one invariant: marks of yes and no, which are numbers for a table too, aren't taken for a word and its paddings. They are learned from; else they
are 0 each by itself, or as often at each place.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["PaddedWords", "rows_of_table"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ROWS = 10
"""Rows of a table, from which on it isn't made for yes and no, which integers may stand for, beside marks of paddings, starts, ends, masks, and what
is unknown."""

STEPS = 100
"""Those that a training had to learn something from marks."""

TOGETHER = 3.0
"""How often the variance of the share of zeros from batch to batch is that of numbers each of which is 0 by itself, as marks of yes and no are: an
example that is short has many paddings. Marks may come together too, so what they teach counts."""

OF_PLACES = 0.95
"""Share of the variance that is left within places, up to which there may be paddings: at one end of the examples are none, and ever more towards the
other. Of marks that are as frequent at each place all is left."""

EXACT = 1e6
"""Sum of whole numbers, up to which a mean in float32 tells it to a half."""


class PaddedWords:
    """Looks at inputs of whole numbers, block after block."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        self._rows, self._began, self._sums = rows, -1, np.zeros((3, len(rows), 1))
        self._of_many = np.array([rows_of_table(facts, row) >= ROWS for row in rows.tolist()], np.bool_)[:, None]
        places = [math.prod(extent or 0 for extent in (facts.nodes[row].shape or (0,))[1:]) for row in rows.tolist()]
        self._places = np.array([[count or np.nan] for count in places])

    def are_one(self, block: Block) -> Bools:
        """Whether all but the zeros are one number that nothing is learned from, and the zeros paddings, [rows, c]."""
        self._began = int(block.steps[0]) if self._began < 0 else self._began
        idle = block.is_judged & ~block.progress & (block.steps - self._began >= STEPS)
        come_together, same_everywhere = self._variation_of_zeros(block) > TOGETHER, self._within_places(block) > OF_PLACES
        are_one: Bools = self._of_many & idle & come_together & ~same_everywhere & self._have_one_value(block)
        return are_one

    def _have_one_value(self, block: Block) -> Bools:
        """Whether whole numbers that aren't 0 are all the highest: their sum is as many times that, as far as it is known exactly."""
        names = ("elements", "zero_fraction", "min", "max", "mean")
        numbers, zeros, lowest, highest, mean = (block.column(name)[self._rows].astype(float) for name in names)
        most = numbers * (1 - zeros) * highest
        alike: Bools = (lowest == 0) & (highest > 0) & (np.abs(most - numbers * mean) < 0.5) & (most < EXACT)
        return alike

    def _within_places(self, block: Block) -> Floats:
        """Share of the variance of numbers that is left among those at the same place; NaN where the places of an example aren't known."""
        spread, std, elements = (block.column(name)[self._rows].astype(float) for name in ("batch_std", "std", "elements"))
        examples = elements / self._places
        within: Floats = (spread / np.where(std > 0, std, np.nan)) ** 2 * examples / np.where(examples > 1, examples - 1, np.nan)
        return within

    def _variation_of_zeros(self, block: Block) -> Floats:
        """The variance of their share from batch to batch so far, in units of that of as many numbers each of which is 0 by itself."""
        share, elements = (block.column(name)[self._rows].astype(float) for name in ("zero_fraction", "elements"))
        known = ~np.isnan(share)
        powers = np.stack([known, np.where(known, share, 0), np.where(known, share, 0) ** 2])
        times, total, squares = sums = self._sums + np.cumsum(powers, axis=2)
        self._sums = sums[:, :, -1:]
        mean = total / np.maximum(times, 1)
        variance, alone = squares - times * mean**2, mean * (1 - mean) / elements * np.maximum(times - 1, 1)
        varies: Floats = np.where(alone > 0, variance, 0) / np.where(alone > 0, alone, 1)
        return varies


def rows_of_table(facts: Facts, index: int) -> int:
    """Rows of the smallest table that an input goes into; 0: into none."""
    tables = [own for node in facts.next_effective(index) if facts.nodes[node].class_name == "Embedding" for own in facts.owned.get(node, ())]
    return min(((facts.nodes[table].shape or (0,))[0] or 0 for table in tables), default=0)
