"""Which directories below a log directory are runs with activations.

The one invariant: the walk ends. It follows symbolic links as TensorBoard does, but never a link back into its own path, and it stops
after a bounded number of directories. It opens no file, so nothing that a file holds can disturb it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tb_activations.store.names import GRAPH_NAME, PLUGIN_NAME, data_directory

__all__ = ["MAX_DIRECTORIES", "Discovery", "find_runs", "holds_activations", "tell_absence", "tell_hindrance"]

MAX_DIRECTORIES = 200_000
"""Directories that one walk looks into. TensorBoard itself is unusable long before."""

_PLUGINS = "plugins"
_FOLDER = f"{os.sep}{_PLUGINS}{os.sep}{PLUGIN_NAME}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a walk found: run name -> run directory, by name; ``complete`` is False when `MAX_DIRECTORIES` ended it."""

    runs: dict[str, Path]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory on the walk. ``real`` is its path without links; ``origins`` are the real paths at which links were followed."""

    path: str
    real: str
    origins: tuple[str, ...] = ()


def find_runs(logdir: str | os.PathLike[str], most: int = MAX_DIRECTORIES) -> Discovery:
    """Finds every run directory under ``logdir`` that holds activations, ``logdir`` itself included.

    Names are those that TensorBoard gives: the path relative to ``logdir``, "." for ``logdir`` itself.
    """
    root = os.fspath(logdir)
    found: dict[str, Path] = {}
    pending = [_Directory(root, os.path.realpath(root))]
    for _ in range(most):
        if not pending:
            break
        directory = pending.pop()
        children = list(_subdirectories(directory))
        if any(child.path.endswith(os.sep + _PLUGINS) for child in children) and holds_activations(directory.path):
            found[_printable(os.path.relpath(directory.path, root))] = Path(directory.path)
        pending += [child for child in children if not _is_ours(child.path)]
    return Discovery(dict(sorted(found.items())), complete=not pending)


def holds_activations(run_dir: str | os.PathLike[str]) -> bool:
    """Whether ``run_dir`` has a graph file, without which no other says anything."""
    try:
        with os.scandir(data_directory(Path(run_dir))) as entries:
            return any(GRAPH_NAME.fullmatch(entry.name) for entry in entries)
    except OSError:  # no such folder, or one that may not be read
        return False


def tell_hindrance(directory: Path) -> str | None:
    """Why nothing can be found in ``directory``, as the end of a sentence that begins with it; None where nothing is in the way."""
    try:
        os.scandir(directory).close()
    except PermissionError:
        return "may not be read"
    except NotADirectoryError:
        return "is not a directory"
    except OSError:
        return "does not exist"
    return None


def tell_absence(directory: Path) -> str:
    """Why no run was found below ``directory``, as the end of a sentence that names it."""
    hindrance = tell_hindrance(directory)
    if hindrance is not None:
        return f"which {hindrance}."
    for parent in directory.absolute().parents:
        if holds_activations(parent):
            return f"which lies inside the run {str(parent)!r}."
    return f"with no {_FOLDER[1:]} below that can be read."


def _subdirectories(directory: _Directory) -> Iterator[_Directory]:
    try:
        with os.scandir(directory.path) as entries:
            for entry in entries:
                child = _enter(directory, entry)
                if child is not None:
                    yield child
    except OSError:  # deleted meanwhile, or one that may not be read: TensorBoard shows nothing of it either
        return


def _enter(directory: _Directory, entry: os.DirEntry[str]) -> _Directory | None:
    """Returns ``entry`` as a directory of the walk, or None when it is none or leads back to where the walk came from."""
    try:
        if not entry.is_dir():
            return None
    except OSError:  # a link to itself
        return None
    if not entry.is_symlink():
        return _Directory(entry.path, f"{directory.real}{os.sep}{entry.name}", directory.origins)
    real = os.path.realpath(entry.path)
    origins = (*directory.origins, directory.real)
    if any(origin == real or origin.startswith(real.rstrip(os.sep) + os.sep) for origin in origins):
        return None
    return _Directory(entry.path, real, origins)


def _is_ours(path: str) -> bool:
    return path.endswith(_FOLDER)


def _printable(name: str) -> str:
    """A file name need not be UTF-8; a run name goes into JSON and URLs, so bytes that no character has are replaced."""
    return os.fsencode(name).decode("utf-8", "replace")
