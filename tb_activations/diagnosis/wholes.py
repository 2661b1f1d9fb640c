"""Targets of classes that add up to more than 1, as where several are true at once.

The one invariant: it is known exactly or not at all. Where a loss compares logits with shares of a whole, what it sends back is the softmax of these,
which adds up to 1, less the targets: over all classes the sum is 0 but for rounding, or 1 less that of the targets. So is that of the bias in front.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["Wholes"]

FELT = 0.1
"""Of the L2 norm of a gradient, the part that is the same for all classes. Rounding makes a millionth; a penalty on the bias none at first."""


class Wholes:
    """What is compared with shares of a whole.

    Attributes:
      rows: the nodes, those alone that go alone into a loss, and whose bias learns.
    """

    def __init__(self, facts: Facts, whole: list[int], alone: set[int]) -> None:
        found = {row: _bias(facts, facts.made_by(row)) for row in alone if facts.made_by(row) in whole}
        self._biases = {row: bias for row, bias in sorted(found.items()) if bias is not None}
        self.rows: npt.NDArray[np.int64] = np.array(list(self._biases), np.int64)
        self._classes = np.array([(facts.nodes[bias].shape or (1,))[0] or 1 for bias in self._biases.values()], float)[:, None]
        self._always = np.ones((len(self.rows), 1), np.bool_)

    def excess(self, block: Block, rows: npt.NDArray[np.int64]) -> Floats:
        """What targets add up to beyond 1 on average, where the loss is a mean, of those of ``rows`` that are among `rows`, [rows, c]; NaN where they
        don't, or didn't at an earlier capture."""
        biases = list(self._biases.values())
        mean, size = (block.column(name, "gradient")[biases].astype(float) for name in ("mean", "l2_norm"))
        beyond = (mean * np.sqrt(self._classes) < -FELT * size) | np.isnan(mean)
        always = np.logical_and.accumulate(np.concatenate([self._always, beyond], axis=1), axis=1)[:, 1:]
        self._always = always[:, -1:]
        excess: Floats = np.full((len(rows), len(block.steps)), np.nan)
        excess[np.searchsorted(rows, self.rows)] = np.where(always, -mean * self._classes, np.nan)
        return excess


def _bias(facts: Facts, row: int) -> int | None:
    bias = facts.bias_of(row)
    return bias if bias is not None and facts.is_recorded(bias, "gradient") else None
