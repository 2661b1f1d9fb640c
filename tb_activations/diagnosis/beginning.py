"""Whether a run shows how a training begins, and with which biases: what is out of proportion before anything was learned was made so, what is later
was learned.

The one invariant: it is decided at step 0 of a run that trains, by the vectors of weights (biases, scales, moving statistics). They begin as one
number, and one step of training makes them differ; a run whose vectors differ at step 0 goes on where another one ended.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import RECURRENT, Facts

__all__ = ["Beginning"]

Bools = npt.NDArray[np.bool_]

ONE_NUMBER = 1e-6
"""Standard deviation over root mean square, up to which all elements are the same."""


class Beginning:
    """The beginning of a run. ``trains``: whether it may be one, as validation and prediction are not."""

    def __init__(self, facts: Facts, trains: bool) -> None:
        self._facts = facts
        self._vectors = facts.select(lambda node: node.kind == "variable" and len(node.shape or ()) == 1 and not node.name.startswith("optimizer/"))
        self._vectors = np.array([row for row in self._vectors.tolist() if self._begins_as_one_number(row)], np.int64)
        self._biases = frozenset(row for row in self._vectors.tolist() if facts.names[row].endswith("bias"))
        self._untrained: Bools | None = None if trains else np.zeros(len(facts.nodes), np.bool_)
        self._bias: Floats = np.zeros(len(facts.nodes), np.float32)
        self._is_known = False

    def _begins_as_one_number(self, row: int) -> bool:
        """Not so the biases of LSTM cells, and what a `Normalization` was adapted to."""
        owner = self._facts.owners[row]
        class_name = "" if owner is None else self._facts.nodes[owner].class_name
        return class_name not in RECURRENT and class_name != "Normalization" and "cell" not in self._facts.names[row]

    def feed(self, block: Block) -> None:
        """Tells a block what is known of the beginning."""
        if not self._is_known and len(block.steps):
            self._look(block)
        assert self._untrained is not None
        block.untrained, block.first_bias = self._untrained, self._bias

    def _look(self, block: Block) -> None:
        std, rms = block.column("std")[:, 0], block.rms()[:, 0]
        varied = np.where(block.column("elements")[:, 0] > 1, std > ONE_NUMBER * rms, False)
        nodes = len(self._facts.nodes)
        if self._untrained is None:
            of_model = block.steps[0] == 0 and not (len(self._vectors) and varied[self._vectors].mean() > 0.5)
            self._untrained = np.full(nodes, of_model, np.bool_)
            if block.steps[0] == 0:
                vectors = frozenset(self._vectors.tolist())
                for node in range(nodes):
                    own = self._of_layer(node, vectors)
                    if own:
                        self._untrained[node] = not varied[own].any()
        for node in range(nodes):
            own = self._of_layer(node, self._biases)
            if own:
                self._bias[node] = np.nan_to_num(rms[own]).max()
        self._is_known = True

    def _of_layer(self, node: int, among: frozenset[int]) -> list[int]:
        """The vectors of the layer that a node is a call or a weight of."""
        place = self._facts.places(node)[0]
        return [row for row in self._facts.owned.get(place, ()) if row in among]
