"""Trains on two logical CPUs and compares the run with numpy on the global batch. Argument: a directory."""

import sys

import keras
import numpy as np
import tensorflow as tf

import tb_activations as tba

tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
random = np.random.default_rng(0)
x, y = random.normal(size=(22, 12)).astype("float32"), random.normal(size=(22, 1)).astype("float32")
# One for both: TensorFlow numbers the collective operations of each strategy from the start, and confuses those of two.
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def train(callbacks):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        hidden = keras.layers.Dense(4, activation="relu", name="hidden")
        model = keras.Sequential([keras.layers.Input((12,)), hidden, keras.layers.Dropout(0.2, seed=1), keras.layers.Dense(1, name="out")])
        model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [weight.numpy() for weight in hidden.weights]
    model.fit(x, y, batch_size=8, epochs=1, verbose=0, shuffle=False, callbacks=callbacks)
    return model, before


plain, _ = train([])
recorded, (kernel, bias) = train([tba.ActivationsCallback(sys.argv[1], every=2, samples="full")])
for one, other in zip(plain.get_weights(), recorded.get_weights(), strict=True):
    np.testing.assert_array_equal(one, other)
run = tba.open_run(f"{sys.argv[1]}/train")
assert run.steps().tolist() == [0, 2], run.steps()  # step 2 has six examples
expected = np.maximum(x[:8] @ kernel + bias, 0)
merged = run.statistics("hidden")
for name, value in {"min": expected.min(), "max": expected.max(), "mean": expected.mean(), "std": expected.std()}.items():
    np.testing.assert_allclose(merged[name][0], value, rtol=1e-4, atol=1e-6, err_msg=name)
assert merged["elements"].tolist() == [32, 24]
for rank, half in enumerate((expected[:4], expected[4:])):
    alone = run.statistics("hidden", rank=rank)
    np.testing.assert_allclose(alone["max"][0], half.max(), rtol=1e-5, atol=1e-6)
    assert alone["elements"].tolist() == [16, 12]
np.testing.assert_allclose(run.value("hidden", 0), expected, rtol=1e-4, atol=1e-6)
np.testing.assert_array_equal(run.value("hidden/kernel", 0), kernel)
assert run.histogram("hidden").counts.sum(1).tolist() == [32, 24]

recorded.predict(x, batch_size=8, verbose=0, callbacks=[tba.ActivationsCallback(sys.argv[1], samples="full")])
kernel, bias = (weight.numpy() for weight in recorded.get_layer("hidden").weights)
expected = np.maximum(x[:8] @ kernel + bias, 0)
predicted = tba.open_run(f"{sys.argv[1]}/predict")
np.testing.assert_allclose(predicted.value("hidden", predicted.steps()[0]), expected, rtol=1e-4, atol=1e-6)
assert predicted.statistics("hidden")["elements"].tolist() == [32]
np.testing.assert_allclose(predicted.statistics("hidden", rank=1)["max"], [expected[4:].max()], rtol=1e-5, atol=1e-6)

images = random.normal(size=(8, 64, 64, 1)).astype("float32")
with strategy.scope():
    pictures = keras.layers.Input((64, 64, 1), name="image")
    seeing = keras.Sequential([pictures, keras.layers.Conv2D(1, 3, name="conv"), keras.layers.GlobalMaxPooling2D()])
    seeing.compile("sgd", "mse")
seeing.fit(images, y[:8], verbose=0, shuffle=False, callbacks=[tba.ActivationsCallback(f"{sys.argv[1]}/images", every=1)])
numbers, strides = tba.open_run(f"{sys.argv[1]}/images/train").sample("image", 0)
assert strides == (1, 2, 2, 1)
np.testing.assert_array_equal(numbers, images[[0, 1, 4, 5], ::2, ::2])  # two examples of each replica have 2,048 numbers
