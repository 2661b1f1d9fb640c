"""Columns of segments that were read before.

The one invariant: what is kept is what would be read again, since a segment never changes; and all of it together takes no more than a bound, however
many runs there are. A column is a tenth of the bytes that must be read for it, so a growing run is looked at again at a fraction of the cost.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt

__all__ = ["KeptColumns"]

Column = npt.NDArray[np.float32]


class KeptColumns:
    """The columns that were asked for last, ``max_bytes`` of them. Thread-safe; may be shared by runs. 0: nothing is kept."""

    def __init__(self, max_bytes: int = 0) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._columns: OrderedDict[Hashable, Column] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, read: Callable[[], Column]) -> Column:
        """The column ``key``, from ``read`` when it is not kept. Not to be written to."""
        if not self._max_bytes:
            return read()
        with self._lock:
            kept = self._columns.get(key)
            if kept is not None:
                self._columns.move_to_end(key)
                return kept
        column = _shrunk(read())
        with self._lock:
            if key not in self._columns:
                self._columns[key] = column
                self._bytes += _size(column)
            while self._bytes > self._max_bytes:
                self._bytes -= _size(self._columns.popitem(last=False)[1])
        return column


def _shrunk(column: Column) -> Column:
    """One number stands for a column of equal ones: how many elements are NaN is 0 nearly everywhere."""
    equal = column.size and (column == column.flat[0]).all()
    return np.broadcast_to(column.flat[0], column.shape) if equal else np.ascontiguousarray(column)


def _size(column: Column) -> int:
    return column.nbytes if any(column.strides) else column.itemsize
