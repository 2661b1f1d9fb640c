"""Many short loops of one model, ended by other callbacks at any moment, while somebody reads: nothing is missing, and nothing changes."""

from __future__ import annotations

import random
import threading

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.errors import NotFoundError

HOOKS = [
    *(f"on_{kind}_{edge}" for kind in ("train", "test", "predict") for edge in ("begin", "end")),
    *(f"on_{kind}_batch_{edge}" for kind in ("train", "test", "predict") for edge in ("begin", "end")),
    *(f"on_epoch_{edge}" for edge in ("begin", "end")),
]

X = np.random.default_rng(0).normal(size=(44, 6)).astype("float32")
Y = X[:, :1] * 2.0


class EndedError(Exception):
    pass


class Ends(keras.callbacks.Callback):
    """Ends the loop at the n-th thing that it is told of, by an error or by asking for it."""

    def __init__(self, n, how):
        super().__init__()
        self.n, self.how = n, how

    def told(self, *args, **kwargs):
        self.n -= 1
        if self.n == 0 and self.how is None:
            self.model.stop_training = True
        elif self.n == 0:
            raise self.how


for hook in HOOKS:
    setattr(Ends, hook, Ends.told)


def loops(callbacks, seed, steps_per_execution):
    """The state of the model after each of the loops, and how many steps were trained."""
    choose = random.Random(seed)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((6,)), keras.layers.Dense(5, "swish", name="hidden"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("sgd", "mse", jit_compile=False, steps_per_execution=steps_per_execution)
    states = []
    for _ in range(25):
        kind = choose.choice(["fit", "fit", "fit", "evaluate", "predict"])
        ends, size = Ends(choose.randint(1, 30), choose.choice([None, EndedError, KeyboardInterrupt])), choose.choice([4, 8, 11])
        how = {"batch_size": size, "verbose": 0, "callbacks": [ends, *callbacks] if choose.random() < 0.5 else [*callbacks, ends]}
        if kind == "fit":
            how |= {"epochs": choose.randint(1, 2), "shuffle": False, "validation_data": (X, Y) if choose.random() < 0.4 else None}
        try:
            result = getattr(model, kind)(X, **how) if kind == "predict" else getattr(model, kind)(X, Y, **how)
            states.append(result.history if kind == "fit" else result)
        except (EndedError, KeyboardInterrupt) as error:
            states.append(type(error))
        states.append(model.get_weights())
    return states, int(model.optimizer.iterations.numpy())


class Reader(threading.Thread):
    """Reads a run while it is written, and keeps what a reader must never see."""

    def __init__(self, path):
        super().__init__()
        self.path, self.wrong, self.over = path, [], threading.Event()

    def run(self):
        run, steps = None, []
        while not self.over.wait(0.05):
            try:
                run = run or tba.open_run(self.path)
            except NotFoundError:
                continue
            run.refresh()
            before, steps = steps, run.steps().tolist()
            values = run.pinned()
            if steps[: len(before)] != before or run.problems or len(values.statistics("hidden")["step"]) != len(values.steps()):
                self.wrong.append((before, steps, run.problems))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "steps_per_execution"), [(1, 1), (2, 3), (3, 2)])
def test_every_step_is_recorded_and_none_is_changed_whoever_ends_the_loop(tmp_path, seed, steps_per_execution):
    plain, _ = loops([], seed, steps_per_execution)
    reader = Reader(tmp_path / "train")
    reader.start()
    try:
        recorded, trained = loops([tba.ActivationsCallback(tmp_path, every=1, print_findings=False)], seed, steps_per_execution)
    finally:
        reader.over.set()
        reader.join()
    np.testing.assert_equal(recorded, plain)
    run = tba.open_run(tmp_path / "train")
    assert run.steps().tolist() == list(range(trained))
    assert run.captures().dropped.tolist() == []
    assert (run.statistics("hidden")["step"].tolist(), reader.wrong) == (run.steps().tolist(), [])
