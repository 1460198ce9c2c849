"""What every answer carries, and what every changing request must prove.

Pages hold no inline script or style, so the policy allows none. A change from a browser needs the
session's CSRF token in its form, and an Origin that is ours when the browser tells one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from ivr.web.state import web_of

COOKIE: Final = "talkmeter_session"
LOGIN_COOKIE: Final = "talkmeter_login"
LANGUAGE_COOKIE: Final = "talkmeter_language"
DEVICE_COOKIE: Final = "talkmeter_device"
DEVICE_SECONDS: Final = 180 * 86_400
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the security headers; pages are never cached unless they say so."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    if is_secure(request):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    response.headers.pop("Server", None)


def address_of(request: web.Request) -> str:
    """Return where the request comes from; a proxy is believed only when it is one of ours."""
    address = request.remote or "unknown"
    proxies = web_of(request).deps.proxies
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    while address in proxies and hops and hops[-1]:
        address = hops.pop()
    return address[:64]


def is_secure(request: web.Request) -> bool:
    """Tell whether the browser speaks TLS to us or to our proxy."""
    if request.secure:
        return True
    proxied = request.remote in web_of(request).deps.proxies
    return proxied and request.headers.get("X-Forwarded-Proto", "") == "https"


def same_origin(request: web.Request) -> bool:
    """Tell whether a browser sent this from one of our own pages; others say nothing of it."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()


def read_cookie(request: web.Request, name: str) -> str:
    """Read one of our cookies; over TLS they carry the prefix that nails them to this host."""
    return request.cookies.get(_name(request, name), "")


def set_cookie(
    request: web.Request,
    response: web.StreamResponse,
    name: str,
    value: str,
    *,
    seconds: int | None = None,
) -> None:
    """Set one of our cookies: not readable by scripts, not sent from other sites."""
    response.set_cookie(
        _name(request, name),
        value,
        max_age=seconds,
        httponly=True,
        samesite="Lax" if name in {COOKIE, LANGUAGE_COOKIE} else "Strict",
        secure=is_secure(request),
        path="/",
    )


def drop_cookie(request: web.Request, response: web.StreamResponse, name: str) -> None:
    """Take a cookie back."""
    response.del_cookie(
        _name(request, name), path="/", httponly=True, secure=is_secure(request), samesite="Lax"
    )


def new_login_nonce() -> str:
    """Make the value of the cookie that a login form is tied to."""
    return secrets.token_urlsafe(18)


def login_csrf(nonce: str, *, key: bytes) -> str:
    """Make the CSRF token of a login form, before there is a session."""
    return hmac.new(key, f"login:{nonce}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def tokens_match(expected: str, given: str) -> bool:
    """Compare in constant time."""
    return bool(expected) and hmac.compare_digest(
        expected.encode(), given.encode("utf-8", "replace")
    )


def _name(request: web.Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name
