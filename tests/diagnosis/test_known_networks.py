"""A network that everybody trains begins without a finding, though its initializers and its narrow layers are not the usual ones."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba


@pytest.mark.slow
def test_efficientnet_begins_well(tmp_path):
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    model = keras.applications.EfficientNetV2B0(weights=None, input_shape=(64, 64, 3), classes=10)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    images, labels = random.integers(0, 256, (8, 64, 64, 3)).astype("float32"), random.integers(0, 10, 8)
    model.fit(images, labels, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1)])
    run = tba.open_run(tmp_path / "train")
    assert run.steps("block4a_se_reduce/kernel").tolist() == [0]
    assert [(f.rule, f.node) for f in run.findings] == []


@pytest.mark.slow
def test_pictures_of_bytes_need_no_scaling_in_front_of_a_batch_normalization(tmp_path):
    """The network is the same function of its weights, and so is its gradient."""
    x, y = np.random.default_rng(1).integers(0, 256, (32, 16, 16, 3)).astype("float32"), np.arange(32) % 3
    weights = []
    for scale in (1.0, 1 / 256):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Conv2D(8, 3, name="conv"), keras.layers.BatchNormalization(epsilon=1e-9, name="norm"), keras.layers.ReLU(name="relu")]
        model = keras.Sequential(
            [keras.Input((16, 16, 3), name="pixels"), *layers, keras.layers.Flatten(name="flat"), keras.layers.Dense(3, name="out")]
        )
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
        run = tmp_path / str(scale)
        model.fit(scale * x, y, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[tba.ActivationsCallback(run, every=1)])
        assert tba.open_run(run / "train").findings == ()
        weights.append(model.get_layer("conv").get_weights()[0])
    np.testing.assert_allclose(*weights, atol=1e-4)
