"""Steps that run on the side of plain ones: what they do is taken back, to the last bit, until they have shown to end as those do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture import aside
from tb_activations.capture.sameness import Sameness, same_bits, shapes_of
from tb_activations.capture.undo import Undo

L = keras.layers


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_every_variable_is_what_it_was(compiled):
    random = np.random.default_rng(0)
    weights = [tf.Variable(random.normal(size=size).astype("float32")) for size in (3, 4, 5)]
    count = tf.Variable(7, dtype=tf.int64)
    generator = tf.random.Generator.from_seed(1)
    undo = Undo()

    @tf.function(jit_compile=compiled)
    def step():
        count.assign_add(1)
        weights[0].assign(weights[0] * 1.1 + generator.normal([3]))
        for _ in tf.range(3):
            weights[1].assign_sub(0.1 * weights[1])
        if count > 3:
            weights[2].scatter_nd_update([[1]], [2.0])
        return tf.reduce_sum(weights[0])

    undo.add(step.get_concrete_function().graph)
    assert undo.is_possible
    assert undo.is_ready()
    variables = [*weights, count, generator.state]
    before = [variable.numpy() for variable in variables]
    kept = undo.read()
    first = step()
    changed = [variable.numpy() for variable in variables]
    assert not any(np.array_equal(one, other) for one, other in zip(before, changed, strict=True))
    undo.put_back(kept)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert step() == first
    for variable, value in zip(variables, changed, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_what_is_read_only_is_left_alone_and_so_is_what_is_ours():
    read, written, ours = tf.Variable(1.0), tf.Variable(2.0), tf.Variable(3.0)

    @tf.function
    def step():
        written.assign(read + 1.0)
        ours.assign(read)

    undo = Undo()
    undo.add(step.get_concrete_function().graph, [ours])
    assert [float(value) for value in undo.read()] == [2.0]


@pytest.mark.parametrize("outside", [tf.print, lambda x: tf.py_function(lambda: 1.0, [], tf.float32)], ids=["print", "python"])
def test_what_is_felt_outside_is_refused(outside):
    @tf.function
    def step(x):
        if tf.reduce_sum(x) > 0:
            outside(x)

    undo = Undo()
    undo.add(step.get_concrete_function(tf.ones([2])).graph)
    assert not undo.is_possible


def test_a_variable_that_is_an_argument_is_refused():
    """Another call may be given another one."""

    @tf.function
    def step(variable):
        variable.assign_add(1.0)

    undo = Undo()
    undo.add(step.get_concrete_function(tf.Variable(1.0)).graph)
    assert not undo.is_possible


def compared(sameness, runs, shapes=()):
    found = []
    for _ in range(runs):
        found.append(sameness.is_open(shapes))
        sameness.recorded(shapes, compared=found[-1])
    return [run + 1 for run, is_open in enumerate(found) if is_open]


def test_which_steps_are_compared():
    sameness = Sameness()
    assert compared(sameness, 40) == [1, 2, 3, 4, 8, 16, 32]
    assert compared(sameness, 5, shapes_of(np.zeros((3, 2)))) == [1, 2, 3, 4]
    sameness.begin_trace(never_same=False)
    assert compared(sameness, 5) == [1, 2, 3, 4]
    sameness.settle()
    assert compared(sameness, 5) == [1, 2, 3, 4, 5]


def test_a_trace_that_is_known_to_differ_is_always_compared():
    sameness = Sameness()
    sameness.begin_trace(never_same=True)
    assert compared(sameness, 9) == list(range(1, 10))


def test_the_same_bits():
    quiet, other = np.array([0x7FC00000, 0x7FC00001], "uint32").view("float32")
    assert same_bits([np.float32(1), np.array([np.nan])], [np.float32(1), np.array([np.nan])])
    assert not same_bits([np.array([quiet])], [np.array([other])])
    assert not same_bits([np.float32(0.0)], [np.float32(-0.0)])
    assert not same_bits([np.float32(1)], [np.float64(1)])
    assert not same_bits([np.zeros(2)], [np.zeros((2, 1))])
    assert same_bits([tf.cast([1.5, 2], tf.bfloat16), tf.constant("a")], [tf.cast([1.5, 2], tf.bfloat16), tf.constant("a")])
    assert not same_bits([tf.constant("a")], [tf.constant("b")])
    assert not same_bits([np.zeros(2)], [])


@pytest.mark.slow
def test_another_trace_is_compared_by_itself(make_tiny, data, tmp_path, places):
    """It comes when the first one is trusted, and so its first batch was not kept: nothing of it may get lost."""
    ends = []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=1, samples="full", print_findings=False)]):
        model = make_tiny()
        for of_one_size in (True, False):
            batches = tf.data.Dataset.from_tensor_slices(data).batch(4, drop_remainder=of_one_size)
            model.fit(batches, shuffle=False, verbose=0, callbacks=callbacks)
        ends.append([variable.numpy() for variable in (*model.variables, *model.optimizer.variables)])
    assert same_bits(*ends)
    assert places.seen == (["beside"] * 4 + ["its"] * 2) * 2
    run = tba.open_run(tmp_path / "train")
    for step in range(12):
        first = 4 * (step % 6)
        np.testing.assert_array_equal(run.value("x", step), data[0][first : first + 4])


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "jit_compile", "may_differ"), [("float32", False, True), ("float32", True, False), ("float16", False, False)])
def test_what_is_joined_in_a_plain_graph_is_never_trusted(tmp_path, places, dtype, jit_compile, may_differ):
    """A layer in float32 in front of a residual sum, of which float16 cuts off most of what another rounding changes."""
    x, y = np.random.default_rng(1).normal(size=(48, 8)).astype("float32"), np.arange(48) % 4
    trained = []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=1, print_findings=False)]):
        keras.utils.set_random_seed(5)
        inputs = keras.Input((8,), name="x")
        h = keras.layers.Add(name="sum")([inputs, keras.layers.Dense(8, dtype=dtype, name="full")(inputs)])
        model = keras.Model(inputs, keras.layers.Dense(4, dtype="float16", name="half")(h))
        model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit_compile)
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks)
        trained.append(model.get_weights())
    assert same_bits(*trained)
    assert places.seen[:4] == ["beside"] * 4
    assert places.seen[4:] in ([["beside"] * 2, ["its"] * 2] if may_differ else [["its"] * 2])  # by the processor


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_products_of_tensorflow_s_own_are_trusted_where_they_end_in_the_same_bits(tmp_path, dtype):
    program = Path(__file__).parent / "programs" / "without_onednn.py"
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, program, dtype, tmp_path], env=environment, check=True, timeout=300)


class Linear(L.Layer):
    """A product that a bias is added to by hand, and its input where it is a residual block of itself."""

    def __init__(self, *, is_residual=False, **options):
        super().__init__(**options)
        self._is_residual = is_residual

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")
        self.bias = self.add_weight(shape=(shape[-1],), name="bias")

    def call(self, x):
        y = tf.matmul(x, self.kernel) + self.bias
        return y + x if self._is_residual else y


def residual_depthwise(image):
    return L.Add(name="sum")([image, L.DepthwiseConv2D(3, padding="same", name="full")(image)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("block", "options"),
    [
        (lambda x: L.Activation("tanh", name="bounded")(Linear(name="full")(x)), {}),
        (lambda x: L.Rescaling(0.7, name="scaled")(Linear(is_residual=True, name="full")(x)), {}),
        (lambda x: L.Rescaling(0.7, name="scaled")(L.Add(name="sum")([x, L.Dense(8, name="full")(x)])), {"include": ["sum"]}),
        (lambda x: L.ReLU(dtype="bfloat16", name="rectified")(Linear(is_residual=True, dtype="bfloat16", name="full")(x)), {}),
        (lambda x: L.Flatten(name="flat")(residual_depthwise(L.Reshape((2, 2, 2), name="image")(x))), {}),
    ],
    ids=["added-by-hand", "inside", "not-recorded", "relu", "depthwise"],
)
def test_what_is_joined_is_found_where_it_is_not_told(tmp_path, places, block, options):
    def trained(*callbacks):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((8,), name="x")
        model = keras.Model(inputs, L.Dense(4, dtype="float16", name="half")(block(inputs)))
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
        model.fit(x, y, batch_size=8, verbose=0, shuffle=False, callbacks=callbacks)
        return model.get_weights()

    x, y = np.random.default_rng(1).normal(size=(48, 8)).astype("float32"), np.arange(48) % 4
    ours = trained(tba.ActivationsCallback(tmp_path, every=1, print_findings=False, **options))
    for plain, recorded in zip(trained(), ours, strict=True):
        np.testing.assert_array_equal(plain, recorded)
    assert places.seen[:4] == ["beside"] * 4
    # Whether joined operations end in other bits is up to the processor: with AVX-512 they do, with AVX2 alone these don't.
    assert places.seen[4:] in (["beside"] * 2, ["its"] * 2)


@pytest.mark.slow
def test_a_late_difference_is_told_and_ends_the_trust(make_tiny, data, tmp_path, places, monkeypatch):
    found = iter([True] * 4 + [False])
    monkeypatch.setattr(aside, "same_bits", lambda one, other: next(found))
    model = make_tiny()
    with pytest.warns(RuntimeWarning, match="other last bits than the plain step") as told:
        model.fit(*data, batch_size=2, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, print_findings=False)])
    assert len(told) == 1
    assert places.seen == ["beside"] * 4 + ["its"] * 3 + ["beside"] * 5


@pytest.mark.slow
def test_an_interrupted_step_leaves_nothing_behind(make_tiny, data, lean, monkeypatch):
    """Ctrl-C when the recorded step has changed the weights, and the plain one hasn't run."""
    from tb_activations.capture.twin import Twin

    model = make_tiny()
    model.fit(*data, batch_size=4, verbose=0, shuffle=False)
    before = model.get_weights()
    run = Twin._run

    def interrupted(self, source):
        run(self, source)
        assert not same_bits(before, model.get_weights())
        raise KeyboardInterrupt

    monkeypatch.setattr(Twin, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, batch_size=4, verbose=0, shuffle=False, callbacks=[lean(1)])
    assert same_bits(before, model.get_weights())


@pytest.mark.slow
def test_a_step_that_calls_python_runs_once(tmp_path):
    """It can't be run on the side, and isn't."""
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


@pytest.mark.slow
@pytest.mark.parametrize("due", [[0], [1], [3], range(4)], ids=str)
def test_the_plain_step_beside_a_recorded_one_computes_in_the_memory_of_its_batch(tmp_path, due):
    """A sum of three begins with the batch, which nobody holds when Keras gives it to the step."""

    class Sum(L.Layer):
        def build(self, shape):
            self.large = [self.add_weight(shape=(4, 2), initializer=keras.initializers.Constant(number), trainable=False) for number in (1e8, -1e8)]

        def call(self, x):
            return tf.add_n([*map(tf.convert_to_tensor, self.large), x]) + tf.tanh(x)

    x, y = np.random.default_rng(0).normal(size=(2, 16, 2)).astype("float32")

    def train(callbacks):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([L.Input((2,)), Sum(name="sum"), L.Dense(2, name="out")])
        model.compile("sgd", "mse", jit_compile=False)
        model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
        return model.get_layer("out").get_weights()

    for before, after in zip(train([]), train([tba.ActivationsCallback(tmp_path, every=due)]), strict=True):
        np.testing.assert_array_equal(before, after)
