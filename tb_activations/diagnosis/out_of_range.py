"""The rule about targets that the output of a network can't reach, or that its loss isn't made for.

The one invariant: targets aren't recorded, so each thing told of them follows from what a loss is and sends back, whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.absolutes import Absolutes
from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.differences import POSITIVE, ROUNDED, Differences
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.flow import path_of
from tb_activations.diagnosis.judged import Judged
from tb_activations.diagnosis.outputs import alone, taken_for
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number
from tb_activations.diagnosis.wholes import Wholes

__all__ = ["TargetsOutOfRange"]

Rows = npt.NDArray[np.int64]


class TargetsOutOfRange(NodeRule):
    """Targets that are neither yes nor no, nor anything between; or beyond what the output can give, or far from where it begins."""

    name, title = "targets_out_of_range", "Targets out of range"
    definition = (
        "A binary cross entropy, and nothing but that, is negative: with targets between 0 and 1 it can't be, but where it is another loss's, turned"
        " round for what deceives. Or targets that are compared with"
        " shares of a whole add up to more than 1 over the classes. Or a mean error in percent of targets is above 100,000 (times the outputs,"
        " where these are above 1). Or squared differences from what a sigmoid or softmax (tanh) gives are larger on average than from any targets"
        " within its range, or all lie on one side of outputs at the end of it, by what absolute differences send back, and farther off than it is"
        " long, or targets vary more than any within that range do that have their mean, or what a ReLU, softplus or exponential gives"
        " begins nearer to 0 than it lies above some of them. Or a network judges what a sigmoid or tanh gives beside data that lie beyond its"
        " range. Or targets are so far from 0 that an output that begins there has come a tenth of the way to their mean after 100 steps, or less."
    )
    reference = "Cover & Thomas 2006, Elements of Information Theory: a cross entropy is at least the entropy of the targets, which is at least 0"
    severity, statistic = "error", "mean"
    persistence = Persistence(captures=2, steps=10)

    BELOW = 0.01
    """How far below 0 a loss is no rounded 0."""
    PERCENT = 1e5
    """A loss of differences over their targets, in percent, that outputs near those, whatever they are, don't reach: some targets are next to 0. Of
    outputs whose root mean square is above 1 it is as many times that: these may be what is far too large."""

    def select(self, facts: Facts) -> Rows:
        """Losses that compare all they are given with targets between 0 and 1; outputs that alone go into a loss; and what is judged beside data."""
        asked = {loss: facts.nodes[loss].attributes.get("yes_or_no", ()) for loss in facts.losses.tolist()}
        crossed = [loss for loss, names in asked.items() if names and {facts.names[row] for row in facts.inputs[loss]} <= set(names)]
        return np.array(sorted({*crossed, *_relative(facts), *alone(facts), *Judged(facts).rows.tolist()}), np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """Looks at the sign of a loss, at how far an output is from its targets, and at what it is judged beside. The second is known exactly or
        not at all: what no targets within range can do needn't last."""
        is_loss, is_alone, judged = np.isin(rows, facts.losses), np.isin(rows, list(alone(facts))), Judged(facts)
        wholes = Wholes(facts, taken_for(facts, "whole"), alone(facts))
        differences, absolutes = Differences(facts, rows[is_alone]), Absolutes(facts, rows[is_alone])
        relative = np.isin(rows, _relative(facts))[:, None]
        given = [list(facts.inputs[row]) for row in rows.tolist()]
        deceives = np.isin(rows, _turned_round(facts))[:, None]

        def look(block: Block) -> Observation:
            loss = np.where(is_loss[:, None], block.column("mean")[rows], np.nan)
            sizes = block.rms()
            outputs = np.array([np.fmax.reduce(sizes[own], axis=0, initial=1.0) for own in given]).reshape(loss.shape)
            far = relative & (loss > self.PERCENT * outputs)
            holds, known, urgent = (loss < -self.BELOW) & ~relative & ~deceives | far, ~np.isnan(loss), np.zeros(loss.shape, np.bool_)
            seen = differences.look(block)
            holds[is_alone], known[is_alone], urgent[is_alone] = seen.holds, seen.known, seen.holds & np.isnan(seen.evidence["mean"])
            evidence = {"loss": loss, **{name: np.full(loss.shape, np.nan) for name in seen.evidence}}
            for name, values in seen.evidence.items():
                evidence[name][is_alone] = values
            evidence["absolute"] = np.full(loss.shape, np.nan)
            evidence["absolute"][is_alone] = absolutes.distance(block)
            size = judged.size_of_data(block, rows)
            beyond = size > ROUNDED
            whole = wholes.excess(block, rows)
            holds, known = holds | beyond | ~np.isnan(whole), known | ~np.isnan(size) | ~np.isnan(whole)
            holds, known = holds | ~np.isnan(evidence["absolute"]), known | ~np.isnan(evidence["absolute"])
            evidence["whole"] = whole
            evidence["data"] = np.where(beyond & ~urgent, size, np.nan)
            return Observation(holds, known, evidence, urgent)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What it says of the targets."""
        seen = episode.evidence
        if not np.isnan(seen["whole"]):
            return Words(
                f"Over the classes its targets add up to more than 1 (to {number(1 + seen['whole'])} on average, if the loss is a mean), and it gives"
                " shares of a whole: these can't be right at more than one class.",
                f"Where several classes may be true at once, end in a sigmoid{location(facts, index)}, with a loss of yes or no for each. If targets"
                " are multiplied by weights or returns, give these as `sample_weight`:",
                'model.compile(optimizer, "binary_crossentropy")',
            )
        if seen["loss"] > 0:
            return _words_of_percent(episode)
        if not np.isnan(seen["loss"]):
            return _words_of_yes_or_no(episode)
        if not np.isnan(seen["mean"]):
            return _words_of_far(facts, index, episode)
        if not np.isnan(seen["below"]):
            return _words_of_below(facts, index, episode)
        if not np.isnan(seen["data"]):
            return _words_of_judged(facts, index, episode)
        activation = facts.nodes[index].activation or ""
        is_far = seen["distance"] > ROUNDED * seen["farthest"]
        where = f"lie {number(seen['distance'])} from it on average (root mean square)" if is_far else "vary more than any within its range do"
        if not np.isnan(seen["absolute"]):
            where = f"all lie on one side of it, {number(seen['absolute'])} away on average,"
        return Words(
            f"Its targets {where} since step {episode.first_step:,}, and it ends in a {activation}, between"
            f" {'−1' if activation == 'tanh' else '0'} and 1: no weights can bring it there.",
            f"End without the {activation}{location(facts, index)}, or scale the targets to its range:",
            "keras.layers.Dense(units)",
        )


def _turned_round(facts: Facts) -> list[int]:
    """Losses of what a judge says of what is made, where another one is of what it says of that and of data: the one who makes it may have that part
    of the judge's loss with its sign turned round, as in the game of the first adversarial networks."""
    read = {loss: [path_of(facts.nodes[row]) for row in facts.inputs[loss]] for loss in facts.losses.tolist()}
    return [loss for loss, own in read.items() if any(set(own) == set(other) and len(own) < len(other) for other in read.values())]


def _words_of_yes_or_no(episode: Episode) -> Words:
    """A binary cross entropy below 0."""
    return Words(
        f"This binary cross entropy is {number(episode.evidence['loss'])} since step {episode.first_step:,}. With targets between 0 and 1 it is"
        " never negative: some are beyond, or its sign is turned round, and the loss falls without an end.",
        "Make the targets 0 and 1 (or something between; pixels: divide by 255), and weights of examples positive; for numbers of any size"
        " take a loss of differences. If targets are so, leave out the minus in front of the loss:",
        "y_train = (y_train > 0).astype('float32')",
    )


def _words_of_percent(episode: Episode) -> Words:
    """An error in percent of next to nothing."""
    return Words(
        f"This mean error in percent of the targets is {number(episode.evidence['loss'])} since step {episode.first_step:,}: some targets are 0, or"
        " next to it, and what is divided by them outweighs all other examples.",
        "Take a loss of differences; for numbers of all sizes above 0, one of their logarithms:",
        'model.compile(optimizer, "mae")  # or "msle"',
    )


def _words_of_far(facts: Facts, index: int, episode: Episode) -> Words:
    """Targets far from where outputs begin."""
    return Words(
        f"The mean of its targets is {number(episode.evidence['mean'])}, its own began near 0 and is {number(episode.evidence['output'])} now: less"
        " than a tenth of the way, on which nothing but that is learned.",
        f"Scale the targets to mean 0 and standard deviation 1, and its outputs back{location(facts, index)}:",
        "y_train = (y_train - y_train.mean(0)) / y_train.std(0)",
    )


def _words_of_below(facts: Facts, index: int, episode: Episode) -> Words:
    """Targets below what a ReLU gives, or another function that gives nothing below 0."""
    activation = facts.nodes[index].activation or ""
    name, learns = POSITIVE.get(activation, "a ReLU"), "" if activation in POSITIVE else ", and what is 0 learns nothing from them"
    return Words(
        f"Some of its targets lie below {number(episode.evidence['below'])}, and it ends in {name}, which gives nothing below 0: no weights can bring"
        f" it there{learns}.",
        f"End without the {name.split()[1]}{location(facts, index)}:",
        "keras.layers.Dense(units)",
    )


def _words_of_judged(facts: Facts, index: int, episode: Episode) -> Words:
    """Data that a sigmoid or tanh can't give."""
    sigmoid = facts.nodes[index].activation == "sigmoid"
    return Words(
        f"It ends in a {facts.nodes[index].activation}, between {'0' if sigmoid else '−1'} and 1, and what judges it also reads data with a root mean"
        f" square of {number(episode.evidence['data'])}, which are beyond: no weights can make the one like the other.",
        f"Scale the data to its range, or end without the {facts.nodes[index].activation}{location(facts, index)}:",
        "x = (x - x.min()) / (x.max() - x.min())" + ("" if sigmoid else " * 2 - 1"),
    )


def _relative(facts: Facts) -> list[int]:
    """Losses of differences over their targets, and of nothing else."""
    asked = {loss: facts.nodes[loss].attributes.get("relative", ()) for loss in facts.losses.tolist()}
    return [loss for loss, names in asked.items() if names and {facts.names[row] for row in facts.inputs[loss]} <= set(names)]
