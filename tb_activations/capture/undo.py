"""Takes back what a traced step did to variables, so that the plain step can run in its place.

The one invariant: when a step was taken back, every variable has the bits that it had before, and nothing else of the step was felt outside: what
writes files, prints, or calls Python can't be taken back, and such a step is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.auto_control_deps_utils import get_read_write_resource_inputs
from tensorflow.python.ops.handle_data_util import get_resource_handle_data

__all__ = ["Undo"]


class Undo:
    """What the traces of one step change.

    Attributes:
      is_possible: variables that are known here are all that these traces change.
    """

    def __init__(self) -> None:
        self.is_possible = True
        self._variables: dict[int, tuple[tf.Tensor, tf.DType]] = {}

    def add(self, graph: Any, ours: Iterable[tf.Variable] = ()) -> None:
        """Looks at a trace.

        Args:
          graph: what was traced so far.
          ours: variables that belong to the recording: what happens to them is not felt by the training.
        """
        outside = {id(inner): outer for outer, inner in graph.captures}
        left_alone = {id(variable.handle) for variable in ours}
        self.is_possible = self.is_possible and all(map(_is_harmless, _types(graph)))
        for handle in _written(graph):
            variable = outside.get(id(handle))
            if variable is None:
                self.is_possible = self.is_possible and _is_made_in(handle)
            elif id(variable) not in left_alone:
                self._add_variable(variable, get_resource_handle_data(handle))

    def is_ready(self) -> bool:
        """Whether all variables have a value: one that a trace made is given its first before the traced step runs."""
        return all(tf.raw_ops.VarIsInitializedOp(resource=handle) for handle, _ in self._variables.values())

    def read(self) -> list[tf.Tensor]:
        """The present values, one tensor a variable."""
        return [tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype) for handle, dtype in self._variables.values()]

    def put_back(self, values: Sequence[tf.Tensor]) -> None:
        """Gives the variables the values that `read` returned."""
        for (handle, _), value in zip(self._variables.values(), values, strict=True):
            tf.raw_ops.AssignVariableOp(resource=handle, value=value)

    def _add_variable(self, handle: Any, kept: Any) -> None:
        if isinstance(handle, tf.__internal__.EagerTensor) and kept is not None and kept.is_set and len(kept.shape_and_type) == 1:
            self._variables[id(handle)] = handle, tf.as_dtype(kept.shape_and_type[0].dtype)
        else:
            self.is_possible = False


def _written(graph: Any) -> Iterator[tf.Tensor]:
    for op in graph.get_operations():
        yield from get_read_write_resource_inputs(op)[1]


def _is_made_in(handle: tf.Tensor) -> bool:
    """Whether a resource is made by the step itself; others are given to it as arguments."""
    return handle.op.type != "Placeholder" and not handle.op.inputs


def _types(graph: Any) -> set[str]:
    """The types of the operations in ``graph`` and in the functions it calls."""
    called = (node.op for function in graph._functions.values() for node in function.cached_definition.node_def)
    return {*(op.type for op in graph.get_operations()), *called}


_HARMLESS = re.compile(
    r"Assign\w*|Resource\w+|Read\w*|Var\w*|Destroy\w*"  # variables
    r"|While|If|Case|StatefulPartitionedCall|XlaLaunch"  # their bodies are looked at
    r"|TensorArray\w*|Stack\w*|Assert|Placeholder|CudnnRNN\w*"
    r"|Stateful\w*|Rng\w*|\w*Random\w*|\w*TruncatedNormal|Multinomial"  # random numbers, counted in a variable or where nobody looks
    r"|\w*CandidateSampler|SampleDistortedBoundingBox\w*"  # the same
)


def _is_harmless(type_name: str) -> bool:
    definition = op_def_registry.get(type_name)
    return definition is None or not definition.is_stateful or _HARMLESS.fullmatch(type_name) is not None
