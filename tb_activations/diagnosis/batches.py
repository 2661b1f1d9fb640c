"""Rules about examples: what comes in, and whether the network still tells one example from another.

The one invariant: a tensor that is the same for all examples is no trouble by itself (position tables, masks and constants are); it is when the
output of the network is the same for all examples while its inputs differ.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import MASKED, Block, first_known
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Severity
from tb_activations.diagnosis.flow import path_of
from tb_activations.diagnosis.kinds import RECURRENT, WEIGHTED, is_float
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number

__all__ = ["CollapsedOutput", "ConstantInput", "UnnormalizedInput"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Observe = Callable[[Block], Observation]

SAME = 1e-4
"""Standard deviation over examples, over the root mean square. Healthy networks stay above 1/1,000."""

NOISE = 1e-6
"""The same for outputs of which examples differed at first: a bias near the mean of large targets makes all of them alike but for what is learned."""

SHRUNK = 1e-3
"""The same, over what it was at the first capture: representations that are pulled together shrink to a point near 0."""


JOINT = 0.05
"""The same where the loss is given nothing but what one layer makes of several inputs: nothing tells it to be small but that all are alike."""


class CollapsedOutput(NodeRule):
    """A node from which on all examples look the same."""

    name, title = "collapse", "All examples equal"
    definition = (
        "From this node on to the output, all examples of a batch are equal, or differ 1,000 times less than at first (20 times, where the loss is"
        " given nothing but what one layer makes of several inputs), although the inputs differ; or a normalization gives its own offset only, as the"
        " mean over a single number is that number."
    )
    reference = "SageMaker Debugger TensorVariance and AllZero; representation collapse"
    severity, statistic = "error", "batch_std"
    persistence = Persistence(captures=2)

    def select(self, facts: Facts) -> Rows:
        """Everything data flows through, but losses."""
        return facts.select(lambda node: node.kind not in ("variable", "loss"))

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Finds nodes that are the same for all examples, whose inputs are not, and which are the same all the way to an output."""
        members = set(rows.tolist())
        position = {row: index for index, row in enumerate(rows.tolist())}
        sources = [[position[source] for source in facts.inputs[row] if source in members] for row in rows.tolist()]
        targets = [[position[target] for target in facts.consumers[row] if target in members] for row in rows.tolist()]
        reaching = np.array([facts.reaches_loss(row) for row in rows.tolist()], np.bool_)
        ends = np.array([facts.is_output(row) for row in rows.tolist()], np.bool_)[:, None]
        inputs = [position[row] for row in rows.tolist() if facts.nodes[row].kind == "input"]
        first = np.full((len(rows), 1), np.nan, np.float32)
        emptied = Emptied(facts, rows)
        shrunk = np.where(np.isin(rows, _compared_with_each_other(facts)), JOINT, SHRUNK)[:, None]

        def look(block: Block) -> Observation:
            std, rms = block.column("batch_std")[rows], block.rms()[rows]
            first[:] = np.where(np.isnan(first), first_known(std), first)
            empty = emptied(block) & np.isnan(std)
            known = ~np.isnan(std)
            decided = known | emptied.judged & block.recorded()[rows]
            alike = np.where(ends & (first > 0), NOISE, SAME)
            same = known & ((std <= alike * rms) | (std <= shrunk * first))
            varied = (known & ~same)[inputs].any(0) if inputs else np.ones(same.shape[1], bool)
            if not (same | empty).any():
                return Observation(same, decided, {})
            lasting = _to_the_end(same, known & reaching[:, None], targets) & reaching[:, None]
            fed = np.stack([(known & ~same)[items].any(0) & ~same[items].all(0) if items else np.zeros(same.shape[1], bool) for items in sources])
            evidence = {"batch_std": std, "root_mean_square": rms, "first_batch_std": np.broadcast_to(first, std.shape)}
            return Observation(lasting & fed & varied | empty, decided, evidence)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Where the differences end."""
        seen = episode.evidence
        if facts.nodes[index].activation == "softmax" and (facts.nodes[index].shape or (0,))[-1] == 1:
            return Words(
                f"It gives 1 for every example since step {episode.first_step:,}: a softmax divides by the sum over its units, and here is only one.",
                f"End in a sigmoid{location(facts, index)}, or in one unit per class:",
                'keras.layers.Dense(1, activation="sigmoid")',
            )
        if np.isnan(seen["batch_std"]):
            return Words(
                f"It gives nothing but its own offset since step {episode.first_step:,}, whatever comes in: a batch is one example, so each number is"
                " its own mean, and the difference is 0.",
                "Take larger batches, or normalize over the features of an example:",
                "keras.layers.LayerNormalization()",
            )
        if seen["batch_std"] > SAME * seen["root_mean_square"]:
            return Words(
                f"Examples of a batch hardly differ here since step {episode.first_step:,}: their standard deviation fell from"
                f" {number(seen['first_batch_std'])} to {number(seen['batch_std'])}, up to the output, while the inputs differ as before.",
                "The loss is lowest when all examples are alike. Add what pushes them apart: negative pairs, a stopped gradient with a"
                " predictor, or a penalty on small variance.",
            )
        return Words(
            f"All examples of a batch give the same output here since step {episode.first_step:,} (standard deviation over examples"
            f" {number(seen['batch_std'])}), while its input differs. Everything after it, up to the output, is"
            " the same for all examples.",
            "Look at the units and weights of this layer: dead units, zero weights or a reduction over the batch axis make this.",
        )


def _compared_with_each_other(facts: Facts) -> list[int]:
    """Calls of one layer that are all the loss is given. Not those that read what other layers are trained to make, as a judge does."""
    given = [row for loss in facts.losses[:1].tolist() for row in facts.inputs[loss]]
    if len(given) < 2 or len({path_of(facts.nodes[row]) for row in given}) > 1:
        return []
    own = path_of(facts.nodes[given[0]])
    inside = union(1 << row for row in facts.flow.tolist() if path_of(facts.nodes[row]) == own or facts.names[row].startswith(own + "/"))
    return given if not any(facts.upstream[row] & facts.kernel_layers & ~inside for row in given) else []


class Emptied:
    """Finds batch normalizations that subtract a single example from itself: what comes out is their offset, and nothing else.

    Attributes:
      judged: bool[rows, 1], which rows can be such ones.
    """

    def __init__(self, facts: Facts, rows: Rows) -> None:
        self._found = [(position, row, *_scale_and_offset(facts, row)) for position, row in enumerate(rows.tolist()) if _can_be_emptied(facts, row)]
        self._sources = [facts.inputs[row][0] for _, row, _, _ in self._found]
        self.judged = np.zeros((len(rows), 1), np.bool_)
        self.judged[[position for position, *_ in self._found]] = True

    def __call__(self, block: Block) -> Bools:
        """Whether the output is the offset while the input differs from number to number, [rows, c]. A scale of 0 is set so on purpose."""
        empty = np.zeros((len(self.judged), len(block.steps)), np.bool_)
        for (position, row, scale, offset), source in zip(self._found, self._sources, strict=True):
            ends = [block.column(name) for name in ("min", "max")]
            given = [end[offset] if offset is not None else np.zeros(len(block.steps)) for end in ends]
            gap = np.maximum(*(np.abs(end[row] - own) for end, own in zip(ends, given, strict=True)))
            scaled = block.rms()[scale] if scale is not None else np.ones(len(block.steps))
            empty[position] = (gap <= SAME * scaled) & (scaled > 0) & (block.column("std")[source] > SAME * block.rms()[source])
        return empty


def _can_be_emptied(facts: Facts, row: int) -> bool:
    node = facts.nodes[row]
    return node.class_name == "BatchNormalization" and node.kind == "layer" and bool(facts.inputs[row])


def _scale_and_offset(facts: Facts, row: int) -> tuple[int | None, int | None]:
    """The variables that a normalization multiplies by and adds, as far as it has them."""
    own = {facts.names[variable].rsplit("/", 1)[-1]: variable for variable in facts.owned.get(row, ())}
    return own.get("gamma"), own.get("beta")


def _to_the_end(same: Bools, decided: Bools, targets: list[list[int]]) -> Bools:
    """Whether a node is the same for all examples, and so is everything after it. What isn't decided doesn't stand in the way."""
    lasting: Bools = same.copy()
    for row in range(len(same) - 1, -1, -1):
        for target in targets[row]:
            lasting[row] &= lasting[target] | ~decided[target]
    return lasting


class ConstantInput(NodeRule):
    """An input that says nothing."""

    name, title = "constant_input", "Constant input"
    definition = (
        "A float input that feeds weights is the same for all examples of every batch; or the only input is integers for a table, and all of them are"
        " one number."
    )
    reference = "SageMaker Debugger AllZero, TensorVariance"
    severity, statistic = "error", "batch_std"
    persistence = Persistence(captures=2)

    def select(self, facts: Facts) -> Rows:
        """Float inputs that go straight into weights, and words. Of several inputs some are the same on purpose: segments, positions."""
        words = [row for row in _inputs(facts) if _feeds_table(facts, row)] if len(_inputs(facts)) == 1 else []
        return np.array([*_direct_inputs(facts).tolist(), *words], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares examples, and elements where there is one example only. A recurrent layer may begin with states of 0.

        Words are numbers that are only equal or not, and a batch may hold one word by chance: they must be the one that they were at first.
        """
        of_words = np.array([not is_float(facts.nodes[row].dtype) for row in rows.tolist()], np.bool_)[:, None]
        first = np.full((len(rows), 1), np.nan, np.float32)
        states = np.array([_is_state(facts, row) for row in rows.tolist()], np.bool_)[:, None]

        def look(block: Block) -> Observation:
            spread, std, rms = block.column("batch_std")[rows], block.column("std")[rows], block.rms()[rows]
            constant = std <= SAME * rms
            holds = ((np.where(np.isnan(spread), np.inf, spread) <= SAME * rms) | constant) & (block.column("elements")[rows] > 1)
            holds &= ~(states & (rms == 0))
            lowest, highest = block.column("min")[rows], block.column("max")[rows]
            first[:] = np.where(np.isnan(first), first_known(lowest), first)
            one_word = (lowest == first) & (highest == first) & (block.column("elements")[rows] > 1)
            holds = np.where(of_words, one_word, holds)
            evidence = {"batch_std": spread, "std": std, "mean": block.column("mean")[rows]}
            return Observation(holds, ~np.isnan(std), evidence, holds & constant & (block.steps == 0) & ~of_words)

        return look

    def severity_at(self, facts: Facts, index: int) -> Severity:
        """One of several inputs may be constant on purpose, as a switch or a condition."""
        return "note" if len(facts.float_inputs) > 1 else self.severity

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What it always is."""
        what = f"All its elements are {number(episode.evidence['mean'])}" if episode.evidence["std"] <= 0 else "All examples of a batch are equal"
        sentence = f"{what} since step {episode.first_step:,}, so the network can learn nothing from it."
        return Words(sentence, "Look at one batch of the data set that `fit` gets:", "print(next(iter(dataset)))")


_FACTORS = frozenset({"Rescaling", "Normalization"})
"""Layers that multiply and add what somebody gave them, or what they saw before the training."""


class UnnormalizedInput(NodeRule):
    """An input on a scale that initial weights are not made for."""

    name, title = "unnormalized_input", "Unnormalized input"
    definition = (
        "A float input that feeds weights without a normalization, or what a `Rescaling` or `Normalization` makes of numbers, has a root mean square"
        " above 10 (or its nonzero elements below 0.001)."
    )
    reference = "UMLAUT input not normalized; LeCun et al. 1998, Efficient BackProp"
    severity, statistic = "warning", "std"
    persistence = Persistence(captures=2, steps=0)

    AT_ONCE = 30.0
    """Root mean square at step 0 that is told at once: no single odd batch, as the first one is like any other."""
    LARGEST = 10.0
    """Root mean square. Standardized data have 1, raw iris 4, raw 0…16 digits 8, 0…255 images 80 and more."""
    SMALLEST = 1e-3
    """Root mean square of the elements that are not 0, so that one-hot and sparse rows pass."""

    def select(self, facts: Facts) -> Rows:
        """Float inputs that go straight into weights, and factors on the way from an input, or a table of words, to the first weights."""
        factors = facts.select(lambda node: node.kind == "layer" and node.class_name in _FACTORS and is_float(node.dtype))
        first = np.array([row for row in factors.tolist() if not facts.upstream[row] & facts.kernel_layers], np.int64)
        return np.sort(np.concatenate([_direct_inputs(facts), _multiplied(facts, first)]))

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares the scale with what weights are made for."""

        def look(block: Block) -> Observation:
            rms, zero = block.rms()[rows], block.column("zero_fraction")[rows]
            nonzero = rms / np.sqrt(np.maximum(1 - np.nan_to_num(zero), 1e-9))
            holds = (rms > self.LARGEST) | (nonzero < self.SMALLEST) & (rms > 0)
            holds &= block.untrained[rows][:, None] & ~((block.column("max")[rows] <= 0) & (block.column("min")[rows] < MASKED))
            evidence = {
                "root_mean_square": rms,
                "min": block.column("min")[rows],
                "max": block.column("max")[rows],
                "mean": block.column("mean")[rows],
            }
            return Observation(holds, ~np.isnan(rms), evidence, holds & (rms > self.AT_ONCE) & (block.steps == 0))

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Its range."""
        seen, layer = episode.evidence, facts.nodes[index].class_name if facts.nodes[index].kind == "layer" else ""
        return Words(
            f"It goes from {number(seen['min'])} to {number(seen['max'])} (root mean square"
            f" {number(seen['root_mean_square'])}). Initial weights and usual"
            " learning rates are made for inputs near 1.",
            f"Check the factor{location(facts, index)}: are its inputs scaled already?"
            if layer == "Rescaling"
            else f"Let it see the training data as they are fed{location(facts, index)}:"
            if layer
            else "Put a normalization in front, and let it see the training data:",
            "" if layer == "Rescaling" else "normalization = keras.layers.Normalization(); normalization.adapt(x_train)",
        )


def _direct_inputs(facts: Facts) -> Rows:
    """Float inputs of the network that go straight into weights."""
    return _multiplied(facts, facts.float_inputs)


def _multiplied(facts: Facts, rows: Rows) -> Rows:
    """Those of some nodes that go straight into weights. Of what a layer of a user gets (states, masks, distances, times) that is what the weights
    have rows for."""
    kernels = set(facts.kernels.tolist())

    def is_multiplied(index: int, node: int) -> bool:
        if facts.nodes[node].class_name in WEIGHTED:
            return True
        own = [kernel for kernel in facts.owned.get(node, ()) if kernel in kernels]
        return bool(own) and (len(facts.inputs[node]) == 1 or any(facts.takes_in(kernel, index) for kernel in own))

    def feeds_weights(index: int) -> bool:
        return any(is_multiplied(index, node) for node in facts.next_effective(index))

    return np.array([row for row in rows.tolist() if feeds_weights(row)], np.int64)


def _inputs(facts: Facts) -> list[int]:
    """What is fed to the network."""
    return [index for index, node in enumerate(facts.nodes) if node.kind == "input" and not node.inputs]


def _feeds_table(facts: Facts, index: int) -> bool:
    following = {facts.nodes[node].class_name for node in facts.next_effective(index)}
    return not is_float(facts.nodes[index].dtype) and "Embedding" in following


def _is_state(facts: Facts, index: int) -> bool:
    """Whether an input is what a recurrent layer begins with: it has fewer axes than the sequence that the layer reads."""
    recurrent = [node for node in facts.next_effective(index) if facts.nodes[node].class_name in RECURRENT | {"Bidirectional"}]
    axes = len(facts.nodes[index].shape or ())
    return any(axes < len(facts.nodes[source].shape or ()) for node in recurrent for source in facts.inputs[node])
