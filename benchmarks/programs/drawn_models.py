"""What a drawn program is made of: a task, a model and a training, as a `Plan` of few plain numbers, and its score.

The one invariant: a plan says all; the same plan and seed give the same training.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.programs.data import raw
from benchmarks.programs.registry import Training

Random = np.random.Generator
Map = Callable[[Any], Any]


@dataclass(frozen=True)
class Task:
    """Data and what is to be learned of it. ``head``: "classes", "binary" or "number"; ``raw``: the inputs before they were scaled."""

    x: Any
    y: Any
    head: str
    classes: int = 1
    raw: Any = None
    words: int = 0

    @property
    def train(self) -> slice:
        """Three quarters; data are shuffled."""
        return slice(0, len(self.x) * 3 // 4)

    @property
    def test(self) -> slice:
        """The other quarter."""
        return slice(len(self.x) * 3 // 4, None)


def _shuffled(x: Any, y: Any, head: str, classes: int = 1, before: Any = None, words: int = 0) -> Task:
    order = np.random.default_rng(7).permutation(len(x))
    y = y.astype("int32") if head == "classes" else y.reshape(-1, 1).astype("float32")
    return Task(x[order], y[order], head, classes, None if before is None else before[order], words)


def _table(name: str, head: str, classes: int = 1) -> Task:
    x, y = raw(name)
    y = (y - y.mean()) / y.std() if head == "number" else y
    return _shuffled((x - x.mean(0)) / x.std(0), y, head, classes, x)


def _digits(*shape: int) -> Task:
    x, y = raw("digits")
    x = x.reshape(-1, *shape) / 16
    return _shuffled(x, y, "classes", 10, x * 255)


def _houses() -> Task:
    """Prices of districts, made like the well known table: 8 columns of sizes from 1 to 1,000s."""
    random = np.random.default_rng(3)
    income, age, rooms = random.gamma(4, 1, 1600), random.uniform(1, 52, 1600), random.normal(5.4, 1.2, 1600)
    people, share, bedrooms = random.gamma(2, 700, 1600), random.gamma(9, 0.33, 1600), random.normal(1.1, 0.1, 1600)
    place = random.uniform(0, 1, (2, 1600))
    price = income * 0.45 + 0.3 * np.sin(6 * place[0]) + 0.5 * (place[1] < 0.3) - 0.2 * share + 0.004 * age + 0.1 * random.normal(size=1600)
    x = np.stack([income, age, rooms, bedrooms, people, share, 32.5 + 9.5 * place[0], -124.3 + 10 * place[1]], 1).astype("float32")
    return _shuffled((x - x.mean(0)) / x.std(0), (price - price.mean()) / price.std(), "number", 1, x)


def _shapes() -> Task:
    """Squares, crosses, bars and nothing, in noise, in colour: [n, 12, 12, 3]."""
    random = np.random.default_rng(4)
    x, y = 0.3 * random.uniform(size=(1200, 12, 12, 3)), random.integers(0, 4, 1200)
    for picture, kind, (row, column) in zip(x, y, random.integers(2, 9, (1200, 2)), strict=True):
        if kind in (1, 2):
            picture[row, column - 2 : column + 3] += 0.6
        if kind == 1:
            picture[row - 2 : row + 3, column] += 0.6
        if kind == 3:
            picture[row - 1 : row + 2, column - 1 : column + 2] += 0.6
    x = np.clip(x, 0, 1).astype("float32")
    return _shuffled(x, y, "classes", 4, x * 255)


def _wave() -> Task:
    """The next value of a wave with noise."""
    random, t = np.random.default_rng(5), np.arange(1100)
    wave = np.sin(0.3 * t) + 0.5 * np.sin(0.07 * t) + 0.1 * random.normal(size=t.size)
    x = np.stack([wave[start : start + 24] for start in range(1000)]).astype("float32")[..., None]
    return _shuffled(x, wave[24:1024], "number", 1, 400 + 100 * x)


def _gaits() -> Task:
    """Three sensors [n, 30, 3] whose rhythm tells one of four activities."""
    random, t = np.random.default_rng(6), np.arange(30)[:, None]
    y = random.integers(0, 4, 1200)
    phase, size = random.uniform(0, 6.28, (1200, 1, 3)), random.uniform(0.7, 1.3, (1200, 1, 3))
    x = (size * np.sin((0.2 + 0.3 * y[:, None, None]) * t + phase) + 0.2 * random.normal(size=(1200, 30, 3))).astype("float32")
    return _shuffled(x, y, "classes", 4, 50 * x)


def _first() -> Task:
    """Whether the first of 20 numbers is positive: what is to be remembered."""
    x = np.random.default_rng(8).normal(size=(1600, 20, 1)).astype("float32")
    x[:, 0] = np.sign(x[:, 0])
    return _shuffled(x, x[:, 0, 0] > 0, "binary", 1)


def _opinions() -> Task:
    """Texts of 20 words, some of which are kind or unkind."""
    random = np.random.default_rng(9)
    x, weight = random.integers(1, 120, (1600, 20)), np.r_[np.ones(25), -np.ones(25), np.zeros(70)]
    total = weight[x].sum(1)
    return _shuffled(x[total != 0].astype("int32"), total[total != 0] > 0, "binary", words=120)


def _topics() -> Task:
    """Texts of 16 words of three topics."""
    random = np.random.default_rng(10)
    y = random.integers(0, 3, 1500)
    x = np.where(random.uniform(size=(1500, 16)) < 0.4, 10 + 20 * y[:, None] + random.integers(0, 20, (1500, 16)), random.integers(1, 90, (1500, 16)))
    return _shuffled(x.astype("int32"), y, "classes", 3, words=90)


TASKS: dict[str, Callable[[], Task]] = {
    "digits": lambda: _digits(64),
    "wine": lambda: _table("wine", "classes", 3),
    "tumours": lambda: _table("breast_cancer", "binary"),
    "diabetes": lambda: _table("diabetes", "number"),
    "houses": _houses,
    "pictures": lambda: _digits(8, 8, 1),
    "shapes": _shapes,
    "rows": lambda: _digits(8, 8),
    "wave": _wave,
    "gaits": _gaits,
    "first": _first,
    "opinions": _opinions,
    "topics": _topics,
}
KINDS = {
    "dense": ("digits", "wine", "tumours", "diabetes", "houses"),
    "conv": ("pictures", "shapes"),
    "residual": ("pictures", "shapes"),
    "rnn": ("rows", "wave", "gaits", "opinions", "topics"),
    "transformer": ("rows", "gaits", "opinions", "topics"),
}
"""Which tasks a kind of model is for; `first` is taken by faults of memory only."""
RATES = {"sgd": 0.05, "momentum": 0.02, "adam": 0.002, "rmsprop": 0.001, "adamw": 0.002}


@functools.cache
def task(name: str) -> Task:
    """A task, made once."""
    return TASKS[name]()


@dataclass
class Plan:
    """A training as a user would set it up. ``options``: of layers, by name; ``after``: what follows a layer, by its name; ``inputs`` and ``labels``
    change the data (labels: of training only); ``shifted`` gives other inputs for validation and test."""

    seed: int
    task: str
    kind: str
    depth: int
    width: int
    activation: str
    norm: str
    initializer: str
    cell: str
    optimizer: str
    rate: float
    batch: int
    steps: int
    every: int
    validated: bool
    dropout: float
    logits: bool
    policy: str = "float32"
    target_scale: float = 1.0
    momentum: float = 0.9
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    after: dict[str, Map] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    head: dict[str, Any] = field(default_factory=dict)
    loss: Any = None
    inputs: Map | None = None
    labels: Map | None = None
    shifted: Map | None = None
    frozen: bool = False
    unscaled: bool = False

    @property
    def data(self) -> Task:
        """Its task."""
        return task(self.task)

    def copy(self) -> Plan:
        """A twin of its own."""
        return copy.deepcopy(self)

    @property
    def prefix(self) -> str:
        """How layers with weights are called."""
        return {"dense": "dense", "conv": "conv", "residual": "conv", "rnn": "rnn", "transformer": "up"}[self.kind]

    @property
    def trunk(self) -> list[str]:
        """The hidden layers with weights, from the input on."""
        return [f"{self.prefix}_{k}" for k in range(self.depth)]

    @property
    def separate(self) -> bool:
        """Whether a normalization and an activation of their own follow a layer."""
        return self.kind in ("dense", "conv", "residual") and self.norm != "none"

    def at(self, name: str) -> list[str]:
        """A layer, with what follows it at once."""
        k = name.rsplit("_", 1)[-1]
        return [name, f"norm_{k}", f"active_{k}"] if self.separate and name in self.trunk else [name]

    @property
    def everywhere(self) -> list[str]:
        """All that has weights, and what belongs to it."""
        inner = [f"{part}_{k}" for k in range(self.depth) for part in ("attention", "norm_a", "down", "norm_b")] if self.kind == "transformer" else []
        return [*(node for name in self.trunk for node in self.at(name)), *inner, "embedding", "projection", "output"]

    def training(self) -> Training:
        """Builds and compiles the model, and gives what `fit` gets."""
        keras.utils.set_random_seed(self.seed)
        keras.config.set_dtype_policy(self.policy)
        model = self.model()
        if self.frozen:
            model.trainable = False
        model.compile(self._optimizer(), self.loss or self.loss_of_head(), jit_compile=False)
        data = self.data
        x, y = self._inputs(data.train), data.y[data.train] * data.y.dtype.type(self.target_scale)
        options: dict[str, Any] = {}
        if self.validated:
            options = {"validation_data": self.test()}
        batches = -(-len(x) // self.batch)
        return Training(model, x, self.labels(y) if self.labels else y, self.batch, max(round(self.steps / batches), 2), options)

    def test(self) -> tuple[Any, Any]:
        """Data that training doesn't see, with true targets."""
        data = self.data
        x = self._inputs(data.test) if self.shifted is None else self.shifted(data)
        return x, data.y[data.test] * data.y.dtype.type(self.target_scale)

    def _inputs(self, part: slice) -> Any:
        x = (self.data.raw if self.unscaled else self.data.x)[part]
        return x if self.inputs is None else self.inputs(x)

    def score(self, model: Any) -> float:
        """How much better than chance, at most 1: of the right answers, or R². −1 for NaN."""
        data, (x, y) = self.data, self.test()
        answer = np.asarray(model.predict(x, batch_size=64, verbose=0), "float64")
        if not np.isfinite(answer).all():
            return -1.0
        if data.head == "number":
            return float(max(1 - ((answer - y) ** 2).mean() / y.var(), -1))
        given = answer.argmax(-1) if answer.shape[-1] > 1 else (answer[:, 0] > (0 if self.logits else 0.5)).astype("int32")
        if data.head == "classes" and answer.shape[-1] == 1:
            given = np.round(answer[:, 0]).astype("int32")
        chance = np.bincount(y.reshape(-1).astype("int32")).max() / len(y)
        return float(((given == y.reshape(-1)).mean() - chance) / (1 - chance))

    def _optimizer(self) -> Any:
        rate, more = self.settings.get("learning_rate", self.rate), {k: v for k, v in self.settings.items() if k != "learning_rate"}
        if self.optimizer == "momentum":
            more = {"momentum": 0.9, **more}
        classes = {
            "sgd": keras.optimizers.SGD,
            "momentum": keras.optimizers.SGD,
            "adam": keras.optimizers.Adam,
            "rmsprop": keras.optimizers.RMSprop,
            "adamw": keras.optimizers.AdamW,
        }
        return classes[self.optimizer](rate, **more)

    def loss_of_head(self) -> Any:
        """The usual loss of the task, for logits or probabilities."""
        if self.data.head == "number":
            return "mse"
        many = self.data.head == "classes"
        return (keras.losses.SparseCategoricalCrossentropy if many else keras.losses.BinaryCrossentropy)(from_logits=self.logits)

    # The model.

    def put(self, x: Any, kind: Any, name: str, **options: Any) -> Any:
        """A layer, with its options, and what follows it."""
        x = kind(name=name, **{**options, **self.options.get(name, {})})(x)
        return self.after[name](x) if name in self.after else x

    def model(self) -> Any:
        """As the kind says."""
        data = self.data
        x = inputs = keras.Input(data.x.shape[1:], dtype="int32" if data.words else "float32", name="features")
        if data.words:
            x = self.put(x, layers.Embedding, "embedding", input_dim=data.words, output_dim=self.width)
        x = getattr(self, f"_{self.kind}")(x)
        final = {"number": None, "classes": "softmax", "binary": "sigmoid"}[data.head]
        options = {
            "units": data.classes,
            "activation": None if self.logits else final,
            "dtype": self.policy if "mixed" not in self.policy else "float32",
        }
        return keras.Model(inputs, self.put(x, layers.Dense, "output", **{**options, **self.head}))

    def _finish(self, x: Any, name: str, apart: bool = True) -> Any:
        k = name.rsplit("_", 1)[-1]
        if self.separate and apart:
            x = self._normalized(x, f"norm_{k}")
            x = self.put(x, layers.Activation, f"active_{k}", activation=self.activation)
        return self.put(x, layers.Dropout, f"dropout_{k}", rate=self.dropout) if self.dropout or f"dropout_{k}" in self.options else x

    def _normalized(self, x: Any, name: str) -> Any:
        if self.norm == "batch":
            return self.put(x, layers.BatchNormalization, name, momentum=self.momentum)
        return self.put(x, layers.LayerNormalization, name)

    def _dense(self, x: Any) -> Any:
        for name in self.trunk:
            x = self.put(x, layers.Dense, name, units=self.width, activation=self._inner, kernel_initializer=self.initializer)
            x = self._finish(x, name)
        return x

    @property
    def _inner(self) -> str | None:
        return None if self.separate else self.activation

    def _conv(self, x: Any) -> Any:
        for k, name in enumerate(self.trunk):
            options = {"filters": self.width, "kernel_size": 3, "padding": "same", "activation": self._inner, "kernel_initializer": self.initializer}
            x = self._finish(self.put(x, layers.Conv2D, name, **options), name)
            x = layers.MaxPooling2D()(x) if k < 2 else x
        return layers.Flatten()(x) if self.seed % 2 else layers.GlobalAveragePooling2D()(x)

    def _residual(self, x: Any) -> Any:
        for k, name in enumerate(self.trunk):
            options = {"filters": self.width, "kernel_size": 3, "padding": "same", "activation": self._inner, "kernel_initializer": self.initializer}
            y = self._finish(self.put(x, layers.Conv2D, name, **options), name)
            x = layers.Add(name=f"sum_{k}")([x, y]) if k else y
        return layers.GlobalAveragePooling2D()(x)

    def _rnn(self, x: Any) -> Any:
        for k, name in enumerate(self.trunk):
            own = {"units": self.width, "return_sequences": k < self.depth - 1, **self.options.get(name, {})}
            cell = {"lstm": layers.LSTM, "gru": layers.GRU, "simple": layers.SimpleRNN}[self.cell.removeprefix("both-")]
            x = layers.Bidirectional(cell(**own), name=name)(x) if self.cell.startswith("both-") else cell(**own, name=name)(x)
            x = self.after[name](x) if name in self.after else x
            x = self._finish(x, name, apart=False)
        return x

    def _transformer(self, x: Any) -> Any:
        if not self.data.words:
            x = self.put(x, layers.Dense, "projection", units=self.width)
        for k in range(self.depth):
            seen = self._attention(x, k)
            x = layers.LayerNormalization(name=f"norm_a_{k}")(layers.Add(name=f"sum_a_{k}")([x, seen]))
            y = self.put(x, layers.Dense, f"up_{k}", units=2 * self.width, activation="relu")
            y = self._finish(self.put(y, layers.Dense, f"down_{k}", units=self.width), f"down_{k}", apart=False)
            x = layers.LayerNormalization(name=f"norm_b_{k}")(layers.Add(name=f"sum_b_{k}")([x, y]))
        return layers.GlobalAveragePooling1D()(x)

    def _attention(self, x: Any, k: int) -> Any:
        options = {"num_heads": 2, "key_dim": self.width // 2, **self.options.get(f"attention_{k}", {})}
        return layers.MultiHeadAttention(**options, name=f"attention_{k}")(x, x)


def draw_plan(random: Random) -> Plan:
    """A training that should go well."""
    kind = str(random.choice(list(KINDS), p=[0.38, 0.24, 0.1, 0.16, 0.12]))
    name, optimizer = str(random.choice(KINDS[kind])), str(random.choice(list(RATES), p=[0.15, 0.15, 0.4, 0.1, 0.2]))
    depth = {"dense": (1, 5), "conv": (1, 4), "residual": (2, 5), "rnn": (1, 3), "transformer": (1, 2)}[kind]
    activation = str(random.choice(["relu", "relu", "relu", "elu", "gelu", "tanh", "swish"]))
    norm = {"conv": ["none", "batch"], "residual": ["batch"]}.get(kind, ["none", "none", "batch", "layer"] if kind == "dense" else ["none"])
    return Plan(
        seed=int(random.integers(1_000_000)),
        task=name,
        kind=kind,
        depth=int(random.integers(*depth)),
        width=int(random.choice([12, 16, 24] if kind in ("conv", "residual", "rnn", "transformer") else [16, 32, 64, 128])),
        activation=activation,
        norm=str(random.choice(norm)),
        initializer="he_normal" if activation == "relu" and random.uniform() < 0.5 else "glorot_uniform",
        cell=str(random.choice(["lstm", "gru", "simple", "both-lstm", "both-gru"])),
        optimizer=optimizer,
        rate=float(RATES[optimizer] * 2 ** random.uniform(-1, 1)),
        batch=int(random.choice([16, 32, 32, 64])),
        steps=int(random.integers(150, 320)),
        every=int(random.choice([1, 5, 5, 5, 10, 10])),
        validated=bool(random.uniform() < 0.5),
        dropout=float(random.choice([0, 0, 0.2, 0.4])),
        logits=bool(random.uniform() < 0.3) and task(name).head != "number",
    )
