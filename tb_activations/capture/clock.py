"""Counts the train steps of a run.

The one invariant: the number of a step is the number of train steps executed before it. Keras tells when an execution begins, not how many
steps it made: the last one of an epoch may have made fewer, or none where the data ended; `end_epoch` puts that right, and `now` before
the epoch is over.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Clock"]


class Clock:
    """The next step's number.

    Args:
      start: steps executed before the first.
    """

    def __init__(self, start: int) -> None:
        self.step = start
        self._epoch_start = start
        self._executions = self._last = 0
        self._is_executing = False
        self._epoch_length: int | None = None

    def begin_epoch(self, counted: int | None = None) -> None:
        """Args:
        counted: how far the optimizer's own count went since the last epoch began. Where an error ended that one, nobody told whether its last
          execution was made.
        """
        if self._last and counted is not None and self.step - self._last <= self._epoch_start + counted <= self.step:
            self.step = self._epoch_start + counted
        self._epoch_start, self._executions, self._last, self._is_executing = self.step, 0, 0, False

    def begin_execution(self, steps: int, expected: int | None = None) -> int:
        """An execution of up to ``steps`` steps begins. Returns the number of its first.

        Args:
          expected: steps of the epoch as Keras announced them; the last execution makes those that are left.
        """
        first = self.step
        left = self._epoch_start + expected - first if expected else 0
        steps = min(steps, left) if left > 0 else steps
        self.step += steps
        self._last = steps
        self._executions += 1
        self._is_executing = True
        return first

    def end_execution(self) -> None:
        """The execution that has begun is over, and made all its steps."""
        self._is_executing = False

    def now(self, steps_per_execution: int, **known: Any) -> int:
        """The number of the next step while no step runs, as in a validation. Arguments as of `end_epoch`."""
        return self._epoch_start + self._executed(steps_per_execution, **known) if self._is_executing else self.step

    def end_epoch(self, steps_per_execution: int, *, expected: int | None, iterations: int | None, stopped: bool, ended: bool | None = None) -> None:
        """Corrects the count of an epoch.

        Args:
          steps_per_execution: steps that each execution makes, but for the last.
          expected: steps of the epoch as Keras announced them; None when it didn't know.
          iterations: how far the optimizer's own count went in this epoch; None where it isn't one per step.
          stopped: whether the epoch may have ended before its data, as training was told to stop, or as no data is asked for by who runs the steps.
          ended: whether the last execution met the end of the data, and made no step; None where nobody knows.
        """
        executed = self._executed(steps_per_execution, expected, iterations, stopped, ended)
        if not stopped:
            self._epoch_length = executed
        self.step = self._epoch_start + executed
        self._last, self._is_executing = 0, False

    def _executed(self, steps_per_execution: int, expected: int | None, iterations: int | None, stopped: bool, ended: bool | None = None) -> int:
        """The steps of an epoch whose last execution has begun."""
        most = self._executions * steps_per_execution
        fewest = max(most - steps_per_execution, 0)
        if ended is not None and steps_per_execution == 1:
            return fewest if ended else most
        length = expected or self._epoch_length
        if length is not None and fewest - steps_per_execution < length <= most:
            # Keras makes whole executions: where `steps_per_epoch` ends inside one, and the data goes on, there are more than it announced.
            return iterations if steps_per_execution > 1 and iterations is not None and length < iterations <= most else length
        if steps_per_execution == 1 and not stopped and not expected:
            # The execution that met the end of the data made no step, though the optimizer's count may have moved: it doesn't wait for the data.
            return fewest
        # Where more steps were announced than there is data, Keras may have known, and not have begun one in vain. A number may be left out then,
        # as in the optimizer's own count; none stands for two steps.
        if iterations is not None and most - 2 * steps_per_execution < iterations <= most:
            return iterations  # the last execution may have found no data at all, and the one before it not enough
        return most if stopped else fewest
