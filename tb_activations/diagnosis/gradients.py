"""Rules about gradients over the depth of a network, and about weights that get none.

The one invariant: gradients are compared with those of layers nearer to the loss at the same step, never with a fixed number: near convergence all
gradients are small, and a loss summed over a batch makes all of them large.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import members
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.dilution import Dilution
from tb_activations.diagnosis.episodes import AT_ONCE, Episode, Episodes, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding, Severity
from tb_activations.diagnosis.forgetting import Forgetting
from tb_activations.diagnosis.penalty import PassedBack
from tb_activations.diagnosis.rule import NodeRule, Observation, Rule, Watch, Words, location, number
from tb_activations.diagnosis.scales import Targets, blow_up
from tb_activations.diagnosis.shrinking import Shrinking

__all__ = ["ExplodingGradient", "MissingGradient", "VanishingGradient"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


SMALL_OUTPUT = 0.1
"""Root mean square of an output kernel times the square root of its fan-in, below which it is small on purpose. Usual ones have 0.5 and more."""


class _DepthWatch(Watch):
    """Follows kernels whose gradient is out of proportion to those after them, and tells of one per chain: the first of it in execution order."""

    def __init__(self, rule: VanishingGradient | ExplodingGradient, facts: Facts) -> None:
        self._rule, self._facts = rule, facts
        self._kernels = facts.kernels
        self._targets = Targets(facts)
        self._passed_back = None if rule.of_layers else PassedBack(facts)
        self._forgetting = Forgetting(facts) if rule.of_layers else None
        self._dilution = Dilution(facts) if rule.of_layers else None
        self._shrinking = Shrinking(facts) if rule.of_layers else None
        self._episodes = Episodes(len(self._kernels), rule.persistence)

    def update(self, block: Block) -> None:
        """Takes in the next captures."""
        if not len(self._kernels):
            return
        strength = _strength(block, self._facts)
        own = strength if self._rule.of_layers else block.column("l2_norm", "gradient")[self._kernels]
        later = _largest_later(strength, self._facts.later_kernels)
        holds, urgent = self._rule.holds(block, self._facts, own, later, self._targets.size(block))
        evidence = {"gradient_norm": own, "norm_nearer_to_the_loss": later, "ratio": _over(own, later)}
        evidence["norm_of_weights"] = block.column("l2_norm")[self._kernels]
        if self._forgetting is not None:
            forgets = _forgets(block, self._forgetting, own.shape)
            holds, evidence = holds | ~np.isnan(forgets["time_steps"]), evidence | forgets
        if self._dilution is not None:
            factors = self._dilution.factors(block)
            holds, evidence = holds | ~np.isnan(factors), evidence | {"constant_factor": factors}
        if self._shrinking is not None:
            self._shrinking.feed(block)
        if self._passed_back is not None:
            passed_back = self._passed_back.holds(block)
            holds, urgent = holds & passed_back, urgent & passed_back
        self._episodes.update(block.steps, holds, ~np.isnan(own), evidence, urgent)

    def _leaders(self) -> list[Episode]:
        """Of episodes of one chain that overlap the one that was told first; of those told at the same step the first in execution order.

        One that lasts longer than that takes its place.
        """
        leaders: list[Episode] = []
        waiting = [(episode.opened_at, episode.row, number) for number, episode in enumerate(self._episodes.all)]
        heapify(waiting)
        while waiting:
            step, row, number = heappop(waiting)
            episode = self._episodes.all[number]
            before = next((leader for leader in leaders if _lasts(leader, step) and self._related(leader.row, row)), None)
            if before is None:
                leaders.append(episode)
            elif before.closed_at is not None and episode.last_step > before.closed_at:
                heappush(waiting, (before.closed_at, row, number))
        return leaders

    def _related(self, row: int, other: int) -> bool:
        one, two = int(self._kernels[row]), int(self._kernels[other])
        return self._facts.depends(one, two) or self._facts.depends(two, one)

    def findings(self) -> list[Finding]:
        """One finding per chain and episode."""
        return [self._finding(int(self._kernels[episode.row]), episode) for episode in self._leaders()]

    def _finding(self, kernel: int, episode: Episode) -> Finding:
        facts, rule = self._facts, self._rule
        owner = facts.owners[kernel]
        words = rule.words(facts, kernel, episode)
        node = kernel if owner is None or "gradient" not in facts.nodes[owner].quantities else owner
        lost = self._shrinking.behind(kernel) if self._shrinking is not None and _is_of_depth(episode) else None
        if lost is not None:
            words, node = _words_of_scale(facts, node, lost[0], lost[1], episode), lost[0]
        return Finding(
            rule.name, rule.title, facts.names[node], "gradient", "l2_norm", episode.first_step, episode.end, rule.severity,
            {name: value for name, value in episode.evidence.items() if not np.isnan(value)}, *words[:2], code=words.code,
        )  # fmt: skip


class VanishingGradient(Rule):
    """Gradients that die on the way to the first layers."""

    name, title = "vanishing_gradient", "Vanishing gradient"
    definition = (
        "The gradient of a layer's weights is not 0, but less than 1/1,000 of the largest nearer to the loss, and so are those of all kernels and"
        " tables before and beside it, although no small head explains it; or of that of a plain recurrence next to nothing is left at its first time"
        " step, and the loss stays where it was; or a constant factor makes less than a 100,000th of a layer's output before it is added to others."
    )
    reference = "Glorot & Bengio 2010; AutoTrainer (gradient ratio over depth); SageMaker Debugger VanishingGradient"
    severity: Severity = "warning"
    persistence = Persistence(captures=2)

    RATIO = 1e-3
    """L2 norm over L2 norm. Healthy layers stay above 1/100; keys and queries of attention come near it, while the layers before them don't."""
    of_layers: ClassVar[bool] = True
    """Compared are layers, each by the largest gradient of its weights: where small numbers come in, that is the one of the bias."""

    def watch(self, facts: Facts) -> Watch:
        """Follows all kernels."""
        return _DepthWatch(self, facts)

    def holds(self, block: Block, facts: Facts, own: Floats, later: Floats, targets: float) -> tuple[Bools, Bools]:
        """Whether the gradient has vanished, [kernels, c]; it must last to be told."""
        ratio, limit = _over(own, later), self.RATIO * _through_outputs(block, facts)
        vanished = ratio < limit
        if vanished.any():
            alive = (ratio >= limit).astype(np.float32)
            vanished &= (facts.kernels_not_after @ alive) == 0
            vanished &= ~_table_is_alive(block, facts, limit * later)
        return vanished & (own > 0), np.zeros(own.shape, bool)

    def words(self, facts: Facts, kernel: int, episode: Episode) -> Words:
        """How small it is."""
        if episode.evidence["factor_per_time_step"] >= 0:
            factor, count = episode.evidence["factor_per_time_step"], episode.evidence["time_steps"]
            return Words(
                f"From one time step to the one before, the gradient shrinks to {number(factor)} of its size: next to nothing of it arrives at the"
                f" first of {count:.0f}, so these weights can't learn from what came early, and the loss is where it was at first.",
                "Use a layer that keeps what it read, or fewer time steps:",
                "keras.layers.LSTM(units)",
            )
        if episode.evidence["constant_factor"] > 0:
            return Words(
                f"What it gives is added to something else since step {episode.first_step:,}, and a constant has made"
                f" {number(episode.evidence['constant_factor'])} of it before: it counts for nothing there, and the gradient that comes back is as"
                " small.",
                f"Leave the factor out{location(facts, facts.places(kernel)[0])}, or let it be learned from 0:",
                'self.share = self.add_weight(shape=(), initializer="zeros", name="share")  # y = x + self.share * layer(x)',
            )
        return Words(
            f"The L2 norm of the gradient of its weights is {number(episode.evidence['gradient_norm'])}, against"
            f" {number(episode.evidence['norm_nearer_to_the_loss'])} nearer to the loss: these weights hardly learn since step"
            f" {episode.first_step:,}.",
            "Use ReLU-like activations, normalization or residual connections between the layers:",
            'x = x + keras.layers.Dense(units, activation="relu")(keras.layers.LayerNormalization()(x))',
        )


class ExplodingGradient(Rule):
    """Gradients that grow on the way to the first layers or through time."""

    name, title = "exploding_gradient", "Exploding gradient"
    definition = (
        "The gradient of a kernel is larger than the weights and 100 times those nearer to the loss; or that of a recurrent"
        " layer is 30 times what its output"
        " and input explain; or it is 10,000 times the weights (10 times, where the activations explode too)."
    )
    reference = "Pascanu et al. 2013; AutoTrainer (exploding gradient); DeepDiagnosis Exploding Gradient"
    severity: Severity = "error"
    persistence = Persistence(captures=2, steps=0)

    RATIO = 100.0
    """Over the largest gradient nearer to the loss (L2 norms). Healthy networks stay below 10."""
    THROUGH_TIME = 30.0
    """L2 norm over the product of those of the gradient at the output and of the input. Without a recurrence it can't exceed 1. Of a layer of a user
    it may be a product of two matrices, not of as many as time steps: those don't reach it."""
    RELATIVE = 1e4
    """Over the L2 norm of the weights themselves, and of the size of the targets where those are large: gradients are proportional to it."""
    RELATIVE_TO_BLOWN_UP = 10.0
    """The same, where activations are `BLOWN_UP`. Healthy networks stay below 3."""
    BLOWN_UP = 30.0
    """Root mean square of an activation over that of the input."""
    AT_ONCE = 1e6
    """Over the L2 norm of the weights, for which one capture is enough: the next one may be NaN."""
    of_layers: ClassVar[bool] = False

    def watch(self, facts: Facts) -> Watch:
        """Follows all kernels."""
        return _DepthWatch(self, facts)

    def holds(self, block: Block, facts: Facts, own: Floats, later: Floats, targets: float) -> tuple[Bools, Bools]:
        """Whether the gradient explodes, [kernels, c], and where so much that it is told at once."""
        weights = _size_of_weights(block, facts)
        absolute = weights * targets
        large = (own > self.RELATIVE * absolute) | (own > self.RELATIVE_TO_BLOWN_UP * absolute) & (blow_up(block, facts) > self.BLOWN_UP)
        through_time = _through_time(block, facts, own) > self.THROUGH_TIME
        extreme = own > self.AT_ONCE * absolute
        return ((_over(own, later) > self.RATIO) & (own > weights) | through_time | large) & ~block.progress | extreme, extreme

    def words(self, facts: Facts, kernel: int, episode: Episode) -> Words:
        """How large it is: beside those nearer to the loss, where it grew on the way from there, else beside the weights."""
        seen = episode.evidence
        grew, weights = seen["ratio"] > self.RATIO, seen["norm_of_weights"]
        against = f"against {number(seen['norm_nearer_to_the_loss'])} nearer to the loss" if grew else f"that of the weights is {number(weights)}"
        return Words(
            f"The L2 norm of the gradient of its weights is {number(seen['gradient_norm'])}, {against}, since step {episode.first_step:,}.",
            "Clip the gradients, start from smaller (recurrent: orthogonal) weights, or normalize between the layers:",
            "keras.optimizers.Adam(1e-3, global_clipnorm=1.0)",
        )


class MissingGradient(NodeRule):
    """Trainable weights that no gradient reaches."""

    name, title = "missing_gradient", "No gradient"
    definition = (
        "A trainable weight takes part in the step, and no differentiable path leads from it to a loss; of one that no optimizer is given, too, where"
        " what it makes goes into layers that are trained, or is made of what they give and goes into no loss, and nobody has trained it before."
    )
    reference = "Keras warns `Gradients do not exist for variables`; tf.GradientTape returns None"
    severity, quantity, statistic = "error", "gradient", "l2_norm"
    persistence = AT_ONCE

    REASONS = frozenset({"not_on_loss_path", "gradient_stopped", "non_differentiable"})

    def select(self, facts: Facts) -> Rows:
        """Trainable variables whose gradient doesn't exist, or would not."""
        trained = facts.select(lambda node: node.kind == "variable" and node.trainable is not False)
        return np.array([row for row in trained.tolist() if facts.reason(row, "gradient") in self.REASONS or _is_cut_off(facts, row)], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Callable[[Block], Observation]:
        """It is so at each capture at which the variable was there. What was trained before may be frozen without a word."""
        may_be_frozen = np.array([_is_cut_off(facts, row) for row in rows.tolist()], np.bool_)[:, None]

        def look(block: Block) -> Observation:
            present = block.recorded()[rows] & (block.untrained[rows][:, None] | ~may_be_frozen)
            return Observation(present, present)

        return look

    def severity_at(self, facts: Facts, index: int) -> Severity:
        """Weights that the loss doesn't depend on may be left over on purpose (a pooler, an output for later); a path that is cut is a mistake."""
        return "warning" if _is_left_over(facts, index) else self.severity

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Where the path ends."""
        owner, last = facts.owners[index], _last_with_gradient(facts, index)
        told = owner if owner is not None and facts.has_no_optimizer(index, "gradient") else index
        state = facts.nodes[told].quantities["gradient"]
        if owner is not None and facts.reason(owner, "gradient") == "outside_tape":
            made = facts.nodes[owner].quantities["gradient"]
            return Words(f"It is trainable, and no gradient reaches it. {made.sentence}", made.remedy, made.code_to_paste)
        if owner is None or last is None:
            purpose = " If that is on purpose, set `trainable = False`." if _is_left_over(facts, index) else ""
            return Words(f"It is trainable, and no gradient reaches it. {state.sentence}", state.remedy + purpose, state.code_to_paste)
        between = [facts.names[node] for node in members(facts.downstream[owner] & facts.upstream[last])][:4]
        through = f" through {', '.join(f'`{name}`' for name in between)}" if between else ""
        return Words(
            f"It is trainable, and no gradient reaches it: none passes back from `{facts.names[last]}`{through} to `{facts.names[owner]}`"
            f"{location(facts, owner)}.",
            "Look there for argmax, round, a comparison, a cast to integers, NumPy or stop_gradient. Where it must be, pass gradients around it:",
            "y = x + keras.ops.stop_gradient(keras.ops.round(x) - x)",
        )


def _is_cut_off(facts: Facts, variable: int) -> bool:
    """Whether no optimizer is given a weight, since no gradient comes to its layer: it is stopped behind it, and layers that are trained read what it
    makes; or no loss reads what it makes of what layers give that are trained.

    A slow copy that makes targets hands them to the loss. Vectors of its own tell whether it was trained before.
    """
    owner = facts.owners[variable]
    if owner is None or not facts.has_no_optimizer(variable, "gradient") or len(facts.nodes[variable].shape or ()) < 2:
        return False
    if not any(len(facts.nodes[own].shape or ()) == 1 for own in facts.owned[owner]):
        return False
    if facts.reason(owner, "gradient") == "not_on_loss_path":
        return all(facts.upstream[call] & facts.changing and not facts.reaches_loss(call) for call in facts.calls.get(owner, (owner,)))
    return facts.reason(owner, "gradient") in ("gradient_stopped", "non_differentiable") and _feeds_trained(facts, owner)


def _feeds_trained(facts: Facts, owner: int) -> bool:
    calls = facts.calls.get(owner, (owner,))
    return all(facts.downstream[call] & facts.changing and not facts.upstream[call] & facts.changing for call in calls)


def _is_left_over(facts: Facts, variable: int) -> bool:
    owner = facts.owners[variable]
    return owner is not None and not facts.reaches_loss(owner)


def _last_with_gradient(facts: Facts, variable: int) -> int | None:
    """The first node on the way from a variable to the loss that gradients come to, and none of whose inputs on that way gets any; None where there
    is no way."""
    owner = facts.owners[variable]
    if owner is None or not facts.reaches_loss(owner):
        return None
    reached = facts.downstream[owner] | 1 << owner
    for node in members(facts.downstream[owner]):
        if _has_gradient(facts, node) and not any(_has_gradient(facts, source) for source in facts.inputs[node] if reached >> source & 1):
            return node
    return None


FORGOTTEN = 2.0**-24
"""Of a gradient at the last time step, what is left of it at the first: float32 rounds it away where it is added to what later steps give. Plain
recurrences that learn keep 1/1,000 and more."""
FADED = 1e-6
"""The same, for which nothing must have been learned for longer: what came late may be all that matters."""
STAYS = 0.8
"""Of the first loss: above it nothing was learned from what came late either, but how frequent classes are."""
GIVEN, GIVEN_LONGER = 40, 100
"""Steps to learn something."""


def _is_of_depth(episode: Episode) -> bool:
    """Whether a gradient is small on its way back through layers, and not through time or a constant factor."""
    return not any(episode.evidence[name] >= 0 for name in ("factor_per_time_step", "constant_factor"))


def _words_of_scale(facts: Facts, before: int, node: int, share: float, episode: Episode) -> Words:
    """Of a gradient that a layer makes next to nothing of which is there for the scale of numbers."""
    return Words(
        f"It passes back {number(share)} of the gradient that comes to it (L2 norms), so that for the weights of `{facts.names[before]}`"
        f" {number(episode.evidence['gradient_norm'])} is left of {number(episode.evidence['norm_nearer_to_the_loss'])} nearer to the loss: they"
        f" hardly learn since step {episode.first_step:,}.",
        f"Look at what it multiplies or divides by{location(facts, node)}: a factor, a scale that begins near 0, or a constant that is added to the"
        " variance.",
    )


def _forgets(block: Block, forgetting: Forgetting, shape: tuple[int, ...]) -> dict[str, Floats]:
    """What shows that recurrences reach back to their first time step no more while nothing is learned, [kernels, c]; NaN where they do."""
    seen = {"factor_per_time_step": np.full(shape, np.nan, np.float32), "time_steps": np.full(shape, np.nan, np.float32)}
    if len(forgetting.positions):
        factor, count = forgetting.factors(block)
        stays, left = block.median_loss > STAYS * block.first_loss, factor ** (count - 1)
        holds = stays & ((left < FORGOTTEN) & (block.steps >= GIVEN) | (left < FADED) & (block.steps >= GIVEN_LONGER))
        seen["factor_per_time_step"][forgetting.positions] = np.where(holds, factor, np.nan)
        seen["time_steps"][forgetting.positions] = np.where(holds, count, np.nan)
    return seen


def _has_gradient(facts: Facts, node: int) -> bool:
    return facts.nodes[node].kind == "loss" or facts.is_recorded(node, "gradient")


def _over(own: Floats, later: Floats) -> Floats:
    ratio: Floats = own / np.where(later > 0, later, np.nan)
    return ratio


def _lasts(episode: Episode, step: int) -> bool:
    return episode.closed_at is None or episode.closed_at > step


def _size_of_weights(block: Block, facts: Facts) -> Floats:
    """L2 norm of each kernel, and at least what an initializer that keeps the variance gives: a kernel may begin at 0, [kernels, c]."""
    sizes: Floats = np.maximum(block.column("l2_norm")[facts.kernels], facts.usual_norms)
    return sizes


def _through_outputs(block: Block, facts: Facts) -> Floats:
    """How much of a gradient the kernels at the end let through, at most 1, [c]: a head may begin at 0 or nearly so, on purpose."""
    ends = facts.output_kernels
    if not len(ends):
        return np.ones(len(block.steps), np.float32)
    fan_in = np.array([facts.fan_in(kernel) for kernel in ends.tolist()], float)[:, None]
    gain = np.fmax.reduce(block.rms()[ends] * np.sqrt(fan_in), axis=0)
    passed: Floats = np.where(gain < SMALL_OUTPUT, gain, 1.0)
    return passed


def _table_is_alive(block: Block, facts: Facts, limit: Floats) -> Bools:
    """Whether a table (of words, of positions) before or beside a kernel gets more of a gradient than ``limit``: then it comes through, past layers
    that hold back what they add, [kernels, c]."""
    if not len(facts.tables):
        return np.zeros(limit.shape, np.bool_)
    gradient = np.nan_to_num(block.column("l2_norm", "gradient")[facts.tables])
    alive: Bools = np.logical_or.reduce((gradient[None] >= limit[:, None]) & facts.tables_not_after[:, :, None], axis=1)
    return alive


def _strength(block: Block, facts: Facts) -> Floats:
    """For each kernel the largest gradient among all weights of its layer: biases too, as a layer of tiny inputs has no other, [kernels, c]."""
    strength: Floats = np.fmax.reduce(block.column("l2_norm", "gradient")[facts.siblings], axis=1)
    return strength


def _through_time(block: Block, facts: Facts, own: Floats) -> Floats:
    """How much larger the gradient of a recurrent layer's weights is than its output and input explain, [kernels, c]; NaN for other layers."""
    excess = np.full(own.shape, np.nan, np.float32)
    for row, (output, source) in facts.recurrences.items():
        explained = block.column("l2_norm", "gradient")[output] * block.column("l2_norm")[source]
        excess[row] = own[row] / np.where(explained > 0, explained, np.nan)
    return excess


def _largest_later(values: Floats, later: Sequence[Sequence[int]]) -> Floats:
    """For each row the largest number among the rows that come later towards the loss; NaN where there is none."""
    largest = np.full_like(values, np.nan)
    for row in range(len(values) - 1, -1, -1):
        for other in later[row]:
            largest[row] = np.fmax(largest[row], np.fmax(values[other], largest[other]))
    return largest
