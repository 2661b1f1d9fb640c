"""Golden bytes of a binary answer, shared with the front end.

``golden/wire.safetensors`` was made by the safetensors library (`make_golden`, ``python -m tests.plugin.test_wire_golden``),
``golden/wire.json`` holds its numbers as numpy knows them. ``frontend/src/wire.test.ts`` decodes the same file, so Python and
TypeScript can't read the same answer in two ways.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import load_file, save_file

GOLDEN = Path(__file__).parent / "golden"
METADATA = {"elements": "4096", "batch_axis": "0", "π": "hostile \u202e name"}

_SPECIAL = (0.0, -0.0, 1.0, -2.0, 1 / 3, math.inf, -math.inf, math.nan)


def golden_arrays() -> dict[str, np.ndarray]:
    """Every dtype that an answer may have, with its corners."""
    half = np.array([*_SPECIAL, 6e-8, 6.1e-5, 65504.0], np.float16)
    return {
        "f64": np.array([*_SPECIAL, 2.0**53, 5e-324]),
        "f32": np.array([*_SPECIAL, 1e-45, 3.4e38], np.float32).reshape(2, 5),
        "f16": half,
        "bf16": np.array([*_SPECIAL, 9.2e-41, 3.38e38]).astype(ml_dtypes.bfloat16),
        "i64": np.array([0, -1, 2**53, -(2**53)], np.int64),
        "u64": np.array([0, 2**53], np.uint64),
        "i32": np.array([-(2**31), 2**31 - 1], np.int32),
        "u32": np.array([2**32 - 1], np.uint32),
        "i16": np.array([-32768], np.int16),
        "u16": np.array([65535], np.uint16),
        "i8": np.array([-128, 127, 1], np.int8),
        "u8": np.array([255], np.uint8),
        "bool": np.array([True, False, True]),
        "empty": np.zeros((0, 7), np.float32),
        "scalar": np.array(2.5, np.float32),
    }


def as_json(array: np.ndarray) -> dict[str, object]:
    """Numbers as text where JSON has none: NaN, the infinities and negative zero."""

    def text(value: float) -> object:
        if value != value or value in (math.inf, -math.inf):
            return str(value)
        return "-0" if value == 0 and math.copysign(1, value) < 0 else value

    return {"shape": list(array.shape), "data": [text(float(value)) for value in array.ravel()]}


def make_golden() -> None:
    """Writes both files."""
    save_file(golden_arrays(), GOLDEN / "wire.safetensors", METADATA)
    content = {"metadata": METADATA, "arrays": {name: as_json(array) for name, array in golden_arrays().items()}}
    (GOLDEN / "wire.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def test_the_golden_answer_holds_these_numbers():
    expected = json.loads((GOLDEN / "wire.json").read_text(encoding="utf-8"))
    arrays = load_file(GOLDEN / "wire.safetensors")
    assert expected["metadata"] == METADATA
    assert {name: as_json(array) for name, array in arrays.items()} == expected["arrays"]
    assert {name: as_json(array) for name, array in golden_arrays().items()} == expected["arrays"]


if __name__ == "__main__":
    make_golden()
