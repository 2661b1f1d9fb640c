"""How much of a gradient is left at the first time step of a plain recurrence.

The one invariant: it is an estimate, from the sum of squares over all steps. What flows back from the last step shrinks by a factor at each, so those
sums are a geometric series, and its first term, the gradient at the output, tells the factor.
"""

from __future__ import annotations

import numpy as np

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["Forgetting"]


WINDOW = 5
"""Captures whose median is taken."""


class Forgetting:
    """The plain recurrences of a graph that give their last state only. What an LSTM or GRU keeps passes beside its output.

    Attributes:
      positions: int64[r], their places among the kernels.
    """

    def __init__(self, facts: Facts) -> None:
        found: list[tuple[int, int, int, int]] = []
        for position, (layer, _) in facts.recurrences.items():
            cell = facts.names[facts.kernels[position]].rsplit("/", 1)[0]
            given, kept = facts.index.get(cell), facts.index.get(f"{cell}:1/0")
            if facts.nodes[layer].class_name == "SimpleRNN" and given is not None and kept is not None:
                found.append((position, layer, given, kept))
        self.positions, self._layers, self._given, self._kept = np.array(found, np.int64).reshape(-1, 4).T
        self._recent: Floats = np.empty((len(found), 0), np.float32)

    def factors(self, block: Block) -> tuple[Floats, Floats]:
        """By how much the gradient of the state shrinks from one time step to the one before, and how many of these there are, [r, c]."""
        norm, elements = block.column("l2_norm", "gradient"), block.column("elements", "gradient")
        given = norm[self._given]
        ratio = norm[self._kept] / np.where(given > 0, given, np.nan)
        return self._smoothed(ratio / np.sqrt(1 + ratio**2)), elements[self._given] / elements[self._layers]

    def _smoothed(self, factor: Floats) -> Floats:
        """The median of the last few captures, as each is an estimate from one batch."""
        before = self._recent if self._recent.shape[1] else np.repeat(factor[:, :1], WINDOW - 1, axis=1)
        series = np.concatenate([before, factor], axis=1)
        self._recent = series[:, 1 - WINDOW :]
        median: Floats = np.median(np.lib.stride_tricks.sliding_window_view(series, WINDOW, axis=1), axis=2)
        return median
