"""Findings while training runs: told once each, and acted on.

The one invariant: nothing that happens here, in a rule or in the user's function, reaches training or the writer; it is told once, and training goes
on. What is asked of a finding is done whatever becomes of the rest: a function that fails keeps no training from its end.

Called on a writer's thread after each segment, so what it costs is no cost of a training step; the writers of several runs take turns.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tb_activations.diagnosis.engine import Diagnosis
from tb_activations.diagnosis.finding import SEVERITIES, Finding, Identity, Report, Severity
from tb_activations.diagnosis.rules import all_rules, user_rules
from tb_activations.diagnosis.terminal import Printer
from tb_activations.errors import ArgumentError
from tb_activations.store.findingsfile import write_findings
from tb_activations.store.names import data_directory, findings_name
from tb_activations.store.run import Run
from tb_activations.store.schema import RecordedFinding

__all__ = ["Actions", "LiveFindings", "because_of"]


@dataclass(frozen=True, slots=True)
class Actions:
    """What happens when a finding appears.

    Attributes:
      print: whether it is printed to stderr.
      on_finding: called with the `Finding`, on the writer's thread.
      stop_on: the severity from which on training is asked to stop; None: never.
    """

    print: bool = True
    on_finding: Callable[[Finding], object] | None = None
    stop_on: Severity | None = None

    def __post_init__(self) -> None:
        if self.on_finding is not None and not callable(self.on_finding):
            raise ArgumentError(f"`on_finding` must be a function of a finding, or None. Received: on_finding={self.on_finding!r}")
        if self.stop_on is not None and self.stop_on not in SEVERITIES:
            raise ArgumentError(f"`stop_on` must be one of {', '.join(map(repr, SEVERITIES))}, or None. Received: stop_on={self.stop_on!r}")

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return self.print or self.on_finding is not None or self.stop_on is not None


@dataclass
class LiveFindings:
    """Follows the run in ``run_dir`` while it is written. Call it after each segment.

    Attributes:
      warn: called with a sentence, once each, when following had to be given up or put off, and when the user's function failed.
      speaks: whether this process prints: of several that train together only the first does.
      stop: the finding because of which training should stop; None so far. The training thread takes it with `take_stop`.
    """

    run_dir: str | os.PathLike[str]
    actions: Actions
    warn: Callable[[str], object]
    speaks: Callable[[], bool] = lambda: True
    stop: Finding | None = None
    _diagnosis: Diagnosis | None = None
    _run: Run | None = None
    _told: set[Identity] = field(default_factory=set)
    _printer: Printer = field(default_factory=Printer)
    _token: str = field(default_factory=lambda: secrets.token_hex(4))
    _recorded: list[RecordedFinding] | None = None
    _failed: bool = False
    _warned: set[str] = field(default_factory=set)
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> None:
        """Looks at what is new, and tells each new finding once."""
        with self._looking:
            if self._failed or not (self.actions.any or user_rules()):
                return
            try:
                self._follow()
            except OSError as error:  # of the disk, which may be well again
                self._warn_once(
                    "disk", f"Findings could not be looked for in {self.run_dir}: {_said(error)}. It is tried again at the next captures."
                )
            except Exception as error:  # noqa: BLE001  (ours; training must go on)
                self._failed = True
                self.warn(f"Findings are no longer looked for in {self.run_dir}: {_said(error)}. Training and recording go on.")

    def take_stop(self) -> Finding | None:
        """Returns `stop`, once."""
        with self._stopping:
            finding, self.stop = self.stop, None
        return finding

    def _follow(self) -> None:
        if self._run is None or self._diagnosis is None:
            self._run = Run(self.run_dir)
            self._diagnosis = Diagnosis(self._run, all_rules())
        else:
            self._run.refresh()
        report = self._diagnosis.update()
        self._record(report)
        new = [finding for finding in report.findings if finding.identity not in self._told]
        self._told.update(finding.identity for finding in new)
        for finding in new:
            self._ask_to_stop(finding)
        if self.actions.print and self.speaks():
            with suppress(OSError, ValueError):  # a stderr that is closed
                self._printer(new)
        for finding in new:
            self._hand_over(finding)

    def _record(self, report: Report) -> None:
        """Writes what the user's rules found beside the segments: no other process has these functions."""
        rules = {rule.name: rule.title for rule in user_rules()}
        recorded = [finding.to_record() for finding in report.findings if finding.rule in rules]
        if rules and recorded != self._recorded:
            with suppress(OSError):  # on Windows a reader may hold the old file for a moment; after the next segment it is tried again
                write_findings(data_directory(Path(self.run_dir)) / findings_name(self._token), rules, recorded)
                self._recorded = recorded

    def _ask_to_stop(self, finding: Finding) -> None:
        stop_on = self.actions.stop_on
        if stop_on is not None and SEVERITIES.index(finding.severity) >= SEVERITIES.index(stop_on) and finding.last_step is None:
            with self._stopping:
                self.stop = self.stop or finding

    def _hand_over(self, finding: Finding) -> None:
        """Calls the user's function, which may fail, as where it sends a message."""
        if self.actions.on_finding is None:
            return
        try:
            self.actions.on_finding(finding)
        except Exception as error:  # noqa: BLE001  (the user's)
            self._warn_once("on_finding", f"The function given as `on_finding` failed: {_said(error)}. It is called again with the next finding.")

    def _warn_once(self, about: str, sentence: str) -> None:
        if about not in self._warned:
            self._warned.add(about)
            self.warn(sentence)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def because_of(finding: Finding) -> str:
    """The finding that training is stopped for, as the end of a sentence and the next one."""
    return f"{finding.title} at {finding.node} since step {finding.first_step:,}. {finding.sentence}"
