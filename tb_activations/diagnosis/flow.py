"""How data flows through the nodes of a run: who feeds whom, who depends on whom, and where a variable acts.

The one invariant: what is said here follows from the edges and names of the graph alone. Order is execution order; "downstream" means towards the
loss.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import closure, union
from tb_activations.diagnosis.kinds import TRANSPARENT, WEIGHTED, is_float
from tb_activations.store.nodes import Node
from tb_activations.store.schema import Quantity

__all__ = ["Flow", "Rows", "path_of"]

Rows = npt.NDArray[np.int64]

_CALL = re.compile(r"@\d+(?=[/:]|$)")


class Flow:
    """The nodes of one graph and what leads from one to another, by index into `Run.nodes`."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)
        self.names = tuple(node.name for node in nodes)

    @cached_property
    def index(self) -> dict[str, int]:
        """Where each node stands, by its name."""
        return {name: row for row, name in enumerate(self.names)}

    def select(self, condition: Callable[[Node], bool]) -> Rows:
        """Indices of the nodes for which ``condition`` holds, in execution order."""
        return np.array([index for index, node in enumerate(self.nodes) if condition(node)], np.int64)

    @cached_property
    def flow(self) -> Rows:
        """Nodes through which data flows: all but variables."""
        return self.select(lambda node: node.kind != "variable")

    @cached_property
    def variables(self) -> Rows:
        """All variables."""
        return self.select(lambda node: node.kind == "variable")

    @cached_property
    def losses(self) -> Rows:
        """Loss nodes. The first is the total: not an inner one, whose gradients another is computed from."""
        losses = self.select(lambda node: node.kind == "loss")
        return np.array(sorted(losses.tolist(), key=lambda row: bool(self.nodes[row].attributes.get("inner"))), np.int64)

    @cached_property
    def inputs(self) -> tuple[tuple[int, ...], ...]:
        """For each node the nodes whose value it consumes, variables left out. What is `inside` a layer is looked through: it is part of the layer.

        Where the graph file has no edges at all, the order of execution stands in for them.
        """
        return tuple(self._looked_through(sources) if self.inside else sources for sources in self._edges)

    def _looked_through(self, sources: Sequence[int]) -> tuple[int, ...]:
        found, waiting = set[int](), list(sources)
        while waiting:
            source = waiting.pop()
            if source not in found:
                found.add(source)
                waiting.extend(self._edges[source] if source in self.inside else ())
        return tuple(sorted(found - self.inside.keys()))

    @cached_property
    def inside(self) -> dict[int, int]:
        """Activation functions that a layer of a user computes in its `call`, each with the node of that layer (itself, where that is none)."""
        found = {row: node.attributes["inside"] for row, node in enumerate(self.nodes) if node.kind == "op" and "inside" in node.attributes}
        return {row: self.index.get(str(layer), row) for row, layer in found.items()}

    @cached_property
    def _edges(self) -> tuple[tuple[int, ...], ...]:
        edges = tuple(tuple(i for i in node.inputs if self.nodes[i].kind != "variable" and i != own) for own, node in enumerate(self.nodes))
        if any(edges):
            return edges
        previous = dict(zip(self.flow[1:].tolist(), self.flow[:-1].tolist(), strict=True))
        return tuple((previous[index],) if index in previous else () for index in range(len(self.nodes)))

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For each node the nodes that consume its value; what is `inside` a layer consumes nothing of its own."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for index, (inputs, edges) in enumerate(zip(self.inputs, self._edges, strict=True)):
            for source in inputs if index not in self.inside else ():
                found[source].append(index)
            for source in self.inside.keys() & edges:
                found[source].append(index)
        return tuple(tuple(items) for items in found)

    @cached_property
    def owners(self) -> tuple[int | None, ...]:
        """For each variable the layer that it belongs to (its first call): the innermost one above its name whose output reaches a loss.

        The cell of a recurrent layer runs inside a loop, where its output can't be followed; its weights then belong to the recurrent layer.
        """
        layers: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            if node.kind != "variable":
                layers.setdefault(path_of(node), []).append(index)
        return tuple(self._owner(node.name, layers) if node.kind == "variable" else None for node in self.nodes)

    def _owner(self, name: str, layers: dict[str, list[int]]) -> int | None:
        innermost = None
        while "/" in name:
            name = name.rsplit("/", 1)[0]
            calls = layers.get(name, [])
            if calls and innermost is None:
                innermost = calls[0]
            if any(self.reaches_loss(call) for call in calls):
                return calls[0]
        return innermost

    @cached_property
    def calls(self) -> dict[int, tuple[int, ...]]:
        """For each owner all nodes that are calls of the same layer."""
        by_path: dict[str, list[int]] = {}
        for index in self.flow.tolist():
            by_path.setdefault(path_of(self.nodes[index]), []).append(index)
        return {calls[0]: tuple(calls) for calls in by_path.values()}

    @cached_property
    def owned(self) -> dict[int, tuple[int, ...]]:
        """For each layer node its variables. Every call of a shared layer has them."""
        found: dict[int, list[int]] = {}
        for variable, owner in enumerate(self.owners):
            for call in self.calls.get(owner, ()) if owner is not None else ():
                found.setdefault(call, []).append(variable)
        return {index: tuple(items) for index, items in found.items()}

    @cached_property
    def downstream(self) -> tuple[int, ...]:
        """For each node a bit set of the nodes that depend on it, itself left out."""
        following: list[list[int]] = [[] for _ in self.nodes]
        for index, edges in enumerate(self._edges):
            for source in edges:
                following[source].append(index)
        return closure(following)

    @cached_property
    def upstream(self) -> tuple[int, ...]:
        """For each node a bit set of the nodes that it depends on, itself left out."""
        return closure(self._edges)

    def depends(self, later: int, earlier: int) -> bool:
        """Whether the value of ``later`` depends on the value of ``earlier``. A variable counts as the calls of its layer."""
        sources, targets = self.places(earlier), self.places(later)
        return any(target == source or self.downstream[source] >> target & 1 for source in sources for target in targets)

    def places(self, index: int) -> tuple[int, ...]:
        """Where a node acts in the flow: a variable acts at the calls of its layer."""
        owner = self.owners[index]
        return (index,) if owner is None else self.calls.get(owner, (owner,))

    @cached_property
    def float_inputs(self) -> Rows:
        """Inputs of the network that are floating-point."""
        return self.select(lambda node: node.kind == "input" and not node.inputs and is_float(node.dtype))

    @cached_property
    def multiplied_inputs(self) -> Rows:
        """Inputs of whole numbers that layers of Keras multiply by weights: they make floats of what they are given.

        What a layer is given beside something else is a mask, as where words are missing.
        """
        whole = self.select(lambda node: node.kind == "input" and not node.inputs and not is_float(node.dtype))

        def multiplies(node: int) -> bool:
            return self.nodes[node].class_name in WEIGHTED and len(self.inputs[node]) == 1

        return whole[np.array([any(map(multiplies, self.next_effective(row))) for row in whole.tolist()], np.bool_)]

    @cached_property
    def whole_inputs(self) -> tuple[tuple[int, int], ...]:
        """Inputs of whole numbers, each with what takes it without weights and gives floats: the same numbers, or what they stand for."""
        whole = self.select(lambda node: node.kind == "input" and not node.inputs and not is_float(node.dtype))
        pairs = [(row, taken) for row in whole.tolist() for taken in self.consumers[row]]
        return tuple((row, taken) for row, taken in pairs if is_float(self.nodes[taken].dtype) and taken not in self.owned)

    @cached_property
    def input_numbers(self) -> int:
        """How many numbers make one example; 0 where it isn't known."""
        shapes = [node.shape for node in self.nodes if node.kind == "input" and not node.inputs]
        if not shapes or any(shape is None or None in shape[1:] for shape in shapes):
            return 0
        return sum(math.prod(extent or 1 for extent in (shape or ())[1:]) for shape in shapes)

    def is_recorded(self, index: int, quantity: Quantity) -> bool:
        """Whether a quantity of a node is recorded, by the plan: also where no capture has arrived yet."""
        state = self.nodes[index].quantities.get(quantity)
        return state is not None and state.reason in (None, "not_captured_yet")

    def reason(self, index: int, quantity: Quantity) -> str | None:
        """The code of why a quantity of a node isn't recorded; None where it is, and where the node has no such quantity."""
        state = self.nodes[index].quantities.get(quantity)
        return None if state is None else state.reason

    def has_no_optimizer(self, variable: int, quantity: Quantity) -> bool:
        """Whether a variable could be trained, and no optimizer was asked to."""
        return self.reason(variable, quantity) in ("no_optimizer_step", "frozen_from_above")

    def reaches_loss(self, index: int) -> bool:
        """Whether a loss depends on the node; in a graph without losses everything counts."""
        return not self._losses or bool(self.downstream[index] & self._losses)

    @cached_property
    def _losses(self) -> int:
        return union(1 << loss for loss in self.losses.tolist())

    def next_effective(self, index: int) -> list[int]:
        """The first nodes after ``index`` that do more than pass its numbers on."""
        found, pending, seen = [], list(self.consumers[index]), set()
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            if self.nodes[node].class_name in TRANSPARENT or self.nodes[node].kind == "input":
                pending.extend(self.consumers[node])
            else:
                found.append(node)
        return sorted(found)


def path_of(node: Node) -> str:
    """The name of a node without the numbers of calls and the key of the output."""
    return _CALL.sub("", node.name).split(":")[0]
