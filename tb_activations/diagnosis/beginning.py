"""Whether a run shows how a training begins, and with which biases: what is out of proportion before anything was learned was made so, what is later
was learned.

The one invariant: it is decided at the first capture, by the vectors of weights (biases, scales, moving statistics). They begin as one number, or as
two that somebody chose, and one step of training makes their elements differ; a run whose vectors differ at step 0 goes on where another one ended.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import RECURRENT

__all__ = ["Beginning"]

Bools = npt.NDArray[np.bool_]

ROUNDING = 1e-3
"""Relative difference of two variances that are the same but for rounding."""
ONE_NUMBER = 1e-6
"""Standard deviation over root mean square, up to which all elements are the same."""


class Beginning:
    """The beginning of a run. ``trains``: whether it may be one, as validation and prediction are not."""

    def __init__(self, facts: Facts, trains: bool) -> None:
        self._facts, self._trains = facts, trains
        self._vectors = frozenset(row for row in facts.variables.tolist() if len(facts.nodes[row].shape or ()) == 1 and self._tells(row))
        self._known: tuple[Bools, Floats] | None = None

    def _tells(self, row: int) -> bool:
        """Whether a vector begins as one number. Not so the biases of LSTM cells, and what a `Normalization` was adapted to."""
        name, owner = self._facts.names[row], self._facts.owners[row]
        class_name = "" if owner is None else self._facts.nodes[owner].class_name
        return class_name not in RECURRENT and class_name != "Normalization" and "cell" not in name and not name.startswith("optimizer/")

    def feed(self, block: Block) -> None:
        """Tells a block what is known of the beginning."""
        if self._known is None:
            self._known = self._find_untrained(block), self._find_biases(block)
        block.untrained, block.first_bias = self._known

    def _find_untrained(self, block: Block) -> Bools:
        """A layer is judged by its own vectors, one that has none by those of all layers.

        Some draw biases at random. So a layer whose vectors differ was trained before if half of all were, or all before it and another.
        """
        facts, begins = self._facts, self._trains and int(block.steps[0]) == 0
        std, rms, elements = block.column("std")[:, 0], block.rms()[:, 0], block.column("elements")[:, 0]
        by_hand = _has_two_numbers(block) & (elements > 2)
        differs = {row: bool(std[row] > ONE_NUMBER * rms[row] and not by_hand[row]) for row in self._vectors if elements[row] > 1}
        of_layers = {place: [differs[row] for row in variables if row in differs] for place, variables in facts.owned.items()}
        trained = {place: any(own) for place, own in of_layers.items() if own}
        count, half = sum(trained.values()), len(trained) / 2
        fresh = union(1 << place for place, value in trained.items() if not value)
        untrained = np.full(len(facts.nodes), begins and count <= half, np.bool_)
        for place, value in trained.items():
            before = value and (count >= half or (count > 1 and not facts.upstream[place] & fresh))
            untrained[[place, *facts.owned[place]]] = begins and not before
        return untrained

    def _find_biases(self, block: Block) -> Floats:
        """Root mean square of the bias that each layer begins with."""
        biases = np.zeros(len(self._facts.nodes), np.float32)
        rms = np.nan_to_num(block.rms()[:, 0])
        for place, variables in self._facts.owned.items():
            own = [rms[row] for row in variables if row in self._vectors and self._facts.names[row].endswith("bias")]
            biases[[place, *variables]] = max(own, default=0.0)
        return biases


def _has_two_numbers(block: Block) -> Bools:
    """Whether all elements are the lowest or the highest one at the first capture, [nodes]: the variance is then as large as the mean between these
    two allows (Bhatia & Davis 2000). Squares of large float32 numbers need the range of float64."""
    mean, low, high, std = (block.column(name)[:, 0].astype(np.float64) for name in ("mean", "min", "max", "std"))
    most = (high - mean) * (mean - low)
    same: Bools = np.abs(std**2 - most) <= ROUNDING * most
    return same
