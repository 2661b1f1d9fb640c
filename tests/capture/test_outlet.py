"""Tensors that leave a plain graph through queues."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from tb_activations.capture import outlet
from tb_activations.capture.outlet import Outlet


@pytest.mark.parametrize("count", [1, 2, 20])
def test_everything_is_taken_in_the_order_of_the_names(count):
    made = []

    @tf.function
    def step(x):
        tensors = [x + float(index) for index in range(count)]
        made.append(Outlet(tensors[::-1]))

    for first in (0.0, 100.0):
        step(tf.constant(first))
        assert [float(tensor) for tensor in made[0].take()] == [first + index for index in range(count)][::-1]
    assert len(made) == 1


def test_what_a_step_left_that_failed_is_passed_over():
    made = []

    @tf.function
    def step(x):
        first = x + 1.0
        with tf.control_dependencies([tf.debugging.assert_less(x, 10.0)]):
            second = first + 1.0
        made.append(Outlet([first, second]))

    with pytest.raises(tf.errors.InvalidArgumentError):
        step(tf.constant(20.0))
    step(tf.constant(1.0))
    assert [float(tensor) for tensor in made[0].take()] == [2, 3]


@pytest.mark.parametrize(("queues", "is_rewritten"), [(outlet._QUEUES, False), (1, True)])
def test_tensorflow_finds_no_reason_to_save_memory(queues, is_rewritten, monkeypatch):
    """Where all are alive at the end it estimates more than it grants a CPU, and adds three numbers up in whatever order they come."""
    monkeypatch.setattr(outlet, "_QUEUES", queues)
    made = []

    @tf.function
    def step(x):
        tensors = [x]
        for _ in range(12):
            tensors.append(tf.sin(tensors[-1]))
        made.append(Outlet(tensors))
        return tf.reduce_sum(tf.add_n([tf.exp(tensors[-1]), tf.cos(tensors[-1]), tf.tan(tensors[-1])]))

    assert ("TemporaryVariable" in types_that_ran(step, tf.ones([5_000_000]))) == is_rewritten


def types_that_ran(function, argument):
    """Types of the operations that TensorFlow ran after all its optimizations."""
    context.enable_run_metadata()
    try:
        np.asarray(function(argument))
        graphs = context.export_run_metadata().partition_graphs
        return {node.op for graph in graphs for node in graph.node}
    finally:
        context.disable_run_metadata()
