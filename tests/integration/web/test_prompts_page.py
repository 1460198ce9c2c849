"""Sounds of a client's own: kept from a text or a file, said on its lines, and on no other's."""

from __future__ import annotations

import io
import math
import shutil
import struct
import wave

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestServer

from ivr.directory.own_prompts import list_prompts
from ivr.sounds import RATE, SECONDS_MAX, phone_sound, spoken
from tests.site import Browser, Site, browser, csrf_of, text_of

FORM = {"client": "acme", "name": "sales", "language": "de"}


def wav(*, seconds: float = 1.0, rate: int = 16_000, channels: int = 2, width: int = 2) -> bytes:
    """A tone of 440 Hz."""
    file = io.BytesIO()
    count = int(seconds * rate)
    samples = [int(8_000 * math.sin(2 * math.pi * 440 * place / rate)) for place in range(count)]
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        one = [struct.pack("<h", s) if width == 2 else bytes([128 + s // 256]) for s in samples]
        sound.writeframes(b"".join(each * channels for each in one))
    return file.getvalue()


async def _upload(visitor: Browser, data: bytes, **fields: str) -> str:
    page = await (await visitor.get("/portal/prompts")).text()
    form = FormData()
    for name, text in {**FORM, **fields, "csrf": csrf_of(page)}.items():
        form.add_field(name, text)
    form.add_field("file", data, filename="x.wav", content_type="audio/wav")
    return await (await visitor.post("/portal/prompts", data=form)).text()


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2])
def test_any_plain_wav_becomes_what_phones_play(rate: int, channels: int, width: int):
    sound = phone_sound(wav(rate=rate, channels=channels, width=width))

    assert len(sound) == pytest.approx(RATE, abs=10)
    assert len(set(sound)) > 15


async def test_an_uploaded_sound_is_kept_heard_and_said(site: Site, server: TestServer):
    async with browser(server, "acme") as client:
        page = await _upload(client, wav())
        heard = await client.get("/portal/prompts/sound/acme/de/sales")
        with wave.open(io.BytesIO(await heard.read())) as sound:
            frames = sound.getnframes()
        form = {"client": "acme", "did": "18005550100", "digit": "-1", "prompt": "sales"}
        await client.post("/portal/prompts/use", data={**form, "csrf": csrf_of(page)})
        await site.directory.load()
        after = await (await client.get("/portal/prompts")).text()

    assert "uploaded" in text_of(page)
    assert (heard.headers["Content-Type"], frames) == ("audio/wav", pytest.approx(8_000, abs=10))
    assert site.directory.current().prompt_uses == {("18005550100", -1): "sales"}
    assert '<option value="sales" selected>' in after


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="Debian package espeak-ng")
async def test_a_text_is_spoken(site: Site, server: TestServer):
    sound = await spoken("Guten Tag, hier ist die Firma.", "de")
    async with browser(server, "acme") as client:
        page = await (await client.get("/portal/prompts")).text()
        form = {**FORM, "csrf": csrf_of(page), "text": "--help; $(reboot)"}
        kept = await (await client.post("/portal/prompts", data=form)).text()

    assert 1 < len(sound) / RATE < 5
    assert "--help; $(reboot)" in text_of(kept)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"MZ\x90 not a sound", "not a WAV file"),
        (wav()[:30], "not a WAV file"),
        (b"RIFF" + b"\xff" * 5_000, "not a WAV file"),
        (wav(seconds=SECONDS_MAX + 1, rate=8_000, channels=1, width=1), "longer than"),
        (wav(seconds=0), "no sound"),
    ],
    ids=["program", "torn", "junk", "long", "empty"],
)
async def test_what_is_no_sound_is_refused_with_a_reason(
    site: Site, server: TestServer, data: bytes, sentence: str
):
    async with browser(server, "acme") as client:
        page = text_of(await _upload(client, data))
    async with site.desk.engine.connect() as connection:
        kept = await list_prompts(connection)

    assert sentence in page
    assert kept == []


async def test_nothing_of_it_is_done_for_another_client(site: Site, server: TestServer):
    await site.own_prompt("acme", "sales", "de")
    async with browser(server, "globex") as client:
        mine = await _upload(client, wav(), client="acme")
        csrf = csrf_of(await (await client.get("/portal/prompts")).text())
        use = {"client": "globex", "digit": "1", "prompt": "sales"}
        statuses = [
            (await client.post(f"/portal/prompts/{verb}", data={"csrf": csrf, **fields})).status
            for verb, fields in (
                ("delete", FORM),
                ("use", {**use, "client": "acme", "did": "18005550100"}),
                ("use", {**use, "did": "18005550100"}),
                ("use", {**use, "did": "18005550200"}),
            )
        ]

    assert "There is no such client" in text_of(mine)
    assert statuses == [404, 404, 422, 422]


async def test_a_deleted_sound_is_gone(site: Site, server: TestServer):
    await site.own_prompt("acme", "sales", "de")
    async with browser(server, "olga") as client:
        csrf = csrf_of(await (await client.get("/admin/prompts")).text())
        form = {**FORM, "csrf": csrf}
        shown = text_of(await (await client.post("/admin/prompts/delete", data=form)).text())
        again = await client.post("/admin/prompts/delete", data=form)

    assert "There is none yet" in shown
    assert again.status == 422
