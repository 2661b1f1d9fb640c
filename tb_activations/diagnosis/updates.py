"""Rules about updates: how much of the weights one step changes.

The one invariant: only kernels are judged by the size of numbers. Biases and scales begin at 0 or 1, have gradients that are exactly zero for good
reasons (a bias before a batch normalization, the bias of attention keys), and say little about whether a network learns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats, first_known
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.initialization import PoorInitialization, is_of_words
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, number, percent
from tb_activations.diagnosis.scales import Targets
from tb_activations.diagnosis.standstill import STEPS, Fading, Standstill

__all__ = ["UpdateTooLarge", "UpdateTooSmall"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]

EVEN = 0.95
"""Root mean square over the largest of numbers of one size. A few gradients are as small as what Adam adds to their size."""


class UpdateTooLarge(NodeRule):
    """Steps as large as the weights themselves."""

    name, title = "update_too_large", "Update too large"
    definition = (
        "One step changes a kernel by a third of its size, again and again, and the loss doesn't fall; or one single step, or a few that change it"
        " by a third each, replace it by weights that are far too large; or it soon grows to 4 times its size, and the loss doesn't fall; or the"
        " entries of a table of words or positions grow to a root mean square above 10."
    )
    reference = "SageMaker Debugger WeightUpdateRatio; Karpathy's 1e-3 rule; UMLAUT learning rate high"
    severity, quantity, statistic = "warning", "update", "update_ratio"

    RATIO = 0.3
    """L2 norm of the update over that of the weights. About 1e-3 is usual, Adam at 1e-2 on small weights begins with 0.2."""
    GAIN = PoorInitialization.LARGEST_GAIN
    """Root mean square of one update times the square root of the fan-in, at which it alone is a poor initialization. Or of the weights themselves,
    when they have outgrown what they were at the capture before."""
    OUTGROWN = 2.0
    """L2 norm of the weights over what it was at the capture before, or over that of usual initial weights, if that is larger."""
    PACE = 0.03
    """Of their first norm (or the usual one) by which weights grow per step that became `GAIN` times as large. Adam at 1e-3 stays below 0.01."""

    def select(self, facts: Facts) -> Rows:
        """All kernels, and tables of words or positions."""
        return np.array([*facts.kernels.tolist(), *(row for row in facts.tables.tolist() if is_of_words(facts, row))], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares the update with the weights before it, and the weights with those of the capture before.

        Where large steps soon lead to where gradients are small, captures show small steps only. Weights grow where targets are large, those of an
        output layer first. Entries of a table, of which one step changes a few by much, are what weights read: they are judged by their size.
        """
        is_table = np.isin(rows, facts.tables)[:, None]
        fan_in = np.array([facts.fan_in(row) for row in rows.tolist()], float)[:, None]
        output = np.array([facts.is_output(row) for row in rows.tolist()], np.bool_)[:, None]
        usual = np.array([facts.usual_norm(row) for row in rows.tolist()], np.float32)[:, None]
        targets = Targets(facts)
        last = np.full((len(rows), 1), np.nan, np.float32), np.full(1, -1, np.int64)
        first = np.full((len(rows), 1), np.nan, np.float32), -1

        def look(block: Block) -> Observation:
            nonlocal last, first
            if first[1] < 0:
                first = np.maximum(block.column("l2_norm")[rows][:, :1], usual), int(block.steps[0])
            weights = np.concatenate([last[0], block.column("l2_norm")[rows]], axis=1)
            steps = np.concatenate([last[1], block.steps])
            last = weights[:, -1:], steps[-1:]
            growth = weights[:, 1:] / np.maximum(weights[:, :-1], usual)
            outgrown = (growth > np.maximum(self.OUTGROWN, 1 + self.RATIO * np.diff(steps))) & (weights[:, 1:] > self.GAIN * usual)
            outgrown &= ~(output & block.progress)
            grown, gone = weights[:, 1:] / first[0], block.steps - first[1]
            stands = block.is_judged & ~block.progress & (targets.size(block) <= 1)
            inflated = (grown > np.maximum(self.GAIN, 1 + self.PACE * gone)) & stands & ~output
            flooded = is_table & (grown > self.OUTGROWN) & (block.rms()[rows] > PoorInitialization.LARGEST_ENTRY)
            ratio = _update_ratio(block, rows)
            gain = block.column("l2_norm", "update")[rows] / np.sqrt(block.column("elements", "update")[rows] / fan_in)
            replaced = (gain > self.GAIN) & (ratio > 1)
            so_far = inflated & ~is_table | flooded
            evidence = {"update_ratio": ratio, "gain": gain}
            evidence |= {"growth": np.where(so_far, grown, np.where(outgrown, growth, 1)), "steps": np.where(so_far, gone, np.diff(steps))}
            at_once = np.where(is_table, flooded, replaced | outgrown)
            return Observation((ratio > self.RATIO) & ~block.progress & ~is_table | so_far | at_once, ~np.isnan(ratio), evidence, at_once)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How large the steps are, or what they have made of the weights."""
        seen = episode.evidence
        steps = "one step" if seen["steps"] == 1 else f"{number(seen['steps'])} steps"
        times = f"grew to {number(seen['growth'])} times their size within {steps}."
        grown = seen["growth"] > 1
        small = grown and seen["update_ratio"] < self.RATIO
        return Words(
            f"These weights {times}" if small else _ratio_sentence(episode) + (f" They {times}" if grown else ""),
            "Lower the learning rate, or warm it up:",
            "model.optimizer.learning_rate = model.optimizer.learning_rate / 10",
        )


class UpdateTooSmall(NodeRule):
    """Steps too small to get anywhere."""

    name, title = "update_too_small", "Update too small"
    definition = (
        "Since the first capture no step has changed a kernel, and most others, by more than a 100,000th of its size, and updates don't grow (of"
        " weights that nobody trained, by more than a 20,000th, 50 steps later, where the first step is one of Adam's kind and tells the rate; of"
        " weights that were trained before, by more than a 10,000,000th; or none by more than that, for 50 steps; then it may be one kernel alone,"
        " whose gradient hasn't vanished); or after some steps all kernels stand still, for long, although the loss is still more than half of the"
        " first one, or most make a thousandth of their gradients, and of themselves a 100,000th, of what they did before, for two thirds of the"
        " steps; or steps leave nine tenths of those numbers of a kernel in bfloat16 or float16 that get a gradient what they are."
    )
    reference = "SageMaker Debugger WeightUpdateRatio; AutoTrainer slow convergence; UMLAUT learning rate low"
    severity, quantity, statistic = "warning", "update", "update_ratio"
    persistence = Persistence(captures=2, steps=15)

    RATIO = 1e-5
    """L2 norm of the update over that of the weights: 100,000 steps for a change as large as the weights."""
    RATE = 5e-5
    """The same of an `_is_even` first step on untrained weights, when `GIVEN` steps haven't helped: a rate of 1e-3 makes 3e-3 to 3e-2 of it."""
    SHARE = 0.5
    """Of the kernels. Where most of them move, the few that don't have a vanishing gradient as a rule, not a small learning rate."""
    GROWTH = 1.5
    """Times the first update. A learning rate that is being warmed up grows."""
    NOTHING, GIVEN = 1e-7, 50
    """The ratio below which growing doesn't count any more after so many steps: a warm-up is far beyond it by then. From then on growing means, too,
    to be `GROWTH` times what it was when half of the steps had gone. And the ratio of weights that were trained before: to tune them a hundredth of
    their size is enough."""
    FELT = 1e-2
    """Of the largest gradient of a kernel (L2 norms), from which on it is not the gradient's fault that one kernel doesn't move while others do."""

    LEFT = 0.1
    """Share of the numbers with a gradient that a step changes, below which rounding takes away what is learned. A format with 8 digits (base 2) has
    nothing between a number and one that is 1/256 larger, so a step of less than half of that leaves it what it is."""

    def select(self, facts: Facts) -> Rows:
        """All kernels."""
        return facts.kernels

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Remembers the largest update so far: once something was learned, small steps are convergence.

        Steps below the resolution of float32 change nothing at all, and count as small where others are.
        """
        largest = np.zeros((len(rows), 1), np.float32)
        first = np.full((len(rows), 1), np.nan, np.float32)
        usual = np.array([facts.usual_norm(row) for row in rows.tolist()], np.float32)[:, None]
        standstill, fading, pace = Standstill(rows), Fading(rows), _Pace(len(rows), self.GROWTH)
        begun = -1
        even, tuned = np.zeros((2, len(rows), 1), np.bool_)
        is_short = np.array([facts.nodes[row].dtype in ("bfloat16", "float16") for row in rows.tolist()], np.bool_)[:, None]

        def look(block: Block) -> Observation:
            nonlocal begun
            if begun < 0:
                untrained = block.untrained[rows][:, None]
                even[:] = _is_even(block, rows) & untrained
                tuned[:] = ~untrained & (block.steps[0] == 0)
            ratio = _update_ratio(block, rows)
            stands, since = standstill.feed(block, ratio)
            fades, left, faded_since = fading.feed(block, ratio)
            fades &= block.is_judged & ~block.progress & (block.median_loss > 0)
            known = ~np.isnan(ratio)
            first[:] = np.where(np.isnan(first), first_known(ratio), first)
            so_far = np.maximum(np.maximum.accumulate(np.nan_to_num(ratio), axis=1), largest)
            largest[:] = so_far[:, -1:]
            begun = int(block.steps[0]) if begun < 0 else begun
            gone = block.steps - begun
            hopeless = (so_far < self.NOTHING) & (gone >= self.GIVEN)
            level = pace.is_level(gone, ratio) & (gone >= self.GIVEN)
            limit = np.where(even & (gone >= self.GIVEN), self.RATE, np.where(tuned, self.NOTHING, self.RATIO))
            small = (so_far < limit) & (ratio > 0) & ((ratio <= self.GROWTH * first) | level | hopeless)
            gradient = block.column("l2_norm", "gradient")[rows]
            lost = (so_far == 0) & (gradient > 0)
            holds = small & ((small | lost).sum(0) >= self.SHARE * known.sum(0)) & ~block.progress
            holds |= hopeless & (so_far > 0) & (gradient > self.FELT * np.fmax.reduce(gradient, axis=0))
            changed = _share_of_changed(block, rows) if is_short.any() else np.ones(ratio.shape)
            rounded = is_short & (changed < self.LEFT) & (ratio > 0) & ~block.progress
            holds |= rounded | fades
            evidence = {
                "update_ratio": ratio,
                "left_as_it_is": np.where(rounded, 1 - changed, np.nan),
                "standing_since": np.broadcast_to(np.where(stands, since, -1), ratio.shape),
                "left_of_steps": np.where(fades & ~stands, left, np.nan),
                "fading_since": np.where(fades, faded_since, -1),
                "loss": block.median_loss + 0 * ratio,
                "gradient_ratio": gradient / np.maximum(block.column("l2_norm")[rows], usual),
            }
            return Observation(holds | stands & known, known, evidence, stands & known & (block.steps - since >= STEPS))

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How small the steps are, or since when there are none."""
        seen = episode.evidence
        if seen["left_as_it_is"] > 0:
            dtype = facts.nodes[index].dtype
            return Words(
                f"Each step leaves {percent(seen['left_as_it_is'])} of those of its numbers that get a gradient what they are, since step"
                f" {episode.first_step:,}: what it would change them by is small against the gap to the next {dtype} number, and is rounded away.",
                f"Keep weights in float32, and compute in {dtype} only:",
                f'keras.config.set_dtype_policy("mixed_{dtype}")',
            )
        if seen["standing_since"] >= 0:
            return Words(
                f"Nothing moves these weights, nor any others, since step {seen['standing_since']:,.0f}, while the loss stands at"
                f" {number(seen['loss'])}: the last update was {number(seen['update_ratio'])} of their size.",
                "Look at what the schedule of the learning rate gives at this step (its arguments are steps, not epochs), and whether an average of"
                " the weights is written back:",
                "print(float(model.optimizer.learning_rate))",
            )
        if seen["left_of_steps"] >= 0:
            return Words(
                f"What a step makes of the gradient is {number(seen['left_of_steps'])} of what it was, and these weights, as most others, hardly move"
                f" since step {seen['fading_since']:,.0f} (by {number(seen['update_ratio'])} of their size), while the loss stands at"
                f" {number(seen['loss'])}.",
                "Look at what the schedule of the learning rate gives at this step (its arguments are steps, not epochs):",
                "print(float(model.optimizer.learning_rate))",
            )
        if seen["gradient_ratio"] < self.RATIO:
            return Words(
                f"{_ratio_sentence(episode)} So small is the gradient itself: {number(seen['gradient_ratio'])} of them.",
                "Look for what makes the loss, or its gradient, so small: a factor, a weight of the loss, or a division too many.",
            )
        return Words(
            _ratio_sentence(episode),
            "Raise the learning rate, look at what clips the gradients, or check that this layer is meant to be nearly frozen:",
            "model.optimizer.learning_rate = 1e-3",
        )


class _Pace:
    """Whether updates have stopped growing: momentum, which adds up the first few, makes as much of them as it will for ever; a warm-up goes on."""

    def __init__(self, rows: int, growth: float) -> None:
        self._growth = growth
        self._before, self._since = np.full((2, rows), np.nan, np.float32), 0

    def is_level(self, gone: npt.NDArray[np.int64], ratio: Floats) -> npt.NDArray[np.bool_]:
        """Whether they have at most grown so much since half of the steps had gone, [rows, c]."""
        level, capture = np.zeros(ratio.shape, np.bool_), 0
        while capture < len(gone):
            if gone[capture] >= max(2 * self._since, 1):
                self._before, self._since = np.stack([self._before[1], ratio[:, capture]]), int(gone[capture])
            doubled = max(capture + 1, int(np.searchsorted(gone, max(2 * self._since, 1))))
            level[:, capture:doubled] = ratio[:, capture:doubled] <= self._growth * self._before[0][:, None]
            capture = doubled
        return level


def _is_even(block: Block, rows: Rows) -> npt.NDArray[np.bool_]:
    """Whether the first step of training changes all elements that it changes by one and the same amount, [rows, 1]. That is the learning rate:
    Adam and its kind divide the first gradient by its own size, and no later step is larger; or they take its sign only."""
    low, high, zero = (block.column(name, "update")[rows, :1] for name in ("min", "max", "zero_fraction"))
    size = block.rms("update")[rows, :1] / np.sqrt(np.where(zero < 1, 1 - zero, np.nan))
    even: npt.NDArray[np.bool_] = (size > EVEN * np.maximum(high, -low)) & (block.steps[0] == 0)
    return even


def _ratio_sentence(episode: Episode) -> str:
    ratio = episode.evidence["update_ratio"]
    if ratio == 0:
        return f"Steps hardly change these weights since step {episode.first_step:,}, the last not at all. Between 1e-4 and 1e-2 of them is usual."
    return (
        f"One step changes these weights by {number(ratio)} {'times' if ratio >= 1 else 'of'} their size (‖update‖ / ‖weight‖) since step"
        f" {episode.first_step:,}. Between 1e-4 and 1e-2 is usual."
    )


def _share_of_changed(block: Block, rows: Rows) -> Floats:
    """Of the numbers that get a gradient, how many a step changes, [rows, c]."""
    changed, touched = (1 - block.column("zero_fraction", quantity)[rows] for quantity in ("update", "gradient"))
    share: Floats = changed / np.where(touched > 0, touched, np.nan)
    return share


def _update_ratio(block: Block, rows: Rows) -> Floats:
    weights = block.column("l2_norm")[rows]
    return block.column("l2_norm", "update")[rows] / np.where(weights > 0, weights, np.nan)
