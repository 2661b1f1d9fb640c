"""Where NaN and infinity began, at one capture.

The one invariant: the origin is the first node in execution order that has them while everything it was computed from is finite, forward or, where
the forward pass is finite, backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Floats
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import MASKING, RECURRENT, TRANSPARENT, is_of_users
from tb_activations.store.nodes import Node

__all__ = ["Origin", "find_origin", "with_hidden"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

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


def with_hidden(facts: Facts, value: Bools, low: Floats, high: Floats) -> Bools:
    """``value``, and the nodes that make the last number of float32 out of an infinity that comes in: the maximum of a pooling begins there, so what
    it gives for nothing but −Inf is finite, and overflows in the next layer."""
    at_the_end = np.maximum(np.abs(low), np.abs(high)) >= LAST
    hidden: Bools = value.copy()
    for node in facts.flow[at_the_end[facts.flow]].tolist():
        hidden[node] |= hidden[list(facts.inputs[node])].any()
    return hidden


def find_origin(facts: Facts, value: Bools, gradient: Bools, update: Bools, is_next: bool) -> Origin:
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
