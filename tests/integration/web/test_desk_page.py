"""The support desk: agents, messages, callbacks, and who listened."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from ivr.directory.catalog_apply import apply
from ivr.directory.catalog_file import load_catalog
from ivr.web.scope import Role
from tests.site import NO_CALL, SOUND, Site, browser, csrf_of, text_of

CATALOG = """
currency: USD
tariffs: {standard: {tiers: [{price: 0.60/min}]}}
clients:
  acme:
    title: Acme
    split: {provider: 30%, client: 70%}
    queues:
      help: {agents: {anna: {phone: "sip:anna@127.0.0.1:5090", number: "4711"}}}
"""


async def _queues(site: Site, folder: Path) -> None:
    file = folder / "catalog.yaml"
    file.write_text(CATALOG)
    await apply(site.desk.engine, load_catalog(file), clock=site.desk.clock, pin_key=b"p" * 32)
    await site.directory.load()


async def test_a_message_is_heard_by_its_client_and_that_is_written_down(
    site: Site, server: TestServer
):
    call_id = await site.call(talk_seconds=0)
    await site.sound(call_id)
    path = f"/portal/calls/{call_id}/sound/message"
    async with browser(server, "acme") as client:
        before = text_of(await (await client.get("/portal/desk")).text())
        answer = await client.get(path)
        sound = await answer.read()
        piece = await client.get(path, headers={"Range": "bytes=100-199"})
        after = text_of(await (await client.get("/portal/desk")).text())
        call = await (await client.get(f"/portal/calls/{call_id}")).text()
    async with site.desk.engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT actor, action, subject FROM audit_log")
        noted = [tuple(row) for row in rows]

    assert "New" in before
    assert "New" not in after
    assert (answer.headers["Content-Type"], sound) == ("audio/wav", SOUND)
    assert (piece.status, await piece.read()) == (206, SOUND[100:200])
    assert noted.count(("acme", "listen to message", call_id)) == 1
    assert path in call


async def test_a_recorded_talk_is_heard_and_downloaded_and_both_are_written_down(
    site: Site, server: TestServer
):
    call_id = await site.call()
    await site.sound(call_id, "talk")
    headers = {"Authorization": f"Bearer {await site.token(Role.CLIENT, 'acme')}"}
    async with browser(server, "acme") as client:
        heard = await client.get(f"/portal/calls/{call_id}/sound/talk")
        sound = await heard.read()
        kept = await client.get(f"/api/v1/calls/{call_id}/recording", headers=headers)
        file = await kept.read()
        none = await client.get(f"/api/v1/calls/{NO_CALL}/recording", headers=headers)
    async with site.desk.engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT actor, action, subject FROM audit_log")
        noted = [tuple(row) for row in rows]

    assert (heard.status, sound) == (200, SOUND)
    assert (kept.headers["Content-Type"], file) == ("audio/wav", SOUND)
    assert none.status == 404
    for actor in ("acme", "client acme"):
        assert noted.count((actor, "listen to talk", call_id)) == 1


@pytest.mark.parametrize("visitor", ["globex", "alice"])
async def test_nobody_else_hears_it(site: Site, server: TestServer, visitor: str):
    call_id = await site.call()
    await site.sound(call_id, "talk")
    async with browser(server, visitor) as client:
        answers = [
            (await client.get(f"/{home}/calls/{call_id}/sound/talk")).status
            for home in ("admin", "portal")
        ]
        own = await (await client.get(f"/account/calls/{call_id}")).text()

    assert set(answers) <= {403, 404}
    assert "<audio" not in own


async def test_a_sound_that_is_gone_says_so(site: Site, server: TestServer):
    call_id = await site.call()
    await site.sound(call_id)
    assert site.deps.mailbox
    site.deps.mailbox.file(call_id, "message").unlink()
    async with browser(server, "acme") as client:
        gone = await client.get(f"/portal/calls/{call_id}/sound/message")
        never = await client.get(f"/portal/calls/{NO_CALL}/sound/message")

    assert (gone.status, never.status) == (404, 404)


async def test_an_agent_pauses_and_comes_back(site: Site, server: TestServer, tmp_path: Path):
    await _queues(site, tmp_path)
    form = {"client": "acme", "agent": "anna"}
    async with browser(server, "acme") as client, browser(server, "globex") as other:
        csrf = csrf_of(await (await client.get("/portal/desk")).text())
        await client.post("/portal/desk/agents", data={**form, "csrf": csrf, "state": "paused"})
        await site.directory.load()
        paused = text_of(await (await client.get("/portal/desk")).text())
        wrong = await client.post(
            "/portal/desk/agents", data={**form, "csrf": csrf, "agent": "nobody", "state": "paused"}
        )
        theirs = csrf_of(await (await other.get("/portal/desk")).text())
        foreign = await other.post(
            "/portal/desk/agents", data={**form, "csrf": theirs, "state": "available"}
        )

    assert "Break" in paused
    assert (wrong.status, foreign.status) == (422, 404)
    assert "has no agent" in text_of(await wrong.text())


async def test_a_callback_is_cancelled_once(site: Site, server: TestServer):
    callback = await site.callback()
    path = f"/admin/desk/callbacks/{callback}/cancel"
    async with browser(server, "olga") as client:
        csrf = csrf_of(await (await client.get("/admin/desk")).text())
        done = await client.post(path, data={"csrf": csrf})
        again = await client.post(path, data={"csrf": csrf})
        shown = text_of(await (await client.get("/admin/desk")).text())

    assert (done.status, again.status) == (200, 404)
    assert "Cancelled" in shown
