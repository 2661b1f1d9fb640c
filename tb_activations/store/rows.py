"""Which capture rows of a run count, where sessions recorded steps anew and replicas recorded them together.

The one invariant: a row is in the table exactly once, and only if it counts. Rows of an older session are left out at the steps that a newer session
of the same worker recorded again, and of two rows of one replica at one step the later stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tb_activations.store.layout import ROW_ARRAYS
from tb_activations.store.segments import Segment

__all__ = ["LiveRows", "LiveSegment", "find_live_rows"]

Session: TypeAlias = tuple[int, str]
"""Worker and session, as in the name of a segment."""


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A segment that has live rows.

    Attributes:
      rows: its live rows.
      table: where they stand in the table of all rows.
    """

    segment: Segment
    rows: npt.NDArray[np.int64]
    table: npt.NDArray[np.int64]


class LiveRows(NamedTuple):
    """What counts of some segments.

    Attributes:
      table: for each name of `ROW_ARRAYS` one number per live row, ordered by (step, worker, rank).
      segments: those that have live rows.
      dropped: int64[D], unique, ascending: steps that were due and were lost.
    """

    table: Mapping[str, npt.NDArray[Any]]
    segments: tuple[LiveSegment, ...]
    dropped: npt.NDArray[np.int64]


def find_live_rows(segments: Sequence[Segment]) -> LiveRows:
    """Decides which rows of ``segments`` count."""
    cutoffs = _cutoffs(segments)
    return LiveRows(*_table_of(segments, cutoffs), _dropped(segments, cutoffs))


def _cutoffs(segments: Sequence[Segment]) -> dict[Session, float]:
    """For each session the step from which a newer session of its worker supersedes it."""
    first: dict[Session, int] = {}
    started: dict[Session, float] = {}
    for segment in segments:
        session = (segment.id.worker, segment.id.session)
        steps = np.concatenate([segment.step[:1], segment.dropped])
        if len(steps):
            first[session] = min(first.get(session, int(steps.min())), int(steps.min()))
        started[session] = segment.session_started
    cutoffs: dict[Session, float] = {}
    nearest: dict[int, float] = {}
    for session in sorted(started, key=lambda key: (started[key], key), reverse=True):
        worker = session[0]
        cutoffs[session] = nearest.get(worker, np.inf)
        nearest[worker] = min(cutoffs[session], first.get(session, np.inf))
    return cutoffs


def _table_of(segments: Sequence[Segment], cutoffs: Mapping[Session, float]) -> tuple[dict[str, npt.NDArray[Any]], tuple[LiveSegment, ...]]:
    """The table of all live rows, and the segments that have some."""
    lengths = [int(np.searchsorted(segment.step, cutoffs[segment.id.worker, segment.id.session])) for segment in segments]
    table = {
        name: np.concatenate([np.empty(0, dtype), *(segment.rows[name][:length] for segment, length in zip(segments, lengths, strict=True))])
        for name, dtype in ROW_ARRAYS.items()
    }
    owner = np.repeat(np.arange(len(segments)), lengths)
    row = np.concatenate([np.empty(0, np.int64), *map(np.arange, lengths)]).astype(np.int64)
    worker = np.repeat(np.array([segment.id.worker for segment in segments], np.int64), lengths)
    order = np.lexsort((table["wall_time"], table["rank"], worker, table["step"]))
    order = order[_last_of_each(table["step"][order], worker[order], table["rank"][order])]
    by_owner = order[np.argsort(owner[order], kind="stable")]
    table_position = np.empty(len(owner), np.int64)
    table_position[order] = np.arange(len(order))
    bounds = np.searchsorted(owner[by_owner], np.arange(len(segments) + 1))
    lives = [
        LiveSegment(segment, row[by_owner[bounds[i] : bounds[i + 1]]], table_position[by_owner[bounds[i] : bounds[i + 1]]])
        for i, segment in enumerate(segments)
    ]
    return {name: array[order] for name, array in table.items()}, tuple(live for live in lives if len(live.rows))


def _last_of_each(*keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """bool[R]: whether a row is the last of those with equal keys, for rows ordered by the keys."""
    last = np.ones(len(keys[0]), np.bool_)
    if len(last):
        last[:-1] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return last


def _dropped(segments: Sequence[Segment], cutoffs: Mapping[Session, float]) -> npt.NDArray[np.int64]:
    parts = [segment.dropped[segment.dropped < cutoffs[segment.id.worker, segment.id.session]] for segment in segments]
    return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))
