"""Measures the findings: trains programs whose fault is known, and healthy ones, and counts what is found.

    python benchmarks/findings.py                      all programs, a few minutes
    python benchmarks/findings.py --only 'conv/'       some of them
    python benchmarks/findings.py --keep DIR           keep the runs; those that are there already aren't trained again
    python benchmarks/findings.py --keep DIR --part 0/2 & python benchmarks/findings.py --keep DIR --part 1/2
    python benchmarks/findings.py --drawn 65 --seed 0  pairs of a healthy training and its faulty twin, drawn at random

The one invariant: what a program is said to have is fixed in its source; the rules see the recorded run only. A fault counts as found when a finding
of one of its rules exists in the run of its training, and as found at the right node when one of them is at one of its nodes (or at a weight of
it). A healthy program must have no finding at all, in any of its runs, and it must learn: its loss, where that means something, is printed as it was
at first and at last. What is found beyond the fault, and is not said to follow from something else, is printed as well.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_HERE = Path(__file__).resolve().parent
# The folder of a script stands first on the path, where a neighbour could hide a module of Python's own.
sys.path[:] = [str(_HERE.parent), *(entry for entry in sys.path if Path(entry or ".").resolve() != _HERE)]

import numpy as np  # noqa: E402

from benchmarks.programs import PROGRAMS, Program  # noqa: E402
from tb_activations.diagnosis import Finding, Report, evaluate  # noqa: E402
from tb_activations.store.discovery import find_runs  # noqa: E402
from tb_activations.store.run import Run, open_run  # noqa: E402


@dataclass(frozen=True)
class Verdict:
    """What the rules said of one program. ``right``: the findings that name the fault; ``placed``: those of them at the right node; ``others``: what
    was found in its other runs, those of validation, prediction and probe."""

    program: Program
    findings: tuple[Finding, ...]
    others: tuple[tuple[str, Finding], ...]
    captures: int
    seconds: float
    loss: tuple[float, float]

    @property
    def right(self) -> tuple[Finding, ...]:
        """Findings of a rule that describes the fault."""
        return tuple(finding for finding in self.findings if finding.rule in self.program.rules)

    @property
    def placed(self) -> tuple[Finding, ...]:
        """Of those, the ones at the right node."""
        return tuple(finding for finding in self.right if any(_at(finding.node, node) for node in self.program.nodes))

    @property
    def primary(self) -> bool:
        """Whether one of them isn't said to be the consequence of something else."""
        return any(finding.consequence_of is None for finding in self.placed)

    @property
    def alarmed(self) -> bool:
        """Whether anything was found in any run."""
        return bool(self.findings or self.others)

    @property
    def surplus(self) -> list[str]:
        """What was found that is neither the fault nor said to follow from something: run, rule and node."""
        every = [*(("train", finding) for finding in self.findings), *self.others]
        return [
            f"{run}: {finding.severity} {finding.rule} at {finding.node} since {finding.first_step}"
            for run, finding in every
            if finding.consequence_of is None and finding.rule not in self.program.rules
        ]

    def __str__(self) -> str:
        if not self.program.rules:
            verdict = "FALSE ALARM" if self.alarmed else "ok"
        else:
            verdict = "ok" if self.primary else "consequence" if self.placed else "WRONG NODE" if self.right else "MISSED"
        loss = "loss {:.3g} → {:.3g}".format(*self.loss)
        return f"{verdict:12} {self.program.name:52} {self.captures:4} captures {self.seconds:5.1f} s  {loss}"


def _at(node: str, expected: str) -> bool:
    base = node.split("@")[0]
    return base == expected or base.startswith(expected + "/")


def judge(program: Program, folder: Path) -> Verdict:
    """Trains a program, unless its run is there already, and asks the rules."""
    start, log_dir = time.perf_counter(), folder / program.name.replace("/", ".")
    if not log_dir.exists():
        unfinished = folder / f"unfinished.{log_dir.name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        program.train(unfinished)
        unfinished.rename(log_dir)
    run = open_run(log_dir / "train")
    report, others = _evaluate(run), []
    for name, path in find_runs(log_dir).runs.items():
        if name != "train":
            others += [(name, finding) for finding in _evaluate(open_run(path)).findings]
    return Verdict(program, report.findings, tuple(others), report.checked_captures, time.perf_counter() - start, _first_and_last_loss(run))


def _evaluate(run: Run) -> Report:
    report = evaluate(run)
    assert not report.problems, report.problems
    return report


def _first_and_last_loss(run: Run) -> tuple[float, float]:
    """Means over the first and the last tenth of the captures."""
    losses = [node.name for node in run.nodes if node.kind == "loss"]
    values = run.statistics(losses[0])["mean"] if losses else np.full(1, np.nan)
    share = max(len(values) // 10, 1)
    return float(values[:share].mean()), float(values[-share:].mean())


def summary(verdicts: Sequence[Verdict]) -> str:
    """Rates, and a table by rule."""
    ill, well = [v for v in verdicts if v.program.rules], [v for v in verdicts if not v.program.rules]
    rows = [f"{len(ill)} faulty programs: {_share([bool(v.right) for v in ill])} found, {_share([bool(v.placed) for v in ill])} at the right node,"
            f" {_share([v.primary for v in ill])} there and not as a consequence."]  # fmt: skip
    rows.append(f"{len(well)} healthy programs: {sum(v.alarmed for v in well)} with a false alarm.")
    by_rule: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in ill:
        by_rule[verdict.program.rules[0]].append(verdict)
    rows += ["", "| fault | programs | found | right node |", "|---|---|---|---|"]
    rows += [
        f"| `{rule}` | {len(some)} | {sum(bool(v.right) for v in some)} | {sum(bool(v.placed) for v in some)} |"
        for rule, some in sorted(by_rule.items())
    ]
    return "\n".join(rows)


def _share(hits: Sequence[bool]) -> str:
    return f"{sum(hits)} ({100 * sum(hits) / max(len(hits), 1):.0f} %)"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="regular expression searched for in the names of programs")
    parser.add_argument("--keep", type=Path, help="directory for the runs")
    parser.add_argument("--part", default="0/1", help="i/n: every n-th program beginning with the i-th, to use several processes with --keep")
    parser.add_argument("--verbose", action="store_true", help="print every finding")
    parser.add_argument("--drawn", type=int, default=0, help="so many pairs, drawn at random, instead of the programs")
    parser.add_argument("--seed", type=int, default=0, help="of the first of these pairs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if options.drawn:
            judge_pairs(range(options.seed, options.seed + options.drawn), options.keep or Path(temporary), options.verbose)
            return
        verdicts = []
        chosen = [program for program in PROGRAMS.values() if re.search(options.only, program.name)]
        part, parts = map(int, options.part.split("/"))
        for program in chosen[part::parts]:
            verdicts.append(judge(program, options.keep or Path(temporary)))
            _print(verdicts[-1], options.verbose)
    for title in (IN_VIEW, HELD_OUT, *SETS.values()):
        some = [verdict for verdict in verdicts if _set_of(verdict.program) == title]
        print(f"\n{title}\n{summary(some)}" if some else "")
    print(f"\nAll programs\n{summary(verdicts)}")


def judge_pairs(seeds: Sequence[int], folder: Path, verbose: bool = False) -> None:
    """Trains and judges pairs, and prints what the rules say of those where the twin is worse, of the others, and of the healthy ones."""
    from benchmarks.programs.drawn import draw, outcome, score

    ill: dict[str, list[Verdict]] = defaultdict(list)
    well: list[Verdict] = []
    for pair in map(draw, seeds):
        healthy, faulty = (judge(program, folder) for program in pair.programs())
        scores = [score(folder / verdict.program.name.replace("/", ".")) for verdict in (healthy, faulty)]
        kind = outcome(*scores)
        kind = "not judged" if kind == "fault" and not pair.rules else kind
        print(f"{pair.seed:5} {pair.fault:42} {kind:10} score {scores[0]:.2f}, with the fault {scores[1]:.2f}")
        _print(healthy, verbose)
        _print(faulty, verbose)
        well.append(healthy)
        ill[kind].append(faulty)
    print(f"\nTwins that are worse, whose fault the rules should tell\n{summary([*ill.pop('fault', ()), *well])}")
    for kind, verdicts in ill.items():
        print(f"{len(verdicts)} twins {kind}: {sum(verdict.alarmed for verdict in verdicts)} with a finding")


SETS = {
    "blind": "Programs written blind",
    "again": "Programs written after those, blind",
    "third": "Programs written after those, blind again",
    "fourth": "Programs written after the third set, blind",
    "fifth": "Programs written with the rules in view",
    "sixth": "Programs about what people ask, blind",
    "seventh": "Programs written after the sixth set, blind",
    "eighth": "Programs written after the seventh set, blind",
    "ninth": "Programs written after the eighth set, with the rules in view",
    "tenth": "Programs written after the ninth set, blind",
    "twelfth": "Programs written after the tenth set, blind",
    "thirteenth": "Programs written after the twelfth set, of mistakes that ordinary users make, blind",
    "fourteenth": "Programs written from what scripts outside of the repository showed, with the rules in view",
    "fifteenth": "Programs written from what scripts after threads showed, with the rules in view",
    "sixteenth": "Programs written from what a blind set showed, with the rules in view",
    "seventeenth": "Programs written from what another blind set showed, with the rules in view",
    "nineteenth": "Programs written from what a larger blind set showed, with the rules in view",
    "twentieth": "Programs written from what a blind set about traces showed, with the rules in view",
    "twenty_first": "Programs written from what a blind set of each kind of fault showed, with the rules in view",
    "twenty_second": "Programs written from what the next blind set showed, with the rules in view",
    "twenty_third": "Programs written after the twenty-second set, a fault of each kind and its mended twin, blind",
    "reviewed": "Programs written from a review of the rules",
}
"""Titles by how the name of a family begins."""
HELD_OUT = "Programs written after thresholds were fixed"
IN_VIEW = "Programs the rules were made with"


def _set_of(program: Program) -> str:
    own = (title for family, title in SETS.items() if program.family.startswith(family))
    return next(own, HELD_OUT if program.held_out else IN_VIEW)


def _print(verdict: Verdict, verbose: bool) -> None:
    print(verdict, flush=True)
    wrong = not verdict.primary if verdict.program.rules else verdict.alarmed
    if verdict.program.rules and wrong:
        print(f"             expected {' '.join(verdict.program.rules)} at {' '.join(verdict.program.nodes)}")
    for surplus in verdict.surplus:
        print(f"             surplus: {surplus}")
    for finding in verdict.findings if verbose or wrong else ():
        consequence = f" <- {finding.consequence_of}" if finding.consequence_of else ""
        seen = {name: round(value, 6) if isinstance(value, float) else value for name, value in finding.evidence.items()}
        print(f"             {finding.severity} {finding.rule} at {finding.node} since {finding.first_step} {seen}{consequence}")


if __name__ == "__main__":
    main()
