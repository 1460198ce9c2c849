"""Who sends the documents that commands write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.documents import Issuer

if TYPE_CHECKING:
    from ivr.settings import Settings


def issuer_of(settings: Settings) -> Issuer:
    """Take it from the settings."""
    return Issuer(
        title=settings.provider_title,
        address=settings.provider_address,
        details=settings.provider_details,
    )
