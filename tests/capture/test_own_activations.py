"""Activation functions that layers of users compute themselves: nodes of their own, with the values that they had."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

from .transparency.models import Attending, GatedUnit, OwnActivations, OwnCell

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer")]

L, ops = keras.layers, keras.ops

X = np.random.default_rng(0).normal(size=(8, 3, 4)).astype("float32")


def run_of(log_dir, model, x=X, jit_compile=False, run_eagerly=False, **options):
    """Two steps that change nothing, recorded."""
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=jit_compile, run_eagerly=run_eagerly)
    kept = {"histograms": False, "samples": "full", "validation": False, "print_findings": False}
    y = np.zeros(model(x).shape, "float32")
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[tba.ActivationsCallback(log_dir, every=1, **kept, **options)])
    return tba.open_run(log_dir / "train")


def chain(*layers):
    return keras.Sequential([L.Input((3, 4)), *layers])


def of_kind_op(run):
    return {node.name: node for node in run.nodes if node.kind == "op"}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_attention_weights_and_gates_have_their_values(tmp_path, jit_compile):
    attention, gated = Attending(), GatedUnit(name="gated")
    run = run_of(tmp_path, chain(attention, gated), jit_compile=jit_compile)
    found = of_kind_op(run)
    assert {name: node.activation for name, node in found.items()} == {
        "attending/Softmax": "softmax",
        "gated/Sigmoid": "sigmoid",
        "gated/Relu": "relu",
    }
    query, key, value = ((X[:4] @ part.kernel.numpy() + part.bias.numpy()) for part in attention.parts)
    weights = softmax(query @ key.transpose(0, 2, 1) / 2)
    np.testing.assert_allclose(run.value("attending/Softmax", 0), weights, rtol=1e-4, atol=1e-6)
    values, gates = np.split(weights @ value @ gated.wide.numpy(), 2, -1)
    sigmoid = 1 / (1 + np.exp(-gates))
    np.testing.assert_allclose(run.value("gated/Sigmoid", 0), sigmoid, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run.value("gated/Relu", 0), np.maximum(values * sigmoid, 0), rtol=1e-4, atol=1e-5)
    assert run.statistics("attending/Softmax")["saturated_fraction"][0] == pytest.approx((weights.max(-1) > 0.999).mean())
    assert [run.nodes[index].name for index in found["attending/Softmax"].inputs] == ["attending/query", "attending/key"]
    assert found["attending/Softmax"].quantities["gradient"].reason == "op_value_only"


def test_it_stands_where_it_is_computed_and_names_the_line(tmp_path):
    run = run_of(tmp_path, chain(Attending(), GatedUnit(name="gated")))
    names = [node.name for node in run.nodes if node.kind in ("layer", "op")]
    assert names.index("attending/key") < names.index("attending/Softmax") < names.index("attending")
    assert names.index("attending") < names.index("gated/Sigmoid") < names.index("gated/Relu") < names.index("gated")
    source = run.node("gated/Relu").source
    lines, first = inspect.getsourcelines(GatedUnit)
    assert "tf.nn.relu" in lines[source.line - first]
    assert source.file.endswith("models.py")
    edges = {run.nodes[index].name for index in run.node("attending").inputs}
    assert edges == {"attending/Softmax", "attending/value"}


def test_layers_of_keras_get_none_and_what_is_an_output_is_the_layers(tmp_path):
    class Squashing(L.Layer):
        def call(self, x):
            return ops.tanh(x)

    layers = [Squashing(name="squashing"), L.Dense(4, activation="relu"), L.Activation("sigmoid"), L.MultiHeadAttention(1, 2, name="heads")]
    inputs = L.Input((3, 4))
    h = layers[2](layers[1](layers[0](inputs)))
    run = run_of(tmp_path, keras.Model(inputs, ops.softmax(layers[3](h, h))))
    assert {node.class_name for node in of_kind_op(run).values()} == {"Softmax"}  # of the functional model, as ever
    assert run.node("squashing").activation == "tanh"
    share = (np.abs(np.tanh(X[:4])) > 0.97).mean()
    assert run.statistics("squashing")["saturated_fraction"][0] == pytest.approx(share)


def test_of_a_model_of_ones_own_too(tmp_path):
    run = run_of(tmp_path, OwnActivations(), np.random.default_rng(0).normal(size=(8, 6)).astype("float32"))
    found = of_kind_op(run)
    assert set(found) == {"attending/Softmax", "gated/Sigmoid", "gated/Relu", "Relu", "Tanh"}
    np.testing.assert_allclose(run.value("Tanh", 0), np.tanh(np.maximum(run.value("hidden", 0), 0)), rtol=1e-5, atol=1e-6)
    names = [node.name for node in run.nodes]
    assert names.index("hidden") < names.index("Relu") < names.index("Tanh") < names.index("out")


def test_other_functions_made_of_them_are_not_taken_for_them(tmp_path):
    class Composed(L.Layer):
        def call(self, x):
            leaky = ops.relu(x) - 0.1 * ops.relu(-x)
            hinge = tf.nn.relu(1.0 - ops.abs(x))
            self.add_loss(ops.mean(ops.relu(x**2 - 1.0)))
            return leaky + hinge + ops.gelu(x) + ops.hard_sigmoid(x)

    assert not of_kind_op(run_of(tmp_path, chain(Composed(), L.Dense(2))))


def test_in_a_loop_it_is_no_node(tmp_path):
    """The cell is called once before the loop, to learn shapes only."""
    run = run_of(tmp_path / "loop", chain(L.RNN(OwnCell(name="cell"), name="rnn")))
    assert not of_kind_op(run)
    unrolled = run_of(tmp_path / "unrolled", chain(L.RNN(OwnCell(name="cell"), name="rnn", unroll=True)))
    assert len(of_kind_op(unrolled)) == 6


def test_recomputed_layers_have_theirs_once(tmp_path):
    class Recomputed(keras.Model):
        def __init__(self):
            super().__init__(name="recomputed")
            with keras.RematScope(mode="full"):
                self.gated = GatedUnit(name="gated")
            self.out = L.Dense(2, name="out")

        def call(self, x):
            return self.out(self.gated(x))

    assert set(of_kind_op(run_of(tmp_path, Recomputed()))) == {"gated/Sigmoid", "gated/Relu"}


def test_each_call_of_a_shared_layer_has_its_own(tmp_path):
    layer = GatedUnit(name="gated")
    inputs = L.Input((3, 4))
    assert set(of_kind_op(run_of(tmp_path, keras.Model(inputs, layer(layer(inputs)))))) == {
        "gated/Sigmoid",
        "gated/Relu",
        "gated@2/Sigmoid",
        "gated@2/Relu",
    }


def test_of_a_loop_in_python_the_first_few(tmp_path):
    class Unrolled(L.Layer):
        def call(self, x):
            for _ in range(20):
                x = ops.tanh(x + ops.abs(x))
            return x

    found = of_kind_op(run_of(tmp_path, chain(Unrolled(name="unrolled"), L.Dense(2))))
    assert set(found) == {"unrolled/Tanh", *(f"unrolled/Tanh_{number}" for number in range(1, 8))}


LEFT_OUT = [
    ({"exclude": "Softmax"}, "filtered"),
    ({"kinds": ["layer", "loss"]}, "kind_off"),
    ({"quantities": ["gradient"]}, "quantity_off"),
]


@pytest.mark.parametrize(("options", "reason"), LEFT_OUT, ids=[reason for _, reason in LEFT_OUT])
def test_options_leave_it_out_with_their_reason(tmp_path, options, reason):
    node = run_of(tmp_path, chain(Attending()), **options).node("attending/Softmax")
    assert (node.state, node.quantities["value"].reason) == ("available", reason)


def test_eager_steps_have_none(tmp_path):
    assert not of_kind_op(run_of(tmp_path, chain(Attending()), run_eagerly=True))


def test_what_a_rule_has_to_know_of_it(tmp_path):
    class Masked(L.Layer):
        def call(self, x):
            scores = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
            return ops.matmul(ops.softmax(ops.where(np.tril(np.ones((3, 3), bool)), scores, -1e9)), x) * 2.0 * ops.sigmoid(x)

    run = run_of(tmp_path, chain(Masked(name="masked"), Attending()))
    facts = ("inside", "masked", "gate", "last")
    told = {name: {key: node.attributes[key] for key in facts if key in node.attributes} for name, node in of_kind_op(run).items()}
    assert told == {
        "masked/Softmax": {"inside": "masked", "masked": True},
        "masked/Sigmoid": {"inside": "masked", "gate": True, "last": True},
        "attending/Softmax": {"inside": "attending"},
    }
