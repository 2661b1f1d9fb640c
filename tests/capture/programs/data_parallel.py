"""`keras.distribution.DataParallel` over two logical CPUs: the TensorFlow backend trains on one of them. Argument: a directory."""

import sys

import keras
import numpy as np
import tensorflow as tf

import tb_activations as tba

tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
keras.distribution.set_distribution(keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"]))
random = np.random.default_rng(0)
x, y = random.normal(size=(24, 3)).astype("float32"), random.normal(size=(24, 1)).astype("float32")


def train(callbacks):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4, name="hidden"), keras.layers.Dense(1, name="out")])
    model.compile("adam", "mse", jit_compile=False)
    before = model.get_weights()
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks)
    return model, before


plain, _ = train([])
recorded, (kernel, bias, *_) = train([tba.ActivationsCallback(sys.argv[1], every=1, samples="full")])
for one, other in zip(plain.get_weights(), recorded.get_weights(), strict=True):
    np.testing.assert_array_equal(one, other)
devices = {weight.value.device for weight in recorded.weights}
assert len(devices) == 1, devices
run = tba.open_run(f"{sys.argv[1]}/train")
assert run.steps().tolist() == [0, 1, 2]
np.testing.assert_allclose(run.value("hidden", 0), x[:8] @ kernel + bias, rtol=1e-4, atol=1e-6)
assert run.statistics("hidden")["elements"].tolist() == run.statistics("hidden", rank=0)["elements"].tolist() == [32, 32, 32]
