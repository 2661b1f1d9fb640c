"""Steps that run on the side: what they change is taken back, to the last bit, and they are refused where that can't be done."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.last_bits import may_differ
from tb_activations.capture.undo import Undo

L = keras.layers


def taken_back(step):
    """``step`` as a function that takes back what it does, and returns what it returned."""

    def traced():
        undo = Undo(tf.compat.v1.get_default_graph())
        with undo.watching():
            result = step()
        assert undo.is_possible()
        undo.take_back()
        return result

    return traced


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_every_variable_is_what_it_was(compiled):
    random = np.random.default_rng(0)
    weights = [tf.Variable(random.normal(size=size).astype("float32")) for size in (3, 4, 5)]
    count = tf.Variable(7, dtype=tf.int64)
    generator = tf.random.Generator.from_seed(1)

    def step():
        count.assign_add(1)
        weights[0].assign(weights[0] * 1.1 + generator.normal([3]))
        for _ in tf.range(3):
            weights[1].assign_sub(0.1 * weights[1])
        if count > 3:
            weights[2].scatter_nd_update([[1]], [2.0])
        return tf.reduce_sum(weights[0])

    variables = [*weights, count, generator.state]
    before = [variable.numpy() for variable in variables]
    result = tf.function(taken_back(tf.autograph.to_graph(step)), autograph=False, jit_compile=compiled)()
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    step()  # eagerly: what the other gave is what a real step gives, where XLA has no random numbers of its own
    assert compiled or abs(result - tf.reduce_sum(weights[0])) < 1e-5
    assert count.numpy() == 8


@pytest.mark.parametrize("outside", [tf.print, lambda x: tf.py_function(lambda: 1.0, [], tf.float32)], ids=["print", "python"])
def test_what_is_felt_outside_is_refused(outside):
    possible = []

    @tf.function
    def traced(x):
        undo = Undo(tf.compat.v1.get_default_graph())
        if tf.reduce_sum(x) > 0:
            outside(x)
        possible.append(undo.is_possible())

    traced.get_concrete_function(tf.ones([2]))
    assert possible == [False]


def differs(build):
    """What `may_differ` says of a step that records all that ``build`` returns, without taps."""
    found = []

    @tf.function
    def traced(x, w):
        found.append(may_differ([], build(x, w)))

    traced.get_concrete_function(tf.ones([2, 3]), tf.ones([3, 3]))
    return found[0]


def test_operations_that_would_be_joined():
    def product(x, w):
        y = 2.0 * x
        _ = 3.0 * y
        return [y]

    def used_twice(x, w):
        y = 2.0 * x
        _ = 3.0 * y + y
        return [y]

    def activated(x, w):
        y = tf.matmul(x, w)
        _ = tf.tanh(y)
        return [y]

    def rectified(x, w):
        y = tf.matmul(x, w)
        _ = tf.nn.relu(y)
        return [y]

    assert [differs(build) for build in (product, used_twice, activated, rectified)] == [True, False, True, False]


@pytest.mark.slow
def test_a_step_that_calls_python_runs_once(tmp_path):
    """Its loop would be reason enough to run it on the side."""
    calls = []

    class Counting(L.Layer):
        def call(self, x):
            count = tf.numpy_function(lambda: np.float32(calls.append(1) is None), [], tf.float32)
            return x * tf.reshape(count, [])

        def compute_output_shape(self, shape):
            return shape

    model = keras.Sequential([L.Input((4, 3)), Counting(), L.GRU(2, name="gru"), L.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    data = np.ones((8, 4, 3), "float32"), np.ones((8, 1), "float32")
    model.fit(*data, batch_size=4, epochs=2, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    assert len(calls) == 4
    assert tba.open_run(tmp_path / "train").steps("gru/gru_cell").tolist() == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_no_batch_is_lost_or_seen_twice(tmp_path, kind):
    """Values that are recorded are those of the batch and the weights of the step."""
    x = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
    keras.utils.set_random_seed(0)
    inputs = L.Input((4,), sparse=kind == "sparse", name="x")
    scaled = L.Rescaling(3.0, name="more")(L.Rescaling(2.0, name="scaled")(L.Dense(2, name="hidden")(inputs)))
    model = keras.Model(inputs, L.Dense(1, name="out")(scaled))
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    given = tf.sparse.from_dense(x) if kind == "sparse" else x
    data = tf.data.Dataset.from_tensor_slices((given, x[:, :1])).batch(4)
    kept = []
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="full", print_findings=False)
    keep = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: kept.append(model.get_layer("hidden").get_weights()))
    model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=[callback, keep])
    assert int(model.optimizer.iterations.numpy()) == 6
    run = tba.open_run(tmp_path / "train")
    for step, (kernel, bias) in enumerate(kept):
        batch = x[4 * (step % 3) :][:4]
        np.testing.assert_allclose(run.value("scaled", step), 2 * (batch @ kernel + bias), rtol=1e-5, atol=1e-6)
