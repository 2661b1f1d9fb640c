"""Paths that a user gives.

The one invariant: what comes out is a local path. Whether anything is there is for others to find out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tb_activations.errors import ArgumentError

__all__ = ["LOCAL_ONLY", "local_path"]

LOCAL_ONLY = "must be a local directory: mount or copy it, and name the local path."
"""The end of a sentence."""


def local_path(name: str, value: Any) -> Path:
    """``value``, the argument ``name``, as a path. ``~`` is the home directory; an unknown ``~user`` stays as it is, as in TensorBoard.

    Raises:
      ArgumentError: it is neither text nor `os.PathLike`, no path can be like this, or it names another machine.
    """
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise ArgumentError(f'`{name}` must be a path such as "logs/run1". Received: {name}={value!r:.200}')
    if "://" in path:  # as a path it would be a local folder `gs:`, and the bucket would stay empty
        raise ArgumentError(f"`{name}` {LOCAL_ONLY} Received: {name}={value!r:.200}")
    return Path(os.path.expanduser(path))  # noqa: PTH111  (that of pathlib raises where there is no such user)
