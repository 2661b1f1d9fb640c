"""What activations and gradients are large against: the network's input, and the targets it is trained towards.

The one invariant: both are known from what was recorded up to a capture. The input is seen; the targets are not, but the first loss tells of them
where the first outputs don't explain it.
"""

from __future__ import annotations

import numpy as np

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["Targets", "blow_up", "input_scale", "is_of_classes"]


def input_scale(block: Block, facts: Facts) -> Floats:
    """Root mean square of the largest float input, or of whole numbers that are computed with as they are, at least 1, [c]."""
    rms = block.rms()
    largest: Floats = np.fmax.reduce(rms[[*facts.float_inputs, *facts.multiplied_inputs]], axis=0, initial=1.0)
    for whole, taken in facts.whole_inputs:
        same = np.logical_and.reduce([block.column(end)[whole] == block.column(end)[taken] for end in ("min", "max")])
        largest = np.fmax(largest, np.where(same, rms[taken], 1.0))
    return largest


def blow_up(block: Block, facts: Facts) -> Floats:
    """The largest root mean square of a layer's output over that of the network's input (or 1, if that is smaller), [c].

    What the model brings into the unit of its targets at the end has their size.
    """
    own_unit = [row for row in facts.scaled.tolist() if row not in facts.scaled_back]
    largest: Floats = np.fmax.reduce(block.rms()[own_unit], axis=0, initial=0)
    return largest / input_scale(block, facts)


class Targets:
    """How large the targets of a run may be: prices of houses are learned as they are.

    A first loss of 6e10 beside first outputs near 1 comes from targets near 250,000 (squared error) or larger still (absolute error), and outputs and
    gradients of that size are what training is for. Outputs that are themselves large explain their loss, and excuse nothing, but where
    they come from the bias that the output layer began with, the mean of the targets; or from weights that were trained before; or where the model
    itself brings them into the unit of the targets at the end. Classes have no size: of them a large first loss tells nothing.
    """

    LARGE = 100.0
    """First loss below which targets count as usual. No loss of normalized targets or of classes begins there."""
    EXPLAINED = 0.5
    """Mean square of the first outputs over the first loss, above which the outputs explain it."""

    def __init__(self, facts: Facts) -> None:
        self._outputs = list(facts.inputs[facts.losses[0]]) if len(facts.losses) else []
        self._scaled_back = np.array([row in facts.scaled_back for row in self._outputs], np.bool_)
        self._are_numbers = bool(self._outputs) and not _are_classes(facts, self._outputs)
        self._size: float | None = None

    def size(self, block: Block) -> float:
        """An upper bound of the targets' size, at least 1; 1 where they are usual or not known."""
        known = np.isfinite(block.median_loss) & np.isfinite(block.first_loss)
        if self._size is None and known.any():
            column = int(known.argmax())
            outputs = float(np.fmax.reduce(np.where(self._scaled_back, 0, block.rms()[self._outputs, column]), initial=0.0))
            loss = float(block.first_loss[column])
            self._size = loss if self._are_numbers and loss > self.LARGE and outputs**2 < self.EXPLAINED * loss else 1.0
            known_before = max(float(np.fmax.reduce(block.first_bias[self._outputs], initial=0.0)), self._set_before(block, column))
            self._size = max(self._size, known_before if known_before > self.LARGE else 1.0)
        return 1.0 if self._size is None else self._size

    def _set_before(self, block: Block, column: int) -> float:
        """Root mean square of the first outputs of layers that were trained before, or that are in the unit of the targets; 0 without one."""
        rms = block.rms()[self._outputs, column]
        return float(np.fmax.reduce(np.where(block.untrained[self._outputs] & ~self._scaled_back, 0, rms), initial=0.0))


def _are_classes(facts: Facts, outputs: list[int]) -> bool:
    """Whether all that the loss is given is compared with classes."""
    return bool(outputs) and all(is_of_classes(facts, row) for row in outputs)


def is_of_classes(facts: Facts, row: int) -> bool:
    """Whether a node ends in a softmax, or the loss takes it for logits or probabilities."""
    attributes = facts.nodes[facts.losses[0]].attributes if len(facts.losses) else {}
    taken = {name for meaning in ("logits", "probabilities", "shares", "yes_or_no") for name in attributes.get(meaning, ())}
    return facts.nodes[row].activation == "softmax" or facts.names[row] in taken
