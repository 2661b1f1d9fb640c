"""Dense networks on digits, flowers, wines, tumours, diabetes and a sine."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy


def classifier(
    width: int, hidden: Any, classes: int = 10, optimizer: Any = "adam", activation: Any = "relu", before: Any = None, **arguments: Any
) -> keras.Model:
    """Dense layers `hidden_0`, `hidden_1` … and `output`."""
    inputs = x = keras.Input((width,), name="features")
    x = before(x) if before is not None else x
    for index, units in enumerate(hidden):
        x = layers.Dense(units, activation=activation, name=f"hidden_{index}", **arguments)(x)
    outputs = layers.Dense(classes, activation="softmax", name="output")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def regressor(width: int, hidden: Any, optimizer: Any = "adam", activation: Any = "relu", loss: str = "mse", **arguments: Any) -> keras.Model:
    """Dense layers `hidden_0` … and a linear `output`."""
    inputs = x = keras.Input((width,), name="features")
    for index, units in enumerate(hidden):
        x = layers.Dense(units, activation=activation, name=f"hidden_{index}", **arguments)(x)
    model = keras.Model(inputs, layers.Dense(1, name="output")(x))
    model.compile(optimizer, loss)
    return model


# Healthy.

for _activation in ("relu", "tanh", "gelu", "leaky_relu", "elu", "silu"):

    @healthy(name=f"digits_{_activation}")
    def _(activation: str = _activation) -> Training:
        return Training(classifier(64, (64, 32), activation=activation), *data.digits(), epochs=5)


for _optimizer, _rate in (("SGD", 0.1), ("RMSprop", 1e-3), ("Adagrad", 0.05), ("AdamW", 3e-3), ("Nadam", 2e-3), ("Adam", 1e-2), ("Adam", 1e-4)):

    @healthy(name=f"digits_{_optimizer.lower()}_{_rate}")
    def _(optimizer: str = _optimizer, rate: float = _rate) -> Training:
        return Training(classifier(64, (64,), optimizer=getattr(keras.optimizers, optimizer)(rate)), *data.digits(), epochs=5)


@healthy()
def digits_sigmoid() -> Training:
    return Training(classifier(64, (64, 64), activation="sigmoid", optimizer=keras.optimizers.Adam(3e-3)), *data.digits(), epochs=6)


@healthy()
def digits_momentum_long() -> Training:
    return Training(classifier(64, (64,), optimizer=keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)), *data.digits(), epochs=25)


@healthy()
def digits_wide() -> Training:
    return Training(classifier(64, (512,)), *data.digits(), epochs=4)


@healthy()
def digits_raw_scale() -> Training:
    x, y = data.digits()
    return Training(classifier(64, (64, 32)), x * 16, y, epochs=5)


@healthy()
def digits_deep_he() -> Training:
    return Training(classifier(64, (64,) * 10, kernel_initializer="he_normal"), *data.digits(), epochs=5)


@healthy()
def digits_deep_residual() -> Training:
    inputs = keras.Input((64,), name="features")
    x = layers.Dense(48)(inputs)
    for _index in range(15):
        x = x + layers.Dense(48, activation="relu")(layers.LayerNormalization()(x))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


@healthy()
def digits_batchnorm_dropout() -> Training:
    inputs = x = keras.Input((64,))
    for units in (64, 64):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.Dropout(0.4)(x)
    model = keras.Model(inputs, layers.Dense(10)(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x_all, y_all = data.digits()
    return Training(model, x_all[:1500], y_all[:1500], epochs=6, options={"validation_data": (x_all[1500:], y_all[1500:])})


@healthy()
def digits_selu() -> Training:
    model = keras.Sequential(
        [keras.Input((64,)), *(layers.Dense(40, activation="selu", kernel_initializer="lecun_normal") for _ in range(4)), layers.AlphaDropout(0.1)]
    )
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=5)


@healthy()
def digits_warmup_cosine() -> Training:
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 250, warmup_target=3e-3, warmup_steps=60)
    return Training(classifier(64, (64, 64), optimizer=keras.optimizers.Adam(schedule)), *data.digits(), epochs=6)


@healthy(every=1)
def digits_every_step() -> Training:
    return Training(classifier(64, (32,)), *data.digits(), epochs=2)


@healthy(every=100)
def digits_few_captures() -> Training:
    return Training(classifier(64, (64, 32)), *data.digits(), epochs=6)


@healthy(every=1)
def digits_small_batches() -> Training:
    x, y = data.digits()
    return Training(classifier(64, (32, 32)), x[:600], y[:600], batch_size=4, epochs=2)


@healthy()
def digits_weight_decay() -> Training:
    return Training(classifier(64, (64,), kernel_regularizer=keras.regularizers.L2(1e-2)), *data.digits(), epochs=8)


@healthy()
def digits_frozen_base() -> Training:
    base = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")], name="base")
    base.trainable = False
    inputs = keras.Input((64,))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="head")(base(inputs)))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=5)


@healthy()
def digits_accumulated() -> Training:
    return Training(classifier(64, (64,), optimizer=keras.optimizers.Adam(3e-3, gradient_accumulation_steps=4)), *data.digits(), epochs=6)


@healthy(every=4)
def digits_accumulated_in_phase() -> Training:
    return Training(classifier(64, (64,), optimizer=keras.optimizers.SGD(0.3, gradient_accumulation_steps=8)), *data.digits(), epochs=6)


@healthy()
def digits_second_fit_at_the_floor() -> Training:
    return Training(classifier(64, (64,)), *data.digits(), epochs=8, again=[lambda model: {"epochs": 6}])


@healthy()
def digits_clipped() -> Training:
    return Training(classifier(64, (64, 64), optimizer=keras.optimizers.Adam(5e-3, global_clipnorm=0.1)), *data.digits(), epochs=4)


@healthy()
def digits_fine_tuned() -> Training:
    return Training(
        classifier(64, (64,)),
        *data.digits(),
        epochs=6,
        again=[lambda model: model.compile(keras.optimizers.Adam(1e-5), "sparse_categorical_crossentropy") or {"epochs": 4}],
    )


@healthy(every=20)
def digits_overconfident() -> Training:
    return Training(classifier(64, (128, 64), optimizer=keras.optimizers.Adam(2e-3)), *data.digits(), epochs=40)


@healthy()
def digits_logistic_from_zero() -> Training:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(10, activation="softmax", kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=6)


@healthy()
def digits_zero_output() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(64, activation="relu")(inputs)
    model = keras.Model(inputs, layers.Dense(10, kernel_initializer="zeros")(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Training(model, *data.digits(), epochs=5)


@healthy()
def digits_autoencoder() -> Training:
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(8),
            layers.Dense(32, activation="relu"),
            layers.Dense(64, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return Training(model, data.digits()[0], data.digits()[0], epochs=8)


@healthy()
def digits_two_heads() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(64, activation="relu")(inputs)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    odd = layers.Dense(1, activation="sigmoid", name="odd")(layers.Dense(16, activation="tanh")(x))
    model = keras.Model(inputs, {"digit": digit, "odd": odd})
    model.compile("adam", {"digit": "sparse_categorical_crossentropy", "odd": "binary_crossentropy"}, loss_weights={"digit": 1.0, "odd": 0.1})
    x_all, y_all = data.digits()
    return Training(model, x_all, {"digit": y_all, "odd": (y_all % 2).astype("float32")}, epochs=5)


@healthy()
def digits_subclassed() -> Training:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = [layers.Dense(48, activation="relu") for _ in range(3)]
            self.head = layers.Dense(10)

        def call(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    model = Net()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Training(model, *data.digits(), epochs=4)


@healthy()
def iris_raw() -> Training:
    return Training(classifier(4, (16, 16), 3, optimizer=keras.optimizers.Adam(5e-3)), *data.raw("iris"), batch_size=16, epochs=25)


@healthy()
def iris_whole_batches() -> Training:
    return Training(
        classifier(4, (16,), 3, optimizer=keras.optimizers.Adam(2e-2), activation="tanh"), *data.standardized("iris"), batch_size=150, epochs=150
    )


@healthy()
def iris_small() -> Training:
    return Training(classifier(4, (6,), 3, optimizer=keras.optimizers.Adam(1e-2)), *data.standardized("iris"), batch_size=8, epochs=15)


@healthy()
def wine() -> Training:
    return Training(classifier(13, (32, 32), 3, optimizer=keras.optimizers.Adam(3e-3)), *data.standardized("wine"), batch_size=16, epochs=20)


@healthy()
def wine_normalized_inside() -> Training:
    x, y = data.raw("wine")
    normalization = layers.Normalization()
    normalization.adapt(x)
    return Training(classifier(13, (32,), 3, before=normalization, optimizer=keras.optimizers.Adam(3e-3)), x, y, batch_size=16, epochs=20)


@healthy()
def cancer_long() -> Training:
    model = keras.Sequential([keras.Input((30,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    x, y = data.standardized("breast_cancer")
    return Training(model, x[:450], y[:450], epochs=30, options={"validation_data": (x[450:], y[450:])})


@healthy()
def cancer_tanh_long() -> Training:
    model = keras.Sequential(
        [keras.Input((30,)), layers.Dense(32, activation="tanh"), layers.Dense(16, activation="tanh"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    return Training(model, *data.standardized("breast_cancer"), epochs=40)


@healthy()
def cancer_batchnorm_in_front() -> Training:
    x, y = data.raw("breast_cancer")
    model = keras.Sequential(
        [keras.Input((30,)), layers.BatchNormalization(), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    return Training(model, x, y, epochs=15)


@healthy()
def diabetes_raw_targets() -> Training:
    x, y = data.raw("diabetes")
    return Training(regressor(10, (32, 32), keras.optimizers.Adam(1e-2)), x * 20, y.astype("float32"), epochs=25)


@healthy()
def diabetes_small_inputs() -> Training:
    x, _ = data.raw("diabetes")
    return Training(regressor(10, (32,), keras.optimizers.Adam(1e-2)), x, data.standardized("diabetes")[1], epochs=15)


@healthy()
def diabetes_linear() -> Training:
    return Training(regressor(10, (), keras.optimizers.SGD(0.02)), *data.standardized("diabetes"), epochs=12)


@healthy()
def sine_relu() -> Training:
    return Training(regressor(1, (64, 64), keras.optimizers.Adam(5e-3)), *data.sine(), epochs=20)


@healthy()
def sine_positive_inputs() -> Training:
    return Training(regressor(1, (64, 64), keras.optimizers.Adam(5e-3)), *data.sine(low=0.0, high=1.0), epochs=15)


@healthy()
def sine_tanh_at_the_floor() -> Training:
    return Training(regressor(1, (32, 32), keras.optimizers.Adam(1e-2), "tanh"), *data.sine(), epochs=50)


@healthy(every=10)
def xor() -> Training:
    random = np.random.default_rng(0)
    x = random.choice([-1.0, 1.0], (256, 2)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), layers.Dense(8, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(2e-2), "binary_crossentropy")
    return Training(model, x, (x[:, 0] * x[:, 1] > 0).astype("float32"), epochs=30)


@healthy()
def words_sparse() -> Training:
    x, y = data.bag_of_words()
    model = keras.Sequential(
        [keras.Input((x.shape[1],)), layers.Dense(64, activation="relu"), layers.Dropout(0.5), layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "binary_crossentropy")
    return Training(model, x, y, epochs=6)


# Faulty.

for _where, _bias in (("hidden_0", -5.0), ("hidden_1", -8.0)):

    @faulty("dead_units", _where, name=f"dead_{_where}")
    def _(where: str = _where, bias: float = _bias) -> Training:
        model = classifier(64, (64, 48, 32))
        model.get_layer(where).bias.assign(np.full(model.get_layer(where).bias.shape, bias))
        return Training(model, *data.digits(), epochs=4)


@faulty("dead_units", "hidden_1", every=1)
def dead_by_negative_weights() -> Training:
    model = classifier(64, (64, 32))
    kernel = model.get_layer("hidden_1").kernel
    kernel.assign(-np.abs(kernel.numpy()))
    return Training(model, *data.digits(), epochs=2)


@faulty("dead_units", "hidden_0")
def dead_share() -> Training:
    model = classifier(64, (100, 32))
    bias = np.zeros(100, "float32")
    bias[:75] = -20
    model.get_layer("hidden_0").bias.assign(bias)
    return Training(model, *data.digits(), epochs=4)


@faulty("dead_units", "output")
def dead_output() -> Training:
    inputs = keras.Input((10,), name="features")
    x = layers.Dense(32, activation="tanh", name="hidden_0")(inputs)
    model = keras.Model(inputs, layers.Dense(1, activation="relu", name="output", bias_initializer=keras.initializers.Constant(-3.0))(x))
    model.compile("adam", "mse")
    return Training(model, *data.standardized("diabetes"), epochs=8)


@faulty("saturated_activation unnormalized_input", "hidden_0 features")
def saturated_by_raw_input() -> Training:
    return Training(classifier(13, (32, 16), 3, activation="tanh"), *data.raw("wine"), batch_size=16, epochs=12)


for _activation in ("tanh", "sigmoid"):

    @faulty("saturated_activation", "hidden_1", name=f"saturated_{_activation}")
    def _(activation: str = _activation) -> Training:
        model = classifier(64, (64, 64, 32), activation=activation)
        layer = model.get_layer("hidden_1")
        layer.kernel.assign(layer.kernel.numpy() * 40)
        return Training(model, *data.digits(), epochs=4)


@faulty("saturated_activation", "hidden_0")
def saturated_by_bias() -> Training:
    return Training(classifier(64, (64, 32), activation="sigmoid", bias_initializer=keras.initializers.Constant(9.0)), *data.digits(), epochs=4)


for _depth in (9, 14):

    @faulty("vanishing_gradient", "hidden_0", name=f"vanishing_sigmoid_{_depth}")
    def _(depth: int = _depth) -> Training:
        return Training(classifier(64, (48,) * depth, activation="sigmoid"), *data.digits(), epochs=4)


@faulty("vanishing_gradient", "hidden_0")
def vanishing_wine() -> Training:
    return Training(
        classifier(13, (24,) * 10, 3, activation="sigmoid", optimizer=keras.optimizers.SGD(0.1)), *data.standardized("wine"), batch_size=16, epochs=15
    )


@faulty("exploding_gradient poor_initialization exploding_activation", "hidden_0 hidden_1 hidden_2 hidden_3 hidden_4", every=1)
def exploding_deep() -> Training:
    return Training(
        classifier(64, (64,) * 6, kernel_initializer=keras.initializers.RandomNormal(stddev=0.8), optimizer=keras.optimizers.SGD(0.01)),
        *data.digits(),
        epochs=1,
    )


@faulty("exploding_activation", "amplified")
def exploding_scale() -> Training:
    inputs = keras.Input((64,), name="features")
    x = layers.Dense(64, activation="relu", name="hidden_0")(inputs)
    x = layers.Rescaling(1e5, name="amplified")(x)
    x = layers.Dense(32, activation="relu", name="hidden_1")(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


@faulty("poor_initialization", "hidden_1")
def init_zeros() -> Training:
    model = classifier(64, (64, 48, 32), activation="tanh")
    model.get_layer("hidden_1").kernel.assign(np.zeros((64, 48)))
    return Training(model, *data.digits(), epochs=4)


@faulty("poor_initialization", "hidden_0 hidden_1")
def init_all_ones() -> Training:
    return Training(classifier(64, (32, 32), kernel_initializer="ones"), *data.digits(), epochs=4)


@faulty("poor_initialization", "hidden_0")
def init_constant() -> Training:
    model = classifier(64, (64, 32))
    model.get_layer("hidden_0").kernel.assign(np.full((64, 64), 0.05))
    return Training(model, *data.digits(), epochs=4)


for _where, _std in (("hidden_0", 5.0), ("hidden_2", 3.0), ("hidden_1", 1e-4), ("output", 10.0)):

    @faulty("poor_initialization", _where, name=f"init_{_where}_{_std}")
    def _(where: str = _where, std: float = _std) -> Training:
        model = classifier(64, (64, 64, 64))
        kernel = model.get_layer(where).kernel
        kernel.assign(np.random.default_rng(0).normal(0, std, kernel.shape))
        return Training(model, *data.digits(), epochs=4)


@faulty("unchanged_weights", "hidden_0 hidden_1 output")
def rate_zero() -> Training:
    return Training(classifier(64, (64, 32), optimizer=keras.optimizers.Adam(0.0)), *data.digits(), epochs=3)


@faulty("unchanged_weights", "hidden_1")
def branch_times_zero() -> Training:
    inputs = keras.Input((64,), name="features")
    one = layers.Dense(32, activation="relu", name="hidden_0")(inputs)
    two = layers.Dense(32, activation="tanh", name="hidden_1")(inputs)
    x = layers.Concatenate()([one, layers.Rescaling(0.0, name="gate")(two)])
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


for _optimizer, _rate in (("Adam", 1e-8), ("SGD", 1e-7)):

    @faulty("update_too_small", "hidden_0 hidden_1 output", name=f"rate_tiny_{_optimizer.lower()}")
    def _(optimizer: str = _optimizer, rate: float = _rate) -> Training:
        return Training(classifier(64, (64, 32), optimizer=getattr(keras.optimizers, optimizer)(rate)), *data.digits(), epochs=3)


for _optimizer, _rate in (("Adam", 5.0), ("SGD", 300.0), ("RMSprop", 3.0)):

    @faulty(
        "update_too_large exploding_loss oscillating_loss nonfinite", "hidden_0 hidden_1 output loss", every=1, name=f"rate_huge_{_optimizer.lower()}"
    )
    def _(optimizer: str = _optimizer, rate: float = _rate) -> Training:
        return Training(classifier(64, (64, 32), optimizer=getattr(keras.optimizers, optimizer)(rate)), *data.digits(), epochs=2)


@faulty("exploding_loss nonfinite exploding_gradient", "loss output hidden_0", every=1)
def loss_diverges() -> Training:
    return Training(regressor(10, (32,), keras.optimizers.SGD(1.5)), *data.standardized("diabetes"), batch_size=16, epochs=3)


@faulty("exploding_loss exploding_activation nonfinite", "loss output", every=1)
def loss_diverges_linear() -> Training:
    return Training(regressor(10, (), keras.optimizers.SGD(0.9)), *data.standardized("diabetes"), batch_size=32, epochs=3)


@faulty("oscillating_loss update_too_large exploding_loss", "loss hidden_0 hidden_1 output", every=1)
def loss_oscillates() -> Training:
    return Training(
        classifier(30, (32,), 2, optimizer=keras.optimizers.SGD(40.0, momentum=0.9), activation="tanh"), *data.standardized("breast_cancer"), epochs=4
    )


for _name in ("wine", "breast_cancer"):

    @faulty("unnormalized_input", "features", name=f"unnormalized_{_name}")
    def _(name: str = _name) -> Training:
        x, y = data.raw(name)
        return Training(classifier(x.shape[1], (32, 16), 3), x, y, batch_size=16, epochs=8)


@faulty("unnormalized_input", "features")
def unnormalized_bytes() -> Training:
    x, y = data.digits()
    return Training(classifier(64, (32, 16)), x * 255, y, epochs=4)


@faulty("unnormalized_input", "features")
def unnormalized_offset() -> Training:
    x, y = data.standardized("iris")
    return Training(classifier(4, (16, 16), 3), x + 300, y, batch_size=16, epochs=12)


@faulty("unnormalized_input", "features")
def unnormalized_tiny() -> Training:
    x, y = data.digits()
    return Training(classifier(64, (32, 16)), x * 1e-5, y, epochs=4)


@faulty("constant_input", "features")
def constant_zeros() -> Training:
    x, y = data.digits()
    return Training(classifier(64, (32, 16)), x * 0, y, epochs=4)


@faulty("constant_input", "features")
def constant_rows() -> Training:
    x, y = data.digits()
    return Training(classifier(64, (32, 16)), np.tile(x[:1], (len(x), 1)), y, epochs=4)


@faulty("collapse", "normalize")
def collapse_by_narrow_normalization() -> Training:
    inputs = keras.Input((64,), name="features")
    x = layers.Dense(32, activation="relu", name="hidden_0")(inputs)
    x = layers.Dense(1, name="bottleneck")(x)
    x = layers.LayerNormalization(name="normalize")(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(layers.Dense(16, activation="tanh", name="hidden_1")(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


@faulty("collapse", "output")
def collapse_by_softmax_of_one() -> Training:
    model = keras.Sequential(
        [
            keras.Input((30,), name="features"),
            layers.Dense(32, activation="relu", name="hidden_0"),
            layers.Dense(1, activation="softmax", name="output"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return Training(model, *data.standardized("breast_cancer"), epochs=8)


@faulty("collapse", "average")
def collapse_over_the_batch() -> Training:
    class Average(layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.zeros_like(x) + keras.ops.mean(x, axis=0, keepdims=True)

    inputs = keras.Input((64,), name="features")
    x = layers.Dense(32, activation="gelu", name="hidden_0")(inputs)
    x = Average(name="average")(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)
