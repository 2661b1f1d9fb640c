"""What docs/distribution.md says of `fit` on several workers is so without this package: Keras fails before the first step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
data = tf.data.Dataset.from_tensor_slices((np.ones((8, 3)), np.ones((8, 1)))).batch(8)
with pytest.raises(ValueError, match=r"Attempt to convert a value \(PerReplica:"):  # else docs/distribution.md is to be changed
    model.fit(data, shuffle=False, verbose=0)
