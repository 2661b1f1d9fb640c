"""A third set of healthy programs, written without a look at the rules: what people train on an ordinary day, of as many kinds as fit."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, healthy

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def split(x: Any, y: Any, n: int = 1400) -> tuple[Any, Any, dict[str, Any]]:
    """Training data, and the rest for validation."""
    return x[:n], y[:n], {"validation_data": (x[n:], y[n:])}


# Pictures.


@healthy(every=10, held_out=True)
def vgg_with_dropout() -> Training:
    stack: list[Any] = [keras.Input((8, 8, 1))]
    for filters in (16, 32):
        stack += [layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(2)]
        stack += [layers.MaxPooling2D(), layers.Dropout(0.2)]
    stack += [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dropout(0.5)]
    model = keras.Sequential([*stack, layers.Dense(10, activation="softmax")])
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y, options = split(*data.images())
    return Training(model, x, y, epochs=5, options=options)


def convolution(x: Any, filters: int, size: int = 3, strides: int = 1, active: bool = True, **norm: Any) -> Any:
    """A convolution and its batch normalization."""
    x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization(momentum=0.9, **norm)(x)
    return layers.ReLU()(x) if active else x


def residual_network(last: str = "zeros", dtype: str | None = None) -> keras.Model:
    """Three residual blocks; as usual, each branch is nothing at first."""
    inputs = keras.Input((8, 8, 1))
    x = convolution(inputs, 16)
    for filters, strides in ((16, 1), (32, 2), (32, 1)):
        branch = convolution(convolution(x, filters, strides=strides), filters, active=False, gamma_initializer=last)
        if strides > 1:
            x = convolution(x, filters, size=1, strides=strides, active=False)
        x = layers.ReLU()(layers.Add()([x, branch]))
    return keras.Model(inputs, layers.Dense(10, dtype=dtype)(layers.GlobalAveragePooling2D()(x)))


@healthy(every=10, held_out=True)
def residual_branches_that_begin_at_zero() -> Training:
    model = residual_network()
    model.compile(SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-4), LOGITS, metrics=["accuracy"])
    x, y, options = split(*data.images())
    return Training(model, x, y, batch_size=64, epochs=5, options=options)


@healthy(every=10, held_out=True)
def residual_network_in_mixed_float16() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = residual_network("ones", dtype="float32")
    model.compile(Adam(2e-3), LOGITS)
    return Training(model, *data.images(), batch_size=64, epochs=4)


@healthy(every=5, held_out=True)
def inverted_residuals_with_relu6() -> Training:
    inputs = keras.Input((8, 8, 1))
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)))
    for filters, strides in ((16, 1), (24, 2), (24, 1)):
        y = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(layers.Conv2D(4 * x.shape[-1], 1, use_bias=False)(x)))
        y = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(y)
        y = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(filters, 1, use_bias=False)(y))
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))))
    model.compile(Adam(5e-3), "sparse_categorical_crossentropy")
    x, y, options = split(*data.images())
    return Training(model, x, y, batch_size=64, epochs=4, options=options)


@healthy(every=5, held_out=True)
def squeeze_and_excite_with_group_norm() -> Training:
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(24, 3, padding="same")(inputs)
    for _ in range(2):
        y = layers.Activation("swish")(layers.GroupNormalization(4)(x))
        y = layers.Conv2D(24, 3, padding="same")(y)
        weights = layers.Dense(24, activation="sigmoid")(layers.Dense(6, activation="swish")(layers.GlobalAveragePooling2D()(y)))
        x = layers.Add()([x, layers.Multiply()([y, layers.Reshape((1, 1, 24))(weights)])])
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalMaxPooling2D()(x)))
    model.compile(AdamW(3e-3, weight_decay=1e-2), LOGITS)
    return Training(model, *data.images(), epochs=3)


def discs(n: int = 384, size: int = 16) -> tuple[Any, Any]:
    """Noisy pictures of one disc, and where it is."""
    random = np.random.default_rng(3)
    at, radius = random.uniform(4, size - 4, (n, 2, 1, 1)), random.uniform(2, 5, (n, 1, 1))
    rows, columns = np.mgrid[:size, :size]
    inside = ((rows - at[:, 0]) ** 2 + (columns - at[:, 1]) ** 2 < radius**2).astype("float32")
    return (inside * 0.5 + random.normal(0.3, 0.2, inside.shape)).astype("float32")[..., None], inside[..., None]


def dice_and_cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """The usual loss of segmentation."""
    overlap = ops.sum(y_true * y_pred, axis=(1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (ops.sum(y_true, axis=(1, 2, 3)) + ops.sum(y_pred, axis=(1, 2, 3)) + 1)
    return dice + ops.mean(ops.binary_crossentropy(y_true, y_pred), axis=(1, 2, 3))


@healthy(every=2, held_out=True)
def u_net_with_dice() -> Training:
    inputs = keras.Input((16, 16, 1))
    x, skips = inputs, []
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.Conv2DTranspose(skip.shape[-1], 2, 2)(x), skip])
        x = layers.Conv2D(skip.shape[-1], 3, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))
    model.compile(Adam(5e-3), dice_and_cross_entropy)
    return Training(model, *discs(), batch_size=16, epochs=4)


@healthy(every=10, held_out=True)
def denoising_autoencoder() -> Training:
    x, _ = data.images()
    noisy = np.clip(x + np.random.default_rng(0).normal(0, 0.3, x.shape), 0, 1).astype("float32")
    stack = [layers.Conv2D(filters, 3, 2, padding="same", activation="relu") for filters in (16, 32)]
    stack += [layers.Conv2DTranspose(16, 3, 2, padding="same", activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack, layers.Conv2D(1, 3, padding="same", activation="sigmoid")])
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, noisy, x, epochs=5)


@healthy(every=5, held_out=True)
def augmented_and_smoothed() -> Training:
    inputs = keras.Input((8, 8, 1))
    x = layers.RandomRotation(0.03)(layers.RandomTranslation(0.1, 0.1)(layers.RandomContrast(0.1)(inputs)))
    x = layers.MaxPooling2D()(layers.Conv2D(32, 3, padding="same", activation="relu")(x))
    x = layers.Dense(64, activation="elu")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile(Adam(3e-3), keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    x, y = data.images()
    return Training(model, x, keras.utils.to_categorical(y), epochs=3)


@healthy(every=5, held_out=True)
def mixed_up_examples() -> Training:
    x, y = data.digits()
    y = keras.utils.to_categorical(y).astype("float32")

    def mix(a: Any, b: Any) -> Any:
        share = tf.random.uniform((tf.shape(a)[0], 1), 0.0, 0.4)
        return share * tf.reverse(a, [0]) + (1 - share) * a, share * tf.reverse(b, [0]) + (1 - share) * b

    batches = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(2000, seed=1).batch(64, drop_remainder=True).map(mix)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(128), layers.BatchNormalization(), layers.LeakyReLU(0.1), layers.Dense(10)])
    model.compile(SGD(0.1, momentum=0.9), keras.losses.CategoricalCrossentropy(from_logits=True))
    return Training(model, batches, batch_size=None, epochs=5)  # type: ignore[arg-type]


class ClassToken(layers.Layer):
    """Puts a learned token before the patches and adds learned positions."""

    def build(self, shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="zeros")
        self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), initializer=keras.initializers.TruncatedNormal(stddev=0.02))

    def call(self, x: Any) -> Any:
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1) + self.places


def block(x: Any, width: int, heads: int = 4, activation: str = "gelu", **attention: Any) -> Any:
    """A transformer block with normalization first."""
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(y, y, **attention)])
    y = layers.Dense(2 * width, activation=activation)(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dropout(0.1)(layers.Dense(width)(y))])


@healthy(every=10, held_out=True)
def patches_with_warmup() -> Training:
    inputs = keras.Input((8, 8, 1))
    x = ClassToken()(layers.Reshape((16, 32))(layers.Conv2D(32, 2, 2)(inputs)))
    for _ in range(2):
        x = block(x, 32)
    model = keras.Model(inputs, layers.Dense(10)(layers.LayerNormalization()(x)[:, 0]))
    rate = keras.optimizers.schedules.CosineDecay(0.0, 130, warmup_target=3e-3, warmup_steps=20)
    model.compile(AdamW(rate, weight_decay=0.05, clipnorm=1.0), LOGITS)
    return Training(model, *data.images(), batch_size=64, epochs=5)


@healthy(every=5, held_out=True)
def mixer_in_bfloat16() -> Training:
    keras.config.set_dtype_policy("mixed_bfloat16")
    inputs = keras.Input((8, 8, 1))
    x = layers.Reshape((16, 32))(layers.Conv2D(32, 2, 2)(inputs))
    for _ in range(2):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Permute((2, 1))(layers.Dense(16)(layers.Dense(32, activation="gelu")(y)))])
        x = layers.Add()([x, layers.Dense(32)(layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x)))])
    model = keras.Model(inputs, layers.Dense(10, dtype="float32")(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))))
    model.compile(Adam(3e-3), LOGITS)
    return Training(model, *data.images(), batch_size=64, epochs=4)


# Generative and self-supervised training.


class Sampling(layers.Layer):
    """Draws from the posterior and charges for it."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, mean: Any, log_variance: Any) -> Any:
        self.add_loss(-0.5 * ops.mean(ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=1)))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seeds)


@healthy(every=10, held_out=True)
def variational_autoencoder() -> Training:
    x, _ = data.digits()
    inputs = keras.Input((64,))
    hidden = layers.Dense(64, activation="relu")(inputs)
    z = Sampling()(layers.Dense(8, name="z_mean")(hidden), layers.Dense(8, name="z_log_variance")(hidden))
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(layers.Dense(64, activation="relu")(z)))
    model.compile(Adam(2e-3), lambda y_true, y_pred: 64 * keras.losses.binary_crossentropy(y_true, y_pred))
    return Training(model, x, x, epochs=6)


class HingeGan(keras.Model):
    """Two networks that play against each other."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(2)
        self.generator = keras.Sequential([keras.Input((4,)), *(layers.Dense(48, activation="relu") for _ in range(2)), layers.Dense(2)])
        judge: list[Any] = [keras.Input((2,))]
        for _ in range(2):
            judge += [layers.SpectralNormalization(layers.Dense(48)), layers.LeakyReLU(0.2)]
        self.discriminator = keras.Sequential([*judge, layers.Dense(1)])
        self.other_optimizer = Adam(1e-3, beta_1=0.0)

    def train_step(self, x: Any) -> dict[str, Any]:
        noise = keras.random.normal((ops.shape(x)[0], 4), seed=self.seeds)
        with tf.GradientTape() as tape:
            real, fake = self.discriminator(x, training=True), self.discriminator(self.generator(noise), training=True)
            loss = ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake))
        own = self.discriminator.trainable_variables
        self.other_optimizer.apply_gradients(zip(tape.gradient(loss, own), own, strict=True))
        with tf.GradientTape() as tape:
            made = -ops.mean(self.discriminator(self.generator(noise, training=True)))
        own = self.generator.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(made, own), own, strict=True))
        return {"loss": loss, "generator_loss": made}


@healthy(every=5, held_out=True)
def hinge_gan_on_a_ring() -> Training:
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 2048)
    ring = (np.stack([np.cos(angles), np.sin(angles)], 1) + np.random.default_rng(1).normal(0, 0.05, (2048, 2))).astype("float32")
    model = HingeGan()
    model.compile(Adam(1e-3, beta_1=0.0))
    return Training(model, ring, batch_size=64, epochs=4)


class PictureGan(keras.Model):
    """A convolutional GAN with the loss that doesn't saturate."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(2)
        grow = [layers.Dense(2 * 2 * 32), layers.Reshape((2, 2, 32)), layers.BatchNormalization(), layers.ReLU()]
        grow += [layers.Conv2DTranspose(16, 4, 2, padding="same"), layers.BatchNormalization(), layers.ReLU()]
        self.generator = keras.Sequential([keras.Input((16,)), *grow, layers.Conv2DTranspose(1, 4, 2, padding="same", activation="tanh")])
        look = [layers.Conv2D(16, 4, 2, padding="same"), layers.LeakyReLU(0.2), layers.Dropout(0.3), layers.Conv2D(32, 4, 2, padding="same")]
        self.discriminator = keras.Sequential([keras.Input((8, 8, 1)), *look, layers.LeakyReLU(0.2), layers.Flatten(), layers.Dense(1)])
        self.other_optimizer = Adam(4e-4, beta_1=0.5)

    def train_step(self, x: Any) -> dict[str, Any]:
        noise = keras.random.normal((ops.shape(x)[0], 16), seed=self.seeds)
        entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        with tf.GradientTape(persistent=True) as tape:
            real, fake = self.discriminator(x, training=True), self.discriminator(self.generator(noise, training=True), training=True)
            judged = entropy(0.9 * ops.ones_like(real), real) + entropy(ops.zeros_like(fake), fake)
            made = entropy(ops.ones_like(fake), fake)
        for loss, network, optimizer in ((judged, self.discriminator, self.other_optimizer), (made, self.generator, self.optimizer)):
            optimizer.apply_gradients(zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables, strict=True))
        return {"loss": judged, "generator_loss": made}


@healthy(every=10, held_out=True)
def gan_of_digits() -> Training:
    model = PictureGan()
    model.compile(Adam(4e-4, beta_1=0.5))
    return Training(model, 2 * data.images()[0] - 1, batch_size=64, epochs=5)


class Contrastive(keras.Model):
    """Two noisy views of each digit find each other among all others."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((64,)), layers.Dense(96, activation="relu"), layers.Dense(48, activation="relu")])
        self.projection = keras.Sequential([keras.Input((48,)), layers.Dense(48, activation="relu"), layers.Dense(24), layers.UnitNormalization()])
        self.noise = layers.GaussianNoise(0.15)
        self.drop = layers.Dropout(0.2)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.projection(self.encoder(self.drop(self.noise(x, training=training), training=training)))

    def train_step(self, x: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            one, other = self(x, training=True), self(x, training=True)
            scores = ops.matmul(one, ops.transpose(other)) / 0.2
            labels = ops.arange(ops.shape(x)[0])
            loss = LOGITS(labels, scores) + LOGITS(labels, ops.transpose(scores))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@healthy(every=5, held_out=True)
def contrastive_views() -> Training:
    model = Contrastive()
    model.compile(Adam(2e-3))
    return Training(model, data.digits()[0], batch_size=128, epochs=6)


@healthy(every=10, held_out=True)
def siamese_pairs_of_digits() -> Training:
    x, y = data.digits()
    random = np.random.default_rng(0)
    left = random.integers(0, len(x), 2400)
    same = np.array([random.choice(np.flatnonzero((y == y[i]) == bool(k % 2))) for k, i in enumerate(left)])
    encoder = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(32)], name="encoder")
    one, other = keras.Input((64,)), keras.Input((64,))
    distance = layers.Lambda(lambda pair: ops.abs(pair[0] - pair[1]))([encoder(one), encoder(other)])
    model = keras.Model([one, other], layers.Dense(1, activation="sigmoid")(distance))
    model.compile(Adam(2e-3), "binary_crossentropy")
    return Training(model, [x[left], x[same]], (np.arange(2400) % 2).astype("float32"), epochs=5)


def hardest_triplets(y_true: Any, y_pred: Any) -> Any:
    """The farthest of the same class and the nearest of another, for every example of a batch."""
    same = ops.equal(ops.reshape(y_true, (-1, 1)), ops.reshape(y_true, (1, -1)))
    squares = ops.sum(ops.square(y_pred[:, None] - y_pred[None]), axis=-1)
    distance = ops.sqrt(ops.maximum(squares, 1e-12))
    return ops.softplus(ops.max(ops.where(same, distance, 0.0), axis=1) - ops.min(ops.where(same, 1e6, distance), axis=1))


@healthy(every=5, held_out=True)
def hardest_triplets_of_a_batch() -> Training:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(96, activation="relu"), layers.Dense(16)])
    model.compile(Adam(1e-3), hardest_triplets)
    return Training(model, *data.digits(), batch_size=96, epochs=6)


class Denoiser(keras.Model):
    """Predicts the noise that was added to a digit: a diffusion model."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(4)
        self.first, self.second, self.last = layers.Dense(128, activation="swish"), layers.Dense(128, activation="swish"), layers.Dense(64)

    def call(self, inputs: Any) -> Any:
        x, time = inputs
        waves = time * ops.cast(2.0 ** np.arange(6), "float32") * np.pi
        y = self.first(ops.concatenate([x, ops.sin(waves), ops.cos(waves)], axis=-1))
        return self.last(y + self.second(y))

    def train_step(self, x: Any) -> dict[str, Any]:
        time = keras.random.uniform((ops.shape(x)[0], 1), seed=self.seeds)
        noise = keras.random.normal(ops.shape(x), seed=self.seeds)
        with tf.GradientTape() as tape:
            seen = ops.cos(time * np.pi / 2) * x + ops.sin(time * np.pi / 2) * noise
            loss = ops.mean(ops.square(self([seen, time]) - noise))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@healthy(every=10, held_out=True)
def diffusion_of_digits() -> Training:
    model = Denoiser()
    model.compile(Adam(1e-3, use_ema=True, ema_momentum=0.99))
    return Training(model, 2 * data.digits()[0] - 1, batch_size=64, epochs=8)


class Coupling(layers.Layer):
    """An affine coupling; the last layer of its network begins at zero, so that the flow begins as the identity."""

    def __init__(self, flip: bool) -> None:
        super().__init__()
        self.flip, self.hidden, self.both = flip, layers.Dense(32, activation="relu"), layers.Dense(2, kernel_initializer="zeros")

    def call(self, x: Any) -> Any:
        kept, moved = (x[:, :1], x[:, 1:]) if self.flip else (x[:, 1:], x[:, :1])
        scale, shift = ops.split(self.both(self.hidden(kept)), 2, axis=-1)
        scale = ops.tanh(scale)
        self.add_loss(-ops.mean(ops.sum(scale, axis=-1)))
        moved = moved * ops.exp(scale) + shift
        return ops.concatenate([kept, moved] if self.flip else [moved, kept], axis=-1)


@healthy(every=5, held_out=True)
def normalizing_flow() -> Training:
    x = data.sine(1024)
    points = (np.concatenate(x, 1) * [0.5, 1.0]).astype("float32")
    model = keras.Sequential([keras.Input((2,)), *(Coupling(bool(k % 2)) for k in range(4))])
    model.compile(Adam(3e-3), lambda _, z: 0.5 * ops.sum(ops.square(z), axis=-1))
    return Training(model, points, points, batch_size=64, epochs=8)


# Sequences.


@healthy(every=5, held_out=True)
def lstm_that_forecasts() -> Training:
    model = keras.Sequential([keras.Input((30, 1)), layers.LSTM(24), layers.Dense(1)])
    model.compile(Adam(5e-3), "mse")
    x, y, options = split(*data.series(), n=640)
    return Training(model, x, y, epochs=5, options=options)


@healthy(every=5, held_out=True)
def two_grus_with_huber() -> Training:
    model = keras.Sequential([keras.Input((30, 1)), layers.GRU(16, return_sequences=True, dropout=0.1), layers.GRU(16), layers.Dense(1)])
    model.compile(Adam(5e-3), keras.losses.Huber())
    return Training(model, *data.series(), epochs=4)


@healthy(every=10, held_out=True)
def both_directions_with_masking() -> Training:
    ids, labels, size = data.lines()
    stack = [layers.Embedding(size, 16, mask_zero=True), layers.Bidirectional(layers.LSTM(16)), layers.Dense(16, activation="relu")]
    model = keras.Sequential([keras.Input((24,), dtype="int32"), *stack, layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(5e-3), "binary_crossentropy")
    return Training(model, ids[:1200], labels[:1200], batch_size=64, epochs=3)


@healthy(every=10, held_out=True)
def reversed_strings_with_zero_states() -> Training:
    pieces, _, size = data.characters(length=8, n=2400)
    source, state = keras.Input((8,), dtype="int32", name="source"), keras.Input((48,), name="state")
    teacher, carry = keras.Input((8,), dtype="int32", name="teacher"), keras.Input((48,), name="carry")
    table = layers.Embedding(size + 1, 24)
    _, *states = layers.LSTM(48, return_state=True)(table(source), initial_state=[state, carry])
    decoded = layers.LSTM(48, return_sequences=True)(table(teacher), initial_state=states)
    model = keras.Model([source, teacher, state, carry], layers.Dense(size)(decoded))
    model.compile(Adam(1e-2), LOGITS)
    target, zeros = pieces[:, ::-1], np.zeros((len(pieces), 48), "float32")
    start = np.full((len(pieces), 1), size, "int32")
    return Training(model, [pieces, np.concatenate([start, target[:, :-1]], 1), zeros, zeros], target, batch_size=64, epochs=5)


class TiedLogits(layers.Layer):
    """Scores every character by its own embedding."""

    def __init__(self, table: Any, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.table = table

    def call(self, x: Any) -> Any:
        return ops.matmul(x, ops.transpose(self.table.embeddings))


class Places(layers.Layer):
    """Adds learned positions."""

    def build(self, shape: Any) -> None:
        self.places = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x: Any) -> Any:
        return x + self.places


@healthy(every=10, held_out=True)
def small_gpt_with_tied_weights() -> Training:
    x, y, size = data.characters(length=16, n=1600)
    inputs = keras.Input((16,), dtype="int32")
    table = layers.Embedding(size, 32, embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02))
    h = Places()(table(inputs))
    h = block(block(h, 32, use_causal_mask=True), 32, heads=2, use_causal_mask=True)
    model = keras.Model(inputs, TiedLogits(table)(layers.LayerNormalization()(h)))
    rate = keras.optimizers.schedules.CosineDecay(1e-5, 150, warmup_target=4e-3, warmup_steps=30, alpha=0.1)
    model.compile(AdamW(rate, weight_decay=0.01, global_clipnorm=1.0), LOGITS)
    return Training(model, x, y, batch_size=32, epochs=4)


@healthy(every=10, held_out=True)
def encoder_of_padded_lines() -> Training:
    ids, labels, size = data.lines()
    inputs = keras.Input((24,), dtype="int32")
    x = Places()(layers.Embedding(size, 24)(inputs))
    mask = layers.Lambda(lambda i: ops.not_equal(i, 0)[:, None])(inputs)
    x = block(x, 24, heads=2, attention_mask=mask)
    x = layers.GlobalMaxPooling1D()(x)
    model = keras.Model(inputs, layers.Dense(1)(layers.Dropout(0.3)(x)))
    model.compile(Adam(2e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, ids, labels, batch_size=64, epochs=4)


@healthy(every=5, held_out=True)
def characters_that_were_masked() -> Training:
    x, _, size = data.characters(length=16, n=1600)
    hidden = np.random.default_rng(0).random(x.shape) < 0.15
    inputs = keras.Input((16,), dtype="int32")
    h = Places()(layers.Embedding(size + 1, 32)(inputs))
    h = layers.Add()([h, layers.Conv1D(32, 5, padding="same", activation="gelu")(h)])
    h = block(h, 32)
    model = keras.Model(inputs, layers.Dense(size)(layers.LayerNormalization()(h)))
    model.compile(Adam(5e-3), LOGITS)
    return Training(model, np.where(hidden, size, x), x, batch_size=64, epochs=5, options={"sample_weight": hidden.astype("float32")})


@healthy(every=5, held_out=True)
def gated_causal_convolutions() -> Training:
    inputs = keras.Input((30, 1))
    x, skips = layers.Conv1D(16, 1)(inputs), []
    for dilation in (1, 3, 9):
        content = layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation="tanh")(x)
        gate = layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(x)
        y = layers.Multiply()([content, gate])
        skips.append(layers.Conv1D(16, 1)(y))
        x = layers.Add()([x, layers.Conv1D(16, 1)(y)])
    x = layers.Activation("relu")(layers.Add()(skips))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(16, activation="relu")(x[:, -1])))
    model.compile(Adam(3e-3), "mse")
    return Training(model, *data.series(), epochs=4)


@healthy(every=10, held_out=True)
def strips_of_digits_with_ctc() -> Training:
    x, y = data.images()
    picked = np.random.default_rng(0).integers(0, len(x), (1000, 3))
    strips = np.stack([np.concatenate(list(x[row, ..., 0]), axis=1).T for row in picked]).astype("float32")
    stack = [layers.Conv1D(48, 5, padding="same", activation="relu"), layers.Conv1D(48, 3, 2, padding="same", activation="relu")]
    stack += [layers.GRU(32, return_sequences=True), layers.Dense(11)]
    model = keras.Sequential([keras.Input((24, 8)), *stack])
    model.compile(Adam(5e-3), keras.losses.CTC())
    return Training(model, strips, y[picked].astype("int32") + 1, epochs=5)


# Tables.


def credit(n: int = 4000, seed: int = 0) -> tuple[Any, Any]:
    """A table like those of banks, of which three in a hundred rows are positive."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 12)).astype("float32")
    score = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] - x[:, 3] + 0.5 * random.normal(size=n)
    return x, (score > np.quantile(score, 0.97)).astype("float32")


@healthy(every=10, held_out=True)
def rare_positives_with_an_output_bias() -> Training:
    x, y = credit()
    bias = keras.initializers.Constant(np.log(y.mean() / (1 - y.mean())))
    stack = [layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid", bias_initializer=bias)]
    model = keras.Sequential([keras.Input((12,)), *stack])
    model.compile(Adam(2e-3), "binary_crossentropy", metrics=["AUC"])
    return Training(model, x[:3200], y[:3200], batch_size=128, epochs=8, options={"validation_data": (x[3200:], y[3200:])})


@healthy(every=10, held_out=True)
def rare_positives_with_a_focal_loss() -> Training:
    model = keras.Sequential([keras.Input((12,)), layers.Dense(48, activation="swish"), layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(3e-3), keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True))
    return Training(model, *credit(seed=1), batch_size=64, epochs=6)


def houses(n: int = 2400) -> tuple[Any, Any]:
    """A table like California's: rooms, age, income, place; prices in dollars."""
    random = np.random.default_rng(5)
    rooms, age, income = random.gamma(6, 0.9, n), random.integers(1, 53, n), random.lognormal(1.2, 0.4, n)
    people, latitude, longitude = random.lognormal(7, 0.7, n), random.uniform(32, 42, n), random.uniform(-124, -114, n)
    price = 45_000 * income + 6_000 * rooms + 500 * age - 9_000 * np.abs(latitude - 36) + random.normal(0, 15_000, n)
    return np.stack([rooms, age, income, people, latitude, longitude], 1).astype("float32"), price.astype("float32")


@healthy(every=5, held_out=True)
def prices_in_thousands() -> Training:
    x, price = houses()
    normalize = layers.Normalization()
    normalize.adapt(x)
    stack = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(1)]
    model = keras.Sequential([keras.Input((6,)), normalize, *stack])
    model.compile(Adam(3e-3), "mse", metrics=["mae"])
    return Training(model, x, price / 1000, epochs=8, options={"validation_split": 0.2})


@healthy(every=5, held_out=True)
def progression_as_it_is_measured() -> Training:
    model = keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu"), layers.Dense(1)])
    model.compile(keras.optimizers.RMSprop(5e-3), "mae")
    return Training(model, data.standardized("diabetes")[0], data.raw("diabetes")[1].astype("float32"), batch_size=16, epochs=10)


def gaussian(y_true: Any, y_pred: Any) -> Any:
    """Negative log-likelihood, which is below zero where the model is sure."""
    mean, log_variance = y_pred[:, :1], y_pred[:, 1:]
    return 0.5 * (log_variance + ops.square(y_true - mean) * ops.exp(-log_variance))


@healthy(every=10, held_out=True)
def likelihood_below_zero() -> Training:
    x, y = data.sine(1024)
    model = keras.Sequential([keras.Input((1,)), layers.Dense(64, activation="tanh"), layers.Dense(64, activation="tanh"), layers.Dense(2)])
    model.compile(Adam(5e-3), gaussian)
    return Training(model, x, 0.3 * y, epochs=15)


def quantiles(y_true: Any, y_pred: Any) -> Any:
    """The pinball loss of three quantiles."""
    share = ops.convert_to_tensor([0.1, 0.5, 0.9])
    return ops.mean(ops.maximum(share * (y_true - y_pred), (share - 1) * (y_true - y_pred)), axis=-1)


@healthy(every=5, held_out=True)
def three_quantiles() -> Training:
    model = keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(3)])
    model.compile(Adam(3e-3), quantiles)
    x, y = data.standardized("diabetes")
    return Training(model, x, y[:, None], epochs=10)


@healthy(every=5, held_out=True)
def counts_with_an_exponential() -> Training:
    random = np.random.default_rng(0)
    x = random.normal(size=(1600, 5)).astype("float32")
    y = random.poisson(np.exp(0.5 + 0.6 * x[:, 0] - 0.4 * x[:, 1])).astype("float32")
    model = keras.Sequential([keras.Input((5,)), layers.Dense(16, activation="relu"), layers.Dense(1, activation="exponential")])
    model.compile(Adam(5e-3), "poisson")
    return Training(model, x, y, epochs=5)


@healthy(every=5, held_out=True)
def class_and_amount_of_ink() -> Training:
    x, y = data.digits()
    inputs = keras.Input((64,), name="pixels")
    trunk = layers.Dense(64, activation="relu")(layers.Dense(96, activation="relu")(inputs))
    outputs = {"digit": layers.Dense(10, activation="softmax", name="digit")(trunk), "ink": layers.Dense(1, name="ink")(trunk)}
    model = keras.Model(inputs, {**outputs, "even": layers.Dense(1, activation="sigmoid", name="even")(trunk)})
    losses = {"digit": "sparse_categorical_crossentropy", "ink": "mse", "even": "binary_crossentropy"}
    model.compile(Adam(2e-3), losses, loss_weights={"digit": 1.0, "ink": 0.5, "even": 0.3})
    targets = {"digit": y, "ink": x.mean(1, keepdims=True), "even": (y % 2 == 0).astype("float32")[:, None]}
    return Training(model, x, targets, epochs=5)


@healthy(every=5, held_out=True)
def two_experts_of_four() -> Training:
    class Experts(layers.Layer):
        """Each example asks the two experts that its gate prefers; a small loss keeps all of them busy."""

        def __init__(self) -> None:
            super().__init__()
            self.gate = layers.Dense(4)
            self.experts = [layers.Dense(32, activation="relu") for _ in range(4)]

        def call(self, x: Any) -> Any:
            shares = ops.softmax(self.gate(x))
            best = ops.top_k(shares, 2)[0][:, -1:]
            kept = ops.where(shares >= best, shares, 0.0)
            kept = kept / ops.sum(kept, axis=-1, keepdims=True)
            self.add_loss(0.01 * 4 * ops.sum(ops.mean(shares, axis=0) ** 2))
            return ops.sum(ops.stack([expert(x) for expert in self.experts], axis=1) * kept[..., None], axis=1)

    model = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu"), Experts(), layers.Dense(10)])
    model.compile(Adam(3e-3), LOGITS)
    return Training(model, *data.digits(), epochs=4)


@healthy(every=10, held_out=True)
def factorization_with_many_rare_ids() -> Training:
    random = np.random.default_rng(0)
    users, films = random.zipf(1.3, 6000) % 1500, random.zipf(1.3, 6000) % 1500
    taste = random.normal(size=(1500, 3)) @ random.normal(size=(3, 1500)) / 2
    one, other = keras.Input((), dtype="int32", name="user"), keras.Input((), dtype="int32", name="film")
    rows = layers.Embedding(1500, 16, name="users")(one), layers.Embedding(1500, 16, name="films")(other)
    hidden = layers.Dense(32, activation="relu")(layers.Concatenate()(rows))
    model = keras.Model([one, other], layers.Add()([layers.Dot(axes=1)(rows), layers.Dense(1)(hidden)]))
    model.compile(keras.optimizers.Adagrad(0.1), "mse")
    return Training(model, [users, films], taste[users, films].astype("float32"), batch_size=64, epochs=4)


class GraphConvolution(layers.Layer):
    """Mixes neighbours; the whole graph is one batch."""

    def __init__(self, adjacency: Any, units: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.adjacency, self.dense = ops.convert_to_tensor(adjacency), layers.Dense(units)

    def call(self, x: Any) -> Any:
        return ops.matmul(self.adjacency, self.dense(x))


@healthy(every=2, held_out=True)
def flowers_as_a_graph() -> Training:
    x, y = data.standardized("iris")
    near = (np.linalg.norm(x[:, None] - x[None], axis=-1) < 0.8).astype("float32")
    model = keras.Sequential([keras.Input((4,)), GraphConvolution(near / near.sum(1, keepdims=True), 16), layers.ReLU()])
    model.add(layers.Dropout(0.3))
    model.add(GraphConvolution(near / near.sum(1, keepdims=True), 3))
    model.compile(Adam(2e-2, weight_decay=5e-4), LOGITS)
    known = (np.random.default_rng(0).random(150) < 0.2).astype("float32")
    return Training(model, x, y, batch_size=150, epochs=80, options={"sample_weight": known, "shuffle": False})


# Ways of training.


class TemporalDifference(keras.Model):
    """Double Q-learning from a memory, with a target network that follows slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.target = (
            keras.Sequential([keras.Input((6,)), layers.Dense(48, activation="relu"), layers.Dense(48, activation="relu"), layers.Dense(2)])
            for _ in range(2)
        )
        self.target.trainable = False
        self.target.set_weights(self.q.get_weights())

    def train_step(self, memory: Any) -> dict[str, Any]:
        state, action, reward, following, done = memory[:, :6], memory[:, 6], memory[:, 7], memory[:, 8:14], memory[:, 14]
        best = ops.argmax(self.q(following), axis=-1)
        goal = reward + 0.9 * (1 - done) * ops.sum(self.target(following) * ops.one_hot(best, 2), axis=-1)
        with tf.GradientTape() as tape:
            value = ops.sum(self.q(state) * ops.one_hot(ops.cast(action, "int32"), 2), axis=-1)
            loss = ops.mean(keras.losses.huber(goal[:, None], value[:, None]))
        self.optimizer.apply(tape.gradient(loss, self.q.trainable_variables), self.q.trainable_variables)
        for mine, theirs in zip(self.target.variables, self.q.variables, strict=True):
            mine.assign(0.98 * mine + 0.02 * theirs)
        return {"loss": loss}


@healthy(every=10, held_out=True)
def walk_to_the_right_end() -> Training:
    random = np.random.default_rng(0)
    place, action = random.integers(0, 6, 4000), random.integers(0, 2, 4000)
    following = np.clip(place + 2 * action - 1, 0, 5)
    done, eye = (following == 5) & (action == 1), np.eye(6)
    memory = np.concatenate([eye[place], action[:, None], done[:, None], eye[following], done[:, None]], 1).astype("float32")
    model = TemporalDifference()
    model.compile(Adam(1e-3))
    return Training(model, memory, batch_size=64, epochs=4)


@healthy(every=5, held_out=True)
def policy_gradient_of_a_bandit() -> Training:
    """The loss of a policy gradient says nothing; the reward rises."""
    x, y = data.standardized("wine")
    x, y = np.tile(x, (8, 1)), np.tile(y, 8)
    model = keras.Sequential([keras.Input((13,)), layers.Dense(32, activation="tanh"), layers.Dense(3)])
    optimizer, baseline = Adam(1e-2), tf.Variable(0.33, trainable=False)
    seeds = keras.random.SeedGenerator(3)

    @tf.function
    def step(state: Any, best: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(state)
            action = keras.random.categorical(tf.stop_gradient(logits), 1, seed=seeds)[:, 0]
            reward = tf.cast(tf.equal(tf.cast(action, "int64"), tf.cast(best, "int64")), "float32")
            chosen = tf.reduce_sum(tf.nn.log_softmax(logits) * tf.one_hot(action, 3), axis=-1)
            entropy = -tf.reduce_sum(tf.nn.softmax(logits) * tf.nn.log_softmax(logits), axis=-1)
            loss = -tf.reduce_mean((reward - baseline) * chosen + 0.01 * entropy)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        baseline.assign(0.9 * baseline + 0.1 * tf.reduce_mean(reward))
        return tf.reduce_mean(reward)

    return Training(model, x.astype("float32"), y, loop=step, epochs=4)


@healthy(every=4, held_out=True)
def gradients_added_up_by_hand() -> Training:
    x, y = data.digits()
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)])
    optimizer = SGD(0.2, momentum=0.9)

    @tf.function
    def step(pixels: Any, labels: Any) -> Any:
        total = [tf.zeros_like(variable) for variable in model.trainable_variables]
        loss = tf.constant(0.0)
        for part, truth in zip(tf.split(pixels, 4), tf.split(labels, 4), strict=True):
            with tf.GradientTape() as tape:
                loss = LOGITS(truth, model(part, training=True)) / 4
            total = [one + other for one, other in zip(total, tape.gradient(loss, model.trainable_variables), strict=True)]
        optimizer.apply(total, model.trainable_variables)
        return loss

    return Training(model, x, y, loop=step, batch_size=64, epochs=5)


@healthy(every=1, held_out=True)
def four_batches_for_one_update() -> Training:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile(Adam(1e-2, gradient_accumulation_steps=4), "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=3)


class Distilled(keras.Model):
    """A small student of a big teacher."""

    def __init__(self, teacher: Any, student: Any) -> None:
        super().__init__()
        self.teacher, self.student = teacher, student
        self.teacher.trainable = False

    def call(self, x: Any, training: bool = False) -> Any:
        return self.student(x, training=training)

    def train_step(self, both: Any) -> dict[str, Any]:
        x, y = both
        soft = ops.softmax(self.teacher(x, training=False) / 3.0)
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            hints = 9.0 * ops.mean(keras.losses.kl_divergence(soft, ops.softmax(logits / 3.0)))
            loss = 0.3 * LOGITS(y, logits) + 0.7 * hints
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@healthy(every=5, held_out=True)
def student_of_a_teacher() -> Training:
    x, y = data.digits()
    teacher = keras.Sequential([keras.Input((64,)), layers.Dense(256, activation="relu"), layers.Dense(10)])
    teacher.compile(Adam(3e-3), LOGITS)
    teacher.fit(x, y, epochs=4, verbose=0)
    model = Distilled(teacher, keras.Sequential([keras.Input((64,)), layers.Dense(16, activation="relu"), layers.Dense(10)]))
    model.compile(Adam(5e-3))
    return Training(model, x, y, epochs=4)


def base_of_low_digits() -> tuple[keras.Model, Any, Any]:
    """A network trained on the digits below 5, and the digits above."""
    x, y = data.images()
    stack = [layers.Conv2D(16, 3, padding="same"), layers.BatchNormalization(momentum=0.9), layers.ReLU(), layers.MaxPooling2D()]
    base = keras.Sequential([keras.Input((8, 8, 1)), *stack, layers.Conv2D(32, 3, padding="same", activation="relu")], name="base")
    whole = keras.Sequential([base, layers.GlobalAveragePooling2D(), layers.Dense(5, activation="softmax")])
    whole.compile(Adam(5e-3), "sparse_categorical_crossentropy")
    whole.fit(x[y < 5], y[y < 5], epochs=3, verbose=0)
    return base, x[y >= 5], y[y >= 5] - 5


@healthy(every=5, held_out=True)
def frozen_base_and_then_all_of_it() -> Training:
    base, x, y = base_of_low_digits()
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    features = layers.Flatten()(base(inputs, training=False))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.Dropout(0.2)(features)))
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy")

    def thaw(model: Any) -> dict[str, Any]:
        base.trainable = True
        model.compile(Adam(1e-4), "sparse_categorical_crossentropy")
        return {"epochs": 3}

    return Training(model, x, y, epochs=3, again=[thaw], options={"validation_split": 0.2})


@healthy(every=5, held_out=True)
def adapters_in_a_frozen_base() -> Training:
    base, x, y = base_of_low_digits()
    base.trainable = False
    h = base.output
    for _ in range(2):
        down = layers.Conv2D(8, 1, activation="gelu")(h)
        h = layers.Add()([h, layers.Conv2D(32, 1, kernel_initializer="zeros")(down)])
    model = keras.Model(base.input, layers.Dense(5)(layers.GlobalAveragePooling2D()(h)))
    model.compile(Adam(5e-3), LOGITS)
    return Training(model, x, y, epochs=6)


@healthy(every=5, held_out=True)
def one_layer_after_the_other() -> Training:
    first, second = layers.Dense(64, activation="relu", name="first"), layers.Dense(64, activation="relu", name="second")
    model = keras.Sequential([keras.Input((64,)), first, second, layers.Dense(10, activation="softmax")])
    second.trainable = False
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy")

    def next_stage(model: Any) -> dict[str, Any]:
        first.trainable, second.trainable = False, True
        model.compile(Adam(2e-3), "sparse_categorical_crossentropy")
        return {"epochs": 2}

    return Training(model, *data.digits(), epochs=2, again=[next_stage])


class Gated(layers.Layer):
    """A residual branch behind a gate that begins closed."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), initializer="he_normal")
        self.bias = self.add_weight(shape=(shape[-1],), initializer="zeros")
        self.gate = self.add_weight(shape=(), initializer="zeros")

    def call(self, x: Any) -> Any:
        return x + self.gate * ops.relu(ops.matmul(x, self.kernel) + self.bias)


@healthy(every=5, held_out=True)
def twelve_gates_that_begin_closed() -> Training:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(48), *(Gated() for _ in range(12)), layers.Dense(10)])
    model.compile(Adam(2e-3), LOGITS)
    return Training(model, *data.digits(), epochs=4)


@healthy(every=5, held_out=True)
def gated_linear_units_with_rms_norm() -> Training:
    inputs = keras.Input((30,))
    x = layers.Dense(32)(inputs)
    for _ in range(3):
        y = layers.RMSNormalization()(x)
        y = layers.Multiply()([layers.Dense(48, activation="silu", use_bias=False)(y), layers.Dense(48, use_bias=False)(y)])
        x = layers.Add()([x, layers.Dense(32, use_bias=False)(y)])
    model = keras.Model(inputs, layers.Dense(1)(layers.RMSNormalization()(x)))
    model.compile(AdamW(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, *data.standardized("breast_cancer"), epochs=6)


@healthy(every=10, held_out=True)
def scaled_exponential_units_deep_down() -> Training:
    stack = [layers.Dense(40, activation="selu", kernel_initializer="lecun_normal") for _ in range(8)]
    model = keras.Sequential([keras.Input((64,)), *stack, layers.Dense(10, activation="softmax")])
    model.compile(SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


@healthy(every=1, held_out=True)
def the_whole_table_at_once() -> Training:
    model = keras.Sequential([keras.Input((13,)), layers.Dense(32, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile(Adam(1e-2), "sparse_categorical_crossentropy")
    return Training(model, *data.standardized("wine"), batch_size=178, epochs=60)


@healthy(every=20, held_out=True)
def two_examples_at_a_time() -> Training:
    stack = [layers.Dense(32), layers.LayerNormalization(), layers.ReLU()]
    model = keras.Sequential([keras.Input((4,)), *stack, layers.Dense(3, activation="softmax")])
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy")
    return Training(model, *data.standardized("iris"), batch_size=2, epochs=6)


@healthy(every=100, held_out=True)
def three_captures_only() -> Training:
    stack = [layers.Dense(64, activation="relu"), layers.Dropout(0.3), layers.Dense(32, activation="relu")]
    model = keras.Sequential([keras.Input((64,)), *stack, layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=5)


@healthy(every=10, held_out=True)
def rate_reduced_on_plateaus() -> Training:
    model = keras.Sequential([keras.Input((30,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(1e-2), "binary_crossentropy")
    stop = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
    more = [keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2), stop, keras.callbacks.TerminateOnNaN()]
    return Training(model, *data.standardized("breast_cancer"), epochs=15, more_callbacks=more, options={"validation_split": 0.25})


class Equation(keras.Model):
    """Learns u'' = -u from the equation and two values at the border."""

    def __init__(self) -> None:
        super().__init__()
        self.net = keras.Sequential([keras.Input((1,)), layers.Dense(24, activation="tanh"), layers.Dense(24, activation="tanh"), layers.Dense(1)])

    def call(self, x: Any) -> Any:
        return self.net(x)

    def train_step(self, x: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            with tf.GradientTape() as second:
                second.watch(x)
                with tf.GradientTape() as first:
                    first.watch(x)
                    u = self(x)
                slope = first.gradient(u, x)
            bend = second.gradient(slope, x)
            border = self(tf.constant([[0.0], [np.pi / 2]])) - tf.constant([[0.0], [1.0]])
            loss = tf.reduce_mean(tf.square(bend + u)) + 10 * tf.reduce_mean(tf.square(border))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@healthy(every=10, held_out=True)
def network_that_solves_an_equation() -> Training:
    model = Equation()
    model.compile(Adam(5e-3))
    return Training(model, np.random.default_rng(0).uniform(0, np.pi / 2, (1600, 1)).astype("float32"), epochs=4)


class Adapted(layers.Layer):
    """A low-rank update of a frozen layer: one factor is random, the other begins at zero."""

    def __init__(self, dense: Any, rank: int = 4) -> None:
        super().__init__()
        self.dense, self.rank = dense, rank
        self.dense.trainable = False

    def build(self, shape: Any) -> None:
        self.down = self.add_weight(shape=(shape[-1], self.rank), initializer="he_uniform")
        self.up = self.add_weight(shape=(self.rank, self.dense.units), initializer="zeros")

    def call(self, x: Any) -> Any:
        return self.dense(x) + 2.0 * ops.matmul(ops.matmul(x, self.down), self.up)


@healthy(every=5, held_out=True)
def low_rank_updates_of_two_layers() -> Training:
    x, y = data.digits()
    first, second = layers.Dense(64), layers.Dense(48)
    base = keras.Sequential([keras.Input((64,)), first, layers.ReLU(), second, layers.ReLU(), layers.Dense(5, activation="softmax")])
    base.compile(Adam(3e-3), "sparse_categorical_crossentropy")
    base.fit(x[y < 5], y[y < 5], epochs=4, verbose=0)
    model = keras.Sequential([keras.Input((64,)), Adapted(first), layers.ReLU(), Adapted(second), layers.ReLU(), layers.Dense(5)])
    model.compile(Adam(5e-3), LOGITS)
    return Training(model, x[y >= 5], y[y >= 5] - 5, epochs=6)


@healthy(every=5, held_out=True)
def rate_that_ends_at_zero() -> Training:
    stack = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    model = keras.Sequential([keras.Input((64,)), *stack, layers.Dense(10, activation="softmax")])
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(5e-3, 57 * 4)), "sparse_categorical_crossentropy")
    return Training(model, *data.digits(), epochs=4)


@healthy(every=1, held_out=True)
def loss_scale_that_settles() -> Training:
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10, dtype="float32")])
    model.compile(keras.optimizers.LossScaleOptimizer(Adam(3e-3), initial_scale=2.0**24), LOGITS)
    return Training(model, *data.digits(), epochs=2)


class Scaled(layers.Layer):
    """A branch of a deep transformer, scaled by a hundredth at first."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=shape[-1:], initializer=keras.initializers.Constant(1e-2))

    def call(self, x: Any) -> Any:
        return x * self.scale


@healthy(every=10, held_out=True)
def branches_scaled_by_a_hundredth() -> Training:
    inputs = keras.Input((8, 8))
    x = layers.Dense(24)(inputs)
    for _ in range(3):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, Scaled()(layers.MultiHeadAttention(2, 12)(y, y))])
        x = layers.Add()([x, Scaled()(layers.Dense(24)(layers.Dense(48, activation="gelu")(layers.LayerNormalization()(x))))])
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(layers.LayerNormalization()(x))))
    model.compile(AdamW(2e-3), LOGITS)
    x, y = data.digits()
    return Training(model, x.reshape(-1, 8, 8), y, batch_size=64, epochs=5)


@healthy(every=5, held_out=True)
def bytes_rescaled_in_the_model() -> Training:
    stack = [layers.Rescaling(1 / 255), layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(32, activation="relu")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack, layers.Dense(10, activation="softmax")])
    model.compile(Adam(3e-3), "sparse_categorical_crossentropy")
    x, y = data.images()
    return Training(model, np.round(255 * x).astype("uint8"), y, epochs=3)


@healthy(every=5, held_out=True)
def slow_trunk_and_fast_head() -> Training:
    x, y = data.digits()
    trunk = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(48, activation="relu")], name="trunk")
    first = keras.Sequential([trunk, layers.Dense(10)])
    first.compile(Adam(3e-3), LOGITS)
    first.fit(x, y % 2, epochs=3, verbose=0)
    head = layers.Dense(10, name="head")
    model = keras.Sequential([keras.Input((64,)), trunk, head])
    slow, fast = Adam(1e-4), Adam(5e-3)

    @tf.function
    def step(pixels: Any, labels: Any) -> Any:
        with tf.GradientTape(persistent=True) as tape:
            loss = LOGITS(labels, model(pixels, training=True))
        slow.apply(tape.gradient(loss, trunk.trainable_variables), trunk.trainable_variables)
        fast.apply(tape.gradient(loss, head.trainable_variables), head.trainable_variables)
        return loss

    return Training(model, x, y, loop=step, epochs=4)


@healthy(every=5, held_out=True)
def categories_of_which_most_are_rare() -> Training:
    random = np.random.default_rng(0)
    codes = random.zipf(1.5, (3000, 3)) % 60
    x = np.concatenate([np.eye(60, dtype="float32")[codes[:, k]] for k in range(3)], 1)
    y = (random.normal(size=60)[codes[:, 0]] + random.normal(size=60)[codes[:, 1]] + 0.3 * random.normal(size=3000) > 0).astype("float32")
    model = keras.Sequential([keras.Input((180,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(Adam(3e-3), "binary_crossentropy")
    return Training(model, x, y, batch_size=64, epochs=5, options={"validation_split": 0.2})


@healthy(every=5, held_out=True)
def clouds_of_points() -> Training:
    """A deep set: which of three shapes did these points come from?"""
    random = np.random.default_rng(0)
    y, angles = random.integers(0, 3, 900), random.uniform(0, 2 * np.pi, (900, 24))
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    line, disc = np.stack([angles / np.pi - 1, 0 * angles], -1), circle * np.sqrt(random.uniform(size=(900, 24, 1)))
    x = np.where((y == 0)[:, None, None], circle, np.where((y == 1)[:, None, None], line, disc)) + 0.05 * random.normal(size=circle.shape)
    model = keras.Sequential([keras.Input((24, 2)), layers.Dense(32, activation="relu"), layers.Dense(32, activation="relu")])
    model.add(layers.Lambda(lambda h: ops.sum(h, axis=1)))
    model.add(layers.Dense(32, activation="relu"))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(Adam(1e-3), "sparse_categorical_crossentropy")
    return Training(model, x.astype("float32"), y, epochs=5)


@healthy(every=1, held_out=True)
def eight_steps_only() -> Training:
    model = keras.Sequential([keras.Input((13,)), layers.Dense(24, activation="gelu"), layers.Dense(3, activation="softmax")])
    model.compile(Adam(1e-2), "sparse_categorical_crossentropy")
    return Training(model, *data.standardized("wine"), batch_size=24, epochs=1)


class Critic(keras.Model):
    """A Wasserstein GAN with a penalty on the gradient: five steps of the critic for one of the generator."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(5)
        hidden = [layers.Dense(48, activation="relu") for _ in range(4)]
        self.generator = keras.Sequential([keras.Input((4,)), *hidden[:2], layers.Dense(2)])
        self.critic = keras.Sequential([keras.Input((2,)), *hidden[2:], layers.Dense(1)])
        self.other_optimizer = Adam(1e-3, beta_1=0.0, beta_2=0.9)

    def train_step(self, x: Any) -> dict[str, Any]:
        size = ops.shape(x)[0]
        for _ in range(3):
            fake = self.generator(keras.random.normal((size, 4), seed=self.seeds))
            with tf.GradientTape() as tape:
                between = x + keras.random.uniform((size, 1), seed=self.seeds) * (fake - x)
                with tf.GradientTape() as inner:
                    inner.watch(between)
                    score = self.critic(between)
                slope = ops.sqrt(ops.sum(ops.square(inner.gradient(score, between)), axis=1) + 1e-12)
                loss = ops.mean(self.critic(fake)) - ops.mean(self.critic(x)) + 10 * ops.mean(ops.square(slope - 1))
            own = self.critic.trainable_variables
            self.other_optimizer.apply(tape.gradient(loss, own), own)
        with tf.GradientTape() as tape:
            made = -ops.mean(self.critic(self.generator(keras.random.normal((size, 4), seed=self.seeds))))
        self.optimizer.apply(tape.gradient(made, self.generator.trainable_variables), self.generator.trainable_variables)
        return {"loss": loss, "generator_loss": made}


@healthy(every=5, held_out=True)
def penalized_critic_on_a_ring() -> Training:
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 2048)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1) + np.random.default_rng(1).normal(0, 0.05, (2048, 2))
    model = Critic()
    model.compile(Adam(1e-3, beta_1=0.0, beta_2=0.9))
    return Training(model, ring.astype("float32"), batch_size=64, epochs=3)
