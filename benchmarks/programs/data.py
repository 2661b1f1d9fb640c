"""Real data that needs no download: scikit-learn's data sets and the text of Python's own standard library."""

from __future__ import annotations

import functools
import inspect
import textwrap
from typing import Any

import numpy as np

Arrays = tuple[Any, Any]


@functools.cache
def digits() -> Arrays:
    """1,797 handwritten digits: float32 [n, 64] in 0…1, labels."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return (bunch.data / 16).astype("float32"), bunch.target


def images() -> Arrays:
    """The digits as pictures [n, 8, 8, 1] in 0…1."""
    x, y = digits()
    return x.reshape(-1, 8, 8, 1), y


@functools.cache
def raw(name: str) -> Arrays:
    """A data set of scikit-learn as it comes."""
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    return bunch.data.astype("float32"), bunch.target


def standardized(name: str) -> Arrays:
    """A data set with mean 0 and standard deviation 1 in every column; targets of a regression too."""
    x, y = raw(name)
    x = (x - x.mean(0)) / x.std(0)
    return x, ((y - y.mean()) / y.std()).astype("float32") if y.dtype.kind == "f" else y


def sine(n: int = 512, low: float = -3.0, high: float = 3.0) -> Arrays:
    """A noisy sine."""
    random = np.random.default_rng(0)
    x = random.uniform(low, high, (n, 1)).astype("float32")
    return x, (np.sin(2 * x) + 0.05 * random.normal(size=x.shape)).astype("float32")


@functools.cache
def text() -> str:
    """Some 60,000 characters of Python's standard library."""
    return "\n".join(textwrap.dedent(inspect.getsource(module)) for module in (textwrap, inspect, functools))[:60_000]


def characters(length: int = 32, n: int = 1500) -> tuple[Any, Any, int]:
    """Pieces of text as ids [n, length], the same shifted by one, and the number of different characters."""
    alphabet = sorted(set(text()))
    ids = np.array([alphabet.index(character) for character in text()], "int32")
    starts = np.random.default_rng(0).integers(0, len(ids) - length - 1, n)
    pieces = np.stack([ids[start : start + length + 1] for start in starts])
    return pieces[:, :-1], pieces[:, 1:], len(alphabet)


def lines(length: int = 24) -> tuple[Any, Any, int]:
    """Lines of source as ids padded with 0, whether they hold a call, and the number of different ids."""
    alphabet = sorted(set(text()))
    rows = [line for line in text().split("\n") if len(line.strip()) > 4]
    ids = np.zeros((len(rows), length), "int32")
    for row, line in enumerate(rows):
        codes = [alphabet.index(character) + 1 for character in line.strip()[:length]]
        ids[row, : len(codes)] = codes
    labels = np.array(["(" in line.strip()[:length] for line in rows], "float32")
    return ids, labels, len(alphabet) + 1


def bag_of_words(words: int = 600) -> tuple[Any, Any]:
    """Lines of source as sparse rows of word counts, and whether they hold a call."""
    import re

    rows = [line for line in text().split("\n") if len(line.strip()) > 4]
    split = [re.findall(r"[a-z_]+", line.lower()) for line in rows]
    common: dict[str, int] = {}
    for tokens in split:
        for token in tokens:
            common[token] = common.get(token, 0) + 1
    vocabulary = {word: index for index, word in enumerate(sorted(common, key=lambda word: -common[word])[:words])}
    x = np.zeros((len(rows), len(vocabulary)), "float32")
    for row, tokens in enumerate(split):
        for token in tokens:
            if token in vocabulary:
                x[row, vocabulary[token]] += 1
    return x, np.array(["(" in line for line in rows], "float32")


def series(n: int = 800, length: int = 30) -> Arrays:
    """Windows of a noisy wave [n, length, 1], and the next value."""
    random = np.random.default_rng(1)
    wave = np.sin(np.arange(n + length + 1) * 0.3) + 0.5 * np.sin(np.arange(n + length + 1) * 0.07) + 0.1 * random.normal(size=n + length + 1)
    x = np.stack([wave[start : start + length] for start in range(n)]).astype("float32")[..., None]
    return x, wave[length : length + n].astype("float32")[:, None]
