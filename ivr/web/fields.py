"""Types of what strangers send: cut to size, without control characters, each with its message."""

from __future__ import annotations

import base64
import json
import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from billing.errors import BillingError
from billing.ids import CODE
from billing.money import Micros, parse_amount
from billing.wallet import TOP_UP_MAX
from ivr.directory.model import NUMBER, PIN
from ivr.web.amounts import plain_amount
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal
from ivr.web.words import plain_money

LINE_MAX: Final = 200
PAGE_SIZE: Final = 50
PAGE_SIZE_MAX: Final = 500
CURSOR_MAX: Final = 400
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2199


class Input(BaseModel):
    """Base of queries and bodies of the API: unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True
    )


class PageInput(Input):
    """Base of forms and filters of pages: what they do not know they leave out."""

    model_config = ConfigDict(extra="ignore")


def _plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("write this without control characters or line breaks")
    if len(text) > LINE_MAX:
        raise ValueError(f"write at most {LINE_MAX} characters")
    return text


def _nothing(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _code(text: str) -> str:
    if not CODE.fullmatch(text):
        raise ValueError("use a-z, 0-9, dot, dash and underscore, at most 64")
    return text


def _number(text: str) -> str:
    number = re.sub(r"[ ()-]", "", text)
    if not NUMBER.fullmatch(number):
        raise ValueError("a phone number is 2 to 20 digits")
    return number.removeprefix("+")


def _pin(text: str) -> str:
    if not PIN.fullmatch(text):
        raise ValueError("a PIN is 4 to 12 digits")
    return text


def _amount(text: object) -> Micros:
    if not isinstance(text, str):
        raise ValueError('write the amount as a string such as "12.50"')
    try:
        return parse_amount(plain_amount(text))
    except BillingError:
        example = plain_money(12_500_000)
        raise ValueError(
            _("write an amount such as %(example)s, with at most six decimals", example=example)
        ) from None


def _top_up(amount: Micros) -> Micros:
    if not 0 < amount <= TOP_UP_MAX:
        raise ValueError("a top-up is more than zero and at most 1,000,000")
    return amount


def _not_negative(amount: Micros) -> Micros:
    if amount < 0:
        raise ValueError("this cannot be below zero")
    return amount


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and DAY.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None or not YEAR_MIN <= day.year <= YEAR_MAX:
        raise ValueError("write a day such as 2026-03-31")
    return day


Line = Annotated[str, AfterValidator(_plain)]
OptionalLine = Annotated[Line | None, BeforeValidator(_nothing)]
Code = Annotated[str, AfterValidator(_code)]
OptionalCode = Annotated[Code | None, BeforeValidator(_nothing)]
Number = Annotated[str, AfterValidator(_plain), AfterValidator(_number)]
OptionalNumber = Annotated[Number | None, BeforeValidator(_nothing)]
Pin = Annotated[str, AfterValidator(_pin)]
OptionalPin = Annotated[Pin | None, BeforeValidator(_nothing)]
# JSON and forms carry amounts as decimal strings; inside they are micro-units.
_WRITTEN: Final[dict[str, Any]] = {  # Any: a JSON schema
    "type": "string",
    "pattern": r"^[0-9]{1,13}(\.[0-9]{1,6})?$",
    "examples": ["12.50"],
}
Amount = Annotated[Micros, BeforeValidator(_amount), Field(json_schema_extra=_WRITTEN)]
TopUpAmount = Annotated[Amount, AfterValidator(_top_up)]
OptionalAmount = Annotated[Amount | None, BeforeValidator(_nothing)]
CreditLimit = Annotated[Amount, AfterValidator(_not_negative)]
Day = Annotated[date, BeforeValidator(_day)]
OptionalDay = Annotated[Day | None, BeforeValidator(_nothing)]
PageSize = Annotated[int, Field(ge=1, le=PAGE_SIZE_MAX)]
Cursor = Annotated[str, Field(max_length=CURSOR_MAX, pattern=r"^[A-Za-z0-9_-]*$")]


def write_cursor(*place: int | str) -> str:
    """Write where a page ended. Opaque to clients; nothing in it is trusted."""
    text = json.dumps(place, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str, *kinds: type) -> list[Any] | None:  # Any: int or str, as in `kinds`
    """Read where the page before ended; None at the beginning.

    Raises:
        Refusal: not a cursor of ours.

    """
    refusal = Refusal(
        "invalid", "This is no place in the list.", fields={"after": "Use `next` of a page."}
    )
    if not text:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        raise refusal from None
    if (
        not isinstance(place, list)
        or len(place) != len(kinds)
        or any(type(value) is not kind for value, kind in zip(place, kinds, strict=True))
        or any(isinstance(value, int) and abs(value) >= 1 << 63 for value in place)
        or any(isinstance(value, str) and not value.isprintable() for value in place)
    ):
        raise refusal
    return place
