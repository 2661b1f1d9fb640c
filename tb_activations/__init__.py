"""See any tensor of a Keras model, while it trains, without leaving graph mode.

Importing this package loads neither TensorFlow nor TensorBoard: every public name is imported when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_activations.capture.callback import ActivationsCallback
    from tb_activations.capture.explain import explain
    from tb_activations.capture.probe import probe
    from tb_activations.capture.watch import WatchedStep, watch
    from tb_activations.diagnosis.finding import Finding
    from tb_activations.diagnosis.rules import rule
    from tb_activations.store.run import Run, open_run

__version__ = "0.1.0"

__all__ = ["ActivationsCallback", "Finding", "Run", "WatchedStep", "explain", "open_run", "probe", "rule", "watch"]

_HOMES = {
    "ActivationsCallback": "tb_activations.capture.callback",
    "explain": "tb_activations.capture.explain",
    "probe": "tb_activations.capture.probe",
    "watch": "tb_activations.capture.watch",
    "WatchedStep": "tb_activations.capture.watch",
    "Finding": "tb_activations.diagnosis.finding",
    "rule": "tb_activations.diagnosis.rules",
    "Run": "tb_activations.store.run",
    "open_run": "tb_activations.store.run",
}

_THAT_NEED_KERAS = {"tb_activations.capture.callback", "tb_activations.capture.explain", "tb_activations.capture.watch"}
_OLDEST_KERAS = (3, 3)


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    try:
        if home in _THAT_NEED_KERAS:
            _check_keras()
        value = getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow"):
            raise
        advice = "pip install 'tb-activations[tensorflow]'. Reading runs with `open_run` needs neither."
        raise ImportError(f"`tb_activations.{name}` needs Keras on TensorFlow. There is no {error.name} here: {advice}", name=error.name) from error
    globals()[name] = value
    return value


def _check_keras() -> None:
    """An older version would fail at the first recorded step, or at an import, in words that don't say why."""
    version = import_module("keras").__version__
    if tuple(map(int, version.split(".")[:2])) < _OLDEST_KERAS:
        oldest = ".".join(map(str, _OLDEST_KERAS))
        raise ImportError(f"Expected Keras {oldest} or newer. Received: keras.__version__={version!r}. `pip install --upgrade keras`")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
