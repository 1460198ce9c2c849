"""Types of what strangers send: cut to size, without control characters, each with its message."""

from __future__ import annotations

import base64
import json
import re
from datetime import date
from typing import Annotated, Any, ClassVar, Final

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
# The API's document quotes these patterns, so they are written for every reader of them alike:
# no control characters, no line or paragraph breaks, nothing that hides or turns text around.
_HIDDEN: Final = r"\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"
LINE: Final = re.compile(rf"^([^\s{_HIDDEN}]([^{_HIDDEN}]*[^\s{_HIDDEN}])?)?$")
NUMBER_AS_WRITTEN: Final = r"^[ ()-]*\+?[ ()-]*([0-9][ ()-]*){2,20}$"
_FRACTION: Final = (
    r"0\.([1-9][0-9]{0,5}|0[1-9][0-9]{0,4}|00[1-9][0-9]{0,3}|000[1-9][0-9]{0,2}|0000[1-9][0-9]?"
    r"|00000[1-9])"
)
# The largest amount there is: a million millions.
_LARGEST: Final = r"1000000000000(\.0{1,6})?"
POSITIVE: Final = rf"^([1-9][0-9]{{0,11}}(\.[0-9]{{1,6}})?|{_LARGEST}|{_FRACTION})$"
TOP_UP: Final = rf"^([1-9][0-9]{{0,5}}(\.[0-9]{{1,6}})?|1000000(\.0{{1,6}})?|{_FRACTION})$"
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2199


class Input(BaseModel):
    """Base of queries and bodies of the API: they are taken as they came, or refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    takes_apart: ClassVar[bool] = False
    # What may be sent in its place.
    alone: ClassVar[type[BaseModel] | None] = None


class PageInput(Input):
    """Base of forms and filters of pages: blanks around and what they do not know are left out."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


def _plain(text: str) -> str:
    if not LINE.fullmatch(text):
        raise ValueError("write this without control characters, line breaks or blanks around it")
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
    if len(text) > LINE_MAX or not NUMBER.fullmatch(number):
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


def _says(**schema: Any) -> Any:  # Any: a JSON schema, and pydantic's field
    return Field(json_schema_extra=schema)


Line = Annotated[str, AfterValidator(_plain), _says(pattern=LINE.pattern, maxLength=LINE_MAX)]
# A line that may not be empty, and is short.
Word = Annotated[
    str,
    AfterValidator(_plain),
    Field(min_length=1, max_length=100),
    _says(pattern=LINE.pattern),
]
OptionalLine = Annotated[Line | None, BeforeValidator(_nothing)]
Code = Annotated[
    str,
    AfterValidator(_code),
    _says(pattern=f"^{CODE.pattern}$", minLength=1, maxLength=64, examples=["alice"]),
]
OptionalCode = Annotated[Code | None, BeforeValidator(_nothing)]
Number = Annotated[
    str,
    AfterValidator(_number),
    _says(pattern=NUMBER_AS_WRITTEN, maxLength=LINE_MAX, examples=["15551230001"]),
]
OptionalNumber = Annotated[Number | None, BeforeValidator(_nothing)]
Pin = Annotated[str, AfterValidator(_pin), _says(pattern=f"^{PIN.pattern}$")]
OptionalPin = Annotated[Pin | None, BeforeValidator(_nothing)]
# JSON and forms carry amounts as decimal strings; inside they are micro-units.
_WRITTEN: Final[dict[str, Any]] = {  # Any: a JSON schema
    "type": "string",
    "pattern": rf"^([0-9]{{1,12}}(\.[0-9]{{1,6}})?|{_LARGEST})$",
    "examples": ["12.50"],
}
Amount = Annotated[Micros, BeforeValidator(_amount), Field(json_schema_extra=_WRITTEN)]
TopUpAmount = Annotated[Amount, AfterValidator(_top_up), _says(pattern=TOP_UP)]
OptionalAmount = Annotated[Amount | None, BeforeValidator(_nothing)]
CreditLimit = Annotated[Amount, AfterValidator(_not_negative)]
Day = Annotated[
    date,
    BeforeValidator(_day),
    _says(pattern="^2[01][0-9]{2}-[0-9]{2}-[0-9]{2}$", examples=["2026-03-31"]),
]
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
        "invalid_input", "This is no place in the list.", fields={"after": "Use `next` of a page."}
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
