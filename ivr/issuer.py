"""Who sends the documents, as the settings say."""

from __future__ import annotations

from billing.layout import Issuer
from ivr.settings import Settings


def issuer_of(settings: Settings) -> Issuer:
    """Take it from the settings."""
    return Issuer(
        title=settings.provider_title,
        address=settings.provider_address,
        details=settings.provider_details,
    )
