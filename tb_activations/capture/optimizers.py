"""The optimizers of a model: which it has, what they counted, and that they have their variables.

The one invariant: no step of an optimizer is taken here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tb_activations.capture.bare_variables import kept_by

__all__ = ["build_optimizer", "optimizers_of", "steps_counted"]


def build_optimizer(optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> None:
    """Makes what an optimizer keeps of ``variables``, as it would do by itself when it is first applied."""
    if not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(list(variables))
        optimizer.built = True


def optimizers_of(model: keras.Model) -> Iterator[keras.optimizers.Optimizer]:
    """The one of `compile`, and those that ``model`` keeps besides, also in lists and dicts."""
    return (kept for _, kept in kept_by(model) if isinstance(kept, keras.optimizers.Optimizer))


def steps_counted(model: keras.Model) -> int | None:
    """How many steps the optimizer counted; None: none counts.

    Where a step of the user's own works with others, the one of `compile` stays at 0. Of several the one that counted least tells: some work twice
    in a step.
    """
    optimizer = getattr(model, "optimizer", None)  # a model that was never compiled may have no such attribute
    own = 0 if optimizer is None else _counted(optimizer)
    return own or min(filter(None, map(_counted, optimizers_of(model))), default=None)


def _counted(optimizer: keras.optimizers.Optimizer) -> int:
    counting = getattr(optimizer, "inner_optimizer", optimizer)  # of a loss scale
    # Since Keras 3.4 `iterations` leaves out the steps that only accumulate gradients.
    return int(getattr(counting, "_iterations", counting.iterations).numpy())
