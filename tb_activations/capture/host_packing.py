"""The reduction of a capture by numpy, for tensors that lie in the memory of the host.

The one invariant: it gives what `packing.Reduction` gives for the same tensors, as arrays. It runs on any thread and touches no graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tb_activations.capture.packing import PROPORTIONAL, Keep, Layout, Packed, keep_block
from tb_activations.capture.statistics import Request
from tb_activations.capture.statistics.blocks import Block, sample_on_host
from tb_activations.capture.statistics.host import HostMeasured, measure_all

__all__ = ["HostReduction"]


class HostReduction:
    """Turns what `packing.collect` gives, as arrays, into a packed capture of arrays."""

    def __init__(self, layout: Layout, keep: Keep) -> None:
        self._layout = layout
        self._keep = keep

    def __call__(self, collected: Packed) -> Packed:
        tensors = collected["tensors"]
        scales = {key: 1 / np.float32(scale) for key, scale in collected["scales"].items()}
        packed = self._split(self._columns(tensors, collected["rows"], scales))
        if self._keep.samples != "none":
            for key, quantity, node in self._layout.owners():
                if key in tensors:
                    keep_block(packed[quantity], node, self._sample(tensors[key], key, scales))
        if "loss_scale" in collected:
            packed["loss_scale"] = collected["loss_scale"]
        return packed

    def _columns(self, tensors: Packed, rows: Packed, scales: Packed) -> Packed:
        measured = measure_all([Request(array, *self._layout.facts[key]) for key, array in tensors.items()], histogram=self._keep.histograms)
        order = np.argsort([int(key) for key in (*tensors, *self._layout.tallied)])
        columns = {}
        for name in HostMeasured._fields:
            column = getattr(measured, name)
            if column is not None:
                ready = [np.asarray(rows[name], column.dtype)] if rows else []
                columns[name] = np.concatenate([column, *ready])[order]
        if scales:
            factors = np.array([scales.get(key, 1) for key, _, _ in self._layout.owners()], np.float32)[:, None]
            # Undone on the statistics instead of the tensor: in float16 the unscaled gradient may not exist.
            columns["statistics"] = np.where(PROPORTIONAL, columns["statistics"] * factors, columns["statistics"])
            if self._keep.histograms:
                columns["histogram_range"] *= factors
        return columns

    def _split(self, columns: Packed) -> Packed:
        bounds = np.cumsum([len(nodes) for nodes in self._layout.ids.values()])[:-1]
        parts = {name: np.split(column, bounds) for name, column in columns.items()}
        return {quantity: {name: part[index] for name, part in parts.items()} for index, quantity in enumerate(self._layout.ids)}

    def _sample(self, array: Any, key: str, scales: Packed) -> Block:
        block = sample_on_host(array, **self._layout.bounds(key, self._keep)) if self._keep.samples == "sample" else Block(np.array(array), ())
        return block._replace(numbers=block.numbers.astype(np.float32) * scales[key]) if key in scales else block
