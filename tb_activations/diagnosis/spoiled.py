"""What is computed with numbers that aren't, of which a ReLU of TensorFlow's makes 0, whose gradient it passes on.

The one invariant: such zeros are no fault of their own, and `nonfinite` tells where they come from. −Inf that comes in may be a mask.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.facts import Facts

__all__ = ["Spoiled"]


class Spoiled:
    """Which of some nodes are computed with NaN, or with weights that aren't finite."""

    def __init__(self, facts: Facts, rows: npt.NDArray[np.int64]) -> None:
        self._count = len(rows)
        self._made_with: dict[int, list[int]] = {}
        for position, row in enumerate(rows.tolist()):
            for node in {*facts.inputs[row], *facts.owned.get(row, ())}:
                self._made_with.setdefault(node, []).append(position)
        self._is_weight = np.array([node.kind == "variable" for node in facts.nodes], np.bool_)[:, None]

    def __call__(self, block: Block) -> npt.NDArray[np.bool_]:
        """One answer for each row and capture, [rows, c]."""
        bad = np.where(self._is_weight, block.nonfinite(), block.column("nan_count")) > 0
        spoiled = np.zeros((self._count, bad.shape[1]), np.bool_)
        for node in np.flatnonzero(bad.any(1)).tolist():
            spoiled[self._made_with.get(node, [])] |= bad[node]
        return spoiled
