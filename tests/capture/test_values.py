"""Captured values and gradients are those of the step: compared, node by node, with an eager forward pass and a tape of its own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.structure import Structure

from . import zoo
from .reference import reference

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer")]


def captured_run(tmp_path, model, x, y, **options):
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="full", histograms=False, **options)
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    return tba.open_run(tmp_path / "train")


def dense(gradient):
    return tf.convert_to_tensor(gradient) if not isinstance(gradient, tf.IndexedSlices) else gradient.values


MODES = {"graph": {"jit_compile": False}, "xla": {"jit_compile": True}, "eager": {"run_eagerly": True}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", zoo.DETERMINISTIC)
def test_every_node_has_the_value_and_gradient_of_an_independent_computation(tmp_path, name, mode):
    model, x, y = zoo.build(name, optimizer=keras.optimizers.SGD(0.0), **MODES[mode])
    # What steps move by themselves, such as averages. Variables that the first step makes are what they began as.
    before = {weight_name: weight.numpy() for weight_name, weight, _ in Structure(model).owners() if not weight.trainable}
    run = captured_run(tmp_path, model, x, y)
    values, gradients, loss = reference(model, x, y)
    nodes = {node.name: node for node in run.nodes}
    assert set(values) <= set(nodes)
    fed = [node.name for node in run.nodes if node.kind == "input" and "/" not in node.name]
    for input_name, expected in zip(fed, tf.nest.flatten(x), strict=True):
        np.testing.assert_array_equal(run.value(input_name, 0), expected)
    shown = {node.name for node in run.nodes if node.kind in ("layer", "op", "probe") and node.quantities["value"].state == "materialized"}
    assert shown <= set(values) | {model.name}
    for name, expected in (values | before).items():
        np.testing.assert_allclose(run.value(name, 0), expected, rtol=2e-4, atol=1e-5, err_msg=name)
    for name, expected in gradients.items():
        assert nodes[name].quantities["gradient"].state == "materialized", (name, nodes[name].quantities["gradient"])
        np.testing.assert_allclose(run.value(name, 0, "gradient"), dense(expected), rtol=2e-3, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(run.value("loss", 0), loss, rtol=1e-4)
    recorded = {
        node.name for node in run.nodes if node.quantities["gradient"].state == "materialized" and node.kind in ("layer", "op", "probe", "variable")
    }
    assert recorded == set(gradients) | ({model.name} if model.name in nodes else set())
