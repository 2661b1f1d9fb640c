"""Faulty programs of the tenth set: what is trained, rates, penalties, data, 16 bits, losses, validation, generators."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.data import digits, images, series, sine
from benchmarks.programs.eighth_models import (
    Adversaries,
    Of,
    Own,
    Vae,
    bytes_of_digits,
    convs,
    diabetes,
    fc,
    graph,
    net,
    sigmoid,
    softmax,
    transformer_block,
    tumours,
    word_lists,
)
from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.tenth_models import BCE, Pooled, beats, brackets, clouds, machines, moons, raw_machines, spots, stack, stepwise

SGD, Adam, AdamW, RMSprop = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW, keras.optimizers.RMSprop
MOVED = "update_too_large exploding_loss oscillating_loss dead_units collapse saturated_activation exploding_activation exploding_gradient nonfinite"


# What gets no gradient, or no step.


@faulty("missing_gradient", "lstm conv1", every=10, held_out=True)
def states_that_pass_through_numpy() -> Training:
    through = Of(lambda h: ops.reshape(tf.numpy_function(lambda v: np.maximum(v, 0), [h], tf.float32), (-1, 24)), name="clean")
    return Training(net((30, 1), layers.LSTM(24, name="lstm"), through, layers.Dense(1, name="next"), loss="mse"), *series(), epochs=3)


@faulty("missing_gradient", "encode1 encode2", every=10, held_out=True)
def nearest_code_without_a_way_back() -> Training:
    class Nearest(layers.Layer):
        def build(self, shape: Any) -> None:
            self.codes = self.add_weight(shape=(32, shape[-1]), initializer="random_normal", name="codes")

        def call(self, h: Any) -> Any:
            apart = ops.sum((h[:, None] - self.codes[None]) ** 2, -1)
            return ops.take(self.codes, ops.argmin(apart, -1), axis=0)

    x, _ = digits()
    encode = [layers.Dense(64, activation="relu", name="encode1"), layers.Dense(8, name="encode2")]
    return Training(net((64,), *encode, Nearest(name="nearest"), layers.Dense(64, activation="sigmoid", name="picture"), loss="mse"), x, x, epochs=3)


@faulty("missing_gradient", "attend attention", every=10, held_out=True)
def context_that_is_made_and_left_out() -> Training:
    class Block(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.attend, self.norm, self.ffn = (
                layers.MultiHeadAttention(2, 8, name="attend"),
                layers.LayerNormalization(name="norm"),
                layers.Dense(16, activation="relu", name="ffn"),
            )

        def call(self, h: Any) -> Any:
            self.attend(h, h)
            return self.norm(h + self.ffn(h))

    stacked = [layers.Embedding(4, 16, name="signs"), Block(name="attention"), layers.GlobalAveragePooling1D(), sigmoid()]
    return Training(net((16,), *stacked, loss=BCE, dtype="int32"), *brackets(), epochs=3)


@faulty("missing_gradient", "fc1 fc2", every=10, held_out=True)
def features_turned_into_integers() -> Training:
    whole = Of(lambda h: ops.cast(ops.cast(h * 4, "int32"), "float32"), name="whole")
    return Training(net((8,), *fc(32, 32, activation="tanh"), whole, layers.Dense(1, name="wear"), loss="mse"), *machines(), epochs=4)


@faulty("missing_gradient unchanged_weights", "network/extractor", every=10, held_out=True)
def two_models_and_only_the_variables_of_one() -> Training:
    x, y = images()
    extractor, head = stack(*convs(16), layers.Flatten(), name="extractor"), stack(layers.Dense(10, name="scores"), name="head")
    network = stack(extractor, head)
    scores = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Training(stepwise(network, scores, "adam", head), x, y, epochs=3)


@faulty("unchanged_weights update_too_small", "fc1 fc2 wear", every=10, held_out=True)
def rate_of_a_whole_division() -> Training:
    class Staircase(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return 1e-3 * ops.cast(step // 10_000, "float32")

        def get_config(self) -> dict[str, Any]:
            return {}

    return Training(net((8,), *fc(32, 32), layers.Dense(1, name="wear"), loss="mse", optimizer=Adam(Staircase())), *machines(), epochs=6)


@faulty("unchanged_weights missing_gradient update_too_small", "fc1 fc2 predictions", every=10, held_out=True)
def loss_without_the_network() -> Training:
    loss = lambda a, b: ops.mean((a - ops.stop_gradient(b)) ** 2) + 0 * ops.mean(b)  # noqa: E731
    return Training(net((2,), *fc(16, 16), sigmoid(), loss=loss), *moons(), epochs=5)


@faulty("unchanged_weights", "conv2", every=5, held_out=True)
def slow_copy_written_back_over_the_student() -> Training:
    x, y = images()
    model = net((8, 8, 1), *convs(16, 16), layers.Flatten(), softmax())
    kernel = model.get_layer("conv2").kernel
    start = kernel.numpy()
    callback = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs=None: kernel.assign(start))
    return Training(model, x, y, epochs=3, more_callbacks=[callback])


# Rates and penalties.


@faulty(MOVED, "rows block_attention block_ffn1 block_ffn2 block_norm1 block_norm2 predictions loss", every=5, held_out=True)
def patches_with_adam_of_two() -> Training:
    x, y = images()
    inputs = keras.Input((8, 8), name="inputs")
    h = transformer_block(layers.Dense(32, name="rows")(inputs), "block")
    return Training(graph(inputs, softmax()(layers.GlobalAveragePooling1D()(h)), optimizer=Adam(2.0)), x[..., 0], y, epochs=3)


@faulty(MOVED, "gru wear next loss", every=5, held_out=True)
def rmsprop_of_a_half_on_a_recurrence() -> Training:
    return Training(net((30, 1), layers.GRU(24, name="gru"), layers.Dense(1, name="next"), loss="mse", optimizer=RMSprop(0.5)), *series(), epochs=4)


@faulty(MOVED, "signs fc1 predictions", every=5, held_out=True)
def table_of_signs_at_a_rate_of_three_thousand() -> Training:
    stacked = [layers.Embedding(4, 16, name="signs"), layers.GlobalAveragePooling1D(), *fc(32), sigmoid()]
    return Training(net((16,), *stacked, loss=BCE, dtype="int32", optimizer=SGD(3000.0)), *brackets(), epochs=4)


@faulty("update_too_small", "fc1 fc2 predictions", every=10, held_out=True)
def adamw_of_three_hundred_millionths() -> Training:
    return Training(net((30,), *fc(32, 32), sigmoid(), loss=BCE, optimizer=AdamW(3e-8)), *tumours(), epochs=8)


@faulty("update_too_small", "fc1 fc2 wear", every=10, held_out=True)
def rate_that_ends_after_six_steps() -> Training:
    rate = keras.optimizers.schedules.PolynomialDecay(1e-3, 6, 0.0)
    return Training(net((8,), *fc(32, 32), layers.Dense(1, name="wear"), loss="mse", optimizer=SGD(rate)), *machines(), epochs=10)


@faulty("update_too_small", "conv1 conv2 predictions", every=5, held_out=True)
def rate_halved_at_every_step() -> Training:
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, 1, 0.5)
    x, y = images()
    return Training(net((8, 8, 1), *convs(16, 16), layers.Flatten(), softmax(), optimizer=Adam(rate)), x, y, epochs=4)


@faulty("update_too_small vanishing_gradient", "fc1 fc2", every=10, held_out=True)
def gradients_of_the_body_scaled_to_nothing() -> Training:
    @tf.custom_gradient
    def weakly(h: Any) -> Any:
        return h, lambda g: 1e-9 * g

    return Training(net((30,), *fc(32, 32), Of(weakly, name="weakly"), sigmoid(), loss=BCE, optimizer=SGD(0.1)), *tumours(), epochs=8)


@faulty("penalty_too_strong collapse update_too_small", "gru", every=5, held_out=True)
def penalty_of_three_on_a_gru() -> Training:
    squares = keras.regularizers.L2(3.0)
    gru = layers.GRU(16, kernel_regularizer=squares, recurrent_regularizer=squares, name="gru")
    return Training(net((30, 1), gru, layers.Dense(1, name="next"), loss="mse", optimizer=Adam(5e-3)), *series(), epochs=5)


@faulty("penalty_too_strong collapse dead_units", "conv1 conv2", every=5, held_out=True)
def absolute_penalty_of_a_tenth_on_filters() -> Training:
    x, y = images()
    stacked = convs(16, 16, kernel_regularizer=keras.regularizers.L1(0.3))
    return Training(net((8, 8, 1), *stacked, layers.Flatten(), softmax(), optimizer=SGD(0.01)), x, y, epochs=4)


@faulty("penalty_too_strong collapse dead_units", "fc1 fc2", every=5, held_out=True)
def activity_penalty_of_fifty() -> Training:
    stacked = fc(64, 32, activity_regularizer=keras.regularizers.L2(50.0))
    return Training(net((30,), *stacked, sigmoid(), loss=BCE, optimizer=Adam(0.01)), *tumours(), epochs=8)


@faulty("penalty_too_strong collapse", "gru next", every=10, held_out=True)
def weight_decay_of_a_third_in_plain_descent() -> Training:
    stacked = [layers.GRU(16, name="gru"), layers.Dense(1, name="next")]
    return Training(net((30, 1), *stacked, loss="mse", optimizer=SGD(0.05, weight_decay=3.0)), *series(), epochs=5)


@faulty("exploding_loss " + MOVED, "loss fc1 fc2 wear", every=1, held_out=True)
def descent_at_three_tenths_on_wide_layers_of_sums() -> Training:
    return Training(
        net((8,), *fc(512, 512), layers.Dense(1, name="wear"), loss=lambda a, b: ops.sum((a - b) ** 2), optimizer=SGD(0.3)), *machines(), epochs=1
    )


@faulty("oscillating_loss exploding_loss update_too_large", "loss brightness", every=1, held_out=True)
def straight_line_beyond_the_stable_rate() -> Training:
    x, y = sine()
    return Training(net((1,), layers.Dense(1, name="brightness"), loss="mse", optimizer=SGD(0.34)), np.sign(x) * 1.7, 3 * y, batch_size=16, epochs=2)


@faulty("exploding_loss", "loss", every=5, held_out=True)
def likelihood_with_the_sign_forgotten() -> Training:
    loss = lambda a, b: ops.mean(a * ops.log(b + 1e-7) + (1 - a) * ops.log(1 - b + 1e-7)) * 5e4  # noqa: E731
    return Training(net((2,), *fc(32), sigmoid(), loss=loss, optimizer=Adam(0.01)), *moons(), epochs=5)


# Data.


@faulty("constant_input", "inputs", every=10, held_out=True)
def generator_that_yields_its_first_picture() -> Training:
    x, y = spots()
    heat = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="heat")
    return Training(net((12, 12, 1), *convs(16), heat, loss=BCE), np.repeat(x[:1], 400, 0), y[:400], epochs=3)


@faulty("constant_input", "price", every=10, held_out=True)
def second_input_filled_with_the_mean() -> Training:
    x, y = machines()
    readings, price = keras.Input((8,), name="readings"), keras.Input((1,), name="price")
    h = layers.Dense(32, activation="relu", name="fc1")(layers.Concatenate()([readings, price]))
    return Training(graph([readings, price], layers.Dense(1, name="wear")(h), "mse"), [x, np.full((len(x), 1), 0.7, "float32")], y, epochs=4)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def revolutions_and_pascals_into_two_layers() -> Training:
    return Training(net((8,), *fc(64, 32), layers.Dense(1, name="wear"), loss="mse"), *raw_machines(), epochs=5)


@faulty("unnormalized_input", "inputs", every=50, held_out=True)
def bytes_into_a_masked_autoencoder() -> Training:
    x, _ = bytes_of_digits()
    x = x.reshape(len(x), 64)
    return Training(net((64,), *fc(48, 24, 48), layers.Dense(64, name="picture"), loss="mse"), x, x, epochs=5)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def voltages_in_gigavolts() -> Training:
    x, y = beats()
    stacked = [layers.LSTM(24, name="lstm"), softmax(3)]
    return Training(net((48, 1), *stacked), 1e-6 * x, y, epochs=4)


@faulty("unnormalized_input", "scaled inputs", every=10, held_out=True)
def rescaling_by_255_instead_of_its_reciprocal() -> Training:
    x, y = images()
    return Training(net((8, 8, 1), layers.Rescaling(255.0, name="scaled"), *convs(16), layers.Flatten(), softmax()), x, y, epochs=3)


# 16 bits.


@faulty("float16_overflow nonfinite", "total", every=5, held_out=True)
def sum_over_time_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = beats()
    stacked = [layers.Conv1D(16, 5, activation="relu", name="conv1"), Of(lambda h: ops.sum(5000.0 * h, 1), name="total"), softmax(3)]
    return Training(net((48, 1), *stacked, optimizer=SGD(1e-4)), x, y, epochs=3)


@faulty("float16_overflow nonfinite", "exponentials", every=5, held_out=True)
def exponentials_in_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = machines()
    stacked = [layers.Dense(32, name="fc1"), Of(lambda h: ops.exp(6.0 * h), name="exponentials"), layers.Dense(1, dtype="float32", name="wear")]
    return Training(net((8,), *stacked, loss="mae", optimizer=SGD(1e-9)), x, y, epochs=3)


@faulty("float16_underflow", "fc1 fc2 fc3 fc4 predictions", every=5, held_out=True)
def mean_over_a_million_in_plain_float16() -> Training:
    keras.config.set_dtype_policy("float16")
    x, y = digits()
    scores = keras.losses.SparseCategoricalCrossentropy(reduction="none")
    loss = lambda a, b: scores(a, ops.cast(b, "float32")) / 1e6  # noqa: E731
    return Training(net((64,), *fc(64, 32), softmax(), loss=loss, optimizer=SGD(0.1)), x.astype("float16"), y, epochs=4)


@faulty("loss_scale_thrash float16_overflow nonfinite", "loss scale fc1 steep", every=1, held_out=True)
def scale_that_is_doubled_at_every_second_step() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    scaled = keras.optimizers.LossScaleOptimizer(Adam(1e-3), initial_scale=2.0**15, dynamic_growth_steps=2)
    return Training(net((64,), *fc(64), softmax(), optimizer=scaled), *digits(), epochs=3)


# Losses.


@faulty("output_mismatch", "network/shares", every=5, held_out=True)
def shares_given_to_a_loss_of_scores_in_a_loop() -> Training:
    network = stack(layers.LSTM(16, name="lstm"), layers.Dense(3), Of(lambda v: ops.exp(v) / ops.sum(ops.exp(v), -1, keepdims=True), name="shares"))
    return Training(stepwise(network, keras.losses.SparseCategoricalCrossentropy(from_logits=True), Adam(5e-3)), *beats(), epochs=4)


@faulty("output_mismatch", "predictions", every=5, held_out=True)
def relu_in_front_of_a_cross_entropy() -> Training:
    return Training(net((64,), *fc(64), layers.Dense(10, activation="relu", name="predictions")), *digits(), epochs=5)


@faulty("output_mismatch", "network/gate", every=5, held_out=True)
def sigmoid_and_then_the_loss_of_tensorflow() -> Training:
    network = stack(*fc(16), layers.Dense(1, name="score"), layers.Activation("sigmoid", name="gate"))
    return Training(stepwise(network, lambda y, p: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=p), Adam(5e-3)), *moons(), epochs=6)


@faulty("targets_out_of_range", "loss", every=5, held_out=True)
def masks_as_bytes() -> Training:
    x, y = spots()
    return Training(net((12, 12, 1), *convs(12), layers.Conv2D(1, 1, activation="sigmoid", name="heat"), loss=BCE), x, 255 * y, epochs=3)


@faulty("targets_out_of_range", "loss", every=5, held_out=True)
def answers_counted_from_one() -> Training:
    x, y = clouds()
    return Training(net((24, 2), *fc(32), layers.GlobalMaxPooling1D(), sigmoid(), loss=BCE), x, y + 1, epochs=8)


@faulty("saturated_activation", "progress", every=5, held_out=True)
def tanh_for_targets_up_to_three_hundred() -> Training:
    x, y = diabetes()
    out = layers.Dense(1, activation="tanh", name="progress")
    return Training(net((10,), *fc(32), out, loss="mae", optimizer=Adam(0.01)), x, 150 + 77 * y, epochs=12)


# Batch normalization and dropout.


@faulty("batchnorm_drift", "norm", every=5, held_out=True)
def validated_on_inverted_pictures() -> Training:
    x, y = images()
    stacked = [layers.Conv2D(16, 3, name="conv1"), layers.BatchNormalization(momentum=0.8, name="norm"), layers.ReLU(), layers.Flatten(), softmax()]
    return Training(net((8, 8, 1), *stacked), x[:1200], y[:1200], epochs=5, options={"validation_data": (3 * (1 - x[1200:]), y[1200:])})


@faulty("batchnorm_drift", "norm", every=10, held_out=True)
def moving_statistics_of_five_nines() -> Training:
    x, y = beats()
    stacked = [
        layers.Conv1D(16, 5, name="conv1"),
        layers.BatchNormalization(momentum=0.99999, name="norm"),
        layers.ReLU(),
        layers.GlobalAveragePooling1D(),
        softmax(3),
    ]
    return Training(
        net((48, 1), *stacked, optimizer=Adam(5e-3)),
        6 * x[:480],
        y[:480],
        batch_size=16,
        epochs=8,
        options={"validation_data": (6 * x[480:], y[480:])},
    )


@faulty("heavy_dropout", "dropout", every=5, held_out=True)
def words_dropped_nineteen_of_twenty() -> Training:
    stacked = [layers.Embedding(300, 16, name="words"), layers.Dropout(0.95, name="dropout"), layers.GRU(16, name="gru"), sigmoid()]
    return Training(net((20,), *stacked, loss=BCE, dtype="int32"), *word_lists(), epochs=3)


# Generators.


@faulty("drowned_code collapse", "mean log_variance codes", every=10, held_out=True)
def divergence_summed_over_the_batch() -> Training:
    class Summed(Vae):
        def objective(self, x: Any, y: Any) -> Any:
            picture, divergence = self.decoded(x)
            return ops.mean(ops.sum((picture - x) ** 2, -1)) + 32 * 4.0 * divergence

    model = Summed(48, 6)
    model.compile(optimizer=Adam(2e-3))
    return Training(model, digits()[0], epochs=6)


@faulty("unchanged_weights update_too_small", "generator", every=10, held_out=True)
def generator_with_a_rate_of_zero() -> Training:
    generator = stack(layers.Dense(32, activation="relu"), layers.Dense(64, activation="sigmoid"), name="generator")
    model = Adversaries(generator, stack(layers.Dense(32, activation="relu"), layers.Dense(1), name="critic"), SGD(0.0), Adam(1e-3))
    model.compile()
    return Training(model, digits()[0], epochs=3)


@faulty("missing_gradient", "generator", every=10, held_out=True)
def picture_rounded_before_the_critic() -> Training:
    generator = stack(layers.Dense(32, activation="relu"), layers.Dense(64, activation="sigmoid"), Of(ops.round, name="bits"), name="generator")

    class Patient(Adversaries):
        def train_step(self, data: Any) -> dict[str, Any]:
            x = data[0] if isinstance(data, tuple) else data
            noise = keras.random.normal((ops.shape(x)[0], 8))
            with tf.GradientTape(persistent=True) as tape:
                loss = ops.mean(ops.softplus(-self.critic(x))) + ops.mean(ops.softplus(self.critic(self.generator(noise))))
                fooled = -loss
            for optimizer, value, part in ((self.of_critic, loss, self.critic), (self.of_generator, fooled, self.generator)):
                pairs = zip(tape.gradient(value, part.trainable_weights), part.trainable_weights, strict=True)
                known = [(gradient, weight) for gradient, weight in pairs if gradient is not None]
                if known:
                    optimizer.apply_gradients(known)
            return {"loss": loss}

    model = Patient(generator, stack(layers.Dense(32, activation="relu"), layers.Dense(1), name="critic"), Adam(1e-3), Adam(1e-3))
    model.compile()
    return Training(model, digits()[0], epochs=3)


@faulty("missing_gradient", "pooled", every=5, held_out=True)
def hard_attention_by_the_largest_score() -> Training:
    class Hard(Pooled):
        def call(self, x: Any) -> Any:
            chosen = ops.one_hot(ops.argmax(self.score(x)[..., 0], 1), x.shape[1])
            return ops.sum(chosen[..., None] * x, 1)

    return Training(net((48, 1), layers.Conv1D(16, 5, activation="relu", name="conv1"), Hard(name="pooled"), softmax(3)), *beats(), epochs=4)


@faulty("missing_gradient unchanged_weights", "policy", every=10, held_out=True)
def policy_gradient_through_sampled_actions() -> Training:
    class Actor(Own):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.policy, self.value = (
                layers.Dense(32, activation="tanh", name="body"),
                layers.Dense(4, name="policy"),
                layers.Dense(1, name="value"),
            )

        def call(self, x: Any) -> Any:
            return self.value(self.body(x))

        def objective(self, x: Any, y: Any) -> Any:
            h = self.body(x)
            action = ops.cast(keras.random.categorical(self.policy(h), 1), "float32")
            return ops.mean((self.value(h) - y) ** 2) + ops.mean(action * ops.stop_gradient(y))

        def trained(self) -> list[Any]:
            return [*self.body.trainable_variables, *self.value.trainable_variables]

    model = Actor()
    model.compile(optimizer="adam")
    return Training(model, *machines(), epochs=4)
