"""How far the targets lie from what the network gives, where the loss is a mean or a sum of squared differences.

The one invariant: it is known exactly or not at all. Of c times the sum of squares of differences d the gradient at the output is 2 c d, and the sum
of its squares is 4 c times the loss. A loss of which that holds from capture to capture, whatever it is, is such a one, and c tells the differences:
their size, and so the mean of the targets, and the least that these can vary. So is one whose c is that of a mean, also where it stands still.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["EXACT", "Squares"]

EXACT = 1e-3
"""How much c may differ from capture to capture by rounding, of its size."""
VARIES = 0.03
"""How much the loss must, so that c is no other function of it by chance."""
CAPTURES = 3
"""Captures that are compared. Another function of the outputs has the same c at two of them by a chance of one in a thousand, at three of one in a
million."""


class Squares:
    """Follows the outputs at ``rows``, each of which alone goes into a loss."""

    def __init__(self, facts: Facts, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        self._losses = np.array([next(loss for loss in facts.losses.tolist() if facts.inputs[loss] == (row,)) for row in rows.tolist()], np.int64)
        self._seen: Floats = np.full((3, len(rows), CAPTURES - 1), np.nan)
        self._first: Floats | None = None

    def differences(self, block: Block) -> tuple[Floats, Floats]:
        """Root mean square, mean, standard deviation and maximum of the differences, [4, rows, c], and those at the first capture, as they are known
        by then; NaN where they aren't."""
        loss, gradient = block.column("mean")[self._losses].astype(float), block.column("l2_norm", "gradient")[self._rows].astype(float)
        numbers = block.column("elements")[self._rows]
        of_sum = gradient**2 / np.where(loss > 0, 4 * loss, np.nan)
        series = np.concatenate([self._seen, np.stack([loss, of_sum, of_sum * numbers])], axis=2)
        self._seen = series[:, :, 1 - CAPTURES :]
        windows = np.lib.stride_tricks.sliding_window_view(series, CAPTURES, axis=2)
        spread = (windows.max(3) - windows.min(3)) / windows.max(3)
        is_mean = (np.abs(windows[2] - 1) < EXACT).all(2)
        known = (spread[0] > VARIES) & (np.minimum(spread[1], spread[2]) < EXACT) | is_mean
        factor = np.where(known & (of_sum > 0), of_sum, np.nan)
        own = np.stack([loss / numbers, *(block.column(name, "gradient")[self._rows].astype(float) for name in ("mean", "std", "max"))])
        self._first = own[:, :, :1] if self._first is None else self._first
        return _differences(own, factor), _differences(self._first, factor)


def _differences(seen: Floats, factor: Floats) -> Floats:
    """What `Squares` tells, of the loss for each number and what the gradient is."""
    loss, *gradients = seen
    return np.stack([np.sqrt(loss / factor), *(gradient / (2 * factor) for gradient in gradients)])
