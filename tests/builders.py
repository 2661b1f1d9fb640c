"""A few lines of text become a real run on disk.

The one invariant: what is built went through the real `Writer` (or its `Session`, where a test says which segments there are); only
`segment_bytes` makes files by hand, for bytes that nothing of ours would write.
Numbers come from numpy, so a test can compute independently what a reader must find.

    build_run(tmp_path / "train", "input x [4]; layer dense <- x relu; variable dense/kernel update", steps=range(0, 70, 7))
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tb_activations.store.schema import (
    HISTOGRAM_BINS,
    QUANTITIES,
    STATISTICS,
    Capture,
    Graph,
    NodeRecord,
    QuantityPlan,
    QuantityRecord,
    Source,
)
from tb_activations.store.session import Session
from tb_activations.store.writer import Writer

START = 1_763_800_000.0
"""Wall time of step 0; a step takes one second."""

Values = Callable[[str, str, int], "np.ndarray | None"]
"""(node, quantity, step) -> the tensor, or None: not recorded at this step."""

_CLASSES = {"input": "InputLayer", "layer": "Dense", "op": "Add", "probe": "Probe", "variable": "Variable", "loss": "Loss"}


_ACTIVATIONS = ("relu", "tanh", "sigmoid", "softmax", "gelu", "elu", "softplus", "exponential", "linear")


def parse_nodes(text: str) -> Graph:
    """One node per ``;`` or line: ``kind name [Class] [shape] [<- inputs] [activation] [options]``.

    ``[2,?,3]`` is a shape (``?``: unknown), ``<- a b`` inputs, a capitalized word the class, ``relu`` and the like the activation. ``gradient`` and
    ``update`` add quantities beside ``value``; ``gradient=not_on_loss_path`` adds one with a reason; ``value=filtered`` says why there is no value.
    """
    lines = [line.strip() for line in re.split(r"[;\n]", text) if line.strip()]
    names = [line.split()[1] for line in lines]
    return Graph(
        tuple(_parse_node(line, names) for line in lines),
        {"name": "model", "class": "Functional"},
        {"every": 1},
        {"tb_activations": "0.1.0", "keras": "3.15.1", "tensorflow": "2.21.0", "python": "3.11.7"},
    )


def _parse_node(line: str, names: Sequence[str]) -> NodeRecord:
    head, _, inputs = line.partition("<-")
    kind, name, *words = head.split()
    inputs_and_more = inputs.split()
    sources = [word for word in inputs_and_more if word in names]
    words += [word for word in inputs_and_more if word not in names]
    shape = next((word for word in words if word.startswith("[")), None)
    class_name = next((word for word in words if word[0].isupper()), _CLASSES[kind])
    quantities = {"value": QuantityPlan()}
    for word in words:
        quantity, _, reason = word.partition("=")
        if quantity in QUANTITIES:
            quantities[quantity] = QuantityPlan(reason or None, {"option": "`include`", "arguments": f', include=[r"^{name}$"]'} if reason else {})
    activation = next((word for word in words if word in _ACTIVATIONS), None)
    return NodeRecord(
        name,
        kind,
        class_name,
        "float32",
        None if shape is None else tuple(None if extent == "?" else int(extent) for extent in shape.strip("[]").split(",") if extent),
        True if kind == "variable" else None,
        activation,
        Source("model.py", 10 + names.index(name), "build"),
        tuple(names.index(source) for source in sources),
        quantities,
    )


def statistics_of(tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ten statistics and four counts of a tensor as ``docs/format.md`` defines them, by plain numpy in float64."""
    wide = np.asarray(tensor, np.float64)
    finite = wide[np.isfinite(wide)]
    counts = np.array([wide.size, np.isnan(wide).sum(), np.isposinf(wide).sum(), np.isneginf(wide).sum()], np.int64)
    if not finite.size:
        return np.full(len(STATISTICS), np.nan, np.float32), counts
    units = wide.reshape(-1, wide.shape[-1]) if wide.ndim >= 2 else None
    values = {
        "min": finite.min(),
        "max": finite.max(),
        "mean": finite.mean(),
        "std": finite.std(),
        "l2_norm": math.sqrt((finite**2).sum()),
        "zero_fraction": (finite == 0).mean(),
        "zero_unit_fraction": np.nan if units is None else (units == 0).all(axis=0).mean(),
        "batch_std": np.nan if wide.ndim < 2 or len(wide) < 2 else _batch_std(wide),
        "saturated_fraction": np.nan,
        "subnormal_fraction": ((finite != 0) & (np.abs(finite) < np.finfo(np.float32).tiny)).mean(),
    }
    return np.array([values[name] for name in STATISTICS], np.float64).astype(np.float32), counts


def _batch_std(tensor: np.ndarray) -> float:
    usable = tensor[np.isfinite(tensor.reshape(len(tensor), -1)).all(axis=1)]
    return math.sqrt(usable.var(axis=0).mean()) if len(usable) > 1 else np.nan


def histogram_of(tensor: np.ndarray, bins: int = HISTOGRAM_BINS) -> tuple[np.ndarray, np.ndarray]:
    """Counts uint32[bins] and range float32[2] over the finite elements."""
    finite = np.asarray(tensor, np.float64)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return np.zeros(bins, np.uint32), np.full(2, np.nan, np.float32)
    low, high = finite.min(), finite.max()
    counts = np.bincount([0], [finite.size], bins) if low == high else np.histogram(finite, bins, (low, high))[0]
    return counts.astype(np.uint32), np.array([low, high], np.float32)


def record_of(tensors: Mapping[int, np.ndarray], histograms: bool = True, samples: bool = True) -> QuantityRecord:
    """The record of one quantity from the tensors themselves, by node id."""
    ids = sorted(tensors)
    pairs = [statistics_of(tensors[node]) for node in ids]
    drawn = [histogram_of(tensors[node]) for node in ids]
    return QuantityRecord(
        np.array(ids, np.int32),
        np.array([pair[0] for pair in pairs], np.float32).reshape(len(ids), len(STATISTICS)),
        np.array([pair[1] for pair in pairs], np.int64).reshape(len(ids), 4),
        np.array([pair[0] for pair in drawn], np.uint32).reshape(len(ids), HISTOGRAM_BINS) if histograms else None,
        np.array([pair[1] for pair in drawn], np.float32).reshape(len(ids), 2) if histograms else None,
        dict(tensors) if samples else {},
    )


def capture_of(graph: Graph, values: Values, step: int, rank: int = 0, *, histograms: bool = True, samples: bool = True) -> Capture:
    """Asks ``values`` for every quantity that the graph says is captured."""
    quantities = {}
    for quantity in QUANTITIES:
        tensors = {
            index: tensor
            for index, node in enumerate(graph.nodes)
            if quantity in node.quantities and node.quantities[quantity].reason in (None, "other_branch")
            if (tensor := values(node.name, quantity, step)) is not None
        }
        if tensors:
            quantities[quantity] = record_of(tensors, histograms, samples)
    return Capture(step, START + step, quantities, rank, step // 100, 0.001)


def normal_values(graph: Graph, batch: int = 4, seed: int = 0) -> Values:
    """Standard normal numbers in the shape of each node, the same for the same node, quantity and step."""
    nodes = {node.name: (index, node) for index, node in enumerate(graph.nodes)}

    def values(name: str, quantity: str, step: int) -> np.ndarray:
        index, node = nodes[name]
        random = np.random.default_rng((seed, index, QUANTITIES.index(quantity), step))
        shape = (batch, 3) if node.shape is None else tuple(batch if extent is None else extent for extent in node.shape)
        return random.standard_normal(shape).astype(np.float32)

    return values


def build_run(
    run_dir: Path,
    nodes: str | Graph,
    steps: Iterable[int] = range(0, 50, 10),
    values: Values | None = None,
    *,
    histograms: bool = True,
    samples: bool = True,
    replicas: int = 1,
    worker: int = 0,
    per_segment: int = 0,
    marker: bool = True,
) -> Path:
    """Writes a run through the real `Writer` and returns its directory.

    Args:
      values: what each tensor is; standard normal numbers by default. With replicas, replica r sees the step ``step`` and its own seed.
      per_segment: captures of each segment; 0: as the `Writer` likes.
      marker: also write the event that makes it a run for TensorBoard.
    """
    graph = parse_nodes(nodes) if isinstance(nodes, str) else nodes
    captures = [
        [capture_of(graph, values or normal_values(graph, seed=rank), step, rank, histograms=histograms, samples=samples) for rank in range(replicas)]
        for step in steps
    ]
    if per_segment:
        write_segments(run_dir, graph, _grouped(captures, per_segment), worker)
    else:
        with open_writer(run_dir, graph, worker=worker) as writer:
            for rows in captures:
                put(writer, rows[0].step, rows)
    if marker:
        write_marker(run_dir)
    return Path(run_dir)


def _grouped(captures: Sequence[Sequence[Capture]], count: int) -> list[list[Capture]]:
    return [list(chain.from_iterable(captures[start : start + count])) for start in range(0, len(captures), count)]


def write_segments(run_dir: Path, graph: Graph, segments: Iterable[Sequence[Capture]], worker: int = 0, dropped: Sequence[int] = ()) -> None:
    """Writes exactly these segments as one session; ``dropped`` go into the first."""
    session = Session(Path(run_dir), worker)
    fingerprint = session.write_graph(graph)
    for number, captures in enumerate(segments):
        session.write_captures(captures, () if number else dropped, fingerprint)


class open_writer:  # noqa: N801 - a context manager, used as a function
    """A `Writer` with a graph, closed at the end; a failure of it fails the test."""

    def __init__(self, run_dir: Path, graph: Graph, **arguments: Any) -> None:
        self._writer = Writer(run_dir, **arguments)
        self._writer.set_graph(graph)

    def __enter__(self) -> Writer:
        return self._writer

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.close()
        if kind is None and self._writer.failure is not None:
            raise self._writer.failure


def segments_of(path: Path) -> list[Path]:
    """The segments in ``path`` or below, by name: the order of their first steps."""
    return sorted(path.rglob("segment-*.safetensors"))


def put(writer: Writer, step: int, captures: Sequence[Capture]) -> None:
    """Puts captures that must not be dropped: waits while the queue is full."""
    if not writer.put(step, lambda: captures):
        writer.flush()
        assert writer.put(step, lambda: captures), f"step {step} was not taken: {writer.failure}"


def write_marker(run_dir: Path) -> None:
    """The one event that makes a directory a TensorBoard run with activations (`EventFileWriter` would load TensorFlow; its records don't)."""
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="tb_activations")
    metadata = summary_pb2.SummaryMetadata(plugin_data=plugin, data_class=summary_pb2.DATA_CLASS_TENSOR)
    value = summary_pb2.Summary.Value(
        tag="tb_activations/marker", metadata=metadata, tensor=tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1.0])
    )
    header = event_pb2.Event(wall_time=START, file_version="brain.Event:2")
    marker = event_pb2.Event(wall_time=START, step=0, summary=summary_pb2.Summary(value=[value]))
    with (Path(run_dir) / f"events.out.tfevents.{int(START)}.host").open("wb") as file:
        writer = RecordWriter(file)
        for event in (header, marker):
            writer.write(event.SerializeToString())


TYPICAL = """
    input image [?,8,8,1]
    layer encoder/conv2d Conv2D [?,8,8,6] <- image relu gradient
    variable encoder/conv2d/kernel [3,3,1,6] gradient update
    variable encoder/conv2d/bias [6] gradient update
    layer encoder/block1/conv2d Conv2D [?,4,4,12] <- encoder/conv2d relu gradient
    layer encoder/block1/attention MultiHeadAttention [?,2,5,5] <- encoder/block1/conv2d softmax gradient
    layer encoder/flatten Flatten [?,24] <- encoder/block1/conv2d gradient
    layer head/dense Dense [?,10] <- encoder/flatten softmax gradient
    variable head/dense/kernel [24,10] gradient update
    layer head/auxiliary Dense [?,3] <- encoder/flatten gradient=not_on_loss_path
    layer head/rare Dense [?,4] <- encoder/flatten value=other_branch
    layer unused Dense [?,4] value=not_called
    op add Add [?,24] <- encoder/flatten encoder/flatten value=filtered
    loss loss [] <- head/dense
"""
"""Feature maps, an attention map, vectors, variables, a scalar; and every state: `unused` is unreachable, `add` available."""

HOSTILE = """
    layer <img/src=x/onerror=alert(1)> Dense [?,4]
    layer __proto__ Dense [?,4]
    layer مرحبا/שלום/😀 Dense [?,4]
    layer a%2Fb&c=d#e Dense [?,4]
    layer long/{long} Dense [?,4]
""".replace("{long}", "very_long_name_" * 60)
"""Names that a page or a URL could trip over."""

TYPICAL_STEPS = tuple(range(0, 400, 8))
TYPICAL_DROPPED = (12, 20)
NAN_STEP = 320
"""From here on `encoder/block1/conv2d` has NaN and `head/dense/kernel`'s gradient +Inf."""


def typical_values(graph: Graph) -> Values:
    """A training that looks real: scales drift, ReLU zeros, softmax rows, a falling loss, a branch taken at every third capture, NaN and Inf late."""
    normal = normal_values(graph)
    activations = {node.name: node.activation for node in graph.nodes}

    def values(name: str, quantity: str, step: int) -> np.ndarray | None:
        tensor = normal(name, quantity, step) * {"value": 1 + step / 400, "gradient": 0.01, "update": 1e-3}[quantity]
        if name == "loss":
            return np.float32(2.3 * math.exp(-step / 150) + 0.05)
        if name == "head/rare" and step % 24:
            return None
        if quantity == "value" and activations[name] == "relu":
            tensor = np.maximum(tensor, 0)
        if quantity == "value" and activations[name] == "softmax":
            tensor = np.exp(tensor) / np.exp(tensor).sum(axis=-1, keepdims=True)
        if step >= NAN_STEP and (name, quantity) == ("encoder/block1/conv2d", "value"):
            tensor.flat[:3] = (np.nan, np.inf, -np.inf)
        if step >= NAN_STEP and (name, quantity) == ("head/dense/kernel", "gradient"):
            tensor.flat[0] = np.inf
        return tensor.astype(np.float32)

    return values


def typical_graph(hostile_names: bool = False) -> Graph:
    """The graph of `build_typical`."""
    return parse_nodes(TYPICAL + (HOSTILE if hostile_names else ""))


def build_typical(run_dir: Path, *, hostile_names: bool = False) -> Path:
    """A run that has a bit of everything: `TYPICAL` at `TYPICAL_STEPS` in three segments, with `TYPICAL_DROPPED` steps dropped."""
    graph = typical_graph(hostile_names)
    captures = [capture_of(graph, typical_values(graph), step) for step in TYPICAL_STEPS]
    write_segments(run_dir, graph, (captures[:20], captures[20:40], captures[40:]), dropped=TYPICAL_DROPPED)
    write_marker(run_dir)
    return Path(run_dir)


def segment_bytes(arrays: Mapping[str, tuple[str, Sequence[int], bytes]], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file by hand, for bytes that the writer would never write: name -> (dtype code, shape, data)."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    data = b""
    for name, (code, shape, content) in arrays.items():
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data
