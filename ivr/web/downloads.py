"""Files that are made while they are sent, so that a long one holds up nobody else."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiohttp import web


async def send_parts(
    request: web.Request,
    parts: AsyncGenerator[bytes, None],
    *,
    name: str,
    content_type: str = "text/csv",
) -> web.StreamResponse:
    """Send a file part by part; what cannot even begin is an error like that of any page."""
    first = await anext(parts, b"")
    charset = "" if content_type.startswith("audio/") else "; charset=utf-8"
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{content_type}{charset}",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
    )
    await response.prepare(request)
    await response.write(first)
    async for part in parts:
        await response.write(part)
    await response.write_eof()
    return response
