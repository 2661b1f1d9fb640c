"""Reading a run: `open_run` and `Run`.

The one invariant: every answer of a `Run` is taken from one moment of the run (`moments`), whatever other threads or the writer do meanwhile. What a
question means, and what is wrong with it, says `questions`; the numbers come from `reading`, the rows from `index`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tb_activations.errors import NotFoundError
from tb_activations.store import presence, reading
from tb_activations.store.answers import Captures, Histogram, Sample
from tb_activations.store.chapters import Chapter, plan_nodes, read_chapters
from tb_activations.store.discovery import find_runs, holds_activations, tell_absence
from tb_activations.store.findingsfile import FindingsFile
from tb_activations.store.index import Index
from tb_activations.store.kept import KeptColumns
from tb_activations.store.local_path import local_path
from tb_activations.store.moments import Moment, Moments, NewestMoments, PinnedMoment
from tb_activations.store.names import data_directory
from tb_activations.store.nodes import Node, QuantityState
from tb_activations.store.operationsfile import read_operations
from tb_activations.store.questions import (
    check_integer,
    check_quantity,
    check_statistic,
    find_node,
    find_rank,
    find_step,
    name_nearest_steps,
)
from tb_activations.store.reasons import Explanation, explain_reason
from tb_activations.store.schema import COUNTS, Graph, Operation, Quantity

if TYPE_CHECKING:
    from tb_activations.diagnosis import Finding

__all__ = ["Captures", "Histogram", "Node", "QuantityState", "Run", "open_run", "open_validation"]


class Run:
    """A run directory, read while it grows. Thread-safe.

    Every question raises `ArgumentError` where an argument is of a wrong kind, and `NotFoundError` where the run has no such node, step, statistic or
    replica; the message says what it has instead. A quantity that a node was never recorded with is an empty history.

    Args:
      run_dir: the directory that holds ``plugins/tb_activations``.
      kept: where `column` keeps what it read, for who asks again and again; nothing is kept by default.
    """

    def __init__(self, run_dir: str | os.PathLike[str], kept: KeptColumns | None = None) -> None:
        self.path = Path(run_dir)
        self._kept = kept
        self._moments: Moments = NewestMoments(data_directory(self.path))

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {len(self._index.joined.records)} nodes, {len(self._index.steps)} captures)"

    def refresh(self) -> bool:
        """Looks for new segments; True when something changed. Costs one listing of a directory when nothing did."""
        return self._moments.refresh()

    def pinned(self) -> Run:
        """This run as it is now, for questions that belong together: whatever is written or refreshed meanwhile, all answers are of this moment.

        Where steps were trained anew meanwhile, its numbers are gone, and what needs them raises `FileChangedError`.
        """
        pinned = Run.__new__(Run)
        pinned.path, pinned._kept, pinned._moments = self.path, self._kept, self._moments.pin()
        return pinned

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied, or sent to another process, a run is opened there by its path."""
        if isinstance(self._moments, PinnedMoment):
            raise TypeError(f"A pinned run can't be copied or sent to another process: its moment is known here only. Send {str(self.path)!r}.")
        return open_run, (self.path,)

    @property
    def _index(self) -> Index:
        return self._moments.now.index

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes: those of the newest generation in execution order, then those that only older generations with captures have."""
        return self._moments.read(lambda moment: moment.nodes)

    def node(self, name: str) -> Node:
        """The node of this name."""
        return self._moments.read(lambda moment: moment.nodes[find_node(moment.index, name)])

    @property
    def graph(self) -> str:
        """Fingerprint of the newest generation; empty before there is one."""
        graph = self._index.graph
        return "" if graph is None else graph.fingerprint

    @property
    def model(self) -> Mapping[str, str] | None:
        """``name`` and ``class`` of the model, or None."""
        return self._generation.model

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The options of the capture."""
        return self._generation.configuration

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the packages that wrote the newest generation."""
        return self._generation.versions

    @property
    def _generation(self) -> Graph:
        graph = self._index.graph
        return Graph(()) if graph is None else graph.graph

    @property
    def version(self) -> str:
        """A text that changes with any change of the run."""
        return self._index.version

    @property
    def sessions(self) -> tuple[str, ...]:
        """Names of the sessions whose captures count: each worker has one of its own for each `fit`. Another name says that what was recorded at
        a step may be another."""
        return tuple(sorted({live.segment.id.session for live in self._index.segments}))

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each file that had to be left out, and for what the size budget left out."""
        return self.unreadable + self.budget_remarks

    @property
    def unreadable(self) -> tuple[str, ...]:
        """A sentence for each file that had to be left out."""
        return self._index.problems

    @property
    def budget_remarks(self) -> tuple[str, ...]:
        """A sentence for each thing that the size budget left out."""
        return self._index.left_out

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the statistics, in the order of the last axis of `snapshot`."""
        return self._index.columns

    def operations(self) -> tuple[Operation, ...]:
        """The TensorFlow operations of the newest generation's step, in the order in which they were made; empty for eager steps.

        They are read from disk each time: a step has some fifty for each layer.

        Raises:
          FormatError: their file violates ``docs/format.md``.
        """
        return read_operations(data_directory(self.path), self.graph)

    def chapters(self) -> tuple[Chapter, ...]:
        """The stretches of captures that have a graph of their own."""
        return read_chapters(self._index)

    def planned_nodes(self, graph: str) -> tuple[Node, ...]:
        """What `nodes` was when ``graph`` was the newest generation, before anything of it was captured."""
        return plan_nodes(self._index, graph)

    def steps(self, node: str | None = None, quantity: Quantity = "value") -> npt.NDArray[np.int64]:
        """The recorded steps, int64[C]: of the run, or those at which ``quantity`` of ``node`` was recorded."""
        if node is None:
            return self._index.steps
        return self._moments.read(lambda moment: presence.read_steps(moment.index, find_node(moment.index, node), check_quantity(quantity)))

    def captures(self) -> Captures:
        """When and at what cost each step was recorded. With replicas: the first replica's row."""
        index = self._index
        first = {name: array[index.starts] for name, array in index.table.items() if name != "rank"}
        return Captures(**first, rows=np.diff(index.starts, append=index.row_count), dropped=index.dropped)

    def statistics(self, node: str, quantity: Quantity = "value", rank: int | None = None) -> Mapping[str, npt.NDArray[Any]]:
        """The statistics of one node over the steps where it was recorded.

        Args:
          node: its name, as in `nodes`.
          quantity: "value", "gradient" or "update".
          rank: one replica; None: the statistics of the global batch.

        Returns:
          ``"step"``, every column of `STATISTICS` and `COUNTS` -> array[C]. Of updates also ``"update_ratio"``: ‖update‖ / ‖weight before it‖,
          NaN where the weight is 0 or wasn't recorded.
        """

        def read(moment: Moment) -> dict[str, npt.NDArray[Any]]:
            index, position = moment.index, find_node(moment.index, node)
            replica = find_rank(index, rank)
            steps, statistics, counts = reading.read_history(index, position, check_quantity(quantity), replica)
            columns = {"step": steps, **dict(zip(index.columns, statistics.T, strict=True)), **dict(zip(COUNTS, counts.T, strict=True))}
            return columns | ({reading.UPDATE_RATIO: reading.read_update_ratio(index, position, replica, steps)} if quantity == "update" else {})

        return self._moments.read(read)

    def history(
        self, node: str, quantity: Quantity = "value", rank: int | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """What `statistics` gives, as three arrays: the steps int64[C], statistics float32[C, K] (K: `columns`) and counts int64[C, 4]."""

        def read(moment: Moment) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
            return reading.read_history(moment.index, find_node(moment.index, node), check_quantity(quantity), find_rank(moment.index, rank))

        return self._moments.read(read)

    def snapshot(self, step: int, quantity: Quantity = "value") -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """All nodes at one recorded step, in the order of `nodes`: statistics float32[N, K] and counts int64[N, 4]."""
        return self._moments.read(lambda moment: reading.read_snapshot(moment.index, find_step(moment.index.steps, step), check_quantity(quantity)))

    def holds(self, quantity: Quantity) -> bool:
        """Whether anything of ``quantity`` was recorded. Costs nothing."""
        return bool(self._index.holding(check_quantity(quantity)))

    def window(self, quantity: Quantity = "value", *, start: int, stop: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """All nodes at the recorded steps ``steps()[start:stop]``: statistics float32[N, C, K] (K: `columns`) and counts int64[N, C, 4]."""

        bounds = slice(check_integer("start", start), check_integer("stop", stop))

        def read(moment: Moment) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
            first, last, _ = bounds.indices(len(moment.index.steps))
            return reading.read_window(moment.index, check_quantity(quantity), first, max(first, last))

        return self._moments.read(read)

    def column(
        self, statistic: str, quantity: Quantity = "value", after: int = -1, until: int | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """One statistic of all nodes: int64[C] and float32[N, C]; NaN where nothing was recorded.

        Counts can be asked for too (−1: nothing recorded): `COUNTS`, ``"inf_count"`` and ``"nonfinite_count"``; and of updates ``"update_ratio"``,
        as `statistics` gives it.

        Args:
          after: only steps later than this one.
          until: only steps up to this one. A long run is best gone through a stretch at a time.
        """

        first, last = check_integer("after", after), None if until is None else check_integer("until", until)

        def read(moment: Moment) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
            known = (*moment.index.columns, *reading.COUNTED, *((reading.UPDATE_RATIO,) if quantity == "update" else ()))
            wanted = check_statistic(statistic, check_quantity(quantity), known)
            return reading.read_column(moment.index, wanted, quantity, first, last, self._kept)

        return self._moments.read(read)

    def histogram(self, node: str, quantity: Quantity = "value") -> Histogram:
        """The histograms of one node, at the steps that have one."""
        return self._moments.read(
            lambda moment: Histogram(*reading.read_histogram(moment.index, find_node(moment.index, node), check_quantity(quantity)))
        )

    def sample_steps(self, node: str, quantity: Quantity = "value") -> npt.NDArray[np.int64]:
        """The steps at which raw numbers of ``node`` were kept."""
        return self._moments.read(lambda moment: reading.read_sample_steps(moment.index, find_node(moment.index, node), check_quantity(quantity)))

    def value(self, node: str, step: int, quantity: Quantity = "value") -> npt.NDArray[Any]:
        """The raw numbers of ``node`` that were kept at ``step``.

        Returns:
          An array of the tensor's own dtype (bfloat16 and the like are those of ``ml_dtypes``): of an activation the first examples, of a weight all
          of it. Where it is larger than what is kept it is a part: of a large image every second or third … row and column, as `sample` says.

        Raises:
          NotFoundError: none were kept at that step; the message says why.
        """
        return self.sample(node, step, quantity).numbers

    def sample(self, node: str, step: int, quantity: Quantity = "value") -> Sample:
        """`value`, and how far apart its numbers are along each axis of the tensor.

        Raises:
          NotFoundError: none were kept at that step; the message says why.
        """

        def read(moment: Moment) -> Sample | None:
            return reading.read_sample(moment.index, find_node(moment.index, node), check_quantity(quantity), find_step(moment.index.steps, step))

        sample = self._moments.read(read)
        if sample is None:
            raise NotFoundError(f"No raw numbers of {node!r} ({quantity}) were kept at step {step}. {self._why_no_sample(node, step, quantity)}")
        return sample

    def _why_no_sample(self, node: str, step: int, quantity: Quantity) -> str:
        """Why `value` has nothing to give, and what could be asked for instead."""
        kept, state = self.sample_steps(node, quantity), self.node(node).quantities.get(quantity)
        if len(kept):
            reason = self.left_out(node, step, quantity)
            return f"{reason.sentence + ' ' if reason else ''}{name_nearest_steps(kept, step)}"
        if state is not None and state.state != "materialized":
            return f"{state.sentence} {state.remedy}".rstrip()
        return 'There are none at any step: they are recorded unless `samples` is "none", or the tensor is over 1 GiB, or in a loop or a branch.'

    def left_out(
        self, node: str, step: int, quantity: Quantity = "value", part: Literal["raw numbers", "histogram"] = "raw numbers"
    ) -> Explanation | None:
        """The reason `size_budget`, where the size budget had this part of a node left out at a recorded step; None where it hadn't."""
        kept = self.sample_steps(node, quantity) if part == "raw numbers" else self.histogram(node, quantity).steps
        step = check_integer("step", step)
        if not len(kept) or step in kept or step not in self.steps(node, quantity):
            return None  # what is never kept of a node is none of the budget's doing
        stage = self._moments.read(lambda moment: presence.budget_stage(moment.index, step))
        return None if stage is None else explain_reason("size_budget", node, {"part": part, "step": f"{step:,}", "stage": stage.sentence})

    @property
    def recorded_findings(self) -> FindingsFile:
        """What rules of the user found in the process that trained: such a rule is a function that only that process has."""
        return self._index.findings

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong in this run, by the rules of `tb_activations.diagnosis` and by what rules of the user recorded."""
        from tb_activations.diagnosis import find

        return tuple(find(self))


def open_run(path: str | os.PathLike[str]) -> Run:
    """Opens a run for reading. Needs neither TensorFlow nor TensorBoard.

    Args:
      path: the directory of a run, or a log directory with one run below.

    Raises:
      ArgumentError: ``path`` is no path.
      NotFoundError: there is no run, or more than one.
    """
    directory = local_path("path", path)
    if holds_activations(directory):
        return Run(directory)
    runs = list(find_runs(directory).runs.values())
    if len(runs) == 1:
        return Run(runs[0])
    if not runs:
        raise NotFoundError(f"Expected the directory of a run. Received: path={str(path)!r}, {tell_absence(directory)}")
    names = ", ".join(repr(str(run)) for run in runs[:20])
    raise NotFoundError(f"Expected the directory of one run. Received: path={str(path)!r}, with {len(runs)} runs below; open one of {names}.")


def open_validation(run_dir: Path) -> Run | None:
    """Opens the validation run beside a training run; None where there is none.

    Raises:
      OSError: it can't be read.
    """
    beside = run_dir.parent / "validation"
    return Run(beside) if run_dir.name == "train" and data_directory(beside).is_dir() else None
