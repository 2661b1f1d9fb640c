"""`probe`: gives a tensor inside a custom layer's ``call``, or inside a train step, a name and a place in the list.

The one invariant: it is the identity, and where nothing is captured it adds nothing to the graph: the very same tensor comes back.
"""

from __future__ import annotations

from typing import TypeVar

from tb_activations.capture.active import current
from tb_activations.errors import ArgumentError

__all__ = ["probe"]

T = TypeVar("T")


def probe(x: T, name: str) -> T:
    """Names a tensor, so that its value and gradient are recorded.

    Args:
      x: a tensor, or a structure of tensors.
      name: how it is called in the list, below the layer in whose ``call`` the probe stands.

    Returns:
      ``x``, unchanged.
    """
    if not isinstance(name, str) or not name or name.startswith("/") or name.endswith("/"):
        raise ArgumentError(f'`name` must be a non-empty str such as "attention_scores". Received: name={name!r}')
    recorder = current()
    return x if recorder is None else recorder.probe(x, name)
