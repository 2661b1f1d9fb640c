"""Batches that are fed to a step: the same ones, whatever becomes of the step."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import tensorflow as tf

from tb_activations.capture.batches import Feed


@tf.function
def step(batches, is_right):
    tf.debugging.Assert(is_right, ["the step fails"])
    return tf.reduce_sum(next(batches))


@pytest.mark.slow
def test_a_batch_can_be_read_after_a_step_that_failed_while_it_was_reading():
    """Which it does by chance, one time in fifty."""
    feed, source = Feed(), iter(tf.data.Dataset.range(1, 10_000).batch(4))
    for first in range(1, 600, 4):
        feed.prepare(source)
        batch = feed.take(source)
        with pytest.raises(tf.errors.InvalidArgumentError, match="the step fails"):
            step(feed.give(batch), tf.constant(False))
        feed.renew()
        assert step(feed.give(batch), tf.constant(True)) == np.arange(first, first + 4).sum()


def test_a_step_that_asks_for_more_finds_the_end_of_the_data_and_the_next_one_its_batch():
    @tf.function
    def step(batches):
        first = next(batches)
        return first, batches.get_next_as_optional().has_value()

    feed, source = Feed(), iter(tf.data.Dataset.range(1, 13).batch(4))
    for first in (1, 5, 9):
        feed.prepare(source)
        numbers, has_more = step(feed.hand_over(feed.take(source)))
        assert numbers.numpy().tolist() == list(range(first, first + 4))
        assert not has_more


def test_the_data_of_an_epoch_is_let_go_of_when_keras_does():
    """It holds a buffer that is shuffled, and threads that read ahead."""
    feed, source = Feed(), iter(tf.data.Dataset.range(1, 100).batch(4))
    feed.prepare(source)
    batch, alive = feed.take(source), weakref.ref(source)
    del source
    assert alive() is None
    assert step(feed.give(batch), tf.constant(True)) == 1 + 2 + 3 + 4


def test_functions_that_run_eagerly_are_given_batches_as_they_are(monkeypatch):
    """Nothing of `tf.data` is made for them: TensorFlow warns each time. Keras before 3.7 asks for the next one, later versions go through all."""
    feed, source = Feed(), iter(tf.data.Dataset.range(1, 100).batch(4))
    tf.config.run_functions_eagerly(True)
    try:
        monkeypatch.setattr(tf.data.Dataset, "map", None)
        feed.prepare(source)
        batch = feed.take(source)
        assert next(feed.give(batch)).numpy().tolist() == [1, 2, 3, 4]
        assert [given.numpy().tolist() for given in feed.give(batch)] == [[1, 2, 3, 4]]
    finally:
        tf.config.run_functions_eagerly(False)
