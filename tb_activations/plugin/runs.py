"""The runs of this TensorBoard: which exist, and an open reader for each that is asked for.

The one invariant: a run name of a request is only ever looked up in a listing that this module made itself. The log directory is walked
in the background, never in a request; a run whose files can't be read is listed with its problem and disturbs no other.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorboard.plugins import base_plugin

from tb_activations.errors import ActivationsError, NotFoundError
from tb_activations.plugin.background import Background
from tb_activations.plugin.http import broken_installation, quote
from tb_activations.plugin.present import present_run
from tb_activations.store.discovery import MAX_DIRECTORIES, Discovery, find_runs, holds_activations, tell_hindrance
from tb_activations.store.local_path import LOCAL_ONLY, local_path

if TYPE_CHECKING:
    from tb_activations.store.kept import KeptColumns
    from tb_activations.store.run import Run

__all__ = ["Runs", "Source", "source_of"]

_WALK_PAUSE = 5.0
"""Seconds between two walks, as long as TensorBoard itself waits."""

_FIRST_WALK = 2.0
"""Seconds that a request waits for the first walk: a page opened at once should not look empty."""

_LISTING_BUDGET = 0.05
"""Seconds that a listing spends on looking for new captures; what it doesn't reach is next in the next listing."""

_MOST_NAMED = 5
"""Runs that an error names."""

_KEPT_BYTES = 48 << 20
"""Room for one statistic of 1,000 nodes × 10,000 captures."""

_ADDRESS = re.compile(r"[a-zA-Z][0-9a-zA-Z.]*://")

_EMPTY = {
    "version": "",
    "graph": "",
    "sessions": "",
    "nodes": 0,
    "captures": 0,
    "first_step": None,
    "last_step": None,
    "last_wall_time": None,
    "dropped": 0,
}
"""What a listing says of a run that can't be read."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where runs come from.

    Attributes:
      logdir: as the user typed it.
      find: looks for them.
      problem: says why there is no place to look.
      local: a local directory, as the user typed it, below which a run that is begun now would be found; empty without one.
    """

    logdir: str
    find: Callable[[], Discovery]
    problem: Callable[[], str | None]
    local: str = ""


@dataclass(slots=True)
class _Entry:
    """A run of the listing. ``run`` is None until it is opened, and while it can't be: ``problem`` then says why. ``summary``: see `_summary`."""

    path: Path
    run: Run | None = None
    problem: str | None = None
    summary: dict[str, Any] | None = None
    refreshed: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> Run:
        from tb_activations.store.run import Run  # here, as TensorBoard's start would wait for it where there is no run at all

        with self.lock:
            if self.run is None:
                self.run = Run(self.path, _kept_columns())
                self.problem = None
            return self.run

    def refresh(self) -> None:
        """Looks for new captures. Whatever is wrong with the files of this run becomes its problem and disturbs no other run."""
        try:
            self.open().refresh()
            self.problem = None
        except ActivationsError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = f"The files of this run can't be read: {error.strerror}."
        except ImportError as error:
            self.problem = broken_installation(error)
            _warn_once(self.problem)
        except Exception:
            _logger.exception("The files of a run could not be read")
            self.problem = "The files of this run can't be read. TensorBoard's log says why."
        self.refreshed = time.monotonic()


def source_of(context: base_plugin.TBContext) -> Source:
    """Returns where the runs of a TensorBoard with this context are."""
    logdir = context.logdir or ""
    if "://" in logdir:
        return _nowhere(logdir, f"The log directory {LOCAL_ONLY}")
    if logdir:
        root = local_path("logdir", logdir).absolute()
        return Source(logdir, lambda: find_runs(root), lambda: _hindrance(root, logdir), logdir)
    multiplexer = context.multiplexer
    if multiplexer is not None:
        spec = str(getattr(context.flags, "logdir_spec", ""))
        return Source(spec, lambda: _find_in(dict(multiplexer.RunPaths())), lambda: None, _first_local(spec))
    return _nowhere("", "This TensorBoard has no log directory. Start it with --logdir DIRECTORY.")


def _hindrance(root: Path, logdir: str) -> str | None:
    hindrance = tell_hindrance(root)
    return hindrance and f"The log directory {logdir} {hindrance}."


def _nowhere(logdir: str, problem: str) -> Source:
    return Source(logdir, lambda: Discovery({}, complete=True), lambda: problem)


def _find_in(paths: Mapping[str, str]) -> Discovery:
    """The case of --logdir_spec: TensorBoard's own loader knows the run directories, and only it does."""
    return Discovery({name: Path(path) for name, path in sorted(paths.items()) if holds_activations(path)}, complete=True)


def _first_local(spec: str) -> str:
    """The first local directory of a --logdir_spec such as ``one:gs://a,two:/b,/c``, which TensorBoard takes apart like this; empty without one."""
    for each in spec.split(","):
        is_path = each.startswith("/") or ":" not in each or _ADDRESS.match(each) or os.path.splitdrive(each)[0]
        path = each if is_path else each.partition(":")[2]
        if path and not _ADDRESS.match(path):
            return path
    return ""


class Runs:
    """The runs of ``source``. Thread-safe."""

    def __init__(self, source: Source) -> None:
        self.logdir, self.local = source.logdir, source.local
        self._source = source
        self._entries: Mapping[str, _Entry] = {}
        self._complete = True
        self._discovery = Background(self._discover, "tb_activations-discovery", _WALK_PAUSE)
        self._discovery.ask()

    def __bool__(self) -> bool:
        """Whether any run is known. Costs nothing; a walk that is due starts in the background."""
        self._discovery.ask()
        return bool(self._entries)

    @property
    def problem(self) -> str | None:
        """Why runs are missing, as a sentence."""
        if not self._complete:
            return f"The log directory has more than {MAX_DIRECTORIES:,} directories; runs beyond are not listed. Choose one further down."
        return self._source.problem()

    def get(self, name: str) -> Run:
        """Returns the reader of a run.

        Raises:
          NotFoundError: there is no such run.
          FormatError: its files can't be read.
        """
        if name not in self._entries:
            self._discovery.wait_for_first(_FIRST_WALK)
        entry = self._entries.get(name)
        if entry is None:
            raise NotFoundError(f"No run {quote(name)} holds activations.{_advice(name, self._entries)}")
        return entry.open()

    def listing(self) -> list[dict[str, Any]]:
        """Returns what `/runs` says of each run, after a look for new captures that is bounded in time."""
        self._discovery.ask()
        self._discovery.wait_for_first(_FIRST_WALK)
        entries = self._entries
        deadline = time.monotonic() + _LISTING_BUDGET
        for entry in sorted(entries.values(), key=lambda entry: entry.refreshed):
            if time.monotonic() > deadline:
                break
            entry.refresh()
        return [_summary(name, entry) for name, entry in entries.items() if entry.refreshed]

    def _discover(self) -> None:
        found = self._source.find()
        known = {(name, entry.path): entry for name, entry in self._entries.items()}
        self._complete = found.complete
        self._entries = {name: known.get((name, path)) or _Entry(path) for name, path in found.runs.items()}
        for entry in self._entries.values():
            if entry.run is None:
                entry.refresh()


@functools.cache
def _kept_columns() -> KeptColumns:
    """What the matrices of all runs share: a growing run is drawn anew every few seconds."""
    from tb_activations.store.kept import KeptColumns

    return KeptColumns(_KEPT_BYTES)


@functools.cache
def _warn_once(sentence: str) -> None:
    _logger.warning("TensorBoard goes on. %s", sentence)


def _advice(name: str, names: Collection[str]) -> str:
    import difflib

    matches = difflib.get_close_matches(name[:200], names, n=1)
    if matches:
        return f" Did you mean {quote(matches[0])}?"
    if not names:
        return " None does yet: a run is listed some seconds after its first capture."
    others = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f" These do: {', '.join(map(quote, sorted(names)[:_MOST_NAMED]))}{others}."


def _summary(name: str, entry: _Entry) -> dict[str, Any]:
    """What a listing says of a run; worked out anew when it has changed, for every page polls and there may be hundreds of runs."""
    run, summary = entry.run, entry.summary
    if run is None:
        return {"run": name, **_EMPTY, "problems": [entry.problem]}
    if entry.problem:
        return present_run(name, run, (entry.problem,))
    if summary is None or summary["version"] != run.version:
        summary = entry.summary = present_run(name, run, ())
    return summary
