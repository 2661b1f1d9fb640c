"""Rules about the loss, and whether training gets somewhere.

The one invariant: the loss is compared with its own beginning, smoothed over captures; its size means nothing by itself, and a loss that was ever negative
(an adversarial or likelihood loss) is not judged at all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, number

__all__ = ["ExplodingLoss", "LossHistory", "OscillatingLoss"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]
Floats = npt.NDArray[np.float32]

WINDOW = 5
"""Captures whose median stands for the loss of the moment."""

PROGRESS = 0.7
"""Of the first loss. Below it, training works: what looks odd is how it works."""


class LossHistory:
    """The loss of a run so far: its first value, its last few, its lowest, and whether it has ever been negative."""

    def __init__(self) -> None:
        self._recent: list[float] = []
        self.first = np.nan
        self.negative = False

    def feed(self, loss: Floats) -> tuple[Floats, Floats]:
        """Takes in the next losses and returns, for each capture, the first loss and the median of the last few."""
        first, median = np.full(len(loss), np.nan, np.float32), np.full(len(loss), np.nan, np.float32)
        for column, value in enumerate(loss.tolist()):
            if np.isnan(value):
                continue
            if np.isnan(self.first):
                self.first = value
            self.negative |= value < 0
            self._recent = [*self._recent[-WINDOW + 1 :], value]
            first[column], median[column] = (np.nan if self.negative else self.first), np.median(self._recent)
        return first, median

    def progress(self, loss: Floats) -> npt.NDArray[np.bool_]:
        """Takes in the next losses and returns, for each capture, whether the loss has clearly fallen."""
        first, median = self.feed(loss)
        return (len(self._recent) > 1) & (median < PROGRESS * first)


class ExplodingLoss(NodeRule):
    """A loss that runs away."""

    name, title = "exploding_loss", "Exploding loss"
    definition = "The loss is more than 20 times what it was at first, for several captures."
    reference = "AutoTrainer (exploding); DeepDiagnosis; UMLAUT learning rate high"
    severity, statistic = "error", "mean"
    persistence = Persistence(captures=3, steps=0)

    GROWTH = 20.0
    """Times the first loss. A cross entropy that begins at 2.3 is then at 46: more wrong than any guess."""

    def select(self, facts: Facts) -> Rows:
        """The total loss."""
        return facts.losses[:1]

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares with the first loss."""
        history = LossHistory()

        def look(block: Block) -> Observation:
            loss = block.column("mean")[rows]
            first, median = history.feed(loss[0])
            return Observation((median > self.GROWTH * first)[None] & (loss > self.GROWTH * first), ~np.isnan(loss), {"loss": loss, "first_loss": first[None]})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How far it ran."""
        seen = episode.evidence
        return Words(
            f"The loss is {number(seen['loss'])}, {number(seen['loss'] / seen['first_loss'])} times the first one ({number(seen['first_loss'])}),"
            f" since step {episode.first_step:,}.",
            "Lower the learning rate, and clip gradients:",
            "keras.optimizers.Adam(1e-4, global_clipnorm=1.0)",
        )


class OscillatingLoss(NodeRule):
    """A loss that swings without falling."""

    name, title = "oscillating_loss", "Oscillating loss"
    definition = "Over the last captures the loss swings by as much as it was at first, up and down again and again, and doesn't fall."
    reference = "AutoTrainer oscillating loss; DeepDiagnosis"
    severity, statistic = "warning", "mean"
    persistence = Persistence(captures=3, steps=10)

    LENGTH = 12
    """Captures that are looked at."""
    SWINGS = 4
    """Crossings of the first loss within them, in either direction."""
    AMPLITUDE = 0.75
    """Standard deviation within them, in units of the first loss. The noise of small batches stays below 0.4."""

    def select(self, facts: Facts) -> Rows:
        """The total loss."""
        return facts.losses[:1]

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Counts crossings in a sliding window."""
        history, window = LossHistory(), []  # type: ignore[var-annotated]

        def look(block: Block) -> Observation:
            loss = block.column("mean")[rows]
            first, median = history.feed(loss[0])
            holds, swing = np.zeros(loss.shape, bool), np.full(loss.shape, np.nan, np.float32)
            for column, value in enumerate(loss[0].tolist()):
                window[:] = [*window[-self.LENGTH + 1 :], value] if np.isfinite(value) else window
                if len(window) == self.LENGTH:
                    swing[0, column] = np.std(window)
                    holds[0, column] = _swings(window) >= self.SWINGS and swing[0, column] > self.AMPLITUDE * first[column]
            holds &= ~(median < PROGRESS * first)
            return Observation(holds, ~np.isnan(loss), {"loss": loss, "first_loss": first[None], "standard_deviation": swing})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How far it swings."""
        seen = episode.evidence
        return Words(
            f"The loss swings by ±{number(seen['standard_deviation'])} and doesn't fall below what it was at first ({number(seen['first_loss'])}),"
            f" since step {episode.first_step:,}.",
            "Lower the learning rate, or take larger batches:",
            "model.optimizer.learning_rate = model.optimizer.learning_rate / 10",
        )


def _swings(values: list[float]) -> int:
    """How often a series crosses its own median."""
    above = np.asarray(values) > np.median(values)
    return int((above[1:] != above[:-1]).sum())
