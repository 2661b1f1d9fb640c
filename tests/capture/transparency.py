"""The cases in which training with the callback is training without it, to the last bit: one list for the tests and for docs/transparency.md.

python -m tests.capture.transparency        writes the page anew
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

import tb_activations as tba

from . import zoo

L = keras.layers
PAGE = Path(__file__).resolve().parents[2] / "docs/transparency.md"
DATA = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
TARGETS = np.random.default_rng(1).normal(size=(20, 2)).astype("float32")

Place = Literal["its", "beside", "uncompared"]

EPOCHS = 3
"""Of three steps each: the first four recorded steps of a trace run on the side, the next ones don't, if all is well."""


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
      what: the row of the table.
      train: ``train(callbacks)`` runs it from a fresh, seeded model and returns everything that training changed.
      mode: how the step runs.
      recording: options of the callback, where they are part of the case.
      place: where recorded steps run: "its": in the place of plain ones, after the first few, which were compared; "beside": all on the side of
        plain ones; "uncompared": in their place, since they can't run twice.
    """

    what: str
    train: Callable[[list[Any]], list[Any]]
    mode: str = "graph"
    recording: dict[str, Any] = field(default_factory=dict)
    place: Place = "its"


def state(model: keras.Model, *histories: keras.callbacks.History) -> list[Any]:
    """Weights, moving averages, seeds, optimizer slots, metrics, and what was logged."""
    optimizers = getattr(model, "optimizers", None) or [model.optimizer]
    return [variable.numpy() for owner in (model, *optimizers) for variable in owner.variables] + [history.history for history in histories]


def repeated(data: Any) -> Any:
    """20 examples: the last batch is a shorter one."""
    return tf.nest.map_structure(lambda part: np.concatenate([part] * 3)[:20], data)


def of_zoo(name: str, **compiling: Any) -> Callable[[list[Any]], list[Any]]:
    def train(callbacks: list[Any]) -> list[Any]:
        model, x, y = zoo.build(name, **{key: value() if key == "optimizer" else value for key, value in compiling.items()})
        return state(model, model.fit(repeated(x), repeated(y), batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks))

    return train


def of_layers(
    *layers: Callable[[], Any],
    policy: str = "float32",
    loss: Any = "mse",
    last: str | Callable[[Any], Any] | None = None,
    then: Callable[..., list[Any]] | None = None,
    **fit: Any,
) -> Any:
    """A chain of layers, whose last one ends in the function ``last``. ``then(model, fit)`` trains it in another way than one `fit`."""

    def train(callbacks: list[Any]) -> list[Any]:
        keras.utils.set_random_seed(7)
        keras.config.set_dtype_policy(policy)
        try:
            chain = [L.Input((6,)), *(layer() for layer in layers), L.Dense(2, activation=last, name="out")]
            model = keras.Sequential(chain)
            model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
        finally:
            keras.config.set_dtype_policy("float32")
        options = {"x": DATA, "y": TARGETS, "batch_size": 8, "epochs": EPOCHS, "verbose": 0, "callbacks": callbacks, **fit}
        options = {name: value() if inspect.isfunction(value) or value is Batches else value for name, value in options.items() if value is not None}
        histories = (
            [model.fit(**options)]
            if then is None
            else then(model, lambda more=(), **others: model.fit(**{**options, **others, "callbacks": [*more, *callbacks]}))
        )
        return state(model, *histories)

    return train


def dense() -> Any:
    return L.Dense(4, activation="relu", name="hidden")


def noisy() -> Any:
    return L.Dropout(0.3, seed=3)


def batches() -> Any:
    while True:
        for first in range(0, 20, 8):
            yield DATA[first : first + 8], TARGETS[first : first + 8]


def batches_of_unknown_number() -> Any:
    return tf.data.Dataset.from_tensor_slices((DATA, TARGETS)).batch(8).filter(lambda x, y: True)


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return DATA[8 * index : 8 * index + 8], TARGETS[8 * index : 8 * index + 8]


def twice(model: keras.Model, fit: Any) -> list[Any]:
    return [fit(), fit(epochs=EPOCHS + 2, initial_epoch=EPOCHS)]


def compiled_between(model: keras.Model, fit: Any) -> list[Any]:
    first = fit()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mae", jit_compile=False)
    return [first, fit()]


def frozen_between(model: keras.Model, fit: Any) -> list[Any]:
    first = fit()
    model.get_layer("hidden").trainable = False
    model.compile("adam", "mse", jit_compile=False)
    return [first, fit()]


def quantized(model: keras.Model, fit: Any) -> list[Any]:
    model.get_layer("hidden").quantize("int8")
    model.compile("adam", "mse", jit_compile=False)
    return [fit()]


def added_between(model: keras.Model, fit: Any) -> list[Any]:
    first = fit()
    model.add(L.Dense(2, name="more"))
    model.compile("adam", "mse", jit_compile=False)
    return [first, fit()]


def batch_by_batch(model: keras.Model, fit: Any) -> list[Any]:
    """`train_on_batch` calls no callback; what recording left behind must not change it."""
    first = fit()
    for start in (0, 8):
        model.train_on_batch(DATA[start : start + 8], TARGETS[start : start + 8])
    return [first, fit()]


def resumed(model: keras.Model, fit: Any) -> list[Any]:
    """Interrupted in its second epoch, and taken up by `BackupAndRestore`."""
    with tempfile.TemporaryDirectory() as directory:
        backup = keras.callbacks.BackupAndRestore(directory)
        interrupt = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: _interrupt(epoch))
        with suppress(KeyboardInterrupt):
            fit(more=[backup, interrupt], epochs=3)
        return [fit(more=[keras.callbacks.BackupAndRestore(directory)], epochs=3)]


def _interrupt(epoch: int) -> None:
    if epoch == 1:
        raise KeyboardInterrupt


def run_eagerly(model: keras.Model, fit: Any) -> list[Any]:
    tf.config.run_functions_eagerly(True)
    try:
        return [fit()]
    finally:
        tf.config.run_functions_eagerly(False)


class Critic(keras.Model):
    """A gradient penalty, as of WGAN-GP: a tape inside the tape."""

    def __init__(self) -> None:
        super().__init__(name="critic")
        self.judge = keras.Sequential([L.Input((6,)), L.Dense(4, activation="tanh", name="look"), L.Dense(1, name="score")], name="judge")

    def call(self, x: Any) -> Any:
        return self.judge(x)

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(x)
                score = self.judge(x)
            slopes = tf.norm(inner.gradient(score, x), axis=1)
            loss = tf.reduce_mean(score) + 10 * tf.reduce_mean((slopes - 1) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


def penalized(callbacks: list[Any]) -> list[Any]:
    keras.utils.set_random_seed(7)
    model = Critic()
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    return state(model, model.fit(DATA, TARGETS, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks))


class Autoencoder(keras.Model):
    """A VAE as it is often written: the loss is made of what the nested encoder gives, and of what comes after it."""

    def __init__(self) -> None:
        super().__init__(name="autoencoder")
        x = L.Input((6,), name="x")
        hidden = L.Dense(8, activation="relu", name="hidden")(x)
        mean, log_variance = L.Dense(2, name="mean")(hidden), L.Dense(2, name="log_variance")(hidden)
        self.encoder = keras.Model(x, [mean, log_variance, zoo.Sampling()([mean, log_variance])], name="encoder")
        self.decoder = keras.Sequential([L.Input((2,)), L.Dense(6, activation="sigmoid", name="decoded")], name="decoder")

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            mean, log_variance, code = self.encoder(x)
            told = -0.5 * keras.ops.mean(1 + log_variance - mean**2 - keras.ops.exp(log_variance))
            loss = told + keras.ops.mean(keras.losses.binary_crossentropy(keras.ops.sigmoid(x), self.decoder(code)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss}


class Decoder(keras.Model):
    """A cell called by hand: its output and its state are one tensor, and the next turn uses both."""

    def __init__(self) -> None:
        super().__init__(name="decoder")
        self.cell, self.head = L.GRUCell(4, name="cell"), L.Dense(2, name="head")

    def call(self, x: Any) -> Any:
        rows = keras.ops.reshape(x, (-1, 3, 2))
        state, total = [keras.ops.zeros((keras.ops.shape(x)[0], 4))], 0.0
        for turn in range(3):
            output, state = self.cell(rows[:, turn], state)
            total = total + self.head(output) * keras.ops.mean(output)
        return total


class Clipped(keras.Model):
    """Gradients that are multiplied once more before the optimizer has them."""

    def __init__(self) -> None:
        super().__init__(name="clipped")
        self.hidden, self.out = L.Dense(16, activation="relu", name="hidden"), L.Dense(2, name="out")

    def call(self, x: Any) -> Any:
        return self.out(self.hidden(x))

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, self.trainable_weights), 0.01)
        self.optimizer.apply(gradients, self.trainable_weights)
        return {"loss": loss}


def of_model(make: Callable[[], keras.Model], loss: str | None = "mse", **compiling: Any) -> Callable[[list[Any]], list[Any]]:
    def train(callbacks: list[Any]) -> list[Any]:
        keras.utils.set_random_seed(7)
        model = make()
        model.compile(keras.optimizers.Adam(0.01), loss, **{"jit_compile": False, **compiling})
        return state(model, model.fit(DATA, TARGETS, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks))

    return train


def transformer() -> keras.Model:
    """GELU, dropout, sums of what comes before: TensorFlow joins such operations where nobody looks at what is between them."""
    inputs = L.Input((6,), name="x")
    x = L.Reshape((3, 2))(inputs)
    for index in range(2):
        normal = L.LayerNormalization(name=f"norm_{index}")(x)
        x = L.Add()([x, L.Dropout(0.1, seed=index)(L.MultiHeadAttention(2, 3, name=f"attention_{index}")(normal, normal))])
        wide = L.Dropout(0.1, seed=index + 5)(L.Dense(8, activation="gelu", name=f"wide_{index}")(x))
        x = L.Add()([x, L.Rescaling(0.5)(L.Rescaling(1.5)(L.Dense(2, name=f"narrow_{index}")(wide)))])
    return keras.Model(inputs, L.Dense(2, name="out")(L.Flatten()(x)), name="transformer")


def raw_softmax(callbacks: list[Any]) -> list[Any]:
    """Keras finds the logits by the operation that made the output: the layer doesn't tell."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([L.Input((6,)), L.Dense(4, name="hidden"), L.Dense(3, name="logits"), L.Lambda(tf.nn.softmax, name="probabilities")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", jit_compile=False)
    return state(model, model.fit(DATA, np.arange(20) % 3, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks))


def sparse_input(callbacks: list[Any]) -> list[Any]:
    keras.utils.set_random_seed(7)
    inputs = L.Input((6,), sparse=True, name="x")
    model = keras.Model(inputs, L.Dense(2, name="out")(inputs))
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((tf.sparse.from_dense(np.where(DATA > 0.3, DATA, 0)), TARGETS)).batch(8)
    return state(model, model.fit(data, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=callbacks))


class RaggedRows(L.Layer):
    """Cuts rows to unlike lengths and adds them up."""

    def call(self, x: Any) -> Any:
        rows = tf.RaggedTensor.from_tensor(x, lengths=tf.range(tf.shape(x)[0]) % 3 + 1)
        return x + tf.reduce_sum(tba.probe(rows, "rows"), axis=1, keepdims=True)


class KerasLoop(L.Layer):
    """A layer in the body of `keras.ops.scan` or `keras.ops.fori_loop`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.turn = L.Dense(6, activation="tanh", name="turn")

    def build(self, shape: Any) -> None:
        self.turn.build(shape)

    def call(self, x: Any) -> Any:
        if self.kind == "fori_loop":
            return keras.ops.fori_loop(0, 3, lambda i, h: self.turn(h), x)
        return keras.ops.scan(lambda h, row: (self.turn(h + row), h), x, tf.stack([x, 2 * x, 3 * x]))[0]

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Loop(L.Layer):
    """A `tf.while_loop` with a layer in its body."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = L.Dense(6, activation="tanh", name="turn")

    def build(self, shape: Any) -> None:
        self.turn.build(shape)

    def call(self, x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, self.turn(y)), (tf.constant(0), x), maximum_iterations=3)[1]

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Branch(L.Layer):
    """A `tf.cond` with a layer in each branch."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = [L.Dense(6, name="yes"), L.Dense(6, activation="tanh", name="no")]

    def build(self, shape: Any) -> None:
        for side in self.sides:
            side.build(shape)

    def call(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: self.sides[0](x), lambda: self.sides[1](x))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Nested(L.Layer):
    """A `tf.function` of its own around a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = L.Dense(6, activation="relu", name="inner")
        self.function = tf.function(self.inner)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        return self.function(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def recurrent(kind: str) -> list[Callable[[], Any]]:
    return [lambda: L.Reshape((3, 2)), lambda: getattr(L, kind)(4, name=kind.lower())]


_ZOO = {
    "sequential": "Sequential: convolution, batch normalization",
    "functional": "functional: two inputs and outputs, bare Keras operations, a nested model, a shared layer",
    "subclassed": "subclassed: layers in lists and dicts, a probe, a layer that is never called",
    "masked": "masks, attention, `Embedding` (sparse gradients)",
    "remat": "`keras.RematScope`",
    "regularized": "weight and activity regularizers",
    "classifier": "classifiers: softmax and sigmoid, whose losses Keras computes from logits",
    "several": "layers that return tuples and dicts, probes of several tensors",
    "stochastic": "dropout and batch normalization",
    "variational": "VAE: `add_loss`, a seeded sampling layer",
    "adversarial": "GAN: a `train_step` with two optimizers and two tapes",
    "recurrent": "LSTM",
}

FROM_LOGITS = keras.losses.CategoricalCrossentropy(from_logits=True)

CASES: dict[str, Case] = {
    **{name: Case(what, of_zoo(name)) for name, what in _ZOO.items()},
    **{
        f"{name}-xla": Case(_ZOO[name], of_zoo(name, jit_compile=True), "XLA", {"histograms": name == "stochastic"})
        for name in ("stochastic", "adversarial", "masked", "remat", "classifier")
    },
    "stochastic-eager": Case(_ZOO["stochastic"], of_zoo("stochastic", run_eagerly=True), "eager", place="uncompared"),
    "classifier-eager": Case(_ZOO["classifier"], of_zoo("classifier", run_eagerly=True), "eager", place="uncompared"),
    "adversarial-eager": Case(_ZOO["adversarial"], of_zoo("adversarial", run_eagerly=True), "eager", place="uncompared"),
    "several-steps": Case("`steps_per_execution=2`", of_zoo("stochastic", steps_per_execution=2)),
    "accumulation": Case(
        "`gradient_accumulation_steps=2`", of_zoo("stochastic", optimizer=lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2))
    ),
    "clipping": Case("`clipnorm`, momentum", of_zoo("stochastic", optimizer=lambda: keras.optimizers.SGD(0.01, momentum=0.9, clipnorm=0.1))),
    "ema": Case(
        "`use_ema`, `global_clipnorm`, weight decay",
        of_zoo("stochastic", optimizer=lambda: keras.optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=2, global_clipnorm=0.5)),
    ),
    "float16": Case("`mixed_float16` with loss scaling", of_layers(dense, noisy, policy="mixed_float16")),
    "bfloat16": Case("`mixed_bfloat16`", of_layers(dense, noisy, policy="mixed_bfloat16")),
    "softmax": Case("a softmax before a cross entropy", of_layers(dense, last="softmax", loss="categorical_crossentropy")),
    "softmax-eager": Case(
        "a softmax before a cross entropy",
        of_layers(dense, last="softmax", loss="categorical_crossentropy", then=run_eagerly),
        "eager",
        place="uncompared",
    ),
    "sigmoid": Case("a sigmoid before a cross entropy", of_layers(dense, last="sigmoid", loss="binary_crossentropy")),
    "softmax-twice": Case("a softmax, and `from_logits=True`", of_layers(dense, last="softmax", loss=FROM_LOGITS)),
    "softmax-of-tensorflow": Case("`tf.nn.softmax` before a cross entropy", of_layers(dense, last=tf.nn.softmax, loss="categorical_crossentropy")),
    "sample-weight": Case("`sample_weight`", of_layers(dense, sample_weight=np.linspace(0.1, 2, 20))),
    "class-weight": Case(
        "`class_weight`", of_layers(dense, loss="sparse_categorical_crossentropy", y=np.arange(20) % 2, class_weight={0: 1.0, 1: 5.0})
    ),
    "generator": Case("a Python generator", of_layers(dense, noisy, x=batches, y=None, batch_size=None, shuffle=False, steps_per_epoch=3)),
    "pydataset": Case("a `PyDataset`", of_layers(dense, noisy, x=Batches, y=None, batch_size=None, shuffle=False)),
    "dataset": Case(
        "a `tf.data.Dataset`",
        of_layers(dense, noisy, x=lambda: tf.data.Dataset.from_tensor_slices((DATA, TARGETS)).batch(8), y=None, batch_size=None, shuffle=False),
    ),
    "unknown-length": Case(
        "a `tf.data.Dataset` of unknown length: a step meets its end",
        of_layers(dense, noisy, x=batches_of_unknown_number, y=None, batch_size=None, shuffle=False),
    ),
    "second-fit": Case("a second `fit`", of_layers(dense, noisy, then=twice)),
    "compiled-between": Case("`compile` with another optimizer and loss between two fits", of_layers(dense, noisy, then=compiled_between)),
    "frozen-between": Case("a layer frozen and the model compiled between two fits", of_layers(dense, noisy, then=frozen_between)),
    "quantized": Case("a layer quantized to int8", of_layers(dense, then=quantized)),
    "gru": Case("GRU", of_layers(*recurrent("GRU"))),
    "while": Case("`tf.while_loop` around a layer", of_layers(Loop)),
    "cond": Case("`tf.cond` with a layer in each branch", of_layers(Branch), place="beside"),
    "nested": Case("a `tf.function` inside the model", of_layers(Nested)),
    "validation": Case("validation in `fit`, recorded too", of_layers(dense, noisy, validation_data=(DATA, TARGETS)), recording={"validation": True}),
    "probe-data": Case("`probe_data`", of_layers(dense, noisy, L.BatchNormalization), recording={"probe_data": DATA[:3]}),
    "functions-eager": Case("`tf.config.run_functions_eagerly(True)`", of_layers(dense, noisy, then=run_eagerly), "eager", place="uncompared"),
    "resumed": Case("interrupted, and resumed by `BackupAndRestore`", of_layers(dense, noisy, then=resumed)),
    "train-on-batch": Case("`train_on_batch` between two fits", of_layers(dense, noisy, then=batch_by_batch)),
    "added-between": Case("a layer added between two fits", of_layers(dense, noisy, then=added_between)),
    "autoencoder": Case("VAE: a `train_step` whose loss uses what a nested encoder gives", of_model(Autoencoder, None), place="beside"),
    "autoencoder-xla": Case("VAE: a `train_step` whose loss uses what a nested encoder gives", of_model(Autoencoder, None, jit_compile=True), "XLA"),
    "clipped-by-hand": Case("a `train_step` with `tf.clip_by_global_norm`", of_model(Clipped)),
    "cell": Case("a cell called by hand", of_model(Decoder), place="beside"),
    "transformer": Case("a transformer: residual sums, GELU, dropout", of_model(transformer)),
    "transformer-xla": Case("a transformer: residual sums, GELU, dropout", of_model(transformer, jit_compile=True), "XLA"),
    "raw-softmax": Case("`tf.nn.softmax` at the end", raw_softmax),
    "sparse": Case("a sparse input", sparse_input, place="uncompared"),
    "ragged": Case("a ragged tensor inside the model", of_layers(RaggedRows, dense)),
    "gradient-penalty": Case("a gradient penalty (WGAN-GP): a tape inside the tape", penalized),
    "scan": Case("`keras.ops.scan` around a layer", of_layers(lambda: KerasLoop("scan"))),
    "fori-loop": Case("`keras.ops.fori_loop` around a layer", of_layers(lambda: KerasLoop("fori_loop"))),
    "slots": Case("what the optimizer keeps: `slots=True`", of_layers(dense, noisy), recording={"slots": True}),
    "operations": Case('every MatMul recorded: `ops="MatMul"`', of_layers(dense, noisy), recording={"ops": "MatMul"}),
}

ELSEWHERE = {
    "a `train_step` that is a `tf.function`": ("graph", "test_transparency.py::test_with_a_train_step_that_is_a_function_of_its_own"),
    "a loop of one's own, watched": ("graph, XLA, eager", "test_watch.py::test_weights_and_results_are_bit_identical"),
    "a layer frozen without `compile`": ("graph", "test_steps.py::test_freezing_without_compiling_changes_nothing_as_without_recording"),
    "a layer frozen without `compile`, not watched before: the twin is refused": (
        "graph",
        "test_steps.py::test_a_twin_that_would_train_less_is_refused_until_the_model_is_compiled",
    ),
    "`MirroredStrategy`, two replicas": ("graph", "test_distribution.py::test_two_mirrored_replicas"),
    "a loop of one's own on two replicas": ("graph", "test_distribution.py::test_a_loop_of_ones_own_on_two_mirrored_replicas"),
    "a loop of one's own on two workers": ("graph", "test_distribution.py::test_a_loop_of_ones_own_on_two_workers"),
    "`keras.distribution.DataParallel`": ("graph", "test_distribution.py::test_data_parallel_of_keras_trains_on_one_device"),
}

EXCEPTIONS = [
    (
        "a step with `tf.print`, `tf.py_function`, a lookup table that grows or sparse inputs, or on several replicas",
        "such a step can't run twice, so the recorded one takes its place without having been compared: where TensorFlow would join operations "
        "between which something is recorded, or adds gradients up in another order, it ends in other last bits; `tf.random.normal` and its "
        "like with a seed draw other numbers",
        "record gradients only (`quantities`), or leave nodes out with `exclude`; draw with `keras.random` and a `SeedGenerator`",
    ),
    (
        "eager steps (`run_eagerly`) of a model that uses a tensor both inside and after the layer or nested model that gives it",
        "the gradient of that tensor is added up in another order: one unit in the last place",
        "leave that node out with `exclude`",
    ),
]

_TEXT = """# Training with and without the callback

Each row is a test: the same training runs twice from the same seed, plain and with every step recorded, and everything that training changes is
compared bit by bit: weights, moving averages, seeds, optimizer slots, metrics and logged losses. The last batch of each epoch is a shorter one.
This page is written by `python -m tests.capture.transparency` from the list of cases that `tests/capture/test_transparency.py` runs; a test keeps
it so.

| training | step runs | recorded steps run | result | test |
|---|---|---|---|---|
{rows}

The first four recorded steps of a trace, under XLA of each shape of its batches, run **beside** the plain ones: on the same batch and from the same
state; what they do is taken back, the plain step runs, and both ends are compared to the last bit. Where they are the same, recorded steps run
**alone** from then on, in the place of plain ones, and are compared again ever more seldom (the 8th, the 16th, …). Where they differ (XLA and
TensorFlow's graph optimizer join operations between which nobody looks; a tap may change the order in which gradients are added up), both go on
running: such a step costs one plain step more, and what is recorded may differ in the last place from what the plain step computed. So it is, too,
where something is recorded in a branch of a condition, and with random numbers that are counted in the function that draws them: with those it is
computed with others.

Known exceptions:

| training | why | what to do |
|---|---|---|
{exceptions}
"""

_PLACES: dict[Place, str] = {"its": "alone", "beside": "beside", "uncompared": "alone, not compared"}


def page() -> str:
    """The text of docs/transparency.md."""
    rows = [f"| {case.what} | {case.mode} | {_PLACES[case.place]} | bit-identical | `test_transparency.py[{name}]` |" for name, case in CASES.items()]
    rows += [f"| {what} | {mode} | | bit-identical | `{test.replace('::test_', ': ')}` |" for what, (mode, test) in ELSEWHERE.items()]
    return _TEXT.format(rows="\n".join(rows), exceptions="\n".join(f"| {' | '.join(exception)} |" for exception in EXCEPTIONS))


if __name__ == "__main__":
    PAGE.write_text(page())
