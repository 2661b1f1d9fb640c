"""A process that trains one model in one way, a few steps whenever it is asked to.

    python benchmarks/cost/trainer.py MODEL WAY DIRECTORY STEPS [--xla]

Each line that it reads is answered, after so many steps, by one of JSON: wall and CPU milliseconds per step and the largest resident memory so far.
It begins by telling the seconds of its first run, which has the tracing and compiling in it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import models
import ways


def main():
    name, way_name, directory, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    way = ways.way(way_name, directory)
    model, shape = models.compiled(name, jit_compile="--xla" in sys.argv, **way.compile)
    x, y = models.data(shape, steps)
    stopwatch = Stopwatch()

    def train():
        model.fit(x, y, batch_size=models.BATCH, epochs=1, verbose=0, callbacks=[*way.callbacks, stopwatch])

    before, started = cpu_seconds(), time.perf_counter()
    train()
    tell({"wall": time.perf_counter() - started, "cpu": cpu_seconds() - before})
    for _ in sys.stdin:
        train()
        tell({key: 1e3 * seconds / steps for key, seconds in stopwatch.seconds.items()})


class Stopwatch(keras.callbacks.Callback):
    """The last callback of `fit`, so that what the others do at the end counts as well.

    `fit` itself takes longer: before it returns, TensorFlow waits for a thread of the dataset that looks up after 10, 30, 70, 150 … ms, which makes
    any training end 0.31, 0.63, 1.27, 2.55 or 5.11 s after it began.

    Attributes:
      seconds: "wall" and "cpu" (of all threads) from `on_train_begin` to `on_train_end` of the last `fit`.
    """

    def on_train_begin(self, logs=None):
        self._started = {"wall": time.perf_counter(), "cpu": cpu_seconds()}

    def on_train_end(self, logs=None):
        self.seconds = {clock: now - self._started[clock] for clock, now in (("wall", time.perf_counter()), ("cpu", cpu_seconds()))}


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def tell(times):
    print(json.dumps({**times, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


if __name__ == "__main__":
    main()
