"""Sets of small numbers as bits of one integer: reachability in a graph of thousands of nodes is then a matter of milliseconds.

The one invariant: number i is a member when bit i is set. What the numbers stand for is not known here.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

__all__ = ["closure", "members", "union"]


def union(sets: Iterable[int]) -> int:
    return reduce(operator.or_, sets, 0)


def members(bits: int) -> Iterator[int]:
    """The members of a bit set, ascending."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def closure(edges: Sequence[Sequence[int]], marks: Sequence[int] | None = None) -> tuple[int, ...]:
    """For each node the union of the marks of everything that can be reached along ``edges``; by default a mark is the node's own bit.

    Every edge is followed once. Works for cycles too, which a hostile file may have: what lies on one reaches all of it.
    """
    marks = marks or [1 << index for index in range(len(edges))]
    reached = [0] * len(edges)
    for component in _components(edges):
        # Of a cycle nothing is reached yet, so what it reaches of itself are the marks only.
        wider = union(marks[target] | reached[target] for node in component for target in edges[node])
        for node in component:
            reached[node] = wider
    return tuple(reached)


def _components(edges: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """The nodes, those of a cycle together, each after everything that it reaches (Tarjan 1972, without recursion)."""
    met = [0] * len(edges)  # when a node was met, from 1 on; 0: not yet
    lowest = [0] * len(edges)  # the earliest node, still without a component, that it is known to reach
    placed = [False] * len(edges)
    count, waiting = 0, list[int]()
    for root in range(len(edges)):
        path = [] if met[root] else [(root, iter(edges[root]))]
        while path:
            node, targets = path[-1]
            if not met[node]:
                count += 1
                met[node] = lowest[node] = count
                waiting.append(node)
            for target in targets:
                if not met[target]:
                    path.append((target, iter(edges[target])))
                    break
                if not placed[target]:
                    lowest[node] = min(lowest[node], met[target])
            else:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[node])
                if lowest[node] == met[node]:
                    component = [waiting.pop()]
                    while component[-1] != node:
                        component.append(waiting.pop())
                    for member in component:
                        placed[member] = True
                    yield component
