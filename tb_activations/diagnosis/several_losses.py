"""Whether of several outputs that are trained together one leaves the layers before them nothing to learn for the others.

The one invariant: gradients of weights that read the same are compared at the same step. A task that counts for little is no fault, as that of an
auxiliary output; one whose gradient is out of all proportion to its own weights is in a unit that nobody scaled.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, number

__all__ = ["LossOutweighs"]

Rows = npt.NDArray[np.int64]


class LossOutweighs(NodeRule):
    """One of several losses that leaves the others nothing."""

    name, title = "loss_outweighs", "One loss outweighs"
    definition = (
        "Of outputs that read the same trained layers the weights of one have a gradient 10,000 times that of another and 100 times themselves for 50"
        " steps."
    )
    reference = "Kendall et al. 2018 (weighing losses), Chen et al. 2018 (GradNorm)"
    severity, quantity, statistic = "warning", "gradient", "l2_norm"
    persistence = Persistence(captures=3, steps=50)

    RATIO = 1e4
    """L2 norm over L2 norm. What is added to a gradient that is so much larger turns it by less than a hundredth of a degree."""
    OF_ITSELF = 100.0
    """Over the L2 norm of the weights. Losses of scaled targets give less than 10; a weight near 0 for another loss doesn't change that."""

    def select(self, facts: Facts) -> Rows:
        """The last layers of outputs, where several go into a loss."""
        return np.array(sorted(_heads(facts)), np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Compares kernels of layers that read something in common."""
        heads = _heads(facts)
        kernels = np.array([heads[row] for row in rows.tolist()], np.int64)
        beside = [_beside(facts, rows.tolist(), row) for row in rows.tolist()]

        def look(block: Block) -> Observation:
            gradient, weights = block.column("l2_norm", "gradient")[kernels], block.column("l2_norm")[kernels]
            others = np.where(gradient > 0, gradient, np.nan)
            least: Floats = np.stack([np.fmin.reduce(others[own], axis=0, initial=np.nan) for own in beside])
            ratio = gradient / least
            holds = (ratio > self.RATIO) & (gradient > self.OF_ITSELF * weights)
            return Observation(holds, ~np.isnan(ratio), {"ratio": ratio, "gradient_norm": gradient})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """By how much, and what else reads the same."""
        heads = sorted(_heads(facts))
        names = [f"`{facts.names[heads[place]]}`" for place in _beside(facts, heads, index)]
        other = names[0] if len(names) == 1 else f"one of {', '.join(names[:3])}"
        return Words(
            f"The gradient of its weights is {number(episode.evidence['ratio'])} times that of {other}, which reads the same layers, since step"
            f" {episode.first_step:,}: those learn from this loss alone.",
            "Scale its targets to mean 0 and standard deviation 1, or weigh its loss less:",
            f'model.compile(optimizer, losses, loss_weights={{"{facts.names[index]}": {number(1 / episode.evidence["ratio"])}}})',
        )


def _heads(facts: Facts) -> dict[int, int]:
    """The layers whose output goes into the loss, where several do, each with its kernel."""
    given = {facts.made_by(row) for row in facts.inputs[facts.losses[0]]} if len(facts.losses) else set()
    kernels = set(facts.kernels.tolist())
    owned = {row: kernels.intersection(facts.owned.get(row, ())) for row in given}
    return {row: own.pop() for row, own in owned.items() if len(own) == 1} if len(given) > 1 else {}


def _beside(facts: Facts, heads: list[int], row: int) -> list[int]:
    """Places among ``heads`` of those that read trained layers which the one at ``row`` reads, too."""
    read = facts.upstream[row] & facts.changing
    return [place for place, other in enumerate(heads) if other != row and facts.upstream[other] & read]
