"""The TensorFlow operations of a step's graph, for those who ask for them.

The one invariant: only the graph is read, when the user's step has returned; what this package added to it is left out. An operation is named
after the call of a layer that made it (`encoder/dense/MatMul`), else as TensorFlow names it in the graph of the step
(`gradient_tape/…`): names depend on the step alone, not on how often it was traced.

Operations inside a loop, a branch or a function are not listed one by one; the operation that runs it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tensorflow as tf
from tensorflow.python.eager import context

__all__ = ["SCOPE", "Calls", "is_ours", "leaf_name", "operations", "ours"]

SCOPE = "tb_activations"
"""Name scope of everything that this package adds to the graph of a step, so that it can be told from what is the user's."""

_OURS = re.compile(rf"(^|/){SCOPE}(_\d+)?/")


@contextmanager
def ours() -> Iterator[None]:
    """What is made inside is this package's, and not looked at by who has TensorFlow show him every operation.

    `tf.debugging.enable_check_numerics` ends a training at the first infinity, and with one a search for the largest number begins.
    """
    settings = context.context()
    watching = list(settings.op_callbacks)
    for callback in watching:
        settings.remove_op_callback(callback)
    try:
        with tf.name_scope(SCOPE):
            yield
    finally:
        for callback in watching:
            settings.add_op_callback(callback)


def is_ours(name: str) -> bool:
    """Whether this package added the operation ``name`` to the step."""
    return _OURS.search(name) is not None


class Calls:
    """Which operations were made in which call of a layer: operations are numbered as they are made."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._marks: list[tuple[int, str]] = []

    def begin(self, name: str, graph: tf.Graph | None) -> None:
        self._open.append(name)
        self._mark(graph)

    def end(self, graph: tf.Graph | None) -> None:
        self._open.pop()
        self._mark(graph)

    def _mark(self, graph: tf.Graph | None) -> None:
        if graph is not None:
            self._marks.append((graph.version, self._open[-1] if self._open else ""))

    def innermost(self, graph: tf.Graph) -> Iterator[tuple[tf.Operation, str]]:
        """Each operation with the innermost call that made it, or ""."""
        marks = iter([*self._marks, (2**63, "")])
        owner, (until, following) = "", next(marks)
        for number, op in enumerate(graph.get_operations()):
            while number >= until:
                owner, (until, following) = following, next(marks)
            yield op, owner


def operations(calls: Calls, graph: tf.Graph, optimizers: Iterable[str]) -> Iterator[tuple[str, tf.Operation]]:
    """The user's operations, each with a name that need not be unique yet.

    Args:
      optimizers: names of optimizers. Keras numbers them through a process; their operations go by what comes before the number.
    """
    scopes = [(re.compile(rf"^{re.escape(name)}(_\d+)?(?=/)"), re.sub(r"_\d+$", "", name)) for name in optimizers]
    for op, owner in calls.innermost(graph):
        if not is_ours(op.name):
            yield f"{owner}/{leaf_name(op)}" if owner else _stable(op.name, scopes), op


def leaf_name(op: tf.Operation) -> str:
    """The last part of the name of an operation, without the number by which TensorFlow tells those of one name apart."""
    return re.sub(r"_\d+$", "", op.name.rsplit("/", 1)[-1])


def _stable(name: str, scopes: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for scope, plain in scopes:
        name = scope.sub(plain, name)
    return name
