"""Whether a layer was frozen before anybody had trained it, where that can't be meant.

The one invariant: frozen weights alone are no fault. Random features right behind the input, a fixed last layer, a teacher beside the network and
layers that wait for their turn while those before them learn are frozen on purpose. What lies between a trained base and layers that learn is to pass
on what the base knows, and random weights don't; and what learns before a frozen layer, or from random features, gets on with it, if that is meant.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.fingerprint import Fingerprint
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number
from tb_activations.diagnosis.unchanged import are_drawn_evenly

__all__ = ["LeftFrozen"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class LeftFrozen(NodeRule):
    """Untrained weights that nothing trains, between weights that were trained before and weights that are trained now, or in the way of those."""

    name, title = "left_frozen", "Frozen untrained"
    definition = (
        "A layer that isn't trainable begins with a bias of one and the same number, as one that nobody has trained; a layer before it was trained"
        " before, and layers after it are trained; or layers before it are trained, and after 100 steps the loss is above 90 % of the first one;"
        " or it reads data at one call, and what trained layers make at another, for losses of their own, as what tells one from the other does;"
        " or nothing that is trained gets anything but what it makes of the input, and the loss is above 99 %; 90 % where it is a table of words"
        " whose numbers are spread evenly between two ends as Keras draws them."
    )
    reference = "Yosinski et al. 2014: what is transferred are trained layers; Keras guide to transfer learning"
    severity, statistic = "warning", "l2_norm"
    persistence = Persistence(captures=2, steps=10)

    STAYS, STEPS = 0.9, 100
    """Of the first loss, above which training has got nowhere, and after how many steps it should have. Noisy targets let no loss fall far."""
    STAYS_AT_ALL = 0.99
    """The same where nothing is trained before it. Random features may be meant, as long as anything can be learned from them. Random rows of a table
    are features of nothing: which words are alike, they don't say."""

    def select(self, facts: Facts) -> Rows:
        """Kernels of frozen layers with a bias, behind which an optimizer changes others, or before which it does; and tables before all of those."""
        rows = facts.select(lambda node: node.kind == "variable" and node.trainable is False and len(node.shape or ()) >= 2)
        return np.array(
            [
                row
                for row in rows.tolist()
                if (_has_bias(facts, row) and (_is_followed(facts, row) or _is_in_the_way(facts, row)))
                or (_is_table(facts, row) and _is_before_all(facts, row))
                or _judges(facts, row)
            ],
            np.int64,
        )

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """What was trained before is known from the first capture on."""
        before = [union(facts.upstream[place] for place in facts.places(row)) for row in rows.tolist()]
        calls = {place: facts.calls.get(place, (place,)) for place, own in facts.owned.items() if any(_has_bias(facts, row) for row in own)}
        followed, in_the_way, at_the_gate, tables, judging = (
            np.array([asks(facts, row) for row in rows.tolist()], np.bool_)
            for asks in (_is_followed, _is_in_the_way, _is_before_all, _is_table, _judges)
        )
        followed &= ~tables
        in_the_way |= tables
        standing, drawn = _Standing(self, rows), _Drawn(rows)

        def look(block: Block) -> Observation:
            trained = union(1 << call for place, own in calls.items() if not block.untrained[place] for call in own)
            behind_a_base = followed & np.array([bool(sources & trained) for sources in before], np.bool_)
            still, left = standing.feed(block)
            stands = still & block.is_judged & ~block.progress & (left > np.where(in_the_way, self.STAYS, np.inf)[:, None])
            stands |= still & block.is_judged & ~block.progress & (left > np.where(at_the_gate, self.STAYS_AT_ALL, np.inf)[:, None])
            stands |= still & judging[:, None]
            holds = (behind_a_base[:, None] | stands) & block.untrained[rows][:, None] & (drawn.feed(block) | ~tables[:, None])
            evidence = {"loss": np.where(behind_a_base[:, None], np.nan, block.median_loss), "first_loss": block.first_loss}
            return Observation(
                holds, np.ones(holds.shape, np.bool_), {name: np.broadcast_to(values, holds.shape) for name, values in evidence.items()}
            )

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Why it can't be meant."""
        place, loss = location(facts, facts.places(index)[0]), episode.evidence["loss"]
        if _judges(facts, index):
            return Words(
                "It isn't trainable, and its bias is as it begins: nobody has trained it. It reads data, and what layers that learn make, so it is to"
                " tell one from the other; by random weights it can't.",
                f"Let it learn{place}, with an optimizer of its own; what keeps it out of the other network's step is that it is left out there:",
                "weights = generator.trainable_weights  # and not discriminator.trainable = False",
            )
        if _is_table(facts, index):
            return Words(
                "It isn't trainable, and its numbers are spread evenly between two ends, as they were drawn: nobody has trained it. All that learns"
                f" gets nothing but random rows; the loss is {number(loss)}, and was {number(episode.evidence['first_loss'])} at first.",
                f"Load trained rows before you freeze it, or let it learn{place}; then compile again:",
                "layer.trainable = True; model.compile(optimizer, loss)",
            )
        if np.isnan(loss):
            return Words(
                "It isn't trainable, and its bias is as it begins: nobody has trained it. What the layers before it know goes through random weights,"
                " and those after it learn from what these leave.",
                f"Freeze the layers that were trained before, and no new ones{place}; then compile again:",
                "base.trainable = False  # and not model.trainable = False",
            )
        if _is_before_all(facts, index):
            return Words(
                "It isn't trainable, and its bias is as it begins: nobody has trained it. All that learns gets nothing but what its random weights"
                f" make of the input; the loss is {number(loss)}, and was {number(episode.evidence['first_loss'])} at first.",
                f"Load trained weights before you freeze it, or let it learn{place}; then compile again:",
                "layer.trainable = True; model.compile(optimizer, loss)",
            )
        return Words(
            "It isn't trainable, and its bias is as it begins: nobody has trained it. Layers before it learn, and what they make goes through its"
            f" random weights; the loss is {number(loss)}, and was {number(episode.evidence['first_loss'])} at first.",
            f"Let it learn{place}; then compile again:",
            "layer.trainable = True; model.compile(optimizer, loss)",
        )


class _Standing:
    """Whether weights are what they were at the first capture, and what is left of a loss that had time to fall."""

    def __init__(self, rule: LeftFrozen, rows: Rows) -> None:
        self._rule, self._fingerprint = rule, Fingerprint(rows)
        self._began = -1
        self._changed: Bools = np.zeros((len(rows), 1), np.bool_)

    def feed(self, block: Block) -> tuple[Bools, Floats]:
        """Takes in the next captures; whether weights are what they were after `STEPS`, [rows, c], and the loss over the first one, [c]."""
        now, before = self._fingerprint.feed(block)
        self._began = int(block.steps[0]) if self._began < 0 else self._began
        differ = np.any((now != before) & ~np.isnan(before), axis=0)
        changed = np.logical_or.accumulate(np.concatenate([self._changed, differ], axis=1), axis=1)[:, 1:]
        self._changed = changed[:, -1:]
        return ~changed & (block.steps - self._began >= self._rule.STEPS), block.median_loss / block.first_loss


class _Drawn:
    """Whether weights began as Keras draws them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._drawn: Bools | None = None

    def feed(self, block: Block) -> Bools:
        """Decided at the first capture, [rows, 1]."""
        if self._drawn is None:
            self._drawn = are_drawn_evenly(*(values[self._rows] for values in (block.column("min"), block.column("max"), block.rms())))
        return self._drawn


def _is_table(facts: Facts, row: int) -> bool:
    owner = facts.owners[row]
    return owner is not None and facts.nodes[owner].class_name == "Embedding"


def _has_bias(facts: Facts, kernel: int) -> bool:
    owner = facts.owners[kernel]
    return owner is not None and any(facts.names[row].endswith("bias") and len(facts.nodes[row].shape or ()) == 1 for row in facts.owned[owner])


def _is_followed(facts: Facts, kernel: int) -> bool:
    """Whether an optimizer changes weights behind it, at each of its calls."""
    return all(facts.downstream[place] & facts.changing for place in facts.places(kernel))


def _is_in_the_way(facts: Facts, kernel: int) -> bool:
    """Whether what an optimizer changes reaches the loss through it, and at no call it reads anything else, as what judges data beside that does."""
    return all(facts.upstream[place] & facts.changing and facts.reaches_loss(place) for place in facts.places(kernel))


def _judges(facts: Facts, kernel: int) -> bool:
    """Whether a layer reads, at one call, what layers that an optimizer changes make, on its way to the loss, and only data at another, whose loss
    may be none as nothing learns from it. Where one loss is given both, it compares features of them: random ones do."""
    made = [place for place in facts.places(kernel) if facts.upstream[place] & facts.changing]
    data = [place for place in facts.places(kernel) if place not in made]
    losses = union(1 << loss for loss in facts.losses.tolist())
    compared = union(facts.downstream[place] for place in made) & union(facts.downstream[place] for place in data) & losses
    return _has_bias(facts, kernel) and any(map(facts.reaches_loss, made)) and bool(data) and not compared


def _is_before_all(facts: Facts, kernel: int) -> bool:
    """Whether no weights come before it, and nothing that an optimizer changes gets anything but what it makes of the data."""
    places = facts.places(kernel)
    first = not any(facts.upstream[place] & facts.kernel_layers or any(map(facts.is_frozen, facts.inputs[place])) for place in places)
    return first and bool(facts.changing) and not facts.changing & ~union(facts.downstream[place] for place in places)
