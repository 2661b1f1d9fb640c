"""A second set of faulty programs, written when the first blind set had been mended: mistakes people ask about, in short runs with default names."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.blind_faulty import LOGITS, SGD, Adam, classifier, pictures_classifier, regressor
from benchmarks.programs.registry import Training, faulty

# NaN and Inf.


@faulty("nonfinite", "loss", every=5, held_out=True)
def missing_targets() -> Training:
    x, y = data.standardized("diabetes")
    y = y.copy()
    y[300] = np.nan
    return Training(regressor(10, layers.Dense(16, activation="relu")), x, y, epochs=3)


class Angle(layers.Layer):
    """The derivative of the arc cosine is infinite at 1."""

    def call(self, x: Any) -> Any:
        one = ops.normalize(x, axis=-1)
        return ops.arccos(ops.clip(ops.sum(one * one, axis=-1, keepdims=True), -1.0, 1.0))


@faulty("nonfinite", "angle", every=1, held_out=True)
def angle_to_itself() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(16)(inputs)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Concatenate()([x, Angle()(x)])))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=1)


class OwnNormalization(layers.Layer):
    """Batch normalization without epsilon, on pixels that are always black."""

    def call(self, x: Any) -> Any:
        return (x - ops.mean(x, axis=0)) / ops.std(x, axis=0)


@faulty("nonfinite", "own_normalization", every=1, held_out=True)
def normalization_without_epsilon() -> Training:
    return Training(classifier(64, OwnNormalization(), layers.Dense(32, activation="tanh")), *data.digits(), epochs=1)


@faulty("nonfinite", "sampling", every=1, held_out=True)
def exponential_of_an_unbounded_layer() -> Training:
    class Sampling(layers.Layer):
        def call(self, mean: Any, log_variance: Any) -> Any:
            return mean + tf.exp(50.0 * log_variance) * tf.random.normal(tf.shape(mean))

    inputs = keras.Input((30,))
    x = layers.Dense(24, activation="relu")(inputs)
    z = Sampling()(layers.Dense(4)(x), layers.Dense(4)(x))
    model = keras.Model(inputs, layers.Dense(30)(z))
    model.compile("adam", "mse")
    x_all, _ = data.standardized("breast_cancer")
    return Training(model, x_all, x_all, epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def logarithm_of_one_minus_a_sigmoid() -> Training:
    model = keras.Sequential([keras.Input((30,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")])

    def by_hand(y: Any, p: Any) -> Any:
        y = ops.cast(y, "float32")
        return -ops.mean(y * ops.log(p) + (1 - y) * ops.log(1 - p))

    model.compile(Adam(0.05), by_hand)
    x, y = data.raw("breast_cancer")
    return Training(model, x / 10, y[:, None], epochs=2)


# Units.


@faulty("dead_units collapse", "dense_1", every=1, held_out=True)
def relu_as_the_output_of_negative_targets() -> Training:
    model = keras.Sequential([keras.Input((10,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="relu")])
    model.compile(Adam(1e-2), "mse")
    x, y = data.standardized("diabetes")
    return Training(model, x, y - 5, epochs=4)


@faulty("dead_units", "re_lu", every=5, held_out=True)
def batch_normalization_far_below_zero() -> Training:
    beta = keras.initializers.Constant(-6.0)
    stack = [layers.Conv2D(16, 3), layers.BatchNormalization(beta_initializer=beta), layers.ReLU(), layers.Conv2D(8, 3, activation="relu")]
    return Training(pictures_classifier(*stack), *data.images(), epochs=2)


@faulty("dead_units update_too_large", "dense dense_1", every=10, held_out=True)
def rate_that_jumps() -> Training:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([60], [1e-2, 20.0])
    stack = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    return Training(classifier(64, *stack, optimizer=SGD(schedule)), *data.digits(), epochs=4)


@faulty("saturated_activation", "dense_1", every=5, held_out=True)
def sigmoid_as_the_output_of_large_targets() -> Training:
    model = keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(1e-2), "mse")
    x, _ = data.standardized("diabetes")
    return Training(model, x, data.raw("diabetes")[1].astype("float32"), epochs=10)


@faulty("saturated_activation poor_initialization", "gru simple_rnn", every=5, held_out=True)
def recurrent_weights_of_ten() -> Training:
    wide = keras.initializers.RandomNormal(stddev=10.0)
    model = keras.Sequential([keras.Input((8, 8)), layers.SimpleRNN(24, kernel_initializer=wide), layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = data.images()
    return Training(model, images[..., 0], labels, epochs=2)


@faulty("collapse", "softmax", every=5, held_out=True)
def softmax_over_one_number() -> Training:
    inputs = keras.Input((30,))
    outputs = layers.Softmax()(layers.Dense(1)(layers.Dense(16, activation="relu")(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy")
    return Training(model, *data.standardized("breast_cancer"), epochs=4)


@faulty("collapse", "batch_normalization", every=5, held_out=True)
def normalization_scaled_by_zero() -> Training:
    frozen = layers.BatchNormalization(gamma_initializer="zeros")
    frozen.trainable = False
    return Training(classifier(64, layers.Dense(32), frozen, layers.Activation("tanh")), *data.digits(), epochs=2)


# Gradients.


@faulty("vanishing_gradient", "conv2d", every=5, held_out=True)
def sigmoid_convolutions_on_pictures() -> Training:
    stack = [layers.Conv2D(8, 3, activation="sigmoid", padding="same") for _ in range(7)]
    return Training(pictures_classifier(*stack, optimizer=SGD(0.05)), *data.images(), epochs=2)


@faulty("vanishing_gradient", "dense", every=5, held_out=True)
def hard_sigmoids_and_a_tabular_problem() -> Training:
    stack = [layers.Dense(16, activation="hard_sigmoid") for _ in range(7)]
    return Training(classifier(13, *stack, classes=3), *data.standardized("wine"), batch_size=16, epochs=8)


@faulty("exploding_gradient exploding_activation", "simple_rnn", every=1, held_out=True)
def relu_through_sixty_steps() -> Training:
    x, y = data.series(600, 60)
    rnn = layers.SimpleRNN(16, activation="relu", recurrent_initializer=keras.initializers.Identity(1.4))
    model = keras.Sequential([keras.Input((60, 1)), rnn, layers.Dense(1)])
    model.compile(SGD(1e-6), "mse")
    return Training(model, x, y, epochs=1)


RESIDUAL = " ".join(f"multiply{suffix} add{suffix}" for suffix in ("", *(f"_{n}" for n in range(1, 12)))) + " dense_11 dense_12 dense_10 dense_9"


@faulty("exploding_activation exploding_gradient", RESIDUAL, every=5, held_out=True)
def residual_sums_without_normalization() -> Training:
    inputs = keras.Input((64,))
    x = layers.Dense(64)(inputs)
    for _ in range(12):
        x = x + 4.0 * layers.Dense(64)(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile(SGD(1e-3), "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=2)


@faulty("missing_gradient", "embedding dense", every=5, held_out=True)
def sorted_by_index() -> Training:
    class Order(layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.cast(tf.argsort(x, axis=-1), tf.float32)

    return Training(classifier(64, layers.Dense(24), Order(), layers.Dense(16, activation="relu")), *data.digits(), epochs=1)


@faulty("missing_gradient", "dense", every=1, held_out=True)
def numpy_in_the_middle() -> Training:
    class WithNumpy(layers.Layer):
        def call(self, x: Any) -> Any:
            y = tf.numpy_function(lambda a: np.tanh(a).astype("float32"), [x], tf.float32)
            return tf.ensure_shape(y, x.shape)

    return Training(classifier(64, layers.Dense(24), WithNumpy()), *data.digits(), epochs=1)


@faulty("missing_gradient", "encoder", every=5, held_out=True)
def loss_on_a_stopped_copy() -> Training:
    class Stopped(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = layers.Dense(16, activation="relu", name="encoder"), layers.Dense(64, name="decoder")

        def train_step(self, x: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = ops.mean(ops.square(self.decoder(ops.stop_gradient(self.encoder(x))) - x))
            weights = self.trainable_weights
            gradients = tape.gradient(loss, weights)
            self.optimizer.apply_gradients([(g, w) for g, w in zip(gradients, weights, strict=True) if g is not None])
            return {"loss": loss}

    model = Stopped()
    model.compile("adam")
    return Training(model, data.digits()[0], epochs=2)


# Weights.


@faulty("unchanged_weights missing_gradient", "generator", every=5, held_out=True)
def gan_that_trains_the_critic_only() -> Training:
    def network(name: str, width: int, out: int) -> keras.Model:
        return keras.Sequential([keras.Input((width,)), layers.Dense(32), layers.LeakyReLU(), layers.Dense(out)], name=name)

    class Half(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.critic = network("generator", 8, 64), network("critic", 64, 1)

        def train_step(self, real: Any) -> Any:
            with tf.GradientTape() as tape:
                fake = self.critic(self.generator(tf.random.normal((tf.shape(real)[0], 8))))
                loss = tf.reduce_mean(tf.nn.softplus(fake) + tf.nn.softplus(-self.critic(real)))
            weights = self.critic.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    model = Half()
    model.compile("adam")
    return Training(model, data.digits()[0], epochs=2)


@faulty("update_too_small unchanged_weights", "conv1d dense gru", every=5, held_out=True)
def sgd_with_a_rate_of_a_hundred_millionth() -> Training:
    model = keras.Sequential([keras.Input((30, 1)), layers.Conv1D(8, 3, activation="relu"), layers.GRU(12), layers.Dense(1)])
    model.compile(SGD(1e-8), "mse")
    return Training(model, *data.series(), epochs=2)


@faulty("update_too_large", "dense dense_1 conv2d", every=5, held_out=True)
def rmsprop_with_a_rate_of_five() -> Training:
    stack = [layers.Conv2D(8, 3, activation="tanh"), layers.Flatten(), layers.Dense(32, activation="tanh")]
    return Training(pictures_classifier(*stack, optimizer=keras.optimizers.RMSprop(5.0)), *data.images(), epochs=2)


@faulty("poor_initialization", "dense_1", every=10, held_out=True)
def tiny_weights_in_one_layer() -> Training:
    tiny = keras.initializers.RandomNormal(stddev=1e-6)
    return Training(classifier(64, layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu", kernel_initializer=tiny)), *data.digits())


@faulty("poor_initialization", "conv2d", every=5, held_out=True)
def filters_of_ones() -> Training:
    return Training(pictures_classifier(layers.Conv2D(8, 3, activation="relu", kernel_initializer="ones")), *data.images(), epochs=2)


@faulty("poor_initialization saturated_activation", "multi_head_attention", every=5, held_out=True)
def attention_with_weights_of_five() -> Training:
    inputs = keras.Input((8, 8))
    x = layers.Dense(16)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8, kernel_initializer=keras.initializers.RandomNormal(stddev=5.0))(x, x))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = data.images()
    return Training(model, images[..., 0], labels, epochs=2)


# Data, loss, precision, batch normalization.


@faulty("unnormalized_input", "input_layer", every=1, held_out=True)
def pixels_minus_their_mean() -> Training:
    x, y = data.images()
    return Training(pictures_classifier(layers.Conv2D(8, 3, activation="relu")), 255 * (x - x.mean()), y, epochs=1)


@faulty("unnormalized_input", "measures", every=5, held_out=True)
def one_of_two_inputs_is_raw() -> Training:
    x, y = data.standardized("breast_cancer")
    one, two = keras.Input((15,), name="scores"), keras.Input((15,), name="measures")
    merged = layers.Concatenate()([one, two])
    model = keras.Model([one, two], layers.Dense(1, activation="sigmoid")(layers.Dense(24, activation="relu")(merged)))
    model.compile("adam", "binary_crossentropy")
    return Training(model, [x[:, 15:], data.raw("breast_cancer")[0][:, :15]], y, epochs=4)


@faulty("oscillating_loss update_too_large", "loss dense dense_1", every=1, held_out=True)
def adam_with_a_rate_of_one() -> Training:
    return Training(classifier(64, layers.Dense(64, activation="relu"), optimizer=Adam(1.0)), *data.digits(), epochs=1)


@faulty("exploding_loss update_too_large", "loss dense lstm", every=1, held_out=True)
def recurrent_regression_that_diverges() -> Training:
    model = keras.Sequential([keras.Input((30, 1)), layers.LSTM(16, activation="linear"), layers.Dense(1)])
    model.compile(SGD(5.0, momentum=0.9), "mse")
    return Training(model, *data.series(), epochs=2)


@faulty("float16_overflow", "dense", every=1, held_out=True)
def counts_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = data.raw("wine")
    model = keras.Sequential(
        [keras.Input((13,)), layers.Dense(32, kernel_initializer="ones"), layers.Dense(3, activation="softmax", dtype="float32")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, 30 * x, y, batch_size=16, epochs=3)


@faulty("float16_underflow", "dense dense_1 re_lu", every=5, held_out=True)
def own_loop_without_a_loss_scale() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64), layers.ReLU(), layers.Dense(32), layers.Dense(10, dtype="float32")])
    optimizer = SGD(0.1)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = 1e-3 * LOGITS(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return Training(model, *data.digits(), batch_size=128, epochs=6, loop=step)


@faulty("loss_scale_thrash nonfinite", "loss norm_of_rows", every=1, held_out=True)
def norm_of_empty_rows_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")

    class NormOfRows(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.concatenate([x, ops.norm(x, axis=-1, keepdims=True)], axis=-1)

    x, y = data.digits()
    x = x.reshape(-1, 8, 8).copy()
    x[:, 0] = 0
    inputs = keras.Input((8, 8))
    states = NormOfRows()(layers.Dense(16, activation="relu", use_bias=False)(inputs))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax", dtype="float32")(layers.Flatten()(states)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, x, y, epochs=1)


@faulty("batchnorm_drift", "batch_normalization", every=5, held_out=True)
def validated_on_other_units() -> Training:
    x, y = data.standardized("wine")
    model = classifier(13, layers.Dense(24), layers.BatchNormalization(momentum=0.8), layers.ReLU(), classes=3)
    return Training(model, x[::2], y[::2], batch_size=8, epochs=8, options={"validation_data": (100 * x[1::2] + 30, y[1::2])})
