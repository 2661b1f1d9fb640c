"""Units of a ReLU that their bias, or weights of 0, hold at zero from the beginning.

The one invariant: it is decided at step 0, by numbers that nothing was trained into. A bias that lies below anything that initial weights make of the
input was set so, and so were weights of exactly 0: a ReLU passes no gradient to them. How many units have such ones, the share of dead ones tells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.facts import Facts

__all__ = ["Drowned"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DEVIATIONS = 5.0
"""Root mean squares of what the weights make of the input. Of a million normal numbers none is as large by chance."""

EMPTY = 0.1
"""Share of the units whose weights are all exactly 0: drawn at random none is."""


class Drowned:
    """Follows the ReLUs at ``rows``."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        self._facts = facts
        found = [_weights(facts, row) for row in rows.tolist()]
        self._found = [(position, *weights) for position, weights in enumerate(found) if weights is not None]
        self._is_drowned: Bools | None = None
        self._count = len(rows)

    def feed(self, block: Block) -> Bools:
        """Whether the run began with biases or weights that hold units at zero, [rows, 1]."""
        if self._is_drowned is None:
            self._is_drowned = np.zeros((self._count, 1), np.bool_)
            if block.steps[0] == 0:
                rms, lowest, empty = block.rms()[:, 0], block.column("min")[:, 0], block.column("zero_unit_fraction")[:, 0]
                for position, source, kernel, bias in self._found:
                    made = rms[source] * rms[kernel] * np.sqrt(self._facts.fan_in(kernel))
                    self._is_drowned[position] = block.untrained[kernel] & ((lowest[bias] < -DEVIATIONS * made) | (empty[kernel] >= EMPTY))
        return self._is_drowned


def _weights(facts: Facts, row: int) -> tuple[int, int, int] | None:
    """The input, the kernel and the bias of the layer that a ReLU is part of, or that stands before it; None where there isn't just one of each."""
    kernels = set(facts.kernels.tolist())
    for place in (row, *facts.inputs[row]):
        own = facts.owned.get(place, ())
        multiplied = [variable for variable in own if variable in kernels]
        added = [variable for variable in own if facts.names[variable].endswith("bias")]
        if len(multiplied) == len(added) == len(facts.inputs[place]) == 1:
            return facts.inputs[place][0], multiplied[0], added[0]
    return None
