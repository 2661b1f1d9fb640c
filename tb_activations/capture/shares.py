"""How many numbers of each tensor a capture keeps where nobody said how many.

The one invariant: samples of one capture together have no more than ``BUDGET`` numbers, except that ``FEWEST`` are kept of each tensor however many
there are. Activations come first, since they are looked at as pictures. Pure: no tensor library.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["BUDGET", "FEWEST", "MOST", "shares"]

MOST = 2048
"""Of one tensor: eight channels of 16×16, or a row of 512 units of each of four examples."""

FEWEST = 64
"""Of one tensor, however many there are."""

BUDGET = 100_000
"""Of one capture: 400 kB of float32, so that a hundred captures, with statistics and histograms, stay below 50 MB."""

_OF_ACTIVATIONS = 0.75
"""The most of the budget that activations may take; gradients, weights and updates share what is left."""


def shares(sizes: Sequence[int], activations: Sequence[bool], budget: int = BUDGET) -> list[int]:
    """The most numbers to keep of tensors that would have samples of ``sizes``; ``activations``: which of them come first."""
    first = [min(size, MOST) for size, comes_first in zip(sizes, activations, strict=True) if comes_first]
    others = [min(size, MOST) for size, comes_first in zip(sizes, activations, strict=True) if not comes_first]
    room = budget - sum(others)
    of_first = _bound(first, max(room, round(budget * _OF_ACTIVATIONS)))
    of_others = _bound(others, budget - sum(min(size, of_first) for size in first))
    return [of_first if comes_first else of_others for comes_first in activations]


def _bound(sizes: Sequence[int], room: int) -> int:
    """The largest bound of each with which all of ``sizes`` fit into ``room``."""
    for index, size in enumerate(sorted(sizes)):
        share = room // (len(sizes) - index)
        if size > share:
            return max(share, FEWEST)
        room -= size
    return MOST
