"""What the replicas of one step recorded, side by side: one capture row for each.

The one invariant: every replica's numbers arrive as it measured them. Keras answers for a step with the mean over its replicas, so each replica
hands out the numbers of all, and the mean of equal numbers in float64 is that number.

Without tf.distribute nothing here does anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tb_activations.capture.catalogue import Catalogue

__all__ = ["gather", "of_each", "this_worker"]

_COLUMNS = ("statistics", "counts", "histogram", "histogram_range")
_RANKS = "ranks"


def gather(packed: dict[str, Any]) -> dict[str, Any]:
    """Runs in the graph of each replica: adds a leading axis of replicas to ``packed``; samples are joined along their first axis."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return packed

    def of_all(x: tf.Tensor, *, stacked: bool) -> tf.Tensor:
        x = tf.cast(x, tf.float64)
        return context.all_gather(x[None] if stacked or x.shape.rank == 0 else x, axis=0)

    gathered: dict[str, Any] = {_RANKS: of_all(context.replica_id_in_sync_group, stacked=True)}
    for key, part in packed.items():
        if key == "loss_scale":
            gathered[key] = of_all(part, stacked=True)
            continue
        gathered[key] = {name: of_all(part[name], stacked=True) for name in _COLUMNS if name in part}
        if "samples" in part:
            gathered[key]["samples"] = {node: of_all(kept, stacked=False) for node, kept in part["samples"].items()}
            gathered[key]["strides"] = {node: of_all(strides, stacked=True) for node, strides in part.get("strides", {}).items()}
    return gathered


def of_each(packed: dict[str, Any], catalogue: Catalogue) -> Iterator[tuple[int, dict[str, Any]]]:
    """Takes what `gather` made apart again, on the host: (rank, what that replica packed), for the replicas of this process.

    The samples of all replicas, one after the other, go to the first.
    """
    if _RANKS not in packed:
        yield 0, packed
        return
    worker, workers = this_worker()
    # `predict` answers with what all replicas handed out, one after the other, so that all is there as often as there are replicas.
    replicas = len(np.unique(packed[_RANKS]))
    local = range(worker * replicas // workers, (worker + 1) * replicas // workers)
    for rank in local:
        parts: dict[str, Any] = {}
        for key, part in packed.items():
            if key == "loss_scale":
                parts[key] = part[rank]
            elif key != _RANKS:
                parts[key] = {name: np.asarray(part[name])[rank].astype(_DTYPES[name]) for name in _COLUMNS if name in part}
                if rank == local[0] and "samples" in part:
                    samples = part["samples"].items()
                    parts[key]["samples"] = {node: _sample(np.asarray(kept), int(node), catalogue, replicas) for node, kept in samples}
                    # Replicas join only samples of the same extents, which have the same strides.
                    parts[key]["strides"] = {node: strides[0] for node, strides in part.get("strides", {}).items()}
        yield rank, parts


_DTYPES = {"statistics": np.float32, "counts": np.int64, "histogram": np.int32, "histogram_range": np.float32}


def _sample(joined: Any, node: int, catalogue: Catalogue, replicas: int) -> Any:
    record = catalogue.graph.nodes[node]
    if record.shape == ():
        joined = joined[0]
    elif record.kind == "variable":
        joined = joined[: len(joined) // replicas]  # the replicas keep the same variables
    return joined.astype(tf.as_dtype(record.dtype).as_numpy_dtype)


def this_worker() -> tuple[int, int]:
    """The number of this process among the workers that train together, and how many they are."""
    configuration = json.loads(os.environ.get("TF_CONFIG") or "{}")
    cluster, task = configuration.get("cluster", {}), configuration.get("task", {})
    before = len(cluster.get("chief", [])) if task.get("type") == "worker" else 0
    workers = sum(len(cluster.get(kind, [])) for kind in ("chief", "worker"))
    return (before + int(task.get("index", 0)), workers) if workers else (0, 1)
