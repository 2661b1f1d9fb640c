"""Facts about layers, operations and tensors, in the words of the graph file.

The one invariant: nothing here raises for an unusual layer, and nothing here changes one. It does not decide what is captured.
"""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.util import nest

__all__ = ["activation", "attributes", "bind", "input_layers", "layout", "map_inputs", "named_leaves", "with_leaves"]

_ACTIVATION_CLASSES = {
    "ReLU": "relu",
    "Relu": "relu",
    "Relu6": "relu6",
    "LeakyReLU": "leaky_relu",
    "LeakyRelu": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "Elu": "elu",
    "Selu": "selu",
    "Gelu": "gelu",
    "Silu": "silu",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Softplus": "softplus",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "Tanh": "tanh",
}


def activation(op: keras.Operation) -> str | None:
    """Name of the activation function that ends ``op``; None for linear ones and where the output is not what the function gave."""
    if hasattr(op, "recurrent_activation"):
        return None  # an LSTM or GRU multiplies by a gate after its activation
    function = _function_of(op)
    if function is None:
        return _ACTIVATION_CLASSES.get(type(op).__name__)
    if isinstance(function, str):
        name = function
    elif callable(function):
        name = getattr(function, "__name__", None) or _ACTIVATION_CLASSES.get(type(function).__name__) or type(function).__name__
    else:
        return None  # an attribute of the user's of the same name
    return None if name == "linear" else str(name)


def _function_of(op: keras.Operation) -> Any:
    """What ``op`` keeps as its activation: a function, or the layer or name that stands for one."""
    try:
        function = getattr(op, "activation", None)
    except Exception:  # noqa: BLE001  (a property of the user's)
        return None
    if isinstance(function, keras.layers.Activation):
        function = function.activation
    return function.func if isinstance(function, functools.partial) else function


_UNINTERESTING = frozenset({"name", "dtype", "trainable", "activation", "build_config", "registered_name", "module"})


def attributes(op: keras.Operation) -> dict[str, Any]:
    """The scalars and short lists of a layer's configuration."""
    if type(op).__module__.split(".")[0] == "keras" and not isinstance(op, keras.layers.Layer):
        return {}
    if isinstance(op, keras.Model):
        return {}
    try:
        config = op.get_config()
    except Exception:  # noqa: BLE001  (a custom layer need not be serializable)
        return {}
    if not isinstance(config, dict):
        return {}  # a `return` is forgotten easily, and shows only when a model is saved
    left_out = _UNINTERESTING - {"activation"} if hasattr(op, "recurrent_activation") else _UNINTERESTING  # `activation` has none for these
    return {str(key): _plain(value) for key, value in config.items() if key not in left_out and _is_short(value)}


def _is_short(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return 0 < len(value) <= 8 and all(_is_scalar(item) for item in value)
    return _is_scalar(value) and value is not None


def _is_scalar(value: Any) -> bool:
    return value is None or (isinstance(value, (bool, str, numbers.Real)) and len(str(value)) <= 100 and value == value)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def layout(x: Any) -> dict[str, str]:
    """How a tensor that is not dense keeps its numbers."""
    kinds = ((tf.RaggedTensor, "ragged"), (tf.SparseTensor, "sparse"), (tf.IndexedSlices, "indexed_slices"))
    return next(({"layout": name} for kind, name in kinds if isinstance(x, kind)), {})


def named_leaves(structure: Any) -> list[tuple[str, Any]]:
    """The leaves of what a layer returned, each with its key, the name of its field, or its position."""
    if not _can_be_made_again(structure):
        return [("0", structure)]
    return [("/".join(map(str, path)), leaf) for path, leaf in nest.flatten_with_tuple_paths(structure)]


def with_leaves(structure: Any, leaves: Sequence[Any]) -> Any:
    """What a layer returned, with ``leaves`` in the place of those that `named_leaves` gives."""
    return tf.nest.pack_sequence_as(structure, leaves) if _can_be_made_again(structure) else leaves[0]


def _can_be_made_again(structure: Any) -> bool:
    """Whether TensorFlow can take ``structure`` apart, and make another of the same kind; not of a mapping whose class takes no pairs."""
    if not tf.nest.is_nested(structure):
        return False
    try:
        tf.nest.pack_sequence_as(structure, tf.nest.flatten(structure))
    except Exception:  # noqa: BLE001  (a class of the user's)
        return False
    return True


def input_layers(op: keras.Operation) -> Any:
    """The `InputLayer`s of a model or `keras.Function` with a fixed graph, in the structure in which it takes its inputs; None for any other."""
    if not isinstance(op, (keras.Model, keras.Function)) or not getattr(op, "inputs", None):
        return None
    structure = op.inputs[0] if isinstance(op, keras.Sequential) else op._inputs_struct
    return keras.tree.map_structure(lambda tensor: tensor._keras_history.operation, structure)


Tapper = Callable[[str, "keras.Operation | None", Any], Any]


def map_inputs(layers: Any, data: Any, tapper: Tapper) -> Any:
    """``data`` with every tensor or array that is fed to an `InputLayer` replaced by ``tapper(name, layer, tensor)``."""
    by_name = {layer.name: layer for layer in keras.tree.flatten(layers)}
    if isinstance(data, dict):
        keyed = layers if isinstance(layers, dict) else by_name
        return {key: map_inputs(keyed[key], value, tapper) if key in keyed else value for key, value in data.items()}
    flat, ordered = keras.tree.flatten(data), list(keras.tree.flatten(layers))
    if len(flat) != len(ordered):
        return data
    fed = [_converted(value, layer) for layer, value in zip(ordered, flat, strict=True)]
    tapped = [tapper(layer.name, layer, value) if tf.is_tensor(value) else value for layer, value in zip(ordered, fed, strict=True)]
    return keras.tree.pack_sequence_as(data, tapped)


def _converted(value: Any, layer: keras.Operation) -> Any:
    """An array as the model is about to make a tensor of it."""
    return keras.ops.convert_to_tensor(value, layer.dtype) if isinstance(value, np.ndarray) else value


def bind(op: keras.Operation, args: Sequence[Any], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The tensors handed to a model that is a Python function, under the names of its parameters."""
    bound = inspect.signature(op.call).bind_partial(*args, **kwargs)
    for parameter, value in bound.arguments.items():
        for path, leaf in nest.flatten_with_tuple_paths(value):
            if tf.is_tensor(leaf):
                yield "/".join(map(str, (parameter, *path))), leaf
