"""The graphs that the traces of one step gave.

The one invariant: traces that differ in nothing but extents (the sequences of this batch are longer) are one generation, in whose graph these
extents are unknown. Steps that run eagerly are traced anew each time, and must not make a graph file for each length.
"""

from __future__ import annotations

from dataclasses import replace

from tb_activations.capture.catalogue import Catalogue
from tb_activations.store.schema import Graph, NodeRecord, Operation

__all__ = ["Generations"]


class Generations:
    """The catalogues of one twin, each by the key with which a trace names it."""

    def __init__(self) -> None:
        self._catalogues: dict[str, Catalogue] = {}

    def __getitem__(self, key: str) -> Catalogue:
        return self._catalogues[key]

    def add(self, catalogue: Catalogue) -> str:
        """The key of a trace's catalogue: a new one, or that of an earlier trace whose nodes are the same."""
        for key, known in reversed(self._catalogues.items()):
            graph = _widened(known.graph, catalogue.graph)
            if graph is known.graph:
                return key
            if graph is not None:
                # A key of its own: how much of each tensor is kept depends on extents. Earlier traces run on, in the same generation.
                catalogue = replace(known, graph=graph)
                self._put(known.graph, catalogue)
                break
        key = f"generation_{len(self._catalogues)}"
        self._catalogues[key] = catalogue
        return key

    def complete(self, key: str, operations: tuple[Operation, ...]) -> None:
        """Adds the operations of the trace that ran to the graph that ``key`` belongs to."""
        known = self._catalogues[key]
        self._put(known.graph, replace(known, graph=replace(known.graph, operations=operations)))

    def _put(self, graph: Graph, catalogue: Catalogue) -> None:
        """Puts ``catalogue`` in the place of all that have this graph."""
        self._catalogues = {name: catalogue if other.graph is graph else other for name, other in self._catalogues.items()}


def _widened(known: Graph, other: Graph) -> Graph | None:
    """``known`` with None for each extent that is another one in ``other``, itself where there is none; None where they differ in more.

    A graph with other extents is without the operations of the trace that it was.
    """
    if len(known.nodes) != len(other.nodes):
        return None
    nodes = tuple(_widened_node(ours, theirs) for ours, theirs in zip(known.nodes, other.nodes, strict=True))
    if replace(known, nodes=()) != replace(other, nodes=()) or None in nodes:
        return None
    is_known = all(node is ours for node, ours in zip(nodes, known.nodes, strict=True))
    return known if is_known else replace(known, nodes=tuple(node for node in nodes if node is not None), operations=())


def _widened_node(known: NodeRecord, other: NodeRecord) -> NodeRecord | None:
    if known == other:
        return known
    if known.kind == "variable" or known.shape is None or other.shape is None or len(known.shape) != len(other.shape):
        return None
    shape = tuple(extent if extent == theirs else None for extent, theirs in zip(known.shape, other.shape, strict=True))
    if replace(known, shape=shape) != replace(other, shape=shape):
        return None
    return known if shape == known.shape else replace(known, shape=shape)
