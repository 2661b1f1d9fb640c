"""Functions of their own (`tf.function`) that the user's step calls.

The one invariant: nothing of ours gets into the trace of such a function: the plain step calls the same trace. While a twin is traced its
Python body runs inline instead, converted as TensorFlow converts it, so that its layers are in the graph of the step; where that can't be
done, it is called as it is, unseen, and what is known of its layers is kept for the list.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx
from tensorflow.python.eager.polymorphic_function import autograph_util

from tb_activations.capture.source import is_user_function
from tb_activations.errors import ActivationsError
from tb_activations.store.schema import QuantityPlan

__all__ = ["Functions", "Unseen"]


_EAGER = "the step runs eagerly, and the function has a graph of its own."
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})


class Unseen(NamedTuple):
    """A call that nothing was recorded of. ``obstacle``: why its body can't run inline. ``variables``: the ids of those it uses."""

    name: str
    obstacle: str
    variables: frozenset[int]
    is_users: bool = True

    @property
    def plan(self) -> QuantityPlan:
        if not self.is_users:
            return QuantityPlan("function_of_keras")
        if self.obstacle == _EAGER:
            return QuantityPlan("function_in_eager_step", {"function": self.name})
        return QuantityPlan("traced_earlier", {"function": self.name, "detail": self.obstacle})


class Functions:
    """The functions that one trace of a step calls.

    Args:
      refused: id of a function -> why its body can't run inline. Is added to; a second trace of the step then calls those as they are.
      compiled: whether the step itself is compiled by XLA.
    """

    def __init__(self, refused: dict[int, str], compiled: bool) -> None:
        self._refused = refused
        self._compiled = compiled
        self.unseen: list[Unseen] = []

    def obstacle(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        """Why the body of ``function`` can't run inline."""
        if tf.executing_eagerly():
            return _EAGER
        if not hasattr(function, "python_function"):
            return "it is a concrete function, of which only the graph is left."
        if getattr(function, "_jit_compile", None) and not self._compiled:
            return "it is compiled by XLA on its own, which may give other last bits."
        if getattr(function, "input_signature", None) is not None and not all(map(tf.is_tensor, tf.nest.flatten((args, kwargs)))):
            return "its signature turns Python values into tensors."
        return self._refused.get(id(function))

    def run_inline(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], unseen: Callable[[], AbstractContextManager[None]]) -> Any:
        """Runs the body of ``function``; what is done in ``unseen()`` is none of the recorder's business."""
        body, converted = function.python_function, bool(getattr(function, "_autograph", True))
        options = getattr(function, "_experimental_autograph_options", None)
        if converted:
            # What `tf.function` itself does with the body; `tf.autograph.to_graph` can't take methods.
            body = autograph_util.py_func_from_autograph(body, options)
        graph = tf.compat.v1.get_default_graph()
        before = graph.version
        try:
            # Keras switches the conversion off around a train step.
            with ag_ctx.ControlStatusCtx(ag_ctx.Status.ENABLED if converted else ag_ctx.Status.DISABLED, options):
                result = body(*args, **kwargs)
            with unseen():
                is_frozen = _is_frozen(function, args, kwargs)
            if is_frozen and any(op.type in _READS for op in graph.get_operations()[before:]):
                raise ActivationsError(f"`{function.python_function}` was traced without its variables.")
        except Exception as error:
            detail = (
                "it was traced with constants in place of its variables"
                if isinstance(error, ActivationsError)
                else f"its body failed there with {type(error).__name__}"
            )
            self._refused[id(function)] = f"{detail}."
            raise
        return result

    def call_unseen(self, function: Any, call: Callable[[], Any], obstacle: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Calls a function as it is, and notes what it uses."""
        result = call()
        with contextlib.suppress(Exception):  # the step of the user's has to go on
            concrete = function.get_concrete_function(*args, **kwargs) if hasattr(function, "get_concrete_function") else function
            variables = frozenset(map(id, concrete.variables))
            is_users = is_user_function(getattr(function, "python_function", function))
            if is_users or variables:
                name = str(getattr(function, "__name__", None) or getattr(function, "name", ""))
                self.unseen.append(Unseen(name if name.isidentifier() else "function", obstacle, variables, is_users))
        return result


def _is_frozen(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether the plain step calls a trace without variables, as Keras makes them when it infers shapes before the weights are there."""
    return bool(function.experimental_get_tracing_count()) and not function.get_concrete_function(*args, **kwargs).variables
