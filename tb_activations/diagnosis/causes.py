"""Which finding likely follows from which.

The one invariant: a cause began no later than its consequence and stands where its effect can arrive: forward along the data for values, against it
for gradients. A link is a likelihood, never a claim: nothing here is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from tb_activations.diagnosis.bitsets import union
from tb_activations.diagnosis.collapse import NOISE
from tb_activations.diagnosis.facts import Facts
from tb_activations.diagnosis.finding import SEVERITIES, Finding
from tb_activations.diagnosis.unchanged import are_skipped

__all__ = ["causes_first", "link_consequences"]

Relation = Literal["before", "after", "beside", "anywhere", "elsewhere"]
"""Where the cause stands seen from its consequence: before it or at it in the data flow, after it or at it, any of these, anywhere, or anywhere but
at it."""

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
    "dead_units": {
        "loss_outweighs": "anywhere",
        "penalty_too_strong": "anywhere",
        **_BEGINNINGS,
        **_SIZES,
        "nonfinite": "anywhere",
        "float16_overflow": "before",
        "collapse": "before",
        "drowned_code": "after",
        "dead_units": "before",
        "targets_out_of_range": "after",
        "exploding_loss": "anywhere",
        "oscillating_loss": "anywhere",
    },
    "saturated_activation": {
        "loss_outweighs": "anywhere",
        "constant_targets": "after",
        **_BEGINNINGS,
        **_SIZES,
        "saturated_activation": "before",
        "targets_out_of_range": "after",
        "exploding_loss": "anywhere",
        "oscillating_loss": "anywhere",
    },
    "exploding_activation": {
        "loss_outweighs": "anywhere",
        **_BEGINNINGS,
        "exploding_activation": "before",
        "exploding_gradient": "elsewhere",
        "exploding_loss": "anywhere",
        "update_too_large": "anywhere",
    },
    "collapse": {
        "loss_outweighs": "anywhere",
        "constant_targets": "after",
        "penalty_too_strong": "anywhere",
        **_BEGINNINGS,
        "targets_out_of_range": "after",
        "nonfinite": "anywhere",
        "float16_overflow": "before",
        "heavy_dropout": "before",
        "vanishing_gradient": "anywhere",
        "dead_units": "before",
        "drowned_code": "before",
        "saturated_activation": "before",
        "exploding_activation": "anywhere",
        "update_too_large": "anywhere",
    },
    "cut_off": _BEGINNINGS,
    "penalty_too_strong": {"constant_input": "before", "collapse": "before"},
    "judge_won": {"targets_out_of_range": "beside", "dead_units": "before", "collapse": "before"},
    "vanishing_gradient": {
        "judge_won": "anywhere",
        "cut_off": "after",
        "penalty_too_strong": "anywhere",
        "collapse": "after",
        "dead_units": "anywhere",
        "saturated_activation": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_activation": "anywhere",
        "update_too_large": "anywhere",
        "unnormalized_input": "anywhere",
    },
    "exploding_gradient": {
        "targets_out_of_range": "after",
        "loss_outweighs": "anywhere",
        "unnormalized_input": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_activation": "anywhere",
        "update_too_large": "anywhere",
        "exploding_loss": "anywhere",
    },
    "batchnorm_drift": {"other_validation_data": "before", "batchnorm_drift": "before"},
    "unchanged_weights": {
        "constant_input": "before",
        "cut_off": "after",
        "dead_units": "beside",
        "saturated_activation": "beside",
        "poor_initialization": "anywhere",
        "missing_gradient": "beside",
        "vanishing_gradient": "beside",
        "collapse": "anywhere",
        "nonfinite": "anywhere",
        "float16_overflow": "anywhere",
        "exploding_gradient": "anywhere",
        "loss_scale_thrash": "anywhere",
        "float16_underflow": "anywhere",
    },
    "update_too_small": {
        "judge_won": "anywhere",
        "cut_off": "after",
        "constant_targets": "anywhere",
        "dead_units": "anywhere",
        "saturated_activation": "anywhere",
        "vanishing_gradient": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_activation": "anywhere",
        "collapse": "anywhere",
        "unnormalized_input": "before",
    },
    "update_too_large": {
        "targets_out_of_range": "after",
        "penalty_too_strong": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_gradient": "anywhere",
        "unnormalized_input": "anywhere",
    },
    "exploding_loss": {
        "targets_out_of_range": "anywhere",
        "penalty_too_strong": "anywhere",
        **_SIZES,
        "output_mismatch": "anywhere",
        "unnormalized_input": "anywhere",
        "poor_initialization": "anywhere",
        "nonfinite": "anywhere",
    },
    "oscillating_loss": {
        **_SIZES,
        "output_mismatch": "anywhere",
        "heavy_dropout": "anywhere",
        "unnormalized_input": "anywhere",
        "poor_initialization": "anywhere",
        "exploding_loss": "anywhere",
    },
    "loss_scale_thrash": {"float16_overflow": "anywhere", "nonfinite": "anywhere", "poor_initialization": "anywhere", **_SIZES},
    "float16_underflow": {
        "loss_scale_thrash": "anywhere",
        "float16_overflow": "anywhere",
        "float16_underflow": "after",
        "vanishing_gradient": "beside",
        "dead_units": "anywhere",
        "saturated_activation": "anywhere",
    },
}
"""Consequence -> its possible causes -> where they stand."""

_RANK = {
    rule: rank
    for rank, rule in enumerate(
        [
            "constant_input",
            "unnormalized_input",
            "other_validation_data",
            "poor_initialization",
            "output_mismatch",
            "targets_out_of_range",
            "constant_targets",
            "loss_outweighs",
            "judge_won",
            "heavy_dropout",
            "penalty_too_strong",
            "missing_gradient",
            "float16_overflow",
            "exploding_activation",
            "exploding_gradient",
            "update_too_large",
            "saturated_activation",
            "cut_off",
            "nonfinite",
            "dead_units",
            "drowned_code",
            "vanishing_gradient",
            "collapse",
            "loss_scale_thrash",
            "float16_underflow",
            "unchanged_weights",
            "update_too_small",
            "exploding_loss",
            "oscillating_loss",
            "batchnorm_drift",
        ]
    )
}
"""Of two findings that begin at the same step, which comes first as a cause. It also keeps two findings from being each other's cause. A collapse
that leaves nothing and dead units make each other, so of these the first in execution order does; at one node the units are the cause."""


_TOO_LARGE = frozenset({"float16_overflow", "exploding_gradient"})
"""What makes an optimizer skip steps, and keeps no weights from changing otherwise."""
_HOLDING_BACK = frozenset(
    {"constant_input", "dead_units", "saturated_activation", "missing_gradient", "vanishing_gradient", "collapse", "float16_underflow"}
)
"""What leaves next to nothing of gradients, and makes no optimizer skip steps."""

_FROM_THE_LOSS = frozenset({"float16_underflow"})
"""Rules whose findings follow from each other against the data: of two that begin at the same step the one nearer to the loss comes first."""


class _Order(NamedTuple):
    """What decides which of two findings may be the cause of the other: the smaller."""

    first_step: int
    rank: int
    node: int


class _Candidate(NamedTuple):
    """A finding as a cause. ``places``: bit set of the nodes where it acts; ``exact``: whether it is a collapse that leaves nothing."""

    order: _Order
    places: int
    exact: bool
    finding: Finding


def link_consequences(findings: Sequence[Finding], facts: Facts) -> list[Finding]:
    """The findings, in the same order, each with its cause among the others."""
    links = _Links(findings, facts)
    causes = links.causes()
    return [finding if cause is None else replace(finding, consequence_of=_name(cause)) for finding, cause in zip(findings, causes, strict=True)]


def causes_first(findings: Sequence[Finding], facts: Facts) -> list[Finding]:
    """The findings by severity, where what leads to something worse than it is itself counts as that: it is what has to be mended. Of one severity
    what follows from nothing else comes first, then what begins first."""
    worst: dict[str, int] = {}
    for finding in sorted(findings, key=lambda finding: _order(finding, facts), reverse=True):
        name, cause = _name(finding), finding.consequence_of
        worst[name] = max(SEVERITIES.index(finding.severity), worst.get(name, 0))
        if cause is not None:
            worst[cause] = max(worst[name], worst.get(cause, 0))
    return sorted(findings, key=lambda finding: (-worst[_name(finding)], finding.consequence_of is not None, _order(finding, facts)))


def _order(finding: Finding, facts: Facts) -> _Order:
    exact = _is_exact(finding)
    rule = "dead_units" if exact else finding.rule
    node = 2 * facts.index.get(finding.node, -1) + exact
    return _Order(finding.first_step, _RANK.get(rule, len(_RANK)), -node if rule in _FROM_THE_LOSS else node)


class _Links:
    """Looks for causes among ``findings``. There may be thousands of them, so candidates of a rule are sorted once, and places are bit sets."""

    def __init__(self, findings: Sequence[Finding], facts: Facts) -> None:
        self._facts = facts
        self._reach: dict[tuple[int, Relation], int] = {}
        self._all = [self._candidate(finding) for finding in findings]
        self._candidates: dict[str, list[_Candidate]] = {}
        for candidate in self._all:
            self._candidates.setdefault(candidate.finding.rule, []).append(candidate)
        for candidates in self._candidates.values():
            candidates.sort(key=lambda candidate: candidate.order)

    def causes(self) -> list[Finding | None]:
        """For each finding the earliest one that may have brought it about."""
        return [self._cause_of(effect.finding, effect.order) for effect in self._all]

    def _cause_of(self, effect: Finding, bound: _Order) -> Finding | None:
        cause = None
        for rule, relation in CAUSES.get(effect.rule, {}).items():
            candidates = self._candidates.get(rule, ())
            if not candidates or candidates[0].order >= bound:
                continue
            index = self._facts.index.get(effect.node)
            reach = self._reached(index, relation)
            for candidate in candidates:
                if candidate.order >= bound:
                    break
                if _is_no_cause(candidate, effect):
                    continue
                if _flow_forward(candidate.finding, effect) and not candidate.places & self._computed_before(index):
                    continue
                if relation == "anywhere" or bool(candidate.places & reach) != (relation == "elsewhere"):
                    bound, cause = candidate.order, candidate.finding
                    break
        return cause

    def _candidate(self, finding: Finding) -> _Candidate:
        return _Candidate(_order(finding, self._facts), self._places(finding), _is_exact(finding), finding)

    def _places(self, finding: Finding) -> int:
        index = self._facts.index.get(finding.node)
        return 0 if index is None else union(1 << place for place in self._facts.places(index))

    def _computed_before(self, index: int | None) -> int:
        """Bit set of the nodes that are known before the one at ``index`` is; not of the layer inside of which that is computed."""
        around = self._facts.inside.get(index) if index is not None else None
        return self._reached(index, "before") & ~(0 if around is None else 1 << around)

    def _reached(self, index: int | None, relation: Relation) -> int:
        """Bit set of the nodes that stand in ``relation`` to the node at ``index``; for "elsewhere" of those that don't."""
        if index is None or relation == "anywhere":
            return 0
        if (index, relation) not in self._reach:
            places = self._facts.places(index)
            # What a layer of a user computes inside of it comes after the weights of that layer.
            reach = union(1 << place for place in (*places, self._facts.inside.get(index, index)))
            if relation in ("before", "beside"):
                reach |= union(self._facts.upstream[place] for place in places)
            if relation in ("after", "beside"):
                reach |= union(self._facts.downstream[place] for place in places)
            self._reach[index, relation] = reach
        return self._reach[index, relation]


def _is_no_cause(candidate: _Candidate, effect: Finding) -> bool:
    """A collapse that leaves something holds no gradient back, and silences no unit for all examples; where numbers overflow at once, those that are
    still finite are no cause of it; weights shrink for want of anything to learn where examples were equal from the start, and not later; a step is
    skipped for what isn't finite, where other steps change nothing for other reasons; and what a step computes it computes before its update."""
    cause = candidate.finding
    if cause.quantity == "update" and effect.quantity == "value" and cause.first_step == effect.first_step:
        return True
    if effect.rule == "unchanged_weights":
        return cause.rule in (_HOLDING_BACK if are_skipped(effect.evidence) else _TOO_LARGE)
    if cause.rule == "collapse" and effect.rule == "penalty_too_strong":
        return cause.first_step > 0
    if cause.rule == "collapse" and effect.rule in ("vanishing_gradient", "dead_units"):
        return not candidate.exact
    return cause.rule == "exploding_activation" and effect.rule == "nonfinite" and (cause.node, cause.first_step) == (effect.node, effect.first_step)


def _flow_forward(cause: Finding, effect: Finding) -> bool:
    """Whether only what comes before the effect can be its cause: of what isn't finite in the first step nothing comes back by an update yet."""
    at_first = cause.first_step == effect.first_step == 0
    return at_first and cause.rule == "nonfinite" and cause.quantity == "value" and effect.rule in ("dead_units", "collapse")


def _name(finding: Finding) -> str:
    return f"{finding.rule} at {finding.node} since step {finding.first_step}"


def _is_exact(finding: Finding) -> bool:
    """Whether examples are equal but for rounding. No gradient passes there; where many layers pull examples together little by little, both fade."""
    if finding.rule != "collapse":
        return False
    spread, size = (float(finding.evidence.get(name, 0.0)) for name in ("batch_std", "root_mean_square"))
    return not spread > NOISE * size
