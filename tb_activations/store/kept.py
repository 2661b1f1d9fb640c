"""Columns of segments that were read before.

The one invariant: what is kept is what would be read again, since a segment never changes; and all of it together takes no more than a bound, however
many runs there are. A column is a tenth of the bytes that must be read for it, so a growing run is looked at again at a fraction of the cost.
Columns of segments that were merged away go by and by, when there is no more room.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["KeptColumns"]

Column = npt.NDArray[np.float32]

_FEW = 0.05
"""Up to this share of other numbers a column is kept as one number and the others: how many elements are NaN is 0 nearly everywhere."""

ENTRY_BYTES = 1024
"""What a column takes besides its numbers, as Python objects: its key with the path of a file, its arrays, its places in dict and list."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """A column that is ``usual`` everywhere but at the flat positions ``where``."""

    shape: tuple[int, ...]
    usual: np.float32
    where: npt.NDArray[np.int32]
    others: Column

    @property
    def nbytes(self) -> int:
        return self.where.nbytes + self.others.nbytes

    def unpack(self) -> Column:
        column = np.full(self.shape, self.usual)
        column.reshape(-1)[self.where] = self.others
        return column


class KeptColumns:
    """At most ``max_bytes`` of the columns that were asked for. Thread-safe; may be shared by runs. 0: nothing is kept."""

    def __init__(self, max_bytes: int = 0) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._columns: dict[Hashable, Column | _Packed] = {}
        self._keys: list[Hashable] = []
        self._bytes = 0

    def get(self, key: Hashable, read: Callable[[], Column]) -> Column:
        """The column ``key``, from ``read`` when it is not kept. Not to be written to."""
        if not self._max_bytes:
            return read()
        with self._lock:
            kept = self._columns.get(key)
        if kept is None:
            kept = _pack(read())
            self._keep(key, kept)
        return kept.unpack() if isinstance(kept, _Packed) else kept

    def _keep(self, key: Hashable, column: Column | _Packed) -> None:
        with self._lock:
            if key not in self._columns:
                self._columns[key] = column
                self._keys.append(key)
                self._bytes += ENTRY_BYTES + column.nbytes
            while self._bytes > self._max_bytes:
                # Any one of them: a run is gone through from end to end, and the oldest would always be the one that is needed next.
                victim = random.randrange(len(self._keys))
                self._keys[victim], self._keys[-1] = self._keys[-1], self._keys[victim]
                self._bytes -= ENTRY_BYTES + self._columns.pop(self._keys.pop()).nbytes


def _pack(column: Column) -> Column | _Packed:
    column = np.ascontiguousarray(column)
    if not column.size:
        return column
    usual = column.flat[0]
    other = column != usual
    if np.count_nonzero(other) > _FEW * column.size:
        return column
    where = np.flatnonzero(other)
    return _Packed(column.shape, usual, where.astype(np.int32), column.reshape(-1)[where])
