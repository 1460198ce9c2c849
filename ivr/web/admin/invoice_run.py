"""The invoices of a month: what a run would make, then making them; each account is billed once."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from billing.domain.invoices import Month
from billing.invoice_due import Preview, preview_invoices
from billing.invoicing import Invoicing
from ivr.web import grid
from ivr.web.fields import PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.grid import Grid
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import read_filter
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

PATH: Final = "/admin/invoice-run"
Name = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class MonthForm(PageInput):
    """Which month."""

    month: Name = ""


async def show(request: web.Request, who: Who) -> web.Response:
    """Show what a run of a month would make."""
    month = read_filter(request, MonthForm).value.month
    if not month:
        raise web.HTTPSeeOther("/admin/invoices")
    return await _page(request, who, Month.parse(month), refused="", made=None)


async def _page(
    request: web.Request, who: Who, month: Month, *, refused: str, made: int | None
) -> web.Response:
    running = web_of(request)
    over = running.now_us() >= month.until_us
    empty = Preview(due=(), billed_before=0, whole=True)
    async with running.reading() as connection:
        found = await preview_invoices(connection, month) if over else empty
    values = {
        "month": str(month),
        "over": over,
        "preview": found,
        "table": _table(found),
        "refused": refused,
        "made": made,
    }
    return render(request, "admin/invoice_run.html", who, values, status=422 if refused else 200)


def _table(found: Preview) -> Grid:
    return Grid(
        caption=_("Invoices that would be made"),
        titles=(_("Account"), _("Movements"), _("Total")),
        rows=tuple(
            (
                grid.text(one.account, link=f"/admin/accounts/{one.account}"),
                grid.count(one.movements),
                grid.money(one.total, one.currency),
            )
            for one in found.due
        ),
        empty=_("Nobody owes anything for this month that is not billed."),
    )


async def run(request: web.Request, who: Who) -> web.StreamResponse:
    """Make the invoices that the preview lists; what was made meanwhile is not made again."""
    sent = await read_sent(request, MonthForm)
    if sent.value is None or not sent.value.month:
        raise web.HTTPSeeOther("/admin/invoices")
    running = web_of(request)
    month = Month.parse(sent.value.month)
    if running.now_us() < month.until_us:
        refused = _("%(month)s is not over yet.") % {"month": month}
        return await _page(request, who, month, refused=refused, made=None)
    use = Invoicing(engine=running.deps.engine, clock=running.deps.clock)
    async with running.reading() as connection:
        found = await preview_invoices(connection, month)
    made: list[str] = []
    for one in found.due:
        done, refused = await attempt(use.run(month, account=one.account))
        if done is None:
            return await _page(request, who, month, refused=refused, made=len(made))
        made += done.created
    if made:
        facts = f"{len(made)} invoices, {made[0]} to {made[-1]}"
        await running.note(who, "run invoices", str(month), after=facts)
    return await _page(request, who, month, refused="", made=len(made))


PAGES: Final = (
    Page(method="GET", path=PATH, roles=OPERATORS, handler=show),
    Page(method="POST", path=PATH, roles=OPERATORS, right=Right.MONEY, handler=run),
)
