"""The safetensors container: a validated header, and reads of exactly the bytes that are asked for.

The one invariant: after `ArrayFile.open` returned, every array it lists lies inside the file, so that a later read allocates what the header
promised and the header promised no more than the file holds. Nothing here knows what the arrays mean.

Files are read with ``seek`` + ``readinto`` and closed again. A memory map would be a little faster, but keeps a file descriptor per segment in
Python, and a file that somebody truncates under a map kills the process with SIGBUS: TensorBoard must survive that.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from tb_activations.errors import FormatError
from tb_activations.store.atomic import write_whole

__all__ = ["DTYPES", "MAX_RANK", "ArrayFile", "ArrayReader", "ArraySpec", "FileChangedError", "dtype_code", "violation", "write_arrays"]

MAX_HEADER_BYTES = 4 << 20
"""A segment of this format has some dozens of arrays, whatever the number of nodes."""
MAX_RANK = 32

DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "C64": np.dtype("<c8"),
}
"""Dtype codes of safetensors and what they are in numpy."""

_CODES = {dtype: code for code, dtype in DTYPES.items()}


class FileChangedError(Exception):
    """A file was deleted (``gone``) or replaced since it was opened: look at the directory again."""

    def __init__(self, message: str, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


def violation(code: str, expected: str, /, **received: object) -> FormatError:
    """The error for one way to violate the format; ``code`` is stable, so that tests and users can tell violations apart."""
    facts = ", ".join(f"{key}={value!r:.200}" for key, value in received.items())
    return FormatError(f"{code}: expected {expected}. Received: {facts}")


def dtype_code(dtype: np.dtype[Any]) -> str | None:
    """The safetensors code of ``dtype``, or None when the container has none for it."""
    return _CODES.get(dtype)


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Where one array lies. ``offset_bytes`` counts from the start of the file; ``row_bytes`` is the size of an entry of the leading axis."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset_bytes: int
    size_bytes: int
    row_bytes: int


class ArrayReader:
    """Reads arrays from an open file; close it with a `with` block."""

    __slots__ = ("_arrays", "_file")

    def __init__(self, file: FileIO, arrays: Mapping[str, ArraySpec]) -> None:
        self._file = file
        self._arrays = arrays

    def __enter__(self) -> ArrayReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Rows ``start:stop`` of the leading axis of array ``name``: one contiguous read."""
        spec = self._arrays[name]
        stop = spec.shape[0] if stop is None else min(stop, spec.shape[0])
        buffer = np.empty((max(stop - start, 0), *spec.shape[1:]), spec.dtype)
        # As bytes: a dtype that Python's buffers don't know (bfloat16) has no memory view of its own.
        data = buffer.view(np.uint8) if buffer.ndim else buffer
        self.read_into(name, start, memoryview(data.reshape(-1).data))
        # A byte that is neither 0 nor 1 is no bool that numpy may see.
        return buffer.view(np.uint8) != 0 if spec.dtype == np.bool_ else buffer

    def read_into(self, name: str, start: int, target: memoryview) -> None:
        """Fills the bytes ``target`` from row ``start`` of array ``name`` on."""
        if not target:
            return
        spec = self._arrays[name]
        self._file.seek(spec.offset_bytes + start * spec.row_bytes)
        count = self._file.readinto(target)
        while count and count < len(target):
            target = target[count:]
            count = self._file.readinto(target)
        if not count:
            raise FileChangedError(f"{Path(str(self._file.name)).name} is shorter than its header says.")


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """A safetensors file whose header was read and found sound.

    Attributes:
      signature: size and time of modification; a file whose signature differs is another file.
    """

    path: Path
    signature: tuple[int, int]
    metadata: Mapping[str, str]
    arrays: Mapping[str, ArraySpec]

    @classmethod
    def open(cls, path: Path) -> ArrayFile:
        """Reads the header.

        Raises:
          FormatError: the file is no sound safetensors file.
          FileNotFoundError: it is gone.
        """
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            header, data_start = _read_header(file, status.st_size)
        metadata = _take_metadata(header)
        return cls(path, _signature(status), metadata, _take_arrays(header, data_start, status.st_size))

    def reader(self) -> ArrayReader:
        """Opens the file for reading; `FileChangedError` when it is not the file any more whose header was read."""
        try:
            file = FileIO(str(self.path), "rb")
        except OSError as error:
            raise FileChangedError(f"{self.path.name} can't be opened: {error.strerror}.", gone=isinstance(error, FileNotFoundError)) from error
        if _signature(os.fstat(file.fileno())) != self.signature:
            file.close()
            raise FileChangedError(f"{self.path.name} was replaced.")
        return ArrayReader(file, self.arrays)


def _signature(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _read_header(file: Any, size_bytes: int) -> tuple[dict[str, Any], int]:
    start = file.read(8)
    if len(start) < 8:
        raise violation("file_too_short", "a header length of 8 bytes", size=len(start))
    (length,) = struct.unpack("<Q", start)
    if length > MAX_HEADER_BYTES:
        raise violation("header_too_large", f"at most {MAX_HEADER_BYTES} bytes", length=length)
    if 8 + length > size_bytes:
        raise violation("header_truncated", "the file to hold its header", length=length, size=size_bytes)
    try:
        header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise violation("header_not_json", "UTF-8 JSON", error=str(error)) from error
    if not isinstance(header, dict):
        raise violation("header_not_object", "a JSON object", header=type(header).__name__)
    return header, 8 + length


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _take_metadata(header: dict[str, Any]) -> dict[str, str]:
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise violation("metadata_not_strings", "an object of strings", metadata=metadata)
    return metadata


def _take_arrays(header: Mapping[str, Any], data_start: int, size_bytes: int) -> dict[str, ArraySpec]:
    arrays = {name: _array_spec(name, entry, data_start) for name, entry in header.items()}
    position = data_start
    for name, spec in sorted(arrays.items(), key=lambda item: (item[1].offset_bytes, item[1].size_bytes)):
        if spec.offset_bytes != position:
            raise violation("data_not_contiguous", f"array {name!r} to start at byte {position}", offset=spec.offset_bytes)
        position += spec.size_bytes
    if position != size_bytes:
        raise violation("data_truncated", f"{position} bytes as the header says", size=size_bytes)
    return arrays


def _array_spec(name: str, entry: Any, data_start: int) -> ArraySpec:
    if not isinstance(entry, dict):
        raise violation("array_not_object", f"an object for array {name!r}", entry=entry)
    dtype = DTYPES.get(str(entry.get("dtype")))
    if dtype is None:
        raise violation("unknown_dtype", f"a dtype of {', '.join(DTYPES)} for array {name!r}", dtype=entry.get("dtype"))
    shape, offsets = _sizes(entry.get("shape")), _sizes(entry.get("data_offsets"))
    if shape is None or len(shape) > MAX_RANK:
        raise violation("bad_shape", f"a list of sizes for array {name!r}", shape=entry.get("shape"))
    if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise violation("bad_offsets", f"two ascending offsets for array {name!r}", data_offsets=entry.get("data_offsets"))
    size_bytes = math.prod(shape) * dtype.itemsize
    if offsets[1] - offsets[0] != size_bytes:
        raise violation("size_mismatch", f"{size_bytes} bytes for array {name!r} of shape {shape}", data_offsets=offsets)
    row_bytes = size_bytes // shape[0] if shape and shape[0] else 0
    return ArraySpec(dtype, shape, data_start + offsets[0], size_bytes, row_bytes)


def _sizes(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 62 for item in value):
        return tuple(value)
    return None


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> int:
    """Writes a safetensors file that is there whole or not at all. Returns its size in bytes.

    (`safetensors.numpy.save_file` makes files that only their owner may read, and turns the error of a full disk into text.)

    Raises:
      OSError: it could not be written; nothing is left behind.
    """
    # By descending size of item: then every array is aligned, with no gap between them.
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header = _header_bytes(ordered, metadata)
    with write_whole(path) as file:
        file.write(header)
        for _, array in ordered:
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return len(header) + sum(array.nbytes for _, array in ordered)


def _header_bytes(arrays: Sequence[tuple[str, npt.NDArray[Any]]], metadata: Mapping[str, str]) -> bytes:
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, array in arrays:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _CODES[array.dtype], "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text
