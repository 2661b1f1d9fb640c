"""The recorder of each thread: who is told what the step that is traced there does.

The one invariant: a block that changes it leaves it as it was. Replicas are traced each in a thread of its own, so there is one for each thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tb_activations.capture.recorder import Recorder

__all__ = ["current", "telling"]

_active = threading.local()


def current() -> Recorder | None:
    """The recorder of the trace that runs in this thread, if any."""
    return getattr(_active, "recorder", None)


@contextmanager
def telling(recorder: Recorder | None) -> Iterator[None]:
    """What runs inside, in this thread, is told to ``recorder``; None: to nobody."""
    previous, _active.recorder = current(), recorder
    try:
        yield
    finally:
        _active.recorder = previous
