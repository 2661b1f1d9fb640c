"""The command line: ``tb-activations info LOGDIR`` and ``tb-activations findings LOGDIR``.

The one invariant: the exit status is 0 only when everything was looked at and is well, 1 when a finding of the severity asked for exists, 2 when
something could not be looked at, and stderr then says what; scripts may rely on it. Names in a log directory are anybody's text: no control
character reaches the terminal.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tb_activations import __version__
from tb_activations.diagnosis import SEVERITIES, Finding, Report, evaluate
from tb_activations.errors import ActivationsError
from tb_activations.store.discovery import MAX_DIRECTORIES, find_runs, tell_absence
from tb_activations.store.local_path import local_path
from tb_activations.store.names import data_directory
from tb_activations.store.run import Run, open_run
from tb_activations.store.schema import State

__all__ = ["main"]

WELL, FOUND, UNSEEN = 0, 1, 2
"""Exit statuses."""

_STATUSES = """Exit status: 0 when everything was looked at and is well; 1 when a finding that --fail-on asks for exists; 2 when there is none but
something could not be looked at (no run, a run without captures, files that can't be read, a rule that failed); stderr then says what."""

_INFO_STATUSES = (
    "Exit status: 0 when everything was looked at; 2 when something could not be (no run, files that can't be read); stderr then says what."
)

_STATES: tuple[State, ...] = ("materialized", "available", "unreachable")
_INDENT = " " * 11
_UNITS = ("B", "kB", "MB", "GB", "TB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # on Windows a pipe has an encoding that lacks most characters
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    problems: list[str] = []
    try:
        status: int = options.command(_open_runs(options.logdir, problems), options, problems)
        if sys.stdout is not None:  # somebody closed it
            sys.stdout.flush()
    except BrokenPipeError:  # who read has seen enough, as in `tb-activations info logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        status = UNSEEN
    except ActivationsError as error:
        status = UNSEEN
        problems.append(str(error))
    except Exception as error:  # noqa: BLE001  (a traceback would exit with 1, which says that something was found)
        status = UNSEEN
        problems.append(f"tb-activations could not go on: {type(error).__name__}: {error}")
    for problem in problems:
        print(_clean(problem), file=sys.stderr)
    return UNSEEN if problems and status == WELL else status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tb-activations", description="Looks at the activations and gradients in a log directory.")
    parser.add_argument("--version", action="version", version=f"tb-activations {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser(
        "info", help="what each run holds", description="Lists each run: nodes by state, captures, steps, size.", epilog=_INFO_STATUSES
    )
    info.set_defaults(command=_info)
    findings = commands.add_parser(
        "findings",
        help="what is wrong in each run, since when, and what to try",
        description="Applies all rules to each run.",
        epilog=_STATUSES,
    )
    findings.add_argument("--json", action="store_true", help="print JSON for scripts")
    findings.add_argument("--fail-on", choices=SEVERITIES, metavar="SEVERITY", help=f"exit with 1 at this severity or worse: {', '.join(SEVERITIES)}")
    findings.set_defaults(command=_findings)
    for command in (info, findings):
        command.add_argument("logdir", metavar="LOGDIR", help="a log directory as TensorBoard takes it, or one run in it")
    return parser


def _open_runs(logdir: str, problems: list[str]) -> Mapping[str, Run]:
    """The runs below ``logdir``. What can't be read, and that there is nothing at all, becomes a problem."""
    directory = local_path("LOGDIR", logdir)
    found, runs = find_runs(directory), {}
    for name, path in found.runs.items():
        try:
            runs[name] = open_run(path)
            problems += (f"{name}: {problem}" for problem in runs[name].unreadable)
        except (ActivationsError, OSError) as error:
            problems.append(f"{name} can't be read: {error}")
    if not found.complete:
        problems.append(f"The log directory has more than {MAX_DIRECTORIES:,} directories; runs beyond are not looked at. Choose one further down.")
    if not found.runs:
        problems.append(f"Expected a log directory with runs that hold activations. Received: LOGDIR={logdir}, {tell_absence(directory)}")
    return runs


def _info(runs: Mapping[str, Run], _: argparse.Namespace, __: list[str]) -> int:
    if not runs:
        return UNSEEN
    rows = [("run", "nodes", *_STATES, "captures", "steps", "size"), *(_info_row(name, run) for name, run in runs.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        print("  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]))
    _tell_left_out(runs)
    return WELL


def _tell_left_out(runs: Mapping[str, Run]) -> None:
    """What the user's size budget left out is no failure, and still no secret."""
    for name, run in runs.items():
        for sentence in run.budget_remarks:
            print(f"{_clean(name)}: {_clean(sentence)}", file=sys.stderr)


def _info_row(name: str, run: Run) -> tuple[str, ...]:
    states = Counter(node.state for node in run.nodes)
    steps = run.steps()
    span = f"{steps[0]}–{steps[-1]}" if len(steps) else "none"
    return (_clean(name), str(len(run.nodes)), *(str(states[state]) for state in _STATES), str(len(steps)), span, _size(run.path))


def _size(run_dir: Path) -> str:
    size = 0
    with suppress(OSError):  # somebody deleted the run meanwhile
        for file in data_directory(run_dir).iterdir():
            with suppress(OSError):  # a run that is written merges its files meanwhile
                size += file.stat().st_size if file.is_file() else 0
    power = min((len(str(size)) - 1) // 3, len(_UNITS) - 1)
    return f"{size / 1000**power:.{min(power, 1)}f} {_UNITS[power]}"


def _findings(runs: Mapping[str, Run], options: argparse.Namespace, problems: list[str]) -> int:
    reports = {name: evaluate(run) for name, run in runs.items()}
    for name, report in reports.items():
        problems += (f"{name}: {problem}" for problem in report.problems)
        if not len(runs[name].steps()):
            problems.append(f"{name} holds no capture: no rule could be applied.")
    _tell_left_out(runs)
    if options.json:
        answers = [{"run": name, **_plain(report.to_json()), "problems": list(report.problems)} for name, report in reports.items()]
        print(json.dumps({"runs": answers}, indent=2, allow_nan=False))
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
    told: set[str] = set()
    for finding in report.findings:
        _print_finding(finding)
        # What to do about a consequence is what stands at its cause.
        if finding.consequence_of is None and finding.remedy not in told:
            _print_remedy(finding)
            told.add(finding.remedy)


def _print_finding(finding: Finding) -> None:
    span = f"since step {finding.first_step}" if finding.last_step is None else f"steps {finding.first_step}–{finding.last_step}"
    print(f"\n  {finding.severity.upper():7}  {_clean(finding.title)}  {_clean(finding.node) or '(the run)'}  {finding.quantity}  {span}")
    consequence = f"Likely a consequence of {finding.consequence_of}." if finding.consequence_of else ""
    _print_prose(finding.sentence)
    _print_prose(consequence)


def _print_remedy(finding: Finding) -> None:
    _print_prose(finding.remedy)
    if finding.code:
        print(textwrap.indent("\n".join(map(_clean, finding.code.splitlines())), _INDENT + "    "))


def _print_prose(text: str) -> None:
    if text:
        print(textwrap.fill(_clean(text), 100, initial_indent=_INDENT, subsequent_indent=_INDENT))


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
