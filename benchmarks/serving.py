"""What the plugin costs in a real TensorBoard: start, requests on a large run, memory.

    python -m benchmarks.serving [--nodes 1000] [--captures 10000]

The one invariant: every figure is taken from a real TensorBoard process over HTTP, or from a fresh Python process; nothing is mocked. Times depend on
what else the machine does: beside them stand refused requests (405), which pass through all of TensorBoard and end where our work would begin.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.generate_run import generate, grow
from benchmarks.memory import anonymous_megabytes
from tb_activations.diagnosis import Diagnosis
from tb_activations.store.run import Run
from tests.tensorboards import TensorBoard, serve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--captures", type=int, default=10_000)
    options = parser.parse_args()
    print("Start, in fresh processes with TensorBoard imported (best of 5):")
    for name, value in _start_costs().items():
        print(f"  {name:<44} {value:9.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        print(f"A run of {options.nodes:,} nodes × {options.captures:,} captures, and one of 100 nodes with histograms:")
        generate(Path(folder) / "large" / "train", options.nodes, options.captures, histograms=False)
        generate(Path(folder) / "drawn" / "train", 100, options.captures)
        with serve("--logdir", folder) as server:
            _measure_requests(server)
        print("Findings of the large run, processor time of this process:")
        _measure_findings(Path(folder) / "large" / "train", options.nodes, options.captures)


def _start_costs() -> dict[str, float]:
    code = """
import sys, time, tempfile, types
import tensorboard.default, tensorboard.program
from tensorboard.plugins import base_plugin
begin = time.perf_counter()
from tb_activations.plugin.loader import ActivationsLoader
imported = time.perf_counter()
plugin = ActivationsLoader().load(base_plugin.TBContext(logdir=tempfile.mkdtemp(), flags=types.SimpleNamespace()))
loaded = time.perf_counter()
plugin.is_active()
print((imported - begin) * 1e3, (loaded - imported) * 1e3, (time.perf_counter() - loaded) * 1e3)
"""
    with tempfile.TemporaryDirectory() as cache:
        # As after an installation: compiled files are there from the second process on.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        runs = [
            subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout.split() for _ in range(6)
        ]
    best = [min(map(float, column)) for column in zip(*runs, strict=True)]
    return dict(zip(("import of the entry point (goal 5)", "load() (goal 30)", "is_active() (goal 5)"), best, strict=True))


def _measure_requests(server: TensorBoard) -> None:
    before = anonymous_megabytes(server.process.pid)
    while not all(name in server.get("runs")[1] for name in (b'"large/train"', b'"drawn/train"')):
        time.sleep(0.05)
    large, drawn = _Client(server, "large/train"), _Client(server, "drawn/train")
    _print("graph list, first request (goal 300)", [large.time("graph")])
    large.nodes, drawn.nodes = large.names(), drawn.names()
    _print("graph list again", large.repeat("graph", 10))
    _print("polling /runs", large.repeat("runs", 30))
    _print_with_processor("refused requests: TensorBoard's own share", server, lambda: large.repeat("", 200))
    _print_with_processor("one node's statistics (goal p95 20)", server, lambda: large.repeat("statistics", 200))
    _print("one node's histogram, 400 columns", drawn.repeat("histogram", 50))
    _print("all nodes at one step", large.repeat("snapshot", 50, step=770))
    _print("matrix, 512 columns", large.repeat("matrix", 5, statistic="std", columns=512))
    with ThreadPoolExecutor(32) as pool:
        _print_with_processor("refused requests, 32 clients", server, lambda: list(pool.map(large.time, [""] * 640)))
        _print_with_processor("one node's statistics, 32 clients (goal p95 100)", server, lambda: list(pool.map(large.time, ["statistics"] * 640)))
    while json.loads(server.get("findings?run=large/train")[1])["pending"]:
        time.sleep(0.05)
    print(f"  {'growth of anonymous memory, findings too (goal 200)':<50} {anonymous_megabytes(server.process.pid) - before:15.1f} MB")


def _measure_findings(path: Path, nodes: int, captures: int) -> None:
    run = Run(path)
    diagnosis = Diagnosis(run)
    found: list[int] = []

    def look() -> None:
        run.refresh()
        found.append(len(diagnosis.update().findings))

    _print("all captures (goal 3000)", [_processor_milliseconds(look)])
    segments = grow(path, nodes, captures, 20)
    next(segments)  # a new session, with a graph of its own: not part of what is measured
    look()
    new = []
    for _ in range(10):
        next(segments)
        new.append(_processor_milliseconds(look))
    _print(f"a new segment of 20 captures (goal 50), {found[-1]} findings", new)


def _processor_milliseconds(action: Callable[[], object]) -> float:
    started = time.process_time()
    action()
    return (time.process_time() - started) * 1e3


class _Client:
    """Asks about one run; each time about another of ``nodes``."""

    def __init__(self, server: TensorBoard, run: str) -> None:
        self._base = f"{server.url}data/plugin/tb_activations/"
        self._run = run
        self._random = random.Random(1)
        self.nodes = ["input"]

    def names(self) -> list[str]:
        return [node["name"] for node in json.loads(self._get("graph", {"run": self._run}))["nodes"]]

    def time(self, route: str, **query: object) -> float:
        arguments = {"run": self._run, "quantity": "value", "node": self._random.choice(self.nodes), **query}
        begin = time.perf_counter()
        self._get(route, arguments)
        return (time.perf_counter() - begin) * 1e3

    def repeat(self, route: str, times: int, **query: object) -> list[float]:
        return [self.time(route, **query) for _ in range(times)]

    def _get(self, route: str, arguments: Mapping[str, object]) -> bytes:
        """No route: a request that is refused."""
        request = urllib.request.Request(f"{self._base}{route or 'runs'}?{urlencode(arguments)}", method="GET" if route else "DELETE")
        try:
            with urllib.request.urlopen(request, timeout=600) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            if route or error.code != 405:
                raise
            return error.read()


def _print(name: str, milliseconds: list[float]) -> None:
    p95 = sorted(milliseconds)[int(len(milliseconds) * 0.95)] if len(milliseconds) > 1 else milliseconds[0]
    print(f"  {name:<50} least {min(milliseconds):7.1f}   median {statistics.median(milliseconds):7.1f}   p95 {p95:7.1f} ms")


def _print_with_processor(name: str, server: TensorBoard, measure: Callable[[], list[float]]) -> None:
    used = _processor_seconds(server)
    milliseconds = measure()
    _print(name, milliseconds)
    print(f"  {'  processor time of the server for each':<50} {(_processor_seconds(server) - used) / len(milliseconds) * 1e3:15.1f} ms")


def _processor_seconds(server: TensorBoard) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
