"""The list of trainings that must be the same with and without the callback, and of what is known not to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from .models import (
    Attending,
    Autoencoder,
    Branch,
    Clipped,
    Critic,
    Decoder,
    GatedUnit,
    KerasLoop,
    Loop,
    Nested,
    OwnActivations,
    OwnCell,
    RaggedRows,
    dense,
    noisy,
    recurrent,
    residual,
    transformer,
)
from .trainings import (
    DATA,
    TARGETS,
    Batches,
    added_between,
    batch_by_batch,
    batches,
    batches_of_unknown_number,
    compiled_between,
    frozen_between,
    of_layers,
    of_model,
    of_zoo,
    quantized,
    raw_softmax,
    resumed,
    run_eagerly,
    sparse_input,
    twice,
)

L = keras.layers

Place = Literal["its", "beside", "either", "uncompared"]


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
      what: the row of the table.
      train: ``train(callbacks)`` runs it from a fresh, seeded model and returns everything that training changed.
      mode: how the step runs.
      recording: options of the callback, where they are part of the case.
      place: where recorded steps run: "its": in the place of plain ones, after the first few, which were compared; "beside": all on the side of
        plain ones; "either": one of these, as on this processor both end in the same bits or don't; "uncompared": in their place, since they can't
        run twice.
    """

    what: str
    train: Callable[[list[Any]], list[Any]]
    mode: str = "graph"
    recording: dict[str, Any] = field(default_factory=dict)
    place: Place = "its"


OWN = "layers and a model that compute softmax, sigmoid, tanh and ReLU themselves"

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
    "several-steps-joined": Case(
        "`steps_per_execution=3`, where the loop of these steps may be compiled to other bits than one step by itself",
        of_model(
            lambda: keras.Sequential([L.Input((6,)), L.Dense(5, "swish"), L.Dense(2)]),
            optimizer=lambda: keras.optimizers.SGD(0.1),
            steps_per_execution=3,
        ),
        place="either",
    ),
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
    "unknown-length-xla": Case(
        "a `tf.data.Dataset` of unknown length: a step meets its end",
        of_layers(dense, noisy, x=batches_of_unknown_number, y=None, batch_size=None, shuffle=False, jit_compile=True),
        "XLA",
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
    "autoencoder": Case("VAE: a `train_step` whose loss uses what a nested encoder gives", of_model(Autoencoder, None)),
    "autoencoder-xla": Case("VAE: a `train_step` whose loss uses what a nested encoder gives", of_model(Autoencoder, None, jit_compile=True), "XLA"),
    "clipped-by-hand": Case(
        "a `train_step` with `tf.clip_by_global_norm`",
        of_model(Clipped, optimizer=lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
    ),
    "cell": Case("a cell called by hand", of_model(Decoder), place="beside"),
    "residual": Case("a residual network: normalizations in front of sums", of_model(residual)),
    "residual-xla": Case("a residual network: normalizations in front of sums", of_model(residual, jit_compile=True), "XLA"),
    "transformer": Case("a transformer: residual sums, GELU, dropout", of_model(transformer)),
    "transformer-xla": Case("a transformer: residual sums, GELU, dropout", of_model(transformer, jit_compile=True), "XLA"),
    "raw-softmax": Case("`tf.nn.softmax` at the end", raw_softmax),
    "sparse": Case("a sparse input", sparse_input, place="uncompared"),
    "ragged": Case("a ragged tensor inside the model", of_layers(RaggedRows, dense)),
    "gradient-penalty": Case("a gradient penalty (WGAN-GP): a tape inside the tape", of_model(Critic, None)),
    "scan": Case("`keras.ops.scan` around a layer", of_layers(lambda: KerasLoop("scan"))),
    "fori-loop": Case("`keras.ops.fori_loop` around a layer", of_layers(lambda: KerasLoop("fori_loop"))),
    "slots": Case("what the optimizer keeps: `slots=True`", of_layers(dense, noisy), recording={"slots": True}),
    "own-activations": Case(OWN, of_model(OwnActivations)),
    "own-activations-xla": Case(OWN, of_model(OwnActivations, jit_compile=True), "XLA"),
    "own-activations-eager": Case(OWN, of_model(OwnActivations, run_eagerly=True), "eager", place="uncompared"),
    "own-activations-float16": Case(
        "the same in `mixed_float16`", of_layers(lambda: L.Reshape((3, 2)), Attending, GatedUnit, L.Flatten, policy="mixed_float16")
    ),
    "own-cell": Case("a recurrent cell of one's own", of_layers(lambda: L.Reshape((3, 2)), lambda: L.RNN(OwnCell(name="cell")))),
    "own-cell-unrolled": Case("the same, unrolled", of_layers(lambda: L.Reshape((3, 2)), lambda: L.RNN(OwnCell(name="cell"), unroll=True))),
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
        "eager steps (`run_eagerly`) of a model that uses a tensor both inside and after the layer or nested model that gives it, or that "
        "differentiate a gradient (a tape inside a tape) of `tanh` and its like, whose gradient is computed from what they give",
        "the gradient of that tensor is added up in another order: one unit in the last place",
        "leave that node out with `exclude`",
    ),
]
