"""The rule about weights that never change, whatever keeps them from it.

The one invariant: weights count as unchanged by their own numbers, not by what an optimizer says of its updates. One that adds gradients up updates
nothing at most steps, and something may put weights back after each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Severity
from tb_activations.diagnosis.fingerprint import Fingerprint
from tb_activations.diagnosis.kinds import RECURRENT, ends_in_relu, is_float
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number

__all__ = ["UnchangedWeights", "are_drawn_evenly", "are_skipped"]

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Observe = Callable[[Block], Observation]

FELT = 1e-4
"""L2 norm of an update over that of the weights, which their statistics can't hide."""
AT_BOUNDS = 0.9
"""Root mean square of weights of both signs over the largest of them, from which on a clip holds nearly all of them at its ends, as in a
Wasserstein critic. Of uniform weights it is 0.58, of normal ones less."""
ROUNDED = {"bfloat16": "500", "float16": "4,000"}
"""Which part of a number the half of the last of its 8 or 11 bits is, at the least: a sum that differs by less is the number itself."""
DECAY = 1e-2
"""The same as `FELT`, more than which no decay that lets a network learn takes away in a step."""
EVENLY = 0.05
"""How much √3 times the root mean square of weights may differ from the largest of them, of its size, where they are drawn evenly between two ends as
Keras does: training leaves none so, as the one that moves most is an end alone."""
SIDE_BY_SIDE = 3
"""Layers of one kind that read and feed the same nodes, from which on they are alternatives."""


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

    def select(self, facts: Facts) -> Rows:
        """Trainable variables with more than one axis, or all such where a step trains none. The bias of attention keys has two, and no gradient but
        rounding errors. A vector tells as much where it is that of a `tf.Variable`, which nothing trains."""
        frozen = _all_are_frozen(facts)
        rows = facts.select(lambda node: node.kind == "variable" and (frozen or node.trainable is not False))
        return np.array([row for row in rows.tolist() if _tells_by_standing_still(facts, row)], np.int64)

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Remembers the first numbers: an optimizer that accumulates gradients changes nothing at most steps."""
        return _Watched(facts, rows).look

    def severity_at(self, facts: Facts, index: int) -> Severity:
        """Weights that no optimizer is given may be left for a later stage of training on purpose."""
        return "warning" if _is_forgotten(facts, index) or _helps(facts, index) else self.severity

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What keeps the weights as they are: the model, the step, the gradient or the optimizer."""
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
        if facts.trained_in_vain:
            others = ", ".join(f"`{facts.names[row]}`" for row in facts.trained_in_vain[:2])
            return Words(
                f"Nothing has changed these weights since step {episode.first_step:,}. A loss depends on them, and on none of those that the"
                f" optimizer changes ({others}).",
                "Compute the loss with the model whose weights the optimizer gets, and not with a copy of it:",
                _APPLY_ALL,
            )
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
        if episode.evidence["gradient_norm"] == 0 and episode.evidence["beside_moved"]:
            return _words_of_one_step(facts, index, episode)
        if episode.evidence["gradient_norm"] == 0 and _is_share_of_one(facts, index):
            return Words(
                f"The optimizer has changed none of these weights since step {episode.first_step:,}. Its gradient is exactly 0: the layer ends in a"
                " softmax over its last axis, which has one entry, and a share of one is 1 whatever comes in.",
                f"Take the softmax over the axis that is to be weighted{location(facts, facts.places(index)[0])}:",
                "weights = keras.ops.softmax(scores, axis=1)",
            )
        return _words_of_no_update(episode, facts.nodes[index].dtype or "")


class _Watched:
    """The weights at ``rows``, from capture to capture.

    Of several layers that do the same side by side (experts) one may never be asked. A network that judges what another one makes needs no optimizer
    where it was trained before, nor does one whose features others read; one that begins untrained has nothing to say. A vector begins as one number
    if it is meant to learn, as scales and biases do: one of several numbers may well be a constant.
    """

    def __init__(self, facts: Facts, rows: Rows) -> None:
        variables = rows.tolist()
        frozen = _all_are_frozen(facts)
        self._rows = rows
        self._alternatives = _alternatives(facts, rows)
        self._off = _SwitchedOff(facts, rows)
        names = {facts.names[row]: position for position, row in enumerate(variables)}
        self._beside = np.array([names.get(_beside(name), -1) for name in names], np.int64)[:, None]
        self._of_state = np.array([names.get(_beside_input(facts, row), -1) for row in variables], np.int64)[:, None]
        self._forgotten = _column(frozen or _is_forgotten(facts, row) for row in variables)
        self._helping = ~self._forgotten & _column(_helps(facts, row) for row in variables)
        self._has_vectors = _column(_has_vectors(facts, row) for row in variables)
        self._vectors = _column(len(facts.nodes[row].shape or ()) == 1 for row in variables)
        self._fingerprint = Fingerprint(rows)
        self._first: Floats = np.full((len(Fingerprint.COLUMNS), len(rows), 1), np.nan, np.float32)
        self._differs, self._moved, self._awake = _Ever(), _Ever(), _Ever()
        self._felt: Bools = np.ones((len(rows), 1), np.bool_)
        self._largest_scale = np.float32(0)

    def look(self, block: Block) -> Observation:
        """Where weights stand still, are put back, or only decay."""
        now, before = self._fingerprint.feed(block)
        _, norm, low, high = now
        update, gradient = block.column("l2_norm", "update")[self._rows], block.column("l2_norm", "gradient")[self._rows]
        # Once it is known that a network began untrained, its weights are like those of any other.
        untrained = block.untrained[self._rows][:, None] & (self._has_vectors | are_drawn_evenly(low, high, block.rms()[self._rows]))
        self._forgotten = self._forgotten | self._helping & untrained
        differs = self._differs.feed(self._differ_from_first(now))
        moved = self._moved.feed(differs | (update > 0))
        put_back = self._are_felt(update, norm) & (~differs | (now == before).all(0))
        decays = self._sleeps(block, gradient) & (gradient == 0) & (update > 0) & (update < DECAY * norm)
        idle = self._are_idle(gradient, moved) | self._off.feed(block) & moved.any(0)
        idle |= (self._of_state >= 0) & (gradient == 0) & moved[self._of_state[:, 0]]
        stands = ~moved & ((update == 0) | self._forgotten) & ~idle & ~(self._vectors & (low < high))
        clipped = (low < 0) & (high > 0) & (block.rms()[self._rows] > AT_BOUNDS * np.maximum(-low, high))
        known = ~np.isnan(update) | self._forgotten & ~np.isnan(now).any(0)
        evidence = {"update_norm": update, "gradient_norm": gradient, "decay": np.where(decays, update / norm, np.nan)}
        evidence["beside_moved"] = np.where(self._beside >= 0, moved[self._beside[:, 0]], False).astype(float)
        evidence["loss_scale"] = np.broadcast_to(block.loss_scale, update.shape)
        evidence["scale_fell_from"] = np.broadcast_to(self._fell_from(block.loss_scale), update.shape)
        return Observation((stands | put_back) & ~clipped | decays, known, evidence)

    def _differ_from_first(self, now: Floats) -> Bools:
        """Whether weights are others than at first, [rows, c]."""
        self._first = np.where(np.isnan(self._first), now[:, :, :1], self._first)
        differ: Bools = np.any((now != self._first) & ~np.isnan(now), axis=0)
        return differ

    def _are_felt(self, update: Floats, norm: Floats) -> Bools:
        """Whether an update, and the one of the capture before, are so large that statistics of the weights must show them, [rows, c]."""
        felt = update > FELT * norm
        lasts: Bools = felt & np.concatenate([self._felt, felt[:, :-1]], axis=1)
        self._felt = felt[:, -1:]
        return lasts

    def _sleeps(self, block: Block, gradient: Floats) -> Bools:
        """Whether no gradient ever arrived at any of the weights, although there is something to learn, [c]."""
        arrives = ((gradient > 0) | (block.nonfinite("gradient")[self._rows] > 0)).any(0)
        return ~self._awake.feed(arrives | ~(np.abs(block.beginning_loss) > 0))

    def _are_idle(self, gradient: Floats, moved: Bools) -> Bools:
        """Whether weights aren't asked while others that do the same are, [rows, c]."""
        idle: Bools = np.zeros(moved.shape, np.bool_)
        for group in self._alternatives:
            idle[group] = (gradient[group] == 0) & moved[group].any(0)
        return idle

    def _fell_from(self, loss_scale: Floats) -> Floats:
        """The largest loss scale so far where it is smaller now, else NaN, [c]."""
        so_far = np.maximum(np.fmax.accumulate(np.nan_to_num(loss_scale)), self._largest_scale)
        self._largest_scale = so_far[-1]
        fell: Floats = np.where(loss_scale < so_far, so_far, np.nan)
        return fell


class _SwitchedOff:
    """Weights behind which there is nothing but outputs that the loss of the moment multiplies by 0, while it has others that count, as a curriculum
    has it: no gradient leaves the loss for them. Where something after the weights holds it back, it arrives at the output."""

    def __init__(self, facts: Facts, rows: Rows) -> None:
        given = sorted({facts.made_by(row) for loss in facts.losses[:1].tolist() for row in facts.inputs[loss]})
        self._outputs = [row for row in given if not ends_in_relu(facts.nodes[row])] if len(given) > 1 else []
        reached = [union(facts.downstream[place] | 1 << place for place in facts.places(row)) for row in rows.tolist()]
        self._leads = np.array([[bool(after >> row & 1) for row in given] for after in reached], np.bool_).reshape(len(rows), len(given))
        self._may_be_off = np.array([row in self._outputs for row in given], np.bool_)
        self._given = given

    def feed(self, block: Block) -> Bools:
        """Whether it is so, [rows, c]."""
        gradient = block.column("l2_norm", "gradient")[self._given]
        on = (gradient != 0) | ~self._may_be_off[:, None]
        found: Bools = self._leads.any(axis=1, keepdims=True) & ~(self._leads[:, :, None] & on).any(1)
        return found


class _Ever:
    """Whether something was ever so."""

    def __init__(self) -> None:
        self._so_far: Bools = np.zeros(1, np.bool_)

    def feed(self, holds: Bools) -> Bools:
        """Whether it is so at a capture or was at one before; captures are the last axis."""
        ever = np.logical_or.accumulate(holds, axis=-1) | self._so_far
        self._so_far = ever[..., -1:]
        return ever


_FIND_OVERFLOW = "Find what overflows or is undefined, forward or backward: other findings, or the first node with NaN or Inf, show it."
_APPLY_ALL = "weights = self.trainable_weights\nself.optimizer.apply(tape.gradient(loss, weights), weights)"


def _words_of_no_update(episode: Episode, dtype: str) -> Words:
    """Whether steps are skipped, or there is no gradient, or it is the optimizer that makes nothing of one, or the type of the weights."""
    said = f"The optimizer has changed none of these weights since step {episode.first_step:,}."
    gradient, scale = episode.evidence["gradient_norm"], episode.evidence["loss_scale"]
    if are_skipped(episode.evidence):
        skipped = "Its steps are skipped, as gradients aren't finite" + ("." if np.isnan(scale) else f" (loss scale {number(scale)}).")
        return Words(f"{said} {skipped}", _FIND_OVERFLOW)
    if gradient == 0:
        return Words(
            f"{said} Its gradient is exactly 0.",
            "Look for dead units, a multiplication by 0 or a cut graph between these weights and the loss, and for weights of examples that are 0.",
        )
    idle = f"Its gradient isn't 0 (L2 norm {number(gradient)})."
    if dtype in ROUNDED:
        return Words(
            f"{said} {idle} They are {dtype} numbers: a step of less than a {ROUNDED[dtype]}th of one is rounded away.",
            f"Keep weights in float32 and compute with them in {dtype}, or take larger steps:",
            f'keras.config.set_dtype_policy("mixed_{dtype}")',
        )
    return Words(
        f"{said} {idle}",
        "Check the learning rate, its schedule, and over how many steps gradients are accumulated; in a step of your own, that it assigns to the"
        " weights, and that nothing puts them back after it:",
        "weight.assign_sub(rate * gradient)  # and not weight = weight - rate * gradient",
    )


def _words_of_one_step(facts: Facts, index: int, episode: Episode) -> Words:
    """Recurrent weights that nothing is multiplied by, while those that multiply what comes in learn."""
    place = facts.places(index)[0]
    if facts.nodes[place].class_name.endswith("Cell"):
        return Words(
            f"The optimizer has changed none of these weights since step {episode.first_step:,}. Its gradient is exactly 0, and that of the weights"
            " beside it isn't: they multiply the state that the cell is given, and that is 0 at each call.",
            f"Hand on the state that it gave{location(facts, place)}:",
            "output, states = self.cell(x[:, step], states)",
        )
    return Words(
        f"The optimizer has changed none of these weights since step {episode.first_step:,}. Its gradient is exactly 0, and that of the weights"
        " beside it isn't: they multiply the state before each time step, and the loss depends on the first one alone, before which it is 0.",
        f"Give it all time steps, and read the last one{location(facts, facts.places(index)[0])}:",
        "x = states[:, -1]  # and not states[:, 0], nor a reshape to a single step",
    )


def are_skipped(evidence: Mapping[str, object]) -> bool:
    """Whether the optimizer skips the steps, as gradients aren't finite."""
    seen = {name: value for name, value in evidence.items() if isinstance(value, float)}
    update, gradient = (seen.get(name, np.nan) for name in ("update_norm", "gradient_norm"))
    fell = seen.get("loss_scale", np.nan) < 1 or seen.get("scale_fell_from", 0.0) > 0
    return not np.isnan(update) and bool(np.isnan(gradient) or fell)


def _beside(name: str) -> str:
    """The weights that multiply what comes in where others multiply the state; "": these are no others."""
    layer, _, own = name.rpartition("/")
    return f"{layer}/kernel" if own == "recurrent_kernel" else ""


def _beside_input(facts: Facts, variable: int) -> str:
    """The weights that multiply the state of a recurrent layer beside those that multiply what comes in, where nothing is recorded to come in but a
    state: a decoder may be fed with zeros, and learn from the state alone; "": these are no such ones."""
    layer, _, own = facts.names[variable].rpartition("/")
    place = facts.places(variable)[0]
    states = [len(facts.nodes[source].shape or ()) == 2 for source in facts.inputs[place]]
    is_fed_with_zeros = own == "kernel" and facts.nodes[place].class_name in RECURRENT and bool(states) and all(states)
    return f"{layer}/recurrent_kernel" if is_fed_with_zeros else ""


def _is_share_of_one(facts: Facts, variable: int) -> bool:
    """Whether the layer of a weight ends in a softmax over a single unit."""
    return all(facts.nodes[place].activation == "softmax" and (facts.nodes[place].shape or (0,))[-1] == 1 for place in facts.places(variable))


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
    weights read, so that no gradient is taken that far, or of one that losses depend on, while others are changed in vain. Whether it was trained
    before its vectors tell, or where it has none its numbers."""
    owner = facts.owners[variable]
    if owner is None or not facts.has_no_optimizer(variable, "update"):
        return False
    changing, calls = facts.changing, facts.calls.get(owner, (owner,))
    judges = any(facts.is_recorded(call, "gradient") and facts.upstream[call] & changing for call in calls)
    if (facts.trained_in_vain or _changes_vectors_only(facts)) and facts.is_recorded(owner, "gradient") and facts.reaches_loss(owner):
        return True
    return judges or all(facts.reason(call, "gradient") == "nothing_trained" and facts.downstream[call] & changing for call in calls)


def _changes_vectors_only(facts: Facts) -> bool:
    """Whether an optimizer is given vectors and no kernel, as where a trained network is tuned by its biases."""
    changed = [row for row in facts.variables.tolist() if facts.is_recorded(row, "update")]
    return bool(changed) and all(len(facts.nodes[row].shape or ()) < 2 for row in changed)


def _has_vectors(facts: Facts, variable: int) -> bool:
    owner = facts.owners[variable]
    return owner is not None and any(len(facts.nodes[own].shape or ()) == 1 for own in facts.owned[owner])


def are_drawn_evenly(low: Floats, high: Floats, rms: Floats) -> Bools:
    """Whether weights look as one of Keras' usual initializers leaves them at the first of some captures, [rows, 1]."""
    end = np.maximum(-low, high)[:, :1]
    evenly: Bools = (np.abs(low + high)[:, :1] < EVENLY * end) & (np.abs(np.sqrt(3) * rms[:, :1] - end) < EVENLY * end)
    return evenly


def _tells_by_standing_still(facts: Facts, variable: int) -> bool:
    node = facts.nodes[variable]
    shape = node.shape or ()
    return (len(shape) >= 2 and not node.name.endswith("bias")) or (shape not in ((), (1,)) and _is_no_weight(facts, variable))


def _is_no_weight(facts: Facts, variable: int) -> bool:
    """Whether it is a `tf.Variable` that could be trained, and that Keras doesn't count among the weights of the layer that keeps it."""
    return facts.reason(variable, "update") == "not_a_weight" and is_float(facts.nodes[variable].dtype)


def _alternatives(facts: Facts, rows: Rows) -> list[list[int]]:
    """Groups of positions among ``rows`` of variables that do the same side by side."""
    groups: dict[object, list[int]] = {}
    for position, row in enumerate(rows.tolist()):
        place, node = facts.places(row)[0], facts.nodes[row]
        key = node.name.rsplit("/", 1)[-1], node.shape, facts.nodes[place].class_name, facts.inputs[place], facts.consumers[place]
        groups.setdefault(key, []).append(position)
    return [group for group in groups.values() if len(group) >= SIDE_BY_SIDE]


def _column(answers: Iterable[bool]) -> Bools:
    """One answer for each row, [rows, 1]."""
    return np.array(list(answers), np.bool_)[:, None]
