"""What Keras makes while a step is traced for the first time: then TensorFlow traces it once more, and only that trace is worth recording.

The one invariant: nothing is made here that the model's own step would not make a moment later, in the same way.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.optimizers import build_optimizer, optimizers_of
from tb_activations.capture.step_functions import StepKind, is_step_of_keras

__all__ = ["make_variables", "will_make_variables"]


def make_variables(model: keras.Model, kind: StepKind) -> None:
    """Makes the optimizer's, where it is certain for what: then one trace is enough."""
    is_certain = kind == "train" and is_step_of_keras(model, kind) and _are_built(model, include_self=True)
    if is_certain and _applies_as_keras_does(model.optimizer) and model.trainable_variables:
        with model.distribute_strategy.scope():
            if model.run_eagerly or tf.config.functions_run_eagerly() or model.distribute_strategy.num_replicas_in_sync > 1:
                build_optimizer(model.optimizer, model.trainable_variables)
            else:
                # What an optimizer assigns while it is built is in the first of the two traces only, which never runs.
                tf.function(lambda: build_optimizer(model.optimizer, model.trainable_variables), autograph=False).get_concrete_function()


def will_make_variables(model: keras.Model, kind: StepKind) -> bool:
    """Whether the first trace is likely to make some."""
    if not model.built and not _are_built(model, include_self=False):
        return True
    if kind == "predict":
        return False
    if is_step_of_keras(model, kind):
        return _has_metrics_to_make(model) or (kind == "train" and _has_slots_to_make(model.optimizer))
    return kind == "train" and any(map(_has_slots_to_make, _optimizers(model)))


def _are_built(model: keras.Model, *, include_self: bool) -> bool:
    return all(layer.built for layer in model._flatten_layers(include_self=include_self))


def _optimizers(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Those that a step of the user's is likely to use: its own, where it has some, as `compile` gives a model one that nobody asked for."""
    kept = list(optimizers_of(model))
    return [optimizer for optimizer in kept if optimizer is not model.optimizer] or kept


def _applies_as_keras_does(optimizer: Any) -> bool:
    """Whether it is known how ``optimizer`` is built; one that has an `apply` of its own may do it in another way, or in another scope."""
    keras_own = (keras.optimizers.Optimizer.apply, keras.optimizers.LossScaleOptimizer.apply)
    return getattr(type(optimizer), "apply", None) in keras_own


def _has_slots_to_make(optimizer: keras.optimizers.Optimizer | None) -> bool:
    if optimizer is None:
        return False
    keeps_some = not isinstance(optimizer, keras.optimizers.SGD) or optimizer.momentum or optimizer.use_ema or optimizer.gradient_accumulation_steps
    return bool(keeps_some) and not optimizer.built


def _has_metrics_to_make(model: keras.Model) -> bool:
    """A metric that is named, or a function, is made when the model first sees data; one that is an object has its variables."""
    metrics = getattr(model, "_compile_metrics", None)
    if metrics is None or metrics.built:
        return False
    named = tf.nest.flatten([getattr(metrics, "_user_metrics", None), getattr(metrics, "_user_weighted_metrics", None)])
    return any(metric is not None and not isinstance(metric, keras.metrics.Metric) for metric in named)
