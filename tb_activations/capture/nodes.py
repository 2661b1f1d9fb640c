"""What a trace keeps of a node until it is over.

The one invariant: these hold tensors of the trace and live no longer than it does; what outlives it is `store.schema.NodeRecord`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tb_activations.capture.taps import Tensor, forget_gradients
from tb_activations.store.schema import Kind, QuantityPlan, Source

__all__ = ["Lasting", "Recording", "Seen", "Tally"]


class Recording(NamedTuple):
    """A tensor that is recorded. ``scale``: the loss scale by which it is multiplied, or None."""

    tensor: tf.Tensor
    batch: bool
    activation: str | None = None
    scale: tf.Tensor | None = None


class Tally(NamedTuple):
    """A tensor of an inner graph that was reduced there. ``scale`` as above.

    Attributes:
      read: what it was reduced to, float64[n], asked for at the end of the step.
      repeated: these are `running.sums` and `running.extremes`, else it is a row `as_vector`.
    """

    read: Callable[[], tf.Tensor]
    repeated: bool
    scale: tf.Tensor | None = None


@dataclass(slots=True)
class Seen:
    """A node that the trace met.

    Attributes:
      obstacle: why nothing of it can be recorded, or None.
      graph_op: the TensorFlow operation that the node is, when it is just one.
      batch: whether axis 0 counts examples, where that is known of an operation.
      within: the name of the call that made it, "" is the step itself.
      until_taken: what is to be said of it as long as no step has recorded it.
      in_tape: it was made while a tape of the step recorded.
      is_followed: a tape differentiates what is computed from it, as something that is trained comes before it.
      is_inner: the gradient that came back to it is that of an inner tape, and of no loss.
    """

    name: str
    kind: Kind
    class_name: str
    tensor: Tensor | None
    op: keras.Operation | None = None
    variable: keras.Variable | tf.Variable | None = None
    activation: str | None = None
    source: Source | None = None
    obstacle: QuantityPlan | None = None
    graph_op: tf.Operation | None = None
    batch: bool = False
    within: str = ""
    until_taken: QuantityPlan = field(default_factory=QuantityPlan)
    attributes: dict[str, Any] = field(default_factory=dict)
    in_tape: bool = True
    is_followed: bool = False
    is_inner: bool = False

    @property
    def dtype(self) -> tf.DType | None:
        return None if self.tensor is None else self.tensor.dtype

    @property
    def has_batch(self) -> bool:
        shape = None if self.tensor is None else self.tensor.shape
        if self.graph_op is not None:
            return self.batch or bool(shape is not None and shape.rank and shape[0] is None)  # most operations know of no batch
        return self.kind not in ("loss", "variable") and shape is not None and (shape.rank is None or shape.rank > 0)


@dataclass
class Lasting:
    """What must live as long as the twin that was traced.

    Attributes:
      variables: those that the traced step assigns.
      refused: functions that can't run inline, see `functions.Functions`.
      gradients: names of the backward functions of taps. They may be called as long as somebody differentiates what the twin computes.
    """

    variables: list[tf.Variable] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    gradients: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        weakref.finalize(self, forget_gradients, self.gradients).atexit = False
