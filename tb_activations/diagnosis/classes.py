"""Whether all examples are of one class, by what is sent back to a softmax: its shares, less 1 at the class that is true.

The one invariant: it is known exactly. The gradient of the bias is the mean of that over examples. Where all are of one class c, its square length is
that of the mean shares m, and 1 - 2 m[c]; and its lowest entry is m[c] - 1. The square length of m is what is left of that of the shares without
their variance over examples. That the next batch is of the same class, the bias tells: it is pulled up at that class, and down at all others, at each
step, so the largest of it, which begins as 0, never falls. Where batches of one class each come in turn, or hold one example, it does; but not where
five come in turn, and every fifth is recorded. So all must be.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.facts import Facts

__all__ = ["Classes"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ROUNDED = 1e-5
"""How far the two square lengths may be apart by rounding: shares are below 1. One example of another class among 32 moves them by a hundredth."""


class Classes:
    """Follows the outputs at ``rows``; ``biases``: of the layers that make them."""

    def __init__(self, facts: Facts, rows: Rows, biases: Rows) -> None:
        made = [facts.nodes[facts.made_by(row)] for row in rows.tolist()]
        self._rows, self._biases = rows, biases
        self._classes = np.array([(node.shape or (1,))[-1] or 1 for node in made], float)[:, None]
        self._judged = np.array([node.activation == "softmax" and len(node.shape or ()) == 2 for node in made], np.bool_)[:, None]
        self._always: Bools = np.ones((len(rows), 1), np.bool_)
        self._largest = np.full((len(rows), 1), -np.inf)
        self._step: int | None = None

    def look(self, block: Block) -> Bools:
        """Whether all examples so far were of one and the same class, [rows, c]. A bias that nobody moves doesn't tell, nor do some of the steps."""
        size, varies, count = (block.column(name)[self._rows].astype(float) for name in ("l2_norm", "batch_std", "elements"))
        length, lowest = (block.column(name, "gradient")[self._biases].astype(float) for name in ("l2_norm", "min"))
        mean_shares = size**2 / (count / self._classes) - self._classes * varies**2
        one = self._judged & (self._classes > 1) & (np.abs(length**2 - (mean_shares - 2 * lowest - 1)) <= ROUNDED)
        largest = np.concatenate([self._largest, block.column("max")[self._biases].astype(float)], axis=1)
        self._largest = largest[:, -1:]
        before = int(block.steps[0]) - 1 if self._step is None else self._step
        self._step = int(block.steps[-1])
        same = one & (largest[:, 1:] >= largest[:, :-1]) & (np.diff(block.steps, prepend=before) == 1)
        always = np.logical_and.accumulate(np.concatenate([self._always, same], axis=1), axis=1)[:, 1:]
        self._always = always[:, -1:]
        return always & (largest[:, 1:] > 0)
