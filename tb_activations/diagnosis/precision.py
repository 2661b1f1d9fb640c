"""Rules about number formats with a short range: float16 that overflows or underflows, and a loss scale that finds no rest.

The one invariant: an overflow now and then is how a dynamic loss scale works; only one that doesn't end, or that the forward pass has, is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.kinds import is_of_users
from tb_activations.diagnosis.rule import NodeRule, Observation, Words, location, number, percent

__all__ = ["HalfOverflow", "HalfUnderflow", "LossScaleThrash"]

Rows = npt.NDArray[np.int64]
Observe = Callable[[Block], Observation]


class HalfOverflow(NodeRule):
    """float16 values at the end of their range."""

    name, title = "float16_overflow", "float16 overflow"
    definition = (
        "A float16 value is +Inf, or within a factor of 2 of 65,504, the largest float16; or a layer of a user gives hardly anything but 0, although"
        " what comes in isn't 0, and the square of it is beyond."
    )
    reference = "Micikevicius et al. 2018, Mixed Precision Training"
    severity, statistic = "error", "max"
    persistence = Persistence(captures=2, steps=0)

    NEAR = 32752.0
    """Half of the largest float16."""
    LARGEST = 65504.0
    LOST = 0.9
    """Share of zeros in what a layer makes of numbers whose squares overflow: numbers over infinity are 0."""
    GIVEN = 0.5
    """Share of zeros that may come in."""

    def select(self, facts: Facts) -> Rows:
        """float16 nodes."""
        return facts.select(lambda node: node.dtype == "float16" and node.kind in ("layer", "op", "probe", "input"))

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Looks upwards only: large negative numbers are masks. What overflows inside of a layer is seen by what is left of it."""
        inside = [(position, facts.inputs[row][0]) for position, row in enumerate(rows.tolist()) if _may_divide(facts, row)]
        positions, sources = np.array(inside, np.int64).reshape(-1, 2).T

        def look(block: Block) -> Observation:
            largest, infinite = block.column("max")[rows], np.nan_to_num(block.column("pos_inf_count")[rows])
            squared = np.full(largest.shape, np.nan, np.float32)
            given = np.maximum(block.column("max")[sources], -block.column("min")[sources]) ** 2
            zeros = block.column("zero_fraction")
            lost = (given > self.LARGEST) & (zeros[rows[positions]] >= self.LOST) & (zeros[sources] <= self.GIVEN)
            squared[positions] = np.where(lost, given, np.nan)
            holds = (infinite > 0) | (largest > self.NEAR) | ~np.isnan(squared)
            return Observation(holds, block.recorded()[rows], {"max": largest, "pos_inf_count": infinite, "largest_square": squared})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How much is beyond."""
        infinite, squared = episode.evidence["pos_inf_count"], episode.evidence["largest_square"]
        if squared > 0:
            return Words(
                f"It gives hardly anything but 0 since step {episode.first_step:,}: the squares of what comes in go to {number(squared)}, float16"
                " ends at 65,504, and a number over infinity is 0.",
                f"Compute this layer{location(facts, index)} in float32, or normalize what comes in:",
                'x = keras.ops.cast(x, "float32")',
            )
        what = f"{infinite:,.0f} elements are +Inf" if infinite else f"Its largest element is {number(episode.evidence['max'])}"
        return Words(
            f"{what} since step {episode.first_step:,}; float16 ends at 65,504.",
            f"Compute this layer{location(facts, index)} in float32 or bfloat16, or normalize what comes in:",
            'keras.layers.Dense(units, dtype="float32")',
        )


def _may_divide(facts: Facts, row: int) -> bool:
    """Whether a node is a layer of a user without weights, of one input."""
    node = facts.nodes[row]
    return node.kind == "layer" and is_of_users(node.class_name) and len(facts.inputs[row]) == 1 and row not in facts.owned


class HalfUnderflow(NodeRule):
    """Gradients that sink below the smallest float16."""

    name, title = "float16_underflow", "float16 underflow"
    definition = "Nine tenths of a float16 gradient that isn't 0 are subnormal; or all of it is 0 where it enters float16, although the loss isn't."
    reference = "Micikevicius et al. 2018, Mixed Precision Training, section 3.2"
    severity, quantity, statistic = "warning", "gradient", "subnormal_fraction"

    persistence = Persistence(captures=4, steps=0)
    """A matter of formats, not of learning, so it need not last for many steps; the small last batch of an epoch has larger gradients."""

    SHARE = 0.9
    """Share of the elements that are not 0. Half of them are subnormal where their root mean square is 9e-5; then the usual one has all eleven digits
    (base 2) or ten, and next to none is 0: trainings don't mind."""

    def select(self, facts: Facts) -> Rows:
        """float16 nodes."""
        return facts.select(lambda node: node.dtype == "float16" and node.kind != "loss")

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Compares subnormal elements with those that are not 0, and where there are none looks at what came from the loss.

        Where a head in float32 follows, the gradient enters float16 before it. A head of zeros hands nothing back either.
        """
        entries = _entries(facts, rows)
        losses = facts.losses[:1]

        def look(block: Block) -> Observation:
            subnormal, zero = block.column("subnormal_fraction", "gradient")[rows], block.column("zero_fraction", "gradient")[rows]
            loss = block.column("mean")[losses] if len(losses) else np.zeros((1, len(block.steps)))
            holds = subnormal > self.SHARE * np.maximum(1 - zero, 1e-6)
            value, gradient = block.column("l2_norm"), block.column("l2_norm", "gradient")
            for position, heads in entries.items():
                handed_back = ((value[heads] > 0) & (gradient[heads] > 0)).all(0)
                holds[position] |= handed_back & (zero[position] == 1) & (loss[0] > 0) & ~block.progress
            scale = np.broadcast_to(block.loss_scale, zero.shape)
            return Observation(holds, ~np.isnan(subnormal), {"subnormal_fraction": subnormal, "zero_fraction": zero, "loss_scale": scale})

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How much is lost, and whether a loss scale is there already."""
        seen = episode.evidence
        remedy = (
            f"The loss scale of {number(seen['loss_scale'])} is too small: begin with a larger one, or use bfloat16:"
            if seen["loss_scale"] > 1
            else "Use a loss scale (Keras adds one where mixed_float16 is the policy of the model itself, not of its layers only), or bfloat16:"
        )
        small, none = percent(seen["subnormal_fraction"]), percent(seen["zero_fraction"])
        lost = (
            f"{small} of its gradient is below 6e-5, where float16 loses digits, and {none} is 0,"
            if seen["zero_fraction"] < 1
            else "All of its gradient is 0"
        )
        return Words(
            f"{lost} since step {episode.first_step:,}.",
            remedy,
            'keras.config.set_dtype_policy("mixed_bfloat16")',
        )


def _entries(facts: Facts, rows: Rows) -> dict[int, list[int]]:
    """Positions among float16 ``rows`` of the layers where gradients enter float16, each with the kernels after it."""
    half = union(1 << row for row in rows.tolist())
    found = {}
    for position, row in enumerate(rows.tolist()):
        if facts.nodes[row].kind == "layer" and (facts.is_output(row) or not facts.downstream[row] & half):
            places = {kernel: facts.places(kernel)[0] for kernel in facts.kernels.tolist()}
            found[position] = [kernel for kernel, place in places.items() if place != row and facts.downstream[row] >> place & 1]
    return found


class LossScaleThrash(NodeRule):
    """A loss scale that keeps being halved."""

    name, title = "loss_scale_thrash", "Loss scale thrash"
    definition = (
        "Gradients overflow again and again, so the loss scale falls below 1, or to 1/1,024 of what it was; or it rises and falls again more often"
        " than once in ten steps, and each fall is a step that is skipped."
    )
    reference = "Micikevicius et al. 2018, section 3.2"
    severity, statistic = "error", "loss_scale"
    persistence = Persistence(captures=3, steps=0)

    FALL = 2.0**-10
    """Of the largest scale so far. A dynamic scale starts at 32,768 and settles within a few halvings."""
    USUAL = 2.0**15
    """What a dynamic scale starts at if nobody says otherwise. One that is still larger began too high."""
    LENGTH = 30
    """Captures that are looked at for falls."""
    FALLS = 5
    """Falls among them that each came after a rise. A scale that settles only falls, and one that is raised after 2,000 steps falls once."""
    RATE = 0.1
    """The same, per step."""

    def select(self, facts: Facts) -> Rows:
        """The loss."""
        return facts.losses[:1]

    def observe(self, facts: Facts, rows: Rows) -> Observe:
        """Remembers the largest scale, and when it fell."""
        largest = np.float32(0)
        swings = _Swings(self.LENGTH)

        def look(block: Block) -> Observation:
            nonlocal largest
            scale = block.loss_scale[None]
            falls, span = swings.feed(block.steps, block.loss_scale)
            swinging = ((falls >= self.FALLS) & (falls > self.RATE * span))[None]
            so_far = np.maximum(np.fmax.accumulate(scale[0]), largest)
            largest = so_far[-1] if np.isfinite(so_far[-1]) else largest
            evidence = {"loss_scale": scale, "largest": so_far[None], "falls": np.where(swinging, falls, 0), "steps": span[None]}
            return Observation((scale < 1) | (scale <= self.FALL * so_far) | swinging, ~np.isnan(scale), evidence)

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """How far it fell."""
        seen = episode.evidence
        if seen["falls"]:
            return Words(
                f"The loss scale swings near {number(seen['loss_scale'])}: it rose and fell again {seen['falls']:.0f} times in the"
                f" {seen['steps']:.0f} steps before, and at each fall a step was skipped.",
                "Let it wait longer before it grows, as the default of 2,000 steps does:",
                "keras.optimizers.LossScaleOptimizer(optimizer, dynamic_growth_steps=2000)",
            )
        fell = f"The loss scale fell from {number(seen['largest'])} to {number(seen['loss_scale'])}:"
        if seen["loss_scale"] > self.USUAL:
            return Words(
                f"{fell} gradients overflow float16 at larger ones, and those steps were skipped.",
                "Let it begin where most trainings can take a step:",
                f"keras.optimizers.LossScaleOptimizer(optimizer, initial_scale={self.USUAL:.0f})",
            )
        return Words(
            f"{fell} gradients overflow float16 whatever the scale, and their steps are skipped.",
            "Find what overflows in the forward pass, or use bfloat16, which needs no scale:",
            'keras.config.set_dtype_policy("mixed_bfloat16")',
        )


class _Swings:
    """Counts how often a loss scale fell after it had risen, over the last captures."""

    def __init__(self, length: int) -> None:
        self._recent: deque[tuple[int, bool]] = deque(maxlen=length)
        self._falls = 0
        self._last, self._rose = np.nan, False

    def feed(self, steps: npt.NDArray[np.int64], scales: Floats) -> tuple[Floats, Floats]:
        """The number of such falls up to each capture, [c], and over how many steps, [c]."""
        falls, span = np.zeros(len(steps), np.float32), np.zeros(len(steps), np.float32)
        for capture, (step, scale) in enumerate(zip(steps.tolist(), scales.tolist(), strict=True)):
            fell = self._rose and scale < self._last
            gone = len(self._recent) == self._recent.maxlen and self._recent[0][1]
            self._recent.append((step, fell))
            self._falls += fell - gone
            self._rose = scale > self._last or (self._rose and not scale < self._last)
            self._last = self._last if np.isnan(scale) else scale
            falls[capture], span[capture] = self._falls, step - self._recent[0][0]
        return falls, span
