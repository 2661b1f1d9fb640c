"""One name for every layer and operation of a model.

The one invariant: a name depends on where the layer is kept, never on which trace or process meets it, so that captures of different
days can be compared. `Layer.path` can't serve: Keras fixes it where a layer was first built, which for a layer of a nested functional
model is not where it stands, and Keras operations have none.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.bare_variables import bare_variables, weight_name
from tb_activations.capture.keras_variables import in_tensorflow

__all__ = ["Structure", "children"]


def children(op: keras.Operation) -> list[keras.Operation]:
    """The layers and Keras operations that ``op`` keeps, in graph order where there is a graph."""
    found: dict[int, keras.Operation] = {}
    for child in (*(getattr(op, "operations", None) or ()), *_layers(op)):
        found.setdefault(id(child), child)
    return list(found.values())


def _layers(op: keras.Operation) -> list[keras.layers.Layer]:
    # The one way to the layers in lists, dicts and attributes of any layer; `Model.layers` exists for models only.
    flatten = getattr(op, "_flatten_layers", None)
    return list(flatten(include_self=False, recursive=False)) if flatten else []


def _weights(op: keras.Operation) -> Iterator[tuple[str, keras.Variable]]:
    return ((weight_name(op, weight), weight) for weight in getattr(op, "weights", ()))


def _has_made(op: keras.Operation, weight: Any) -> bool:
    """Whether the path of ``weight`` says that ``op`` made it, which others may keep as well, as an output layer does that shares an embedding."""
    return str(getattr(weight, "path", "")).split("/")[-2:] == [op.name, weight.name]


class Structure:
    """Names of the operations of ``model``, and of whatever else appears while its step is traced.

    Args:
      model: the root, whose own name is no part of the others'; None where a step has no model.
    """

    def __init__(self, model: keras.Model | None) -> None:
        self.model = model
        self._names: dict[int, str] = {}
        self._members: list[keras.Operation] = []
        self._met: set[int] = set()
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        if model is not None:
            self._taken.add(model.name)
            self._adopt(model, "")

    def name_of(self, op: keras.Operation, scope: str) -> str:
        """The name of ``op``; one met for the first time gets a place below ``scope``."""
        if id(op) not in self._names and op is not self.model:
            self._register(op, scope + _stable_name(op))
            self._met.add(id(op))
            self._adopt(op, self._names[id(op)] + "/")
        return self.model.name if self.model is not None and op is self.model else self._names[id(op)]

    def forget(self, op: keras.Operation | None) -> None:
        """Leaves out ``op`` and what it keeps, if no layer keeps it: what met it didn't count. Nothing else gets their names."""
        if id(op) in self._met:
            name = self._names[id(op)]
            self._members = [member for member in self._members if member is not op and not self._names[id(member)].startswith(name + "/")]

    def unique(self, name: str) -> str:
        """``name``, or ``name_1``, ``name_2`` … when it is taken."""
        free, count = name, self._counts.get(name, 0)  # a step has thousands of operations of one name
        while free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._counts[name] = count
        self._taken.add(free)
        return free

    def expression(self, path: str) -> str:
        """Python that gives the layer named ``path``, "" is the model; just `layer` where no chain of models leads to it."""
        expression, inner = "model", self.model
        for part in path.split("@")[0].split("/") if path else ():
            if not isinstance(inner, keras.Model):
                return "layer"
            expression += f".get_layer({part!r})"
            inner = next((child for child in children(inner) if child.name == part), None)
        return expression.replace("'", '"')

    def __iter__(self) -> Iterator[tuple[str, keras.Operation]]:
        """All operations but the root, each after the layer that keeps it."""
        for op in self._members:
            yield self._names[id(op)], op

    def keepers(self, name: str) -> Iterator[tuple[str, keras.Operation]]:
        """The model, and the layers in which what is called ``name`` stands, from the outside to the inside; the model's name is ""."""
        if self.model is not None:
            yield "", self.model
        yield from ((path, op) for path, op in self if name.startswith(path + "/"))

    def owners(self) -> Iterator[tuple[str, keras.Variable | tf.Variable, keras.Operation]]:
        """Each weight, and then each bare variable, with its name and the layer that keeps it: the one that made it, or else the innermost."""
        seen: set[int] = set()
        makers = {id(in_tensorflow(weight)): op for op in self._members for _, weight in _weights(op) if _has_made(op, weight)}
        for kept_by in (_weights, bare_variables):
            for op in (*reversed(self._members), *([self.model] if self.model is not None else [])):
                scope = "" if op is self.model else self._names[id(op)] + "/"
                for name, variable in kept_by(op):
                    key = id(in_tensorflow(variable))  # `keras.Variable(layer.kernel.value)` is another object for the same variable
                    if key not in seen and makers.get(key, op) is op:
                        seen.add(key)
                        yield scope + name, variable, op

    def _adopt(self, root: keras.Operation, scope: str) -> None:
        # Breadth first: a layer that is kept in two places is named after the outer one.
        waiting: deque[tuple[keras.Operation, str]] = deque([(root, scope)])
        while waiting:
            parent, prefix = waiting.popleft()
            for child in children(parent):
                if id(child) not in self._names and child is not self.model:
                    self._register(child, prefix + child.name)
                    waiting.append((child, self._names[id(child)] + "/"))

    def _register(self, op: keras.Operation, name: str) -> None:
        self._names[id(op)] = self.unique(name)
        self._members.append(op)


def _stable_name(op: Any) -> str:
    """The name of a layer that no layer keeps, without the number by which Keras tells the layers of one process apart."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z]+)", "_", type(op).__name__).lower()
    return snake if re.fullmatch(rf"{snake}_\d+", op.name) else str(op.name)
