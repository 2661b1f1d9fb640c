"""Training with the callback is training without it: weights, optimizer state, seeds and metrics are the same to the last bit."""

from __future__ import annotations

import functools
import traceback
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

from .transparency.cases import CASES, ELSEWHERE
from .transparency.page import PAGE, page

slow = pytest.mark.slow
pytestmark = [
    pytest.mark.filterwarnings("ignore:`build..` was called on layer"),
    pytest.mark.filterwarnings("ignore:.*received `from_logits=True`, but"),
    pytest.mark.filterwarnings("ignore:Your input ran out of data"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly` option is set"),
]


@slow
@pytest.mark.parametrize("name", CASES)
def test_training_is_bit_identical(tmp_path, name, places):
    case = CASES[name]
    plain = case.train([])
    ours = case.train([tba.ActivationsCallback(tmp_path, every=1, print_findings=False, **case.recording)])
    assert len(plain) == len(ours)
    for before, after in zip(plain, ours, strict=True):
        np.testing.assert_equal(before, after)
    assert tba.open_run(tmp_path / "train").steps().tolist()[:3] == [0, 1, 2]
    ran = {"its": [{"beside", "its"}], "beside": [{"beside"}], "either": [{"beside"}, {"beside", "its"}], "uncompared": [{"its"}]}
    assert set(places.seen) in ran[case.place]


def test_the_page_is_written_from_the_cases():
    assert PAGE.read_text() == page(), "python -m tests.capture.transparency writes it anew"


@pytest.mark.parametrize("test", [test for _, test in ELSEWHERE.values()])
def test_what_the_page_names_elsewhere_is_there(test):
    file, name = test.split("::")
    assert f"def {name}(" in (Path(__file__).parent / file).read_text()


def ends_in_the_same_bits(kind, log_dir):
    """A small network of ``kind``, trained for six steps without recording, and with every second one recorded."""
    x, y, ends = np.random.default_rng(0).normal(size=(24, 3)).astype("float32"), np.ones((24, 1), "float32"), []
    for callbacks in ([], [tba.ActivationsCallback(log_dir, every=2)]):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3,), name="x")
        model = kind(inputs, keras.layers.Dense(1, name="out")(keras.layers.Dense(4, name="hidden")(inputs)))
        model.compile("adam", "mse", jit_compile=False)
        model.fit(x, y, batch_size=4, verbose=0, callbacks=callbacks)
        ends.append(model.get_weights())
    for before, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(before, after)
    assert tba.open_run(log_dir / "train").steps("hidden", "gradient").tolist() == [0, 2, 4]


@slow
def test_with_a_train_step_that_is_a_function_of_its_own(tmp_path):
    class Wrapped(keras.Model):
        @tf.function
        def train_step(self, data):
            if tf.reduce_sum(data[0]) > 1e9:  # AutoGraph's business
                tf.print("large")
            return super().train_step(data)

    ends_in_the_same_bits(Wrapped, tmp_path)


@slow
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


@slow
def test_negatives_that_tensorflow_draws_with_a_seed_stay_those_of_the_plain_training(tmp_path):
    class Words(keras.Model):
        def __init__(self):
            super().__init__(name="words")
            self.embedding = keras.layers.Embedding(20, 4, name="embedding")
            self.kernel = self.add_weight(shape=(20, 4), name="kernel")
            self.bias = self.add_weight(shape=(20,), initializer="zeros", name="bias")

        def call(self, words):
            return self.embedding(words)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
            return tf.reduce_mean(tf.nn.sampled_softmax_loss(kernel, bias, y[:, None], y_pred, num_sampled=3, num_classes=20, seed=5))

    words, ends = np.arange(48) % 20, []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=2)]):
        keras.utils.set_random_seed(0)
        model = Words()
        model.compile("sgd", jit_compile=False)
        fit = functools.partial(model.fit, words, words[::-1].astype("int64"), batch_size=8, verbose=0, callbacks=callbacks)
        if callbacks:
            with pytest.warns(RuntimeWarning, match="random numbers by LogUniformCandidateSampler of .* what is recorded is computed with others"):
                fit()
        else:
            fit()
        ends.append(model.get_weights())
    for before, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(before, after)
    assert tba.open_run(tmp_path / "train").steps("embedding").tolist() == [0, 2, 4]


@slow
def test_with_a_train_function_of_ones_own_that_autograph_converts(tmp_path):
    """It converts the step, which may need it, and nothing that is ours."""
    converted = []

    class Own(keras.Model):
        def make_train_function(self, force=False):
            @tf.function
            def train(iterator):
                return self.train_step(next(iterator))

            self.train_function = self.train_function if self.train_function and not force else train

        def train_step(self, data):
            converted.append({call.name for call in traceback.extract_stack() if call.name.startswith("tf__")})
            if tf.reduce_sum(data[0]) > 1e9:
                tf.print("large")
            return super().train_step(data)

    ends_in_the_same_bits(Own, tmp_path)
    assert set.union(*converted) <= {"tf__train", "tf__train_step", "tf__extract_stack"}
