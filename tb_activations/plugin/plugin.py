"""The TensorBoard plugin: what TensorBoard asks of it.

The one invariant: nothing here can fail or take time once it is constructed. ``frontend_metadata`` is constant since an error in it would
blank the whole of TensorBoard, and ``is_active`` looks at what is known already since TensorBoard's page waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorboard.plugins import base_plugin

from tb_activations.plugin.assets import Assets
from tb_activations.plugin.http import WsgiApplication
from tb_activations.plugin.routes import Routes
from tb_activations.plugin.runs import Runs, source_of
from tb_activations.store.names import PLUGIN_NAME

__all__ = ["ActivationsPlugin"]


class ActivationsPlugin(base_plugin.TBPlugin):  # type: ignore[misc]
    """The Activations tab."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._runs = Runs(source_of(context))
        self._applications = Routes(self._runs, Assets()).applications()

    def get_plugin_apps(self) -> Mapping[str, WsgiApplication]:
        """Returns route -> application; the routes are those of ``docs/http_api.md``."""
        return self._applications

    def is_active(self) -> bool:
        """Whether any run with activations is known. Never looks: that happens in the background."""
        return bool(self._runs)

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Returns where the front end is. Constant."""
        return base_plugin.FrontendMetadata(es_module_path="/static/index.js", tab_name="Activations")
