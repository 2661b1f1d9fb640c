"""The operations file: the TensorFlow operations of the step that a graph file's generation was traced from.

The one invariant: what `read_operations` returns is what ``docs/format.md`` allows, whoever wrote the file, or it raises. The file lies beside the
graph file since it is many times larger and nothing but a look at single operations needs it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tb_activations.errors import FormatError
from tb_activations.store.atomic import write_whole
from tb_activations.store.container import violation
from tb_activations.store.jsonfile import fits, is_index, is_shape, read_object
from tb_activations.store.names import operations_name
from tb_activations.store.schema import FORMAT, FORMAT_VERSION, Operation, Source

__all__ = ["read_operations", "write_operations"]

MAX_OPERATIONS = 200_000
"""Those made later are left out. A step has about fifty for each layer."""

Row = list[Any]


def write_operations(directory: Path, fingerprint: str, operations: Sequence[Operation]) -> None:
    """Writes the operations of a generation, there whole or not at all; no file where there are none.

    Raises:
      OSError: it could not be written.
    """
    if not operations:
        return
    kept = operations[:MAX_OPERATIONS]
    while not fits(data := _dump(kept)) and kept:  # names may be long
        kept = kept[: len(kept) * 3 // 4]
    with write_whole(directory / operations_name(fingerprint)) as file:
        file.write(data)


def _dump(operations: Sequence[Operation]) -> bytes:
    sources: dict[Source, int] = {}
    rows = [_encode(operation, sources, len(operations)) for operation in operations]
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "sources": [[source.file, source.line, source.function] for source in sources],
        "operations": rows,
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


def read_operations(directory: Path, fingerprint: str) -> tuple[Operation, ...]:
    """The operations of a generation; empty where it has no such file.

    Raises:
      FormatError: it violates ``docs/format.md``, or can't be opened.
      VersionError: it was written in a newer version of the format.
    """
    try:
        content = read_object(directory / operations_name(fingerprint), "operations")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise FormatError(f"operations_unreadable: {error.strerror}") from error
    sources = [_parse_source(row) for row in _rows(content, "sources")]
    rows = _rows(content, "operations")
    return tuple(_parse(row, sources, len(rows)) for row in rows)


def _encode(operation: Operation, sources: dict[Source, int], count: int) -> Row:
    source = None if operation.source is None else sources.setdefault(operation.source, len(sources))
    inputs = [index for index in operation.inputs if index < count]
    return [operation.name, operation.type_name, operation.dtype, operation.shape, inputs, source]


def _rows(content: dict[str, Any], key: str) -> list[Row]:
    rows = content.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise violation("operations_rows", f"a list of lists for {key!r}", rows=type(rows).__name__)
    return rows


def _parse_source(row: Row) -> Source:
    if len(row) != 3 or not (isinstance(row[0], str) and type(row[1]) is int and isinstance(row[2], str)):
        raise violation("operations_source", "[file, line, function]", source=row)
    return Source(*row)


def _parse(row: Row, sources: Sequence[Source], count: int) -> Operation:
    if len(row) != 6:
        raise violation("operations_row", "[name, type, dtype, shape, inputs, source]", row=row)
    name, type_name, dtype, shape, inputs, source = row
    if not (isinstance(name, str) and name and isinstance(type_name, str) and isinstance(dtype, str | None)):
        raise violation("operations_text", "a name, a type, and a dtype or null", row=row)
    if not is_shape(shape):
        raise violation("operations_shape", f"a list of sizes for {name!r}", shape=shape)
    if not isinstance(inputs, list) or not all(is_index(index, count) for index in inputs):
        raise violation("operations_inputs", f"ids of operations for {name!r}", inputs=inputs)
    if source is not None and not is_index(source, len(sources)):
        raise violation("operations_source", f"an index into `sources` for {name!r}", source=source)
    where = None if source is None else sources[source]
    return Operation(name, type_name, dtype, None if shape is None else tuple(shape), where, tuple(inputs))
