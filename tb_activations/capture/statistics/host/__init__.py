"""The same reductions by numpy, for tensors that lie in the memory of the host anyway.

The one invariant: what is measured here is what `statistics.measure_all` would have measured; the tests run both against the same numbers.

Why a second way: on CPUs the time goes into reading memory. TensorFlow reads a tensor once for each reduction; here blocks that fit into the
cache are read once for all, which takes about a third of the time, in a thread of its own beside the next steps, and nothing has to be
traced or compiled. What looks at a part of the elements only copies that part of all tensors end to end first: one call of numpy then serves a
hundred tensors, where it would cost more than the work it does for one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tb_activations.capture.statistics.host import exact, sampled
from tb_activations.capture.statistics.host.exact import Exact
from tb_activations.capture.statistics.host.kinds import kind_of
from tb_activations.capture.statistics.host.units import as_units, zero_share
from tb_activations.capture.statistics.sampled import SAMPLED
from tb_activations.capture.statistics.stacks import Request
from tb_activations.store.schema import COUNTS, HISTOGRAM_BINS, STATISTICS

__all__ = ["HostMeasured", "measure_all"]

Array = npt.NDArray[Any]


class HostMeasured(NamedTuple):
    """Of n tensors.

    Attributes:
      statistics: float32[n, K], in the order of `schema.STATISTICS`.
      counts: int64[n, 4], in the order of `schema.COUNTS`.
      histogram: int64[n, B], or None when not asked for.
      histogram_range: float32[n, 2], or None when not asked for.
    """

    statistics: Array
    counts: Array
    histogram: Array | None
    histogram_range: Array | None


def measure_all(requests: Sequence[Request], *, histogram: bool = True) -> HostMeasured:
    """Reduces many arrays at once; row i of the result belongs to ``requests[i]``, whose ``x`` is a numpy array of a real dtype."""
    measured = _empty(len(requests), histogram)
    with np.errstate(all="ignore"):
        reduced, plain = exact.reduce_all([request.x for request in requests])
        alike: dict[tuple[Any, bool], list[int]] = {}
        for index, request in enumerate(requests):
            alike.setdefault((kind_of(request.x.dtype).wide, bool(plain[index])), []).append(index)
        for (_, is_plain), indices in alike.items():
            members, of_members = [requests[index] for index in indices], Exact(*(column[indices] for column in reduced))
            some = sampled.measure_all(members, of_members.low, of_members.high, careful=not is_plain, histogram=histogram)
            for column, part in zip(measured, _columns(members, of_members, some), strict=True):
                if column is not None:
                    column[indices] = part
    return measured


def _empty(count: int, histogram: bool) -> HostMeasured:
    statistics, counts = np.empty((count, len(STATISTICS)), np.float32), np.empty((count, len(COUNTS)), np.int64)
    if not histogram:
        return HostMeasured(statistics, counts, None, None)
    return HostMeasured(statistics, counts, np.empty((count, HISTOGRAM_BINS), np.int64), np.empty((count, 2), np.float32))


def _columns(requests: Sequence[Request], reduced: Exact, some: sampled.Sampled) -> HostMeasured:
    columns = {
        "min": reduced.low,
        "max": reduced.high,
        "mean": reduced.mean,
        "std": reduced.std,
        "l2_norm": reduced.l2_norm,
        "zero_fraction": some.zero_fraction,
        "zero_unit_fraction": np.where(np.isnan(reduced.low), np.nan, list(map(_zero_units, requests, some.zero_fraction.tolist()))),
        "batch_std": some.batch_std,
        "saturated_fraction": some.saturated_fraction,
        "subnormal_fraction": some.subnormal_fraction,
    }
    statistics = np.stack([columns[name] for name in STATISTICS], 1)
    counts = np.column_stack([[request.x.size for request in requests], reduced.nonfinite])
    return HostMeasured(statistics, counts, some.histogram, np.stack([reduced.low, reduced.high], 1))


def _zero_units(request: Request, zero_fraction: float) -> float:
    if request.x.ndim < 2:
        return math.nan
    units = as_units(request.x)
    # Most tensors have fewer zeros than a unit has elements; it is known where all of them were counted.
    return 0.0 if units.size <= SAMPLED and zero_fraction * units.size < len(units) - 0.5 else zero_share(units)
