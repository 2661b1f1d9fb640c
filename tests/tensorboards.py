"""Real TensorBoard processes for tests.

The one invariant: a server listens on a free port of the local machine only, and is gone when its `with` block ends.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TensorBoard", "serve"]

_PLUGIN = "data/plugin/tb_activations/"
_START = "from tensorboard.main import run_main; run_main()"
_WITHOUT_TENSORFLOW = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None"
"""TensorBoard imports TensorFlow where it can, which takes seconds; most tests run as where it is not installed."""


@dataclass(frozen=True)
class TensorBoard:
    """A running server; ``url`` ends with a slash."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def get(self, route: str, method: str = "GET") -> tuple[int, bytes]:
        """Returns (status, body) of a route of the plugin, or of any other when it starts with a slash."""
        address = self.url + (route[1:] if route.startswith("/") else _PLUGIN + route)
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@contextmanager
def serve(
    *arguments: str, prelude: str = _WITHOUT_TENSORFLOW, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[TensorBoard]:
    """Starts TensorBoard with ``arguments`` and yields it once it listens. ``prelude`` is Python that its process runs first."""
    with tempfile.TemporaryDirectory() as folder:
        log_file = Path(folder) / "log"
        command = [sys.executable, "-c", f"{prelude}\n{_START}", "--host=127.0.0.1", "--port=0", *arguments]
        with log_file.open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=cwd, env={**os.environ, **(env or {})})
        try:
            yield TensorBoard(_wait_for_url(process, log_file), process, log_file)
        finally:
            process.terminate()
            process.wait(30)


def _wait_for_url(process: subprocess.Popen[bytes], log_file: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        text = log_file.read_text(encoding="utf-8", errors="replace")
        match = re.search(r"at (http://\S+)", text)
        if match:
            return match[1] if match[1].endswith("/") else match[1] + "/"
        if process.poll() is not None:
            raise AssertionError(f"TensorBoard ended with {process.returncode}:\n{text}")
        time.sleep(0.05)
    raise AssertionError(f"TensorBoard did not start:\n{log_file.read_text()}")
