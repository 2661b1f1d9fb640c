"""NaN and infinity: when they matter, and what is said of them.

The one invariant: each outbreak is told once, at its `origin`. Infinities that reach neither a loss nor a gradient nor a weight are no trouble: masks
are made of them. Where it began between two captures, data that has it later on is told too: nothing that is computed flows into data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import AT_ONCE, Episode, Episodes
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding
from tb_activations.diagnosis.origin import Origin, find_origin, with_hidden
from tb_activations.diagnosis.rule import Rule, Watch, Words, location, number
from tb_activations.store.nodes import Node
from tb_activations.store.schema import QUANTITIES, Quantity

__all__ = ["Nonfinite"]

Bools = npt.NDArray[np.bool_]

PATIENCE = 5
"""Captures without NaN or infinity after which the trouble is over."""


@dataclass(frozen=True, slots=True)
class Outbreak:
    """What was seen at the first capture with NaN or infinity.

    Attributes:
      previous_step: the last recorded step before it; −1 when there is none. Of data that has it later: the step at which it was there already.
      count: NaN and infinities at the witness.
      statistic: which of them there are: the first of NaN, +Inf and −Inf.
      inheriting: how many other nodes have them.
      inputs: the inputs of the node, each with the range of its last finite numbers.
    """

    origin: Origin
    step: int
    previous_step: int
    count: float
    statistic: str
    inheriting: int
    inputs: tuple[tuple[str, float, float], ...]

    @property
    def quantity(self) -> Quantity:
        """Which quantity shows it."""
        return _SHOWN.get(self.origin.how, "gradient")


_COUNTED = ("nan_count", "pos_inf_count", "neg_inf_count")
_SHOWN: Mapping[str, Quantity] = {"value": "value", "unknown": "value", "data": "value", "update": "update"}


class Nonfinite(Rule):
    """NaN or infinity, told once at its origin."""

    name, title = "nonfinite", "NaN or Inf"
    definition = (
        "NaN or infinity reaches a loss, a gradient or a weight; told at the first node in execution order, forward or backward, that has it."
    )
    reference = "SageMaker Debugger ExplodingTensor; TF Debugger V2 NaN alerts; UMLAUT NaN loss"

    def watch(self, facts: Facts) -> Watch:
        """Follows all nodes."""
        return _Watch(facts)


class _Watch(Watch):
    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._episodes = Episodes(1, replace(AT_ONCE, patience=PATIENCE))
        self._outbreaks: list[Outbreak] = []
        self._data = facts.select(lambda node: node.kind == "input" and not node.inputs)
        self._was_ill = np.zeros(len(self._data), np.bool_)
        self._later = Episodes(1, replace(AT_ONCE, patience=PATIENCE))
        self._in_data: list[Outbreak] = []
        self._previous_step = -1
        self._is_frozen = np.array([node.kind == "variable" and node.trainable is False for node in facts.nodes], np.bool_)
        self._is_known = np.zeros(len(facts.nodes), np.bool_)
        self._is_mask = np.zeros(len(facts.nodes), np.bool_)
        self._last_range: Floats = np.full((len(facts.nodes), 2), np.nan, np.float32)

    def update(self, block: Block) -> None:
        """Takes in the next captures."""
        bad = {quantity: block.nonfinite(quantity) for quantity in QUANTITIES}
        bad["value"] = np.where(self._find_masks(block), 0, bad["value"])
        harmful = self._harmful(block, bad)[None]
        self._episodes.update(block.steps, harmful, np.ones_like(harmful), {})
        for episode in self._episodes.all[len(self._outbreaks) :]:
            self._outbreaks.append(self._outbreak(block, int(np.searchsorted(block.steps, episode.first_step)), bad))
        self._look_at_data(block, bad["value"])
        self._last_range = self._range_before(block, len(block.steps), bad["value"])
        self._previous_step = int(block.steps[-1])

    def _find_masks(self, block: Block) -> Bools:
        """Variables that nobody trains and whose only infinities, from their first capture on, are −Inf: masks that a layer keeps, [nodes, 1]."""
        known = block.recorded()
        first = known.argmax(1), known.any(1) & ~self._is_known
        counts = [np.take_along_axis(block.column(name), first[0][:, None], 1)[:, 0] for name in _COUNTED]
        self._is_mask |= self._is_frozen & first[1] & (counts[0] == 0) & (counts[1] == 0) & (counts[2] > 0)
        self._is_known |= first[1]
        return self._is_mask[:, None]

    def _harmful(self, block: Block, bad: Mapping[Quantity, Floats]) -> Bools:
        """Captures at which it matters. With a loss scale above 1, gradients that overflow are looked for, skipped, and the scale is halved."""
        facts = self._facts
        ends = facts.losses if len(facts.losses) else facts.flow[-1:]
        forward = [bad["value"][ends], bad["value"][facts.variables], bad["update"]]
        harmful: Bools = np.logical_or.reduce([part.any(0) for part in forward]) | bad["gradient"].any(0) & ~(block.loss_scale > 1)
        return harmful

    def _look_at_data(self, block: Block, bad: Floats) -> None:
        """Data that has it at a later capture, and had none before the trouble began, where nobody can tell at which node that was."""
        began = next((outbreak.step for outbreak in self._outbreaks if outbreak.origin.how == "unknown"), None)
        ill: Bools = bad[self._data] > 0
        if began is None:
            self._was_ill[ill.any(1)] = True
            return
        self._was_ill[(ill & (block.steps < began)).any(1)] = True
        comes_in = ill & (block.steps > began) & ~self._was_ill[:, None]
        self._later.update(block.steps, np.asarray(comes_in.any(0))[None], np.ones((1, len(block.steps)), np.bool_), {})
        if self._later.all and not self._in_data:
            column = int(np.searchsorted(block.steps, self._later.all[0].first_step))
            node = int(self._data[comes_in[:, column].argmax()])
            self._in_data.append(
                self._counted(Outbreak(Origin(node, "data", node), int(block.steps[column]), began, 0, "nan_count", 0, ()), block, column)
            )

    def _outbreak(self, block: Block, column: int, bad: Mapping[Quantity, Floats]) -> Outbreak:
        step = int(block.steps[column])
        previous = int(block.steps[column - 1]) if column else self._previous_step
        has = {quantity: values[:, column] > 0 for quantity, values in bad.items()}
        has["value"] = with_hidden(self._facts, has["value"], *(block.column(end)[:, column] for end in ("min", "max")))
        origin = find_origin(self._facts, has["value"], has["gradient"], has["update"], is_next=step - previous == 1)
        ranges = self._range_before(block, column, bad["value"])
        inputs = [(self._facts.names[source], *ranges[source].tolist()) for source in self._facts.inputs[origin.node]]
        outbreak = Outbreak(origin, step, previous, 0, "nan_count", 0, tuple(item for item in inputs if not np.isnan(item[1])))
        return self._counted(replace(outbreak, inheriting=int(has[outbreak.quantity].sum()) - 1), block, column)

    def _counted(self, outbreak: Outbreak, block: Block, column: int) -> Outbreak:
        """With what the witness has at a capture, and how much of it."""
        counts = {name: float(block.column(name, outbreak.quantity)[outbreak.origin.witness, column]) for name in _COUNTED}
        return replace(outbreak, count=sum(counts.values()), statistic=next((name for name in _COUNTED if counts[name] > 0), "nan_count"))

    def _range_before(self, block: Block, column: int, bad: Floats) -> Floats:
        """Lowest and highest number of each node at its last capture before ``column`` at which all its numbers were finite."""
        low, high = block.column("min")[:, :column], block.column("max")[:, :column]
        finite = (bad[:, :column] == 0) & ~np.isnan(low)
        last = column - 1 - finite[:, ::-1].argmax(1) if column else np.zeros(len(low), np.int64)
        rows = np.flatnonzero(finite.any(1))
        ranges: Floats = self._last_range.copy()
        ranges[rows] = np.stack([low[rows, last[rows]], high[rows, last[rows]]], 1)
        return ranges

    def close(self, step: int) -> None:
        """Ends what still lasts."""
        self._episodes.close(step)
        self._later.close(step)

    def findings(self) -> list[Finding]:
        """One finding for each outbreak, and one for the data it likely came from."""
        told = [*zip(self._outbreaks, self._episodes.all, strict=True), *zip(self._in_data, self._later.all, strict=False)]
        return [self._finding(outbreak, episode) for outbreak, episode in told]

    def _finding(self, outbreak: Outbreak, episode: Episode) -> Finding:
        what, quantity, node = "NaN" if outbreak.statistic == "nan_count" else "Inf", outbreak.quantity, self._facts.names[outbreak.origin.node]
        words = _words(self._facts, outbreak, what)
        evidence: dict[str, float | int | str] = {"count": outbreak.count, "inheriting_nodes": outbreak.inheriting}
        for name, low, high in outbreak.inputs[:4]:
            evidence |= {f"last finite min of {name}": low, f"last finite max of {name}": high}
        return Finding(
            Nonfinite.name,
            f"{what} in {quantity}",
            node,
            quantity,
            outbreak.statistic,
            episode.first_step,
            episode.end,
            "error",
            evidence,
            *words[:2],
            code=words.code,
        )


def _words(facts: Facts, outbreak: Outbreak, what: str) -> Words:
    origin, step = outbreak.origin, outbreak.step
    witness, place = facts.names[origin.witness], location(facts, origin.node)
    count = f"{outbreak.count:,.0f} {what}"
    heirs = f"{outbreak.inheriting} nodes after it inherit" if outbreak.inheriting > 1 else "One node after it inherits"
    inherited = f" {heirs} it." if outbreak.inheriting > 0 else ""
    came_in = "".join(f" `{name}` was last finite between {number(low)} and {number(high)}." for name, low, high in outbreak.inputs[:2])
    if origin.how == "unknown":
        since = f"between steps {outbreak.previous_step:,} and {step:,}" if outbreak.previous_step >= 0 else f"before step {step:,}"
        seen = f"{count} at step {step:,}; the weights have it too" if origin.witness == origin.node else f"`{witness}` has {count} at step {step:,}"
        sentence = f"{seen}, so it began {since}, and where can't be told for certain.{came_in}"
        return Words(
            sentence,
            "Look for NaN in data and targets, and record every step around there:",
            f"tb_activations.ActivationsCallback(log_dir, every=range({max(outbreak.previous_step, 0)}, {step + 1}))",
        )
    if origin.how == "data":
        since = f"at step {step:,}. The weights have it since step {outbreak.previous_step:,} already, which likely came from such data, too."
        return _of_value(facts, origin.node, f"{count} in", since, what)
    if origin.how == "value":
        return _of_value(
            facts, origin.node, f"{count} in", f"at step {step:,}{place}: the first node of the step that has any.{came_in}{inherited}", what
        )
    if origin.how == "backward":
        sentence = f"Its backward pass{place} makes {count} for `{witness}` at step {step:,}, out of a finite gradient.{came_in}{inherited}"
        return Words(
            sentence,
            "Its derivative is undefined at an edge (0 of a root, 1 of an arccos). Keep its input inside; a `where` helps before it, not after it:",
            _away_from_zero(facts.nodes[origin.node]),
        )
    if origin.how == "update":
        return Words(
            f"{count} in the update at step {step:,}, although the gradient is finite: the optimizer itself makes it.",
            "Raise the optimizer's epsilon, lower its learning rate, or use another optimizer:",
            "keras.optimizers.Adam(1e-3, epsilon=1e-5)",
        )
    return Words(f"{count} in the gradient at step {step:,}, the first node in backward order.{inherited}", "Check how the loss is computed from it.")


def _of_value(facts: Facts, row: int, count: str, where: str, what: str) -> Words:
    """What to say of an output that has it, by what kind of node it is."""
    node = facts.nodes[row]
    if node.kind == "input" and not node.inputs:
        sought = "missing values" if what == "NaN" else "logarithms of 0, divisions by 0 and overflows"
        return Words(f"{count} the data {where}", f"Find the {sought} in what the model is given:", "print(np.argwhere(~np.isfinite(x_train)))")
    if node.kind == "loss":
        return Words(f"{count} the loss {where}", *_remedy_of_a_loss(facts, row))
    if node.kind == "variable":
        return Words(f"{count} the weights {where}", "Check how they are initialized, loaded or assigned.")
    if node.dtype == "float16" and what == "Inf":
        return Words(f"{count} the output {where}", "It is beyond the range of float16. Compute it in float32:", 'Layer(..., dtype="float32")')
    if node.activation == "softmax" and what == "NaN":
        return Words(
            f"{count} the output {where}",
            "A row of scores that are all −Inf, as where a mask leaves nothing, has no shares. Mask by a large number that is finite:",
            "scores = keras.ops.where(mask, scores, -1e4)",
        )
    if node.dtype == "float16":
        return Words(
            f"{count} the output {where}",
            "float16 ends at 65,504 (a mask of −1e9 is −Inf, and 0 · Inf is NaN) and at 6e-8 (an epsilon of 1e-8 is 0). Take constants that it has,"
            " or compute this in float32:",
            'Layer(..., dtype="float32")',
        )
    return Words(f"{count} the output {where}", "Keep its input away from where it is undefined or overflows:", _away_from_zero(node))


def _away_from_zero(node: Node) -> str:
    """Code that keeps numbers from being 0, by one that doesn't round to 0 in the type of ``node``."""
    return f"x = keras.ops.maximum(x, {'1e-3' if node.dtype == 'float16' else '1e-7'})"


def _remedy_of_a_loss(facts: Facts, loss: int) -> tuple[str, str]:
    """Of probabilities it takes logarithms; of any other numbers nobody knows what it makes."""
    functions = {facts.nodes[facts.made_by(row)].activation for row in facts.inputs[loss]}
    binary = functions == {"sigmoid"}
    if binary or functions == {"softmax"}:
        return (
            "Check the targets for NaN, and let a loss that takes a logarithm work on logits:",
            f"keras.losses.{'Binary' if binary else 'SparseCategorical'}Crossentropy(from_logits=True)",
        )
    return (
        "Check the targets for NaN and for their size, and keep what the loss divides by, or takes a logarithm or an exponential of, away from where"
        " that is undefined or overflows:",
        "print(np.isfinite(y_train).all(), y_train.min(), y_train.max())",
    )
