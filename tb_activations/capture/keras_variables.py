"""What is a variable of Keras, and the one of TensorFlow that it keeps.

The one invariant: nobody else asks ``isinstance(x, keras.Variable)``: in Keras 3.3 layers make weights of the class that this one is derived from.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

import keras
import tensorflow as tf

__all__ = ["Variable", "in_tensorflow", "is_of_keras", "is_variable"]

Variable: TypeAlias = keras.Variable | tf.Variable

_OF_KERAS = keras.Variable.__mro__[1]


def is_of_keras(x: Any) -> TypeGuard[keras.Variable]:
    return isinstance(x, _OF_KERAS)


def is_variable(x: Any) -> TypeGuard[Variable]:
    """Of Keras or of TensorFlow."""
    return isinstance(x, tf.Variable) or is_of_keras(x)


def in_tensorflow(x: Any) -> Any:
    """What TensorFlow knows of ``x``: the variable that one of Keras keeps, anything else as it is."""
    return x._value if is_of_keras(x) else x
