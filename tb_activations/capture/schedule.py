"""Which steps are captured.

The one invariant: whether a step is due depends on its number alone, so a resumed training captures the same steps. Pure: no tensor library.
"""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable, Collection
from typing import Any, Literal

from tb_activations.errors import ArgumentError

__all__ = ["Every", "Schedule"]

Every = int | Collection[int] | Callable[[int], bool] | Literal["auto"]


class Schedule:
    """The steps that are due.

    Args:
      every: an int n (steps 0, n, 2n, …), a collection of steps (a list, a set, a range), a function of the step that returns a bool, or "auto":
        the first 20 steps, then every 5th, 10th, 25th and 50th, from 400 on every hundredth. Most of what goes wrong shows in the first steps, a
        short training would have one or two captures of every hundredth step, and a long one doesn't notice the 34 more.
    """

    def __init__(self, every: Every) -> None:
        self.due: Callable[[int], bool]
        self.description: Any
        if isinstance(every, str) and every == "auto":
            self.due, self.description = _denser_at_first, every
        elif callable(every):
            self.due, self.description = functools.partial(_asked, every), getattr(every, "__qualname__", repr(every))
        elif isinstance(every, range):
            if not len(every) or max(every[0], every[-1]) < 0:
                raise _unusable(every)
            self.due, self.description = every.__contains__, repr(every)
        elif isinstance(every, Collection) and not isinstance(every, (str, bytes)):
            steps = frozenset(_step(step, every) for step in every)
            if not steps:
                raise _unusable(every)
            self.due, self.description = steps.__contains__, _named(sorted(steps))
        else:
            interval = _step(every, every)
            if interval < 1:
                raise _unusable(every)
            self.due, self.description = range(0, sys.maxsize, interval).__contains__, interval


_NAMED = 100
"""Of more steps only their number is named."""
_INTERVALS = (100, 50, 25, 10, 5)


def _denser_at_first(step: int) -> bool:
    """From one capture to the next it is a quarter of the steps so far at most: what lies between two is of much the same network."""
    interval = next((interval for interval in _INTERVALS if interval <= step / 4), 1)
    return step % interval == 0


def _asked(every: Callable[[int], bool], step: int) -> bool:
    return bool(every(step))


def _named(steps: list[int]) -> list[int] | str:
    """What the list of nodes says of it; there are as many lists as generations of the graph."""
    return steps if len(steps) <= _NAMED else f"{len(steps):,} steps from {steps[0]:,} to {steps[-1]:,}"


def _step(value: Any, every: Any) -> int:
    try:
        step = operator.index(value)
    except TypeError:
        raise _unusable(every) from None
    if step < 0 or isinstance(value, bool):
        raise _unusable(every)
    return step


def _unusable(every: Any) -> ArgumentError:
    return ArgumentError(
        "`every` must be a positive int (a capture every so many steps), a collection of steps such as [0, 10, 100] or range(0, 1000, 50), "
        f'a function that takes a step and returns a bool, or "auto". Received: every={every!r}'
    )
