"""The rule about units of a ReLU that are always zero.

The one invariant: a sparse layer is not dead. Units count as dead where others of their layer are clearly active, more of them than chance explains.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats, first_known
from tb_activations.diagnosis.drowned import Drowned
from tb_activations.diagnosis.episodes import Episode, Persistence, Stretches
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.flow import path_of
from tb_activations.diagnosis.kinds import NORMALIZATIONS, WEIGHTED, ends_in_relu
from tb_activations.diagnosis.outputs import taken_for
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location
from tb_activations.diagnosis.spoiled import Spoiled
from tb_activations.store.nodes import Node

__all__ = ["DeadUnits"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]

_COMPUTED = ("layer", "op", "probe")

_KERAS_LAYERS = WEIGHTED | NORMALIZATIONS | {"Embedding", "TimeDistributed", "PReLU", "Functional", "Sequential", "Wrapper", "SpectralNormalization"}
"""Layers with weights that say themselves what activation they end in."""


class DeadUnits(NodeRule):
    """Units of a ReLU that give zero for everything."""

    name, title = "dead_units", "Dead ReLU"
    definition = (
        "Most units of a ReLU give 0 at every example and position, while the others are clearly active; or a tenth of them, where biases, or weights"
        " of 0, hold them there from the beginning; or one for long where each stands for a class, whose score then is 0 and can't move."
    )
    reference = "SageMaker Debugger DeadRelu (50 % of a layer); AutoTrainer dying ReLU"
    severity, statistic = "error", "zero_unit_fraction"
    persistence = Persistence(captures=2)
    """But a ReLU that is dead as a whole at step 0, before anything was trained, is told at once. What may be something else may also begin at 0."""

    SHARE = 0.5
    """Share of units. Of ReLUs with random weights on inputs of one sign, one half is dead from the start and the rest learns well."""
    SHARE_OF_LINES = 0.9
    """The same where the network has at most `LINES` input numbers: a unit then bends a curve or a plane somewhere, often outside of the data."""
    LINES = 3
    """Input numbers."""
    SHARE_OF_LEARNERS = 0.9
    """The same of a layer whose units fall silent by and by while the loss falls: a code of few active units is learned, not killed. And of one that
    was trained before, on data that may have more features than those that it is tuned on."""
    SHARE_OF_DROWNED = 0.1
    """The same where biases or weights are `Drowned`: chance doesn't make those."""
    CHANCE = 1.0
    """Standard deviations (of a coin per unit, doubled) above `SHARE`: small layers have more dead units by chance."""
    ACTIVE_POSITIONS = 4.0
    """Mean number of examples and positions at which a living unit is active. With fewer, a unit can be zero in one batch by chance."""
    BLANK = 0.5
    """Mean number of units that are active at an example or position. With fewer, half of these at least get nothing but 0 (Markov's inequality): the
    few units that live are hardly ever active then, and so few that chance can't be what silences the others."""

    OF_CLASSES = Persistence(captures=5, steps=50)
    """How long one unit of those that a loss takes for scores of classes must be silent. `ACTIVE_POSITIONS` leaves out those whose class isn't in
    every batch."""

    def select(self, facts: Facts) -> Rows:
        """ReLUs with a known number of units, and layers of users that have weights and may end in one.

        Where nothing is trained, as in the frozen part of a network, no unit dies: what is silent are features that these data don't have.
        """
        wrapped = {node.name.rsplit("/", 1)[0] for node in facts.nodes if node.kind == "layer" and ends_in_relu(node)}
        rows = facts.select(lambda node: node.kind in _COMPUTED and len(node.shape or ()) >= 2 and (_may_end_in_relu(node) or _wraps(node, wrapped)))
        return np.array([row for row in rows.tolist() if not facts.is_frozen(row)], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares the share of dead units with what chance explains.

        A layer that is called several times has as many dead units as where it has fewest: the others get their gradient there. One of
        several outputs of a layer of a user must have been positive once: it may be zeros that no weights make, such as a bias that it doesn't need.
        """
        units = np.array([facts.nodes[row].shape[-1] or 64 for row in rows], float)[:, None]
        share = self.SHARE_OF_LINES if 0 < facts.input_numbers <= self.LINES else self.SHARE
        limit = np.minimum(share + self.CHANCE / np.sqrt(units), 1.0)
        drowned, spoiled, together = Drowned(facts, rows), Spoiled(facts, rows), _same_units(facts, rows)
        falling_silent = _FallingSilent(len(rows), limit)
        classes, lasting = np.isin(rows, taken_for(facts, "logits"))[:, None], Stretches(len(rows), self.OF_CLASSES)
        was_positive = np.array([["output" not in facts.nodes[row].attributes] for row in rows.tolist()], np.bool_).reshape(-1, 1)
        may_be_negative = np.array([not ends_in_relu(facts.nodes[row]) for row in rows.tolist()], np.bool_)[:, None]

        def look(block: Block) -> Observation:
            dead, zero = block.column("zero_unit_fraction")[rows], block.column("zero_fraction")[rows]
            dead = np.where(spoiled(block), np.nan, dead)
            positions = block.column("elements")[rows] / units
            active = positions * (1 - zero) / np.maximum(1 - dead, 1e-9)
            blank = units * (1 - zero) < self.BLANK
            for group in together:
                dead[group] = np.fmin.reduce(dead[group], axis=0)
            holds = dead >= np.where(drowned.feed(block), self.SHARE_OF_DROWNED, limit)
            holds &= (blank | (active >= self.ACTIVE_POSITIONS)) & (positions > 1)
            one_silent = np.rint(dead * units) >= 1
            silent = classes & one_silent & (active >= self.ACTIVE_POSITIONS) & ~may_be_negative
            silent &= lasting.feed(np.arange(len(rows)), block.steps, silent, ~np.isnan(dead) & ~one_silent)[1]
            positive = np.logical_or.accumulate(np.concatenate([was_positive, block.column("max")[rows] > 0], axis=1), axis=1)
            was_positive[:] = positive[:, -1:]
            holds &= ~(may_be_negative & ((block.column("min")[rows] < 0) | ~positive[:, 1:]))
            holds &= ~(block.progress & (dead < self.SHARE_OF_LEARNERS) & falling_silent.feed(block, rows, dead))
            holds |= silent
            evidence = {"zero_unit_fraction": dead, "zero_fraction": zero, "units": np.broadcast_to(units, dead.shape)}
            evidence["untrained"] = np.broadcast_to(block.untrained[rows][:, None].astype(float), dead.shape)
            return Observation(holds, ~np.isnan(dead), evidence, holds & (dead == 1) & (block.steps == 0) & ~may_be_negative)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How many units, and how to revive them."""
        sentence = _sentence(episode)
        if ends_in_relu(facts.nodes[index]) and facts.is_output(index):
            return Words(
                sentence,
                f"It is what the network gives out: end without the ReLU{location(facts, index)}, or where targets are never negative in a softplus:",
                "keras.layers.Dense(units)",
            )
        if episode.first_step == 0 and episode.evidence["untrained"]:
            return Words(
                sentence,
                "They are so before anything was learned: check the first weights and biases (or the offset of a normalization in front), and the"
                f" scale of what comes in{location(facts, index)}:",
                'keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal", bias_initializer="zeros")',
            )
        return Words(
            sentence,
            f"Lower the learning rate, check the bias and the scale of what comes in, or replace the ReLU{location(facts, index)}:",
            "keras.layers.LeakyReLU(negative_slope=0.01)",
        )


def _sentence(episode: Episode) -> str:
    """How many units are silent; of what is over, that they were."""
    share, units = episode.evidence["zero_unit_fraction"], episode.evidence["units"]
    which = "All" if share == 1 else f"{share * units:.0f} of"
    if episode.end is not None:
        who = "Its only unit" if units == 1 else f"{which} {units:.0f} units"
        return f"{who} gave 0 for every example from step {episode.first_step:,} to step {episode.end:,}. The gradient was 0 there too."
    since = f"for every example since step {episode.first_step:,}"
    if units == 1:
        return f"Its only unit gives 0 {since}. Its gradient is 0 too, so it can't recover."
    return f"{which} {units:.0f} units give 0 {since}. Their gradient is 0 too, so they can't recover."


def _same_units(facts: Facts, rows: Rows) -> list[list[int]]:
    """Groups of positions among ``rows`` of calls whose units are the same."""
    groups: dict[object, list[int]] = {}
    for position, row in enumerate(rows.tolist()):
        groups.setdefault(_units_of(facts, row, _DEPTH), []).append(position)
    return [group for group in groups.values() if len(group) > 1]


_DEPTH = 4
"""Layers without weights, such as a ReLU behind a sum behind a dropout, before one whose weights say which units these are."""


def _units_of(facts: Facts, row: int, depth: int) -> object:
    """What is the same for two calls only if their units are: the layer, if it has weights, or what it is and what it is called on."""
    path = path_of(facts.nodes[row])
    if facts.owned.get(row):
        return path
    if depth == 0 or not facts.inputs[row]:
        return row
    return path, tuple(_units_of(facts, source, depth - 1) for source in facts.inputs[row])


class _FallingSilent:
    """Whether units of some layers were never killed by many at once, as far as captures lie near enough to see it, and no more were silent at first
    than chance explains.

    Of what was trained before it counts as having lived.
    """

    KILLED = 0.2
    """Rise of the share of dead units from one capture to the next, which of another batch makes by chance a half of that."""
    NEAR = 10
    """Steps from one to the next."""

    def __init__(self, rows: int, limit: Floats) -> None:
        self._limit = limit
        self._first, self._last = np.full((rows, 1), np.nan, np.float32), np.full((rows, 1), np.nan, np.float32)
        self._killed = np.zeros((rows, 1), np.bool_)
        self._step = -self.NEAR - 1

    def feed(self, block: Block, rows: Rows, dead: Floats) -> npt.NDArray[np.bool_]:
        """Takes in the next shares, [rows, c]."""
        steps = block.steps
        if self._step < 0 and steps[0] == 0:
            self._first = np.where(block.untrained[rows][:, None], self._first, 0)
        self._first = np.where(np.isnan(self._first), first_known(dead), self._first)
        rise = np.diff(np.concatenate([self._last, dead], axis=1), axis=1)
        near = np.diff(np.concatenate([[self._step], steps])) <= self.NEAR
        killed = np.logical_or.accumulate(np.concatenate([self._killed, (rise > self.KILLED) & near], axis=1), axis=1)
        self._last, self._killed, self._step = dead[:, -1:], killed[:, -1:], int(steps[-1])
        silent: npt.NDArray[np.bool_] = (self._first < self._limit) & ~killed[:, 1:]
        return silent


def _wraps(node: Node, wrapped: set[str]) -> bool:
    """Whether a node applies a ReLU layer to every time step."""
    return node.class_name == "TimeDistributed" and node.name.split("@")[0] in wrapped


def _may_end_in_relu(node: Node) -> bool:
    """A layer of a user with weights of its own may end in a ReLU that nobody can see; its lowest number being 0 then tells."""
    return ends_in_relu(node) or (
        node.kind == "layer" and node.trainable is True and node.activation is None and node.class_name not in _KERAS_LAYERS
    )
