"""Targets that all lie beyond one end of what a sigmoid or tanh gives, where the loss is the mean of absolute differences.

The one invariant: of such a loss the gradient at each output is its sign over how many there are, so it tells exactly on which side of an output its
target lies. What is learned from it is the median: as many targets lie on one side as on the other, unless none can be reached.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.differences import REACH, ROUNDED
from tb_activations.diagnosis.facts import Facts

__all__ = ["Absolutes"]

EXACT = 1e-3
"""How much a gradient may differ from one over how many there are by rounding, of its size."""
AT_THE_END = 0.1
"""Of its range, how near to its end the outputs have come on average: targets before it would lie on both sides of some."""
STEPS = 100
"""Train steps, after which they had time to come there."""


class Absolutes:
    """Follows the outputs at ``rows``, each of which alone goes into a loss."""

    def __init__(self, facts: Facts, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        self._losses = np.array([next(loss for loss in facts.losses.tolist() if facts.inputs[loss] == (row,)) for row in rows.tolist()], np.int64)
        self._reach = np.array([REACH.get(facts.nodes[row].activation or "", np.inf) for row in rows.tolist()], float)[:, None]
        self._side: Floats = np.full((len(rows), 1), np.nan)
        self._always: npt.NDArray[np.bool_] = np.ones((len(rows), 1), np.bool_)
        self._began = -1

    def distance(self, block: Block) -> Floats:
        """Mean absolute difference, [rows, c]; NaN but where all targets so far lie on one side of the outputs, these have come to that end of the
        range, and it is larger than the range. A penalty that is part of the loss could be as large, and moves no target."""
        self._began = int(block.steps[0]) if self._began < 0 else self._began
        count = block.column("elements")[self._rows].astype(float)
        lowest, highest = (block.column(name, "gradient")[self._rows].astype(float) * count for name in ("min", "max"))
        side = np.where((np.abs(np.abs(lowest) - 1) < EXACT) & (np.abs(highest - lowest) < EXACT), np.sign(lowest), 0)
        self._side = np.where(np.isnan(self._side), side[:, :1], self._side)
        always = np.logical_and.accumulate(np.concatenate([self._always, (side != 0) & (side == self._side)], axis=1), axis=1)[:, 1:]
        self._always = always[:, -1:]
        middle, loss = block.column("mean")[self._rows].astype(float), block.column("mean")[self._losses].astype(float)
        left = np.where(side < 0, 1 - middle, middle - (1 - self._reach))
        holds = always & (left < AT_THE_END * self._reach) & (loss > ROUNDED * self._reach) & (block.steps - self._began >= STEPS)
        distance: Floats = np.where(holds & np.isfinite(self._reach), loss, np.nan)
        return distance
