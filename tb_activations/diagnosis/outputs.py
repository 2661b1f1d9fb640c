"""Whether what the network gives out is what the loss takes it for.

The one invariant: what the loss does with its input is read from the graph of the step (see `capture.loss_inputs`), never from the name of a loss;
that numbers are no probabilities is seen in their ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats, adds_up
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Severity
from tb_activations.diagnosis.kinds import ends_in_relu
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number

__all__ = ["OutputMismatch", "alone", "taken_for"]

Rows = npt.NDArray[np.int64]

SQUASHED = {"softmax": "Softmax", "sigmoid": "Sigmoid"}
"""Functions that make probabilities of logits, and the operations that do."""

_BY_SHAPE = ("crossed", "single", "signs")
"""What is wrong whatever the numbers are."""


class OutputMismatch(NodeRule):
    """An output that isn't what the loss takes it for."""

    name, title = "output_mismatch", "Output doesn't fit the loss"
    definition = (
        "A loss of probabilities (it clips them to lie between 0 and 1) is given numbers beyond, or those of a ReLU, or shares that add up to 1 over"
        " the examples of a batch, or over positions, and not over the classes; or a loss of logits (`from_logits=True`) is given what a softmax or"
        " sigmoid made of them, or one of yes or no what a ReLU made. Or a loss subtracts (or multiplies) targets of shape [n] and outputs of shape"
        " [n, 1], or the other way round: each example is compared with all others. Or it takes shares of a whole over a single class: that is all"
        " of it; or the direction of a single number: that is its sign."
    )
    reference = "UMLAUT: missing softmax before the loss, several activations at the end"
    severity, statistic = "error", "min"
    persistence = Persistence(captures=2, steps=0)

    BEYOND = 0.01
    """How far below 0 or above 1 a number is no rounded probability."""
    EMPTY = 0.05
    """Share of the outputs of a ReLU that are exactly 0, and clipped, from which on it is no rounding."""

    def select(self, facts: Facts) -> Rows:
        """What goes as it is into a loss that is one of probabilities, or one of logits; and what the network gives out for each example, as Keras
        computes the loss from the scores before a softmax where it finds them."""
        return np.array(
            sorted(
                {
                    *taken_for(facts, "probabilities", "shares", "logits", *_BY_SHAPE),
                    *_squashed(facts),
                    *_given_out(facts),
                    *_beside_the_loss(facts),
                }
            ),
            np.int64,
        )

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Looks at the ends, and at means. Of shares of a whole only the lower end counts; what a softmax made is one at every capture.

        The softmax of a layer of a user has no name, but what it makes of K scores has a mean of exactly 1/K, whatever comes in.
        """
        squashed = np.isin(rows, _squashed(facts))[:, None]
        bounded = np.isin(rows, taken_for(facts, "probabilities"))[:, None]
        for_loss = np.isin(rows, taken_for(facts, "probabilities", "shares"))[:, None]
        for_logits = np.isin(rows, taken_for(facts, "logits"))[:, None]
        by_shape = np.isin(rows, taken_for(facts, *_BY_SHAPE))[:, None]
        of_relu = np.array([ends_in_relu(facts.nodes[row]) for row in rows.tolist()], np.bool_)[:, None]
        one_sided = of_relu & np.isin(rows, _answered_with_yes_or_no(facts))[:, None]
        extents = [[extent or 1 for extent in (facts.nodes[row].shape or (1,))[1:]] or [1] for row in rows.tolist()]
        classes = np.array([own[-1] for own in extents], float)[:, None]
        numbers = np.array([math.prod(own) for own in extents], float)[:, None]
        positions = _positions(facts, rows, extents)

        def look(block: Block) -> Observation:
            low, high, mean = (block.column(name)[rows] for name in ("min", "max", "mean"))
            examples = block.column("elements")[rows] / numbers
            within = (low >= 0) & (high <= 1) & (high > low)
            of_classes = within & (classes > 1) & adds_up(mean, classes)
            of_examples = within & (examples > 1) & adds_up(mean, examples) & ~of_classes
            beyond = for_loss & (low < -self.BEYOND) | bounded & (high > 1 + self.BEYOND)
            zeros = of_relu & (block.column("zero_fraction")[rows] > self.EMPTY)
            beyond |= for_loss & zeros
            added = np.where(adds_up(mean[..., None], positions[:, None]), positions[:, None], np.nan)
            over = np.where(within & ~of_classes & ~of_examples, np.fmax.reduce(added, axis=-1), np.nan)
            of_logits = squashed | of_classes | one_sided & zeros
            holds = np.where(for_logits, of_logits, beyond | of_examples | ~np.isnan(over)) | by_shape
            evidence = {"min": low, "max": high, "examples": np.where(of_examples, examples, np.nan), "positions": over}
            return Observation(holds & ~np.isnan(low), ~np.isnan(low), evidence)

        return look

    def severity_at(self, facts: Facts, index: int) -> Severity:
        """Two functions one after the other slow learning down and bound the loss; what is clipped, or what a ReLU made 0, gets no gradient at all,
        and a single class none that is worth it."""
        slowed = index in taken_for(facts, "logits") and index not in taken_for(facts, "single") and not ends_in_relu(facts.nodes[index])
        return "warning" if slowed else self.severity

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Which of the two to change."""
        if index in taken_for(facts, "crossed"):
            return _CROSSED
        if index in taken_for(facts, "single"):
            return Words(
                "It has one unit, and the loss is one of several classes: it divides by the sum over the classes, and of a single one that is 1"
                " whatever comes out. So the loss doesn't say how wrong it is.",
                f"Take a binary loss for one unit that ends in a sigmoid, or one unit per class{location(facts, index)}:",
                'model.compile(optimizer, "binary_crossentropy")',
            )
        if index in taken_for(facts, "signs"):
            return _SIGNS
        if index in _answered_with_yes_or_no(facts) and ends_in_relu(facts.nodes[index]):
            return Words(
                "It ends in a ReLU, and the loss takes its outputs for logits, of which those below 0 say no: none is, so the answer is never below"
                " one half, and what is 0 gets no gradient.",
                f"End without the ReLU{location(facts, index)}:",
                "keras.layers.Dense(1)",
            )
        if index in taken_for(facts, "logits"):
            return _words_of_logits(facts, index)
        if not np.isnan(episode.evidence["examples"]):
            return Words(
                f"Its outputs add up to 1 over the {episode.evidence['examples']:.0f} examples of a batch, and not over the classes of each: what one"
                " example is given depends on the others.",
                f"Take the softmax over the last axis{location(facts, index)}:",
                "keras.ops.softmax(scores, axis=-1)",
            )
        if not np.isnan(episode.evidence["positions"]):
            return Words(
                f"Its outputs add up to 1 over {episode.evidence['positions']:.0f} positions of an example, and not over the classes at each, which"
                " the loss compares with the targets: at one position all classes may be likely, or none.",
                f"Take the softmax over the last axis{location(facts, index)}:",
                "keras.layers.Softmax(axis=-1)",
            )
        return _words_of_probabilities(facts, index, episode)


_CROSSED = Words(
    "Of its outputs and the targets one has the shape [n, 1] and one [n], and the loss computes with both: that makes [n, n] numbers,"
    " each example's with the targets of all others, so nothing better can be learned than to give the mean of the targets for all.",
    "Give both the same shape before they meet:",
    "targets = keras.ops.reshape(targets, keras.ops.shape(outputs))",
)


_SIGNS = Words(
    "The loss divides its outputs by their length, to compare directions, and each is a single number: that over its length is 1 or −1, and its"
    " gradient is 0, whatever comes out.",
    "Compare numbers by their differences; directions are for vectors of two numbers or more:",
    'model.compile(optimizer, "mse")',
)


def _words_of_logits(facts: Facts, index: int) -> Words:
    """Of probabilities that a loss takes for logits."""
    activation = _function(facts, index) or "softmax"
    sentence = (
        f"The loss takes its outputs for logits and applies a {activation} to them, but they are what a {activation} made already, between 0"
        f" and 1. The loss can't come near 0 then, and its gradients stay small."
    )
    if index not in _answers(facts):
        after = "It isn't the last function before the loss, which Keras takes the logits in front of. Leave out one of the two"
        return Words(sentence, f"{after}{location(facts, index)}.")
    return Words(
        sentence,
        f"Leave out the {activation}{location(facts, index)}, or tell the loss that it gets probabilities:",
        "model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=False))",
    )


def _words_of_probabilities(facts: Facts, index: int, episode: Episode) -> Words:
    """Of numbers that are no probabilities, and that a loss takes for some."""
    low, high = number(episode.evidence["min"]), number(episode.evidence["max"])
    loss = "BinaryCrossentropy" if index in taken_for(facts, "yes_or_no") else "SparseCategoricalCrossentropy"
    if ends_in_relu(facts.nodes[index]):
        return Words(
            f"Its outputs are those of a ReLU, from {low} to {high}, and the loss takes them for probabilities: it"
            " clips zeros and what is above 1, and neither gets a gradient.",
            f"End in a softmax (two or more classes) or a sigmoid{location(facts, index)}:",
            'keras.layers.Dense(classes, activation="softmax")',
        )
    before = _changes_what_was_made_by(facts, index)
    if before:
        return Words(
            f"Its outputs go from {low} to {high}, and the loss takes them for probabilities. The {before} before"
            " it made some; what this layer puts beyond 0 and 1 is clipped, and gets no gradient.",
            f"Leave it out{location(facts, index)}, or put it in front of the last weights.",
        )
    return Words(
        f"Its outputs go from {low} to {high}, and the loss takes them for probabilities: it clips them to lie"
        " between 0 and 1, and what is clipped gets no gradient.",
        f"Tell the loss that it gets logits, or end in a softmax (two or more classes) or a sigmoid{location(facts, index)}:",
        f"model.compile(optimizer, keras.losses.{loss}(from_logits=True))  # or another loss with from_logits=True",
    )


def _positions(facts: Facts, rows: Rows, extents: list[list[int]]) -> Floats:
    """Over how many positions a softmax over other axes than the last one makes shares, [rows, most]; NaN where there is no such axis, or no loss of
    several classes that takes the output, or the scores that it is made of, for one number per class over the last one."""
    shares = {row for row in taken_for(facts, "shares") if facts.nodes[row].activation != "sigmoid"} | set(_beside_the_loss(facts))
    found = [
        [float(count) for count in {*own[:-1], math.prod(own[:-1])} if count not in (1, own[-1])] if row in shares else []
        for row, own in zip(rows.tolist(), extents, strict=True)
    ]
    most = max(map(len, found), default=0)
    return np.array([[*own, *[np.nan] * (most + 1 - len(own))] for own in found], float).reshape(len(rows), most + 1)


def alone(facts: Facts) -> set[int]:
    """Outputs that alone go into a loss."""
    return {row for loss in facts.losses.tolist() for row in facts.inputs[loss] if facts.inputs[loss] == (row,)}


def taken_for(facts: Facts, *meanings: str) -> list[int]:
    """Nodes that a loss takes for one of ``meanings``. What a model gives that a loss is given, the last layer in it has made."""
    names = {name for loss in facts.losses.tolist() for meaning in meanings for name in facts.nodes[loss].attributes.get(meaning, ())}
    return sorted({facts.made_by(index) for index, name in enumerate(facts.names) if name in names})


def _answered_with_yes_or_no(facts: Facts) -> list[int]:
    """Logits of which each says yes above 0, and no below. Of several classes the largest counts, wherever 0 is."""
    return sorted({*taken_for(facts, "logits")} & {*taken_for(facts, "yes_or_no")})


def _answers(facts: Facts) -> set[int]:
    """What losses are given; of what a model gives, its last layer."""
    return {facts.made_by(row) for loss in facts.losses.tolist() for row in facts.inputs[loss]}


def _given_out(facts: Facts) -> list[int]:
    """What layers after the last weights make of each example: two numbers or more."""
    ends = facts.select(lambda node: node.kind == "layer" and len(node.shape or ()) == 2 and (node.shape or (0,))[-1] not in (None, 0, 1))
    return [row for row in ends.tolist() if facts.is_output(row)]


def _beside_the_loss(facts: Facts) -> list[int]:
    """What a softmax makes of the scores that a loss takes for logits, as the network's answer: Keras computes a loss from these where it can."""
    logits = set(taken_for(facts, "logits"))
    ends = facts.select(lambda node: node.kind == "layer" and node.activation == "softmax")
    return [row for row in ends.tolist() if facts.is_output(row) and logits.intersection(facts.inputs[row])]


def _squashed(facts: Facts) -> list[int]:
    return [index for index in taken_for(facts, "logits") if _function(facts, index)]


def _changes_what_was_made_by(facts: Facts, index: int) -> str:
    """The function whose probabilities a layer without a kernel changes, as a dropout or a batch normalization behind it does; "": none."""
    sources = facts.inputs[index]
    return _function(facts, facts.made_by(sources[0])) if len(sources) == 1 and not facts.kernel_layers >> index & 1 else ""


def _function(facts: Facts, index: int) -> str:
    """The function that a node ends in and that makes probabilities; "": none."""
    node = facts.nodes[index]
    return next((name for name, operation in SQUASHED.items() if node.activation == name or node.class_name == operation), "")
