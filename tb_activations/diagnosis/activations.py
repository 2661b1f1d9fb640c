"""Rules about values of nodes: activations that are flat, values that grow out of hand.

The one invariant: each rule looks at nodes where its question makes sense, and asks for what a healthy network does not do: a confident output
is not saturated, a large target is not an explosion.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.attention import ATTENTION, Scores
from tb_activations.diagnosis.block import MASKED, Block, Floats, adds_up, first_known
from tb_activations.diagnosis.collapse import FLAT_END
from tb_activations.diagnosis.episodes import Episode, Persistence, Stretches
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.gates import Gates
from tb_activations.diagnosis.kinds import RECURRENT
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent
from tb_activations.diagnosis.scales import Targets, input_scale, is_of_classes
from tb_activations.store.nodes import Node

__all__ = ["ExplodingActivation", "SaturatedActivation"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]


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
        loss. Masked scores are told by their lowest number. A gate may be open or shut, and learn to be, but not so far that it can't move, and by
        the bias that it was given: one that weights drawn at random open here and shut there, so that nearly all of it is flat, was given large
        numbers.
        """
        output = np.array([facts.is_output(row) for row in rows.tolist()], np.bool_)[:, None]
        fed = [facts.inputs[row] if facts.nodes[row].activation == "softmax" else () for row in rows.tolist()]
        picture = np.array([_ends_a_model(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        other = [row for loss in facts.losses[:1].tolist() for row in facts.inputs[loss] if not is_of_classes(facts, row)]
        beside = np.array([bool(other) and is_of_classes(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        first, first_apart = np.full((2, len(rows), 1), np.nan, np.float32)
        targets, scores, gates, masks = Targets(facts), Scores(facts), Gates(facts), _Masks(facts, rows)
        places = np.array([_places(facts.nodes[row]) for row in rows.tolist()], float)[:, None]
        is_gate = np.array([_is_gate(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        drawn = np.array([any(facts.kernel_layers >> place & 1 for place in (row, *facts.inputs[row])) for row in rows.tolist()], np.bool_)[:, None]
        beginning = np.array([self.CHOSEN if facts.nodes[row].activation == "softmax" else self.HIDDEN for row in rows.tolist()])[:, None]
        from_the_start, every = Stretches(len(rows), USUAL), np.arange(len(rows))

        def look(block: Block) -> Observation:
            low, high, apart = block.column("min")[rows], block.column("max")[rows], scores.deviation(block, rows)
            share = _of_places(block.column("saturated_fraction")[rows], block.column("mean")[rows], places)
            stuck, torn = (high < self.SHUT) | (low > 1 - self.SHUT), drawn & (low < FLAT_END) & (high > 1 - FLAT_END)
            share = np.where(is_gate & ~(torn & (share >= self.LEARNED)), stuck, share)
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
            masked = np.array([far_below[list(sources)].any(0) for sources in fed], np.bool_).reshape(share.shape) | masks.put(block)
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


class _Masks:
    """What puts some scores of the softmaxes at ``rows`` far below the lowest of those that it is given, and none above the highest. A factor that is
    too large moves both ends."""

    NOTHING = 30.0
    """How far below: of a share that is e⁻³⁰ of another float32 keeps nothing in a sum. Masks have −100 and less."""
    BESIDE = 1.0
    """How far above the highest: a table of positions may be added too."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        self._count, found = len(rows), []
        for position, row in enumerate(rows.tolist()):
            for fed in facts.inputs[row] if facts.nodes[row].activation == "softmax" and row not in facts.owned else ():
                made = [source for source in facts.inputs[fed] if (facts.upstream[source] | 1 << source) & facts.kernel_layers]
                if not facts.kernel_layers >> fed & 1 and len(made) == 1:
                    found.append((position, fed, made[0]))
        self._at, self._fed, self._given = np.array(found, np.int64).reshape(-1, 3).T

    def put(self, block: Block) -> npt.NDArray[np.bool_]:
        """Whether it is so, [rows, c]."""
        low, high = block.column("min"), block.column("max")
        masked = np.zeros((self._count, len(block.steps)), np.bool_)
        masked[self._at] = (low[self._fed] < low[self._given] - self.NOTHING) & (high[self._fed] <= high[self._given] + self.BESIDE)
        return masked


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
        """Everything that is computed, but for what is only counted."""
        return facts.computed[[not facts.is_counted(row) for row in facts.computed.tolist()]]

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
        sentence = (
            f"Its root mean square is {number(episode.evidence['root_mean_square'])} since step {episode.first_step:,}, far"
            " out of proportion to the input."
        )
        slower = ", or lower the learning rate" if episode.first_step else ""
        if facts.nodes[index].activation == "exponential":
            return Words(
                sentence,
                f"An exponential makes huge numbers of large ones, and the next one of these: take another function between layers{slower}:",
                'keras.layers.Dense(units, activation="relu")',
            )
        if index not in facts.owned:
            return Words(
                sentence,
                f"It has no weights: divide by how much it sums up, or scale what it adds or multiplies by, or normalize what comes out{slower}:",
                "x = keras.layers.LayerNormalization()(x)",
            )
        return Words(
            sentence,
            f"Start from weights that keep the variance, or normalize between the layers{slower}:",
            'recurrent_initializer="orthogonal"' if recurrent else 'keras.layers.Dense(units, kernel_initializer="he_normal")',
        )


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
