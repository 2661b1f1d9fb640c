"""Whatever fails on our side is one warning with the cause; training goes on with the same numbers, and no batch is lost."""

from __future__ import annotations

import io
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture import (
    batches,
    callback,
    clock,
    destination,
    functions,
    handover,
    host_packing,
    inner_graphs,
    instrument,
    packing,
    recorder,
    source,
    swap,
    trace,
    twin,
    variables,
)
from tb_activations.capture.aside import Aside
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
    [(trace, "tap"), (recorder, "user_line"), (variables, "read"), (twin, "make_catalogue"), (packing, "_recorded"), (handover, "collect")],
    ids=["tap", "source", "variables", "catalogue", "packing", "collecting"],
)
def test_while_the_step_is_traced(make_tiny, data, tmp_path, monkeypatch, compiling, module, name):
    monkeypatch.setattr(module, name, fail)
    model = fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), compiling, "RuntimeError: injected")
    assert "train_step" not in vars(model)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (callback, "steps_counted"),
        (clock.Clock, "begin_execution"),
        (clock.Clock, "end_epoch"),
        (destination, "write_marker"),
        (destination.Destination, "close"),
        (destination.Destination, "was_recorded"),
        (functions.Functions, "obstacle"),
        (functions.Functions, "run_inline"),
        (inner_graphs.InnerGraphs, "begin"),
        (inner_graphs.InnerGraphs, "begin_tape"),
        (inner_graphs.InnerGraphs, "gradient"),
        (inner_graphs.InnerGraphs, "record_value"),
        (inner_graphs.InnerGraphs, "tap"),
        (instrument, "_targets"),
        (trace.Trace, "release"),
        (recorder.Recorder, "wants_shapes_only"),
        (swap, "Trainability"),
        (swap, "Twin"),
        (twin, "made_anew"),
        (twin, "make_variables"),
        (twin, "will_make_variables"),
        (twin, "Structure"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.rpartition(".")[2],
)
def test_at_every_other_seam(data, lean, monkeypatch, owner, name):
    """The model has a loop and a function of its own, so all ways through a step are gone."""

    def make(**compiling):
        keras.utils.set_random_seed(3)
        inner = keras.layers.Dense(2, name="inner")
        inner.build((None, 2))
        function = tf.function(inner)

        class Outer(keras.layers.Layer):
            def call(self, x):
                return function(x)

            def compute_output_shape(self, shape):
                return (*shape[:-1], 2)

        recurrent = keras.layers.GRU(2, name="gru")
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Reshape((3, 1)), recurrent, Outer(name="outer"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
        return model

    monkeypatch.setattr(owner, name, fail)
    fit_both(make, data, lean(3, kinds=("layer", "loss"), quantities=("value", "gradient")), {}, "RuntimeError: injected")


@pytest.mark.parametrize(
    ("owner", "name", "steps"),
    [(batches, "_type_of", 1), (batches, "_type_of", 3), (batches, "_as_it_is", 1), (batches, "_as_it_is", 3), (swap.Swap, "_plain_step", 3)],
)
def test_while_what_batches_go_through_is_made(make_tiny, data, lean, monkeypatch, compiling, owner, name, steps):
    """Which uses what TensorFlow doesn't promise to keep."""
    monkeypatch.setattr(owner, name, fail)
    fit_both(make_tiny, data, lean(3), compiling | {"steps_per_execution": steps}, "RuntimeError: injected")


@pytest.mark.parametrize("loop", ["evaluate", "predict"])
def test_while_another_step_is_traced(make_tiny, data, lean, monkeypatch, loop):
    model = make_tiny()
    plain = getattr(model, loop)(*data[: 2 if loop == "evaluate" else 1], verbose=0)
    monkeypatch.setattr(twin, "make_catalogue", fail)
    with pytest.warns(RuntimeWarning, match=f"the {loop} step failed.*injected"):
        recorded = getattr(model, loop)(*data[: 2 if loop == "evaluate" else 1], verbose=0, callbacks=[lean()])
    np.testing.assert_array_equal(plain, recorded)


def test_while_what_runs_a_part_of_a_prediction_is_made(make_tiny, data, lean, monkeypatch):
    model = make_tiny(steps_per_execution=3)
    plain = model.predict(data[0], batch_size=5, verbose=0)
    monkeypatch.setattr(swap, "made_anew", fail)
    with pytest.warns(RuntimeWarning, match="the predict step failed.*injected"):
        recorded = model.predict(data[0], batch_size=5, verbose=0, callbacks=[lean()])
    np.testing.assert_array_equal(plain, recorded)


def test_a_train_function_that_calls_no_train_step(data, lean):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def make_train_function(self, force=False):
            @tf.function
            def train(iterator):
                x, y = next(iterator)
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean((self(x) - y) ** 2)
                self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
                return {"loss": loss}

            self.train_function = self.train_function if self.train_function and not force else train

    def make(**compiling):
        keras.utils.set_random_seed(3)
        model = Own()
        model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
        return model

    fit_both(make, data, lean(3), {}, "`make_train_function` of the model makes a function that does not call `train_step`")


def test_a_train_function_that_runs_several_steps_gets_all_its_batches(tmp_path):
    class Twice(keras.Sequential):
        def make_train_function(self, force=False):
            @tf.function
            def train(iterator):
                self.train_step(next(iterator))
                return self.train_step(next(iterator))

            self.train_function = self.train_function if self.train_function and not force else train

    def fit(callbacks):
        keras.utils.set_random_seed(3)
        model = Twice([keras.layers.Input((2,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])
        model.compile("adam", "mse", jit_compile=False)
        x = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
        batches = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(4).repeat()
        history = model.fit(batches, steps_per_epoch=6, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
        return [history.history["loss"], *(variable.numpy() for variable in (*model.weights, *model.optimizer.variables))]

    plain = fit([])
    with pytest.warns(RuntimeWarning, match="`make_train_function` of the model makes a function that runs `train_step` more than once") as told:
        recorded = fit([tba.ActivationsCallback(tmp_path, every=3)])
    assert len([warning for warning in told if "tb_activations" in str(warning.message)]) == 1
    for one, other in zip(plain, recorded, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_users_own_error_in_an_eager_step_ends_it_once(make_tiny, data, lean):
    class Broken(keras.Sequential):
        def train_step(self, batch):
            logs = super().train_step(batch)
            if self.optimizer.iterations == 2:
                raise ZeroDivisionError("the user's")
            return logs

    model = Broken([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=True)
    with pytest.raises(ZeroDivisionError, match="the user's"):
        model.fit(*data, batch_size=4, verbose=0, callbacks=[lean()])
    assert int(model.optimizer.iterations) == 2


def test_the_cause_is_told_where_keras_wraps_it(data, tmp_path, monkeypatch):
    """A layer of the user's calls ours, whose error Keras wraps in one of its own."""

    class Probing(keras.layers.Layer):
        def call(self, x):
            return tba.probe(x, "seen")

    def make(**compiling):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Input((3,)), Probing(), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
        return model

    monkeypatch.setattr(recorder.Recorder, "probe", fail)
    fit_both(make, data, tba.ActivationsCallback(tmp_path, every=3), {}, "RuntimeError: injected")


def test_while_a_gradient_flows_back(make_tiny, data, tmp_path, monkeypatch, compiling):
    record = trace.Trace._record
    monkeypatch.setattr(trace.Trace, "_record", lambda self, quantity, *rest: fail() if quantity == "gradient" else record(self, quantity, *rest))
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), compiling, "RuntimeError: injected")


def test_when_the_compiler_refuses(make_tiny, data, tmp_path, monkeypatch):
    """A string has no XLA kernel: the batch is read before the compiler says so."""

    def collect(*args):
        return {"tensors": {"0": tf.strings.to_number(tf.strings.as_string(tf.ones([])))}}

    monkeypatch.setattr(handover, "collect", collect)
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), {"jit_compile": True}, "Error: ")


def test_while_the_graph_runs(make_tiny, data, tmp_path, monkeypatch):
    """On the side of the plain step, which then runs alone: what was assigned by then is taken back."""
    monkeypatch.setattr(handover, "collect", break_off)
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), {}, "InvalidArgumentError")


def test_while_the_graph_runs_in_the_place_of_the_plain_step(make_tiny, data, tmp_path, monkeypatch):
    monkeypatch.setattr(handover, "collect", break_off)
    monkeypatch.setattr(Aside, "begin", lambda self, batch: self.refuse())
    model = make_tiny()
    with pytest.warns(RuntimeWarning, match="InvalidArgumentError") as told:
        model.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=3)])
    # Whether the step has taken its batch by then is chance; Keras tells of a missing one.
    assert len([warning for warning in told if "tb_activations" in str(warning.message)]) == 1


def break_off(*args):
    with tf.name_scope("tb_activations"):
        return {"tensors": {"0": tf.ensure_shape(tf.ones([tf.random.uniform([], 4, 5, tf.int32)]), [3])}, "rows": {}, "scales": {}}


def test_while_the_numbers_are_reduced(make_tiny, data, tmp_path, monkeypatch, compiling):
    monkeypatch.setattr(host_packing, "measure_all", fail)
    fit_both(make_tiny, data, tba.ActivationsCallback(tmp_path, every=3), compiling, "RuntimeError: injected")


def test_where_warnings_are_errors_training_goes_on(make_tiny, data, lean, monkeypatch, capfd):
    monkeypatch.setattr(Writer, "put", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        make_tiny().fit(*data, batch_size=4, verbose=0, callbacks=[lean(3)])
    assert capfd.readouterr().err.count("RuntimeWarning: tb_activations: Activations can't be written") == 1


def test_where_nothing_can_be_told_training_goes_on(make_tiny, data, lean, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    monkeypatch.setattr(warnings, "showwarning", lambda *args, **kwargs: closed.write("told"))
    monkeypatch.setattr(Writer, "put", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        model = make_tiny()
        model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(3)])
    assert int(model.optimizer.iterations.numpy()) == 6


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


def count_twins(monkeypatch):
    """A list that grows by each step that is recorded, kept or not."""
    ran, run = [], twin.Twin._run_or_undo
    monkeypatch.setattr(twin.Twin, "_run_or_undo", lambda self, *args: (ran.append(self), run(self, *args))[1])
    return ran


def test_what_can_not_be_written_is_not_recorded_either(make_tiny, data, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    ran = count_twins(monkeypatch)
    callback = tba.ActivationsCallback(tmp_path / "file" / "logs", every=1)
    ours = fit_both(make_tiny, data, callback, {}, "can't be written")
    assert len(ran) == 1
    with pytest.warns(RuntimeWarning, match="can't be written.*validation"):
        ours.evaluate(*data, batch_size=4, verbose=0, callbacks=[callback])
    (tmp_path / "file").unlink()
    ours.fit(*data, batch_size=4, verbose=0, callbacks=[callback])  # a new session
    assert tba.open_run(tmp_path / "file" / "logs" / "train").steps().tolist() == list(range(12, 18))


def test_a_watched_step_that_can_not_be_written_is_not_recorded_either(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    ran = count_twins(monkeypatch)
    with pytest.warns(RuntimeWarning, match="can't be written"), tba.watch(tf.function(tf.square), log_dir=tmp_path / "file", every=1) as step:
        results = [float(step(tf.constant(float(number)))) for number in range(5)]
    assert results == [0, 1, 4, 9, 16]
    assert len(ran) == 1


def test_a_working_directory_that_is_gone(make_tiny, data, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    (tmp_path / "scratch").rmdir()
    monkeypatch.setattr(source, "_FILES", {})
    make_tiny().fit(*data, batch_size=4, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path / "logs", every=1)])
    run = tba.open_run(tmp_path / "logs" / "train")
    assert run.steps().tolist() == list(range(6))
    assert all(node.state == "materialized" for node in run.nodes)


def test_a_writer_that_fails_later(make_tiny, data, lean, monkeypatch):
    monkeypatch.setattr("tb_activations.store.session.write_arrays", fail)
    fit_both(make_tiny, data, lean(3), {}, "RuntimeError: injected")


def test_a_queue_that_refuses(make_tiny, data, lean, monkeypatch):
    monkeypatch.setattr(Writer, "put", fail)
    fit_both(make_tiny, data, lean(3), {}, "RuntimeError: injected")


def test_a_schedule_that_fails(make_tiny, data, lean):
    fit_both(make_tiny, data, lean(lambda step: 1 // (3 - step) > 0), {}, "ZeroDivisionError")


def test_probe_data_that_does_not_fit(make_tiny, data, lean, steps):
    told = r"`probe_data` failed.*called with\? ValueError: [^\n\x1b]*received input with shape \(2, 7\)$"  # one line, without Keras' bold
    fit_both(make_tiny, data, lean(3, probe_data=np.zeros((2, 7), "float32")), {}, told)
    assert steps() == [0, 3, 6, 9]


def test_a_name_that_matches_nothing_is_told_once(make_tiny, data, tmp_path):
    callback = tba.ActivationsCallback(tmp_path, every=3, include=["hiden", "out"], validation=False)
    fit_both(make_tiny, data, callback, {}, r"`include` names 'hiden'.*hidden")
