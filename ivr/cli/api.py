"""The command line asks the running service over its API, with the token of its state folder."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from ivr.settings import Settings

TOKEN_FILE: Final = "cli.token"  # noqa: S105 - the name of a file
ANSWER_SECONDS: Final = 5.0
ANSWER_BYTES_MAX: Final = 10_000_000


class ServiceNotRunning(Exception):
    """Nobody answers where the service should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCall:
    """A live call as the API tells of it."""

    id: str
    did: str
    caller: str
    state: str
    asking: str
    talk_seconds: float
    account: str
    topic: str
    cost: str
    currency: str


class ServiceApi:
    """A few requests to the service of this state folder."""

    def __init__(self, settings: Settings) -> None:
        self._base = f"http://{settings.web_host}:{settings.web_port}/api/v1"
        self._token_file = settings.state_dir / TOKEN_FILE

    async def live(self) -> list[SeenCall]:
        """List the live calls.

        Raises:
            ServiceNotRunning: no service answers.

        """
        document = await self._request("GET", "/live")
        names = SeenCall.__dataclass_fields__.keys()
        return [SeenCall(**{name: item[name] for name in names}) for item in document["items"]]

    async def hang_up(self, call_id: str) -> bool:
        """End a live call; False when it is not live."""
        return bool(await self._request("POST", f"/live/{call_id}/hangup"))

    async def _request(self, method: str, path: str) -> Any:  # Any: a JSON document
        return await asyncio.to_thread(self._send, method, path)

    def _send(self, method: str, path: str) -> Any:  # Any: a JSON document
        try:
            token = self._token_file.read_text(encoding="ascii").strip()
            request = urllib.request.Request(  # noqa: S310 - always http to our own service
                self._base + path, method=method, headers={"Authorization": f"Bearer {token}"}
            )
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read(ANSWER_BYTES_MAX) or b"true")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise ServiceNotRunning(f"the service answered {error.code}") from error
        except (OSError, ValueError) as error:
            raise ServiceNotRunning(str(error)) from error
