"""Whether a layer behind a base that was trained before was frozen with it, before anybody had trained it.

The one invariant: frozen weights alone are no fault. Random features right behind the input, a fixed last layer, a teacher beside the network and
layers that wait for their turn while those before them learn are frozen on purpose; what lies between a trained base and layers that learn is to pass
on what the base knows, and random weights don't.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location

__all__ = ["LeftFrozen"]

Rows = npt.NDArray[np.int64]


class LeftFrozen(NodeRule):
    """Untrained weights that nothing trains, between weights that were trained before and weights that are trained now."""

    name, title = "left_frozen", "Frozen untrained"
    definition = (
        "A layer that isn't trainable begins with a bias of one and the same number, as one that nobody has trained; a layer before it was trained"
        " before; and layers after it are trained."
    )
    reference = "Yosinski et al. 2014: what is transferred are trained layers; Keras guide to transfer learning"
    severity, statistic = "warning", "l2_norm"
    persistence = Persistence(captures=2, steps=10)

    def select(self, facts: Facts) -> Rows:
        """Kernels of frozen layers with a bias, behind which an optimizer changes others."""
        rows = facts.select(lambda node: node.kind == "variable" and node.trainable is False and len(node.shape or ()) >= 2)
        return np.array([row for row in rows.tolist() if _has_bias(facts, row) and _is_followed(facts, row)], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """What was trained before is known from the first capture on."""
        before = [union(facts.upstream[place] for place in facts.places(row)) for row in rows.tolist()]
        calls = {place: facts.calls.get(place, (place,)) for place, own in facts.owned.items() if any(_has_bias(facts, row) for row in own)}

        def look(block: Block) -> Observation:
            trained = union(1 << call for place, own in calls.items() if not block.untrained[place] for call in own)
            holds = np.array(
                [bool(sources & trained) and bool(block.untrained[row]) for row, sources in zip(rows.tolist(), before, strict=True)], np.bool_
            )
            shape = len(rows), len(block.steps)
            return Observation(np.broadcast_to(holds[:, None], shape), np.ones(shape, np.bool_))

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Why it can't be meant."""
        return Words(
            "It isn't trainable, and its bias is as it begins: nobody has trained it. What the layers before it know goes through random weights, and"
            " those after it learn from what these leave.",
            f"Freeze the layers that were trained before, and no new ones{location(facts, facts.places(index)[0])}; then compile again:",
            "base.trainable = False  # and not model.trainable = False",
        )


def _has_bias(facts: Facts, kernel: int) -> bool:
    owner = facts.owners[kernel]
    return owner is not None and any(facts.names[row].endswith("bias") and len(facts.nodes[row].shape or ()) == 1 for row in facts.owned[owner])


def _is_followed(facts: Facts, kernel: int) -> bool:
    """Whether an optimizer changes weights behind it, at each of its calls."""
    return all(facts.downstream[place] & facts.changing for place in facts.places(kernel))
