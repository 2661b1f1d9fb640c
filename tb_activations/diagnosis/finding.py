"""What a rule found in a run: one finding, and the report that holds them all.

The one invariant: a finding is identified by (rule, node, quantity, first step); as a run grows, the finding with one identity keeps its place and
its severity, gains a last step when it ends, and is never taken back. Nothing here decides what is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, cast

from tb_activations.store.schema import SEVERITIES, Quantity, RecordedFinding, Severity

__all__ = ["SEVERITIES", "Finding", "Identity", "QuietRule", "Report", "Severity"]


class Identity(NamedTuple):
    """What makes two findings the same one."""

    rule: str
    node: str
    quantity: Quantity
    first_step: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong at a node, in the words of ``docs/http_api.md``.

    Attributes:
      rule: the stable name of the rule.
      title: two to four words for a list row.
      node: name of the node; empty when it concerns the whole run.
      quantity: which quantity of the node shows it.
      statistic: which of its statistics shows it.
      first_step: the first recorded step at which it was so.
      last_step: the last recorded step at which it was so; None while it lasts.
      severity: one of `SEVERITIES`.
      evidence: the numbers it rests on, at the last recorded step at which it was so.
      sentence: what is the case.
      remedy: what to try.
      code: Python to paste; empty when there is none.
      consequence_of: ``"<rule> at <node> since step <first step>"`` of the finding that this one likely follows from, else None.
    """

    rule: str
    title: str
    node: str
    quantity: Quantity
    statistic: str
    first_step: int
    last_step: int | None
    severity: Severity
    evidence: Mapping[str, float | int | str]
    sentence: str
    remedy: str
    code: str = ""
    consequence_of: str | None = None

    @property
    def identity(self) -> Identity:
        """What stays the same while the run grows."""
        return Identity(self.rule, self.node, self.quantity, self.first_step)

    def to_json(self) -> dict[str, Any]:
        """The finding as ``GET /findings`` sends it."""
        return asdict(self)

    def to_record(self) -> RecordedFinding:
        """The finding as a file holds it; what it follows from is found anew whenever it is read."""
        record = asdict(self)
        del record["consequence_of"]
        return cast(RecordedFinding, record)


@dataclass(frozen=True, slots=True)
class QuietRule:
    """A rule that found nothing."""

    rule: str
    title: str


@dataclass(frozen=True, slots=True)
class Report:
    """What all rules say about a run.

    Attributes:
      findings: by severity, but no finding stands below what follows from it; of one severity causes first, then by first step.
      quiet: the rules that found nothing.
      checked_captures: how many captures were looked at.
    """

    findings: tuple[Finding, ...] = ()
    quiet: tuple[QuietRule, ...] = ()
    checked_captures: int = 0
    problems: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The report as ``GET /findings`` sends it, without the run's name."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "quiet": [asdict(rule) for rule in self.quiet],
            "checked_captures": self.checked_captures,
        }

    def worst(self) -> Severity | None:
        """The highest severity among the findings."""
        found = {finding.severity for finding in self.findings}
        return next((severity for severity in reversed(SEVERITIES) if severity in found), None)
