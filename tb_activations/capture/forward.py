"""Forward passes of one fixed batch, so that values of the same inputs can be compared over a training.

The one invariant: no state moves: what a layer assigns in such a pass (a moving average, a seed) is thrown away. Such a pass is an extra: what fails
in it is told once, and training goes on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tb_activations.capture.catalogue import Catalogue, make_catalogue
from tb_activations.capture.handover import Beside, Handover, handover_of
from tb_activations.capture.instrument import instrumented
from tb_activations.capture.nodes import Lasting
from tb_activations.capture.packing import Layout
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.rehearsals import forget_rehearsals
from tb_activations.capture.structure import Structure
from tb_activations.capture.tell import cause
from tb_activations.capture.traced_functions import uncounted
from tb_activations.capture.twin import Captured, Options

__all__ = ["FixedBatch"]


class FixedBatch:
    """A batch of inputs and the recorded forward pass of it, in inference mode.

    Args:
      data: the inputs; None: nothing is recorded.
      warn: called with a sentence when the pass failed, after which there is no other.
    """

    def __init__(self, model: keras.Model, data: Any, options: Options, warn: Callable[[str], None]) -> None:
        self._model = model
        self._options = options
        self._data = data
        self._warn = warn
        self._traced: tuple[Catalogue, Handover] | None = None
        self._lasting = Lasting()
        self._function = uncounted(tf.function(self._instrumented_forward, autograph=False))

    @property
    def waits(self) -> bool:
        """Whether there was no pass yet, since the model had no weights."""
        return self._data is not None and self._traced is None

    def __call__(self) -> Captured | None:
        """Runs the forward pass with the present weights, if there are any."""
        if self._data is None or not self._model.built:
            return None
        try:
            return self._run()
        except Exception as error:  # noqa: BLE001  (an extra)
            self._data = None
            self._warn(
                f"Recording the forward pass of `probe_data` failed, and is over. Is it what `{self._model.name}` is called with? {cause(error)}"
            )
            return None

    def _run(self) -> Captured:
        if self._traced is None:
            self._data = tf.nest.map_structure(tf.convert_to_tensor, self._data)
        given = self._function(self._data)
        assert self._traced is not None
        catalogue, handover = self._traced
        return Captured(catalogue, handover.take(given))

    def _instrumented_forward(self, batch: Any) -> dict[str, Any]:
        def instrumented_step(inputs: Any) -> None:
            takes_training = "training" in inspect.signature(self._model.call).parameters
            self._model(inputs, **({"training": False} if takes_training else {}))

        recorder = Recorder(Structure(self._model), self._options.selection, "probe", self._lasting)
        with keras.StatelessScope(), instrumented(recorder):
            instrumented_step(batch)
        recorder.record_variables()
        if recorder.failure is not None:
            raise recorder.failure
        forget_rehearsals(recorder)
        catalogue = make_catalogue(recorder, self._options.configuration)
        layout = Layout(recorder, catalogue, self._options.keep)
        handover = handover_of(layout, self._options.keep, Beside(), compiled_by_xla=False)
        given = handover.give(recorder, catalogue)
        self._traced = catalogue, handover
        recorder.release()
        return given
