"""Makes a directory a TensorBoard run: one marker summary that says "there are activations here".

The one invariant: the event file holds no data; everything else lies in ``plugins/tb_activations``. TensorBoard itself is never imported.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from tb_activations.store.names import PLUGIN_NAME
from tb_activations.store.schema import FORMAT_VERSION

__all__ = ["write_marker"]

_DATA_CLASS_TENSOR = 2


def write_marker(run_dir: Path) -> None:
    """Writes the marker event file of one session."""
    metadata = tf.compat.v1.SummaryMetadata(data_class=_DATA_CLASS_TENSOR)
    metadata.plugin_data.plugin_name = PLUGIN_NAME
    with tf.init_scope():
        writer = tf.summary.create_file_writer(str(run_dir), filename_suffix=f".{PLUGIN_NAME}")
        with writer.as_default(step=0), tf.summary.record_if(True):
            tf.summary.write(PLUGIN_NAME, tf.constant(FORMAT_VERSION), metadata=metadata)
        writer.close()
