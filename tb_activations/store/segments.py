"""One immutable segment: opening its file, and reading parts of it.

The one invariant: a `Segment` exists only if every array that ``docs/format.md`` names has the dtype and the shape that the page says (`layout`), so
the code that reads from it needs no check. The arrays with one entry per capture row or per node are in memory; everything else stays in the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.answers import Sample
from tb_activations.store.assemble import unit_strides
from tb_activations.store.container import ArrayFile, ArrayReader, ArraySpec, violation
from tb_activations.store.layout import MAX_SAMPLE_BYTES, ROW_ARRAYS, SEGMENT_NAME, SegmentId, check_columns, check_metadata, check_shapes
from tb_activations.store.schema import QUANTITIES, Quantity

__all__ = ["QuantityIndex", "Segment", "open_segment"]


@dataclass(frozen=True, slots=True)
class QuantityIndex:
    """What a segment holds of one quantity.

    Attributes:
      nodes: int32[N], ids in the generation of the segment, ascending.
      recorded: int32[N], capture rows at which the node has something.
      samples: int32[N], how many of them have a sample.
      bins: bins of its histograms; 0 without.
    """

    nodes: npt.NDArray[np.int32]
    recorded: npt.NDArray[np.int32]
    samples: npt.NDArray[np.int32]
    bins: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that was opened and checked."""

    id: SegmentId
    file: ArrayFile
    session_started: float
    graph: str
    columns: tuple[str, ...]
    replaces: frozenset[str]
    budget: str
    rows: Mapping[str, npt.NDArray[Any]]
    dropped: npt.NDArray[np.int64]
    quantities: Mapping[Quantity, QuantityIndex]

    @property
    def step(self) -> npt.NDArray[np.int64]:
        """int64[C], ascending."""
        return self.rows["step"]

    def sample_arrays(self, quantity: Quantity) -> list[str]:
        """Names of the arrays that hold samples, in the order that `sample_index` counts them."""
        return sorted(name for name in self.file.arrays if name.startswith(f"sample/{quantity}/"))

    def sample(self, reader: ArrayReader, quantity: Quantity, position: int, row: int) -> Sample | None:
        """The sample of the node at ``position`` of the quantity's nodes at capture row ``row``."""
        index = self.quantities[quantity]
        start = int(index.samples[:position].sum(dtype=np.int64))
        table = reader.read(f"sample_index/{quantity}", start, start + int(index.samples[position]))
        found = np.flatnonzero((table[:, 0] == index.nodes[position]) & (table[:, 1] == row))
        if not len(found):
            return None
        numbers = self._sample_at(reader, quantity, table[found[0]].tolist())
        strides = self.strides(reader, quantity, table, start)[found[0], : numbers.ndim]
        if (strides < 1).any():
            raise violation("bad_sample_stride", "strides of at least 1", strides=strides.tolist())
        return Sample(numbers, tuple(strides.tolist()))

    def strides(self, reader: ArrayReader, quantity: Quantity, table: npt.NDArray[np.int64], start: int = 0) -> npt.NDArray[np.int64]:
        """The strides of ``table``, which are the lines of `sample_index` from ``start`` on."""
        name = f"sample_stride/{quantity}"
        return reader.read(name, start, start + len(table)) if name in self.file.arrays else unit_strides(table)

    def sample_rows(self, reader: ArrayReader, quantity: Quantity, position: int) -> npt.NDArray[np.int64]:
        """Capture rows at which the node at ``position`` has a sample."""
        index = self.quantities[quantity]
        start = int(index.samples[:position].sum(dtype=np.int64))
        rows: npt.NDArray[np.int64] = reader.read(f"sample_index/{quantity}", start, start + int(index.samples[position]))[:, 1]
        return rows

    def _sample_at(self, reader: ArrayReader, quantity: Quantity, entry: list[int]) -> npt.NDArray[Any]:
        _, _, code, first, *extents = entry
        shape = tuple(extent for extent in extents if extent >= 0)
        names = self.sample_arrays(quantity)
        size = math.prod(shape)
        if not 0 <= code < len(names) or first < 0 or first + size > self.file.arrays[names[code]].shape[0]:
            raise violation("sample_out_of_range", f"a sample inside the arrays of {self.id.name}", entry=entry)
        if size * self.file.arrays[names[code]].dtype.itemsize > MAX_SAMPLE_BYTES:
            raise violation("sample_too_large", f"at most {MAX_SAMPLE_BYTES >> 30} GiB of raw numbers in one sample", entry=entry)
        try:
            return reader.read(names[code], first, first + size).reshape(shape)
        except ValueError as error:  # no number at all, in more dimensions or larger ones than numpy has
            raise violation("bad_sample_shape", "extents that an array can have", entry=entry) from error


def open_segment(path: Path) -> Segment:
    """Opens and checks a segment.

    Raises:
      FormatError: it violates ``docs/format.md``.
      VersionError: it was written in a newer version of the format.
      FileNotFoundError: it is gone.
      FileChangedError: it changed while it was opened.
    """
    identity = SegmentId.parse(path.name)
    if identity is None:
        raise violation("segment_name", SEGMENT_NAME.pattern, name=path.name)
    file = ArrayFile.open(path)
    metadata = check_metadata(file.metadata, identity)
    columns = check_columns(file.metadata.get("statistics", ""))
    present = tuple(quantity for quantity in QUANTITIES if f"nodes/{quantity}" in file.arrays)
    check_shapes(file.arrays, present, len(columns))
    with file.reader() as reader:
        rows = {name: reader.read(name) for name in ROW_ARRAYS}
        dropped = reader.read("dropped")
        quantities = {quantity: _read_quantity(reader, file.arrays, quantity) for quantity in present}
    _check_rows(rows, dropped)
    return Segment(identity, file, columns=columns, rows=rows, dropped=dropped, quantities=quantities, **metadata)


def _read_quantity(reader: ArrayReader, arrays: Mapping[str, ArraySpec], quantity: Quantity) -> QuantityIndex:
    nodes, recorded = reader.read(f"nodes/{quantity}"), reader.read(f"recorded/{quantity}")
    if len(nodes) and (nodes[0] < 0 or (nodes[1:] <= nodes[:-1]).any()):  # compared, since a difference may overflow
        raise violation("nodes_not_ascending", "ascending node ids", quantity=quantity, nodes=nodes[:8].tolist())
    captures, sample_index = arrays["step"].shape[0], arrays.get(f"sample_index/{quantity}")
    if (recorded < 0).any() or (recorded > captures).any():
        raise violation("bad_recorded", f"0 to {captures} capture rows", quantity=quantity)
    if recorded[:, 1].sum(dtype=np.int64) != (0 if sample_index is None else sample_index.shape[0]):
        raise violation("bad_recorded", "as many samples as sample_index lists", quantity=quantity)
    histogram = arrays.get(f"histogram/{quantity}")
    return QuantityIndex(nodes, recorded[:, 0], recorded[:, 1], 0 if histogram is None else histogram.shape[2])


def _check_rows(rows: Mapping[str, npt.NDArray[Any]], dropped: npt.NDArray[np.int64]) -> None:
    step, rank = rows["step"], rows["rank"]
    if (step < 0).any() or (rank < 0).any() or (dropped < 0).any():
        raise violation("negative_step", "steps and ranks of 0 or more", step=step[:4].tolist(), rank=rank[:4].tolist())
    later = np.diff(step)
    if (later < 0).any() or (np.diff(rank)[later == 0] < 0).any():
        raise violation("rows_not_ascending", "rows ordered by step and rank", step=step[:8].tolist(), rank=rank[:8].tolist())
