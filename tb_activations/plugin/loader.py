"""The entry point of the TensorBoard plugin.

The one invariant: importing this module and calling `ActivationsLoader.load` cannot fail. TensorBoard imports every entry point without a
guard, so an error here would stop TensorBoard itself; that is why nothing but ``base_plugin`` is imported outside of `load`.
It defines no flag: flag names are shared by all plugins.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tensorboard.plugins import base_plugin

if TYPE_CHECKING:
    from tb_activations.plugin.plugin import ActivationsPlugin

__all__ = ["ActivationsLoader"]


class ActivationsLoader(base_plugin.TBLoader):  # type: ignore[misc]
    """Makes the plugin, or, when that fails, says so in one line and leaves TensorBoard without it."""

    def load(self, context: base_plugin.TBContext) -> ActivationsPlugin | None:
        """Returns the plugin for ``context``; None when it can't be made."""
        try:
            from tb_activations.plugin.plugin import ActivationsPlugin

            return ActivationsPlugin(context)
        except Exception as error:  # noqa: BLE001 - whatever is broken in this installation, TensorBoard goes on
            logging.getLogger(__name__).warning(
                "TensorBoard goes on without the Activations tab, which could not be loaded: %s: %s. Reinstalling tb-activations may help.",
                type(error).__name__,
                " ".join(str(error).split()),
            )
            return None
