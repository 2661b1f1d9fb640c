"""Takes back what a traced step does to variables, so that it can run on the side: the plain step then runs in its place.

The one invariant: when a step that is taken back has run, every variable has the bits that it had before, and nothing else of the step was felt
outside: what writes files, prints, or calls Python is not taken back, and such a step is refused.

A step runs on the side where what is looked at can't be handed out without another last bit: XLA joins operations in another way when one of
them has to be stored, TensorFlow's graph optimizer is more careful with a loop that has a variable of ours in it, and some random operations
count their draws in each traced function by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.auto_control_deps_utils import get_read_write_resource_inputs
from tensorflow.python.ops.handle_data_util import get_resource_handle_data

from tb_activations.capture.operations import SCOPE

__all__ = ["Undo"]


class Undo:
    """What a step that is being traced in ``graph`` finds in the variables that it uses."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._before: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Reads each variable when the step first mentions it, and so before the step, or a loop or branch in it, can change it."""
        capture = self._graph.capture

        def reading(*args: Any, **kwargs: Any) -> Any:
            captured = capture(*args, **kwargs)
            self._read(captured)
            return captured

        self._graph.capture = reading
        try:
            for _, captured in list(self._graph.captures):
                self._read(captured)
            yield
        finally:
            del self._graph.capture

    def is_possible(self) -> bool:
        """Whether variables are all that the step, as far as it is traced, changes."""
        return all(map(_is_harmless, _types(self._graph)))

    def take_back(self) -> None:
        """Runs in the graph, when the step has done all that it does."""
        with tf.name_scope(SCOPE):
            for handle, value in [self._before[key] for key in dict.fromkeys(self._written()) if key in self._before]:
                tf.raw_ops.AssignVariableOp(resource=handle, value=value)

    def _read(self, captured: tf.Tensor) -> None:
        if captured.dtype != tf.resource or id(captured) in self._before or captured.op.type != "Placeholder":
            return
        kept = get_resource_handle_data(captured)
        if kept is not None and kept.is_set and len(kept.shape_and_type) == 1:
            self._before[id(captured)] = (captured, captured)  # the operation that reads it mentions it as well
            with self._graph.as_default(), tf.control_dependencies(None), tf.name_scope(SCOPE):
                value = tf.raw_ops.ReadVariableOp(resource=captured, dtype=tf.as_dtype(kept.shape_and_type[0].dtype))
            self._before[id(captured)] = (captured, value)

    def _written(self) -> Iterator[int]:
        for op in self._graph.get_operations():
            yield from map(id, get_read_write_resource_inputs(op)[1])


def _types(graph: Any) -> set[str]:
    """The types of the operations in ``graph`` and in the functions it calls."""
    called = (node.op for function in graph._functions.values() for node in function.cached_definition.node_def)
    return {*(op.type for op in graph.get_operations()), *called}


_HARMLESS = re.compile(
    r"Assign\w*|Resource\w+|Read\w*|Var\w*|Destroy\w*"  # variables
    r"|While|If|Case|StatefulPartitionedCall|XlaLaunch"  # their bodies are looked at
    r"|TensorArray\w*|Stack\w*|Assert|Placeholder|CudnnRNN\w*"
    r"|Stateful\w*|Rng\w*|\w*Random\w*|\w*TruncatedNormal|Multinomial"  # random numbers, counted in a variable or where nobody looks
)


def _is_harmless(type_name: str) -> bool:
    definition = op_def_registry.get(type_name)
    return definition is None or not definition.is_stateful or _HARMLESS.fullmatch(type_name) is not None
