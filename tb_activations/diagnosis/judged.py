"""What a network that judges reads beside what ends in a sigmoid or tanh, as a critic reads data beside what a generator gives.

The one invariant: numbers between −1 and 1 have a root mean square of 1 at most, whatever they are. So where a layer reads nothing but such ones at
one call, and at another data with more than that, be it with such ones among them, some of the data lie beyond what the function can give.
"""

from __future__ import annotations

import numpy as np

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.flow import Rows, path_of
from tb_activations.diagnosis.kinds import MODELS, RECURRENT

__all__ = ["Judged"]


class Judged:
    """What is judged beside data.

    Attributes:
      rows: the layers that make it, by node, in execution order; of several calls of one the first.
      data: for each of them the nodes that hold the data that it is judged beside.
    """

    def __init__(self, facts: Facts) -> None:
        ends = facts.select(lambda node: node.activation in {"sigmoid", "tanh"} and node.class_name not in RECURRENT | MODELS)
        self.data: dict[int, list[int]] = {}
        for end in ends.tolist():
            data = _data_beside(facts, end) if facts.upstream[end] & facts.kernel_layers else set()
            first = facts.index.get(path_of(facts.nodes[end]), end)
            if data:
                self.data[first] = sorted(data.union(self.data.get(first, ())))
        self.rows: Rows = np.array(sorted(self.data), np.int64)

    def size_of_data(self, block: Block, rows: Rows) -> Floats:
        """Root mean square of the data that those of ``rows`` that are among `rows` are judged beside, [rows, c]; NaN for others."""
        size = np.full((len(rows), len(block.steps)), np.nan)
        for row, data in self.data.items():
            size[np.searchsorted(rows, row)] = np.fmax.reduce(block.rms()[data], axis=0)
        return size


def _data_beside(facts: Facts, end: int) -> set[int]:
    """Nodes that hold data that a layer reads at another call than that at which it reads what was made at ``end``.

    It judges them where nothing but a loss is made of both answers. A layer that is called again on what it gave judges nothing.
    """
    found, losses = set[int](), union(1 << loss for loss in facts.losses.tolist())
    for reader in _readers(facts, end):
        for call in _calls(facts, reader):
            of_itself = (facts.upstream[end] | 1 << end) >> call & 1
            meet = facts.downstream[reader] & facts.downstream[call] & ~losses
            if call != reader and not of_itself and not meet:
                found.update(_data_of(facts, call, end))
    return found


def _readers(facts: Facts, end: int) -> list[int]:
    """What reads the output of ``end`` and nothing else, and leads to a loss. Models whose output it is are looked through."""
    found, pending = [], [end]
    while pending:
        for node in facts.consumers[pending.pop()]:
            if facts.nodes[node].class_name in MODELS and facts.made_by(node) == end:
                pending.append(node)
            elif facts.nodes[node].kind != "loss" and len(facts.inputs[node]) == 1 and facts.reaches_loss(node):
                found.append(node)
    return found


def _calls(facts: Facts, node: int) -> tuple[int, ...]:
    first = facts.index.get(path_of(facts.nodes[node]), node)
    return facts.calls.get(first, ())


def _data_of(facts: Facts, call: int, end: int) -> list[int]:
    """The nodes that hold what is read at ``call``, where that is data, or data and what was made at ``end``; else none.

    What an input of a model was given it holds itself, also where that was put together in the step.
    """
    made = [source for source in facts.inputs[call] if path_of(facts.nodes[facts.made_by(source)]) == path_of(facts.nodes[end])]
    data = [source for source in facts.inputs[call] if source not in made]
    if any((facts.upstream[source] | 1 << source) & facts.kernel_layers for source in data):
        return []
    return [call] if facts.nodes[call].kind == "input" else data
