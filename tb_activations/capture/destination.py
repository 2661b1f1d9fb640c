"""One run directory that captures go to.

The one invariant: nothing is made on disk before the first capture, and nothing that goes wrong with the disk is raised; it is told once.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tb_activations.capture.marker import write_marker
from tb_activations.capture.packing import unpack
from tb_activations.capture.replicas import of_each, this_worker
from tb_activations.capture.twin import Captured
from tb_activations.store.names import PLUGIN_NAME
from tb_activations.store.run import Run
from tb_activations.store.schema import Capture, Graph
from tb_activations.store.writer import Writer

__all__ = ["Destination", "let_go"]

_LATEST: weakref.WeakValueDictionary[Path, Destination] = weakref.WeakValueDictionary()
"""Path of a run -> who of this process wrote a capture there last."""


class Destination:
    """Writes captures into ``run_dir``, one session from the first capture to `close`.

    Args:
      max_bytes: size budget of the run in bytes, or None.
      warn: called with a sentence for who trains, such as that writing has ended for good; may be called on another thread.
      on_segment: called on the writer's thread when new captures are on disk.
    """

    def __init__(self, run_dir: Path, max_bytes: int | None, warn: Callable[[str], None], on_segment: Callable[[], None] | None = None) -> None:
        self.run_dir = run_dir
        self._max_bytes = max_bytes
        self._warn = warn
        self._on_segment = on_segment
        self._writer: Writer | None = None
        self._graph: Graph | None = None
        self._failed = self._told_of_another = False

    @property
    def over(self) -> bool:
        """Whether nothing that is put is kept, for writing has failed: nothing need be recorded for it. A new session tries anew."""
        return self._failed

    def was_recorded(self) -> bool:
        """Whether an earlier session recorded this run; its graph stands there from the first capture on, before any segment."""
        try:
            return any((self.run_dir / "plugins" / PLUGIN_NAME).glob("graph-*.json"))
        except OSError:
            return False  # what is wrong with the directory is told when it is written

    def begin(self, first_step: int) -> None:
        """A training begins at ``first_step``. Warns where an earlier one is shown no more, as it began there too.

        The first of several workers does, which no other is ahead of by a step.
        """
        if first_step == 0 and this_worker()[0] == 0 and self.was_recorded():
            self._warn(
                f"{self.run_dir} holds an earlier training, in whose place this one is shown: it begins at step 0 as well. "
                "Nothing is deleted. Give each training a `log_dir` of its own to see both."
            )

    def begin_beside(self, step: int) -> None:
        """Captures of no training begin, as of ``step``. Warns where those of later steps are shown no more."""
        with suppress(Exception):  # what is wrong with the directory is told when it is written
            if self.was_recorded() and (Run(self.run_dir).steps() > step).any():
                self._warn(
                    f"{self.run_dir} holds captures of later steps than {step:,}, where this model stands, and they are shown no more. "
                    "Nothing is deleted. Give each model a `log_dir` of its own to see both."
                )

    def put(self, step: int, captured: Captured, *, epoch: int = -1, overhead: float = float("nan")) -> None:
        """Hands a capture to the writer, whose thread waits for its numbers.

        Args:
          overhead: seconds that the capture took on the training thread; what the reduction takes beside it is added.
        """
        if self._failed:
            return
        self._look_for_another()
        moment = time.time()

        def resolve() -> list[Capture]:
            return [capture(rank, packed) for rank, packed in of_each(captured.packed(), captured.catalogue)]

        def capture(rank: int, packed: dict[str, Any]) -> Capture:
            scale = packed.get("loss_scale")
            loss_scale = float("nan") if scale is None else float(scale)
            quantities = unpack(packed, captured.catalogue)
            seconds = overhead + packed.get("seconds", 0.0)
            return Capture(step, moment, quantities, rank=rank, epoch=epoch, overhead=seconds, loss_scale=loss_scale)

        try:
            writer = self._opened()
            if captured.catalogue.graph is not self._graph:
                self._graph = captured.catalogue.graph
                writer.set_graph(self._graph)
            writer.put(step, resolve)
        except Exception as error:  # noqa: BLE001  (a directory that can't be written must not end a training)
            self._fail(error)

    def close(self) -> None:
        """Writes what is left. A capture put later begins a new session."""
        writer, self._writer, self._graph = self._writer, None, None
        if writer is not None:
            writer.close()
        self._failed = False

    def let_go(self) -> None:
        """As `close`, without waiting for it."""
        if self._writer is not None:
            self._writer.let_go()

    def _look_for_another(self) -> None:
        """Warns where another recording wrote between two captures of this one: readers take a step from the session that began last."""
        path = self.run_dir.absolute()
        latest, _LATEST[path] = _LATEST.get(path, self), self
        if latest is not self and self._writer is not None and not self._told_of_another:
            self._told_of_another = True
            self._warn(f"Two recordings write {self.run_dir} in turn, and only one of them is shown. Give each a `log_dir` of its own.")

    def _opened(self) -> Writer:
        if self._writer is None:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            if not any(self.run_dir.glob(f"*tfevents*.{PLUGIN_NAME}")):
                write_marker(self.run_dir)
            self._writer = Writer(
                self.run_dir,
                worker=this_worker()[0],
                max_bytes=self._max_bytes,
                on_failure=self._fail,
                on_budget=self._warn,
                on_segment=self._on_segment,
            )
        return self._writer

    def _fail(self, error: BaseException) -> None:
        if not self._failed:
            self._failed = True
            self._warn(f"Activations can't be written to {self.run_dir}: {type(error).__name__}: {error}. Training goes on without recording.")


def let_go(destinations: Iterable[Destination]) -> None:
    """Ends what whoever recorded left open: a `fit` that was interrupted tells no callback of its end."""
    for destination in list(destinations):
        destination.let_go()
