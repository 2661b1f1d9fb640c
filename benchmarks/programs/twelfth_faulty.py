"""A twelfth set of faulty programs, by an outside judge's list of kinds: each on several architectures, in branches, nested, at one head, late."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs.registry import Training, faulty
from benchmarks.programs.twelfth_models import (
    BCE,
    LETTERS,
    SCCE,
    Of,
    Positions,
    Stepwise,
    block,
    cells,
    chain,
    classes,
    compiled,
    convolutions,
    dense,
    letters,
    lines,
    looped,
    numbers,
    part,
    patients,
    pictures,
    progress,
    raw_wines,
    rhythms,
    value,
    waves,
    wines,
    yes_or_no,
)

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal, Constant = keras.initializers.RandomNormal, keras.initializers.Constant
MOVED = "update_too_large exploding_loss oscillating_loss dead_units collapse saturated_activation exploding_activation exploding_gradient nonfinite"


# NaN and Inf with their origin.


@faulty("nonfinite", "logs", every=1, held_out=True)
def logarithms_of_standardized_numbers_in_a_branch() -> Training:
    inputs = keras.Input((13,), name="inputs")
    plain = layers.Dense(16, activation="relu", name="plain")(inputs)
    logs = layers.Dense(16, activation="relu", name="of_logs")(Of(ops.log1p, name="logs")(inputs))
    return Training(compiled(keras.Model(inputs, classes(3)(layers.Concatenate()([plain, logs])))), *wines(), epochs=2)


@faulty("nonfinite", "masked", every=10, held_out=True)
def softmax_over_an_empty_line_in_the_middle() -> Training:
    class Masked(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.score = layers.Dense(1, name="score")

        def call(self, h: Any, signs: Any) -> Any:
            scores = ops.where(signs[..., None] == 0, -np.inf, self.score(h))
            return ops.sum(ops.softmax(scores, 1) * h, 1)

    x, y = lines()
    x = np.tile(x, (3, 1))
    x[len(x) // 2 + 3] = 0
    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = layers.Embedding(LETTERS, 16, name="signs")(inputs)
    h = Masked(name="masked")(h, inputs)
    return Training(compiled(keras.Model(inputs, yes_or_no()(h)), BCE), x, np.tile(y, (3, 1)), epochs=1, options={"shuffle": False})


@faulty("nonfinite", "distance", every=1, held_out=True)
def distance_of_pairs_some_of_which_are_equal() -> Training:
    x, y = numbers()
    other = np.roll(x, 1, 0)
    other[::40] = x[::40]
    a, b = keras.Input((64,), name="a"), keras.Input((64,), name="b")
    encoder = part("encoder", (64,), *dense(32, 16))
    apart = layers.Subtract(name="apart")([encoder(a), encoder(b)])
    far = Of(lambda d: ops.sqrt(ops.sum(d**2, -1, keepdims=True)), name="distance")(apart)
    same = (y == np.roll(y, 1)).astype("float32")[:, None]
    same[::40] = 0
    loss = lambda t, d: ops.mean(t * d**2 + (1 - t) * ops.relu(1 - d) ** 2)  # noqa: E731
    return Training(compiled(keras.Model([a, b], far), loss), [x, other], same, epochs=1)


@faulty("nonfinite", "loss", every=1, held_out=True)
def divergence_from_shares_of_zero_compiled() -> Training:
    loss = lambda t, p: ops.mean(ops.sum(t * ops.log(t / p), -1))  # noqa: E731
    x, y = rhythms()
    model = chain((48, 2), layers.LSTM(16, name="lstm"), classes(2), loss=loss, jit_compile=True)
    return Training(model, x, np.eye(2, dtype="float32")[y[:, 0].astype(int)], epochs=1)


@faulty("nonfinite", "inputs", every=10, held_out=True)
def ratio_with_a_zero_below_late_in_the_data() -> Training:
    x, y = cells()
    x, y = np.tile(x, (3, 1)), np.tile(y, (3, 1))
    x[1100, 4] = np.inf
    return Training(chain((30,), *dense(32, 16), yes_or_no(), loss=BCE), x, y, epochs=1, options={"shuffle": False})


@faulty("nonfinite", "spread", every=5, held_out=True)
def deviation_of_the_filters_of_a_flat_patch() -> Training:
    x, y = pictures()
    x = x.copy()
    x[:, :, :, :] = np.where(np.arange(len(x))[:, None, None, None] % 100 == 50, 0, x)
    conv = layers.Conv2D(8, 3, use_bias=False, name="conv1")
    spread = Of(lambda h: ops.sqrt(ops.var(h, (1, 2))), name="spread")
    return Training(chain((8, 8, 1), conv, spread, classes()), x, y, epochs=2)


# Dead units.


@faulty("dead_units", "conv2", every=10, held_out=True)
def second_convolution_with_a_bias_of_minus_four() -> Training:
    first, _, third = convolutions(16, 16, 16)
    second = layers.Conv2D(16, 3, activation="relu", bias_initializer=Constant(-4.0), name="conv2")
    model = chain((8, 8, 1), first, second, third, layers.GlobalAveragePooling2D(), classes())
    return Training(model, *pictures(), epochs=3)


@faulty("dead_units", "block/ffn1", every=1, held_out=True)
def feed_forward_of_a_nested_block_without_life() -> Training:
    inside = keras.Input((32, 16))
    nested = keras.Model(inside, block(inside, 16, bias_initializer=Constant(-15.0)), name="block")
    h = layers.GlobalAveragePooling1D()
    model = chain((32,), Positions(16, name="tokens"), nested, h, yes_or_no(), loss=BCE, dtype="int32")
    return Training(model, *lines(), epochs=1)


@faulty(MOVED, "fc1 fc2 predictions loss", every=5, held_out=True)
def rate_raised_by_a_thousand_in_the_middle() -> Training:
    model = chain((64,), *dense(64, 32), classes(), optimizer=SGD(0.1))
    jump = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 if epoch < 3 else 100.0)
    return Training(model, *numbers(), epochs=6, more_callbacks=[jump])


@faulty("dead_units", "frames/rectified frames", every=10, held_out=True)
def frames_below_zero_in_every_step_of_time() -> Training:
    frame = layers.Dense(24, activation="relu", bias_initializer=Constant(-3.0), name="rectified")
    stacked = [layers.LSTM(16, return_sequences=True, name="lstm"), layers.TimeDistributed(frame, name="frames")]
    model = chain((48, 2), *stacked, layers.GlobalAveragePooling1D(), yes_or_no(), loss=BCE)
    return Training(model, *rhythms(), epochs=3)


@faulty("dead_units", "side", every=20, held_out=True)
def side_branch_that_never_speaks() -> Training:
    inputs = keras.Input((30,), name="inputs")
    main = layers.Dense(32, activation="relu", name="main")(inputs)
    side = layers.Dense(32, activation="relu", kernel_constraint=keras.constraints.MaxNorm(0.1), bias_initializer=Constant(-2.0), name="side")(inputs)
    model = compiled(keras.Model(inputs, yes_or_no()(layers.Concatenate()([main, side]))), BCE)
    return Training(model, *cells(), epochs=10)


# Saturation.


@faulty("saturated_activation poor_initialization", "fc2", every=10, held_out=True)
def sigmoids_with_weights_of_eight() -> Training:
    first, last = layers.Dense(32, activation="sigmoid", name="fc1"), classes()
    second = layers.Dense(32, activation="sigmoid", kernel_initializer=Normal(stddev=8.0), name="fc2")
    return Training(chain((64,), first, second, last), *numbers(), epochs=4)


@faulty("saturated_activation poor_initialization", "rnn", every=10, held_out=True)
def recurrence_at_both_ends_of_its_tanh() -> Training:
    rnn = layers.SimpleRNN(24, recurrent_initializer=keras.initializers.Orthogonal(gain=12.0), name="rnn")
    return Training(chain((40, 1), rnn, value(), loss="mse"), *waves(), epochs=3)


@faulty("saturated_activation", "attention/shares attention", every=5, held_out=True)
def attention_whose_scores_are_multiplied() -> Training:
    class Attention(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.q, self.k, self.v = (layers.Dense(32, name=name) for name in ("query", "key", "value"))
            self.shares = layers.Softmax(name="shares")

        def call(self, h: Any) -> Any:
            scores = ops.matmul(self.q(h), ops.transpose(self.k(h), (0, 2, 1)))
            return h + ops.matmul(self.shares(32.0 * scores), self.v(h))

    embedded = Positions(32, Normal(stddev=1.0), name="tokens")
    model = chain((32,), embedded, Attention(name="attention"), layers.GlobalAveragePooling1D(), yes_or_no(), loss=BCE, dtype="int32")
    return Training(model, *lines(), epochs=4)


@faulty("saturated_activation", "gate", every=20, held_out=True)
def highway_whose_gate_is_shut() -> Training:
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(32, activation="relu", name="fc1")(inputs)
    gate = layers.Dense(32, activation="sigmoid", bias_initializer=Constant(-15.0), name="gate")(h)
    new = layers.Multiply(name="gated")([gate, layers.Dense(32, activation="relu", name="transform")(h)])
    return Training(compiled(keras.Model(inputs, classes()(layers.Add()([h, new])))), *numbers(), epochs=8)


@faulty("saturated_activation", "squash", every=5, held_out=True)
def convolution_squashed_after_a_gain_of_a_hundred() -> Training:
    conv = layers.Conv2D(16, 3, name="conv1")
    stacked = [conv, Of(lambda h: 100 * h, name="gain"), layers.Activation("tanh", name="squash"), layers.Flatten(), classes()]
    return Training(chain((8, 8, 1), *stacked), *pictures(), epochs=4)


# Gradients over depth.


@faulty("vanishing_gradient", "fc1 fc2 fc3 fc4 fc5 fc6", every=10, held_out=True)
def twelve_layers_of_sigmoids() -> Training:
    return Training(chain((30,), *dense(*[24] * 12, activation="sigmoid"), yes_or_no(), loss=BCE, optimizer=SGD(0.1)), *cells(), epochs=5)


@faulty("vanishing_gradient poor_initialization", "conv1 conv2 conv3 conv4 conv5 conv6", every=20, held_out=True)
def eight_convolutions_of_small_weights() -> Training:
    stacked = convolutions(*[8] * 8, activation="tanh", kernel_initializer=Normal(stddev=0.02))
    return Training(chain((8, 8, 1), *stacked, layers.GlobalAveragePooling2D(), classes(), optimizer=SGD(0.1)), *pictures(), epochs=2)


@faulty("vanishing_gradient", "rnn", every=10, held_out=True)
def first_sign_after_a_hundred_steps() -> Training:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(512, 100, 1)).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    rnn = layers.SimpleRNN(16, recurrent_initializer=keras.initializers.Orthogonal(gain=0.3), name="rnn")
    return Training(chain((100, 1), rnn, yes_or_no(), loss=BCE), x, y, epochs=2)


@faulty("vanishing_gradient", "tower/fc1 tower/fc2 tower/fc3 tower/fc4 tower/fc5", every=1, held_out=True)
def nested_tower_of_sigmoids_in_a_loop() -> Training:
    x, y = numbers()
    tower = part("tower", (64,), *dense(*[32] * 10, activation="sigmoid"))
    model = keras.Sequential([keras.Input((64,), name="inputs"), tower, classes()])
    return looped(model, lambda t, p: ops.mean(keras.losses.sparse_categorical_crossentropy(t, p)), SGD(0.1), x, y, epochs=1)


@faulty("exploding_gradient exploding_activation poor_initialization nonfinite exploding_loss", "rnn", every=1, held_out=True)
def linear_recurrence_that_doubles() -> Training:
    recurrent = keras.initializers.Orthogonal(gain=2.0)
    rnn = layers.SimpleRNN(16, activation="linear", recurrent_initializer=recurrent, name="rnn")
    return Training(chain((40, 1), rnn, value(), loss="mse", optimizer=SGD(1e-3)), *waves(), epochs=1)


@faulty("poor_initialization exploding_activation exploding_gradient", "fc1 fc2 fc3 fc4 fc5 fc6", every=5, held_out=True)
def unit_variance_for_every_weight() -> Training:
    return Training(chain((10,), *dense(*[64] * 6, kernel_initializer=Normal(stddev=1.0)), value(), loss="mse"), *progress(), epochs=4)


@faulty("exploding_gradient update_too_large", "conv1", every=5, held_out=True)
def gradient_made_a_million_times_larger_on_its_way() -> Training:
    @tf.custom_gradient
    def louder(h: Any) -> Any:
        return h, lambda g: 1e6 * g

    first, second = convolutions(8, 8)
    model = chain((8, 8, 1), first, Of(louder, name="louder"), second, layers.Flatten(), classes(), optimizer=Adam(1e-4))
    return Training(model, *pictures(), epochs=3)


# Activations.


@faulty(
    "exploding_activation exploding_gradient poor_initialization",
    "conv1 conv2 conv3 conv4 conv5 conv6 add1 add2 add3 add4 add5",
    every=5,
    held_out=True,
)
def residuals_multiplied_by_thirty() -> Training:
    inputs = keras.Input((8, 8, 1), name="inputs")
    h, *others = convolutions(*[8] * 6)
    h = h(inputs)
    for i, conv in enumerate(others):
        h = layers.Add(name=f"add{i + 1}")([h, layers.Rescaling(30.0, name=f"times{i + 1}")(conv(h))])
    model = compiled(keras.Model(inputs, classes()(layers.GlobalAveragePooling2D()(h))))
    return Training(model, *pictures(), epochs=2)


@faulty("exploding_activation nonfinite exploding_loss exploding_gradient", "powers", every=1, held_out=True)
def exponentials_of_a_wide_sum() -> Training:
    powers = Of(lambda h: ops.exp(8 * h), name="powers")
    model = chain((13,), layers.Dense(16, name="fc1"), powers, classes(3), optimizer=SGD(1e-3))
    return Training(model, *wines(), epochs=1)


@faulty("exploding_activation " + MOVED, "hidden loss value", every=5, held_out=True)
def recurrence_of_rectifiers_at_a_high_rate() -> Training:
    hidden = layers.SimpleRNN(24, activation="relu", name="hidden")
    return Training(chain((40, 1), hidden, value(), loss="mse", optimizer=Adam(0.5)), *waves(), epochs=3)


# Unchanged weights.


@faulty("unchanged_weights update_too_small", "lstm predictions", every=5, held_out=True)
def rate_of_zero_in_a_loop() -> Training:
    model = keras.Sequential([keras.Input((48, 2), name="inputs"), layers.LSTM(16, name="lstm"), yes_or_no()])
    return looped(model, lambda t, p: ops.mean(keras.losses.binary_crossentropy(t, p)), Adam(0.0), *rhythms(), epochs=2)


@faulty("unchanged_weights", "conv1", every=10, held_out=True)
def constraint_that_returns_the_first_filters() -> Training:
    start = np.random.default_rng(6).normal(0, 0.3, (3, 3, 1, 16)).astype("float32")

    class Fixed(keras.constraints.Constraint):
        def __call__(self, w: Any) -> Any:
            return ops.convert_to_tensor(start)

    first = layers.Conv2D(
        16, 3, activation="relu", kernel_initializer=lambda shape, dtype=None: ops.convert_to_tensor(start), kernel_constraint=Fixed(), name="conv1"
    )
    return Training(
        chain((8, 8, 1), first, layers.Conv2D(16, 3, activation="relu", name="conv2"), layers.Flatten(), classes()), *pictures(), epochs=3
    )


@faulty("unchanged_weights missing_gradient", "network/decoder", every=10, held_out=True)
def only_the_encoder_is_given_to_the_optimizer() -> Training:
    class Auto(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            return ops.mean((x - self.network(x)) ** 2)

        def trained(self) -> list[Any]:
            return self.network.layers[0].trainable_variables

    encoder = part("encoder", (64,), *dense(32, 8))
    decoder = part("decoder", (8,), *dense(32, prefix="up"), layers.Dense(64, activation="sigmoid", name="picture"))
    model = Auto(keras.Sequential([keras.Input((64,)), encoder, decoder], name="network"))
    model.compile(optimizer=Adam(1e-3))
    return Training(model, numbers()[0], epochs=4)


@faulty("unchanged_weights", "fc2", every=10, held_out=True)
def weights_read_back_before_every_batch_from_the_second_epoch_on() -> Training:
    model = chain((64,), *dense(48, 32), classes())
    kernel, kept = model.get_layer("fc2").kernel, []

    def restore(batch: int, logs: Any = None) -> None:
        if kept:
            kernel.assign(kept[0])

    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs=None: kept.append(kernel.numpy()), on_train_batch_begin=restore)
    return Training(model, *numbers(), epochs=10, more_callbacks=[keep])


@faulty("poor_initialization unchanged_weights collapse dead_units", "fc1 fc2", every=5, held_out=True)
def hidden_layers_of_zeros() -> Training:
    return Training(chain((30,), *dense(32, 16, kernel_initializer="zeros"), yes_or_no(), loss=BCE), *cells(), epochs=5)


# The size of updates.


@faulty(MOVED, "conv1 conv2 predictions loss", every=5, held_out=True)
def convolutions_with_adam_of_one() -> Training:
    return Training(chain((8, 8, 1), *convolutions(16, 16), layers.Flatten(), classes(), optimizer=Adam(1.0)), *pictures(), epochs=4)


@faulty("update_too_small", "gru value", every=10, held_out=True)
def descent_of_a_ten_millionth_on_a_recurrence() -> Training:
    return Training(chain((40, 1), layers.GRU(16, name="gru"), value(), loss="mse", optimizer=SGD(1e-7)), *waves(), epochs=5)


@faulty("update_too_small", "tokens attention ffn1 ffn2 predictions", every=10, held_out=True)
def transformer_at_a_billionth() -> Training:
    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = block(Positions(16, name="tokens")(inputs), 16)
    model = compiled(keras.Model(inputs, yes_or_no()(layers.GlobalAveragePooling1D()(h))), BCE, Adam(1e-9))
    return Training(model, *lines(), epochs=4)


@faulty("update_too_small vanishing_gradient", "encoder", every=10, held_out=True)
def branch_whose_gradients_are_divided_by_a_hundred_million() -> Training:
    @tf.custom_gradient
    def quieter(h: Any) -> Any:
        return h, lambda g: 1e-8 * g

    inputs = keras.Input((64,), name="inputs")
    coded = Of(quieter, name="quieter")(part("encoder", (64,), *dense(32, 16))(inputs))
    own = layers.Dense(16, activation="relu", name="own")(inputs)
    model = compiled(keras.Model(inputs, classes()(layers.Concatenate()([coded, own]))), optimizer=SGD(0.1))
    return Training(model, *numbers(), epochs=5)


# Starts.


@faulty("poor_initialization", "conv2", every=10, held_out=True)
def every_filter_the_same() -> Training:
    first, _ = convolutions(16, 16)
    second = layers.Conv2D(16, 3, activation="relu", kernel_initializer=Constant(0.05), name="conv2")
    return Training(chain((8, 8, 1), first, second, layers.GlobalAveragePooling2D(), classes()), *pictures(), epochs=3)


@faulty("poor_initialization", "age_hidden", every=1, held_out=True)
def one_head_with_weights_of_twenty() -> Training:
    x, y = progress()
    inputs = keras.Input((10,), name="inputs")
    h = layers.Dense(32, activation="relu", name="body")(inputs)
    heads = {}
    for name, stddev in (("risk", 0.2), ("age", 20.0)):
        hidden = layers.Dense(16, activation="relu", kernel_initializer=Normal(stddev=stddev), name=f"{name}_hidden")(h)
        heads[name] = layers.Dense(1, name=name)(hidden)
    model = compiled(keras.Model(inputs, heads), {"risk": "mse", "age": "mse"})
    return Training(model, x, {"risk": y, "age": x[:, :1] + 0.1 * y}, epochs=2)


@faulty("poor_initialization", "tokens", every=10, held_out=True)
def letters_as_vectors_of_a_hundred() -> Training:
    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = block(Positions(16, Normal(stddev=100.0), name="tokens")(inputs), 16, normed=False)
    return Training(compiled(keras.Model(inputs, yes_or_no()(layers.GlobalAveragePooling1D()(h))), BCE), *lines(), epochs=3)


@faulty("poor_initialization", "gru", every=20, held_out=True)
def gates_that_all_begin_alike() -> Training:
    gru = layers.GRU(16, kernel_initializer=Constant(0.2), recurrent_initializer=Constant(0.02), name="gru")
    return Training(chain((40, 1), gru, value(), loss="mse"), *waves(), epochs=4)


# Collapse.


@faulty("collapse", "norm", every=5, held_out=True)
def normalization_of_a_single_feature() -> Training:
    stacked = [*dense(32), layers.Dense(1, name="bottle"), layers.LayerNormalization(name="norm"), *dense(16, prefix="after"), value()]
    return Training(chain((10,), *stacked, loss="mse"), *progress(), epochs=4)


@faulty("collapse", "pool", every=5, held_out=True)
def mean_over_the_batch_and_not_over_time() -> Training:
    pool = Of(lambda h: ops.broadcast_to(ops.mean(h, (0, 1), keepdims=True)[0], (ops.shape(h)[0], 16)), name="pool")
    inputs = keras.Input((48, 2), name="inputs")
    h = layers.Conv1D(16, 5, activation="relu", name="conv1")(inputs)
    return Training(compiled(keras.Model(inputs, yes_or_no()(pool(h))), BCE), *rhythms(), epochs=3)


@faulty("collapse", "network/code network", every=10, held_out=True)
def views_that_are_only_drawn_together() -> Training:
    class Together(Stepwise):
        def objective(self, x: Any, y: Any) -> Any:
            one, other = (self.network(x + 0.2 * keras.random.normal(ops.shape(x))) for _ in range(2))
            return ops.mean(ops.sum((one - other) ** 2, -1))

    model = Together(part("network", (64,), *dense(64), layers.Dense(8, name="code")))
    model.compile(optimizer=Adam(0.01))
    return Training(model, numbers()[0], epochs=10)


# Inputs.


@faulty("constant_input", "inputs", every=5, held_out=True)
def bytes_divided_as_whole_numbers() -> Training:
    x, y = pictures()
    x = ((255 * x).astype("uint8") // 255 * 0).astype("float32") + 0.0
    return Training(chain((8, 8, 1), *convolutions(8), layers.Flatten(), classes()), x, y, epochs=3)


@faulty("unnormalized_input", "inputs", every=10, held_out=True)
def analyses_of_wines_as_they_are() -> Training:
    return Training(chain((13,), *dense(32, 16, activation="tanh"), classes(3)), *raw_wines(), epochs=4)


@faulty("unnormalized_input", "counts", every=10, held_out=True)
def one_of_two_inputs_in_thousands() -> Training:
    x, y = pictures()
    pixels, counts = keras.Input((8, 8, 1), name="pixels"), keras.Input((8,), name="counts")
    h = layers.Flatten()(layers.Conv2D(8, 3, activation="relu", name="conv1")(pixels))
    h = layers.Concatenate()([h, layers.Dense(8, activation="relu", name="fc1")(counts)])
    return Training(compiled(keras.Model([pixels, counts], classes()(h))), [x, 4080 * x.sum((2, 3))], y, epochs=3)


@faulty("unnormalized_input", "inputs", every=20, held_out=True)
def temperatures_in_kelvin() -> Training:
    x, y = waves()
    return Training(chain((40, 1), layers.LSTM(16, name="lstm"), value(), loss="mse"), 290 + 5 * x, y, epochs=4)


# 16 bits.


@faulty("float16_overflow nonfinite loss_scale_thrash", "energy", every=1, held_out=True)
def energies_in_half_precision() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    energy = Of(lambda h: ops.sum((200 * h) ** 2, (1, 2)), name="energy")
    return Training(chain((8, 8, 1), *convolutions(8), energy, classes()), *pictures(), epochs=1)


@faulty("float16_underflow", "fc1 fc2 scores", every=5, held_out=True)
def tiny_loss_in_half_precision_without_a_scale() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    x, y = numbers()
    model = keras.Sequential([keras.Input((64,), name="inputs"), *dense(64, 32), layers.Dense(10, name="scores")])
    loss = lambda t, p: 1e-6 * ops.mean(keras.losses.sparse_categorical_crossentropy(t, ops.cast(p, "float32"), from_logits=True))  # noqa: E731
    return looped(model, loss, SGD(0.1), x, y, epochs=3)


@faulty("loss_scale_thrash float16_overflow nonfinite", "loss scale fc1 fc2 predictions", every=1, held_out=True)
def scale_that_begins_far_too_high() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(Adam(1e-3), initial_scale=2.0**50)
    return Training(chain((64,), *dense(64, 32), classes(), optimizer=optimizer), *numbers(), epochs=3)


@faulty("nonfinite exploding_activation", "growth", every=1, held_out=True)
def growth_beyond_bfloat16() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    growth = Of(lambda h: ops.exp(30 * h), name="growth")
    lstm = layers.LSTM(16, kernel_initializer=Normal(stddev=1.0), name="lstm")
    return Training(
        chain((48, 2), lstm, layers.Dense(8, kernel_initializer=Normal(stddev=2.0), name="fc1"), growth, yes_or_no(), loss=BCE), *rhythms(), epochs=1
    )


# Gradients that are missing.


@faulty("missing_gradient", "encoder/fc1 encoder/fc2", every=10, held_out=True)
def encoder_behind_a_stop_gradient() -> Training:
    encoder = part("encoder", (64,), *dense(48, 32))
    return Training(chain((64,), encoder, Of(ops.stop_gradient, name="stop"), *dense(16, prefix="head"), classes()), *numbers(), epochs=4)


@faulty("missing_gradient", "coarse", every=1, held_out=True)
def rounded_branch_of_two() -> Training:
    inputs = keras.Input((48, 2), name="inputs")
    fine = layers.Conv1D(8, 5, activation="relu", name="fine")(inputs)
    coarse = Of(ops.round, name="round")(layers.Conv1D(8, 5, activation="relu", name="coarse")(inputs))
    h = layers.GlobalAveragePooling1D()(layers.Concatenate()([fine, coarse]))
    return Training(compiled(keras.Model(inputs, yes_or_no()(h)), BCE), *rhythms(), epochs=1)


@faulty("missing_gradient", "scaled", every=10, held_out=True)
def temperature_that_is_never_used() -> Training:
    class Scaled(layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 16), name="kernel")
            self.temperature = self.add_weight(shape=(16, 16), name="temperature")

        def call(self, h: Any) -> Any:
            return ops.relu(ops.matmul(h, self.kernel))

    inputs = keras.Input((32,), dtype="int32", name="inputs")
    h = block(Positions(16, name="tokens")(inputs), 16)
    h = Scaled(name="scaled")(layers.GlobalAveragePooling1D()(h))
    return Training(compiled(keras.Model(inputs, yes_or_no()(h)), BCE), *lines(), epochs=2)


@faulty("missing_gradient", "auxiliary", every=10, held_out=True)
def head_that_no_loss_asks() -> Training:
    inputs = keras.Input((64,), name="inputs")
    h = layers.Dense(32, activation="relu", name="body")(inputs)
    model = keras.Model(inputs, [classes()(h), layers.Dense(4, name="auxiliary")(h)])
    return Training(compiled(model, [SCCE, None]), *numbers(), epochs=3)


# Losses.


@faulty("oscillating_loss exploding_loss update_too_large", "loss value", every=1, held_out=True)
def line_beyond_the_edge_of_stability() -> Training:
    x, y = progress()
    return Training(chain((10,), value(), loss="mse", optimizer=SGD(0.26)), x, y, batch_size=442, epochs=40)


@faulty("exploding_loss exploding_activation", "loss value gru", every=5, held_out=True)
def error_with_its_sign_turned() -> Training:
    loss = lambda t, p: -ops.mean((t - p) ** 2)  # noqa: E731
    return Training(chain((40, 1), layers.GRU(16, name="gru"), value(), loss=loss, optimizer=SGD(0.3)), *waves(), epochs=4)


@faulty("exploding_loss " + MOVED, "loss fc1 fc2 value", every=10, held_out=True)
def plain_descent_on_a_target_in_its_own_unit() -> Training:
    return Training(chain((10,), *dense(64, 32), value(), loss="mse", optimizer=SGD(0.05)), *patients(), epochs=10)


@faulty("output_mismatch", "letter", every=10, held_out=True)
def softmax_that_is_clipped_and_taken_again_at_one_head() -> Training:
    x, y = letters()
    inputs = keras.Input((24,), dtype="int32", name="inputs")
    h = layers.GRU(32, name="gru")(layers.Embedding(LETTERS, 16, name="signs")(inputs))
    heads = {
        "letter": Of(lambda p: ops.clip(p, 1e-7, 1.0), name="letter")(layers.Dense(LETTERS, activation="softmax", name="shares")(h)),
        "space": layers.Dense(1, activation="sigmoid", name="space")(h),
    }
    losses = {"letter": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "space": BCE}
    model = compiled(keras.Model(inputs, heads), losses, Adam(5e-3))
    return Training(model, x, {"letter": y, "space": (y == 32).astype("float32")[:, None]}, epochs=4)


# Batch normalization.


@faulty("batchnorm_drift", "norm", every=10, held_out=True)
def moving_statistics_that_hardly_move() -> Training:
    x, y = pictures()
    stacked = [
        layers.Conv2D(16, 3, name="conv1"),
        layers.BatchNormalization(momentum=0.9999, name="norm"),
        layers.ReLU(),
        layers.Flatten(),
        classes(),
    ]
    return Training(chain((8, 8, 1), *stacked), 5 * x[:800], y[:800], epochs=8, options={"validation_data": (5 * x[800:], y[800:])})


@faulty("batchnorm_drift", "norm", every=5, held_out=True)
def validated_on_numbers_that_were_not_scaled() -> Training:
    x, y = cells()
    stacked = [layers.Dense(32, name="fc1"), layers.BatchNormalization(momentum=0.9, name="norm"), layers.ReLU(), yes_or_no()]
    return Training(chain((30,), *stacked, loss=BCE), x[:448], y[:448], epochs=6, options={"validation_data": (20 * x[448:] + 30, y[448:])})
