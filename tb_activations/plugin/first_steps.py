"""The code that a page shows where nothing is recorded yet.

The one invariant: what is recorded with it is found below a directory that TensorBoard shows, if it shows a local one.
"""

from __future__ import annotations

import json

__all__ = ["first_steps"]

_FIT = """import tb_activations as tba

model.fit(
    x, y, epochs=10,
    callbacks=[tba.ActivationsCallback({folder}, every=100)],
)"""

_LOOP = """train_step = tba.watch(
    train_step, model=model,
    log_dir={folder}, every=100,
)

for batch in dataset:
    loss = train_step(batch)  # call it as before"""


def first_steps(directory: str) -> dict[str, str]:
    """Code for `fit` and for a loop of one's own, by `fit` and `loop`. ``directory``: a local one, as the user typed it; empty without one."""
    root = (directory or "logs").rstrip("/\\")
    folder = json.dumps(f"{root}/run1", ensure_ascii=False)
    return {"fit": _FIT.format(folder=folder), "loop": _LOOP.format(folder=folder)}
