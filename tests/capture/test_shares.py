"""How many raw numbers a capture keeps by default: bounded over all nodes, activations first; measured on the demo's models."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

import tb_activations as tba
from demo import data, digits, text
from tb_activations.capture.shares import BUDGET, FEWEST, MOST, shares


def used(sizes, activations):
    return sum(min(size, share) for size, share in zip(sizes, shares(sizes, activations), strict=True))


def test_a_small_model_keeps_all_that_one_tensor_may_have():
    assert shares([10, 5000, 5000], [True, True, False]) == [MOST] * 3


def test_activations_come_first_and_the_others_get_equal_parts_of_what_is_left():
    assert shares([1000] * 60 + [2000] * 40 + [8] * 5, [True] * 60 + [False] * 45) == [MOST] * 60 + [(BUDGET - 60_000 - 40) // 40] * 45


def test_what_others_do_not_need_activations_may_have():
    assert shares([2000] * 60 + [10], [True] * 60 + [False]) == [(BUDGET - 10) // 60] * 60 + [MOST]


def test_together_they_stay_within_the_budget_whatever_the_sizes():
    random = np.random.default_rng(0)
    for count in (1, 10, 100, 1000):
        for _ in range(50):
            sizes = (10 ** random.uniform(0, 7, count)).astype(int).tolist()
            activations = (random.random(count) < random.random()).tolist()
            assert used(sizes, activations) <= BUDGET + (count * FEWEST if count > 100 else 0)
            assert used(sizes, activations) > 0.99 * min(BUDGET, sum(min(size, MOST) for size in sizes)) - count


def test_of_very_many_tensors_a_few_numbers_each():
    assert shares([10_000] * 5000, [index % 2 == 0 for index in range(5000)]) == [FEWEST] * 5000


def train(log_dir, demo):
    callback = tba.ActivationsCallback(log_dir, every=1, validation=False, print_findings=False)
    if demo is text:
        corpus = data.text()
        model, (x, y) = text.model(len(corpus.alphabet)), data.windows(corpus.codes, text.LENGTH, 2 * 32)
    else:
        model, x, y = digits.model(), data.digits().x[:64], data.digits().y[:64]
    model.fit(x, y, batch_size=32, verbose=0, callbacks=[callback])
    return tba.open_run(log_dir / "train")


@pytest.mark.slow
@pytest.mark.parametrize("demo", [digits, text], ids=["digits", "text"])
def test_a_hundred_captures_of_the_demo_take_less_than_50_megabytes_and_show_whole_maps(tmp_path, demo):
    run = train(tmp_path, demo)
    segments = (tmp_path / "train").rglob("segment-*")
    assert sum(file.stat().st_size for file in segments) / len(run.steps()) * 100 < 50e6
    whole = [node for node in run.nodes if node.kind == "layer" and node.shape[1:] in ((2, 32, 32), (16, 16, 1), (4, 4, 32), (32, 64))]
    assert whole
    for node in whole:
        assert run.value(node.name, 0).shape[1:] == node.shape[1:], node.name


@pytest.mark.slow
def test_what_was_asked_for_is_kept_however_much_it_is(tmp_path):
    model = text.model(20)
    x, y = np.zeros((4, text.LENGTH), "int32"), np.zeros((4, text.LENGTH), "int32")
    model.fit(x, y, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, sample_elements=4096, kinds=["layer"], print_findings=False)])
    assert tba.open_run(tmp_path / "train").value("positions", 0, "gradient").shape == (2, 32, 64)


@pytest.mark.slow
@pytest.mark.parametrize("run_eagerly", [False, True], ids=["graph", "eager"])
def test_of_maps_that_are_too_large_a_square_corner_is_kept_and_of_images_every_third_row(tmp_path, run_eagerly):
    layers = keras.layers
    tokens, image, channels = keras.Input((64, 8)), keras.Input((64, 64, 3)), keras.Input((3, 62, 62))
    attention = layers.MultiHeadAttention(4, 8, name="attention")
    attended, scores = attention(tokens, tokens, return_attention_scores=True)
    classes = layers.Conv2D(3, 1, activation="softmax", name="classes")
    outputs = [attended, scores, classes(image), layers.ZeroPadding2D(1, data_format="channels_first", name="padded")(channels)]
    sums = [keras.ops.reshape(output, (-1, math.prod(output.shape[1:])))[:, :1] for output in outputs]
    model = keras.Model([tokens, image, channels], layers.Add(name="sum")(sums))
    random = np.random.default_rng(0)
    x = [random.normal(size=(2, *each.shape[1:])).astype("float32") for each in (tokens, image, channels)]
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=run_eagerly)
    model.fit(x, np.ones((2, 1)), shuffle=False, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    weights = attention(x[0], x[0], return_attention_scores=True)[1]
    for quantity in ("value", "gradient"):
        assert run.value(f"attention/{attention._softmax.name}", 0, quantity).shape == (1, 1, 45, 45)
    np.testing.assert_allclose(run.value(f"attention/{attention._softmax.name}", 0), weights[:1, :1, :45, :45], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("classes", 0), classes(x[1])[:1, ::3, ::3], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(run.value("padded", 0), np.pad(x[2], ((0, 0), (0, 0), (1, 1), (1, 1)))[:1, :, ::3, ::3])
