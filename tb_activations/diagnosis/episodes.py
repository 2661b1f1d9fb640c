"""Turns a condition at every node and capture into episodes: since when, until when, long enough to be told.

The one invariant: an episode depends only on what was seen up to the capture at which it opens, so splitting a run into blocks in another way gives
the same episodes, and one that was opened is never taken back. What the condition means is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Episode", "Episodes", "Persistence"]

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


class Episodes:
    """Follows one condition over the captures of a run, for many rows at once."""

    def __init__(self, rows: int, persistence: Persistence) -> None:
        self._persistence = persistence
        self._run = np.zeros(rows, np.int64)
        self._missed = np.zeros(rows, np.int64)
        self._first = np.zeros(rows, np.int64)
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
        active = np.flatnonzero(holds.any(1) | (self._run > 0) | (self._missed > 0))
        held, decided = holds[active] & known[active], known[active]
        at_once = None if urgent is None else urgent[active]
        for column in range(len(steps) if len(active) else 0):
            self._advance(active, held, decided[:, column], None if at_once is None else at_once[:, column], steps, column, evidence)
        for row, episode in self._open.items():
            _extend(episode, held[np.searchsorted(active, row)], steps, evidence)

    def _advance(
        self, active: Ints, held: Bools, decided: Bools, urgent: Bools | None, steps: Ints, column: int, evidence: Mapping[str, Floats]
    ) -> None:
        holds, step = held[:, column], steps[column]
        run, missed = self._run[active], self._missed[active]
        self._first[active] = first = np.where(holds & (run == 0), step, self._first[active])
        self._run[active] = run = np.where(holds, run + 1, np.where(decided, 0, run))
        missed = np.where(holds, 0, np.where(decided, missed + 1, missed))
        over = missed >= self._persistence.patience
        self._missed[active] = np.where(over, 0, missed)
        ripe = (run >= self._persistence.captures) & (step - first >= self._persistence.steps)
        ripe = holds & (ripe if urgent is None else ripe | urgent)
        for position in np.flatnonzero(ripe).tolist():
            row = int(active[position])
            if row not in self._open:
                self._open[row] = episode = Episode(row, int(first[position]), int(step))
                self.all.append(episode)
        for position in np.flatnonzero(over).tolist() if self._open else ():
            ended = self._open.pop(int(active[position]), None)
            if ended is not None:
                _extend(ended, held[position, : column + 1], steps, evidence)
                ended.closed_at = int(step)


def _extend(episode: Episode, held: Bools, steps: Ints, evidence: Mapping[str, Floats]) -> None:
    """Moves the end of an episode to the last of ``steps`` at which the condition held."""
    columns = np.flatnonzero(held)
    if len(columns):
        episode.last_step = int(steps[columns[-1]])
        episode.evidence = {name: float(values[episode.row, columns[-1]]) for name, values in evidence.items()}
