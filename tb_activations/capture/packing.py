"""The way of the recorded tensors from the step to the writer: reduced and stacked inside the graph, unstacked outside.

The one invariant: few tensors leave the device, one per kind and quantity (samples apart), and nothing is copied to the host before the writer's
thread asks. Rows are in the order of `Catalogue.ids`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tb_activations.capture.catalogue import Catalogue
from tb_activations.capture.nodes import Recording, Tally
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.statistics import Measured, Request, measure_all, sample
from tb_activations.store.schema import STATISTICS, Quantity, QuantityRecord

__all__ = ["Keep", "pack", "unpack"]

Packed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept of each tensor besides its statistics."""

    histograms: bool = True
    samples: Literal["none", "sample", "full"] = "sample"
    examples: int = 4
    elements: int = 2048


def pack(recorder: Recorder, catalogue: Catalogue, keep: Keep) -> Packed:
    """Reduces everything recorded; runs in the graph of the step. The result is a structure of tensors with string keys."""
    recorded = {quantity: [recorder.recordings[quantity][name] for name in names] for quantity, names in catalogue.names.items() if names}
    packed: Packed = {}
    with tf.name_scope("tb_activations"):
        if recorded:
            packed.update(_reduce(recorded, keep))
        if keep.samples != "none":
            for quantity, recordings in recorded.items():
                ids = catalogue.ids[quantity].tolist()
                packed[quantity]["samples"] = {
                    str(node): _sample(item, keep) for node, item in zip(ids, recordings, strict=True) if isinstance(item, Recording)
                }
        if recorder.loss_scale is not None:
            packed["loss_scale"] = recorder.loss_scale
    return packed


def _reduce(recorded: Mapping[Quantity, list[Recording | Tally]], keep: Keep) -> Packed:
    """Measures the tensors of all quantities together: those of one shape share their operations."""
    everything = [item for recordings in recorded.values() for item in recordings]
    columns = _columns(everything, keep.histograms)
    if any(item.scale is not None for item in everything):
        factors = tf.stack([1.0 if item.scale is None else _factor(item.scale) for item in everything])[:, None]
        # Undone on the statistics instead of the tensor: in float16 the unscaled gradient may not exist.
        columns["statistics"] = tf.where(_PROPORTIONAL, columns["statistics"] * factors, columns["statistics"])
        if keep.histograms:
            columns["histogram_range"] *= factors
    sizes = [len(recordings) for recordings in recorded.values()]
    parts = {name: tf.split(column, sizes) for name, column in columns.items()}
    return {quantity: {name: part[index] for name, part in parts.items()} for index, quantity in enumerate(recorded)}


def _columns(items: Sequence[Recording | Tally], histograms: bool) -> dict[str, tf.Tensor]:
    """The rows of ``items``; those of inner graphs are ready."""
    whole = [index for index, item in enumerate(items) if isinstance(item, Recording)]
    requests = [Request(item.tensor, item.activation, item.batch) for item in items if isinstance(item, Recording)]
    rows = [item.read() for item in items if isinstance(item, Tally)]
    parts = [measure_all(requests, histogram=histograms)] if requests else []
    parts += [Measured(*map(tf.stack, zip(*rows, strict=True)))] if rows else []
    names = Measured._fields if histograms else ("statistics", "counts")
    if not rows:
        return {name: getattr(parts[0], name) for name in names}
    order = whole + [index for index, item in enumerate(items) if isinstance(item, Tally)]
    back = sorted(range(len(order)), key=order.__getitem__)
    return {name: tf.gather(tf.concat([getattr(part, name) for part in parts], 0), back) for name in names}


def _factor(scale: tf.Tensor) -> tf.Tensor:
    return 1.0 / tf.cast(scale, tf.float32)


_PROPORTIONAL = np.array([name in {"min", "max", "mean", "std", "l2_norm", "batch_std"} for name in STATISTICS])


def _sample(recording: Recording, keep: Keep) -> tf.Tensor:
    kept = recording.tensor
    if keep.samples == "sample":
        kept = sample(kept, batch=recording.batch, examples=keep.examples, elements=keep.elements)
    return kept if recording.scale is None else tf.cast(kept, tf.float32) * _factor(recording.scale)


def unpack(packed: Packed, catalogue: Catalogue) -> Mapping[Quantity, QuantityRecord]:
    """Copies a packed capture to the host."""
    return {quantity: _unpack_quantity(packed[quantity], ids) for quantity, ids in catalogue.ids.items() if quantity in packed}


def _unpack_quantity(packed: Packed, ids: Any) -> QuantityRecord:
    return QuantityRecord(
        nodes=ids,
        statistics=np.asarray(packed["statistics"]),
        counts=np.asarray(packed["counts"]),
        histogram=np.asarray(packed["histogram"]).astype(np.uint32) if "histogram" in packed else None,
        histogram_range=np.asarray(packed["histogram_range"]) if "histogram_range" in packed else None,
        samples={int(node): np.asarray(kept) for node, kept in packed.get("samples", {}).items()},
    )
