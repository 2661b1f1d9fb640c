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

import models
import ways


def main():
    name, way_name, directory, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    way = ways.way(way_name, directory)
    model, shape = models.compiled(name, jit_compile="--xla" in sys.argv, **way.compile)
    x, y = models.data(shape, steps)

    def train():
        model.fit(x, y, batch_size=models.BATCH, epochs=1, verbose=0, callbacks=way.callbacks)

    tell(timed(train))
    for _ in sys.stdin:
        tell({key: 1e3 * seconds / steps for key, seconds in timed(train).items()})


def timed(action):
    """The wall and CPU seconds of an action; those of all threads count."""
    before, started = cpu_seconds(), time.perf_counter()
    action()
    return {"wall": time.perf_counter() - started, "cpu": cpu_seconds() - before}


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def tell(times):
    print(json.dumps({**times, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


if __name__ == "__main__":
    main()
