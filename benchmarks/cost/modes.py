"""The names of the ways of training that are compared, in the order of the tables."""

from __future__ import annotations

_BOTH = ("value", "gradient")

MODES = {
    "plain": None,
    "idle": {"every": [10**9]},
    "statistics": {"every": 1, "quantities": _BOTH, "histograms": False, "samples": "none"},
    "+ histograms": {"every": 1, "quantities": _BOTH, "samples": "none"},
    "+ samples": {"every": 1, "quantities": _BOTH},
    "+ updates": {"every": 1},
}
"""Options of the callback; each mode keeps what the one before it keeps."""


PEERS = (
    "Debugger V2 NO_TENSOR",
    "Debugger V2 CURT_HEALTH",
    "Debugger V2 CONCISE_HEALTH",
    "Debugger V2 FULL_HEALTH",
    "TensorBoard weight histograms",
    "run_eagerly",
    "second forward pass",
)
"""What else there is; FULL_TENSOR of Debugger V2 is left out, it writes 200 MB per step."""
