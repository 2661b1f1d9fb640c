"""The files of a run as they come and go: lists the folder, opens what is new, remembers what is broken.

The one invariant: a file that was read is opened once, and one that could not be opened once for each scan, since what is in its way (rights, a file
server) may go away without a trace. `Folder.scan` costs one directory listing when nothing is new, and a file that violates the format costs one
problem, not the run. Which rows count is decided in `index`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from tb_activations.errors import FormatError
from tb_activations.store.container import FileChangedError
from tb_activations.store.findingsfile import FindingsFile, read_findings
from tb_activations.store.graphfile import GraphFile, read_graph
from tb_activations.store.layout import SegmentId
from tb_activations.store.names import FINDINGS_NAME, GRAPH_NAME, OPERATIONS_NAME
from tb_activations.store.segments import Segment, open_segment

__all__ = ["Contents", "Folder"]

Signature = tuple[int, int]
Listing = dict[str, Signature]

MOST_FINDINGS_FILES = 16
"""Each session leaves one, and of each rule only the newest counts."""
_ATTEMPTS = 8
"""Somebody may change the folder all the time."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Contents:
    """What the folder held at one moment.

    Attributes:
      graphs: newest first.
      segments: those that no other replaces, ordered by name.
      findings: newest first.
      operations: files of operations by name, of which nothing is read here.
      problems: one sentence for each file that can't be read.
    """

    graphs: tuple[GraphFile, ...]
    segments: tuple[Segment, ...]
    findings: tuple[FindingsFile, ...]
    operations: Mapping[str, Signature]
    problems: tuple[str, ...]


class _Listings(NamedTuple):
    """What a folder lists, by kind; of findings the newest files only."""

    graphs: Listing
    segments: Listing
    findings: Listing
    operations: Listing


_NOTHING = _Listings({}, {}, {}, {})


@dataclass(frozen=True, slots=True)
class _Known(Generic[_T]):
    """What is known of a file: its content, or a problem. ``signature``: the file of which this is true; None: the next scan must try again."""

    signature: Signature | None
    content: _T | None
    problem: str = ""


class Folder:
    """Follows the folder of one run. Used by one thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._graphs: dict[str, _Known[GraphFile]] = {}
        self._segments: dict[str, _Known[Segment]] = {}
        self._findings: dict[str, _Known[FindingsFile]] = {}
        self._operations: Listing = {}

    def scan(self) -> Contents | None:
        """Looks at the folder; None when nothing changed since the last scan."""
        changed = False
        # A file can vanish between the listing and its opening (compaction deletes what it replaced): then the listing was out of date.
        for _ in range(_ATTEMPTS):
            try:
                changed = self._scan_once() or changed
                break
            except FileNotFoundError:
                changed = True
        return self._contents() if changed else None

    def _scan_once(self) -> bool:
        listed = self._settled_list()
        before, self._operations = self._operations, listed.operations
        changed = (
            before != listed.operations,
            _follow(self._graphs, listed.graphs, lambda name: read_graph(self._directory / name)),
            _follow(self._segments, listed.segments, lambda name: open_segment(self._directory / name)),
            _follow(self._findings, listed.findings, lambda name: read_findings(self._directory / name)),
        )
        return any(changed)

    def _settled_list(self) -> _Listings:
        """A listing to be trusted: one taken while segments are merged may hold neither the old names nor the new one.

        Where no segment is known yet, none would be missed, and whoever opens a run may look once only: it is listed twice.
        """
        listed = self._list()
        for _ in range(_ATTEMPTS):
            if self._segments and not self._segments.keys() - listed.segments.keys():
                break
            before, listed = listed, self._list()
            if before == listed:
                break
        return listed

    def _list(self) -> _Listings:
        try:
            with os.scandir(self._directory) as entries:
                return _sorted_out(entries)
        except NotADirectoryError:
            return _NOTHING
        except FileNotFoundError:
            if self._directory.exists():
                raise
            return _NOTHING

    def _contents(self) -> Contents:
        segments = [known.content for known in self._segments.values() if known.content is not None]
        replaced = frozenset[str]().union(*(segment.replaces for segment in segments))
        graphs = [known.content for known in self._graphs.values() if known.content is not None]
        findings = [known.content for known in self._findings.values() if known.content is not None]
        everything: dict[str, _Known[Any]] = {**self._graphs, **self._segments, **self._findings}
        problems = [known.problem for name, known in everything.items() if known.problem and name not in replaced]
        return Contents(
            tuple(sorted(graphs, key=lambda graph: (graph.created, graph.fingerprint), reverse=True)),
            tuple(sorted((segment for segment in segments if segment.id.name not in replaced), key=lambda segment: segment.id)),
            tuple(sorted(findings, key=lambda file: file.created, reverse=True)),
            self._operations,
            tuple(sorted(problems)),
        )


def _sorted_out(entries: Iterable[os.DirEntry[str]]) -> _Listings:
    """Each file that is ours under its kind."""
    listed = _Listings({}, {}, {}, {})
    for entry in entries:
        found = listed.segments if SegmentId.parse(entry.name) else None
        for pattern, listing in ((GRAPH_NAME, listed.graphs), (FINDINGS_NAME, listed.findings), (OPERATIONS_NAME, listed.operations)):
            found = listing if pattern.fullmatch(entry.name) else found
        signature = None if found is None else _signature(entry)
        if found is not None and signature is not None:
            found[entry.name] = signature
    newest = sorted(listed.findings.items(), key=lambda file: file[1][1])[-MOST_FINDINGS_FILES:]
    return listed._replace(findings=dict(newest))


def _signature(entry: os.DirEntry[str]) -> Signature | None:
    """None for what is no file: a pipe would block whoever opens it, and a link may lead nowhere.

    Raises:
      FileNotFoundError: the file went away since it was listed, so the listing is out of date.
    """
    try:
        status = entry.stat()
    except OSError:
        if entry.is_symlink():
            return None
        raise
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _follow(known: dict[str, _Known[_T]], listed: Mapping[str, Signature], read: Callable[[str], _T]) -> bool:
    """Brings ``known`` to what is ``listed``; True when it was not."""
    gone = known.keys() - listed.keys()
    for name in gone:
        del known[name]
    changed = bool(gone)
    for name, signature in listed.items():
        before = known.get(name)
        if before is None or before.signature != signature:
            now = known[name] = _read_or_problem(name, signature, read)
            # A file that still can't be opened is nothing new: the index need not be built anew.
            changed = changed or before is None or now.content is not None or now.problem != before.problem
    return changed


def _read_or_problem(name: str, signature: Signature, read: Callable[[str], _T]) -> _Known[_T]:
    """What a file holds, or why it can't be told.

    Raises:
      FileNotFoundError: the file went away: the listing is out of date.
    """
    try:
        return _Known(signature, read(name))
    except FileNotFoundError:
        raise
    except FileChangedError as error:
        if error.gone:
            raise FileNotFoundError(name) from error
        return _Known(None, None, f"{name} is left out: it is being changed.")
    except FormatError as error:
        return _Known(signature, None, f"{name} is left out: {error}")
    except OSError as error:
        return _Known(None, None, f"{name} is left out: {error.strerror}")
