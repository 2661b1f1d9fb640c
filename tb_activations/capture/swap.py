"""Puts the twin in the place of the model's step function for one execution, and takes it away again.

The one invariant: the plain function is the very same object before and after, and an execution always comes to its end: when the twin fails, the
plain function runs in its place. Only an error that the plain function would raise too reaches the training loop. A loop that ends between `arm` and
the execution, since another callback raised, leaves nothing to the next.
"""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial, wraps
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tb_activations.capture.batches import Feed
from tb_activations.capture.operations import SCOPE
from tb_activations.capture.source import raised_by_us
from tb_activations.capture.step_functions import NAMES, StepKind, fails_where_data_ends, is_made_by_keras, made_anew, overridden, single_step
from tb_activations.capture.tell import cause
from tb_activations.capture.trainability import Trainability
from tb_activations.capture.twin import Captured, Options, Twin

__all__ = ["Swap"]

Handle = Callable[[int, Captured, float], None]

_PLAIN = "tb_activations_plain"
"""Attribute of a function of ours that stands in the place of the model's: the function that it stands for."""

_APART: Mapping[StepKind, str] = {"train": ", or give them different steps (`every`)", "evaluate": ", or give one of them `validation=False`"}
"""What keeps two callbacks from wanting the same step."""

_END_OF_DATA = (StopIteration, tf.errors.OutOfRangeError)


class _Given(NamedTuple):
    """Data for one step. ``feed`` gives what the step function takes; ``last`` does, too, for the last time. ``batch`` is what that gives each time,
    None: it gives a batch once only."""

    feed: Callable[[], Any]
    last: Callable[[], Any]
    batch: Callable[[], Any] = lambda: None


def _given_once(source: Any) -> _Given:
    return _Given(lambda: source, lambda: source)


class Swap:
    """The twin of one step function of a model, made when it is first needed, and again when the model was compiled anew.

    Args:
      handle: called as ``handle(i, captured, seconds)`` after the i-th step of an execution was recorded.
      warn: called with a sentence, once, when the twin is given up.

    Attributes:
      ended: whether the last execution met the end of its data, and made no step; None: it wasn't recorded, and so isn't known.
    """

    def __init__(self, model: keras.Model, kind: StepKind, options: Options, handle: Handle, warn: Callable[[str], None]) -> None:
        self._model, self._kind, self._options = model, kind, options
        self._handle, self._warn = handle, warn
        self._attribute = NAMES[kind].function
        self._plain: Any = None
        self._trainability: Trainability | None = None
        self._armed: Any = None
        self._standing = ExitStack()
        self._twin: Twin | None = None
        self._part: Callable[[Any], Any] | None = None
        self._feed = Feed()
        self._broken = self._told = False
        self.ended: bool | None = None

    @property
    def waits(self) -> bool:
        """Whether an execution that is to be recorded has not come yet."""
        return self._armed is not None

    def meet(self) -> None:
        """An execution begins. Looks at the model's present function; one that is new has no twin yet."""
        self.ended = None
        present = getattr(self._model, self._attribute)
        plain = getattr(present, _PLAIN, present)
        if plain is not self._plain and plain is not None:
            self._plain, self._trainability = plain, Trainability(self._model, plain) if self._kind == "train" else None
            self._twin, self._part, self._broken = None, None, False

    def arm(self, due: Sequence[bool]) -> None:
        """The next execution records its i-th step where ``due[i]``."""
        self.disarm()
        self.meet()
        if self._broken:
            return
        if getattr(self._model, self._attribute) is not self._plain:
            self._tell_of_another()
            return
        self._armed = self._when_called(due)
        setattr(self._armed, _PLAIN, self._plain)
        setattr(self._model, self._attribute, self._armed)
        self._standing.enter_context(overridden(self._model, NAMES[self._kind].loop, self._next_loop()))

    def disarm(self) -> None:
        """Puts the plain function back, if it isn't there."""
        if self._armed is not None and getattr(self._model, self._attribute) is self._armed:
            setattr(self._model, self._attribute, self._plain)
        self._armed = None
        self._standing.close()

    def _when_called(self, due: Sequence[bool]) -> Callable[[Any], Any]:
        """What stands in the place of the plain function until it is called.

        By what stands in the model nobody may come to the twin: TensorFlow's table of gradients leads to the model as long as there is a twin.
        """
        own, plain = weakref.ref(self), self._plain

        def armed(source: Any) -> Any:
            swap = own()
            return plain(source) if swap is None else swap._execute(source, due)

        return armed

    def _next_loop(self) -> Callable[..., Any]:
        """What is found in the place of the model's own loop while the twin stands ready: who calls it begins another loop, or one inside this."""
        own, loop = weakref.ref(self), getattr(self._model, NAMES[self._kind].loop)

        @wraps(loop)
        def begin(*args: Any, **kwargs: Any) -> Any:
            swap = own()
            if swap is not None:
                swap.disarm()
            return loop(*args, **kwargs)

        return begin

    def counts_the_end(self) -> bool:
        """Whether the optimizer counts one step more where an execution of several steps meets the end of its data."""
        return fails_where_data_ends() and not self._fails_late()

    def release(self) -> None:
        """Lets go of what was only needed while a loop ran."""
        self.disarm()
        self._feed.renew()
        self._feed = Feed()

    def _tell_of_another(self) -> None:
        if not self._told:
            self._told = True
            self._warn(
                "Another ActivationsCallback records this step, which can run once only: this one leaves out the steps that both want. "
                f"Use one callback{_APART.get(self._kind, '')}."
            )

    def _execute(self, source: Any, due: Sequence[bool]) -> Any:
        self.disarm()
        try:
            result = self._executed(source, due)
        except Exception as error:
            self.ended = isinstance(error, _END_OF_DATA)
            self._feed.renew()  # the user may call `fit` again
            raise
        self.ended = False
        return result

    def _executed(self, source: Any, due: Sequence[bool]) -> Any:
        if self._kind == "predict":
            return self._predict(source)
        if len(due) > 1:
            return self._several(source, due)
        if not is_made_by_keras(self._model, self._kind) or not (self._fails_late() or self._feed.can_repeat(source)):
            return self._record(_given_once(source), 0, self._plain)  # a function of the user's may read more than one batch
        if not self._can_take(source, len(due)):
            return self._plain(source)
        try:
            given = self._kept(source)
        except Exception:
            self._break_off()
            raise
        return self._record(given, 0, self._plain)

    def _can_take(self, source: Any, steps: int) -> bool:
        """Whether the batches of so many steps can be taken before them; if not, recording is over before anything was read."""
        try:
            self._feed.prepare(source)
            if steps > 1 and self._part is None:
                self._part = self._plain_step(source)
        except Exception as error:  # noqa: BLE001  (the plain step reads the source itself)
            self._give_up(error)
            return False
        return True

    def _plain_step(self, source: Any) -> Callable[[Any], Any]:
        """What makes one plain step of an execution of several.

        The plain function does where it stops at the end of the data and can be given one batch: in its loop TensorFlow joins operations in other
        ways than outside, so that a function without the loop may end in other bits.
        """
        loops = is_made_by_keras(self._model, self._kind) and not fails_where_data_ends() and self._feed.can_repeat(source)
        return self._plain if loops else single_step(self._model, self._kind)

    def _kept(self, source: Any) -> _Given:
        """A batch for the twin, and for the plain function, which has to run as well, or may have to."""
        batch = self._feed.take(source)
        return _Given(partial(self._feed.give, batch), partial(self._feed.hand_over, batch), lambda: batch.tensors)

    def _break_off(self) -> None:
        """The data ended or failed before the step, and not inside, where a plain graph counts the optimizer's steps all the same."""
        if not self._fails_late():
            with suppress(tf.errors.OpError):
                self._plain(self._feed.nothing())

    def _several(self, source: Any, due: Sequence[bool]) -> Any:
        """The steps of one execution, one after the other; like Keras since 3.7, stops early where the data ends, but not before the first.

        Each batch is taken before its step: a step that meets the end of the data may have moved what doesn't depend on data, such as
        the optimizer's count.
        """
        if not self._can_take(source, len(due)) or self._part is None:
            return self._plain(source)
        result: Any = None
        for index, is_due in enumerate(due):
            try:
                given = self._kept(source)
            except Exception as error:
                if fails_where_data_ends():
                    self._break_off()
                elif index and isinstance(error, _END_OF_DATA):
                    break
                raise
            result = self._record(given, index, self._part) if is_due and not self._broken else self._part(given.last())
        return result

    def _predict(self, batches: list[Any]) -> Any:
        """Records the first of the batches of one execution.

        Where there are more, another function than the plain one runs on them, which would be traced for fewer batches than it was made for.
        """
        given = _Given(lambda: batches[:1], lambda: batches[:1], lambda: batches[:1])
        if len(batches) == 1:
            return self._record(given, 0, self._plain)
        try:
            part = self._part = self._part or made_anew(self._model, self._kind)
        except Exception as error:  # noqa: BLE001  (told once)
            self._give_up(error)
            return self._plain(batches)
        first = self._record(given, 0, part)
        return tf.nest.map_structure(_concatenated, first, part(batches[1:]))

    def _record(self, given: _Given, index: int, plain: Callable[[Any], Any]) -> Any:
        """One recorded step."""
        started = time.perf_counter()
        try:
            if self._twin is None:
                self._twin = Twin(self._model, self._kind, self._options, self._trainability)
            result, captured = self._twin(given.feed(), given.batch())
        except _END_OF_DATA:
            raise
        except Exception as error:  # noqa: BLE001  (told once, or raised again by the plain function)
            self._feed.renew()
            return self._fall_back(error, given.last, plain)
        if self._twin.undone:
            result = plain(given.last())
            self._twin.compare(result)
        self._hand_on(index, captured, time.perf_counter() - started)
        return result

    def _hand_on(self, index: int, captured: Captured | None, seconds: float) -> None:
        if captured is None:
            self._give_up(None if self._twin is None else self._twin.failure)
            return
        for sentence in self._twin.take_remarks() if self._twin is not None else ():
            self._warn(sentence)
        try:
            self._handle(index, captured, seconds)
        except Exception as error:  # noqa: BLE001  (the step is done: what is made of the capture must not undo it)
            self._give_up(error)

    def _fails_late(self) -> bool:
        """Whether the twin could fail after it has taken a batch, so that the batch is better kept.

        In a plain graph what can fail is the tracing, before any data is read. XLA compiles later, in the first run; eager steps have no trace.
        """
        return self._kind != "predict" and (self._runs_eagerly() or bool(self._model.jit_compile))

    def _runs_eagerly(self) -> bool:
        return bool(self._model.run_eagerly or tf.config.functions_run_eagerly())

    def _fall_back(self, error: Exception, last: Callable[[], Any], plain: Callable[[Any], Any]) -> Any:
        ran = self._twin is not None and self._twin.running and not self._twin.tracing and not self._twin.undone
        if ran and self._kind != "predict" and not self._fails_late() and not _is_ours(error):
            raise error
        if self._runs_eagerly() and self._twin is not None and self._twin.running and not raised_by_us(error):
            raise error  # some of the step may have been done: it must not be done twice
        result = plain(last())  # when this raises, it was the step's own error
        self._give_up(error)
        return result

    def _give_up(self, error: Exception | None) -> None:
        self._broken, self._twin = True, None
        what = "unknown" if error is None else cause(error).rstrip(".")
        self._warn(f"Recording the {self._kind} step failed, and is over until it is compiled anew: {what}. Training goes on without it.")


def _is_ours(error: Exception) -> bool:
    """Whether an error of a running graph comes from what we added to it; the memory it needs counts as ours."""
    return isinstance(error, tf.errors.ResourceExhaustedError) or bool(_OUR_OPERATION.search(str(error)))


_OUR_OPERATION = re.compile(r"(\{\{node |\[\[)[^\]}]*\b" + SCOPE + r"(_\d+)?/")
"""An operation below our name scope, as TensorFlow names it in a message; not a file of this package in a stack."""


def _concatenated(first: Any, rest: Any) -> Any:
    if isinstance(first, tf.SparseTensor):
        return tf.sparse.concat(0, [first, rest])
    return tf.concat([first, rest], 0)
