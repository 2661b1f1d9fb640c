"""Warnings of this package to the person who trains.

The one invariant: telling never raises, so that a warning of ours can't end a training: where Python was asked to turn warnings into errors,
the sentence goes to stderr instead.
"""

from __future__ import annotations

import re
import sys
import warnings

__all__ = ["cause", "tell"]


def tell(sentence: str, *, stacklevel: int) -> None:
    """Warns with ``sentence``, as `warnings.warn` called by the caller of this would."""
    try:
        warnings.warn(f"tb_activations: {sentence}", RuntimeWarning, stacklevel=stacklevel + 1)
    except RuntimeWarning as refused:
        print(f"RuntimeWarning: {refused}", file=sys.stderr)


def cause(error: BaseException) -> str:
    """What was wrong at first, in one line: Keras wraps the error of a layer in one that tells of its arguments, and prints it in bold."""
    while error.__cause__ or (error.__suppress_context__ and error.__context__):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    lines = re.sub(r"\x1b\[\d+m", "", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}"
