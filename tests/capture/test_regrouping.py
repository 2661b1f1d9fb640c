"""A recorded sum is computed once more, so that TensorFlow's graph optimizer may go on adding in its own order."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_activations.capture.operations import SCOPE
from tb_activations.capture.regrouping import is_joined, leaving_the_order
from tb_activations.capture.taps import tap

VECTOR = [tf.TensorSpec([None, 4])]


def traced(make):
    """The result of ``make`` as a function, and what it returned in the graph."""
    kept = {}

    @tf.function(input_signature=VECTOR, autograph=False)
    def function(x):
        kept.update(make(x))
        with tf.name_scope(SCOPE):
            return leaving_the_order({key: tensor for key, tensor in kept.items() if key.startswith("recorded")})

    return function.get_concrete_function(), kept


def takers(tensor):
    return [op.type for op in tensor.consumers()]


def test_what_one_sum_takes_still_has_one_taker():
    def make(x):
        inner = 3 * x
        biased = inner + tf.constant([1.0, 2.0, 3.0, 4.0])
        return {"recorded": biased, "inner": inner, "total": x * x + biased}

    function, kept = traced(make)
    assert takers(kept["recorded"]) == ["AddV2"]
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(function(tf.constant(x))["recorded"], 3 * x + np.array([1, 2, 3, 4], np.float32))


def test_sums_inside_sums_keep_one_taker_each():
    def make(x):
        first = tf.exp(x) + 1.0
        second = first + 2.0
        return {"recorded 1": first, "recorded 2": second, "total": tf.add_n([second, x, x])}

    function, kept = traced(make)
    assert takers(kept["recorded 1"]) == ["AddV2"]
    assert takers(kept["recorded 2"]) == ["AddN"]
    x = np.linspace(-1, 1, 4, dtype=np.float32)[None]
    np.testing.assert_allclose(function(tf.constant(x))["recorded 2"], np.exp(x) + 3, rtol=1e-6)


def test_a_copy_takes_nothing_from_a_sum_that_only_the_step_takes():
    def make(x):
        first = tf.exp(x) + 1.0
        second = first + 2.0
        return {"first": first, "recorded": second, "total": second + x}

    _, kept = traced(make)
    assert takers(kept["first"]) == ["AddV2"]


def test_behind_a_tap():
    def make(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            biased = tf.exp(x) + 1.0
            total = tap(biased, lambda gradient: None) + x
        tape.gradient(total, x)
        return {"recorded": biased, "total": total}

    function, kept = traced(make)
    copy = function.structured_outputs["recorded"]
    assert copy.op is not kept["recorded"].op
    np.testing.assert_array_equal(function(tf.zeros([1, 4]))["recorded"], [[2, 2, 2, 2]])


def test_behind_what_changes_nothing():
    """A metric takes the sum of a loss that is one number already."""

    def make(x):
        loss = tf.reduce_mean(x) + tf.reduce_mean(tf.exp(x))
        metric = tf.cast(tf.reshape(tf.reduce_sum(loss), []), loss.dtype)
        return {"recorded 1": loss, "recorded 2": metric, "total": metric + tf.reduce_max(x)}

    function, kept = traced(make)
    outputs = function.structured_outputs
    assert takers(kept["recorded 1"]) == ["Sum"]
    assert takers(kept["recorded 2"]) == ["AddV2"]
    assert [outputs[key].op.inputs[0].op.type for key in ("recorded 1", "recorded 2")] == ["AddV2", "AddV2"]


def test_what_is_not_regrouped_is_recorded_itself():
    def make(x):
        twice_taken = x + 1.0
        rectified = x + 2.0
        exponential = tf.exp(x)
        others = {"root": twice_taken * twice_taken + twice_taken, "relu": tf.nn.relu(rectified), "sum": exponential + x}
        return {"recorded 1": twice_taken, "recorded 2": rectified, "recorded 3": exponential, **others}

    function, kept = traced(make)
    outputs = function.structured_outputs
    same = [key for key in outputs if any(out.op.inputs[0] is kept[key] for out in [outputs[key]] if out.op.type == "Identity")]
    assert same == ["recorded 1", "recorded 2", "recorded 3"]


def test_the_order_is_the_one_of_the_plain_function():
    """TensorFlow really adds in another order where the sum itself is recorded; where its copy is, in the same."""
    x = tf.constant(np.random.default_rng(0).normal(size=(1000, 4)), tf.float32)

    def total(record):
        @tf.function(input_signature=VECTOR, autograph=False)
        def function(x):
            biased = tf.exp(x) * x + [0.1, 0.2, 0.3, 0.4]
            return {"total": tf.sin(x) + biased, **record({"recorded": biased})}

        return function(x)["total"].numpy()

    plain, itself, copied = total(lambda tensors: {}), total(lambda tensors: tensors), total(leaving_the_order)
    assert not np.array_equal(plain, itself)
    np.testing.assert_array_equal(plain, copied)


def test_what_is_passed_on_together_with_others():
    """As gradients are in front of an optimizer: a product of two and the learning rate is multiplied in another order where it is recorded."""
    x = tf.constant(np.random.default_rng(0).normal(size=(1000, 4)), tf.float32)
    rate = tf.Variable(0.07)

    def update(record):
        @tf.function(input_signature=VECTOR, autograph=False)
        def function(x):
            both = tf.exp(x) + tf.sin(x)
            gradient = both * tf.math.rsqrt(x * x + 1.0)
            passed, other = tf.raw_ops.IdentityN(input=[gradient, tf.cos(x)])
            return {"update": passed * rate, "also": both - other, **record({"recorded": gradient})}

        return function(x)["update"].numpy()

    plain, itself, copied = update(lambda tensors: {}), update(lambda tensors: tensors), update(leaving_the_order)
    assert not np.array_equal(plain, itself)
    np.testing.assert_array_equal(plain, copied)


def test_a_loss_and_its_metric():
    """A loss that is the sum of two is added to a metric's total part by part; so it is where it is recorded."""
    x = tf.constant(np.random.default_rng(0).normal(size=(200, 3)), tf.float32)

    def totals(record):
        metric = keras.metrics.Sum()

        @tf.function(input_signature=[tf.TensorSpec([3])], autograph=False)
        def function(x):
            loss = tf.exp(x[0]) + tf.sin(x[1])
            metric.update_state(loss)
            return {"total": metric.result(), **record({"recorded": loss})}

        return [float(function(row)["total"]) for row in x]

    plain, itself, copied = totals(lambda tensors: {}), totals(lambda tensors: tensors), totals(leaving_the_order)
    assert plain != itself
    assert plain == copied


def test_a_loss_with_a_penalty_and_its_metric():
    """A sum of three begins with the part that nobody else takes: so every part of the loss still has one taker."""
    x = tf.constant(np.random.default_rng(0).normal(size=(200, 3)), tf.float32)
    kept = {}

    def totals(record):
        metric = keras.metrics.Sum()

        @tf.function(input_signature=[tf.TensorSpec([3])], autograph=False)
        def function(x):
            kept["error"] = tf.math.divide_no_nan(tf.reduce_sum(tf.exp(x)), 3)
            loss = kept["error"] + 0.1 * tf.reduce_mean(tf.square(x))
            metric.update_state(loss)
            with tf.name_scope(SCOPE):
                return {"total": metric.result(), **record({"recorded": loss})}

        return [float(function(row)["total"]) for row in x]

    plain, copied = totals(lambda tensors: {}), totals(leaving_the_order)
    assert takers(kept["error"]) == ["AddV2"]
    assert plain == copied


def test_a_number_that_is_in_a_loss_and_in_a_metric_has_no_third_taker():
    def make(x):
        error = tf.reduce_sum(tf.exp(x)) / 3
        penalty = tf.reduce_mean(tf.square(x))
        loss = error + 0.1 * penalty
        others = {"total": loss + tf.reduce_min(x), "metric": error + tf.reduce_max(x), "other": 0.3 * penalty}
        return {"error": error, "penalty": penalty, "recorded": loss, **others}

    function, kept = traced(make)
    assert takers(kept["error"]) == ["AddV2", "AddV2"]
    assert takers(kept["penalty"]) == ["Mul", "Mul"]
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(function(tf.constant(x))["recorded"], np.exp(x).sum() / 3 + 0.1 * (x**2).mean(), rtol=1e-6)


@pytest.mark.parametrize(
    ("taken", "dtype", "joined"),
    [
        (lambda y, x: y + x, tf.float32, True),
        (lambda y, x: tf.identity(y) + x, tf.float32, True),
        (lambda y, x: tf.tanh(tap(y, print)), tf.float32, True),
        (lambda y, x: tf.nn.relu(y), tf.float32, False),
        (lambda y, x: y * x, tf.float32, False),
        (lambda y, x: y + tf.exp(y), tf.float32, False),
        (lambda y, x: y + x, tf.float16, False),
    ],
)
def test_a_product_with_its_bias_that_is_not_made_by_itself(taken, dtype, joined):
    answers = []

    @tf.function(input_signature=VECTOR, autograph=False)
    def function(x):
        x = tf.cast(x, dtype)
        biased = tf.nn.bias_add(tf.matmul(x, tf.ones([4, 4], dtype)), tf.ones([4], dtype))
        taken(biased, x)
        answers.append(is_joined(biased))

    function.get_concrete_function()
    assert answers == [joined]


@pytest.mark.parametrize(
    ("units", "other", "joined"),
    [
        (1, lambda x: x, False),
        (1, lambda x: tf.reshape(x, [1, 300, 4]), False),
        (4, lambda x: tf.ones([1, 4]), True),
    ],
)
def test_a_product_that_is_repeated_to_be_added_is_made_by_itself(units, other, joined):
    """As the value of a state is, by the advantages of its actions. Where the other is repeated, TensorFlow may add it to the bias instead."""
    x = tf.constant(np.random.default_rng(0).normal(size=(300, 4)), tf.float32)
    kernel, bias, answers = tf.Variable(np.linspace(-1, 1, 4 * units, dtype=np.float32).reshape(4, units)), tf.Variable([0.1] * units), []

    def totals(record):
        @tf.function(input_signature=[tf.TensorSpec([300, 4])], autograph=False)
        def function(x):
            biased = tf.nn.bias_add(tf.matmul(x, kernel), bias)
            total = tf.sin(biased + other(x))
            answers.append(is_joined(biased))
            return total, record(biased)

        return function(x)[0].numpy()

    is_same = np.array_equal(totals(lambda tensor: ()), totals(lambda tensor: tensor))
    assert answers == [joined, joined]
    assert is_same != joined


@pytest.mark.parametrize(
    ("biased", "joined"),
    [
        (lambda product: product + tf.ones([4]), True),
        (lambda product: tf.ones([4]) + product, True),
        (lambda product: product + tf.ones([1, 4]), False),
        (lambda product: tf.exp(product) + tf.ones([4]), False),
    ],
)
def test_a_bias_that_is_added_by_hand_is_one(biased, joined):
    answers = []

    @tf.function(input_signature=VECTOR, autograph=False)
    def function(x):
        y = biased(tf.matmul(x, tf.ones([4, 4])))
        tf.tanh(y)
        answers.append(is_joined(y))

    function.get_concrete_function()
    assert answers == [joined]


@pytest.mark.parametrize(("taken", "joined"), [(lambda total: 0.5 * total, True), (tf.exp, False)])
def test_a_copy_of_a_sum_parts_what_is_joined_with_it(taken, joined):
    answers = []

    @tf.function(input_signature=VECTOR, autograph=False)
    def function(x):
        total = x + tf.nn.bias_add(tf.matmul(x, tf.ones([4, 4])), tf.ones([4]))
        taken(total)
        answers.append(is_joined(total))

    function.get_concrete_function()
    assert answers == [joined]


@pytest.mark.parametrize(
    ("taken", "dtype", "joined"),
    [
        (tf.nn.relu, tf.float32, [True, True]),
        (tf.nn.relu, tf.bfloat16, [True, True]),
        (tf.nn.relu, tf.float16, [False, False]),
        (tf.tanh, tf.bfloat16, [False, False]),
        (tf.tanh, tf.float32, [True, False]),
    ],
)
def test_a_product_a_sum_and_a_relu_at_which_tensorflow_fails(taken, dtype, joined):
    answers = []

    @tf.function(input_signature=VECTOR, autograph=False)
    def function(x):
        x = tf.cast(x, dtype)
        biased = tf.nn.bias_add(tf.matmul(x, tf.ones([4, 4], dtype)), tf.ones([4], dtype))
        total = x + biased
        taken(total)
        answers.extend([is_joined(biased), is_joined(total)])

    function.get_concrete_function()
    assert answers == joined


@pytest.mark.parametrize(("taken", "joined"), [(lambda y, x: y + x, True), (lambda y, x: tf.tanh(y), False)])
def test_a_depthwise_convolution_and_a_sum_at_which_tensorflow_fails(taken, joined):
    answers = []

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 2])], autograph=False)
    def function(x):
        filtered = tf.nn.depthwise_conv2d(x, tf.ones([3, 3, 2, 1]), [1, 1, 1, 1], "SAME")
        biased = tf.nn.bias_add(filtered, tf.ones([2]))
        taken(biased, x)
        answers.append(is_joined(biased))

    function.get_concrete_function()
    assert answers == [joined]
