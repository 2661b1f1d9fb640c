"""How weights are told from others without their numbers: by four of their statistics.

The one invariant: weights that are bit for bit the same have the same fingerprint. Others have another one, but by chance.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats

__all__ = ["Fingerprint"]


class Fingerprint:
    """Follows the nodes at ``rows``."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("mean", "l2_norm", "min", "max")

    def __init__(self, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows
        self._last: Floats = np.full((len(self.COLUMNS), len(rows), 1), np.nan, np.float32)

    def feed(self, block: Block) -> tuple[Floats, Floats]:
        """Those of the captures of a block, and those of the captures before each of them, NaN before the first; [4, rows, c] both."""
        now = np.stack([block.column(name)[self._rows] for name in self.COLUMNS])
        before = np.concatenate([self._last, now[:, :, :-1]], axis=2)
        self._last = now[:, :, -1:]
        return now, before
