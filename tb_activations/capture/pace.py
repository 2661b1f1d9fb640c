"""How long steps take without a capture, so that what a capture costs can be told.

The one invariant: what comes between two steps, such as an evaluation, counts as no step.
"""

from __future__ import annotations

import time
from collections import deque
from statistics import median

__all__ = ["Pace"]


class Pace:
    """The last idle steps."""

    def __init__(self) -> None:
        self._idle: deque[float] = deque(maxlen=32)
        self._began: tuple[float, int] | None = None

    def begin(self, steps: int, *, idle: bool) -> None:
        """An execution of so many steps begins, and so the last one has ended."""
        now = time.perf_counter()
        if self._began is not None:
            self.add((now - self._began[0]) / self._began[1])
        self._began = (now, steps) if idle else None

    def pause(self) -> None:
        """What comes before the next execution is no step."""
        self._began = None

    def add(self, seconds: float) -> None:
        """A step without a capture took so long."""
        self._idle.append(seconds)

    def overhead(self, seconds: float) -> float:
        """How much longer a step with a capture took than the median of the others, in seconds; NaN where there are none."""
        return max(seconds - median(self._idle), 0.0) if self._idle else float("nan")
