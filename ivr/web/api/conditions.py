"""Entity tags: what was read is not sent again, and what was changed meanwhile is not overwritten.

The tag is the hash of the whole body, so it is strong: the same tag is the same answer, byte for
byte (RFC 9110, 8.8.3 and 13.1). Answers are `no-store` all the same: tags are for programs that
keep an answer knowingly, not for caches on the way.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from aiohttp import web

from ivr.web.problems import Refusal

IF_NONE_MATCH: Final = "If-None-Match"
IF_MATCH: Final = "If-Match"
ETAG: Final = "ETag"
# Long enough that nobody finds a second body.
TAG_BYTES: Final = 24
TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def tag_of(body: bytes) -> str:
    """Make the tag of a body."""
    digest = hashlib.sha256(body).digest()[:TAG_BYTES]
    return f'"{base64.urlsafe_b64encode(digest).decode()}"'


def tagged(request: web.Request, response: web.Response) -> web.Response:
    """Put the tag on what was read; nothing but the tag where the asker has it already."""
    if not isinstance(response.body, bytes) or response.status != 200:
        return response
    response.headers[ETAG] = tag_of(response.body)
    if not _names(request.headers.get(IF_NONE_MATCH), response.headers[ETAG]):
        return response
    return web.Response(status=304, headers={ETAG: response.headers[ETAG]})


def must_match(request: web.Request, body: bytes) -> None:
    """Check what the asker means to change.

    Raises:
        Refusal: it is not what the asker has read.

    """
    if not _names(request.headers.get(IF_MATCH), tag_of(body)):
        raise not_what_was_read()


def not_what_was_read() -> Refusal:
    """Refuse a change of what is not there any more, or is another."""
    return Refusal("precondition_failed", "Read it again, and send its new ETag.")


def _names(header: str | None, tag: str) -> bool:
    """Tell whether a header names a tag, or any."""
    if header is None:
        return False
    return header.strip() == "*" or tag in TAG.findall(header)
