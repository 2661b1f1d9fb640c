"""What a rule is, and what following it through a run looks like.

The one invariant: a rule holds no state; `Rule.watch` makes a fresh `Watch` for one graph, and only that one remembers what it has seen. A watch
looks at every capture once, in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from tb_activations.diagnosis.block import Block, Floats
from tb_activations.diagnosis.episodes import Episode, Episodes, Persistence
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding, Severity
from tb_activations.store.schema import Quantity

__all__ = ["EpisodeWatch", "NodeRule", "Observation", "Rule", "Watch", "Words", "location", "number"]


class Words(NamedTuple):
    """What a finding says: the case, the remedy, and code to paste."""

    sentence: str
    remedy: str
    code: str = ""


class Watch(ABC):
    """One rule followed through one run."""

    _episodes: Episodes

    @abstractmethod
    def update(self, block: Block) -> None:
        """Takes in the next captures."""

    def compare(self, block: Block, facts: Facts) -> None:  # noqa: B027  (most rules look at one run only)
        """Takes in the next captures of the validation run, whose nodes ``facts`` describes."""

    def close(self, step: int) -> None:
        """Ends what still lasts: after ``step`` the graph is another one."""
        self._episodes.close(step)

    @abstractmethod
    def findings(self) -> list[Finding]:
        """Everything found so far, in the order in which it was found."""


class Rule(ABC):
    """One kind of trouble.

    Attributes:
      name: stable, for scripts and files.
      title: two to four words.
      definition: when it is the case, in one sentence.
      reference: where the definition comes from.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    definition: ClassVar[str]
    reference: ClassVar[str] = ""

    @abstractmethod
    def watch(self, facts: Facts) -> Watch:
        """A fresh watch over a run with the graph of ``facts``."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A condition at some nodes over the captures of a block.

    Attributes:
      holds: bool[rows, c].
      known: bool[rows, c], where the condition could be decided.
      evidence: name -> [rows, c].
      urgent: bool[rows, c], where it need not last to be told; None: nowhere.
    """

    holds: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    evidence: Mapping[str, Floats] = field(default_factory=dict)
    urgent: npt.NDArray[np.bool_] | None = None


class NodeRule(Rule):
    """A rule that asks the same question at each of some nodes: is the condition there, and does it last?

    Attributes:
      severity, quantity, statistic: those of its findings, if not said otherwise.
      persistence: how long the condition must last.
    """

    severity: ClassVar[Severity] = "warning"
    quantity: ClassVar[Quantity] = "value"
    statistic: ClassVar[str]
    persistence: ClassVar[Persistence] = Persistence()

    @abstractmethod
    def select(self, facts: Facts) -> npt.NDArray[np.int64]:
        """The nodes to ask about."""

    @abstractmethod
    def observe(self, facts: Facts, rows: npt.NDArray[np.int64]) -> Callable[[Block], Observation]:
        """A function that answers for ``rows`` of one block after the other; it may remember what it saw."""

    @abstractmethod
    def words(self, facts: Facts, index: int, episode: Episode) -> Words:
        """What to say about the node at ``index``."""

    def severity_at(self, facts: Facts, index: int) -> Severity:
        """How bad it is at the node at ``index``."""
        return self.severity

    def statistic_at(self, facts: Facts, index: int) -> str:
        """What shows it best of what is recorded of the node at ``index``."""
        return self.statistic

    def watch(self, facts: Facts) -> Watch:
        """Follows the condition at the selected nodes."""
        return EpisodeWatch(self, facts)


class EpisodeWatch(Watch):
    """Follows a `NodeRule`: one finding per episode."""

    def __init__(self, rule: NodeRule, facts: Facts) -> None:
        self._rule, self._facts = rule, facts
        self._rows = rule.select(facts)
        self._observe = rule.observe(facts, self._rows)
        self._episodes = Episodes(len(self._rows), rule.persistence)
        self._ended: dict[int, Finding] = {}
        """Findings of episodes that are over, by number of the episode: nothing about them changes any more."""

    def update(self, block: Block) -> None:
        """Takes in the next captures."""
        if len(self._rows):
            seen = self._observe(block)
            self._episodes.update(block.steps, seen.holds, seen.known, seen.evidence, seen.urgent)

    def findings(self) -> list[Finding]:
        """One finding for each episode."""
        return [self._ended.get(number) or self._tell(number, episode) for number, episode in enumerate(self._episodes.all)]

    def _tell(self, number: int, episode: Episode) -> Finding:
        finding = self._finding(episode)
        if episode.closed_at is not None:
            self._ended[number] = finding
        return finding

    def _finding(self, episode: Episode) -> Finding:
        rule, index = self._rule, int(self._rows[episode.row])
        words = rule.words(self._facts, index, episode)
        return Finding(
            rule.name,
            rule.title,
            self._facts.names[index],
            rule.quantity,
            rule.statistic_at(self._facts, index),
            episode.first_step,
            episode.end,
            rule.severity_at(self._facts, index),
            {name: value for name, value in episode.evidence.items() if not np.isnan(value)},
            *words[:2],
            code=words.code,
        )


def number(value: float) -> str:
    """``value`` with three significant digits, as the dashboard writes numbers."""
    if value == 0 or not np.isfinite(value):
        return "0" if value == 0 else str(value)
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.2g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def percent(share: float) -> str:
    """A share as a percentage. Less than all is never written as 100 %."""
    value = share * 100
    return f"{value:.0f} %" if value in (0, 100) or 1 <= value < 99 else f"{value:.1f} %" if value < 99.95 else "99.9 %"


def location(facts: Facts, index: int) -> str:
    """`` at model.py:42`` when the user's line is known, else nothing."""
    source = facts.nodes[index].source
    return f" at {source.file.rsplit('/', 1)[-1]}:{source.line}" if source is not None else ""
