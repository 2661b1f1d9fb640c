"""Training with the callback is training without it: weights, optimizer state, seeds and metrics are the same to the last bit."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import tb_activations as tba

from . import zoo

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:`build..` was called on layer")]


def repeated(data, times):
    return [repeated(part, times) for part in data] if isinstance(data, list) else np.concatenate([data] * times)[: 8 * times - 4]


def trained(name, callbacks, *, fit=None, **compiling):
    model, x, y = zoo.build(name, **compiling)
    history = model.fit(repeated(x, 3), repeated(y, 3), batch_size=8, epochs=2, verbose=0, callbacks=callbacks, **(fit or {}))
    optimizers = getattr(model, "optimizers", None) or [model.optimizer]
    state = [variable.numpy() for owner in (model, *optimizers) for variable in owner.variables]
    return state, history.history


def assert_transparent(tmp_path, name, recording=None, **options):
    plain, plain_history = trained(name, [], **options)
    ours, history = trained(name, [tba.ActivationsCallback(tmp_path, every=2, **(recording or {}))], **options)
    assert len(plain) == len(ours)
    for before, after in zip(plain, ours, strict=True):
        np.testing.assert_array_equal(before, after)
    assert plain_history == history
    assert tba.open_run(tmp_path / "train").steps().tolist() == [0, 2, 4]


@pytest.mark.parametrize("name", zoo.ALL)
def test_in_graph_mode(tmp_path, name):
    assert_transparent(tmp_path, name)


@pytest.mark.parametrize("name", ["stochastic", "variational", "adversarial", "masked", "remat"])
def test_under_xla(tmp_path, name):
    # Histograms take long to compile; one model shows that they change nothing.
    assert_transparent(tmp_path, name, {"histograms": name == "stochastic"}, jit_compile=True)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: keras.optimizers.SGD(0.01, momentum=0.9, clipnorm=0.1),
        lambda: keras.optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=2, global_clipnorm=0.5),
    ],
    ids=["accumulation", "clipping", "ema"],
)
def test_with_any_optimizer(tmp_path, optimizer):
    plain, _ = trained("stochastic", [], optimizer=optimizer())
    ours, _ = trained("stochastic", [tba.ActivationsCallback(tmp_path, every=2)], optimizer=optimizer())
    for before, after in zip(plain, ours, strict=True):
        np.testing.assert_array_equal(before, after)


def test_with_several_steps_per_execution(tmp_path):
    assert_transparent(tmp_path, "stochastic", steps_per_execution=2)


def test_with_eager_steps(tmp_path):
    assert_transparent(tmp_path, "stochastic", run_eagerly=True)


def test_with_class_weights(tmp_path):
    model, x, _ = zoo.build("regularized")
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    weights, labels = model.get_weights(), np.arange(8) % 2
    ends = []
    for callbacks in ([], [tba.ActivationsCallback(tmp_path, every=1)]):
        model.set_weights(weights)
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
        model.fit(x, labels, sample_weight=np.linspace(0.1, 2, 8), class_weight={0: 1.0, 1: 5.0}, batch_size=4, verbose=0, callbacks=callbacks)
        ends.append(model.get_weights())
    for before, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(before, after)
