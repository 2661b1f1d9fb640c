"""The layout of binary answers: that of a safetensors file.

The one invariant: a browser makes a typed array of each array without a copy, and a NaN stays the NaN that it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.plugin.http import Answer
from tb_activations.store.container import dtype_code

__all__ = ["array_answer"]

_ALIGNMENT = 8


def array_answer(arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str] | None = None, cacheable: bool = False) -> Answer:
    """Arrays, laid out as a safetensors file.

    Arrays come in the order of falling item sizes behind a header of a multiple of 8 bytes, so each starts at a multiple of its item size.
    """
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for name, array in ordered:
        header[name] = {"dtype": dtype_code(array.dtype), "shape": list(array.shape), "data_offsets": [position, position + array.nbytes]}
        position += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % _ALIGNMENT)
    parts = [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for _, array in ordered]
    return Answer(b"".join([len(text).to_bytes(8, "little"), text, *parts]), "application/octet-stream", cacheable)
