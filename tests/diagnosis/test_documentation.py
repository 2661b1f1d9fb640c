"""Every rule is documented, under its name, with its title; and the rules with a cause are rules that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb_activations.diagnosis import rules
from tb_activations.diagnosis.causes import CAUSES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("rule", rules.BUILT_IN, ids=lambda rule: rule.name)
def test_a_rule_is_documented(rule):
    assert f"| [`{rule.name}`](rules.md#{rule.name}) | {rule.title} |" in (DOCS / "findings.md").read_text()
    assert f"### {rule.name}\n\n**{rule.title}.**" in (DOCS / "rules.md").read_text()
    assert rule.definition
    assert rule.reference


def test_causes_are_rules():
    names = {rule.name for rule in rules.BUILT_IN}
    assert {cause for causes in CAUSES.values() for cause in causes} | set(CAUSES) <= names
