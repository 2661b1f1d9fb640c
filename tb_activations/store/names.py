"""Names of the folder of a run and of the files in it.

The one invariant: importing this costs next to nothing. TensorBoard's start waits for what looks for runs, and that needs these names only.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = [
    "FINDINGS_NAME",
    "GRAPH_NAME",
    "OPERATIONS_NAME",
    "PLUGIN_NAME",
    "data_directory",
    "findings_name",
    "graph_name",
    "operations_name",
]

PLUGIN_NAME = "tb_activations"
"""Folder below ``<run>/plugins`` and name of the TensorBoard plugin."""

GRAPH_NAME = re.compile(r"graph-([0-9a-f]{16})\.json")
OPERATIONS_NAME = re.compile(r"operations-[0-9a-f]{16}\.json")
FINDINGS_NAME = re.compile(r"findings-[0-9a-f]{8}\.json")


def data_directory(run_dir: Path) -> Path:
    """Where the files of a run lie."""
    return run_dir / "plugins" / PLUGIN_NAME


def graph_name(fingerprint: str) -> str:
    """The name of the file that holds the generation ``fingerprint`` of the graph."""
    return f"graph-{fingerprint}.json"


def operations_name(fingerprint: str) -> str:
    """The name of the file that holds the TensorFlow operations of the generation ``fingerprint``."""
    return f"operations-{fingerprint}.json"


def findings_name(session: str) -> str:
    """The name of the file that holds what rules of the user found in ``session``, 8 hexadecimal digits."""
    return f"findings-{session}.json"
