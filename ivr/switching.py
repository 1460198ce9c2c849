"""Where the link to Asterisk and its written record are, by the settings."""

from __future__ import annotations

from pathlib import Path

from billing.clock import Clock
from ivr.ami.link import AmiLink
from ivr.settings import Settings, SettingsError


def ami_link(settings: Settings, clock: Clock) -> AmiLink:
    """Build the link; it connects once it runs.

    Raises:
        SettingsError: nobody said where and as whom.

    """
    if settings.ami_port is None or settings.ami_secret is None:
        raise SettingsError(
            "TALKMETER_AMI_PORT and TALKMETER_AMI_SECRET are needed with an external Asterisk "
            "(asterisk-conf/README.md tells where they come from)"
        )
    return AmiLink(
        settings.ami_host,
        settings.ami_port,
        username=settings.ami_username,
        secret=settings.ami_secret.get_secret_value(),
        clock=clock,
    )


def cel_file(settings: Settings) -> Path:
    """Say where Asterisk writes its events down.

    Raises:
        SettingsError: nobody said so.

    """
    if settings.cel_file is None:
        raise SettingsError("TALKMETER_CEL_FILE is needed: the CSV file that cel_custom writes")
    return settings.cel_file
