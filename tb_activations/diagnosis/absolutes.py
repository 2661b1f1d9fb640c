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
WINDOW, JUMPS = 3, 2
"""Captures that are compared, and how many must lie beyond those around them: a penalty that turns round once makes one."""


class Absolutes:
    """Follows the outputs at ``rows``, each of which alone goes into a loss."""

    def __init__(self, facts: Facts, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        self._losses = np.array([next(loss for loss in facts.losses.tolist() if facts.inputs[loss] == (row,)) for row in rows.tolist()], np.int64)
        self._reach = np.array([REACH.get(facts.nodes[row].activation or "", np.inf) for row in rows.tolist()], float)[:, None]
        self._side: Floats = np.full((len(rows), 1), np.nan)
        self._always: npt.NDArray[np.bool_] = np.ones((len(rows), 1), np.bool_)
        self._last: Floats = np.full((2, len(rows), WINDOW - 1), np.nan)
        self._jumps: npt.NDArray[np.int64] = np.zeros((len(rows), 1), np.int64)
        self._began = -1

    def distance(self, block: Block) -> Floats:
        """Mean absolute difference, [rows, c]; NaN but where all targets so far lie on one side of the outputs, these have come to that end of the
        range, and it is larger than the range, and jumps as from targets within it can't be."""
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
        holds &= self._count_jumps(loss, left) >= JUMPS
        distance: Floats = np.where(holds & np.isfinite(self._reach), loss, np.nan)
        return distance

    def _count_jumps(self, loss: Floats, left: Floats) -> npt.NDArray[np.int64]:
        """At how many captures so far the loss lay beyond the last and the next one, by more than all the way that was left to the end, [rows, c].

        Targets on that side of outputs, and within the range, are no farther off on average than the end is. What else is part of such a loss, as a
        penalty on weights is, or a number that is added, goes one way as weights do, and not up and down with each batch.
        """
        series = np.concatenate([self._last, np.stack([loss, left])], axis=2)
        self._last = series[:, :, 1 - WINDOW :]
        losses, ways = np.lib.stride_tricks.sliding_window_view(series, WINDOW, axis=2)
        before, after = losses[..., 1] - losses[..., 0], losses[..., 1] - losses[..., 2]
        jumps = (before * after > 0) & (np.minimum(np.abs(before), np.abs(after)) > ways.max(-1))
        counts: npt.NDArray[np.int64] = self._jumps + np.cumsum(jumps, axis=1)
        self._jumps = counts[:, -1:]
        return counts
