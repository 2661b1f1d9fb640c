"""The rules there are: those that come with tb_activations, and those that users write.

The one invariant: `all_rules` is the one list; whoever evaluates a run takes its rules from there. A rule of a user that raises is left out with a
problem and disturbs no other.

    @tb_activations.rule("negative_mean", quantity="value", statistic="mean", kinds=("layer",), sentence="The mean is {mean}.")
    def negative_mean(statistics):
        return statistics["mean"] < -5
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.activations import ExplodingActivation, SaturatedActivation
from tb_activations.diagnosis.block import Block
from tb_activations.diagnosis.clips import CutOff
from tb_activations.diagnosis.collapse import CollapsedOutput
from tb_activations.diagnosis.dead_units import DeadUnits
from tb_activations.diagnosis.episodes import Episode, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import SEVERITIES, Severity
from tb_activations.diagnosis.functions import InnerFunction
from tb_activations.diagnosis.gradients import ExplodingGradient, MissingGradient, VanishingGradient
from tb_activations.diagnosis.incoming import ConstantInput, UnnormalizedInput
from tb_activations.diagnosis.initialization import PoorInitialization
from tb_activations.diagnosis.judge_won import JudgeWon
from tb_activations.diagnosis.left_frozen import LeftFrozen
from tb_activations.diagnosis.losses import ExplodingLoss, OscillatingLoss
from tb_activations.diagnosis.noise import DrownedCode, HeavyDropout
from tb_activations.diagnosis.nonfinite import Nonfinite
from tb_activations.diagnosis.out_of_range import TargetsOutOfRange
from tb_activations.diagnosis.outputs import OutputMismatch
from tb_activations.diagnosis.penalty import PenaltyTooStrong
from tb_activations.diagnosis.precision import HalfOverflow, HalfUnderflow, LossScaleThrash
from tb_activations.diagnosis.rule import NodeRule, Observation, Rule, Words, number
from tb_activations.diagnosis.several_losses import LossOutweighs
from tb_activations.diagnosis.targets import ConstantTargets
from tb_activations.diagnosis.unchanged import UnchangedWeights
from tb_activations.diagnosis.updates import UpdateTooLarge, UpdateTooSmall
from tb_activations.diagnosis.validation import BatchNormDrift, OtherValidationData
from tb_activations.errors import ArgumentError
from tb_activations.store.schema import COUNTS, QUANTITIES, STATISTICS, Kind, Quantity

__all__ = ["BUILT_IN", "all_rules", "rule", "user_rules"]

BUILT_IN: tuple[Rule, ...] = (
    Nonfinite(),
    ConstantInput(),
    UnnormalizedInput(),
    PoorInitialization(),
    OutputMismatch(),
    TargetsOutOfRange(),
    ConstantTargets(),
    LossOutweighs(),
    JudgeWon(),
    HeavyDropout(),
    DeadUnits(),
    SaturatedActivation(),
    CutOff(),
    ExplodingActivation(),
    CollapsedOutput(),
    DrownedCode(),
    VanishingGradient(),
    ExplodingGradient(),
    PenaltyTooStrong(),
    MissingGradient(),
    UnchangedWeights(),
    LeftFrozen(),
    InnerFunction(),
    UpdateTooLarge(),
    UpdateTooSmall(),
    ExplodingLoss(),
    OscillatingLoss(),
    HalfOverflow(),
    HalfUnderflow(),
    LossScaleThrash(),
    BatchNormDrift(),
    OtherValidationData(),
)
"""In the order in which causes come before consequences, as far as there is one."""

_registered: dict[str, Rule] = {}

Condition = Callable[[Mapping[str, npt.NDArray[np.float32]]], Any]


def all_rules() -> tuple[Rule, ...]:
    """The rules that come with tb_activations, then those of the user in the order of their registration."""
    return (*BUILT_IN, *_registered.values())


def user_rules() -> tuple[Rule, ...]:
    """The rules that were registered in this process."""
    return tuple(_registered.values())


def rule(
    name: str,
    *,
    title: str = "",
    quantity: Quantity = "value",
    statistic: str = "mean",
    kinds: Sequence[Kind] = ("layer", "op", "probe"),
    severity: Severity = "warning",
    captures: int = 3,
    steps: int = 10,
    sentence: str = "",
    remedy: str = "",
    code: str = "",
) -> Callable[[Condition], Condition]:
    """Registers a function as a rule. It is then evaluated with the others, in this process.

    The function gets a mapping from the names of `STATISTICS` and `COUNTS` to arrays [nodes, captures] and returns bool [nodes, captures].

    Args:
      name: lower case with underscores; a second rule of the same name replaces the first.
      title: a few words for a list; made from the name when empty.
      quantity, statistic: what the finding points at.
      kinds: the kinds of nodes that it is asked for.
      severity: one of `SEVERITIES`.
      captures, steps: how many captures in a row, and over how many train steps, before it is told.
      sentence, remedy, code: what to say; ``{node}`` and any statistic in braces are filled in.
    """
    _check(name, quantity, statistic, kinds, severity, captures, steps)
    for argument, text in (("title", title), ("sentence", sentence), ("remedy", remedy), ("code", code)):
        if not isinstance(text, str):
            raise ArgumentError(f"Expected a text. Received: {argument}={text!r}")
    words = Words(sentence or f"{title or name} holds since step {{first_step}}.", remedy, code)

    def register(condition: Condition) -> Condition:
        if not callable(condition):
            raise ArgumentError(f"Expected a function of the statistics. Received: {condition!r}. Write @rule({name!r}) above a `def`.")
        _registered[name] = _UserRule(
            name, title or name.replace("_", " ").capitalize(), severity, quantity, statistic, kinds, (captures, steps), words, condition
        )
        return condition

    return register


def _check(name: str, quantity: str, statistic: str, kinds: Sequence[str], severity: str, captures: int, steps: int) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise ArgumentError(f"Expected a name in lower case with underscores. Received: name={name!r}")
    if name in {built_in.name for built_in in BUILT_IN}:
        raise ArgumentError(f"Expected a name that no rule of tb_activations has. Received: name={name!r}")
    for argument, value, allowed in (
        ("quantity", quantity, QUANTITIES),
        ("statistic", statistic, (*STATISTICS, *COUNTS)),
        ("severity", severity, SEVERITIES),
    ):
        if value not in allowed:
            raise ArgumentError(f"Expected {argument} to be one of {', '.join(allowed)}. Received: {argument}={value!r}")
    known = get_args(Kind)
    if isinstance(kinds, str) or not kinds or not all(kind in known for kind in kinds):
        raise ArgumentError(f"Expected kinds to be a sequence of {', '.join(known)}. Received: kinds={kinds!r}")
    if not (type(captures) is int and type(steps) is int) or captures < 1 or steps < 0:
        raise ArgumentError(f"Expected ints: captures of 1 or more and steps of 0 or more. Received: captures={captures!r}, steps={steps!r}")


class _UserRule(NodeRule):
    """A function of a user as a rule. What it returns is checked, for it is not ours."""

    definition = "A rule of the user."

    def __init__(
        self, name: str, title: str, severity: Severity, quantity: Quantity, statistic: str, kinds: Sequence[Kind], persistence: tuple[int, int],
        words: Words, condition: Condition,
    ) -> None:  # fmt: skip
        self.name, self.title, self.severity, self.quantity, self.statistic = name, title, severity, quantity, statistic  # type: ignore[misc]
        self.persistence = Persistence(*persistence)  # type: ignore[misc]
        self._kinds, self._words, self._condition = tuple(kinds), words, condition

    def select(self, facts: Facts) -> npt.NDArray[np.int64]:
        return facts.select(lambda node: node.kind in self._kinds)

    def observe(self, facts: Facts, rows: npt.NDArray[np.int64]) -> Callable[[Block], Observation]:
        def look(block: Block) -> Observation:
            statistics = _Statistics(block, rows, self.quantity)
            known = block.recorded(self.quantity)[rows]
            holds = np.asarray(self._condition(statistics))
            if holds.shape != known.shape or holds.dtype != bool:
                raise ArgumentError(f"Expected {self.name} to return bool {known.shape}. Received: {holds.dtype} {holds.shape}")
            return Observation(holds & known, known, dict(statistics.seen))

        return look

    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        values = {name: number(value) for name, value in episode.evidence.items()}
        values |= {"node": facts.names[index], "first_step": f"{episode.first_step:,}"}
        return Words(*(_fill(text, values) for text in self._words))


class _Statistics(Mapping[str, "npt.NDArray[np.float32]"]):
    """The statistics of some nodes, read when they are asked for."""

    def __init__(self, block: Block, rows: npt.NDArray[np.int64], quantity: Quantity) -> None:
        self._block, self._rows, self._quantity = block, rows, quantity
        self.seen: dict[str, npt.NDArray[np.float32]] = {}

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        if name not in (*STATISTICS, *COUNTS):
            raise KeyError(name)
        return self.seen.setdefault(name, self._block.column(name, self._quantity)[self._rows])

    def __iter__(self) -> Iterator[str]:
        return iter((*STATISTICS, *COUNTS))

    def __len__(self) -> int:
        return len(STATISTICS) + len(COUNTS)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)
