"""A TensorBoard application around the plugin, in this process, and the run that most tests look at."""

from __future__ import annotations

import json
from types import SimpleNamespace

import safetensors.numpy
from tensorboard.backend import application
from tensorboard.plugins import base_plugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tb_activations.plugin.loader import ActivationsLoader

NODES = """
input x [?,4]
layer encoder/dense Dense [?,8] <- x relu gradient
layer head Dense [?,3] <- encoder/dense gradient=filtered
variable encoder/dense/kernel [4,8] gradient update
layer rare Dense [?,2] <- x gradient=not_on_loss_path
loss loss [] <- head
"""
STEPS = range(0, 70, 7)


class PluginClient:
    """Speaks to the routes of the plugin as a browser does."""

    def __init__(self, logdir, **context):
        self.context = base_plugin.TBContext(logdir=str(logdir), flags=SimpleNamespace(logdir_spec=""), **context)
        self.plugin = ActivationsLoader().load(self.context)
        self._client = Client(application.TensorBoardWSGI([self.plugin]), Response)

    def open(self, route, method="GET", headers=None, **query):
        return self._client.open(f"/data/plugin/tb_activations/{route}", method=method, query_string=query, headers=headers)

    def open_path(self, path):
        """Requests a path as it is, percent signs included."""
        return self._client.open(f"/data/plugin/tb_activations/{path}")

    def json(self, route, **query):
        response = self.open(route, **query)
        assert response.status_code == 200, response.get_data(as_text=True)
        assert response.mimetype == "application/json"
        return json.loads(response.get_data())

    def arrays(self, route, **query):
        """The arrays of a binary answer, read by the reference implementation of safetensors."""
        response = self.open(route, **query)
        assert response.status_code == 200, response.get_data(as_text=True)
        assert response.mimetype == "application/octet-stream"
        return safetensors.numpy.load(response.get_data())
