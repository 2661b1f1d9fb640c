"""Small realistic Keras programs, faulty and healthy, by family."""

from __future__ import annotations

from benchmarks.programs import conv, dense, generative, held_out, recurrent, transformer  # noqa: F401  (each registers its programs)
from benchmarks.programs.registry import PROGRAMS, Program

__all__ = ["PROGRAMS", "Program"]
