"""What recording costs, against plain training of the same model, in one interleaved run.

    python benchmarks/cost                      # the modes of the callback: three models, graph and XLA
    python benchmarks/cost --models "small CNN" --no-xla --rounds 5
    python benchmarks/cost --peers              # what else there is, each in a process of its own
    python benchmarks/cost --growth             # 10 to 1,000 layers, 10 thousand to 10 million elements

Every step is recorded. Ratios are of the smallest and of the median time of all rounds; CPU time counts all threads.
The tables are those of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import models
import numpy as np
import tensorflow as tf

import tb_activations as tba

QUANTITIES = ("value", "gradient")
MODES = {
    "plain": None,
    "idle": {"every": [10**9]},
    "statistics": {"every": 1, "quantities": QUANTITIES, "histograms": False, "samples": "none"},
    "+ histograms": {"every": 1, "quantities": QUANTITIES, "samples": "none"},
    "+ samples": {"every": 1, "quantities": QUANTITIES},
    "+ updates": {"every": 1},
}


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(action):
    """(wall seconds, CPU seconds) of an action."""
    before, started = cpu_seconds(), time.perf_counter()
    action()
    return time.perf_counter() - started, cpu_seconds() - before


class Subject:
    """A model trained in one mode, a few steps at a time."""

    def __init__(self, build, mode, directory, jit_compile=False, steps=6):
        self.model, data = models.compiled(build, jit_compile)
        self.data, self.steps, self.directory = data(steps), steps, directory
        self.callbacks = [] if mode is None else [tba.ActivationsCallback(directory, **mode)]
        self.first = timed(self.train)[0]
        self.times = []

    def train(self):
        self.model.fit(*self.data, batch_size=models.BATCH, epochs=1, verbose=0, callbacks=self.callbacks)

    def measure(self):
        self.times.append([seconds / self.steps * 1e3 for seconds in timed(self.train)])

    def bytes_per_step(self):
        """(bytes of segments per step, per tensor and step)."""
        folder = Path(self.directory) / "train" / "plugins" / "tb_activations"
        if not any(folder.glob("segment-*")):
            return 0.0, 0.0
        run = tba.open_run(Path(self.directory) / "train")
        steps = len(run.steps())
        tensors = sum(plan.state == "materialized" for node in run.nodes for plan in node.quantities.values())
        size = sum(path.stat().st_size for path in folder.glob("segment-*"))
        return size / steps, size / steps / tensors


def compare(build, modes, rounds, jit_compile=False):
    """Trains all modes in turn, round after round, and prints a table."""
    with tempfile.TemporaryDirectory() as directory:
        subjects = {name: Subject(build, mode, f"{directory}/{name}", jit_compile) for name, mode in modes.items()}
        for _ in range(rounds):
            for subject in subjects.values():
                subject.measure()
        print("| mode | wall ms | × min | × median | CPU ms | × min | × median | bytes per step | per tensor | first run s |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        plain = np.array(next(iter(subjects.values())).times)
        for name, subject in subjects.items():
            own = np.array(subject.times)
            (wall, cpu), least, middle = own.min(0), own.min(0) / plain.min(0), np.median(own, 0) / np.median(plain, 0)
            size, each = subject.bytes_per_step()
            columns = (f"{wall:.1f}", f"{least[0]:.2f}", f"{middle[0]:.2f}", f"{cpu:.1f}", f"{least[1]:.2f}", f"{middle[1]:.2f}")
            print(f"| {name} | {' | '.join(columns)} | {size:,.0f} | {each:,.0f} | {subject.first:.1f} |", flush=True)


def callback_modes(options):
    for name in options.models:
        for jit_compile in (False, True) if options.xla else (False,):
            print(f"\n### {name}, {'XLA' if jit_compile else 'graph'}\n")
            compare(models.MODELS[name], MODES, options.rounds, jit_compile)


def growth(options):
    for layers in (10, 100, 1000):
        print(f"\n### {layers:,} layers of 32 units\n")
        compare(lambda layers=layers: models.chain(layers), {name: MODES[name] for name in ("plain", "+ samples")}, min(options.rounds, 3))
    for units in (128, 1024, 8192):
        print(f"\n### 4 layers of {units:,} units: {models.BATCH * units:,} elements per tensor\n")
        compare(lambda units=units: dense(units), {name: MODES[name] for name in ("plain", "statistics", "+ samples")}, min(options.rounds, 3))


def dense(units):
    vector = x = keras.layers.Input((16,))
    for _ in range(4):
        x = keras.layers.RepeatVector(units // 16)(keras.layers.Dense(16)(x))
        x = keras.layers.Dense(16)(keras.layers.Flatten()(keras.layers.ReLU()(x)))
    return keras.Model(vector, keras.layers.Dense(10)(x)), (16,)


# Peers. Each changes TensorFlow for the whole process, so each has one; plain training is measured in every one of them.


class WeightHistograms(keras.callbacks.TensorBoard):
    """Keras's own callback, made to write histograms of all weights at every step."""

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        self._log_weights(batch)


class SecondForwardPass(keras.callbacks.Callback):
    """What is done without a plugin: a second model of all outputs, run beside the training."""

    def on_train_begin(self, logs=None):
        outputs = keras.Model(self.model.inputs, [layer.output for layer in self.model.layers])
        self._batch = tf.random.normal([models.BATCH, *self.model.input_shape[1:]])
        self._pass = tf.function(lambda x: [(tf.reduce_mean(y), tf.math.reduce_std(y)) for y in outputs(x, training=False)], autograph=False)

    def on_train_batch_begin(self, batch, logs=None):
        tf.nest.map_structure(np.asarray, self._pass(self._batch))


def peer(name, steps=6, rounds=3):
    """Measures one peer in this process and prints its row."""
    with tempfile.TemporaryDirectory() as directory:
        if name.startswith("Debugger V2"):
            tf.debugging.experimental.enable_dump_debug_info(directory, name.split()[-1], circular_buffer_size=-1)
        callbacks = {
            "TensorBoard weight histograms": lambda: [WeightHistograms(directory, histogram_freq=1, write_graph=False)],
            "second forward pass": lambda: [SecondForwardPass()],
            "this project, + samples": lambda: [tba.ActivationsCallback(directory, every=1, quantities=QUANTITIES)],
        }.get(name, list)()
        model, data = models.compiled(models.small_cnn, run_eagerly=name == "run_eagerly")
        x, y = data(steps)

        def train():
            model.fit(x, y, batch_size=models.BATCH, epochs=1, verbose=0, callbacks=callbacks)

        first = timed(train)[0]
        times = np.array([timed(train) for _ in range(rounds)]).min(0) / steps * 1e3
        size = sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file()) / (steps * (rounds + 1))
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {name} | {times[0]:.1f} | {times[1]:.1f} | {size:,.0f} | {rss:,.0f} | {first:.1f} |", flush=True)


PEERS = (
    "plain",
    "this project, + samples",
    "Debugger V2 CURT_HEALTH",
    "Debugger V2 FULL_HEALTH",
    "TensorBoard weight histograms",
    "run_eagerly",
    "second forward pass",
)


def peers(options):
    print("\n| what | wall ms | CPU ms | bytes per step | peak MB | first run s |\n|---|---|---|---|---|---|", flush=True)
    for name in PEERS:
        subprocess.run([sys.executable, str(Path(__file__).parent), "--peer", name], check=True, stderr=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=models.MODELS, default=list(models.MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-xla", dest="xla", action="store_false")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer(options.peer)
    else:
        (peers if options.peers else growth if options.growth else callback_modes)(options)


if __name__ == "__main__":
    main()
