"""Directories that may not be read, also where the tests run as root, who may read everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["forbidden", "needs_rights"]

_NOBODY = 65534

needs_rights = pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has rights of another kind")


@contextmanager
def forbidden(directory: Path) -> Iterator[None]:
    """Nothing in ``directory`` can be listed or opened while the block runs. Root is another user meanwhile, who may not even import a module."""
    mode, user = directory.stat().st_mode, os.geteuid()
    directory.chmod(0)
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        directory.chmod(mode)
