"""Training with the callback is training without it: weights, optimizer state, seeds and metrics are the same to the last bit."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

from . import zoo

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer")]


def repeated(data, times):
    return [repeated(part, times) for part in data] if isinstance(data, list) else np.concatenate([data] * times)[: 8 * times - 4]


def trained(name, callbacks, *, fit=None, **compiling):
    model, x, y = zoo.build(name, **compiling)
    history = model.fit(repeated(x, 3), repeated(y, 3), batch_size=8, epochs=2, verbose=0, callbacks=callbacks, **(fit or {}))
    optimizers = getattr(model, "optimizers", None) or [model.optimizer]
    state = [variable.numpy() for owner in (model, *optimizers) for variable in owner.variables]
    return state, history.history


def assert_transparent(tmp_path, name, recording=None, **options):
    plain, plain_history = trained(name, [], **options)
    ours, history = trained(name, [tba.ActivationsCallback(tmp_path, every=2, **(recording or {}))], **options)
    assert len(plain) == len(ours)
    for before, after in zip(plain, ours, strict=True):
        np.testing.assert_array_equal(before, after)
    assert plain_history == history
    assert tba.open_run(tmp_path / "train").steps().tolist() == [0, 2, 4]


@pytest.mark.parametrize("name", zoo.ALL)
def test_in_graph_mode(tmp_path, name):
    assert_transparent(tmp_path, name)


@pytest.mark.parametrize("name", ["stochastic", "adversarial", "masked", "remat"])
def test_under_xla(tmp_path, name):
    # Histograms take long to compile; one model shows that they change nothing.
    assert_transparent(tmp_path, name, {"histograms": name == "stochastic"}, jit_compile=True)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: keras.optimizers.SGD(0.01, momentum=0.9, clipnorm=0.1),
        lambda: keras.optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=2, global_clipnorm=0.5),
    ],
    ids=["accumulation", "clipping", "ema"],
)
def test_with_any_optimizer(tmp_path, optimizer):
    plain, _ = trained("stochastic", [], optimizer=optimizer())
    ours, _ = trained("stochastic", [tba.ActivationsCallback(tmp_path, every=2)], optimizer=optimizer())
    for before, after in zip(plain, ours, strict=True):
        np.testing.assert_array_equal(before, after)


def test_with_several_steps_per_execution(tmp_path):
    assert_transparent(tmp_path, "stochastic", steps_per_execution=2)


def test_with_eager_steps(tmp_path):
    assert_transparent(tmp_path, "stochastic", run_eagerly=True)


def test_with_a_train_step_that_is_a_function_of_its_own(tmp_path):
    class Wrapped(keras.Model):
        @tf.function
        def train_step(self, data):
            if tf.reduce_sum(data[0]) > 1e9:  # AutoGraph's business
                tf.print("large")
            return super().train_step(data)

    x, y = np.random.default_rng(0).normal(size=(24, 3)).astype("float32"), np.ones((24, 1), "float32")
    ends = []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=2)]):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3,), name="x")
        model = Wrapped(inputs, keras.layers.Dense(1, name="out")(keras.layers.Dense(4, name="hidden")(inputs)))
        model.compile("adam", "mse", jit_compile=False)
        model.fit(x, y, batch_size=4, verbose=0, callbacks=callbacks)
        ends.append(model.get_weights())
    for before, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(before, after)
    run = tba.open_run(tmp_path / "train")
    assert run.steps("hidden", "gradient").tolist() == [0, 2, 4]


@pytest.mark.parametrize("seed", [3, None])
def test_numbers_that_can_not_be_drawn_again_are_told(tmp_path, seed):
    """With a seed the plain training could be repeated, and the recorded one is another: that is said. Without, no two are the same."""
    keras.utils.set_random_seed(0)
    if seed is None:
        tf.random.set_seed(None)
    noise = keras.layers.Lambda(lambda x: tf.cond(tf.reduce_sum(x) > -1e9, lambda: x + tf.random.normal(tf.shape(x)), lambda: x))
    model = keras.Sequential([keras.layers.Input((3,)), noise, keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    fit = functools.partial(model.fit, np.ones((8, 3)), np.ones((8, 1)), verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1)])
    if seed is None:
        fit()
    else:
        with pytest.warns(RuntimeWarning, match=r"RandomStandardNormal .* `keras.random.SeedGenerator`") as told:
            fit(epochs=2)
        assert len(told) == 1
    assert tba.open_run(tmp_path / "train").steps()[0] == 0


@pytest.mark.parametrize("weighting", [{"sample_weight": np.linspace(0.1, 2, 8)}, {"class_weight": {0: 1.0, 1: 5.0}}], ids=["examples", "classes"])
def test_with_weights_of(tmp_path, weighting):
    ends = []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=1)]):
        model, x, _ = zoo.build("regularized")
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
        model.fit(x, np.arange(8) % 2, **weighting, batch_size=4, verbose=0, callbacks=callbacks)
        ends.append(model.get_weights())
    for before, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(before, after)
    assert tba.open_run(tmp_path / "train").steps().tolist() == [0, 1]
