"""From settings to a machine that can run: the private Asterisk, the database, the demo catalog."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr

from billing.clock import SystemClock
from ivr.app import Service, pin_key, running
from ivr.cli.database import check_revision, database
from ivr.directory.catalog_apply import apply
from ivr.directory.catalog_file import load_catalog
from ivr.migrations import current, upgrade
from ivr.sandbox.asterisk import AsteriskFailed, PrivateAsterisk
from ivr.sandbox.fetch import AsteriskMissing, ensure
from ivr.sandbox.heard import Heard
from ivr.settings import Settings, SettingsError

DEMO_CATALOG: Final = Path(__file__).parent / "sandbox" / "demo-catalog.yaml"
LINK_SECONDS: Final = 10.0

Progress = Callable[[str], None]

log = structlog.get_logger()


@dataclass(slots=True)
class _Installation:
    settings: Settings
    asterisk: PrivateAsterisk | None = None


@asynccontextmanager
async def launched(
    settings: Settings,
    progress: Progress,
    *,
    first_start: bool = False,
    heard: Heard | None = None,
) -> AsyncIterator[Service]:
    """Start everything and wait until calls can come.

    Args:
        settings: As loaded; what the private Asterisk decides is filled in here.
        progress: Told each slow step.
        first_start: Create an empty database and load the demo catalog into it.
        heard: Told what callers hear.

    Raises:
        SettingsError: something is missing, taken or wrong; the text says what to do.

    """
    installation = _Installation(settings)
    if settings.asterisk == "private":
        await _private_asterisk(installation, progress)
    left, ready = 0, False
    try:
        await _database(installation.settings, progress, create=first_start)
        async with running(installation.settings, heard=heard) as service:
            await _linked(service)
            log.info("service ready", node=settings.node)
            progress("ready")
            ready = True
            try:
                yield service
            finally:
                left = len(service.lines.registry)
    except OSError as error:
        raise SettingsError(_explain(error, settings)) from error
    finally:
        # Calls that still talk keep their Asterisk: it limits them, and the next start settles.
        # One that was started for nothing is not left behind, whatever went wrong.
        asterisk = installation.asterisk
        if asterisk is not None and not left and (ready or not asterisk.adopted):
            await asterisk.stop()
            installation.asterisk = None


async def _private_asterisk(installation: _Installation, progress: Progress) -> None:
    settings = installation.settings
    try:
        binary = await asyncio.to_thread(ensure, progress)
        asterisk = PrivateAsterisk(
            settings.state_dir / "asterisk",
            binary,
            sip_port=settings.sip_port,
            rtp_ports=settings.rtp_ports,
            agi_host=settings.agi_host,
            agi_port=settings.agi_port,
            prompts=settings.prompts,
        )
        await asterisk.start(progress)
    except (AsteriskMissing, AsteriskFailed) as error:
        raise SettingsError(str(error)) from error
    installation.asterisk = asterisk
    installation.settings = settings.model_copy(
        update={
            "ami_host": "127.0.0.1",
            "ami_port": asterisk.ami_port,
            "ami_secret": SecretStr(asterisk.ami_secret),
            "cel_file": asterisk.home.cel,
            "shared_dir": asterisk.home.shared,
        }
    )


async def _database(settings: Settings, progress: Progress, *, create: bool) -> None:
    async with database(settings, any_revision=True) as engine:
        if not create or await current(engine) is not None:
            await check_revision(engine)
            return
        progress("creating the database and loading the demo catalog")
        await upgrade(engine)
        await apply(
            engine,
            await asyncio.to_thread(load_catalog, settings.catalog or DEMO_CATALOG),
            clock=SystemClock(),
            pin_key=pin_key(settings),
        )


async def _linked(service: Service) -> None:
    """Wait for the manager link; a refused login is final."""
    try:
        async with asyncio.timeout(LINK_SECONDS):
            while not service.lines.registry.link_up.is_set():
                if service.lines.link.refused:
                    raise SettingsError(
                        "Asterisk refuses the manager login: check TALKMETER_AMI_USERNAME and "
                        "TALKMETER_AMI_SECRET against manager.conf"
                    )
                await asyncio.sleep(0.02)
    except TimeoutError:
        settings = service.settings
        raise SettingsError(
            f"Asterisk's manager does not answer on {settings.ami_host}:{settings.ami_port}: "
            "is Asterisk running, and is manager.conf from asterisk-conf/ in place?"
        ) from None


def _explain(error: OSError, settings: Settings) -> str:
    if error.errno == 98:
        return (
            f"a port is in use ({error}): choose others with TALKMETER_WEB_PORT "
            f"({settings.web_port}), TALKMETER_AGI_PORT ({settings.agi_port}) or "
            f"TALKMETER_SIP_PORT ({settings.sip_port})"
        )
    return str(error)
