"""Real Keras programs, trained with the real callback: known faults are found where they are, healthy programs have none.

All of them run with `python benchmarks/findings.py`; these stand for their families.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

FAULTY = [
    "dense/dead_hidden_1",
    "dense/vanishing_sigmoid_9",
    "dense/init_hidden_2_3.0",
    "conv/nan_gradient_by_norm",
    "recurrent/exploding_rnn",
    "held_out/zero_over_zero",
    "blind_faulty/logarithm_of_pixels",
    "blind_faulty/loop_that_trains_the_head_only",
    "blind_settings/tiny_loss_in_float16",
    "blind_settings/scale_that_never_settles",
    "blind_settings/gradient_ascent",
    "eighth_settings/weight_decay_of_twenty",
    "ninth_faulty/features_multiplied_before_an_lstm",
    "tenth_settings/penalty_of_three_on_a_gru",
]
HEALTHY = [
    "dense/digits_relu",
    "dense/iris_raw",
    "conv/digits_relu_batchnorm",
    "recurrent/digits_gru",
    "transformer/digits_own_attention_infinite",
    "blind_healthy/house_prices",
    "blind_healthy/low_rank_fine_tuning",
    "blind_sequences/frozen_teacher_in_the_step",
    "eighth_healthy/gates_that_begin_closed",
    "ninth_healthy/online_network_and_its_slow_copy_left_trainable",
]


def judged(name, tmp_path):
    from benchmarks.findings import judge
    from benchmarks.programs import PROGRAMS

    return judge(PROGRAMS[name], tmp_path)


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_found_where_it_is(name, tmp_path):
    assert judged(name, tmp_path).placed


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_has_no_finding(name, tmp_path):
    assert judged(name, tmp_path).findings == ()
