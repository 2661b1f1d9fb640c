"""Real data that every machine with the demo's packages has: handwritten digits from scikit-learn, text from Python's own standard library.

Nothing here is downloaded or made up.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits


class Split(NamedTuple):
    """Inputs and labels of the training and the validation part."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    x_validation: npt.NDArray[np.float32]
    y_validation: npt.NDArray[np.int64]


def digits() -> Split:
    """1,797 handwritten digits, float32[n, 16, 16, 1] in 0…1 (8 × 8 pixels, each drawn twice as large), and their labels int64[n]."""
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) / 16.0).astype(np.float32).repeat(2, axis=1).repeat(2, axis=2)
    order = np.random.default_rng(0).permutation(len(images))
    train, held_out = order[:1536], order[1536:]
    return Split(images[train], labels[train], images[held_out], labels[held_out])


class Text(NamedTuple):
    """A text as character codes: ``codes`` int32[n] index into ``alphabet``."""

    codes: npt.NDArray[np.int32]
    alphabet: str


def text() -> Text:
    """The source of two modules of the standard library, characters that are rarer than 1 in 20,000 left out."""
    source = inspect.getsource(textwrap) + inspect.getsource(inspect)
    characters, counts = np.unique(list(source), return_counts=True)
    alphabet = "".join(characters[counts >= len(source) / 20_000])
    position = {character: index for index, character in enumerate(alphabet)}
    return Text(np.array([position[character] for character in source if character in position], np.int32), alphabet)


def windows(codes: npt.NDArray[np.int32], length: int, count: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """``count`` stretches of the text, int32[count, length], and the same shifted by one character: what comes next."""
    starts = np.random.default_rng(0).integers(0, len(codes) - length - 1, count)
    rows = codes[starts[:, None] + np.arange(length + 1)]
    return rows[:, :-1], rows[:, 1:]
