"""Which call of which layer a trace is in, and the name of the node that this call makes.

The one invariant: a name is that of the layer, and from the second call on its number; a function that is recomputed in the backward pass
repeats the numbers of the forward pass, below the same layer. Knows nothing of tensors.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import keras

from tb_activations.capture.structure import Structure

__all__ = ["CallNames", "numbered"]


def numbered(name: str, call: int) -> str:
    """The name of the node that the ``call``-th call makes."""
    return name if call == 1 else f"{name}@{call}"


class CallNames:
    """Names the calls of one trace.

    Attributes:
      repeating: the calls are those of the forward pass once more.
    """

    def __init__(self, structure: Structure) -> None:
        self.repeating = False
        self._structure = structure
        self._counts: Counter[str] = Counter()
        self._scopes: list[str] = []
        self._open: list[str] = []

    @property
    def scope(self) -> str:
        """What names begin with inside the innermost call: a path that ends in "/", or ""."""
        return self._scopes[-1] if self._scopes else ""

    @property
    def within(self) -> str:
        """The name of the innermost call, or ""."""
        return self._open[-1] if self._open else ""

    def next(self, name: str) -> str:
        """The name of one more node of ``name``."""
        self._counts[name] += 1
        return numbered(name, self._counts[name])

    def enter(self, op: keras.Operation) -> str:
        """The name of the call that begins."""
        name = self._structure.name_of(op, self.scope)
        self._scopes.append("" if op is self._structure.model else name + "/")
        self._open.append(self.next(name))
        return self._open[-1]

    def leave(self) -> None:
        self._scopes.pop()
        self._open.pop()

    def recomputed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that runs in the forward pass and once more in the backward pass: the second time its calls are the same nodes."""
        first: list[tuple[Counter[str], list[str]]] = []

        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            if not first:
                first.append((self._counts.copy(), self._scopes.copy()))
                return function(*args, **kwargs)
            before = self._counts, self._scopes
            (counts, scopes), self.repeating = first[0], True
            self._counts, self._scopes = counts.copy(), scopes.copy()
            try:
                return function(*args, **kwargs)
            finally:
                (self._counts, self._scopes), self.repeating = before, False

        return counted
