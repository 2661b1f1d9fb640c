"""Whether the functions between layers let a network say more than its last layer could.

The one invariant: neither is a fault by itself. A linear map before another is built on purpose, and so are shares of a few that the next layer
mixes; both learn then. Only where training gets nowhere, although it had time, they are what is left to change. Of two hidden linear maps that leave
nothing out, one is there for nothing: they are told while there may still be something left that a line doesn't explain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import members
from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import MODELS, SUMS, TRANSPARENT, UNITS
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number

__all__ = ["InnerFunction"]

MIXING = frozenset({"Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D"})
"""Layers that give sums of products of what comes in, and then a function of them, if any."""

LINEAR = TRANSPARENT | SUMS | UNITS | MODELS | {"BatchNormalization"}
"""What else makes nothing but sums and multiples, beside means over positions."""
MEANS = ("AveragePooling1D", "AveragePooling2D", "AveragePooling3D")


class InnerFunction(NodeRule):
    """A softmax between layers, or no function at all."""

    name, title = "inner_function", "Function between layers"
    definition = (
        "A layer inside of the network ends in a softmax over its units, so that the next weights get nothing but shares of a whole, and after 100"
        " steps the loss is above 70 % of the first one; or no layer before the last weights has a function that bends, so that all of them are one"
        " linear map, and it is above 90 %; 25 %, where a functional model has two such layers or more."
    )
    reference = "UMLAUT: missing activations; Goodfellow et al. 2016, Deep Learning, section 6.1 (a network of linear layers is linear)"
    severity, statistic = "warning", "std"
    persistence = Persistence(captures=2, steps=10)

    STEPS, STAYS = 100, 0.9
    """Steps that training had, and the share of the first loss above which it got nowhere. Noisy targets let no loss fall far."""
    GOOD_ENOUGH = 0.25
    """The share down to which a line explains the targets: then there is nothing left for layers that bend."""

    def select(self, facts: Facts) -> npt.NDArray[np.int64]:
        """Layers in the middle that end in a softmax, and the first hidden layer of a linear network."""
        shares = facts.select(lambda node: node.kind == "layer" and node.activation == "softmax")
        return np.array(sorted({*(row for row in shares.tolist() if _is_inner(facts, row)), *_hidden_in_linear(facts)[:1]}), np.int64)

    def observe(self, facts: Facts, rows: npt.NDArray[np.int64]) -> Callable[[Block], Observation]:
        """Looks at the loss. Where a run goes on, nobody knows what it was at first."""
        bends = np.array([facts.nodes[row].activation == "softmax" for row in rows.tolist()], np.bool_)[:, None]
        several = ~bends & (len(_hidden_in_linear(facts)) > 1 and _is_functional(facts))
        began = -1

        def look(block: Block) -> Observation:
            nonlocal began
            began = int(block.steps[0]) if began < 0 else began
            had_time, left = block.is_judged & (block.steps - began >= self.STEPS), block.median_loss / block.first_loss
            stays = np.where(bends, ~block.progress, left > np.where(several, self.GOOD_ENOUGH, self.STAYS))
            holds = block.untrained[rows][:, None] & had_time & stays
            evidence = {"loss": block.median_loss, "first_loss": block.first_loss}
            return Observation(
                holds, np.ones(holds.shape, np.bool_), {name: np.broadcast_to(values, holds.shape) for name, values in evidence.items()}
            )

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What the layers before the last one are good for."""
        node, seen = facts.nodes[index], episode.evidence
        loss = f"the loss is {number(seen['loss'])}, and was {number(seen['first_loss'])} at first."
        if node.activation == "softmax":
            units = (node.shape or (0,))[-1] or 0
            return Words(
                f"It ends in a softmax: the layer after it gets {units} shares of a whole, {number(1 / max(units, 1))} each on average, and little"
                f" gradient comes back; {loss}",
                f"A softmax is for the end, where shares of classes are asked for. Take another function{location(facts, index)}:",
                'keras.layers.Dense(units, activation="relu")',
            )
        return Words(
            "No layer between the input and the last weights has a function that bends: together they are one linear map, however many there are;"
            f" {loss}",
            f"Give the hidden layers one{location(facts, index)}:",
            'keras.layers.Dense(units, activation="relu")',
        )


def _is_inner(facts: Facts, row: int) -> bool:
    """Whether shares of several units that weights made go into weights and nothing else: what multiplies something chooses, as in attention."""
    made = any(facts.kernel_layers >> place & 1 for place in (row, *facts.inputs[row]))
    several = ((facts.nodes[row].shape or (0,))[-1] or 0) > 1
    after = facts.next_effective(row)
    return made and several and facts.reaches_loss(row) and bool(after) and all(facts.nodes[node].class_name in MIXING for node in after)


def _hidden_in_linear(facts: Facts) -> list[int]:
    """The hidden layers with weights of a network that is linear up to its last weights, in execution order; none if it is not. Layers that are
    narrower than what comes in and what goes out leave less on purpose, as a principal component analysis does."""
    outputs = facts.inputs[facts.losses[0]] if len(facts.losses) else ()
    inputs = [] if len(outputs) != 1 else _inputs(facts, outputs[0])
    if not inputs or any(row not in facts.float_inputs for row in inputs):
        return []  # what a loop of one's own puts between layers, without a model, is unknown
    before = [row for row in members(facts.upstream[outputs[0]]) if facts.nodes[row].kind != "input" and not facts.is_output(row)]
    if not all(_is_linear(facts, row) for row in before):
        return []
    ends = [facts.nodes[kernel].shape or () for kernel in facts.output_kernels.tolist()]
    least = min((shape[-1] or 0 for shape in ends if shape), default=0)
    hidden = [row for row in before if facts.kernel_layers >> row & 1]
    return [row for row in hidden if _units(facts, row) >= min([least, *(_units(facts, source) for source in facts.inputs[row])])]


def _is_functional(facts: Facts) -> bool:
    """Whether one functional model makes the output, of which all that it computes is seen. A model whose `call` is written by hand may compute what
    it likes between its layers."""
    before = [facts.nodes[row] for row in members(facts.upstream[facts.inputs[facts.losses[0]][0]])]
    return all(node.class_name == "InputLayer" and not node.inputs for node in before if node.kind == "input")


def _inputs(facts: Facts, row: int) -> list[int]:
    return [source for source in members(facts.upstream[row]) if facts.nodes[source].kind == "input" and not facts.nodes[source].inputs]


def _is_linear(facts: Facts, row: int) -> bool:
    node = facts.nodes[row]
    if node.activation not in (None, "linear"):
        return False
    mixes = node.class_name in MIXING and node.kind == "layer"
    return mixes or node.class_name in LINEAR or node.class_name == "Activation" or node.class_name.removeprefix("Global").endswith(MEANS)


def _units(facts: Facts, row: int) -> int:
    return (facts.nodes[row].shape or (0,))[-1] or 0
