"""The way of the recorded tensors from the step to the writer: reduced and stacked inside the graph, unstacked outside.

The one invariant: few tensors leave the device, one per kind and quantity (samples apart), and nothing is copied to the host before the writer's
thread asks. Rows are in the order of `Catalogue.ids`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tb_activations.capture.catalogue import Catalogue
from tb_activations.capture.recorder import Recorder, Recording
from tb_activations.capture.statistics import Request, measure_all, sample
from tb_activations.store.schema import STATISTICS, Quantity, QuantityRecord

__all__ = ["Keep", "pack", "unpack"]

Packed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept of each tensor besides its statistics."""

    histograms: bool = True
    samples: Literal["none", "sample", "full"] = "sample"
    examples: int = 4
    elements: int = 1024


def pack(recorder: Recorder, catalogue: Catalogue, keep: Keep) -> Packed:
    """Reduces everything recorded; runs in the graph of the step. The result is a structure of tensors with string keys."""
    packed: Packed = {}
    with tf.name_scope("tb_activations"):
        for quantity, names in catalogue.names.items():
            if names:
                recordings = [recorder.recordings[quantity][name] for name in names]
                packed[quantity] = _pack_quantity(recordings, catalogue.ids[quantity].tolist(), keep)
        if recorder.loss_scale is not None:
            packed["loss_scale"] = recorder.loss_scale
    return packed


def _pack_quantity(recordings: list[Recording], ids: list[int], keep: Keep) -> Packed:
    requests = [Request(item.tensor, item.activation, item.batch) for item in recordings]
    measured = measure_all(requests, histogram=keep.histograms)
    factors = [_factor(item) for item in recordings]
    packed: Packed = {"statistics": _rescaled(measured.statistics, factors), "counts": measured.counts}
    if keep.histograms:
        packed["histogram"] = measured.histogram
        packed["histogram_range"] = measured.histogram_range * _column(factors)
    if keep.samples != "none":
        packed["samples"] = {str(node): _sample(item, factor, keep) for node, item, factor in zip(ids, recordings, factors, strict=True)}
    return packed


def _factor(recording: Recording) -> tf.Tensor | None:
    return None if recording.scale is None else 1.0 / recording.scale


def _column(factors: list[tf.Tensor | None]) -> tf.Tensor:
    return tf.stack([tf.ones([]) if factor is None else factor for factor in factors])[:, None]


_PROPORTIONAL = np.array([name in {"min", "max", "mean", "std", "l2_norm", "batch_std"} for name in STATISTICS])


def _rescaled(rows: tf.Tensor, factors: list[tf.Tensor | None]) -> tf.Tensor:
    """Undoes the loss scale on the statistics instead of the tensors: in float16 the unscaled gradient may not exist."""
    if all(factor is None for factor in factors):
        return rows
    return tf.where(_PROPORTIONAL, rows * _column(factors), rows)


def _sample(recording: Recording, factor: tf.Tensor | None, keep: Keep) -> tf.Tensor:
    kept = recording.tensor
    if keep.samples == "sample":
        kept = sample(kept, batch=recording.batch, examples=keep.examples, elements=keep.elements)
    return kept if factor is None else tf.cast(kept, tf.float32) * factor


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
