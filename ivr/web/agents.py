"""Names a browser in a few words, for the list of sessions; what it sent is not kept."""

from __future__ import annotations

import re
from typing import Final

AGENT_MAX: Final = 40
SENT_MAX: Final = 400

# The first that is found counts: browsers name their ancestors too.
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_PRODUCT: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]*", re.ASCII)


def browser_name(sent: str) -> str:
    """Shorten a User-Agent to words such as "Firefox on Linux"."""
    sent = sent[:SENT_MAX]
    browser = next((name for mark, name in _BROWSERS if mark in sent), "")
    system = next((name for mark, name in _SYSTEMS if mark in sent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    product = _PRODUCT.match(sent)
    return product[0][:AGENT_MAX].strip() if product else "unknown"
