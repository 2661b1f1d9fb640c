"""Several segments of one session and one generation as the arrays of one segment.

The one invariant: every capture row, every number and every sample of the sources is in the result, and nothing else. What to merge, and when, is
decided in `session`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tb_activations.store.assemble import Arrays, empty_counts
from tb_activations.store.container import ArrayReader
from tb_activations.store.layout import ROW_ARRAYS
from tb_activations.store.schema import QUANTITIES, Quantity
from tb_activations.store.segments import Segment

__all__ = ["compact"]


@dataclass(frozen=True, slots=True)
class _Part:
    """A source, and where each of its rows goes."""

    segment: Segment
    reader: ArrayReader
    rows: npt.NDArray[np.int64]


def compact(segments: Sequence[Segment]) -> Arrays:
    """The arrays of one segment that holds what ``segments`` hold. They have the same graph and the same columns."""
    joined = {name: np.concatenate([segment.rows[name] for segment in segments]) for name in ROW_ARRAYS}
    order = np.lexsort((joined["rank"], joined["step"]))
    arrays: Arrays = {name: array[order] for name, array in joined.items()}
    arrays["dropped"] = np.sort(np.concatenate([segment.dropped for segment in segments]))
    place = np.argsort(order)
    with ExitStack() as stack:
        parts, start = [], 0
        for segment in segments:
            parts.append(_Part(segment, stack.enter_context(segment.file.reader()), place[start : start + len(segment.step)]))
            start += len(segment.step)
        for quantity in QUANTITIES:
            holding = [part for part in parts if quantity in part.segment.quantities]
            if holding:
                arrays.update(_compact_quantity(quantity, holding, start))
    return arrays


def _compact_quantity(quantity: Quantity, parts: Sequence[_Part], captures: int) -> Arrays:
    nodes = np.unique(np.concatenate([part.segment.quantities[quantity].nodes for part in parts]))
    columns = len(parts[0].segment.columns)
    bins = max(part.segment.quantities[quantity].bins for part in parts)
    arrays: Arrays = {
        f"nodes/{quantity}": nodes,
        f"recorded/{quantity}": np.zeros((len(nodes), 2), "<i4"),
        f"statistics/{quantity}": np.full((len(nodes), captures, columns), np.nan, "<f4"),
        f"counts/{quantity}": empty_counts(len(nodes), captures),
    }
    if bins:
        arrays[f"histogram/{quantity}"] = np.zeros((len(nodes), captures, bins), "<u4")
        arrays[f"histogram_range/{quantity}"] = np.full((len(nodes), captures, 2), np.nan, "<f4")
    for part in parts:
        index = part.segment.quantities[quantity]
        positions = np.searchsorted(nodes, index.nodes)
        arrays[f"recorded/{quantity}"][positions] += np.stack([index.recorded, index.samples], axis=1)
        where = np.ix_(positions, part.rows)
        for name in ("statistics", "counts", *(("histogram", "histogram_range") if index.bins else ())):
            source = part.reader.read(f"{name}/{quantity}")
            arrays[f"{name}/{quantity}"][where] = source
    arrays.update(_compact_samples(quantity, parts))
    return arrays


def _compact_samples(quantity: Quantity, parts: Sequence[_Part]) -> Arrays:
    sampled = [part for part in parts if part.segment.quantities[quantity].samples.any()]
    names = sorted({name for part in sampled for name in part.segment.sample_arrays(quantity)})
    if not sampled:
        return {}
    tables = [part.reader.read(f"sample_index/{quantity}") for part in sampled]
    strides = [part.segment.strides(part.reader, quantity, table) for part, table in zip(sampled, tables, strict=True)]
    width = max(table.shape[1] for table in tables)
    arrays: Arrays = {}
    filled = dict.fromkeys(names, 0)
    pieces: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in names}
    for number, part in enumerate(sampled):
        table = tables[number]
        own = part.segment.sample_arrays(quantity)
        table[:, 3] += np.array([filled[name] for name in own])[table[:, 2]]
        table[:, 2] = np.array([names.index(name) for name in own])[table[:, 2]]
        table[:, 1] = part.rows[table[:, 1]]
        tables[number] = _wide(table, width)
        for name in own:
            pieces[name].append(part.reader.read(name))
            filled[name] += len(pieces[name][-1])
    arrays.update({name: np.concatenate(pieces[name]) for name in names})
    joined = np.concatenate(tables)
    order = np.lexsort((joined[:, 1], joined[:, 0]))
    arrays[f"sample_index/{quantity}"] = joined[order]
    if any((table > 1).any() for table in strides):
        arrays[f"sample_stride/{quantity}"] = np.concatenate([_wide(table, width - 4) for table in strides])[order]
    return arrays


def _wide(table: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    return np.pad(table, ((0, 0), (0, width - table.shape[1])), constant_values=-1)
