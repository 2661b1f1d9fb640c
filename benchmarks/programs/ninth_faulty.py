"""Faulty programs written after the eighth set had been mended, with the rules in view: the same kinds of faults in other programs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import bag_of_words, digits, images, raw, series, standardized
from benchmarks.programs.eighth_models import (
    Of,
    Own,
    WithPositions,
    bytes_of_digits,
    convs,
    diabetes,
    fc,
    graph,
    net,
    progress,
    recall,
    sigmoid,
    softmax,
    standard_weather,
    tumours,
    weather,
    word_lists,
)
from benchmarks.programs.registry import Training, faulty

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW
Normal, Constant = keras.initializers.RandomNormal, keras.initializers.Constant
BCE = "binary_crossentropy"


# NaN.


@faulty("nonfinite", "safe_log", every=1, held_out=True)
def logarithm_hidden_behind_a_where() -> Training:
    x, y = bag_of_words()
    stack = [layers.Dense(16, activation="relu", name="fc1"), Of(lambda v: ops.where(v > 0, ops.log(v), 0.0), name="safe_log"), sigmoid()]
    return Training(net((x.shape[1],), *stack, loss=BCE), x, y[:, None], epochs=1)


@faulty("nonfinite", "loss", every=1, held_out=True)
def divergence_between_shares_that_may_be_0() -> Training:
    def divergence(y_true: Any, y_pred: Any) -> Any:
        return ops.sum(y_true * (ops.log(y_true) - ops.log(y_pred)), -1)

    x, y = digits()
    return Training(net((64,), *fc(32), softmax(), loss=divergence), x, np.eye(10, dtype="float32")[y], epochs=1)


@faulty("nonfinite", "margin", every=1, held_out=True)
def angles_by_the_arc_cosine_of_what_may_be_beyond_1() -> Training:
    x, y = digits()
    stack = [*fc(32), Of(lambda v: ops.arccos(v / 2.0), name="margin"), softmax()]
    return Training(net((64,), *stack), x, y, epochs=2)


# Codes, adversaries, representations.


@faulty("drowned_code collapse", "encoder/mean encoder/log_variance encoder/sampling", every=10, held_out=True)
def keras_example_of_an_autoencoder_with_a_heavy_divergence() -> Training:
    class Sampling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            mean, log_variance = inputs
            return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean))

    class Vae(Own):
        def __init__(self) -> None:
            super().__init__()
            inputs = keras.Input((8, 8, 1), name="pictures")
            h = layers.Flatten()(layers.Conv2D(16, 3, strides=2, activation="relu", name="conv1")(inputs))
            mean, log_variance = layers.Dense(2, name="mean")(h), layers.Dense(2, name="log_variance")(h)
            self.encoder = keras.Model(inputs, [mean, log_variance, Sampling(name="sampling")([mean, log_variance])], name="encoder")
            self.decoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(64, activation="sigmoid")], name="decoder")

        def objective(self, x: Any, y: Any) -> Any:
            mean, log_variance, code = self.encoder(x)
            error = ops.mean(ops.sum((self.decoder(code) - ops.reshape(x, (-1, 64))) ** 2, -1))
            return error + 50 * ops.mean(ops.sum(-0.5 * (1 + log_variance - mean**2 - ops.exp(log_variance)), -1))

    model = Vae()
    model.compile(optimizer=Adam(2e-3))
    return Training(model, images()[0], epochs=8)


@faulty("collapse", "encoder", every=10, held_out=True)
def momentum_twins_that_agree_on_nothing() -> Training:
    class Twins(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(64, activation="tanh"), layers.Dense(8)], name="encoder")

        def call(self, x: Any) -> Any:
            return self.encoder(x)

        def objective(self, x: Any, y: Any) -> Any:
            return ops.mean(ops.sum((self(x) - self(ops.roll(x, 1, 0))) ** 2, -1))

    model = Twins()
    model.compile(optimizer=Adam(1e-2))
    return Training(model, digits()[0], digits()[1], epochs=8)


# Recurrences.


@faulty("vanishing_gradient", "rnn", every=10, held_out=True)
def recurrence_with_small_recurrent_weights() -> Training:
    x, y = recall(60)
    rnn = layers.SimpleRNN(24, recurrent_initializer=keras.initializers.Orthogonal(gain=0.7), name="rnn")
    return Training(net((60, 1), rnn, sigmoid(), loss=BCE), x, y, epochs=5)


@faulty("saturated_activation unnormalized_input", "lstm inputs scaled", every=10, held_out=True)
def features_multiplied_before_an_lstm() -> Training:
    x, y = standard_weather()
    stack = [Of(lambda v: v * 200.0, name="scaled"), layers.LSTM(24, name="lstm"), layers.Dense(1, name="next")]
    return Training(net((24, 2), *stack, loss="mse"), x, y, epochs=5)


@faulty("unnormalized_input saturated_activation", "inputs gru", every=10, held_out=True)
def gru_of_raw_pixels() -> Training:
    x, y = bytes_of_digits()
    return Training(net((8, 8), layers.GRU(32, name="gru"), softmax()), x[..., 0], y, epochs=4)


@faulty("exploding_gradient exploding_activation nonfinite poor_initialization exploding_loss", "rnn", every=1, held_out=True)
def identity_recurrence_times_two() -> Training:
    x, y = series(length=50)
    rnn = layers.SimpleRNN(24, activation="relu", recurrent_initializer=keras.initializers.Identity(gain=2.0), name="rnn")
    return Training(net((50, 1), rnn, layers.Dense(1, name="next"), loss="mse"), x, y, epochs=2)


# Updates, decay, what isn't trained.


@faulty("penalty_too_strong collapse update_too_large", "fc1 fc2", every=10, held_out=True)
def plain_descent_with_a_decay_of_a_half() -> Training:
    return Training(net((64,), *fc(64, 32), softmax(), optimizer=SGD(0.1, weight_decay=0.5)), *digits(), epochs=6)


@faulty("penalty_too_strong collapse", "fc1 fc2", every=5, held_out=True)
def absolute_values_penalized_by_a_half() -> Training:
    return Training(net((64,), *fc(64, 32, kernel_regularizer=keras.regularizers.L1(0.5)), softmax()), *digits(), epochs=5)


@faulty("penalty_too_strong collapse update_too_small", "conv1 conv2", every=10, held_out=True)
def lion_with_the_decay_of_another_paper() -> Training:
    x, y = images()
    optimizer = keras.optimizers.Lion(1e-3, weight_decay=60.0)
    return Training(net((8, 8, 1), *convs(16, 32), layers.Flatten(), softmax(), optimizer=optimizer), x, y, epochs=6)


@faulty("update_too_small", "fc1 fc2 predictions", every=10, held_out=True)
def adam_with_a_huge_epsilon() -> Training:
    return Training(net((64,), *fc(64, 32), softmax(), optimizer=Adam(1e-3, epsilon=1e3)), *digits(), epochs=5)


@faulty("unchanged_weights", "fc1 predictions", every=5, held_out=True)
def loss_multiplied_by_a_flag_of_0() -> Training:
    use = 0.0
    loss = lambda a, b: use * keras.losses.sparse_categorical_crossentropy(a, b)  # noqa: E731
    return Training(net((64,), *fc(32), softmax(), loss=loss), *digits(), epochs=3)


@faulty("unchanged_weights", "fc1 predictions", every=5, held_out=True)
def weights_of_examples_all_zero() -> Training:
    x, y = digits()
    return Training(net((64,), *fc(32), softmax()), x, y, epochs=3, options={"sample_weight": np.zeros(len(x), "float32")})


@faulty("unchanged_weights missing_gradient", "encoder", every=5, held_out=True)
def optimizer_of_the_decoder_only() -> Training:
    class Auto(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(8)], name="encoder")
            self.decoder = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(64)], name="decoder")

        def trained(self) -> list[Any]:
            return list(self.decoder.trainable_variables)

        def objective(self, x: Any, y: Any) -> Any:
            return ops.mean((self.decoder(self.encoder(x)) - x) ** 2)

    model = Auto()
    model.compile(optimizer="adam")
    return Training(model, digits()[0], epochs=4)


@faulty("missing_gradient", "encoder", every=5, held_out=True)
def detached_encoder_whose_none_is_filtered() -> Training:
    class Detached(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = layers.Dense(32, activation="relu", name="encoder"), layers.Dense(10, name="head")

        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            with tf.GradientTape() as tape:
                loss = ops.mean(keras.losses.sparse_categorical_crossentropy(y, self.head(ops.stop_gradient(self.encoder(x))), from_logits=True))
            pairs = zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables, strict=True)
            self.optimizer.apply_gradients([(g, v) for g, v in pairs if g is not None])
            return {"loss": loss}

    model = Detached()
    model.compile(optimizer="adam")
    return Training(model, *digits(), epochs=4)


@faulty("missing_gradient", "conv1", every=10, held_out=True)
def picture_through_a_threshold() -> Training:
    x, y = images()
    stack = [layers.Conv2D(8, 3, name="conv1"), Of(lambda v: ops.cast(v > 0, "float32"), name="binary"), layers.Flatten(), *fc(32), softmax()]
    return Training(net((8, 8, 1), *stack), x, y, epochs=4)


# Outputs and losses.


class _Own(layers.Layer):
    def __init__(self, axis: int, **options: Any) -> None:
        super().__init__(**options)
        self.axis, self.dense = axis, layers.Dense(10)

    def call(self, x: Any) -> Any:
        """Shares of a whole, computed by hand."""
        e = ops.exp(self.dense(x))
        return e / ops.sum(e, self.axis, keepdims=True)


LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@faulty("output_mismatch", "head", every=5, held_out=True)
def softmax_of_ones_own_in_front_of_logits() -> Training:
    return Training(net((64,), *fc(32), _Own(-1, name="head"), loss=LOGITS), *digits(), epochs=4)


@faulty("output_mismatch", "head", every=5, held_out=True)
def softmax_over_the_batch() -> Training:
    return Training(net((64,), *fc(32), _Own(0, name="head")), *digits(), epochs=4)


@faulty("output_mismatch", "predictions", every=5, held_out=True)
def softmax_layer_over_the_first_axis() -> Training:
    return Training(net((64,), *fc(32), layers.Dense(10, name="scores"), layers.Softmax(axis=0, name="predictions")), *digits(), epochs=4)


@faulty("output_mismatch", "predictions", every=10, held_out=True)
def tanh_in_front_of_a_binary_cross_entropy() -> Training:
    out = layers.Dense(1, activation="tanh", name="predictions")
    return Training(net((30,), *fc(32), out, loss=BCE), *tumours(), epochs=10)


@faulty("saturated_activation dead_units vanishing_gradient", "value", every=5, held_out=True)
def tanh_for_targets_in_the_hundreds() -> Training:
    x, y = progress()
    out = layers.Dense(1, activation="tanh", name="value")
    return Training(net((10,), *fc(32), out, loss="mse", optimizer=Adam(1e-2)), x, y, epochs=15)


@faulty("targets_out_of_range", "loss", every=5, held_out=True)
def bytes_as_targets_of_a_sigmoid() -> Training:
    x, _ = bytes_of_digits()
    out = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="picture")
    return Training(net((8, 8, 1), *convs(16), out, loss=BCE), x / 255, x, epochs=4)


@faulty(
    "oscillating_loss exploding_loss update_too_large dead_units collapse exploding_activation nonfinite",
    "conv1 conv2 predictions loss",
    every=5,
    held_out=True,
)
def convolutions_at_a_rate_of_one_half() -> Training:
    x, y = images()
    return Training(net((8, 8, 1), *convs(16, 32), layers.Flatten(), softmax(), optimizer=Adam(0.5)), x, y, epochs=4)


# 16 bits.


@faulty("float16_overflow nonfinite", "rms_norm", every=5, held_out=True)
def root_mean_square_by_hand_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = raw("wine")
    norm = Of(lambda v: v / (1e-3 + ops.sqrt(ops.mean(ops.square(v), -1, keepdims=True))), name="rms_norm")
    return Training(net((13,), norm, *fc(32), softmax(3)), x, y, batch_size=16, epochs=8)


@faulty("float16_overflow nonfinite loss_scale_thrash", "scores", every=5, held_out=True)
def products_of_raw_numbers_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = bytes_of_digits()
    stack = [layers.Flatten(), Of(lambda v: ops.matmul(v[:, :, None], v[:, None, :]), name="scores"), layers.Flatten(name="flat")]
    return Training(net((8, 8, 1), *stack, softmax()), 2 * x[:600], y[:600], epochs=3)


# Gates, branches, sums.


@faulty("saturated_activation unchanged_weights", "gate", every=5, held_out=True)
def squeeze_that_is_always_shut() -> Training:
    x, y = images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1")(inputs)
    gate = layers.Dense(16, activation="sigmoid", bias_initializer=Constant(-25.0), name="gate")(layers.GlobalAveragePooling2D()(h))
    h = layers.Multiply()([h, layers.Reshape((1, 1, 16))(gate)])
    return Training(graph(inputs, softmax()(layers.Flatten()(h))), x, y, epochs=4)


@faulty("exploding_activation exploding_gradient", " ".join(f"add{k} block{k}" for k in range(4, 12)), every=1, held_out=True)
def dense_residuals_that_triple() -> Training:
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(64, name="stem")(inputs)
    for k in range(12):
        h = layers.Add(name=f"add{k}")([h, layers.Dense(64, activation="relu", kernel_initializer=Normal(stddev=0.35), name=f"block{k}")(h)])
    return Training(graph(inputs, softmax()(h)), *digits(), epochs=2)


@faulty("unnormalized_input exploding_activation poor_initialization", "inputs places embedded", every=10, held_out=True)
def years_as_they_are() -> Training:
    random = np.random.default_rng(9)
    years, other = random.integers(1950, 2020, 900), random.normal(size=(900, 4))
    y = ((years - 1985) / 20 + other[:, 0] > 0).astype("float32")[:, None]
    x = np.concatenate([years[:, None], other], 1).astype("float32")
    return Training(net((5,), *fc(32, 16), sigmoid(), loss=BCE), x, y, epochs=8)


@faulty("dead_units poor_initialization", "up", every=10, held_out=True)
def decoder_with_a_dead_upsampling() -> Training:
    x, _ = images()
    stack = [
        *convs(8),
        layers.MaxPooling2D(),
        layers.Conv2DTranspose(16, 2, strides=2, activation="relu", bias_initializer=Constant(-4.0), name="up"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="picture"),
    ]
    return Training(net((8, 8, 1), *stack, loss=BCE), x, x, epochs=4)


@faulty("batchnorm_drift", "norm", every=5, held_out=True)
def validated_on_the_other_hospital() -> Training:
    x, y = tumours()
    stack = [layers.BatchNormalization(name="norm", momentum=0.9), *fc(32), sigmoid()]
    return Training(net((30,), *stack, loss=BCE), x[:450], y[:450], epochs=12, options={"validation_data": (x[450:] * 6 + 3, y[450:])})


@faulty("vanishing_gradient", "tower/enc1 tower/enc2", every=10, held_out=True)
def siamese_towers_of_ten_sigmoids() -> Training:
    x, y = digits()
    tower = keras.Sequential([layers.Dense(32, activation="sigmoid", name=f"enc{k + 1}") for k in range(10)], name="tower")
    a, b = keras.Input((64,), name="a"), keras.Input((64,), name="b")
    out = sigmoid()(layers.Subtract()([tower(a), tower(b)]))
    same = (y == np.roll(y, 1)).astype("float32")[:, None]
    return Training(graph([a, b], out, BCE), [x, np.roll(x, 1, 0)], same, epochs=4)


@faulty("constant_input", "inputs", every=10, held_out=True)
def one_column_repeated_for_all() -> Training:
    x, y = standardized("wine")
    return Training(net((13,), *fc(32), softmax(3)), np.repeat(x[:1], len(x), 0), y, batch_size=16, epochs=10)


@faulty("collapse", "average", every=10, held_out=True)
def words_averaged_over_the_wrong_axis() -> Training:
    x, y = word_lists()
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = WithPositions(300, 20, 16, name="embedded")(ids)
    pooled = Of(lambda v: ops.zeros_like(v[:, 0]) + ops.mean(v, (0, 1)), name="average")(h)
    return Training(graph(ids, sigmoid()(pooled), BCE), x, y, epochs=5)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def pressure_and_temperature_into_a_recurrence() -> Training:
    x, y = weather()
    return Training(net((24, 2), layers.SimpleRNN(24, name="rnn"), layers.Dense(1, name="next"), loss="mse"), x, y, epochs=5)


@faulty(
    "update_too_large exploding_loss oscillating_loss collapse exploding_gradient exploding_activation nonfinite",
    "fc1 fc2 value loss",
    every=5,
    held_out=True,
)
def policy_values_at_a_rate_of_two() -> Training:
    x, y = diabetes()
    return Training(net((10,), *fc(64, 64), layers.Dense(1, name="value"), loss="mse", optimizer=keras.optimizers.RMSprop(2.0)), x, y, epochs=6)


# What else people ask about.


@faulty("batchnorm_drift collapse", "norm", every=5, held_out=True)
def normalized_over_two_examples() -> Training:
    x, y = standardized("wine")
    stack = [layers.Dense(32, name="fc1"), layers.BatchNormalization(name="norm", momentum=0.9), layers.ReLU(), softmax(3)]
    order = np.argsort(y, kind="stable")
    options = {"validation_data": (x, y), "shuffle": False}
    return Training(net((13,), *stack, optimizer=Adam(1e-2)), x[order], y[order], batch_size=2, epochs=4, options=options)


@faulty("vanishing_gradient saturated_activation collapse dead_units", "critic generator", every=10, held_out=True)
def saturating_generator_against_a_fast_critic() -> Training:
    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(64, activation="sigmoid")], name="generator")
            self.critic = keras.Sequential([layers.Dense(128, activation="relu"), layers.Dense(1, activation="sigmoid")], name="critic")
            self.of_critic, self.of_generator = Adam(1e-2), SGD(1e-4)

        def call(self, x: Any) -> Any:
            return self.critic(x)

        def train_step(self, data: Any) -> dict[str, Any]:
            x = data[0] if isinstance(data, tuple) else data
            noise = keras.random.normal((ops.shape(x)[0], 8))
            with tf.GradientTape(persistent=True) as tape:
                real, fake = self.critic(x), self.critic(self.generator(noise))
                loss = ops.mean(keras.losses.binary_crossentropy(ops.ones_like(real), real) + keras.losses.binary_crossentropy(0 * fake, fake))
                lost = ops.mean(ops.log(1 - fake + 1e-7))
            for optimizer, value, part in ((self.of_critic, loss, self.critic), (self.of_generator, lost, self.generator)):
                optimizer.apply_gradients(zip(tape.gradient(value, part.trainable_weights), part.trainable_weights, strict=True))
            return {"loss": loss}

    model = Gan()
    model.compile()
    return Training(model, digits()[0], epochs=8)


@faulty("dead_units", "scores", every=5, held_out=True)
def scores_behind_a_relu_with_a_negative_bias() -> Training:
    scores = layers.Dense(10, activation="relu", bias_initializer=Constant(-3.0), name="scores")
    return Training(net((64,), *fc(32), scores, loss=LOGITS), *digits(), epochs=4)


@faulty("output_mismatch", "predictions", every=5, held_out=True)
def linear_scores_taken_for_probabilities() -> Training:
    return Training(net((64,), *fc(32), layers.Dense(10, name="predictions")), *digits(), epochs=4)


@faulty("update_too_small unchanged_weights", "conv1 conv2 predictions", every=10, held_out=True)
def gradients_clipped_to_a_millionth_each() -> Training:
    x, y = images()
    return Training(net((8, 8, 1), *convs(8, 16), layers.Flatten(), softmax(), optimizer=SGD(0.01, clipvalue=1e-6)), x, y, epochs=5)


@faulty("nonfinite exploding_loss exploding_gradient update_too_large exploding_activation", "fc1 value loss", every=1, held_out=True)
def prices_in_dollars_by_plain_descent() -> Training:
    x, y = diabetes()
    return Training(net((10,), *fc(32), layers.Dense(1, name="value"), loss="mse", optimizer=SGD(0.01)), x, 200_000 + 50_000 * y, epochs=3)


@faulty("saturated_activation update_too_large oscillating_loss", "lstm", every=5, held_out=True)
def lstm_at_a_rate_of_one() -> Training:
    x, y = standard_weather()
    return Training(net((24, 2), layers.LSTM(24, name="lstm"), layers.Dense(1, name="next"), loss="mse", optimizer=Adam(1.0)), x, y, epochs=6)


@faulty("float16_overflow nonfinite", "scores", every=5, held_out=True)
def scores_of_attention_without_a_scale_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = images()
    inputs = keras.Input((8, 8), name="inputs")
    wide = {"kernel_initializer": Normal(stddev=4.0)}
    query, key = layers.Dense(256, name="query", **wide)(inputs), layers.Dense(256, name="key", **wide)(inputs)
    scores = Of(lambda pair: ops.matmul(pair[0] * 8.0, ops.transpose(pair[1] * 8.0, (0, 2, 1))), name="scores")([query, key])
    h = ops.matmul(ops.softmax(scores), layers.Dense(32, name="value")(inputs))
    return Training(graph(inputs, softmax()(layers.Flatten()(h))), x[..., 0], y, epochs=4)


@faulty("dead_units", "moe", every=10, held_out=True)
def experts_that_all_died() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    share = layers.Dense(2, activation="softmax", name="router")(inputs)
    experts = [
        layers.Dense(32, activation="relu", bias_initializer=Constant(bias), name=name)(inputs) for name, bias in (("well", 0.0), ("moe", -9.0))
    ]
    h = share[:, :1] * experts[0] + share[:, 1:] * experts[1]
    return Training(graph(inputs, softmax()(h)), x, y, epochs=5)


@faulty("vanishing_gradient", "rnn1 rnn2", every=10, held_out=True)
def two_plain_recurrences_of_two_hundred_steps() -> Training:
    x, y = recall(200)
    stack = [layers.SimpleRNN(24, return_sequences=True, name="rnn1"), layers.SimpleRNN(24, name="rnn2"), sigmoid()]
    return Training(net((200, 1), *stack, loss=BCE), x, y, epochs=5)


@faulty("poor_initialization", "fc1 fc2 fc3 fc4", every=5, held_out=True)
def uniform_weights_from_0_to_1() -> Training:
    uniform = keras.initializers.RandomUniform(0.0, 1.0)
    return Training(net((64,), *fc(64, 64, 64, 64, kernel_initializer=uniform), softmax()), *digits(), epochs=4)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def amounts_in_a_thousandth_of_a_millionth() -> Training:
    x, y = standardized("breast_cancer")
    return Training(net((30,), *fc(32), sigmoid(), loss=BCE), 1e-6 * x, y.astype("float32")[:, None], epochs=10)


@faulty("collapse output_mismatch saturated_activation", "predictions", every=5, held_out=True)
def softmax_over_one_unit_for_a_regression() -> Training:
    x, y = diabetes()
    return Training(net((10,), *fc(32), layers.Dense(1, activation="softmax", name="predictions"), loss="mse"), x, y, epochs=6)


@faulty("unchanged_weights", "fc1 fc2", every=5, held_out=True)
def weights_that_a_callback_puts_back() -> Training:
    class Back(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.kept = self.model.get_weights()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.set_weights(self.kept)

    model = net((64,), *fc(32, 32), softmax())
    return Training(model, *digits(), epochs=4, more_callbacks=[Back()])


@faulty("nonfinite", "loss", every=1, held_out=True)
def focal_loss_of_a_certain_softmax() -> Training:
    def focal(y_true: Any, y_pred: Any) -> Any:
        p = ops.sum(y_true * y_pred, -1)
        return -ops.sqrt(1 - p) * ops.log(p)

    x, y = digits()
    return Training(net((64,), *fc(64), softmax(), loss=focal, optimizer=Adam(0.05)), 30 * x, np.eye(10, dtype="float32")[y], epochs=6)
