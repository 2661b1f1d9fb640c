"""Findings in a terminal, while training runs.

The one invariant: whatever goes wrong, what is printed stays short. What is wrong in the same way at many nodes is one block, what to try stands
once, and after `MOST_PRINTED` blocks one line says where the others are.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Hashable, Sequence

from tb_activations.diagnosis.finding import Finding

__all__ = ["MOST_PRINTED", "Printer"]

MOST_PRINTED = 20
"""Blocks that are printed of one run."""

_MORE = "tb_activations: further findings are not printed. The Findings tab of TensorBoard and `tb-activations findings LOGDIR` show them."

_WIDTH = 110
"""Columns of a block."""

_NAMED = 5
"""Nodes of a block, beside its first, that are named."""


class Printer:
    """Prints the findings of one run to stderr."""

    def __init__(self) -> None:
        self._printed = 0
        self._remedies: set[str] = set()

    def __call__(self, findings: Sequence[Finding]) -> None:
        """Prints findings that are new."""
        alike: dict[Hashable, list[Finding]] = {}
        for finding in findings:
            alike.setdefault(_kind(finding), []).append(finding)
        for first, *others in alike.values():
            self._printed += 1
            if self._printed <= MOST_PRINTED + 1:
                print(f"\n{self._block(first, others) if self._printed <= MOST_PRINTED else _MORE}", file=sys.stderr, flush=True)

    def _block(self, first: Finding, others: Sequence[Finding]) -> str:
        """The first of findings that are alike, with what to try unless it was printed, and where the others are."""
        lines = [f"tb_activations {first.severity}: {first.title} at {first.node or 'the run'} ({first.quantity})"]
        if first.consequence_of is not None:
            lines[0] += f" since step {first.first_step:,}, likely a consequence of {first.consequence_of}"
        else:
            is_new = first.remedy not in self._remedies
            self._remedies.add(first.remedy)
            lines.append(_filled(f"{first.sentence} {first.remedy if is_new else ''}".strip()))
            lines += (f"        {line}" for line in first.code.splitlines() if is_new)
        return "\n".join([*lines, *_elsewhere(others)])


def _kind(finding: Finding) -> Hashable:
    """What findings that are printed as one have in common."""
    return finding.rule, finding.severity, finding.quantity, finding.consequence_of, finding.remedy, finding.code


def _elsewhere(others: Sequence[Finding]) -> list[str]:
    if not others:
        return []
    names = [finding.node for finding in others]
    more = len(names) - _NAMED
    return [_filled(f"Also at {', '.join(names[:_NAMED])}{f' and {more} more' if more > 0 else ''}.")]


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
