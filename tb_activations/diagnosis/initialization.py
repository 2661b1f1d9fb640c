"""How weights begin: constant, or far from keeping the variance.

The one invariant: only step 0 of a training that begins there is judged. What is odd on purpose (adapters of 0, frequencies, wide weights before a
normalization) is told from its place in the graph and from what it makes of numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.collapse import SAME
from tb_activations.diagnosis.episodes import AT_ONCE, Episode
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import NORMALIZATIONS, WEIGHTED, is_of_users
from tb_activations.diagnosis.propagation import MUCH, Propagation
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number

__all__ = ["PoorInitialization", "is_of_words"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Observe = Callable[[Block], Observation]

CONSTANT = 1e-6
"""Standard deviation over root mean square, up to which all numbers are the same."""
TAMED = 0.5
"""Of what weights would make of an input of independent numbers."""
PAST = 1000.0
"""How differences between examples would have to grow in one step to come from a layer. A normalization, which may do that, is known by its class."""


class PoorInitialization(NodeRule):
    """Weights that start constant, or far from keeping the variance."""

    name, title = "poor_initialization", "Poor initialization"
    definition = (
        "At step 0 the kernel is constant, or its root mean square times the square root of its fan-in is far from 1 (unless the next weights make"
        " up for what a narrow layer grows), or somewhat, and what comes in shrinks or grows out of proportion up to the last weights; or a"
        " table of words or positions has a root mean square above 10; or all scales of a normalization are 0, and all examples equal up to the last"
        " weights."
    )
    reference = "Glorot & Bengio 2010; He et al. 2015; SageMaker Debugger PoorWeightInitialization"
    severity, statistic = "error", "std"
    persistence = AT_ONCE

    LARGEST_GAIN = 4.0
    """Initial weights of Keras have 0.1 to 1.5; 4 in each of five layers is a factor of 1,000."""
    LARGEST_RECURRENT_GAIN = 2.0
    """Recurrent weights are applied once per time step: 2 in each of ten steps is a factor of 1,000. Orthogonal ones have 1."""
    SMALLEST_GAIN = 0.02
    """Normal(0, 0.01) for a few dozen inputs, used by careful people, has 0.05 and more."""

    HARDLY = 1 / 30
    """Of what the first step changes of any kernel of usual size, each relative to its own. One that is 30 times too large learns as much slower."""

    LARGEST_ENTRY = 10.0
    """Root mean square of a table that feeds weights, as of an input (`UnnormalizedInput.LARGEST`). Tables of Keras begin with 0.03."""

    def select(self, facts: Facts) -> Rows:
        """Kernels with more than one input or output, tables of words or positions, and scales of normalizations."""
        tables = [row for row in facts.tables.tolist() if is_of_words(facts, row)]
        return np.array([*facts.kernels.tolist(), *tables, *(row for row in facts.variables.tolist() if _is_scale(facts, row))], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Looks at step 0 only: what comes later is trained.

        Weights of zeros, or next to it, do no harm where something else joins what comes out of them, such as the frozen weights beside a low-rank
        adapter, or what a layer of a user's adds it to: examples then differ right after them. Nor do constant weights for which others of the same
        layer stand one by one, as the means of a variational layer do beside its deviations: those tell units apart.
        """
        fan_in = np.array([facts.fan_in(row) for row in rows.tolist()], float)[:, None]
        fan_out = np.array([facts.fan_out(row) for row in rows.tolist()], float)[:, None]
        recurrent = np.array([facts.names[row].endswith("recurrent_kernel") for row in rows.tolist()], np.bool_)[:, None]
        largest = np.where(recurrent, self.LARGEST_RECURRENT_GAIN, self.LARGEST_GAIN)
        output = np.array([facts.is_output(row) for row in rows.tolist()], np.bool_)[:, None]
        small_is_fine = output | np.array([_starts_small(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        periodic = np.array([_is_periodic(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        normalized = np.array([_is_normalized(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        following = [_following(facts, row) for row in rows.tolist()]
        partners = [_partners(facts, row) for row in rows.tolist()]
        scaled = _scaled_by_themselves(facts, rows)
        is_table = np.isin(rows, facts.tables)[:, None]
        is_scale = np.array([_is_scale(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        ends = [_read_at_the_end(facts, row) if _is_scale(facts, row) else [] for row in rows.tolist()]
        propagation = Propagation(facts, rows)

        def look(block: Block) -> Observation:
            known = block.recorded()[rows]
            if block.steps[0] != 0:
                return Observation(np.zeros_like(known), known)
            std, rms = block.column("std")[rows], block.rms()[rows]
            gain = rms * np.sqrt(fan_in)
            constant = (std <= CONSTANT * rms) & (block.column("elements")[rows] > 1)
            differ, varies = block.column("batch_std") > SAME * block.rms(), block.column("std") > CONSTANT * block.rms()
            detour = (rms == 0) & np.stack([differ[nodes].any(0) for nodes in following])
            detour |= np.stack([_come_past(block, facts.places(row), nodes) for row, nodes in zip(rows.tolist(), following, strict=True)])
            small = ((gain < self.SMALLEST_GAIN) | propagation.fades(block, gain)) & ~small_is_fine & ~detour
            tamed = np.stack([_is_tamed(block, facts, calls, own) for calls, own in zip(scaled, gain, strict=True)])
            large_is_fine = periodic | normalized & ~self._hardly_turn(block, rows, np.where(is_scale, np.nan, gain))
            given = np.stack([_given(block, facts, facts.places(row)) for row in rows.tolist()])
            evened_out = self._is_evened_out(facts, gain, rms * np.sqrt(fan_out)) | output & (gain * given <= self.LARGEST_GAIN)
            far = (gain > largest) & ~evened_out
            large = (far | propagation.swells(block, gain)) & ~large_is_fine & ~tamed
            poor = large | np.where(constant & (rms > 0), ~output, small)
            poor &= ~(constant & np.stack([varies[others].any(0) for others in partners]))
            poor = np.where(is_table, (rms > self.LARGEST_ENTRY) & ~large_is_fine, poor)
            poor = np.where(is_scale, (rms == 0) & np.stack([~differ[nodes].any(0) & (len(nodes) > 0) for nodes in ends]), poor)
            evidence = {"std": std, "root_mean_square": rms, "mean": block.column("mean")[rows]}
            return Observation(poor & known & (block.steps == 0) & block.untrained[rows][:, None], known, {**evidence, "gain": gain})

        return look

    def _is_evened_out(self, facts: Facts, gain: Floats, backward: Floats) -> Bools:
        """Whether weights keep the scale of gradients rather than that of numbers, and all that come next make up for it, [rows, c]: those of an
        initializer by fan-out, where a layer with few units stands between others with many."""
        after = np.full_like(gain, np.inf)
        for position, later in enumerate(facts.later_kernels):
            if later:
                after[position] = gain[list(later)].max(0)
        evened: Bools = (backward < MUCH) & (gain * after <= self.LARGEST_GAIN)
        return evened

    def _hardly_turn(self, block: Block, rows: Rows, gain: Floats) -> Bools:
        """Whether weights are so large that a step changes them far less than it does the others: a normalization after them takes their scale away,
        and so the slower they learn, the larger they are."""
        weights = block.column("l2_norm")[rows]
        ratio = block.column("l2_norm", "update")[rows] / np.where(weights > 0, weights, np.nan)
        least = np.fmin.reduce(np.where(gain <= self.LARGEST_GAIN, ratio, np.nan), axis=0)
        turned: Bools = (gain > self.LARGEST_GAIN) & (ratio < self.HARDLY * least)
        return turned

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What is wrong with the first weights, and the argument of the layer to change."""
        owner = facts.owners[index]
        layer = facts.nodes[index if owner is None else owner].class_name
        recurrent = facts.names[index].endswith("recurrent_kernel")
        argument = 'recurrent_initializer="orthogonal"' if recurrent else 'kernel_initializer="glorot_uniform"'
        rms, gain = episode.evidence["root_mean_square"], episode.evidence["gain"]
        if index in facts.tables:
            sentence = f"The initial entries have a root mean square of {number(rms)}. Weights after them are made for inputs near 1."
            return Words(sentence, "Use entries as small as usual:", 'keras.layers.Embedding(..., embeddings_initializer="uniform")')
        if _is_scale(facts, index):
            return Words(
                "All its scales are 0 at first, so it gives its offset whatever comes in, and nothing goes past it: what the last weights read is the"
                " same for all examples.",
                f"Begin with scales of 1{location(facts, owner or index)}. Where they were set, mind the order:",
                "layer.set_weights([gamma, beta, moving_mean, moving_variance])",
            )
        if episode.evidence["std"] <= CONSTANT * rms:
            value = -rms if episode.evidence["mean"] < 0 else rms
            sentence = f"All initial weights are {number(value)}, so all units compute the same and get the same gradient."
        else:
            what = "grows" if gain > 1 else "shrinks"
            sentence = (
                f"The initial weights have a root mean square of {number(rms)}: what passes through {what} about {number(max(gain, 1 / gain))} times."
            )
        return Words(
            sentence,
            f"Use an initializer that keeps the variance{location(facts, facts.owners[index] or index)}:",
            _code(layer, facts.names[index].rsplit("/", 1)[-1], argument),
        )


def _code(layer: str, weight: str, argument: str) -> str:
    """What to write where the weights are made. A wrapper leaves them to another layer; a cell or layer of a user adds them."""
    if layer in WEIGHTED - {"EinsumDense", "RNN", "Bidirectional"}:
        return f"keras.layers.{layer}(..., {argument})"
    added = is_of_users(layer) or (layer == "RNN" and weight not in ("kernel", "recurrent_kernel"))
    return f"self.add_weight(shape, initializer={argument.split('=')[1]})" if added else argument


def _partners(facts: Facts, weight: int) -> list[int]:
    """Other weights of a user's layer that have the shape of ``weight``. In a layer of Keras each has a part of its own."""
    owner, shape = facts.owners[weight], facts.nodes[weight].shape
    if owner is None or not is_of_users(facts.nodes[owner].class_name):
        return []
    return [other for other in facts.owned[owner] if other != weight and facts.nodes[other].shape == shape]


def _given(block: Block, facts: Facts, calls: Sequence[int]) -> Floats:
    """Root mean square of what calls are applied to, the largest where there are several, [c]; NaN where it isn't recorded."""
    sources = [source for place in calls for source in facts.inputs[place]]
    given: Floats = np.fmax.reduce(block.rms()[sources], axis=0, initial=np.nan)
    return given


def _following(facts: Facts, kernel: int) -> list[int]:
    """What comes next after the layer of a kernel. A layer around it that hands out the same numbers doesn't count."""
    found: list[int] = []
    pending = list(facts.places(kernel))
    while pending:
        place = pending.pop()
        for node in facts.next_effective(place):
            around = facts.names[place].startswith(facts.names[node].split("@")[0] + "/")
            (pending if around else found).append(node)
    return found


def _come_past(block: Block, places: Sequence[int], following: Sequence[int]) -> Bools:
    """Whether examples differ so much in what follows that it can't come from a layer: its own layer adds something else to it, [c]."""
    differ = block.column("batch_std")
    own = np.fmax.reduce(differ[list(places)], axis=0)
    past: Bools = (differ[list(following)] > PAST * own).any(0)
    return past


def _scaled_by_themselves(facts: Facts, rows: Rows) -> list[tuple[int, ...]]:
    """For each kernel the calls of its layer, where that is a user's, which may scale it itself; of several kernels in one layer (queries and keys)
    its output tells nothing."""
    kernels = Counter(facts.owners[kernel] for kernel in facts.kernels.tolist())

    def may_scale(place: int) -> bool:
        node = facts.nodes[place]
        return node.kind != "variable" and node.class_name not in WEIGHTED and bool(facts.inputs[place])

    calls = ((row, tuple(facts.places(row))) for row in rows.tolist())
    return [places if kernels[facts.owners[row]] <= 1 and all(map(may_scale, places)) else () for row, places in calls]


def _is_tamed(block: Block, facts: Facts, calls: Sequence[int], gain: Floats) -> Bools:
    """Whether calls make far less of their input than the weights would, which are scaled on the way (an equalized learning rate), [c].

    What stays below 1 may be the flat end of a sigmoid or tanh inside.
    """
    tamed = np.zeros(len(block.steps), np.bool_)
    for place in calls:
        tamed |= (block.rms()[place] < TAMED * gain * _given(block, facts, (place,))) & (block.column("max")[place] > 1)
    return tamed


def is_of_words(facts: Facts, table: int) -> bool:
    """Whether a table holds a vector for each word or position, and no centres or codes, which are as large as what they are compared with."""
    owner = facts.owners[table]
    known = owner is not None and facts.nodes[owner].class_name == "Embedding"
    return known or re.search("emb|pos|tok|table", facts.names[table].rsplit("/", 1)[-1], re.IGNORECASE) is not None


def _is_scale(facts: Facts, row: int) -> bool:
    """Whether it is what a normalization multiplies by."""
    owner = facts.owners[row]
    return owner is not None and facts.names[row].endswith("/gamma") and facts.nodes[owner].class_name in NORMALIZATIONS


def _read_at_the_end(facts: Facts, row: int) -> list[int]:
    """What the last weights read of what is made with a weight."""
    made = union(facts.downstream[place] | 1 << place for place in facts.places(row))
    ends = [place for kernel in facts.output_kernels.tolist() for place in facts.places(kernel)]
    return [source for place in ends for source in facts.inputs[place] if made >> source & 1]


def _is_periodic(facts: Facts, kernel: int) -> bool:
    """Whether a sine or cosine follows: large weights are then high frequencies, chosen on purpose."""
    names = {facts.nodes[place].activation for place in facts.places(kernel)} | {facts.nodes[node].class_name for node in _following(facts, kernel)}
    return not names.isdisjoint({"sin", "cos", "Sin", "Cos"})


def _is_normalized(facts: Facts, kernel: int) -> bool:
    """Whether a normalization takes the scale of the weights away again, everywhere."""
    following = [facts.nodes[node].class_name for node in _following(facts, kernel)]
    return bool(following) and all(name in NORMALIZATIONS for name in following)


def _starts_small(facts: Facts, kernel: int) -> bool:
    """Whether small or zero initial weights do no harm: a branch that is added to another, or a normalization that follows."""
    following = [facts.nodes[node].class_name for node in _following(facts, kernel)]
    return any(name in NORMALIZATIONS or name == "Add" for name in following)
