"""How far apart the scores of an attention layer lie, where the softmax over them is part of one operation and isn't recorded.

The one invariant: it is an estimate, from queries and keys, which are recorded. Scores are sums of their products over the root of how many there
are, so where the two don't depend on each other, the deviation of scores is the product of the size of queries and the deviation of keys.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts

__all__ = ["Scores"]

ATTENTION = frozenset({"MultiHeadAttention", "GroupedQueryAttention"})
"""Layers of Keras that divide scores by the root of the width of their keys, and call a softmax of their own only where they drop weights."""


class Scores:
    """The scores of the attention layers of a graph.

    Attributes:
      rows: the layers, by node, in execution order.
    """

    def __init__(self, facts: Facts) -> None:
        found = []
        for row in facts.select(lambda node: node.kind == "layer" and node.class_name in ATTENTION).tolist():
            base, colon, call = facts.names[row].partition(":")
            query, key, softmax = (facts.index.get(f"{base}/{part}{colon}{call}") for part in ("query", "key", "softmax"))
            if query is not None and key is not None and (softmax is None or not facts.is_recorded(softmax, "value")):
                found.append((row, query, key))
        self.rows, self._queries, self._keys = np.array(found, np.int64).reshape(-1, 3).T

    def deviation(self, block: Block, rows: npt.NDArray[np.int64]) -> Floats:
        """Standard deviation of the scores of those of ``rows`` that are among `rows`, [rows, c]; NaN for others."""
        deviation = np.full((len(rows), len(block.steps)), np.nan, np.float32)
        deviation[np.searchsorted(rows, self.rows)] = block.rms()[self._queries] * block.column("batch_std")[self._keys]
        return deviation
