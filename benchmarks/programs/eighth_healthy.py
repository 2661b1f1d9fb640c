"""Healthy programs of the eighth set: as tutorials have them, and what looks suspicious and is fine."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.data import bag_of_words, characters, digits, images, raw, series, sine, standardized
from benchmarks.programs.eighth_models import (
    Adversaries,
    Of,
    Own,
    Vae,
    WithPositions,
    adding,
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
    transformer_block,
    tumours,
    weather,
    word_lists,
)
from benchmarks.programs.registry import Training, healthy

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW
BCE = "binary_crossentropy"


# Tables.


@healthy(every=1, held_out=True)
def digits_for_twenty_steps() -> Training:
    x, y = digits()
    return Training(net((64,), *fc(64, 32), softmax()), x[:640], y[:640], epochs=1)


@healthy(every=10, held_out=True)
def high_rate_that_is_fine_for_shallow_nets() -> Training:
    return Training(net((64,), *fc(64), softmax(), optimizer=SGD(0.5)), *digits(), epochs=7)


@healthy(every=10, held_out=True)
def momentum_and_a_falling_rate() -> Training:
    rate = keras.optimizers.schedules.CosineDecay(0.05, 400)
    return Training(net((64,), *fc(128, 64), softmax(), optimizer=SGD(rate, momentum=0.9, nesterov=True)), *digits(), epochs=7)


@healthy(every=5, held_out=True)
def thirty_flowers() -> Training:
    x, y = standardized("iris")
    return Training(net((4,), *fc(16, 16), softmax(3), optimizer=Adam(0.01)), x[::5], y[::5], batch_size=8, epochs=25)


@healthy(every=10, held_out=True)
def batches_of_two() -> Training:
    return Training(net((13,), *fc(32), softmax(3), optimizer=Adam(1e-3)), *standardized("wine"), batch_size=2, epochs=4)


@healthy(every=5, held_out=True)
def three_percent_positive_with_class_weights() -> Training:
    x, y = tumours()
    keep = (y[:, 0] == 1) | (np.arange(len(x)) % 20 == 0)
    return Training(net((30,), *fc(32, 16), sigmoid(), loss=BCE), x[keep], y[keep], epochs=12, options={"class_weight": {0: 10.0, 1: 1.0}})


@healthy(every=10, held_out=True)
def columns_that_are_always_zero() -> Training:
    x, y = standardized("wine")
    x = np.concatenate([x, np.zeros((len(x), 5), "float32"), np.ones((len(x), 1), "float32")], 1)
    return Training(net((19,), *fc(32, 32), softmax(3)), x, y, batch_size=16, epochs=20)


@healthy(every=10, held_out=True)
def words_in_a_bag() -> Training:
    x, y = bag_of_words()
    return Training(net((x.shape[1],), *fc(32), layers.Dropout(0.5), sigmoid(), loss=BCE), x, y[:, None], epochs=6)


@healthy(every=10, held_out=True)
def progress_in_its_own_units() -> Training:
    return Training(net((10,), *fc(64, 64), layers.Dense(1, name="value"), loss="mae", optimizer=Adam(1e-2)), *progress(), epochs=25)


@healthy(every=10, held_out=True)
def adapted_normalization_of_raw_tumours() -> Training:
    x, y = raw("breast_cancer")
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(x)
    return Training(net((30,), normalization, *fc(32, 16), sigmoid(), loss=BCE), x, y.astype("float32")[:, None], epochs=15)


@healthy(every=10, held_out=True)
def leaky_units_with_a_wide_net() -> Training:
    stack: list[Any] = []
    for k, layer in enumerate(fc(256, 128, 64, activation=None)):
        stack += [layer, layers.LeakyReLU(negative_slope=0.01, name=f"leaky{k}")]
    return Training(net((64,), *stack, softmax()), *digits(), epochs=6)


@healthy(every=10, held_out=True)
def sparse_codes_on_purpose() -> Training:
    x, _ = digits()
    code = layers.Dense(100, activation="relu", activity_regularizer=keras.regularizers.L1(1e-5), name="code")
    return Training(net((64,), code, layers.Dense(64, activation="sigmoid", name="picture"), loss=BCE), x, x, epochs=7)


@healthy(every=10, held_out=True)
def three_sigmoid_layers() -> Training:
    return Training(net((64,), *fc(64, 64, activation="sigmoid"), softmax(), optimizer=Adam(5e-3)), *digits(), epochs=7)


@healthy(every=10, held_out=True)
def quantiles_by_the_pinball_loss() -> Training:
    def pinball(y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return ops.mean(ops.maximum(0.9 * error, -0.1 * error))

    return Training(net((10,), *fc(64, 32), layers.Dense(1, name="quantile"), loss=pinball), *diabetes(), epochs=20)


@healthy(every=5, held_out=True)
def gaussian_likelihood_with_a_softplus() -> Training:
    def likelihood(y_true: Any, y_pred: Any) -> Any:
        deviation = ops.softplus(y_pred[:, 1:]) + 1e-3
        return ops.log(deviation) + 0.5 * ((y_true - y_pred[:, :1]) / deviation) ** 2

    return Training(
        net((1,), *fc(32, 32, activation="tanh"), layers.Dense(2, name="moments"), loss=likelihood, optimizer=Adam(5e-3)), *sine(), epochs=20
    )


@healthy(every=10, held_out=True)
def clipped_to_a_norm_of_one() -> Training:
    return Training(net((64,), *fc(64, 64), softmax(), optimizer=SGD(0.2, clipnorm=1.0)), *digits(), epochs=7)


@healthy(every=50, held_out=True)
def four_hundred_steps_of_twenty_features() -> Training:
    return Training(net((30,), *fc(64, 32), sigmoid(), loss=BCE, optimizer="rmsprop"), *tumours(), epochs=24)


@healthy(every=10, held_out=True)
def warm_up_from_nothing() -> Training:
    rate = keras.optimizers.schedules.CosineDecay(0.0, 400, warmup_target=3e-3, warmup_steps=100)
    return Training(net((64,), *fc(64, 64), softmax(), optimizer=Adam(rate)), *digits(), epochs=7)


@healthy(every=10, held_out=True)
def lion_with_its_small_rate() -> Training:
    return Training(net((64,), *fc(64, 64), softmax(), optimizer=keras.optimizers.Lion(3e-4)), *digits(), epochs=6)


@healthy(every=10, held_out=True)
def dropout_of_three_quarters_in_a_wide_layer() -> Training:
    return Training(net((64,), *fc(512), layers.Dropout(0.75), softmax(), optimizer=Adam(2e-3)), *digits(), epochs=7)


@healthy(every=10, held_out=True)
def weights_learned_by_heart() -> Training:
    x, y = digits()
    return Training(net((64,), *fc(128, 128), softmax(), optimizer=Adam(3e-3)), x[:100], y[:100], batch_size=25, epochs=100)


# Pictures.


@healthy(every=10, held_out=True)
def small_convolutional_net() -> Training:
    x, y = images()
    stack = [*convs(16, 32), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5), softmax()]
    return Training(net((8, 8, 1), *stack), x, y, epochs=6, options={"validation_split": 0.1})


@healthy(every=10, held_out=True)
def rescaled_inside_of_the_model() -> Training:
    x, y = bytes_of_digits()
    stack = [layers.Rescaling(1 / 255), *convs(16, 32), layers.GlobalMaxPooling2D(), softmax()]
    return Training(net((8, 8, 1), *stack), x, y, epochs=6)


@healthy(every=10, held_out=True)
def residual_net_with_zero_gamma() -> Training:
    x, y = images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(16, 3, padding="same", name="stem")(inputs)
    for k in range(3):
        r = layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"conv{k}a")(h)
        r = layers.ReLU()(layers.BatchNormalization(name=f"norm{k}a")(r))
        r = layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"conv{k}b")(r)
        r = layers.BatchNormalization(gamma_initializer="zeros", name=f"norm{k}b")(r)
        h = layers.ReLU()(layers.Add()([h, r]))
    out = softmax()(layers.GlobalAveragePooling2D()(h))
    return Training(graph(inputs, out, optimizer=Adam(3e-3)), x[:1500], y[:1500], epochs=8, options={"validation_data": (x[1500:], y[1500:])})


@healthy(every=10, held_out=True)
def backbone_frozen_on_purpose_then_tuned() -> Training:
    x, y = images()
    base = keras.Sequential([keras.Input((8, 8, 1)), *convs(16, 32), layers.GlobalAveragePooling2D()], name="base")
    pretrain = net((8, 8, 1), base, layers.Dense(2, activation="softmax"), optimizer=Adam(3e-3))
    pretrain.fit(x, y % 2, epochs=3, verbose=0)
    base.trainable = False
    inputs = keras.Input((8, 8, 1), name="inputs")
    model = graph(inputs, softmax()(base(inputs, training=False)), optimizer=Adam(1e-2))

    def tuned(model: Any) -> dict[str, Any]:
        base.trainable = True
        model.compile(Adam(1e-4), "sparse_categorical_crossentropy")
        return {"epochs": 3}

    return Training(model, x, y, epochs=4, again=[tuned])


@healthy(every=10, held_out=True)
def augmented_pictures() -> Training:
    x, y = images()
    stack = [layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.05), *convs(16, 32), layers.MaxPooling2D(), layers.Flatten(), softmax()]
    return Training(net((8, 8, 1), *stack, optimizer=Adam(2e-3)), x, y, epochs=7)


@healthy(every=10, held_out=True)
def squeeze_and_excite() -> Training:
    x, y = images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = inputs
    for k in range(2):
        h = layers.Conv2D(24, 3, padding="same", activation="relu", name=f"conv{k}")(h)
        s = layers.Dense(6, activation="gelu", name=f"squeeze{k}")(layers.GlobalAveragePooling2D()(h))
        s = layers.Dense(24, activation="sigmoid", name=f"excite{k}")(s)
        h = layers.Multiply()([h, layers.Reshape((1, 1, 24))(s)])
    return Training(graph(inputs, softmax()(layers.Flatten()(h))), x, y, epochs=7)


@healthy(every=10, held_out=True)
def little_u_net_with_a_rare_class() -> Training:
    x, _ = images()
    mask = (x > 0.9).astype("float32")
    inputs = keras.Input((8, 8, 1), name="inputs")
    a = layers.Conv2D(12, 3, padding="same", activation="relu", name="down1")(inputs)
    b = layers.Conv2D(24, 3, padding="same", activation="relu", name="down2")(layers.MaxPooling2D()(a))
    up = layers.Conv2DTranspose(12, 2, strides=2, activation="relu", name="up")(b)
    out = layers.Conv2D(1, 1, activation="sigmoid", name="mask")(layers.Concatenate()([a, up]))
    return Training(graph(inputs, out, BCE), np.clip(x + 0.1, 0, 1), mask, epochs=6)


@healthy(every=5, held_out=True)
def pictures_in_mixed_precision() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = images()
    return Training(net((8, 8, 1), *convs(16, 32), layers.Flatten(), softmax()), x, y, epochs=5)


@healthy(every=10, held_out=True)
def depthwise_net_with_swish() -> Training:
    x, y = images()
    stack = [
        layers.Conv2D(16, 3, padding="same", activation="swish", name="stem"),
        layers.SeparableConv2D(32, 3, padding="same", activation="swish", name="separable"),
        layers.BatchNormalization(momentum=0.9),
        layers.GlobalAveragePooling2D(),
        softmax(),
    ]
    return Training(net((8, 8, 1), *stack, optimizer=Adam(3e-3)), x, y, epochs=8, options={"validation_split": 0.2})


@healthy(every=10, held_out=True)
def blank_pictures_among_them() -> Training:
    x, y = images()
    x = x.copy()
    x[::10] = 0
    return Training(net((8, 8, 1), *convs(16), layers.LayerNormalization(), layers.Flatten(), softmax()), x, y, epochs=5)


# Sequences.


@healthy(every=10, held_out=True)
def lstm_of_standardized_weather() -> Training:
    return Training(net((24, 2), layers.LSTM(32, name="lstm"), layers.Dense(1, name="next"), loss="mse"), *standard_weather(), epochs=8)


@healthy(every=10, held_out=True)
def adapted_weather() -> Training:
    x, y = weather()
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(x)
    stack = [normalization, layers.Conv1D(16, 5, activation="relu", name="conv1"), layers.GRU(16, name="gru"), layers.Dense(1, name="next")]
    return Training(net((24, 2), *stack, loss="mse"), x, y, epochs=8)


@healthy(every=10, held_out=True)
def masked_words_in_both_directions() -> Training:
    x, y = word_lists()
    stack = [layers.Embedding(300, 16, mask_zero=True, name="words"), layers.Bidirectional(layers.LSTM(16)), layers.Dropout(0.3), sigmoid()]
    return Training(net((20,), *stack, loss=BCE, dtype="int32"), x, y, epochs=10)


@healthy(every=10, held_out=True)
def next_letters() -> Training:
    x, y, count = characters(24, 1000)
    stack = [layers.Embedding(count, 24, name="letters"), layers.GRU(48, return_sequences=True, name="gru"), softmax(count)]
    return Training(net((24,), *stack, dtype="int32", optimizer=Adam(5e-3)), x, y, epochs=6)


@healthy(every=10, held_out=True)
def recall_over_forty_steps() -> Training:
    return Training(net((40, 1), layers.GRU(32, name="gru"), sigmoid(), loss=BCE, optimizer=Adam(3e-3)), *recall(40), epochs=10)


@healthy(every=10, held_out=True)
def the_adding_problem_with_an_lstm() -> Training:
    return Training(net((15, 2), layers.LSTM(48, name="lstm"), layers.Dense(1, name="sum"), loss="mse", optimizer=Adam(5e-3)), *adding(15), epochs=12)


@healthy(every=10, held_out=True)
def dilated_convolutions_over_a_series() -> Training:
    x, y = series()
    inputs = keras.Input((30, 1), name="inputs")
    h = layers.Conv1D(16, 1, name="stem")(inputs)
    for k in range(4):
        h = layers.Add()([h, layers.Conv1D(16, 2, dilation_rate=2**k, padding="causal", activation="relu", name=f"conv{k}")(h)])
    out = layers.Dense(1, name="next")(layers.Flatten()(h))
    return Training(graph(inputs, out, "mse"), x, y, epochs=8)


@healthy(every=10, held_out=True)
def words_through_a_transformer() -> Training:
    x, y = word_lists()
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = transformer_block(WithPositions(300, 20, 32, name="embedded")(ids), "block")
    out = sigmoid()(layers.Dropout(0.1)(layers.GlobalMaxPooling1D()(h)))
    return Training(graph(ids, out, BCE, Adam(2e-3)), x, y, epochs=12)


@healthy(every=10, held_out=True)
def letters_through_a_causal_decoder() -> Training:
    x, y, count = characters(24, 1000)
    ids = keras.Input((24,), dtype="int32", name="ids")
    h = WithPositions(count, 24, 48, name="embedded")(ids)
    for k in range(2):
        n = layers.LayerNormalization(name=f"norm{k}a")(h)
        h = layers.Add()([h, layers.MultiHeadAttention(4, 12, name=f"attention{k}")(n, n, use_causal_mask=True)])
        n = layers.LayerNormalization(name=f"norm{k}b")(h)
        h = layers.Add()([h, layers.Dense(48, name=f"down{k}")(layers.Dense(96, activation="gelu", name=f"up{k}")(n))])
    rate = keras.optimizers.schedules.CosineDecay(0.0, 200, warmup_target=3e-3, warmup_steps=40)
    return Training(graph(ids, softmax(count)(layers.LayerNormalization(name="last")(h)), optimizer=AdamW(rate, weight_decay=0.01)), x, y, epochs=6)


@healthy(every=10, held_out=True)
def patches_of_pictures_through_attention() -> Training:
    x, y = images()
    patches = x.reshape(-1, 4, 2, 4, 2).swapaxes(2, 3).reshape(-1, 16, 4)
    inputs = keras.Input((16, 4), name="inputs")
    h = layers.Dense(32, name="project")(inputs)
    h = transformer_block(transformer_block(h, "block1"), "block2")
    return Training(graph(inputs, softmax()(layers.Flatten()(h))), patches, y, epochs=6)


@healthy(every=10, held_out=True)
def encoder_and_decoder_with_teacher_forcing() -> Training:
    x, _, count = characters(12, 1000)
    back = x[:, ::-1]
    source, target = keras.Input((12,), dtype="int32", name="source"), keras.Input((12,), dtype="int32", name="target")
    letters = layers.Embedding(count + 1, 24, name="letters")
    _, state = layers.GRU(64, return_state=True, name="encoder")(letters(source))
    h = layers.GRU(64, return_sequences=True, name="decoder")(letters(target), initial_state=state)
    model = graph([source, target], softmax(count)(h), optimizer=Adam(5e-3))
    shifted = np.concatenate([np.full((len(x), 1), count), back[:, :-1]], 1)
    return Training(model, {"source": x, "target": shifted.astype("int32")}, back, epochs=6)


@healthy(every=5, held_out=True)
def gates_that_begin_closed() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(64, activation="relu", name="stem")(inputs)
    for k in range(4):
        gate = layers.Dense(64, activation="sigmoid", bias_initializer=keras.initializers.Constant(-3.0), name=f"gate{k}")(h)
        h = gate * layers.Dense(64, activation="relu", name=f"fc{k}")(h) + (1 - gate) * h
    return Training(graph(inputs, softmax()(h)), x, y, epochs=6)


# Models of their own.


@healthy(every=10, held_out=True)
def variational_autoencoder_of_digits() -> Training:
    class Plain(Vae):
        def objective(self, x: Any, y: Any) -> Any:
            picture, divergence = self.decoded(x)
            error = ops.mean(ops.sum(keras.losses.binary_crossentropy(x[..., None], picture[..., None]), -1))
            return error + divergence

    model = Plain(48, 4)
    model.compile(optimizer=Adam(3e-3))
    return Training(model, digits()[0], epochs=8)


@healthy(every=10, held_out=True)
def adversaries_in_balance() -> Training:
    leaky = lambda: layers.LeakyReLU(negative_slope=0.2)  # noqa: E731
    generator = keras.Sequential([layers.Dense(64), leaky(), layers.Dense(64, activation="sigmoid")], name="generator")
    critic = keras.Sequential([layers.Dense(32), leaky(), layers.Dropout(0.3), layers.Dense(1)], name="critic")
    model = Adversaries(generator, critic, Adam(1e-3, beta_1=0.5), Adam(2e-4, beta_1=0.5))
    model.compile()
    return Training(model, digits()[0], epochs=7)


@healthy(every=10, held_out=True)
def contrasts_with_a_temperature() -> Training:
    class Contrast(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(16)], name="encoder")

        def call(self, x: Any) -> Any:
            return self.encoder(x)

        def objective(self, x: Any, y: Any) -> Any:
            a = ops.normalize(self(x + 0.1 * keras.random.normal(ops.shape(x))), axis=-1)
            b = ops.normalize(self(x + 0.1 * keras.random.normal(ops.shape(x))), axis=-1)
            scores = ops.matmul(a, ops.transpose(b)) / 0.1
            return ops.mean(keras.losses.sparse_categorical_crossentropy(ops.arange(ops.shape(x)[0]), scores, from_logits=True))

    model = Contrast()
    model.compile(optimizer=Adam(1e-3))
    return Training(model, digits()[0], digits()[1], epochs=6)


@healthy(every=5, held_out=True)
def twins_with_a_stop_gradient() -> Training:
    class Twins(Own):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(64), layers.BatchNormalization(), layers.ReLU(), layers.Dense(16)], name="encoder")
            self.predictor = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(16)], name="predictor")

        def call(self, x: Any) -> Any:
            return self.encoder(x, training=True)

        def objective(self, x: Any, y: Any) -> Any:
            a, b = self(x + 0.1 * keras.random.normal(ops.shape(x))), self(x + 0.1 * keras.random.normal(ops.shape(x)))

            def apart(p: Any, z: Any) -> Any:
                return -ops.mean(ops.sum(ops.normalize(self.predictor(p), axis=-1) * ops.stop_gradient(ops.normalize(z, axis=-1)), -1))

            return 0.5 * apart(a, b) + 0.5 * apart(b, a)

    model = Twins()
    model.compile(optimizer=SGD(0.03, momentum=0.9))
    return Training(model, digits()[0], digits()[1], batch_size=64, epochs=8)


@healthy(every=10, held_out=True)
def values_of_actions_with_a_slow_target() -> Training:
    class Q(Own):
        def __init__(self) -> None:
            super().__init__()
            make = lambda: keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(10)])  # noqa: E731
            self.online, self.target = make(), make()
            self.target.trainable = False

        def call(self, x: Any) -> Any:
            return self.online(x)

        def objective(self, x: Any, y: Any) -> Any:
            action = keras.random.randint((ops.shape(x)[0],), 0, 10)
            reward = ops.cast(action == ops.cast(y, "int32"), "float32")
            future = ops.max(self.target(ops.roll(x, 1, 0)), -1)
            value = ops.sum(self.online(x) * ops.one_hot(action, 10), -1)
            return ops.mean(keras.losses.huber(ops.stop_gradient(reward + 0.5 * future)[:, None], value[:, None]))

        def train_step(self, data: Any) -> dict[str, Any]:
            logs = super().train_step(data)
            for slow, fast in zip(self.target.weights, self.online.weights, strict=True):
                slow.assign(0.98 * slow + 0.02 * fast)
            return logs

    model = Q()
    model.compile(optimizer=Adam(2e-3))
    return Training(model, *digits(), epochs=7)


@healthy(every=10, held_out=True)
def denoising_with_a_time_of_its_own() -> Training:
    class Denoise(Own):
        def __init__(self) -> None:
            super().__init__()
            self.time = layers.Dense(32, activation="swish", name="time")
            self.mix = layers.Dense(128, activation="swish", name="mix")
            self.noise = layers.Dense(64, kernel_initializer="zeros", name="noise")

        def objective(self, x: Any, y: Any) -> Any:
            t = keras.random.uniform((ops.shape(x)[0], 1))
            noise = keras.random.normal(ops.shape(x))
            mixed = ops.cos(t * np.pi / 2) * (2 * x - 1) + ops.sin(t * np.pi / 2) * noise
            guess = self.noise(self.mix(ops.concatenate([mixed, self.time(ops.concatenate([t, ops.sin(6 * t)], -1))], -1)))
            return ops.mean((guess - noise) ** 2)

    model = Denoise()
    model.compile(optimizer=AdamW(2e-3))
    return Training(model, digits()[0], epochs=7)


@healthy(every=10, held_out=True)
def student_of_a_frozen_teacher() -> Training:
    x, y = digits()
    teacher = net((64,), *fc(128), layers.Dense(10), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    teacher.fit(x, y, epochs=4, verbose=0)

    class Student(Own):
        def __init__(self) -> None:
            super().__init__()
            teacher.trainable = False
            self.teacher, self.student = teacher, keras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(10)], name="student")

        def call(self, x: Any) -> Any:
            return self.student(x)

        def objective(self, x: Any, y: Any) -> Any:
            soft = ops.softmax(self.teacher(x) / 3.0)
            return ops.mean(keras.losses.categorical_crossentropy(soft, self(x) / 3.0, from_logits=True))

    model = Student()
    model.compile(optimizer=Adam(3e-3))
    return Training(model, x, y, epochs=6)


@healthy(every=10, held_out=True)
def two_tasks_of_different_weight() -> Training:
    x, y = digits()
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(64, activation="relu", name="shared")(inputs)
    model = keras.Model(
        inputs, {"digit": layers.Dense(10, activation="softmax", name="digit")(h), "parity": layers.Dense(1, activation="sigmoid", name="parity")(h)}
    )
    model.compile("adam", {"digit": "sparse_categorical_crossentropy", "parity": BCE}, loss_weights={"digit": 1.0, "parity": 0.05})
    return Training(model, x, {"digit": y, "parity": (y % 2).astype("float32")[:, None]}, epochs=6)


@healthy(every=10, held_out=True)
def logarithm_of_one_more() -> Training:
    x, y = bag_of_words()
    return Training(net((x.shape[1],), Of(ops.log1p, name="log_counts"), *fc(32), sigmoid(), loss=BCE), x, y[:, None], epochs=5)


@healthy(every=20, held_out=True)
def factors_of_users_and_items() -> Training:
    random = np.random.default_rng(8)
    users, items = random.integers(0, 80, 4000), random.integers(0, 60, 4000)
    a, b = random.normal(size=(80, 3)), random.normal(size=(60, 3))
    stars = ((a[users] * b[items]).sum(1) + 0.1 * random.normal(size=4000)).astype("float32")
    user, item = keras.Input((), dtype="int32", name="user"), keras.Input((), dtype="int32", name="item")
    product = layers.Dot(1, name="product")([layers.Embedding(80, 8, name="users")(user), layers.Embedding(60, 8, name="items")(item)])
    model = graph([user, item], product, "mse", Adam(0.02))
    return Training(model, {"user": users, "item": items}, stars[:, None], batch_size=64, epochs=6)
