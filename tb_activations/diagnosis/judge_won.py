"""Whether what judges a network knows all it makes from data, so that nothing comes back from which to learn.

The one invariant: both are compared with what they were. A judge that is right each time has a loss near 0, whatever loss it is; and where what it
judges could still learn from it, the gradient there isn't near 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats, first_known
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.judged import Judged
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent

__all__ = ["JudgeWon"]

Rows = npt.NDArray[np.int64]


class JudgeWon(NodeRule):
    """A network that is judged beside data, and that the judge lets learn nothing any more."""

    name, title = "judge_won", "Judge has won"
    definition = (
        "What a network makes is judged beside data; the judge's loss is below a hundredth of what it was at first, and the gradient of all weights"
        " of what it judges below a hundredth of the largest so far, for 50 steps."
    )
    reference = "Goodfellow et al. 2014, section 3; Arjovsky & Bottou 2017 (a perfect discriminator leaves the generator no gradient)"
    severity, quantity, statistic = "warning", "gradient", "l2_norm"
    persistence = Persistence(captures=3, steps=50)

    LOSS = 0.01
    """Of the judge's first loss, which is that of guessing. Where both have learned as much, it is as large again."""
    GRADIENT = 0.01
    """Of the largest L2 norm so far, of all weights together. Of a loss that flattens it falls as the judge's loss does; that of being taken for data
    lets it grow where the judge is sure."""

    def select(self, facts: Facts) -> Rows:
        """What is judged, if its weights have a gradient."""
        return np.array([row for row in Judged(facts).rows.tolist() if _makers(facts, row)], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Compares losses and gradients with their own past."""
        judged = Judged(facts)
        makers = [_makers(facts, row) for row in rows.tolist()]
        losses = [_of_judge(facts, row, judged.data[row]) for row in rows.tolist()]
        first = [np.full((len(own), 1), np.nan) for own in losses]
        largest = np.zeros((len(rows), 1))

        def look(block: Block) -> Observation:
            norms = block.column("l2_norm", "gradient").astype(float)
            gradient = np.array([np.sqrt((norms[own] ** 2).sum(0)) for own in makers]).reshape(len(rows), len(block.steps))
            so_far = np.maximum.accumulate(np.concatenate([largest, np.nan_to_num(gradient)], axis=1), axis=1)[:, 1:]
            largest[:] = so_far[:, -1:]
            left: Floats = np.full(gradient.shape, np.nan)
            for position, own in enumerate(losses):
                values = block.column("mean")[own].astype(float)
                first[position] = np.where(np.isnan(first[position]), first_known(values), first[position])
                share = np.where((values >= 0) & (first[position] > 0), values / first[position], np.nan)
                left[position] = np.fmin.reduce(share, axis=0, initial=np.nan)
            passed = gradient / np.where(so_far > 0, so_far, np.nan)
            holds = (left < self.LOSS) & (passed < self.GRADIENT)
            return Observation(holds, ~np.isnan(gradient), {"loss_left": left, "gradient_left": passed})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What is left of both."""
        seen = episode.evidence
        return Words(
            f"What judges it beside data knows one from the other: {percent(seen['loss_left'])} of the judge's first loss is left, and"
            f" {number(seen['gradient_left'])} of the largest gradient of the weights that make it, since step {episode.first_step:,}.",
            f"Let what judges it learn more slowly, or less often{location(facts, index)}; and train this by a loss that doesn't flatten where the"
            " judge is sure, that of being taken for data:",
            "loss = keras.losses.BinaryCrossentropy(from_logits=True)(keras.ops.ones_like(judged), judged)",
        )


def _of_judge(facts: Facts, row: int, data: list[int]) -> list[int]:
    """The losses that depend on what is read as data, and not as what was made at ``row``."""
    made = union(facts.downstream[call] for call in facts.calls.get(row, (row,)))
    read = union(facts.downstream[node] for node in data if not made >> node & 1)
    return [loss for loss in facts.losses.tolist() if read >> loss & 1]


def _makers(facts: Facts, row: int) -> list[int]:
    """The kernels that what a node gives is made with."""
    before = facts.upstream[row] | 1 << row
    return [
        kernel
        for kernel in facts.kernels.tolist()
        if any(before >> place & 1 for place in facts.places(kernel)) and facts.is_recorded(kernel, "gradient")
    ]
