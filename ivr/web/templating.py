"""Templates and static files, read once at the start; nothing a visitor sends names a file."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ivr.web import words
from ivr.web.language import (
    LANGUAGES,
    catalog,
    gettext,
    ngettext,
    pgettext,
    viewer,
)
from ivr.web.navigation import MENUS, links_of

FOLDER: Final = Path(__file__).parent
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
HASH_LENGTH: Final = 12
STYLE: Final = "style.css"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A static file; its address changes with its content, so it may be cached for ever."""

    path: str
    content_type: str
    body: bytes
    packed: bytes


def load_assets() -> dict[str, Asset]:
    """Read all static files, by name."""
    assets = {}
    for file in sorted((FOLDER / "static").glob("*.*")):
        body = file.read_bytes()
        if file.name == STYLE:
            # Each group of pages may have a sheet of its own; the browser loads one.
            body += b"".join(part.read_bytes() for part in sorted(file.parent.glob("styles/*.css")))
        digest = hashlib.sha256(body).hexdigest()[:HASH_LENGTH]
        assets[file.name] = Asset(
            path=f"/static/{digest}/{file.name}",
            content_type=CONTENT_TYPES[file.suffix],
            body=body,
            packed=gzip.compress(body, mtime=0),
        )
    return assets


class Templates:
    """Renders pages. What is inserted is escaped, what is missing is an error."""

    def __init__(self) -> None:
        self.assets = load_assets()
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            # Nothing is worked out ahead: what is read depends on who reads it.
            optimized=False,
            extensions=["jinja2.ext.i18n"],
        )
        self._environment.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
            gettext, ngettext, newstyle=True, pgettext=pgettext
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.filters.update(words.FILTERS)
        self._environment.globals["asset"] = self.asset
        self._environment.globals["menus"] = MENUS
        self._environment.globals["links_of"] = links_of
        self._environment.globals["viewer"] = viewer
        self._environment.globals["languages"] = LANGUAGES
        for language in LANGUAGES:
            catalog(language)

    def asset(self, name: str) -> str:
        """Return the address of a static file."""
        return self.assets[name].path

    def render(self, name: str, values: Mapping[str, Any]) -> str:  # Any: what pages show
        """Render one template."""
        return self._environment.get_template(name).render(values)
