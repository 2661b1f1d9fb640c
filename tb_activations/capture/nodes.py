"""What a trace keeps of a node until it is over.

The one invariant: these hold tensors of the trace and live no longer than it does; what outlives it is `store.schema.NodeRecord`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tb_activations.capture.taps import Tensor
from tb_activations.store.schema import Kind, QuantityPlan, Source

__all__ = ["Recording", "Seen", "numbered"]


class Recording(NamedTuple):
    """A tensor that is recorded. ``scale``: the loss scale by which it is multiplied, or None."""

    tensor: tf.Tensor
    batch: bool
    activation: str | None = None
    scale: tf.Tensor | None = None


@dataclass(slots=True)
class Seen:
    """A node that the trace met. ``obstacle``: why nothing of it can be recorded, or None."""

    name: str
    kind: Kind
    class_name: str
    tensor: Tensor | None
    op: keras.Operation | None = None
    variable: keras.Variable | tf.Variable | None = None
    activation: str | None = None
    source: Source | None = None
    obstacle: QuantityPlan | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> tf.DType | None:
        return None if self.tensor is None else self.tensor.dtype

    @property
    def has_batch(self) -> bool:
        shape = None if self.tensor is None else self.tensor.shape
        return self.kind not in ("loss", "variable") and shape is not None and (shape.rank is None or shape.rank > 0)


def numbered(name: str, call: int) -> str:
    """The name of the node that the ``call``-th call makes."""
    return name if call == 1 else f"{name}@{call}"
