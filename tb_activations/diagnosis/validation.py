"""Rules that compare the training run with the validation run beside it.

The one invariant: only differences that training can't explain count. Moving statistics need time to arrive; before that, batch normalization differs
between training and validation in every healthy network. A validation is decided for good once training has gone on; of training, only what a later
validation can be compared with is kept.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Episodes, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding
from tb_activations.diagnosis.rule import Rule, Watch, number

__all__ = ["BatchNormDrift", "OtherValidationData"]


class BatchNormDrift(Rule):
    """Batch normalization that does something else in validation than in training."""

    name, title = "batchnorm_drift", "Batch norm drift"
    definition = (
        "In validation the output of a batch normalization has another scale or mean than in training, after the moving"
        " statistics had time to arrive; or so has what comes into the first one; or examples differ more or less there,"
        " though not in what comes in, and validation is worse; or the network's input has another mean, and validation is worse than training began."
    )
    reference = "Ioffe & Szegedy 2015; Keras FAQ on training=False"
    persistence = Persistence(captures=2, steps=0, patience=3)

    RATIO = 3.0
    """Standard deviation over standard deviation, either way."""
    SHIFT = 2.0
    """Difference of the means, in standard deviations of the training output."""
    SETTLED_RATIO = 1.75
    """The same as `RATIO`, once moving statistics had three times as long, or never will have, and the validation loss is `WORSE`."""
    NEVER_RATIO = 1.4
    """The same, where nothing but `LOST` has arrived after `STEPS`: another variance by a factor of 2, and no time will mend it. Or of the deviations
    over examples, though not in what comes in: of channels of unlike means and scales the initial 0 and 1 may be right on the whole, and of none."""
    WORSE = 1.5
    """Validation loss over training loss. Augmented or dropped-out training data differ from validation too, but there validation is better."""
    ARRIVED = 0.05
    """Share of the initial moving statistics that is left, momentum to the power of steps."""
    USUAL_MOMENTUM = 0.995
    """Above it the moving statistics hardly move within a usual training, and that is the fault."""
    AT_ONCE = 10.0
    """Standard deviation over standard deviation of what comes into the first one, for which one validation is enough."""
    RECENT = 0.25
    """Of the steps so far: a training capture that is longer ago was of another network."""
    APPROACH = 0.9
    """Of the distance at the validation before. Statistics of a network that learns fast lag behind, and then come closer by more than that."""
    LOST = 0.9
    """Share of the initial moving statistics that is left, from which on one validation after `STEPS` is enough: the next is no other."""
    MOSTLY, NOTHING, SEEN, SEEN_RATIO = 0.5, 3.0, 0.5, 1.2
    """Share of the initial moving statistics that is left, from which on they are no more of this network than of any other; how many times the
    training loss validation's is then, and what share of the first one, where nothing of what was learned is seen in it; and by how much deviations
    differ, which is half of the variance."""
    MOVED, CARRIED = 0.75, 0.3
    """Difference of the means of the network's input and of the first normalization's output, in standard deviations of training, that count where
    validation is worse than training was when it began: other data, as inverted pictures are. By chance a batch of 32 differs by 0.2."""
    FEW = 0.5
    """Momentum below which the moving statistics are those of the last one or two batches, whatever time they have: each validation meets others."""
    STEPS = 100
    """Steps before an unusual momentum is judged by what it does; where validation is `WORSE`, that is seen already."""

    def watch(self, facts: Facts) -> Watch:
        """Follows all batch normalizations."""
        return _NormalizationWatch(facts)


class OtherValidationData(Rule):
    """A network that is given something else in validation than in training."""

    name, title = "other_validation_data", "Other data in validation"
    definition = (
        "In validation an input has another scale or mean than in training, and the loss there is larger than training's, now and when it began."
    )
    reference = "Sculley et al. 2015, Hidden Technical Debt in Machine Learning Systems (what is prepared in two places)"
    persistence = BatchNormDrift.persistence
    """Pixels that one of both forgot to scale are told at once, as they are of a batch normalization."""

    def watch(self, facts: Facts) -> Watch:
        """Follows all inputs of numbers."""
        return _InputWatch(facts, facts.float_inputs)


class _Validated(NamedTuple):
    """Some captures of validation.

    Attributes:
      numbers: standard deviation and mean of the outputs, then of what came in, then the standard deviations over examples of both, [6, rows, c].
      fed: those of the network's inputs, [2, inputs, c].
    """

    steps: npt.NDArray[np.int64]
    numbers: Floats
    fed: Floats
    loss: Floats

    def part(self, start: int, stop: int | None = None) -> _Validated:
        """Some of them."""
        part = slice(start, stop)
        return _Validated(self.steps[part], self.numbers[..., part], self.fed[..., part], self.loss[part])


class _Watch(Watch):
    """Compares validation with training at ``rows``."""

    def __init__(self, facts: Facts, rows: npt.NDArray[np.int64]) -> None:
        self._facts, self._rows = facts, rows
        self._sources = np.array([next(iter(facts.inputs[row]), row) for row in rows.tolist()], np.int64)
        self._steps = np.empty(0, np.int64)
        self._trained: Floats = np.empty((_NUMBERS, len(self._rows), 0), np.float32)
        self._fed: Floats = np.empty((2, len(facts.float_inputs), 0), np.float32)
        self._loss: Floats = np.empty(0, np.float32)
        self._first_loss = np.nan
        self._pending: list[_Validated] = []
        self._decided = Episodes(len(self._rows), BatchNormDrift.persistence)
        self._distance: Floats = np.full((len(self._rows), 1), np.nan, np.float32)
        self._closed_at: int | None = None

    def update(self, block: Block) -> None:
        """Remembers what training gave."""
        self._steps = np.concatenate([self._steps, block.steps])
        self._trained = np.concatenate([self._trained, self._of_rows(block, self._rows, self._sources)], axis=2)
        self._fed = np.concatenate([self._fed, _numbers(block, self._facts.float_inputs)], axis=2)
        self._loss = np.concatenate([self._loss, block.median_loss])
        self._first_loss = float(block.beginning_loss[0])

    def compare(self, block: Block, facts: Facts) -> None:
        """Remembers what validation gave. It may arrive before the training that it is compared with."""
        own = (self._rows, self._sources, self._facts.float_inputs)
        rows, sources, inputs = (np.array([facts.index.get(self._facts.names[row], -1) for row in part.tolist()], np.int64) for part in own)
        losses = facts.losses[:1]
        loss = block.column("mean")[losses[0]] if len(losses) else np.full(len(block.steps), np.nan, np.float32)
        self._pending.append(_Validated(block.steps, self._of_rows(block, rows, sources), _numbers(block, inputs), loss))
        self._decide()

    def _decide(self) -> None:
        """Compares for good what training has gone on from, and forgets the training before the last of it."""
        if not len(self._steps):
            return
        waiting = self._waiting()
        count = int(np.searchsorted(waiting.steps, self._steps[-1]))
        if count:
            self._distance = self._compare_all(self._decided, waiting.part(0, count))
            self._pending = [waiting.part(count)]
            kept = max(int(np.searchsorted(self._steps, waiting.steps[count - 1], side="right")) - 1, 0)
            self._steps, self._loss = self._steps[kept:], self._loss[kept:]
            self._trained, self._fed = self._trained[..., kept:], self._fed[..., kept:]

    def _waiting(self) -> _Validated:
        return _Validated(*(np.concatenate(parts, axis=-1) for parts in zip(*self._pending, strict=True)))

    def close(self, step: int) -> None:
        """Ends what still lasts."""
        self._closed_at = step

    def _episodes_so_far(self) -> list[Episode]:
        """What is decided, and what would be if training didn't go on."""
        episodes = deepcopy(self._decided)
        if self._pending and len(self._steps):
            self._compare_all(episodes, self._waiting())
        if self._closed_at is not None:
            episodes.close(self._closed_at)
        return episodes.all

    def _compare_all(self, episodes: Episodes, given: _Validated) -> Floats:
        """Compares what validation gave with the training before it, or at the same step. Returns how far the last of it was from that, [rows, 1]."""
        steps, validated, fed, loss = given
        if not len(self._rows) or not len(steps):
            return self._distance
        with np.errstate(all="ignore"):
            distance = self._compare_some(episodes, steps, validated, fed, loss)
        return distance[:, -1:]

    @abstractmethod
    def _compare_some(self, episodes: Episodes, steps: npt.NDArray[np.int64], validated: Floats, fed: Floats, loss: Floats) -> Floats:
        """Tells the episodes where the condition holds. Returns how far validation was from training, [rows, c]."""

    @abstractmethod
    def _finding(self, episode: Episode) -> Finding:
        """What to say of a stretch."""

    def _of_rows(self, block: Block, rows: npt.NDArray[np.int64], sources: npt.NDArray[np.int64]) -> Floats:
        """Standard deviation and mean of the outputs, then of what came in, then deviations over examples, [6, rows, c]; NaN where a row isn't known
        (−1)."""
        spreads = [_numbers(block, part, ("batch_std",)) for part in (rows, sources)]
        return np.concatenate([_numbers(block, rows), _numbers(block, sources), *spreads])

    def findings(self) -> list[Finding]:
        """One finding for each stretch."""
        return [self._finding(episode) for episode in self._episodes_so_far()]


class _InputWatch(_Watch):
    """Compares what the network is given."""

    def _compare_some(self, episodes: Episodes, steps: npt.NDArray[np.int64], validated: Floats, fed: Floats, loss: Floats) -> Floats:
        rule = BatchNormDrift
        before = np.maximum(np.searchsorted(self._steps, steps, side="right") - 1, 0)
        trained = self._trained[:, :, before]
        worse = (loss > rule.WORSE * self._loss[before]) & (loss > self._first_loss)
        other = _apart(validated[:2], trained[:2]) & (trained[0] > 0) & worse
        evidence = {f"{run}_{what}": values[place] for run, values in (("training", trained), ("validation", validated)) for place, what in _ENDS}
        evidence |= {"loss": np.broadcast_to(loss, other.shape)}
        episodes.update(steps, other, ~np.isnan(validated[0]), evidence, other & _far(_ratio(validated[0], trained[0]), rule.AT_ONCE))
        return _distance(validated, trained)

    def _finding(self, episode: Episode) -> Finding:
        rule, seen = OtherValidationData, episode.evidence
        return Finding(
            rule.name, rule.title, self._facts.names[int(self._rows[episode.row])], "value", "std", episode.first_step, episode.end, "warning",
            dict(seen),
            f"In validation it has standard deviation {number(seen['validation_std'])} and mean {number(seen['validation_mean'])}, in training"
            f" {number(seen['training_std'])} and {number(seen['training_mean'])}, since step {episode.first_step:,}; and the loss there is"
            f" {number(seen['loss'])}, more than training's was when it began.",
            "Prepare validation data as training data are prepared, best by a layer of the model, which does it in both:",
            "keras.layers.Rescaling(1 / 255)  # or keras.layers.Normalization",
        )  # fmt: skip


class _NormalizationWatch(_Watch):
    """Compares what batch normalizations are given and make of it."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts, facts.select(lambda node: node.class_name == "BatchNormalization" and node.kind == "layer"))
        momentum = [facts.nodes[row].attributes.get("momentum", 0.99) for row in self._rows.tolist()]
        self._momentum = np.array([value if isinstance(value, float) else 0.99 for value in momentum])[:, None]
        normalizations = union(1 << row for row in self._rows.tolist())
        self._is_first = np.array([not facts.upstream[row] & normalizations for row in self._rows.tolist()], np.bool_)[:, None]

    def _compare_some(self, episodes: Episodes, steps: npt.NDArray[np.int64], validated: Floats, fed: Floats, loss: Floats) -> Floats:
        rule = BatchNormDrift
        before = np.maximum(np.searchsorted(self._steps, steps, side="right") - 1, 0)
        trained = self._trained[:, :, before]
        recent = steps - self._steps[before] <= rule.RECENT * steps
        slow, left = self._momentum > rule.USUAL_MOMENTUM, self._momentum**steps
        worse = loss > rule.WORSE * self._loss[before]
        arrived = np.where(slow, steps >= rule.STEPS, left < rule.ARRIVED)
        settled = (left < rule.ARRIVED**3) & worse
        ratio = _ratio(validated[0], trained[0])
        apart, other_data = _apart(validated[:2], trained[:2]), _apart(validated[2:4], trained[2:4]) & self._is_first
        spread = _ratio(validated[4], trained[4])
        own_spread = spread / _ratio(validated[5], trained[5])
        flattened = _far(spread, rule.RATIO) & _far(own_spread, rule.RATIO) & worse
        other_data &= recent | _apart(fed, self._fed[:, :, before]).any(0)
        moved = (_moved(fed, self._fed[:, :, before]) > rule.MOVED).any(0) & worse & (loss > self._first_loss)
        distance = _distance(validated, trained)
        approaching = distance < rule.APPROACH * np.concatenate([self._distance, distance[:, :-1]], axis=1)
        lasting = ~approaching & recent
        never = slow & worse
        other_scale = _far(ratio, rule.NEVER_RATIO) | _far(spread, rule.NEVER_RATIO) & _far(own_spread, rule.NEVER_RATIO)
        lost = (left > rule.LOST) & (steps >= rule.STEPS) & worse & other_scale
        unseen = (loss > rule.NOTHING * self._loss[before]) & (loss > rule.SEEN * self._first_loss)
        lost |= (left > rule.MOSTLY) & (steps >= rule.STEPS) & unseen & (_far(ratio, rule.SEEN_RATIO) | _far(own_spread, rule.SEEN_RATIO))
        holds = apart & (arrived & lasting | other_data.any(0)) | other_data | lost & lasting
        holds |= (settled | never) & lasting & _far(ratio, rule.SETTLED_RATIO)
        holds |= (apart | flattened) & (arrived | never) & lasting
        holds |= moved & recent & (_moved(validated, trained) > rule.CARRIED) & self._is_first
        holds |= (self._momentum < rule.FEW) & (steps >= rule.STEPS) & worse & (other_scale | (_moved(validated, trained) > rule.MOVED))
        names = [f"{run}_{what}" for what in _NAMES for run in ("training", "validation")]
        numbers = [values[position] for position in range(_NUMBERS) for values in (trained, validated)]
        urgent = other_data & _far(_ratio(validated[2], trained[2]), rule.AT_ONCE) | flattened & arrived & lasting & (left > rule.LOST)
        urgent |= lost & lasting & (_far(ratio, rule.SETTLED_RATIO) | unseen)
        episodes.update(steps, holds, ~np.isnan(ratio), dict(zip(names, numbers, strict=True)), urgent)
        return distance

    def _finding(self, episode: Episode) -> Finding:
        rule, seen, index = BatchNormDrift, episode.evidence, int(self._rows[episode.row])
        momentum = float(self._momentum[episode.row, 0])
        slow = momentum > rule.USUAL_MOMENTUM
        remedy = (
            f"With momentum {momentum:g} the moving statistics need {number(3 / (1 - momentum))} steps to arrive. Lower it:"
            if slow
            else f"With momentum {momentum:g} the moving statistics are those of the last batch or two. Raise it:"
            if momentum < rule.FEW
            else "Check that validation data are prepared as training data are, or let the moving statistics arrive sooner:"
        )
        what, kind = ("what comes in", "input_") if self._is_of_input(episode) else ("its output", "")
        spreads = "" if kind or np.isnan(seen["training_std_over_examples"]) else _of_examples(seen)
        return Finding(
            rule.name, rule.title, self._facts.names[index], "value", "std", episode.first_step, episode.end, "warning", dict(seen),
            f"In validation {what} has standard deviation {number(seen[f'validation_{kind}std'])} and mean"
            f" {number(seen[f'validation_{kind}mean'])}, in training"
            f" {number(seen[f'training_{kind}std'])} and {number(seen[f'training_{kind}mean'])}, since step {episode.first_step:,}.{spreads}",
            "Prepare validation data as training data are prepared." if kind and momentum >= rule.FEW else remedy,
            "" if kind and momentum >= rule.FEW else "keras.layers.BatchNormalization(momentum=0.9)",
        )  # fmt: skip

    def _is_of_input(self, episode: Episode) -> bool:
        seen = episode.evidence
        validated, trained = (np.array([[seen[f"{run}_input_{what}"]] for what in ("std", "mean")]) for run in ("validation", "training"))
        return bool(self._is_first[episode.row, 0] and _apart(validated, trained)[0])


def _of_examples(seen: Mapping[str, float]) -> str:
    validated, trained = seen["validation_std_over_examples"], seen["training_std_over_examples"]
    return f" Over examples the standard deviation is {number(validated)}, in training {number(trained)}."


_NAMES = ("std", "mean", "input_std", "input_mean", "std_over_examples", "input_std_over_examples")
"""What is compared, and how it is called as evidence."""
_NUMBERS = len(_NAMES)
_ENDS = tuple(enumerate(_NAMES[:2]))


def _numbers(block: Block, rows: npt.NDArray[np.int64], names: Sequence[str] = ("std", "mean")) -> Floats:
    """Statistics, standard deviation and mean if not said otherwise, [names, rows, c]; NaN where a row isn't known (−1)."""
    values = np.stack([block.column(name)[np.maximum(rows, 0)] for name in names])
    return np.where((rows >= 0)[None, :, None], values, np.nan)


def _apart(validated: Floats, trained: Floats) -> npt.NDArray[np.bool_]:
    """Whether standard deviations [0] or means [1] are far from each other."""
    ratio = _ratio(validated[0], trained[0])
    return _far(ratio, BatchNormDrift.RATIO) | (_moved(validated, trained) > BatchNormDrift.SHIFT)


def _moved(validated: Floats, trained: Floats) -> Floats:
    """Difference of the means [1] in standard deviations of training [0]; infinite where those are 0."""
    moved: Floats = np.abs(validated[1] - trained[1]) / trained[0]
    return moved


def _distance(validated: Floats, trained: Floats) -> Floats:
    """How far outputs are from those of training, in scale, mean or how examples differ, [rows, c]."""
    scale = np.where(trained[0] > 0, trained[0], np.nan)
    distance: Floats = np.maximum(np.abs(np.log(validated[0] / scale)), np.abs(validated[1] - trained[1]) / scale)
    return np.fmax(distance, np.abs(np.log(_ratio(validated[4], trained[4]))))


def _ratio(validated: Floats, trained: Floats) -> Floats:
    """One over the other, NaN where there is nothing to compare with."""
    ratio: Floats = validated / np.where(trained > 0, trained, np.nan)
    return ratio


def _far(ratio: Floats, limit: float) -> npt.NDArray[np.bool_]:
    return (ratio > limit) | (ratio < 1 / limit)
