"""Gradients that taps bring back in other groups: told from those that come in the groups of the plain step."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tb_activations.capture.gradient_sums import Tap, adds_in_other_groups
from tb_activations.capture.taps import tap


@pytest.fixture
def heard():
    """Taps a tensor; ``heard.taps`` are the taps that were made."""

    def heard(x):
        heard.taps.append(Tap(x, []))
        return tap(x, heard.taps[-1].heard.append)

    heard.taps = []
    return heard


def other_groups(taken, heard):
    """What is said of a step whose loss is ``taken`` of a tensor."""
    answer = []

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            made = tf.exp(x)
            loss = taken(made, heard)
        tape.gradient(loss, x)
        answer.append(adds_in_other_groups(heard.taps, [loss], loss.graph))

    step.get_concrete_function(tf.TensorSpec([3]))
    return answer[-1]


def once(x):
    return tf.reduce_sum(tf.sin(x))


def twice(x):
    return tf.reduce_sum(tf.sin(x) + tf.cos(x))


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (lambda x, heard: twice(heard(x)), False),
        (lambda x, heard: twice(heard(x)) + twice(heard(heard(x))), True),  # (a + b) + (c + d)
        (lambda x, heard: once(heard(x)) + once(heard(x)), False),  # the sum of two is one number
        (lambda x, heard: once(heard(x)) + once(x), False),
        (lambda x, heard: twice(heard(x)) + once(x), True),
        (lambda x, heard: tf.reduce_sum(tf.square(heard(x))) + once(x), False),  # a square takes its input at one place
        (lambda x, heard: tf.reduce_sum(tf.multiply(*[heard(x)] * 2)) + once(x), True),  # a product at two
        (lambda x, heard: once(heard(heard(x))), False),
        (lambda x, heard: twice(heard(x)) + tf.cast(tf.argmax(x), tf.float32), False),  # no gradient comes back
        (lambda x, heard: twice(heard(x)) + once(tf.stop_gradient(x)), False),
    ],
)
def test_groups_of_gradients(taken, expected, heard):
    assert other_groups(taken, heard) is expected


def test_inside_a_loop(heard):
    answers = []

    def body(count, x):
        made = tf.exp(-x)
        return count + 1, made * tf.reduce_sum(heard(made)) + twice(heard(made))

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.while_loop(lambda count, _: count < 3, body, (0, x))[1])
        tape.gradient(loss, x)
        answers.extend(adds_in_other_groups(taps, [loss], loss.graph) for taps in (heard.taps, heard.taps[:1]))

    step.get_concrete_function(tf.TensorSpec([3]))
    assert answers == [True, False]
