"""Whether a run begins with weights that nobody trained."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.beginning import Beginning
from tests.diagnosis.hand import History

GRAPH = "input x [?,8]; layer d Dense [?,60] <- x relu; variable d/kernel [8,60]; variable d/bias [60]; loss loss [] <- d"


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e25, 1e38])
@pytest.mark.parametrize(("bias", "untrained"), [(np.arange(60) % 2, True), (np.linspace(0, 1, 60), False)])
def test_a_bias_of_two_numbers_was_set_by_hand_however_large_they_are(size, bias, untrained):
    bias = (bias * size).astype("float32").astype(float)
    history = History(GRAPH, [0])
    history.set("d/bias", elements=60, mean=bias.mean(), std=bias.std(), min=bias.min(), max=bias.max(), l2_norm=np.sqrt((bias**2).sum()) / 10)
    block = history.block()
    with np.errstate(over="raise"):
        Beginning(history.facts, True).feed(block)
    assert block.untrained[history.facts.names.index("d")] == untrained
