"""Warnings of this package to the person who trains.

The one invariant: telling never raises, so that a warning of ours can't end a training: where Python was asked to turn warnings into errors,
the sentence goes to stderr instead.
"""

from __future__ import annotations

import sys
import warnings

__all__ = ["tell"]


def tell(sentence: str, *, stacklevel: int) -> None:
    """Warns with ``sentence``, as `warnings.warn` called by the caller of this would."""
    try:
        warnings.warn(f"tb_activations: {sentence}", RuntimeWarning, stacklevel=stacklevel + 1)
    except RuntimeWarning as refused:
        print(f"RuntimeWarning: {refused}", file=sys.stderr)
