"""What a run answers: one short function for each route of ``docs/http_api.md`` that asks about a run.

The one invariant: a view gives what the reader gave, laid out for a browser, and keeps nothing. TensorBoard's start does not wait for it: the
module is imported when a run is first asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tb_activations.errors import ArgumentError
from tb_activations.plugin.http import Answer, Arguments, json_answer
from tb_activations.plugin.matrix import DERIVED, MAX_STEP, make_matrix
from tb_activations.plugin.present import present_graph, present_operation
from tb_activations.plugin.reduce import column_starts, column_stops, merge_histograms
from tb_activations.plugin.wire import array_answer
from tb_activations.store.run import Run
from tb_activations.store.schema import QUANTITIES, Quantity

__all__ = ["RUN_VIEWS", "RunView"]

_MAX_COLUMNS = 4096
_MATRIX_COLUMNS = 512
_MATRIX_CELLS = 8 << 20
"""Cells of the largest matrix, 9 bytes each: a run of very many nodes gets fewer columns."""

_HISTOGRAM_COLUMNS = 400
_MAX_OPERATIONS = 200

RunView = Callable[[Run, Arguments], Answer]


def graph(run: Run, arguments: Arguments) -> Answer:
    """All nodes, their states and reasons."""
    return json_answer(present_graph(arguments.text("run"), run))


def operations(run: Run, arguments: Arguments) -> Answer:
    """The first TensorFlow operations of the step whose name or type contains a text, whatever its case."""
    text = arguments.text("text", "").lower()
    everything = run.operations()
    found = [operation for operation in everything if text in operation.name.lower() or text in operation.type_name.lower()]
    shown = [present_operation(operation, everything) for operation in found[:_MAX_OPERATIONS]]
    return json_answer({"total": len(everything), "found": len(found), "operations": shown})


def steps(run: Run, _: Arguments) -> Answer:
    """What is known of every recorded step."""
    captures = run.captures()
    return array_answer(
        {
            "step": captures.step.astype(np.float64),
            "wall_time": captures.wall_time,
            "dropped": captures.dropped.astype(np.float64),
            "epoch": captures.epoch.astype(np.int32),
            "overhead": captures.overhead.astype(np.float32),
            "loss": _loss(run, captures.step),
            "loss_scale": captures.loss_scale,
        }
    )


def snapshot(run: Run, arguments: Arguments) -> Answer:
    """All nodes at one step."""
    numbers, counts = run.snapshot(arguments.integer("step", 0, MAX_STEP), _quantity(arguments))
    return array_answer({"counts": counts.astype(np.float64), "statistics": numbers})


def matrix(run: Run, arguments: Arguments) -> Answer:
    """One statistic of all nodes over all steps, or some, at most so many columns wide."""
    quantity = _quantity(arguments)
    statistic = arguments.choice("statistic", (*run.columns, *DERIVED))
    columns = min(arguments.integer("columns", 1, _MAX_COLUMNS, _MATRIX_COLUMNS), max(_MATRIX_CELLS // max(len(run.nodes), 1), 1))
    first, last = arguments.integer("first_step", 0, MAX_STEP, 0), arguments.integer("last_step", 0, MAX_STEP, MAX_STEP)
    if first > last:
        raise ArgumentError(f"Expected `first_step` to be at most `last_step`. Received: first_step={first}, last_step={last}.")
    reduced = make_matrix(run, statistic, quantity, columns, first, last)
    return array_answer(
        {
            "start": reduced.start.astype(np.float64),
            "stop": reduced.stop.astype(np.float64),
            "low": reduced.low,
            "high": reduced.high,
            "nonfinite": reduced.nonfinite,
        }
    )


def statistics(run: Run, arguments: Arguments) -> Answer:
    """One node over all its steps."""
    recorded, numbers, counts = run.history(arguments.text("node"), _quantity(arguments), arguments.optional_integer("rank", 0, 2**31 - 1))
    return array_answer({"step": recorded.astype(np.float64), "counts": counts.astype(np.float64), "statistics": numbers})


def histogram(run: Run, arguments: Arguments) -> Answer:
    """The histograms of one node over its steps, at most so many columns wide."""
    node, quantity = arguments.text("node"), _quantity(arguments)
    columns = arguments.integer("columns", 1, _MAX_COLUMNS, _HISTOGRAM_COLUMNS)
    found = run.histogram(node, quantity)
    starts = column_starts(len(found.steps), columns)
    merged = merge_histograms(found.counts, found.edges, starts)
    elements = _at(found.steps, run.statistics(node, quantity), "elements")
    return array_answer(
        {
            "start": found.steps[starts].astype(np.float64),
            "stop": found.steps[column_stops(starts, len(found.steps))].astype(np.float64),
            "elements": np.add.reduceat(elements, starts) if len(starts) else elements,
            "range": merged.range.astype(np.float32),
            "counts": merged.counts.astype(np.float32),
        }
    )


def value(run: Run, arguments: Arguments) -> Answer:
    """The sample of one node that was kept at one step."""
    name, step, quantity = arguments.text("node"), arguments.integer("step", 0, MAX_STEP), _quantity(arguments)
    numbers, strides = run.sample(name, step, quantity)
    history = run.statistics(name, quantity)
    elements = history["elements"][history["step"] == step].sum()
    batch_axis = "0" if _has_batch_axis(run, name, numbers.ndim) else ""
    return array_answer({"value": numbers}, {"elements": str(elements), "batch_axis": batch_axis, "strides": ",".join(map(str, strides))})


RUN_VIEWS: Mapping[str, RunView] = {
    "/graph": graph,
    "/operations": operations,
    "/steps": steps,
    "/snapshot": snapshot,
    "/matrix": matrix,
    "/statistics": statistics,
    "/histogram": histogram,
    "/value": value,
}
"""Route -> view."""


def _quantity(arguments: Arguments) -> Quantity:
    return cast(Quantity, arguments.choice("quantity", QUANTITIES))


def _at(steps: npt.NDArray[np.int64], history: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[np.float64]:
    """Returns a column of a node's history at ``steps``; NaN where it has none, for the run may have changed between two questions."""
    result = np.full(len(steps), np.nan)
    _, wanted, found = np.intersect1d(steps, history["step"], assume_unique=True, return_indices=True)
    result[wanted] = history[name][found]
    return result


def _loss(run: Run, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The first loss at each step; NaN where it was not recorded."""
    name = next((node.name for node in run.nodes if node.kind == "loss"), None)
    if name is None:
        return np.full(len(steps), np.nan, np.float32)
    return _at(steps, run.statistics(name), "mean").astype(np.float32)


def _has_batch_axis(run: Run, name: str, rank: int) -> bool:
    """Whether axis 0 of a node counts examples: it has no fixed size, or the model was built for a fixed number of examples."""
    node = run.node(name)
    if node.kind in ("variable", "loss") or not rank:
        return False
    if not node.shape or node.shape[0] is None:
        return True
    return all(other.shape is None or other.shape[:1] != (None,) for other in run.nodes if other.kind == "input")
