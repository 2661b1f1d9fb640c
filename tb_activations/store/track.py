"""One node over all segments: its rows, read straight into one buffer per array and brought into the order of the table.

The one invariant: what comes out has one entry per live row, blank where the node was not recorded. With hundreds of segments everything that is not
reading would cost more than the reading, so what does not depend on the node is worked out once per index (`Layout`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.index import Index, as_slice
from tb_activations.store.rows import LiveSegment
from tb_activations.store.schema import NOT_RECORDED, Quantity

__all__ = ["join_tracks", "read_track"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """An array with rows per node: its dtype and what stands where nothing was recorded."""

    dtype: str
    blank: object


_KINDS = {
    "statistics": _Kind("<f4", np.nan),
    "counts": _Kind("<i8", (NOT_RECORDED, 0, 0, 0)),
    "histogram": _Kind("<u4", 0),
    "histogram_range": _Kind("<f4", np.nan),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Segments whose arrays have the same widths, and where their rows go.

    Attributes:
      groups: for each segment the number of the segment that stands for all with the same nodes: a node is looked up in these only.
      starts: first row of each segment in a buffer that holds the rows of all of them one after the other; the last entry is its length.
      rows: the live rows of that buffer.
      table: where they stand in the table of all rows.
    """

    lives: Sequence[LiveSegment]
    groups: Sequence[int]
    starts: Sequence[int]
    rows: slice | npt.NDArray[np.int64]
    table: slice | npt.NDArray[np.int64]

    @classmethod
    def of(cls, lives: Sequence[LiveSegment], quantity: Quantity) -> Layout:
        first: dict[tuple[str, bytes], int] = {}
        groups = [first.setdefault((live.segment.graph, live.segment.quantities[quantity].nodes.tobytes()), i) for i, live in enumerate(lives)]
        starts = [0, *np.cumsum([len(live.segment.step) for live in lives]).tolist()]
        rows = np.concatenate([live.rows + start for live, start in zip(lives, starts, strict=False)])
        return cls(lives, groups, starts, as_slice(rows), as_slice(np.concatenate([live.table for live in lives])))


def read_track(index: Index, node: int, quantity: Quantity, names: Sequence[str]) -> list[tuple[Layout, dict[str, npt.NDArray[Any]]]]:
    """The arrays ``names`` of one node, [rows of the layout, …], for each group of segments in which they have the same widths."""
    layouts = index.derived((quantity, *names), lambda: _layouts(index, quantity, names))
    return [(layout, _read_group(index, layout, node, quantity, names)) for layout in layouts]


def _layouts(index: Index, quantity: Quantity, names: Sequence[str]) -> list[Layout]:
    groups: dict[tuple[object, ...], list[LiveSegment]] = {}
    for live in index.holding(quantity):
        arrays = live.segment.file.arrays
        if all(f"{name}/{quantity}" in arrays for name in names):
            widths = tuple(arrays[f"{name}/{quantity}"].shape[2] for name in names)
            groups.setdefault((live.segment.columns, *widths), []).append(live)
    return [Layout.of(lives, quantity) for lives in groups.values()]


def _read_group(index: Index, layout: Layout, node: int, quantity: Quantity, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    keys = [f"{name}/{quantity}" for name in names]
    arrays = layout.lives[0].segment.file.arrays
    buffers = [np.empty((layout.starts[-1], arrays[key].shape[2]), _KINDS[name].dtype) for name, key in zip(names, keys, strict=True)]
    views = [(key, memoryview(buffer.reshape(-1).data).cast("B"), buffer.strides[0]) for key, buffer in zip(keys, buffers, strict=True)]
    positions = {group: index.position_in(layout.lives[group], quantity, node) for group in set(layout.groups)}
    for number, live in enumerate(layout.lives):
        start, stop = layout.starts[number], layout.starts[number + 1]
        position = positions[layout.groups[number]]
        if position is None:
            for name, buffer in zip(names, buffers, strict=True):
                buffer[start:stop] = _KINDS[name].blank
            continue
        with live.segment.file.reader() as reader:
            for key, view, row_bytes in views:
                reader.read_into(key, position, view[start * row_bytes : stop * row_bytes])
    return {name: buffer[layout.rows] for name, buffer in zip(names, buffers, strict=True)}


def join_tracks(index: Index, name: str, parts: Sequence[tuple[Layout, npt.NDArray[Any]]], width: int) -> npt.NDArray[Any]:
    """The rows of all layouts in the order of the table, [rows, width]; where none has one, it says *not recorded*."""
    if len(parts) == 1 and len(parts[0][1]) == index.row_count and isinstance(parts[0][0].table, slice):
        return parts[0][1]  # one layout has all rows, in this very order
    joined = np.empty((index.row_count, width), _KINDS[name].dtype)
    joined[:] = _KINDS[name].blank
    for layout, rows in parts:
        joined[layout.table] = rows
    return joined
