"""Whether all examples of a batch are of one class, by what is sent back to a softmax: its shares, less 1 at the class that is true.

The one invariant: it is known exactly. The gradient of the bias is the mean of that over examples. Where all are of one class c, its square length is
that of the mean shares m, and 1 - 2 m[c]; and its lowest entry is m[c] - 1. The square length of m is what is left of that of the shares without
their variance over examples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["Classes"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ROUNDED = 1e-5
"""How far the two square lengths may be apart by rounding: shares are below 1. One example of another class among 32 moves them by a hundredth."""
SEVERAL = 8
"""Examples of a batch, that are of one class by chance once in two thousand batches, if there are three classes as often."""
KNOWN, SURPRISED = 0.5, 0.25
"""The share that the class of a batch was given, as the likeliest one; and that of a later batch, half of it: a class that is rare fills no batch,
and the one that fills nearly all stays the likeliest. It must be so as often as there are classes: while each comes
for the first time, nothing is forgotten."""
MOST = 0.5
"""Of the batches that were recorded: where one class ends in the middle of a batch, that holds two."""


class Classes:
    """Follows the outputs at ``rows``; ``biases``: of the layers that make them."""

    def __init__(self, facts: Facts, rows: Rows, biases: Rows) -> None:
        made = [facts.nodes[facts.made_by(row)] for row in rows.tolist()]
        self._rows, self._biases = rows, biases
        self._classes = np.array([(node.shape or (1,))[-1] or 1 for node in made], float)[:, None]
        self._judged = np.array([node.activation == "softmax" and len(node.shape or ()) == 2 for node in made], np.bool_)[:, None]
        self._always: Bools = np.ones((len(rows), 1), np.bool_)
        self._counts = np.zeros((3, len(rows), 1))
        self._learned: Bools = np.zeros((len(rows), 1), np.bool_)

    def look(self, block: Block) -> tuple[Bools, Floats]:
        """Whether all batches so far were of one class; and how often one was of another class than what was learned before, where most are of one
        class each, else NaN; both [rows, c]."""
        size, varies, count = (block.column(name)[self._rows].astype(float) for name in ("l2_norm", "batch_std", "elements"))
        examples = count / self._classes
        length, lowest = (block.column(name, "gradient")[self._biases].astype(float) for name in ("l2_norm", "min"))
        mean_shares = size**2 / examples - self._classes * varies**2
        one = self._judged & (self._classes > 1) & (np.abs(length**2 - (mean_shares - 2 * lowest - 1)) <= ROUNDED)
        always = np.logical_and.accumulate(np.concatenate([self._always, one], axis=1), axis=1)[:, 1:]
        self._always = always[:, -1:]
        several = one & (examples >= SEVERAL) & (self._classes > 2)
        relapses = self._relapses(several & (lowest + 1 > KNOWN), several & (lowest + 1 < SURPRISED))
        counts = self._counts + np.cumsum(np.stack([several, ~np.isnan(length), relapses]), axis=2)
        self._counts = counts[:, :, -1:]
        return always, np.where((counts[2] >= self._classes) & (counts[0] > MOST * counts[1]), counts[2], np.nan)

    def _relapses(self, known: Bools, surprised: Bools) -> Bools:
        """Where a batch is of a class that isn't known, and one since the last such was of one that is, [rows, c]."""
        found = np.zeros(known.shape, np.bool_)
        for capture in range(known.shape[1]):
            found[:, capture] = self._learned[:, 0] & surprised[:, capture]
            self._learned[:, 0] = (self._learned[:, 0] | known[:, capture]) & ~surprised[:, capture]
        return found
