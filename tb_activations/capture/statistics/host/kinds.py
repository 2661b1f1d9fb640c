"""What the dtype of a tensor decides.

The one invariant: the same as in the step (``stacks.working_dtype``, ``sampled.subnormal_bound``), asked once for each dtype.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tb_activations.capture.statistics.sampled import subnormal_bound
from tb_activations.capture.statistics.stacks import working_dtype

__all__ = ["Kind", "kind_of"]


class Kind(NamedTuple):
    """Attributes:
    wide: the dtype that is reckoned in: float32 or float64.
    smallest_normal: the bits, as an integer, of the smallest number of ``wide`` that is normal in the tensor's dtype; 0 for integers.
    """

    wide: np.dtype[Any]
    smallest_normal: int


@functools.cache
def kind_of(dtype: np.dtype[Any]) -> Kind:
    narrow = tf.as_dtype(dtype)
    wide = working_dtype(narrow)
    return Kind(np.dtype(wide.as_numpy_dtype), subnormal_bound(narrow, wide) if narrow.is_floating else 0)
