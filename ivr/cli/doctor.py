"""`talkmeter doctor`: look at everything the service needs, and say what is wrong with it."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from ivr.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `advice` is empty when it is fine."""

    name: str
    ok: bool
    fact: str
    advice: str = ""


def doctor(json: context.JsonFlag = False) -> None:
    """Check settings, database, Asterisk and ports; exit 1 when something is wrong."""
    settings = context.settings(log_level="error")
    findings = context.run(_look(settings))
    if json:
        context.emit(
            [
                {"name": item.name, "ok": item.ok, "fact": item.fact, "advice": item.advice}
                for item in findings
            ]
        )
    else:
        for item in findings:
            context.say(f"{'ok  ' if item.ok else 'FAIL'}  {item.name:<10} {item.fact}")
            if item.advice:
                context.say(f"                 {item.advice}")
    if not all(item.ok for item in findings):
        raise typer.Exit(1)


async def _look(settings: Settings) -> list[Finding]:
    return [
        Finding(name="settings", ok=True, fact=str(settings.masked())),
        await _database(settings),
        await _asterisk(settings),
        await _service(settings),
        _disk(settings),
    ]


async def _database(settings: Settings) -> Finding:
    from ivr.cli.database import database
    from ivr.migrations import newest
    from ivr.settings import SettingsError

    try:
        async with database(settings):
            fact = f"{settings.masked()['database_url']} at revision {newest()}"
            return Finding(name="database", ok=True, fact=fact)
    except SettingsError as error:
        return Finding(name="database", ok=False, fact="cannot be used", advice=str(error))


async def _asterisk(settings: Settings) -> Finding:
    import asyncio

    from ivr.sandbox.fetch import AsteriskMissing, ensure

    if settings.asterisk == "external":
        up = settings.ami_port is not None and _listens(settings.ami_host, settings.ami_port)
        where = f"{settings.ami_host}:{settings.ami_port}"
        advice = "" if up else "is Asterisk running, with manager.conf of asterisk-conf/?"
        fact = f"manager on {where} {'answers' if up else 'does not answer'}"
        return Finding(name="asterisk", ok=up, fact=fact, advice=advice)
    try:
        binary = await asyncio.to_thread(ensure, lambda _step: None)
    except AsteriskMissing as error:
        return Finding(name="asterisk", ok=False, fact="none", advice=str(error))
    return Finding(name="asterisk", ok=True, fact=f"private, {binary.version}")


async def _service(settings: Settings) -> Finding:
    from ivr.cli.api import ServiceApi, ServiceNotRunning

    try:
        live = await ServiceApi(settings).live()
    except ServiceNotRunning:
        taken = [
            f"{name} {port}"
            for name, host, port in (
                ("web", settings.web_host, settings.web_port),
                ("agi", settings.agi_host, settings.agi_port),
            )
            if _listens(host, port)
        ]
        if taken:
            advice = "another program listens there: choose other TALKMETER_WEB_PORT/AGI_PORT"
            fact = f"ports in use: {', '.join(taken)}"
            return Finding(name="service", ok=False, fact=fact, advice=advice)
        return Finding(name="service", ok=True, fact="not running; its ports are free")
    return Finding(name="service", ok=True, fact=f"running, {len(live)} live calls")


def _disk(settings: Settings) -> Finding:
    folder = settings.state_dir if settings.state_dir.exists() else settings.state_dir.parent
    free = shutil.disk_usage(folder.resolve()).free
    ok = free > 500_000_000
    advice = "" if ok else "less than 500 MB: the ledger needs room to write"
    fact = f"{free // 1_000_000} MB free for {settings.state_dir}"
    return Finding(name="disk", ok=ok, fact=fact, advice=advice)


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
