"""How much of the gates of an LSTM or GRU is flat, which are part of one operation inside of a loop and aren't recorded.

The one invariant: it is an estimate of what the input and the bias do to them, from their size and that of the weights. Sums of products are near to
normal, so their mean and deviation tell which share of them lies where a sigmoid is flat.
"""

from __future__ import annotations

import math

import numpy as np

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.flow import Rows

__all__ = ["Gates"]

GATED = frozenset({"LSTM", "GRU"})
FLAT = 3.48
"""What a sigmoid makes 0.97 of, from which on it counts as flat (see `docs/format.md`, `saturated_fraction`)."""


class Gates:
    """The gated recurrent layers of a graph.

    Attributes:
      rows: the layers, by node, in execution order.
    """

    def __init__(self, facts: Facts) -> None:
        found = [(layer, int(facts.kernels[position]), source) for position, (layer, source) in facts.recurrences.items()]
        gated = sorted(way for way in found if facts.nodes[way[0]].class_name in GATED and facts.takes_in(way[1], way[2]))
        self.rows, self._kernels, self._sources = np.array(gated, np.int64).reshape(-1, 3).T
        self._fan_in = np.array([facts.fan_in(kernel) for kernel in self._kernels.tolist()], float)[:, None]
        biases = [facts.index.get(facts.names[kernel].rsplit("/", 1)[0] + "/bias", -1) for kernel in self._kernels.tolist()]
        self._biases, self._has_bias = np.array(biases, np.int64), np.array([bias >= 0 for bias in biases], np.bool_)[:, None]

    def flat_share(self, block: Block, rows: Rows) -> Floats:
        """Share of the gates of those of ``rows`` that are among `rows`, [rows, c]; NaN for others."""
        share = np.full((len(rows), len(block.steps)), np.nan, np.float32)
        deviation = block.rms()[self._sources] * block.rms()[self._kernels] * np.sqrt(self._fan_in)
        middle, spread = (np.where(self._has_bias, np.nan_to_num(block.column(name)[self._biases]), 0) for name in ("mean", "std"))
        deviation = np.maximum(np.sqrt(deviation**2 + spread**2), 1e-9)
        share[np.searchsorted(rows, self.rows)] = (_beyond((FLAT - middle) / deviation) + _beyond((FLAT + middle) / deviation)) / 2
        return share


_erfc = np.frompyfunc(math.erfc, 1, 1)


def _beyond(deviations: Floats) -> Floats:
    """Twice the share of normal numbers that are so many deviations, or more, above their mean."""
    share: Floats = _erfc(deviations / math.sqrt(2)).astype(np.float32)
    return share
