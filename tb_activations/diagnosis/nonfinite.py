"""Where NaN and infinity come from.

The one invariant: the origin is the first node in execution order that has them while everything it was computed from is finite, forward or, where
the forward pass is finite, backward. Infinities that reach neither a loss nor a gradient nor a weight are no trouble: masks are made of them.
Where it began between two captures, data that has it later on is told too: nothing that is computed flows into data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import AT_ONCE, Episode, Episodes
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding
from tb_activations.diagnosis.kinds import MASKING, RECURRENT, TRANSPARENT, is_of_users
from tb_activations.diagnosis.rule import Rule, Watch, Words, location, number
from tb_activations.store.nodes import Node
from tb_activations.store.schema import QUANTITIES, Quantity

__all__ = ["Nonfinite"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

PATIENCE = 5
"""Captures without NaN or infinity after which the trouble is over."""

LAST = 0.999 * float(np.finfo(np.float32).max)
"""The end of float32, but for what rounding takes."""

RISKY = frozenset(
    [
        "Log",
        "Log1p",
        "Log10",
        "Log2",
        "Sqrt",
        "Rsqrt",
        "Divide",
        "TrueDivide",
        "Reciprocal",
        "Power",
        "Exp",
        "Expm1",
        "Arccos",
        "Arcsin",
        "Arctanh",
        "Norm",
        "Normalize",
        "Tan",
        "Logsumexp",
    ]
)
"""Operations that are not defined, not differentiable or not finite for some finite input."""

UNBOUNDED = frozenset({"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "linear"})
"""Activation functions without an upper end. In a recurrent layer what they give is multiplied by the same weights at each time step."""

How = Literal["value", "gradient", "backward", "update", "unknown", "data"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where it began.

    Attributes:
      node: the node to tell of.
      how: `value`: its output; `gradient`: what flowed back to it; `backward`: what it handed back; `update`: what the optimizer did to it;
        `unknown`: it began between two captures; `data`: it came in after that, too.
      witness: the node whose recorded numbers show it.
    """

    node: int
    how: How
    witness: int


@dataclass(frozen=True, slots=True)
class Outbreak:
    """What was seen at the first capture with NaN or infinity.

    Attributes:
      previous_step: the last recorded step before it; −1 when there is none.
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
        has["value"] = _with_hidden(self._facts, has["value"], *(block.column(end)[:, column] for end in ("min", "max")))
        origin = _find_origin(self._facts, has["value"], has["gradient"], has["update"], is_next=step - previous == 1)
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


def _with_hidden(facts: Facts, value: Bools, low: Floats, high: Floats) -> Bools:
    """``value``, and the nodes that make the last number of float32 out of an infinity that comes in: the maximum of a pooling begins there, so what
    it gives for nothing but −Inf is finite, and overflows in the next layer."""
    at_the_end = np.maximum(np.abs(low), np.abs(high)) >= LAST
    hidden: Bools = value.copy()
    for node in facts.flow[at_the_end[facts.flow]].tolist():
        hidden[node] |= hidden[list(facts.inputs[node])].any()
    return hidden


def _find_origin(facts: Facts, value: Bools, gradient: Bools, update: Bools, is_next: bool) -> Origin:
    """Where it began at one capture, given which nodes have it in which quantity, and whether the step before was recorded too (or there is none)."""
    weights = facts.variables[value[facts.variables]]
    if len(weights):
        return Origin(int(weights[0]), "value", int(weights[0])) if is_next else _of_weights(facts, value, weights)
    forward = [int(node) for node in facts.flow[value[facts.flow]] if not value[list(facts.inputs[node])].any()]
    reaching = [node for node in forward if _reaches(facts, node, value)]
    if reaching and value[facts.losses].any():
        return Origin(reaching[0], "value", reaching[0])
    backward = facts.flow[gradient[facts.flow]]
    first = [int(node) for node in backward[::-1] if not gradient[list(facts.consumers[node])].any()]
    if first:
        return _of_backward(facts, value, first[0])
    kernels = facts.variables[gradient[facts.variables]]
    if len(kernels):
        return _of_kernel(facts, value, int(kernels[-1]))
    changed = np.flatnonzero(update)
    if len(changed):
        return Origin(int(changed[0]), "update", int(changed[0]))
    node = (reaching or forward or [int(np.flatnonzero(value)[0])])[0]
    return Origin(node, "value", node)


def _reaches(facts: Facts, node: int, value: Bools) -> bool:
    """Whether what began at ``node`` goes on: a consumer has it too, or nothing comes after."""
    consumers = facts.consumers[node]
    return not consumers or bool(value[list(consumers)].any())


def _of_weights(facts: Facts, value: Bools, weights: Ints) -> Origin:
    """Weights that have it already made everything after them so. Which operation it was is over; what can be undefined is the best guess: a risky
    operation, a layer of the user's own, a recurrence that nothing bounds, or the loss, as other layers of Keras make no NaN out of usual numbers."""
    owners = {facts.owners[int(weight)] for weight in weights}
    owner = next(iter(owners))
    if len(owners) == 1 and len(weights) < len(facts.variables) and owner is not None:
        return _beside(facts, value, owner, int(weights[0]))
    data = [node for node in facts.flow[value[facts.flow]].tolist() if not facts.inputs[node] and facts.nodes[node].kind == "input"]
    if data:
        return Origin(data[0], "value", data[0])
    ill = facts.flow[value[facts.flow]].tolist()
    node = max(ill, key=lambda node: (_suspicion(facts.nodes[node]), -node), default=int(weights[0]))
    return Origin(int(node), "unknown", int(node))


def _beside(facts: Facts, value: Bools, owner: int, weight: int) -> Origin:
    """The weights of one layer only have it: it came in, or what comes next handed it back, or the layer made it."""
    known = _came_in(facts, value, owner)
    if known is not None:
        return known
    near = [*facts.inputs[owner], *facts.next_effective(owner)]
    suspect = max(near, key=lambda node: _suspicion(facts.nodes[node]), default=owner)
    return (
        Origin(suspect, "unknown", suspect if value[suspect] else weight) if _suspicion(facts.nodes[suspect]) > 2 else Origin(weight, "value", weight)
    )


def _suspicion(node: Node) -> int:
    """How likely a node makes NaN out of usual numbers. A layer of a class that doesn't come with Keras may hold any operation, and a recurrence that
    nothing bounds grows from time step to time step."""
    if node.class_name in RISKY:
        return 4
    if node.kind == "layer" and (is_of_users(node.class_name) or _may_run_away(node)):
        return 3
    return 2 if node.kind == "loss" else 0 if node.class_name in TRANSPARENT or node.class_name in MASKING else 1


def _may_run_away(node: Node) -> bool:
    return node.class_name in RECURRENT and (node.attributes.get("activation") or node.activation) in UNBOUNDED


def _of_backward(facts: Facts, value: Bools, node: int) -> Origin:
    """The gradient at ``node`` is the first that has it, so what consumes its value made it: by itself, or out of what came in forward. If its own
    output has it, it was made there: a ReLU after it made 0 out of that."""
    consumers = [consumer for consumer in facts.consumers[node] if consumer != node]
    if not consumers:
        return Origin(node, "gradient", node)
    maker = max(consumers, key=lambda consumer: (_suspicion(facts.nodes[consumer]), consumer))
    return _came_in(facts, value, maker) or (Origin(maker, "value", maker) if value[maker] else Origin(maker, "backward", node))


def _of_kernel(facts: Facts, value: Bools, kernel: int) -> Origin:
    """The gradient of a weight is made of that of its layer's output, which is finite, and of the layer's input."""
    owner = facts.owners[kernel]
    if owner is None:
        return Origin(kernel, "backward", kernel)
    return _came_in(facts, value, owner) or Origin(owner, "backward", kernel)


def _came_in(facts: Facts, value: Bools, node: int) -> Origin | None:
    """Where the NaN or infinity began that ``node`` reads in the forward pass; None where it reads none.

    Its output may be finite all the same: a ReLU on a CPU makes 0 out of NaN, and then neither activations nor the loss show anything.
    """
    source = None
    reading = [before for before in facts.inputs[node] if value[before]]
    while reading:
        source = reading[0]
        reading = [before for before in facts.inputs[source] if value[before]]
    return None if source is None else Origin(source, "value", source)


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
            "Record every step around there:",
            f"tb_activations.ActivationsCallback(log_dir, every=range({max(outbreak.previous_step, 0)}, {step + 1}))",
        )
    if origin.how == "data":
        since = f"at step {step:,}. The weights have it since step {outbreak.previous_step:,} already, which likely came from such data, too."
        return _of_value(facts.nodes[origin.node], f"{count} in", since, what)
    if origin.how == "value":
        return _of_value(
            facts.nodes[origin.node], f"{count} in", f"at step {step:,}{place}: the first node of the step that has any.{came_in}{inherited}", what
        )
    if origin.how == "backward":
        sentence = f"Its backward pass{place} makes {count} for `{witness}` at step {step:,}, out of a finite gradient.{came_in}{inherited}"
        return Words(sentence, "Its derivative is undefined there; a `where` doesn't help after it, only before:", "x = keras.ops.maximum(x, 1e-7)")
    if origin.how == "update":
        return Words(
            f"{count} in the update at step {step:,}, although the gradient is finite: the optimizer itself makes it.",
            "Raise the optimizer's epsilon, lower its learning rate, or use another optimizer:",
            "keras.optimizers.Adam(1e-3, epsilon=1e-5)",
        )
    return Words(f"{count} in the gradient at step {step:,}, the first node in backward order.{inherited}", "Check how the loss is computed from it.")


def _of_value(node: Node, count: str, where: str, what: str) -> Words:
    """What to say of an output that has it, by what kind of node it is."""
    if node.kind == "input" and not node.inputs:
        return Words(f"{count} the data {where}", "Find the missing values in what the model is given:", "print(np.argwhere(~np.isfinite(x_train)))")
    if node.kind == "loss":
        return Words(
            f"{count} the loss {where}",
            "Check the targets for NaN, and let a loss that takes a logarithm or a quotient work on logits:",
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
        )
    if node.kind == "variable":
        return Words(f"{count} the weights {where}", "Check how they are initialized, loaded or assigned.")
    if node.dtype == "float16" and what == "Inf":
        return Words(f"{count} the output {where}", "It is beyond the range of float16. Compute it in float32:", 'Layer(..., dtype="float32")')
    return Words(f"{count} the output {where}", "Keep its input away from where it is undefined or overflows:", "x = keras.ops.maximum(x, 1e-7)")
