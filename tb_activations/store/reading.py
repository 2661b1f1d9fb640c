"""Answers that need the big arrays: one node over all steps, all nodes at one step, one statistic of everything.

The one invariant: a result depends on an `Index` only, never on what happens in the folder meanwhile; a file that is gone raises
`FileChangedError`, and the caller takes a newer index. Rows of replicas are merged here, so no caller sees them unless it asks for one rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.answers import Sample
from tb_activations.store.assemble import empty_counts
from tb_activations.store.index import Index, as_slice
from tb_activations.store.kept import KeptColumns
from tb_activations.store.merge import merge_histograms, merge_replicas, rebin
from tb_activations.store.schema import COUNTS, NOT_RECORDED, Quantity
from tb_activations.store.segments import Segment
from tb_activations.store.track import join_tracks, read_track

__all__ = [
    "COUNTED",
    "UPDATE_RATIO",
    "read_column",
    "read_histogram",
    "read_history",
    "read_sample",
    "read_sample_steps",
    "read_snapshot",
    "read_update_ratio",
    "read_window",
]

COUNTED: Mapping[str, tuple[int, ...]] = {
    **{name: (column,) for column, name in enumerate(COUNTS)},
    "inf_count": (2, 3),
    "nonfinite_count": (1, 2, 3),
}
"""What can be counted -> the columns of `COUNTS` that are added for it, in one reading."""

UPDATE_RATIO = "update_ratio"
"""Of updates, beside the columns: `l2_norm` of the update over `l2_norm` of the weight before it; NaN where the weight is 0."""

Statistics = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]
Steps = npt.NDArray[np.int64]


def read_history(index: Index, node: int, quantity: Quantity, rank: int | None = None) -> tuple[Steps, Statistics, Counts]:
    """Steps int64[C], statistics float32[C, K] and counts int64[C, 4] of one node, at the steps where it was recorded."""
    tracks = read_track(index, node, quantity, ("statistics", "counts"))
    columns = [(layout, _in_columns(arrays["statistics"], layout.lives[0].segment.columns, index.columns)) for layout, arrays in tracks]
    statistics = join_tracks(index, "statistics", columns, len(index.columns))
    counts = join_tracks(index, "counts", [(layout, arrays["counts"]) for layout, arrays in tracks], len(COUNTS))
    rows = np.flatnonzero((counts[:, 0] != NOT_RECORDED) & ((index.table["rank"] == rank) if rank is not None else True))
    steps, starts = _steps_of(index, rows)
    taken = as_slice(rows)
    merged, total = merge_replicas(statistics[None, taken], counts[None, taken], starts, index.columns, _shared(index, quantity, [node]))
    return steps, merged[0], total[0]


def read_update_ratio(index: Index, node: int, rank: int | None, steps: Steps) -> Statistics:
    """float32[C]: `UPDATE_RATIO` of one variable at these steps, where its updates were recorded."""
    norm = index.columns.index("l2_norm")
    weights = np.full(len(steps), np.nan, np.float32)
    recorded, statistics, _ = read_history(index, node, "value", rank)
    _, ours, theirs = np.intersect1d(steps, recorded, assume_unique=True, return_indices=True)
    weights[ours] = statistics[theirs, norm]
    return _ratio(read_history(index, node, "update", rank)[1][:, norm], weights)


def _ratio(update: Statistics, weight: Statistics) -> Statistics:
    with np.errstate(over="ignore"):  # where a training explodes, the ratio may be larger than float32 tells: Infinity
        return np.divide(update, weight, out=np.full_like(update, np.nan), where=weight > 0)


def read_snapshot(index: Index, step: int, quantity: Quantity) -> tuple[Statistics, Counts]:
    """Statistics float32[N, K] and counts int64[N, 4] of all nodes at one recorded step."""
    position = int(np.searchsorted(index.steps, step))
    statistics, counts = read_window(index, quantity, position, position + 1)
    return statistics[:, 0], counts[:, 0]


def read_window(index: Index, quantity: Quantity, start: int, stop: int) -> tuple[Statistics, Counts]:
    """Statistics float32[N, C, K] and counts int64[N, C, 4] of all nodes at the recorded steps number ``start`` to ``stop``."""
    first, last = _row_range(index, start, stop)
    statistics, counts = _rows_of_all(index, quantity, first, last)
    return merge_replicas(statistics, counts, index.starts[start:stop] - first, index.columns, _shared(index, quantity))


def read_column(
    index: Index, statistic: str, quantity: Quantity, after: int = -1, until: int | None = None, kept: KeptColumns | None = None
) -> tuple[Steps, Statistics]:
    """One statistic of all nodes over the steps in (after, until]: int64[C] and float32[N, C]; NaN (counts: −1) where nothing was recorded.

    Args:
      kept: columns that were read before; those of steps with several replicas are not kept.
    """
    if statistic == UPDATE_RATIO:
        steps, update = read_column(index, "l2_norm", "update", after, until, kept)
        return steps, _ratio(update, read_column(index, "l2_norm", "value", after, until, kept)[1])
    start = int(np.searchsorted(index.steps, after, side="right"))
    stop = len(index.steps) if until is None else max(start, int(np.searchsorted(index.steps, until, side="right")))
    if index.row_count != len(index.steps):
        return index.steps[start:stop], _merged_column(index, statistic, quantity, start, stop)
    result = np.full((len(index.joined.records), stop - start), NOT_RECORDED if statistic in COUNTED else np.nan, np.float32)
    kept = kept or KeptColumns()
    for live in index.holding(quantity):
        # Without replicas row ``start + c`` of the table is column ``c`` of the result.
        wanted = (live.table >= start) & (live.table < stop)
        if wanted.any() and (statistic in COUNTED or statistic in live.segment.columns):
            segment = live.segment
            key = (str(segment.file.path), segment.file.signature, quantity, statistic)
            column = kept.get(key, lambda segment=segment: _column_of(segment, statistic, quantity))  # type: ignore[misc]
            where = _region(index.positions(live, quantity), live.table[wanted] - start)
            result[where] = column[:, as_slice(live.rows[wanted])]
    return index.steps[start:stop], result


def _column_of(segment: Segment, statistic: str, quantity: Quantity) -> Statistics:
    """A statistic or count of all nodes and rows of a segment."""
    name = "counts" if statistic in COUNTED else "statistics"
    with segment.file.reader() as reader:
        part = reader.read(f"{name}/{quantity}")
    return _count(part, statistic).astype(np.float32) if name == "counts" else part[..., segment.columns.index(statistic)]


def _region(positions: npt.NDArray[np.int64], table: npt.NDArray[np.int64]) -> Any:
    """The index of rows × columns of a matrix, by slices where possible: copying is then several times faster."""
    rows, columns = as_slice(positions), as_slice(table)
    return (rows, columns) if isinstance(rows, slice) or isinstance(columns, slice) else np.ix_(rows, columns)


def _count(counts: Counts, name: str) -> npt.NDArray[np.int64]:
    total = sum(counts[..., column] for column in COUNTED[name])
    values: npt.NDArray[np.int64] = np.where(counts[..., 0] == NOT_RECORDED, NOT_RECORDED, total)
    return values


_CHUNK_NUMBERS = 4 << 20


def _merged_column(index: Index, statistic: str, quantity: Quantity, first_step: int, last_step: int) -> Statistics:
    """The column where steps have several replicas, some steps at a time: merging needs all statistics of the rows."""
    nodes = len(index.joined.records)
    result = np.empty((nodes, last_step - first_step), np.float32)
    length = max(1, _CHUNK_NUMBERS // max(1, nodes * (len(index.columns) + 4)))
    for start in range(first_step, last_step, length):
        stop = min(start + length, last_step)
        first, last = _row_range(index, start, stop)
        statistics, counts = _rows_of_all(index, quantity, first, last)
        merged, total = merge_replicas(statistics, counts, index.starts[start:stop] - first, index.columns, _shared(index, quantity))
        values = _count(total, statistic) if statistic in COUNTED else merged[..., index.columns.index(statistic)]
        result[:, start - first_step : stop - first_step] = values
    return result


def read_histogram(index: Index, node: int, quantity: Quantity) -> tuple[Steps, npt.NDArray[np.uint32], npt.NDArray[np.float64]]:
    """Steps int64[C], counts uint32[C, B] and edges float64[C, B + 1] of one node, at the steps that have a histogram."""
    tracks = read_track(index, node, quantity, ("histogram", "histogram_range"))
    bins = max((arrays["histogram"].shape[1] for _, arrays in tracks), default=1)
    counts = np.zeros((index.row_count, bins), np.uint32)
    ranges = np.full((index.row_count, 2), np.nan)
    for layout, arrays in tracks:
        ranges[layout.table] = arrays["histogram_range"]
        counts[layout.table] = _in_bins(arrays["histogram"], ranges[layout.table], bins)
    rows = np.flatnonzero(counts.any(axis=1) & np.isfinite(ranges).all(axis=1) & (ranges[:, 0] <= ranges[:, 1]))
    steps, starts = _steps_of(index, rows)
    taken = as_slice(rows)
    counts, ranges = merge_histograms(counts[taken], ranges[taken], starts, bool(_shared(index, quantity, [node])[0]))
    return steps, counts.astype(np.uint32, copy=False), np.linspace(ranges[:, 0], ranges[:, 1], bins + 1, axis=1)


def _in_bins(counts: npt.NDArray[Any], ranges: npt.NDArray[np.float64], bins: int) -> npt.NDArray[Any]:
    if counts.shape[1] == bins:
        return counts
    return np.array([rebin(row, limits, limits, bins) for row, limits in zip(counts, ranges, strict=True)])


def read_sample(index: Index, node: int, quantity: Quantity, step: int) -> Sample | None:
    """The sample kept of a node at a step (of the first replica that has one); None without."""
    first, last = _row_range(index, *np.searchsorted(index.steps, (step, step + 1)).tolist())
    for table_row in range(first, last):
        for live in index.holding(quantity):
            found = np.flatnonzero(live.table == table_row)
            position = index.position_in(live, quantity, node)
            if len(found) and position is not None and live.segment.quantities[quantity].samples[position]:
                with live.segment.file.reader() as reader:
                    sample = live.segment.sample(reader, quantity, position, int(live.rows[found[0]]))
                if sample is not None:
                    return sample
    return None


def read_sample_steps(index: Index, node: int, quantity: Quantity) -> Steps:
    """Steps at which a sample of the node was kept."""
    steps = [np.empty(0, np.int64)]
    for live in index.holding(quantity):
        position = index.position_in(live, quantity, node)
        if position is not None and live.segment.quantities[quantity].samples[position]:
            with live.segment.file.reader() as reader:
                rows = live.segment.sample_rows(reader, quantity, position)
            steps.append(index.table["step"][live.table[np.isin(live.rows, rows)]])
    return np.unique(np.concatenate(steps))


def _steps_of(index: Index, rows: npt.NDArray[np.int64]) -> tuple[Steps, npt.NDArray[np.int64]]:
    """The steps of ascending ``rows`` of the table, each once, and the first of the rows of each."""
    steps = index.table["step"][as_slice(rows)]
    if index.row_count == len(index.steps):  # without replicas each row is a step of its own
        return steps, np.arange(len(steps))
    return np.unique(steps, return_index=True)


def _row_range(index: Index, first_step: int, last_step: int) -> tuple[int, int]:
    bounds = np.append(index.starts, index.row_count)
    return int(bounds[first_step]), int(bounds[last_step])


def _rows_of_all(index: Index, quantity: Quantity, first: int, last: int) -> tuple[Statistics, Counts]:
    """Statistics float32[N, R, K] and counts int64[N, R, 4] of all nodes for rows ``first:last`` of the table."""
    nodes = len(index.joined.records)
    statistics = np.full((nodes, last - first, len(index.columns)), np.nan, np.float32)
    counts = empty_counts(nodes, last - first)
    for live in index.holding(quantity):
        wanted = (live.table >= first) & (live.table < last)
        if not wanted.any():
            continue
        where = _region(index.positions(live, quantity), live.table[wanted] - first)
        rows = as_slice(live.rows[wanted])
        with live.segment.file.reader() as reader:
            statistics[where] = _in_columns(reader.read(f"statistics/{quantity}")[:, rows], live.segment.columns, index.columns)
            counts[where] = reader.read(f"counts/{quantity}")[:, rows]
    return statistics, counts


def _in_columns(part: Statistics, have: Sequence[str], want: Sequence[str]) -> Statistics:
    if tuple(have) == tuple(want):
        return part
    result = np.full((*part.shape[:-1], len(want)), np.nan, np.float32)
    for column, name in enumerate(have):
        result[..., want.index(name)] = part[..., column]
    return result


def _shared(index: Index, quantity: Quantity, nodes: Sequence[int] | None = None) -> npt.NDArray[np.bool_]:
    """Which nodes have the same tensor in all replicas: variables, but not their gradients, which are added up after they were recorded."""
    records = index.joined.records if nodes is None else [index.joined.records[node] for node in nodes]
    return np.array([record.kind == "variable" and quantity != "gradient" for record in records], np.bool_)
