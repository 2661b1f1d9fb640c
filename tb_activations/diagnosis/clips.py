"""What cuts numbers off at two ends, and with them nearly all of the gradient.

The one invariant: both are measured. Numbers of which nearly all lie at one of two ends vary as much as their mean between these allows (Bhatia &
Davis 2000); and what is cut off has a gradient behind the cut, and exactly none before it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.noise import DROPPING
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent

__all__ = ["CutOff"]

Rows = npt.NDArray[np.int64]


class CutOff(NodeRule):
    """A clip that is far too narrow for what comes in."""

    name, title = "cut_off", "Cut off at both ends"
    definition = (
        "From the start nearly all that a layer or operation without weights gives is at one of its two ends, and of the gradient behind it more than"
        " 85 % doesn't pass: a clip, or a ReLU with a largest value, cuts off what comes in."
    )
    reference = "UMLAUT; Courbariaux et al. 2016 (what is cut off gets no gradient)"
    severity, statistic = "warning", "std"
    persistence = Persistence(captures=2, steps=10)

    MOST = 0.85
    """Share of the numbers that get no gradient; and of the variance that numbers at the two ends alone would have. A ReLU, which has one end only,
    lets the others be of any size: their variance is a third of it."""

    def select(self, facts: Facts) -> Rows:
        """What makes numbers of as many others, without weights, behind kernels that an optimizer changes: without any, nobody waits for a gradient.
        Functions that bend, and what drops, have rules of their own."""

        def cuts(row: int) -> bool:
            node, sources = facts.nodes[row], facts.inputs[row]
            is_plain = node.kind in ("layer", "op") and len(sources) == 1 and row not in facts.owned and row not in facts.inside
            is_known = node.activation in {"softmax", "sigmoid", "tanh"} or node.class_name in DROPPING
            return is_plain and not is_known and node.shape == facts.nodes[sources[0]].shape

        return np.array([row for row in facts.flow.tolist() if facts.upstream[row] & facts.changing and cuts(row)], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Compares what is behind it with what is before it. What learns to be sure may come to its ends later."""
        sources = np.array([facts.inputs[row][0] for row in rows.tolist()], np.int64)
        always = np.ones((len(rows), 1), np.bool_)

        def look(block: Block) -> Observation:
            zeros = block.column("zero_fraction", "gradient")
            blocked = 1 - (1 - zeros[sources]) / np.where(zeros[rows] < 1, 1 - zeros[rows], np.nan)
            known = ~np.isnan(blocked)
            cut = (blocked > self.MOST) & (_at_ends(block, rows) > self.MOST) & ~(_at_ends(block, sources) > self.MOST)
            lasting = np.logical_and.accumulate(np.concatenate([always, cut | ~known], axis=1), axis=1)[:, 1:]
            always[:] = lasting[:, -1:]
            evidence = {"blocked": blocked, "min": block.column("min")[rows], "max": block.column("max")[rows]}
            return Observation(lasting & known & block.untrained[rows][:, None], known, evidence)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Where it cuts."""
        seen = episode.evidence
        if seen["blocked"] == 1:
            return Words(
                f"It gives hardly anything but {number(seen['min'])} and {number(seen['max'])} since step {episode.first_step:,}, and nothing of the"
                " gradient passes: between its steps it doesn't change with what comes in.",
                f"Take a function that bends, or pass gradients around it{location(facts, index)}:",
                "y = x + keras.ops.stop_gradient(keras.ops.sign(x) - x)",
            )
        return Words(
            f"It gives hardly anything but {number(seen['min'])} and {number(seen['max'])} since step {episode.first_step:,}, the ends at which it"
            f" cuts off what comes in: {percent(seen['blocked'])} of that gets no gradient.",
            f"Move its ends apart{location(facts, index)}, scale what comes in, or take a function that bends:",
            "x = keras.ops.tanh(x)",
        )


def _at_ends(block: Block, rows: Rows) -> Floats:
    """Variance over the most that numbers between the same ends, with the same mean, can have, [rows, c]; 1 where all are at the ends."""
    mean, low, high, std = (block.column(name)[rows].astype(float) for name in ("mean", "min", "max", "std"))
    most = (high - mean) * (mean - low)
    share: Floats = std**2 / np.where(most > 0, most, np.nan)
    return share
