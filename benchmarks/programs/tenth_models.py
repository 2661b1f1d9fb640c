"""Data and models of the tenth set: moons, machines, brackets, heart beats, sets of points, steps of one's own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.data import Arrays
from benchmarks.programs.eighth_models import Own

BCE = "binary_crossentropy"


def moons(n: int = 800) -> Arrays:
    """Two half moons that reach into each other."""
    from sklearn.datasets import make_moons

    x, y = make_moons(n, noise=0.15, random_state=10)
    return x.astype("float32"), y.astype("float32")[:, None]


def machines(n: int = 800) -> Arrays:
    """Eight readings of a machine, standardized, and a wear that depends on five of them, standardized."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(n, 8, noise=0.5, random_state=10)
    x = (x - x.mean(0)) / x.std(0)
    return x.astype("float32"), ((y - y.mean()) / y.std()).astype("float32")[:, None]


def raw_machines(n: int = 800) -> Arrays:
    """The same readings as a log file has them (revolutions, pascal, kelvin, …), and the wear."""
    x, y = machines(n)
    return (x * [300, 2e3, 5, 0.1, 40, 1, 900, 12] + [1500, 101_325, 320, 1, 230, 0, 7200, 50]).astype("float32"), y


def brackets(n: int = 800, length: int = 16) -> Arrays:
    """Sequences of three signs as ids from 1 to 3, and whether there is more open than closed."""
    random = np.random.default_rng(100)
    x = random.integers(1, 4, (n, length))
    return x.astype("int32"), ((x == 1).sum(1) > (x == 2).sum(1)).astype("float32")[:, None]


def beats(n: int = 600, length: int = 48) -> Arrays:
    """Heart beats [n, length, 1] of three kinds, and the kind."""
    random = np.random.default_rng(101)
    y = random.integers(0, 3, n)
    t = np.linspace(0, 1, length)
    width, place = 0.02 + 0.03 * y[:, None], 0.4 + random.normal(0, 0.05, (n, 1))
    x = np.exp(-(((t - place) / width) ** 2)) - 0.3 * (y[:, None] == 2) * np.exp(-(((t - place - 0.2) / 0.08) ** 2))
    return (2 * x + random.normal(0, 0.1, x.shape)).astype("float32")[..., None], y


def clouds(n: int = 500, points: int = 24) -> Arrays:
    """Sets of points [n, points, 2] on a circle or in a disc, and which."""
    random = np.random.default_rng(102)
    y = random.integers(0, 2, n)
    angle = random.uniform(0, 2 * np.pi, (n, points))
    radius = np.where(y[:, None] == 1, 1.0, np.sqrt(random.uniform(0, 1, (n, points)))) * random.uniform(0.7, 1.3, (n, 1))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).astype("float32"), y.astype("float32")[:, None]


def first_sign(length: int, n: int = 500) -> Arrays:
    """Signs of −1 and 1 [n, length, 1], of which the first is the answer."""
    x = np.random.default_rng(103).choice([-1.0, 1.0], (n, length, 1)).astype("float32")
    return x, (x[:, 0] > 0).astype("float32")


def spots(n: int = 500, size: int = 12) -> Arrays:
    """Pictures with a bright square, and where it is [n, size, size, 1]."""
    random = np.random.default_rng(104)
    mask = np.zeros((n, size, size, 1), "float32")
    for picture in mask:
        row, column, side = random.integers(0, size - 5), random.integers(0, size - 5), random.integers(3, 6)
        picture[row : row + side, column : column + side] = 1
    return (0.6 * mask + random.uniform(0, 0.4, mask.shape)).astype("float32"), mask


class Classifier(Own):
    """A step of one's own around a network that is given: its scores go into `self.loss_of`, as a script has it."""

    def __init__(self, network: Any, loss_of: Any, of: Any = None) -> None:
        super().__init__()
        self.network, self.loss_of, self.of = network, loss_of, of

    def call(self, x: Any) -> Any:
        """The scores."""
        return self.network(x)

    def trained(self) -> list[Any]:
        """Those of the part that is named, or all."""
        return list((self.of or self).trainable_variables)

    def objective(self, x: Any, y: Any) -> Any:
        """The mean loss."""
        return ops.mean(self.loss_of(y, self.network(x)))


def stepwise(network: Any, loss_of: Any, optimizer: Any = "adam", of: Any = None) -> keras.Model:
    """A network with a step of its own, compiled."""
    model = Classifier(network, loss_of, of)
    model.compile(optimizer=optimizer)
    return model


def stack(*some: Any, name: str = "network") -> keras.Sequential:
    """A sequence of layers by a name."""
    return keras.Sequential(list(some), name=name)


class Unrolled(layers.Layer):
    """A recurrence written by hand: a cell of two kernels that a loop over the time steps calls."""

    def __init__(self, units: int, gain: float = 1.0, activation: Any = ops.tanh, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.gain, self.activation = units, gain, activation

    def build(self, shape: Any) -> None:
        """Two kernels and a bias."""
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), initializer=keras.initializers.Orthogonal(self.gain), name="recurrent")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """The state at the last time step."""
        h = ops.zeros((ops.shape(x)[0], self.units))
        for t in range(x.shape[1]):
            h = self.activation(ops.matmul(x[:, t], self.kernel) + ops.matmul(h, self.recurrent) + self.bias)
        return h


class Pooled(layers.Layer):
    """Attention that pools a sequence: one score for each time step, and the mean they weigh."""

    def __init__(self, factor: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.score, self.factor = layers.Dense(1, name="score"), factor

    def call(self, x: Any) -> Any:
        """The weighted mean."""
        return ops.sum(ops.softmax(self.factor * self.score(x), 1) * x, 1)
