"""Answers of a `Run` that are several arrays.

The one invariant: all arrays of an answer are of one moment, one entry per step where it says no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Captures", "Histogram", "Sample"]


@dataclass(frozen=True, slots=True)
class Captures:
    """The captures of a run, one entry per step. Times in seconds.

    Attributes:
      rows: how many replicas recorded the step so far; those of several workers arrive one after the other.
      dropped: int64[D], steps that were due and were not recorded.
    """

    step: npt.NDArray[np.int64]
    wall_time: npt.NDArray[np.float64]
    epoch: npt.NDArray[np.int64]
    overhead: npt.NDArray[np.float64]
    loss_scale: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.int64]


class Histogram(NamedTuple):
    """Histograms of one node: ``steps`` int64[C], ``counts`` uint32[C, B], ``edges`` float64[C, B + 1]."""

    steps: npt.NDArray[np.int64]
    counts: npt.NDArray[np.uint32]
    edges: npt.NDArray[np.float64]


class Sample(NamedTuple):
    """The raw numbers kept of a tensor.

    Attributes:
      numbers: an array of the tensor's own dtype (bfloat16 and the like are those of ``ml_dtypes``) and rank.
      strides: how far apart they are along each axis: ``numbers[i, j, …]`` is ``tensor[i * strides[0], j * strides[1], …]``.
    """

    numbers: npt.NDArray[Any]
    strides: tuple[int, ...]
