"""Which layer passes back next to nothing of the gradient that comes to it, though it does no more than bring numbers to another scale.

The one invariant: it is decided once, by the first gradients that were recorded, so that what is said of a run never moves to another node.
"""

from __future__ import annotations

import numpy as np

from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import NORMALIZATIONS, UNITS, is_of_users

__all__ = ["Shrinking"]

PASSED = 0.03
"""L2 norm of the gradient before it over that behind it. Two such layers in a row make a vanishing gradient; a normalization that begins as usual
divides by what came in, and passes back as much as the weights in front of it have taken away."""


class Shrinking:
    """Follows the layers that scale, behind each of `Facts.kernels`."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._rows = [row for row in facts.flow.tolist() if _only_scales(facts, row)]
        self._sources = [facts.inputs[row][0] for row in self._rows]
        self._found: dict[int, float] | None = None

    def feed(self, block: Block) -> None:
        """Takes in the next captures."""
        gradient = block.column("l2_norm", "gradient")
        if self._found is not None or not self._rows or not (gradient[self._rows] > 0).any():
            return
        capture = int((gradient[self._rows] > 0).any(0).argmax())
        passed = gradient[self._sources, capture] / np.where(gradient[self._rows, capture] > 0, gradient[self._rows, capture], np.nan)
        self._found = {row: float(share) for row, share in zip(self._rows, passed, strict=True) if share < PASSED}

    def behind(self, kernel: int) -> tuple[int, float] | None:
        """The node behind a kernel that passes back the least of a gradient, and how much, if that is next to nothing."""
        after = self._facts.downstream[self._facts.places(kernel)[0]]
        found = [(share, row) for row, share in (self._found or {}).items() if after >> row & 1 and self._facts.reaches_loss(row)]
        share, row = min(found, default=(np.nan, -1))
        return (row, share) if row >= 0 else None


def _only_scales(facts: Facts, row: int) -> bool:
    """Whether a layer of one input has no kernel, and is there for the scale of numbers, or does what nobody knows."""
    node = facts.nodes[row]
    scales = node.class_name in NORMALIZATIONS | UNITS or is_of_users(node.class_name)
    return node.kind == "layer" and scales and len(facts.inputs[row]) == 1 and not facts.kernel_layers >> row & 1
