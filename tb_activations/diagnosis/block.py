"""A stretch of captures as the rules see it: arrays [nodes, captures] of one statistic.

The one invariant: rows are in the order of `Run.nodes`, columns in ascending order of steps, and where nothing was recorded there is NaN, in counts
too. Blocks carry numbers; what they mean is the rules' business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.store.schema import Quantity

__all__ = ["MASKED", "Block", "Floats", "Reader", "first_known"]

Floats = npt.NDArray[np.floating[Any]]
Reader = Callable[[str, Quantity], Floats]
"""Gives one statistic or count of all nodes, [nodes, captures], for the captures of the block."""


MASKED = -1e4
"""A score below it was masked. Masks of float16 have −3e4 and less, others −1e9."""


class Block:
    """Some captures that follow each other.

    Attributes:
      steps: int64[c].
      loss_scale: float32[c]; NaN without one.
      first_loss: float32[c], the first loss of the run; NaN without a loss, and once a loss was negative.
      beginning_loss: float32[c], the first loss of the run, whatever came later; NaN without one.
      median_loss: float32[c], the median of the last few losses (see `losses.LossHistory`).
      progress: bool[c], whether training had clearly got somewhere by then.
      is_judged: bool[c], whether the loss says how training goes: no adversarial or likelihood loss that was negative.
      untrained: bool[nodes], whether the run shows how a training of the node begins (see `beginning`).
      first_bias: float32[nodes], root mean square of the bias that a layer began with; 0 without one.
    """

    def __init__(self, steps: npt.NDArray[np.int64], loss_scale: Floats, read: Reader) -> None:
        self.steps = steps
        self.loss_scale = loss_scale
        self.first_loss = self.beginning_loss = self.median_loss = np.full(len(steps), np.nan, np.float32)
        self.progress: npt.NDArray[np.bool_] = np.zeros(len(steps), bool)
        self.is_judged: npt.NDArray[np.bool_] = np.ones(len(steps), bool)
        self.untrained: npt.NDArray[np.bool_] = np.empty(0, bool)
        self.first_bias: Floats = np.empty(0, np.float32)
        self._read = read
        self._columns: dict[tuple[str, Quantity], Floats] = {}

    def part(self, start: int, stop: int) -> Block:
        """Some of the captures, without what is known of training."""
        return Block(self.steps[start:stop], self.loss_scale[start:stop], lambda name, quantity: self.column(name, quantity)[:, start:stop])

    def column(self, statistic: str, quantity: Quantity = "value") -> Floats:
        """One statistic of all nodes, [nodes, c]."""
        key = (statistic, quantity)
        if key not in self._columns:
            self._columns[key] = self._read(statistic, quantity)
        return self._columns[key]

    def nonfinite(self, quantity: Quantity = "value") -> Floats:
        """How many elements are NaN or infinite, [nodes, c]; 0 where nothing was recorded."""
        key = ("nonfinite", quantity)
        if key not in self._columns:
            total = sum(self.column(name, quantity) for name in ("nan_count", "pos_inf_count", "neg_inf_count"))
            self._columns[key] = np.where(total > 0, total, 0)
        return self._columns[key]

    def rms(self, quantity: Quantity = "value") -> Floats:
        """Root mean square of the finite elements, [nodes, c]."""
        key = ("root_mean_square", quantity)
        if key not in self._columns:
            finite = self.column("elements", quantity) - self.nonfinite(quantity)
            self._columns[key] = self.column("l2_norm", quantity) / np.sqrt(np.where(finite > 0, finite, np.nan))
        return self._columns[key]

    def recorded(self, quantity: Quantity = "value") -> npt.NDArray[np.bool_]:
        """Whether something was recorded, [nodes, c]."""
        return ~np.isnan(self.column("elements", quantity))


def adds_up(mean: Floats, count: Floats) -> npt.NDArray[np.bool_]:
    """Whether numbers are ``count`` shares of a whole, by their mean. A thousandth more or less is rounding, to float16 at the worst."""
    told: npt.NDArray[np.bool_] = np.abs(mean * count - 1) <= 1e-3
    return told


def first_known(values: Floats) -> Floats:
    """The first entry of each row that is not NaN, [rows, 1]; NaN where there is none."""
    known = ~np.isnan(values)
    first: Floats = np.where(known.any(1), values[np.arange(len(values)), known.argmax(1)], np.nan)[:, None].astype(np.float32)
    return first
