"""The writing end of a run: a background thread behind a bounded queue.

The one invariant: nothing that goes wrong here reaches the training. `Writer.put` never blocks and never raises for a reason of ours; a step that
can't be kept is counted as dropped, and the count is written. What the files look like is `session.Session`'s business.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tb_activations.errors import ArgumentError
from tb_activations.store.budget import NO_ROOM, STAGES, Budget, Stage
from tb_activations.store.schema import Capture, Graph
from tb_activations.store.session import Session

__all__ = ["Writer"]

SEAL_SECONDS = 2.0
"""Longest that a capture waits before it is in a segment on disk: what a kill -9 may lose."""
SEAL_BYTES = 32 << 20
"""Captures are sealed into a segment before they weigh more than this."""
QUEUE_CAPTURES = 64
QUEUE_BYTES = 256 << 20
"""Bound of what waits for the thread. What a waiting capture weighs is taken from the last one that was resolved."""

Resolve = Callable[[], Sequence[Capture]]


@dataclass(frozen=True, slots=True)
class _Item:
    step: int
    graph: str
    resolve: Resolve


class Writer:
    """One session of one worker in one run directory.

    Args:
      run_dir: the directory of the run; made when it does not exist.
      worker: number of this process among those that write into the run, 0 to 9999.
      max_bytes: size budget of this worker in this run, in bytes; None: no bound.
      on_failure: called once, on the writer's thread, with the error that ended the writing.
      on_budget: called on the writer's thread with a sentence whenever the size budget makes the writer keep less.
      on_segment: called on the writer's thread when a segment is on disk; must not raise.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        *,
        worker: int = 0,
        max_bytes: int | None = None,
        on_failure: Callable[[BaseException], object] | None = None,
        on_budget: Callable[[str], object] | None = None,
        on_segment: Callable[[], object] | None = None,
    ) -> None:
        _check(worker, max_bytes)
        self._session = Session(Path(run_dir), worker)
        self._budget = Budget(max_bytes)
        if max_bytes is not None:
            with suppress(OSError):  # there is nothing yet, or the thread will meet what is wrong
                self._budget.used_bytes = self._session.used_bytes()  # before there is a graph, not as soon as there is a thread
        self._stage = STAGES[0]
        self._on_failure, self._on_budget, self._on_segment = on_failure, on_budget, on_segment
        self._changed = threading.Condition()
        self._queue: deque[_Item] = deque()
        self._graph = ""
        self._dropped: list[int] = []
        self._put_count = self._taken_count = self._written_count = self._flush_to = 0
        self._offered_count = self._item_bytes = 0
        self._stride = 1
        self._closing = self._ended = False
        self._failure: BaseException | None = None
        self._too_large_told = self._no_room = False
        self._pending = _Pending("", self._stage)
        self._thread = threading.Thread(target=self._run, name="tb_activations writer", daemon=True)
        self._thread.start()
        # The thread is a daemon, so that a forgotten close() can't hang the interpreter; this writes what it still holds.
        atexit.register(self.close)

    @property
    def failure(self) -> BaseException | None:
        """What ended the writing, or None."""
        return self._failure

    def set_graph(self, graph: Graph) -> None:
        """Starts a new generation of the graph. Its file is on disk when this returns; captures put later belong to it."""
        try:
            self._graph = self._session.write_graph(graph)
        except Exception as error:  # noqa: BLE001 - whatever it is, training goes on
            self._fail(error)

    def put(self, step: int, resolve: Resolve) -> bool:
        """Hands over what was captured at ``step``. Never blocks.

        Args:
          step: the step, for the count of dropped steps.
          resolve: makes the capture rows; runs on the writer's thread.

        Returns:
          False when the capture was not taken: the queue is full or the size budget thins captures (the step is then counted as dropped), or
          writing has ended.
        """
        if not self._graph and self._failure is None:
            raise ArgumentError("Expected set_graph before the first put: a capture belongs to a graph.")
        with self._changed:
            if self._failure is not None or self._closing:
                return False
            self._offered_count += 1
            full = len(self._queue) >= QUEUE_CAPTURES or len(self._queue) * self._item_bytes >= QUEUE_BYTES
            if full or self._offered_count % self._stride:
                self._dropped.append(step)
                return False
            self._queue.append(_Item(step, self._graph, resolve))
            self._put_count += 1
            self._changed.notify_all()
            return True

    def flush(self) -> None:
        """Returns when everything put so far is in a segment on disk, or when writing has ended."""
        if threading.current_thread() is self._thread:
            return
        with self._changed:
            self._flush_to = target = self._put_count
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._written_count >= target or self._ended)

    def close(self) -> None:
        """Writes what is left and ends the thread. May be called more than once."""
        self.let_go()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def let_go(self) -> None:
        """As `close`, without waiting for it."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._session.prepare()
            self._enter_stage()
            while self._turn():
                pass
            if self._failure is None:
                self._session.compact_rest()
        except BaseException as error:  # noqa: BLE001 - the end of the thread: nobody above could handle it
            self._fail(error)
        with self._changed:
            self._ended = True
            self._queue.clear()
            self._changed.notify_all()
        if self._failure is not None and self._on_failure is not None:
            self._on_failure(self._failure)
        atexit.unregister(self.close)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def _turn(self) -> bool:
        """Takes one capture from the queue, or seals, or waits. False when the thread should end."""
        with self._changed:
            self._changed.wait_for(self._has_work, timeout=self._pending.seconds_left())
            item = self._queue.popleft() if self._queue else None
        if item is not None:
            self._take(item)
        with self._changed:
            ending = self._failure is not None or (self._closing and not self._queue)
            flushing = self._written_count < self._flush_to <= self._taken_count
        if ending or flushing or self._pending.is_due():
            self._seal()
        return not ending

    def _has_work(self) -> bool:
        flushing = self._written_count < self._flush_to <= self._taken_count
        return bool(self._queue) or self._closing or flushing or self._failure is not None

    def _take(self, item: _Item) -> None:
        if item.graph != self._pending.graph or self._budget.stage != self._pending.stage:
            self._seal()
            self._pending = _Pending(item.graph, self._budget.stage)
        try:
            captures, self._item_bytes = self._budget.thin(item.resolve())
        except BaseException:
            self._seal()  # What was taken before is good.
            raise
        if self._budget.fits(self._item_bytes):
            self._pending.add(captures, self._item_bytes)
            self._budget.used_bytes += self._item_bytes
        else:
            self._no_room = True
            with self._changed:
                self._dropped.append(item.step)
            self._tell_too_large()
        self._taken_count += 1

    def _seal(self) -> None:
        with self._changed:
            dropped, self._dropped = self._dropped, []
        pending, self._pending = self._pending, _Pending(self._pending.graph, self._pending.stage)
        if pending.captures or dropped:
            if not pending.captures:  # what was dropped before it was taken is of the newest graph, and of the present stage
                pending = _Pending(self._graph, NO_ROOM if self._no_room else self._budget.stage)
            self._session.write_captures(pending.captures, dropped, pending.graph, pending.stage.code)
            self._no_room = False
            self._session.compact_full_levels()
            self._weigh()
        with self._changed:
            self._written_count = self._taken_count
            self._changed.notify_all()
        if pending.captures and self._on_segment is not None:
            self._on_segment()

    def _weigh(self) -> None:
        """Takes the size on disk for what was estimated, and tells when a new stage of the budget begins."""
        if self._budget.max_bytes is not None:
            self._budget.used_bytes = self._session.used_bytes()
            self._enter_stage()

    def _enter_stage(self) -> None:
        stage, self._stage = self._stage, self._budget.stage
        self._stride = self._budget.stride
        if self._stage.share > stage.share and self._on_budget is not None and self._budget.max_bytes is not None:
            used, bound = _sizes(self._budget.used_bytes, self._budget.max_bytes)
            self._on_budget(f"{used} of the size budget of {bound} are used: {self._stage.sentence}.")

    def _tell_too_large(self) -> None:
        """Once, where it isn't told yet that captures are left out: of a budget that is too small, none may be kept at all."""
        if self._too_large_told or self._on_budget is None or self._budget.stage is STAGES[-1] or self._budget.max_bytes is None:
            return
        self._too_large_told = True
        size, bound = _sizes(self._item_bytes, self._budget.max_bytes)
        self._on_budget(
            f"A capture of {size} is more than what is left of the size budget of {bound}, and is left out. Give more room, or record less."
        )


def _sizes(*counts: int) -> list[str]:
    """In one unit, in which the largest is no fraction."""
    return [f"{count / 1e6:.1f} MB" if max(counts) >= 1e6 else f"{count / 1e3:.1f} kB" for count in counts]


def _check(worker: int, max_bytes: int | None) -> None:
    if not 0 <= worker <= 9999:
        raise ArgumentError(f"Expected a worker of 0 to 9999. Received: worker={worker!r}")
    if max_bytes is not None and max_bytes <= 0:
        raise ArgumentError(f"Expected a size budget of more than 0 bytes, or None. Received: max_bytes={max_bytes!r}")


class _Pending:
    """Captures that wait to be sealed into a segment."""

    def __init__(self, graph: str, stage: Stage) -> None:
        self.graph = graph
        self.stage = stage
        self.captures: list[Capture] = []
        self._size_bytes = 0
        self._due = math.inf

    def add(self, captures: Sequence[Capture], size_bytes: int) -> None:
        if not self.captures:
            self._due = time.monotonic() + SEAL_SECONDS
        self.captures.extend(captures)
        self._size_bytes += size_bytes

    def is_due(self) -> bool:
        return self._size_bytes >= SEAL_BYTES or time.monotonic() >= self._due

    def seconds_left(self) -> float | None:
        return None if self._due == math.inf else max(self._due - time.monotonic(), 0.0)
