"""Operations that answer everything of a kind as one file, which the imports read again."""

from __future__ import annotations

from typing import Final

from ivr.directory.catalog_export import export_parts
from ivr.web.admin.accounts import account_parts
from ivr.web.api.gate import Ask, LongFile, Operation
from ivr.web.api.models import AccountsExportQuery
from ivr.web.scope import OPERATORS


async def export_accounts(ask: Ask) -> LongFile:
    """Answer accounts as CSV."""
    assert isinstance(ask.query, AccountsExportQuery)
    parts = account_parts(ask.web, ask.who.scope, ask.query.wanted())
    return LongFile(parts=parts, media="text/csv", name="accounts.csv")


async def download_catalog(ask: Ask) -> LongFile:
    """Answer the catalog as YAML."""
    deps = ask.web.deps
    parts = (part.encode() async for part in export_parts(deps.engine, deps.clock))
    return LongFile(parts=parts, media="application/yaml", name="catalog.yaml")


OPERATIONS: Final = (
    Operation(
        method="GET", path="/exports/accounts", name="exportAccounts",
        summary="Download accounts as CSV, as the import reads them",
        description="PINs cannot be read; balances are there to be looked at.", roles=OPERATORS,
        handler=export_accounts, query=AccountsExportQuery, answer=None, media="text/csv",
        streamed=True,
    ),
    Operation(
        method="GET", path="/exports/catalog", name="exportCatalog",
        summary="Download prices, clients, lines and accounts as a catalog", roles=OPERATORS,
        handler=download_catalog, answer=None, media="application/yaml",
        streamed=True,
    ),
)  # fmt: skip
