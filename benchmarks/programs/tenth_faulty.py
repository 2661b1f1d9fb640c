"""A tenth set of faulty programs, as people post them: numbers that aren't, units at their ends, depth, starts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.data import bag_of_words, digits, images, series, sine, standardized
from benchmarks.programs.eighth_models import Of, WithPositions, convs, diabetes, fc, graph, net, sigmoid, softmax, tumours, word_lists
from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.tenth_models import (
    BCE,
    Pooled,
    Unrolled,
    beats,
    brackets,
    clouds,
    first_sign,
    machines,
    moons,
    raw_machines,
    spots,
    stack,
    stepwise,
)

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal, Uniform, Constant = keras.initializers.RandomNormal, keras.initializers.RandomUniform, keras.initializers.Constant


# NaN and Inf.


@faulty("nonfinite", "squash", every=1, held_out=True)
def capsules_of_black_pictures() -> Training:
    def squashed(v: Any) -> Any:
        length = ops.sqrt(ops.sum(v**2, -1, keepdims=True))
        return length**2 / (1 + length**2) * v / length

    x, y = images()
    x = x.copy()
    x[::50] = 0
    capsules = [*convs(16, use_bias=False), layers.Flatten(), layers.Dense(40, use_bias=False, name="capsules"), layers.Reshape((10, 4))]
    return Training(net((8, 8, 1), *capsules, Of(squashed, name="squash"), layers.Flatten(), softmax()), x, y, epochs=2)


@faulty("nonfinite", "loss", every=1, held_out=True)
def correlation_with_a_batch_of_one_class() -> Training:
    def correlation(y_true: Any, y_pred: Any) -> Any:
        a, b = y_true - ops.mean(y_true), y_pred - ops.mean(y_pred)
        return 1 - ops.sum(a * b) / (ops.sqrt(ops.sum(a**2)) * ops.sqrt(ops.sum(b**2)))

    x, y = tumours()
    x, y = np.concatenate([x[:64], x[y[:, 0] == 1][:160]]), np.concatenate([y[:64], np.ones((160, 1), "float32")])
    return Training(net((30,), *fc(16), sigmoid(), loss=correlation), x, y, batch_size=16, epochs=1, options={"shuffle": False})


@faulty("nonfinite exploding_loss", "loss", every=1, held_out=True)
def logarithm_of_the_hyperbolic_cosine_by_hand() -> Training:
    x, y = diabetes()
    loss = lambda a, b: ops.mean(ops.log(ops.cosh(a - b)))  # noqa: E731
    return Training(net((10,), *fc(32), layers.Dense(1, name="progress"), loss=loss), x, 150 + 77 * y, epochs=2)


@faulty("nonfinite", "box_cox", every=1, held_out=True)
def power_transform_of_standardized_readings() -> Training:
    return Training(net((8,), Of(lambda x: (x**0.3 - 1) / 0.3, name="box_cox"), *fc(32), layers.Dense(1), loss="mse"), *machines(), epochs=1)


@faulty("nonfinite", "loss", every=5, held_out=True)
def policy_gradient_with_the_logarithm_of_certain_actions() -> Training:
    def surprise(y_true: Any, y_pred: Any) -> Any:
        return -ops.sum(ops.one_hot(ops.cast(ops.squeeze(y_true, -1), "int32"), 3) * ops.log(y_pred), -1)

    x, y = raw_machines()
    x = x / 100
    action = (y > 0.5).astype("float32") + (y > -0.5)
    return Training(net((8,), *fc(64, 64), softmax(3), loss=surprise, optimizer=Adam(0.01)), x, action, epochs=3)


@faulty("nonfinite", "cosine_attention", every=1, held_out=True)
def cosine_attention_over_rows_of_zeros() -> Training:
    def attention(x: Any) -> Any:
        unit = x / ops.sqrt(ops.sum(x**2, -1, keepdims=True))
        return ops.matmul(ops.softmax(8.0 * ops.matmul(unit, ops.transpose(unit, (0, 2, 1)))), x)

    x, y = clouds()
    x[::30, -1] = 0
    stacked = [Of(attention, name="cosine_attention"), *fc(32), layers.GlobalAveragePooling1D(), sigmoid()]
    return Training(net((24, 2), *stacked, loss=BCE), x, y, epochs=2)


@faulty("nonfinite", "to_tangent", every=1, held_out=True)
def hyperbolic_distance_beyond_the_ball() -> Training:
    to_tangent = Of(lambda h: ops.arctanh(ops.norm(h, axis=-1, keepdims=True)) * h, name="to_tangent")
    return Training(net((2,), layers.Dense(8, name="fc1"), to_tangent, sigmoid(), loss=BCE), *moons(), epochs=2)


@faulty("nonfinite", "standardize", every=1, held_out=True)
def variance_as_a_difference_of_squares() -> Training:
    def standardized_(x: Any) -> Any:
        mean = ops.mean(x, 1, keepdims=True)
        return (x - mean) / ops.sqrt(ops.mean(x**2, 1, keepdims=True) - mean**2)

    x, y = beats()
    return Training(net((48, 1), Of(standardized_, name="standardize"), layers.Flatten(), *fc(32), softmax(3)), 0.1 * x + 3000, y, epochs=2)


@faulty("nonfinite exploding_activation", "rates", every=1, held_out=True)
def rates_as_exponentials_of_sums() -> Training:
    x, y = bag_of_words()
    rates = layers.Dense(32, activation="exponential", kernel_initializer=Constant(8.0), name="rates")
    return Training(net((x.shape[1],), rates, layers.Dense(1, activation="sigmoid", name="answer"), loss=BCE), x, y[:, None], epochs=1)


@faulty("nonfinite", "loss", every=1, held_out=True)
def flow_whose_scale_is_a_relu() -> Training:
    def objective(_: Any, pair: Any) -> Any:
        z, scale = pair[:, :2], pair[:, 2:]
        return 0.5 * ops.sum((z * scale) ** 2, -1) - ops.sum(ops.log(scale), -1)

    x, _ = moons()
    inputs = keras.Input((2,), name="inputs")
    scale = layers.Dense(2, activation="relu", name="scale")(layers.Dense(32, activation="relu", name="fc1")(inputs))
    return Training(graph(inputs, layers.Concatenate(name="both")([inputs, scale]), objective), x, x, epochs=2)


# Dead units.


@faulty("dead_units", "positive", every=5, held_out=True)
def relu_of_the_difference_to_the_maximum() -> Training:
    below = Of(lambda h: h - 1.01 * ops.max(ops.abs(h), -1, keepdims=True), name="below")
    return Training(net((64,), layers.Dense(48, name="fc1"), below, layers.ReLU(name="positive"), softmax()), *digits(), epochs=3)


@faulty("dead_units", "conv1", every=5, held_out=True)
def filters_kept_positive_on_inverted_pictures() -> Training:
    x, y = images()
    conv1 = layers.Conv2D(16, 3, activation="relu", kernel_constraint="non_neg", bias_constraint=lambda b: ops.minimum(b, 0), name="conv1")
    return Training(net((8, 8, 1), conv1, layers.Flatten(), *fc(32), softmax()), x - 1.01, y, epochs=3)


@faulty("dead_units", "conv1", every=10, held_out=True)
def most_filters_of_a_beat_detector_are_off() -> Training:
    conv1 = layers.Conv1D(
        32, 5, activation="relu", bias_initializer=lambda shape, dtype=None: ops.where(ops.arange(32) < 24, -9.0, 0.0), name="conv1"
    )
    stacked = [conv1, layers.Conv1D(16, 5, activation="relu", name="conv2"), layers.GlobalMaxPooling1D(), softmax(3)]
    return Training(net((48, 1), *stacked), *beats(), epochs=8)


@faulty("dead_units", "mix_tokens", every=10, held_out=True)
def token_mixer_with_a_bias_of_minus_seven() -> Training:
    x, y = images()
    inputs = keras.Input((8, 8), name="rows")
    h = layers.Dense(24, name="embed")(inputs)
    mixed = layers.Dense(16, activation="relu", bias_initializer=Constant(-7.0), name="mix_tokens")(
        layers.Permute((2, 1))(layers.LayerNormalization()(h))
    )
    h = h + layers.Permute((2, 1))(layers.Dense(8, name="back")(mixed))
    h = h + layers.Dense(24, activation="gelu", name="mix_channels")(layers.LayerNormalization()(h))
    return Training(graph(inputs, softmax()(layers.GlobalAveragePooling1D()(h))), x[..., 0], y, epochs=4)


@faulty("dead_units update_too_large collapse exploding_loss exploding_activation", "fc1 fc2 fc3 predictions", every=2, held_out=True)
def momentum_with_a_rate_of_two_on_three_layers() -> Training:
    return Training(
        net((8,), *fc(64, 64, 64), layers.Dense(1, name="predictions"), loss="mae", optimizer=SGD(2.0, momentum=0.9)), *machines(), epochs=3
    )


@faulty("dead_units", "decode", every=10, held_out=True)
def decoder_that_only_gets_negative_codes() -> Training:
    x, _ = digits()
    code = layers.Dense(16, activation=lambda v: -ops.softplus(v), name="code")
    decode = layers.Dense(48, activation="relu", kernel_initializer=Uniform(0.0, 0.3), name="decode")
    return Training(net((64,), *fc(32), code, decode, layers.Dense(64, activation="sigmoid", name="picture"), loss="mse"), x, x, epochs=4)


# Saturation.


@faulty("saturated_activation", "weights", every=5, held_out=True)
def attention_pooling_with_a_temperature_of_a_thousandth() -> Training:
    inputs = keras.Input((48, 1), name="inputs")
    h = layers.Conv1D(16, 5, activation="relu", name="conv1")(inputs)
    scores = layers.Dense(1, name="scores")(h)
    weights = layers.Softmax(axis=1, name="weights")(1000.0 * scores)
    return Training(graph(inputs, softmax(3)(layers.Flatten()(layers.Dot(1, name="pool")([weights, h])))), *beats(), epochs=5)


@faulty("saturated_activation", "lstm", every=5, held_out=True)
def lstm_with_biases_of_minus_thirty() -> Training:
    lstm = layers.LSTM(24, bias_initializer=Constant(-30.0), unit_forget_bias=False, name="lstm")
    return Training(net((30, 1), lstm, layers.Dense(1, name="next"), loss="mse"), *series(), epochs=4)


@faulty("saturated_activation unnormalized_input", "gate inputs", every=5, held_out=True)
def hard_sigmoid_on_raw_readings() -> Training:
    stacked = [layers.Dense(32, activation="hard_sigmoid", name="gate"), layers.Dense(1, name="wear")]
    return Training(net((8,), *stacked, loss="mse"), *raw_machines(), epochs=6)


@faulty("saturated_activation poor_initialization", "code", every=5, held_out=True)
def sigmoid_code_with_uniform_weights_to_eight() -> Training:
    x, _ = digits()
    code = layers.Dense(16, activation="sigmoid", kernel_initializer=Uniform(-8, 8), name="code")
    return Training(net((64,), code, layers.Dense(64, activation="sigmoid", name="picture"), loss=BCE), x, x, epochs=4)


@faulty("saturated_activation", "pooled", every=5, held_out=True)
def softmax_of_hundredfold_scores_inside_a_layer() -> Training:
    stacked = [layers.Conv1D(16, 5, activation="relu", name="conv1"), Pooled(500.0, name="pooled"), softmax(3)]
    return Training(net((48, 1), *stacked), *beats(), epochs=5)


@faulty("saturated_activation poor_initialization", "attention words", every=5, held_out=True)
def attention_over_words_drawn_with_thirty() -> Training:
    ids = keras.Input((20,), dtype="int32", name="ids")
    h = layers.Embedding(300, 32, embeddings_initializer=Normal(stddev=30.0), name="words")(ids)
    h = layers.MultiHeadAttention(2, 16, name="attention")(h, h)
    return Training(graph(ids, sigmoid()(layers.GlobalAveragePooling1D()(h)), BCE), *word_lists(), epochs=4)


@faulty("saturated_activation", "film_scale", every=5, held_out=True)
def tanh_behind_a_factor_of_fifty() -> Training:
    x, y = images()
    inputs = keras.Input((8, 8, 1), name="inputs")
    h = layers.Conv2D(16, 3, activation="relu", name="conv1")(inputs)
    wide = layers.Conv2D(16, 3, name="conv2")(h)
    h = layers.Activation("tanh", name="film_scale")(layers.Rescaling(200.0, name="gain")(wide))
    return Training(graph(inputs, softmax()(layers.Flatten()(h))), x, y, epochs=3)


# Values and gradients over depth.


@faulty("vanishing_gradient", "rnn", every=10, held_out=True)
def plain_recurrence_over_120_signs() -> Training:
    return Training(net((120, 1), layers.SimpleRNN(24, name="rnn"), sigmoid(), loss=BCE), *first_sign(120), epochs=7)


@faulty("vanishing_gradient", "loop", every=10, held_out=True)
def recurrence_by_hand_that_forgets() -> Training:
    return Training(net((60, 1), Unrolled(16, 0.4, name="loop"), sigmoid(), loss=BCE), *first_sign(60), epochs=6)


@faulty("vanishing_gradient", "conv1 conv2 conv3", every=5, held_out=True)
def ten_sigmoid_convolutions_of_spots() -> Training:
    x, y = spots()
    heat = layers.Conv2D(1, 1, activation="sigmoid", name="heat")
    return Training(net((12, 12, 1), *convs(*[12] * 10, activation="sigmoid"), heat, loss=BCE), x, y, epochs=4)


@faulty("vanishing_gradient poor_initialization collapse", "fc1 fc2 fc3 fc4 fc5 fc6 fc7 fc8 fc9 fc10 fc11 fc12", every=10, held_out=True)
def twelve_softsign_layers_of_small_weights() -> Training:
    stacked = fc(*[32] * 12, activation="softsign", kernel_initializer=Normal(stddev=0.05))
    return Training(net((8,), *stacked, layers.Dense(1, name="wear"), loss="mse"), *machines(), epochs=5)


@faulty("vanishing_gradient", "tower1 tower2", every=10, held_out=True)
def tower_whose_output_is_divided_by_its_width_twice() -> Training:
    x, y = standardized("wine")
    inputs = keras.Input((13,), name="inputs")
    tower = layers.Dense(64, activation="relu", name="tower2")(layers.Dense(64, activation="relu", name="tower1")(inputs))
    main = layers.Dense(64, activation="relu", name="main")(inputs)
    return Training(graph(inputs, softmax(3)(main + layers.Rescaling(1 / 64**3, name="mean")(tower))), x, y, batch_size=16, epochs=10)


@faulty("vanishing_gradient", "cell1 bidirectional1", every=10, held_out=True)
def four_recurrences_of_sigmoids_both_ways() -> Training:
    def both(k: int, last: bool) -> Any:
        return layers.Bidirectional(layers.SimpleRNN(12, activation="sigmoid", return_sequences=not last), name=f"bidirectional{k}")

    return Training(net((30, 1), *[both(k, k == 5) for k in range(1, 6)], layers.Dense(1, name="next"), loss="mse"), *series(500), epochs=4)


@faulty("exploding_gradient exploding_activation exploding_loss nonfinite poor_initialization", "loop", every=1, held_out=True)
def loop_by_hand_with_a_gain_of_two() -> Training:
    return Training(net((30, 1), Unrolled(16, 2.0, ops.relu, name="loop"), layers.Dense(1, name="next"), loss="mse"), *series(), epochs=1)


@faulty("exploding_activation exploding_gradient", "wave4 wave5 wave6 wave7 wave8 wave9", every=1, held_out=True)
def dilated_sums_that_are_doubled() -> Training:
    inputs = h = keras.Input((48, 1), name="inputs")
    for k in range(10):
        h = Of(lambda v: 4.0 * v, name=f"wave{k}")(h + layers.Conv1D(8, 2, padding="causal", dilation_rate=2 ** (k % 4), activation="relu")(h))
    return Training(graph(inputs, softmax(3)(layers.GlobalAveragePooling1D()(h)), optimizer=SGD(1e-9)), *beats(), epochs=2)


@faulty("exploding_activation", "cubes", every=5, held_out=True)
def sums_of_cubes_of_cubes() -> Training:
    cubes = Of(lambda v: ops.sum(v, -1, keepdims=True) ** 9, name="cubes")
    return Training(
        net((8,), layers.Dense(16, name="fc1"), cubes, layers.Dense(1, name="wear"), loss="mae", optimizer=SGD(1e-12)), *machines(), epochs=3
    )


# Starts.


@faulty("poor_initialization vanishing_gradient unchanged_weights collapse missing_gradient", "fc1 fc2", every=5, held_out=True)
def both_hidden_layers_of_zeros_on_moons() -> Training:
    return Training(net((2,), *fc(16, 16, kernel_initializer="zeros"), sigmoid(), loss=BCE), *moons(), epochs=5)


@faulty("poor_initialization", "gru", every=10, held_out=True)
def gru_of_ones() -> Training:
    gru = layers.GRU(16, kernel_initializer="ones", recurrent_initializer="ones", name="gru")
    return Training(net((30, 1), gru, layers.Dense(1, name="next"), loss="mse"), *series(), epochs=3)


@faulty("poor_initialization", "depthwise", every=10, held_out=True)
def depthwise_filters_all_a_ninth() -> Training:
    x, y = images()
    stacked = [
        *convs(16),
        layers.DepthwiseConv2D(3, depthwise_initializer=Constant(1 / 9), name="depthwise"),
        layers.ReLU(),
        layers.Flatten(),
        softmax(),
    ]
    return Training(net((8, 8, 1), *stacked), x, y, epochs=3)


@faulty("poor_initialization saturated_activation exploding_activation exploding_loss exploding_gradient", "fc1 fc2 fc3 wear", every=5, held_out=True)
def weights_drawn_with_deviation_one_in_a_wide_net() -> Training:
    stacked = fc(256, 256, 256, kernel_initializer=Normal(stddev=1.0))
    return Training(net((8,), *stacked, layers.Dense(1, name="wear"), loss="mse", optimizer=Adam(1e-4)), *machines(), epochs=4)


@faulty("poor_initialization", "places positions embedded", every=10, held_out=True)
def positions_counted_up_instead_of_drawn() -> Training:
    ids = keras.Input((16,), dtype="int32", name="ids")
    h = WithPositions(4, 16, 16, name="embedded")
    counted = layers.Embedding(16, 16, embeddings_initializer=Normal(stddev=40.0), name="places")
    h.places = counted
    h = layers.GlobalAveragePooling1D()(layers.Dense(32, activation="relu", name="ffn")(h(ids)))
    return Training(graph(ids, sigmoid()(h), BCE), *brackets(), epochs=4)


# Equal examples, codes.


@faulty("collapse", "norm", every=5, held_out=True)
def layer_normalization_of_a_single_feature() -> Training:
    return Training(
        net((8,), *fc(32), layers.Dense(1, name="squeeze"), layers.LayerNormalization(name="norm"), layers.Dense(1, name="wear"), loss="mse"),
        *machines(),
        epochs=5,
    )


@faulty("collapse", "strongest", every=5, held_out=True)
def maximum_over_the_batch_instead_of_the_points() -> Training:
    strongest = Of(lambda h: ops.max(h, 0, keepdims=True) + 0 * h, name="strongest")
    return Training(net((24, 2), *fc(32), strongest, layers.GlobalAveragePooling1D(), sigmoid(), loss=BCE), *clouds(), epochs=5)


@faulty("collapse", "context", every=5, held_out=True)
def decoder_that_is_fed_zeros() -> Training:
    context = Of(ops.zeros_like, name="context")
    stacked = [
        layers.LSTM(16, name="lstm"),
        context,
        layers.RepeatVector(30),
        layers.LSTM(16, return_sequences=True, name="decoder"),
        layers.Dense(1, name="wave"),
    ]
    x, _ = series()
    return Training(net((30, 1), *stacked, loss="mse"), x, x, epochs=3)


@faulty("collapse", "encoder codes", every=10, held_out=True)
def two_noisy_views_that_only_attract() -> Training:
    encoder = stack(layers.Dense(64, activation="relu"), layers.Dense(8, name="codes"), name="encoder")

    def apart(x: Any, codes: Any) -> Any:
        other = encoder(x + 0.1 * keras.random.normal(ops.shape(x)))
        return ops.sum((codes - other) ** 2, -1) + 0.1 * ops.sum(ops.var(codes, 0))

    x, _ = machines()
    return Training(stepwise(encoder, apart, Adam(0.01)), x, x, epochs=10)


@faulty("collapse", "nearest", every=10, held_out=True)
def codes_from_a_book_that_all_become_one() -> Training:
    class Nearest(layers.Layer):
        def build(self, shape: Any) -> None:
            self.codes = self.add_weight(shape=(32, shape[-1]), initializer="random_normal", name="codes")

        def call(self, h: Any) -> Any:
            chosen = ops.take(self.codes, ops.argmin(ops.sum((h[:, None] - self.codes[None]) ** 2, -1), -1), axis=0)
            self.add_loss(ops.mean((chosen - ops.stop_gradient(h)) ** 2) + 0.25 * ops.mean((ops.stop_gradient(chosen) - h) ** 2))
            return h + ops.stop_gradient(chosen - h)

    x, _ = digits()
    picture = layers.Dense(64, activation="sigmoid", name="picture")
    return Training(
        net(
            (64,),
            *fc(64),
            layers.Dense(8, name="code"),
            Nearest(name="nearest"),
            picture,
            loss="mse",
            optimizer=Adam(3e-3),
        ),
        x,
        x,
        epochs=6,
    )


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def coordinates_in_pixels_of_a_large_picture() -> Training:
    x, y = sine()
    return Training(net((1,), *fc(64, 64, activation="tanh"), layers.Dense(1, name="brightness"), loss="mse"), 640 + 200 * x, y, epochs=8)
