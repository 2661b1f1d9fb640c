"""Units (places along the last axis) that are 0 everywhere, on the host.

The one invariant: a unit counts as zero only when every element of it was looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["as_units", "zero_share"]

Array = npt.NDArray[Any]

_LOOKED_AT = 4_096
_TOGETHER = 65_536


def as_units(tensor: Array) -> Array:
    """A tensor as [rows, units]; a vector has one unit."""
    return tensor.reshape(-1, tensor.shape[-1]) if tensor.ndim >= 2 and tensor.shape[-1] else tensor.reshape(-1, 1)


def zero_share(units: Array) -> float:
    """The share of units of [rows, units] that are 0 in every row; NaN where there are no elements."""
    if not units.size:
        return float("nan")
    # Few rows tell mostly that no unit is zero.
    left = np.flatnonzero(~(units[:: max(1, units.size // _LOOKED_AT)] != 0).any(0))
    step = max(1, _TOGETHER // units.shape[1])
    for start in range(0, len(units), step):
        if not len(left):
            break
        left = left[~(units[start : start + step, left] != 0).any(0)]
    return len(left) / int(units.shape[1])
