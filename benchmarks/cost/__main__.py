"""What recording costs, against plain training of the same model and against what else there is to see inside.

    python benchmarks/cost                              # all tables of docs/benchmarks.md
    python benchmarks/cost --tables modes --models "small CNN" --rounds 8

The one invariant: all rows of a table are measured in one run, in turn, round after round, so a machine that is busy is busy for all. Each row is
a process of its own, which waits while the others train: Debugger V2 changes TensorFlow for its whole process, and memory can be told apart.
Every step is recorded. Ratios are of the smallest and of the median time of all rounds; CPU time counts all threads.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from modes import MODES, PEERS

import tb_activations as tba

HERE = Path(__file__).parent
MODELS = ("small CNN", "ResNet", "transformer")
CHAINS = ("chain 10", "chain 100", "chain 1000")
WIDTHS = ("wide 128", "wide 1024", "wide 8192")
GROWTH = ("plain", "statistics", "+ samples")


class Table(NamedTuple):
    model: str
    ways: Sequence[str]
    xla: bool = False

    @property
    def title(self) -> str:
        return f"{self.model}, {'XLA' if self.xla else 'graph'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=("modes", "peers", "growth"), default=("modes", "peers", "growth"))
    parser.add_argument("--models", nargs="+", choices=(*MODELS, *CHAINS, *WIDTHS), default=(*MODELS, *CHAINS, *WIDTHS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30, help="steps of a round")
    options = parser.parse_args()
    for table in tables(options):
        print(f"\n### {table.title}\n", flush=True)
        compare(table, options.rounds, options.steps)


def tables(options):
    graph = [*(MODES if "modes" in options.tables else ["plain"]), *(PEERS if "peers" in options.tables else ())]
    models = [model for model in MODELS if model in options.models]
    if len(graph) > 1:
        yield from (Table(model, graph) for model in models)
    if "modes" in options.tables:
        yield from (Table(model, [*MODES], xla=True) for model in models)
    if "growth" in options.tables:
        yield from (Table(model, GROWTH) for model in (*CHAINS, *WIDTHS) if model in options.models)


def compare(table, rounds, steps):
    """Trains in all ways in turn, and prints a table."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        trainers = [stack.enter_context(Trainer(table, way, f"{directory}/{number}", steps)) for number, way in enumerate(table.ways)]
        for _ in range(rounds):
            for trainer in trainers:
                trainer.train()
        print("| | wall ms | × min | × median | CPU ms | × min | × median | bytes per step | per tensor | peak MB | first run, CPU s |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for trainer in trainers:
            print(trainer.row(trainers[0]), flush=True)


class Trainer:
    """The process that trains in one way."""

    def __init__(self, table, way, directory, steps):
        self.way, self.directory, self.steps = way, Path(directory), steps
        command = [sys.executable, str(HERE / "trainer.py"), table.model, way, directory, str(steps), *(["--xla"] if table.xla else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.first = self._answer()
        self.times = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def train(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.times.append(self._answer())

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"Training the way {self.way!r} ended with code {self.process.wait()}. Run this to see why: {self.process.args}")
        return json.loads(line)

    def row(self, plain):
        columns = []
        for clock in ("wall", "cpu"):
            own, of_plain = (np.array([times[clock] for times in trainer.times]) for trainer in (self, plain))
            columns += [f"{own.min():.1f}", f"{own.min() / of_plain.min():.2f}", f"{np.median(own) / np.median(of_plain):.2f}"]
        size = self.bytes_per_step()
        tensors = self.tensors()
        columns += [f"{size:,.0f}", f"{size / tensors:,.0f}" if tensors else "", f"{self.times[-1]['megabytes']:,.0f}", f"{self.first['cpu']:.1f}"]
        return f"| {self.way} | {' | '.join(columns)} |"

    def bytes_per_step(self):
        """Of what was written; the marker and the graph of this project are written once and count as well."""
        return sum(path.stat().st_size for path in self.directory.rglob("*") if path.is_file()) / (self.steps * (1 + len(self.times)))

    def tensors(self):
        """How many tensors this project recorded at each step."""
        run = self.directory / "train"
        if not any(run.glob("plugins/tb_activations/segment-*")):
            return 0
        return sum(plan.state == "materialized" for node in tba.open_run(run).nodes for plan in node.quantities.values())


if __name__ == "__main__":
    main()
