"""What initial weights make of the scale of numbers on their way through a network.

The one invariant: it is measured, from the input of a layer to what the last weights read, at the first capture. A layer that multiplies by a little
too much or too little does no harm by itself; several do, unless something between them takes the scale away again.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import RECURRENT

__all__ = ["MUCH", "Propagation"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SHRUNK, GROWN = 1e-3, 30.0
"""Root mean square before the last weights over that before a layer. With usual weights ten layers stay between 0.05 and 10."""
LITTLE = 0.5
"""Gain of a kernel over that of a Glorot initialization, below which it takes part in making numbers shrink: ten halves are a thousandth."""
MUCH = 2.0
"""Gain of a kernel above which it takes part in making them grow; He initialization has 1.4."""


class Propagation:
    """Follows what becomes of what the kernels at ``rows`` are applied to."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        ends = {source for kernel in facts.kernels.tolist() if facts.is_output(kernel) for source in _sources(facts, kernel)}
        self._ways: list[tuple[int, int, list[int]]] = []
        for position, kernel in enumerate(rows.tolist()):
            place = facts.places(kernel)[0]
            reached = [end for end in ends if end == place or facts.downstream[place] >> end & 1]
            sources = _sources(facts, kernel)
            if len(sources) == 1 and reached and facts.nodes[place].class_name not in RECURRENT:
                self._ways.append((position, sources[0], reached))
        self._usual = np.array([_glorot_gain(facts, row) for row in rows.tolist()])[:, None]

    def fades(self, block: Block, gain: Floats) -> Bools:
        """Whether kernels multiply by too little, and hardly anything is left at the end, [rows, c]."""
        left = [(position, np.fmax.reduce(ratios)) for position, ratios in self._ratios(block)]
        return self._at(gain < LITTLE * self._usual, [(position, ratio < SHRUNK) for position, ratio in left])

    def swells(self, block: Block, gain: Floats) -> Bools:
        """Whether kernels multiply by too much, and it adds up, [rows, c]."""
        left = [(position, np.fmin.reduce(ratios)) for position, ratios in self._ratios(block)]
        return self._at(gain > MUCH, [(position, ratio > GROWN) for position, ratio in left])

    def _ratios(self, block: Block) -> list[tuple[int, list[Floats]]]:
        rms = block.rms()
        return [(position, [rms[end] / np.where(rms[source] > 0, rms[source], np.nan) for end in ends]) for position, source, ends in self._ways]

    @staticmethod
    def _at(allowed: Bools, found: list[tuple[int, Bools]]) -> Bools:
        holds = np.zeros(allowed.shape, np.bool_)
        for position, condition in found:
            holds[position] = condition & allowed[position]
        return holds


def _sources(facts: Facts, kernel: int) -> tuple[int, ...]:
    return facts.inputs[facts.places(kernel)[0]]


def _glorot_gain(facts: Facts, kernel: int) -> float:
    """Root mean square of Glorot's initial weights times the square root of the fan-in, at most 1."""
    fan_in = facts.fan_in(kernel)
    return min(1.0, math.sqrt(2 * fan_in / (fan_in + facts.fan_out(kernel))))
