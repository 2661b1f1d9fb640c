"""The functions of TensorFlow that a step function keeps: whether they were traced, and that TensorFlow doesn't count the traces of ours.

The one invariant: nothing here changes what a function computes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["uncounted", "was_traced"]

F = TypeVar("F", bound=Callable[..., Any])


def was_traced(function: Callable[..., Any]) -> bool:
    """Whether ``function`` was traced, or what it keeps."""
    return any(each.experimental_get_tracing_count() > 0 for each in _kept_by(function))


def uncounted(function: F) -> F:
    """``function``, whose traces don't count where TensorFlow warns of many.

    It counts them together for all functions that one line of source makes: those of the twins of some models in a row would have it warn the user
    of tracing too often.
    """
    for each in _kept_by(function):
        each._omit_frequent_tracing_warning = True
        each._key_for_call_stats = _Key()
    return function


class _Key:
    """What one function is counted under: TensorFlow keeps it weakly, so it is of a class."""


def _kept_by(function: Callable[..., Any]) -> Iterator[Any]:
    """Keras keeps the traced functions in the closure of a plain one, some of them wrapped; older versions have a traced one alone."""
    kept = (cell.cell_contents for cell in getattr(function, "__closure__", None) or ())
    functions = (inspect.unwrap(each, stop=_counts_traces) for each in (function, *kept) if callable(each))
    return (each for each in functions if _counts_traces(each))


def _counts_traces(function: Any) -> bool:
    return hasattr(function, "experimental_get_tracing_count")
