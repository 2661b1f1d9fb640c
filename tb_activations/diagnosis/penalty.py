"""Gradients of weights that don't come from what the layer computes: a penalty on the weights that outweighs the loss.

The one invariant: the gradient of a kernel by way of its layer is a sum of products of what comes in and of the gradient at what goes out, so its L2
norm is at most the product of theirs (Cauchy & Schwarz). What is far beyond was added to the loss as a function of the weights alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats, first_known
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.losses import PROGRESS
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent

__all__ = ["PassedBack", "PenaltyTooStrong"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PLAIN = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})
"""Layers that do no more with their kernel than multiply by it."""


STEADY = 0.05
"""Relative change from one capture to the next. Other terms that pass by the output (a gradient penalty) change with every batch."""


class Explained:
    """How much of a gradient the layers of kernels explain."""

    MORE = 1.1
    """Times the product of the norms, from which on something else than the loss has a part in a gradient, whatever rounding does."""
    BEYOND = 10.0
    """Times the product of the norms, which the loss itself reaches only where all examples pull at a weight in one direction."""

    def __init__(self, facts: Facts) -> None:
        found = [(position, *way) for position, kernel in enumerate(facts.kernels.tolist()) if (way := _way(facts, kernel)) is not None]
        self.positions = np.array([position for position, *_ in found], np.int64)
        """Those among `Facts.kernels` of which it is known."""
        self._outputs = np.array([output for _, output, _, _ in found], np.int64)
        self._sources = np.array([source for _, _, source, _ in found], np.int64)
        self._reuse = np.array([reuse for *_, reuse in found])[:, None]
        self._kernels = facts.kernels

    def limit(self, block: Block) -> Floats:
        """The most that the loss can pull at each of `positions`, [positions, c]."""
        most: Floats = block.column("l2_norm", "gradient")[self._outputs] * block.column("l2_norm")[self._sources] * self._reuse
        return most

    def beyond(self, block: Block, times: float = BEYOND) -> Bools:
        """Whether the gradient of each of `Facts.kernels` is so many times that, or more, [kernels, c]."""
        own = block.column("l2_norm", "gradient")[self._kernels]
        found = np.zeros(own.shape, np.bool_)
        limit = self.limit(block)
        found[self.positions] = (own[self.positions] > times * limit) & (limit > 0)
        return found


class Squares:
    """How much of the loss squares of weights are, of layers with several kernels of which it isn't known what the loss can pull. Remembers the last
    capture."""

    MULTIPLE = 0.1
    """Relative difference of gradient over weights between the kernels of one layer, up to which they are one multiple: that of a sum of squares."""
    MOST = 0.5
    """Of the loss. A sum of squares is half the product of its gradient and the weights (Euler's theorem)."""

    def __init__(self, facts: Facts, explained: Explained) -> None:
        self._kernels, self._loss = facts.kernels, facts.losses[:1]
        layers: dict[int, list[int]] = {}
        for position in sorted({*range(len(self._kernels))} - {*explained.positions.tolist()}):
            layers.setdefault(facts.places(int(self._kernels[position]))[0], []).append(position)
        self._layers = [positions for positions in layers.values() if len(positions) > 1]
        self._last: Floats = np.full((len(self._kernels), 1), np.nan, np.float32)

    def feed(self, block: Block) -> Floats:
        """The share of the loss that squares are where they are most of it, and the gradients of a layer one steady multiple of the weights,
        [kernels, c]; NaN elsewhere."""
        if not self._layers or not len(self._loss):
            return np.broadcast_to(np.float32(np.nan), (len(self._kernels), len(block.steps)))
        share = np.full((len(self._kernels), len(block.steps)), np.nan, np.float32)
        loss, gradient = block.column("mean")[self._loss], block.column("l2_norm", "gradient")[self._kernels]
        weights = block.column("l2_norm")[self._kernels]
        multiple = np.concatenate([self._last, _over_weights(block, self._kernels)], axis=1)
        self._last = multiple[:, -1:]
        for layer in self._layers:
            low, high = multiple[layer].min(0), multiple[layer].max(0)
            one = (high[1:] < (1 + self.MULTIPLE) * low[1:]) & (np.abs(np.diff(low)) < STEADY * low[1:])
            own = (gradient[layer] * weights[layer]).sum(0) / 2 / np.where(loss[0] > 0, loss[0], np.nan)
            share[layer] = np.where(one & (own > self.MOST), own, np.nan)
        return share


class WithoutSquares:
    """The loss without a penalty on the squares of weights: where it is where it was, nothing is learned, however the whole falls.

    The gradient of c/2 times the squares of weights is c times the weights. Where that factor stays as it is for three captures, it is c, a
    constant of the program, that tells the penalty of any capture. What the data add makes it larger rather than smaller, so the least one counts.
    """

    def __init__(self, facts: Facts, kernels: Rows) -> None:
        self._kernels, self._loss = kernels, facts.losses[:1]
        self._first = np.full((len(self._kernels), 1), np.nan, np.float32)
        self._recent = np.full((len(self._kernels), 2), np.nan, np.float32)
        self._least = np.full((len(self._kernels), 1), np.inf, np.float32)

    def feed(self, block: Block) -> Floats:
        """The share of the loss that the penalty is where the rest stands where it was, [c]; NaN where it doesn't."""
        if not len(self._loss):
            return np.full(len(block.steps), np.nan)
        weights = block.column("l2_norm")[self._kernels]
        self._first = np.where(np.isnan(self._first), first_known(weights), self._first)
        factor = np.concatenate([self._recent, _over_weights(block, self._kernels)], axis=1)
        self._recent = factor[:, -2:]
        near = np.abs(np.diff(factor, axis=1)) < STEADY * factor[:, 1:]
        steady = np.where(near[:, 1:] & near[:, :-1], factor[:, 2:], np.inf)
        least = np.minimum.accumulate(np.concatenate([self._least, steady], axis=1), axis=1)[:, 1:]
        self._least = least[:, -1:]
        known = np.where(np.isfinite(least), least, 0)
        now, at_first = ((known / 2 * norms**2).sum(0) for norms in (weights, self._first))
        loss, before = np.fmin(block.column("mean")[self._loss[0]], block.median_loss), block.first_loss - at_first
        share: Floats = np.where((before > 0) & (loss - now > PROGRESS * before), now / loss, np.nan)
        return share


class Steady:
    """Whether a gradient stays as it is (a penalty on absolute values), or its ratio to the weights does (one on squares). Remembers the last
    capture."""

    def __init__(self, kernels: Rows) -> None:
        self._kernels = kernels
        self._last = np.full((2, len(kernels), 1), np.nan, np.float32)

    def feed(self, block: Block) -> Bools:
        """From the capture before to each, [kernels, c]."""
        gradient = block.column("l2_norm", "gradient")[self._kernels]
        now = np.concatenate([self._last, np.stack([gradient, _over_weights(block, self._kernels)])], axis=2)
        self._last = now[:, :, -1:]
        steady: Bools = (np.abs(np.diff(now, axis=2)) < STEADY * np.abs(now[:, :, 1:])).any(0)
        return steady


class Withered(NamedTuple):
    """Of kernels and tables of which little is left, though nothing was learned.

    Attributes:
      holds: bool[rows, c].
      left: the share of the first L2 norm that is left, float[rows, c].
      penalty: the share of the loss that squares of weights are, float[c]; NaN where what fell of the loss, or most of it, isn't that.
    """

    holds: Bools
    left: Floats
    penalty: Floats


class Withering:
    """Finds kernels, and the tables that follow them in ``rows``, that nobody had trained, and that shrink while the loss, or what it is without
    squares of weights, is where it was."""

    LEFT = 0.2
    """Of the first L2 norm. Whatever is learned, weights grow, or stay about as large."""
    HALVED = 0.5
    """The same, where it is known that most of the loss is a penalty on their squares, or where so little is left of all kernels: one may shrink
    while it learns, but not a whole network. What steps add to them keeps up with the decay then, and they never become less."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        self._rows, self._without_squares = rows, WithoutSquares(facts, rows)
        self._together = slice(len(facts.kernels) or None)
        self._first = np.full((len(rows), 1), np.nan, np.float32)

    def feed(self, block: Block) -> Withered:
        """Looks at some captures more."""
        weights = block.column("l2_norm")[self._rows]
        self._first = np.where(np.isnan(self._first), first_known(weights), self._first)
        penalty = self._without_squares.feed(block)
        stands = block.is_judged & (~block.progress | ~np.isnan(penalty)) & ~np.isnan(block.median_loss)
        most = penalty > Squares.MOST
        halved = weights < self.HALVED * self._first
        together = halved[self._together].all(0) & (len(weights[self._together]) > 1)
        small = halved & (most | together | (weights < self.LEFT * self._first))
        return Withered(
            small & block.untrained[self._rows][:, None] & stands,
            weights / np.where(self._first > 0, self._first, np.nan),
            np.where(block.progress | most, penalty, np.nan),
        )


class PassedBack:
    """Which gradients have come through the network alone: what a penalty on the weights adds, hasn't."""

    def __init__(self, facts: Facts) -> None:
        self._explained = Explained(facts)
        self._squares = Squares(facts, self._explained)

    def holds(self, block: Block) -> Bools:
        """Whether the gradient of each of `Facts.kernels` has, [kernels, c]."""
        alone: Bools = ~self._explained.beyond(block, Explained.MORE) & np.isnan(self._squares.feed(block))
        return alone


class PenaltyTooStrong(NodeRule):
    """A penalty on weights that leaves the loss nothing to say."""

    name, title = "penalty_too_strong", "Penalty outweighs the loss"
    definition = (
        "The gradient of a kernel is 10 times the most that its layer's input and the gradient at its output explain, and in proportion to the"
        " weights (or steady), from capture to capture: a penalty on the weights pulls them to 0, whatever the loss says. Or the gradients of all"
        " kernels of a layer (recurrent ones have two) are one and the same multiple of them, and the squares that have such gradients make most of"
        " the loss. Or less than a fifth is left of the weights of a layer or table (half, where such squares are most of the loss, or of all),"
        " and the loss, or what it is without them, is where it was."
    )
    reference = "Krogh & Hertz 1992, A simple weight decay can improve generalization"
    quantity, statistic = "gradient", "l2_norm"
    persistence = Persistence(patience=20)
    """What a penalty took doesn't come back in a few batches that happen to be easy."""

    def select(self, facts: Facts) -> Rows:
        """All kernels, then all tables. Of layers that only multiply by kernels it is known what the loss can pull."""
        return np.concatenate([facts.kernels, facts.tables])

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """A decay that the optimizer applies is in no gradient: it is told by what is left of the weights."""
        explained = Explained(facts)
        of_squares, steady, withering = Squares(facts, explained), Steady(rows), Withering(facts, rows)
        is_kernel = slice(len(facts.kernels))

        def look(block: Block) -> Observation:
            gradient, weights = block.column("l2_norm", "gradient")[rows], block.column("l2_norm")[rows]
            most = np.full(gradient.shape, np.nan, np.float32)
            most[explained.positions] = explained.limit(block)
            squares = np.full(gradient.shape, np.nan, np.float32)
            squares[is_kernel] = of_squares.feed(block)
            beyond = np.zeros(gradient.shape, np.bool_)
            beyond[is_kernel] = explained.beyond(block)
            pulled = beyond & steady.feed(block) | ~np.isnan(squares)
            withered = withering.feed(block)
            alone = withered.holds & ~pulled
            evidence = {
                "gradient_norm": gradient,
                "most_of_the_loss": most,
                "weights_norm": weights,
                "left_of_the_weights": np.where(alone, withered.left, np.nan),
                "squares_of_the_loss": squares,
                "penalty_of_the_loss": np.where(alone, withered.penalty, np.nan),
            }
            return Observation(pulled | withered.holds, ~np.isnan(gradient) & ~np.isnan(weights), evidence)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How far beyond it is."""
        seen = episode.evidence
        place = facts.places(index)[0]
        weaker = Words(
            f"Make the penalty on the weights of `{facts.names[place]}` smaller{location(facts, place)}:",
            f"{'embeddings' if index in facts.tables else 'kernel'}_regularizer=keras.regularizers.L2(1e-4)",
        )
        if not np.isnan(seen["squares_of_the_loss"]):
            return Words(
                f"Its gradient is {number(seen['gradient_norm'] / seen['weights_norm'])} times the weights since step {episode.first_step:,}, the"
                f" same for all kernels of the layer: a penalty on their squares, {percent(min(seen['squares_of_the_loss'], 1))} of the loss, pulls"
                " them to 0, whatever the data say.",
                *weaker[:2],
            )
        if not np.isnan(seen["penalty_of_the_loss"]):
            return Words(
                f"Of these weights {percent(seen['left_of_the_weights'])} are left since step {episode.first_step:,} (L2 norm). What has fallen of"
                " the loss is a penalty on squares of weights; the rest of it is where it was at first.",
                *weaker[:2],
            )
        if not np.isnan(seen["left_of_the_weights"]):
            return Words(
                f"Of these weights {percent(seen['left_of_the_weights'])} are left since step {episode.first_step:,} (L2 norm), and the loss is where"
                " it was at first: they decay faster than they learn.",
                "Lower the weight decay, or the penalty on the weights, or loosen their constraint. An optimizer multiplies its decay by the learning"
                " rate:",
                "keras.optimizers.AdamW(1e-3, weight_decay=4e-3)",
            )
        return Words(
            f"The L2 norm of its gradient is {number(seen['gradient_norm'])} since step {episode.first_step:,}, of which the loss explains"
            f" {number(seen['most_of_the_loss'])} at most: a penalty on the weights pulls them to 0, whatever the data say.",
            *weaker[:2],
        )


def _way(facts: Facts, kernel: int) -> tuple[int, int, float] | None:
    """The output and the input of the one call of a kernel's layer, and the root of how often it uses each number that comes in. None where that
    isn't known, as where several losses are differentiated through the call: the gradient at its output may be of another than that of the kernel."""
    places = facts.places(kernel)
    node = facts.nodes[places[0]]
    if len(places) != 1 or node.class_name not in PLAIN or len(facts.inputs[places[0]]) != 1 or not facts.is_recorded(places[0], "gradient"):
        return None
    if node.attributes.get("differentiated", 1) > 1:
        return None
    shape = [extent or 1 for extent in facts.nodes[kernel].shape or ()]
    return places[0], facts.inputs[places[0]][0], math.sqrt(math.prod(shape[:-2]))


def _over_weights(block: Block, kernels: Rows) -> Floats:
    """Gradient over weights, of their L2 norms, [kernels, c]."""
    weights = block.column("l2_norm")[kernels]
    multiple: Floats = block.column("l2_norm", "gradient")[kernels] / np.where(weights > 0, weights, np.nan)
    return multiple
