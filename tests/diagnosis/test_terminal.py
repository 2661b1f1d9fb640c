"""What the terminal says of findings: short, however much is wrong."""

from __future__ import annotations

import pytest

from tb_activations.diagnosis.finding import Finding
from tb_activations.diagnosis.terminal import MOST_PRINTED, Printer


def finding(node, title="Batch norm drift", cause=None, **changes):
    about = {"first_step": 80, "last_step": None, "severity": "warning", "evidence": {}, "consequence_of": cause, **changes}
    return Finding(title, title, node, "value", "std", sentence=f"`{node}` drifts.", remedy="Lower it:", code="momentum=0.9", **about)


@pytest.fixture
def printed(capsys):
    """What one printer prints of findings that appear together, time after time."""
    printer = Printer()

    def show(*findings):
        printer(findings)
        return capsys.readouterr().err

    return show


def test_what_is_wrong_in_the_same_way_at_many_nodes_is_one_block_with_the_numbers_of_the_first(printed):
    nodes = [f"block_{index}/norm" for index in range(52)]
    assert printed(*map(finding, nodes)) == (
        "\ntb_activations warning: Batch norm drift at block_0/norm (value)\n    `block_0/norm` drifts. Lower it:\n        momentum=0.9\n"
        "    Also at block_1/norm, block_2/norm, block_3/norm, block_4/norm, block_5/norm and 46 more.\n"
    )


def test_what_appears_later_at_other_nodes_is_a_block_without_what_to_try(printed):
    printed(finding("a"))
    assert printed(finding("b")) == "\ntb_activations warning: Batch norm drift at b (value)\n    `b` drifts.\n"


def test_consequences_of_one_finding_are_two_lines(printed):
    causes = {"cause": "dead_units at stem since step 40"}
    assert printed(finding("x", **causes), finding("y", **causes), finding("z", cause="another at w since step 3")) == (
        "\ntb_activations warning: Batch norm drift at x (value) since step 80, likely a consequence of dead_units at stem since step 40\n"
        "    Also at y.\n"
        "\ntb_activations warning: Batch norm drift at z (value) since step 80, likely a consequence of another at w since step 3\n"
    )


def test_another_severity_is_another_block(printed):
    assert printed(finding("a"), finding("b", severity="error")).count("tb_activations ") == 2


def test_after_many_blocks_one_line_says_where_the_others_are(printed):
    shown = printed(*(finding("a", title=f"rule {index}") for index in range(MOST_PRINTED + 5)))
    assert shown.count("tb_activations warning: ") == MOST_PRINTED
    assert shown.count("further findings are not printed") == 1
    assert printed(finding("b")) == ""
