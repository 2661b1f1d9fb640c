"""The whole way of a number: from a training of the demo, through files and a real TensorBoard, to who asks for it over HTTP."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import numpy as np
import pytest
import safetensors.numpy

import tb_activations as tba
from tests.tensorboards import serve

pytestmark = pytest.mark.slow


def ask(board, route, **query):
    status, body = board.get(f"{route}?{urlencode({'quantity': 'value', **query} if query else {})}")
    assert status == 200, body
    return body


def convolved(images, kernel):
    """3×3, `same`, without a bias, in numpy."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))  # [n, 16, 16, 1, 3, 3]
    return np.einsum("nyxcij,ijcf->nyxf", windows, kernel)


def test_what_http_answers_is_what_the_step_computed(tmp_path):
    import keras

    from demo import data, digits

    keras.utils.set_random_seed(1)
    split, model = data.digits(), digits.model()
    x, y = split.x[:96], split.y[:96]
    encoder = model.get_layer("encoder")
    kernel = encoder.get_layer("block1_conv").kernel.numpy()
    callback = tba.ActivationsCallback(tmp_path / "digits", every=1, validation=False, print_findings=False)
    history = model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[callback])

    expected = convolved(x[:32], kernel)
    with serve("--logdir", str(tmp_path)) as board:
        run = "digits/train"
        assert [entry["run"] for entry in json.loads(ask(board, "runs"))["runs"]] == [run]
        value = safetensors.numpy.load(ask(board, "value", run=run, node="encoder/block1_conv", step=0))["value"]
        np.testing.assert_allclose(value, expected[tuple(map(slice, value.shape))], rtol=1e-4, atol=1e-5)
        answer = ask(board, "statistics", run=run, node="encoder/block1_conv")
        told = dict(zip(tba.open_run(tmp_path / run).columns, safetensors.numpy.load(answer)["statistics"][0], strict=True))
        for name, number in {"mean": expected.mean(), "std": expected.std(), "min": expected.min(), "max": expected.max()}.items():
            np.testing.assert_allclose(told[name], number, rtol=1e-3, atol=1e-5)
        losses = safetensors.numpy.load(ask(board, "statistics", run=run, node="loss"))
        assert losses["step"].tolist() == [0, 1, 2]
        np.testing.assert_allclose(losses["statistics"][:, list(told).index("mean")].mean(), history.history["loss"][0], rtol=1e-5)
        # (a) of the demo: a tensor inside a custom layer, and its gradient.
        for quantity in ("value", "gradient"):
            inside = ask(board, "value", run=run, node="encoder/gate/channel_mean", step=2, quantity=quantity)
            assert safetensors.numpy.load(inside)["value"].shape == (4, 32)


def test_the_gradient_of_a_compiled_tape_step_of_the_demo(tmp_path, monkeypatch):
    """(c) of the demo: inside the step it is symbolic; what is recorded is what the optimizer subtracts, times its rate."""
    from demo import tape

    monkeypatch.setattr(tape, "STEPS", 3)
    shown = tape.train(tmp_path)
    assert "Tensor(" in shown
    assert "numpy=" not in shown
    run = tba.open_run(tmp_path / "tape")
    gradient, update = (run.value("hidden/kernel", 0, quantity) for quantity in ("gradient", "update"))
    assert np.abs(gradient).max() > 0
    np.testing.assert_allclose(update, -0.1 * gradient, rtol=1e-3, atol=1e-7)
