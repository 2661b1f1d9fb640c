"""Trains in a loop of its own below a tf.distribute strategy and compares the run with numpy on the global batch.

Arguments: "mirrored" (two logical CPUs) or "workers" (two processes, told by TF_CONFIG), where the `tf.function` stands ("outer": around
`strategy.run`, "inner": what is run on the replicas), a directory.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

import tb_activations as tba
from tb_activations.capture.replicas import this_worker

how, compiled, log_dir = sys.argv[1:]
if how == "mirrored":
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
else:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
assert strategy.num_replicas_in_sync == 2
random = np.random.default_rng(0)
x, y = random.normal(size=(24, 12)).astype("float32"), random.normal(size=(24, 1)).astype("float32")
batches = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices((x, y)).batch(8))


def train(recording):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        hidden = keras.layers.Dense(4, activation="relu", name="hidden")
        model = keras.Sequential(
            [keras.layers.Input((12,)), hidden, keras.layers.Dropout(0.2, seed=1, name="drop"), keras.layers.Dense(1, name="out")]
        )
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(model.trainable_variables)
    before = [weight.numpy() for weight in hidden.weights]

    def replica_step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((model(x, training=True) - y) ** 2) / 8
        gradients = tape.gradient(loss, model.trainable_variables)
        if tf.reduce_sum(x) > 1e9:  # AutoGraph's business
            tf.print("large")
        optimizer.apply(tf.distribute.get_replica_context().all_reduce("SUM", gradients), model.trainable_variables)
        return loss

    if compiled == "inner":
        replica_step = tf.function(replica_step)

    def train_step(x, y):
        return strategy.reduce("SUM", strategy.run(replica_step, args=(x, y)), axis=None)

    if compiled == "outer":
        train_step = tf.function(train_step)
    if recording:
        train_step = tba.watch(train_step, model=model, log_dir=log_dir, every=2, samples="full")
    losses = [float(train_step(*batch)) for batch in batches]
    if recording:
        train_step.close()
    return model.get_weights(), losses, before


plain, plain_losses, _ = train(recording=False)
weights, losses, (kernel, bias) = train(recording=True)
assert losses == plain_losses
for one, other in zip(plain, weights, strict=True):
    np.testing.assert_array_equal(one, other)

if how == "workers":
    # Both have written when both are here.
    replica = tf.distribute.get_replica_context
    strategy.run(lambda: replica().all_reduce("SUM", tf.ones([])))
run = tba.open_run(f"{log_dir}/train")
assert run.steps().tolist() == [0, 2], run.steps()
expected = np.maximum(x[:8] @ kernel + bias, 0)
merged = run.statistics("hidden")
for name, value in {"min": expected.min(), "max": expected.max(), "mean": expected.mean(), "std": expected.std()}.items():
    np.testing.assert_allclose(merged[name][0], value, rtol=1e-4, atol=1e-6, err_msg=name)
assert merged["elements"].tolist() == [32, 32]
for rank, half in enumerate((expected[:4], expected[4:])):
    alone = run.statistics("hidden", rank=rank)
    np.testing.assert_allclose(alone["max"][0], half.max(), rtol=1e-5, atol=1e-6)
    assert alone["elements"].tolist() == [16, 16]
np.testing.assert_allclose(run.value("hidden", 0), expected, rtol=1e-4, atol=1e-6)
np.testing.assert_array_equal(run.value("hidden/kernel", 0), kernel)
assert run.histogram("hidden").counts.sum(1).tolist() == [32, 32]
assert run.steps("hidden/kernel", "update").tolist() == [0, 2]
states = {node.name: node.state for node in run.nodes}
assert states["hidden"] == states["drop"] == states["out"] == states["loss"] == "materialized", states
assert {worker.name.split("-")[2] for worker in run.path.glob("plugins/*/segment-*")} == {f"{n:04}" for n in range(this_worker()[1])}
