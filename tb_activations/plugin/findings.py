"""The findings of runs, evaluated where no request waits for them.

The one invariant: a request gets what is known at once; ``pending`` says that the rules have not seen the newest captures yet. One run is
evaluated at a time: a second thread would only take the processor from TensorBoard.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from tb_activations.plugin.background import Background
from tb_activations.plugin.http import broken_installation

if TYPE_CHECKING:
    from tb_activations.diagnosis import Diagnosis
    from tb_activations.store.run import Run

__all__ = ["Findings"]

_logger = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()

_MOST = 16
"""Runs that are followed at a time. A run that is asked about again later is looked at anew."""

_FAILED = "The rules could not be applied. TensorBoard's log says why."

_NOTHING_YET: dict[str, Any] = {"findings": [], "quiet": [], "checked_captures": 0, "problems": []}


class Findings:
    """What the rules say of each run that was asked about. Thread-safe."""

    def __init__(self) -> None:
        self._evaluations: OrderedDict[str, _Evaluation] = OrderedDict()
        self._lock = threading.Lock()

    def present(self, name: str, run: Run) -> dict[str, Any]:
        """The answer of `/findings`; an evaluation that is due starts in the background."""
        evaluation = self._evaluation_of(name, run)
        version, report = evaluation.newest
        pending = version != evaluation.look_for_version()
        if pending:
            evaluation.background.ask()
        return {"run": name, "pending": pending, **report}

    def _evaluation_of(self, name: str, run: Run) -> _Evaluation:
        with self._lock:
            evaluation = self._evaluations.get(name)
            if evaluation is None or evaluation.run is not run:
                evaluation = self._evaluations[name] = _Evaluation(run)
            self._evaluations.move_to_end(name)
            while len(self._evaluations) > _MOST:
                self._evaluations.popitem(last=False)
            return evaluation


class _Evaluation:
    """One run followed by all rules. ``newest``: the version of what was looked at, and the report as JSON has it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.newest: tuple[str, dict[str, Any]] = ("", _NOTHING_YET)
        self.background = Background(self._evaluate, "tb_activations-findings")
        self._diagnosis: Diagnosis | None = None
        self._beside: Run | None = None

    def look_for_version(self) -> str:
        """A text that changes with all that the rules look at: the run, and the validation run beside it."""
        from tb_activations.store.run import open_validation

        try:
            self._beside = self._beside or open_validation(self.run.path)
            if self._beside is None:
                return self.run.version
            self._beside.refresh()
        except OSError:  # the report says so
            return f"{self.run.version} unreadable"
        return f"{self.run.version} {self._beside.version}"

    def _evaluate(self) -> None:
        with _one_at_a_time:
            version = self.look_for_version()
            try:
                self.newest = (version, self._look())
            except Exception as error:  # noqa: BLE001 - it is told, and what is a mistake of ours is logged
                # What was known stays; without an answer a page would ask for ever.
                self.newest, self._diagnosis = (version, {**self.newest[1], "problems": [_problem_of(error)]}), None

    def _look(self) -> dict[str, Any]:
        from tb_activations.diagnosis import Diagnosis  # here, as it would make TensorBoard's start longer

        self._diagnosis = self._diagnosis or Diagnosis(self.run)
        report = self._diagnosis.update()
        return {**report.to_json(), "problems": list(report.problems)}


def _problem_of(error: Exception) -> str:
    """What a page is told; the log gets what only a programmer can mend."""
    from tb_activations.store.container import FileChangedError

    if isinstance(error, FileChangedError):  # somebody copies over the run; when that ends, the rules are asked again
        return str(error)
    _logger.error("The rules could not be applied to a run", exc_info=error)
    return broken_installation(error) if isinstance(error, ImportError) else _FAILED
