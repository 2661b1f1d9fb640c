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
    from tb_activations.capture.watch import watch
    from tb_activations.diagnosis.rules import rule
    from tb_activations.store.run import Run, open_run

__version__ = "0.1.0"

__all__ = ["ActivationsCallback", "Run", "explain", "open_run", "probe", "rule", "watch"]

_HOMES = {
    "ActivationsCallback": "tb_activations.capture.callback",
    "explain": "tb_activations.capture.explain",
    "probe": "tb_activations.capture.probe",
    "watch": "tb_activations.capture.watch",
    "rule": "tb_activations.diagnosis.rules",
    "Run": "tb_activations.store.run",
    "open_run": "tb_activations.store.run",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    try:
        value = getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow"):
            raise
        advice = "pip install 'tb-activations[tensorflow]'. Reading runs with `open_run` needs neither."
        raise ImportError(f"`tb_activations.{name}` needs Keras on TensorFlow. There is no {error.name} here: {advice}", name=error.name) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
