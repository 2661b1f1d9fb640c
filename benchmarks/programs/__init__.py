"""Small realistic Keras programs, faulty and healthy, by family."""

from __future__ import annotations

from benchmarks.programs import (  # noqa: F401  (each registers its programs)
    again_faulty,
    again_healthy,
    blind_faulty,
    blind_healthy,
    blind_sequences,
    blind_settings,
    conv,
    dense,
    eighth_faulty,
    eighth_healthy,
    eighth_settings,
    fifth_faulty,
    fifth_healthy,
    fourteenth,
    fourth_faulty,
    fourth_healthy,
    fourth_settings,
    generative,
    held_out,
    ninth_faulty,
    ninth_healthy,
    recurrent,
    reviewed,
    seventh_faulty,
    seventh_healthy,
    seventh_settings,
    sixth_faulty,
    sixth_healthy,
    sixth_models,
    sixth_settings,
    tenth_faulty,
    tenth_healthy,
    tenth_settings,
    third_faulty,
    third_healthy,
    thirteenth_faulty,
    thirteenth_healthy,
    transformer,
    twelfth_faulty,
    twelfth_healthy,
)
from benchmarks.programs.registry import PROGRAMS, Program

__all__ = ["PROGRAMS", "Program"]
