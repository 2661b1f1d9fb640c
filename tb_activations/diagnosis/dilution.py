"""Which layers are added to others after a constant has made next to nothing of what they give.

The one invariant: the factor is measured, and it is a constant: between the layer and the sum there is no weight, and its size stays what it was. A
factor that is learned (a layer scale, a gate) or that somebody raises may begin at a millionth on purpose.
"""

from __future__ import annotations

import numpy as np

from tb_activations.diagnosis.block import Block, Floats, first_known
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import NORMALIZATIONS, SUMS

__all__ = ["Dilution"]

NOTHING = 1e-5
"""What is left of the layer's output, and of what it is added to, below which it counts for nothing. Constants that are meant are 0.1 or 0.01."""
SAME, GIVEN = 1.5, 50
"""Times the first factor, up to which it is the same one after so many steps: what a ReLU or a dropout leaves varies with the batch."""


class Dilution:
    """The layers of a graph from which nothing but functions without weights leads to a sum."""

    def __init__(self, facts: Facts) -> None:
        ways = [(position, *way) for position, kernel in enumerate(facts.kernels.tolist()) if (way := _way(facts, kernel)) is not None]
        self._positions = np.array([position for position, *_ in ways], np.int64)
        self._given = np.array([given for _, given, _, _ in ways], np.int64)
        self._added = np.array([added for _, _, added, _ in ways], np.int64)
        self._others = [others for *_, others in ways]
        self._kernels = len(facts.kernels)
        self._begun = -1
        self._first: Floats = np.full((len(ways), 1), np.nan, np.float32)

    def factors(self, block: Block) -> Floats:
        """What is left of the output of the layer of each of `Facts.kernels` where it is added, if next to nothing, [kernels, c]; else NaN."""
        if not len(self._positions):
            return np.broadcast_to(np.float32(np.nan), (self._kernels, len(block.steps)))
        factors = np.full((self._kernels, len(block.steps)), np.nan, np.float32)
        self._begun = int(block.steps[0]) if self._begun < 0 else self._begun
        rms = block.rms()
        given, added = rms[self._given], rms[self._added]
        beside = np.stack([np.fmax.reduce(rms[list(others)], axis=0) for others in self._others])
        factor = added / np.where(given > 0, given, np.nan)
        self._first = np.where(np.isnan(self._first), first_known(factor), self._first)
        constant = (factor < SAME * self._first) & (factor > self._first / SAME)
        constant &= block.steps - self._begun >= GIVEN
        factors[self._positions] = np.where((added > 0) & (factor < NOTHING) & (added < NOTHING * beside) & constant, factor, np.nan)
        return factors


def _way(facts: Facts, kernel: int) -> tuple[int, int, tuple[int, ...]] | None:
    """The one call of a kernel's layer, the last node before the sum it goes into, and what else is summed there."""
    places = facts.places(kernel)
    at = places[0]
    while len(places) == 1 and len(facts.consumers[at]) == 1:
        following = facts.consumers[at][0]
        if facts.nodes[following].class_name in SUMS:
            others = tuple(row for row in facts.inputs[following] if row != at)
            return (places[0], at, others) if at != places[0] and others and len(facts.nodes[following].shape or ()) >= 2 else None
        if not _is_function(facts, following):
            return None
        at = following
    return None


def _is_function(facts: Facts, row: int) -> bool:
    """Whether a node makes its output of the one before it and of nothing that can change."""
    node = facts.nodes[row]
    reads_weights = row in facts.owned or any(facts.nodes[source].kind == "variable" for source in node.inputs)
    return len(facts.inputs[row]) == 1 and node.kind in ("layer", "op") and not reads_weights and node.class_name not in NORMALIZATIONS
