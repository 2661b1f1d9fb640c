"""`explain` on the situations that bring people here; each is first shown to be one, by Keras's or TensorFlow's own answer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tb_activations as tba
from tb_activations.errors import ArgumentError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nested_model():
    pixels = keras.Input((4,), name="pixels")
    hidden = layers.Dense(3, activation="relu", name="inner_hidden")(pixels)
    encoder = keras.Model(pixels, layers.Dense(2, name="inner_out")(hidden), name="encoder")
    images = keras.Input((4,), name="images")
    return keras.Model(images, layers.Dense(1, name="head")(encoder(images)), name="outer")


def test_a_tensor_of_a_nested_model_names_the_missing_input_and_the_model_it_belongs_to(nested_model):
    inner = nested_model.get_layer("encoder").get_layer("inner_hidden").output
    with pytest.raises(ValueError, match="not connected to `inputs`"):
        keras.Model(nested_model.inputs, inner)
    answer = tba.explain(inner, nested_model)
    assert answer.connected is False
    assert answer.missing == ("pixels",)
    assert answer.path == ("pixels", "inner_hidden")
    assert "`encoder`" in answer.value
    assert "`pixels`" in answer.value


def test_the_code_for_a_nested_model_runs_and_gives_the_tensor(nested_model):
    inner = nested_model.get_layer("encoder").get_layer("inner_hidden").output
    code = [line for line in tba.explain(inner, nested_model).code.splitlines() if "ActivationsCallback" not in line]
    scope = {"model": nested_model, "keras": keras}
    exec("\n".join(code), scope)
    x = np.ones((2, 4), np.float32)
    expected = nested_model.get_layer("encoder").get_layer("inner_hidden")(x)
    np.testing.assert_allclose(scope["inner"](x), expected)


def test_a_connected_tensor_is_said_to_be_symbolic_with_its_path(nested_model):
    answer = tba.explain(nested_model.get_layer("encoder").output, nested_model.get_layer("encoder"))
    assert answer.connected is True
    assert answer.path == ("pixels", "inner_hidden", "inner_out")
    assert answer.gradient == ""
    assert "symbolic" in str(answer)


def test_a_sequential_model_has_a_graph_also_where_another_model_calls_it():
    chain = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="first"), layers.Dense(1, name="second")], name="chain")
    outside = keras.Input((3,), name="outside")
    outer = keras.Model(outside, chain(outside))
    answer = tba.explain(chain.get_layer("first").output, chain)
    assert answer.connected is True
    assert answer.path[1:] == ("first",)
    scope = {"keras": keras, "model": chain, "x": np.ones((2, 3), np.float32)}
    exec(answer.code.splitlines()[0].replace(".predict(x)", "(x)"), scope)
    inner = tba.explain(chain.get_layer("first").output, outer)
    assert inner.connected is False
    assert "`chain`" in inner.value
    code = [line for line in inner.code.splitlines() if "ActivationsCallback" not in line]
    scope["model"] = outer
    exec("\n".join(code), scope)
    np.testing.assert_allclose(scope["inner"](scope["x"]), chain.get_layer("first")(scope["x"]))


def cut_model(cut):
    x = keras.Input((4,), name="x")
    hidden = layers.Dense(4, name="hidden")(x)
    return keras.Model(x, layers.Dense(1, name="out")(cut(hidden)), name="cut")


CUTS = {
    "StopGradient": keras.ops.stop_gradient,
    "Cast": lambda h: keras.ops.cast(keras.ops.cast(h, "int32"), "float32"),
    "Round": keras.ops.round,
}


@pytest.mark.parametrize("operation", CUTS)
def test_a_cut_gradient_names_the_operation_for_the_tensor_and_for_the_weight(operation):
    model = cut_model(CUTS[operation])
    hidden = model.get_layer("hidden")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.ones([2, 4])))
    assert tape.gradient(loss, hidden.kernel.value) is None
    assert operation in tba.explain(hidden.output, model).gradient
    assert operation in tba.explain(hidden.kernel, model).gradient
    assert operation in tba.explain(hidden.kernel.value, model).gradient


def test_a_sound_weight_is_not_accused():
    model = cut_model(keras.ops.relu)
    assert "on a differentiable path" in tba.explain(model.get_layer("hidden").kernel, model).gradient


def test_a_frozen_weight_and_an_unused_one():
    class Unused(keras.Model):
        def __init__(self):
            super().__init__()
            self.used, self.unused = layers.Dense(2, name="used"), layers.Dense(2, name="unused")
            self.unused.build((None, 3))

        def call(self, x):
            return self.used(x)

    model = Unused()
    batch = np.ones((2, 3), np.float32)
    model(batch)
    assert "doesn't call it" in tba.explain(model.unused.kernel, model, batch).gradient
    with pytest.raises(ArgumentError, match="data=None"):
        tba.explain(model.unused.kernel, model)
    model.used.trainable = False
    answer = tba.explain(model.used.kernel, model, batch)
    assert "not trainable" in answer.gradient
    assert "before `compile`" in answer.remedy
    exec(answer.code, {"model": model})
    assert model.used.kernel.trainable


@pytest.mark.parametrize("frozen", [False, True])
def test_what_a_layer_keeps_by_itself_is_not_called_frozen(frozen):
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="out"), layers.BatchNormalization(name="norm")], name="inner")
    model = keras.Sequential([keras.Input((3,)), inner, layers.Dropout(0.5, name="drop")])
    inner.trainable = not frozen
    for variable in (inner.get_layer("norm").moving_mean, inner.get_layer("norm").moving_mean.value):
        answer = tba.explain(variable, model)
        assert "kept by `inner/norm` itself" in answer.gradient
        assert answer.code == ""
    assert "a random state" in tba.explain(model.get_layer("drop").seed_generator.state, model).gradient
    gamma = tba.explain(inner.get_layer("norm").gamma, model)
    assert gamma.subject == "inner/norm/gamma"
    assert ("not trainable" in gamma.gradient) is frozen
    assert gamma.code.startswith('model.get_layer("inner").get_layer("norm").trainable = True' if frozen else "model.fit(")


def test_a_weight_frozen_alone_is_told_with_code_that_unfreezes_it():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="out")])
    model.get_layer("out").kernel.trainable = False
    answer = tba.explain(model.get_layer("out").kernel, model)
    assert "not trainable" in answer.gradient
    exec(answer.code, {"model": model})
    assert model.get_layer("out").kernel.trainable


def test_a_tensor_kept_from_call_says_where_it_was_made():
    class Keeps(layers.Layer):
        def call(self, x):
            self.kept = tf.nn.relu(x, name="kept_relu")
            return self.kept

    layer = Keeps()
    model = keras.Sequential([keras.Input((3,)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3), np.float32), np.ones((4, 1), np.float32), verbose=0)
    assert not hasattr(layer.kept, "numpy")
    answer = tba.explain(layer.kept, model)
    assert "test_explain.py:" in answer.value
    assert "tb_activations.probe" in answer.code


def test_bad_arguments_say_what_was_expected():
    with pytest.raises(ArgumentError, match="`tensor` must be"):
        tba.explain("hidden", keras.Sequential([keras.Input((1,)), layers.Dense(1)]))
    with pytest.raises(ArgumentError, match="`model` must be"):
        tba.explain(keras.Input((1,)), "model")
