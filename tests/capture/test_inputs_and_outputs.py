"""What goes into layers and models and comes out of them, in whatever structure, under its name in the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

from .listing import inputs_of, reason, run_of

L = keras.layers
pytestmark = pytest.mark.slow


class Heads(NamedTuple):
    logits: tf.Tensor
    hidden: tf.Tensor


class Box(Mapping):
    """A mapping that TensorFlow can't make another of."""

    def __init__(self, **items):
        self.items_of_it = items

    def __getitem__(self, key):
        return self.items_of_it[key]

    def __iter__(self):
        return iter(self.items_of_it)

    def __len__(self):
        return len(self.items_of_it)


def test_what_a_layer_returns_goes_by_the_names_that_it_has(tmp_path):
    class Named(L.Layer):
        def build(self, shape):
            self.first, self.second = L.Dense(3, name="first"), L.Dense(1, name="second")

        def call(self, x):
            hidden = self.first(x)
            return Heads(self.second(hidden), hidden)

    class Boxed(L.Layer):
        def call(self, x):
            return Box(twice=2.0 * x.logits, once=x.hidden)

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.named, self.boxed = Named(name="named"), Boxed(name="boxed")

        def call(self, x):
            box = self.boxed(self.named(x))
            box = tba.probe(box, "opened")
            return box["twice"] + keras.ops.sum(box["once"])

    model = Model()
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((8, 2), "float32"), np.ones((8, 1), "float32"), samples="sample")
    nodes = {node.name: node for node in run.nodes}
    assert [nodes[name].attributes.get("output") for name in ("named", "named:hidden", "boxed")] == ["logits", "hidden", None]
    assert nodes["named"].shape == (None, 1)
    np.testing.assert_array_equal(run.value("named:hidden", 0), run.value("named/first", 0))
    for name in ("boxed", "opened"):
        assert (reason(run, name), "Box" in nodes[name].sentence) == ("not_a_tensor", True)


def test_several_outputs_are_several_nodes(tmp_path):
    x = L.Input((5, 3), name="x")
    sequence, hidden, _ = L.LSTM(4, return_sequences=True, return_state=True, name="lstm")(x)
    model = keras.Model(x, L.Dense(1, name="head")(L.Flatten(name="flat")(sequence)) + L.Dense(1, name="tail")(hidden))
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((4, 5, 3), "float32"), np.ones((4, 1), "float32"))
    nodes = {node.name: node for node in run.nodes}
    assert nodes["lstm"].shape == (None, 5, 4)
    assert nodes["lstm:1"].shape == nodes["lstm:2"].shape == (None, 4)
    assert inputs_of(run)["tail"] == ["lstm:1"]
    assert run.steps("lstm:1", "gradient").tolist() == [0]


@pytest.mark.parametrize("as_dict", [True, False])
def test_inputs_go_by_the_names_of_their_layers(tmp_path, as_dict):
    a, b = L.Input((2,), name="wide"), L.Input((3,), name="age")
    out = L.Dense(1, name="head")(L.Concatenate(name="both")([a, b]))
    model = keras.Model({"wide": a, "age": b} if as_dict else [a, b], out)
    model.compile("sgd", "mse", jit_compile=False)
    x = {"age": np.full((4, 3), 7.0, "float32"), "wide": np.full((4, 2), 5.0, "float32")}
    run = run_of(tmp_path, model, x, np.ones((4, 1), "float32"), samples="full")
    np.testing.assert_array_equal(run.value("age", 0), x["age"])
    np.testing.assert_array_equal(run.value("wide", 0), x["wide"])
    assert sorted(inputs_of(run)["both"]) == ["age", "wide"]


def test_inputs_in_dicts_and_lists_within_dicts(tmp_path):
    a, b, c = L.Input((2,), name="wide"), L.Input((3,), name="age"), L.Input((1,), name="tall")
    out = L.Dense(1, name="head")(L.Concatenate(name="both")([a, b, c]))
    model = keras.Model({"size": {"w": a, "h": [c]}, "age": b}, out)
    model.compile("sgd", "mse", jit_compile=False)
    wide, age, tall = (np.full((4, width), value, "float32") for width, value in ((2, 5.0), (3, 7.0), (1, 9.0)))
    run = run_of(tmp_path, model, {"size": {"w": wide, "h": [tall]}, "age": age}, np.ones((4, 1), "float32"), samples="full")
    for name, fed in {"wide": wide, "age": age, "tall": tall}.items():
        np.testing.assert_array_equal(run.value(name, 0), fed)
    assert sorted(inputs_of(run)["both"]) == ["age", "tall", "wide"]


def test_inputs_handed_over_by_name(tmp_path):
    class Outer(keras.Model):
        def __init__(self):
            super().__init__(name="outer")
            inner = L.Input((2,), name="pixels")
            self.scale = L.Dense(2, name="scale")
            self.encoder = keras.Model(inner, L.Dense(1, name="out")(inner), name="encoder")

        def call(self, x):
            return self.encoder(inputs=self.scale(x))

    model = Outer()
    model.compile("sgd", "mse", jit_compile=False)
    x = np.arange(8, dtype="float32").reshape(4, 2)
    run = run_of(tmp_path, model, x, np.ones((4, 1), "float32"), samples="full")
    assert inputs_of(run)["encoder/pixels"] == ["scale"]
    assert inputs_of(run)["encoder/out"] == ["encoder/pixels"]
    np.testing.assert_array_equal(run.value("encoder/pixels", 0), run.value("scale", 0))
    np.testing.assert_array_equal(run.value("encoder/pixels", 0, "gradient"), run.value("scale", 0, "gradient"))


def test_a_model_that_returns_a_dict(tmp_path):
    class TwoHeads(keras.Model):
        def __init__(self):
            super().__init__(name="two_heads")
            self.first, self.second = L.Dense(2, name="first"), L.Dense(1, name="second")

        def call(self, x):
            return {"wide": self.first(x) * 2.0, "narrow": self.second(x)}

    model, x = TwoHeads(), np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    model.compile(keras.optimizers.SGD(0.0), {"wide": "mse", "narrow": "mae"}, jit_compile=False)
    targets = {"wide": np.ones((8, 2), "float32"), "narrow": np.ones((8, 1), "float32")}
    run = run_of(tmp_path, model, x, targets, samples="full")
    nodes = {node.name: node for node in run.nodes}
    outputs = {node.attributes["output"]: name for name, node in nodes.items() if node.class_name == "TwoHeads"}
    assert set(outputs) == {"wide", "narrow"}
    np.testing.assert_allclose(run.value(outputs["wide"], 0), 2 * (x @ model.first.kernel + model.first.bias), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value(outputs["narrow"], 0), x @ model.second.kernel + model.second.bias, rtol=1e-5, atol=1e-6)
    error = 2 * (x @ model.first.kernel.numpy() + model.first.bias.numpy()) - 1
    np.testing.assert_allclose(run.value(outputs["wide"], 0, "gradient"), 2 * error / error.size, rtol=1e-4, atol=1e-6)


def test_a_layer_that_returns_nothing_was_called(tmp_path):
    class Silent(keras.layers.Layer):
        def call(self, x):
            return ()

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.silent, self.dense = Silent(name="silent"), keras.layers.Dense(1, name="dense")

        def call(self, x):
            self.silent(x)
            return self.dense(x)

    model = Model()
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.ones((4, 3), "float32"), np.ones((4, 1), "float32"), verbose=0, callbacks=[tba.ActivationsCallback(tmp_path)])
    assert {node.name: node.reason for node in tba.open_run(tmp_path / "train").nodes}["silent"] == "not_a_tensor"


def test_what_gave_its_shape_only_is_no_input(tmp_path):
    class Noise(L.Layer):
        def call(self, x):
            return tf.zeros(tf.shape(x)) + keras.ops.zeros_like(x) + 1.0

    class Generator(keras.Model):
        def __init__(self):
            super().__init__(name="gan")
            self.noise, self.maker, self.judge = Noise(name="noise"), L.Dense(2, name="maker"), L.Dense(1, name="judge")

        def call(self, x):
            judged = self.judge(x)
            made = self.maker(tf.ones((tf.shape(judged)[0], 3)))
            return self.judge(made) + judged + self.judge(self.noise(x))

    model = Generator()
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))
    fed = inputs_of(run)
    assert fed["maker"] == []
    assert fed["judge"] == ["x"]
    assert fed["noise"] == ["x"]  # what the call was given


@pytest.mark.parametrize("first", [True, False])
def test_none_beside_an_output_is_no_node(tmp_path, first):
    """As layers return a cache or scores only where these are asked for: the other output is the only one then."""

    class Cached(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = keras.layers.Dense(3, name="inner")

        def call(self, x):
            return (None, self.inner(x)) if first else (self.inner(x), None)

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.cached = Cached(name="cached")

        def call(self, x):
            return keras.ops.tanh(self.cached(x)[int(first)])

    model = Net()
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.ones((4, 5), "float32"), np.ones((4, 3), "float32"), verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1)])
    run = tba.open_run(tmp_path / "train")
    assert [node.name for node in run.nodes if node.name.startswith("cached") and node.kind == "layer"] == ["cached/inner", "cached"]
    np.testing.assert_array_equal(run.value("cached", 0), run.value("cached/inner", 0))
    assert run.node("cached").quantities["gradient"].state == "materialized"
    assert "output" not in run.node("cached").attributes
