"""How far the targets lie from what the network gives, where the loss is a mean or a sum of squared differences.

The one invariant: it is known exactly or not at all. Of c times the sum of squares of differences d the gradient at the output is 2 c d, and the sum
of its squares is 4 c times the loss. A loss of which that holds from capture to capture, whatever it is, is such a one, and c tells the differences:
their size, and so the mean of the targets, and the least that these can vary.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["Squares"]

EXACT = 1e-3
"""How much c may differ from capture to capture by rounding, of its size."""
VARIES = 0.03
"""How much the loss must, so that c is no other function of it by chance."""
CAPTURES = 4
"""Captures that are compared."""


class Squares:
    """Follows the outputs at ``rows``, each of which alone goes into a loss."""

    def __init__(self, facts: Facts, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        self._losses = np.array([next(loss for loss in facts.losses.tolist() if facts.inputs[loss] == (row,)) for row in rows.tolist()], np.int64)
        self._seen: Floats = np.full((3, len(rows), CAPTURES - 1), np.nan)

    def differences(self, block: Block) -> Floats:
        """Root mean square, mean and standard deviation of the differences, [3, rows, c]; NaN where they aren't known."""
        loss, gradient = block.column("mean")[self._losses].astype(float), block.column("l2_norm", "gradient")[self._rows].astype(float)
        numbers = block.column("elements")[self._rows]
        of_sum = gradient**2 / np.where(loss > 0, 4 * loss, np.nan)
        series = np.concatenate([self._seen, np.stack([loss, of_sum, of_sum * numbers])], axis=2)
        self._seen = series[:, :, 1 - CAPTURES :]
        windows = np.lib.stride_tricks.sliding_window_view(series, CAPTURES, axis=2)
        spread = (windows.max(3) - windows.min(3)) / windows.max(3)
        known = (spread[0] > VARIES) & (np.minimum(spread[1], spread[2]) < EXACT)
        factor = np.where(known & (of_sum > 0), of_sum, np.nan)
        mean, std = (block.column(name, "gradient")[self._rows].astype(float) / (2 * factor) for name in ("mean", "std"))
        return np.stack([np.sqrt(loss / (factor * numbers)), mean, std])
