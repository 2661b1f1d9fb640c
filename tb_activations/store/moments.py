"""The moment of a run that its answers are taken from: the newest, which moves on, or one that stays.

The one invariant: an answer is worked out from one `Moment`, as a whole. A file that went away meanwhile has it worked out again, from a newer moment
or from the same one with its rows where they lie now; never half from either.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tb_activations.errors import NotFoundError
from tb_activations.store import presence
from tb_activations.store.container import FileChangedError
from tb_activations.store.folder import Contents, Folder
from tb_activations.store.index import Index, build_index, find_again
from tb_activations.store.nodes import Node, describe_nodes
from tb_activations.store.schema import QUANTITIES

__all__ = ["Moment", "Moments", "NewestMoments", "PinnedMoment"]

_T = TypeVar("_T")
_ATTEMPTS = 8


class Moment:
    """An index with what is derived from it, at most once."""

    def __init__(self, index: Index) -> None:
        self.index = index

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return describe_nodes(
            self.index.joined,
            {quantity: presence.count_captures(self.index, quantity) for quantity in QUANTITIES},
            {quantity: presence.find_sampled(self.index, quantity) for quantity in QUANTITIES},
            self.index.without_captures,
        )


class Moments(ABC):
    """Where a `Run` takes its answers from."""

    now: Moment

    @abstractmethod
    def refresh(self) -> bool:
        """Moves on to the newest moment; True when it is another one."""

    @abstractmethod
    def look_again(self) -> None:
        """Finds the rows of ``now`` after a file went away."""

    @abstractmethod
    def pin(self) -> PinnedMoment:
        """The present moment, which stays."""

    def read(self, function: Callable[[Moment], _T]) -> _T:
        """Calls ``function`` with the present moment, and again when a file went away meanwhile."""
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                return function(self.now)
            except FileChangedError as error:
                reason = str(error)
                self.look_again()
        raise NotFoundError(f"The files of this run can't be read, or change faster than they can be read: {reason} Ask again.")


class NewestMoments(Moments):
    """Follows the folder of a run. Thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._folder = Folder(directory)
        self._lock = threading.Lock()
        self.now = Moment(build_index(self._folder.scan() or Contents((), (), (), {}, ())))

    def refresh(self) -> bool:
        with self._lock:
            contents = self._folder.scan()
            if contents is not None:
                self.now = Moment(build_index(contents, self.now.index))
            return contents is not None

    def look_again(self) -> None:
        self.refresh()

    def pin(self) -> PinnedMoment:
        return PinnedMoment(self)


class PinnedMoment(Moments):
    """One moment for good, whatever is written or merged meanwhile; its rows are followed to where they lie now."""

    def __init__(self, newest: NewestMoments) -> None:
        self._newest = newest
        self.now = newest.now

    def refresh(self) -> bool:
        return False

    def look_again(self) -> None:
        self._newest.refresh()
        index = find_again(self._newest.now.index, self.now.index)
        if index is None:
            raise FileChangedError("The captures of this moment were recorded anew.", gone=True)
        self.now = Moment(index)

    def pin(self) -> PinnedMoment:
        return self
