"""Trains the demo's network on a few digits, every step recorded.

    python -m tests.browser.train_demo LOG_DIR

The one invariant: it is the demo's own model and data, trained by `fit`; the page must show what the callback wrote.
"""

from __future__ import annotations

import sys

import keras

import tb_activations as tba
from demo import data, digits


def main() -> None:
    keras.utils.set_random_seed(1)
    split = data.digits()
    callback = tba.ActivationsCallback(sys.argv[1], every=1, validation=False, print_findings=False)
    digits.model().fit(split.x[:128], split.y[:128], batch_size=32, verbose=0, callbacks=[callback])


if __name__ == "__main__":
    main()
