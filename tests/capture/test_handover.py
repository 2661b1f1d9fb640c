"""Tensors on their way from the step to the writer: what later steps do must not reach them, and none is lost or mistaken for another."""

from __future__ import annotations

import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.handover import Beside, OnHost
from tb_activations.capture.host_packing import HostReduction

pytestmark = pytest.mark.slow

EXECUTIONS = [{"jit_compile": False}, {"jit_compile": True}, {"run_eagerly": True}]


@pytest.fixture(params=EXECUTIONS, ids=["graph", "xla", "eager"])
def compiling(request):
    return request.param


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_later_steps_do_not_reach_what_waits_to_be_reduced(make_tiny, data, tmp_path, monkeypatch, compiling, optimizer):
    may_reduce, reduce = threading.Event(), HostReduction.__call__

    def reduce_late(self, collected):
        may_reduce.wait(60)
        return reduce(self, collected)

    monkeypatch.setattr(HostReduction, "__call__", reduce_late)
    model = make_tiny(optimizer=keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": 0.1}}), **compiling)
    after = {}

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            after[batch] = [weight.copy() for weight in model.get_weights()]

        def on_epoch_end(self, epoch, logs=None):
            may_reduce.set()

    captured = tba.ActivationsCallback(tmp_path, every=[2], samples="full")
    model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=[captured, Watch()])
    run = tba.open_run(tmp_path / "train")
    # A weight's value is the one the step began with.
    for name, before, now in zip(("hidden/kernel", "hidden/bias", "out/kernel", "out/bias"), after[1], after[2], strict=True):
        np.testing.assert_array_equal(run.value(name, 2), before)
        np.testing.assert_allclose(run.value(name, 2, "update"), now - before, rtol=1e-3, atol=1e-6)
        assert not np.array_equal(before, after[5][("hidden/kernel", "hidden/bias", "out/kernel", "out/bias").index(name)])
    inputs = data[0][8:12]
    np.testing.assert_allclose(run.value("hidden", 2), np.maximum(inputs @ after[1][0] + after[1][1], 0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_a_gradient_of_several_nodes_lies_in_memory_once(tmp_path, monkeypatch, jit_compile):
    given, reduce = [], HostReduction.__call__

    def look(self, collected):
        given.append([array.ctypes.data for array in collected["tensors"].values() if array.shape == (4, 8)])
        return reduce(self, collected)

    monkeypatch.setattr(HostReduction, "__call__", look)
    inputs = keras.Input((3,), name="inputs")
    branches = [keras.layers.Dense(8, name=name)(inputs) for name in ("left", "right")]
    outputs = keras.layers.Dense(1, name="out")(keras.layers.Add(name="sum")(branches))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse", jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(4, 1)).astype(np.float32)
    of_sum = 2 * (model(x).numpy() - y) / 4 @ model.get_layer("out").kernel.numpy().T
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, samples="full")])
    (addresses,) = given
    assert len(addresses) == 6  # value and gradient of each branch and of their sum
    assert len(set(addresses)) == 4
    run = tba.open_run(tmp_path / "train")
    for name in ("left", "right", "sum"):
        np.testing.assert_allclose(run.value(name, 0, "gradient"), of_sum, rtol=1e-5, atol=1e-7)


def test_steps_wait_where_numbers_come_slowly(make_tiny, data, tmp_path, monkeypatch, compiling):
    reduce, take = HostReduction.__call__, OnHost.take
    taken, reduced, unreduced = [], [], []

    def reduce_slowly(self, collected):
        time.sleep(0.05)
        reduced.append(1)
        return reduce(self, collected)

    def count(self, given):
        packed = take(self, given)
        taken.append(1)
        unreduced.append(len(taken) - len(reduced))
        return packed

    monkeypatch.setattr(HostReduction, "__call__", reduce_slowly)
    monkeypatch.setattr(OnHost, "take", count)
    make_tiny(**compiling).fit(*data, batch_size=1, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1)])
    assert tba.open_run(tmp_path / "train").steps().tolist() == list(range(24))
    assert max(unreduced) <= 2


def test_what_a_failed_step_left_is_not_taken_for_the_next(data, tmp_path):
    x = keras.layers.Input((3,), name="x")
    doubled = keras.layers.Rescaling(2.0, name="doubled")(x)
    checked = keras.layers.Lambda(lambda value: tf.debugging.check_numerics(value, "the user's check"), name="checked")(doubled)
    model = keras.Model(x, keras.layers.Dense(1, name="out")(checked))
    model.compile("sgd", "mse", jit_compile=False)
    inputs, targets = data
    spoiled = inputs.copy()
    spoiled[-1] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="the user's check"):
        model.fit(spoiled, targets, batch_size=8, shuffle=False, verbose=0, callbacks=[callback := tba.ActivationsCallback(tmp_path, every=1)])
    model.fit(-inputs, targets, batch_size=8, shuffle=False, verbose=0, callbacks=[callback])
    run = tba.open_run(tmp_path / "train")
    recorded = run.steps("doubled").tolist()
    np.testing.assert_array_equal(run.value("doubled", recorded[-3]), -2 * inputs[:4])
    np.testing.assert_array_equal(run.value("doubled", recorded[-1]), -2 * inputs[16:20])


class Busy:
    """A reduction that keeps a core for ``seconds``, or only sleeps."""

    def __init__(self, seconds, *, asleep):
        self.seconds, self.asleep = seconds, asleep

    def __call__(self, collected):
        if self.asleep:
            time.sleep(self.seconds)
        began = time.thread_time()
        while not self.asleep and time.thread_time() < began + self.seconds:
            pass
        return dict(collected)


@pytest.mark.parametrize("asleep", [False, True])
def test_the_time_of_the_reducing_thread_counts(asleep):
    packed = Beside().run(Busy(0.2, asleep=asleep), {"values": 1})()
    assert packed["values"] == 1
    assert packed["seconds"] == pytest.approx(0.0 if asleep else 0.2, abs=0.05)


def test_the_overhead_of_a_capture_holds_both_threads(make_tiny, data, tmp_path, monkeypatch):
    reduce = HostReduction.__call__

    def reduce_long(self, collected):
        return Busy(0.3, asleep=False)(reduce(self, collected))

    monkeypatch.setattr(HostReduction, "__call__", reduce_long)
    make_tiny().fit(*data, batch_size=4, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=[0, 3, 5])])
    overhead = tba.open_run(tmp_path / "train").captures().overhead
    assert np.isnan(overhead[0])  # no step before it to compare with
    assert (overhead[1:] >= 0.3).all()
