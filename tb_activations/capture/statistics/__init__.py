"""Reductions of tensors to the fixed-size numbers of one capture row, inside the graph of the step.

The one invariant: only numeric operations that every device and XLA can compile; no string, print, summary or Python operation, and
nothing that changes what the user's step computes. Columns and definitions: ``docs/format.md``.

Nothing here chooses tensors or knows about nodes. ``exact`` holds what looks at every element, ``sampled`` what looks at an even stride,
``stacks`` how many small tensors become few operations, ``blocks`` the raw numbers kept, ``running`` what adds up over the iterations
of a loop.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tb_activations.capture.statistics.blocks import Block, Picture, sample
from tb_activations.capture.statistics.columns import reduce_stack
from tb_activations.capture.statistics.measured import Measured
from tb_activations.capture.statistics.stacks import Request, has_statistics, stack_requests

__all__ = ["Block", "Measured", "Picture", "Request", "has_statistics", "measure", "measure_all", "sample"]


def measure(x: tf.Tensor, *, activation: str | None = None, batch: bool = True, histogram: bool = True) -> Measured:
    """Reduces one tensor. The arguments are those of `Request`; prefer `measure_all` for many tensors."""
    measured = measure_all([Request(x, activation, batch)], histogram=histogram)
    return Measured(*(None if part is None else part[0] for part in measured))


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def measure_all(requests: Sequence[Request], *, histogram: bool = True) -> Measured:
    """Reduces many tensors at once; row i of the result belongs to ``requests[i]``.

    This is what a recorder should call, once per quantity at the end of the step, with all the tensors that live in the step's own graph:
    small tensors of one shape share their operations, so a model of a thousand layers costs the operations of a few, and the result is
    four tensors to fetch and not four per node. A tensor of a while body or another inner graph must be measured there, by `measure`.
    """
    stacks = stack_requests(requests)
    rows = [reduce_stack(stack, histogram=histogram) for stack in stacks]
    order = [index for stack in stacks for index in stack.indices]
    back = sorted(range(len(order)), key=order.__getitem__)
    joined = [tf.gather(tf.concat(parts, 0), back) for parts in zip(*rows, strict=True)]
    return Measured(joined[0], joined[1], *(joined[2:] if histogram else (None, None)))
