"""What went wrong, as one value: the API writes it as RFC 9457 problem details, pages as a page.

`KNOWN` gives every code its status and title; an error that is not in it is a 500 without details.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from billing.errors import BillingError
from ivr.telephony import SwitchUnavailable
from ivr.web.language import gettext as _
from ivr.web.reasons import reason_of, sentence_of, whole
from ivr.web.scope import NotYours

KNOWN: Final[Mapping[str, tuple[int, str]]] = {
    "bad_request": (400, "The request cannot be understood"),
    "missing_key": (400, "The header Idempotency-Key is needed"),
    "not_authenticated": (401, "Who are you?"),
    "forbidden": (403, "This is not for you"),
    "bad_origin": (403, "The request did not come from our pages"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "This cannot be done here"),
    "precondition_failed": (412, "It is not what you have read"),
    "too_large": (413, "The request is too large"),
    "wrong_media_type": (415, "The content is of another type than expected"),
    "invalid": (422, "Some fields are wrong"),
    "too_many_tries": (429, "Too many tries"),
    "internal": (500, "Something went wrong on our side"),
    "unavailable": (503, "Not available at the moment"),
    "switch_unavailable": (503, "The telephone switch does not answer"),
    # Of the billing library and of our own stores: the codes of their error classes.
    "billing_error": (500, "Something went wrong on our side"),
    "invalid_input": (422, "The input is not valid"),
    "invalid_amount": (422, "Not an amount of money"),
    "invalid_tariff": (422, "Not a price list"),
    "invalid_shares": (422, "Not a split"),
    "unbalanced_transfer": (422, "The entries do not add up to zero"),
    "unknown_account": (404, "There is no such account"),
    "unknown_tariff": (404, "There is no such tariff"),
    "unknown_hold": (404, "There is no such hold"),
    "unknown_session": (404, "There is no such session"),
    "unknown_voucher": (404, "There is no such voucher"),
    "unknown_card_payment": (404, "There is no such card payment"),
    "not_signed": (400, "The message is not signed"),
    "cards_unavailable": (503, "The card processor does not answer"),
    "unknown_batch": (404, "There is no such batch of vouchers"),
    "unknown_payout": (404, "There is no such payout"),
    "unknown_invoice": (404, "There is no such invoice"),
    "invalid_plan": (422, "Not a plan"),
    "unknown_plan": (404, "There is no such plan"),
    "unknown_subscription": (404, "There is no such subscription"),
    "subscription_exists": (409, "There is a subscription already"),
    "usage_stopped": (409, "The plan does not allow it"),
    "unknown_user": (404, "There is no such user"),
    "user_change_refused": (409, "The login cannot be changed so"),
    "key_refused": (409, "The key cannot be made so"),
    "user_exists": (409, "The user exists already"),
    "refused": (409, "Refused"),
    "insufficient_funds": (409, "There is not enough money"),
    "too_many_vouchers": (429, "Too many wrong vouchers"),
    "account_blocked": (409, "The account is blocked"),
    "account_exists": (409, "The account exists already"),
    "currency_mismatch": (409, "The account is kept in another currency"),
    "hold_already_resolved": (409, "The hold is over already"),
    "hold_not_expired": (409, "The hold has not expired yet"),
    "grant_exceeded": (409, "More was asked than is held"),
    "voucher_used": (409, "The voucher was used before"),
    "voucher_expired": (409, "The voucher has expired"),
    "voucher_disabled": (409, "The voucher was called back"),
    "credit_exceeds_invoice": (409, "More would be credited than was billed"),
    "nothing_payable": (409, "There is not so much to be paid out"),
    "payouts_held": (409, "Payouts are held for a check"),
    "payout_not_movable": (409, "The payout has been decided already"),
    "nothing_to_refund": (409, "Nothing is left to be refunded"),
    "idempotency_conflict": (422, "The key was used for something else"),
    "changed_meanwhile": (409, "Somebody else changed it meanwhile"),
    "edit_refused": (409, "The change does not fit"),
    "ledger_unavailable": (503, "The ledger does not answer"),
    "too_many_logins": (503, "Too many people log in at once"),
}
_OF_STATUS: Final = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "wrong_media_type",
}
FIELDS_WRONG: Final = "Correct the fields that are named."
RETRY_SECONDS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An answer that is no success. `fields` maps the name of an input to what is wrong with it."""

    code: str
    detail: str
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KNOWN[self.code][0]

    @property
    def title(self) -> str:
        """The same for every problem of this code."""
        return KNOWN[self.code][1]

    def document(self) -> dict[str, object]:
        """Write it as RFC 9457 asks."""
        body: dict[str, object] = {
            "type": f"/api/v1/problems#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.fields:
            body["errors"] = [
                {"field": name, "message": text} for name, text in self.fields.items()
            ]
        return body


class Refusal(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.problem = Problem(code=code, detail=detail, fields=fields or {}, headers=headers or {})
        super().__init__(detail)


def wrong_fields(fields: Mapping[str, str]) -> Refusal:
    """Refuse what fits the document and still cannot be: what is wrong, by field."""
    return Refusal("invalid_input", FIELDS_WRONG, fields=fields)


def problem_of(error: Exception) -> Problem | None:
    """Translate an error; None when it is nothing that a visitor should see."""
    match error:
        case Refusal():
            return error.problem
        case NotYours():
            return Problem(code="not_found", detail="It does not exist, or it is not yours.")
        case ValidationError():
            return Problem(
                code="invalid",
                detail=FIELDS_WRONG,
                fields=messages(error),
            )
        case BillingError() if error.code in KNOWN:
            return Problem(code=error.code, detail=sentence_of(error))
        case SwitchUnavailable():
            return Problem(code="switch_unavailable", detail="Try again in a moment.")
        case SQLAlchemyError() | TimeoutError() | OSError():
            return Problem(
                code="unavailable",
                detail="The database does not answer. Try again in a moment.",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        case web.HTTPException() if error.status in _OF_STATUS:
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return Problem(
                code=_OF_STATUS[error.status], detail=error.reason + ".", headers=headers
            )
        case _:
            return None


def messages(error: ValidationError) -> dict[str, str]:
    """Say per field what is wrong, in words for people; the first mistake of each field counts."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part) for part in item["loc"]) or "body"
        found.setdefault(name, _sentence(item["type"], item["msg"]))
    return found


def _sentence(kind: str, message: str) -> str:
    match kind:
        case "missing" | "string_too_short":
            return _("Please fill this in.")
        case "extra_forbidden":
            return _("There is no such field.")
        case "string_pattern_mismatch":
            return _("This has characters that are not allowed here.")
        case _:
            text = message.removeprefix("Value error, ").replace("Input should be", "write")
            return whole(reason_of(text))
