"""What one tensor was reduced to.

The one invariant: the columns are those of `store.schema`, in its order, whichever way they were computed.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

__all__ = ["Measured"]


class Measured(NamedTuple):
    """Statistics as tensors of the graph they were computed in. Of `measure_all` each has one more, leading axis: the request.

    Attributes:
      statistics: float32[K], in the order of `schema.STATISTICS`.
      counts: int64[4], in the order of `schema.COUNTS`.
      histogram: int32[B], or None when not asked for.
      histogram_range: float32[2], or None when not asked for.
    """

    statistics: tf.Tensor
    counts: tf.Tensor
    histogram: tf.Tensor | None
    histogram_range: tf.Tensor | None
