"""What the name of a segment and the header of its file must say.

The one invariant: what passes these checks is laid out as ``docs/format.md`` says, and asks for no more memory than a sane run would. No array is
read here: `segments` does, and checks the numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.container import DTYPES, MAX_RANK, ArraySpec, violation
from tb_activations.store.jsonfile import END_OF_TIME, check_version
from tb_activations.store.schema import Quantity

__all__ = ["MAX_SAMPLE_BYTES", "ROW_ARRAYS", "SEGMENT_NAME", "STEPS", "SegmentId", "check_columns", "check_metadata", "check_shapes"]

SEGMENT_NAME = re.compile(r"segment-([0-9]{12})-([0-9]{4})-([0-9a-f]{8})-([0-9]{6}|[1-9][0-9]{6,8})\.safetensors")
"""A million segments are three weeks of a session that records all the time."""

ROW_ARRAYS: Mapping[str, str] = {"step": "<i8", "rank": "<i4", "wall_time": "<f8", "epoch": "<i8", "overhead": "<f8", "loss_scale": "<f4"}
"""Arrays with one number per capture row, and their dtypes."""

_MAX_COLUMNS = 256
_MAX_BINS = 4096
_MAX_ENTRIES = 4 << 20
"""Capture rows, dropped steps and nodes of a segment. A file with holes may promise any number and take no room on a disk."""
_MAX_ARRAY_BYTES = 2 << 30
"""Of an array that is no sample: some are read whole. A step of 100,000 nodes has 11 MB of statistics."""

MAX_SAMPLE_BYTES = 1 << 30
"""Of the raw numbers of one tensor at one step, which are read whole: an embedding of 262,144 words × 1,024 numbers."""

_BOUNDED = ("statistics", "counts", "histogram", "histogram_range", "sample_index", "sample_stride")
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,63}")


STEPS = 10**12
"""Steps are counted from 0 to one less: a name has room for no more."""


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


def check_metadata(metadata: Mapping[str, str], identity: SegmentId) -> dict[str, Any]:
    """What the metadata say, as fields of a `Segment`; `FormatError` where they may not say it."""
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


def check_columns(text: str) -> tuple[str, ...]:
    """The names of the statistics, in the order of the last axis of their arrays."""
    columns = tuple(text.split(",")) if text else ()
    if len(set(columns)) != len(columns) or len(columns) > _MAX_COLUMNS or not all(_COLUMN.fullmatch(column) for column in columns):
        raise violation("bad_statistics", f"at most {_MAX_COLUMNS} unique names of columns", statistics=text)
    return columns


def check_shapes(arrays: Mapping[str, ArraySpec], present: tuple[Quantity, ...], columns: int) -> None:
    """Checks dtype and shape of every array that the format names, for the quantities that are ``present``."""
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
        for name in (f"{part}/{quantity}" for part in _BOUNDED):
            if name in arrays and arrays[name].size_bytes > _MAX_ARRAY_BYTES:
                raise violation("array_too_large", f"at most {_MAX_ARRAY_BYTES >> 30} GiB for array {name!r}", size=arrays[name].size_bytes)


def _check_optional(arrays: Mapping[str, ArraySpec], quantity: Quantity, count: int, captures: int) -> None:
    histogram, edges = f"histogram/{quantity}", f"histogram_range/{quantity}"
    if histogram in arrays or edges in arrays:
        _expect(arrays, histogram, "<u4", (count, captures, None))
        _expect(arrays, edges, "<f4", (count, captures, 2))
        if not 1 <= arrays[histogram].shape[2] <= _MAX_BINS:
            raise violation("bad_bins", f"1 to {_MAX_BINS} bins", shape=arrays[histogram].shape)
    index, strides = f"sample_index/{quantity}", f"sample_stride/{quantity}"
    if index in arrays:
        _expect(arrays, index, "<i8", (None, None))
        if not 4 <= arrays[index].shape[1] <= 4 + MAX_RANK:
            raise violation("bad_sample_index", f"4 to {4 + MAX_RANK} columns", shape=arrays[index].shape)
        if strides in arrays:
            _expect(arrays, strides, "<i8", (arrays[index].shape[0], arrays[index].shape[1] - 4))
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
