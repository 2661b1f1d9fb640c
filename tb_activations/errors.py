"""The errors that tb_activations raises on purpose. Each message says what was expected, what was received, and what to do."""

from __future__ import annotations

__all__ = ["ActivationsError", "ArgumentError", "FormatError", "NotFoundError", "VersionError"]


class ActivationsError(Exception):
    """Base of all errors raised on purpose."""


class ArgumentError(ActivationsError, ValueError):
    """An argument of a public function is not what it may be."""


class NotFoundError(ActivationsError, LookupError):
    """A run, node, quantity or step that does not exist was asked for."""


class FormatError(ActivationsError):
    """A file of a run violates ``docs/format.md``."""


class VersionError(FormatError):
    """A file of a run was written in a newer format than this version reads."""
