"""Captured values and gradients are those of the step: compared, node by node, with an eager forward pass and a tape of its own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import tb_activations as tba

from . import zoo
from .reference import reference

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer")]


def captured_run(tmp_path, model, x, y, **options):
    callback = tba.ActivationsCallback(tmp_path, every=1, samples="full", histograms=False, **options)
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    return tba.open_run(tmp_path / "train")


def dense(gradient):
    return tf.convert_to_tensor(gradient) if not isinstance(gradient, tf.IndexedSlices) else gradient.values


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", zoo.DETERMINISTIC)
def test_every_node_has_the_value_and_gradient_of_an_independent_computation(tmp_path, name, jit_compile):
    model, x, y = zoo.build(name, optimizer=keras.optimizers.SGD(0.0), jit_compile=jit_compile)
    run = captured_run(tmp_path, model, x, y)
    values, gradients, loss = reference(model, x, y)
    nodes = {node.name: node for node in run.nodes}
    assert set(values) <= set(nodes)
    for name, expected in values.items():
        if nodes[name].kind == "variable" and not nodes[name].trainable:
            continue  # batch normalization has moved its averages since
        np.testing.assert_allclose(run.value(name, 0), expected, rtol=2e-4, atol=1e-5, err_msg=name)
    for name, expected in gradients.items():
        assert nodes[name].quantities["gradient"].state == "materialized", (name, nodes[name].quantities["gradient"])
        np.testing.assert_allclose(run.value(name, 0, "gradient"), dense(expected), rtol=2e-3, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(run.value("loss", 0), loss, rtol=1e-4)
    recorded = {node.name for node in run.nodes if node.quantities["gradient"].state == "materialized" and node.kind in ("layer", "op", "variable")}
    assert recorded == set(gradients) | ({model.name} if model.name in nodes else set())
