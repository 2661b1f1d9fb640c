"""docs/transparency.md, written from the cases."""

from __future__ import annotations

from pathlib import Path

from .cases import CASES, ELSEWHERE, EXCEPTIONS, Place

PAGE = Path(__file__).resolve().parents[3] / "docs/transparency.md"

_TEXT = """# Training with and without the callback

Each row is a test: the same training runs twice from the same seed, plain and with every step recorded, and everything that training changes is
compared bit by bit: weights, moving averages, seeds, optimizer slots, metrics and logged losses. The last batch of each epoch is a shorter one.
This page is written by `python -m tests.capture.transparency` from the list of cases that `tests/capture/test_transparency.py` runs; a test keeps
it so.

| training | step runs | recorded steps run | result | test |
|---|---|---|---|---|
{rows}

The first four recorded steps of a trace, under XLA of each shape of its batches, run **beside** the plain ones: on the same batch and from the same
state; what they do is taken back, the plain step runs, and both ends are compared to the last bit. Where they are the same, recorded steps run
**alone** from then on, in the place of plain ones, and are compared again ever more seldom (the 8th, the 16th, …). Where they differ (XLA and
TensorFlow's graph optimizer join operations between which nobody looks; a tap may change the order in which gradients are added up), both go on
running: such a step costs one plain step more, and what is recorded may differ in the last place from what the plain step computed. So it is, too,
where something is recorded in a branch of a condition, and with random numbers that are counted in the function that draws them: with those it is
computed with others.

Known exceptions:

| training | why | what to do |
|---|---|---|
{exceptions}
"""

_PLACES: dict[Place, str] = {"its": "alone", "beside": "beside", "either": "beside or alone, by the processor", "uncompared": "alone, not compared"}


def page() -> str:
    """The text of docs/transparency.md."""
    rows = [f"| {case.what} | {case.mode} | {_PLACES[case.place]} | bit-identical | `test_transparency.py[{name}]` |" for name, case in CASES.items()]
    rows += [f"| {what} | {mode} | | bit-identical | `{test.replace('::test_', ': ')}` |" for what, (mode, test) in ELSEWHERE.items()]
    return _TEXT.format(rows="\n".join(rows), exceptions="\n".join(f"| {' | '.join(exception)} |" for exception in EXCEPTIONS))
