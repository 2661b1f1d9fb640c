"""Whatever fails on our side is one warning with the cause; training goes on with the same numbers, and no batch is lost."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture import handover, host_packing, packing, recorder, twin, variables
from tb_activations.store.writer import Writer

pytestmark = pytest.mark.slow


@pytest.fixture(params=[{"jit_compile": False}, {"jit_compile": True}, {"run_eagerly": True}], ids=["graph", "xla", "eager"])
def compiling(request):
    return request.param


def fail(*args, **kwargs):
    raise RuntimeError("injected")


def fit_both(make_tiny, data, callback, compiling, match):
    plain = make_tiny(**compiling)
    plain.fit(*data, batch_size=4, epochs=2, verbose=0)
    ours = make_tiny(**compiling)
    with pytest.warns(RuntimeWarning, match=match) as told:
        ours.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[callback])
    assert len([warning for warning in told if "tb_activations" in str(warning.message)]) == 1
    assert int(ours.optimizer.iterations.numpy()) == 12
    for before, after in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    return ours


@pytest.mark.parametrize(
    ("module", "name"),
    [(recorder, "tap"), (recorder, "user_line"), (variables, "read"), (twin, "make_catalogue"), (packing, "_recorded"), (handover, "collect")],
    ids=["tap", "source", "variables", "catalogue", "packing", "collecting"],
)
def test_while_the_step_is_traced(make_tiny, data, tmp_path, monkeypatch, compiling, module, name):
    monkeypatch.setattr(module, name, fail)
    model = fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), compiling, "RuntimeError: injected")
    assert "train_step" not in vars(model)


def test_while_a_gradient_flows_back(make_tiny, data, tmp_path, monkeypatch, compiling):
    record = recorder.Recorder._record
    monkeypatch.setattr(
        recorder.Recorder, "_record", lambda self, quantity, *rest: fail() if quantity == "gradient" else record(self, quantity, *rest)
    )
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), compiling, "RuntimeError: injected")


def test_when_the_compiler_refuses(make_tiny, data, tmp_path, monkeypatch):
    """A string has no XLA kernel: the batch is read before the compiler says so."""

    def collect(*args):
        return {"tensors": {"0": tf.strings.to_number(tf.strings.as_string(tf.ones([])))}}

    monkeypatch.setattr(handover, "collect", collect)
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), {"jit_compile": True}, "Error: ")


def test_while_the_graph_runs(make_tiny, data, tmp_path, monkeypatch):
    def collect(*args):
        with tf.name_scope("tb_activations"):
            return {"tensors": {"0": tf.ensure_shape(tf.ones([tf.random.uniform([], 4, 5, tf.int32)]), [3])}, "rows": {}, "scales": {}}

    monkeypatch.setattr(handover, "collect", collect)
    model = make_tiny()
    with pytest.warns(RuntimeWarning, match="InvalidArgumentError") as told:
        model.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=3)])
    # Whether the step has taken its batch by then is chance; Keras tells of a missing one.
    assert len([warning for warning in told if "tb_activations" in str(warning.message)]) == 1


def test_while_the_numbers_are_reduced(make_tiny, data, tmp_path, monkeypatch, compiling):
    monkeypatch.setattr(host_packing, "measure_all", fail)
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), compiling, "RuntimeError: injected")


def test_where_warnings_are_errors_training_goes_on(make_tiny, data, lean, monkeypatch, capfd):
    monkeypatch.setattr(Writer, "put", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        make_tiny().fit(*data, batch_size=4, verbose=0, callbacks=[lean(3)])
    assert capfd.readouterr().err.count("RuntimeWarning: tb_activations: Activations can't be written") == 1


def test_the_users_own_error_is_the_users(data, lean):
    class Broken(keras.Model):
        def call(self, x):
            raise ZeroDivisionError("the user's")

    model = Broken()
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.raises(ZeroDivisionError, match="the user's"):
        model.fit(*data, verbose=0, callbacks=[lean()])
    assert "train_step" not in vars(model)


def test_the_users_own_error_at_run_time_is_the_users(data, lean):
    x = keras.layers.Input((3,))
    checked = keras.layers.Lambda(lambda value: tf.debugging.check_numerics(value, "the user's check"))(x)
    model = keras.Model(x, keras.layers.Dense(1)(checked))
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="the user's check"):
        model.fit(data[0] * np.nan, data[1], verbose=0, callbacks=[lean()])


def test_a_directory_that_cannot_be_written(make_tiny, data, tmp_path):
    (tmp_path / "file").write_text("in the way")
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path / "file" / "logs", every=3), {}, "can't be written")


def test_a_writer_that_fails_later(make_tiny, data, lean, monkeypatch):
    monkeypatch.setattr("tb_activations.store.session.write_arrays", fail)
    fit_both(make_tiny, data, lean(3), {}, "RuntimeError: injected")


def test_a_queue_that_refuses(make_tiny, data, lean, monkeypatch):
    monkeypatch.setattr(Writer, "put", fail)
    fit_both(make_tiny, data, lean(3), {}, "RuntimeError: injected")


def test_a_schedule_that_fails(make_tiny, data, lean):
    fit_both(make_tiny, data, lean(lambda step: 1 // (3 - step) > 0), {}, "ZeroDivisionError")


def test_probe_data_that_does_not_fit(make_tiny, data, lean, steps):
    fit_both(make_tiny, data, lean(3, probe_data=np.zeros((2, 7), "float32")), {}, "`probe_data` failed")
    assert steps() == [0, 3, 6, 9]


def test_a_name_that_matches_nothing_is_told_once(make_tiny, data, tmp_path):
    callback = tba.ActivationsCallback(tmp_path, every=3, include=["hiden", "out"], validation=False)
    fit_both(make_tiny, data, callback, {}, r"`include` names 'hiden'.*hidden")
