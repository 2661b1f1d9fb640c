"""Rules about values of nodes: units that are always zero, activations that are flat, values that grow out of hand, examples that look all the same.

The one invariant: each rule looks at nodes where its question makes sense, and asks for what a healthy network does not do: a sparse layer is not
dead, a confident output is not saturated, a large target is not an explosion, a position table is not a collapse.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.attention import ATTENTION, Scores
from tb_activations.diagnosis.block import MASKED, Block, Floats, adds_up, first_known
from tb_activations.diagnosis.drowned import Drowned
from tb_activations.diagnosis.episodes import Episode, Persistence, Stretches
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.flow import path_of
from tb_activations.diagnosis.gates import Gates
from tb_activations.diagnosis.kinds import NORMALIZATIONS, RECURRENT, WEIGHTED, ends_in_relu
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent
from tb_activations.diagnosis.scales import Targets, input_scale, is_of_classes
from tb_activations.store.nodes import Node

__all__ = ["DeadUnits", "ExplodingActivation", "SaturatedActivation"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]

_COMPUTED = ("layer", "op", "probe")

_KERAS_LAYERS = WEIGHTED | NORMALIZATIONS | {"Embedding", "TimeDistributed", "PReLU", "Functional", "Sequential", "Wrapper", "SpectralNormalization"}
"""Layers with weights that say themselves what activation they end in."""


class DeadUnits(NodeRule):
    """Units of a ReLU that give zero for everything."""

    name, title = "dead_units", "Dead ReLU"
    definition = (
        "Most units of a ReLU give 0 at every example and position, while the others are clearly active; or a tenth of them, where biases hold them"
        " below 0 from the beginning."
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
    """The same where biases are `Drowned`: chance doesn't make those."""
    CHANCE = 1.0
    """Standard deviations (of a coin per unit, doubled) above `SHARE`: small layers have more dead units by chance."""
    ACTIVE_POSITIONS = 4.0
    """Mean number of examples and positions at which a living unit is active. With fewer, a unit can be zero in one batch by chance."""
    BLANK = 0.5
    """Mean number of units that are active at an example or position. With fewer, half of these at least get nothing but 0 (Markov's inequality): the
    few units that live are hardly ever active then, and so few that chance can't be what silences the others."""

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
        drowned, together = Drowned(facts, rows), _same_units(facts, rows)
        falling_silent = _FallingSilent(len(rows), limit)
        was_positive = np.array([["output" not in facts.nodes[row].attributes] for row in rows.tolist()], np.bool_).reshape(-1, 1)
        may_be_negative = np.array([not ends_in_relu(facts.nodes[row]) for row in rows.tolist()], np.bool_)[:, None]

        def look(block: Block) -> Observation:
            dead, zero = block.column("zero_unit_fraction")[rows], block.column("zero_fraction")[rows]
            positions = block.column("elements")[rows] / units
            active = positions * (1 - zero) / np.maximum(1 - dead, 1e-9)
            blank = units * (1 - zero) < self.BLANK
            for group in together:
                dead[group] = np.fmin.reduce(dead[group], axis=0)
            holds = dead >= np.where(drowned.feed(block), self.SHARE_OF_DROWNED, limit)
            holds &= (blank | (active >= self.ACTIVE_POSITIONS)) & (positions > 1)
            positive = np.logical_or.accumulate(np.concatenate([was_positive, block.column("max")[rows] > 0], axis=1), axis=1)
            was_positive[:] = positive[:, -1:]
            holds &= ~(may_be_negative & ((block.column("min")[rows] < 0) | ~positive[:, 1:]))
            holds &= ~(block.progress & (dead < self.SHARE_OF_LEARNERS) & falling_silent.feed(block, rows, dead))
            evidence = {"zero_unit_fraction": dead, "zero_fraction": zero, "units": np.broadcast_to(units, dead.shape)}
            return Observation(holds, ~np.isnan(dead), evidence, holds & (dead == 1) & (block.steps == 0) & ~may_be_negative)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How many units, and how to revive them."""
        share, units = episode.evidence["zero_unit_fraction"], episode.evidence["units"]
        which = "All" if share == 1 else f"{share * units:.0f} of"
        return Words(
            f"{which} {units:.0f} units give 0 for every example since step {episode.first_step:,}. Their gradient is 0 too, so they can't recover.",
            f"Lower the learning rate, check the bias and the scale of what comes in, or replace the ReLU{location(facts, index)}:",
            "keras.layers.LeakyReLU(negative_slope=0.01)",
        )


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


USUAL = Persistence()
"""How long what is so from the start must last."""


class SaturatedActivation(NodeRule):
    """Sigmoid, tanh or softmax where they are flat."""

    name, title = "saturated_activation", "Saturated activation"
    definition = (
        "Nearly all outputs of a sigmoid, tanh or softmax inside the network lie where its slope is almost 0 (scores of attention: so far apart that"
        " one takes nearly all); of an output layer: from the start, or towards targets that it can't reach."
    )
    reference = "SageMaker Debugger SaturatedActivation; Glorot & Bengio 2010; DeepDiagnosis Saturated Activation"
    severity, statistic = "warning", "saturated_fraction"
    persistence = Persistence(steps=50)
    """Where it wasn't so from the start: momentum drives sigmoids to an end and back within so many."""

    HIDDEN = 0.65
    """Share inside the network. Hidden layers of healthy networks stay below 0.3; a narrow tanh on raw flowers begins with 0.5, and learns."""
    CHOSEN = 0.4
    """The same of a softmax, from the start. A tanh that is within 0.03 of its end got a 2; a softmax that gives all but a thousandth to one got
    scores that are 7 apart, where initial weights on inputs near 1 make 1 of it: hardly any row is so by chance."""
    LEARNED = 0.9
    """Share inside the network where it was lower at first: gates and generators of near-binary images learn to sit at an end. As much at step 0,
    before anything was trained, is told at once."""
    OUTPUT = 0.7
    """Share at an output layer, which must be there from the first capture: confidence without training is no confidence."""
    BIAS = 2.0
    """Root mean square of the bias that an output layer began with, above which its confidence is what the user knows of the classes."""
    WRONG = 1 / 3
    """First loss over that bias, above which it isn't true: of two equally frequent classes it costs a half."""
    APART = 25.0
    """Standard deviation of the scores of an attention layer, of which the softmax isn't recorded: of normal ones, 10 to 500 of them, one takes all
    but a thousandth in 41 to 64 % of cases."""
    FAR_APART = 200.0
    """The same, for `LEARNED`: in 89 to 94 % of cases."""
    REACH = 4.0
    """Times the numbers of an output: the most that their squared distances from targets between −1 and 1 add up to. A first loss beyond it
    comes from targets that no sigmoid or tanh reaches, so `OUTPUT` is enough."""
    SHUT = 1e-4
    """What all outputs of a gate stay below (or that near to 1) from the start, where it is none that will learn. Careful people begin with 0.01."""
    START = 0.4
    """Share at the first capture from which on it counts as saturated from the start."""

    def select(self, facts: Facts) -> Rows:
        """Nodes that end in a function that has flat ends, and layers that use one inside. A softmax over a single unit has nothing but flat ends."""
        found = facts.select(lambda node: node.kind != "variable" and (node.activation in {"sigmoid", "tanh"} or _is_softmax_over_several(node)))
        told = [row for row in found.tolist() if not _has_mask(facts, row)]
        return np.array(sorted({*told, *Scores(facts).rows.tolist(), *Gates(facts).rows.tolist()}), np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares the saturated share with the limit for the part the node plays and for how it began.

        An output layer whose bias was set to how rare a class is begins at an end. Classes that are learned beside large numbers don't explain the
        loss. Masked scores are told by their lowest number. A gate may be open or shut, and learn to be, but not so far that it can't move.
        """
        output = np.array([facts.is_output(row) for row in rows.tolist()], np.bool_)[:, None]
        fed = [facts.inputs[row] if facts.nodes[row].activation == "softmax" else () for row in rows.tolist()]
        picture = np.array([_ends_a_model(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        other = [row for loss in facts.losses[:1].tolist() for row in facts.inputs[loss] if not is_of_classes(facts, row)]
        beside = np.array([bool(other) and is_of_classes(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        first, first_apart = np.full((2, len(rows), 1), np.nan, np.float32)
        targets, scores, gates = Targets(facts), Scores(facts), Gates(facts)
        places = np.array([_places(facts.nodes[row]) for row in rows.tolist()], float)[:, None]
        is_gate = np.array([_is_gate(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        beginning = np.array([self.CHOSEN if facts.nodes[row].activation == "softmax" else self.HIDDEN for row in rows.tolist()])[:, None]
        from_the_start, every = Stretches(len(rows), USUAL), np.arange(len(rows))

        def look(block: Block) -> Observation:
            low, high, apart = block.column("min")[rows], block.column("max")[rows], scores.deviation(block, rows)
            share = _of_places(block.column("saturated_fraction")[rows], block.column("mean")[rows], places)
            share = np.where(is_gate, (high < self.SHUT) | (low > 1 - self.SHUT), share)
            flat = gates.flat_share(block, rows)
            share = np.fmax(np.where(is_gate & np.isnan(high), np.nan, share), flat).astype(np.float32)
            first[:] = np.where(np.isnan(first), first_known(share), first)
            first_apart[:] = np.where(np.isnan(first_apart), first_known(apart), first_apart)
            untrained = block.untrained[rows][:, None]
            bias = block.first_bias[rows][:, None]
            known_before = output & (bias > self.BIAS) & ~(block.first_loss > self.WRONG * bias)
            early = (first >= self.START) & untrained & ~known_before
            size = targets.size(block)
            late = np.where(size > self.REACH * block.column("elements")[rows], self.OUTPUT, self.LEARNED if size > 1 else np.inf)
            late = np.where(beside, np.inf, late)
            limit = np.where(output, np.where(early, self.OUTPUT, late), np.where(early, beginning, self.LEARNED))
            limit = np.where(is_gate & ~early, np.inf, limit)
            excused = (block.progress | ~block.is_judged | picture) & (output | ~early) | (first >= self.START) & ~early
            far_below = (block.column("min") < MASKED) | (block.column("neg_inf_count") > 0)
            masked = np.array([far_below[list(sources)].any(0) for sources in fed], np.bool_).reshape(share.shape)
            apart_early = (first_apart > self.APART) & untrained
            drifted = (apart > self.FAR_APART) & ~(first_apart > self.APART) & ~block.progress & block.is_judged
            holds = (share >= limit) & ~excused & ~masked | (apart > self.APART) & apart_early | drifted
            known, soon = ~np.isnan(share) | ~np.isnan(apart), holds & (output | early | apart_early)
            soon &= from_the_start.feed(every, block.steps, soon, known & ~soon)[1]
            urgent = soon | holds & ((share >= self.LEARNED) & ~output | (apart > self.FAR_APART)) & (block.steps == 0)
            return Observation(holds, known, {"saturated_fraction": share, "score_deviation": apart, "of_gates": flat}, urgent)

        return look

    def statistic_at(self, facts: Facts, index: int) -> str:
        """Of an attention layer the softmax isn't recorded, and so no share either."""
        return "l2_norm" if facts.nodes[index].class_name in ATTENTION else self.statistic

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How much of it is flat."""
        if facts.nodes[index].class_name in ATTENTION:
            return Words(
                f"The scores of its queries and keys have a standard deviation of about {number(episode.evidence['score_deviation'])} since step"
                f" {episode.first_step:,}: their softmax gives nearly all to one position, and almost no gradient passes.",
                f"Normalize what comes in, or start from smaller weights{location(facts, index)}:",
                "x = keras.layers.LayerNormalization()(x)",
            )
        if episode.evidence["of_gates"] >= episode.evidence["saturated_fraction"]:
            return Words(
                f"About {percent(episode.evidence['of_gates'])} of its gates are below 0.03 or above 0.97 since step {episode.first_step:,}, as"
                " its weights make large numbers of what comes in: they hardly depend on the data, and almost no gradient passes.",
                f"Normalize what comes in, or start from smaller weights{location(facts, index)}:",
                "x = keras.layers.LayerNormalization()(x)",
            )
        where = {"sigmoid": "below 0.03 or above 0.97", "tanh": "within 0.03 of −1 or +1", "softmax": "above 0.999 in one entry"}
        activation = facts.nodes[index].activation or ""
        output = facts.is_output(index) and activation != "softmax"
        attention = activation == "softmax" and not facts.is_output(index)
        return Words(
            f"{percent(episode.evidence['saturated_fraction'])} of the outputs of {activation} are {where.get(activation, 'at its ends')} since step"
            f" {episode.first_step:,}. Its slope is almost 0 there, so almost no gradient passes.",
            "Divide the scores by the root of the number of products that each is a sum of, or start from smaller weights:"
            if attention
            else "Normalize what comes in, or start from smaller weights"
            + (f"; where targets lie beyond the ends of {activation}, end without it:" if output else ":"),
            "scores = scores / width**0.5" if attention else "keras.layers.Dense(units)" if output else "x = keras.layers.LayerNormalization()(x)",
        )


class ExplodingActivation(NodeRule):
    """Values that are out of proportion to what went into the network."""

    name, title = "exploding_activation", "Exploding activation"
    definition = (
        "The root mean square of a layer's output is 1,000 times that of the network's input and 10 times what its bias and the targets explain,"
        " while the loss doesn't fall; in a run that goes on with trained weights, also 1,000 times what it was at first."
    )
    reference = "SageMaker Debugger ExplodingTensor; DeepDiagnosis Exploding Tensor; He et al. 2015 (variance propagation)"
    severity, statistic = "error", "l2_norm"
    persistence = Persistence(captures=2, steps=0)

    GROWTH = 1000.0
    """Times the root mean square of the network's input (or 1, if that is smaller)."""

    AT_ONCE = GROWTH**2
    """The same, for which one capture is enough: the next one may be NaN. At step 0, where nothing has been trained, any one is enough."""
    EXPLAINED = 10.0
    """Times the size of the targets, where those are large: outputs have to get there. Or of the bias that a layer began with."""

    def select(self, facts: Facts) -> Rows:
        """Everything that is computed."""
        return facts.computed

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares with the input, with the targets and the first bias, and with the beginning where that is one of trained weights.

        Numbers of which none is positive, where no weights are, are the masks of attention. Where such a one may be added, as any layer of a user
        may do, large positive numbers must be there too.
        """
        targets = Targets(facts)
        weightless = np.array([not facts.kernel_layers >> row & 1 for row in rows.tolist()], np.bool_)[:, None]
        may_be_masked = np.array([facts.may_mask(row) for row in rows.tolist()], np.bool_)[:, None]
        first = np.full((len(rows), 1), np.nan, np.float32)

        def look(block: Block) -> Observation:
            rms, highest, target = (
                block.rms()[rows],
                block.column("max")[rows],
                self.EXPLAINED * np.fmax(targets.size(block), block.first_bias[rows][:, None]),
            )
            first[:] = np.where(np.isnan(first), first_known(rms), first)
            scale = np.where(block.untrained[rows][:, None], 0, first)
            scale = np.fmax(input_scale(block, facts), scale)
            holds = (rms > np.maximum(self.GROWTH * scale, target)) & ~block.progress & ~(weightless & (highest <= 0))
            holds &= ~may_be_masked | (highest > rms)
            extreme = holds & ((rms > np.maximum(self.AT_ONCE * scale, target)) | (block.steps == 0))
            return Observation(holds, ~np.isnan(rms), {"root_mean_square": rms, "max": highest}, extreme)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How large it is."""
        recurrent = facts.nodes[index].class_name.removesuffix("Cell") in RECURRENT
        return Words(
            f"Its root mean square is {number(episode.evidence['root_mean_square'])} since step {episode.first_step:,}, far"
            " out of proportion to the input.",
            "Start from weights that keep the variance, normalize between the layers, or lower the learning rate:",
            'recurrent_initializer="orthogonal"' if recurrent else 'keras.layers.Dense(units, kernel_initializer="he_normal")',
        )


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


def _is_gate(facts: Facts, row: int) -> bool:
    """Whether a sigmoid is multiplied by something: gates begin open or shut (highway networks, forget gates), and learn to be."""
    node = facts.nodes[row]
    if row in facts.inside:
        return "gate" in node.attributes
    return node.activation == "sigmoid" and any(facts.nodes[after].class_name in {"Multiply", "Mul"} for after in facts.next_effective(row))


def _is_softmax_over_several(node: Node) -> bool:
    return node.activation == "softmax" and ((node.shape or (0,))[-1] != 1 or _places(node) > 1)


def _places(node: Node) -> int:
    """Over how many positions a softmax may weigh, whose last axis has one entry; 0 for any other node."""
    shape = node.shape or ()
    return math.prod(extent or 0 for extent in shape[1:]) if node.activation == "softmax" and len(shape) > 2 and shape[-1] == 1 else 0


def _of_places(share: Floats, mean: Floats, places: Floats) -> Floats:
    """Share of the examples in which one of ``places`` takes nearly all, of the share of all entries that do; NaN where these don't add up to 1."""
    of_examples: Floats = np.where(places > 0, np.where(adds_up(mean, places), share * places, np.nan), share)
    return of_examples


def _has_mask(facts: Facts, row: int) -> bool:
    """Whether a softmax is told which entries count: with one that does it has nothing but flat ends."""
    node = facts.nodes[row]
    told = bool(node.attributes.get("masked")) or any(facts.nodes[source].dtype == "bool" for source in facts.inputs[row])
    return node.activation == "softmax" and told


def _ends_a_model(facts: Facts, row: int) -> bool:
    """Whether what comes out goes into another model with a loss of its own, as pictures go from a generator to its judge."""
    if len(facts.losses) < 2:
        return False
    own = facts.names[row].split("/")[0]
    after = facts.next_effective(row)
    return bool(after) and all(facts.names[node].split("/")[0] != own and facts.nodes[node].kind != "loss" for node in after)


def _wraps(node: Node, wrapped: set[str]) -> bool:
    """Whether a node applies a ReLU layer to every time step."""
    return node.class_name == "TimeDistributed" and node.name.split("@")[0] in wrapped


def _may_end_in_relu(node: Node) -> bool:
    """A layer of a user with weights of its own may end in a ReLU that nobody can see; its lowest number being 0 then tells."""
    return ends_in_relu(node) or (
        node.kind == "layer" and node.trainable is True and node.activation is None and node.class_name not in _KERAS_LAYERS
    )
