"""Whether the network still tells one example from another.

The one invariant: a tensor that is the same for all examples is no trouble by itself (position tables, masks and constants are); it is when the
output of the network is the same for all examples while its inputs differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import MASKED, Block, first_known
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.flow import path_of
from tb_activations.diagnosis.kinds import RECURRENT
from tb_activations.diagnosis.outputs import taken_for
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent
from tb_activations.diagnosis.spoiled import Spoiled
from tb_activations.store.nodes import Node

__all__ = ["FLAT_END", "NOISE", "SAME", "CollapsedOutput"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Observe = Callable[[Block], Observation]

SAME = 1e-4
"""Standard deviation over examples, over the root mean square. Healthy networks stay above 1/1,000."""

NOISE = 1e-6
"""The same for outputs of which examples differed at first: a bias near the mean of large targets makes all of them alike but for what is learned."""

SHRUNK = 1e-3
"""The same, over what it was at the first capture: representations that are pulled together shrink to a point near 0."""


FLAT_END = 0.03
"""How far from its ends a sigmoid counts as flat (see `docs/format.md`)."""

JOINT = 0.05
"""The same where the loss is given nothing but what one layer makes of several inputs: nothing tells it to be small but that all are alike. Where it
reads directions only, so it is of the square of the deviation over the root mean square: about 1 less the cosine of two examples."""


class CollapsedOutput(NodeRule):
    """A node from which on all examples look the same."""

    name, title = "collapse", "All examples equal"
    definition = (
        "From this node on to the output, all examples of a batch are equal, or differ 1,000 times less than at first (20 times, or point in one"
        " direction, where the loss is given nothing but what one layer makes of several inputs), although the inputs differ; or a normalization"
        " gives its own offset only, as the mean over a single number is that number; or nothing but signs, as its length is its size."
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
        emptied, spoiled = Emptied(facts, rows), Spoiled(facts, rows)
        joint = np.isin(rows, _compared_with_each_other(facts))[:, None]
        shrunk = np.where(joint, JOINT, SHRUNK)
        directed = joint & np.isin(rows, _read_as_directions(facts))[:, None]
        first_share = np.full((len(rows), 1), np.nan, np.float32)

        def look(block: Block) -> Observation:
            std, rms = block.column("batch_std")[rows], _size(block, rows)
            first[:] = np.where(np.isnan(first), first_known(std), first)
            empty = emptied(block) & (np.isnan(std) | emptied.of_one)
            known = ~np.isnan(std) & ~(block.column("nan_count")[rows] > 0) & ~spoiled(block)
            decided = known | emptied.judged & block.recorded()[rows]
            alike = np.where(ends & (first > 0), NOISE, SAME)
            share = (std / rms) ** 2
            first_share[:] = np.where(np.isnan(first_share), first_known(share), first_share)
            same = known & ((std <= alike * rms) | (std <= shrunk * first) | directed & (share <= JOINT * first_share))
            varied = (known & ~same)[inputs].any(0) if inputs else np.ones(same.shape[1], bool)
            if not (same | empty).any():
                return Observation(same, decided, {})
            lasting = _to_the_end(same, known & reaching[:, None], targets) & reaching[:, None]
            fed = np.stack([(known & ~same)[items].any(0) & ~same[items].all(0) if items else np.zeros(same.shape[1], bool) for items in sources])
            # What numbers give over themselves says nothing, however much it differs.
            evidence = {"batch_std": np.where(empty & emptied.of_one, np.nan, std), "root_mean_square": rms}
            evidence["first_batch_std"] = np.broadcast_to(first, std.shape)
            evidence["share"], evidence["first_share"] = share, np.broadcast_to(first_share, std.shape)
            evidence["loss_fell"] = np.broadcast_to(block.progress.astype(float), std.shape)
            return Observation(lasting & fed & varied | empty, decided, evidence)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Where the differences end."""
        seen = episode.evidence
        if _is_softmax_of_one(facts.nodes[index], episode):
            return Words(
                f"It gives 1 for every example since step {episode.first_step:,}: a softmax divides by the sum over its units, and here is only one.",
                f"End in a sigmoid{location(facts, index)}, or in one unit per class:",
                'keras.layers.Dense(1, activation="sigmoid")',
            )
        if facts.nodes[index].class_name == _BY_LENGTH:
            return Words(
                f"It gives nothing but 1 and −1 since step {episode.first_step:,}: it divides by the length over the last axis, which has one entry,"
                " so each number is divided by its own size, and its gradient is 0.",
                "Give it several features, as a layer in front of it makes them, or leave it out:",
                "keras.layers.Dense(32)",
            )
        if _normalizes_one_number(facts.nodes[index]):
            return Words(
                f"It gives nothing but its own offset since step {episode.first_step:,}, whatever comes in: it normalizes over the last axis, which"
                " has one entry, so each number is its own mean, and the difference is 0.",
                "Give it several features, as a layer in front of it makes them, or leave it out:",
                "keras.layers.Dense(32)",
            )
        if np.isnan(seen["batch_std"]):
            return Words(
                f"It gives nothing but its own offset since step {episode.first_step:,}, whatever comes in: a batch is one example, so each number is"
                " its own mean, and the difference is 0.",
                "Take larger batches, or normalize over the features of an example:",
                "keras.layers.LayerNormalization()",
            )
        if seen["batch_std"] > SAME * seen["root_mean_square"]:
            return _words_of_likeness(episode)
        if facts.nodes[index].activation == "sigmoid" and not FLAT_END <= seen["root_mean_square"] <= 1 - FLAT_END:
            return Words(
                f"It gives {number(seen['root_mean_square'])} for every example since step {episode.first_step:,}, the end of its sigmoid, where"
                " almost no gradient passes.",
                "What comes in is too large: lower the learning rate, or normalize it. A judge of what another network makes has won: slow it down.",
                "keras.optimizers.Adam(1e-4, beta_1=0.5)",
            )
        return _words_of_one_output(facts, index, episode)


_PUSH_APART = (
    "The loss is lowest when all examples are alike. Add what pushes them apart: negative pairs, a stopped gradient with a predictor, or a penalty on"
    " small variance."
)


def _words_of_likeness(episode: Episode) -> Words:
    """Of examples that differ still, but less and less: because the loss wants it, or because of what steps did."""
    seen = episode.evidence
    if seen["batch_std"] > JOINT * seen["first_batch_std"]:
        return Words(
            f"Examples of a batch point in nearly the same direction here since step {episode.first_step:,}: their standard deviation is"
            f" {percent(np.sqrt(seen['share']))} of their size, at first it was {percent(np.sqrt(seen['first_share']))}, while the inputs differ as"
            " before.",
            _PUSH_APART,
        )
    sentence = (
        f"Examples of a batch hardly differ here since step {episode.first_step:,}: their standard deviation fell from"
        f" {number(seen['first_batch_std'])} to {number(seen['batch_std'])}, up to the output, while the inputs differ as before."
    )
    if seen["loss_fell"]:
        return Words(
            sentence,
            _PUSH_APART,
        )
    return Words(
        sentence,
        "The loss hasn't fallen meanwhile: steps that are too large, or a penalty, do this. Lower the learning rate, or warm it up:",
        "model.optimizer.learning_rate = model.optimizer.learning_rate / 10",
    )


def _words_of_one_output(facts: Facts, index: int, episode: Episode) -> Words:
    """Of examples that don't differ at all."""
    sentence = (
        f"All examples of a batch give the same output here since step {episode.first_step:,} (standard deviation over examples"
        f" {number(episode.evidence['batch_std'])}), while its input differs. Everything after it, up to the output, is"
        " the same for all examples."
    )
    if _reads_words(facts, index):
        return Words(
            sentence,
            "It gives its last state. Behind enough padding that isn't masked that is the same, whatever came before:",
            "keras.layers.Embedding(words, units, mask_zero=True)  # and 0 in the inputs for padding only",
        )
    if facts.is_output(index) and episode.evidence["loss_fell"] and episode.first_step > 0:
        return Words(
            sentence,
            "The loss has fallen all the same, so one answer for all is what it asks for. Look at the targets (is there more than one?), and at terms"
            " of the loss that such an answer makes small:",
            "print(np.unique(y_train, return_counts=True))",
        )
    return Words(
        sentence,
        "Look at the units and weights of this layer: dead units, zero weights, a normalization over one number or a reduction over the batch"
        " axis make this.",
    )


def _size(block: Block, rows: Rows) -> npt.NDArray[np.floating[Any]]:
    """Root mean square, [rows, c]; where some numbers are masked, the largest of the others instead: beside −1e9 all else looks the same."""
    lowest, highest = block.column("min")[rows], block.column("max")[rows]
    return np.where((lowest < MASKED) & (np.abs(highest) < SAME * -lowest), np.abs(highest), block.rms()[rows])


def _is_softmax_of_one(node: Node, episode: Episode) -> bool:
    """Whether a node gives 1 as a softmax does of a single unit. In a layer of a user it has no name; but what else is 1 from the start?"""
    always = episode.first_step == 0 and episode.evidence["batch_std"] == 0 and abs(episode.evidence["root_mean_square"] - 1) <= NOISE
    return (node.shape or (0,))[-1] == 1 and (node.activation == "softmax" or (always and not node.activation))


def _reads_words(facts: Facts, index: int) -> bool:
    """Whether a recurrent layer reads a sequence of entries of a table, and gives a state."""
    node, tables = facts.nodes[index], {place for row in facts.tables for place in facts.places(int(row))}
    return node.class_name in RECURRENT and len(node.shape or ()) == 2 and bool(tables.intersection(facts.inputs[index]))


def _compared_with_each_other(facts: Facts) -> list[int]:
    """Calls of one layer that are all the loss is given. Not those that read what other layers are trained to make, as a judge does."""
    given = [row for loss in facts.losses[:1].tolist() for row in facts.inputs[loss]]
    if len(given) < 2 or len({path_of(facts.nodes[row]) for row in given}) > 1:
        return []
    own = path_of(facts.nodes[given[0]])
    inside = union(1 << row for row in facts.flow.tolist() if path_of(facts.nodes[row]) == own or facts.names[row].startswith(own + "/"))
    return given if not any(facts.upstream[row] & facts.kernel_layers & ~inside for row in given) else []


def _read_as_directions(facts: Facts) -> list[int]:
    """What a loss divides by its length, or what a layer has divided by it."""
    given = {row for loss in facts.losses.tolist() for row in facts.inputs[loss]}
    read = set(taken_for(facts, "directions"))
    return [row for row in given if facts.made_by(row) in read or facts.nodes[facts.made_by(row)].class_name == "UnitNormalization"]


_BY_LENGTH = "UnitNormalization"

ROUNDED = 0.01
"""How far from its offset a normalization over one number may be, over its scale: its factor is large, as the variance is 0, and so is what is
rounded."""


class Emptied:
    """Finds normalizations that subtract a number from itself: what comes out is their offset, and nothing else. So do batch normalizations where a
    batch is one example, and layer normalizations where an example is one number. One by its length leaves of it nothing but the sign.

    Attributes:
      judged: bool[rows, 1], which rows can be such ones.
      of_one: bool[rows, 1], which rows are normalizations of one number over features.
    """

    def __init__(self, facts: Facts, rows: Rows) -> None:
        self._found = [(position, row, *_scale_and_offset(facts, row)) for position, row in enumerate(rows.tolist()) if _can_be_emptied(facts, row)]
        self._sources = [facts.inputs[row][0] for _, row, _, _ in self._found]
        self.of_one = np.array([[_normalizes_one_number(facts.nodes[row])] for row in rows.tolist()], np.bool_).reshape(-1, 1)
        self._by_length = [facts.nodes[row].class_name == _BY_LENGTH for row in rows.tolist()]
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
            near = ROUNDED if self.of_one[position] else SAME
            gap = np.where(self._by_length[position], np.abs(_sizes_of_nonzero(block, row) - 1), gap)
            empty[position] = (gap <= near * scaled) & (scaled > 0) & (block.column("std")[source] > SAME * block.rms()[source])
        return empty


def _can_be_emptied(facts: Facts, row: int) -> bool:
    node = facts.nodes[row]
    may_be = node.class_name == "BatchNormalization" or _normalizes_one_number(node)
    return may_be and node.kind == "layer" and bool(facts.inputs[row])


def _normalizes_one_number(node: Node) -> bool:
    """Whether a normalization over features, which goes over the last axis unless it is told otherwise, finds one entry there."""
    return node.class_name in ("LayerNormalization", _BY_LENGTH) and (node.shape or (0,))[-1] == 1


def _sizes_of_nonzero(block: Block, row: int) -> npt.NDArray[np.floating[Any]]:
    """Root mean square of the numbers of a node that aren't 0, [c]: what is divided by its length over many is far below 1 on average."""
    zeros = block.column("zero_fraction")[row]
    size: npt.NDArray[np.floating[Any]] = block.rms()[row] / np.sqrt(np.where(zeros < 1, 1 - zeros, np.nan))
    return size


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
