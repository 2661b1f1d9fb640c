"""Finds the user's line that made a node.

The one invariant: a place inside Keras, TensorFlow, Python's library or this package is never reported. Only file, line and function are
kept; text only where it is asked for.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import os
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from tb_activations.store.schema import Source

__all__ = ["is_user_function", "operation_line", "raised_by_us", "source_text", "user_line"]

_ROOT = "instrumented_step"
"""Name of the functions of this package that call the user's step: the search ends there."""

_GENERATED = "__autograph_generated_file"
"""Part of the names of the temporary files that AutoGraph writes converted functions to."""

_PACKAGE = str(Path(__file__).resolve().parent.parent) + os.sep


def user_line() -> Source | None:
    """The innermost line of user code on the stack, as far as the train step; None when Keras alone called the node."""
    foreign = _foreign_folders()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_PACKAGE):
            if code.co_name == _ROOT:
                return None
        elif _GENERATED in code.co_filename:
            return _before_conversion(foreign)
        elif _is_user_code(code.co_filename, foreign):
            return Source(_relative(code.co_filename), frame.f_lineno, code.co_name)
        frame = frame.f_back
    return None


def operation_line(op: Any) -> Source | None:
    """The innermost line of user code that made a TensorFlow operation, as far as the train step; None when Keras alone made it."""
    return _innermost(op.traceback or (), _foreign_folders())


def _before_conversion(foreign: tuple[str, ...]) -> Source | None:
    """The same where the innermost line is one that AutoGraph wrote: TensorFlow knows which line it stands for."""
    stack = sys.modules["tensorflow.python.util.tf_stack"].extract_stack()
    return _innermost(stack, foreign)


def _innermost(stack: Sequence[Any], foreign: tuple[str, ...]) -> Source | None:
    for frame in reversed(stack):
        file = frame.filename
        if file.startswith(_PACKAGE):
            if frame.name == _ROOT:
                return None
        elif _is_user_code(file, foreign):
            return Source(_relative(file), frame.lineno, frame.name)
    return None


def source_text(source: Source) -> str:
    """The line of ``source`` with two lines before and after it, each cut at 120 characters; "" where the file can't be read."""
    lines = linecache.getlines(_FILES.get(source.file, ""))
    around = range(max(source.line - 2, 1), min(source.line + 2, len(lines)) + 1)
    return "\n".join(f"{number:>5} {lines[number - 1].rstrip()[:120]}" for number in around)


def raised_by_us(error: BaseException) -> bool:
    """Whether the innermost code that an error came through, Keras, TensorFlow and Python's library apart, is of this package."""
    foreign = _foreign_folders()
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    last = next((file for file in reversed(files) if file.startswith(_PACKAGE) or _is_user_code(file, foreign)), "")
    return last.startswith(_PACKAGE)


def is_user_function(function: Any) -> bool:
    """Whether a function, however it is wrapped, was written outside of Keras and TensorFlow."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return code is None or _is_user_code(code.co_filename, _foreign_folders())


@functools.cache
def _foreign_folders() -> tuple[str, ...]:
    files = (getattr(sys.modules.get(name), "__file__", None) for name in ("keras", "tensorflow"))
    return tuple(str(Path(file).parent) + os.sep for file in files if file)


_FILES: dict[str, str] = {}
"""The files that were named, by the names they were given."""

_LIBRARY = sysconfig.get_path("stdlib") + os.sep


def _is_user_code(file: str, foreign: tuple[str, ...]) -> bool:
    if file.startswith(("<", *foreign)) or _GENERATED in file:
        return False
    return not file.startswith(_LIBRARY) or "site-packages" in file


def _relative(file: str) -> str:
    """Relative to the working directory where it lies below it, else the last two parts: no home directories in a log."""
    path = Path(file)
    try:
        shown = path.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):  # where the working directory is gone, too
        shown = Path(*path.parts[-2:]).as_posix()
    _FILES[shown] = file
    return shown
