"""Rules about noise that drowns what examples tell: units that are dropped, and codes that say less than what is drawn around them.

The one invariant: both are measured by what comes out against what comes in, at the same step; a rate that somebody wrote is read only where it
drops inside of one operation, or of a loop, or makes no zeros, so that nothing can be measured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, first_known
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import RECURRENT, is_float
from tb_activations.diagnosis.penalty import PLAIN
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent
from tb_activations.store.nodes import Node

__all__ = ["DROPPING", "DrownedCode", "HeavyDropout"]

Rows = npt.NDArray[np.int64]

DROPPING = frozenset({"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"})
DROPPING_INSIDE = RECURRENT | {"MultiHeadAttention", "GroupedQueryAttention"}
"""Layers that drop something of what they compute with, by their arguments `dropout` and `recurrent_dropout`."""
NO_ZEROS = {
    "AlphaDropout": "set {} of what comes in to one and the same number",
    "GaussianDropout": "multiply what comes in by noise as strong as if {} of it were dropped",
}
"""Layers that drop without a zero, by their argument `rate`, and what they do."""


class HeavyDropout(NodeRule):
    """A layer that drops nearly everything."""

    name, title = "heavy_dropout", "Nearly all dropped"
    definition = (
        "A dropout layer sets more than 85 % of what isn't 0 anyway to 0; or a recurrent layer or attention that is trained is told to drop as much"
        " inside; or so is a dropout layer that makes no zeros (`AlphaDropout`, `GaussianDropout`)."
    )
    reference = "Srivastava et al. 2014 (from a fifth to a half is useful, and eight tenths are the most that they tried); UMLAUT dropout rate"
    statistic = "zero_fraction"
    persistence = Persistence(captures=2, steps=0)

    LARGEST = 0.85
    """Share. Who gives the share to keep (0.9) for the share to drop is above it."""
    LEAST = 64
    """Elements that aren't 0 anyway. Of fewer so many are dropped by chance."""

    def select(self, facts: Facts) -> Rows:
        """Dropout layers, and those whose zeros nobody sees where a step trains: in validation and prediction they drop nothing."""

        def drops(node: Node) -> bool:
            return (node.class_name in DROPPING and len(node.inputs) == 1) or (bool(facts.changing) and _rate_inside(node) > 0)

        return facts.select(lambda node: node.kind == "layer" and drops(node))

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Compares the share of zeros after it with that before it. Nobody sees the zeros that are inside."""
        rates = np.array([_rate_inside(facts.nodes[row]) for row in rows.tolist()], float)[:, None]
        sources = np.array([facts.inputs[row][0] if facts.inputs[row] else row for row in rows.tolist()], np.int64)

        def look(block: Block) -> Observation:
            zeros = block.column("zero_fraction")
            dropped = 1 - (1 - zeros[rows]) / np.maximum(1 - zeros[sources], 1e-9)
            dropped = np.where(rates > 0, rates, dropped)
            enough = (block.column("elements")[rows] * (1 - zeros[sources]) >= self.LEAST) | (rates > 0) & block.recorded()[rows]
            return Observation((dropped > self.LARGEST) & enough, ~np.isnan(dropped) & enough, {"dropped": dropped})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How much is dropped."""
        node, dropped = facts.nodes[index], percent(episode.evidence["dropped"])
        name = max(_rates_inside(node).items(), key=lambda item: item[1], default=("", 0.0))[0]
        if node.class_name in NO_ZEROS:
            return Words(
                f"It is to {NO_ZEROS[node.class_name].format(dropped)} at each step: too little is left to learn from.",
                f"Its argument is the share to drop, not the share to keep{location(facts, index)}:",
                f"keras.layers.{node.class_name}(0.1)",
            )
        if name:
            return Words(
                f"It is to set {dropped} of what it computes with to 0 at each step (`{name}`): too little is left to learn from.",
                f"`{name}` is the share to drop, not the share to keep{location(facts, index)}:",
                f"keras.layers.{node.class_name}(..., {name}=0.2)",
            )
        return Words(
            f"It sets {dropped} of what comes in to 0 since step {episode.first_step:,}: too little is left to learn from.",
            f"Its argument is the share to drop, not the share to keep{location(facts, index)}:",
            "keras.layers.Dropout(0.2)",
        )


def _rates_inside(node: Node) -> dict[str, float]:
    """The shares that a layer is told to drop inside, or without a zero, by argument."""
    names = ("dropout", "recurrent_dropout") if node.class_name in DROPPING_INSIDE else ("rate",) if node.class_name in NO_ZEROS else ()
    given = {name: node.attributes.get(name) for name in names}
    return {name: float(rate) for name, rate in given.items() if isinstance(rate, (int, float)) and rate > 0}


def _rate_inside(node: Node) -> float:
    return max(_rates_inside(node).values(), default=0.0)


class DrownedCode(NodeRule):
    """A code that says nothing but noise: the posterior of a variational autoencoder that has collapsed."""

    name, title = "drowned_code", "Code drowned in noise"
    definition = (
        "Means and log variances come in, and a normal sample of variance 1 around them goes out (or both go into the loss, and what was made of"
        " them into a layer that reads one of both); examples differ in both by less than a tenth of that, and by a fifth of what they did at first."
    )
    reference = "Burda et al. 2016, Importance weighted autoencoders (a unit is active where its mean has a variance above 0.01); Bowman et al. 2016"
    statistic = "batch_std"
    persistence = Persistence(captures=2, steps=50)
    """The divergence is the first that falls, before a code learns to speak."""

    ACTIVE = 0.1
    """Standard deviation over examples, in units of that of the noise. Burda et al. call a unit inactive below it; here all of them must be."""
    FALLEN = 0.2
    """The same, over what it was at first: a code that is still small is learning to speak."""
    NEAR = 0.2
    """How far the root mean square of what goes out may be from 1, and log variances from 0. A batch holds a few hundred numbers."""

    def select(self, facts: Facts) -> Rows:
        """The first of two inputs, the means, of what draws around them, or of what reads what was drawn."""
        return np.unique(np.array([facts.inputs[row][0] for row in _draws(facts)], np.int64))

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Compares codes with samples. The noise is known by its size; where it is drawn in no layer, log variances near 0 tell of it."""
        after = {facts.inputs[row][0]: row for row in _draws(facts)}
        drawn = np.array([after[row] for row in rows.tolist()], np.int64)
        is_recorded = np.isin(drawn, _layers_that_draw(facts))[:, None]
        beside = np.array([facts.inputs[row][1] for row in drawn.tolist()], np.int64)
        first = np.full((len(rows), 1), np.nan, np.float32)

        def look(block: Block) -> Observation:
            spread, size = block.column("batch_std"), block.rms()
            own = spread[rows]
            first[:] = np.where(np.isnan(first), first_known(own), first)
            is_noise = (np.abs(size[drawn] - 1) < self.NEAR) & (np.abs(spread[drawn] - 1) < self.NEAR) | ~is_recorded
            is_noise &= size[beside] < self.NEAR
            noise = np.where(is_recorded, spread[drawn], 1.0)
            holds = is_noise & (np.fmax(own, spread[beside]) < self.ACTIVE) & (own < self.FALLEN * first)
            return Observation(holds, ~np.isnan(own) & ~np.isnan(spread[drawn]), {"batch_std": own, "noise": noise, "first": first + 0 * own})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How much is left of it."""
        seen = episode.evidence
        return Words(
            f"Examples differ here by {number(seen['batch_std'])} since step {episode.first_step:,}, at first by {number(seen['first'])}, and"
            f" noise of {number(seen['noise'])} is added: what comes after it can't tell one example from another (posterior collapse).",
            "Weigh the divergence from the prior less, or raise its weight from 0 in the first epochs:",
            "loss = reconstruction + min(1.0, step / 1000) * divergence",
        )


def _draws(facts: Facts) -> list[int]:
    """What draws around means, or reads what was drawn."""
    return [*_layers_that_draw(facts), *_layers_that_read(facts)]


def _layers_that_read(facts: Facts) -> list[int]:
    """Layers of one input by which two nodes of one shape come in, that the loss is given too: something made one tensor of the two before."""
    penalized = {source for loss in facts.losses.tolist() for source in facts.inputs[loss]}

    def is_one(row: int) -> bool:
        sources = facts.inputs[row]
        reads = facts.nodes[row].class_name in PLAIN and len(set(sources)) == 2 and penalized.issuperset(sources)
        kernels = [own for own in facts.owned.get(row, ()) if all(facts.takes_in(own, source) for source in sources)]
        return reads and len({facts.nodes[source].shape for source in sources}) == 1 and bool(kernels)

    return [row for row in facts.flow.tolist() if is_one(row)]


def _layers_that_draw(facts: Facts) -> list[int]:
    """Nodes without weights whose two inputs and whose output are numbers of one shape, as a layer that draws around means."""

    def is_one(row: int) -> bool:
        node, sources = facts.nodes[row], facts.inputs[row]
        shapes = {facts.nodes[source].shape for source in sources}
        return len(sources) == 2 and shapes == {node.shape} and node.class_name not in ("Add", "Multiply") and is_float(node.dtype)

    def has_weights(row: int) -> bool:
        return any(is_float(facts.nodes[own].dtype) for own in facts.owned.get(row, ()))  # a seed is none

    return [row for row in facts.flow.tolist() if facts.nodes[row].shape and is_one(row) and not has_weights(row)]
