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

    Works for cycles too, which a hostile file may have.
    """
    marks = marks or [1 << index for index in range(len(edges))]
    reached = [union(marks[target] for target in targets) for targets in edges]
    changed = True
    while changed:
        changed = False
        for index in (*range(len(edges) - 1, -1, -1), *range(len(edges))):
            wider = reached[index]
            for target in edges[index]:
                wider |= reached[target]
            if wider != reached[index]:
                reached[index], changed = wider, True
    return tuple(reached)
