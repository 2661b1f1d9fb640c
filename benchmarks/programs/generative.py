"""Networks that make pictures of digits: adversarial, variational, contrastive and diffusion training, with train steps of their own."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.programs import data
from benchmarks.programs.registry import Training, faulty, healthy


class Gan(keras.Model):
    """A generator and a discriminator, two tapes, two optimizers."""

    def __init__(self, generator: keras.Model, discriminator: keras.Model, wasserstein: bool = False) -> None:
        super().__init__()
        self.generator, self.discriminator, self.wasserstein = generator, discriminator, wasserstein
        self.noise = keras.random.SeedGenerator(1)

    def compile(self, rate: float = 5e-4, **arguments: Any) -> None:
        """Two Adams."""
        super().compile(**arguments)
        self.g_optimizer, self.d_optimizer = keras.optimizers.Adam(rate, beta_1=0.5), keras.optimizers.Adam(rate, beta_1=0.5)

    def losses_of(self, real: Any, fake: Any) -> Any:
        """Loss of the discriminator and of the generator."""
        if self.wasserstein:
            return ops.mean(fake) - ops.mean(real), -ops.mean(fake)
        cross = keras.losses.BinaryCrossentropy(from_logits=True)
        return cross(ops.ones_like(real), real) + cross(ops.zeros_like(fake), fake), cross(ops.ones_like(fake), fake)

    def train_step(self, images: Any) -> Any:
        """One step of each."""
        noise = keras.random.normal((ops.shape(images)[0], 16), seed=self.noise)
        with tf.GradientTape() as tape:
            loss_d, _ = self.losses_of(self.discriminator(images), self.discriminator(self.generator(noise)))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(loss_d, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fake = self.discriminator(self.generator(noise))
            _, loss_g = self.losses_of(fake, fake)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(loss_g, weights), weights, strict=True))
        return {"d": loss_d, "g": loss_g}


def generator(activation: str = "tanh", **arguments: Any) -> keras.Model:
    """Noise to pictures in −1…1."""
    return keras.Sequential(
        [
            keras.Input((16,), name="noise"),
            layers.Dense(64, name="widen", **arguments),
            layers.LeakyReLU(),
            layers.Dense(64, activation=activation, name="picture"),
        ],
        name="generator",
    )


def discriminator(**arguments: Any) -> keras.Model:
    """Pictures to logits."""
    return keras.Sequential(
        [
            keras.Input((64,), name="pictures"),
            layers.Dense(64, name="look", **arguments),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Dense(1, name="verdict"),
        ],
        name="discriminator",
    )


def pictures() -> Any:
    """Digits in −1…1."""
    return data.digits()[0] * 2 - 1


class Vae(keras.Model):
    """An encoder to two latent numbers and a decoder; the losses are added in `call`."""

    def __init__(self, weight: float = 1.0, log_variance: float = 1.0) -> None:
        super().__init__()
        self.encoder = layers.Dense(48, activation="relu", name="encoder")
        self.mean, self.log_var = layers.Dense(2, name="mean"), layers.Dense(2, name="log_var")
        self.decoder = keras.Sequential(
            [layers.Dense(48, activation="relu", name="widen"), layers.Dense(64, activation="sigmoid", name="picture")], name="decoder"
        )
        self.noise, self.weight, self.log_variance = keras.random.SeedGenerator(2), weight, log_variance

    def call(self, x: Any) -> Any:
        hidden = self.encoder(x)
        mean, log_var = self.mean(hidden), self.log_variance * self.log_var(hidden)
        z = mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean), seed=self.noise)
        self.add_loss(self.weight * -0.5 * ops.mean(ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)))
        return self.decoder(z)


def reconstruction(y: Any, p: Any) -> Any:
    """Cross entropy, summed over pixels."""
    return 64 * keras.losses.binary_crossentropy(y, p)


# Healthy.

for _wasserstein in (False, True):

    @healthy(name="gan_wasserstein" if _wasserstein else "gan")
    def _(wasserstein: bool = _wasserstein) -> Training:
        model = Gan(generator(), discriminator(), wasserstein)
        model.compile()
        return Training(model, pictures(), epochs=5)


@healthy(every=20)
def gan_long() -> Training:
    model = Gan(generator(), discriminator())
    model.compile(1e-3)
    return Training(model, pictures(), epochs=25)


for _weight in (1.0, 0.05):

    @healthy(name=f"vae_{_weight}")
    def _(weight: float = _weight) -> Training:
        model = Vae(weight)
        model.compile(keras.optimizers.Adam(2e-3), reconstruction)
        return Training(model, data.digits()[0], data.digits()[0], epochs=6)


@healthy()
def diffusion() -> Training:
    inputs, level = keras.Input((64,), name="noisy"), keras.Input((1,), name="level")
    x = layers.Dense(96, activation="silu")(layers.Concatenate()([inputs, level]))
    x = x + layers.Dense(96, activation="silu")(x)
    model = keras.Model([inputs, level], layers.Dense(64)(x))
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    clean = pictures()
    random = keras.random.SeedGenerator(3)
    level_all = keras.random.uniform((len(clean), 1), seed=random).numpy()
    noise = keras.random.normal(clean.shape, seed=random).numpy()
    return Training(model, [clean * (1 - level_all) + noise * level_all, level_all], noise, epochs=5)


@healthy()
def contrastive() -> Training:
    class Contrastive(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(32)])
            self.noise = keras.random.SeedGenerator(4)

        def train_step(self, images: Any) -> Any:
            with tf.GradientTape() as tape:
                one, two = (
                    keras.utils.normalize(self.encoder(images + 0.3 * keras.random.normal(ops.shape(images), seed=self.noise)))
                    if False
                    else ops.normalize(self.encoder(images + 0.3 * keras.random.normal(ops.shape(images), seed=self.noise)))
                    for _ in range(2)
                )
                logits = ops.matmul(one, ops.transpose(two)) / 0.2
                loss = ops.mean(keras.losses.sparse_categorical_crossentropy(ops.arange(ops.shape(images)[0]), logits, from_logits=True))
            weights = self.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"loss": loss}

    model = Contrastive()
    model.compile("adam")
    return Training(model, data.digits()[0], epochs=4)


# Faulty.


@faulty("saturated_activation", "generator/picture")
def gan_saturated_picture() -> Training:
    model = Gan(generator(), discriminator())
    model.generator.get_layer("picture").bias.assign(tf.fill([64], 12.0))
    model.compile()
    return Training(model, pictures(), epochs=3)


@faulty("update_too_large nonfinite exploding_loss exploding_activation", "generator discriminator loss loss@2", every=1)
def gan_rate_huge() -> Training:
    model = Gan(generator(), discriminator())
    model.compile(3.0)
    return Training(model, pictures(), epochs=2)


@faulty("poor_initialization", "discriminator/look")
def gan_init() -> Training:
    model = Gan(generator(), discriminator(kernel_initializer=keras.initializers.RandomNormal(stddev=3.0)))
    model.compile()
    return Training(model, pictures(), epochs=3)


@faulty("unchanged_weights", "generator")
def gan_generator_frozen_by_rate() -> Training:
    model = Gan(generator(), discriminator())
    model.compile()
    model.g_optimizer.learning_rate = 0.0
    return Training(model, pictures(), epochs=3)


@faulty("nonfinite exploding_activation", "decoder", every=1)  # `exp` stands in `call`; what it makes is first seen where the decoder reads it
def vae_exploding_variance() -> Training:
    model = Vae(log_variance=200.0)
    model.compile(keras.optimizers.Adam(2e-3), reconstruction)
    return Training(model, data.digits()[0] * 6, data.digits()[0], epochs=1)


@faulty("dead_units", "encoder")
def vae_dead_encoder() -> Training:
    model = Vae()
    model.encoder.bias_initializer = keras.initializers.Constant(-10.0)
    model.compile(keras.optimizers.Adam(2e-3), reconstruction)
    return Training(model, data.digits()[0], data.digits()[0], epochs=3)


@faulty("missing_gradient", "decoder")
def vae_decoder_cut() -> Training:
    class Cut(Vae):
        def call(self, x: Any) -> Any:
            return ops.stop_gradient(super().call(x))

    model = Cut()
    model.compile(keras.optimizers.Adam(2e-3), reconstruction)
    return Training(model, data.digits()[0], data.digits()[0], epochs=3)
