"""Nothing of ours that fails reaches the user's step.

The one invariant: the first failure of a trace is kept, and told once by who owns it; from then on its hooks do nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

__all__ = ["harmless"]


class _Failing(Protocol):
    failure: Exception | None


T = TypeVar("T", bound=_Failing)
P = ParamSpec("P")
R = TypeVar("R")


def harmless(method: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R | None]:
    """A hook that answers None, and does nothing any more, once something of ours failed."""

    @functools.wraps(method)
    def guarded(self: T, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        if self.failure is not None:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  (kept, and told once by who owns the twin)
            self.failure = error
            return None

    return guarded
