"""From a request to typed arguments, and from a result or an error to a response.

The one invariant: every response is made by ``http_util.Respond``, which sets the headers that TensorBoard insists on, and none of them shows
a stack trace or a path of the server. This module knows HTTP; it knows no run and no array.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tensorboard.backend import http_util, json_util
from werkzeug.wrappers import Request, Response

from tb_activations.errors import ArgumentError, FormatError, NotFoundError

__all__ = ["Answer", "Arguments", "View", "WsgiApplication", "broken_installation", "endpoint", "json_answer", "quote"]

CACHE_SECONDS = 86_400
"""How long a browser may keep an answer that can't change."""

_METHODS = ("GET", "HEAD")
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_QUOTED_CHARACTERS = 200

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response in the making. ``cacheable``: the same request can never have another answer."""

    content: bytes
    content_type: str
    cacheable: bool = False
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Arguments:
    """The query of a request. Every reader names what it expected and what it received."""

    def __init__(self, values: Mapping[str, str], path: str = "") -> None:
        self._values = values
        self.path = path
        """The path of the request, percent-decoded."""

    def text(self, name: str, default: str | None = None) -> str:
        """Returns an argument; an absent one without default is an error."""
        value = self._values.get(name, default)
        if value is None:
            raise ArgumentError(f"Expected the argument `{name}`. Received: {_received(self._values)}.")
        return value

    def choice(self, name: str, options: Collection[str]) -> str:
        """Returns an argument that is one of ``options``."""
        value = self.text(name)
        if value not in options:
            raise ArgumentError(f"Expected `{name}` to be one of {', '.join(options)}. Received: {name}={quote(value)}.")
        return value

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Returns an integer argument from ``low`` to ``high``."""
        if default is not None and name not in self._values:
            return default
        value = self.text(name)
        if not _INTEGER.fullmatch(value) or not low <= int(value) <= high:
            raise ArgumentError(f"Expected `{name}` to be an integer from {low} to {high}. Received: {name}={quote(value)}.")
        return int(value)

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """Returns an integer argument from ``low`` to ``high``, or None when there is none."""
        return self.integer(name, low, high) if name in self._values else None


View: TypeAlias = Callable[[Arguments], Answer]
WsgiApplication: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def quote(text: str) -> str:
    """Text of a user as it is repeated in a message: quoted, and cut when it is long."""
    return repr(text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "…")


def endpoint(view: View) -> WsgiApplication:
    """Makes the WSGI application of a route from its view."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        return _respond(request, _answer(request, view))(environ, start_response)

    return application


def json_answer(payload: Mapping[str, Any], cacheable: bool = False) -> Answer:
    """A JSON object. As everywhere in TensorBoard, floats that JSON lacks are the strings "NaN", "Infinity" and "-Infinity"."""
    encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
    try:
        text = encode(payload)
    except ValueError:  # rare, and cleansing walks the whole payload in Python
        text = encode(json_util.Cleanse(payload))
    return Answer(text.encode("ascii"), "application/json", cacheable)


def broken_installation(error: ImportError) -> str:
    """What to say when a module of ours, or a library that it needs, can't be imported."""
    return f"The installation of tb-activations is not whole: {error.name or 'a module'} can't be imported. Reinstalling tb-activations may help."


def _received(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name[:_QUOTED_CHARACTERS]}={quote(value)}" for name, value in values.items()) or "no arguments"


def _answer(request: Request, view: View) -> Answer:
    if request.method not in _METHODS:
        return _sentence(405, f"Expected the method GET or HEAD. Received: {request.method[:20]}.", (("Allow", ", ".join(_METHODS)),))
    try:
        return view(Arguments(request.args, request.path))
    except ArgumentError as error:
        return _sentence(400, str(error))
    except NotFoundError as error:
        return _sentence(404, str(error))
    except FormatError as error:
        return _sentence(422, f"A file of this run can't be read. {error}")
    except ImportError as error:
        return _sentence(500, broken_installation(error))
    except Exception:
        _logger.exception("The Activations tab could not answer %s", request.path)
        return _sentence(500, "The Activations plugin failed to answer this request. TensorBoard's log says why.")


def _sentence(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(text.encode("utf-8", "replace"), "text/plain", status=status, headers=headers)


def _respond(request: Request, answer: Answer) -> Response:
    response: Response = http_util.Respond(
        request,
        answer.content,
        answer.content_type,
        code=answer.status,
        expires=CACHE_SECONDS if answer.cacheable else 0,
        headers=list(answer.headers),
    )
    return response
