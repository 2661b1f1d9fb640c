"""The arguments of a question about a run: what they mean, and what is wrong with them.

The one invariant: whoever asks for what a run doesn't have is told what it has instead, by names and steps that can be asked for. No file is opened
here.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Collection, Sequence
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from tb_activations.errors import ArgumentError, NotFoundError
from tb_activations.store.index import Index
from tb_activations.store.schema import QUANTITIES, Quantity

__all__ = ["check_integer", "check_quantity", "check_statistic", "find_node", "find_rank", "find_step", "name_nearest_steps"]


_COMPARED = 2000
"""Names that are compared with one that a run doesn't have, letter by letter: some 0.1 s, in which nobody else is answered."""


def find_node(index: Index, name: Any) -> int:
    """The position of the node ``name`` among the nodes of the run.

    Raises:
      ArgumentError: ``name`` is not a text.
      NotFoundError: there is no node of this name.
    """
    if not isinstance(name, str):
        raise ArgumentError(f"Expected the name of a node as str, such as `run.nodes[0].name`. Received: node={name!r:.200}")
    position = index.joined.index.get(name)
    if position is None:
        raise NotFoundError(f"Expected the name of a node of this run. Received: node={name!r:.200}. {_name_nearest_nodes(index, name)}")
    return position


def _name_nearest_nodes(index: Index, name: str) -> str:
    near = difflib.get_close_matches(name[:200], _like(name, index.joined.index), n=3, cutoff=0.5)
    if near:
        return f"Nearest: {', '.join(map(repr, near))}."
    count = len(index.joined.records)
    return f"The run has {count} nodes; see run.nodes." if count else "The run has no graph: nothing was captured yet, or its files are gone."


def _like(name: str, names: Collection[str]) -> Sequence[str]:
    """Those of ``names`` that are worth comparing with ``name``, which takes a while for each: of its scope or its end, if there are any."""
    scope, _, end = name.rpartition("/")
    alike = [other for other in names if other.startswith(f"{scope}/") or other.endswith(f"/{end}")]
    return (alike or [*names])[:_COMPARED]


def find_step(steps: npt.NDArray[np.int64], step: SupportsIndex) -> int:
    """``step`` as an int.

    Args:
      steps: int64[C], the recorded steps, ascending.
      step: an integer of any kind; a float that is whole counts, as out of a table.

    Raises:
      ArgumentError: ``step`` is not an integer.
      NotFoundError: it was not recorded.
    """
    number = check_integer("step", step)
    position = int(np.searchsorted(steps, number))
    if position >= len(steps) or steps[position] != number:
        raise NotFoundError(f"Expected a recorded step. Received: step={number}. {name_nearest_steps(steps, number)}")
    return number


def name_nearest_steps(steps: npt.NDArray[np.int64], step: int) -> str:
    """A sentence that names the steps around ``step``, which is none of ``steps``."""
    if not len(steps):
        return "There is none; run.problems tells of files that can't be read."
    position = int(np.searchsorted(steps, step))
    return f"Nearest: {', '.join(map(str, steps[max(position - 1, 0) : position + 1].tolist()))}."


def find_rank(index: Index, rank: SupportsIndex | None) -> int | None:
    """``rank`` as an int; None stands for the global batch.

    Raises:
      ArgumentError: it is not an integer.
      NotFoundError: no replica of this rank was recorded.
    """
    if rank is None:
        return None
    number = check_integer("rank", rank)
    ranks = index.derived("ranks", lambda: np.unique(index.table["rank"]))
    if number not in ranks:
        raise NotFoundError(f"Expected the rank of a recorded replica: {', '.join(map(str, ranks.tolist())) or 'none yet'}. Received: rank={number}")
    return number


def check_quantity(quantity: str) -> Quantity:
    """``quantity``, when it is one.

    Raises:
      ArgumentError: it is not.
    """
    if quantity not in QUANTITIES:
        raise ArgumentError(f"Expected a quantity of {', '.join(QUANTITIES)}. Received: quantity={quantity!r}")
    return quantity


def check_statistic(statistic: str, quantity: Quantity, known: Collection[str]) -> str:
    """``statistic``, when it is one of ``known``.

    Raises:
      NotFoundError: it is not.
    """
    if statistic not in known:
        raise NotFoundError(f"Expected a statistic of {', '.join(known)}. Received: statistic={statistic!r}, quantity={quantity!r}")
    return statistic


def check_integer(name: str, value: Any) -> int:
    """Integers of numpy count, and so does a float that is whole, as a step read back from a table or from JSON is; a truth value doesn't.

    Raises:
      ArgumentError: it is no integer.
    """
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    try:
        if not isinstance(value, (bool, np.bool_)):
            return operator.index(value)
    except TypeError:
        pass
    raise ArgumentError(f"Expected `{name}` to be an integer. Received: {name}={value!r:.200}")
