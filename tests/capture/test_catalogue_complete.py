"""Nothing is silently missing: every layer and every weight that a model keeps is in the list, with a state for every quantity."""

from __future__ import annotations

from collections import Counter

import keras
import numpy as np
import pytest

import tb_activations as tba
from tb_activations.store.schema import QUANTITIES

from . import zoo

L = keras.layers
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer", "ignore:Gradients do not exist")]


def listed(log_dir, model, x, y):
    """The nodes of a run that records as little as possible: what is listed doesn't depend on what is recorded."""
    recording = {"kinds": ["loss"], "quantities": ["value"], "histograms": False, "samples": "none"}
    callback = tba.ActivationsCallback(log_dir, every=1, **recording, validation=False, print_findings=False)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[callback])
    return tba.open_run(log_dir / "train").nodes


def assert_complete(nodes, model):
    layers = {id(layer): layer for layer in model._flatten_layers(include_self=False, recursive=True)}.values()
    kept = Counter((type(layer).__name__, layer.name) for layer in layers)
    calls = [node for node in nodes if node.kind in ("layer", "input") and "@" not in node.name and ":" not in node.name]
    assert not kept - Counter((node.class_name, node.name.rsplit("/", 1)[-1]) for node in calls)
    weights = Counter((weight.name, tuple(weight.shape)) for weight in model.weights)
    assert not weights - Counter((node.name.rsplit("/", 1)[-1], node.shape) for node in nodes if node.kind == "variable")
    assert len({node.name for node in nodes}) == len(nodes)
    for node in nodes:
        assert set(node.quantities) == set(QUANTITIES)
        for state in node.quantities.values():
            assert state.state == "materialized" or state.sentence, node.name


@pytest.mark.parametrize("name", zoo.ALL)
def test_every_layer_and_weight_is_listed_with_its_states(tmp_path, name):
    model, x, y = zoo.build(name)
    assert_complete(listed(tmp_path, model, x, y), model)


class Deep(keras.Model):
    """A thousand layers; Keras's own functional models stop at its limit of recursion."""

    def __init__(self):
        super().__init__(name="deep")
        self.turns = [L.Activation("tanh", name=f"tanh_{index}") for index in range(999)]
        self.out = L.Dense(4, name="out")

    def call(self, x):
        for turn in self.turns:
            x = turn(x)
        return self.out(x)


def test_of_a_thousand_layers_none_is_missing(tmp_path):
    model = Deep()
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    x = np.ones((8, 4), "float32")
    model.fit(x, x, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1, samples="full", print_findings=False)])
    run = tba.open_run(tmp_path / "train")
    assert_complete(run.nodes, model)
    layers = [node for node in run.nodes if node.name.rsplit("/", 1)[-1].startswith("tanh_")]
    assert len(layers) == 999
    expected = x
    for index in range(999):
        expected = np.tanh(expected)
        np.testing.assert_allclose(run.value(layers[index].name, 0), expected, rtol=1e-4, err_msg=layers[index].name)
