"""Whether all weights of a run have stopped moving, though they moved before and there is still something to learn.

The one invariant: a standstill is of all kernels of a step. Where one of them still moves, the optimizer works, and the others wait for their turn or
get no gradient. Steps that have become a thousandth of what they were are one of most kernels: single ones are large by the noise of a batch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.fingerprint import Fingerprint

__all__ = ["STEPS", "Fading", "Standstill"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOVED = 1e-5
"""Update over weights, of any kernel, from which on training has begun."""
STILL = 1e-6
"""The same, of all kernels, below which nothing moves: a million steps for a change as large as the weights."""
FALLEN = 0.5
"""Of the first loss. Below it something was learned, and rest is convergence."""
CAPTURES = 10
"""Captures in a row. A schedule that ends at 0 has a few of them."""
SHARE = 1 / 3
"""Of the steps so far. A schedule that ends at 0 is next to 0 for less than a tenth of them."""
FEW_CAPTURES, LARGE_SHARE = 5, 2 / 3
"""The same, where it stands for longer than it ever moved."""
STEPS = 100
"""Steps for which nothing has moved, of which the capture after them is proof enough: weights are what they were before."""
CONVERGED = 1e-3
"""Of the largest gradient so far (L2 norms). Below it the gradient has died down by itself: so it does without noise, at the lowest loss there is."""

FADED = 1e-3
"""Of the most that a step ever made of a gradient (L2 norms). A cosine is below it for the last fiftieth of its steps."""
SMALL = 1e-5
"""Update over weights, below which a step with so little is next to nothing, too: 100,000 steps for a change as large as the weights."""
MOST = 0.5
"""Of the kernels."""


class Standstill:
    """Follows the kernels at ``rows``."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._fingerprint = Fingerprint(rows)
        self._has_moved = False
        self._since, self._captures = -1, 0
        self._before = -1  # the step of the last capture, if its own update was next to nothing
        self._largest_gradient = 0.0

    def feed(self, block: Block, ratio: Floats) -> tuple[Bools, Floats]:
        """Whether all kernels stand still for long while the loss is still large, [c], and since which step, [c]; −1: they don't stand."""
        holds, since = np.zeros(len(block.steps), np.bool_), np.full(len(block.steps), -1, np.float32)
        small: Bools = np.all((ratio < STILL) | np.isnan(ratio), axis=0)
        rests = self._rests(block, ratio) & small
        moves: Bools = np.any(ratio >= MOVED, axis=0)
        for capture, step in enumerate(block.steps.tolist()):
            self._has_moved |= bool(moves[capture])
            self._count(step, bool(rests[capture]) and self._has_moved)
            self._before = step if small[capture] and self._has_moved else -1
            since[capture] = self._since
            lasted = step - self._since
            long = self._captures >= CAPTURES or (self._captures > 0 and lasted >= STEPS)
            holds[capture] = (long and lasted >= SHARE * step) or (self._captures >= FEW_CAPTURES and lasted >= LARGE_SHARE * step)
        unlearned: Bools = block.median_loss > FALLEN * block.first_loss
        return holds & unlearned, since

    def _count(self, step: int, rests: bool) -> None:
        """Weights that are what they were at the capture before stand since then, if that changed nothing either."""
        self._captures = self._captures + 1 if rests else 0
        if self._captures <= 1:
            self._since = -1 if not rests else self._before if self._before >= 0 else step

    def _rests(self, block: Block, ratio: Floats) -> Bools:
        """Whether no kernel moves although a gradient arrives, [c]. An optimizer that adds up gradients changes nothing at most steps, but from one
        capture to the next."""
        now, before = self._fingerprint.feed(block)
        changed = (np.abs(now - before) > STILL * np.abs(now).max(0)).any(0)
        gradient = np.fmax.reduce(np.nan_to_num(block.column("l2_norm", "gradient")[self._rows]), axis=0, initial=0.0)
        largest = np.maximum.accumulate(np.concatenate([[self._largest_gradient], gradient]))
        self._largest_gradient = float(largest[-1])
        known = ~np.isnan(ratio)
        still: Bools = (~changed | ~known).all(0) & known.any(0) & (gradient > CONVERGED * largest[1:])
        return still


class Fading:
    """Follows what steps make of gradients at the kernels at ``rows``: a schedule that ends, but never at 0."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._largest: Floats = np.zeros((len(rows), 1), np.float32)
        self._since = -1

    def feed(self, block: Block, ratio: Floats) -> tuple[Bools, Floats, Floats]:
        """Where next to nothing is left of it, for `STEPS` and two thirds of all, [rows, c]; how much, [rows, c]; and since which step, [c]."""
        update, gradient = (block.column("l2_norm", quantity)[self._rows] for quantity in ("update", "gradient"))
        rate = update / np.where(gradient > 0, gradient, np.nan)
        largest = np.maximum.accumulate(np.concatenate([self._largest, np.nan_to_num(rate)], axis=1), axis=1)[:, 1:]
        self._largest = largest[:, -1:]
        left: Floats = rate / np.where(largest > 0, largest, np.nan)
        faded = (left < FADED) & (ratio < SMALL) & (ratio > 0)  # an optimizer that adds gradients up makes nothing of most of them
        rests = (faded.sum(0) >= MOST * (~np.isnan(ratio)).sum(0)) & faded.any(0)
        since = np.full(len(block.steps), -1, np.float32)
        for capture, step in enumerate(block.steps.tolist()):
            self._since = -1 if not rests[capture] else self._since if self._since >= 0 else step
            since[capture] = self._since
        lasted = np.where(since >= 0, block.steps - since, 0)
        return faded & (lasted >= np.maximum(STEPS, LARGE_SHARE * block.steps)), left, since
