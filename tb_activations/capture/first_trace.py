"""What Keras makes while a step is traced for the first time: then TensorFlow traces it once more, and only that trace is worth recording.

The one invariant: nothing is made here that the model's own step would not make a moment later, in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.step_functions import NAMES, StepKind

__all__ = ["build_optimizer", "make_variables", "will_make_variables"]


def build_optimizer(optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> None:
    """Makes what an optimizer keeps of ``variables``, as it would do by itself when it is first applied."""
    if not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(list(variables))
        optimizer.built = True


def make_variables(model: keras.Model, kind: StepKind) -> None:
    """Makes the optimizer's, where it is certain for what: then one trace is enough."""
    if kind == "train" and _is_of_keras(model, kind) and _is_built(model) and model.optimizer is not None and model.trainable_variables:
        with model.distribute_strategy.scope():
            build_optimizer(model.optimizer, model.trainable_variables)


def will_make_variables(model: keras.Model, kind: StepKind) -> bool:
    """Whether the first trace is likely to make some."""
    return not model.built or (kind != "predict" and _is_of_keras(model, kind) and _has_metrics_to_make(model))


def _is_of_keras(model: keras.Model, kind: StepKind) -> bool:
    """Whether the step is Keras' own."""
    name = NAMES[kind].step
    return getattr(getattr(model, name), "__func__", None) is getattr(keras.Model, name)


def _is_built(model: keras.Model) -> bool:
    return all(layer.built for layer in model._flatten_layers())


def _has_metrics_to_make(model: keras.Model) -> bool:
    """A metric that is named, or a function, is made when the model first sees data; one that is an object has its variables."""
    metrics = getattr(model, "_compile_metrics", None)
    if metrics is None or metrics.built:
        return False
    named = tf.nest.flatten([getattr(metrics, "_user_metrics", None), getattr(metrics, "_user_weighted_metrics", None)])
    return any(metric is not None and not isinstance(metric, keras.metrics.Metric) for metric in named)
