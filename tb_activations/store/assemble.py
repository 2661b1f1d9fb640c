"""Turns captures into the arrays of a segment.

The one invariant: whatever is given, the arrays that come out satisfy ``docs/format.md`` (a node that a capture lacks is *not recorded* there:
NaN statistics, elements −1, no histogram). Nothing here touches a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.errors import ArgumentError
from tb_activations.store.container import MAX_RANK, dtype_code
from tb_activations.store.layout import MAX_SAMPLE_BYTES, ROW_ARRAYS
from tb_activations.store.schema import HISTOGRAM_BINS, NOT_RECORDED, QUANTITIES, STATISTICS, Capture, Quantity, QuantityRecord

__all__ = ["Arrays", "arrays_of", "empty_counts", "size_of", "unit_strides"]

Arrays = dict[str, npt.NDArray[Any]]


def size_of(capture: Capture) -> int:
    """Bytes that the arrays of ``capture`` hold."""
    return sum(_record_bytes(record) for record in capture.quantities.values())


def empty_counts(nodes: int, rows: int) -> npt.NDArray[np.int64]:
    """int64[nodes, rows, 4] that says *not recorded* everywhere."""
    counts = np.zeros((nodes, rows, 4), "<i8")
    counts[:, :, 0] = NOT_RECORDED
    return counts


def _record_bytes(record: QuantityRecord) -> int:
    arrays = (record.statistics, record.counts, record.histogram, record.histogram_range, *record.samples.values())
    return sum(array.nbytes for array in arrays if array is not None)


def arrays_of(captures: Sequence[Capture], dropped: Sequence[int]) -> Arrays:
    """The arrays of a segment that holds ``captures`` and tells of the steps ``dropped``."""
    ordered = sorted(captures, key=lambda capture: (capture.step, capture.rank))
    arrays: Arrays = {name: np.array([getattr(capture, name) for capture in ordered], dtype) for name, dtype in ROW_ARRAYS.items()}
    arrays["dropped"] = np.array(sorted(dropped), "<i8")
    for quantity in QUANTITIES:
        records = {row: capture.quantities[quantity] for row, capture in enumerate(ordered) if quantity in capture.quantities}
        if records:
            arrays.update(_quantity_arrays(quantity, records, len(ordered)))
    return arrays


def _quantity_arrays(quantity: Quantity, records: Mapping[int, QuantityRecord], captures: int) -> Arrays:
    for record in records.values():
        _check_record(quantity, record)
    nodes = np.unique(np.concatenate([record.nodes for record in records.values()])).astype("<i4")
    statistics = np.full((len(nodes), captures, len(STATISTICS)), np.nan, "<f4")
    counts = empty_counts(len(nodes), captures)
    for row, record in records.items():
        positions = np.searchsorted(nodes, record.nodes)
        statistics[positions, row] = record.statistics
        counts[positions, row] = record.counts
    samples = _sample_arrays(quantity, records)
    recorded = np.zeros((len(nodes), 2), "<i4")
    recorded[:, 0] = (counts[:, :, 0] != NOT_RECORDED).sum(axis=1)
    if samples:
        np.add.at(recorded[:, 1], np.searchsorted(nodes, samples[f"sample_index/{quantity}"][:, 0]), 1)
    return {
        f"nodes/{quantity}": nodes,
        f"recorded/{quantity}": recorded,
        f"statistics/{quantity}": statistics,
        f"counts/{quantity}": counts,
        **_histogram_arrays(quantity, nodes, records, captures),
        **samples,
    }


def _check_record(quantity: Quantity, record: QuantityRecord) -> None:
    count = len(record.nodes)
    expected = {"statistics": (count, len(STATISTICS)), "counts": (count, 4), "histogram": (count, HISTOGRAM_BINS), "histogram_range": (count, 2)}
    for name, shape in expected.items():
        array = getattr(record, name)
        if array is not None and array.shape != shape:
            raise ArgumentError(f"Expected {name} of shape {shape} for {quantity!r} of {count} nodes. Received: {name}.shape={array.shape}")
    if not set(record.samples) <= set(record.nodes.tolist()):
        raise ArgumentError(f"Expected samples of nodes that have statistics for {quantity!r}. Received: samples of {sorted(set(record.samples))}")
    for node, strides in record.strides.items():
        if node not in record.samples or len(strides) != np.ndim(record.samples[node]) or min(strides, default=1) < 1:
            raise ArgumentError(f"Expected a stride of at least 1 for each axis of the sample of node {node}. Received: strides={strides}")


def _histogram_arrays(quantity: Quantity, nodes: npt.NDArray[np.int32], records: Mapping[int, QuantityRecord], captures: int) -> Arrays:
    if all(record.histogram is None for record in records.values()):
        return {}
    histogram = np.zeros((len(nodes), captures, HISTOGRAM_BINS), "<u4")
    edges = np.full((len(nodes), captures, 2), np.nan, "<f4")
    for row, record in records.items():
        if record.histogram is not None and record.histogram_range is not None:
            positions = np.searchsorted(nodes, record.nodes)
            histogram[positions, row] = record.histogram
            edges[positions, row] = record.histogram_range
    return {f"histogram/{quantity}": histogram, f"histogram_range/{quantity}": edges}


def _sample_arrays(quantity: Quantity, records: Mapping[int, QuantityRecord]) -> Arrays:
    """Every sample end to end in one array per dtype, and an index ordered by node and row that says where each one lies; strides where any has some.

    What the format has no dtype for, or no room for, has no sample.
    """
    everything = ((node, row, np.asarray(sample)) for row, record in records.items() for node, sample in record.samples.items())
    entries = sorted((entry for entry in everything if _is_keepable(entry[2])), key=lambda entry: entry[:2])
    if not entries:
        return {}
    codes = sorted({str(dtype_code(sample.dtype)) for _, _, sample in entries})
    rank = max(sample.ndim for _, _, sample in entries)
    index = np.full((len(entries), 4 + rank), -1, "<i8")
    filled = dict.fromkeys(codes, 0)
    for line, (node, row, sample) in enumerate(entries):
        code = str(dtype_code(sample.dtype))
        index[line, : 4 + sample.ndim] = (node, row, codes.index(code), filled[code], *sample.shape)
        filled[code] += sample.size
    arrays: Arrays = {
        f"sample/{quantity}/{code}": np.concatenate([sample.ravel() for _, _, sample in entries if dtype_code(sample.dtype) == code])
        for code in codes
    }
    arrays[f"sample_index/{quantity}"] = index
    if any(record.strides for record in records.values()):
        arrays[f"sample_stride/{quantity}"] = _strides(index, records)
    return arrays


def _is_keepable(sample: npt.NDArray[Any]) -> bool:
    return dtype_code(sample.dtype) is not None and sample.ndim <= MAX_RANK and sample.nbytes <= MAX_SAMPLE_BYTES


def unit_strides(index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The strides of samples that have none but 1, for each line of a `sample_index`; −1 where it has no extent."""
    return np.where(index[:, 4:] >= 0, 1, -1)


def _strides(index: npt.NDArray[np.int64], records: Mapping[int, QuantityRecord]) -> npt.NDArray[np.int64]:
    strides = unit_strides(index)
    for line, (node, row) in enumerate(index[:, :2].tolist()):
        given = records[row].strides.get(node, ())
        strides[line, : len(given)] = given
    return strides
