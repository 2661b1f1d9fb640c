"""What of the recorded tensors is kept: their reduction on the device where they are, and what a writer gets.

The one invariant: few tensors leave the device, one per kind and quantity (samples apart), and nothing is copied to the host before the writer's
thread asks. Rows are in the order of `Catalogue.ids`. Which way tensors take from the step to the writer is decided in `handover`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tb_activations.capture.catalogue import Catalogue
from tb_activations.capture.nodes import Recording, Tally
from tb_activations.capture.operations import ours
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.shares import MOST, shares
from tb_activations.capture.statistics import Block, Measured, Picture, Request, measure_all, sample
from tb_activations.capture.statistics.running import SUMS, from_sums, from_vectors
from tb_activations.store.schema import STATISTICS, NodeRecord, Quantity, QuantityRecord

__all__ = ["PROPORTIONAL", "SAMPLE_EXAMPLES", "Keep", "Layout", "Packed", "Reduction", "collect", "keep_block", "unpack"]

Packed = dict[str, Any]

SAMPLE_EXAMPLES = 4
"""Default."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept of each tensor besides its statistics. ``elements`` None: as `shares` has it."""

    histograms: bool = True
    samples: Literal["none", "sample", "full"] = "sample"
    examples: int = SAMPLE_EXAMPLES
    elements: int | None = None


def collect(recorder: Recorder, catalogue: Catalogue) -> Packed:
    """Everything recorded, as it is, and what is ready; runs in the graph of the step."""
    with ours():
        collected: Packed = {"tensors": {}, "rows": {}, "scales": {}}
        items = _recorded(recorder, catalogue)
        for index, item in enumerate(items):
            if isinstance(item, Recording):
                collected["tensors"][str(index)] = item.tensor
            if item.scale is not None:
                collected["scales"][str(index)] = item.scale
        collected["rows"] = _rows([item for _, item in _tallied(items)])
        if recorder.loss_scale is not None:
            collected["loss_scale"] = recorder.loss_scale
    return collected


def _recorded(recorder: Recorder, catalogue: Catalogue) -> list[Recording | Tally]:
    return [recorder.recordings[quantity][name] for quantity, names in catalogue.names.items() for name in names]


def _tallied(items: Sequence[Recording | Tally]) -> list[tuple[str, Tally]]:
    """What was reduced already and its keys, in the order of its rows."""
    tallies = [(str(index), item) for index, item in enumerate(items) if isinstance(item, Tally)]
    return sorted(tallies, key=lambda pair: pair[1].repeated)


def _rows(tallies: Sequence[Tally]) -> Packed:
    """The columns of `Measured`, of all tallies together."""
    parts = []
    for repeated, vectors in itertools.groupby(tallies, key=lambda tally: tally.repeated):
        read = tf.stack([tally.read() for tally in vectors])
        parts.append(from_sums(read[:, : len(SUMS)], read[:, len(SUMS) :]) if repeated else from_vectors(read))
    return {name: tf.concat([getattr(part, name) for part in parts], 0) for name in Measured._fields} if parts else {}


class Layout:
    """What belongs to which tensor of what `collect` gives; it holds no tensor.

    Attributes:
      ids: the nodes of each quantity that has any, in the order of `Catalogue.ids`.
      facts: (activation, whether axis 0 counts examples) by the key of a tensor.
      elements: the most numbers in the sample of a tensor, by its key.
      pictures: how the pictures of a tensor lie, by its key.
      tallied: the keys of what was reduced already, in the order of its rows.
    """

    def __init__(self, recorder: Recorder, catalogue: Catalogue, keep: Keep) -> None:
        items = _recorded(recorder, catalogue)
        self.ids = {quantity: ids.tolist() for quantity, ids in catalogue.ids.items() if len(ids)}
        self.facts = {str(index): (item.activation, item.batch) for index, item in enumerate(items) if isinstance(item, Recording)}
        self.tallied = [key for key, _ in _tallied(items)]
        self.elements = self._shares(items, keep, catalogue.graph.nodes)
        self.pictures = {key: _picture(catalogue.graph.nodes[node]) for key, _, node in self.owners()}

    def _shares(self, items: Sequence[Recording | Tally], keep: Keep, nodes: Sequence[NodeRecord]) -> dict[str, int]:
        if keep.elements is not None:
            return dict.fromkeys(self.facts, keep.elements)
        activations = [quantity == "value" and self.facts.get(key, (None, False))[1] for key, quantity, _ in self.owners()]
        owners = [nodes[node] for _, _, node in self.owners()]
        sizes = [_size(item, node, keep.examples) if isinstance(item, Recording) else 0 for item, node in zip(items, owners, strict=True)]
        return {str(index): share for index, share in enumerate(shares(sizes, activations))}

    def bounds(self, key: str, keep: Keep) -> dict[str, Any]:
        """What a sample of the tensor may be, as `sample` takes it."""
        return {"batch": self.facts[key][1], "examples": keep.examples, "elements": self.elements[key], "picture": self.pictures[key]}

    def owners(self) -> list[tuple[str, Quantity, int]]:
        """(key, quantity, node) of everything collected, in order."""
        nodes = [(quantity, node) for quantity, ids in self.ids.items() for node in ids]
        return [(str(index), quantity, node) for index, (quantity, node) in enumerate(nodes)]


class Reduction:
    """Turns what `collect` gives into a packed capture, by TensorFlow: a function of tensors only, which holds none."""

    def __init__(self, layout: Layout, keep: Keep) -> None:
        self._layout = layout
        self._keep = keep

    def __call__(self, collected: Packed) -> Packed:
        packed: Packed = {}
        with ours():
            if self._layout.ids:
                packed.update(self._split(self._columns(collected)))
            if self._keep.samples != "none":
                for key, quantity, node in self._layout.owners():
                    if key in collected["tensors"]:
                        block = self._sample(collected["tensors"][key], key, collected["scales"].get(key))
                        keep_block(packed[quantity], node, block)
            if "loss_scale" in collected:
                packed["loss_scale"] = collected["loss_scale"]
        return packed

    def _split(self, columns: Mapping[str, tf.Tensor]) -> Packed:
        ids = self._layout.ids
        parts = {name: tf.split(column, [len(nodes) for nodes in ids.values()]) for name, column in columns.items()}
        return {quantity: {name: part[index] for name, part in parts.items()} for index, quantity in enumerate(ids)}

    def _columns(self, collected: Packed) -> dict[str, tf.Tensor]:
        """Measures the tensors of all quantities together: those of one shape share their operations."""
        tensors, rows = collected["tensors"], collected["rows"]
        parts = [*_measured(tensors, self._layout.facts, self._keep.histograms), *([Measured(**rows)] if rows else [])]
        columns = self._in_order(parts, [*tensors, *self._layout.tallied])
        if collected["scales"]:
            factors = tf.stack([_factor(collected["scales"].get(key)) for key, _, _ in self._layout.owners()])[:, None]
            # Undone on the statistics instead of the tensor: in float16 the unscaled gradient may not exist.
            columns["statistics"] = tf.where(PROPORTIONAL, columns["statistics"] * factors, columns["statistics"])
            if self._keep.histograms:
                columns["histogram_range"] *= factors
        return columns

    def _in_order(self, parts: list[Measured], keys: list[str]) -> dict[str, tf.Tensor]:
        """The rows of ``parts``, which belong to ``keys``, in the order of the nodes."""
        back = sorted(range(len(keys)), key=lambda place: int(keys[place]))
        names = Measured._fields if self._keep.histograms else ("statistics", "counts")
        return {name: tf.gather(tf.concat([getattr(part, name) for part in parts], 0), back) for name in names}

    def _sample(self, tensor: tf.Tensor, key: str, scale: tf.Tensor | None) -> Block:
        block = sample(tensor, **self._layout.bounds(key, self._keep)) if self._keep.samples == "sample" else Block(tensor, ())
        return block if scale is None else block._replace(numbers=tf.cast(block.numbers, tf.float32) * _factor(scale))


def _size(item: Recording, node: NodeRecord, examples: int) -> int:
    """The numbers of a sample that nothing else bounds; `MOST` where they are known only when the step runs, or other traces have others."""
    shape = item.tensor.shape if node.kind == "variable" or node.shape is None else tf.TensorShape(node.shape)
    known = (shape[1:] if item.batch else shape).num_elements()
    return MOST if known is None else known * (examples if item.batch else 1)


def _picture(node: NodeRecord) -> Picture:
    if "data_format" in node.attributes:  # a softmax of a convolution is over the classes of pixels
        return Picture.CHANNELS_FIRST if node.attributes["data_format"] == "channels_first" else Picture.CHANNELS_LAST
    shape = node.shape or ()
    # What is made of attention before and behind its softmax, as scores and dropout, has as many queries as keys.
    squares = len(shape) == 4 and shape[2] is not None and shape[2] == shape[3] != shape[1]
    return Picture.ATTENTION if squares or "softmax" in (node.activation, node.class_name.lower()) else Picture.CHANNELS_LAST


def keep_block(part: Packed, node: int, block: Block) -> None:
    """Adds the sample of a node to what is packed of a quantity, and its strides where it has others than 1."""
    part.setdefault("samples", {})[str(node)] = block.numbers
    if any(not isinstance(stride, int) or stride > 1 for stride in block.strides):
        part.setdefault("strides", {})[str(node)] = block.strides


def _measured(tensors: Mapping[str, tf.Tensor], facts: Mapping[str, tuple[str | None, bool]], histograms: bool) -> Iterator[Measured]:
    requests = [Request(tensor, *facts[key]) for key, tensor in tensors.items()]
    if requests:
        yield measure_all(requests, histogram=histograms)


def _factor(scale: tf.Tensor | None) -> tf.Tensor:
    return tf.ones([]) if scale is None else 1.0 / tf.cast(scale, tf.float32)


PROPORTIONAL = np.array([name in {"min", "max", "mean", "std", "l2_norm", "batch_std"} for name in STATISTICS])
"""Which statistics grow with the tensor, and so have the loss scale in them."""


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
        strides={int(node): tuple(np.asarray(strides, np.int64).tolist()) for node, strides in packed.get("strides", {}).items()},
    )
