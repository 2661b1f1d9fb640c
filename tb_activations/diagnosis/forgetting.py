"""How much of a gradient is left at the first time step of a plain recurrence.

The one invariant: of a loop it is an estimate, from the sum of squares over all steps. What flows back from the last step shrinks by a factor at
each, so those sums are a geometric series, and its first term, the gradient at the output, tells the factor. Of a layer that is called on its own
states again and again each call has a gradient, and the first and the last tell it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["Forgetting"]


WINDOW = 5
"""Captures whose median is taken."""

CALLS = 8
"""Of a layer on what it gave, from which on they are time steps and no few refinements."""


class Forgetting:
    """The plain recurrences of a graph that give their last state only, or are unrolled by hand. What an LSTM or GRU keeps passes beside its output.

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
        in_loops, self._layers, self._given, self._kept = np.array(found, np.int64).reshape(-1, 4).T
        chains = [(position, *chain) for position, kernel in enumerate(facts.kernels.tolist()) if (chain := _chain(facts, kernel))]
        unrolled, self._first, self._last, self._calls = np.array(chains, np.int64).reshape(-1, 4).T
        self.positions = np.concatenate([in_loops, unrolled])
        self._recent: Floats = np.empty((len(self.positions), 0), np.float32)

    def factors(self, block: Block) -> tuple[Floats, Floats]:
        """By how much the gradient of the state shrinks from one time step to the one before, and how many of these there are, [r, c]."""
        norm, elements = block.column("l2_norm", "gradient"), block.column("elements", "gradient")
        given = norm[self._given]
        ratio = norm[self._kept] / np.where(given > 0, given, np.nan)
        steps = elements[self._given] / elements[self._layers]
        last = norm[self._last]
        over_calls = (norm[self._first] / np.where(last > 0, last, np.nan)) ** (1 / (self._calls[:, None] - 1))
        factor = np.concatenate([ratio / np.sqrt(1 + ratio**2), over_calls])
        return self._smoothed(factor), np.concatenate([steps, np.broadcast_to(self._calls[:, None], over_calls.shape)])

    def _smoothed(self, factor: Floats) -> Floats:
        """The median of the last few captures, as each is an estimate from one batch."""
        before = self._recent if self._recent.shape[1] else np.repeat(factor[:, :1], WINDOW - 1, axis=1)
        series = np.concatenate([before, factor], axis=1)
        self._recent = series[:, 1 - WINDOW :]
        median: Floats = np.median(np.lib.stride_tricks.sliding_window_view(series, WINDOW, axis=1), axis=2)
        return median


def _chain(facts: Facts, kernel: int) -> tuple[int, int, int] | None:
    """The first and the last call of a layer that makes states of states, and how many there are; None where it isn't called on what it gave."""
    calls, shape = facts.places(kernel), facts.nodes[kernel].shape or ()
    if len(calls) < CALLS or len(shape) != 2 or shape[0] != shape[1]:
        return None
    follow = all(facts.downstream[one] >> next_one & 1 for one, next_one in pairwise(calls))
    return (calls[0], calls[-1], len(calls)) if follow else None
