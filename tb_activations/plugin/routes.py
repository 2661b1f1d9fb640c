"""The routes of ``docs/http_api.md``: which there are, and what they have in common.

The one invariant: an answer may be cached only when the request named the version of the run that the answer was made from. Whatever reads numbers is
imported when a run is first asked about: TensorBoard waits for this module at its start, also where nobody has a run with activations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tb_activations.errors import FormatError, NotFoundError
from tb_activations.plugin.assets import Assets
from tb_activations.plugin.findings import Findings
from tb_activations.plugin.first_steps import first_steps
from tb_activations.plugin.http import Answer, Arguments, View, WsgiApplication, endpoint, json_answer, quote
from tb_activations.plugin.runs import Runs

if TYPE_CHECKING:
    from tb_activations.store.run import Run

__all__ = ["Routes"]

_OF_RUNS = ("/graph", "/operations", "/steps", "/snapshot", "/matrix", "/statistics", "/histogram", "/value")
"""Routes that ask one run; their views are those of `views`."""


class Routes:
    """The routes over ``runs`` and ``assets``."""

    def __init__(self, runs: Runs, assets: Assets) -> None:
        self._runs = runs
        self._assets = assets
        self._findings = Findings()

    def applications(self) -> Mapping[str, WsgiApplication]:
        """Returns route -> WSGI application."""
        views: Mapping[str, View] = {
            "/runs": self._list_runs,
            **{route: self._of_run(route) for route in _OF_RUNS},
            "/findings": self._tell_findings,
            "/static/*": self._read_asset,
        }
        return {route: endpoint(view) for route, view in views.items()}

    def _list_runs(self, _: Arguments) -> Answer:
        runs = self._runs.listing()
        code = None if runs else first_steps(self._runs.local)
        return json_answer({"logdir": self._runs.logdir, "problem": self._runs.problem, "first_steps": code, "runs": runs})

    def _read_asset(self, arguments: Arguments) -> Answer:
        name = arguments.path.partition("/static/")[2]
        try:
            content, content_type = self._assets.read(name)
        except KeyError:
            raise NotFoundError(f"The front end has no file {quote(name)}.") from None
        return Answer(content, content_type)

    def _tell_findings(self, arguments: Arguments) -> Answer:
        name = arguments.text("run")
        return json_answer(self._findings.present(name, self._find_run(arguments)))

    def _find_run(self, arguments: Arguments) -> Run:
        """Returns the run that a request names. A request that doesn't name its present version gets the newest there is.

        Raises:
          FormatError: its folder can't be read.
        """
        try:
            run = self._runs.get(arguments.text("run"))
            if arguments.text("v", "") != run.version:
                run.refresh()
        except OSError as error:
            raise FormatError(f"{error.strerror}.") from error
        return run

    def _of_run(self, route: str) -> View:
        """Makes the view of a route that asks about the run that a request names."""

        def of_run(arguments: Arguments) -> Answer:
            from tb_activations.plugin.views import RUN_VIEWS

            run = self._find_run(arguments)
            before = run.version
            answer = RUN_VIEWS[route](run, arguments)
            return replace(answer, cacheable=arguments.text("v", "") == before == run.version)

        return of_run
