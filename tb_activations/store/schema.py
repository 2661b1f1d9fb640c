"""The vocabulary of a run: what a node, a capture and a quantity are, as Python values.

The one invariant: every name here is the name in ``docs/format.md``, in the HTTP API and in the dashboard.
Nothing here reads or writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

FORMAT = "tb_activations"
FORMAT_VERSION = 1

Kind = Literal["input", "layer", "op", "probe", "variable", "loss"]
Quantity = Literal["value", "gradient", "update"]
State = Literal["materialized", "available", "unreachable"]
Severity = Literal["note", "warning", "error"]

QUANTITIES: tuple[Quantity, ...] = ("value", "gradient", "update")

SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")
"""In ascending order. ``error``: training can't succeed like this; ``warning``: it is worth a change; ``note``: worth knowing."""

STATISTICS: tuple[str, ...] = (
    "min",
    "max",
    "mean",
    "std",
    "l2_norm",
    "zero_fraction",
    "zero_unit_fraction",
    "batch_std",
    "saturated_fraction",
    "subnormal_fraction",
)
"""Columns of ``statistics/<quantity>`` that this version writes, in order. Definitions: ``docs/format.md``."""

COUNTS: tuple[str, ...] = ("elements", "nan_count", "pos_inf_count", "neg_inf_count")
"""Columns of ``counts/<quantity>``, in order."""

NOT_RECORDED = -1
"""Value of ``elements`` where a node has nothing at a capture row (a branch not taken)."""

HISTOGRAM_BINS = 64
SAMPLED_ELEMENTS = 65_536
"""Most elements that sampled statistics and histograms look at, per tensor."""


@dataclass(frozen=True, slots=True)
class Source:
    """The user's line that made a node."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class QuantityPlan:
    """Whether a quantity of a node is captured and, if not, why. ``reason`` is a code of `reasons.REASONS`."""

    reason: str | None = None
    detail: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node as the graph file holds it. Its id is its index in `Graph.nodes`."""

    name: str
    kind: Kind
    class_name: str
    dtype: str | None = None
    shape: tuple[int | None, ...] | None = None
    trainable: bool | None = None
    activation: str | None = None
    source: Source | None = None
    inputs: tuple[int, ...] = ()
    quantities: Mapping[Quantity, QuantityPlan] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One TensorFlow operation of a step. Its id is its index in `Graph.operations`.

    Attributes:
      name: stands below the call of the layer that made it; ``ops=`` records it by this name.
      type_name: `MatMul`, `AssignSubVariableOp`, …
      dtype, shape: those of its first output; None where it has none, or its rank is unknown.
      source: the user's line that made it.
      inputs: ids of the operations that it reads.
    """

    name: str
    type_name: str
    dtype: str | None = None
    shape: tuple[int | None, ...] | None = None
    source: Source | None = None
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """One generation of a run's graph.

    Attributes:
      operations: the TensorFlow operations of the step, in the order in which they were made. They lie in a file of their own: what reads a graph
        file doesn't have them, and two graphs are told apart without them.
    """

    nodes: tuple[NodeRecord, ...]
    model: Mapping[str, str] | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[Operation, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class QuantityRecord:
    """What one capture row holds of one quantity, for ``n`` nodes.

    Attributes:
      nodes: int32[n], ids into `Graph.nodes`, ascending.
      statistics: float32[n, len(STATISTICS)].
      counts: int64[n, 4], columns `COUNTS`.
      histogram: uint32[n, bins] or None.
      histogram_range: float32[n, 2] or None.
      samples: node id -> the raw numbers kept, in the tensor's own dtype.
      strides: node id -> how far apart they are along each axis of the tensor; 1 along all of them where none are given.
    """

    nodes: npt.NDArray[np.int32]
    statistics: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int64]
    histogram: npt.NDArray[np.uint32] | None = None
    histogram_range: npt.NDArray[np.float32] | None = None
    samples: Mapping[int, npt.NDArray[Any]] = field(default_factory=dict)
    strides: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture row: one step of one replica. Times in seconds."""

    step: int
    wall_time: float
    quantities: Mapping[Quantity, QuantityRecord]
    rank: int = 0
    epoch: int = -1
    overhead: float = float("nan")
    loss_scale: float = float("nan")


class RecordedFinding(TypedDict):
    """A finding as the findings file holds it. The words are those of ``GET /findings``."""

    rule: str
    title: str
    node: str
    quantity: Quantity
    statistic: str
    first_step: int
    last_step: int | None
    severity: Severity
    evidence: Mapping[str, float | int | str]
    sentence: str
    remedy: str
    code: str
