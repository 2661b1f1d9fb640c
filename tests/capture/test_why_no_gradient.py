"""Why a node has no gradient: the same words for graph and eager steps, and for each of the causes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
L = keras.layers
LEAN = {"every": 1, "histograms": False, "samples": "none", "validation": False, "print_findings": False}
X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def reasons(log_dir, model, x=X, y=Y, eagerly=False):
    """Code of the gradient of every node but variables; None where it is recorded."""
    model.compile("sgd", "mse", run_eagerly=eagerly, jit_compile=False)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(log_dir, **LEAN)])
    run = tba.open_run(log_dir / "train")
    return {node.name: node.quantities["gradient"].reason for node in run.nodes if node.kind != "variable"}


class Side(keras.Model):
    """A frozen layer, one that the loss needs, and one that it doesn't."""

    def __init__(self):
        super().__init__(name="side_model")
        self.frozen, self.side, self.head = (L.Dense(3, name=name) for name in ("frozen", "side", "head"))
        self.frozen.trainable = False

    def call(self, x):
        x = self.frozen(x * 2.0)
        self.side(x)
        return keras.ops.sum(self.head(x), axis=1, keepdims=True)


class Routed(L.Layer):
    """Uses what its router computes, and returns it as well."""

    def __init__(self):
        super().__init__(name="routed")
        self.router = L.Dense(3, name="router")

    def build(self, shape):
        self.router.build(shape)
        self.built = True

    def call(self, x):
        logits = self.router(x)
        return x * keras.ops.softmax(logits), logits


@pytest.mark.parametrize("eagerly", [False, True])
def test_eager_steps_tell_what_graph_steps_tell(tmp_path, eagerly):
    told = reasons(tmp_path, Side(), eagerly=eagerly)
    assert told == {
        "x": "nothing_trained",
        "frozen": "not_trainable",
        "side": "not_on_loss_path",
        "head": None,
        "side_model": None,
        "loss": "is_loss",
    }


def test_an_output_of_a_call_that_nothing_uses_is_on_no_path(tmp_path):
    x = L.Input((4, 3), name="x")
    sequence, _, _ = L.LSTM(2, return_sequences=True, return_state=True, name="lstm")(x)
    model = keras.Model(x, L.Dense(1, name="head")(sequence[:, -1]))
    told = reasons(tmp_path, model, np.ones((8, 4, 3), "float32"))
    assert (told["lstm"], told["lstm:1"], told["lstm:2"]) == (None, "not_on_loss_path", "not_on_loss_path")


@pytest.mark.parametrize("activation", ["relu", "silu"])  # SiLU has a gradient of its own
def test_an_output_that_nothing_uses_is_on_no_path_though_its_layer_used_it_before(tmp_path, activation):
    x = L.Input((3,), name="x")
    routed, _ = Routed()(L.Dense(3, name="first")(x))
    model = keras.Model(x, L.Dense(1, name="head")(L.Activation(activation, name="activation")(routed)))
    told = reasons(tmp_path, model)
    assert (told["routed"], told["routed:1"], told["routed/router"]) == (None, "not_on_loss_path", None)


class Attention(L.Layer):
    """Gives out its weights too, as those that are looked at by people are."""

    def __init__(self, **options):
        super().__init__(**options)
        self.drop = L.Dropout(0.0, name="dropout")

    def call(self, x):
        weights = self.drop(tf.nn.softmax(tf.matmul(x, x, transpose_b=True)))
        return tf.matmul(weights, x), weights

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape), keras.KerasTensor((*x.shape[:2], x.shape[1]))


def test_the_weights_of_an_attention_are_no_loss_that_is_computed_from_logits(tmp_path):
    """A loss does depend on what goes into the softmax, but through the softmax."""
    x = L.Input((4, 3), name="x")
    block = keras.Model(x, Attention(name="attention")(L.Dense(3, name="dense")(x)), name="block")
    y = L.Input((4, 3), name="y")
    model = keras.Model(y, L.Dense(1, name="head")(block(y)[0][:, -1]))
    told = reasons(tmp_path, model, np.ones((8, 4, 3), "float32"))
    assert (told["block"], told["block/attention/dropout"], told["block:1"]) == (None, None, "not_on_loss_path")


class Adversary(keras.Model):
    """Makes examples outside of a tape, and judges them inside one."""

    def __init__(self):
        super().__init__(name="adversary")
        self.maker, self.judge = L.Dense(3, name="maker"), L.Dense(1, name="judge")

    def build(self, shape):
        self.maker.build(shape)
        self.judge.build(shape)

    def train_step(self, data):
        made = self.maker(data[0])
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.judge(made) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.judge.trainable_weights), self.judge.trainable_weights)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(self.judge(self.maker(data[0])) ** 2)
        gradients = tape.gradient(loss, self.maker.trainable_weights)
        for weight, gradient in zip(self.maker.trainable_weights, gradients, strict=True):
            weight.assign_sub(0.1 * gradient)
        return {"loss": loss}


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_call_outside_of_the_tape_says_so(tmp_path, eagerly):
    model = Adversary()
    model.build((None, 3))
    told = reasons(tmp_path, model, eagerly=eagerly)
    assert {name: told[name] for name in ("maker", "judge", "judge@2", "maker@2")} == {
        "maker": "outside_tape",
        "judge": None,
        "judge@2": None,
        "maker@2": None,
    }


@pytest.mark.parametrize("frozen_first", [True, False])
def test_a_network_frozen_after_it_was_built_costs_no_way_back(tmp_path, frozen_first):
    """Transfer learning: tapes still follow its variables, but nothing uses what they find, so the plain step doesn't compute it."""
    base = keras.Sequential([L.Input((3,)), L.Dense(3, activation="tanh", name="low"), L.Dense(3, name="high")], name="base")
    base.trainable = False
    before = [] if frozen_first else [L.Dense(3, name="adapter")]
    model = keras.Sequential([L.Input((3,)), *before, base, L.Dense(1, name="head")])
    told = reasons(tmp_path, model)
    frozen = ("base/low", "base/high", "base")
    assert [told[name] for name in frozen] == (["not_trainable"] * 3 if frozen_first else [None] * 3)
    assert told["head"] is None


def test_a_layer_without_weights_to_train_is_not_called_frozen(tmp_path):
    model = keras.Sequential([L.Input((3,)), L.Normalization(mean=1.0, variance=2.0, name="norm"), L.Dense(1, name="head")])
    assert reasons(tmp_path, model)["norm"] == "nothing_trained"


class Holder(L.Layer):
    """Runs what it keeps past Keras, or uses the weights itself."""

    def __init__(self):
        super().__init__(name="holder")
        self.run = keras.Sequential([L.Input((3,), name="fed"), L.Dense(3, name="inner")], name="run")
        self.frozen, self.idle = L.Dense(3, name="frozen", trainable=False), L.Dense(3, name="idle")
        self.frozen.build((None, 3))
        self.idle.build((None, 3))

    def call(self, x):
        return self.run.call(x) @ self.frozen.kernel


def test_what_is_used_without_a_call_of_its_own_is_not_told_to_be_unused(tmp_path):
    model = keras.Sequential([L.Input((3,)), Holder(), L.Dense(1, name="head")])
    told = reasons(tmp_path, model)
    assert told["holder/run/inner"] is None
    codes = {name: told[f"holder/{name}"] for name in ("run", "run/fed", "frozen", "idle")}
    assert codes == {"run": "used_without_call", "run/fed": "past_model", "frozen": "used_without_call", "idle": "not_called"}


class Followed(keras.Model):
    """A network, one whose weights follow the first one's, and one that takes them as they are; both are there for inference."""

    def __init__(self):
        super().__init__(name="followed")
        self.network, self.average, self.copy = (
            keras.Sequential([L.Input((3,)), L.Dense(3, name="dense"), L.ReLU(name="relu"), L.Dense(1, name="head")], name=name)
            for name in ("network", "average", "copy")
        )

    def call(self, x):
        return self.network(x)

    def train_step(self, data):
        logs = super().train_step(data)
        for weight, mean, copy in zip(self.network.weights, self.average.weights, self.copy.weights, strict=True):
            mean.assign(0.9 * mean + 0.1 * weight)
            copy.assign(weight)
        return logs


def test_a_network_whose_weights_only_follow_those_of_another_is_not_called(tmp_path):
    told = reasons(tmp_path, Followed())
    names = ("", "/dense", "/relu", "/head")
    assert {told[f"{network}{name}"] for network in ("average", "copy") for name in names} == {"not_called"}
    assert {told[f"network{name}"] for name in names} == {None}


def test_a_layer_without_weights_that_another_of_keras_runs_past_its_call_is_not_told_to_be_unused(tmp_path):
    x = L.Input((4, 3, 2), name="x")
    model = keras.Model(x, L.Dense(1, name="head")(L.TimeDistributed(L.GlobalMaxPooling1D(name="most"), name="each")(x)[:, 0]))
    assert reasons(tmp_path, model, np.ones((8, 4, 3, 2), "float32"))["each/most"] == "used_without_call"


class Attentive(keras.Model):
    """Attention, whose scores are asked for or not."""

    def __init__(self, scores):
        super().__init__(name="attentive")
        self.attention, self.head, self.scores = L.MultiHeadAttention(2, 3, name="attention"), L.Dense(1, name="head"), scores

    def call(self, x):
        if not self.scores:
            return self.head(self.attention(x, x))[:, 0]
        output, _ = self.attention(x, x, return_attention_scores=True)
        return self.head(output)[:, 0]


def test_attention_scores_are_recorded_where_they_are_asked_for_as_is_told(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 4, 3)).astype("float32")
    fused, apart = Attentive(scores=False), Attentive(scores=True)
    assert reasons(tmp_path / "fused", fused, x)[f"attention/{fused.attention._softmax.name}"] == "fused_attention"
    reasons(tmp_path / "apart", apart, x)
    scores = f"attention/{apart.attention._softmax.name}"
    run = tba.open_run(tmp_path / "apart/train")
    assert run.node(scores).quantities["gradient"].state == "materialized"
    assert run.node(scores).shape == (None, 2, 4, 4)
    assert run.statistics(scores)["mean"][0] == pytest.approx(0.25)  # four shares of 1


def test_what_made_integers_of_numbers_is_named_and_not_what_an_embedding_does_with_them(tmp_path):
    x = L.Input((4,), name="x")
    words = L.Embedding(10, 3, name="words")(L.Rescaling(2.0, name="numbers")(x))
    model = keras.Model(x, L.Dense(1, name="head")(words[:, 0]))
    told = reasons(tmp_path, model, np.ones((8, 4), "float32"))
    assert told["numbers"] == "non_differentiable"
    assert "`Cast`" in tba.open_run(tmp_path / "train").node("numbers").quantities["gradient"].sentence


class Remembering(L.Layer):
    """Computes its inside again for the gradient, rather than to keep it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inside = L.Dense(3, activation="tanh", name="inside")
        self.inside.build((None, 3))
        self.again = tf.recompute_grad(self.inside)

    def call(self, x):
        return x + self.again(x)


def test_what_is_computed_again_for_the_gradient_has_it_there_and_is_no_loss(tmp_path):
    x = L.Input((3,), name="x")
    model = keras.Model(x, L.Dense(1, name="head")(Remembering(name="block")(L.Dense(3, name="first")(x))))
    start = model.get_weights()
    told = reasons(tmp_path, model)
    kinds = [node.name for node in tba.open_run(tmp_path / "train").nodes if node.kind == "loss"]
    assert (told["block/inside"], told["block/inside@2"], kinds) == ("outside_tape", None, ["loss"])
    model.set_weights(start)
    with tf.GradientTape() as tape:
        first = model.get_layer("first")(X)
        inside = model.get_layer("block").inside(first)
        loss = tf.reduce_mean((model.get_layer("head")(first + inside) - Y) ** 2)
    kernel = model.get_layer("block").inside.kernel
    expected = [float(tf.norm(gradient)) for gradient in tape.gradient(loss, [inside, kernel.value])]
    run = tba.open_run(tmp_path / "train")
    recorded = [run.statistics(name, "gradient")["l2_norm"][0] for name in ("block/inside@2", "block/inside/kernel")]
    np.testing.assert_allclose(recorded, expected, rtol=1e-4, atol=1e-6)
