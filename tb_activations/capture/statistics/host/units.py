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
_ROW = 1_024
"""Elements that numpy needs side by side to be quick: several rows of few units are taken for one."""
_TOGETHER = 65_536


def as_units(tensor: Array) -> Array:
    """A tensor as [rows, units]; a vector has one unit."""
    return tensor.reshape(-1, tensor.shape[-1]) if tensor.ndim >= 2 and tensor.shape[-1] else tensor.reshape(-1, 1)


def zero_share(units: Array) -> float:
    """The share of units of [rows, units] that are 0 in every row; NaN where there are no elements."""
    if not units.size:
        return float("nan")
    rows, width = units.shape
    # Few rows tell mostly that no unit is zero.
    zero = ~(units[:: max(1, units.size // _LOOKED_AT)] != 0).any(0)
    beside = max(1, min(rows, _ROW // width))
    step = max(1, _TOGETHER // (beside * width)) * beside
    for start in range(0, rows, step):
        if not zero.any():
            break
        some = units[start : start + step]
        even = len(some) // beside * beside
        zero &= ~(some[:even].reshape(-1, beside * width) != 0).any(0).reshape(beside, width).any(0)
        zero &= ~(some[even:] != 0).any(0)
    return float(np.count_nonzero(zero) / width)
