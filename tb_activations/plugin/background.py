"""Work that no request may wait for.

The one invariant: the work runs on one daemon thread at a time, and whatever it raises ends in the log, so neither a request nor
TensorBoard's end ever waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

__all__ = ["Background"]

_REST = 4.0
"""Seconds of rest per second of work: what is asked for all the time takes a fifth of a core."""

_LONGEST_REST = 10.0
"""Seconds. What takes long is rare (a first look at a long run), and what follows must not wait for minutes."""

_logger = logging.getLogger(__name__)


class Background:
    """Calls ``work`` when asked to, at most once per ``pause`` seconds and never twice at once."""

    def __init__(self, work: Callable[[], None], name: str, pause: float = 0.0) -> None:
        self._work = work
        self._name = name
        self._pause = pause
        self._lock = threading.Lock()
        self._running = False
        self._not_before = 0.0
        self._first = threading.Event()

    def ask(self) -> bool:
        """Starts the work unless it runs or has just run. Returns whether it runs now."""
        with self._lock:
            if self._running or time.monotonic() < self._not_before:
                return self._running
            self._running = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()
        return True

    def wait_for_first(self, seconds: float) -> bool:
        """Waits until the work has been done once. Returns whether it has."""
        return self._first.wait(seconds)

    def _run(self) -> None:
        started = time.monotonic()
        try:
            self._work()
        except Exception:
            _logger.exception("Background work of the Activations tab failed: %s", self._name)
        finally:
            ended = time.monotonic()
            with self._lock:
                self._running = False
                self._not_before = ended + max(self._pause, min((ended - started) * _REST, _LONGEST_REST))
            self._first.set()
