"""Warnings of this package to the person who trains.

The one invariant: telling never raises, so that a warning of ours can't end a training: where Python was asked to turn warnings into errors,
the sentence goes to stderr instead, and where that is closed, nowhere.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import warnings
from collections import deque

__all__ = ["Warnings", "cause", "tell"]


def tell(sentence: str, *, stacklevel: int) -> None:
    """Warns with ``sentence``, as `warnings.warn` called by the caller of this would."""
    try:
        warnings.warn(f"tb_activations: {sentence}", RuntimeWarning, stacklevel=stacklevel + 1)
    except Exception:  # noqa: BLE001  (the filter of warnings, a `showwarning` of the user's, a closed stderr)
        with contextlib.suppress(Exception):
            print(f"RuntimeWarning: tb_activations: {sentence}", file=sys.stderr)


class Warnings:
    """Sentences for who trains, of any thread: the writer's has no one to tell.

    It knows nothing of the recording, so that threads which live as long as the process can hold it, and no model by it.

    Attributes:
      thread: the thread on which a sentence is told as soon as it is added; None: they all wait for `tell`.
    """

    def __init__(self) -> None:
        self.thread: int | None = None
        self._waiting: deque[str] = deque()

    def add(self, sentence: str) -> None:
        """Keeps ``sentence`` until it is told."""
        self._waiting.append(sentence)
        if threading.get_ident() == self.thread:
            self.tell(stacklevel=2)

    def tell(self, *, stacklevel: int) -> None:
        """Tells what waits, as `warnings.warn` called by the caller of this would."""
        with contextlib.suppress(IndexError):  # also where another thread took the last one
            while True:
                tell(self._waiting.popleft(), stacklevel=stacklevel + 1)


def cause(error: BaseException) -> str:
    """What was wrong at first, in one line: Keras wraps the error of a layer in one that tells of its arguments, and prints it in bold."""
    while error.__cause__ or (error.__suppress_context__ and error.__context__):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    lines = re.sub(r"\x1b\[\d+m", "", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}"
