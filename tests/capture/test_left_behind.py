"""A loop that ends before a step that was to be recorded leaves a model that trains as if nothing had been: the same functions, the same bits."""

from __future__ import annotations

import copy
import gc
import threading
import time
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

L = keras.layers
pytestmark = pytest.mark.slow


class Raising(keras.callbacks.Callback):
    """Ends the loop once, after ours had the step made ready."""

    def __init__(self, error, at=2):
        super().__init__()
        self.error, self.at, self.begun = error, at, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.begun += 1
        if self.begun == self.at + 1:
            raise self.error

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin


@pytest.fixture(params=[{"jit_compile": False}, {"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 2}], ids=str)
def compiling(request):
    return request.param


def attributes_of(model):
    return {name for name in vars(model) if name in ("fit", "evaluate", "predict", "train_step", "make_train_function", "compute_loss")}


def assert_same(plain, ours):
    for expected, weight in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, weight)
    for expected, variable in zip(plain.optimizer.variables, ours.optimizer.variables, strict=True):
        np.testing.assert_array_equal(expected, variable)


@pytest.mark.parametrize("error", [ZeroDivisionError("another's"), KeyboardInterrupt()], ids=["error", "interrupt"])
@pytest.mark.parametrize("again", [False, True], ids=["then plain", "then recorded"])
def test_by_another_callback(make_tiny, data, lean, steps, compiling, error, again):
    models = []
    ours = lean(1)
    for callbacks, later in (([], []), ([ours], [ours] if again else [])):
        model = make_tiny(**compiling)
        with pytest.raises(type(error)):
            model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=[*callbacks, Raising(error)])
        model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=later)
        assert not attributes_of(model)
        models.append(model)
    assert_same(*models)
    ours.on_train_end()
    before = 2 * models[1].steps_per_execution
    assert steps() == list(range(before + (6 if again else 0)))


def test_the_functions_are_the_models_own_again(make_tiny, data, lean):
    model = make_tiny()
    model.fit(*data, batch_size=4, verbose=0)
    plain = model.train_function
    with pytest.raises(ZeroDivisionError):
        model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(1), Raising(ZeroDivisionError())])
    assert model.train_function is not plain
    seen = []
    model.fit(
        *data, batch_size=4, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.append(model.train_function))]
    )
    assert seen == [plain]


def test_what_comes_between_such_a_loop_and_the_next(make_tiny, data, lean, steps, tmp_path):
    """The twin stands ready until then: one batch that is trained on meanwhile is the step that was due, and anything else is as ever."""
    ours, models, results = lean(1, samples="full"), [], []
    x, y = data[0][:4], data[1][:4]
    for callbacks in ([], [ours]):
        model = make_tiny()
        with pytest.raises(ZeroDivisionError):
            model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=[*callbacks, Raising(ZeroDivisionError())])
        model.save(tmp_path / "model.keras")
        for other in (copy.deepcopy(model), keras.models.clone_model(model), keras.models.load_model(tmp_path / "model.keras")):
            assert not attributes_of(other)
        results.append([model.evaluate(*data, verbose=0), model.predict(x, verbose=0), *(model.train_on_batch(x, y) for _ in range(2))])
        models.append(model)
    assert_same(*models)
    np.testing.assert_equal(*results)
    assert not attributes_of(models[1])
    ours.on_train_end()
    assert steps() == [0, 1, 2]
    np.testing.assert_allclose(tba.open_run(tmp_path / "train").value("loss", 2), np.mean((results[0][1] - y) ** 2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loop", ["evaluate", "predict"])
def test_of_the_other_loops(make_tiny, data, lean, loop):
    model = make_tiny()
    fed = data if loop == "evaluate" else data[:1]
    plain = getattr(model, loop)(*fed, verbose=0)
    with pytest.raises(ZeroDivisionError):
        getattr(model, loop)(*fed, verbose=0, callbacks=[lean(1), Raising(ZeroDivisionError(), at=0)])
    np.testing.assert_array_equal(getattr(model, loop)(*fed, verbose=0), plain)
    assert not attributes_of(model)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("error", [StopIteration, KeyError, KeyboardInterrupt])
def test_by_the_data(make_tiny, data, lean, compiling, error):
    """A generator that breaks off in the middle of an epoch."""

    def batches(fails):
        for first in range(0, 24, 4):
            if fails and first == 12:
                if error is StopIteration:
                    return
                raise error("of the data")
            yield data[0][first : first + 4], data[1][first : first + 4]

    models = []
    for callbacks in ([], [lean(1)]):
        model = make_tiny(**compiling)
        try:
            model.fit(batches(True), steps_per_epoch=6, epochs=1, verbose=0, callbacks=callbacks)
        except (KeyError, KeyboardInterrupt, tf.errors.OpError):
            assert error is not StopIteration
        model.fit(batches(False), steps_per_epoch=6, verbose=0, callbacks=callbacks)
        assert not attributes_of(model)
        models.append(model)
    assert_same(*models)


def test_inside_the_recorded_step(make_tiny, data, lean, monkeypatch):
    """Ctrl-C while the twin is traced."""
    models = []
    for callbacks in ([], [lean(1)]):
        model = make_tiny()
        model.fit(*data, batch_size=4, verbose=0, shuffle=False)
        if callbacks:
            with monkeypatch.context() as patched:
                patched.setattr("tb_activations.capture.twin.record_operations", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=callbacks)
        model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=callbacks)
        assert not attributes_of(model)
        models.append(model)
    assert_same(*models)


def interrupt(*args):
    raise KeyboardInterrupt


def test_a_directory_deleted_between_two_trainings_starts_at_zero(make_tiny, data, lean, steps, tmp_path):
    model = make_tiny()
    model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(1)])
    tf.io.gfile.rmtree(str(tmp_path / "train"))
    model.fit(*data, batch_size=4, verbose=0, callbacks=[lean(1)])
    assert steps() == list(range(6))
    assert tba.open_run(tmp_path / "train").nodes


def with_a_loop():
    return keras.Sequential([L.Input((4, 3)), L.GRU(4, name="gru"), L.Dropout(0.1), L.Dense(1, name="out")])


@pytest.mark.parametrize("options", [{"jit_compile": False}, {"jit_compile": True}, {"run_eagerly": True}], ids=str)
def test_a_model_that_nobody_needs_any_more_is_freed(tmp_path, options):
    """TensorFlow keeps the gradients of custom functions for ever, and what they know; a process may train a hundred models."""

    def train(callbacks):
        keras.backend.clear_session()  # keeps the names of layers, and some of what was made
        model = with_a_loop()
        model.compile("sgd", "mse", **options)
        model.fit(np.ones((8, 4, 3)), np.ones((8, 1)), batch_size=4, verbose=0, callbacks=callbacks)
        return weakref.ref(model), weakref.ref(model.trainable_weights[0])

    plain = train([])
    ours = train([tba.ActivationsCallback(tmp_path, every=1)])
    for _ in range(3):
        gc.collect()
    assert [alive() for alive in plain] == [None, None]
    assert [alive() for alive in ours] == [None, None]


def test_what_a_watched_function_trained_is_freed(tmp_path):
    def train():
        model = with_a_loop()

        @tf.function
        def step(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
            for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, model.trainable_weights), strict=True):
                weight.assign_sub(0.1 * gradient)
            return loss

        with tba.watch(step, model=model, log_dir=tmp_path, every=1) as watched:
            watched(tf.ones((4, 4, 3)), tf.ones((4, 1)))
        return weakref.ref(model)

    ours = train()
    for _ in range(3):
        gc.collect()
    assert ours() is None


def is_dropped(reference):
    """Whether nothing holds it any more. A thread that reduces a last capture may do so for a moment."""
    for _ in range(600):
        gc.collect()
        if reference() is None:
            return True
        time.sleep(0.1)
    return False


def recording_threads():
    return [thread for thread in threading.enumerate() if thread.name == "tb_activations writer"]


def interrupted(make_tiny, data, log_dir):
    model = make_tiny()
    with pytest.raises(MemoryError):
        model.fit(*data, batch_size=4, verbose=0, callbacks=[tba.ActivationsCallback(log_dir, every=1), Raising(MemoryError(), at=3)])
    return weakref.ref(model)


def unclosed(make_tiny, data, log_dir):
    model = make_tiny()

    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    step = tba.watch(train_step, model=model, log_dir=log_dir, every=1)
    for _ in range(3):
        step(*data)
    return weakref.ref(model)


@pytest.mark.parametrize("train", [interrupted, unclosed])
def test_neither_model_nor_thread_outlives_a_recording_that_nobody_ended(make_tiny, data, tmp_path, train):
    """A search makes many models, and drops those that don't get on."""
    of_others = recording_threads()
    model = train(make_tiny, data, tmp_path)
    threads = [thread for thread in recording_threads() if thread not in of_others]
    assert threads
    keras.backend.clear_session()
    assert is_dropped(model)
    for thread in threads:
        thread.join(60)
    assert not [thread for thread in threads if thread.is_alive()]
    assert tba.open_run(tmp_path / "train").steps().tolist() == [0, 1, 2]
