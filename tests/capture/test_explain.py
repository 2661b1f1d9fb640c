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


def run_code(answer, tmp_path, tensor, model, x, y=None):
    """Executes everything that an answer hands out, as it stands: what `predict` gave, and all names, with the run that was recorded."""
    scope = {"keras": keras, "tb_activations": tba, "model": model, "tensor": tensor, "x": x, "y": y, "log_dir": tmp_path}
    for line in answer.code.splitlines():
        if line.startswith("model.fit("):
            if y is None:
                scope["y"] = np.zeros((len(x), *model.output_shape[1:]), np.float32)
            model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
            exec(line, scope)
            scope["run"] = tba.open_run(tmp_path / "train")
        elif line.startswith("keras.Model("):
            exec(f"predicted = {line}", scope)
        else:
            exec(line, scope)
    return scope.get("predicted"), scope


def recorded(run):
    """The nodes that were recorded, beside those of the loss."""
    return [node.name for node in run.nodes if node.quantities["value"].state == "materialized"]


X = np.random.default_rng(0).normal(size=(1, 4)).astype("float32")
"""One example: the code that is handed out leaves `fit` to shuffle."""


def test_the_code_for_a_nested_model_runs_and_gives_the_tensor(nested_model, tmp_path):
    layer = nested_model.get_layer("encoder").get_layer("inner_hidden")
    _, scope = run_code(tba.explain(layer.output, nested_model), tmp_path, layer.output, nested_model, X)
    expected = np.maximum(X @ layer.kernel.numpy() + layer.bias.numpy(), 0)
    np.testing.assert_allclose(scope["inner"](X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scope["run"].value("encoder/inner_hidden", 0), expected, rtol=1e-5, atol=1e-6)
    assert recorded(scope["run"]) == ["encoder/inner_hidden"]


def test_a_model_nested_two_levels_deep_is_found_by_its_whole_path(tmp_path):
    deep = keras.Input((4,), name="deep")
    layer = layers.Dense(2, name="bottom")
    inner = keras.Model(deep, layer(deep), name="inner")
    between = keras.Input((4,), name="between")
    middle = keras.Model(between, inner(between), name="middle")
    outside = keras.Input((4,), name="outside")
    model = keras.Model(outside, middle(outside), name="outer")
    answer = tba.explain(layer.output, model)
    assert answer.missing == ("deep",)
    _, scope = run_code(answer, tmp_path, layer.output, model, X)
    expected = X @ layer.kernel.numpy()
    np.testing.assert_allclose(scope["inner"](X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scope["run"].value("middle/inner/bottom", 0), expected, rtol=1e-5, atol=1e-6)


def test_the_path_names_each_operation_after_those_it_needs(tmp_path):
    x = keras.Input((4,), name="x")
    a = layers.Dense(4, name="a")(x)
    b, c = layers.Dense(4, name="b")(a), layers.Dense(4, name="c")(a)
    total = layers.Add(name="d")([b, layers.ReLU(name="relu")(c)])
    model = keras.Model(x, layers.Dense(1, name="out")(total))
    answer = tba.explain(total, model)
    assert answer.path == ("x", "a", "b", "c", "relu", "d")
    predicted, scope = run_code(answer, tmp_path, total, model, X)
    kernels = {name: model.get_layer(name).kernel.numpy() for name in "abc"}
    hidden = X @ kernels["a"]
    np.testing.assert_allclose(predicted, hidden @ kernels["b"] + np.maximum(hidden @ kernels["c"], 0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scope["run"].value("d", 0), predicted, rtol=1e-4, atol=1e-6)
    assert recorded(scope["run"]) == ["d"]


def test_an_operation_that_is_no_layer_and_the_pattern_that_finds_it_alone(tmp_path):
    x = keras.Input((4,), name="x")
    hidden = layers.Dense(3, name="h")(x)
    doubled = hidden * 2.0
    model = keras.Model(x, layers.Dense(1, name="other_h")(doubled))
    expected = X @ model.get_layer("h").kernel.numpy()
    for tensor, factor in ((doubled, 2.0), (hidden, 1.0)):
        answer = tba.explain(tensor, model)
        predicted, scope = run_code(answer, tmp_path / answer.subject, tensor, model, X)
        np.testing.assert_allclose(predicted, factor * expected, rtol=1e-5, atol=1e-6)
        (name,) = recorded(scope["run"])
        np.testing.assert_allclose(scope["run"].value(name, 0), factor * expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["head", "inner_hidden"])
def test_a_tensor_of_the_model_that_was_copied_leads_to_the_copys_own(nested_model, tmp_path, name):
    encoder = nested_model.get_layer("encoder")
    layer = nested_model.get_layer("head") if name == "head" else encoder.get_layer(name)
    copy = keras.models.clone_model(nested_model)
    with pytest.raises(ValueError, match=r"not connected to `inputs`|used 2 times in the model"):
        keras.Model(copy.inputs, layer.output)
    answer = tba.explain(layer.output, copy)
    assert answer.connected is False
    assert "belongs to another model than `outer`, which has a layer of that name" in answer.value
    predicted, scope = run_code(answer, tmp_path, layer.output, copy, X)
    path = "head" if name == "head" else f"encoder/{name}"
    assert recorded(scope["run"])[:1] == [path]
    given = predicted if name == "head" else scope["inner"](X)
    expected = copy(X) if name == "head" else np.maximum(X @ copy.get_layer("encoder").get_layer(name).kernel.numpy(), 0)
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-6)


def test_an_input_that_was_forgotten_is_named_beside_the_one_that_is_there():
    first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    joined = layers.Add(name="joined")([first, second])
    with pytest.raises(ValueError, match="not connected to `inputs`"):
        keras.Model(first, joined)
    answer = tba.explain(joined, keras.Model(first, layers.Dense(1)(first), name="half"))
    assert answer.missing == ("second",)
    assert answer.remedy == "Build the second model from `first` and `second`."


def test_the_second_call_of_a_shared_layer_gives_the_second_value(tmp_path):
    x = keras.Input((4,), name="x")
    shared = layers.Dense(4, name="shared", activation="tanh")
    first = shared(x)
    second = shared(first)
    model = keras.Model(x, layers.Dense(1, name="out")(second))
    answer = tba.explain(second, model)
    assert answer.path == ("x", "shared", "shared")
    predicted, scope = run_code(answer, tmp_path, second, model, X)
    once = np.tanh(X @ shared.kernel.numpy())
    np.testing.assert_allclose(predicted, np.tanh(once @ shared.kernel.numpy()), rtol=1e-4, atol=1e-6)
    assert recorded(scope["run"]) == ["shared", "shared@2"]
    np.testing.assert_allclose(scope["run"].value("shared@2", 0), predicted, rtol=1e-4, atol=1e-6)
    predicted, _ = run_code(tba.explain(first, model), tmp_path / "first", first, model, X)
    np.testing.assert_allclose(predicted, once, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_one_of_several_outputs_of_a_layer(tmp_path, kind):
    class Halves(layers.Layer):
        def call(self, x):
            return [x[:, :2], x[:, 2:]] if kind == "list" else {"low": x[:, :2], "high": x[:, 2:]}

    x = keras.Input((4,), name="x")
    halves = Halves(name="halves")(x)
    low, high = halves if kind == "list" else (halves["low"], halves["high"])
    model = keras.Model(x, layers.Dense(1)(low) + layers.Dense(1)(high))
    for tensor, expected in ((low, X[:, :2]), (high, X[:, 2:])):
        predicted, scope = run_code(tba.explain(tensor, model), tmp_path / tensor.name, tensor, model, X)
        np.testing.assert_array_equal(predicted, expected)
        (name,) = recorded(scope["run"])
        np.testing.assert_array_equal(scope["run"].value(name, 0), expected)


def test_a_layer_called_on_another_input(tmp_path):
    x, elsewhere = keras.Input((4,), name="x"), keras.Input((4,), name="elsewhere")
    layer = layers.Dense(2, name="layer")
    model = keras.Model(x, layers.Dense(1)(layer(x)), name="here")
    tensor = layer(elsewhere)
    answer = tba.explain(tensor, model)
    assert "Build the second model from `elsewhere`, or record" in answer.remedy
    _, scope = run_code(answer, tmp_path, tensor, model, X)
    np.testing.assert_allclose(scope["run"].value("layer", 0), X @ layer.kernel.numpy(), rtol=1e-5, atol=1e-6)
    strange = tba.explain(layers.Dense(2, name="strange")(elsewhere), model)
    assert strange.remedy == "Build the second model from `elsewhere`."
    assert strange.code == ""


@pytest.mark.slow
@pytest.mark.parametrize("sequential", [False, True])
def test_a_nested_model_on_the_same_input_makes_its_tensors_anew(tmp_path, sequential):
    """Connected, and yet on no path to the outputs: the gradient is that of the tensor which the call of the nested model makes."""
    dense = keras.layers.Dense
    x, layers = keras.Input((4,), name="x"), [dense(3, activation="tanh", name="first"), dense(2, name="second")]
    nested = keras.Sequential([x, *layers], name="nested") if sequential else keras.Model(x, layers[1](layers[0](x)), name="nested")
    inputs = nested.inputs[0]
    model = keras.Model(inputs, dense(1, name="out")(nested(inputs)), name="outer")
    told = tba.explain(layers[0].output, model)
    assert told.connected
    assert "`outer` calls `nested`, which makes it anew" in told.gradient
    model.compile("sgd", "mse", jit_compile=False)
    scope = {"model": model, "x": np.ones((2, 4)), "y": np.ones((2, 1)), "keras": keras, "tb_activations": tba, "log_dir": tmp_path}
    exec(told.code, scope)
    assert tba.open_run(tmp_path / "train").steps("nested/first", "gradient").tolist() == [0]
    unused = dense(2, name="unused")(layers[0].output)
    assert "No loss of this step depends on `unused`" in tba.explain(unused, model).gradient


def test_a_sequential_model_that_was_made_by_add_has_gradients_for_its_layers(tmp_path):
    """`add` calls all layers once more: `layer.output` is no tensor of the graph that the model ends with, and gives the same numbers."""
    model = keras.Sequential([keras.Input((4,), name="x")])
    for name in ("first", "second", "third"):
        model.add(layers.Dense(3, activation="tanh", name=name))
    first = model.get_layer("first").output
    answer = tba.explain(first, model)
    assert (answer.connected, answer.gradient) == (True, "")
    predicted, scope = run_code(answer, tmp_path / "first", first, model, X)
    np.testing.assert_allclose(predicted, np.tanh(X @ model.get_layer("first").kernel.numpy()), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scope["run"].value("first", 0), predicted, rtol=1e-5, atol=1e-6)
    assert scope["run"].steps("first", "gradient").tolist() == [0]
    assert "Round" in tba.explain(first, model, loss=keras.ops.round).gradient


def test_another_call_of_a_layer_of_the_model_says_so(tmp_path):
    x = keras.Input((4,), name="x")
    shared = layers.Dense(4, name="shared")
    aside = shared(keras.ops.sin(x))
    model = keras.Model(x, layers.Dense(1)(shared(x)), name="outer")
    answer = tba.explain(aside, model)
    assert answer.connected
    assert "which another call of `shared` gave" in answer.gradient
    predicted, scope = run_code(answer, tmp_path, aside, model, X)
    np.testing.assert_allclose(predicted, np.sin(X) @ shared.kernel.numpy(), rtol=1e-5, atol=1e-6)
    assert scope["run"].steps("shared", "gradient").tolist() == [0]


@pytest.mark.parametrize("sequential", [False, True])
def test_the_code_for_an_input_runs(tmp_path, sequential):
    x = keras.Input((4,), name="x")
    dense = layers.Dense(1)
    model = keras.Sequential([x, dense]) if sequential else keras.Model(x, dense(x))
    predicted, scope = run_code(tba.explain(model.inputs[0], model), tmp_path, model.inputs[0], model, X)
    np.testing.assert_array_equal(predicted, X)
    np.testing.assert_array_equal(scope["run"].value("x", 0), X)


def test_a_gradient_cut_in_the_loss_function(nested_model):
    head = nested_model.get_layer("head")

    def rounded(output):
        return keras.ops.mean(keras.ops.round(output))

    with tf.GradientTape() as tape:
        loss = rounded(nested_model(X))
    assert tape.gradient(loss, head.kernel.value) is None
    for subject in (head.kernel, head.output):
        assert "Round" in tba.explain(subject, nested_model, loss=rounded).gradient
        assert "Round" not in tba.explain(subject, nested_model, loss=keras.ops.mean).gradient
    with pytest.raises(ArgumentError, match="Received: loss='mse'"):
        tba.explain(head.kernel, nested_model, loss="mse")


def test_what_stops_a_gradient_beside_the_way_is_not_named():
    """A batch normalization in training stops the gradient of a shift; gradients pass it all the same."""
    x = keras.Input((3,), name="x")
    y = layers.BatchNormalization(name="norm")(layers.Dense(4, name="hidden")(x))
    model = keras.Model(x, layers.Dense(1, name="head")(y))
    hidden = model.get_layer("hidden").output
    assert tba.explain(hidden, model).gradient == ""
    answer = tba.explain(hidden, model, loss=lambda output: tf.reduce_sum(tf.floor(output)))
    assert "`hidden`" in answer.gradient
    assert "`Floor (Floor)`" in answer.gradient
    stopped = tba.explain(hidden, model, loss=lambda output: tf.reduce_sum(tf.stop_gradient(tf.floor(output) + 1.0), name="all"))
    assert "StopGradient (StopGradient)" in stopped.gradient  # the last on the way; the first is another
    assert "moments" not in stopped.gradient


def test_a_connected_tensor_is_said_to_be_symbolic_with_its_path(nested_model):
    answer = tba.explain(nested_model.get_layer("encoder").output, nested_model.get_layer("encoder"))
    assert answer.connected is True
    assert answer.path == ("pixels", "inner_hidden", "inner_out")
    assert answer.gradient == ""
    assert "symbolic" in str(answer)


def test_what_no_output_needs_is_no_part_of_the_model_and_the_code_computes_it():
    x = keras.Input((4,), name="x")
    hidden = layers.Dense(3, name="h")(x)
    aside = layers.Dense(2, name="aside")(hidden)
    model = keras.Model(x, layers.Dense(1)(hidden))
    answer = tba.explain(aside, model)
    assert "no part of it" in answer.value
    expected = X @ model.get_layer("h").kernel.numpy() @ aside._keras_history.operation.kernel.numpy()
    scope = {"keras": keras, "model": model, "tensor": aside, "x": X}
    exec(f"predicted = {answer.code}", scope)
    np.testing.assert_allclose(scope["predicted"], expected, rtol=1e-4, atol=1e-6)


def test_numbers_that_are_no_floats_are_told_their_dtype():
    x = keras.Input((4,), name="x")
    top = keras.ops.argmax(layers.Dense(3)(x), axis=-1)
    model = keras.Model(x, layers.Embedding(3, 2)(top))
    assert "`argmax` has dtype int32" in tba.explain(top, model).gradient


def test_a_sequential_model_has_a_graph_also_where_another_model_calls_it(tmp_path):
    chain = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="first"), layers.Dense(1, name="second")], name="chain")
    outside = keras.Input((3,), name="outside")
    outer = keras.Model(outside, chain(outside))
    answer = tba.explain(chain.get_layer("first").output, chain)
    assert answer.connected is True
    assert answer.path[1:] == ("first",)
    x = np.ones((2, 3), np.float32)
    expected = chain.get_layer("first")(x)
    predicted, _ = run_code(answer, tmp_path / "chain", chain.get_layer("first").output, chain, x)
    np.testing.assert_allclose(predicted, expected)
    inner = tba.explain(chain.get_layer("first").output, outer)
    assert inner.connected is False
    assert "`chain`" in inner.value
    _, scope = run_code(inner, tmp_path / "outer", chain.get_layer("first").output, outer, x)
    np.testing.assert_allclose(scope["inner"](x), expected)
    np.testing.assert_allclose(scope["run"].value("chain/first", 0), expected)


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
    answer = tba.explain(hidden.kernel.value, model)
    assert operation in answer.gradient
    assert answer.remedy
    assert '"gradient"' not in answer.code  # there is none to be read


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


def test_a_variable_of_nobody_is_not_said_to_belong_to_the_model():
    answer = tba.explain(tf.Variable(1.0, name="alone"), cut_model(keras.ops.relu))
    assert answer.gradient == "`alone` is no variable of `cut`, and what `cut` computes doesn't use it."


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
    with pytest.raises(ArgumentError, match=r"`model` must be .* of Keras 2.*`import keras`"):
        tba.explain(keras.Input((1,)), type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})())


def test_a_sequential_without_a_graph_is_not_called_subclassed():
    answer = tba.explain(layers.Dense(2)(keras.Input((3,))), keras.Sequential([layers.Dense(2, name="out")], name="chain"))
    assert answer.value == "`chain` is a `Sequential` that isn't built: it has no graph yet, so no tensor is connected to its inputs."


@pytest.mark.parametrize(
    "options",
    [{"loss": "mse"}, {"loss": keras.losses.MeanSquaredError()}, {"loss": lambda y, output: output}, {"data": [[1.0, 2.0]]}, {"data": "x"}],
    ids=lambda options: next(iter(options)),
)
def test_bad_options_say_what_was_expected(options):
    (name,) = options
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    with pytest.raises(ArgumentError, match=f"`{name}` must be .*Received: {name}="):
        tba.explain(model.layers[0].kernel, model, **options)


class Fresh(layers.Layer):
    """Makes a layer in each of its calls, which no step can be traced with."""

    def call(self, x):
        return layers.Dense(3)(x)


def test_of_a_model_that_cannot_be_traced_the_value_is_explained_all_the_same():
    x = keras.Input((4,), name="x")
    hidden = Fresh(name="fresh")(x)
    model = keras.Model(x, layers.Dense(1, name="head")(hidden))
    model.compile("sgd", "mse", jit_compile=False)
    with pytest.raises(ValueError, match="singleton") as error:
        model.fit(X, X[:, :1], verbose=0)
    answer = tba.explain(hidden, model)
    assert (answer.connected, answer.path) == (True, ("x", "fresh"))
    assert "can't be traced" in answer.gradient
    assert "tf.function only supports singleton tf.Variables" in answer.gradient
    assert "singleton tf.Variables" in str(error.value)
