"""Variables that are no weights of a layer are nodes as well: what they hold before the step, and what is said of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

L = keras.layers
pytestmark = pytest.mark.slow

X, Y = np.random.default_rng(0).normal(size=(2, 24, 3)).astype("float32")
MODES = {"graph": {"jit_compile": False}, "xla": {"jit_compile": True}, "eager": {"run_eagerly": True}}


class Scale(L.Layer):
    """Keeps variables of TensorFlow, one of them without a name of its own."""

    def __init__(self):
        super().__init__(name="scaled")
        self.factor = tf.Variable([1.0, 2.0, 3.0], name="scale")
        self.calls = tf.Variable(0.0, trainable=False)
        self.parts = {"shift": tf.Variable(0.5, name="shift")}

    def call(self, x):
        self.calls.assign_add(1.0)
        return x * self.factor + self.parts["shift"]


class Counting(keras.Model):
    """Its step uses variables that nothing of the model keeps, one of them in a branch only, and one that it only assigns."""

    def __init__(self, steps, even, last):
        super().__init__(name="counting")
        self.scaled, self.dropped, self.out = Scale(), L.Dropout(0.2, seed=1), L.Dense(3, name="out")
        self.outside = lambda: (steps, even, last)
        self.noise = tf.random.Generator.from_seed(3)

    def call(self, x, training=False):
        return self.out(self.dropped(self.scaled(x), training=training)) + self.noise.normal([3])

    def train_step(self, data):
        steps, even, last = self.outside()
        last.assign(data[0][0, 0])
        steps.assign_add(1.0)
        tf.cond(steps % 2 == 0, lambda: even.assign_add(1.0), even.read_value)
        return super().train_step(data)


@pytest.fixture(scope="module", params=MODES)
def trained(request, tmp_path_factory):
    """The run of a training of three steps, its model, and one trained without the callback."""
    log_dir = tmp_path_factory.mktemp(request.param)

    def fitted(callbacks):
        keras.utils.set_random_seed(1)
        model = Counting(*(tf.Variable(0.0, trainable=False, name=name) for name in ("steps", "even_steps", "last")))
        model(X[:1])
        model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], **MODES[request.param])
        model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks)
        return model

    plain = fitted([])
    ours = fitted([tba.ActivationsCallback(log_dir, every=1, samples="full", print_findings=False)])
    return tba.open_run(log_dir / "train"), ours, plain


def test_what_they_hold_before_each_step_is_recorded(trained):
    run, _, _ = trained
    assert run.statistics("steps")["mean"].tolist() == [0, 1, 2]
    assert run.statistics("even_steps")["mean"].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(run.statistics("last")["mean"], [0, X[0, 0], X[8, 0]])
    np.testing.assert_array_equal(run.value("scaled/scale", 2), [1, 2, 3])
    assert run.value("scaled/shift", 0).tolist() == 0.5


def test_training_is_the_same(trained):
    _, ours, plain = trained
    for one, other in zip((*ours.get_weights(), *ours.outside()), (*plain.get_weights(), *plain.outside()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_metrics_optimizers_and_random_generators_keep_is_none_of_the_step(trained):
    names = [node.name for node in trained[0].nodes if node.kind == "variable"]
    kept = ["scaled/scale", "scaled/calls", "scaled/shift", "out/kernel", "out/bias"]
    assert sorted(names) == sorted([*kept, "steps", "even_steps", "last"])


def test_one_that_could_be_trained_says_why_it_is_not_and_what_to_do(trained):
    run, _, _ = trained
    state = {node.name: node for node in run.nodes}["scaled/shift"].quantities["gradient"]
    assert state.reason == "not_a_weight"
    assert "`scaled`" in state.sentence

    class Mended(L.Layer):
        def build(self, shape):
            exec(state.code_to_paste, {"self": self, "keras": keras, "initial_value": tf.constant(0.5)})

        def call(self, x):
            return x + self.shift

    model = keras.Sequential([L.Input((3,)), Mended()])
    assert [weight.tolist() for weight in model.get_weights()] == [0.5]  # and no number drawn at random
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(X, Y, verbose=0)
    (shift,) = model.get_weights()
    assert shift.shape == ()
    assert shift != 0.5


@pytest.mark.parametrize("compiled", [lambda step: step, tf.function, tf.function(jit_compile=True)], ids=["eager", "graph", "xla"])
def test_watched_steps_tell_of_them_and_tapes_see_what_they_saw(tmp_path, compiled):
    """A queue of negatives, as momentum contrast has it, and a variable that is assigned inside the tape."""
    weight, queue = tf.Variable(np.ones((3, 2), "float32"), name="weight"), tf.Variable(np.zeros((4, 2), "float32"), trainable=False, name="queue")
    target, seen = tf.Variable([0.0, 0.0], name="target"), []

    def step(x):
        with tf.GradientTape() as tape:
            key = x @ weight
            target.assign(key[0])
            loss = tf.reduce_mean(tf.matmul(key, queue, transpose_b=True)) + tf.reduce_mean(key)
        seen.append(sorted(variable.name for variable in tape.watched_variables()))
        weight.assign_sub(0.1 * tape.gradient(loss, weight))
        queue.scatter_nd_update([[0]], key[:1])
        return loss

    expected = []
    with tba.watch(compiled(step), log_dir=tmp_path, every=1, samples="full", print_findings=False) as watched:
        for _ in range(2):
            expected.append((queue.numpy(), target.numpy()))
            watched(tf.constant(X[:4]))
    compiled(step)(tf.constant(X[:4]))
    assert all(names == seen[-1] for names in seen)
    run = tba.open_run(tmp_path / "train")
    for index, (before, last) in enumerate(expected):
        np.testing.assert_array_equal(run.value("queue", index), before)
        np.testing.assert_array_equal(run.value("target", index), last)
    assert expected[1][0].any()
    assert {node.name: node for node in run.nodes}["target"].quantities["gradient"].reason == "no_optimizer_step"


class Unnamed(L.Layer):
    """Weights without a name: Keras calls them `variable`, and counts those of the whole process."""

    def build(self, shape):
        self.w = self.add_weight(shape=(3, 3), initializer="glorot_uniform")
        self.tokens = [self.add_weight(shape=(3,)), self.add_weight(shape=(3,), name="last")]
        self.calls = keras.Variable(0.0, trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x @ self.w + self.tokens[0] + self.tokens[1]


def test_weights_without_a_name_go_by_their_attribute_in_every_model_of_a_process(tmp_path):
    for model_dir in ("one", "another"):
        model = keras.Sequential([L.Input((3,)), Unnamed(name="unnamed")])
        model.compile("adam", "mse", jit_compile=False)
        callback = tba.ActivationsCallback(tmp_path / model_dir, every=1, slots=True, samples="full", print_findings=False)
        model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, callbacks=[callback])
        run = tba.open_run(tmp_path / model_dir / "train")
        names = {node.name for node in run.nodes if node.kind == "variable"}
        assert {name for name in names if not name.startswith("optimizer/")} == {f"unnamed/{name}" for name in ("w", "tokens", "last", "calls")}
        assert {name for name in names if name.endswith("/momentum")} == {f"optimizer/unnamed/{name}/momentum" for name in ("w", "tokens", "last")}
        np.testing.assert_array_equal(run.statistics("unnamed/calls")["mean"], np.arange(len(run.steps())) + run.value("unnamed/calls", 0))


class Late(L.Layer):
    """Makes its variables when it is built, inside what calls it first."""

    def build(self, shape):
        self.phase = tf.Variable([0.5] * 3, name="phase")
        self.sums = [tf.Variable([0.0] * 3, trainable=False)]

    def call(self, x):
        return x + self.phase + self.sums[0]


def test_variables_that_are_made_inside_a_call_go_by_their_layer_alone(tmp_path):
    model = keras.Sequential([L.Input((3,)), keras.Sequential([Late(name="late")], name="block"), L.Dense(3)])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, samples="full", print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    assert {node.name for node in run.nodes if "late/" in node.name} == {"block/late/phase", "block/late/sums"}
    np.testing.assert_array_equal(run.value("block/late/phase", 0), [0.5] * 3)


def test_what_a_recurrent_layer_keeps_from_batch_to_batch_goes_by_its_layer(tmp_path):
    x = L.Input(batch_shape=(4, 2, 3))
    gru = L.GRU(2, stateful=True, return_sequences=True, name="gru")
    model = keras.Model(x, L.Dense(1)(L.LSTM(2, stateful=True, name="lstm")(gru(x))))
    model.compile("sgd", "mse", jit_compile=False)
    seen = []
    see = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(gru.states[0].numpy().copy()))
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="full", print_findings=False)
    model.fit(np.ones((8, 2, 3)), np.ones((8, 1)), batch_size=4, shuffle=False, verbose=0, callbacks=[see, callback])
    run = tba.open_run(tmp_path / "train")
    assert {node.name for node in run.nodes if "state" in node.name} == {"gru/rnn_state", "lstm/rnn_state", "lstm/rnn_state_1"}
    assert run.node("gru/rnn_state").quantities["gradient"].reason == "kept_by_layer"
    np.testing.assert_array_equal(run.value("gru/rnn_state", 1), seen[1])
    assert seen[1].any()


class Linear(tf.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.w = tf.Variable(tf.random.stateless_normal([inputs, outputs], [inputs, outputs]))
        self.b = tf.Variable(tf.zeros([outputs]), name="bias")

    def __call__(self, x):
        return x @ self.w + self.b


class Network(tf.Module):
    """Without Keras; trains itself."""

    def __init__(self):
        super().__init__(name="network")
        self.hidden = [Linear(3, 4), Linear(4, 4)]
        self.out = Linear(4, 3)

    def step(self, x, y):
        with tf.GradientTape() as tape:
            hidden = x
            for linear in self.hidden:
                hidden = tf.nn.tanh(linear(hidden))
            loss = tf.reduce_mean((self.out(hidden) - y) ** 2)
        for variable, gradient in zip(self.trainable_variables, tape.gradient(loss, self.trainable_variables), strict=True):
            variable.assign_sub(0.1 * gradient)
        return loss


@pytest.mark.parametrize("compiled", [lambda step: step, tf.function], ids=["eager", "graph"])
def test_variables_of_modules_without_keras_go_by_where_they_are_kept(tmp_path, compiled):
    network = Network()
    before = {"network/hidden/0": network.hidden[0], "network/hidden/1": network.hidden[1], "network/out": network.out}
    before = {f"{name}/{kept}": getattr(linear, kept).numpy() for name, linear in before.items() for kept in "wb"}
    with tba.watch(compiled(network.step), log_dir=tmp_path, every=1, samples="full", print_findings=False) as watched:
        watched(tf.constant(X[:4]), tf.constant(Y[:4]))
    run = tba.open_run(tmp_path / "train")
    assert {node.name for node in run.nodes if node.kind == "variable"} == set(before)
    for name, value in before.items():
        np.testing.assert_array_equal(run.value(name, 0), value)
        assert run.statistics(name, "update")["l2_norm"][0] > 0


def test_a_weight_that_stands_in_two_objects_goes_by_the_name_of_its_layer(tmp_path):
    """A copy that was meant: `keras.Variable` keeps the variable that it is given, and not its numbers."""
    out = L.Dense(3, name="out")
    model = keras.Sequential([L.Input((3,)), out], name="plain")
    model.slow = [keras.Variable(out.kernel.value, trainable=False, name="slow")]
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    names = [node.name for node in tba.open_run(tmp_path / "train").nodes if node.kind == "variable"]
    assert sorted(names) == ["out/bias", "out/kernel"]
