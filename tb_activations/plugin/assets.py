"""The files of the built front end.

The one invariant: a request only ever selects an entry of the manifest, which is made once by listing the package's own folder. No path is
made from a request, so no name can lead out of the folder. Content types are fixed here: those of the system may be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["STATIC_FOLDER", "Assets"]

STATIC_FOLDER = Path(__file__).with_name("static")

_CONTENT_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".woff2": "font/woff2",
}


class Assets:
    """The manifest of ``folder``: name -> file. Files of an unknown kind and subfolders are not part of it."""

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or STATIC_FOLDER
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        self._files: Mapping[str, Path] = {file.name: file for file in files if file.suffix in _CONTENT_TYPES and file.is_file()}

    @property
    def names(self) -> tuple[str, ...]:
        """All names that can be asked for."""
        return tuple(self._files)

    def read(self, name: str) -> tuple[bytes, str]:
        """Returns (content, content type).

        Raises:
          KeyError: ``name`` is not in the manifest.
        """
        file = self._files[name]
        return file.read_bytes(), _CONTENT_TYPES[file.suffix]
