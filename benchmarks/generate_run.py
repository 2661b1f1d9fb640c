"""Makes a large run fast, for `reading.py`, the plugin's benchmarks and a look at the dashboard under load.

    python -m benchmarks.generate_run /tmp/large/train 1000 10000

The one invariant: the files are written and merged by the product's own `Session`, so they are what a long training leaves behind; only the numbers
are made up (smooth curves per node, a spike and some NaN here and there).
"""

from __future__ import annotations

import argparse
import math
import re
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

from tb_activations.store.schema import HISTOGRAM_BINS, STATISTICS, Capture, Graph, NodeRecord, Quantity, QuantityPlan, QuantityRecord, Source
from tb_activations.store.session import Session
from tests.builders import START, write_marker

LAYERS_PER_BLOCK = 20


def large_graph(nodes: int) -> Graph:
    """A deep model: blocks of layers, each layer with a kernel, an input and a loss."""
    records = [NodeRecord("input", "input", "InputLayer", "float32", (None, 128), quantities={"value": QuantityPlan()})]
    for number in range((nodes - 2) // 2):
        name = f"encoder/block{number // LAYERS_PER_BLOCK}/dense_{number % LAYERS_PER_BLOCK}"
        previous = 0 if number == 0 else len(records) - 2
        source = Source("model.py", 10 + number % 300, "call")
        records.append(NodeRecord(name, "layer", "Dense", "float32", (None, 128), True, "relu", source, (previous,), _plans(name)))
        kernel = f"{name}/kernel"
        records.append(NodeRecord(kernel, "variable", "Variable", "float32", (128, 128), True, None, source, (), _plans(kernel)))
    records.append(NodeRecord("loss", "loss", "Loss", "float32", (), inputs=(len(records) - 2,), quantities={"value": QuantityPlan()}))
    return Graph(tuple(records), {"name": "large", "class": "Functional"}, {"every": 10}, {"tb_activations": "0.1.0"})


def _plans(name: str) -> dict[Quantity, QuantityPlan]:
    return {"value": QuantityPlan(), "gradient": QuantityPlan("filtered", {"option": "include", "pattern": f"^{re.escape(name)}$"})}


class Numbers:
    """Made-up statistics of all nodes at one step."""

    def __init__(self, nodes: int, histograms: bool) -> None:
        random = np.random.default_rng(0)
        self._nodes = np.arange(nodes, dtype=np.int32)
        self._phase = random.random((nodes, 1), np.float32) * 6
        self._scale = np.exp(random.standard_normal((nodes, len(STATISTICS)), np.float32))
        self._histogram = random.integers(0, 1000, (nodes, HISTOGRAM_BINS)).astype(np.uint32) if histograms else None

    def record(self, step: int) -> QuantityRecord:
        statistics = self._scale * (1.2 + np.sin(self._phase + step / 3000)) * math.exp(-step / 50_000)
        counts = np.tile(np.array([8192, 0, 0, 0], np.int64), (len(self._nodes), 1))
        if step % 1990 == 0:
            statistics[step % len(statistics)] *= 100
            counts[(step // 7) % len(counts), 1] = 3
        if self._histogram is None:
            return QuantityRecord(self._nodes, statistics.astype(np.float32), counts)
        limits = np.stack([statistics[:, 0] - 5, statistics[:, 0] + 5], axis=1).astype(np.float32)
        return QuantityRecord(self._nodes, statistics.astype(np.float32), counts, np.roll(self._histogram, step % 64, axis=1), limits)


def generate(run_dir: Path, nodes: int, captures: int, per_segment: int = 50, histograms: bool = True, after: int = 0) -> None:
    """Writes ``captures`` captures of all nodes, ten steps apart, ``per_segment`` to a segment. ``after``: captures that are there already."""
    graph = large_graph(nodes)
    numbers = Numbers(len(graph.nodes), histograms)
    session = Session(run_dir, 0)
    fingerprint = session.write_graph(graph)
    for first in range(after, after + captures, per_segment):
        _write(session, fingerprint, numbers, first, min(first + per_segment, after + captures))
        session.compact_full_levels()
    session.compact_rest()
    write_marker(run_dir)


def grow(run_dir: Path, nodes: int, after: int, per_segment: int) -> Iterator[None]:
    """Goes on with such a run without histograms, in one session, by a segment each time."""
    graph = large_graph(nodes)
    numbers = Numbers(len(graph.nodes), histograms=False)
    session = Session(run_dir, 0)
    fingerprint = session.write_graph(graph)
    for first in count(after, per_segment):
        _write(session, fingerprint, numbers, first, first + per_segment)
        yield


def _write(session: Session, fingerprint: str, numbers: Numbers, first: int, end: int) -> None:
    captures = [Capture(step, START + step, {"value": numbers.record(step)}, 0, step // 1000, 0.002) for step in range(first * 10, end * 10, 10)]
    session.write_captures(captures, (), fingerprint)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a large run.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("nodes", type=int)
    parser.add_argument("captures", type=int)
    parser.add_argument("--per-segment", type=int, default=50, help="captures of each segment")
    parser.add_argument("--no-histograms", action="store_true")
    arguments = parser.parse_args()
    start = time.perf_counter()
    generate(arguments.run_dir, arguments.nodes, arguments.captures, arguments.per_segment, not arguments.no_histograms)
    size = sum(path.stat().st_size for path in arguments.run_dir.rglob("*") if path.is_file())
    print(f"{size / 1e9:.2f} GB in {time.perf_counter() - start:.1f} s: {size / arguments.nodes / arguments.captures:.0f} bytes per node and capture")


if __name__ == "__main__":
    main()
