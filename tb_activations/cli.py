"""The command line: ``tb-activations info LOGDIR`` and ``tb-activations findings LOGDIR``.

The one invariant: the exit status is 0 when all is well, 1 when a finding of the severity asked for exists, 2 when there is nothing to
look at; scripts may rely on it. Names in a log directory are anybody's text: no control character reaches the terminal.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tb_activations.diagnosis import SEVERITIES, Finding, Report, evaluate
from tb_activations.errors import ActivationsError
from tb_activations.store.discovery import find_runs
from tb_activations.store.names import data_directory
from tb_activations.store.run import Run, open_run
from tb_activations.store.schema import State

__all__ = ["main"]

WELL, FOUND, NOTHING = 0, 1, 2
"""Exit statuses."""

_STATES: tuple[State, ...] = ("materialized", "available", "unreachable")
_INDENT = " " * 11
_UNITS = ("B", "kB", "MB", "GB", "TB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    options = _parser().parse_args(arguments)
    runs = dict(_open_runs(options.logdir))
    if not runs:
        print(f"Expected a log directory with runs that hold activations. Received: LOGDIR={_clean(str(options.logdir))}", file=sys.stderr)
        return NOTHING
    status: int = options.command(runs, options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tb-activations", description="Looks at the activations and gradients in a log directory.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="what each run holds", description="Lists each run: nodes by state, captures, steps, size.")
    info.set_defaults(command=_info)
    findings = commands.add_parser(
        "findings",
        help="what is wrong in each run, since when, and what to try",
        description="Applies all rules to each run. Exit status: 0 when all is well, 1 when --fail-on is reached, 2 when there is no run.",
    )
    findings.add_argument("--json", action="store_true", help="print JSON for scripts")
    findings.add_argument("--fail-on", choices=SEVERITIES, metavar="SEVERITY", help=f"exit with 1 at this severity or worse: {', '.join(SEVERITIES)}")
    findings.set_defaults(command=_findings)
    for command in (info, findings):
        command.add_argument("logdir", metavar="LOGDIR", type=Path, help="a log directory as TensorBoard takes it, or one run in it")
    return parser


def _open_runs(logdir: Path) -> Iterator[tuple[str, Run]]:
    for name, path in find_runs(logdir.expanduser()).runs.items():
        try:
            yield name, open_run(path)
        except (ActivationsError, OSError) as error:
            print(f"{_clean(name)} can't be read: {_clean(str(error))}", file=sys.stderr)


def _info(runs: Mapping[str, Run], _: argparse.Namespace) -> int:
    rows = [("run", "nodes", *_STATES, "captures", "steps", "size"), *(_info_row(name, run) for name, run in runs.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        print("  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]))
    for name, run in runs.items():
        for problem in run.problems:
            print(f"{_clean(name)}: {_clean(problem)}", file=sys.stderr)
    return WELL


def _info_row(name: str, run: Run) -> tuple[str, ...]:
    states = Counter(node.state for node in run.nodes)
    steps = run.steps()
    span = f"{steps[0]}–{steps[-1]}" if len(steps) else "none"
    return (_clean(name), str(len(run.nodes)), *(str(states[state]) for state in _STATES), str(len(steps)), span, _size(run.path))


def _size(run_dir: Path) -> str:
    size = sum(file.stat().st_size for file in data_directory(run_dir).iterdir() if file.is_file())
    power = min((len(str(size)) - 1) // 3, len(_UNITS) - 1)
    return f"{size / 1000**power:.{min(power, 1)}f} {_UNITS[power]}"


def _findings(runs: Mapping[str, Run], options: argparse.Namespace) -> int:
    reports = {name: evaluate(run) for name, run in runs.items()}
    if options.json:
        print(json.dumps({"runs": [{"run": name, **_plain(report.to_json())} for name, report in reports.items()]}, indent=2, allow_nan=False))
    else:
        for name, report in reports.items():
            _print_report(name, report)
    worst = [SEVERITIES.index(severity) for report in reports.values() if (severity := report.worst()) is not None]
    return FOUND if options.fail_on and max(worst, default=-1) >= SEVERITIES.index(options.fail_on) else WELL


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: as in the HTTP API they are the strings "NaN", "Infinity" and "-Infinity"."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value


def _print_report(name: str, report: Report) -> None:
    found, quiet = _count(len(report.findings), "finding"), _count(len(report.quiet), "rule")
    print(f"{_clean(name)}: {found} in {_count(report.checked_captures, 'capture')}, {quiet} found nothing")
    for finding in report.findings:
        _print_finding(finding)
    for problem in report.problems:
        print(f"{_clean(name)}: {_clean(problem)}", file=sys.stderr)


def _print_finding(finding: Finding) -> None:
    span = f"since step {finding.first_step}" if finding.last_step is None else f"steps {finding.first_step}–{finding.last_step}"
    print(f"\n  {finding.severity.upper():7}  {_clean(finding.title)}  {_clean(finding.node) or '(the run)'}  {finding.quantity}  {span}")
    consequence = f"Likely a consequence of {finding.consequence_of}." if finding.consequence_of else ""
    for text in (finding.sentence, consequence, finding.remedy):
        if text:
            print(textwrap.fill(_clean(text), 100, initial_indent=_INDENT, subsequent_indent=_INDENT))
    if finding.code:
        print(textwrap.indent("\n".join(map(_clean, finding.code.splitlines())), _INDENT + "    "))


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
