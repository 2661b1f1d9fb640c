"""Rules about weights: whether they change, and by how much.

The one invariant: only kernels are judged by the size of numbers. Biases and scales begin at 0 or 1, have gradients that are exactly zero for good
reasons (a bias before a batch normalization, the bias of attention keys), and say little about whether a network learns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats, first_known
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Severity
from tb_activations.diagnosis.initialization import PoorInitialization, is_of_words
from tb_activations.diagnosis.kinds import is_float
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, number
from tb_activations.diagnosis.scales import Targets
from tb_activations.diagnosis.standstill import Standstill

__all__ = ["UnchangedWeights", "UpdateTooLarge", "UpdateTooSmall"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]


class UnchangedWeights(NodeRule):
    """Trainable weights that never change."""

    name, title = "unchanged_weights", "Unchanged weights"
    definition = (
        "The updates of a trainable kernel or table are exactly 0 (or no optimizer is given it, as of a `tf.Variable`, which Keras doesn't count"
        " among the weights of a layer: a warning), and its numbers stay the same from capture to capture, since the first one; or they stay so,"
        " from whichever capture on, although updates aren't 0: something puts it back; or the gradients of all kernels are exactly 0, and nothing"
        " but a decay changes them."
    )
    reference = "SageMaker Debugger UnchangedTensor; DeepDiagnosis Unchanged Weight"
    severity, quantity, statistic = "error", "update", "l2_norm"
    persistence = Persistence(captures=2, steps=15)
    """Gradients may be accumulated over up to 16 steps."""
    FELT = 1e-4
    """L2 norm of an update over that of the weights, which their statistics can't hide."""
    AT_BOUNDS = 0.9
    """Root mean square of weights of both signs over the largest of them, from which on a clip holds nearly all of them at its ends, as in a
    Wasserstein critic. Of uniform weights it is 0.58, of normal ones less."""
    DECAY = 1e-2
    """The same as `FELT`, more than which no decay that lets a network learn takes away in a step."""

    def select(self, facts: Facts) -> Rows:
        """Trainable variables with more than one axis, or all such where a step trains none. The bias of attention keys has two, and no gradient but
        rounding errors. A vector tells as much where it is that of a `tf.Variable`, which nothing trains."""
        frozen = _all_are_frozen(facts)
        rows = facts.select(lambda node: node.kind == "variable" and (frozen or node.trainable is not False))
        return np.array([row for row in rows.tolist() if _tells_by_standing_still(facts, row)], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Remembers the first numbers: an optimizer that accumulates gradients changes nothing at most steps.

        Of several layers that do the same side by side (experts) one may never be asked. A network that judges what another one makes needs no
        optimizer where it was trained before, nor does one whose features others read; one that begins untrained has nothing to say.
        A vector begins as one number if it is meant to learn, as scales and biases do: one of several numbers may well be a constant.
        """
        alternatives = _alternatives(facts, rows)
        columns = ("mean", "l2_norm", "min", "max")
        frozen = _all_are_frozen(facts)
        forgotten = np.array([frozen or _is_forgotten(facts, row) for row in rows.tolist()], np.bool_)[:, None]
        helping = [not own[0] and _helps(facts, row) for row, own in zip(rows.tolist(), forgotten, strict=True)]
        judging = np.array(helping, np.bool_)[:, None]
        vectors = np.array([len(facts.nodes[row].shape or ()) == 1 for row in rows.tolist()], np.bool_)[:, None]
        first = before = np.full((len(columns), len(rows), 1), np.nan, np.float32)
        changed, differs = np.zeros((2, len(rows), 1), bool)
        felt_before = np.ones((len(rows), 1), bool)
        largest_scale = np.float32(0)
        asleep = True

        def look(block: Block) -> Observation:
            nonlocal first, before, changed, differs, felt_before, largest_scale, forgotten, asleep
            forgotten = forgotten | judging & block.untrained[rows][:, None]
            now = np.stack([block.column(name)[rows] for name in columns])
            first = np.where(np.isnan(first), now[:, :, :1], first)
            update, gradient = block.column("l2_norm", "update")[rows], block.column("l2_norm", "gradient")[rows]
            other = np.logical_or.accumulate(((now != first) & ~np.isnan(now)).any(0), axis=1) | differs
            moved = np.logical_or.accumulate(other | (update > 0), axis=1) | changed
            changed, differs = moved[:, -1:], other[:, -1:]
            felt = update > self.FELT * now[1]
            again = (now == np.concatenate([before, now[:, :, :-1]], axis=2)).all(0)
            lasts = felt & np.concatenate([felt_before, felt[:, :-1]], axis=1)
            before, felt_before = now[:, :, -1:], felt[:, -1:]
            put_back = lasts & (~other | again)
            clipped = (now[2] < 0) & (now[3] > 0) & (block.rms()[rows] > self.AT_BOUNDS * np.maximum(-now[2], now[3]))
            arrives = ((gradient > 0) | (block.nonfinite("gradient")[rows] > 0)).any(0)
            sleeps = np.logical_and.accumulate(~arrives & (np.abs(block.beginning_loss) > 0) & asleep)
            asleep = bool(sleeps[-1])
            decays = sleeps & (gradient == 0) & (update > 0) & (update < self.DECAY * now[1])
            known = ~np.isnan(update) | forgotten & ~np.isnan(now).any(0)
            so_far = np.maximum(np.fmax.accumulate(np.nan_to_num(block.loss_scale)), largest_scale)
            largest_scale = so_far[-1]
            scale, fell_from = (
                np.broadcast_to(values, update.shape) for values in (block.loss_scale, np.where(block.loss_scale < so_far, so_far, np.nan))
            )
            evidence = {"update_norm": update, "gradient_norm": gradient, "loss_scale": scale, "scale_fell_from": fell_from}
            evidence["decay"] = np.where(decays, update / now[1], np.nan)
            idle = np.zeros(moved.shape, np.bool_)
            for group in alternatives:
                idle[group] = (gradient[group] == 0) & moved[group].any(0)
            stands = ~moved & ((update == 0) | forgotten) & ~idle & ~(vectors & (now[2] < now[3]))
            return Observation((stands | put_back) & ~clipped | decays, known, evidence)

        return look

    def severity_at(self, facts: Facts, index: int) -> Severity:
        """Weights that no optimizer is given may be left for a later stage of training on purpose."""
        return "warning" if _is_forgotten(facts, index) or _helps(facts, index) else self.severity

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """Whether the gradient or the optimizer is to blame."""
        gradient = episode.evidence["gradient_norm"]
        if _all_are_frozen(facts):
            return Words(
                f"Nothing has changed these weights since step {episode.first_step:,}, and nothing can: no weight of the model is trainable.",
                "Set `trainable` of what should learn, and compile the model again:",
                "model.trainable = True; model.compile(optimizer, loss)",
            )
        if _is_no_weight(facts, index):
            state = facts.nodes[index].quantities["update"]
            remedy = f"If it is constant on purpose, give it `trainable=False`. Else: {state.remedy[:1].lower()}{state.remedy[1:]}"
            return Words(f"Nothing has changed these weights since step {episode.first_step:,}. {state.sentence}", remedy, state.code_to_paste)
        if np.isnan(episode.evidence["update_norm"]):
            sentence = "No optimizer was given its gradient."
            remedy = "If that is on purpose, set `trainable = False`; else hand it to the optimizer with the others:"
            return Words(f"Nothing has changed these weights since step {episode.first_step:,}. {sentence}", remedy, _APPLY_ALL)
        if episode.evidence["decay"] > 0:
            return Words(
                f"Its gradient is exactly 0 since step {episode.first_step:,}, as all others are: nothing but a decay changes these weights.",
                "Look for a cut graph, a multiplication by 0, or an output beyond what the loss clips, between all weights and the loss.",
            )
        if episode.evidence["update_norm"] > 0:
            return Words(
                f"Each step changes these weights, and they are what they were before it all the same since step {episode.first_step:,}: something"
                " puts them back.",
                "Look for what sets weights while the model trains: a callback, a copy of them, a checkpoint that is loaded again.",
            )
        scale = episode.evidence["loss_scale"]
        if np.isnan(gradient) or scale < 1 or episode.evidence["scale_fell_from"] > 0:
            sentence = "Its steps are skipped, as gradients aren't finite" + ("." if np.isnan(scale) else f" (loss scale {number(scale)}).")
            return Words(f"The optimizer has changed none of these weights since step {episode.first_step:,}. {sentence}", _FIND_OVERFLOW)
        if gradient == 0:
            sentence, remedy = (
                "Its gradient is exactly 0.",
                "Look for dead units, a multiplication by 0 or a cut graph between these weights and the loss.",
            )
        else:
            sentence, remedy = f"Its gradient isn't 0 (L2 norm {number(gradient)}).", "Check the learning rate and its schedule:"
        return Words(
            f"The optimizer has changed none of these weights since step {episode.first_step:,}. {sentence}",
            remedy,
            "" if gradient == 0 else "model.optimizer.learning_rate = 1e-3",
        )


class UpdateTooLarge(NodeRule):
    """Steps as large as the weights themselves."""

    name, title = "update_too_large", "Update too large"
    definition = (
        "One step changes a kernel by a third of its size, again and again, and the loss doesn't fall; or one single step, or a few that change it"
        " by a third each, replace it by weights that are far too large; or it soon grows to 4 times its size, and the loss doesn't fall; or the"
        " entries of a table of words or positions grow to a root mean square above 10."
    )
    reference = "SageMaker Debugger WeightUpdateRatio; Karpathy's 1e-3 rule; UMLAUT learning rate high"
    severity, quantity, statistic = "warning", "update", "update_ratio"

    RATIO = 0.3
    """L2 norm of the update over that of the weights. About 1e-3 is usual, Adam at 1e-2 on small weights begins with 0.2."""
    GAIN = PoorInitialization.LARGEST_GAIN
    """Root mean square of one update times the square root of the fan-in, at which it alone is a poor initialization. Or of the weights themselves,
    when they have outgrown what they were at the capture before."""
    OUTGROWN = 2.0
    """L2 norm of the weights over what it was at the capture before, or over that of usual initial weights, if that is larger."""
    PACE = 0.03
    """Of their first norm (or the usual one) by which weights grow per step that became `GAIN` times as large. Adam at 1e-3 stays below 0.01."""

    def select(self, facts: Facts) -> Rows:
        """All kernels, and tables of words or positions."""
        return np.array([*facts.kernels.tolist(), *(row for row in facts.tables.tolist() if is_of_words(facts, row))], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares the update with the weights before it, and the weights with those of the capture before.

        Where large steps soon lead to where gradients are small, captures show small steps only. Weights grow where targets are large, those of an
        output layer first. Entries of a table, of which one step changes a few by much, are what weights read: they are judged by their size.
        """
        is_table = np.isin(rows, facts.tables)[:, None]
        fan_in = np.array([facts.fan_in(row) for row in rows.tolist()], float)[:, None]
        output = np.array([facts.is_output(row) for row in rows.tolist()], np.bool_)[:, None]
        usual = np.array([facts.usual_norm(row) for row in rows.tolist()], np.float32)[:, None]
        targets = Targets(facts)
        last = np.full((len(rows), 1), np.nan, np.float32), np.full(1, -1, np.int64)
        first = np.full((len(rows), 1), np.nan, np.float32), -1

        def look(block: Block) -> Observation:
            nonlocal last, first
            if first[1] < 0:
                first = np.maximum(block.column("l2_norm")[rows][:, :1], usual), int(block.steps[0])
            weights = np.concatenate([last[0], block.column("l2_norm")[rows]], axis=1)
            steps = np.concatenate([last[1], block.steps])
            last = weights[:, -1:], steps[-1:]
            growth = weights[:, 1:] / np.maximum(weights[:, :-1], usual)
            outgrown = (growth > np.maximum(self.OUTGROWN, 1 + self.RATIO * np.diff(steps))) & (weights[:, 1:] > self.GAIN * usual)
            outgrown &= ~(output & block.progress)
            grown, gone = weights[:, 1:] / first[0], block.steps - first[1]
            stands = block.is_judged & ~block.progress & (targets.size(block) <= 1)
            inflated = (grown > np.maximum(self.GAIN, 1 + self.PACE * gone)) & stands & ~output
            flooded = is_table & (grown > self.OUTGROWN) & (block.rms()[rows] > PoorInitialization.LARGEST_ENTRY)
            ratio = _update_ratio(block, rows)
            gain = block.column("l2_norm", "update")[rows] / np.sqrt(block.column("elements", "update")[rows] / fan_in)
            replaced = (gain > self.GAIN) & (ratio > 1)
            so_far = inflated & ~is_table | flooded
            evidence = {"update_ratio": ratio, "gain": gain}
            evidence |= {"growth": np.where(so_far, grown, np.where(outgrown, growth, 1)), "steps": np.where(so_far, gone, np.diff(steps))}
            at_once = np.where(is_table, flooded, replaced | outgrown)
            return Observation((ratio > self.RATIO) & ~block.progress & ~is_table | so_far | at_once, ~np.isnan(ratio), evidence, at_once)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How large the steps are, or what they have made of the weights."""
        seen = episode.evidence
        steps = "one step" if seen["steps"] == 1 else f"{number(seen['steps'])} steps"
        times = f"grew to {number(seen['growth'])} times their size within {steps}."
        grown = seen["growth"] > 1
        small = grown and seen["update_ratio"] < self.RATIO
        return Words(
            f"These weights {times}" if small else _ratio_sentence(episode) + (f" They {times}" if grown else ""),
            "Lower the learning rate, or warm it up:",
            "model.optimizer.learning_rate = model.optimizer.learning_rate / 10",
        )


class UpdateTooSmall(NodeRule):
    """Steps too small to get anywhere."""

    name, title = "update_too_small", "Update too small"
    definition = (
        "Since the first capture no step has changed a kernel, and most others, by more than a 100,000th of its size, and updates don't grow (or none"
        " by more than a 10,000,000th, for 50 steps; then it may be one kernel alone, whose gradient hasn't vanished); or"
        " after some steps all kernels stand still, for long, although the loss is still more than half of the first one."
    )
    reference = "SageMaker Debugger WeightUpdateRatio; AutoTrainer slow convergence; UMLAUT learning rate low"
    severity, quantity, statistic = "warning", "update", "update_ratio"
    persistence = Persistence(captures=2, steps=15)

    RATIO = 1e-5
    """L2 norm of the update over that of the weights: 100,000 steps for a change as large as the weights."""
    SHARE = 0.5
    """Of the kernels. Where most of them move, the few that don't have a vanishing gradient as a rule, not a small learning rate."""
    GROWTH = 1.5
    """Times the first update. A learning rate that is being warmed up grows."""
    NOTHING, GIVEN = 1e-7, 50
    """The ratio below which growing doesn't count any more after so many steps: a warm-up is far beyond it by then. From then on growing means, too,
    to be `GROWTH` times what it was when half of the steps had gone."""
    FELT = 1e-2
    """Of the largest gradient of a kernel (L2 norms), from which on it is not the gradient's fault that one kernel doesn't move while others do."""

    def select(self, facts: Facts) -> Rows:
        """All kernels."""
        return facts.kernels

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Remembers the largest update so far: once something was learned, small steps are convergence.

        Steps below the resolution of float32 change nothing at all, and count as small where others are.
        """
        largest = np.zeros((len(rows), 1), np.float32)
        first = np.full((len(rows), 1), np.nan, np.float32)
        standstill, pace = Standstill(rows), _Pace(len(rows), self.GROWTH)
        begun = -1

        def look(block: Block) -> Observation:
            nonlocal begun
            ratio = _update_ratio(block, rows)
            stands, since = standstill.feed(block, ratio)
            known = ~np.isnan(ratio)
            first[:] = np.where(np.isnan(first), first_known(ratio), first)
            so_far = np.maximum(np.maximum.accumulate(np.nan_to_num(ratio), axis=1), largest)
            largest[:] = so_far[:, -1:]
            begun = int(block.steps[0]) if begun < 0 else begun
            gone = block.steps - begun
            hopeless = (so_far < self.NOTHING) & (gone >= self.GIVEN)
            level = pace.is_level(gone, ratio) & (gone >= self.GIVEN)
            small = (so_far < self.RATIO) & (ratio > 0) & ((ratio <= self.GROWTH * first) | level | hopeless)
            gradient = block.column("l2_norm", "gradient")[rows]
            lost = (so_far == 0) & (gradient > 0)
            holds = small & ((small | lost).sum(0) >= self.SHARE * known.sum(0)) & ~block.progress
            holds |= hopeless & (so_far > 0) & (gradient > self.FELT * np.fmax.reduce(gradient, axis=0))
            evidence = {
                "update_ratio": ratio,
                "standing_since": np.broadcast_to(np.where(stands, since, -1), ratio.shape),
                "loss": block.median_loss + 0 * ratio,
            }
            return Observation(holds | stands & known, known, evidence)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How small the steps are, or since when there are none."""
        seen = episode.evidence
        if seen["standing_since"] >= 0:
            return Words(
                f"Nothing moves these weights, nor any others, since step {seen['standing_since']:,.0f}, while the loss stands at"
                f" {number(seen['loss'])}: the last update was {number(seen['update_ratio'])} of their size.",
                "Look at what the schedule of the learning rate gives at this step; its arguments are steps, not epochs:",
                "print(float(model.optimizer.learning_rate))",
            )
        return Words(
            _ratio_sentence(episode),
            "Raise the learning rate, or check that this layer is meant to be nearly frozen:",
            "model.optimizer.learning_rate = 1e-3",
        )


class _Pace:
    """Whether updates have stopped growing: momentum, which adds up the first few, makes as much of them as it will for ever; a warm-up goes on."""

    def __init__(self, rows: int, growth: float) -> None:
        self._growth = growth
        self._before, self._since = np.full((2, rows), np.nan, np.float32), 0

    def is_level(self, gone: npt.NDArray[np.int64], ratio: Floats) -> npt.NDArray[np.bool_]:
        """Whether they have at most grown so much since half of the steps had gone, [rows, c]."""
        level, capture = np.zeros(ratio.shape, np.bool_), 0
        while capture < len(gone):
            if gone[capture] >= max(2 * self._since, 1):
                self._before, self._since = np.stack([self._before[1], ratio[:, capture]]), int(gone[capture])
            doubled = max(capture + 1, int(np.searchsorted(gone, max(2 * self._since, 1))))
            level[:, capture:doubled] = ratio[:, capture:doubled] <= self._growth * self._before[0][:, None]
            capture = doubled
        return level


_FIND_OVERFLOW = "Find what overflows or is undefined, forward or backward: other findings, or the first node with NaN or Inf, show it."
_APPLY_ALL = "weights = self.trainable_weights\nself.optimizer.apply(tape.gradient(loss, weights), weights)"


def _all_are_frozen(facts: Facts) -> bool:
    """Whether a training step, and no step of validation, has weights of which none is trainable. Keras then looks for no gradient of the loss."""
    reasons = [facts.reason(row, "gradient") for row in facts.variables.tolist() if len(facts.nodes[row].shape or ()) >= 2]
    return "not_trainable" in reasons and not any(facts.nodes[row].trainable for row in facts.variables.tolist())


def _is_forgotten(facts: Facts, variable: int) -> bool:
    """Whether no optimizer is given the gradient of a weight through whose layer gradients flow, although one changes weights before or after it.
    To a `tf.Variable` in front of all weights no gradient flows.

    A teacher is a network of its own, and one that judges pictures (a discriminator, a perceptual loss) is called on real ones too, beside all
    weights that change; or it stands behind all of them, and nothing of its own part of the model changes.
    """
    owner = facts.owners[variable]
    if owner is None:
        return False
    calls = facts.calls.get(owner, (owner,))
    changing = facts.changing
    if _is_no_weight(facts, variable):
        return facts.reaches_loss(owner) and any((facts.upstream[call] | facts.downstream[call]) & changing for call in calls)
    if not facts.has_no_optimizer(variable, "update"):
        return False
    model, _, inside = facts.names[owner].partition("/")
    part = union(1 << node for node in facts.flow.tolist() if facts.names[node].startswith(model + "/"))
    if inside and not part & changing and not any(facts.downstream[call] & changing for call in calls):
        return False
    return facts.is_recorded(owner, "gradient") and all((facts.upstream[call] | facts.downstream[call]) & changing for call in calls)


def _helps(facts: Facts, variable: int) -> bool:
    """Whether a weight that no optimizer is given is part of a network that judges what weights that change have made, or that makes what all such
    weights read, so that no gradient is taken that far; and whose vectors tell whether it was trained before."""
    owner = facts.owners[variable]
    if (
        owner is None
        or not facts.has_no_optimizer(variable, "update")
        or not any(len(facts.nodes[own].shape or ()) == 1 for own in facts.owned[owner])
    ):
        return False
    changing, calls = facts.changing, facts.calls.get(owner, (owner,))
    judges = any(facts.is_recorded(call, "gradient") and facts.upstream[call] & changing for call in calls)
    return judges or all(facts.reason(call, "gradient") == "nothing_trained" and facts.downstream[call] & changing for call in calls)


def _tells_by_standing_still(facts: Facts, variable: int) -> bool:
    node = facts.nodes[variable]
    shape = node.shape or ()
    return (len(shape) >= 2 and not node.name.endswith("bias")) or (shape not in ((), (1,)) and _is_no_weight(facts, variable))


def _is_no_weight(facts: Facts, variable: int) -> bool:
    """Whether it is a `tf.Variable` that could be trained, and that Keras doesn't count among the weights of the layer that keeps it."""
    return facts.reason(variable, "update") == "not_a_weight" and is_float(facts.nodes[variable].dtype)


SIDE_BY_SIDE = 3
"""Layers of one kind that read and feed the same nodes, from which on they are alternatives."""


def _alternatives(facts: Facts, rows: Rows) -> list[list[int]]:
    """Groups of positions among ``rows`` of variables that do the same side by side."""
    groups: dict[object, list[int]] = {}
    for position, row in enumerate(rows.tolist()):
        place, node = facts.places(row)[0], facts.nodes[row]
        key = node.name.rsplit("/", 1)[-1], node.shape, facts.nodes[place].class_name, facts.inputs[place], facts.consumers[place]
        groups.setdefault(key, []).append(position)
    return [group for group in groups.values() if len(group) >= SIDE_BY_SIDE]


def _ratio_sentence(episode: Episode) -> str:
    ratio = episode.evidence["update_ratio"]
    return (
        f"One step changes these weights by {number(ratio)} {'times' if ratio >= 1 else 'of'} their size (‖update‖ / ‖weight‖) since step"
        f" {episode.first_step:,}. Between 1e-4 and 1e-2 is usual."
    )


def _update_ratio(block: Block, rows: Rows) -> Floats:
    weights = block.column("l2_norm")[rows]
    return block.column("l2_norm", "update")[rows] / np.where(weights > 0, weights, np.nan)
