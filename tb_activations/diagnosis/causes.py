"""Which finding likely follows from which.

The one invariant: a cause began no later than its consequence and stands where its effect can arrive: forward along the data for values, against it
for gradients. A link is a likelihood, never a claim: nothing here is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import Finding

__all__ = ["link_consequences"]

Relation = Literal["before", "after", "beside", "anywhere"]
"""Where the cause stands seen from its consequence: before it or at it in the data flow, after it or at it, either, or anywhere."""

_SIZES: Mapping[str, Relation] = {"exploding_gradient": "anywhere", "exploding_activation": "anywhere", "update_too_large": "anywhere"}
_BEGINNINGS: Mapping[str, Relation] = {"constant_input": "before", "unnormalized_input": "before", "poor_initialization": "before"}

CAUSES: Mapping[str, Mapping[str, Relation]] = {
    "nonfinite": {
        **_SIZES,
        "poor_initialization": "anywhere",
        "unnormalized_input": "anywhere",
        "exploding_loss": "anywhere",
        "float16_overflow": "anywhere",
    },
    "float16_overflow": {**_BEGINNINGS, **_SIZES, "float16_overflow": "before", "exploding_activation": "before"},
    "dead_units": {**_BEGINNINGS, **_SIZES, "dead_units": "before", "exploding_loss": "anywhere", "oscillating_loss": "anywhere"},
    "saturated_activation": {**_BEGINNINGS, **_SIZES, "saturated_activation": "before", "exploding_loss": "anywhere", "oscillating_loss": "anywhere"},
    "exploding_activation": {**_BEGINNINGS, "exploding_activation": "before", "exploding_gradient": "anywhere", "update_too_large": "anywhere"},
    "collapse": {
        **_BEGINNINGS,
        "vanishing_gradient": "anywhere",
        "dead_units": "before",
        "saturated_activation": "before",
        "exploding_activation": "anywhere",
        "update_too_large": "anywhere",
    },
    "vanishing_gradient": {
        "dead_units": "anywhere",
        "saturated_activation": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_activation": "anywhere",
        "update_too_large": "anywhere",
        "unnormalized_input": "anywhere",
    },
    "exploding_gradient": {
        "unnormalized_input": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_activation": "anywhere",
        "update_too_large": "anywhere",
        "exploding_loss": "anywhere",
    },
    "unchanged_weights": {
        "constant_input": "before",
        "dead_units": "beside",
        "saturated_activation": "beside",
        "poor_initialization": "anywhere",
        "missing_gradient": "beside",
        "vanishing_gradient": "beside",
        "collapse": "anywhere",
        "nonfinite": "anywhere",
        "loss_scale_thrash": "anywhere",
    },
    "update_too_small": {
        "dead_units": "anywhere",
        "saturated_activation": "anywhere",
        "vanishing_gradient": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_activation": "anywhere",
        "collapse": "anywhere",
    },
    "update_too_large": {"poor_initialization": "anywhere", "exploding_gradient": "anywhere", "unnormalized_input": "anywhere"},
    "exploding_loss": {**_SIZES, "unnormalized_input": "anywhere", "poor_initialization": "anywhere", "nonfinite": "anywhere"},
    "oscillating_loss": {**_SIZES, "unnormalized_input": "anywhere", "poor_initialization": "anywhere", "exploding_loss": "anywhere"},
    "loss_scale_thrash": {"float16_overflow": "anywhere", "nonfinite": "anywhere", "poor_initialization": "anywhere", **_SIZES},
    "float16_underflow": {"vanishing_gradient": "beside", "dead_units": "anywhere", "saturated_activation": "anywhere"},
}
"""Consequence -> its possible causes -> where they stand."""

_RANK = {
    rule: rank
    for rank, rule in enumerate(
        [
            "constant_input",
            "unnormalized_input",
            "poor_initialization",
            "missing_gradient",
            "float16_overflow",
            "exploding_activation",
            "exploding_gradient",
            "update_too_large",
            "saturated_activation",
            "dead_units",
            "vanishing_gradient",
            "collapse",
            "nonfinite",
            "loss_scale_thrash",
            "float16_underflow",
            "unchanged_weights",
            "update_too_small",
            "exploding_loss",
            "oscillating_loss",
        ]
    )
}
"""Of two findings that begin at the same step, which comes first as a cause. It also keeps two findings from being each other's cause."""


def link_consequences(findings: Sequence[Finding], facts: Facts) -> list[Finding]:
    """The findings, in the same order, each with its cause among the others."""
    index = {name: position for position, name in enumerate(facts.names)}
    return [replace(finding, consequence_of=_name(_cause_of(finding, findings, facts, index))) for finding in findings]


def _cause_of(finding: Finding, findings: Sequence[Finding], facts: Facts, index: Mapping[str, int]) -> Finding | None:
    """The earliest finding that may have brought it about."""
    candidates = [other for other in findings if _precedes(other, finding, index) and _stands(other, finding, facts, index)]
    return min(candidates, key=lambda other: _order(other, index), default=None)


def _precedes(cause: Finding, effect: Finding, index: Mapping[str, int]) -> bool:
    return cause.rule in CAUSES.get(effect.rule, ()) and cause is not effect and _order(cause, index) < _order(effect, index)


def _order(finding: Finding, index: Mapping[str, int]) -> tuple[int, int, int]:
    return finding.first_step, _RANK.get(finding.rule, len(_RANK)), index.get(finding.node, -1)


def _stands(cause: Finding, effect: Finding, facts: Facts, index: Mapping[str, int]) -> bool:
    relation = CAUSES[effect.rule][cause.rule]
    if relation == "anywhere":
        return True
    one, two = index.get(cause.node), index.get(effect.node)
    if one is None or two is None:
        return False
    return (relation in ("before", "beside") and facts.depends(two, one)) or (relation in ("after", "beside") and facts.depends(one, two))


def _name(cause: Finding | None) -> str | None:
    return None if cause is None else f"{cause.rule} at {cause.node}"
