"""Turns a condition at every node and capture into episodes: since when, until when, long enough to be told.

The one invariant: an episode depends only on what was seen up to the capture at which it opens, so splitting a run into blocks in another way gives
the same episodes, and one that was opened is never taken back. What the condition means is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Episode", "Episodes", "Persistence", "Stretches"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long a condition must hold before it is told, and be gone before it counts as over.

    Attributes:
      captures: captures in a row at which it holds.
      steps: train steps from the first to the last of them. Without it, three captures of consecutive steps would be one moment.
      patience: captures in a row without it that end an episode.
    """

    captures: int = 3
    steps: int = 10
    patience: int = 5


MOST = 1_000
"""Episodes that are kept of one condition, the first ones: what comes and goes at every node has been told by then."""

AT_ONCE = Persistence(captures=1, steps=0)


@dataclass(slots=True)
class Episode:
    """One stretch of captures at which the condition held at one row.

    Attributes:
      row: which row.
      first_step: the first step at which it held.
      opened_at: the step at which it had lasted long enough to be told.
      last_step: the last step at which it held so far.
      closed_at: the step at which it counted as over; None while it lasts.
      evidence: numbers at `last_step`.
    """

    row: int
    first_step: int
    opened_at: int
    last_step: int = -1
    closed_at: int | None = None
    evidence: dict[str, float] = field(default_factory=dict)

    @property
    def end(self) -> int | None:
        """The last step of a finding made of it; None while it lasts."""
        return None if self.closed_at is None else self.last_step


class _Course(NamedTuple):
    """How the condition went at some rows over some captures, arrays [rows, c].

    Attributes:
      first: the step at which the latest stretch of holding began.
      ripe: whether it has lasted long enough to be told.
      over: whether it has been gone long enough to count as over.
    """

    first: Ints
    ripe: Bools
    over: Bools


class Episodes:
    """Follows one condition over the captures of a run, for many rows at once."""

    def __init__(self, rows: int, persistence: Persistence) -> None:
        self._persistence = persistence
        self._stretches = Stretches(rows, persistence)
        self._missed = np.zeros(rows, np.int64)
        self._open: dict[int, Episode] = {}
        self.all: list[Episode] = []

    def update(self, steps: Ints, holds: Bools, known: Bools, evidence: Mapping[str, Floats], urgent: Bools | None = None) -> None:
        """Takes in the next captures.

        Args:
          steps: int64[c].
          holds: bool[rows, c], whether the condition holds.
          known: bool[rows, c], whether it could be decided; where not, the capture neither continues nor ends anything.
          evidence: arrays [rows, c] of the numbers to show.
          urgent: bool[rows, c], where it is told at once when it holds.
        """
        active = np.flatnonzero(holds.any(1) | (self._stretches.count > 0) | (self._missed > 0))
        if not len(active) or not len(steps):
            return
        held = holds[active] & known[active]
        course = self._advance(active, held, known[active] & ~held, steps, None if urgent is None else urgent[active])
        opened: list[tuple[int, Episode]] = []
        for position in np.flatnonzero(course.ripe.any(1) | np.isin(active, list(self._open))).tolist():
            opened += self._turn(int(active[position]), _Course(*(array[position] for array in course)), held[position], steps, evidence)
        opened.sort(key=lambda entry: (entry[0], entry[1].row))
        self.all += [episode for _, episode in opened[: MOST - len(self.all)]]

    def close(self, step: int) -> None:
        """Ends the episodes that last, as of ``step``."""
        for episode in self._open.values():
            episode.closed_at = step
        self._open.clear()

    def _advance(self, active: Ints, held: Bools, gone: Bools, steps: Ints, urgent: Bools | None) -> _Course:
        """Counts holding and missing captures on from the last ones of the block before."""
        first, lasting = self._stretches.feed(active, steps, held, gone)
        missed = _count_since(gone, held, self._missed[active])
        self._missed[active] = missed[:, -1] % self._persistence.patience
        return _Course(first, held & (lasting if urgent is None else lasting | urgent), gone & (missed % self._persistence.patience == 0))

    def _turn(self, row: int, course: _Course, held: Bools, steps: Ints, evidence: Mapping[str, Floats]) -> list[tuple[int, Episode]]:
        """Opens and closes the episodes of one row. Returns those that opened, and at which column."""
        opened = []
        episode, column = self._open.pop(row, None), -1
        while True:
            column = _next(course.ripe if episode is None else course.over, column)
            if column < 0:
                break
            if episode is None:
                episode = Episode(row, int(course.first[column]), int(steps[column]))
                opened.append((column, episode))
            else:
                _extend(episode, held[: column + 1], steps, evidence)
                episode.closed_at, episode = int(steps[column]), None
        if episode is not None:
            _extend(episode, held, steps, evidence)
            self._open[row] = episode
        return opened


class Stretches:
    """For how long a condition has held without a break, for many rows at once.

    Attributes:
      count: captures, [rows].
    """

    def __init__(self, rows: int, persistence: Persistence) -> None:
        self._persistence = persistence
        self.count = np.zeros(rows, np.int64)
        self._first = np.zeros(rows, np.int64)

    def feed(self, rows: Ints, steps: Ints, held: Bools, gone: Bools) -> tuple[Ints, Bools]:
        """Takes in the next captures of some rows. Returns the step at which the latest stretch began, and whether that was long enough ago."""
        run = _count_since(held, gone, self.count[rows])
        start = _latest(held & (run == 1))
        first = np.where(start >= 0, steps[start], self._first[rows, None])
        self.count[rows], self._first[rows] = run[:, -1], first[:, -1]
        return first, (run >= self._persistence.captures) & (steps - first >= self._persistence.steps)


def _latest(marks: Bools) -> Ints:
    """For each cell the column of the latest mark in its row, itself included; -1 without one."""
    return np.maximum.accumulate(np.where(marks, np.arange(marks.shape[1]), -1), axis=1)


def _count_since(marks: Bools, ends: Bools, before: Ints) -> Ints:
    """For each cell the number of marks in its row since the latest end; ``before``: how many there were when the block began."""
    total, end = np.cumsum(marks, axis=1), _latest(ends)
    return total - np.where(end >= 0, np.take_along_axis(total, np.maximum(end, 0), axis=1), -before[:, None])


def _next(marks: Bools, column: int) -> int:
    """The first column with a mark after ``column``; -1 without one."""
    later = marks[column + 1 :]
    found = int(later.argmax()) if later.any() else -1
    return column + 1 + found if found >= 0 else -1


def _extend(episode: Episode, held: Bools, steps: Ints, evidence: Mapping[str, Floats]) -> None:
    """Moves the end of an episode to the last of ``steps`` at which the condition held."""
    columns = np.flatnonzero(held)
    if len(columns):
        episode.last_step = int(steps[columns[-1]])
        episode.evidence = {name: float(values[episode.row, columns[-1]]) for name, values in evidence.items()}
