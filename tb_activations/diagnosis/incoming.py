"""Rules about what comes in: inputs that say nothing, and inputs on a scale that initial weights aren't made for.

The one invariant: only what goes straight into weights, or through factors that somebody gave, is judged; a normalization takes any scale away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import MASKED, Block, first_known
from tb_activations.diagnosis.collapse import SAME
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Severity
from tb_activations.diagnosis.kinds import RECURRENT, WEIGHTED, is_float, is_of_users
from tb_activations.diagnosis.padded_words import PaddedWords, rows_of_table
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number

__all__ = ["ConstantInput", "UnnormalizedInput"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Observe = Callable[[Block], Observation]


class ConstantInput(NodeRule):
    """An input that says nothing."""

    name, title = "constant_input", "Constant input"
    definition = (
        "A float input that feeds weights is the same for all examples of every batch; or the only input is integers for a table, and all of them are"
        " one number, or 0, as paddings are, and one other number, where the table has rows for more and after 100 steps the loss is above 70 % of"
        " the first one."
    )
    reference = "SageMaker Debugger AllZero, TensorVariance"
    severity, statistic = "error", "batch_std"
    persistence = Persistence(captures=2)

    def select(self, facts: Facts) -> Rows:
        """Float inputs that go straight into weights, and words. Of several inputs some are the same on purpose: segments, positions.

        Of a sparse or ragged one only the numbers that it stores are known, which may all be 1: where they stand tells the rest.
        """
        words = [row for row in _inputs(facts) if _feeds_table(facts, row)] if len(_inputs(facts)) == 1 else []
        dense = [row for row in (*_direct_inputs(facts).tolist(), *words) if "layout" not in facts.nodes[row].attributes]
        return np.array(dense, np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares examples, and elements where there is one example only. A recurrent layer may begin with states of 0.

        Words are numbers that are only equal or not, and a batch may hold one word by chance: they must be the one that they were at first. Where
        several inputs are the same at step 0, the first batch may be drawn from a memory that holds a single example as yet.
        """
        of_words = np.array([not is_float(facts.nodes[row].dtype) for row in rows.tolist()], np.bool_)[:, None]
        first = np.full((len(rows), 1), np.nan, np.float32)
        states = np.array([_is_state(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        padded_words = PaddedWords(facts, rows)

        def look(block: Block) -> Observation:
            spread, std, rms = block.column("batch_std")[rows], block.column("std")[rows], block.rms()[rows]
            constant = std <= SAME * rms
            holds = ((np.where(np.isnan(spread), np.inf, spread) <= SAME * rms) | constant) & (block.column("elements")[rows] > 1)
            holds &= ~(states & (rms == 0))
            lowest, highest = block.column("min")[rows], block.column("max")[rows]
            first[:] = np.where(np.isnan(first), first_known(highest), first)
            padded = padded_words.are_one(block)
            one_word = ((lowest == first) | padded) & (highest == first) & (block.column("elements")[rows] > 1)
            holds = np.where(of_words, one_word, holds)
            evidence = {"batch_std": spread, "std": std, "mean": block.column("mean")[rows], "beside_paddings": np.where(padded, highest, np.nan)}
            differ = (block.column("batch_std") > SAME * block.rms())[facts.float_inputs].any(0)
            at_once = constant & (block.steps == 0) & ~of_words & (differ | (len(facts.float_inputs) == 1))
            return Observation(holds, ~np.isnan(std), evidence, holds & at_once)

        return look

    def severity_at(self, facts: Facts, index: int) -> Severity:
        """One of several inputs may be constant on purpose, as a switch or a condition."""
        return "note" if len(facts.float_inputs) > 1 else self.severity

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What it always is."""
        if episode.evidence["beside_paddings"] > 0:
            return Words(
                f"All its elements are {number(episode.evidence['beside_paddings'])} or 0 since step {episode.first_step:,}: what isn't padding is"
                f" one and the same word, so nothing but the length can be learned. The table has {rows_of_table(facts, index):,} rows.",
                "Look at what the vocabulary makes of one example; if all is unknown to it, is the text prepared as it was when it was made (case,"
                " signs, language)?",
                "print(next(iter(dataset)))",
            )
        what = f"All its elements are {number(episode.evidence['mean'])}" if episode.evidence["std"] <= 0 else "All examples of a batch are equal"
        sentence = f"{what} since step {episode.first_step:,}, so the network can learn nothing from it."
        return Words(sentence, "Look at one batch of the data set that `fit` gets:", "print(next(iter(dataset)))")


_BY_BATCH = "BatchNormalization"
_FACTORS = frozenset({"Rescaling", "Normalization"})
"""Layers that multiply and add what somebody gave them, or what they saw before the training."""

_OF_A_RANGE = frozenset(
    [
        "RandomBrightness",
        "RandomContrast",
        "RandomColorJitter",
        "RandomColorDegeneration",
        "RandomHue",
        "RandomSaturation",
        "RandomPosterization",
        "AutoContrast",
        "Equalization",
        "Solarization",
        "RandAugment",
        "AugMix",
    ]
)
"""Layers that change the numbers of pixels, and take them for 0 to 255 unless they are told."""


class UnnormalizedInput(NodeRule):
    """An input on a scale that initial weights are not made for."""

    name, title = "unnormalized_input", "Unnormalized input"
    definition = (
        "An input that feeds weights without a normalization before or right after them, or what a `Rescaling`, `Normalization`, change of"
        " pixels or layer of a user makes of numbers, has a root mean square above 10 (or its nonzero elements below 0.001, or none of them is above"
        " 1/255); or examples of an input differ by less than a 255th of its root mean square, around one mean; or what a"
        " batch normalization in front of the first weights makes of it is above 10, as it uses moving statistics that nobody has trained."
    )
    reference = "UMLAUT input not normalized; LeCun et al. 1998, Efficient BackProp"
    severity, statistic = "warning", "std"
    persistence = Persistence(captures=2, steps=0, patience=25)
    """Data near a limit are on both sides of it, batch by batch, and stay as they are."""

    AT_ONCE = 30.0
    """Root mean square at step 0 that is told at once: no single odd batch, as the first one is like any other."""
    LARGEST = 10.0
    """Root mean square. Standardized data have 1, raw iris 4, raw 0…16 digits 8, 0…255 images 80 and more."""
    SMALLEST = 1e-3
    """Root mean square of the elements that are not 0, so that one-hot and sparse rows pass."""
    STEPS = 255.0
    """Steps of a byte. Examples that differ by less than one of their size were moved by an offset that is none of theirs, or scaled twice before."""
    DRAWN = 2.0
    """How far apart the means of two captures may be, in units of what examples of a batch differ by, where batches are drawn from all data: less
    than 1 on average, for batches of two. In those of data in order, neighbours are alike, and the next ones are elsewhere."""
    TWICE = 1.001 / STEPS
    """The largest element, in size, of bytes that are divided by 255 twice: in the program and by a layer of the model. Rounding adds to it."""

    def select(self, facts: Facts) -> Rows:
        """Inputs that go straight into weights, and factors on the way from an input, or a table of words, to the first weights."""
        factors = facts.select(lambda node: node.kind == "layer" and node.class_name in _FACTORS | _OF_A_RANGE and is_float(node.dtype))
        first = [row for row in [*factors.tolist(), *_weightless(facts)] if not (facts.upstream[row] | 1 << row) & facts.kernel_layers]
        by_batch = {node for row in facts.float_inputs.tolist() for node in facts.next_effective(row) if facts.nodes[node].class_name == _BY_BATCH}
        return np.sort(np.concatenate([_direct_inputs(facts), _multiplied(facts, np.array(sorted(by_batch.union(first)), np.int64))]))

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares the scale with what weights are made for."""
        taken_away = [_normalizations_of_products(facts, row) for row in rows.tolist()]
        is_own = np.isin(rows, _weightless(facts))[:, None]
        first = np.full((len(rows), 1), np.nan, np.float32)
        offsets = _Offsets(self.DRAWN, rows)
        is_given = np.array([facts.nodes[row].kind == "input" and not own for row, own in zip(rows.tolist(), taken_away, strict=True)])[:, None]
        is_by_batch = np.array([facts.nodes[row].class_name == _BY_BATCH for row in rows.tolist()], np.bool_)[:, None]

        def look(block: Block) -> Observation:
            sizes = block.rms()
            rms, zero = sizes[rows], block.column("zero_fraction")[rows]
            nonzero = rms / np.sqrt(np.maximum(1 - np.nan_to_num(zero), 1e-9))
            harmless = np.array([(sizes[after] <= self.LARGEST).all(0) & (len(after) > 0) for after in taken_away], np.bool_).reshape(rms.shape)
            largest = np.maximum(block.column("max")[rows], -block.column("min")[rows])
            spread = block.column("batch_std")[rows]
            offset = is_given & (spread * self.STEPS < rms) & (spread > SAME * rms) & offsets.feed(block)
            first[:] = np.where(np.isnan(first), first_known(rms), first)
            large = (rms > self.LARGEST) & (~is_own | (first > self.LARGEST)) & ~harmless  # a table learns to make larger ones
            small = ((nonzero < self.SMALLEST) | (largest <= self.TWICE)) & (rms > 0) & ~is_by_batch & ~is_own
            holds = large | small | offset
            holds &= block.untrained[rows][:, None] & ~((block.column("max")[rows] <= 0) & (block.column("min")[rows] < MASKED))
            evidence = {
                "root_mean_square": rms,
                "min": block.column("min")[rows],
                "max": block.column("max")[rows],
                "mean": block.column("mean")[rows],
                "batch_std": np.where(offset, spread, np.nan),
            }
            return Observation(holds, ~np.isnan(rms), evidence, holds & (rms > self.AT_ONCE) & (block.steps == 0))

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Its range."""
        seen, layer = episode.evidence, facts.nodes[index].class_name if facts.nodes[index].kind == "layer" else ""
        if layer == _BY_BATCH:
            return Words(
                f"It normalizes nothing: what it gives goes from {number(seen['min'])} to {number(seen['max'])} (root mean square"
                f" {number(seen['root_mean_square'])}). By the numbers of the batch it would be near 1, so it uses its moving ones, which begin at 0"
                " and 1 and which nothing has trained.",
                f"Call it with the `training` that the model is called with, and not with False{location(facts, index)}:",
                "x = self.normalization(x, training=training)",
            )
        if not np.isnan(seen["batch_std"]):
            return Words(
                f"Its examples differ by {number(seen['batch_std'])} (standard deviation), around a mean of {number(seen['mean'])} that all have:"
                " what tells them apart is less than a 255th of what goes into the weights.",
                "Subtract the mean, and divide by the standard deviation. If that is done: is it done twice?",
                "normalization = keras.layers.Normalization(); normalization.adapt(x_train)",
            )
        if layer and is_of_users(layer) and layer not in _FACTORS | _OF_A_RANGE:
            return Words(
                f"It makes numbers from {number(seen['min'])} to {number(seen['max'])} (root mean square {number(seen['root_mean_square'])}), and"
                " weights read them. Initial weights and usual learning rates are made for inputs near 1.",
                f"Look at what it multiplies by, adds or draws{location(facts, index)}; or put a normalization behind it:",
                "keras.layers.LayerNormalization()",
            )
        return Words(
            f"It goes from {number(seen['min'])} to {number(seen['max'])} (root mean square"
            f" {number(seen['root_mean_square'])}). Initial weights and usual"
            " learning rates are made for inputs near 1.",
            f"Check the factor{location(facts, index)}: are its inputs scaled already?"
            if layer == "Rescaling"
            else f"Tell it the range of the pixels that it gets{location(facts, index)}, and scale those to a range near 1:"
            if layer in _OF_A_RANGE
            else f"Let it see the training data as they are fed{location(facts, index)}:"
            if layer
            else "Put a normalization in front, and let it see the training data (an `Embedding`, if these are numbers of words or kinds):"
            if index in facts.multiplied_inputs
            else "Put a normalization in front, and let it see the training data:",
            ""
            if layer == "Rescaling"
            else f"keras.layers.{layer}(..., value_range=(0, 1))"
            if layer in _OF_A_RANGE
            else "normalization = keras.layers.Normalization(); normalization.adapt(x_train)",
        )


class _Offsets:
    """Whether all captures so far have one mean, within what examples of a batch differ by: an offset that all data have."""

    def __init__(self, apart: float, rows: Rows) -> None:
        self._apart, self._rows = apart, rows
        self._mean = np.full((len(rows), 1), np.nan, np.float32)
        self._moved: Bools = np.zeros((len(rows), 1), np.bool_)

    def feed(self, block: Block) -> Bools:
        """Takes in the next captures, [rows, c]; of a single one it is so."""
        means = np.concatenate([self._mean, block.column("mean")[self._rows]], axis=1)
        moved = np.abs(np.diff(means, axis=1)) > self._apart * block.column("batch_std")[self._rows]
        moved = np.logical_or.accumulate(np.concatenate([self._moved, moved], axis=1), axis=1)[:, 1:]
        self._mean, self._moved = means[:, -1:], moved[:, -1:]
        return ~moved


def _weightless(facts: Facts) -> list[int]:
    """Layers of a user without weights, which may add, multiply or draw anything."""
    rows = facts.select(lambda node: node.kind == "layer" and is_of_users(node.class_name) and is_float(node.dtype))
    return [row for row in rows.tolist() if row not in facts.owned and facts.nodes[row].class_name not in _FACTORS | _OF_A_RANGE]


def _direct_inputs(facts: Facts) -> Rows:
    """Inputs of the network that go straight into weights."""
    return np.concatenate([_multiplied(facts, facts.float_inputs), facts.multiplied_inputs])


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


_OF_PICTURES = frozenset({"Conv2D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D"})
"""Layers that read numbers of one unit. Columns of a table and sensors of a series have scales of their own, which one for all doesn't take away."""


def _normalizations_of_products(facts: Facts, index: int) -> list[int]:
    """The batch normalizations right after all convolutions that a picture goes into; none where one of these has none, or it goes elsewhere, too.

    There the loss is the same function of the weights whatever the scale is: so are its gradients, and the training. An offset that all numbers have
    is subtracted with the mean. Other normalizations keep the offset, and what is smaller than their constant keeps its scale.
    """
    products = facts.next_effective(index)
    after = [facts.next_effective(product) for product in products]
    are_linear = all(facts.nodes[product].class_name in _OF_PICTURES and facts.nodes[product].activation is None for product in products)
    found = [node for nodes in after for node in nodes]
    are_normalized = all(after) and all(facts.nodes[node].class_name == "BatchNormalization" for node in found)
    return found if are_linear and are_normalized else []


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
