"""Convolutional networks on handwritten digits and on waves."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy


def convnet(filters: Any = (12, 24), optimizer: Any = "adam", activation: str = "relu", batchnorm: bool = False, **arguments: Any) -> keras.Model:
    """Convolutions `conv_0` …, each followed by pooling, then `dense` and `output`."""
    inputs = x = keras.Input((8, 8, 1), name="pixels")
    for index, count in enumerate(filters):
        x = layers.Conv2D(count, 3, padding="same", activation=None if batchnorm else activation, name=f"conv_{index}", **arguments)(x)
        if batchnorm:
            x = layers.BatchNormalization(name=f"norm_{index}")(x)
            x = layers.Activation(activation, name=f"activation_{index}")(x)
        x = layers.MaxPooling2D()(x) if index < 2 else x
    x = layers.Flatten()(x)
    x = layers.Dense(32, activation=activation, name="dense")(x)
    return compiled(keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x)), optimizer)


def compiled(model: keras.Model, optimizer: Any = "adam") -> keras.Model:
    """A classifier, compiled."""
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# Healthy.

for _activation, _batchnorm in (("relu", False), ("relu", True), ("tanh", False), ("silu", True)):

    @healthy(name=f"digits_{_activation}{'_batchnorm' if _batchnorm else ''}")
    def _(activation: str = _activation, batchnorm: bool = _batchnorm) -> Training:
        return Training(convnet(activation=activation, batchnorm=batchnorm), *data.images(), epochs=3)


@healthy()
def digits_batchnorm_validated() -> Training:
    x, y = data.images()
    return Training(convnet(batchnorm=True), x[:1400], y[:1400], epochs=4, options={"validation_data": (x[1400:], y[1400:])})


@healthy()
def digits_bytes_rescaled_inside() -> Training:
    x, y = data.images()
    inputs = keras.Input((8, 8, 1), name="pixels")
    z = layers.Rescaling(1 / 255)(inputs)
    z = layers.Conv2D(16, 3, activation="relu")(z)
    z = layers.GlobalAveragePooling2D()(z)
    return Training(compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(z)), keras.optimizers.Adam(5e-3)), x * 255, y, epochs=4)


@healthy()
def digits_augmented() -> Training:
    inputs = keras.Input((8, 8, 1), name="pixels")
    z = layers.RandomTranslation(0.1, 0.1)(inputs)
    z = layers.GaussianNoise(0.1)(z)
    z = layers.Conv2D(16, 3, activation="relu", padding="same")(z)
    z = layers.SpatialDropout2D(0.2)(z)
    z = layers.Conv2D(16, 3, activation="relu", strides=2)(z)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(z)))
    return Training(compiled(model), *data.images(), epochs=4)


def _residual(x: Any, filters: int, gamma: str = "ones") -> Any:
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(gamma_initializer=gamma)(y)
    return layers.ReLU()(layers.Add()([x, y]))


for _gamma in ("ones", "zeros"):

    @healthy(name=f"digits_resnet_gamma_{_gamma}")
    def _(gamma: str = _gamma) -> Training:
        inputs = keras.Input((8, 8, 1), name="pixels")
        x = layers.Conv2D(12, 3, padding="same")(inputs)
        for _index in range(3):
            x = _residual(x, 12, gamma)
        x = layers.GlobalAveragePooling2D()(x)
        return Training(compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(x))), *data.images(), batch_size=64, epochs=4)


@healthy()
def digits_separable() -> Training:
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(12, 3, padding="same", activation="relu6")(inputs)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.SeparableConv2D(24, 3, strides=2, activation="relu")(x)
    x = layers.GlobalMaxPooling2D()(x)
    return Training(compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(x)), keras.optimizers.Adam(3e-3)), *data.images(), epochs=4)


@healthy()
def digits_groupnorm_deep() -> Training:
    inputs = x = keras.Input((8, 8, 1), name="pixels")
    for _index in range(6):
        x = layers.Conv2D(16, 3, padding="same")(x)
        x = layers.Activation("gelu")(layers.GroupNormalization(4)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return Training(compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(x))), *data.images(), batch_size=64, epochs=3)


@healthy()
def digits_squeeze_excite() -> Training:
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    gate = layers.Dense(4, activation="relu")(layers.GlobalAveragePooling2D()(x))
    gate = layers.Dense(16, activation="sigmoid")(gate)
    x = layers.Multiply()([x, layers.Reshape((1, 1, 16))(gate)])
    x = layers.Flatten()(x)
    return Training(compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(x))), *data.images(), epochs=4)


@healthy()
def digits_denoiser() -> Training:
    x, _ = data.images()
    noisy = (x + np.random.default_rng(0).normal(0, 0.2, x.shape)).astype("float32")
    inputs = keras.Input((8, 8, 1), name="pixels")
    down = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(inputs)
    deep = layers.Conv2D(24, 3, padding="same", activation="relu")(down)
    up = layers.Conv2DTranspose(12, 3, strides=2, padding="same", activation="relu")(deep)
    joined = layers.Concatenate()([up, inputs])
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(joined))
    model.compile("adam", "mse")
    return Training(model, noisy, x, epochs=4)


@healthy()
def waves_dilated() -> Training:
    inputs = x = keras.Input((30, 1), name="window")
    for rate in (1, 2, 4):
        x = layers.Conv1D(16, 3, padding="causal", dilation_rate=rate, activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))
    model.compile("adam", "mae")
    return Training(model, *data.series(), epochs=6)


@healthy()
def digits_mixed_bfloat16() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(16, 3, activation="relu")(inputs)
    x = layers.Flatten()(x)
    x = layers.Dense(10, activation="softmax", dtype="float32")(layers.Dense(32, activation="relu")(x))
    return Training(compiled(keras.Model(inputs, x)), *data.images(), epochs=3)


@healthy(every=2)
def digits_mixed_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(16, 3)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Flatten()(x)
    x = layers.Dense(10, activation="softmax", dtype="float32")(layers.Dense(32, activation="relu")(x))
    return Training(compiled(keras.Model(inputs, x)), *data.images(), epochs=3)


# Faulty.

for _layer in ("conv_0", "conv_1"):

    @faulty("dead_units", _layer, name=f"dead_{_layer}")
    def _(layer: str = _layer) -> Training:
        model = convnet()
        model.get_layer(layer).bias.assign(np.full(model.get_layer(layer).bias.shape, -6.0))
        return Training(model, *data.images(), epochs=3)


@faulty("dead_units", "activation_1")
def dead_after_batchnorm() -> Training:
    model = convnet(batchnorm=True)
    model.get_layer("norm_1").beta.assign(np.full((24,), -8.0))
    return Training(model, *data.images(), epochs=3)


@faulty("vanishing_gradient", "conv_0")
def vanishing_sigmoid() -> Training:
    return Training(convnet(filters=(12,) * 8, activation="sigmoid"), *data.images(), epochs=2)


@faulty("saturated_activation", "activation_0")
def saturated_tanh() -> Training:
    model = convnet(batchnorm=True, activation="tanh")
    model.get_layer("norm_0").gamma.assign(np.full((12,), 60.0))
    return Training(model, *data.images(), epochs=3)


@faulty("unnormalized_input", "pixels")
def unnormalized_bytes() -> Training:
    x, y = data.images()
    return Training(convnet(), x * 255, y, epochs=3)


@faulty("poor_initialization", "conv_1")
def init_large() -> Training:
    model = convnet()
    kernel = model.get_layer("conv_1").kernel
    kernel.assign(np.random.default_rng(0).normal(0, 2.0, kernel.shape))
    return Training(model, *data.images(), epochs=3)


@faulty("poor_initialization", "conv_0")
def init_constant() -> Training:
    model = convnet()
    model.get_layer("conv_0").kernel.assign(np.full((3, 3, 1, 12), 0.1))
    return Training(model, *data.images(), epochs=3)


@faulty("exploding_activation poor_initialization exploding_gradient", "conv_0 conv_1 conv_2 conv_3 conv_4", every=1)
def exploding_deep() -> Training:
    model = convnet(filters=(16,) * 5, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0), optimizer=keras.optimizers.SGD(1e-3))
    return Training(model, *data.images(), epochs=1)


@faulty("unchanged_weights", "conv_0 conv_1 dense output")
def rate_zero() -> Training:
    return Training(convnet(optimizer=keras.optimizers.SGD(0.0)), *data.images(), epochs=2)


@faulty("missing_gradient", "conv_0")
def gradient_stopped() -> Training:
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(12, 3, activation="relu", name="conv_0")(inputs)
    x = layers.Lambda(keras.ops.stop_gradient, name="stop")(x)
    x = layers.Conv2D(12, 3, activation="relu", name="conv_1")(x)
    return Training(
        compiled(keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x)))), *data.images(), epochs=3
    )


@faulty("missing_gradient", "conv_0")
def gradient_rounded_away() -> Training:
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(12, 3, activation="relu", name="conv_0")(inputs)
    x = keras.ops.cast(keras.ops.cast(x * 10, "int32"), "float32")
    x = layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x))
    return Training(compiled(keras.Model(inputs, x)), *data.images(), epochs=3)


@faulty("nonfinite", "log", every=1)
def nan_by_log() -> Training:
    class Log(layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.log(x)

    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(12, 3, activation="relu", name="conv_0")(inputs)
    x = Log(name="log")(x)
    x = layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x))
    return Training(compiled(keras.Model(inputs, x)), *data.images(), epochs=1)


@faulty("nonfinite", "standardize")
def nan_by_standardizing() -> Training:
    class Standardize(layers.Layer):
        def call(self, x: Any) -> Any:
            return (x - keras.ops.mean(x, axis=0)) / keras.ops.std(x, axis=0)

    inputs = keras.Input((8, 8, 1), name="pixels")
    x = Standardize(name="standardize")(inputs)  # corner pixels are 0 in every picture
    x = layers.Conv2D(12, 3, activation="relu", name="conv_0")(x)
    x = layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x))
    return Training(compiled(keras.Model(inputs, x)), *data.images(), epochs=2)


@faulty("nonfinite", "length", every=1)
def nan_gradient_by_norm() -> Training:
    class Length(layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.sqrt(keras.ops.sum(keras.ops.square(x), axis=-1, keepdims=True))

    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(12, 3, activation="relu", use_bias=False, name="conv_0")(inputs)  # empty corners give exactly 0
    x = Length(name="length")(x)
    x = layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x))
    return Training(compiled(keras.Model(inputs, x)), *data.images(), epochs=1)


@faulty("float16_overflow nonfinite loss_scale_thrash", "energy", every=2)
def float16_overflow() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(16, 3, activation="relu", name="conv_0")(inputs)
    x = layers.Rescaling(1e4, name="scaled")(x)
    x = layers.Lambda(keras.ops.square, name="energy")(x)
    x = layers.Dense(10, activation="softmax", dtype="float32", name="output")(layers.Flatten()(x))
    return Training(compiled(keras.Model(inputs, x)), *data.images(), epochs=2)


@faulty("loss_scale_thrash float16_overflow nonfinite", "loss output logits", every=1)
def float16_scale_thrash() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(16, 3, activation="relu", name="conv_0")(inputs)
    x = layers.Dense(1, name="output", dtype="float32")(layers.Flatten()(x))
    model = keras.Model(inputs, x)
    model.compile("adam", "mse")
    images, labels = data.images()
    return Training(model, images, labels.astype("float32") * 1e22, epochs=1)


@faulty("float16_underflow vanishing_gradient", "conv_0 conv_1 dense", every=2)
def float16_underflow() -> Training:
    keras.config.set_dtype_policy("float16")
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Conv2D(16, 3, activation="relu", name="conv_0")(inputs)
    x = layers.Conv2D(16, 3, activation="relu", name="conv_1")(x)
    x = layers.Dense(10, activation="softmax", name="output")(layers.Flatten()(x))
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.SGD(0.1), loss=lambda y, p: 1e-4 * keras.losses.sparse_categorical_crossentropy(y, p))
    return Training(model, *data.images(), epochs=2)


@faulty("batchnorm_drift", "norm_0 norm_1", every=10)
def batchnorm_momentum() -> Training:
    x, y = data.images()
    model = convnet(batchnorm=True, optimizer=keras.optimizers.Adam(1e-3))
    for name in ("norm_0", "norm_1"):
        model.get_layer(name).momentum = 0.9999
    return Training(model, x[:1400], y[:1400], epochs=5, options={"validation_data": (x[1400:], y[1400:])})


@faulty("batchnorm_drift", "norm_0", every=10)
def batchnorm_other_data() -> Training:
    x, y = data.images()
    model = convnet(batchnorm=True)
    for name in ("norm_0", "norm_1"):
        model.get_layer(name).momentum = 0.9
    return Training(model, x[:1400], y[:1400], epochs=5, options={"validation_data": (x[1400:] * 16, y[1400:])})
