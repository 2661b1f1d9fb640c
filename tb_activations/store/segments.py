"""One immutable segment: what its file must hold, and reading parts of it.

The one invariant: a `Segment` exists only if every array that ``docs/format.md`` names has the dtype and the shape that the page says, so the
code that reads from it needs no check. The arrays with one entry per capture row or per node are in memory; everything else stays in the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.container import DTYPES, MAX_RANK, ArrayFile, ArrayReader, ArraySpec, violation
from tb_activations.store.jsonfile import END_OF_TIME, check_version
from tb_activations.store.schema import QUANTITIES, Quantity

__all__ = ["ROW_ARRAYS", "SEGMENT_NAME", "QuantityIndex", "Segment", "SegmentId", "open_segment"]

SEGMENT_NAME = re.compile(r"segment-([0-9]{12})-([0-9]{4})-([0-9a-f]{8})-([0-9]{6}|[1-9][0-9]{6,8})\.safetensors")
"""A million segments are three weeks of a session that records all the time."""

ROW_ARRAYS: Mapping[str, str] = {"step": "<i8", "rank": "<i4", "wall_time": "<f8", "epoch": "<i8", "overhead": "<f8", "loss_scale": "<f4"}
"""Arrays with one number per capture row, and their dtypes."""

_MAX_COLUMNS = 256
_MAX_BINS = 4096
_MAX_ENTRIES = 4 << 20
"""Capture rows, dropped steps and nodes of a segment. A file with holes may promise any number and take no room on a disk."""
_MAX_ARRAY_BYTES = 2 << 30
"""Of an array of statistics, counts or histograms: some are read whole. A step of 100,000 nodes has 11 MB of statistics."""
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, order=True)
class SegmentId:
    """What the name of a segment says."""

    first_step: int
    worker: int
    session: str
    serial: int

    @property
    def name(self) -> str:
        """The file name."""
        return f"segment-{self.first_step:012d}-{self.worker:04d}-{self.session}-{self.serial:06d}.safetensors"

    @classmethod
    def parse(cls, name: str) -> SegmentId | None:
        """None when ``name`` is not the name of a segment."""
        match = SEGMENT_NAME.fullmatch(name)
        return match and cls(int(match[1]), int(match[2]), match[3], int(match[4]))


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

    def sample(self, reader: ArrayReader, quantity: Quantity, position: int, row: int) -> npt.NDArray[Any] | None:
        """The sample of the node at ``position`` of the quantity's nodes at capture row ``row``."""
        index = self.quantities[quantity]
        start = int(index.samples[:position].sum(dtype=np.int64))
        table = reader.read(f"sample_index/{quantity}", start, start + int(index.samples[position]))
        found = np.flatnonzero((table[:, 0] == index.nodes[position]) & (table[:, 1] == row))
        return self._sample_at(reader, quantity, table[found[0]].tolist()) if len(found) else None

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
    metadata = _check_metadata(file.metadata, identity)
    columns = _check_columns(file.metadata.get("statistics", ""))
    present = tuple(quantity for quantity in QUANTITIES if f"nodes/{quantity}" in file.arrays)
    _check_shapes(file.arrays, present, len(columns))
    with file.reader() as reader:
        rows = {name: reader.read(name) for name in ROW_ARRAYS}
        dropped = reader.read("dropped")
        quantities = {quantity: _read_quantity(reader, file.arrays, quantity) for quantity in present}
    _check_rows(rows, dropped)
    return Segment(identity, file, columns=columns, rows=rows, dropped=dropped, quantities=quantities, **metadata)


def _check_metadata(metadata: Mapping[str, str], identity: SegmentId) -> dict[str, Any]:
    version = metadata.get("version", "")
    check_version(metadata.get("format"), int(version) if re.fullmatch("[0-9]{1,9}", version) else version)
    expected = (f"{identity.worker:04d}", identity.session)
    if (metadata.get("worker"), metadata.get("session")) != expected:
        raise violation("wrong_session", f"worker and session of its name {expected}", worker=metadata.get("worker"), session=metadata.get("session"))
    graph = metadata.get("graph", "")
    if not re.fullmatch(r"[0-9a-f]{16}", graph):
        raise violation("bad_graph", "a fingerprint of 16 hexadecimal digits", graph=graph)
    return {
        "session_started": _check_started(metadata.get("session_started", "")),
        "graph": graph,
        "replaces": _check_replaces(metadata.get("replaces", ""), identity),
        "budget": metadata.get("budget", "")[:64],
    }


def _check_started(text: str) -> float:
    try:
        started = float(text)
    except ValueError:
        started = math.nan
    if not 0 <= started < END_OF_TIME:
        raise violation("bad_session_started", "seconds since the epoch", session_started=text)
    return started


def _check_replaces(text: str, identity: SegmentId) -> frozenset[str]:
    """Only segments of the same session can be replaced: nobody can hide another writer's data."""
    names = frozenset(text.split(",")) if text else frozenset()
    for name in names:
        replaced = SegmentId.parse(name)
        if replaced is None or (replaced.worker, replaced.session) != (identity.worker, identity.session) or replaced.serial >= identity.serial:
            raise violation("bad_replaces", "names of older segments of the same session", replaces=name)
    return names


def _check_columns(text: str) -> tuple[str, ...]:
    columns = tuple(text.split(",")) if text else ()
    if len(set(columns)) != len(columns) or len(columns) > _MAX_COLUMNS or not all(_COLUMN.fullmatch(column) for column in columns):
        raise violation("bad_statistics", f"at most {_MAX_COLUMNS} unique names of columns", statistics=text)
    return columns


def _check_shapes(arrays: Mapping[str, ArraySpec], present: tuple[Quantity, ...], columns: int) -> None:
    captures = _extent(arrays, "step", 0)
    for name, dtype in ROW_ARRAYS.items():
        _expect(arrays, name, dtype, (captures,))
    _expect(arrays, "dropped", "<i8", (None,))
    _check_extent("dropped", arrays["dropped"].shape[0])
    for quantity in present:
        count = _extent(arrays, f"nodes/{quantity}", 0)
        _expect(arrays, f"nodes/{quantity}", "<i4", (count,))
        _expect(arrays, f"recorded/{quantity}", "<i4", (count, 2))
        _expect(arrays, f"statistics/{quantity}", "<f4", (count, captures, columns))
        _expect(arrays, f"counts/{quantity}", "<i8", (count, captures, 4))
        _check_optional(arrays, quantity, count, captures)
        for name in (f"{part}/{quantity}" for part in ("statistics", "counts", "histogram", "histogram_range")):
            if name in arrays and arrays[name].size_bytes > _MAX_ARRAY_BYTES:
                raise violation("array_too_large", f"at most {_MAX_ARRAY_BYTES >> 30} GiB for array {name!r}", size=arrays[name].size_bytes)


def _check_optional(arrays: Mapping[str, ArraySpec], quantity: Quantity, count: int, captures: int) -> None:
    histogram, edges = f"histogram/{quantity}", f"histogram_range/{quantity}"
    if histogram in arrays or edges in arrays:
        _expect(arrays, histogram, "<u4", (count, captures, None))
        _expect(arrays, edges, "<f4", (count, captures, 2))
        if not 1 <= arrays[histogram].shape[2] <= _MAX_BINS:
            raise violation("bad_bins", f"1 to {_MAX_BINS} bins", shape=arrays[histogram].shape)
    index = f"sample_index/{quantity}"
    if index in arrays:
        _expect(arrays, index, "<i8", (None, None))
        if not 4 <= arrays[index].shape[1] <= 4 + MAX_RANK:
            raise violation("bad_sample_index", f"4 to {4 + MAX_RANK} columns", shape=arrays[index].shape)
    for name, spec in arrays.items():
        if name.startswith(f"sample/{quantity}/"):
            code = name.rsplit("/", 1)[1]
            _expect(arrays, name, DTYPES.get(code, "V0"), (spec.shape[0] if spec.shape else 0,))


def _expect(arrays: Mapping[str, ArraySpec], name: str, dtype: npt.DTypeLike, shape: tuple[int | None, ...]) -> None:
    spec = arrays.get(name)
    if spec is None:
        raise violation("array_missing", f"array {name!r}", arrays=sorted(arrays))
    fits = len(spec.shape) == len(shape) and all(want is None or want == have for want, have in zip(shape, spec.shape, strict=True))
    if spec.dtype != np.dtype(dtype) or not fits:
        raise violation("wrong_array", f"array {name!r} as {np.dtype(dtype)} of shape {shape}", dtype=str(spec.dtype), shape=spec.shape)


def _extent(arrays: Mapping[str, ArraySpec], name: str, axis: int) -> int:
    spec = arrays.get(name)
    if spec is None or len(spec.shape) <= axis:
        raise violation("array_missing", f"array {name!r} with {axis + 1} axes", arrays=sorted(arrays))
    _check_extent(name, spec.shape[axis])
    return spec.shape[axis]


def _check_extent(name: str, entries: int) -> None:
    if entries > _MAX_ENTRIES:
        raise violation("array_too_large", f"at most {_MAX_ENTRIES} entries for array {name!r}", entries=entries)


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
