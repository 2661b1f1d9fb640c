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
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    images, labels = random.integers(0, 256, (8, 64, 64, 3)).astype("float32"), random.integers(0, 10, 8)
    model.fit(images, labels, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(tmp_path, every=1)])
    run = tba.open_run(tmp_path / "train")
    assert run.steps("block4a_se_reduce/kernel").tolist() == [0]
    assert [(f.rule, f.node) for f in run.findings] == []
