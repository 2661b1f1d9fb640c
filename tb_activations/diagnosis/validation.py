"""Rules that compare the training run with the validation run beside it.

The one invariant: only differences that training can't explain count. Moving statistics need time to arrive; before that, batch normalization differs
between training and validation in every healthy network.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Episodes, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding
from tb_activations.diagnosis.gradients import input_scale
from tb_activations.diagnosis.rule import Rule, Watch, number

__all__ = ["BatchNormDrift"]


class BatchNormDrift(Rule):
    """Batch normalization that does something else in validation than in training."""

    name, title = "batchnorm_drift", "Batch norm drift"
    definition = (
        "In validation the output of a batch normalization has another scale or mean than in training, after the moving"
        " statistics had time to arrive."
    )
    reference = "Ioffe & Szegedy 2015; Keras FAQ on training=False"
    persistence = Persistence(captures=2, steps=0, patience=3)

    RATIO = 3.0
    """Standard deviation over standard deviation, either way."""
    SHIFT = 2.0
    """Difference of the means, in standard deviations of the training output."""
    ARRIVED = 0.05
    """Share of the initial moving statistics that is left, momentum to the power of steps."""
    USUAL_MOMENTUM = 0.995
    """Above it the moving statistics hardly move within a usual training, and that is the fault."""
    STEPS = 100
    """Steps before an unusual momentum is judged by what it does."""

    def watch(self, facts: Facts) -> Watch:
        """Follows all batch normalizations."""
        return _Watch(facts)


class _Watch(Watch):
    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._rows = facts.select(lambda node: node.class_name == "BatchNormalization" and node.kind == "layer")
        momentum = [facts.nodes[row].attributes.get("momentum", 0.99) for row in self._rows.tolist()]
        self._momentum = np.array([value if isinstance(value, float) else 0.99 for value in momentum])[:, None]
        self._steps = np.empty(0, np.int64)
        self._trained: Floats = np.empty((2, len(self._rows), 0), np.float32)
        self._scale: Floats = np.empty(0, np.float32)
        self._episodes = Episodes(len(self._rows), BatchNormDrift.persistence)

    def update(self, block: Block) -> None:
        """Remembers what training gave."""
        self._steps = np.concatenate([self._steps, block.steps])
        self._trained = np.concatenate([self._trained, _of_rows(block, self._rows)], axis=2)
        self._scale = np.concatenate([self._scale, input_scale(block, self._facts)])

    def compare(self, block: Block, facts: Facts) -> None:
        """Compares what validation gave with the training before it."""
        index = {name: position for position, name in enumerate(facts.names)}
        known = np.array([index.get(self._facts.names[row], -1) for row in self._rows.tolist()], np.int64)
        if not len(self._rows) or not len(self._steps):
            return
        validated = np.where((known >= 0)[None, :, None], _of_rows(block, np.maximum(known, 0)), np.nan)
        before = np.maximum(np.searchsorted(self._steps, block.steps, side="right") - 1, 0)
        trained = self._trained[:, :, before]
        ratio = validated[0] / np.where(trained[0] > 0, trained[0], np.nan)
        apart = _far(ratio) | (np.abs(validated[1] - trained[1]) > BatchNormDrift.SHIFT * trained[0])
        slow = self._momentum > BatchNormDrift.USUAL_MOMENTUM
        arrived = np.where(slow, block.steps >= BatchNormDrift.STEPS, self._momentum**block.steps < BatchNormDrift.ARRIVED)
        other_data = _far(input_scale(block, facts) / self._scale[before])
        evidence = {"training_std": trained[0], "validation_std": validated[0], "training_mean": trained[1], "validation_mean": validated[1]}
        self._episodes.update(block.steps, apart & (arrived | other_data), ~np.isnan(ratio), evidence)

    def findings(self) -> list[Finding]:
        """One finding for each stretch."""
        return [self._finding(episode) for episode in self._episodes.all]

    def _finding(self, episode: Episode) -> Finding:
        rule, seen, index = BatchNormDrift, episode.evidence, int(self._rows[episode.row])
        momentum = float(self._momentum[episode.row, 0])
        slow = momentum > rule.USUAL_MOMENTUM
        remedy = (
            f"With momentum {momentum:g} the moving statistics need {number(3 / (1 - momentum))} steps to arrive. Lower it:"
            if slow
            else "Check that validation data are prepared as training data are, or let the moving statistics arrive sooner:"
        )
        return Finding(
            rule.name, rule.title, self._facts.names[index], "value", "std", episode.first_step, episode.end, "warning", dict(seen),
            f"In validation its output has standard deviation {number(seen['validation_std'])} and mean"
            f" {number(seen['validation_mean'])}, in training"
            f" {number(seen['training_std'])} and {number(seen['training_mean'])}, since step {episode.first_step:,}.",
            remedy,
            "keras.layers.BatchNormalization(momentum=0.9)",
        )  # fmt: skip


def _of_rows(block: Block, rows: npt.NDArray[np.int64]) -> Floats:
    """Standard deviation and mean of the outputs, [2, rows, c]."""
    return np.stack([block.column("std")[rows], block.column("mean")[rows]])


def _far(ratio: Floats) -> npt.NDArray[np.bool_]:
    return (ratio > BatchNormDrift.RATIO) | (ratio < 1 / BatchNormDrift.RATIO)
