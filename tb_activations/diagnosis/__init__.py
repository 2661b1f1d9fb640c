"""From numbers to answers: rules over the statistics of a run.

The one invariant: nothing here writes, and nothing here needs a tensor library. `evaluate` looks at a run once, `Diagnosis` again and again while it
grows.
"""

from __future__ import annotations

from tb_activations.diagnosis.engine import Diagnosis, evaluate
from tb_activations.diagnosis.finding import SEVERITIES, Finding, QuietRule, Report, Severity
from tb_activations.diagnosis.rules import all_rules, rule
from tb_activations.store.run import Run

__all__ = ["SEVERITIES", "Diagnosis", "Finding", "QuietRule", "Report", "Severity", "all_rules", "evaluate", "find", "rule"]


def find(run: Run) -> tuple[Finding, ...]:
    """The findings of ``run`` as it is now."""
    return evaluate(run).findings
