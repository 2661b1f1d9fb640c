"""The way of recorded tensors out of the step to the writer's thread.

The one invariant: `give` runs while the step is traced and leaves the step's own results alone; `take` runs after each execution and never waits
for a disk.

There are three ways, since what is cheap differs:

* `OnHost`, where all computing is done by CPUs: tensors leave the step as they are, without a copy, and numpy reduces them in a thread of its own.
* `InStep`, where devices have a memory of their own, or several replicas train: TensorFlow reduces them inside the step, so that little has to be
  copied.
* `AfterStep`, where XLA compiles the step for such a device: TensorFlow reduces them in a graph of its own, since XLA would compile the same
  statistics once for every shape, which takes longer than the step itself.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import tensorflow as tf

from tb_activations.capture.bits import arrays_from_bits, as_bits, dtypes_of, from_bits
from tb_activations.capture.catalogue import Catalogue
from tb_activations.capture.host_packing import HostReduction
from tb_activations.capture.joining import join_samples, split_samples
from tb_activations.capture.operations import ours
from tb_activations.capture.outlet import Outlet
from tb_activations.capture.packing import Keep, Layout, Packed, Reduction, collect
from tb_activations.capture.recorder import Recorder
from tb_activations.capture.regrouping import leaving_the_order
from tb_activations.capture.replicas import gather
from tb_activations.capture.traced_functions import uncounted

__all__ = ["Beside", "Handover", "OnHost", "handover_of"]


def handover_of(layout: Layout, keep: Keep, beside: Beside, *, compiled_by_xla: bool) -> Handover:
    """The way for what a trace has recorded, chosen while the step is traced. ``beside``: where the traces of one step are reduced."""
    alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
    if alone and all(device.device_type == "CPU" for device in tf.config.list_logical_devices()):
        return OnHost(layout, keep, beside, compiled_by_xla=compiled_by_xla)
    return AfterStep(layout, keep) if alone and compiled_by_xla else InStep(layout, keep)


class Handover(ABC):
    """One way; it serves all traces of a step that have the same nodes."""

    @abstractmethod
    def give(self, recorder: Recorder, catalogue: Catalogue) -> Packed:
        """Runs in the graph of the step. The result leaves the step beside its own."""

    @abstractmethod
    def take(self, given: Packed) -> Callable[[], Packed]:
        """Runs after the step with what `give` gave. The result is called on the writer's thread and gives a packed capture."""


class InStep(Handover):
    def __init__(self, layout: Layout, keep: Keep) -> None:
        self._reduce = Reduction(layout, keep)

    def give(self, recorder: Recorder, catalogue: Catalogue) -> Packed:
        return join_samples(gather(self._reduce(_left_in_order(collect(recorder, catalogue)))))

    def take(self, given: Packed) -> Callable[[], Packed]:
        return partial(split_samples, given)


class AfterStep(Handover):
    def __init__(self, layout: Layout, keep: Keep) -> None:
        reduction = Reduction(layout, keep)
        reduce = tf.function(lambda bits: join_samples(reduction(from_bits(bits, self._dtypes))), autograph=False, reduce_retracing=True)
        self._reduce = uncounted(reduce)
        self._dtypes: Packed = {}

    def give(self, recorder: Recorder, catalogue: Catalogue) -> Packed:
        collected = collect(recorder, catalogue)
        self._dtypes = dtypes_of(collected)
        return as_bits(collected)

    def take(self, given: Packed) -> Callable[[], Packed]:
        return partial(split_samples, self._reduce(given))


class Beside:
    """A thread in which the captures of one step are reduced, whichever trace gave them. No more than two captures' tensors are held."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "tb_activations statistics")
        self._reducing: Future[Packed] | None = None

    def run(self, reduce: Callable[[Packed], Packed], taken: Packed) -> Callable[[], Packed]:
        if self._reducing is not None:
            self._reducing.exception()  # what went wrong with the one before is told by the writer
        self._reducing = self._thread.submit(_timed, reduce, taken)
        return self._reducing.result


def _timed(reduce: Callable[[Packed], Packed], taken: Packed) -> Packed:
    """What the reduction gives, and the seconds of a core that it took: another thread may have the core meanwhile."""
    started = time.thread_time()
    return reduce(taken) | {"seconds": time.thread_time() - started}


class OnHost(Handover):
    """Hands tensors out as they are.

    Those of a plain graph go through an `Outlet`. XLA knows no queues, and doesn't mind results.
    """

    def __init__(self, layout: Layout, keep: Keep, beside: Beside, *, compiled_by_xla: bool) -> None:
        self._reduction = HostReduction(layout, keep)
        self._beside = beside
        self._compiled_by_xla = compiled_by_xla
        self._dtypes: Packed = {}
        self._outlets: list[tuple[Outlet, Packed]] = []

    def give(self, recorder: Recorder, catalogue: Catalogue) -> Packed:
        collected = collect(recorder, catalogue)
        self._dtypes = dtypes_of(collected)
        if self._compiled_by_xla:
            return as_bits({**collected, "tensors": _each_once(collected["tensors"])})
        if tf.executing_eagerly() or not tf.nest.flatten(collected):
            return collected
        with ours():
            outlet = Outlet(tf.nest.flatten(_left_in_order(collected)))
        self._outlets.append((outlet, tf.nest.map_structure(lambda tensor: None, collected)))
        return {"outlet": tf.constant(len(self._outlets) - 1)}

    def take(self, given: Packed) -> Callable[[], Packed]:
        return self._beside.run(self._reduce, self._taken(given))

    def _reduce(self, taken: Packed) -> Packed:
        return self._reduction(arrays_from_bits({**taken, "tensors": _by_key(taken["tensors"])}, self._dtypes))

    def _taken(self, given: Packed) -> Packed:
        if "outlet" not in given:
            return given
        outlet, structure = self._outlets[int(given["outlet"])]
        with ours():
            taken: Packed = tf.nest.pack_sequence_as(structure, outlet.take())
        return taken


def _each_once(tensors: Packed) -> Packed:
    """One tensor for all keys that have it, by these keys together: XLA would store it for each, a seventh of all that leaves a transformer."""
    keys: dict[Any, list[str]] = {}
    for key, tensor in tensors.items():
        keys.setdefault(_unchanged(tensor).ref(), []).append(key)
    return {" ".join(alike): tensors[alike[0]] for alike in keys.values()}


def _by_key(tensors: Packed) -> Packed:
    """The tensors that `_each_once` was given."""
    return {key: tensor for keys, tensor in tensors.items() for key in keys.split()}


def _unchanged(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor that reaches ``tensor`` through identities."""
    while tensor.op.type in ("Identity", "IdentityN"):
        tensor = tensor.op.inputs[tensor.value_index]
    return tensor


def _left_in_order(collected: Packed) -> Packed:
    return collected if tf.executing_eagerly() else {**collected, "tensors": leaving_the_order(collected["tensors"])}
