"""Random operations whose numbers depend on how often they ran.

The one invariant: the graph is only read. `tf.random.normal` and its like keep a counter in the kernel of each traced function: the twin has
one of its own, so on recorded steps they draw other numbers than the plain step would have drawn. `keras.random` with a seed generator,
`tf.random.stateless_…` and `tf.random.Generator` keep theirs in variables or have none, and draw the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

__all__ = ["stateful_draws"]


_DRAWS_NOTHING = "ComputeAccidentalHits"  # which is given a seed all the same


def stateful_draws(graph: tf.Graph) -> list[str]:
    """The types of such operations in ``graph`` and in the functions it calls, sorted. Without any seed no two trainings draw the same anyway."""
    seeded = {node.op for node in _nodes(graph) if "seed2" in node.attr and (node.attr["seed"].i or node.attr["seed2"].i)}
    return sorted(seeded - {_DRAWS_NOTHING})


def _nodes(graph: tf.Graph) -> Iterator[Any]:
    for op in graph.get_operations():
        if any(attribute.name == "seed2" for attribute in op.op_def.attr):
            yield op.node_def
    for function in graph._functions.values():  # bodies of loops, branches, functions of their own
        yield from function.cached_definition.node_def
