"""The list has every node, under its name, with its facts; and for what is not captured the reason."""

from __future__ import annotations

import contextlib
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

from . import zoo
from .conftest import told_of_an_earlier_training
from .listing import inputs_of, listed, reason, run_of

L = keras.layers
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer", "ignore:Gradients do not exist")]


def test_functional_model(tmp_path):
    run = run_of(tmp_path, *zoo.build("functional"))
    assert set(listed(run, "input")) == {"left", "right", "encoder/inner"}
    assert set(listed(run, "layer")) == {"encoder", "encoder/widen", "encoder/squash", "shared", "shared@2", "first", "second"}
    assert len(listed(run, "op")) == 3
    assert {"encoder/widen/kernel", "encoder/squash/bias", "shared/kernel", "first/kernel"} <= set(listed(run, "variable"))
    edges = inputs_of(run)
    assert edges["shared"] == ["left"]
    assert edges["shared@2"] == ["right"]
    assert edges["encoder/inner"] == ["left"]
    assert edges["encoder/widen"] == ["encoder/inner"]
    assert edges["second"] == ["shared@2"]
    nodes = {node.name: node for node in run.nodes}
    assert nodes["encoder/squash"].activation == "tanh"
    assert nodes["first"].shape == (None, 2)
    assert nodes["encoder/widen"].attributes["units"] == 5
    assert nodes["shared"].class_name == "Dense"


def test_subclassed_model(tmp_path):
    run = run_of(tmp_path, *zoo.build("subclassed"))
    parts = [f"{block}/{part}" for block in ("block_a", "block_b") for part in ("project", "gate")]
    assert set(listed(run, "layer")) == {*parts, "block_a", "block_b", "head", "spare", "custom"}
    assert listed(run, "probe") == ["block_a/product", "block_b/product"]
    assert listed(run, "input") == ["inputs"]
    edges = inputs_of(run)
    assert edges["block_a/project"] == ["inputs"]
    assert sorted(edges["block_a/product"]) == ["block_a/gate", "block_a/project"]
    assert edges["block_a"] == ["block_a/product"]
    assert edges["block_b/gate"] == ["block_a"]
    assert edges["custom"] == ["head"]
    assert edges["loss"] == ["custom"]
    nodes = {node.name: node for node in run.nodes}
    assert nodes["spare"].state == "unreachable"
    assert reason(run, "spare") == "not_called"
    assert nodes["block_a/project"].source.file.endswith("zoo.py")
    assert nodes["block_a/product"].source.function == "call"


def test_layers_that_are_called_what_nodes_of_ours_are_called(tmp_path):
    names = ["loss", "optimizer", "input", "Loss", "loss_1"]
    model = keras.Sequential([L.Input((3,)), *(L.Dense(3, name=name) for name in names), L.Dense(1)])
    model.compile("adam", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((8, 3), "float32"), np.ones((8, 1), "float32"), slots=True)
    assert run.problems == ()
    assert set(names) < set(listed(run, "layer"))
    (loss,) = listed(run, "loss")
    np.testing.assert_allclose(run.statistics(loss)["mean"], model.history.history["loss"], rtol=1e-6, atol=1e-6)


def test_own_train_step_with_two_optimizers(tmp_path):
    run = run_of(tmp_path, *zoo.build("adversarial"))
    assert {"generator/up", "generator/up@2", "discriminator/look", "discriminator/look@3"} <= set(listed(run, "layer"))
    assert listed(run, "loss") == ["loss", "loss@2"]
    for name in ("generator/up/kernel", "discriminator/judge/bias"):
        assert run.steps(name, "gradient").tolist() == [0]
        assert run.steps(name, "update").tolist() == [0]


def test_what_can_not_be_recorded_says_why(tmp_path):
    class Mixed(keras.Model):
        def __init__(self):
            super().__init__(name="mixed")
            self.frozen = L.Dense(3, name="frozen", trainable=False)
            self.side = L.Dense(3, name="side")
            self.cut = L.Dense(3, name="cut")
            self.flat = L.Dense(3, name="flat")
            self.numbers = L.Lambda(lambda x: tf.cast(x, tf.int32), name="numbers")
            self.words = L.Lambda(tf.strings.as_string, name="words")
            self.head = L.Dense(1, name="head")

        def call(self, x):
            x = self.frozen(x)
            self.side(x)
            self.words(self.numbers(x))
            stopped = keras.ops.stop_gradient(self.cut(x))
            return self.head(x + stopped + tf.round(self.flat(x)))

    model = Mixed()
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((8, 2), "float32"), np.ones((8, 1), "float32"), exclude="^head$")
    assert reason(run, "frozen", "gradient") == "not_trainable"
    assert reason(run, "frozen/kernel", "gradient") == "not_trainable"
    assert reason(run, "frozen/kernel", "update") == "not_trainable"
    assert reason(run, "side", "gradient") == "not_on_loss_path"
    assert reason(run, "side/kernel", "gradient") == "not_on_loss_path"
    assert reason(run, "cut", "gradient") == "gradient_stopped"
    assert reason(run, "flat", "gradient") == "non_differentiable"
    assert reason(run, "numbers", "gradient") == "no_gradient_dtype"
    assert run.steps("numbers").tolist() == [0]
    assert reason(run, "words") == "no_statistics_dtype"
    assert reason(run, "head") == "filtered"
    assert reason(run, "head", "update") == "no_update"


def test_quantities_that_are_off_and_kinds_that_are_left_out(tmp_path):
    run = run_of(tmp_path, *zoo.build("regularized"), quantities=["value"], kinds=["layer"])
    assert reason(run, "hidden", "gradient") == "quantity_off"
    assert reason(run, "hidden/kernel") == "kind_off"
    assert {node.state for node in run.nodes if node.kind == "variable"} == {"available"}


def test_layers_inside_a_loop_are_recorded(tmp_path):
    run = run_of(tmp_path, *zoo.build("recurrent"))
    assert run.steps("lstm").tolist() == run.steps("lstm/lstm_cell").tolist() == run.steps("lstm/lstm_cell", "gradient").tolist() == [0]
    assert run.steps("lstm/lstm_cell/recurrent_kernel", "gradient").tolist() == [0]
    assert (run.node("lstm").activation, run.node("lstm").attributes["activation"]) == (None, "tanh")  # what it ends in is a product with a gate


def test_ragged_and_sparse_tensors(tmp_path):
    class Layouts(keras.Model):
        def __init__(self):
            super().__init__(name="layouts")
            self.ragged = L.Lambda(lambda x: tf.RaggedTensor.from_tensor(x * 2.0), name="ragged")
            self.head = L.Dense(1, name="head")

        def call(self, x):
            ragged = self.ragged(x)
            return self.head(x) + tf.reduce_sum(ragged, axis=1, keepdims=True)

    model = Layouts()
    model.compile("sgd", "mse", jit_compile=False)
    x = np.arange(6, dtype="float32").reshape(3, 2)
    run = run_of(tmp_path, model, x, np.ones((3, 1), "float32"), samples="full")
    (node,) = [node for node in run.nodes if node.name == "ragged"]
    assert node.attributes["layout"] == "ragged"
    np.testing.assert_array_equal(np.sort(run.value("ragged", 0)), np.arange(6) * 2.0)


def test_what_is_not_differentiated_says_so(tmp_path):
    run = run_of(tmp_path, *zoo.build("sequential"))
    (name,) = listed(run, "input")
    assert reason(run, name, "gradient") == "nothing_trained"
    assert reason(run, "loss", "gradient") == "is_loss"


def test_quantized_layers(tmp_path):
    x = L.Input((4,), name="x")
    model = keras.Model(x, L.Dense(2, name="head")(L.Dense(6, name="quantized")(x)), name="quantizing")
    model.get_layer("quantized").quantize("int8")
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    inputs = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
    run = run_of(tmp_path, model, inputs, np.ones((4, 2), "float32"), samples="full")
    np.testing.assert_allclose(run.value("quantized", 0), model.get_layer("quantized")(run.value("x", 0)), rtol=1e-6, atol=1e-6)
    nodes = {node.name: node for node in run.nodes}
    assert nodes["quantized/kernel"].dtype == "int8"
    assert run.value("quantized/kernel", 0).dtype == np.int8
    assert reason(run, "quantized/kernel", "gradient") == "no_gradient_dtype"
    assert reason(run, "quantized/kernel", "update") == "kept_by_layer"
    assert run.steps("head/kernel", "gradient").tolist() == [0]


def test_a_weight_that_two_layers_keep_is_that_of_the_layer_that_made_it(tmp_path):
    """A layer that is for inference only, and shares the table of one that is trained: nothing of it is used in the step."""

    class Nearest(L.Layer):
        def build(self, shape):
            pass

        def call(self, x):
            return keras.ops.matmul(x, keras.ops.transpose(self.table))

    class Retrieval(keras.Model):
        def __init__(self):
            super().__init__(name="retrieval")
            self.items, self.head, self.nearest = L.Embedding(5, 3, name="items"), L.Dense(1, name="head"), Nearest(name="nearest")

        def build(self, shape):
            self.items.build(shape)
            self.head.build((None, 3))
            self.nearest.table = self.items.embeddings
            self.nearest.build((None, 3))

        def call(self, x, training=False):
            x = self.items(x)
            return self.head(x) if training else self.nearest(x)

    model = Retrieval()
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.arange(4), np.ones((4, 1), "float32"))
    assert listed(run, "variable") == ["items/embeddings", "head/kernel", "head/bias"]
    assert reason(run, "nearest") == "not_called"


def test_layers_made_while_the_model_is_called_have_stable_names(tmp_path):
    class Careless(keras.Model):
        def __init__(self):
            super().__init__(name="careless")
            self.head = L.Dense(1, name="head")

        def call(self, x):
            return self.head(L.LeakyReLU()(L.ReLU()(x)) + L.ReLU()(-x))

    for told in (contextlib.nullcontext(), told_of_an_earlier_training()):
        model = Careless()
        model.compile("sgd", "mse", jit_compile=False)
        with told:
            run = run_of(tmp_path, model, np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))
        assert [name for name in listed(run, "layer") if name not in ("head", "careless")] == ["re_lu", "leaky_re_lu", "re_lu_1"]
    assert len(list((tmp_path / "train/plugins/tb_activations").glob("graph-*.json"))) == 1


def test_words_are_named_and_what_is_looked_up_is_recorded(tmp_path):
    words = L.Input((1,), dtype="string", name="words")
    numbers = L.StringLookup(vocabulary=["a", "b", "c"], name="lookup")(words)
    model = keras.Model(words, L.Dense(1, name="out")(L.Flatten()(L.Embedding(4, 3, name="embedding")(numbers))))
    model.compile("sgd", "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((np.array([["a"], ["b"], ["z"], ["c"]]), np.ones((4, 1)))).batch(4)
    callback = tba.ActivationsCallback(tmp_path, every=1, histograms=False, samples="full")
    model.fit(data, shuffle=False, verbose=0, callbacks=[callback])
    run = tba.open_run(tmp_path / "train")
    assert reason(run, "words") == "no_statistics_dtype"
    assert run.value("lookup", 0).tolist() == [[1], [2], [0], [3]]
    assert reason(run, "lookup", "gradient") == "no_gradient_dtype"
    assert run.steps("embedding", "gradient").tolist() == [0]


def test_a_layer_called_below_two_tapes(tmp_path):
    """A penalty on the gradient of the output by the input: the layer is differentiated twice."""

    class Smooth(keras.Model):
        def __init__(self):
            super().__init__(name="smooth")
            self.hidden, self.out = L.Dense(4, activation="tanh", name="hidden"), L.Dense(1, name="out")

        def call(self, x):
            return self.out(self.hidden(x))

        def losses_of(self, x, y):
            with tf.GradientTape() as inner:
                inner.watch(x)
                predicted = self(x)
            return tf.reduce_mean((predicted - y) ** 2) + 0.1 * tf.reduce_mean(inner.gradient(predicted, x) ** 2)

        def train_step(self, data):
            with tf.GradientTape() as outer:
                loss = self.losses_of(*data)
            self.optimizer.apply(outer.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    x, y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")
    keras.utils.set_random_seed(0)
    model = Smooth()
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    model(x)
    with tf.GradientTape() as tape:
        loss = model.losses_of(tf.constant(x), y)
    expected = tape.gradient(loss, model.hidden.kernel.value)
    run = run_of(tmp_path, model, x, y, samples="full")
    np.testing.assert_allclose(run.value("loss", 0), loss, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("hidden/kernel", 0, "gradient"), expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(run.value("hidden", 0), np.tanh(x @ model.hidden.kernel + model.hidden.bias), rtol=1e-4, atol=1e-6)
    node = next(node for node in run.nodes if node.name == "hidden")
    assert node.quantities["gradient"].state == "materialized"
    assert node.attributes["differentiated"] == 2
    assert listed(run, "loss") == ["loss"]


def test_a_layer_a_weight_and_a_probe_of_one_name_are_three_nodes(tmp_path):
    class Outer(keras.layers.Layer):
        def build(self, shape):
            self.inner = keras.layers.Dense(3, name="scale")
            self.inner.build(shape)
            self.factor = self.add_weight(name="scale", shape=(3,), initializer="ones")
            self.shift = self.add_weight(name="shift", shape=(3,), initializer="zeros")
            self.other = self.add_weight(name="shift", shape=(1,), initializer="ones")

        def call(self, x):
            return tba.probe(self.inner(x) * self.factor, "shift") + self.shift * self.other

    model = keras.Sequential([keras.layers.Input((3,)), Outer(name="outer")])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.ones((4, 3), "float32"), np.ones((4, 3), "float32"), verbose=0, callbacks=[tba.ActivationsCallback(tmp_path)])
    kinds = {node.name: (node.kind, node.shape) for node in tba.open_run(tmp_path / "train").nodes if node.name.startswith("outer/s")}
    assert kinds == {
        "outer/scale": ("layer", (None, 3)),
        "outer/scale/kernel": ("variable", (3, 3)),
        "outer/scale/bias": ("variable", (3,)),
        "outer/scale_1": ("variable", (3,)),
        "outer/shift": ("probe", (None, 3)),
        "outer/shift_1": ("variable", (3,)),
        "outer/shift_2": ("variable", (1,)),
    }


class Careless(L.Layer):
    """Forgets to return its configuration, and keeps the name of what it ends in."""

    def __init__(self, activation):
        super().__init__(name="careless")
        self.activation = activation

    def call(self, x):
        return keras.activations.get(self.activation)(x)

    def get_config(self):
        super().get_config()


@pytest.mark.parametrize(
    "activation",
    ["relu", L.Activation("relu"), keras.activations.relu, functools.partial(keras.activations.relu, max_value=6)],
    ids=["name", "layer", "function", "partial"],
)
def test_a_layer_without_a_configuration_is_recorded(tmp_path, activation):
    model = keras.Sequential([L.Input((3,)), L.Dense(4), Careless(activation), L.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((8, 3), "float32"), np.ones((8, 1), "float32"))
    assert (run.node("careless").activation, dict(run.node("careless").attributes)) == ("relu", {})
    assert run.steps().tolist() == [0]


class Residual(L.Layer):
    """Keeps the activation function that it uses in between."""

    def __init__(self, activation, last):
        super().__init__(name="residual")
        self.activation, self.last, self.dense = keras.activations.get(activation), last, L.Dense(4, name="dense")

    def call(self, x):
        hidden = self.activation(self.dense(x))
        return hidden if self.last else x + hidden


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "softmax", "tanh"])
@pytest.mark.parametrize("last", [True, False])
def test_an_activation_function_before_a_sum_is_not_what_a_layer_ends_in(tmp_path, activation, last):
    model = keras.Sequential([L.Input((4,)), Residual(activation, last), L.Dense(1, name="head")])
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((8, 4), "float32"), np.ones((8, 1), "float32"))
    assert run.node("residual").activation == (activation if last else None)
    assert [node.activation for node in run.nodes if node.kind == "op"] == [activation] * (not last)


class Private(L.Layer):
    """Uses the name of Keras' attribute for something that can't be read."""

    @property
    def activation(self):
        raise ValueError

    def call(self, x):
        return x * 3


class Numbered(L.Layer):
    activation = 3

    def call(self, x):
        return x * self.activation


@pytest.mark.parametrize("layer", [Private(name="odd"), Numbered(name="odd")], ids=["a property that raises", "a number"])
def test_an_attribute_of_the_name_activation_need_not_be_one(tmp_path, layer):
    model = keras.Sequential([L.Input((3,)), layer, L.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    run = run_of(tmp_path, model, np.ones((8, 3), "float32"), np.ones((8, 1), "float32"))
    assert run.node("odd").activation is None
    assert run.node("odd").state == "materialized"


@pytest.mark.parametrize("names", [None, ("left", "right")])
def test_what_goes_into_a_function_of_keras_inside_of_a_layer(tmp_path, names):
    """It is fed as a model is; its inputs stand in a list, or in a dict whose keys aren't the names of its `InputLayer`s."""

    class Pair(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="pair")
            self.inner = L.Dense(2, name="inner")
            first, second = L.Input((3,), name="first"), L.Input((3,), name="second")
            inputs = [first, second] if names is None else dict(zip(names, (second, first), strict=True))
            self.function = keras.Function(inputs, self.inner(first - 2 * second), name="function")

        def call(self, x):
            return self.function([x, 3 * x] if names is None else {"left": 3 * x, "right": x})

    x, y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")
    before = L.Dense(3, name="before")
    model = keras.Sequential([L.Input((3,)), before, Pair(), L.Dense(1, name="out")])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    run = run_of(tmp_path, model, x, y, samples="full")
    given = before(x)
    np.testing.assert_allclose(run.value("pair/function/first", 0), given, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.value("pair/function/second", 0), 3 * given, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        run.value("pair/function/second", 0, "gradient"), -2 * run.value("pair/function/first", 0, "gradient"), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(run.value("pair/inner", 0), model.get_layer("pair").inner(-5 * given), rtol=1e-4, atol=1e-5)
