"""Steps of the user's own that call `tf.distribute.Strategy.run`: what runs there is recorded there.

The one invariant: each replica gets a recorder of its own, in its own thread, and runs the user's function with the arguments as they came; what
the user's step gets back is what it gets without recording.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx
from tensorflow.python.autograph.impl.api import autograph_artifact

__all__ = ["OnReplicas", "converted"]

_REPLICATING = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
"""Strategies that run a function in threads of their own. Those of one device run it where they are called, and the recorder of the step sees it."""

_UNSUPPORTED = (tf.distribute.ParameterServerStrategy, tf.distribute.experimental.CentralStorageStrategy)
"""Strategies that run it elsewhere, and hand out nothing of it but its result."""

Instrument = Callable[[Callable[..., Any]], Callable[..., dict[str, Any]]]


def converted(body: Callable[..., Any]) -> Callable[..., Any]:
    """The body of a `tf.function` as AutoGraph converts it; what is ours in the same trace needs no conversion, and may have switched it off."""
    result: Callable[..., Any] = tf.__internal__.autograph.tf_convert(body, ag_ctx.ControlStatusCtx(ag_ctx.Status.ENABLED))
    return result


class OnReplicas:
    """What the steps of one twin run on replicas.

    Args:
      instrument: makes of a function one that records itself and returns ``{"result": …, "captured": …}``.

    Attributes:
      unsupported: the name of a strategy that the step ran something by, of which nothing is recorded; "" if there is none.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._functions: dict[int, tuple[Any, Any]] = {}
        self.begin()

    def begin(self) -> None:
        """A step begins: nothing has run on replicas yet."""
        self.captured: dict[str, Any] | None = None
        self.runs, self.unsupported = 0, ""

    def run(
        self,
        original: Callable[..., Any],
        paused: Callable[[], AbstractContextManager[None]],
        strategy: tf.distribute.Strategy,
        function: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Runs ``function`` on all replicas; the first time in a step that is recorded. ``paused`` holds the recorder of the step back meanwhile."""
        if not isinstance(strategy, _REPLICATING):
            self.unsupported = self.unsupported or (type(strategy).__name__ if isinstance(strategy, _UNSUPPORTED) else "")
            return original(strategy, function, *args, **kwargs)
        self.runs += 1
        with paused():
            if self.runs > 1:
                return original(strategy, function, *args, **kwargs)
            outputs = original(strategy, self._recording(function), *args, **kwargs)
        # All replicas hand out the numbers of all.
        self.captured = tf.nest.map_structure(lambda values: strategy.experimental_local_results(values)[0], outputs["captured"])
        return outputs["result"]

    def _recording(self, function: Callable[..., Any]) -> Any:
        if not tf.executing_eagerly():
            # As `Strategy.run` would: where the step around it is converted.
            return self._instrument(tf.__internal__.autograph.tf_convert(function, ag_ctx.control_status_ctx()))
        if not isinstance(function, tf.types.experimental.PolymorphicFunction):
            return self._instrument(function)
        if id(function) not in self._functions:  # kept, so that it is traced once
            self._functions[id(function)] = function, self._copy(function)
        return self._functions[id(function)][1]

    def _copy(self, function: Any) -> Any:
        """A compiled function with the same options that records itself."""
        body = converted(function.python_function) if function._autograph else function.python_function
        return autograph_artifact(function._clone(python_function=self._instrument(body)))  # else `Strategy.run` would wrap it
