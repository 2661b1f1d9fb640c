"""The raw numbers of large images on their way from the step to the reader."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.joining import join_samples, split_samples

L = keras.layers
IMAGES = np.random.default_rng(0).normal(size=(8, 100, 80, 3)).astype(np.float32)


def segmenter(shape, **compiling):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            L.Input(shape, name="x"),
            L.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
            L.Conv2D(2, 1, activation="softmax", name="classes"),
        ]
    )
    model.compile(**{"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "jit_compile": False, **compiling})
    return model


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(100, 80, 3), (None, None, 3)], ids=["known", "unknown"])
@pytest.mark.parametrize("compiling", [{}, {"jit_compile": True}, {"run_eagerly": True}], ids=["graph", "xla", "eager"])
def test_large_images_are_kept_in_every_nth_row_and_column(tmp_path, shape, compiling):
    model = segmenter(shape, **compiling)
    conv, classes = (keras.Model(model.inputs, layer.output).predict(IMAGES[:4], verbose=0) for layer in model.layers)
    callback = tba.ActivationsCallback(tmp_path, every=1, print_findings=False)
    model.fit(IMAGES, np.zeros((8, 100, 80), int), batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    run = tba.open_run(tmp_path / "train")
    # All channels find room among 2,048 numbers: four of 25 × 20, two of 34 × 27.
    for name, whole, stride in (("x", IMAGES, 4), ("conv", conv, 4), ("classes", classes, 3)):
        numbers, strides = run.sample(name, 0)
        assert strides == (1, stride, stride, 1)
        np.testing.assert_allclose(numbers, whole[:1, ::stride, ::stride], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(run.value(name, 0), numbers)
    assert run.sample("conv", 0, "gradient").strides[1] > 1
    assert run.sample("conv/kernel", 0).strides == (1, 1, 1, 1)


@pytest.mark.slow
def test_what_is_dropped_of_attention_is_kept_in_whole_maps(tmp_path):
    maps = np.random.default_rng(0).random((4, 3, 40, 40)).astype(np.float32)
    model = keras.Sequential([L.Input((3, 40, 40), name="x"), L.Dropout(0.5, seed=0, name="dropped"), L.Flatten(), L.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(maps, np.zeros(4), batch_size=4, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    for name in ("x", "dropped"):
        assert (run.value(name, 0).shape, run.sample(name, 0).strides) == ((1, 1, 40, 40), (1, 1, 1, 1))
    np.testing.assert_array_equal(np.where(run.value("dropped", 0) != 0, 2 * run.value("x", 0), 0), run.value("dropped", 0))


def test_samples_and_strides_are_taken_apart_as_they_were():
    def give(rows):
        value = {"samples": {"3": tf.reshape(tf.range(6.0), [2, 3]), "5": tf.constant([True])}, "strides": {"3": (rows, 1)}}
        return {"value": value, "gradient": {"samples": {"3": tf.ones([2, 2, 1])}, "strides": {"3": (1, 2, 4)}}}

    joined = tf.function(lambda rows: join_samples(give(rows)))(tf.constant(7))
    assert len(tf.nest.flatten(joined)) == 9  # three each of float32, of bool and of strides
    apart = split_samples(joined)
    np.testing.assert_array_equal(apart["value"]["samples"]["3"], [[0, 1, 2], [3, 4, 5]])
    assert apart["value"]["samples"]["5"].tolist() == [True]
    assert {name: part["strides"]["3"].tolist() for name, part in apart.items()} == {"value": [7, 1], "gradient": [1, 2, 4]}
    assert "5" not in apart["value"]["strides"]
